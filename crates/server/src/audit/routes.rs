//! Reading the audit log: its events, and the state of its chain.

use std::net::IpAddr;

use axum::Json;
use axum::extract::State;
use chrono::{DateTime, Utc};
use serde::Deserialize;
use sg_db::audit::{EventFilter, list_events};
use sg_types::Problem;
use sg_types::api::Page;
use sg_types::api::audit::{AuditChainView, AuditEventView};
use utoipa::IntoParams;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::state::read_state;
use crate::AppState;
use crate::auth::{AuditRead, Can};
use crate::error::ApiResult;
use crate::extract::{QueryParams, decode_cursor, page_of, page_size};

/// The operations of this area.
pub(super) fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(get_events))
        .routes(routes!(get_chain))
}

/// Which events to list; every part that is given has to fit.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct EventParams {
    /// The actor's id or name.
    actor: Option<String>,
    /// The action, such as `incident.update`, or its noun, such as `incident`.
    action: Option<String>,
    /// The object's kind, such as `incident`.
    object_kind: Option<String>,
    /// The object's id.
    object_id: Option<String>,
    /// The request's id.
    request_id: Option<String>,
    /// The caller's address, IPv4 or IPv6.
    #[param(value_type = Option<String>)]
    address: Option<IpAddr>,
    /// From this time on.
    from: Option<DateTime<Utc>>,
    /// Before this time.
    to: Option<DateTime<Utc>>,
    /// Rows at most, 1–500; 50 when absent.
    #[param(minimum = 1, maximum = 500)]
    limit: Option<u32>,
    /// The `next_cursor` of the page before.
    cursor: Option<String>,
}

/// Lists who did what, with the rows that changed by it.
#[utoipa::path(get, path = "/api/v1/audit/events", tag = "audit", params(EventParams), security(("bearer" = []), ("cookie" = [])),
    responses(
    (status = 200, description = "Events of the tenant, newest first.", body = Page<AuditEventView>),
    (status = "4XX", description = "Refused.", body = Problem),
))]
async fn get_events(
    State(state): State<AppState>,
    can: Can<AuditRead>,
    QueryParams(params): QueryParams<EventParams>,
) -> ApiResult<Json<Page<AuditEventView>>> {
    let limit = page_size(params.limit)?;
    let after = decode_cursor(params.cursor.as_deref())?;
    let filter = EventFilter {
        actor: params.actor.as_deref(),
        action: params.action.as_deref(),
        object_kind: params.object_kind.as_deref(),
        object_id: params.object_id.as_deref(),
        request_id: params.request_id.as_deref(),
        address: params.address,
        from: params.from,
        to: params.to,
    };
    let mut tx = state.db.read(&can.caller, state.now()).await?;
    let rows = list_events(&mut tx, &filter, after, limit + 1).await?;
    Ok(Json(page_of(rows, limit, |row| {
        (row.occurred_at, row.event_id.0)
    })))
}

/// Tells how far the audit log is linked, signed and told elsewhere, and what is known to be wrong with it.
#[utoipa::path(get, path = "/api/v1/audit/chain", tag = "audit", security(("bearer" = []), ("cookie" = [])), responses(
    (status = 200, description = "The state of the tenant's chain.", body = AuditChainView),
    (status = "4XX", description = "Refused.", body = Problem),
))]
async fn get_chain(State(state): State<AppState>, can: Can<AuditRead>) -> ApiResult<Json<AuditChainView>> {
    let mut tx = state.db.read(&can.caller, state.now()).await?;
    Ok(Json(read_state(&state, &mut tx, can.caller.tenant_id).await?))
}
