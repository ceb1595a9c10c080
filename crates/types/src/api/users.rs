//! Sign-in, people, tenants and API keys.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{KeyId, Permission, RoleName, SessionId, TenantId, UserId, values::text_enum};

/// `POST /api/v1/sessions`.
#[derive(Clone, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SignIn {
    /// User name, in any case.
    pub username: String,
    /// Password.
    pub password: String,
}

impl std::fmt::Debug for SignIn {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SignIn")
            .field("username", &self.username)
            .finish_non_exhaustive()
    }
}

/// The answer to a sign-in: 201, and the session cookie.
#[derive(Clone, Deserialize, Serialize, ToSchema)]
pub struct SessionCreated {
    /// For programs: `Authorization: Bearer`.
    pub token: String,
    /// While true, everything but changing the password and signing out is refused with `password_change_required`.
    pub must_change_password: bool,
    /// When the session ends at the latest.
    pub expires_at: DateTime<Utc>,
    /// When the password gets too old and has to be changed; null when it never does.
    pub password_expires_at: Option<DateTime<Utc>>,
    /// True from 14 days before that on.
    pub password_expires_soon: bool,
}

/// `GET /api/v1/sessions/current`: who calls, and where.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize, ToSchema)]
pub struct CurrentSession {
    /// The caller.
    pub user_id: UserId,
    /// The caller's user name.
    pub username: String,
    /// The caller's name, where given.
    pub full_name: Option<String>,
    /// The caller's role in `tenant`.
    pub role: RoleName,
    /// What that role may do.
    pub permissions: Vec<Permission>,
    /// The tenant that this call works in: the caller's home, or the one named by the header `X-SecureGuard-Tenant`.
    pub tenant: TenantRef,
    /// Every tenant that the caller may work in.
    pub tenants: Vec<TenantRef>,
    /// Whether the password has to be changed before anything else.
    pub must_change_password: bool,
    /// When the password gets too old and has to be changed; null when it never does.
    pub password_expires_at: Option<DateTime<Utc>>,
    /// True from 14 days before that on.
    pub password_expires_soon: bool,
    /// Whether this server sends mail: invitations, links for forgotten passwords, notifications.
    pub mail_enabled: bool,
}

/// A tenant by id and name.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize, ToSchema)]
pub struct TenantRef {
    /// The tenant's id.
    pub tenant_id: TenantId,
    /// The tenant's name.
    pub name: String,
}

/// `POST /api/v1/users/me/password` → 204; every other session of the user ends.
#[derive(Clone, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ChangePassword {
    /// The password until now.
    pub current_password: String,
    /// The password from now on; the tenant's policy applies.
    pub new_password: String,
}

/// `POST /api/v1/users/tenants`.
#[derive(Debug, Clone, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CreateTenant {
    /// Display name, 1–255 characters.
    pub name: String,
    /// Short name for addresses and commands: 1–63 of a–z, 0–9 and inner hyphens; unique.
    pub slug: String,
}

/// What a tenant may do; set by whoever manages the installation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum TenantStatus {
    /// Everything.
    Active,
    /// Nothing: nobody signs in, no key works, agents keep what they notice until it is active again.
    Suspended,
}
text_enum!(TenantStatus {
    Active => "active",
    Suspended => "suspended",
});

/// `PATCH /api/v1/users/tenants/{tenant_id}`; what is left out stays.
#[derive(Debug, Clone, Default, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct UpdateTenant {
    /// Display name, 1–255 characters.
    #[serde(default)]
    pub name: Option<String>,
    /// Takes effect at once.
    #[serde(default)]
    pub status: Option<TenantStatus>,
}

/// A tenant.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize, ToSchema)]
pub struct TenantView {
    /// The tenant's id.
    pub tenant_id: TenantId,
    /// Display name.
    pub name: String,
    /// Short name.
    pub slug: String,
    /// `active`, `suspended` or `erased`.
    pub status: String,
    /// When everything of it is erased; null for never. To let it work again takes that back.
    pub erase_at: Option<DateTime<Utc>>,
    /// When it was created.
    pub created_at: DateTime<Utc>,
}

/// `POST /api/v1/users`.
#[derive(Debug, Clone, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CreateUser {
    /// Sign-in name, 1–50 characters without `@` and white space; unique in any case.
    pub username: String,
    /// E-mail address; unique in any case.
    pub email: String,
    /// The person's name.
    #[serde(default)]
    pub full_name: Option<String>,
    /// The role in the tenant; never one that may do what the caller may not.
    pub role: RoleName,
    /// The home tenant; another than the caller's needs `tenants_manage`.
    #[serde(default)]
    pub tenant_id: Option<TenantId>,
    /// Mail the person a link by which they choose their first password, instead of answering with a one-time password.
    #[serde(default)]
    pub invite: bool,
}

/// A new user, with the password that works once unless they were invited by mail.
#[derive(Clone, Deserialize, Serialize, ToSchema)]
pub struct UserCreated {
    /// The user.
    #[serde(flatten)]
    pub user: UserView,
    /// Shown this once; has to be changed at the first sign-in. Null for somebody who was invited.
    pub initial_password: Option<String>,
}

/// A person who signs in.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize, ToSchema)]
pub struct UserView {
    /// The user's id.
    pub user_id: UserId,
    /// The home tenant.
    pub tenant_id: TenantId,
    /// Sign-in name.
    pub username: String,
    /// E-mail address.
    pub email: String,
    /// The person's name.
    pub full_name: Option<String>,
    /// The role in the tenant that was asked.
    pub role: RoleName,
    /// Whether the user may sign in.
    pub is_active: bool,
    /// When access from elsewhere ends or ended; null for people at home.
    pub access_ends_at: Option<DateTime<Utc>>,
    /// Until when sign-in is locked, where it is.
    pub account_locked_until: Option<DateTime<Utc>>,
    /// The last sign-in.
    pub last_login: Option<DateTime<Utc>>,
    /// When the user was created.
    pub created_at: DateTime<Utc>,
}

/// `PATCH /api/v1/users/{user_id}`; absent fields stay. A change of role or activity ends the user's sessions.
#[derive(Debug, Clone, Default, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct UpdateUser {
    /// New role; never one that may do what the caller may not.
    #[serde(default)]
    pub role: Option<RoleName>,
    /// Whether the user may sign in.
    #[serde(default)]
    pub is_active: Option<bool>,
}

/// What an API key may be used for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum KeyScope {
    /// Enrolling endpoints; nothing can be read with it.
    Enrol,
    /// Calling the API as the user who made it.
    Api,
    /// Provisioning people and groups (SCIM 2.0) in the name of the user who made it.
    Scim,
    /// Sending events of log sources; nothing can be read with it.
    Events,
}
text_enum!(KeyScope { Enrol => "enrol", Api => "api", Scim => "scim", Events => "events" });

/// `POST /api/v1/users/api-keys`.
#[derive(Debug, Clone, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CreateApiKey {
    /// A name to tell keys apart, 1–100 characters.
    #[serde(alias = "name")]
    pub key_name: String,
    /// What the key may be used for; `enrol` and `api` when absent. Keys that lie on endpoints should be `["enrol"]`.
    #[serde(default)]
    pub scopes: Option<Vec<KeyScope>>,
    /// When the key ends; never when absent.
    #[serde(default)]
    pub expires_at: Option<DateTime<Utc>>,
    /// How many enrolments the key is good for, 1 or more; any number when absent.
    #[serde(default)]
    pub max_enrolments: Option<i64>,
}

/// `POST /api/v1/users/api-keys/{key_id}/rotate`: a key with the same name and rights takes the place of this one.
#[derive(Debug, Clone, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RotateApiKey {
    /// Seconds for which the key before still works, 0–2,592,000 (30 days); a day when absent. It never works longer than it would have.
    #[serde(default)]
    pub overlap_seconds: Option<i64>,
    /// When the new key ends; never when absent.
    #[serde(default)]
    pub expires_at: Option<DateTime<Utc>>,
}

/// A session of the caller's.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize, ToSchema)]
pub struct SessionView {
    /// The session's id.
    pub session_id: SessionId,
    /// Whether this call was made with it.
    pub is_current: bool,
    /// When it began.
    pub created_at: DateTime<Utc>,
    /// The last request, to the minute.
    pub last_seen_at: DateTime<Utc>,
    /// When it ends at the latest.
    pub expires_at: DateTime<Utc>,
    /// From where it began.
    pub address: Option<String>,
    /// With which program it began.
    pub user_agent: Option<String>,
}

/// How many sessions were ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize, ToSchema)]
pub struct SessionsEnded {
    /// That many.
    pub ended: u64,
}

/// A new API key with its secret.
#[derive(Clone, Deserialize, Serialize, ToSchema)]
pub struct ApiKeyCreated {
    /// The key's facts.
    #[serde(flatten)]
    pub api_key: ApiKeyView,
    /// The secret, `sg_…`; shown this once.
    pub key: String,
}

/// An API key without its secret.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize, ToSchema)]
pub struct ApiKeyView {
    /// The key's id.
    pub key_id: KeyId,
    /// Whose key it is.
    pub user_id: UserId,
    /// That user's name.
    pub username: String,
    /// Its name.
    pub key_name: String,
    /// The first characters of the secret.
    pub key_prefix: String,
    /// What it may be used for.
    pub scopes: Vec<KeyScope>,
    /// False once revoked.
    pub is_active: bool,
    /// When it ends.
    pub expires_at: Option<DateTime<Utc>>,
    /// Last use.
    pub last_used: Option<DateTime<Utc>>,
    /// Number of uses.
    pub usage_count: i64,
    /// How many enrolments it is good for; any number when null.
    pub max_enrolments: Option<i64>,
    /// How many enrolments were made with it.
    pub enrolments: i64,
    /// The key whose place it took.
    pub replaces_key_id: Option<KeyId>,
    /// When it was made.
    pub created_at: DateTime<Utc>,
}
