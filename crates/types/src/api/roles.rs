//! Roles, permissions, and access for people of other tenants.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{Permission, Role, RoleName, Scope, TenantId, UserId};

/// Something that a caller can be allowed to do.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize, ToSchema)]
pub struct PermissionView {
    /// Its word.
    pub permission: Permission,
    /// What it allows.
    pub description: String,
    /// The least of the documented roles that has it.
    pub least_role: Role,
}

/// A role of the tenant.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize, ToSchema)]
pub struct RoleView {
    /// Its name.
    pub role: RoleName,
    /// Whether it is one of the four that every tenant has and that do not change.
    pub is_documented: bool,
    /// The documented role that bounds it.
    pub based_on: Role,
    /// How much of the tenant it sees.
    pub scope: Scope,
    /// What it is for.
    pub description: String,
    /// What it may do.
    pub permissions: Vec<Permission>,
    /// How many people have it, at home or from elsewhere, ended access included.
    pub members: i64,
}

/// `POST /api/v1/users/roles`.
#[derive(Debug, Clone, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CreateRole {
    /// Its name for good: 1–50 of a–z, 0–9 and _, beginning with a letter.
    pub role: RoleName,
    /// The documented role that bounds it.
    pub based_on: Role,
    /// How much of the tenant it sees; as the base does when absent. On `user` only `own`.
    #[serde(default)]
    pub scope: Option<Scope>,
    /// What it is for; up to 500 characters.
    #[serde(default)]
    pub description: String,
    /// What it may do: nothing that its base or the caller may not.
    pub permissions: Vec<Permission>,
}

/// `PATCH /api/v1/users/roles/{role}`; absent fields stay. Takes effect at the next request of whoever has the role.
#[derive(Debug, Clone, Default, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct UpdateRole {
    /// How much of the tenant it sees.
    #[serde(default)]
    pub scope: Option<Scope>,
    /// What it is for.
    #[serde(default)]
    pub description: Option<String>,
    /// Everything that it may do.
    #[serde(default)]
    pub permissions: Option<Vec<Permission>>,
}

/// Access to this tenant for somebody whose home is another.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize, ToSchema)]
pub struct MembershipView {
    /// Who.
    pub user_id: UserId,
    /// Their sign-in name.
    pub username: String,
    /// Their name.
    pub full_name: Option<String>,
    /// Their home.
    pub home_tenant_id: TenantId,
    /// Their role here.
    pub role: RoleName,
    /// When it ends or ended; null only where it was given by SQL.
    pub expires_at: Option<DateTime<Utc>>,
    /// Whether it is in force, their account being active.
    pub is_active: bool,
    /// Why.
    pub reason: Option<String>,
    /// Who gave it.
    pub granted_by: Option<UserId>,
    /// When it was first given.
    pub created_at: DateTime<Utc>,
}

/// `POST /api/v1/users/memberships`: gives somebody of another tenant access to this one.
#[derive(Debug, Clone, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct GrantMembership {
    /// Their exact sign-in name, in any case.
    pub username: String,
    /// Their role here; never one that may do what the caller may not.
    pub role: RoleName,
    /// When it ends: at most 366 days ahead.
    pub expires_at: DateTime<Utc>,
    /// Why, for the audit log; 1–500 characters.
    pub reason: String,
}

/// `PATCH /api/v1/users/memberships/{user_id}`; absent fields stay.
#[derive(Debug, Clone, Default, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct UpdateMembership {
    /// Another role.
    #[serde(default)]
    pub role: Option<RoleName>,
    /// Another end: in the future, at most 366 days ahead.
    #[serde(default)]
    pub expires_at: Option<DateTime<Utc>>,
    /// Why.
    #[serde(default)]
    pub reason: Option<String>,
}
