//! What is known about a request before anybody proved who they are.

use std::convert::Infallible;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use axum::extract::FromRequestParts;
use axum::http::request::Parts;

/// The other end of the connection; the listener puts it on every request.
#[derive(Debug, Clone, Copy)]
pub struct Peer(pub SocketAddr);

/// How long a body may take to arrive; less than the whole request may, so that a slow client is told so.
#[derive(Debug, Clone, Copy)]
pub struct BodyPatience(pub Duration);

/// Id and origin of a request, for audit events and limits.
#[derive(Debug, Clone)]
pub struct RequestContext {
    /// The request's id.
    pub request_id: String,
    /// The client's address, behind trusted proxies too.
    pub address: IpAddr,
}

impl<S: Send + Sync> FromRequestParts<S> for RequestContext {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Self::Rejection> {
        Ok(parts.extensions.get::<Self>().cloned().unwrap_or_else(|| Self {
            request_id: "none".to_owned(),
            address: IpAddr::from([0, 0, 0, 0]),
        }))
    }
}

/// A place on the request where authentication leaves who called, for the log's line.
#[derive(Debug, Clone, Default)]
pub struct CallerId(Arc<OnceLock<String>>);

impl CallerId {
    /// Says who called, such as `user:…`, `key:…` or `agent:…`; the first word counts.
    pub fn set(&self, caller: impl Into<String>) {
        self.0.get_or_init(|| caller.into());
    }

    /// Who called, where it is known.
    pub fn as_str(&self) -> Option<&str> {
        self.0.get().map(String::as_str)
    }
}
