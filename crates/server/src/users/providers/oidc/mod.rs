//! Signing in at an OpenID provider: authorization code with PKCE (RFC 7636), state and nonce (OpenID Connect Core 1.0 §3.1).

mod callback;
mod claims;
mod cookie;
mod discovery;
mod flow;
mod routes;
mod sign_out;
mod start;

pub(crate) use discovery::Discovery;
pub(super) use discovery::discover;
pub(super) use flow::redirect_uri;
pub(super) use routes::routes;
