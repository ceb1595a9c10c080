//! `secureguard admin export-tenant`: everything of a tenant in a file, also of one that nobody can sign in to any more.

use std::io::Write;
use std::path::Path;

use anyhow::Context;
use axum::body::Bytes;
use sg_db::Db;
use sg_db::audit::{Actor, AuditEvent, Outcome, find_tenant_by_slug};
use sg_types::{Clock, EventId, Ids, SystemClock, TimeOrderedIds};
use tokio::sync::mpsc;

use super::database::Opened;
use crate::config::Config;
use crate::users::export_tenant::write_export;

/// Writes the file, which has its name once it is whole, and is its owner's only. Returns the number of rows.
///
/// # Errors
/// In words for the person at the terminal.
pub async fn export_tenant(config: &Config, slug: &str, file: &Path) -> anyhow::Result<u64> {
    let opened = Opened::open(config).await?;
    let result = export(&opened.db, slug, file).await;
    opened.close().await?;
    result
}

async fn export(db: &Db, slug: &str, file: &Path) -> anyhow::Result<u64> {
    let mut tx = db.system("admin export-tenant").await?;
    let (tenant_id, _) = find_tenant_by_slug(&mut tx, slug)
        .await?
        .with_context(|| format!("there is no tenant with the short name `{slug}`"))?;
    let at = SystemClock.now();
    let event = AuditEvent {
        event_id: EventId(TimeOrderedIds.next()),
        at,
        actor: Actor::system("admin export-tenant"),
        action: "tenant.export",
        object: Some(("tenant", tenant_id.to_string())),
        outcome: Outcome::Success,
        reason: Some("done on the host".to_owned()),
        request_id: None,
        address: None,
    };
    tx.commit(tenant_id, event).await?;

    let mut output = tempfile::NamedTempFile::new_in(
        file.parent()
            .filter(|dir| !dir.as_os_str().is_empty())
            .unwrap_or(Path::new(".")),
    )
    .with_context(|| format!("{} cannot be written", file.display()))?;
    let mut tx = db.system("admin export-tenant").await?;
    let (to, mut from) = mpsc::channel::<Bytes>(1);
    let store = async {
        while let Some(chunk) = from.recv().await {
            output.write_all(&chunk)?;
        }
        output.as_file().sync_all()
    };
    let (written, stored) = tokio::join!(write_export(&mut tx, tenant_id, at, to), store);
    stored.with_context(|| format!("{} cannot be written", file.display()))?;
    let rows = written?;
    output
        .persist(file)
        .with_context(|| format!("{} cannot be written", file.display()))?;
    Ok(rows)
}
