//! One type per kind of id, so that a tenant's id is never taken for a user's.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

macro_rules! define_ids {
    ($($(#[$doc:meta])* $name:ident;)*) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema)]
        #[serde(transparent)]
        #[schema(value_type = Uuid)]
        pub struct $name(pub Uuid);

        impl From<Uuid> for $name {
            fn from(value: Uuid) -> Self {
                Self(value)
            }
        }

        impl From<$name> for Uuid {
            fn from(value: $name) -> Self {
                value.0
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                self.0.fmt(f)
            }
        }

        impl std::str::FromStr for $name {
            type Err = uuid::Error;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                text.parse().map(Self)
            }
        }
    )*};
}

define_ids! {
    /// A customer, kept apart from every other by the database (`users.tenants.tenant_id`).
    TenantId;
    /// A person who signs in (`users.users.user_id`).
    UserId;
    /// An API key (`users.api_keys.key_id`).
    KeyId;
    /// A signed-in session (`users.sessions.session_id`).
    SessionId;
    /// A second factor (`users.factors.factor_id`).
    FactorId;
    /// A monitored endpoint and the agent on it (`agents.endpoints.agent_id`).
    AgentId;
    /// An incident (`threats.incidents.threat_id`).
    ThreatId;
    /// An exception from rules (`threats.exceptions.exception_id`).
    ExceptionId;
    /// One rule match (`threats.findings.finding_id`).
    FindingId;
    /// A remote command (`agents.commands.command_id`).
    CommandId;
    /// A legal hold (`agents.legal_holds.hold_id`).
    HoldId;
    /// A rule over a figure (`monitoring.alert_rules.rule_id`).
    AlertRuleId;
    /// A backup, verification or drill (`monitoring.backups.run_id`).
    BackupRunId;
    /// A run of regular maintenance (`monitoring.maintenance_runs.run_id`).
    MaintenanceRunId;
    /// A report on maintenance or on a week's figures (`monitoring.reports.report_id`).
    ReportId;
    /// An alert (`monitoring.alerts.alert_id`).
    AlertId;
    /// Where people are told of incidents and alerts (`monitoring.channels.channel_id`).
    ChannelId;
    /// What goes to which channel (`monitoring.routes.route_id`).
    RouteId;
    /// What is muted for a while (`monitoring.silences.silence_id`).
    SilenceId;
    /// One message to one channel (`monitoring.notifications.notification_id`).
    NotificationId;
    /// An identity provider (`users.identity_providers.provider_id`).
    ProviderId;
    /// An entry of the audit log (`audit.events.event_id`).
    EventId;
    /// One record of an agent's stream; made by the agent, it makes a repeat recognisable.
    RecordId;
}

impl TenantId {
    /// The tenant that an installation starts with.
    pub const DEFAULT: Self = Self(Uuid::from_u128(1));
    /// The reserved tenant that owns what belongs to nobody: sign-ins of unknown users, platform alerts.
    pub const SYSTEM: Self = Self(Uuid::from_u128(0));
}

/// The source of new ids.
pub trait Ids: Send + Sync + 'static {
    /// A new id, unique everywhere; ordered by time where the implementation says so.
    fn next(&self) -> Uuid;
}

/// Ids of UUID version 7 (RFC 9562 §5.7): ordered by the time of their making, which keeps indexes compact.
#[derive(Debug, Clone, Copy, Default)]
pub struct TimeOrderedIds;

impl Ids for TimeOrderedIds {
    #[expect(clippy::disallowed_methods, reason = "the one place that makes ids")]
    fn next(&self) -> Uuid {
        Uuid::now_v7()
    }
}
