//! Telling the audit log to whoever keeps it elsewhere: at least once, in order, at least every 5 seconds, and without anybody waiting for it.

mod file;
mod line;
mod syslog;
mod webhook;

use std::io::Write;

use anyhow::Context;
use chrono::{DateTime, Utc};
use sg_db::agents::try_job_lock;
use sg_db::audit::{
    Unexported, list_audited_tenants, list_unexported, read_chain, read_checkpoints, store_export_position,
};
use sg_db::{Db, DbError, SystemTx};
use sg_types::TenantId;

pub use line::{CheckpointLine, EntryLine, Line};

use super::keeper::SinkStatus;
use super::verify::read_page_rows;
use crate::AppState;
use crate::config::AuditConfig;

/// Links that are told at a time.
const PAGE: i64 = 500;
/// Pages of one run at most, so that a failure is noticed between them; the next run comes within a second.
const PAGES: usize = 200;

/// Somebody who is told.
#[derive(Debug)]
pub enum Sink {
    /// A file of JSON lines.
    File(file::FileSink),
    /// A syslog server.
    Syslog(syslog::SyslogSink),
    /// An HTTPS endpoint.
    Webhook(webhook::WebhookSink),
}

impl Sink {
    /// The sinks of the configuration.
    ///
    /// # Errors
    /// In words: a secret or a certificate file cannot be read.
    pub fn all(config: &AuditConfig) -> anyhow::Result<Vec<Self>> {
        let mut sinks = Vec::new();
        if !config.file.path.as_os_str().is_empty() {
            sinks.push(Self::File(file::FileSink::new(&config.file.path)));
        }
        if !config.syslog.address.is_empty() {
            sinks.push(Self::Syslog(syslog::SyslogSink::new(&config.syslog)?));
        }
        if !config.webhook.url.is_empty() {
            sinks.push(Self::Webhook(webhook::WebhookSink::new(&config.webhook)?));
        }
        Ok(sinks)
    }

    /// The names of the sinks of the configuration.
    pub fn names(config: &AuditConfig) -> Vec<&'static str> {
        let named = [
            ("file", !config.file.path.as_os_str().is_empty()),
            ("syslog", !config.syslog.address.is_empty()),
            ("webhook", !config.webhook.url.is_empty()),
        ];
        named
            .into_iter()
            .filter(|(_, set)| *set)
            .map(|(name, _)| name)
            .collect()
    }

    /// The name under which its position is kept.
    pub fn name(&self) -> &'static str {
        match self {
            Self::File(_) => "file",
            Self::Syslog(_) => "syslog",
            Self::Webhook(_) => "webhook",
        }
    }

    async fn tell(&mut self, lines: &[Line], at: DateTime<Utc>) -> anyhow::Result<()> {
        match self {
            Self::File(sink) => sink.tell(lines).await,
            Self::Syslog(sink) => sink.tell(lines, at).await,
            Self::Webhook(sink) => sink.tell(lines, at).await,
        }
    }
}

/// Tells a sink what is signed and it does not know yet. What fails is told again by the next run.
///
/// # Errors
/// What the sink or the database says; it is noted for the health of the server too.
pub async fn export(state: &AppState, sink: &mut Sink) -> anyhow::Result<()> {
    let name = sink.name();
    let result = export_pages(state, sink).await;
    let waiting_since = match &result {
        Ok(waiting_since) => *waiting_since,
        Err(_) => state
            .audit
            .sinks()
            .get(name)
            .and_then(|status| status.waiting_since)
            .or(Some(state.now())),
    };
    let status = SinkStatus {
        problem: result.as_ref().err().map(|error| format!("{error:#}")),
        waiting_since,
    };
    let seconds = waiting_since.map_or(0, |since| (state.now() - since).num_seconds().max(0));
    #[expect(clippy::cast_precision_loss, reason = "seconds for a gauge")]
    metrics::gauge!("sg_audit_export_waiting_seconds", "sink" => name).set(seconds as f64);
    state.audit.note_sink(name, status);
    if result.is_err() {
        metrics::counter!("sg_audit_export_failures_total", "sink" => name).increment(1);
    }
    result
        .map(|_| ())
        .with_context(|| format!("the audit log is not told to the {name}"))
}

/// Since when something waits; none when everything was told.
async fn export_pages(state: &AppState, sink: &mut Sink) -> anyhow::Result<Option<DateTime<Utc>>> {
    let lock = match sink.name() {
        "file" => "audit-export-file",
        "syslog" => "audit-export-syslog",
        _ => "audit-export-webhook",
    };
    for _ in 0..PAGES {
        let mut tx = state.db.system("audit export").await?;
        if !try_job_lock(&mut tx, lock).await? {
            return Ok(None);
        }
        let waiting = list_unexported(&mut tx, sink.name()).await?;
        let Some(next) = waiting.first() else {
            return Ok(None);
        };
        let (lines, through) = read_page(&mut tx, next).await?;
        if let Err(error) = sink.tell(&lines, state.now()).await {
            let status = SinkStatus {
                problem: None,
                waiting_since: Some(next.checkpoint_at),
            };
            state.audit.note_sink(sink.name(), status);
            return Err(error);
        }
        store_export_position(&mut tx, next.tenant_id, sink.name(), through, state.now()).await?;
        tx.commit_upkeep().await?;
    }
    Ok(Some(state.now()))
}

/// The next lines for a sink, and the position that it knows afterwards.
async fn read_page(tx: &mut SystemTx, of: &Unexported) -> Result<(Vec<Line>, i64), DbError> {
    let (tenant_id, after, end) = (of.tenant_id, of.position, of.checkpoint_position);
    let page = read_chain(tx, tenant_id, after, end, PAGE).await?;
    let full = i64::try_from(page.len()).is_ok_and(|length| length == PAGE);
    let through = page.last().filter(|_| full).map_or(end, |entry| entry.position);
    let rows = read_page_rows(tx, &page).await?;
    let mut lines: Vec<Line> = page
        .iter()
        .map(|entry| Line::Entry(EntryLine::new(entry, rows.get(&(entry.table, entry.row_id)))))
        .collect();
    let checkpoints = read_checkpoints(tx, tenant_id, after, through).await?;
    lines.extend(
        checkpoints
            .iter()
            .map(|checkpoint| Line::Checkpoint(checkpoint.into())),
    );
    Ok((lines, through))
}

/// Writes the chains of all tenants, or of one, by hand; returns how many lines.
///
/// # Errors
/// What the database says, or where the lines go to.
pub async fn export_to(db: &Db, of: Option<TenantId>, mut out: impl Write) -> anyhow::Result<u64> {
    let mut tx = db.system_snapshot("audit export by hand").await?;
    let tenants = match of {
        Some(tenant_id) => vec![tenant_id],
        None => list_audited_tenants(&mut tx).await?,
    };
    let mut written = 0;
    for tenant_id in tenants {
        let mut position = 0;
        loop {
            let next = Unexported {
                tenant_id,
                position,
                checkpoint_position: i64::MAX,
                checkpoint_at: DateTime::UNIX_EPOCH,
            };
            let (lines, through) = read_page(&mut tx, &next).await?;
            for line in &lines {
                serde_json::to_writer(&mut out, line)?;
                out.write_all(b"\n")?;
                written += 1;
            }
            if through == i64::MAX {
                break;
            }
            position = through;
        }
    }
    out.flush()?;
    Ok(written)
}
