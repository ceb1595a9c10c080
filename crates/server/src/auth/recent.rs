//! `Recent<P>`: as `Can<P>`, for what whoever merely holds a session must not do.

use std::ops::Deref;

use axum::extract::FromRequestParts;
use axum::http::request::Parts;

use super::acting::Acting;
use super::can::{Can, Needs};
use crate::AppState;
use crate::error::ApiError;
use crate::users::require_recent;

/// A caller who holds permission `P` and has proved within the last five minutes who they are (403 `verification_required` otherwise). An API
/// key passes: making one takes the same.
#[derive(Debug, Clone)]
pub struct Recent<P>(Can<P>);

impl<P> Deref for Recent<P> {
    type Target = Acting;

    fn deref(&self) -> &Acting {
        &self.0
    }
}

impl<P: Needs> FromRequestParts<AppState> for Recent<P> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &AppState) -> Result<Self, ApiError> {
        let can = Can::<P>::from_request_parts(parts, state).await?;
        require_recent(state, &can).await?;
        Ok(Self(can))
    }
}
