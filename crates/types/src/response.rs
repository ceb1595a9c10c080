//! Remote commands: what can be asked of an endpoint, and in which form it is signed, approved and answered.
//!
//! Everything signed is carried as the JSON text that was signed, so that nobody has to write the same bytes again.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{AgentId, CommandId, CommandState, FieldError, TenantId, UserId, values::text_enum};

/// Bytes of a script at most.
pub const MAX_SCRIPT_BYTES: usize = 32 * 1024;
/// Bytes of a path at most (`PATH_MAX` of Linux).
pub const MAX_PATH_BYTES: usize = 4_096;
/// Bytes of a collected file at most.
pub const MAX_COLLECTED_BYTES: u64 = 512 * 1024;
/// Bytes of a command's output that are kept; a longer one is cut and its whole length told.
pub const MAX_OUTPUT_BYTES: usize = 1024 * 1024;
/// Seconds for which an agent's question for commands is held open at most.
pub const MAX_WAIT_SECONDS: u64 = 55;

/// A kind of remote command (`agents.commands.kind`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum CommandKind {
    /// Lists the running processes.
    ListProcesses,
    /// Gathers what a first look at a suspicious machine needs.
    CollectDiagnostics,
    /// Reads one file.
    CollectFile,
    /// Scans a file or folder with the rules in force.
    ScanPath,
    /// Fetches the rule set.
    RefreshRules,
    /// Kills one process.
    KillProcess,
    /// Takes a file away, to be brought back or looked at.
    QuarantineFile,
    /// Brings a file back from the quarantine.
    RestoreFile,
    /// Cuts the endpoint off from everything but the server.
    IsolateNetwork,
    /// Ends the isolation.
    ReleaseNetwork,
    /// Starts the agent anew.
    RestartAgent,
    /// Runs a shell script.
    RunScript,
}
text_enum!(CommandKind {
    ListProcesses => "list_processes", CollectDiagnostics => "collect_diagnostics", CollectFile => "collect_file", ScanPath => "scan_path",
    RefreshRules => "refresh_rules", KillProcess => "kill_process", QuarantineFile => "quarantine_file", RestoreFile => "restore_file",
    IsolateNetwork => "isolate_network", ReleaseNetwork => "release_network", RestartAgent => "restart_agent", RunScript => "run_script",
});

impl CommandKind {
    /// Whether a second person has to sign it: it changes the machine, or reads what its rules do not (`agents.command_is_dangerous`).
    pub const fn is_dangerous(self) -> bool {
        !matches!(
            self,
            Self::ListProcesses | Self::CollectDiagnostics | Self::ScanPath | Self::RefreshRules
        )
    }
}

/// What an endpoint is to do. Unknown kinds and arguments are errors: an older agent must not do half of what was meant.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(
    tag = "kind",
    content = "arguments",
    rename_all = "snake_case",
    deny_unknown_fields
)]
pub enum CommandAction {
    /// Lists the running processes.
    ListProcesses(NoArguments),
    /// Gathers processes, sockets, users, services, scheduled jobs, kernel modules and mounts.
    CollectDiagnostics(NoArguments),
    /// Reads one file.
    CollectFile(PathArguments),
    /// Scans a file or folder with the rules in force.
    ScanPath(PathArguments),
    /// Fetches the rule set.
    RefreshRules(NoArguments),
    /// Kills one process.
    KillProcess(ProcessArguments),
    /// Takes a file away.
    QuarantineFile(QuarantineArguments),
    /// Brings a file back.
    RestoreFile(RestoreArguments),
    /// Cuts the endpoint off.
    IsolateNetwork(NoArguments),
    /// Ends the isolation.
    ReleaseNetwork(NoArguments),
    /// Starts the agent anew.
    RestartAgent(NoArguments),
    /// Runs a shell script.
    RunScript(ScriptArguments),
}

/// Nothing.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NoArguments {}

/// A place in the file system.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PathArguments {
    /// Absolute path without `.` and `..`.
    pub path: String,
}

/// A process.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ProcessArguments {
    /// Process id, at least 2.
    pub pid: u32,
    /// Identifies the process across reuse of process ids, as in `Subject`; without it whatever has the id is killed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
}

/// A file to take away.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct QuarantineArguments {
    /// Absolute path of a regular file, without `.` and `..`.
    pub path: String,
    /// SHA-256 in lower-case hex; a file with another content stays where it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sha256: Option<String>,
}

/// A file to bring back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RestoreArguments {
    /// The command that took the file away.
    pub quarantined_by: CommandId,
}

/// A script.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ScriptArguments {
    /// The text, for `/bin/sh`; at most [`MAX_SCRIPT_BYTES`].
    pub script: String,
    /// Seconds after which it is killed with everything it started, 1–3600.
    pub timeout_seconds: u32,
}

impl CommandAction {
    /// The kind.
    pub const fn kind(&self) -> CommandKind {
        match self {
            Self::ListProcesses(_) => CommandKind::ListProcesses,
            Self::CollectDiagnostics(_) => CommandKind::CollectDiagnostics,
            Self::CollectFile(_) => CommandKind::CollectFile,
            Self::ScanPath(_) => CommandKind::ScanPath,
            Self::RefreshRules(_) => CommandKind::RefreshRules,
            Self::KillProcess(_) => CommandKind::KillProcess,
            Self::QuarantineFile(_) => CommandKind::QuarantineFile,
            Self::RestoreFile(_) => CommandKind::RestoreFile,
            Self::IsolateNetwork(_) => CommandKind::IsolateNetwork,
            Self::ReleaseNetwork(_) => CommandKind::ReleaseNetwork,
            Self::RestartAgent(_) => CommandKind::RestartAgent,
            Self::RunScript(_) => CommandKind::RunScript,
        }
    }

    /// What is wrong with the arguments; the server, the signer and the agent ask the same.
    ///
    /// # Errors
    /// The argument and what it has to be.
    pub fn check(&self) -> Result<(), FieldError> {
        match self {
            Self::CollectFile(PathArguments { path }) | Self::ScanPath(PathArguments { path }) => {
                check_path(path)
            }
            Self::QuarantineFile(arguments) => {
                check_path(&arguments.path)?;
                require(
                    arguments.sha256.as_deref().is_none_or(is_sha256),
                    "sha256",
                    "is a SHA-256 in lower-case hex",
                )
            }
            Self::KillProcess(arguments) => {
                require(arguments.pid >= 2, "pid", "is a process id of at least 2")?;
                require(
                    arguments
                        .key
                        .as_ref()
                        .is_none_or(|key| (1..=200).contains(&key.len())),
                    "key",
                    "is 1–200 characters",
                )
            }
            Self::RunScript(arguments) => {
                require(
                    (1..=MAX_SCRIPT_BYTES).contains(&arguments.script.len())
                        && !arguments.script.contains('\0'),
                    "script",
                    "is a text of 1–32,768 bytes",
                )?;
                require(
                    (1..=3_600).contains(&arguments.timeout_seconds),
                    "timeout_seconds",
                    "is 1–3600",
                )
            }
            Self::ListProcesses(_)
            | Self::CollectDiagnostics(_)
            | Self::RefreshRules(_)
            | Self::RestoreFile(_)
            | Self::IsolateNetwork(_)
            | Self::ReleaseNetwork(_)
            | Self::RestartAgent(_) => Ok(()),
        }
    }
}

fn check_path(path: &str) -> Result<(), FieldError> {
    let plain = path.starts_with('/')
        && path.len() <= MAX_PATH_BYTES
        && !path.contains('\0')
        && !path.split('/').any(|part| part == "." || part == "..");
    require(
        plain,
        "path",
        "is an absolute path of at most 4,096 bytes without `.` and `..`",
    )
}

fn is_sha256(text: &str) -> bool {
    text.len() == 64
        && text
            .bytes()
            .all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
}

fn require(holds: bool, field: &str, message: &str) -> Result<(), FieldError> {
    if holds {
        Ok(())
    } else {
        Err(FieldError::new(format!("arguments.{field}"), message))
    }
}

/// A command as it is signed: by whom it is asked, for whom it is, what it is and until when it may be done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CommandOrder {
    /// The command.
    pub command_id: CommandId,
    /// The tenant.
    pub tenant_id: TenantId,
    /// The one endpoint that may do it.
    pub agent_id: AgentId,
    /// 32 random bytes in hex; an agent takes each once.
    pub nonce: String,
    /// When it was asked for.
    pub issued_at: DateTime<Utc>,
    /// When it must not begin any more.
    pub expires_at: DateTime<Utc>,
    /// Who asks.
    pub requested_by: UserId,
    /// The sign-in name of who asks.
    pub requester: String,
    /// Why.
    pub reason: String,
    /// What to do.
    pub action: CommandAction,
}

/// A text and the signature over it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SignedText {
    /// The JSON text that was signed.
    pub text: String,
    /// Ed25519 signature in base64 (RFC 8032).
    pub signature: String,
}

/// Says whose key it is and that its holder may approve dangerous commands. The text of a [`SignedText`] by the approver root.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ApproverCertificate {
    /// Names the certificate; 16 random bytes in hex.
    pub serial: String,
    /// Whose key it is.
    pub user_id: UserId,
    /// The holder's sign-in name.
    pub username: String,
    /// The tenant whose endpoints may be commanded; none: every tenant of the installation.
    #[serde(default)]
    pub tenant_id: Option<TenantId>,
    /// Ed25519 public key in base64.
    pub public_key: String,
    /// When it begins to hold.
    pub not_before: DateTime<Utc>,
    /// When it ends.
    pub not_after: DateTime<Utc>,
}

/// A second person's agreement to a command.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Approval {
    /// The [`ApproverCertificate`].
    pub certificate: SignedText,
    /// The holder's signature over the order's text, in base64.
    pub signature: String,
}

/// A command as an agent gets it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SignedCommand {
    /// The [`CommandOrder`], signed by the signer.
    pub order: SignedText,
    /// The second person's agreement, which dangerous kinds need.
    #[serde(default)]
    pub approval: Option<Approval>,
}

/// The answer to `GET /agent/v1/commands`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct CommandsReply {
    /// What to do, oldest first; empty when nothing came while the question was held open.
    pub commands: Vec<SignedCommand>,
}

/// The agent's own public key, under which its results are believed. `PUT /agent/v1/result-key`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ResultKey {
    /// Ed25519 public key in base64.
    pub public_key: String,
}

/// More of a running command's output. `POST /agent/v1/commands/{command_id}/output`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct OutputChunk {
    /// Bytes of output before this piece.
    pub offset: u64,
    /// The piece.
    pub text: String,
}

/// What a command brought, as the agent signs it. The text of a [`SignedText`]; `POST /agent/v1/commands/{command_id}/result`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CommandResult {
    /// The command.
    pub command_id: CommandId,
    /// The endpoint.
    pub agent_id: AgentId,
    /// `succeeded`, `failed` or `rejected`.
    pub outcome: CommandState,
    /// What it comes to, in a sentence: the post-condition that was looked at, or why not.
    pub summary: String,
    /// The exit code, where there was a process.
    #[serde(default)]
    pub exit_code: Option<i32>,
    /// The output, at most [`MAX_OUTPUT_BYTES`].
    pub output: String,
    /// How long the output was before it was cut.
    pub output_bytes: u64,
    /// SHA-256 of the whole output in lower-case hex.
    pub output_sha256: String,
    /// When it began, by the endpoint's clock.
    #[serde(default)]
    pub started_at: Option<DateTime<Utc>>,
    /// When it ended, by the endpoint's clock.
    pub finished_at: DateTime<Utc>,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<CommandAction, String> {
        serde_json::from_str(text).map_err(|error| error.to_string())
    }

    #[test]
    fn an_action_is_read_strictly() {
        let kill = parse(r#"{"kind":"kill_process","arguments":{"pid":77}}"#).unwrap();
        assert_eq!((kill.kind(), kill.check()), (CommandKind::KillProcess, Ok(())));
        assert!(parse(r#"{"kind":"kill_process","arguments":{"pid":77,"signal":9}}"#).is_err());
        assert!(parse(r#"{"kind":"kill_process","arguments":{"pid":-1}}"#).is_err());
        assert!(parse(r#"{"kind":"format_disk","arguments":{}}"#).is_err());
        assert!(parse(r#"{"kind":"list_processes","arguments":{"all":true}}"#).is_err());
        assert!(parse(r#"{"kind":"list_processes","arguments":{}}"#).is_ok());
    }

    #[test]
    fn bad_arguments_are_named() {
        let path = |path: &str| {
            CommandAction::CollectFile(PathArguments {
                path: path.to_owned(),
            })
        };
        assert_eq!(path("/etc/hosts").check(), Ok(()));
        assert_eq!(path("/etc/..hosts").check(), Ok(()));
        for bad in [
            "etc/hosts",
            "",
            "/etc/../root",
            "/./x",
            "/a\0b",
            &format!("/{}", "x".repeat(4_096)),
        ] {
            assert_eq!(path(bad).check().unwrap_err().field, "arguments.path", "{bad}");
        }
        let script = |script: &str, timeout_seconds| {
            CommandAction::RunScript(ScriptArguments {
                script: script.to_owned(),
                timeout_seconds,
            })
            .check()
        };
        assert_eq!(script("id", 3_600), Ok(()));
        assert_eq!(script("", 5).unwrap_err().field, "arguments.script");
        assert_eq!(script("id", 0).unwrap_err().field, "arguments.timeout_seconds");
        let kill = CommandAction::KillProcess(ProcessArguments { pid: 1, key: None });
        assert_eq!(kill.check().unwrap_err().field, "arguments.pid");
    }
}
