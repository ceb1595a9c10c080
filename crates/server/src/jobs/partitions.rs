//! Partitions are there before they are needed, and gone when their rows are past their retention.
//!
//! Each step is a transaction of its own and asks for its lock during half a second at most, so that check-ins go on meanwhile.

use chrono::Duration;
use sg_db::agents::{
    drop_expired_partition, ensure_partition, ensure_partition_of, list_stray_rows, move_held_rows,
    try_job_lock,
};

use crate::AppState;

/// Periods (days, weeks or months, as the table has them) that partitions are made ahead: a server that nobody looks at for a week still
/// has some.
const PERIODS_AHEAD: i32 = 8;
/// Partitions made for rows that wait in one default partition, in one run.
const STRAY_PARTITIONS: usize = 40;

/// Makes what is missing, moves what is held out of the way, then drops what has expired.
///
/// # Errors
/// What the database says; the next run finds the same.
pub async fn run(state: AppState) -> anyhow::Result<u64> {
    let now = state.now();
    let created = make_missing(&state).await? + take_in_strays(&state).await?;
    let mut tx = state.db.system("legal hold").await?;
    if !try_job_lock(&mut tx, "retention").await? {
        return Ok(created);
    }
    let held = move_held_rows(&mut tx, now).await?;
    tx.commit_upkeep().await?;
    let mut dropped = 0_u64;
    loop {
        let mut tx = state.db.system("retention").await?;
        if !try_job_lock(&mut tx, "retention").await? {
            break;
        }
        let name = drop_expired_partition(&mut tx, now).await?;
        tx.commit_upkeep().await?;
        let Some(name) = name else { break };
        tracing::debug!(partition = name, "a partition past its retention is dropped");
        dropped += 1;
    }
    if created > 0 || dropped > 0 || held > 0 {
        tracing::info!(created, dropped, held_rows = held, "partitions are in order");
    }
    Ok(created + dropped)
}

async fn make_missing(state: &AppState) -> anyhow::Result<u64> {
    let mut created = 0;
    loop {
        let mut tx = state.db.system("partitions").await?;
        let made = ensure_partition(&mut tx, state.now(), PERIODS_AHEAD).await?;
        tx.commit_upkeep().await?;
        if made == 0 {
            return Ok(created);
        }
        created += 1;
    }
}

/// Rows of a time that no partition holds, but whose time is sound, get one: late ones after a long outage, or days that are rolled up anew.
/// What lies ahead of time stays in the default partition, and an alert says so.
async fn take_in_strays(state: &AppState) -> anyhow::Result<u64> {
    let mut created = 0;
    for _ in 0..STRAY_PARTITIONS {
        let mut tx = state.db.system("stray rows").await?;
        let mut moved = false;
        for stray in list_stray_rows(&mut tx).await? {
            let Some(oldest) = stray.oldest_at.filter(|at| *at < state.now() + Duration::days(1)) else {
                continue;
            };
            if ensure_partition_of(&mut tx, &stray.parent_table, oldest).await? {
                (moved, created) = (true, created + 1);
                break;
            }
        }
        tx.commit_upkeep().await?;
        if !moved {
            break;
        }
    }
    Ok(created)
}
