//! Requests and answers of the public API, `/api/v1/`. Lists are `{items, next_cursor}`; times are RFC 3339 in UTC.

pub mod agents;
pub mod audit;
pub mod backups;
pub mod commands;
pub mod exceptions;
pub mod factors;
pub mod kpis;
pub mod maintenance;
pub mod monitoring;
pub mod notifications;
pub mod passwords;
pub mod providers;
pub mod rate_limits;
pub mod roles;
pub mod rules;
pub mod standbys;
pub mod subscriptions;
pub mod threats;
pub mod users;

use serde::{Deserialize, Deserializer, Serialize};
use utoipa::ToSchema;

/// One page of a list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Page<T> {
    /// The rows.
    pub items: Vec<T>,
    /// Give it as `cursor` to get the next page; null on the last.
    pub next_cursor: Option<String>,
}

/// Tells a field that is absent (`None`) from one that is null (`Some(None)`).
///
/// # Errors
/// Those of `T`.
pub fn present<'de, T, D>(deserializer: D) -> Result<Option<Option<T>>, D::Error>
where
    T: Deserialize<'de>,
    D: Deserializer<'de>,
{
    Option::<T>::deserialize(deserializer).map(Some)
}
