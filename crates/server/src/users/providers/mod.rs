//! Proving who one is elsewhere: OpenID providers, directories, provisioning.

mod account;
pub(crate) mod ldap;
mod oidc;
pub(crate) mod outbound;
mod publication;
mod refusal;
mod roles;
mod routes;
mod save;
mod scim;
mod secret;
mod try_out;

pub(crate) use oidc::Discovery;
pub(super) use routes::routes;
