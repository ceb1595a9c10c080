//! Who calls, and the proof of it.

use sg_types::{
    Permission, Role, RoleName, Scope, TenantId, UserId,
    api::{roles::RoleView, users::KeyScope},
};
use sha2::{Digest, Sha256};
use uuid::Uuid;

/// SHA-256 of a token: what is stored, looked up and used as proof, so that the token itself stays with its holder.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct TokenHash([u8; 32]);

impl TokenHash {
    /// Hashes a token. Its 256 random bits need no salt and no slow function (ASVS 5.0 §6.5.2).
    pub fn of(token: &str) -> Self {
        Self(Sha256::digest(token.as_bytes()).into())
    }

    /// The 32 bytes.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// In lower-case hex, as `users.api_keys.key_hash` holds it.
    pub fn to_hex(&self) -> String {
        hex::encode(self.0)
    }
}

impl std::fmt::Debug for TokenHash {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("TokenHash(…)")
    }
}

/// What opens a tenant context.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Proof {
    /// A session's token.
    Session(TokenHash),
    /// An API key.
    ApiKey(TokenHash),
}

impl Proof {
    pub(crate) fn kind(&self) -> &'static str {
        match self {
            Self::Session(_) => "session",
            Self::ApiKey(_) => "api_key",
        }
    }

    pub(crate) fn hash(&self) -> &[u8] {
        match self {
            Self::Session(hash) | Self::ApiKey(hash) => hash.as_bytes(),
        }
    }
}

/// Somebody who has proved who they are, and the tenant they work in.
#[derive(Debug, Clone)]
pub struct Caller {
    /// What proved it.
    pub proof: Proof,
    /// The tenant of this call.
    pub tenant_id: TenantId,
    /// The user.
    pub user_id: UserId,
    /// The user's sign-in name.
    pub username: String,
    /// The user's name.
    pub full_name: Option<String>,
    /// The role in `tenant_id`.
    pub role: RoleName,
    /// The documented role that bounds it.
    pub based_on: Role,
    /// How much of the tenant it sees.
    pub scope: Scope,
    /// What it may do.
    pub permissions: Vec<Permission>,
    /// The user's home.
    pub home_tenant_id: TenantId,
    /// Id of the session or key.
    pub credential_id: Uuid,
    /// What a key may be used for; none for a session, which may be used for everything.
    pub scopes: Option<Vec<KeyScope>>,
    /// Whether the password has to be changed before anything else.
    pub must_change_password: bool,
}

impl Caller {
    /// Whether the role, and the key's scope where a key is used, allow `permission`.
    pub fn may(&self, permission: Permission) -> bool {
        self.permissions.contains(&permission)
            && self
                .scopes
                .as_ref()
                .is_none_or(|scopes| scopes.contains(&KeyScope::Api))
    }

    /// The highest documented role that this caller may give: one without a permission that they lack themselves. None when they give none.
    pub fn highest_grantable(&self) -> Option<Role> {
        if !self.permissions.contains(&Permission::UsersManage) {
            return None;
        }
        [Role::SystemAdmin, Role::Admin, Role::Manager, Role::User]
            .into_iter()
            .find(|role| role.permissions().iter().all(|p| self.permissions.contains(p)))
    }

    /// Whether this caller may give or take `role`: they manage people and lack nothing of what the role may do. `users.may_grant` in the
    /// database says the same.
    pub fn may_grant(&self, role: &RoleView) -> bool {
        self.may(Permission::UsersManage)
            && self.may_define(role.based_on, role.scope)
            && role.permissions.iter().all(|p| self.permissions.contains(p))
    }

    /// Whether this caller may make roles of this base and scope.
    pub fn may_define(&self, based_on: Role, scope: Scope) -> bool {
        based_on <= self.based_on && (scope == Scope::Own || self.scope == Scope::Tenant)
    }
}
