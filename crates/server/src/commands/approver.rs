//! `secureguard approver …` and `secureguard signer`: the keys behind remote commands.

use std::path::Path;

use anyhow::{Context, ensure};
use sg_trust::{PublicKey, SecretKey, certify, sign_trust_set};
use sg_types::agent::TrustSet;
use sg_types::response::{ApproverCertificate, SignedText};
use sg_types::{Clock, SystemClock, TenantId, UserId};
use tokio::io::AsyncReadExt;

use crate::config::{Config, approver_root_file, trust_set_file};
use crate::files;
use crate::signer::{self, SignerClient, SignerConfig};
use crate::signing::RulesSigner;

/// The first version of a set that a root has signed; those without one are 1 and 2.
const FIRST_VERSION: u32 = 3;

/// Runs the signer until it fails, or until standard input ends where that is asked for.
///
/// # Errors
/// In words for the person at the terminal.
pub async fn run_signer(config: SignerConfig, until_input_ends: bool) -> anyhow::Result<()> {
    let input_ends = async {
        if until_input_ends {
            let mut input = tokio::io::stdin();
            let mut byte = [0; 64];
            while input.read(&mut byte).await.is_ok_and(|count| count > 0) {}
        } else {
            std::future::pending::<()>().await;
        }
    };
    tokio::select! {
        result = signer::run(config) => result,
        () = input_ends => Ok(()),
        name = crate::serve::stop_signal() => name.map(drop),
    }
}

/// Makes the approver root and the first trust set that it signs; gives the set's version.
///
/// # Errors
/// When there is a root already, or a file cannot be written.
pub async fn make_approver_root(config: &Config, root: &Path) -> anyhow::Result<u32> {
    let public_file = approver_root_file(&config.data_dir);
    ensure!(
        !public_file.exists(),
        "there is an approver root already ({}): `secureguard approver sign-trust --new-root` replaces it",
        public_file.display()
    );
    let key = make_key(root)?;
    let version = sign(config, &key, Some(&key), None).await?;
    files::write_public(&public_file, key.public().to_base64().as_bytes())
        .with_context(|| format!("cannot write {}", public_file.display()))?;
    Ok(version)
}

/// Signs the keys that this server has now; with `new_root` a root that takes the place of this one, with `revoked` one certificate less.
/// Gives the set's version.
///
/// # Errors
/// When `root` is not the root that agents have pinned, or a file cannot be written.
pub async fn sign_trust(
    config: &Config,
    root: &Path,
    new_root: Option<&Path>,
    revoked: Option<&str>,
) -> anyhow::Result<u32> {
    let key = read_key(root)?;
    let public_file = approver_root_file(&config.data_dir);
    let pinned = std::fs::read_to_string(&public_file)
        .with_context(|| "there is no approver root yet: run `secureguard approver init`")?;
    ensure!(
        pinned.trim() == key.public().to_base64(),
        "{} is not the approver root of this server",
        root.display()
    );
    let successor = new_root.map(make_key).transpose()?;
    let version = sign(config, &key, Some(successor.as_ref().unwrap_or(&key)), revoked).await?;
    if let Some(successor) = successor {
        files::write_public(&public_file, successor.public().to_base64().as_bytes())?;
    }
    Ok(version)
}

/// Whom a certificate is for.
#[derive(Debug, Clone)]
pub struct CertifyRequest {
    /// The person.
    pub user_id: UserId,
    /// The person's sign-in name.
    pub username: String,
    /// The person's public key, in base64.
    pub public_key: String,
    /// The only tenant.
    pub tenant_id: Option<TenantId>,
    /// Days that it holds.
    pub days: u32,
}

/// Vouches for a key; gives the certificate's serial.
///
/// # Errors
/// When a key is none, or the file exists already.
pub fn certify_approver(root: &Path, request: CertifyRequest, out: &Path) -> anyhow::Result<String> {
    let key = read_key(root)?;
    PublicKey::parse(&request.public_key)?;
    let now = SystemClock.now();
    let serial = hex::encode(rand::random::<[u8; 16]>());
    let certificate = ApproverCertificate {
        serial: serial.clone(),
        user_id: request.user_id,
        username: request.username,
        tenant_id: request.tenant_id,
        public_key: request.public_key,
        not_before: now,
        not_after: now + chrono::Duration::days(request.days.into()),
    };
    let signed = certify(&key, &certificate)?;
    files::write_public(out, serde_json::to_string_pretty(&signed)?.as_bytes())
        .with_context(|| format!("cannot write {}", out.display()))?;
    Ok(serial)
}

async fn sign(
    config: &Config,
    by: &SecretKey,
    root: Option<&SecretKey>,
    revoked: Option<&str>,
) -> anyhow::Result<u32> {
    let before = read_set(config)?;
    let rules = RulesSigner::load_or_create(&config.rules.key_file(&config.data_dir))?;
    let mut revoked_approvers = before
        .as_ref()
        .map(|set| set.revoked_approvers.clone())
        .unwrap_or_default();
    if let Some(serial) = revoked.filter(|serial| !revoked_approvers.iter().any(|known| known == serial)) {
        revoked_approvers.push(serial.to_owned());
    }
    let set = TrustSet {
        version: before.map_or(FIRST_VERSION, |set| set.version + 1),
        rules_key: rules.public_key(),
        commands_key: Some(commands_key(config).await?),
        approver_root: root.map(|key| key.public().to_base64()),
        revoked_approvers,
    };
    let signed = sign_trust_set(by, &set)?;
    let file = trust_set_file(&config.data_dir);
    files::write_public(&file, serde_json::to_string_pretty(&signed)?.as_bytes())
        .with_context(|| format!("cannot write {}", file.display()))?;
    Ok(set.version)
}

fn read_set(config: &Config) -> anyhow::Result<Option<TrustSet>> {
    let file = trust_set_file(&config.data_dir);
    if !file.exists() {
        return Ok(None);
    }
    let damaged = || format!("{} is damaged: restore it from your backup", file.display());
    let signed: SignedText = serde_json::from_str(&std::fs::read_to_string(&file)?).with_context(damaged)?;
    serde_json::from_str(&signed.text).map(Some).with_context(damaged)
}

/// The running signer's, else that of the key's file.
async fn commands_key(config: &Config) -> anyhow::Result<String> {
    let client = SignerClient::new(config.response.socket(&config.data_dir));
    match client.public_key().await {
        Ok(key) => Ok(key),
        Err(_) if config.response.external_socket().is_none() => {
            let key = signer::load_or_create(&config.response.key_file(&config.data_dir))?;
            Ok(key.public().to_base64())
        }
        Err(error) => Err(error.into()),
    }
}

fn make_key(path: &Path) -> anyhow::Result<SecretKey> {
    ensure!(!path.exists(), "{} exists already", path.display());
    let key = SecretKey::from_seed(&rand::random());
    files::write_private(path, key.to_pem()?.as_bytes())
        .with_context(|| format!("cannot write {}", path.display()))?;
    Ok(key)
}

fn read_key(path: &Path) -> anyhow::Result<SecretKey> {
    let pem = std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
    SecretKey::from_pem(&pem).with_context(|| path.display().to_string())
}
