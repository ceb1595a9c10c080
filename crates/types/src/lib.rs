//! The words of SecureGuard: ids, enumerations, state machines and the structures that cross the wire.
//!
//! Everything here is data and pure rules about data; nothing does input or output.

pub mod agent;
pub mod api;
mod clock;
mod command;
pub mod coverage;
mod ids;
mod incident;
mod permission;
mod problem;
pub mod response;
mod token;
mod values;

pub use clock::{Clock, ManualClock, SystemClock};
pub use command::CommandState;
pub use ids::{
    AgentId, AlertId, AlertRuleId, BackupRunId, ChannelId, CommandId, EventId, ExceptionId, FactorId,
    FindingId, HoldId, Ids, KeyId, MaintenanceRunId, NotificationId, ProviderId, RecordId, ReportId, RouteId,
    SessionId, SilenceId, TenantId, ThreatId, TimeOrderedIds, UserId,
};
pub use incident::{IncidentStatus, InvalidTransition};
pub use permission::{Permission, Role, RoleName, Scope};
pub use problem::{FieldError, Problem};
pub use token::{TokenError, TokenKind};
pub use values::{DetectionEngine, EndpointKind, EndpointStatus, Liveness, RuleKind, Severity, UnknownValue};
