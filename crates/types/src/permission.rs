//! What each role may do. The table in `docs/permissions.md` is checked against this one.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::values::{UnknownValue, text_enum};

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

/// The name of a role: one of the four documented ones, or one that a tenant made for itself.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(try_from = "String", into = "String")]
#[schema(value_type = String, pattern = "^[a-z][a-z0-9_]{0,49}$", example = "manager")]
pub struct RoleName(String);

impl RoleName {
    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The documented role of this name.
    pub fn documented(&self) -> Option<Role> {
        self.0.parse().ok()
    }
}

impl std::fmt::Display for RoleName {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::str::FromStr for RoleName {
    type Err = UnknownValue;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        text.to_owned().try_into()
    }
}

impl TryFrom<String> for RoleName {
    type Error = UnknownValue;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        let letters = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_';
        if (1..=50).contains(&text.len())
            && text.as_bytes()[0].is_ascii_lowercase()
            && text.bytes().all(letters)
        {
            Ok(Self(text))
        } else {
            Err(UnknownValue {
                value: text.chars().take(64).collect(),
                expected: "names of 1–50 of a–z, 0–9 and _ that begin with a letter".to_owned(),
            })
        }
    }
}

impl From<RoleName> for String {
    fn from(name: RoleName) -> Self {
        name.0
    }
}

impl From<Role> for RoleName {
    fn from(role: Role) -> Self {
        Self(role.as_str().to_owned())
    }
}

impl PartialEq<Role> for RoleName {
    fn eq(&self, role: &Role) -> bool {
        self.0 == role.as_str()
    }
}

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
    /// Send events of log sources over the API.
    EventsSend,
    /// See incidents with their evidence.
    IncidentsRead,
    /// Assign, note, resolve and re-open incidents.
    IncidentsWork,
    /// See the detection rules in force, and the exceptions from them.
    RulesRead,
    /// Add, change and remove detection rules, and switch them on and off.
    RulesManage,
    /// Make and end exceptions, which keep matches of rules from becoming incidents.
    ExceptionsManage,
    /// See remote commands with what they brought.
    CommandsRead,
    /// Ask for remote commands, and take them back.
    CommandsRequest,
    /// Agree, as a second person, to remote commands that somebody else asked for, or turn them down.
    CommandsApprove,
    /// Make and revoke one's own API keys.
    ApiKeysOwn,
    /// See and revoke every API key of the tenant.
    ApiKeysManage,
    /// See the tenant's people (needed to assign work), roles and subscription.
    UsersRead,
    /// Manage the tenant's people, its roles, and who has access from elsewhere.
    UsersManage,
    /// See and create tenants, and people in any of them.
    TenantsManage,
    /// Read the tenant's audit log.
    AuditRead,
    /// See the tenant's alerts and the rules behind them.
    AlertsRead,
    /// Change the thresholds of alert rules, and switch rules on and off.
    AlertsManage,
    /// Set up where people are told of incidents and alerts, and what goes where.
    ChannelsManage,
    /// Mute notifications for a while, and end that.
    SilencesManage,
    /// See, place and release legal holds.
    HoldsManage,
    /// Change the tenant's policy for passwords.
    PoliciesManage,
    /// See, set up and remove the tenant's identity providers.
    ProvidersManage,
    /// Take everything that the tenant has away as a file.
    TenantExport,
}
text_enum!(Permission {
    EndpointsRead => "endpoints_read",
    EndpointsManage => "endpoints_manage",
    EventsSend => "events_send",
    IncidentsRead => "incidents_read",
    IncidentsWork => "incidents_work",
    RulesRead => "rules_read",
    RulesManage => "rules_manage",
    ExceptionsManage => "exceptions_manage",
    CommandsRead => "commands_read",
    CommandsRequest => "commands_request",
    CommandsApprove => "commands_approve",
    ApiKeysOwn => "api_keys_own",
    ApiKeysManage => "api_keys_manage",
    UsersRead => "users_read",
    UsersManage => "users_manage",
    TenantsManage => "tenants_manage",
    AuditRead => "audit_read",
    AlertsRead => "alerts_read",
    AlertsManage => "alerts_manage",
    ChannelsManage => "channels_manage",
    SilencesManage => "silences_manage",
    HoldsManage => "holds_manage",
    PoliciesManage => "policies_manage",
    ProvidersManage => "providers_manage",
    TenantExport => "tenant_export",
});

impl Role {
    /// Everything that the documented role may do, as `users.role_permissions` holds it.
    pub fn permissions(self) -> &'static [Permission] {
        use Permission::{
            AlertsManage, AlertsRead, ApiKeysManage, ApiKeysOwn, AuditRead, ChannelsManage, CommandsApprove,
            CommandsRead, CommandsRequest, EndpointsManage, EndpointsRead, EventsSend, ExceptionsManage,
            HoldsManage, IncidentsRead, IncidentsWork, PoliciesManage, ProvidersManage, RulesManage,
            RulesRead, SilencesManage, TenantExport, UsersManage, UsersRead,
        };
        match self {
            Self::User => &[EndpointsRead, IncidentsRead, ApiKeysOwn],
            Self::Manager => &[
                EndpointsRead,
                EndpointsManage,
                EventsSend,
                IncidentsRead,
                IncidentsWork,
                RulesRead,
                RulesManage,
                ExceptionsManage,
                CommandsRead,
                CommandsRequest,
                CommandsApprove,
                ApiKeysOwn,
                UsersRead,
                AlertsRead,
                SilencesManage,
            ],
            Self::Admin => &[
                EndpointsRead,
                EndpointsManage,
                EventsSend,
                IncidentsRead,
                IncidentsWork,
                RulesRead,
                RulesManage,
                ExceptionsManage,
                CommandsRead,
                CommandsRequest,
                CommandsApprove,
                ApiKeysOwn,
                ApiKeysManage,
                UsersRead,
                UsersManage,
                AuditRead,
                AlertsRead,
                AlertsManage,
                ChannelsManage,
                SilencesManage,
                HoldsManage,
                PoliciesManage,
                ProvidersManage,
                TenantExport,
            ],
            Self::SystemAdmin => Permission::ALL,
        }
    }

    /// Whether the role may do `permission`.
    pub fn allows(self, permission: Permission) -> bool {
        self.permissions().contains(&permission)
    }

    /// How much of the tenant the documented role sees.
    pub const fn scope(self) -> Scope {
        match self {
            Self::User => Scope::Own,
            Self::Manager | Self::Admin | Self::SystemAdmin => Scope::Tenant,
        }
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
    fn names_of_roles_are_words() {
        for good in ["user", "night_shift", "l2", &"x".repeat(50)] {
            assert_eq!(good.parse::<RoleName>().unwrap().as_str(), good);
        }
        for bad in [
            "",
            "Night",
            "a b",
            "a|b",
            "1st",
            "_a",
            "ä",
            "a-b",
            &"x".repeat(51),
        ] {
            assert!(bad.parse::<RoleName>().is_err(), "{bad:?}");
        }
        assert_eq!(RoleName::from(Role::Admin), Role::Admin);
        assert_eq!(RoleName::from(Role::Admin).documented(), Some(Role::Admin));
        assert_eq!("l2".parse::<RoleName>().unwrap().documented(), None);
    }
}
