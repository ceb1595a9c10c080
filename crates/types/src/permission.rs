//! What each role may do. The table in `docs/permissions.md` is checked against this one.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::values::text_enum;

/// The four documented roles (`users.users.role`, `users.memberships.role`), from least to most.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Sees the endpoints that are theirs, and the incidents on them.
    User,
    /// Works the tenant's incidents and endpoints: the analyst.
    Manager,
    /// Manages the tenant's people and keys, and reads its audit log.
    Admin,
    /// Manages the installation and its tenants.
    SystemAdmin,
}
text_enum!(Role { User => "user", Manager => "manager", Admin => "admin", SystemAdmin => "system_admin" });

/// How much of a tenant a caller sees.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Scope {
    /// Only the endpoints whose `user_id` is the caller's, and what hangs on them.
    Own,
    /// Everything in the tenant.
    Tenant,
}
text_enum!(Scope { Own => "own", Tenant => "tenant" });

/// One thing that a caller may be allowed to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Permission {
    /// See endpoints, their metrics and events.
    EndpointsRead,
    /// Rename, hand over and decommission endpoints.
    EndpointsManage,
    /// See incidents with their evidence.
    IncidentsRead,
    /// Assign, note, resolve and re-open incidents.
    IncidentsWork,
    /// See the detection rules in force.
    RulesRead,
    /// Make and revoke one's own API keys.
    ApiKeysOwn,
    /// See and revoke every API key of the tenant.
    ApiKeysManage,
    /// See the tenant's people (needed to assign work).
    UsersRead,
    /// Create, change and deactivate the tenant's people.
    UsersManage,
    /// See and create tenants, and people in any of them.
    TenantsManage,
    /// Read the tenant's audit log.
    AuditRead,
}
text_enum!(Permission {
    EndpointsRead => "endpoints_read",
    EndpointsManage => "endpoints_manage",
    IncidentsRead => "incidents_read",
    IncidentsWork => "incidents_work",
    RulesRead => "rules_read",
    ApiKeysOwn => "api_keys_own",
    ApiKeysManage => "api_keys_manage",
    UsersRead => "users_read",
    UsersManage => "users_manage",
    TenantsManage => "tenants_manage",
    AuditRead => "audit_read",
});

impl Role {
    /// Everything that the role may do.
    pub fn permissions(self) -> &'static [Permission] {
        use Permission::{
            ApiKeysManage, ApiKeysOwn, AuditRead, EndpointsManage, EndpointsRead, IncidentsRead,
            IncidentsWork, RulesRead, UsersManage, UsersRead,
        };
        match self {
            Self::User => &[EndpointsRead, IncidentsRead, ApiKeysOwn],
            Self::Manager => &[
                EndpointsRead,
                EndpointsManage,
                IncidentsRead,
                IncidentsWork,
                RulesRead,
                ApiKeysOwn,
                UsersRead,
            ],
            Self::Admin => &[
                EndpointsRead,
                EndpointsManage,
                IncidentsRead,
                IncidentsWork,
                RulesRead,
                ApiKeysOwn,
                ApiKeysManage,
                UsersRead,
                UsersManage,
                AuditRead,
            ],
            Self::SystemAdmin => Permission::ALL,
        }
    }

    /// Whether the role may do `permission`.
    pub fn allows(self, permission: Permission) -> bool {
        self.permissions().contains(&permission)
    }

    /// How much of the tenant the role sees.
    pub const fn scope(self) -> Scope {
        match self {
            Self::User => Scope::Own,
            Self::Manager | Self::Admin | Self::SystemAdmin => Scope::Tenant,
        }
    }

    /// Whether somebody with this role may hand out `other`: never a role above one's own.
    pub fn may_grant(self, other: Self) -> bool {
        self.allows(Permission::UsersManage) && other <= self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_higher_role_may_do_everything_that_a_lower_one_may() {
        for pair in Role::ALL.windows(2) {
            for permission in pair[0].permissions() {
                assert!(
                    pair[1].allows(*permission),
                    "{} lacks {permission} of {}",
                    pair[1],
                    pair[0]
                );
            }
        }
    }

    #[test]
    fn the_documented_table_is_this_one() {
        let document = include_str!("../../../docs/permissions.md");
        for permission in Permission::ALL {
            let row = document
                .lines()
                .find(|line| line.starts_with(&format!("| `{permission}` |")))
                .unwrap_or_else(|| panic!("docs/permissions.md lacks {permission}"));
            let cells: Vec<&str> = row.trim_matches('|').split('|').map(str::trim).skip(2).collect();
            let allowed: Vec<&str> = Role::ALL
                .iter()
                .map(|role| if role.allows(*permission) { "yes" } else { "–" })
                .collect();
            assert_eq!(cells, allowed, "{permission}");
        }
    }

    #[test]
    fn nobody_grants_above_themselves() {
        assert!(Role::Admin.may_grant(Role::Admin));
        assert!(!Role::Admin.may_grant(Role::SystemAdmin));
        assert!(!Role::Manager.may_grant(Role::User));
    }
}
