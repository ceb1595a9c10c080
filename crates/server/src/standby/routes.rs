//! The operation on standbys: those of the installation, for whoever manages tenants.

use axum::Json;
use axum::extract::State;
use sg_db::standby::list_standbys;
use sg_types::api::standbys::StandbyList;
use sg_types::{Permission, Problem};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::view::judge;
use crate::AppState;
use crate::auth::{AlertsRead, Can};
use crate::error::{ApiError, ApiResult};

/// The operations of this area.
pub(crate) fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(get_standbys))
}

/// How the standbys of the installation's PostgreSQL stand at this moment. Needs `tenants_manage` too.
#[utoipa::path(get, path = "/api/v1/monitoring/standbys", tag = "monitoring",
    security(("bearer" = []), ("cookie" = [])), responses(
    (status = 200, description = "Each standby and slot, and what is wrong with it.", body = StandbyList),
    (status = "4XX", description = "Refused.", body = Problem),
))]
async fn get_standbys(State(state): State<AppState>, can: Can<AlertsRead>) -> ApiResult<Json<StandbyList>> {
    if !can.caller.may(Permission::TenantsManage) {
        return Err(ApiError::missing_permission(Permission::TenantsManage));
    }
    let mut tx = state.db.system("standbys").await?;
    let standbys = list_standbys(&mut tx).await?;
    Ok(Json(judge(&state.config, standbys)))
}
