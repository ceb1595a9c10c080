//! Partitions of the audit log that are past their retention go, with a signed record in the chain of each tenant that had rows in them.

use chrono::{DateTime, Months, Utc};
use sg_db::agents::try_job_lock;
use sg_db::audit::{
    AuditPartition, AuditTable, count_rows_by_tenant, drop_partition, insert_record, list_partitions_before,
};

use super::records::Record;
use crate::AppState;

/// Drops what is past its retention; returns the names of the partitions.
///
/// # Errors
/// What the database says; each partition is dropped together with its records or not at all.
pub async fn drop_expired(state: &AppState) -> anyhow::Result<Vec<String>> {
    let config = &state.config.audit;
    let mut dropped = Vec::new();
    for (table, months) in [
        (AuditTable::Events, config.keep_months),
        (AuditTable::RowChanges, config.keep_months),
        (AuditTable::LoginAttempts, config.keep_login_attempts_months),
    ] {
        let Some(before) = end_of_retention(state.now(), months) else {
            continue;
        };
        let mut tx = state.db.system("audit retention").await?;
        let partitions = list_partitions_before(&mut tx, table, before).await?;
        drop(tx);
        for partition in partitions {
            if drop_one(state, &partition).await? {
                dropped.push(partition.name);
            }
        }
    }
    Ok(dropped)
}

/// Before this time everything has expired; none when nothing ever does.
fn end_of_retention(now: DateTime<Utc>, months: u32) -> Option<DateTime<Utc>> {
    (months > 0)
        .then(|| now.checked_sub_months(Months::new(months)))
        .flatten()
}

async fn drop_one(state: &AppState, partition: &AuditPartition) -> anyhow::Result<bool> {
    let mut tx = state.db.system("audit retention").await?;
    if !try_job_lock(&mut tx, "audit-retention").await? {
        return Ok(false);
    }
    for (tenant_id, rows) in count_rows_by_tenant(&mut tx, partition).await? {
        let record = Record::Retention {
            table: partition.table.name().to_owned(),
            from: partition.from,
            to: partition.to,
            rows,
        };
        let record = record.sign(state.audit.signer(), state.next_id(), tenant_id, state.now())?;
        insert_record(&mut tx, &record).await?;
    }
    drop_partition(&mut tx, partition, state.now()).await?;
    tx.commit_upkeep().await?;
    tracing::info!(
        partition = partition.name,
        "dropped a month of the audit log that is past its retention"
    );
    Ok(true)
}
