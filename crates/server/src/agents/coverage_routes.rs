//! What an endpoint was not watched for.

use axum::Json;
use axum::extract::State;
use chrono::{DateTime, Duration, Utc};
use serde::Deserialize;
use sg_db::agents::{self as db, CoverageRange};
use sg_types::api::Page;
use sg_types::api::agents::CoverageGapView;
use sg_types::{AgentId, Problem};
use utoipa::IntoParams;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::AppState;
use crate::auth::{Can, EndpointsRead};
use crate::error::{ApiError, ApiResult};
use crate::extract::{PathParams, QueryParams, decode_cursor, page_of, page_size};

/// Days before `to` when the caller does not say; gaps are kept for 400.
const DEFAULT_DAYS: i64 = 30;
const MAX_DAYS: i64 = 3_660;

/// The operations of this area.
pub fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(list_coverage))
}

/// Which gaps to list.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct CoverageParams {
    /// Begin; thirty days before `to` when absent.
    from: Option<DateTime<Utc>>,
    /// End; now when absent.
    to: Option<DateTime<Utc>>,
    /// Rows at most, 1–500; 50 when absent.
    #[param(minimum = 1, maximum = 500)]
    limit: Option<u32>,
    /// The `next_cursor` of the page before.
    cursor: Option<String>,
}

/// Lists what an endpoint was not watched for.
#[utoipa::path(get, path = "/api/v1/agents/endpoints/{agent_id}/coverage", tag = "agents",
    params(("agent_id" = AgentId, Path), CoverageParams), security(("bearer" = []), ("cookie" = [])), responses(
    (status = 200, description = "Gaps that reach into the range, those that began last first; what stands in none of them was watched.",
        body = Page<CoverageGapView>),
    (status = "4XX", description = "Refused.", body = Problem),
))]
async fn list_coverage(
    State(state): State<AppState>,
    can: Can<EndpointsRead>,
    PathParams(agent_id): PathParams<AgentId>,
    QueryParams(params): QueryParams<CoverageParams>,
) -> ApiResult<Json<Page<CoverageGapView>>> {
    let limit = page_size(params.limit)?;
    let after = decode_cursor(params.cursor.as_deref())?;
    let now = state.now();
    let range = range(params.from, params.to, now)?;
    let mut tx = state.db.read(&can.caller, now).await?;
    db::find_endpoint(&mut tx, agent_id, now)
        .await?
        .ok_or_else(ApiError::not_found)?;
    let rows = db::list_gaps(&mut tx, agent_id, range, after, limit + 1).await?;
    Ok(Json(page_of(rows, limit, |row| (row.from_at, row.gap_id))))
}

fn range(
    from: Option<DateTime<Utc>>,
    to: Option<DateTime<Utc>>,
    now: DateTime<Utc>,
) -> ApiResult<CoverageRange> {
    let (earliest, latest) = (now - Duration::days(MAX_DAYS), now + Duration::days(1));
    let to = to.unwrap_or(now);
    let from = from.unwrap_or_else(|| to.max(earliest) - Duration::days(DEFAULT_DAYS));
    if from >= to || from < earliest || to > latest {
        return Err(ApiError::bad_request(
            "invalid_query",
            "`from` has to be earlier than `to`, and both within the last ten years",
        ));
    }
    Ok(CoverageRange { from, to })
}
