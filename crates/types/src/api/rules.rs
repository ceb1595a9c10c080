//! Detection rules: those of the installation's pack, and those of a tenant's own.

use chrono::{DateTime, NaiveDate, Utc};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::{AgentId, RuleKind, Severity, agent::Event, values::text_enum};

/// Whose a rule is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum RuleOrigin {
    /// Of the pack that every tenant of the installation has.
    Pack,
    /// The tenant's own.
    Tenant,
}
text_enum!(RuleOrigin { Pack => "pack", Tenant => "tenant" });

/// What a version of a rule did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum RuleChange {
    /// The rule was added, or again after it was removed.
    Create,
    /// It has another text.
    Update,
    /// It was switched on.
    Enable,
    /// It was switched off.
    Disable,
    /// It was removed.
    Remove,
}
text_enum!(RuleChange {
    Create => "create",
    Update => "update",
    Enable => "enable",
    Disable => "disable",
    Remove => "remove",
});

/// One thing that the compiler says about a rule's text.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct RuleDiagnostic {
    /// The stable code, such as `D010`; `docs/detection.md` lists them.
    pub code: String,
    /// `refused` or `warned`.
    pub effect: String,
    /// Line in the text, counted from 1, where it is known.
    pub line: Option<u32>,
    /// What is wrong and what to do.
    pub message: String,
}

/// What a rule has found in this tenant, and how people judged it.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct RuleRecord {
    /// Matches that are stored.
    pub matches: i64,
    /// The last of them.
    pub last_match_at: Option<DateTime<Utc>>,
    /// Incidents with one of them.
    pub incidents: i64,
    /// Those that people closed as resolved: the threat was real.
    pub confirmed: i64,
    /// Those that people closed as false positive.
    pub false_positives: i64,
    /// The share of judged incidents that were real, 0–1; none while none was judged.
    pub precision: Option<f64>,
}

/// A detection rule as lists show it.
#[derive(Debug, Clone, PartialEq, Deserialize, Serialize, ToSchema)]
pub struct RuleView {
    /// The rule's own id.
    pub rule_id: String,
    /// Its title.
    pub name: String,
    /// Its kind.
    pub kind: RuleKind,
    /// How bad a match is.
    pub severity: Severity,
    /// What it looks for.
    pub description: Option<String>,
    /// ATT&CK techniques and other tags.
    pub tags: Vec<String>,
    /// Whose it is.
    pub origin: RuleOrigin,
    /// Whether the tenant's agents evaluate it.
    pub is_enabled: bool,
    /// How often the tenant has changed it; 0 for a rule of the pack that it never touched.
    pub version: i32,
    /// When the tenant changed it last.
    pub changed_at: Option<DateTime<Utc>>,
    /// Who did.
    pub changed_by_username: Option<String>,
    /// Warnings of the compiler.
    pub warnings: i64,
    /// What it has found in this tenant.
    pub record: RuleRecord,
}

/// A rule with its text.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct RuleDetail {
    /// What lists show.
    #[serde(flatten)]
    pub rule: RuleView,
    /// The text that it was compiled from; an entry of the pack's indicator lists has none.
    pub text: Option<String>,
    /// Warnings of the compiler.
    pub diagnostics: Vec<RuleDiagnostic>,
}

/// A version of a rule.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct RuleVersionView {
    /// Counted from 1.
    pub version: i32,
    /// What it did.
    pub change: RuleChange,
    /// Whether the rule was switched on from then on.
    pub is_enabled: bool,
    /// Why, in the words of whoever did it.
    pub reason: Option<String>,
    /// Who did it; null when that person has gone.
    pub changed_by_username: Option<String>,
    /// When.
    pub changed_at: DateTime<Utc>,
    /// Whether the text was another one than before.
    pub has_text: bool,
}

/// A version of a rule with the text that it had.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct RuleVersionDetail {
    /// What lists show.
    #[serde(flatten)]
    pub version: RuleVersionView,
    /// The text of that time; none for a rule of the pack.
    pub text: Option<String>,
    /// What the compiler warned of.
    pub diagnostics: Vec<RuleDiagnostic>,
}

/// `POST /api/v1/threats/rules` → 201 [`RuleDetail`]; 422 `rule_refused` when the text does not compile.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CreateRule {
    /// What kind of rules the text holds.
    pub kind: RuleKind,
    /// The rule, at most 512 KiB: one Sigma rule or filter, a YARA file, or an indicator list.
    pub text: String,
    /// 1–150 characters; the name of an indicator list, and what stands in for an id where the text has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Whether agents evaluate it at once; true when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub is_enabled: Option<bool>,
    /// Why, 1–2,000 characters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// `PATCH /api/v1/threats/rules/{detection_rule_id}`: another text, or on and off; absent fields stay.
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct UpdateRule {
    /// Another text, of the same id; a rule of the pack takes none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    /// Whether agents evaluate it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub is_enabled: Option<bool>,
    /// The version that the change was made on; 409 `conflict` when somebody has changed it since.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<i32>,
    /// Why, 1–2,000 characters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// A file of an import.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RuleFile {
    /// Its path, 1–150 characters; the ending tells the kind: `.yml`, `.yaml` are Sigma, `.yar`, `.yara` YARA, `.csv`, `.json` indicators.
    pub path: String,
    /// Its text, at most 512 KiB.
    pub text: String,
}

/// `POST /api/v1/threats/rules/imports` → [`RuleImportReport`].
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ImportRules {
    /// 1–500 files.
    pub files: Vec<RuleFile>,
    /// Whether rules that the tenant does not have yet are switched on; true when absent. Those that it has stay as they are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub is_enabled: Option<bool>,
    /// Why, 1–2,000 characters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Only say what would happen.
    #[serde(default)]
    pub dry_run: bool,
}

/// What became of a file of an import.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum RuleImportOutcome {
    /// The tenant did not have the rule.
    Imported,
    /// It had it with another text.
    Updated,
    /// It has it as it is.
    Unchanged,
    /// It was not taken; `diagnostics` say why.
    Refused,
}
text_enum!(RuleImportOutcome {
    Imported => "imported",
    Updated => "updated",
    Unchanged => "unchanged",
    Refused => "refused",
});

/// What became of one file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct RuleImportItem {
    /// The file's path.
    pub path: String,
    /// The rule's id, where it has one.
    pub rule_id: Option<String>,
    /// Its title.
    pub name: Option<String>,
    /// What became of it.
    pub outcome: RuleImportOutcome,
    /// What the compiler says, warnings too.
    pub diagnostics: Vec<RuleDiagnostic>,
}

/// What became of each file of an import.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct RuleImportReport {
    /// Files that brought a rule.
    pub imported: i64,
    /// Files that brought another text.
    pub updated: i64,
    /// Files that changed nothing.
    pub unchanged: i64,
    /// Files that were not taken.
    pub refused: i64,
    /// Each file, in the order of the request.
    pub items: Vec<RuleImportItem>,
}

/// `POST /api/v1/threats/rules/validations` → [`RuleValidation`]: a text as the editor has it.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ValidateRule {
    /// What kind of rules the text holds.
    pub kind: RuleKind,
    /// The rule, at most 512 KiB.
    pub text: String,
}

/// What the compiler says about a text.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct RuleValidation {
    /// Whether it would be taken.
    pub is_valid: bool,
    /// The rule's id.
    pub rule_id: Option<String>,
    /// Its title.
    pub name: Option<String>,
    /// Everything that the compiler says.
    pub diagnostics: Vec<RuleDiagnostic>,
}

/// `POST /api/v1/threats/rules/trials` → [`RuleTrial`]: a rule on what endpoints observed.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct TryRule {
    /// `sigma` or `indicator`: contents, which YARA rules look at, are not stored.
    pub kind: RuleKind,
    /// The rule, at most 512 KiB.
    pub text: String,
    /// Days to look back, 1–30; 7 when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub days: Option<i32>,
}

/// What a rule would have matched on among the stored events.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct RuleTrial {
    /// Days that were asked for.
    pub days: i32,
    /// Events that were looked at.
    pub events: i64,
    /// Whether everything was looked at; otherwise time or the number of events ended the trial.
    pub is_complete: bool,
    /// The oldest time that was looked at: events are taken from the newest on.
    pub looked_back_to: DateTime<Utc>,
    /// Milliseconds that it took.
    pub elapsed_ms: i64,
    /// Events that the rule matches.
    pub matches: i64,
    /// Matches by day, the latest first; days without any are left out.
    pub by_day: Vec<RuleTrialDay>,
    /// Endpoints with matches, those with the most first; 50 at most.
    pub endpoints: Vec<RuleTrialEndpoint>,
    /// How many endpoints have matches.
    pub endpoint_count: i64,
    /// The latest matches; 20 at most.
    pub examples: Vec<RuleTrialExample>,
    /// Warnings of the compiler.
    pub diagnostics: Vec<RuleDiagnostic>,
}

/// Matches of one day.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct RuleTrialDay {
    /// The day, in UTC.
    pub day: NaiveDate,
    /// Events that match.
    pub matches: i64,
}

/// Matches on one endpoint.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct RuleTrialEndpoint {
    /// The endpoint.
    pub agent_id: AgentId,
    /// Its host name.
    pub hostname: Option<String>,
    /// Events that match.
    pub matches: i64,
}

/// One event that the rule matches.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct RuleTrialExample {
    /// The event.
    pub event_id: Uuid,
    /// Where.
    pub agent_id: AgentId,
    /// The endpoint's host name.
    pub hostname: Option<String>,
    /// When.
    pub occurred_at: DateTime<Utc>,
    /// What was observed: `process_started`, `file_written`, …
    pub kind: String,
    /// The command line or path.
    pub summary: String,
    /// Why it matches, in words.
    pub explanation: String,
    /// What matched.
    pub evidence: serde_json::Value,
}

/// `POST /api/v1/threats/rules/explanations` → [`RuleExplanation`]: a Sigma rule on one event, given or stored.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ExplainRule {
    /// The rule's id; or its text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rule_id: Option<String>,
    /// A Sigma rule, at most 512 KiB; or its id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    /// A stored event; or the event itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub event_id: Option<Uuid>,
    /// An event as agents send it; or the id of a stored one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub event: Option<Event>,
}

/// Why a Sigma rule does or does not match an event.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct RuleExplanation {
    /// The rule's id.
    pub rule_id: String,
    /// Its title.
    pub name: String,
    /// Whether it matches.
    pub matched: bool,
    /// Whether it is for events of this kind at all.
    pub log_source_applies: bool,
    /// Its condition.
    pub condition: String,
    /// In one sentence: what matched, or what was missing.
    pub summary: String,
    /// Every search identifier and how it came out.
    pub selections: Vec<RuleExplanationSelection>,
}

/// How one search identifier came out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct RuleExplanationSelection {
    /// Its name.
    pub name: String,
    /// Whether it holds.
    pub matched: bool,
    /// Every pattern in it.
    pub checks: Vec<RuleExplanationCheck>,
}

/// How one pattern came out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct RuleExplanationCheck {
    /// The field; absent for keywords.
    pub field: Option<String>,
    /// The pattern with its modifiers.
    pub pattern: String,
    /// The event's value, if the field is there.
    pub value: Option<String>,
    /// Whether the pattern holds.
    pub matched: bool,
}

/// What stands in the place of `%name%` in Sigma rules with `expand`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct PlaceholderView {
    /// Its name, without the per cent signs.
    pub name: String,
    /// Its values; `*` and `?` are wildcards.
    pub values: Vec<String>,
    /// When it was changed last.
    pub changed_at: DateTime<Utc>,
    /// Who did.
    pub changed_by_username: Option<String>,
}

/// `POST /api/v1/threats/placeholders`: sets the placeholder of this name, which may be there already.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SetPlaceholder {
    /// 1–100 of a–z, A–Z, 0–9, `_`, `.` and `-`.
    pub name: String,
    /// 1–500 texts of 1–500 characters; `*` and `?` are wildcards.
    pub values: Vec<String>,
    /// Why, 1–2,000 characters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}
