//! The signer of commands: run as a process of its own, or found where somebody else runs it.

use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use tokio::process::{Child, Command};

use crate::config::{Config, approver_root_file, trust_set_file};
use crate::response::{Response, Trust};
use crate::signer::SignerClient;
use crate::signing::RulesSigner;
use crate::supervisor::Supervisor;

/// How long the signer may take to come up.
const PATIENCE: Duration = Duration::from_secs(10);
const LOOK_EVERY: Duration = Duration::from_millis(20);
/// Bytes of a Unix socket's path at most (`sun_path`).
const MAX_SOCKET_PATH: usize = 107;

/// Runs a signer beside this process and keeps it running, unless another one is configured.
pub(super) async fn start(
    config: &Config,
    rules_signer: &RulesSigner,
    supervisor: &Supervisor,
) -> anyhow::Result<Response> {
    if config.response.external_socket().is_some() {
        return connect_signer(config, rules_signer).await;
    }
    let socket = config.response.socket(&config.data_dir);
    if socket.as_os_str().len() > MAX_SOCKET_PATH {
        bail!(
            "the data directory's path is too long for the signer's socket {}: give response.signer_socket a shorter one",
            socket.display()
        );
    }
    let mut child = Some(spawn(config, &socket)?);
    let client = SignerClient::new(socket.clone());
    let begin = Instant::now();
    let key = loop {
        match client.public_key().await {
            Ok(key) => break key,
            Err(error) if begin.elapsed() > PATIENCE => return Err(error.into()),
            Err(_) => tokio::time::sleep(LOOK_EVERY).await,
        }
        if let Some(status) = child.as_mut().and_then(|child| child.try_wait().ok().flatten()) {
            bail!("the signer of commands ended at once ({status}); its words are above");
        }
    };
    let (config_again, stop) = (config.clone(), supervisor.stop_token());
    supervisor.spawn_restarting("signer", move || {
        let running = match child.take() {
            Some(child) => Ok(child),
            None => spawn(&config_again, &socket),
        };
        let stop = stop.clone();
        async move {
            let mut running = running?;
            // Waiting would close it, and its end is the signer's.
            let _input = running.stdin.take();
            tokio::select! {
                () = stop.cancelled() => Ok(()),
                status = running.wait() => bail!("the signer of commands has ended: {}", status?),
            }
        }
    });
    Ok(Response {
        trust: Trust::load(&config.data_dir, Some(key), rules_signer)?,
        signer: Some(client),
        waiting: Default::default(),
    })
}

/// What a server needs that runs no signer itself; without a configured one it takes no commands.
///
/// # Errors
/// When the configured signer does not answer, or what the approver root has signed cannot be used.
pub async fn connect_signer(config: &Config, rules_signer: &RulesSigner) -> anyhow::Result<Response> {
    let Some(socket) = config.response.external_socket() else {
        return Ok(Response {
            trust: Trust::load(&config.data_dir, None, rules_signer)?,
            ..Response::default()
        });
    };
    let client = SignerClient::new(socket.to_owned());
    let key = client
        .public_key()
        .await
        .with_context(|| format!("response.signer_socket is {}", socket.display()))?;
    Ok(Response {
        trust: Trust::load(&config.data_dir, Some(key), rules_signer)?,
        signer: Some(client),
        waiting: Default::default(),
    })
}

/// It ends with this process, however that ends: the pipe that is its input is closed then.
fn spawn(config: &Config, socket: &Path) -> anyhow::Result<Child> {
    let response = &config.response;
    let program = std::env::current_exe().context("cannot find this program's own file")?;
    let kinds: Vec<&str> = response.kinds.iter().map(|kind| kind.as_str()).collect();
    let mut command = Command::new(program);
    command
        .arg("signer")
        .arg("--socket")
        .arg(socket)
        .arg("--key-file")
        .arg(response.key_file(&config.data_dir))
        .arg("--approver-root")
        .arg(approver_root_file(&config.data_dir))
        .arg("--trust-set")
        .arg(trust_set_file(&config.data_dir))
        .args([
            "--max-lifetime-seconds",
            &response.max_lifetime_seconds.to_string(),
        ])
        .args(["--per-minute", &response.commands_per_minute.to_string()])
        .arg("--until-input-ends")
        .stdin(Stdio::piped())
        .kill_on_drop(true);
    if !kinds.is_empty() {
        command.args(["--kinds", &kinds.join(",")]);
    }
    command.spawn().context("cannot start the signer of commands")
}
