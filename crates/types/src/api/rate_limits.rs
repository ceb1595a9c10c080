//! Limits on requests to the API, and how much of them is used.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::values::text_enum;

/// Whose requests are counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum RateSubjectKind {
    /// One address, or the /64 of an IPv6 one.
    Address,
    /// Everybody of a tenant together.
    Tenant,
    /// One user, over all sessions and keys.
    User,
    /// One API key.
    Key,
}
text_enum!(RateSubjectKind { Address => "address", Tenant => "tenant", User => "user", Key => "key" });

/// A limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct RateLimitView {
    /// Whose requests it is about.
    pub kind: RateSubjectKind,
    /// Requests in each minute of the clock.
    pub requests_per_minute: i32,
    /// Whether it is the installation's, and not the tenant's own.
    pub is_default: bool,
}

/// What somebody used.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct RateUsageView {
    /// What kind of subject it is.
    pub kind: RateSubjectKind,
    /// The id of the tenant, user or key.
    pub subject: String,
    /// The user's or key's name, while there is one.
    pub name: Option<String>,
    /// Requests that were answered.
    pub served: i64,
    /// Requests that were refused with 429.
    pub refused: i64,
    /// The most requests in one minute.
    pub peak_per_minute: i64,
}

/// `GET /api/v1/users/rate-limits`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct RateLimitsView {
    /// The limits in force.
    pub limits: Vec<RateLimitView>,
    /// Who used the API in the last hour, the busiest first; at most 100. A second's requests may be missing.
    pub usage: Vec<RateUsageView>,
}

/// `PUT /api/v1/users/rate-limits`: the tenant's own limits, 1 to what the whole tenant may; `null` or absent: the installation's.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SetRateLimits {
    /// Requests per minute of each user.
    #[serde(default)]
    pub user: Option<i32>,
    /// Requests per minute of each API key.
    #[serde(default)]
    pub key: Option<i32>,
}
