//! Forgotten passwords and the policy for new ones.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::values::text_enum;

/// `POST /api/v1/users/password-resets` → 202, whoever was named.
#[derive(Clone, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RequestPasswordReset {
    /// User name or e-mail address, in any case.
    pub account: String,
}

impl std::fmt::Debug for RequestPasswordReset {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RequestPasswordReset").finish_non_exhaustive()
    }
}

/// `POST /api/v1/users/password-resets/redeem` → 204; every session of the user ends.
#[derive(Clone, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RedeemPasswordReset {
    /// What the mailed link carries behind its `#`: `sgp_…`.
    pub token: String,
    /// The password from now on; the tenant's policy applies.
    pub new_password: String,
}

impl std::fmt::Debug for RedeemPasswordReset {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RedeemPasswordReset").finish_non_exhaustive()
    }
}

/// The policies that come with the product.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum PasswordProfile {
    /// The documented defaults: 12 characters of every class, 90 days, lockout after 5 for 30 minutes.
    Default,
    /// NIST SP 800-63B-4 §3.1.1.2: 15 characters, no classes, no expiry.
    Nist,
}
text_enum!(PasswordProfile { Default => "default", Nist => "nist" });

/// A tenant's policy for passwords (`users.password_policies`). The block list, Unicode normalisation and the cap of 128 characters hold
/// beside every policy.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize, ToSchema)]
pub struct PasswordPolicyView {
    /// The shipped profile whose rules for passwords these are; null for any other combination.
    pub profile: Option<PasswordProfile>,
    /// Characters at least, 8–128.
    pub min_length: i32,
    /// An upper-case letter.
    pub require_uppercase: bool,
    /// A lower-case letter.
    pub require_lowercase: bool,
    /// A digit.
    pub require_numbers: bool,
    /// Something that is neither letter nor digit.
    pub require_special_chars: bool,
    /// Days after which a password has to be changed, 0–3650; 0: never.
    pub max_age_days: i32,
    /// Earlier passwords that may not come back, 0–24.
    pub history_count: i32,
    /// Wrong passwords after which sign-in is locked, 1–100; counted for strangers together and for each known device by itself.
    pub max_failed_attempts: i32,
    /// Minutes that a lock lasts, 1–1440.
    pub lockout_duration_minutes: i32,
    /// When it was last changed.
    pub updated_at: DateTime<Utc>,
}

impl PasswordPolicyView {
    /// Takes the rules of `profile` for passwords; the lockout stays as it is.
    pub fn apply(&mut self, profile: PasswordProfile) {
        let (min_length, classes, max_age_days) = match profile {
            PasswordProfile::Default => (12, true, 90),
            PasswordProfile::Nist => (15, false, 0),
        };
        self.min_length = min_length;
        self.require_uppercase = classes;
        self.require_lowercase = classes;
        self.require_numbers = classes;
        self.require_special_chars = classes;
        self.max_age_days = max_age_days;
        self.profile = Some(profile);
    }

    /// The profile whose rules for passwords these are.
    pub fn matching_profile(&self) -> Option<PasswordProfile> {
        PasswordProfile::ALL.iter().copied().find(|profile| {
            let mut other = self.clone();
            other.apply(*profile);
            other.profile = self.profile;
            other == *self
        })
    }
}

/// `PATCH /api/v1/users/password-policy`; absent fields stay. A profile is put in place first, single fields after it.
#[derive(Debug, Clone, Default, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct UpdatePasswordPolicy {
    /// Take a shipped profile's rules for passwords.
    #[serde(default)]
    pub profile: Option<PasswordProfile>,
    /// Characters at least, 8–128.
    #[serde(default)]
    pub min_length: Option<i32>,
    /// An upper-case letter.
    #[serde(default)]
    pub require_uppercase: Option<bool>,
    /// A lower-case letter.
    #[serde(default)]
    pub require_lowercase: Option<bool>,
    /// A digit.
    #[serde(default)]
    pub require_numbers: Option<bool>,
    /// Something that is neither letter nor digit.
    #[serde(default)]
    pub require_special_chars: Option<bool>,
    /// Days after which a password has to be changed, 0–3650; 0: never.
    #[serde(default)]
    pub max_age_days: Option<i32>,
    /// Earlier passwords that may not come back, 0–24.
    #[serde(default)]
    pub history_count: Option<i32>,
    /// Wrong passwords after which sign-in is locked, 1–100.
    #[serde(default)]
    pub max_failed_attempts: Option<i32>,
    /// Minutes that a lock lasts, 1–1440.
    #[serde(default)]
    pub lockout_duration_minutes: Option<i32>,
}
