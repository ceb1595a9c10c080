//! What is due.

use chrono::{DateTime, Duration, Utc};
use sg_db::monitoring::{find_last_backup_run, read_archiver};
use sg_postgres::{BackupInfo, BackupKind, Until};
use sg_types::api::backups::{BackupRunKind, BackupRunState, BackupRunView};

use super::setup;
use super::watch::is_future;
use super::work::{Progress, RunKind, blocking};
use crate::AppState;
use crate::config::{BackupConfig, Config};

/// Time after a failure before it is tried again.
const RETRY_AFTER_MINUTES: i64 = 30;
/// By how much a full backup may come before its days are over, so that it does not slip by a day each time.
const SLACK_HOURS: i64 = 12;

/// Whether the database lies on this machine.
pub(super) fn is_here(config: &Config) -> bool {
    let dir = config.backup.other_cluster().map_or_else(
        || config.data_dir.join("postgres"),
        |other| other.data_dir.clone(),
    );
    dir.join("PG_VERSION").exists()
}

/// What is to be done first.
pub(super) async fn find(state: &AppState) -> anyhow::Result<Option<RunKind>> {
    use BackupRunKind::{Drill, Full, Incr, Verify};
    use BackupRunState::{Completed, Failed};
    let now = state.now();
    let mut tx = state.db.system("what is due").await?;
    let archiver = read_archiver(&mut tx, now).await?;
    let last_try = find_last_backup_run(&mut tx, &[Full, Incr], &[Failed]).await?;
    let verified = find_last_backup_run(&mut tx, &[Verify], &[Completed, Failed]).await?;
    let drilled = find_last_backup_run(&mut tx, &[Drill], &[Completed, Failed]).await?;
    drop(tx);
    // Without an archive a backup would wait for its log in vain; the watch says so.
    if !archiver.is_on {
        return Ok(None);
    }
    let config = state.config.clone();
    let stop = state.supervisor.stop_token();
    let (backups, has_incremental) = blocking(move || {
        let mut progress = Progress::new(|_| {}, stop);
        let stanza = setup::open(&config)?;
        stanza.init(&mut progress)?;
        Ok((stanza.list(&mut progress)?, stanza.has_incremental()))
    })
    .await?;
    let settings = &state.config.backup;
    if let Some(kind) = due_backup(settings, &backups, &archiver.timeline, now) {
        let waits = last_try.is_some_and(|run| now - run.started_at < Duration::minutes(RETRY_AFTER_MINUTES));
        let kind = if has_incremental { kind } else { BackupKind::Full };
        return Ok((!waits).then_some(RunKind::Backup(kind)));
    }
    let is_older = |run: &Option<BackupRunView>, days: i64| {
        run.as_ref()
            .is_none_or(|run| now - run.started_at > Duration::days(days) - Duration::hours(1))
    };
    let days = i64::from(settings.drill_every_days);
    if days > 0 && settings.other_cluster().is_none() && is_older(&drilled, days) {
        return Ok(Some(RunKind::Drill(Until::Latest)));
    }
    if is_older(&verified, 1) {
        return Ok(Some(RunKind::Verify));
    }
    Ok(None)
}

/// A backup is due when none has begun since the hour of the day. It is a full one when there is none of the last days, or when the database has gone another
/// way since: after a restore, so that what follows hangs on nothing that was left behind.
fn due_backup(
    settings: &BackupConfig,
    backups: &[BackupInfo],
    timeline: &str,
    now: DateTime<Utc>,
) -> Option<BackupKind> {
    let sound = || backups.iter().filter(|backup| !backup.has_page_errors);
    let Some(last) = sound().next_back() else {
        return Some(BackupKind::Full);
    };
    if !last.archive_start.starts_with(timeline) {
        return Some(BackupKind::Full);
    }
    let today = now.date_naive().and_hms_opt(settings.at_hour, 0, 0)?.and_utc();
    let hour = if today <= now {
        today
    } else {
        today - Duration::days(1)
    };
    // One from the future stands for nothing: the clock was wrong then, or is now.
    if last.started_at >= hour && !is_future(last.started_at, now) {
        return None;
    }
    let full = sound().rfind(|backup| backup.kind == "full");
    let age = Duration::days(settings.full_every_days.into()) - Duration::hours(SLACK_HOURS);
    Some(match full {
        Some(full) if now - full.started_at < age => BackupKind::Incremental,
        _ => BackupKind::Full,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Verb, load};

    fn at(text: &str) -> DateTime<Utc> {
        text.parse().unwrap()
    }

    fn backup(kind: &str, started: &str, timeline: &str) -> BackupInfo {
        BackupInfo {
            label: started.to_owned(),
            kind: kind.to_owned(),
            repository: 1,
            started_at: at(started),
            finished_at: at(started),
            database_bytes: 1,
            stored_bytes: 1,
            archive_start: format!("{timeline}0000000000000001"),
            archive_stop: format!("{timeline}0000000000000001"),
            has_page_errors: false,
        }
    }

    #[test]
    fn a_backup_from_the_future_does_not_stand_in_the_way() {
        let settings = load(None, Verb::Other).unwrap().backup;
        let ahead = [backup("full", "2027-03-01T02:00:00Z", "00000001")];
        let due = due_backup(&settings, &ahead, "00000001", at("2026-03-01T12:00:00Z"));
        assert!(due.is_some());
    }

    #[test]
    fn one_backup_a_day_and_a_full_one_a_week() {
        let settings = load(None, Verb::Other).unwrap().backup;
        let due = |backups: &[BackupInfo], now: &str| due_backup(&settings, backups, "00000001", at(now));
        assert_eq!(due(&[], "2026-03-01T12:00:00Z"), Some(BackupKind::Full));
        let first = backup("full", "2026-03-01T12:00:00Z", "00000001");
        let of = |now| due(std::slice::from_ref(&first), now);
        assert_eq!(of("2026-03-01T23:00:00Z"), None);
        assert_eq!(of("2026-03-02T01:59:59Z"), None);
        assert_eq!(of("2026-03-02T02:00:00Z"), Some(BackupKind::Incremental));
        assert_eq!(of("2026-03-08T02:00:00Z"), Some(BackupKind::Full));
        let second = backup("incr", "2026-03-02T02:00:00Z", "00000001");
        let both = [first.clone(), second];
        assert_eq!(due(&both, "2026-03-02T22:00:00Z"), None);
        assert_eq!(due(&both, "2026-03-03T02:00:01Z"), Some(BackupKind::Incremental));
        assert_eq!(
            due_backup(&settings, &both, "00000002", at("2026-03-02T03:00:00Z")),
            Some(BackupKind::Full),
            "after a restore"
        );
        let damaged = BackupInfo {
            has_page_errors: true,
            ..first
        };
        assert_eq!(due(&[damaged], "2026-03-01T12:01:00Z"), Some(BackupKind::Full));
    }
}
