//! The protocol between an agent and the server: enrolment, check-in, rules.
//!
//! Requests are JSON, optionally `Content-Encoding: zstd`; the paths live under `/agent/v1/`. Every field that an agent
//! sends is a claim of a possibly hostile machine: the server bounds, clamps and never trusts it with a tenant.

use std::net::IpAddr;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::response::SignedText;
use crate::{AgentId, CommandId, DetectionEngine, FindingId, RecordId, RuleKind, Severity, TenantId};

/// Records in one check-in at most; more is refused with 413.
pub const MAX_RECORDS_PER_CHECK_IN: usize = 5_000;
/// Bytes of a check-in at most, after decompression; more is refused with 413.
pub const MAX_CHECK_IN_BYTES: usize = 8 * 1024 * 1024;
/// Characters of a path, command line or other long text at most; the server cuts what is longer.
pub const MAX_TEXT_CHARS: usize = 8_192;

/// What a machine says of itself. `POST /agent/v1/enrol` sends it with an API key as the bearer token.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct EnrolRequest {
    /// The facts about the host.
    pub host: HostFacts,
    /// The agent that the host was known as before, when its state survived.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub previous_agent_id: Option<AgentId>,
}

/// Facts about a host that seldom change.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct HostFacts {
    /// Host name, 1–255 characters.
    pub hostname: String,
    /// The address of the interface that reaches the server.
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    pub ip_address: Option<IpAddr>,
    /// The hardware address of that interface, as `aa:bb:cc:dd:ee:ff`.
    #[serde(default)]
    pub mac_address: Option<String>,
    /// Operating system and kernel in words, such as `Debian GNU/Linux 12 (bookworm), Linux 6.1.0 x86_64`.
    pub os_info: String,
    /// The agent's version.
    pub version: String,
    /// SHA-256 in hex over what identifies the hardware and installation; never the raw identifiers.
    pub hardware_fingerprint: String,
}

/// The answer to an enrolment: 201 for a new endpoint, 200 for one that is known again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct EnrolReply {
    /// The endpoint's id; the same as before for a host that is known again.
    pub agent_id: AgentId,
    /// The agent's own secret, `sga_…`; shown this once.
    pub token: String,
    /// Whether the host was known and its history goes on.
    pub reenrolled: bool,
    /// Whose signatures the agent believes from now on.
    pub trust: TrustSet,
    /// Seconds between check-ins.
    pub check_in_seconds: u32,
    /// The endpoint's tenant, whose approvers alone may command it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tenant_id: Option<TenantId>,
}

/// The public keys that an agent pins at enrolment, each Ed25519 in base64. Versioned, so that a later set can replace it under the present one's
/// signature: the approver root's where there is one, else that of the key for rules.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct TrustSet {
    /// Grows with every change.
    pub version: u32,
    /// Signs rule sets.
    pub rules_key: String,
    /// Signs remote commands; none: no command is believed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub commands_key: Option<String>,
    /// Vouches for who approves dangerous commands; none: no dangerous command is believed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub approver_root: Option<String>,
    /// Serials of approvers' certificates that do not count any more.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub revoked_approvers: Vec<String>,
}

/// One check-in: what happened since the last one. `POST /agent/v1/check-in` with the agent's token.
///
/// A stream is an (agent, epoch); its records are numbered 1, 2, 3 … without holes. `records` are in order and start at `first_seq`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct CheckIn {
    /// The stream; new whenever the agent's state is new.
    pub epoch: Uuid,
    /// The `turn` of the last reply, nil at the first check-in of an epoch. Whoever repeats a turn that is neither the last nor the one
    /// before it is a copy of this agent's state.
    pub turn: Uuid,
    /// Number of the first record; the next free number when there are none.
    pub first_seq: u64,
    /// The records, at most [`MAX_RECORDS_PER_CHECK_IN`].
    pub records: Vec<Record>,
    /// The agent's own time when it sent this, by which the server judges its clock.
    pub sent_at: DateTime<Utc>,
    /// How the agent is doing.
    pub agent: AgentState,
}

/// How the agent itself is doing.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct AgentState {
    /// The agent's version.
    pub version: String,
    /// Version of the rule set in force, 0 when none.
    pub rules_version: u64,
    /// The hardware fingerprint, as at enrolment.
    pub hardware_fingerprint: String,
    /// The telemetry sources that are active, and the reason why better ones are not.
    #[serde(default)]
    pub sources: Vec<TelemetrySource>,
    /// Records waiting in the spool after these.
    #[serde(default)]
    pub backlog_records: u64,
    /// Which process of the agent this is, and what became of the time since the last acknowledged check-in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run: Option<AgentRun>,
}

/// A process of the agent, from its start to its end. By this the server tells, after a silence, whether the machine, the agent or the network
/// was down.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct AgentRun {
    /// Made at the agent's start.
    pub run_id: Uuid,
    /// The kernel's id of the machine's start; none where it cannot be read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub boot_id: Option<Uuid>,
    /// The agent is about to end in order.
    #[serde(default)]
    pub stopping: bool,
    /// Check-ins that failed since the last acknowledged one.
    #[serde(default)]
    pub failed_check_ins: u32,
    /// Seconds since then for which the machine was suspended.
    #[serde(default)]
    pub asleep_seconds: u64,
    /// Seconds since then in which the agent got no processor time though the machine ran.
    #[serde(default)]
    pub halted_seconds: u64,
}

/// One active source of events.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct TelemetrySource {
    /// What it tells: `process`, `file`.
    pub area: String,
    /// The mechanism, such as `proc_connector`, `inotify`, `proc_polling`.
    pub source: String,
    /// What is not seen with this source, and why a better one is not active; none when nothing is missing.
    #[serde(default)]
    pub gap: Option<String>,
}

/// One numbered record of a stream.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Record {
    /// Made by the agent (UUID version 7); the same record has the same id in every repeat.
    pub id: RecordId,
    /// When it happened, by the agent's clock.
    pub at: DateTime<Utc>,
    /// What happened.
    pub body: RecordBody,
}

/// What a record tells.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum RecordBody {
    /// A sample of the machine's health.
    Metrics(Metrics),
    /// A rule matched.
    Finding(Box<Finding>),
    /// Something that was observed, kept for looking back.
    Event(Box<Event>),
    /// Records were lost on the agent's side.
    Gap(Gap),
}

/// A sample of the machine's health, for `agents.system_info`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Metrics {
    /// Use of all processors together since the sample before, 0–100 %.
    pub cpu_usage: f64,
    /// Memory in use (total less available), 0–100 %.
    pub memory_usage: f64,
    /// The fullest local file system, 0–100 %.
    pub disk_usage: f64,
    /// Traffic by interface since the sample before.
    pub network_usage: Vec<InterfaceUsage>,
    /// Seconds since the machine started.
    pub uptime: u64,
    /// Processes that exist.
    pub process_count: u32,
    /// State of the services that the service manager knows to be important or failed, by name; empty where there is none.
    pub service_status: Vec<ServiceStatus>,
}

/// Traffic of one interface.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct InterfaceUsage {
    /// The interface's name.
    pub interface: String,
    /// Bytes received per second.
    pub rx_bytes_per_second: u64,
    /// Bytes sent per second.
    pub tx_bytes_per_second: u64,
}

/// State of one service.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ServiceStatus {
    /// The service's name, such as `ssh.service`.
    pub name: String,
    /// `running`, `failed`, `stopped` or the manager's own word.
    pub state: String,
}

/// A rule matched at the edge.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Finding {
    /// The same in every repeat.
    pub finding_id: FindingId,
    /// The rule's own id.
    pub rule_id: String,
    /// The rule's title.
    pub rule_name: String,
    /// The engine that matched.
    pub engine: DetectionEngine,
    /// How bad, by the rule.
    pub severity: Severity,
    /// The rule's own prior that a match is real, 0–1.
    pub confidence: f64,
    /// What kind of threat, such as `malware` or `reverse_shell`.
    pub threat_type: String,
    /// ATT&CK techniques and other tags.
    #[serde(default)]
    pub tags: Vec<String>,
    /// Why it matched, in words.
    pub explanation: String,
    /// What matched, in the engine's own structure.
    pub evidence: serde_json::Value,
    /// What it matched on.
    pub subject: Subject,
}

/// What a finding is about. Findings about one subject become one incident.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Subject {
    /// A file.
    File(FileSubject),
    /// A process.
    Process(ProcessSubject),
    /// The endpoint as a whole.
    Endpoint,
}

/// A file that was looked at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct FileSubject {
    /// Absolute path.
    pub path: String,
    /// SHA-256 of the content in lower-case hex.
    #[serde(default)]
    pub sha256: Option<String>,
    /// Bytes.
    pub size: u64,
    /// Owner's name, else the number.
    #[serde(default)]
    pub user: Option<String>,
}

/// A process that was started.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ProcessSubject {
    /// Identifies the process across reuse of process ids: boot id, pid and start time.
    pub key: String,
    /// Keys of its ancestors, the parent first, so that a family of processes becomes one incident.
    #[serde(default)]
    pub ancestors: Vec<String>,
    /// Process id.
    pub pid: u32,
    /// Short name.
    pub name: String,
    /// Absolute path of the executable, where readable.
    #[serde(default)]
    pub image: Option<String>,
    /// The whole command line.
    pub command_line: String,
    /// Working directory, where readable.
    #[serde(default)]
    pub current_directory: Option<String>,
    /// SHA-256 of the executable in lower-case hex, where readable.
    #[serde(default)]
    pub sha256: Option<String>,
    /// User's name, else the number.
    #[serde(default)]
    pub user: Option<String>,
    /// The parent's executable and command line.
    #[serde(default)]
    pub parent_image: Option<String>,
    /// The parent's command line.
    #[serde(default)]
    pub parent_command_line: Option<String>,
}

/// Something observed, for `agents.events`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Event {
    /// A program was executed.
    ProcessStarted(ProcessSubject),
    /// A file was created or written and closed.
    FileWritten(FileSubject),
    /// A file was renamed into place.
    FileRenamed(FileSubject),
    /// A file was deleted.
    FileDeleted(FileSubject),
    /// An entry of a log that came over the API; agents do not send these.
    Logged(LogEvent),
}

/// An entry of a log, in the words of Sigma's taxonomy.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct LogEvent {
    /// Product of the log source, such as `linux` or `aws`, in lower case.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub product: Option<String>,
    /// Category of the log source, such as `process_creation`, in lower case.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub category: Option<String>,
    /// Service of the log source, such as `sshd`, in lower case.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service: Option<String>,
    /// Values by field; numbers as their decimal text.
    #[serde(default)]
    pub fields: std::collections::BTreeMap<String, String>,
}

/// A hole in the stream that the agent itself knows of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Gap {
    /// Why: `spool_full`, `spool_damaged`, `channel_full`, `source_overflow`, `source_unavailable`, `record_refused` (by the server),
    /// `agent_stopped`, `agent_killed`, `host_down`, `agent_halted`, `host_asleep`.
    pub reason: String,
    /// How many records were lost, where it can be told.
    #[serde(default)]
    pub lost_records: Option<u64>,
    /// Begin of the hole.
    pub from: DateTime<Utc>,
    /// End of the hole.
    pub to: DateTime<Utc>,
    /// More in words.
    #[serde(default)]
    pub detail: Option<String>,
}

/// A command that an agent has not done, and why. `POST /agent/v1/commands/refusals`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct CommandRefusal {
    /// The command, where the text could be read.
    #[serde(default)]
    pub command_id: Option<CommandId>,
    /// Why, in words.
    pub reason: String,
}

/// Trust sets that may take the place of the pinned one. `GET /agent/v1/trust`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct TrustOffer {
    /// The same version under different signatures; an agent takes the one that its pinned set lets it believe.
    pub sets: Vec<SignedText>,
}

/// The answer to a check-in, given after COMMIT: 200.
///
/// 401 means that the token no longer works (decommissioned or enrolled anew), 409 with code `stream_conflict` that another holder of this
/// agent's state has checked in: the agent starts a new epoch with its unacknowledged records.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct CheckInReply {
    /// Every record up to this number is stored; the agent may delete them.
    pub acknowledged_through: u64,
    /// To be sent with the next check-in.
    pub turn: Uuid,
    /// The rule set that the agent should have; another number than its own means: fetch `/agent/v1/rules`.
    pub rules_version: u64,
    /// Seconds until the next check-in is due; records may be sent earlier.
    pub check_in_seconds: u32,
    /// The trust set that the agent should have; another number than its own means: fetch `/agent/v1/trust`.
    #[serde(default)]
    pub trust_version: u32,
}

/// A rule set with its signature. `GET /agent/v1/rules` with the agent's token.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct SignedRules {
    /// The JSON text of a [`RulePackage`]; the signature is over exactly these bytes.
    pub package: String,
    /// Ed25519 signature in base64 over `secureguard-rules-v1\0` followed by the package's bytes.
    pub signature: String,
}

/// The bytes that stand before a rule package under its signature, so that no other signed thing passes for one.
pub const RULES_SIGNATURE_CONTEXT: &[u8] = b"secureguard-rules-v1\0";

/// The rules that an agent evaluates.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct RulePackage {
    /// Grows with every change; an agent refuses one that is older than its own.
    pub version: u64,
    /// The rules' texts.
    pub rules: Vec<RuleText>,
    /// Ids of rules in these texts that the tenant has switched off.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub switched_off: Vec<String>,
    /// Values of the placeholders of Sigma's `expand`, by name.
    #[serde(default, skip_serializing_if = "std::collections::BTreeMap::is_empty")]
    pub placeholders: std::collections::BTreeMap<String, Vec<String>>,
}

/// One rule file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct RuleText {
    /// What kind of rules the text holds.
    pub kind: RuleKind,
    /// The file's name.
    pub name: String,
    /// The text.
    pub text: String,
}
