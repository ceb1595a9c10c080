//! The drill: what a recovery would do, beside the running system, in a folder and on a socket of its own.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, ensure};
use chrono::{DateTime, Utc};
use secrecy::{ExposeSecret, SecretString};
use sg_db::monitoring::{BackupOutcome, count_audit_events};
use sg_db::{RestoredFigures, examine_restored};
use sg_postgres::{BackupInfo, Binaries, Recovered, Recovery, Stanza, Until};

use super::work::{Progress, Work, blocking};
use super::{bundle, pass, setup};
use crate::audit::read_known_heads;
use crate::audit::verify::{OutsideKnowledge, verify_live};
use crate::config::Config;
use crate::signing::AuditSigner;
use crate::up::{connect, restored_urls};

/// How long replaying the log may take.
const PATIENCE: Duration = Duration::from_secs(6 * 3_600);
/// Rows that are compared with the running system are older than this, so that none is under way.
const SETTLED_SECONDS: i64 = 60;
/// Tables that are never empty.
const NEVER_EMPTY: [&str; 4] = [
    "users.tenants",
    "users.users",
    "users.memberships",
    "audit.events",
];

/// What a drill found.
#[derive(Debug, Clone)]
pub struct DrillReport {
    /// The backup that was restored.
    pub label: String,
    /// The last transaction that came back.
    pub recovered_to: DateTime<Utc>,
    /// Checks that passed, in words.
    pub passed: Vec<String>,
    /// What is wrong, in words.
    pub faults: Vec<String>,
}

/// Removes the folder at the end, however that comes. The cluster in it has ended before.
struct Scratch(PathBuf);

impl Drop for Scratch {
    fn drop(&mut self) {
        if let Err(error) = std::fs::remove_dir_all(&self.0)
            && error.kind() != std::io::ErrorKind::NotFound
        {
            tracing::warn!(%error, dir = %self.0.display(), "the folder of a drill could not be removed");
        }
    }
}

/// Does a drill.
pub(super) async fn run(
    work: &Work<'_>,
    stanza: Stanza,
    until: Until,
    progress: Progress,
) -> anyhow::Result<BackupOutcome> {
    let config = work.config;
    ensure!(
        config.backup.other_cluster().is_none(),
        "a drill needs the database of `up`; try a restore of yours by `secureguard restore --target` on another machine"
    );
    let began_at = work.clock.now();
    let bin = setup::binaries(config)?;
    let dir = config.backup.drill_dir(&config.data_dir);
    drop(Scratch(dir.clone()));
    let scratch = Scratch(dir);
    let recovery = Recovery {
        target: scratch.0.clone(),
        until,
        label: None,
        keep_log: false,
        patience: PATIENCE,
    };
    let (backup, restored, recovered) = restore(config, stanza, &bin, recovery, progress).await?;
    let rto = restored + recovered.replay;
    let checked = check(work, &bin, &scratch.0, &backup, &recovered, began_at).await;
    blocking(move || Ok(recovered.cluster.stop()?)).await?;
    let report = checked?;
    let rpo = (until == Until::Latest).then(|| (began_at - report.recovered_to).as_seconds_f64().max(0.0));
    for line in &report.passed {
        tracing::info!(check = line, "the drill found in order");
    }
    Ok(BackupOutcome {
        label: Some(report.label),
        repository: Some(backup.repository.into()),
        database_bytes: i64::try_from(backup.database_bytes).ok(),
        recovered_to: Some(report.recovered_to),
        rpo_seconds: rpo,
        rto_seconds: Some(rto.as_secs_f64()),
        problem: (!report.faults.is_empty()).then(|| report.faults.join("; ")),
        detail: serde_json::json!({"checks": report.passed, "restore_seconds": restored.as_secs_f64()}),
        ..BackupOutcome::default()
    })
}

/// Files, keys, and the log up to the moment.
async fn restore(
    config: &Config,
    stanza: Stanza,
    bin: &Binaries,
    recovery: Recovery,
    mut progress: Progress,
) -> anyhow::Result<(BackupInfo, Duration, Recovered)> {
    let (config, bin) = (config.clone(), bin.clone());
    blocking(move || {
        let backups = stanza.list(&mut progress)?;
        let backup = recovery.choose(&backups)?.clone();
        let took = stanza.restore_files(&recovery, &backup, &mut progress)?;
        let pass = pass::load(&config.backup.pass_file(&config.data_dir))?;
        let path = recovery.target.join("postgres").join(bundle::NAME);
        let sealed = std::fs::read_to_string(&path).context("the backup holds no keys")?;
        bundle::unpack(&sealed, &pass, &recovery.target)?;
        let recovered = stanza.recover(&bin, &recovery)?;
        Ok((backup, took, recovered))
    })
    .await
}

async fn check(
    work: &Work<'_>,
    bin: &Binaries,
    dir: &Path,
    backup: &BackupInfo,
    recovered: &Recovered,
    began_at: DateTime<Utc>,
) -> anyhow::Result<DrillReport> {
    let (app, system, superuser) = restored_urls(dir, recovered.cluster.socket_dir())?;
    let figures = examine_restored(&superuser)
        .await
        .context("the restored database cannot be read")?;
    let mut report = DrillReport {
        label: backup.label.clone(),
        recovered_to: figures.recovered_to.unwrap_or(backup.finished_at).min(began_at),
        passed: Vec::new(),
        faults: Vec::new(),
    };
    check_rows(work, &figures, &superuser, &mut report).await?;
    check_audit(work.config, dir, &app, &system, &mut report).await?;
    check_structure(bin, recovered, &mut report).await?;
    Ok(report)
}

async fn check_rows(
    work: &Work<'_>,
    figures: &RestoredFigures,
    superuser: &SecretString,
    report: &mut DrillReport,
) -> anyhow::Result<()> {
    if figures.checksum_failures > 0 {
        report.faults.push(format!(
            "{} pages of the restored database do not fit their checksums",
            figures.checksum_failures
        ));
    }
    let empty = NEVER_EMPTY.into_iter().find(|table| figures.rows_of(table) == 0);
    if let Some(table) = empty {
        report
            .faults
            .push(format!("{table} is empty in the restored database"));
    }
    let rows: i64 = figures.rows.iter().map(|(_, rows)| rows).sum();
    report
        .passed
        .push(format!("{rows} rows of {} tables were read", figures.rows.len()));
    // Nobody changes entries of the audit log, so the running system's from before that moment are all there.
    let until = report.recovered_to - chrono::Duration::seconds(SETTLED_SECONDS);
    let mut tx = work.db.system("drill").await?;
    let running = count_audit_events(&mut tx, until).await?;
    drop(tx);
    let restored = sg_db::count_restored_audit_events(superuser, until).await?;
    if restored < running {
        report.faults.push(format!(
            "{} entries of the audit log from before {} did not come back",
            running - restored,
            until.to_rfc3339()
        ));
    } else {
        report.passed.push(format!(
            "all {running} settled entries of the audit log came back"
        ));
    }
    Ok(())
}

async fn check_audit(
    config: &Config,
    dir: &Path,
    app: &SecretString,
    system: &SecretString,
    report: &mut DrillReport,
) -> anyhow::Result<()> {
    let restored_key = dir.join("keys/audit.pem");
    let key = if restored_key.exists() {
        restored_key
    } else {
        config.audit.key_file(&config.data_dir)
    };
    let verifier = AuditSigner::load_or_create(&key)?.verifier();
    let kept = read_known_heads(dir)?
        .into_iter()
        .map(|(tenant_id, head)| head.to_checkpoint(tenant_id, &verifier))
        .collect();
    let db = connect(config, app, system)?;
    let knowledge = OutsideKnowledge {
        exported: Default::default(),
        kept,
    };
    let verified = verify_live(&db, &verifier, &knowledge).await;
    db.close().await;
    let verified = verified?;
    if verified.holds() {
        report.passed.push(format!(
            "the audit log holds: {} entries and {} signatures",
            verified.entries, verified.checkpoints
        ));
    } else {
        report.faults.extend(
            verified
                .faults
                .iter()
                .take(5)
                .map(|fault| format!("audit log: {fault}")),
        );
    }
    Ok(())
}

/// Tables and indexes, by PostgreSQL's own program.
async fn check_structure(
    bin: &Binaries,
    recovered: &Recovered,
    report: &mut DrillReport,
) -> anyhow::Result<()> {
    if !bin.bin_dir.join("pg_amcheck").is_file() {
        report
            .passed
            .push("pg_amcheck is not installed, so tables and indexes were read but not examined".to_owned());
        return Ok(());
    }
    let mut command = bin.command("pg_amcheck");
    command
        .arg("--host")
        .arg(recovered.cluster.socket_dir())
        .args(["--port", &recovered.cluster.port().to_string()])
        .args(["--username", recovered.cluster.superuser()])
        .args([
            "--database",
            crate::up::DATABASE,
            "--install-missing",
            "--no-password",
        ])
        // Not on the command line, which everybody sees.
        .env(
            "PGPASSWORD",
            recovered.cluster.superuser_password().expose_secret(),
        );
    let output = blocking(move || command.output().context("cannot run pg_amcheck")).await?;
    let words =
        String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    if output.status.success() {
        report
            .passed
            .push("pg_amcheck found nothing in tables and indexes".to_owned());
    } else if words.contains("extension control file") || words.contains("is not available") {
        report.passed.push(
            "PostgreSQL's extension amcheck is not installed, so pg_amcheck had nothing to ask".to_owned(),
        );
    } else {
        let words: String = words.split_whitespace().collect::<Vec<_>>().join(" ");
        report.faults.push(format!(
            "pg_amcheck found damage in the restored database: {}",
            words.chars().take(600).collect::<String>()
        ));
    }
    Ok(())
}
