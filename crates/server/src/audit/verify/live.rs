//! Verifying a live database, against what was kept outside it.

use std::collections::{BTreeMap, HashMap};

use sg_db::audit::{
    AuditTable, Checkpoint, StoredRow, count_unsealed, list_audited_tenants, list_unchained_rows, read_chain,
    read_checkpoints, read_rows,
};
use sg_db::{Db, DbError, SystemTx};
use sg_types::TenantId;
use uuid::Uuid;

use super::chain::{ChainCheck, RowFound, Signed};
use super::{Fault, Report};
use crate::signing::AuditVerifier;

/// Links that are read at a time.
const PAGE: i64 = 2_000;
/// Rows without a link that are named; a table that was refilled by force would name each of its rows.
const UNCHAINED_MAX: i64 = 1_000;

/// What whoever verifies knows from outside the database.
#[derive(Debug, Clone, Default)]
pub struct OutsideKnowledge {
    /// Checkpoints of an export.
    pub exported: Vec<Checkpoint>,
    /// The last signed ends that the server keeps in its data directory.
    pub kept: Vec<Checkpoint>,
}

/// Checks every chain of the database, in one snapshot of it.
///
/// # Errors
/// What the database says.
pub async fn verify_live(
    db: &Db,
    verifier: &AuditVerifier,
    outside: &OutsideKnowledge,
) -> Result<Report, DbError> {
    let mut report = Report::default();
    let mut tx = db.system_snapshot("audit verification").await?;
    let mut expected: BTreeMap<TenantId, Vec<Signed>> = BTreeMap::new();
    let sources = [
        ("that was exported", &outside.exported),
        ("that the server keeps", &outside.kept),
    ];
    for (source, checkpoints) in sources {
        for checkpoint in checkpoints {
            expected.entry(checkpoint.tenant_id).or_default().push(Signed {
                checkpoint: checkpoint.clone(),
                source,
            });
        }
    }
    let mut tenants = list_audited_tenants(&mut tx).await?;
    tenants.extend(expected.keys());
    tenants.sort_unstable();
    tenants.dedup();
    for tenant_id in tenants {
        let known = expected.remove(&tenant_id).unwrap_or_default();
        verify_tenant(&mut tx, verifier, tenant_id, known, &mut report).await?;
    }
    note_unchained(&mut tx, &mut report).await?;
    Ok(report)
}

async fn verify_tenant(
    tx: &mut SystemTx,
    verifier: &AuditVerifier,
    tenant_id: TenantId,
    known: Vec<Signed>,
    report: &mut Report,
) -> Result<(), DbError> {
    let mut check = ChainCheck::new(tenant_id, verifier, report, false);
    let mut page = read_chain(tx, tenant_id, 0, i64::MAX, PAGE).await?;
    // What was signed before an erasure is gone with the tenant.
    let begins = page.first().map_or(1, |entry| entry.position);
    let erased = begins > 1
        && page
            .first()
            .is_some_and(|entry| entry.table == AuditTable::ChainRecords);
    for signed in known {
        if !(erased && signed.checkpoint.position < begins) {
            check.expect(signed);
        }
    }
    for checkpoint in read_checkpoints(tx, tenant_id, 0, i64::MAX).await? {
        check.expect(Signed {
            checkpoint,
            source: "in the database",
        });
    }
    while let Some(last) = page.last().map(|entry| entry.position) {
        let rows = read_page_rows(tx, &page).await?;
        for entry in &page {
            let row = rows.get(&(entry.table, entry.row_id));
            let found = row.map_or(RowFound::Gone, |row| {
                RowFound::Here(&row.fields, row.row_hash.as_deref())
            });
            check.check(entry, found);
        }
        page = read_chain(tx, tenant_id, last, i64::MAX, PAGE).await?;
    }
    check.finish();
    Ok(())
}

/// The rows of these links.
pub(crate) async fn read_page_rows(
    tx: &mut SystemTx,
    page: &[sg_db::audit::ChainEntry],
) -> Result<HashMap<(AuditTable, Uuid), StoredRow>, DbError> {
    let mut rows = HashMap::with_capacity(page.len());
    for table in AuditTable::ALL {
        let keys: Vec<_> = page
            .iter()
            .filter(|entry| entry.table == table)
            .map(|entry| (entry.row_id, entry.row_time))
            .collect();
        for row in read_rows(tx, table, &keys).await? {
            rows.insert((table, row.row_id), row);
        }
    }
    Ok(rows)
}

async fn note_unchained(tx: &mut SystemTx, report: &mut Report) -> Result<(), DbError> {
    for table in AuditTable::ALL {
        for (tenant_id, row_id, at) in list_unchained_rows(tx, table, UNCHAINED_MAX).await? {
            report.faults.push(Fault {
                tenant_id: Some(tenant_id),
                position: None,
                what: format!(
                    "the row {row_id} of {} from {at} is in no chain: it was put there without the trigger that hashes it, or its place was removed",
                    table.name()
                ),
            });
        }
    }
    let waiting = count_unsealed(tx, None).await?;
    if waiting > 0 {
        report.notes.push(Fault {
            tenant_id: None,
            position: None,
            what: format!("{waiting} rows wait for their place in the chains; a running server links them within seconds"),
        });
    }
    Ok(())
}
