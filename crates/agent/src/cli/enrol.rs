//! `enrol`: registers this machine.

use std::fs;
use std::io::Read;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use secrecy::SecretString;
use sg_types::TimeOrderedIds;
use sg_types::agent::EnrolRequest;
use sg_types::{TokenKind, agent::EnrolReply};

use super::{EnrolArgs, say};
use crate::identity::{CA_FILE, Fingerprint, Identity, StateDir, parse_server_url, read_host_facts};
use crate::uplink::{CallError, ServerClient};

/// How long the server may take.
const TIMEOUT: Duration = Duration::from_secs(30);
/// Bytes of a key or CA file at most.
const MAX_FILE_BYTES: u64 = 1024 * 1024;

pub(super) async fn enrol(arguments: &EnrolArgs) -> Result<()> {
    let server = parse_server_url(&arguments.server)?;
    let dir = StateDir::create(&arguments.state.state_dir)?;
    let before = match Identity::load(&dir) {
        Err(_) if arguments.force => None,
        other => other?,
    };
    if let Some(before) = before.as_ref().filter(|_| !arguments.force) {
        if before.server == server {
            say(&format!(
                "already enrolled at {server} as {}; nothing was changed (--force enrols again)",
                before.agent_id
            ));
            return Ok(());
        }
        bail!(
            "this machine is enrolled at {} as {}: unenrol it first, or use --force to leave that server behind",
            before.server,
            before.agent_id
        );
    }
    let _lock = dir.lock()?;
    let key = read_key(arguments)?;
    let ca = arguments
        .ca
        .as_deref()
        .map(|path| read_file(path).context("cannot read the CA file"))
        .transpose()?;
    let client = ServerClient::new(&server, ca.as_deref(), TIMEOUT)?;
    let fingerprint = match &before {
        Some(before) if before.fingerprint.parts.is_empty() => before.fingerprint.clone(),
        _ => Fingerprint::read(Path::new("/"), &TimeOrderedIds),
    };
    let request = EnrolRequest {
        host: read_host_facts(&server, &fingerprint.value),
        previous_agent_id: before
            .as_ref()
            .filter(|before| before.server == server)
            .map(|before| before.agent_id),
    };
    let reply = client
        .enrol(&key, &request)
        .await
        .map_err(|error| explain(&error, &server))?;
    store(&dir, &server, fingerprint, ca.as_deref(), &reply)?;
    let how = if reply.reenrolled {
        "enrolled again (the history goes on)"
    } else {
        "enrolled"
    };
    say(&format!(
        "{how} at {server} as {} ({})",
        reply.agent_id, request.host.hostname
    ));
    say(&format!(
        "start the agent with: secureguard-agent run --state-dir {} --watch DIR",
        dir.path().display()
    ));
    Ok(())
}

fn store(
    dir: &StateDir,
    server: &str,
    fingerprint: Fingerprint,
    ca: Option<&[u8]>,
    reply: &EnrolReply,
) -> Result<()> {
    match ca {
        Some(pem) => dir.replace(CA_FILE, pem).context("cannot store the CA file")?,
        None => dir.remove(CA_FILE).context("cannot remove the former CA file")?,
    }
    let identity = Identity {
        server: server.to_owned(),
        agent_id: reply.agent_id,
        token: SecretString::from(reply.token.clone()),
        tenant_id: reply.tenant_id,
        trust: reply.trust.clone(),
        fingerprint,
        check_in_seconds: reply.check_in_seconds,
        own_ca: ca.is_some(),
    };
    identity.save(dir)
}

fn read_key(arguments: &EnrolArgs) -> Result<SecretString> {
    let text = match (&arguments.key, &arguments.key_file) {
        (Some(key), _) => key.clone(),
        (None, Some(path)) => String::from_utf8(read_file(path).context("cannot read the key file")?)
            .context("the key file does not hold text")?,
        (None, None) => bail!(
            "an enrolment key is needed: --key-file FILE, the variable SECUREGUARD_ENROLMENT_KEY, or --key KEY"
        ),
    };
    let key = text.trim();
    match TokenKind::of(key) {
        Ok(TokenKind::ApiKey) => Ok(SecretString::from(key.to_owned())),
        _ => bail!(
            "that is not an enrolment key: keys look like sg_ followed by 43 characters (the console shows them under API keys)"
        ),
    }
}

fn read_file(path: &Path) -> Result<Vec<u8>> {
    let mut content = Vec::new();
    if path == Path::new("-") {
        std::io::stdin().take(MAX_FILE_BYTES).read_to_end(&mut content)?;
    } else {
        let file = fs::File::open(path).with_context(|| path.display().to_string())?;
        file.take(MAX_FILE_BYTES).read_to_end(&mut content)?;
    }
    Ok(content)
}

fn explain(error: &CallError, server: &str) -> anyhow::Error {
    match error {
        CallError::Unauthorized(detail) => {
            anyhow::anyhow!(
                "the server refuses the enrolment key: {detail}; make a new one in the console under API keys"
            )
        }
        CallError::Forbidden(detail) => anyhow::anyhow!(
            "the server at {server} does not let this host enrol: {detail}; ask whoever administers the tenant"
        ),
        CallError::Failed(detail) => anyhow::anyhow!(
            "cannot enrol at {server}: {detail}; check the URL, the network and, for a server with its own certificate authority, --ca FILE"
        ),
        other => anyhow::anyhow!("cannot enrol at {server}: {other}"),
    }
}
