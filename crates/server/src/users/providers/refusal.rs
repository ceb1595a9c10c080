//! Why somebody whom a provider sends is not let in.

use crate::error::ApiError;

/// Why a sign-in through a provider was refused.
#[derive(Debug)]
pub(super) enum Refusal {
    /// For the reason that the word names; the person is told, the audit log keeps it.
    Told(&'static str),
    /// The server could not do it.
    Failed(ApiError),
}

/// The state parameter is unknown, used, too old, of another browser or of another provider.
pub(super) const STATE_UNKNOWN: Refusal = Refusal::Told("state_unknown");
/// The answer names another issuer (RFC 9207 §2.4).
pub(super) const OTHER_ISSUER: Refusal = Refusal::Told("other_issuer");
/// The provider said no, or the person did.
pub(super) const PROVIDER_REFUSED: Refusal = Refusal::Told("provider_refused");
/// The provider could not be reached or answered nonsense.
pub(super) const PROVIDER_UNAVAILABLE: Refusal = Refusal::Told("provider_unavailable");
/// The provider's token does not hold.
pub(super) const TOKEN_INVALID: Refusal = Refusal::Told("token_invalid");
/// The account is switched off.
pub(super) const INACTIVE: Refusal = Refusal::Told("inactive");
/// The account has a role that this provider must not sign in.
pub(super) const ROLE_TOO_HIGH: Refusal = Refusal::Told("role_too_high");
/// Nobody has created an account for this person, and the provider creates none.
pub(super) const NO_ACCOUNT: Refusal = Refusal::Told("no_account");
/// The provider names no e-mail address, or none that it has verified.
pub(super) const EMAIL_UNVERIFIED: Refusal = Refusal::Told("email_unverified");
/// The e-mail address is outside of the provider's domains.
pub(super) const EMAIL_DOMAIN: Refusal = Refusal::Told("email_domain");
/// Somebody else has this address, or two sign-ins crossed each other.
pub(super) const NOT_AVAILABLE: Refusal = Refusal::Told("not_available");

impl From<ApiError> for Refusal {
    fn from(error: ApiError) -> Self {
        Self::Failed(error)
    }
}

impl From<sg_db::DbError> for Refusal {
    fn from(error: sg_db::DbError) -> Self {
        match error {
            sg_db::DbError::AlreadyExists { .. } => NOT_AVAILABLE,
            other => Self::Failed(other.into()),
        }
    }
}
