//! Remote commands, as people ask for them and see them.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::response::{CommandKind, SignedText};
use crate::{AgentId, CommandId, CommandState, UserId};

/// Asks for a command.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RequestCommand {
    /// What to do.
    pub kind: CommandKind,
    /// With what; see docs/response.md for each kind.
    #[serde(default = "no_arguments")]
    #[schema(value_type = Object)]
    pub arguments: serde_json::Value,
    /// Why, 1–2000 characters.
    pub reason: String,
    /// Seconds within which it has to begin, 60–604,800.
    #[serde(default = "one_hour")]
    pub expires_in_seconds: u32,
}

fn no_arguments() -> serde_json::Value {
    serde_json::Value::Object(serde_json::Map::new())
}

const fn one_hour() -> u32 {
    3_600
}

/// A second person's agreement, signed with their own key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ApproveCommand {
    /// The certificate by the approver root.
    pub certificate: SignedText,
    /// Signature over the command's `order_text`, in base64.
    pub signature: String,
}

/// Turns a command down or takes it back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CloseCommand {
    /// Why, 1–2000 characters.
    pub reason: String,
}

/// A command.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct CommandView {
    /// Its id.
    pub command_id: CommandId,
    /// The endpoint.
    pub agent_id: AgentId,
    /// The endpoint's name.
    pub hostname: String,
    /// What to do; a kind that this version does not know is told as it is stored.
    pub kind: String,
    /// With what.
    #[schema(value_type = Object)]
    pub arguments: serde_json::Value,
    /// Whether it takes a second person.
    pub dangerous: bool,
    /// Where it stands.
    pub state: CommandState,
    /// Who asked.
    pub requested_by: UserId,
    /// Who asked, by name.
    pub requester: Option<String>,
    /// When.
    pub requested_at: DateTime<Utc>,
    /// Why.
    pub reason: String,
    /// Who agreed.
    pub approved_by: Option<UserId>,
    /// Who agreed, by name.
    pub approver: Option<String>,
    /// When.
    pub approved_at: Option<DateTime<Utc>>,
    /// When it was handed to the endpoint.
    pub sent_at: Option<DateTime<Utc>>,
    /// When the endpoint began.
    pub started_at: Option<DateTime<Utc>>,
    /// When it came to its end.
    pub finished_at: Option<DateTime<Utc>>,
    /// Who turned it down or took it back, by name.
    pub closer: Option<String>,
    /// Why, also by the signer or the endpoint.
    pub close_reason: Option<String>,
    /// When it must not begin any more.
    pub expires_at: DateTime<Utc>,
    /// What it came to, in a sentence.
    pub summary: Option<String>,
    /// The exit code, where there was a process.
    pub exit_code: Option<i32>,
}

/// A command with everything about it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct CommandDetail {
    /// The command.
    pub command: CommandView,
    /// The text that the signer and the approver sign.
    pub order_text: Option<String>,
    /// What it has printed so far.
    pub output: String,
    /// How long the output is as a whole; `output` is cut at 1 MiB.
    pub output_bytes: i64,
    /// What the agent has signed, once there is a result.
    pub result: Option<SignedResultView>,
}

/// A result as the agent has signed it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct SignedResultView {
    /// Whether it came when the command had expired already.
    pub late: bool,
    /// When it came.
    pub received_at: DateTime<Utc>,
    /// The agent's public key, in base64.
    pub result_key: Option<String>,
    /// The signature.
    pub signature: Option<String>,
}
