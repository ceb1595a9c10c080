//! The operations on roles and on access from elsewhere.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use sg_db::users as db;
use sg_types::api::Page;
use sg_types::api::roles::{
    CreateRole, GrantMembership, MembershipView, PermissionView, RoleView, UpdateMembership, UpdateRole,
};
use sg_types::{Problem, RoleName, UserId};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::{memberships, roles};
use crate::AppState;
use crate::auth::{Can, Recent, UsersManage, UsersRead};
use crate::error::ApiResult;
use crate::extract::{JsonBody, PageParams, PathParams, QueryParams, decode_cursor, page_of};

pub(super) fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(list_permissions))
        .routes(routes!(list_roles, post_role))
        .routes(routes!(patch_role, delete_role))
        .routes(routes!(list_memberships, post_membership))
        .routes(routes!(patch_membership, delete_membership))
}

/// Lists everything that a role can be allowed to do.
#[utoipa::path(get, path = "/api/v1/users/permissions", tag = "users", security(("bearer" = []), ("cookie" = [])), responses(
    (status = 200, description = "Every permission.", body = Page<PermissionView>),
    (status = "4XX", description = "Refused.", body = Problem),
))]
async fn list_permissions(
    State(state): State<AppState>,
    _can: Can<UsersRead>,
) -> ApiResult<Json<Page<PermissionView>>> {
    let mut tx = state.db.system("list of permissions").await?;
    Ok(Json(Page {
        items: db::list_permissions(&mut tx).await?,
        next_cursor: None,
    }))
}

/// Lists the roles of the tenant.
#[utoipa::path(get, path = "/api/v1/users/roles", tag = "users", security(("bearer" = []), ("cookie" = [])), responses(
    (status = 200, description = "Every role, the documented ones first.", body = Page<RoleView>),
    (status = "4XX", description = "Refused.", body = Problem),
))]
async fn list_roles(State(state): State<AppState>, can: Can<UsersRead>) -> ApiResult<Json<Page<RoleView>>> {
    let mut tx = state.db.read(&can.caller, state.now()).await?;
    Ok(Json(Page {
        items: db::list_roles(&mut tx, can.caller.tenant_id).await?,
        next_cursor: None,
    }))
}

/// Makes a role of the tenant's own.
#[utoipa::path(post, path = "/api/v1/users/roles", tag = "users", request_body = CreateRole,
    security(("bearer" = []), ("cookie" = [])), responses(
    (status = 201, description = "Made.", body = RoleView),
    (status = 403, description = "`role_too_high`: it may do what the caller may not.", body = Problem),
    (status = 409, description = "`already_exists`, `too_many_roles`.", body = Problem),
))]
async fn post_role(
    State(state): State<AppState>,
    can: Recent<UsersManage>,
    JsonBody(body): JsonBody<CreateRole>,
) -> ApiResult<(StatusCode, Json<RoleView>)> {
    Ok((
        StatusCode::CREATED,
        Json(roles::create_role(&state, &can, body).await?),
    ))
}

/// Changes a role of the tenant's own.
#[utoipa::path(patch, path = "/api/v1/users/roles/{role}", tag = "users", request_body = UpdateRole,
    params(("role" = RoleName, Path, description = "The role's name.")), security(("bearer" = []), ("cookie" = [])), responses(
    (status = 200, description = "Changed, from the next request of whoever has it on.", body = RoleView),
    (status = 403, description = "`role_too_high`: it may do what the caller may not.", body = Problem),
    (status = 409, description = "`documented_role`, `own_role`.", body = Problem),
))]
async fn patch_role(
    State(state): State<AppState>,
    can: Recent<UsersManage>,
    PathParams(role): PathParams<RoleName>,
    JsonBody(body): JsonBody<UpdateRole>,
) -> ApiResult<Json<RoleView>> {
    Ok(Json(roles::update_role(&state, &can, &role, body).await?))
}

/// Removes a role of the tenant's own that nobody has.
#[utoipa::path(delete, path = "/api/v1/users/roles/{role}", tag = "users",
    params(("role" = RoleName, Path, description = "The role's name.")), security(("bearer" = []), ("cookie" = [])), responses(
    (status = 204, description = "Removed."),
    (status = 409, description = "`role_in_use`, `documented_role`, `own_role`.", body = Problem),
))]
async fn delete_role(
    State(state): State<AppState>,
    can: Can<UsersManage>,
    PathParams(role): PathParams<RoleName>,
) -> ApiResult<StatusCode> {
    roles::delete_role(&state, &can, &role).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Lists the people of other tenants who have or had access to this one.
#[utoipa::path(get, path = "/api/v1/users/memberships", tag = "users", params(PageParams), security(("bearer" = []), ("cookie" = [])),
    responses(
    (status = 200, description = "Access, ended ones included, the oldest first.", body = Page<MembershipView>),
    (status = "4XX", description = "Refused.", body = Problem),
))]
async fn list_memberships(
    State(state): State<AppState>,
    can: Can<UsersRead>,
    QueryParams(params): QueryParams<PageParams>,
) -> ApiResult<Json<Page<MembershipView>>> {
    let limit = params.limit()?;
    let after = decode_cursor(params.cursor.as_deref())?;
    let now = state.now();
    let mut tx = state.db.read(&can.caller, now).await?;
    let rows = db::list_memberships(&mut tx, can.caller.tenant_id, now, after, limit + 1).await?;
    Ok(Json(page_of(rows, limit, |row| (row.created_at, row.user_id.0))))
}

/// Gives somebody of another tenant access to this one.
#[utoipa::path(post, path = "/api/v1/users/memberships", tag = "users", request_body = GrantMembership,
    security(("bearer" = []), ("cookie" = [])), responses(
    (status = 201, description = "Given, from now on.", body = MembershipView),
    (status = 403, description = "`role_too_high`: the role may do what the caller may not.", body = Problem),
    (status = 409, description = "`already_exists`: this person has access.", body = Problem),
))]
async fn post_membership(
    State(state): State<AppState>,
    can: Recent<UsersManage>,
    JsonBody(body): JsonBody<GrantMembership>,
) -> ApiResult<(StatusCode, Json<MembershipView>)> {
    Ok((
        StatusCode::CREATED,
        Json(memberships::grant(&state, &can, body).await?),
    ))
}

/// Changes role or end of somebody's access.
#[utoipa::path(patch, path = "/api/v1/users/memberships/{user_id}", tag = "users", request_body = UpdateMembership,
    params(("user_id" = UserId, Path, description = "The person's id.")), security(("bearer" = []), ("cookie" = [])), responses(
    (status = 200, description = "Changed.", body = MembershipView),
    (status = 403, description = "`role_too_high`: the role may do what the caller may not.", body = Problem),
    (status = 409, description = "`own_account`, `membership_ended`.", body = Problem),
))]
async fn patch_membership(
    State(state): State<AppState>,
    can: Recent<UsersManage>,
    PathParams(user_id): PathParams<UserId>,
    JsonBody(body): JsonBody<UpdateMembership>,
) -> ApiResult<Json<MembershipView>> {
    Ok(Json(memberships::update(&state, &can, user_id, body).await?))
}

/// Ends somebody's access.
#[utoipa::path(delete, path = "/api/v1/users/memberships/{user_id}", tag = "users",
    params(("user_id" = UserId, Path, description = "The person's id.")), security(("bearer" = []), ("cookie" = [])), responses(
    (status = 204, description = "Ended at once, their keys for this tenant revoked."),
    (status = "4XX", description = "Refused.", body = Problem),
))]
async fn delete_membership(
    State(state): State<AppState>,
    can: Can<UsersManage>,
    PathParams(user_id): PathParams<UserId>,
) -> ApiResult<StatusCode> {
    memberships::end(&state, &can, user_id).await?;
    Ok(StatusCode::NO_CONTENT)
}
