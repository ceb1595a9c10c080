//! Removing everything of a tenant, with a signed record in its chain as the one thing that stays beside the tombstone.

use sg_db::DbError;
use sg_db::audit::{
    Actor, AuditEvent, Outcome, complete_erasure, count_holds, delete_tenant_rows, erase_audit_rows,
    find_tenant_by_slug, insert_record, list_heads, mark_tenant_erased, take_unsealed,
};
use sg_types::{Clock, Ids, TenantId};

use super::canonical::NO_LINK;
use super::keeper::AuditKeeper;
use super::records::Record;
use super::seal::{SEAL_LOCK, drain, link};

/// Audit rows that one transaction removes at most from each table.
const STEP: i32 = 10_000;

/// Why a tenant was not erased.
#[derive(Debug, thiserror::Error)]
pub enum EraseError {
    /// No tenant has this short name.
    #[error("no tenant has the short name `{0}`")]
    Unknown(String),
    /// The installation cannot do without it.
    #[error("the tenant `{0}` is part of every installation and cannot be erased")]
    Reserved(String),
    /// Somebody decided that the data must stay.
    #[error("the tenant `{0}` is under a legal hold; it can be erased once every hold is released")]
    Held(String),
    /// Another node seals; it lets go within a second.
    #[error("the audit log is being sealed at this moment; try again")]
    Sealing,
    /// The database did not take it.
    #[error(transparent)]
    Database(#[from] DbError),
    /// A record could not be written.
    #[error("a record could not be written as JSON")]
    Record(#[from] serde_json::Error),
    /// The known end could not be kept.
    #[error(transparent)]
    Keeper(#[from] anyhow::Error),
}

/// What it takes.
pub struct Erasure<'a> {
    /// The database.
    pub db: &'a sg_db::Db,
    /// The key.
    pub keeper: &'a AuditKeeper,
    /// The time.
    pub clock: &'a dyn Clock,
    /// New ids.
    pub ids: &'a dyn Ids,
    /// What does it, for the audit log.
    pub by: &'static str,
    /// Why, for the audit log.
    pub reason: &'static str,
}

/// Erases the tenant: its rows of every table, then its audit log but for the record. Run again, it goes on where it was broken off.
///
/// # Errors
/// [`EraseError`].
pub async fn erase_tenant(of: Erasure<'_>, slug: &str) -> Result<u64, EraseError> {
    let mut tx = of.db.system("tenant erasure").await?;
    let (tenant_id, status) = find_tenant_by_slug(&mut tx, slug)
        .await?
        .ok_or_else(|| EraseError::Unknown(slug.to_owned()))?;
    if tenant_id == TenantId::SYSTEM || tenant_id == TenantId::DEFAULT {
        return Err(EraseError::Reserved(slug.to_owned()));
    }
    let mut removed = Vec::new();
    if count_holds(&mut tx, tenant_id).await? > 0 {
        return Err(EraseError::Held(slug.to_owned()));
    }
    if status != "erased" {
        // The mark comes first: records that are append-only go only when their tenant is erased.
        mark_tenant_erased(&mut tx, tenant_id).await?;
        removed = delete_tenant_rows(&mut tx, tenant_id).await?;
    }
    let rows: u64 = removed.iter().map(|(_, rows)| rows).sum();
    tx.commit(TenantId::SYSTEM, event(&of, tenant_id)).await?;
    let record_id = seal_record(&of, tenant_id, removed).await?;
    let mut audit_rows = 0;
    loop {
        let mut tx = of.db.system("tenant erasure").await?;
        let step = erase_audit_rows(&mut tx, tenant_id, record_id, STEP).await?;
        tx.commit_upkeep().await?;
        if step == 0 {
            break;
        }
        audit_rows += u64::try_from(step).unwrap_or(0);
    }
    let mut tx = of.db.system("tenant erasure").await?;
    complete_erasure(&mut tx, tenant_id).await?;
    tx.commit_upkeep().await?;
    Ok(rows + audit_rows)
}

/// Puts the signed record at the end of the chain, right after everything that was there, and signs the end.
async fn seal_record(
    of: &Erasure<'_>,
    tenant_id: TenantId,
    rows: Vec<(String, u64)>,
) -> Result<uuid::Uuid, EraseError> {
    let now = of.clock.now();
    let mut tx = of.db.system("tenant erasure").await?;
    let mut attempts = 0;
    while !sg_db::agents::try_job_lock(&mut tx, SEAL_LOCK).await? {
        attempts += 1;
        if attempts > 200 {
            return Err(EraseError::Sealing);
        }
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    drain(&mut tx, tenant_id).await?;
    let head = list_heads(&mut tx, Some(&[tenant_id])).await?.into_iter().next();
    let (last_position, last_link) = head.map_or((0, NO_LINK), |head| (head.position, head.link));
    let erasure = Record::Erasure {
        last_position,
        last_link: hex::encode(last_link),
        rows,
    };
    let record = erasure.sign(of.keeper.signer(), of.ids.next(), tenant_id, now)?;
    insert_record(&mut tx, &record).await?;
    let queued = take_unsealed(&mut tx, Some(tenant_id), 1_000).await?;
    // What was committed meanwhile is removed with the rest and needs no place.
    let own = queued
        .into_iter()
        .filter(|row| row.row_id == record.record_id)
        .collect();
    let heads = link(&mut tx, own).await?;
    let signed: Vec<_> = heads
        .iter()
        .map(|head| of.keeper.sign(tenant_id, head.position, head.link, now))
        .collect();
    sg_db::audit::insert_checkpoints(&mut tx, &signed).await?;
    tx.commit_upkeep().await?;
    of.keeper.remember(&signed)?;
    Ok(record.record_id)
}

fn event(of: &Erasure<'_>, tenant_id: TenantId) -> AuditEvent {
    AuditEvent {
        event_id: of.ids.next().into(),
        at: of.clock.now(),
        actor: Actor::system(of.by),
        action: "tenant.erase",
        object: Some(("tenant", tenant_id.to_string())),
        outcome: Outcome::Success,
        reason: Some(of.reason.to_owned()),
        request_id: None,
        address: None,
    }
}
