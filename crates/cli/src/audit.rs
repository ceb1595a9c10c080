//! The audit log.

use anyhow::Result;
use clap::Subcommand;
use sg_client::{AuditFilter, Client};

use crate::output::{self, Format, optional, printable, time};

#[derive(Debug, Subcommand)]
pub(crate) enum Audit {
    /// List entries, the newest first; with --json also the rows before and after.
    List {
        /// Only this action, such as incident.update.
        #[arg(long)]
        action: Option<String>,
        /// Only this kind of object, such as incident.
        #[arg(long)]
        object_kind: Option<String>,
        /// Only this object.
        #[arg(long)]
        object: Option<String>,
        /// At most this many.
        #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..))]
        limit: u32,
    },
}

impl Audit {
    pub(crate) async fn run(self, client: &Client, format: Format) -> Result<()> {
        let Self::List {
            action,
            object_kind,
            object,
            limit,
        } = self;
        let filter = AuditFilter {
            action,
            object_kind,
            object_id: object,
        };
        let events = client.list_audit_events(&filter, limit as usize).await?;
        let headers = ["AT", "WHO", "WHAT", "OBJECT", "OUTCOME", "CHANGED"];
        output::list(format, &events, &headers, |event| {
            let object = [event.object_kind.as_deref(), event.object_id.as_deref()];
            let changed: Vec<&str> = event.changes.iter().map(|change| change.table.as_str()).collect();
            vec![
                time(event.occurred_at),
                printable(&optional(
                    event.actor_name.as_deref().or(Some(event.actor_kind.as_str())),
                )),
                event.action.clone(),
                printable(&object.into_iter().flatten().collect::<Vec<_>>().join(" ")),
                event.outcome.clone(),
                changed.join(", "),
            ]
        })
    }
}
