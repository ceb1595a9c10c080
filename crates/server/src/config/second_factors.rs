//! `[second_factors]`.

use serde::Deserialize;

/// Codes of authenticator apps.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SecondFactorsConfig {
    /// Steps that an app's clock may be off to either side, 0 or 1 (RFC 6238 §5.2; ASVS 5.0 §6.5.5 asks for 0).
    pub totp_drift_steps: u8,
}
