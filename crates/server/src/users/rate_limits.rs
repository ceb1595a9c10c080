//! The limits on requests of the tenant that the caller works in, and what was used of them.

use axum::Json;
use axum::extract::State;
use chrono::Duration;
use sg_db::users as db;
use sg_types::api::rate_limits::{RateLimitsView, RateSubjectKind, SetRateLimits};
use sg_types::{FieldError, Problem};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::AppState;
use crate::auth::{Acting, Can, PoliciesManage, Recent};
use crate::error::{ApiError, ApiResult};
use crate::extract::JsonBody;

/// Hours that the usage looks back.
const USAGE_HOURS: i64 = 1;

/// The operations on limits.
pub(super) fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(show_rate_limits, put_rate_limits))
}

/// Shows the limits on requests, and who used how much in the last hour.
#[utoipa::path(get, path = "/api/v1/users/rate-limits", tag = "users", security(("bearer" = []), ("cookie" = [])), responses(
    (status = 200, description = "The limits in force, and the usage.", body = RateLimitsView),
    (status = "4XX", description = "Refused.", body = Problem),
))]
async fn show_rate_limits(
    State(state): State<AppState>,
    can: Can<PoliciesManage>,
) -> ApiResult<Json<RateLimitsView>> {
    Ok(Json(show(&state, &can).await?))
}

/// Sets the tenant's own limits of its users and API keys.
#[utoipa::path(put, path = "/api/v1/users/rate-limits", tag = "users", request_body = SetRateLimits,
    security(("bearer" = []), ("cookie" = [])), responses(
    (status = 200, description = "The limits; they hold from the next minute on.", body = RateLimitsView),
    (status = "4XX", description = "Refused.", body = Problem),
))]
async fn put_rate_limits(
    State(state): State<AppState>,
    can: Recent<PoliciesManage>,
    JsonBody(body): JsonBody<SetRateLimits>,
) -> ApiResult<Json<RateLimitsView>> {
    set(&state, &can, body).await?;
    Ok(Json(show(&state, &can).await?))
}

async fn show(state: &AppState, acting: &Acting) -> ApiResult<RateLimitsView> {
    let now = state.now();
    let mut tx = state.db.read(&acting.caller, now).await?;
    Ok(RateLimitsView {
        limits: db::list_rate_limits(&mut tx).await?,
        usage: db::list_rate_usage(&mut tx, now - Duration::hours(USAGE_HOURS)).await?,
    })
}

async fn set(state: &AppState, acting: &Acting, body: SetRateLimits) -> ApiResult<()> {
    let event = acting.event(state, "rate_limits.update");
    let mut tx = state.db.write(&acting.caller, event.at).await?;
    let of_tenant = db::list_rate_limits(&mut tx)
        .await?
        .iter()
        .find(|limit| limit.kind == RateSubjectKind::Tenant)
        .map_or(i32::MAX, |limit| limit.requests_per_minute);
    let wanted = [
        ("user", RateSubjectKind::User, body.user),
        ("key", RateSubjectKind::Key, body.key),
    ];
    let faults: Vec<FieldError> = wanted
        .iter()
        .filter(|(_, _, limit)| limit.is_some_and(|limit| !(1..=of_tenant).contains(&limit)))
        .map(|(field, _, _)| {
            FieldError::new(
                *field,
                format!("must be 1–{of_tenant}, which is what the whole tenant may"),
            )
        })
        .collect();
    if !faults.is_empty() {
        return Err(ApiError::unprocessable("invalid_body", faults));
    }
    for (_, kind, limit) in wanted {
        db::set_rate_limit(&mut tx, kind, limit).await?;
    }
    tx.commit(event).await?;
    Ok(())
}
