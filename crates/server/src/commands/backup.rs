//! `secureguard backup …` and `secureguard restore`.

use std::path::PathBuf;

use anyhow::Context;
use sg_db::monitoring::{list_backup_runs, read_archiver};
use sg_postgres::{BackupInfo, Until};
use sg_types::api::backups::BackupRunView;
use sg_types::{Clock, SystemClock, TimeOrderedIds};
use tokio_util::sync::CancellationToken;

use super::database::Opened;
use crate::backup::{self, Finished, Progress, RestoreReport, RunKind, Work};
use crate::config::Config;
use crate::serve::stop_signal;

/// Runs shown in a list.
const SHOWN: u32 = 20;

/// Makes the repository and the pass, and says what the administrator has to do.
///
/// # Errors
/// In words for the person at the terminal.
pub async fn init_backups(config: &Config, tell: fn(f64)) -> anyhow::Result<Vec<String>> {
    let (stanza, made) = backup::open_first(config)?;
    let pass_file = config.backup.pass_file(&config.data_dir);
    let mut lines = vec![format!("repository: {}", config.backup.repository.display())];
    lines.push(format!(
        "pass: {}{}; keep a copy of it away from this machine and from the repository, no backup can be read without it",
        pass_file.display(),
        if made { " (made)" } else { "" }
    ));
    let opened = Opened::open(config).await?;
    let result = async {
        let mut tx = opened.db.system("backup init").await?;
        let is_on = read_archiver(&mut tx, SystemClock.now()).await?.is_on;
        drop(tx);
        let mut progress = Progress::new(tell, CancellationToken::new());
        let prepared = stanza.clone();
        backup::blocking(move || Ok(prepared.init(&mut progress)?)).await?;
        anyhow::Ok(is_on)
    }
    .await;
    opened.close().await?;
    let is_on = result?;
    lines.push("the repository is ready".to_owned());
    if config.backup.other_cluster().is_some() {
        lines.push("put these lines into postgresql.conf and restart PostgreSQL:".to_owned());
        lines.push("  archive_mode = on".to_owned());
        lines.push(format!(
            "  archive_timeout = {}s",
            config.backup.archive_timeout_seconds
        ));
        lines.push(format!(
            "  archive_command = '{}'",
            stanza.archive_command().replace('\'', "''")
        ));
    } else if !is_on {
        lines
            .push("restart `secureguard up`, so that its PostgreSQL sends its log to the archive".to_owned());
    }
    Ok(lines)
}

/// Makes a backup, verifies, or does a drill. SIGINT and SIGTERM stop it in order.
///
/// # Errors
/// In words for the person at the terminal.
pub async fn run_backup(config: &Config, kind: RunKind, tell: fn(f64)) -> anyhow::Result<Finished> {
    let (stanza, _) = backup::open_first(config)?;
    if let RunKind::Backup(kind) = kind {
        // Before it counts as one that has failed.
        stanza.check_kind(kind)?;
    }
    let opened = Opened::open(config).await?;
    let stop = CancellationToken::new();
    let work = Work {
        config,
        db: &opened.db,
        clock: &SystemClock,
        ids: &TimeOrderedIds,
    };
    let finished = {
        let run = work.run(kind, Progress::new(tell, stop.clone()));
        tokio::pin!(run);
        tokio::select! {
            finished = &mut run => finished,
            signal = stop_signal() => {
                signal.context("cannot wait for signals")?;
                stop.cancel();
                run.await
            }
        }
    };
    opened.close().await?;
    finished
}

/// What the repositories hold, and what was done lately.
///
/// # Errors
/// In words for the person at the terminal.
pub async fn list_backups(config: &Config) -> anyhow::Result<(Vec<BackupInfo>, Vec<BackupRunView>)> {
    let stanza = backup::open(config)?;
    let backups =
        backup::blocking(move || Ok(stanza.list(&mut Progress::new(|_| {}, CancellationToken::new()))?))
            .await?;
    // The history is in the database, which may be what was lost.
    let runs = match Opened::open(config).await {
        Ok(opened) => {
            let runs = async {
                let mut tx = opened.db.system("backups").await?;
                list_backup_runs(&mut tx, None, SHOWN).await
            }
            .await;
            opened.close().await?;
            runs?
        }
        Err(error) => {
            tracing::warn!(error = format!("{error:#}"), "the history is not to be had");
            Vec::new()
        }
    };
    Ok((backups, runs))
}

/// Restores into a folder, from the backup of that label or else from the newest that fits.
///
/// # Errors
/// In words for the person at the terminal.
pub async fn restore_backup(
    config: &Config,
    target: PathBuf,
    until: Until,
    label: Option<String>,
    tell: fn(f64),
) -> anyhow::Result<RestoreReport> {
    let stop = CancellationToken::new();
    let restore = backup::restore(config, target, until, label, Progress::new(tell, stop.clone()));
    tokio::pin!(restore);
    tokio::select! {
        report = &mut restore => report,
        signal = stop_signal() => {
            signal.context("cannot wait for signals")?;
            stop.cancel();
            restore.await
        }
    }
}
