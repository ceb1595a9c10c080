//! Exceptions: matches that open no incident.

use chrono::{DateTime, NaiveDate, Utc};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{AgentId, ExceptionId, IncidentStatus, Severity, ThreatId, UserId, values::text_enum};

/// What a condition looks at: a property of the file or process that a rule matched on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ExceptionField {
    /// A file's path.
    Path,
    /// SHA-256 of the file, or of the process's executable.
    Sha256,
    /// The file's owner, or the process's user.
    User,
    /// The process's short name.
    Name,
    /// Path of the process's executable.
    Image,
    /// The process's whole command line.
    CommandLine,
    /// The process's working directory.
    CurrentDirectory,
    /// Path of the parent's executable.
    ParentImage,
    /// The parent's command line.
    ParentCommandLine,
}
text_enum!(ExceptionField {
    Path => "path",
    Sha256 => "sha256",
    User => "user",
    Name => "name",
    Image => "image",
    CommandLine => "command_line",
    CurrentDirectory => "current_directory",
    ParentImage => "parent_image",
    ParentCommandLine => "parent_command_line",
});

/// How a value has to compare; case matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ExceptionOperator {
    /// Is the same.
    Is,
    /// Begins with it.
    BeginsWith,
    /// Ends with it.
    EndsWith,
    /// Has it somewhere.
    Contains,
}

/// One thing that has to hold. A property that what was matched on does not have holds nothing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ExceptionCondition {
    /// What it looks at.
    pub field: ExceptionField,
    /// How it has to compare.
    pub operator: ExceptionOperator,
    /// With what: 1–4,000 characters.
    pub value: String,
}

/// What an exception hides: everything that is given has to hold. Without a rule there is a condition at least.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ExceptionScope {
    /// The rule's own id; every rule when null.
    #[serde(default)]
    pub rule_id: Option<String>,
    /// The endpoint; every endpoint when null.
    #[serde(default)]
    pub agent_id: Option<AgentId>,
    /// At most 10.
    #[serde(default)]
    pub conditions: Vec<ExceptionCondition>,
}

/// `POST /api/v1/threats/exceptions` → 201 [`ExceptionView`].
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CreateException {
    /// 1–200 characters.
    pub name: String,
    /// Why it is harmless, 1–2,000 characters.
    pub reason: String,
    /// What it hides.
    pub scope: ExceptionScope,
    /// Who answers for it, a person who may work in the tenant; the caller when absent.
    #[serde(default)]
    pub owner_id: Option<UserId>,
    /// When it ends by itself; never when absent.
    #[serde(default)]
    pub expires_at: Option<DateTime<Utc>>,
    /// The incident that it is made from.
    #[serde(default)]
    pub threat_id: Option<ThreatId>,
}

/// An exception.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ExceptionView {
    /// Its id.
    pub exception_id: ExceptionId,
    /// Its name.
    pub name: String,
    /// Why it is harmless.
    pub reason: String,
    /// What it hides.
    pub scope: ExceptionScope,
    /// The rule's title, where the rule has matched before.
    pub rule_name: Option<String>,
    /// The endpoint's host name.
    pub hostname: Option<String>,
    /// Who answers for it.
    pub owner_id: Option<UserId>,
    /// That person's user name.
    pub owner_username: Option<String>,
    /// The incident that it was made from.
    pub threat_id: Option<ThreatId>,
    /// When it was made.
    pub created_at: DateTime<Utc>,
    /// When it ends by itself.
    pub expires_at: Option<DateTime<Utc>>,
    /// When somebody ended it.
    pub ended_at: Option<DateTime<Utc>>,
    /// Whether it hides anything now.
    pub is_active: bool,
    /// Matches that it has hidden in the last 90 days.
    pub hidden_count: i64,
    /// When the last of them happened.
    pub last_hidden_at: Option<DateTime<Utc>>,
}

/// What an exception would have hidden among what is stored of the last days.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ExceptionPreview {
    /// How many days were looked at.
    pub days: i32,
    /// Matches that it would have hidden.
    pub matches: i64,
    /// Endpoints that they happened on.
    pub endpoints: i64,
    /// Incidents that have one of them.
    pub incidents: i64,
    /// Incidents that would not have been opened, since nothing else is in them.
    pub hidden_incidents: i64,
    /// Incidents among them that people closed as resolved: the threat was real.
    pub confirmed_incidents: i64,
    /// The incidents, confirmed ones first; 50 at most.
    pub items: Vec<ExceptionPreviewItem>,
}

/// An incident that an exception would have hidden, or a part of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ExceptionPreviewItem {
    /// The incident's id.
    pub threat_id: ThreatId,
    /// Its title.
    pub title: String,
    /// Its endpoint's host name.
    pub hostname: Option<String>,
    /// How bad.
    pub severity: Severity,
    /// Where it stands.
    pub status: IncidentStatus,
    /// When it began.
    pub detected_at: DateTime<Utc>,
    /// Matches in it that would have been hidden.
    pub matches: i64,
    /// Whether all of it would have been hidden.
    pub is_hidden: bool,
    /// Whether people closed it as resolved: the threat was real.
    pub is_confirmed: bool,
}

/// What an exception has hidden of one rule on one subject on one day.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ExceptedFinding {
    /// The endpoint.
    pub agent_id: AgentId,
    /// Its host name.
    pub hostname: Option<String>,
    /// The day, in UTC.
    pub day: NaiveDate,
    /// The rule's own id.
    pub rule_id: String,
    /// The rule's title.
    pub rule_name: String,
    /// How bad, by the rule.
    pub severity: Severity,
    /// What it matched on.
    #[schema(value_type = Object)]
    pub subject: serde_json::Value,
    /// How often.
    pub occurrence_count: i64,
    /// The last time.
    pub last_seen_at: DateTime<Utc>,
}
