//! Links what was committed into each tenant's chain and signs the chains' ends. One node at a time; writers never wait for it.

use std::collections::BTreeMap;

use chrono::Duration;
use sg_db::agents::try_job_lock;
use sg_db::audit::{
    AuditTable, ChainEntry, Checkpoint, Hash, Head, Unsealed, append_links, insert_checkpoints,
    insert_record, list_audited_tenants, list_heads, list_unsigned_heads, read_chain, read_rows,
    rewind_exports, take_unsealed,
};
use sg_db::{DbError, SystemTx};
use sg_types::TenantId;

use super::canonical::{NO_LINK, hash_link, hash_row};
use super::records::Record;
use crate::AppState;

/// Rows that one transaction links at most.
const BATCH: i64 = 5_000;
/// Transactions of one run at most, so that a backlog leaves room for the exports between.
const BATCHES: usize = 20;
/// Time between two signatures under a chain that grows. With the run's own period it stays below 5 seconds.
const CHECKPOINT_SECONDS: i64 = 2;

/// The lock that says which node seals.
pub(super) const SEAL_LOCK: &str = "audit-seal";

/// When to sign.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Signing {
    /// Ends whose last signature is 2 seconds old.
    WhenDue,
    /// Every end that has grown.
    Always,
}

/// Seals what waits, in steps. The next run goes on where this one stops.
///
/// # Errors
/// What the database says; the next run finds the same.
pub async fn seal(state: AppState, signing: Signing) -> anyhow::Result<()> {
    for _ in 0..BATCHES {
        let Some(taken) = seal_batch(&state, signing).await? else {
            return Ok(());
        };
        if taken < usize::try_from(BATCH)? {
            return Ok(());
        }
    }
    Ok(())
}

/// One step; how many rows it linked. None when another node seals.
async fn seal_batch(state: &AppState, signing: Signing) -> anyhow::Result<Option<usize>> {
    let mut tx = state.db.system("audit sealing").await?;
    if !try_job_lock(&mut tx, SEAL_LOCK).await? {
        return Ok(None);
    }
    let rows = take_unsealed(&mut tx, None, BATCH).await?;
    let taken = rows.len();
    if ends_before_known(&mut tx, state, &rows).await? {
        // Restored under a running server: what is known comes first, then the chain goes on.
        drop(tx);
        note_forks(state).await?;
        return Ok(Some(0));
    }
    link(&mut tx, rows).await?;
    let due = match signing {
        Signing::WhenDue => state.now() - Duration::seconds(CHECKPOINT_SECONDS),
        Signing::Always => state.now() + Duration::days(1),
    };
    let signed = sign_heads(&mut tx, state, due).await?;
    tx.commit_upkeep().await?;
    state.audit.remember(&signed)?;
    if taken > 0 {
        metrics::counter!("sg_audit_sealed_rows_total").increment(taken as u64);
        tracing::debug!(rows = taken, checkpoints = signed.len(), "sealed audit rows");
    }
    Ok(Some(taken))
}

/// Whether one of the chains that these rows belong to is shorter than what was signed of it.
async fn ends_before_known(tx: &mut SystemTx, state: &AppState, rows: &[Unsealed]) -> Result<bool, DbError> {
    let known = state.audit.known_heads();
    let mut tenants: Vec<TenantId> = rows.iter().map(|row| row.tenant_id).collect();
    tenants.sort_unstable();
    tenants.dedup();
    tenants.retain(|tenant| known.contains_key(tenant));
    if tenants.is_empty() {
        return Ok(false);
    }
    let found = list_heads(tx, Some(&tenants)).await?;
    Ok(tenants.iter().any(|tenant| {
        let position = found
            .iter()
            .find(|head| head.tenant_id == *tenant)
            .map_or(0, |head| head.position);
        known.get(tenant).is_some_and(|known| known.position > position)
    }))
}

/// Links everything that waits for its place in one tenant's chain. The caller holds the lock of the sealing.
pub(super) async fn drain(tx: &mut SystemTx, tenant_id: TenantId) -> Result<(), DbError> {
    loop {
        let rows = take_unsealed(tx, Some(tenant_id), BATCH).await?;
        if rows.is_empty() {
            return Ok(());
        }
        link(tx, rows).await?;
    }
}

/// Links these rows to the ends of their chains. The caller holds the lock of the sealing.
pub(super) async fn link(tx: &mut SystemTx, mut rows: Vec<Unsealed>) -> Result<Vec<Head>, DbError> {
    if rows.is_empty() {
        return Ok(Vec::new());
    }
    rows.sort_by_key(|row| (row.tenant_id, row.row_time, row.table, row.row_id));
    hash_earlier_rows(tx, &mut rows).await?;
    let mut tenants: Vec<TenantId> = rows.iter().map(|row| row.tenant_id).collect();
    tenants.dedup();
    let found = list_heads(tx, Some(&tenants)).await?;
    let mut heads: BTreeMap<TenantId, Head> = found.into_iter().map(|head| (head.tenant_id, head)).collect();
    let mut entries = Vec::with_capacity(rows.len());
    for row in rows {
        let head = heads.entry(row.tenant_id).or_insert(Head {
            tenant_id: row.tenant_id,
            position: 0,
            link: NO_LINK,
            checkpoint_position: 0,
            checkpoint_at: None,
        });
        let mut entry = ChainEntry {
            tenant_id: row.tenant_id,
            position: head.position + 1,
            table: row.table,
            row_id: row.row_id,
            row_time: row.row_time,
            row_hash: row.row_hash.unwrap_or(NO_LINK),
            link: NO_LINK,
        };
        entry.link = hash_link(&head.link, &entry);
        (head.position, head.link) = (entry.position, entry.link);
        entries.push(entry);
    }
    let heads: Vec<Head> = heads.into_values().collect();
    append_links(tx, &entries, &heads).await?;
    Ok(heads)
}

/// Rows that were written before there was a chain are sealed as what they are. One that is gone gets the hash of nothing, so that it is missed.
async fn hash_earlier_rows(tx: &mut SystemTx, rows: &mut [Unsealed]) -> Result<(), DbError> {
    for table in AuditTable::ALL {
        let keys: Vec<_> = rows
            .iter()
            .filter(|row| row.table == table && row.row_hash.is_none())
            .map(|row| (row.row_id, row.row_time))
            .collect();
        let found: BTreeMap<_, Hash> = read_rows(tx, table, &keys)
            .await?
            .into_iter()
            .map(|row| ((row.row_id, row.row_time), hash_row(table, &row.fields)))
            .collect();
        for row in rows.iter_mut().filter(|row| row.table == table) {
            row.row_hash = row
                .row_hash
                .or_else(|| found.get(&(row.row_id, row.row_time)).copied());
        }
    }
    Ok(())
}

/// Signs the ends that are due.
pub(super) async fn sign_heads(
    tx: &mut SystemTx,
    state: &AppState,
    due: chrono::DateTime<chrono::Utc>,
) -> Result<Vec<Checkpoint>, DbError> {
    let now = state.now();
    let heads = list_unsigned_heads(tx, due).await?;
    let signed: Vec<Checkpoint> = heads
        .iter()
        .map(|head| state.audit.sign(head.tenant_id, head.position, head.link, now))
        .collect();
    if !signed.is_empty() {
        insert_checkpoints(tx, &signed).await?;
    }
    Ok(signed)
}

/// Compares the chains with what this server knows as signed. A chain that ends earlier, or has another link there, is told in the log and in a
/// signed record of the chain itself; only then does the chain go on.
///
/// # Errors
/// What the database says.
pub async fn note_forks(state: &AppState) -> anyhow::Result<usize> {
    let known = state.audit.known_heads();
    if known.is_empty() {
        return Ok(0);
    }
    let mut tx = state.db.system("audit fork check").await?;
    if !try_job_lock(&mut tx, SEAL_LOCK).await? {
        // Another node seals, and has compared at its own start.
        return Ok(0);
    }
    let heads: BTreeMap<TenantId, Head> = list_heads(&mut tx, None)
        .await?
        .into_iter()
        .map(|head| (head.tenant_id, head))
        .collect();
    let tenants = list_audited_tenants(&mut tx).await?;
    let (mut forks, mut gone) = (0, Vec::new());
    for (tenant_id, known) in known {
        let found = read_chain(&mut tx, tenant_id, known.position - 1, known.position, 1).await?;
        if found
            .first()
            .is_some_and(|entry| Some(entry.link) == known.link())
        {
            continue;
        }
        let head = heads.get(&tenant_id);
        let (found_position, found_link) = head.map_or((0, NO_LINK), |head| (head.position, head.link));
        // After an erasure the chain begins later than what was known.
        if found.is_empty() && found_position >= known.position && is_erased(&mut tx, tenant_id).await? {
            continue;
        }
        tracing::error!(
            tenant.id = %tenant_id, known.position = known.position, known.at = %known.signed_at, found.position = found_position,
            "the audit log of a tenant is not the one that was signed: an older backup was restored, or somebody changed it"
        );
        let is_there = tenants.contains(&tenant_id);
        let chain = if is_there { tenant_id } else { TenantId::SYSTEM };
        let fork = Record::Fork {
            of: (!is_there).then_some(tenant_id),
            known_position: known.position,
            known_link: known.link.clone(),
            known_at: known.signed_at,
            found_position,
            found_link: hex::encode(found_link),
        };
        let record = fork.sign(state.audit.signer(), state.next_id(), chain, state.now())?;
        insert_record(&mut tx, &record).await?;
        drain(&mut tx, chain).await?;
        if is_there {
            rewind_exports(&mut tx, tenant_id, found_position).await?;
        } else {
            gone.push(tenant_id);
        }
        forks += 1;
    }
    if forks > 0 {
        let signed = sign_heads(&mut tx, state, state.now() + Duration::days(1)).await?;
        tx.commit_upkeep().await?;
        state.audit.remember(&signed)?;
        gone.into_iter()
            .try_for_each(|tenant_id| state.audit.forget(tenant_id))?;
    }
    metrics::gauge!("sg_audit_forks_count").set(f64::from(u32::try_from(forks)?));
    Ok(forks)
}

async fn is_erased(tx: &mut SystemTx, tenant_id: TenantId) -> Result<bool, DbError> {
    let first = read_chain(tx, tenant_id, 0, i64::MAX, 1).await?;
    Ok(first
        .first()
        .is_some_and(|entry| entry.table == AuditTable::ChainRecords))
}
