//! `secureguard audit …`: checking the audit log, and writing it for somebody who checks it.

use std::fs::File;
use std::io::{BufRead, BufReader, BufWriter, Read};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use anyhow::Context;
use sg_types::TenantId;

use super::database::Opened;
use crate::audit::export::export_to;
use crate::audit::read_known_heads;
use crate::audit::verify::{OutsideKnowledge, Report, read_checkpoints, verify_export, verify_live};
use crate::config::Config;
use crate::signing::{AuditSigner, AuditVerifier};

/// The public key that belongs to the server's audit key, in PEM.
///
/// # Errors
/// In words: there is no key, or it cannot be used.
pub fn public_key(config: &Config) -> anyhow::Result<String> {
    Ok(own_verifier(config)?.to_pem())
}

/// Checks export files, in the order of their writing, with nothing but a public key.
///
/// # Errors
/// In words: a file or the key cannot be read.
pub fn verify_files(files: &[PathBuf], key: &Path) -> anyhow::Result<Report> {
    let verifier = AuditVerifier::load(key)?;
    Ok(verify_export(open_all(files)?, &verifier)?)
}

/// Checks the database of the configuration, against the ends that the server keeps in its data directory and the checkpoints of export files.
///
/// # Errors
/// In words for the person at the terminal.
pub async fn verify_database(
    config: &Config,
    key: Option<&Path>,
    checkpoints: &[PathBuf],
) -> anyhow::Result<Report> {
    let verifier = match key {
        Some(path) => AuditVerifier::load(path)?,
        None => own_verifier(config)?,
    };
    let (exported, unreadable) = read_checkpoints(open_all(checkpoints)?)?;
    let kept = read_known_heads(&config.data_dir)?
        .into_iter()
        .map(|(tenant_id, head)| head.to_checkpoint(tenant_id, &verifier))
        .collect();
    let opened = Opened::open(config).await?;
    let result = verify_live(&opened.db, &verifier, &OutsideKnowledge { exported, kept }).await;
    opened.close().await?;
    let mut report = result?;
    report.faults.extend(unreadable.faults);
    Ok(report)
}

/// Writes the chains with their rows and checkpoints into a new file (0600).
///
/// # Errors
/// In words for the person at the terminal.
pub async fn export_file(config: &Config, path: &Path, tenant: Option<TenantId>) -> anyhow::Result<u64> {
    let file = std::fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)
        .with_context(|| format!("cannot make {}", path.display()))?;
    let opened = Opened::open(config).await?;
    let result = export_to(&opened.db, tenant, BufWriter::new(&file)).await;
    opened.close().await?;
    file.sync_all()?;
    result
}

fn own_verifier(config: &Config) -> anyhow::Result<AuditVerifier> {
    let path = config.audit.key_file(&config.data_dir);
    anyhow::ensure!(
        path.exists(),
        "there is no key in {}; a server makes it at its first start, --public-key names another one",
        path.display()
    );
    Ok(AuditSigner::load_or_create(&path)?.verifier())
}

fn open_all(files: &[PathBuf]) -> anyhow::Result<impl BufRead> {
    let mut all: Box<dyn Read> = Box::new(std::io::empty());
    for path in files {
        let file = File::open(path).with_context(|| format!("cannot read {}", path.display()))?;
        all = Box::new(all.chain(file));
    }
    Ok(BufReader::new(all))
}
