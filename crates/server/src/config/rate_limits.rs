//! `[rate_limits]`.

use std::num::NonZeroU32;

use serde::Deserialize;

/// Limits for callers who have proved nothing.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RateLimitsConfig {
    /// Whether the requests of callers are counted and limited; the limits are in the database.
    pub requests: bool,
    /// Sign-ins per minute from one address.
    pub sign_in_per_address_per_minute: NonZeroU32,
    /// Sign-ins at once from one address.
    pub sign_in_per_address_burst: NonZeroU32,
    /// Sign-ins per minute from one address for one user name.
    pub sign_in_per_user_per_minute: NonZeroU32,
    /// Sign-ins at once from one address for one user name.
    pub sign_in_per_user_burst: NonZeroU32,
    /// Enrolments per minute from one address.
    pub enrol_per_address_per_minute: NonZeroU32,
    /// Enrolments at once from one address.
    pub enrol_per_address_burst: NonZeroU32,
    /// Requests and redemptions of links for forgotten passwords per minute from one address.
    pub password_reset_per_address_per_minute: NonZeroU32,
    /// Such requests at once from one address.
    pub password_reset_per_address_burst: NonZeroU32,
    /// Downloads of the agent and of its script per minute from one address.
    pub download_per_address_per_minute: NonZeroU32,
    /// Such downloads at once from one address.
    pub download_per_address_burst: NonZeroU32,
}
