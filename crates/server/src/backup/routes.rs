//! The operations on backups: those of the installation, for whoever manages tenants.

use axum::Json;
use axum::extract::State;
use sg_db::monitoring as db;
use sg_types::api::Page;
use sg_types::api::backups::{BackupRunView, BackupStateView};
use sg_types::{Permission, Problem};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::AppState;
use crate::auth::{Acting, AlertsRead, Can};
use crate::error::{ApiError, ApiResult};
use crate::extract::{PageParams, QueryParams, decode_cursor, page_of, page_size};

/// The operations of this area.
pub(crate) fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(list_backups))
        .routes(routes!(get_backup_state))
}

/// Lists backups, verifications and drills of the installation. Needs `tenants_manage` too.
#[utoipa::path(get, path = "/api/v1/monitoring/backups", tag = "monitoring", params(PageParams),
    security(("bearer" = []), ("cookie" = [])), responses(
    (status = 200, description = "Runs, newest first.", body = Page<BackupRunView>),
    (status = "4XX", description = "Refused.", body = Problem),
))]
async fn list_backups(
    State(state): State<AppState>,
    can: Can<AlertsRead>,
    QueryParams(params): QueryParams<PageParams>,
) -> ApiResult<Json<Page<BackupRunView>>> {
    check(&can)?;
    let limit = page_size(params.limit)?;
    let after = decode_cursor(params.cursor.as_deref())?;
    let mut tx = state.db.system("backups").await?;
    let rows = db::list_backup_runs(&mut tx, after, limit + 1).await?;
    Ok(Json(page_of(rows, limit, |row| (row.started_at, row.run_id.0))))
}

/// How backups and the archive of the installation stand. Needs `tenants_manage` too.
#[utoipa::path(get, path = "/api/v1/monitoring/backup-state", tag = "monitoring",
    security(("bearer" = []), ("cookie" = [])), responses(
    (status = 200, description = "How they stand, and what is wrong with them.", body = BackupStateView),
    (status = "4XX", description = "Refused.", body = Problem),
))]
async fn get_backup_state(
    State(state): State<AppState>,
    can: Can<AlertsRead>,
) -> ApiResult<Json<BackupStateView>> {
    check(&can)?;
    let mut tx = state.db.system("state of backups").await?;
    Ok(Json(db::read_backup_state(&mut tx).await?))
}

fn check(acting: &Acting) -> ApiResult<()> {
    if acting.caller.may(Permission::TenantsManage) {
        return Ok(());
    }
    Err(ApiError::missing_permission(Permission::TenantsManage))
}
