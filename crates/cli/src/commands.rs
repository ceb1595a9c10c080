//! Remote commands, and the key of who approves them.

use std::fs;
use std::io::{BufRead, IsTerminal, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use clap::Subcommand;
use sg_client::{Client, CommandFilter};
use sg_trust::{SecretKey, approve};
use sg_types::api::commands::{ApproveCommand, CommandDetail, CommandView, RequestCommand};
use sg_types::response::{ApproverCertificate, CommandKind, CommandOrder, SignedText};
use sg_types::{AgentId, CommandId, CommandState};

use crate::output::{self, Format, optional, printable, time};

/// Time between two looks at a command that is waited for.
const LOOK_EVERY: Duration = Duration::from_millis(250);

#[derive(Debug, Subcommand)]
pub(crate) enum Commands {
    /// List commands, the newest first.
    List {
        /// Only these states: pending, approved, sent, running, succeeded, failed, expired, cancelled, rejected.
        #[arg(long, value_delimiter = ',')]
        state: Vec<CommandState>,
        /// Only those of this endpoint.
        #[arg(long)]
        endpoint: Option<AgentId>,
        /// At most this many.
        #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..))]
        limit: u32,
    },
    /// Show a command with its output.
    Show { id: CommandId },
    /// Ask for a command. docs/response.md tells the arguments of each kind.
    Run {
        /// The endpoint.
        endpoint: AgentId,
        /// What to do, such as `list_processes`.
        kind: CommandKind,
        /// Arguments as name=value, such as path=/srv; script=@FILE takes the file's text.
        arguments: Vec<String>,
        /// Why.
        #[arg(long)]
        reason: String,
        /// Seconds within which it has to begin.
        #[arg(long, default_value_t = 3_600)]
        expires_in: u32,
        /// Wait for the result and print the output; exit code 1 unless it succeeds.
        #[arg(long)]
        wait: bool,
    },
    /// Agree to a dangerous command that somebody else asked for, with one's own key.
    Approve {
        id: CommandId,
        /// Do not ask.
        #[arg(long)]
        yes: bool,
    },
    /// Turn a command down.
    Reject {
        id: CommandId,
        /// Why.
        #[arg(long)]
        reason: String,
    },
    /// Take a command back before it is sent.
    Cancel {
        id: CommandId,
        /// Why.
        #[arg(long)]
        reason: String,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum Approver {
    /// Make the key with which one approves, unless there is one, and print what the holder of the approver root needs.
    Key,
    /// Keep the certificate that the holder of the approver root gave back.
    Install { certificate: PathBuf },
}

impl Commands {
    pub(crate) async fn run(self, client: &Client, format: Format, profile: &Path) -> Result<()> {
        match self {
            Self::List {
                state,
                endpoint,
                limit,
            } => {
                let filter = CommandFilter {
                    states: state,
                    agent_id: endpoint,
                };
                list(format, &client.list_commands(&filter, limit as usize).await?)
            }
            Self::Show { id } => show(format, &client.find_command(id).await?),
            Self::Run {
                endpoint,
                kind,
                arguments,
                reason,
                expires_in,
                wait,
            } => {
                let body = RequestCommand {
                    kind,
                    arguments: read_arguments(&arguments)?,
                    reason,
                    expires_in_seconds: expires_in,
                };
                let detail = client.request_command(endpoint, &body).await?;
                if !wait {
                    return show(format, &detail);
                }
                let detail = wait_for(client, detail).await?;
                show(format, &detail)?;
                if detail.command.state != CommandState::Succeeded {
                    bail!("the command is {}", detail.command.state);
                }
                Ok(())
            }
            Self::Approve { id, yes } => {
                let detail = client.find_command(id).await?;
                let text = detail.order_text.context("the command has nothing to sign")?;
                // What is shown is what is signed, not what the server says of it.
                let order: CommandOrder = serde_json::from_str(&text)
                    .context("the text to be signed is no order that this version understands")?;
                if order.command_id != id {
                    bail!("the server gave another command to sign than was asked for");
                }
                if !yes {
                    confirm(&order)?;
                }
                let (key, certificate) = load_key(profile)?;
                let approval = approve(&key, certificate, &text);
                let body = ApproveCommand {
                    certificate: approval.certificate,
                    signature: approval.signature,
                };
                show(format, &client.approve_command(id, &body).await?)
            }
            Self::Reject { id, reason } => {
                show(format, &client.close_command(id, "rejection", &reason).await?)
            }
            Self::Cancel { id, reason } => {
                show(format, &client.close_command(id, "cancellation", &reason).await?)
            }
        }
    }
}

impl Approver {
    pub(crate) async fn run(self, client: &Client, format: Format, profile: &Path) -> Result<()> {
        let (key_file, certificate_file) = files(profile);
        match self {
            Self::Key => {
                if !key_file.exists() {
                    make_key(&key_file)?;
                }
                let key = read_key(&key_file)?;
                let session = client.current_session().await?;
                let public_key = key.public().to_base64();
                let (user_id, username) = (session.user_id, session.username);
                output::record(
                    format,
                    &serde_json::json!({ "user_id": user_id, "username": username, "public_key": public_key }),
                    &[
                        ("user id", user_id.to_string()),
                        ("user", username.clone()),
                        ("public key", public_key.clone()),
                        (
                            "next",
                            format!(
                                "the holder of the approver root runs: secureguard approver certify --root FILE --user-id {user_id} --username {username} --public-key {public_key} --out certificate.json"
                            ),
                        ),
                    ],
                )
            }
            Self::Install { certificate } => {
                let text = fs::read_to_string(&certificate)
                    .with_context(|| format!("cannot read {}", certificate.display()))?;
                let signed: SignedText = serde_json::from_str(&text).context("that is no certificate")?;
                let read: ApproverCertificate =
                    serde_json::from_str(&signed.text).context("that is no certificate")?;
                if read.public_key != read_key(&key_file)?.public().to_base64() {
                    bail!("the certificate is for another key than {}", key_file.display());
                }
                fs::write(&certificate_file, &text)
                    .with_context(|| format!("cannot write {}", certificate_file.display()))?;
                output::line(&format!(
                    "{} may approve until {} (certificate {})",
                    read.username,
                    time(read.not_after),
                    read.serial
                ))
            }
        }
    }
}

fn list(format: Format, commands: &[CommandView]) -> Result<()> {
    let headers = [
        "ID",
        "ASKED FOR",
        "ENDPOINT",
        "KIND",
        "STATE",
        "BY",
        "APPROVED BY",
        "RESULT",
    ];
    output::list(format, commands, &headers, |command| {
        vec![
            command.command_id.to_string(),
            time(command.requested_at),
            printable(&command.hostname),
            printable(&command.kind),
            command.state.to_string(),
            optional(command.requester.as_deref()),
            optional(command.approver.as_deref()),
            printable(&optional(
                command.summary.as_deref().or(command.close_reason.as_deref()),
            )),
        ]
    })
}

fn show(format: Format, detail: &CommandDetail) -> Result<()> {
    let command = &detail.command;
    let waits = command.state == CommandState::Pending && command.dangerous;
    output::record(
        format,
        detail,
        &[
            ("id", command.command_id.to_string()),
            ("endpoint", command.hostname.clone()),
            ("kind", command.kind.clone()),
            ("arguments", command.arguments.to_string()),
            ("reason", command.reason.clone()),
            (
                "state",
                if waits {
                    "pending: waits for a second person (sgctl commands approve)".to_owned()
                } else {
                    command.state.to_string()
                },
            ),
            (
                "asked for",
                format!(
                    "{} by {}",
                    time(command.requested_at),
                    optional(command.requester.as_deref())
                ),
            ),
            ("approved by", optional(command.approver.as_deref())),
            ("has to begin by", time(command.expires_at)),
            ("finished", command.finished_at.map(time).unwrap_or_default()),
            ("result", optional(command.summary.as_deref())),
            ("closed because", optional(command.close_reason.as_deref())),
            ("output bytes", detail.output_bytes.to_string()),
        ],
    )?;
    if format == Format::Table && !detail.output.is_empty() {
        output::line("")?;
        for line in detail.output.lines() {
            output::line(&printable(line))?;
        }
    }
    Ok(())
}

/// `name=value`; numbers become numbers, `@FILE` the file's text.
fn read_arguments(words: &[String]) -> Result<serde_json::Value> {
    let mut arguments = serde_json::Map::new();
    for word in words {
        let (name, value) = word
            .split_once('=')
            .with_context(|| format!("`{word}` is not of the form name=value"))?;
        let value = match value.strip_prefix('@') {
            Some(file) => fs::read_to_string(file)
                .with_context(|| format!("cannot read {file}"))?
                .into(),
            None => match value.parse::<u64>() {
                Ok(number) => number.into(),
                Err(_) => value.into(),
            },
        };
        arguments.insert(name.to_owned(), value);
    }
    Ok(arguments.into())
}

async fn wait_for(client: &Client, mut detail: CommandDetail) -> Result<CommandDetail> {
    while !detail.command.state.is_final() {
        tokio::time::sleep(LOOK_EVERY).await;
        detail = client.find_command(detail.command.command_id).await?;
    }
    Ok(detail)
}

fn confirm(order: &CommandOrder) -> Result<()> {
    let input = std::io::stdin();
    if !input.is_terminal() {
        bail!("approving takes a terminal to ask on, or --yes");
    }
    output::line(&format!("endpoint   {}", order.agent_id))?;
    output::line(&format!("asked by   {}", printable(&order.requester)))?;
    output::line(&format!("because    {}", printable(&order.reason)))?;
    output::line(&format!("begins by  {}", time(order.expires_at)))?;
    output::whole(Format::Json, &order.action)?;
    output::line("Sign this with your own key? Type yes:")?;
    let mut answer = String::new();
    input.lock().take(16).read_line(&mut answer)?;
    if answer.trim() != "yes" {
        bail!("not approved");
    }
    Ok(())
}

fn files(profile: &Path) -> (PathBuf, PathBuf) {
    (
        profile.with_file_name("approver.pem"),
        profile.with_file_name("approver-certificate.json"),
    )
}

fn load_key(profile: &Path) -> Result<(SecretKey, SignedText)> {
    let (key_file, certificate_file) = files(profile);
    let key = read_key(&key_file)?;
    let text = fs::read_to_string(&certificate_file).with_context(|| {
        format!(
            "there is no certificate in {}: run `sgctl approver key`, then `sgctl approver install`",
            certificate_file.display()
        )
    })?;
    let certificate = serde_json::from_str(&text).context("the certificate is damaged")?;
    Ok((key, certificate))
}

fn make_key(path: &Path) -> Result<()> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    let pem = SecretKey::from_seed(&rand::random()).to_pem()?;
    fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)
        .and_then(|mut file| file.write_all(pem.as_bytes()))
        .with_context(|| format!("cannot write {}", path.display()))
}

fn read_key(path: &Path) -> Result<SecretKey> {
    let pem = fs::read_to_string(path)
        .with_context(|| format!("there is no key in {}: run `sgctl approver key`", path.display()))?;
    SecretKey::from_pem(&pem).with_context(|| path.display().to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arguments_are_names_and_values() {
        let read =
            |words: &[&str]| read_arguments(&words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>());
        assert_eq!(
            read(&["pid=77", "path=/a=b"]).unwrap(),
            serde_json::json!({ "pid": 77, "path": "/a=b" })
        );
        assert!(read(&["pid"]).is_err());
        assert!(read(&["script=@/does/not/exist"]).is_err());
    }

    #[test]
    fn a_key_is_made_once_and_for_its_owner() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("a/approver.pem");
        make_key(&file).unwrap();
        assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
        assert!(make_key(&file).is_err());
        assert_eq!(
            read_key(&file).unwrap().public(),
            read_key(&file).unwrap().public()
        );
    }
}
