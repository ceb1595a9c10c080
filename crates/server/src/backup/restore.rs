//! The way back onto a machine: a data directory that `secureguard up` takes over.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, ensure};
use chrono::{DateTime, Utc};
use secrecy::ExposeSecret;
use sg_db::examine_restored;
use sg_postgres::{Recovery, Stanza, Until};

use super::work::{Progress, blocking};
use super::{RestoredFile, bundle, pass, setup};
use crate::config::Config;
use crate::files;
use crate::up::restored_urls;

/// How long replaying the log may take.
const PATIENCE: Duration = Duration::from_secs(24 * 3_600);

/// What was restored.
#[derive(Debug)]
pub struct RestoreReport {
    /// The backup.
    pub label: String,
    /// When it was complete.
    pub backup_at: DateTime<Utc>,
    /// The last transaction that came back; none for a database that is not ours to start.
    pub recovered_to: Option<DateTime<Utc>>,
    /// Rows that were read.
    pub rows: i64,
    /// Keys, certificates and configuration that came back.
    pub files: Vec<RestoredFile>,
    /// Bytes of the database.
    pub database_bytes: u64,
    /// How long copying took.
    pub copy: Duration,
    /// How long replaying the log took.
    pub replay: Duration,
}

/// Restores into `target`, which is empty or not there, from the backup of that label or else from the newest that fits.
///
/// # Errors
/// In words for the person at the terminal.
pub async fn restore(
    config: &Config,
    target: PathBuf,
    until: Until,
    label: Option<String>,
    mut progress: Progress,
) -> anyhow::Result<RestoreReport> {
    let settings = &config.backup;
    ensure!(
        settings.is_on(),
        "no repository is named: --repository DIR, or backup.repository in the configuration"
    );
    ensure!(
        settings.other_cluster().is_none(),
        "backup.cluster is set: its PostgreSQL is restored with pgBackRest itself, with the configuration in {}; the built-in way restores a database of `up` only",
        settings.work_dir(&config.data_dir).display()
    );
    // The bucket is enough where the first one is lost.
    ensure!(
        settings.has_bucket() || settings.repository.is_dir(),
        "the repository {} is not there; is its disk mounted?",
        settings.repository.display()
    );
    let pass = pass::load(&settings.pass_file(&config.data_dir))?;
    let bin = setup::binaries(config)?;
    sg_postgres::claim_dir(&target)?;
    let mut here = config.clone();
    here.data_dir = std::fs::canonicalize(&target)?;
    here.backup.work_dir = PathBuf::new();
    let program = setup::choose_program(&here)?;
    let stanza = Stanza::prepare(setup::options(&here, program, pass.clone())?)?;
    let recovery = Recovery {
        target: here.data_dir.clone(),
        until,
        label,
        keep_log: true,
        patience: PATIENCE,
    };
    let work = blocking(move || {
        let backups = stanza.list(&mut progress)?;
        let backup = recovery.choose(&backups)?.clone();
        tracing::info!(
            label = backup.label,
            database_bytes = backup.database_bytes,
            "restoring"
        );
        let copy = stanza.restore_files(&recovery, &backup, &mut progress)?;
        let sealed = std::fs::read_to_string(recovery.target.join("postgres").join(bundle::NAME)).context(
            "the backup holds no keys; without the keys of the database's users nobody can sign in",
        )?;
        let files = bundle::unpack(&sealed, &pass, &recovery.target)?;
        let pass_file = recovery.target.join("keys/backup.pass");
        if !pass_file.exists() {
            files::write_private(&pass_file, format!("{}\n", pass.expose_secret()).as_bytes())?;
        }
        tracing::info!("replaying the write-ahead log");
        let recovered = stanza.recover(&bin, &recovery)?;
        Ok((backup, copy, files, recovered))
    });
    let (backup, copy, files, recovered) = work.await?;
    let (_, _, superuser) = restored_urls(&here.data_dir, recovered.cluster.socket_dir())?;
    let figures = examine_restored(&superuser).await;
    let replay = recovered.replay;
    blocking(move || Ok(recovered.cluster.stop()?)).await?;
    let figures = figures.context("the restored database cannot be read")?;
    Ok(RestoreReport {
        label: backup.label,
        backup_at: backup.finished_at,
        recovered_to: figures.recovered_to,
        rows: figures.rows.iter().map(|(_, rows)| rows).sum(),
        files,
        database_bytes: backup.database_bytes,
        copy,
        replay,
    })
}
