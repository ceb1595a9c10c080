//! Taking everything of a tenant away, as lines of JSON: a head, a line for each row, and a last line without which the file is not whole.

use std::collections::BTreeMap;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use chrono::{DateTime, Utc};
use serde_json::json;
use sg_db::users::{allow_long_reads, export_rows, list_export_tables};
use sg_db::{DbError, Reads};
use sg_types::{Problem, TenantId};
use tokio::sync::mpsc;
use tokio_stream::StreamExt;
use tokio_stream::wrappers::ReceiverStream;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::AppState;
use crate::auth::{Recent, TenantExport};
use crate::error::{ApiError, ApiResult};

/// Bytes that are sent at once.
const CHUNK: usize = 64 * 1_024;
/// Chunks that wait for a slow reader.
const WAITING: usize = 8;
/// How long an export may hold its snapshot of the database.
const PATIENCE: Duration = Duration::from_secs(6 * 3_600);

/// Why an export is not whole.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ExportError {
    /// The database.
    #[error(transparent)]
    Database(#[from] DbError),
    /// Nobody reads any more.
    #[error("the reader is gone")]
    Abandoned,
}

/// The operation.
pub(super) fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(export_tenant))
}

/// Takes everything of the tenant away that requests may read.
#[utoipa::path(get, path = "/api/v1/users/tenant-export", tag = "users", security(("bearer" = []), ("cookie" = [])), responses(
    (status = 200, content_type = "application/x-ndjson",
        description = "Lines of JSON: a head, `{\"table\", \"row\"}` for each row, and last `{\"complete\": true, \"rows\"}`, without which it is not whole."),
    (status = "4XX", description = "Refused.", body = Problem),
    (status = 503, description = "Another export is being made.", body = Problem),
))]
async fn export_tenant(State(state): State<AppState>, can: Recent<TenantExport>) -> ApiResult<Response> {
    let turn = state
        .exports
        .clone()
        .try_acquire_owned()
        .map_err(|_| ApiError::unavailable(60))?;
    let tenant_id = can.caller.tenant_id;
    let mut event = can.event(&state, "tenant.export");
    event.object = Some(("tenant", tenant_id.to_string()));
    let at = event.at;
    state.db.write(&can.caller, at).await?.commit(event).await?;
    let mut tx = state.db.read(&can.caller, at).await?;
    let stop = state.supervisor.stop_token();
    let (to, from) = mpsc::channel(WAITING);
    state.supervisor.spawn_detached(async move {
        let _turn = turn;
        let written = tokio::select! {
            written = tokio::time::timeout(PATIENCE, write_export(&mut tx, tenant_id, at, to)) => written,
            () = stop.cancelled() => return,
        };
        match written {
            Ok(Ok(rows)) => tracing::info!(tenant.id = %tenant_id, rows, "a tenant was exported"),
            Ok(Err(error)) => {
                tracing::warn!(tenant.id = %tenant_id, error = %error, "an export was cut short")
            }
            Err(_) => tracing::warn!(tenant.id = %tenant_id, "an export took too long and was cut short"),
        }
    });
    let file = format!("secureguard-{}.ndjson", at.format("%Y-%m-%d"));
    let headers = [
        (header::CONTENT_TYPE, "application/x-ndjson".to_owned()),
        (
            header::CONTENT_DISPOSITION,
            format!("attachment; filename=\"{file}\""),
        ),
    ];
    let body = Body::from_stream(ReceiverStream::new(from).map(Ok::<_, std::convert::Infallible>));
    Ok((headers, body).into_response())
}

/// Sends an export to `to`. Returns how many rows it has.
///
/// # Errors
/// Those of the database, and [`ExportError::Abandoned`] when `to` is closed.
pub(crate) async fn write_export(
    tx: &mut impl Reads,
    tenant_id: TenantId,
    at: DateTime<Utc>,
    to: mpsc::Sender<Bytes>,
) -> Result<u64, ExportError> {
    allow_long_reads(tx).await?;
    let head = json!({"format": "secureguard-tenant-export", "version": 1, "tenant_id": tenant_id, "exported_at": at});
    let mut buffer = format!("{head}\n").into_bytes();
    let mut rows = BTreeMap::new();
    for table in list_export_tables(tx).await? {
        let (name, shared, sender) = (&table.name, std::sync::Mutex::new(&mut buffer), &to);
        let count = export_rows(tx, tenant_id, &table, |row| {
            let full = {
                let mut buffer = shared.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
                buffer.extend_from_slice(format!("{{\"table\":\"{name}\",\"row\":{row}}}\n").as_bytes());
                (buffer.len() >= CHUNK).then(|| std::mem::take(&mut **buffer))
            };
            async move {
                match full {
                    Some(full) => sender.send(full.into()).await.is_ok(),
                    None => true,
                }
            }
        })
        .await?;
        if to.is_closed() {
            return Err(ExportError::Abandoned);
        }
        if count > 0 {
            rows.insert(table.name, count);
        }
    }
    let total = rows.values().sum();
    buffer.extend_from_slice(format!("{}\n", json!({"complete": true, "rows": rows})).as_bytes());
    to.send(buffer.into()).await.map_err(|_| ExportError::Abandoned)?;
    Ok(total)
}
