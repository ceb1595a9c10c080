//! The operations of this area.

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use sg_db::users as db;
use sg_types::api::Page;
use sg_types::api::factors::SignInChallenge;
use sg_types::api::users::{
    ApiKeyCreated, ApiKeyView, CreateApiKey, CreateTenant, CreateUser, CurrentSession, RotateApiKey,
    SessionCreated, SessionView, SessionsEnded, SignIn, TenantView, UpdateTenant, UpdateUser, UserCreated,
    UserView,
};
use sg_types::{KeyId, Problem, SessionId, TenantId, UserId};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::sign_in::FirstStep;
use super::{
    create_api_key, create_tenant, create_user, current_session, export_tenant, factors, own_sessions,
    password_routes, providers, rate_limits, remove_tenant, require_recent, revoke_api_key, role_routes,
    rotate_api_key, sign_in, sign_out, subscription_routes, update_tenant, update_user,
};
use crate::AppState;
use crate::auth::{
    AnyCaller, AnySession, ApiKeysOwn, Can, Recent, TenantsManage, UsersManage, UsersRead,
    clear_session_cookie, find_device, is_browser,
};
use crate::error::ApiResult;
use crate::extract::{JsonBody, PageParams, PathParams, QueryParams, decode_cursor, page_of};
use crate::http::{RequestContext, user_agent};

/// The operations of this area.
pub fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(post_session))
        .routes(routes!(show_current_session, delete_current_session))
        .routes(routes!(list_sessions))
        .routes(routes!(delete_session))
        .routes(routes!(post_sessions_end_others))
        .merge(password_routes::routes())
        .routes(routes!(list_tenants, post_tenant))
        .routes(routes!(patch_tenant, delete_tenant))
        .routes(routes!(list_users, post_user))
        .routes(routes!(patch_user))
        .routes(routes!(delete_user_sessions))
        .routes(routes!(list_api_keys, post_api_key))
        .routes(routes!(delete_api_key))
        .routes(routes!(post_api_key_rotation))
        .merge(role_routes::routes())
        .merge(subscription_routes::routes())
        .merge(factors::routes())
        .merge(providers::routes())
        .merge(rate_limits::routes())
        .merge(export_tenant::routes())
}

/// Signs in with a password.
#[utoipa::path(post, path = "/api/v1/sessions", tag = "users", request_body = SignIn, responses(
    (status = 200, description = "The password was right; a second factor is asked for, or has to be added first.", body = SignInChallenge),
    (status = 201, description = "Signed in; the cookie is set too.", body = SessionCreated),
    (status = 401, description = "`invalid_credentials`: one answer for unknown, wrong, locked and inactive.", body = Problem),
    (status = 429, description = "Too many attempts from this address; see Retry-After.", body = Problem),
))]
async fn post_session(
    State(state): State<AppState>,
    request: RequestContext,
    headers: HeaderMap,
    JsonBody(body): JsonBody<SignIn>,
) -> ApiResult<Response> {
    let client = sign_in::Client {
        user_agent: user_agent(&headers),
        device: find_device(&headers, &body.username, state.tls),
        remember: is_browser(&headers),
    };
    match sign_in::sign_in(&state, &request, client, body).await? {
        FirstStep::SignedIn(signed_in) => Ok(signed_in.into_response(state.tls)),
        FirstStep::Challenge(challenge) => Ok((StatusCode::OK, Json(challenge)).into_response()),
    }
}

/// Tells who calls.
#[utoipa::path(get, path = "/api/v1/sessions/current", tag = "users", security(("bearer" = []), ("cookie" = [])), responses(
    (status = 200, description = "The caller.", body = CurrentSession),
    (status = "4XX", description = "Refused.", body = Problem),
))]
async fn show_current_session(
    State(state): State<AppState>,
    AnyCaller(acting): AnyCaller,
) -> ApiResult<Json<CurrentSession>> {
    Ok(Json(current_session::describe(&state, &acting).await?))
}

/// Signs out.
#[utoipa::path(delete, path = "/api/v1/sessions/current", tag = "users", security(("bearer" = []), ("cookie" = [])), responses(
    (status = 204, description = "Signed out; the cookie is cleared."),
    (status = "4XX", description = "Refused.", body = Problem),
))]
async fn delete_current_session(
    State(state): State<AppState>,
    AnySession(acting): AnySession,
) -> ApiResult<Response> {
    sign_out::sign_out(&state, &acting).await?;
    let mut response = StatusCode::NO_CONTENT.into_response();
    response
        .headers_mut()
        .extend(clear_session_cookie(state.tls).map(|value| (header::SET_COOKIE, value)));
    Ok(response)
}

/// Lists the caller's open sessions.
#[utoipa::path(get, path = "/api/v1/sessions", tag = "users", security(("bearer" = []), ("cookie" = [])), responses(
    (status = 200, description = "Open sessions, the one used last first.", body = Page<SessionView>),
    (status = "4XX", description = "Refused.", body = Problem),
))]
async fn list_sessions(
    State(state): State<AppState>,
    AnySession(acting): AnySession,
) -> ApiResult<Json<Page<SessionView>>> {
    let items = own_sessions::list(&state, &acting).await?;
    Ok(Json(Page {
        items,
        next_cursor: None,
    }))
}

/// Ends one of the caller's sessions. Takes a fresh proof of who calls; leaving this session does not (`DELETE /api/v1/sessions/current`).
#[utoipa::path(delete, path = "/api/v1/sessions/{session_id}", tag = "users",
    params(("session_id" = SessionId, Path, description = "The session's id.")), security(("bearer" = []), ("cookie" = [])), responses(
    (status = 204, description = "Ended; its token opens nothing from now on."),
    (status = 403, description = "`verification_required`.", body = Problem),
    (status = "4XX", description = "Refused.", body = Problem),
))]
async fn delete_session(
    State(state): State<AppState>,
    AnySession(acting): AnySession,
    PathParams(session_id): PathParams<SessionId>,
) -> ApiResult<StatusCode> {
    require_recent(&state, &acting).await?;
    own_sessions::end(&state, &acting, session_id).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Ends every session of the caller's but this one. Takes a fresh proof of who calls.
#[utoipa::path(post, path = "/api/v1/sessions/end-others", tag = "users", security(("bearer" = []), ("cookie" = [])), responses(
    (status = 200, description = "Ended.", body = SessionsEnded),
    (status = 403, description = "`verification_required`.", body = Problem),
    (status = "4XX", description = "Refused.", body = Problem),
))]
async fn post_sessions_end_others(
    State(state): State<AppState>,
    AnySession(acting): AnySession,
) -> ApiResult<Json<SessionsEnded>> {
    require_recent(&state, &acting).await?;
    Ok(Json(own_sessions::end_others(&state, &acting).await?))
}

/// Lists the tenants of the installation.
#[utoipa::path(get, path = "/api/v1/users/tenants", tag = "users", params(PageParams), security(("bearer" = []), ("cookie" = [])),
    responses(
    (status = 200, description = "Tenants, oldest first.", body = Page<TenantView>),
    (status = "4XX", description = "Refused.", body = Problem),
))]
async fn list_tenants(
    State(state): State<AppState>,
    _can: Can<TenantsManage>,
    QueryParams(params): QueryParams<PageParams>,
) -> ApiResult<Json<Page<TenantView>>> {
    let limit = params.limit()?;
    let after = decode_cursor(params.cursor.as_deref())?;
    let mut tx = state.db.system("list of tenants").await?;
    let rows = db::list_tenants(&mut tx, after, limit + 1).await?;
    Ok(Json(page_of(rows, limit, |row| {
        (row.created_at, row.tenant_id.0)
    })))
}

/// Creates a tenant.
#[utoipa::path(post, path = "/api/v1/users/tenants", tag = "users", request_body = CreateTenant,
    security(("bearer" = []), ("cookie" = [])), responses(
    (status = 201, description = "Created.", body = TenantView),
    (status = 409, description = "`already_exists`: the short name is taken.", body = Problem),
))]
async fn post_tenant(
    State(state): State<AppState>,
    can: Recent<TenantsManage>,
    JsonBody(body): JsonBody<CreateTenant>,
) -> ApiResult<(StatusCode, Json<TenantView>)> {
    Ok((
        StatusCode::CREATED,
        Json(create_tenant::create_tenant(&state, &can, body).await?),
    ))
}

/// Renames a tenant, suspends it, or lets it work again.
#[utoipa::path(patch, path = "/api/v1/users/tenants/{tenant_id}", tag = "users", request_body = UpdateTenant,
    params(("tenant_id" = TenantId, Path, description = "The tenant's id.")), security(("bearer" = []), ("cookie" = [])), responses(
    (status = 200, description = "Changed, from the next request on.", body = TenantView),
    (status = 403, description = "`verification_required`.", body = Problem),
    (status = 409, description = "`own_tenant`: nobody suspends the tenant that they work in.", body = Problem),
))]
async fn patch_tenant(
    State(state): State<AppState>,
    can: Recent<TenantsManage>,
    PathParams(tenant_id): PathParams<TenantId>,
    JsonBody(body): JsonBody<UpdateTenant>,
) -> ApiResult<Json<TenantView>> {
    Ok(Json(
        update_tenant::update_tenant(&state, &can, tenant_id, body).await?,
    ))
}

/// Suspends a tenant, and has everything of it erased in 30 days. To let it work again takes that back.
#[utoipa::path(delete, path = "/api/v1/users/tenants/{tenant_id}", tag = "users",
    params(("tenant_id" = TenantId, Path, description = "The tenant's id.")), security(("bearer" = []), ("cookie" = [])), responses(
    (status = 200, description = "Suspended; `erase_at` says when it goes.", body = TenantView),
    (status = 403, description = "`verification_required`.", body = Problem),
    (status = 409, description = "`own_tenant`.", body = Problem),
))]
async fn delete_tenant(
    State(state): State<AppState>,
    can: Recent<TenantsManage>,
    PathParams(tenant_id): PathParams<TenantId>,
) -> ApiResult<Json<TenantView>> {
    Ok(Json(remove_tenant::remove_tenant(&state, &can, tenant_id).await?))
}

/// Lists the people of the tenant.
#[utoipa::path(get, path = "/api/v1/users", tag = "users", params(PageParams), security(("bearer" = []), ("cookie" = [])), responses(
    (status = 200, description = "People, oldest first.", body = Page<UserView>),
    (status = "4XX", description = "Refused.", body = Problem),
))]
async fn list_users(
    State(state): State<AppState>,
    can: Can<UsersRead>,
    QueryParams(params): QueryParams<PageParams>,
) -> ApiResult<Json<Page<UserView>>> {
    let limit = params.limit()?;
    let after = decode_cursor(params.cursor.as_deref())?;
    let mut tx = state.db.read(&can.caller, state.now()).await?;
    let rows = db::list_users(&mut tx, can.caller.tenant_id, after, limit + 1).await?;
    Ok(Json(page_of(rows, limit, |row| (row.created_at, row.user_id.0))))
}

/// Creates a person.
#[utoipa::path(post, path = "/api/v1/users", tag = "users", request_body = CreateUser, security(("bearer" = []), ("cookie" = [])),
    responses(
    (status = 201, description = "Created, with an initial password that works until it is changed, or invited by mail.", body = UserCreated),
    (status = 409, description = "`already_exists`: user name or e-mail address are not available; `mail_not_configured`.", body = Problem),
))]
async fn post_user(
    State(state): State<AppState>,
    can: Can<UsersManage>,
    JsonBody(body): JsonBody<CreateUser>,
) -> ApiResult<(StatusCode, Json<UserCreated>)> {
    Ok((
        StatusCode::CREATED,
        Json(create_user::create_user(&state, &can, body).await?),
    ))
}

/// Changes somebody's role, or switches their account on or off.
#[utoipa::path(patch, path = "/api/v1/users/{user_id}", tag = "users", request_body = UpdateUser,
    params(("user_id" = UserId, Path, description = "The person's id.")), security(("bearer" = []), ("cookie" = [])), responses(
    (status = 200, description = "Changed; their sessions have ended.", body = UserView),
    (status = "4XX", description = "Refused.", body = Problem),
))]
async fn patch_user(
    State(state): State<AppState>,
    can: Can<UsersManage>,
    PathParams(user_id): PathParams<UserId>,
    JsonBody(body): JsonBody<UpdateUser>,
) -> ApiResult<Json<UserView>> {
    Ok(Json(update_user::update_user(&state, &can, user_id, body).await?))
}

/// Ends every session of somebody; they may sign in again.
#[utoipa::path(delete, path = "/api/v1/users/{user_id}/sessions", tag = "users",
    params(("user_id" = UserId, Path, description = "The person's id.")), security(("bearer" = []), ("cookie" = [])), responses(
    (status = 204, description = "Ended, at once."),
    (status = "4XX", description = "Refused.", body = Problem),
))]
async fn delete_user_sessions(
    State(state): State<AppState>,
    can: Can<UsersManage>,
    PathParams(user_id): PathParams<UserId>,
) -> ApiResult<StatusCode> {
    update_user::end_sessions(&state, &can, user_id).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Lists API keys: the caller's own, or all of the tenant for whom `api_keys_manage` allows it.
#[utoipa::path(get, path = "/api/v1/users/api-keys", tag = "users", params(PageParams), security(("bearer" = []), ("cookie" = [])),
    responses(
    (status = 200, description = "Keys without their secrets, newest first.", body = Page<ApiKeyView>),
    (status = "4XX", description = "Refused.", body = Problem),
))]
async fn list_api_keys(
    State(state): State<AppState>,
    can: Can<ApiKeysOwn>,
    QueryParams(params): QueryParams<PageParams>,
) -> ApiResult<Json<Page<ApiKeyView>>> {
    let limit = params.limit()?;
    let after = decode_cursor(params.cursor.as_deref())?;
    let mut tx = state.db.read(&can.caller, state.now()).await?;
    let rows = db::list_api_keys(&mut tx, revoke_api_key::visible_keys(&can), after, limit + 1).await?;
    Ok(Json(page_of(rows, limit, |row| (row.created_at, row.key_id.0))))
}

/// Makes an API key.
#[utoipa::path(post, path = "/api/v1/users/api-keys", tag = "users", request_body = CreateApiKey,
    security(("bearer" = []), ("cookie" = [])), responses(
    (status = 201, description = "Made; the secret is shown this once.", body = ApiKeyCreated),
    (status = "4XX", description = "Refused.", body = Problem),
))]
async fn post_api_key(
    State(state): State<AppState>,
    can: Can<ApiKeysOwn>,
    JsonBody(body): JsonBody<CreateApiKey>,
) -> ApiResult<(StatusCode, Json<ApiKeyCreated>)> {
    Ok((
        StatusCode::CREATED,
        Json(create_api_key::create_api_key(&state, &can, body).await?),
    ))
}

/// Revokes an API key.
#[utoipa::path(delete, path = "/api/v1/users/api-keys/{key_id}", tag = "users",
    params(("key_id" = KeyId, Path, description = "The key's id.")), security(("bearer" = []), ("cookie" = [])), responses(
    (status = 204, description = "Revoked; it opens nothing from now on."),
    (status = "4XX", description = "Refused.", body = Problem),
))]
async fn delete_api_key(
    State(state): State<AppState>,
    can: Can<ApiKeysOwn>,
    PathParams(key_id): PathParams<KeyId>,
) -> ApiResult<StatusCode> {
    revoke_api_key::revoke_api_key(&state, &can, key_id).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Puts a new key in the place of one of the caller's, which goes on working for a while.
#[utoipa::path(post, path = "/api/v1/users/api-keys/{key_id}/rotate", tag = "users", request_body = RotateApiKey,
    params(("key_id" = KeyId, Path, description = "The key's id.")), security(("bearer" = []), ("cookie" = [])), responses(
    (status = 201, description = "Made; the secret is shown this once.", body = ApiKeyCreated),
    (status = 409, description = "`key_ended`: the key is revoked, has expired or has no enrolment left.", body = Problem),
))]
async fn post_api_key_rotation(
    State(state): State<AppState>,
    can: Can<ApiKeysOwn>,
    PathParams(key_id): PathParams<KeyId>,
    JsonBody(body): JsonBody<RotateApiKey>,
) -> ApiResult<(StatusCode, Json<ApiKeyCreated>)> {
    let made = rotate_api_key::rotate_api_key(&state, &can, key_id, body).await?;
    Ok((StatusCode::CREATED, Json(made)))
}
