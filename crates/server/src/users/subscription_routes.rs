//! The operations on plans and subscriptions.

use axum::Json;
use axum::extract::State;
use sg_db::users as db;
use sg_types::api::Page;
use sg_types::api::subscriptions::{PlanView, SubscriptionChange, SubscriptionView, UpdateSubscription};
use sg_types::{Problem, TenantId};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::subscriptions;
use crate::AppState;
use crate::auth::{Can, TenantsManage, UsersRead};
use crate::error::ApiResult;
use crate::extract::{JsonBody, PageParams, PathParams, QueryParams, decode_cursor, page_of};

pub(super) fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(list_plans))
        .routes(routes!(show_own_subscription))
        .routes(routes!(list_own_subscription_changes))
        .routes(routes!(show_subscription, put_subscription))
        .routes(routes!(list_subscription_changes))
}

/// Lists the plans of the installation.
#[utoipa::path(get, path = "/api/v1/users/plans", tag = "users", security(("bearer" = []), ("cookie" = [])), responses(
    (status = 200, description = "Every plan, the smallest first.", body = Page<PlanView>),
    (status = "4XX", description = "Refused.", body = Problem),
))]
async fn list_plans(State(state): State<AppState>, _can: Can<UsersRead>) -> ApiResult<Json<Page<PlanView>>> {
    let mut tx = state.db.system("list of plans").await?;
    Ok(Json(Page {
        items: db::list_plans(&mut tx).await?,
        next_cursor: None,
    }))
}

/// Tells what the tenant has subscribed to, and how much of it is used.
#[utoipa::path(get, path = "/api/v1/users/subscription", tag = "users", security(("bearer" = []), ("cookie" = [])), responses(
    (status = 200, description = "The subscription.", body = SubscriptionView),
    (status = "4XX", description = "Refused.", body = Problem),
))]
async fn show_own_subscription(
    State(state): State<AppState>,
    can: Can<UsersRead>,
) -> ApiResult<Json<SubscriptionView>> {
    Ok(Json(subscriptions::describe_own(&state, &can).await?))
}

/// Lists the states that the tenant's subscription was in.
#[utoipa::path(get, path = "/api/v1/users/subscription/changes", tag = "users", params(PageParams),
    security(("bearer" = []), ("cookie" = [])), responses(
    (status = 200, description = "States, newest first.", body = Page<SubscriptionChange>),
    (status = "4XX", description = "Refused.", body = Problem),
))]
async fn list_own_subscription_changes(
    State(state): State<AppState>,
    can: Can<UsersRead>,
    QueryParams(params): QueryParams<PageParams>,
) -> ApiResult<Json<Page<SubscriptionChange>>> {
    let limit = params.limit()?;
    let after = decode_cursor(params.cursor.as_deref())?;
    let mut tx = state.db.read(&can.caller, state.now()).await?;
    let rows = db::list_subscription_changes(&mut tx, can.caller.tenant_id, after, limit + 1).await?;
    Ok(Json(page_of(rows, limit, |row| (row.changed_at, row.change_id))))
}

/// Tells what a tenant has subscribed to, and how much of it is used.
#[utoipa::path(get, path = "/api/v1/users/tenants/{tenant_id}/subscription", tag = "users",
    params(("tenant_id" = TenantId, Path, description = "The tenant's id.")), security(("bearer" = []), ("cookie" = [])), responses(
    (status = 200, description = "The subscription.", body = SubscriptionView),
    (status = "4XX", description = "Refused.", body = Problem),
))]
async fn show_subscription(
    State(state): State<AppState>,
    _can: Can<TenantsManage>,
    PathParams(tenant_id): PathParams<TenantId>,
) -> ApiResult<Json<SubscriptionView>> {
    Ok(Json(subscriptions::describe(&state, tenant_id).await?))
}

/// Changes what a tenant has subscribed to.
#[utoipa::path(put, path = "/api/v1/users/tenants/{tenant_id}/subscription", tag = "users", request_body = UpdateSubscription,
    params(("tenant_id" = TenantId, Path, description = "The tenant's id.")), security(("bearer" = []), ("cookie" = [])), responses(
    (status = 200, description = "Changed, from the next enrolment and the next person on.", body = SubscriptionView),
    (status = "4XX", description = "Refused.", body = Problem),
))]
async fn put_subscription(
    State(state): State<AppState>,
    can: Can<TenantsManage>,
    PathParams(tenant_id): PathParams<TenantId>,
    JsonBody(body): JsonBody<UpdateSubscription>,
) -> ApiResult<Json<SubscriptionView>> {
    Ok(Json(subscriptions::change(&state, &can, tenant_id, body).await?))
}

/// Lists the states that a tenant's subscription was in.
#[utoipa::path(get, path = "/api/v1/users/tenants/{tenant_id}/subscription/changes", tag = "users",
    params(("tenant_id" = TenantId, Path, description = "The tenant's id."), PageParams), security(("bearer" = []), ("cookie" = [])),
    responses(
    (status = 200, description = "States, newest first; none for a tenant that does not exist.", body = Page<SubscriptionChange>),
    (status = "4XX", description = "Refused.", body = Problem),
))]
async fn list_subscription_changes(
    State(state): State<AppState>,
    _can: Can<TenantsManage>,
    PathParams(tenant_id): PathParams<TenantId>,
    QueryParams(params): QueryParams<PageParams>,
) -> ApiResult<Json<Page<SubscriptionChange>>> {
    let limit = params.limit()?;
    let after = decode_cursor(params.cursor.as_deref())?;
    let tenant_id = subscriptions::existing(tenant_id)?;
    let mut tx = state.db.system("history of a subscription").await?;
    let rows = db::list_subscription_changes(&mut tx, tenant_id, after, limit + 1).await?;
    Ok(Json(page_of(rows, limit, |row| (row.changed_at, row.change_id))))
}
