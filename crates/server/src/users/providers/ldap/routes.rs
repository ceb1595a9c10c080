//! The operations on a directory's synchronisation.

use axum::Json;
use axum::extract::State;
use sg_db::users::providers as db;
use sg_types::api::Page;
use sg_types::api::providers::{StartSync, SyncView};
use sg_types::{Problem, ProviderId};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::sync::synchronise;
use crate::AppState;
use crate::auth::{Can, ProvidersManage};
use crate::error::{ApiError, ApiResult};
use crate::extract::{JsonBody, PathParams};

/// Runs that a list shows; older ones are not kept.
const MAX_SYNCS: u32 = 100;

/// The operations on synchronisations.
pub(in crate::users::providers) fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(list_syncs, post_sync))
}

/// Lists what the last synchronisations of a directory did, newest first.
#[utoipa::path(get, path = "/api/v1/users/providers/{provider_id}/syncs", tag = "users",
    params(("provider_id" = ProviderId, Path, description = "The provider's id.")), security(("bearer" = []), ("cookie" = [])), responses(
    (status = 200, description = "The last hundred runs; always one page.", body = Page<SyncView>),
    (status = "4XX", description = "Refused.", body = Problem),
))]
async fn list_syncs(
    State(state): State<AppState>,
    can: Can<ProvidersManage>,
    PathParams(provider_id): PathParams<ProviderId>,
) -> ApiResult<Json<Page<SyncView>>> {
    let tenant_id = can.caller.tenant_id;
    let mut tx = state.db.read(&can.caller, state.now()).await?;
    db::view_provider(&mut tx, tenant_id, provider_id)
        .await?
        .ok_or_else(ApiError::not_found)?;
    Ok(Json(Page {
        items: db::list_syncs(&mut tx, tenant_id, provider_id, MAX_SYNCS).await?,
        next_cursor: None,
    }))
}

/// Synchronises a directory, or tells what that would do.
#[utoipa::path(post, path = "/api/v1/users/providers/{provider_id}/syncs", tag = "users", request_body = StartSync,
    params(("provider_id" = ProviderId, Path, description = "The provider's id.")), security(("bearer" = []), ("cookie" = [])), responses(
    (status = 200, description = "What was done, or would be; see `outcome`.", body = SyncView),
    (status = 409, description = "`provider_disabled`, or `sync_running`.", body = Problem),
))]
async fn post_sync(
    State(state): State<AppState>,
    can: Can<ProvidersManage>,
    PathParams(provider_id): PathParams<ProviderId>,
    JsonBody(body): JsonBody<StartSync>,
) -> ApiResult<Json<SyncView>> {
    let mut tx = state.db.system("directories").await?;
    let found = db::find_provider(&mut tx, provider_id).await?;
    drop(tx);
    let provider = found
        .filter(|provider| provider.tenant_id == can.caller.tenant_id)
        .ok_or_else(ApiError::not_found)?;
    if !provider.is_enabled {
        return Err(ApiError::conflict(
            "provider_disabled",
            "switch the provider on first",
        ));
    }
    let actor = can.event(&state, "directory.sync").actor;
    Ok(Json(
        synchronise(&state, &provider, body.is_dry_run, actor).await?,
    ))
}
