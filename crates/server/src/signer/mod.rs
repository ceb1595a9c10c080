//! `secureguard signer`: the small process that holds the key of remote commands and checks by itself what it signs.
//!
//! It speaks lines of JSON over a Unix socket, knows neither the database nor the network, and believes approvals by the approver root alone.

mod client;
mod policy;

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Context;
use serde::{Deserialize, Serialize};
use sg_trust::{SecretKey, sign_order};
use sg_types::response::{Approval, SignedText};
use sg_types::{Clock, SystemClock};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{UnixListener, UnixStream};

pub use client::{SignerClient, SignerError};
pub use policy::Policy;

use crate::files;

/// Bytes of a request at most.
const MAX_REQUEST_BYTES: u64 = 512 * 1024;

/// What is asked of the signer.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
enum Request {
    /// Its public key.
    PublicKey,
    /// A signature.
    Sign {
        order_text: String,
        approval: Option<Approval>,
    },
}

/// What it answers.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
enum Answer {
    PublicKey(String),
    Signed { order: SignedText, key_id: String },
    Refused(String),
}

/// How the signer runs.
#[derive(Debug, Clone)]
pub struct SignerConfig {
    /// Where it listens.
    pub socket: PathBuf,
    /// The key's file, made where there is none.
    pub key_file: PathBuf,
    /// What it lets through.
    pub policy: Policy,
}

/// Signs until the process ends.
///
/// # Errors
/// When the key or the socket cannot be used.
pub async fn run(config: SignerConfig) -> anyhow::Result<()> {
    let key = load_or_create(&config.key_file)?;
    let listener = listen(&config.socket)?;
    tracing::info!(socket = %config.socket.display(), key.id = key.public().key_id(), "the signer of commands runs");
    serve(listener, key, Arc::new(config.policy)).await
}

fn listen(socket: &Path) -> anyhow::Result<UnixListener> {
    match std::fs::remove_file(socket) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            return Err(error).with_context(|| format!("cannot replace the socket {}", socket.display()));
        }
        _ => {}
    }
    let listener =
        UnixListener::bind(socket).with_context(|| format!("cannot listen on {}", socket.display()))?;
    // The group may be one that the server's user shares with the signer's.
    std::fs::set_permissions(socket, std::fs::Permissions::from_mode(0o660))?;
    Ok(listener)
}

async fn serve(listener: UnixListener, key: SecretKey, policy: Arc<Policy>) -> anyhow::Result<()> {
    let key = Arc::new(key);
    let mut connections = tokio::task::JoinSet::new();
    loop {
        let (connection, _) = listener.accept().await.context("the signer's socket")?;
        while connections.try_join_next().is_some() {}
        let (key, policy) = (key.clone(), policy.clone());
        connections.spawn(async move {
            if let Err(error) = converse(connection, &key, &policy).await {
                tracing::debug!(error = %error, "a connection to the signer ended");
            }
        });
    }
}

async fn converse(connection: UnixStream, key: &SecretKey, policy: &Policy) -> std::io::Result<()> {
    let (reader, mut writer) = connection.into_split();
    let mut reader = BufReader::new(reader);
    loop {
        let mut line = String::new();
        if (&mut reader).take(MAX_REQUEST_BYTES).read_line(&mut line).await? == 0 {
            return Ok(());
        }
        let answer = match serde_json::from_str(&line) {
            Ok(request) => answer(request, key, policy),
            Err(error) => Answer::Refused(format!("the request is not understood: {error}")),
        };
        let mut text = serde_json::to_string(&answer)?;
        text.push('\n');
        writer.write_all(text.as_bytes()).await?;
    }
}

fn answer(request: Request, key: &SecretKey, policy: &Policy) -> Answer {
    match request {
        Request::PublicKey => Answer::PublicKey(key.public().to_base64()),
        Request::Sign { order_text, approval } => {
            match policy.judge(&order_text, approval.as_ref(), SystemClock.now()) {
                Ok(order) => {
                    tracing::info!(
                        command.id = %order.command_id, command.kind = %order.action.kind(), agent.id = %order.agent_id,
                        tenant.id = %order.tenant_id, requested_by = order.requester, "signed a command"
                    );
                    Answer::Signed {
                        order: sign_order(key, order_text),
                        key_id: key.public().key_id(),
                    }
                }
                Err(reason) => {
                    tracing::warn!(reason, "did not sign a command");
                    Answer::Refused(reason)
                }
            }
        }
    }
}

/// Reads the key, or makes it (0600) where there is none.
///
/// # Errors
/// When the file is damaged, readable by others, or cannot be written.
pub fn load_or_create(path: &Path) -> anyhow::Result<SecretKey> {
    match std::fs::read_to_string(path) {
        Ok(pem) => {
            anyhow::ensure!(
                !files::is_readable_by_others(path)?,
                "{} can be read by others than its owner; run: chmod 0600 {0}",
                path.display()
            );
            SecretKey::from_pem(&pem).with_context(|| {
                format!(
                    "{} is damaged; agents trust that key only, so restore it from your backup",
                    path.display()
                )
            })
        }
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            let key = SecretKey::from_seed(&rand::random());
            path.parent().map_or(Ok(()), files::create_private_dir)?;
            files::write_private(path, key.to_pem()?.as_bytes())
                .with_context(|| format!("cannot write {}", path.display()))?;
            tracing::info!(path = %path.display(), "made a new key for commands");
            Ok(key)
        }
        Err(error) => Err(error).with_context(|| format!("cannot read {}", path.display())),
    }
}
