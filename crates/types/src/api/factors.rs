//! Second factors: codes, passkeys, backup codes, and the second step of a sign-in.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::users::SessionCreated;
use crate::{FactorId, RoleName, values::text_enum};

/// What proves who somebody is, beyond the password.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum FactorKind {
    /// Six digits of an app (RFC 6238).
    Totp,
    /// A WebAuthn credential: a security key, a phone, a password manager.
    Passkey,
}
text_enum!(FactorKind { Totp => "totp", Passkey => "passkey" });

/// `POST /api/v1/sessions` when the password was right and is not enough: 200, no session yet.
#[derive(Clone, Serialize, Deserialize, ToSchema)]
pub struct SignInChallenge {
    /// Names this sign-in, `sgc_…`; opens the second step (or the enrolment) once, and nothing else.
    pub challenge: String,
    /// Until when.
    pub expires_at: DateTime<Utc>,
    /// What the second step takes; empty when the account has no factor yet and has to get one first.
    pub factors: Vec<FactorKind>,
    /// Whether a backup code is left.
    pub backup_codes: bool,
    /// Whether a factor has to be added before anything else: the challenge is the bearer token of the operations that add one.
    pub must_enrol: bool,
    /// What to ask the authenticator, where the account has a passkey.
    pub passkey: Option<PasskeyRequest>,
}

/// `POST /api/v1/sessions/second-factor`; exactly one of the proofs. 201 as a sign-in.
#[derive(Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SecondFactor {
    /// The challenge of the first step.
    pub challenge: String,
    /// Six digits.
    #[serde(default)]
    pub code: Option<String>,
    /// A backup code; case, spaces and hyphens do not matter.
    #[serde(default)]
    pub backup_code: Option<String>,
    /// The authenticator's answer.
    #[serde(default)]
    pub passkey: Option<PasskeyAssertion>,
}

/// `POST /api/v1/sessions/passkey/options`: what to ask any authenticator that knows this server.
#[derive(Clone, Serialize, Deserialize, ToSchema)]
pub struct PasskeyChallenge {
    /// Names the ceremony; opens its second half once.
    pub challenge: String,
    /// What to ask.
    pub passkey: PasskeyRequest,
}

/// `POST /api/v1/sessions/passkey`: signs in without a password. 201 as a sign-in.
#[derive(Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PasskeySignIn {
    /// The challenge of the options.
    pub challenge: String,
    /// The authenticator's answer.
    pub passkey: PasskeyAssertion,
}

/// `POST /api/v1/sessions/current/verification`; exactly one of the proofs. Who has a factor uses it; the password is for who has none.
#[derive(Clone, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Verification {
    /// The password.
    #[serde(default)]
    pub password: Option<String>,
    /// Six digits.
    #[serde(default)]
    pub code: Option<String>,
    /// A backup code.
    #[serde(default)]
    pub backup_code: Option<String>,
    /// The challenge of `…/verification/options`, with `passkey`.
    #[serde(default)]
    pub challenge: Option<String>,
    /// The authenticator's answer.
    #[serde(default)]
    pub passkey: Option<PasskeyAssertion>,
}

/// The answer to a verification: 200, and the session cookie. The token that was used before opens nothing any more.
#[derive(Clone, Serialize, Deserialize, ToSchema)]
pub struct SessionRenewed {
    /// For programs: `Authorization: Bearer`.
    pub token: String,
}

/// `POST /api/v1/sessions/current/verification/options`: how the caller can verify themselves.
#[derive(Clone, Serialize, Deserialize, ToSchema)]
pub struct VerificationOptions {
    /// The factors that the caller has.
    pub factors: Vec<FactorKind>,
    /// Whether the password counts: there is no factor, and a password that can be checked. Who has neither signs in again.
    pub password: bool,
    /// Whether a backup code is left.
    pub backup_codes: bool,
    /// What to ask an authenticator, where the caller has a passkey.
    pub passkey: Option<PasskeyChallenge>,
}

/// `GET /api/v1/users/me/factors`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct FactorOverview {
    /// The caller's factors, oldest first.
    pub factors: Vec<FactorView>,
    /// Backup codes that are not used yet.
    pub backup_codes_left: i64,
    /// From when on the caller has to have a factor; null when no rule says so.
    pub required_from: Option<DateTime<Utc>>,
    /// Whether passkeys can be used: they need a host name, not an address.
    pub passkeys_available: bool,
}

/// One factor.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct FactorView {
    /// The factor's id.
    pub factor_id: FactorId,
    /// What it is.
    pub kind: FactorKind,
    /// What its owner calls it.
    pub name: String,
    /// When it was added.
    pub created_at: DateTime<Utc>,
    /// Its last use.
    pub last_used_at: Option<DateTime<Utc>>,
    /// Whether an authenticator keeps copies of a passkey elsewhere.
    pub backed_up: Option<bool>,
}

/// `POST /api/v1/users/me/factors/totp`.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct BeginTotp {
    /// What to call it, 1–100 characters.
    pub name: String,
}

/// A secret for an app, shown this once: 201. It counts only after `…/totp/confirmation`, within ten minutes.
#[derive(Clone, Serialize, Deserialize, ToSchema)]
pub struct TotpEnrolment {
    /// The factor to be.
    pub factor_id: FactorId,
    /// 160 bits in base32, to type.
    pub secret: String,
    /// `otpauth://totp/…`, for an app on the same device.
    pub uri: String,
    /// The URI as a QR code, an SVG document.
    pub qr_svg: String,
}

/// `POST /api/v1/users/me/factors/totp/confirmation`.
#[derive(Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ConfirmTotp {
    /// The factor.
    pub factor_id: FactorId,
    /// The six digits that the app shows.
    pub code: String,
}

/// `POST /api/v1/users/me/factors/passkeys/options`: what to ask an authenticator for a new passkey.
#[derive(Clone, Serialize, Deserialize, ToSchema)]
pub struct PasskeyEnrolment {
    /// Names the ceremony; opens its second half once.
    pub challenge: String,
    /// What to ask.
    pub passkey: PasskeyCreation,
}

/// `POST /api/v1/users/me/factors/passkeys`.
#[derive(Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AddPasskey {
    /// The challenge of the options.
    pub challenge: String,
    /// What to call it, 1–100 characters.
    pub name: String,
    /// The authenticator's answer.
    pub passkey: PasskeyRegistration,
}

/// A factor that was added: 201.
#[derive(Clone, Serialize, Deserialize, ToSchema)]
pub struct FactorAdded {
    /// The factor.
    pub factor: FactorView,
    /// Backup codes, shown this once, where the account had none.
    pub backup_codes: Option<Vec<String>>,
    /// The session that a sign-in waited with until there is a factor.
    pub session: Option<SessionCreated>,
}

/// `POST /api/v1/users/me/factors/backup-codes`: 201; the codes before are void.
#[derive(Clone, Serialize, Deserialize, ToSchema)]
pub struct BackupCodes {
    /// Ten codes of 120 bits, each good once; shown this once.
    pub codes: Vec<String>,
}

/// `GET /api/v1/users/factor-policy`: who must have a factor.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct FactorPolicy {
    /// The roles of the tenant that need one.
    pub rules: Vec<FactorRule>,
}

/// One role that needs a factor.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct FactorRule {
    /// The role: a documented one, or one of the tenant's own.
    pub role: RoleName,
    /// Days that somebody has, from the rule's or their own beginning.
    pub grace_days: i32,
    /// Since when.
    pub required_since: DateTime<Utc>,
}

/// `PATCH /api/v1/users/factor-policy`; absent fields stay.
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct UpdateFactorPolicy {
    /// The roles that need a factor, all of them; for a role that is on the list already the time goes on.
    #[serde(default)]
    pub roles: Option<Vec<RoleName>>,
    /// Days of grace, 0–90.
    #[serde(default)]
    pub grace_days: Option<i32>,
}

/// `GET /api/v1/users/me/notices`: what happened to the caller's own account.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Notices {
    /// Those not dismissed yet, newest first.
    pub notices: Vec<Notice>,
    /// From when on the caller has to have a factor, while they have none.
    pub factor_due: Option<DateTime<Utc>>,
}

/// One notice.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Notice {
    /// `factor_added`, `factor_removed`, `factors_reset`, `backup_codes_made` or `backup_code_used`.
    pub kind: String,
    /// The factor's name, or who did it.
    pub detail: Option<String>,
    /// When.
    pub created_at: DateTime<Utc>,
}

/// What a browser's `navigator.credentials.get` is asked (WebAuthn Level 3 §5.5); binary values are base64url.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct PasskeyRequest {
    /// 32 bytes to sign.
    pub challenge: String,
    /// Who asks.
    pub rp_id: String,
    /// Milliseconds.
    pub timeout: u32,
    /// `required`, `preferred` or `discouraged`.
    pub user_verification: String,
    /// The passkeys that count; empty: any of this server's.
    pub allow_credentials: Vec<PasskeyDescriptor>,
}

/// What a browser's `navigator.credentials.create` is asked (WebAuthn Level 3 §5.4); binary values are base64url.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct PasskeyCreation {
    /// 32 bytes to sign.
    pub challenge: String,
    /// Who asks.
    pub rp: PasskeyServer,
    /// For whom.
    pub user: PasskeyUser,
    /// COSE algorithms, best first.
    pub algorithms: Vec<i32>,
    /// Milliseconds.
    pub timeout: u32,
    /// Passkeys that the person has already.
    pub exclude_credentials: Vec<PasskeyDescriptor>,
}

/// The server as an authenticator knows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct PasskeyServer {
    /// A host name.
    pub id: String,
    /// What people read.
    pub name: String,
}

/// The person as an authenticator knows them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct PasskeyUser {
    /// The user's id, base64url.
    pub id: String,
    /// The sign-in name.
    pub name: String,
    /// What people read.
    pub display_name: String,
}

/// One passkey by its id.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct PasskeyDescriptor {
    /// Base64url.
    pub id: String,
    /// How the authenticator is reached, such as `usb` or `internal`.
    pub transports: Vec<String>,
}

/// What an authenticator answered to `create`; binary values are base64url.
#[derive(Clone, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PasskeyRegistration {
    /// The new passkey's id.
    pub id: String,
    /// The client data (JSON).
    #[serde(rename = "clientDataJSON")]
    pub client_data_json: String,
    /// The attestation object (CBOR); its statement is not looked at.
    pub attestation_object: String,
    /// How the authenticator is reached.
    #[serde(default)]
    pub transports: Vec<String>,
}

/// What an authenticator answered to `get`; binary values are base64url.
#[derive(Clone, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PasskeyAssertion {
    /// The passkey's id.
    pub id: String,
    /// The client data (JSON).
    #[serde(rename = "clientDataJSON")]
    pub client_data_json: String,
    /// The authenticator data.
    pub authenticator_data: String,
    /// The signature over both.
    pub signature: String,
    /// Whose passkey it is, as the authenticator knows it.
    #[serde(default)]
    pub user_handle: Option<String>,
}
