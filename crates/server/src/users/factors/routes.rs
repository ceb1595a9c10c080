//! The operations of second factors.

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use sg_types::api::factors::{
    AddPasskey, BackupCodes, BeginTotp, ConfirmTotp, FactorAdded, FactorOverview, FactorPolicy, Notices,
    PasskeyChallenge, PasskeyEnrolment, PasskeySignIn, SecondFactor, SessionRenewed, TotpEnrolment,
    UpdateFactorPolicy, Verification, VerificationOptions,
};
use sg_types::api::users::SessionCreated;
use sg_types::{FactorId, Problem, UserId};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::enrolling::Enrolling;
use super::session::Visitor;
use super::{
    add_passkey, add_totp, backup_codes, overview, passkey_sign_in, policy, remove, require_recent, reset,
    second_step, verification,
};
use crate::AppState;
use crate::auth::{AnySession, Can, Recent, UsersManage, session_cookie};
use crate::error::ApiResult;
use crate::extract::{JsonBody, PathParams};
use crate::http::RequestContext;

/// The operations of second factors.
pub fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(post_second_factor))
        .routes(routes!(post_passkey_options))
        .routes(routes!(post_passkey_session))
        .routes(routes!(post_verification_options))
        .routes(routes!(post_verification))
        .routes(routes!(list_own_factors))
        .routes(routes!(post_totp))
        .routes(routes!(post_totp_confirmation))
        .routes(routes!(post_own_passkey_options))
        .routes(routes!(post_own_passkey))
        .routes(routes!(post_backup_codes))
        .routes(routes!(delete_own_factor))
        .routes(routes!(show_notices, delete_notices))
        .routes(routes!(show_factor_policy, patch_factor_policy))
        .routes(routes!(delete_user_factors))
}

/// Completes a sign-in that waits for a second factor.
#[utoipa::path(post, path = "/api/v1/sessions/second-factor", tag = "users", request_body = SecondFactor, responses(
    (status = 201, description = "Signed in; the cookie is set too.", body = SessionCreated),
    (status = 401, description = "`second_factor_refused`: one answer for wrong, used, expired and locked.", body = Problem),
    (status = 429, description = "Too many attempts; see Retry-After.", body = Problem),
))]
async fn post_second_factor(
    State(state): State<AppState>,
    request: RequestContext,
    headers: HeaderMap,
    JsonBody(body): JsonBody<SecondFactor>,
) -> ApiResult<Response> {
    let visitor = Visitor::new(&state, request, &headers);
    let signed_in = second_step::complete_sign_in(&state, &visitor, body).await?;
    Ok(signed_in.into_response(state.tls))
}

/// Begins a sign-in by passkey.
#[utoipa::path(post, path = "/api/v1/sessions/passkey/options", tag = "users", responses(
    (status = 200, description = "What to ask an authenticator.", body = PasskeyChallenge),
    (status = 409, description = "`passkeys_unavailable`: this server has no host name and TLS.", body = Problem),
))]
async fn post_passkey_options(
    State(state): State<AppState>,
    request: RequestContext,
    headers: HeaderMap,
) -> ApiResult<Json<PasskeyChallenge>> {
    let visitor = Visitor::new(&state, request, &headers);
    Ok(Json(passkey_sign_in::begin(&state, &visitor).await?))
}

/// Signs in by a passkey alone.
#[utoipa::path(post, path = "/api/v1/sessions/passkey", tag = "users", request_body = PasskeySignIn, responses(
    (status = 201, description = "Signed in; the cookie is set too.", body = SessionCreated),
    (status = 401, description = "`second_factor_refused`.", body = Problem),
    (status = 429, description = "Too many attempts; see Retry-After.", body = Problem),
))]
async fn post_passkey_session(
    State(state): State<AppState>,
    request: RequestContext,
    headers: HeaderMap,
    JsonBody(body): JsonBody<PasskeySignIn>,
) -> ApiResult<Response> {
    let visitor = Visitor::new(&state, request, &headers);
    let signed_in = passkey_sign_in::complete(&state, &visitor, body).await?;
    Ok(signed_in.into_response(state.tls))
}

/// Tells how the caller can verify themselves.
#[utoipa::path(post, path = "/api/v1/sessions/current/verification/options", tag = "users",
    security(("bearer" = []), ("cookie" = [])), responses(
    (status = 200, description = "The ways.", body = VerificationOptions),
    (status = "4XX", description = "Refused.", body = Problem),
))]
async fn post_verification_options(
    State(state): State<AppState>,
    AnySession(acting): AnySession,
) -> ApiResult<Json<VerificationOptions>> {
    Ok(Json(verification::options(&state, &acting).await?))
}

/// Verifies the caller again, for the dangerous actions of the next five minutes.
#[utoipa::path(post, path = "/api/v1/sessions/current/verification", tag = "users", request_body = Verification,
    security(("bearer" = []), ("cookie" = [])), responses(
    (status = 200, description = "Verified; the session goes on with a new token, its old one opens nothing.", body = SessionRenewed),
    (status = 403, description = "`verification_failed`.", body = Problem),
))]
async fn post_verification(
    State(state): State<AppState>,
    AnySession(acting): AnySession,
    JsonBody(body): JsonBody<Verification>,
) -> ApiResult<Response> {
    let renewed = verification::verify(&state, &acting, body).await?;
    let cookie = session_cookie(&renewed.token, state.tls);
    let mut response = Json(renewed).into_response();
    response
        .headers_mut()
        .extend(cookie.map(|value| (header::SET_COOKIE, value)));
    Ok(response)
}

/// Lists the caller's factors.
#[utoipa::path(get, path = "/api/v1/users/me/factors", tag = "users", security(("bearer" = []), ("cookie" = [])), responses(
    (status = 200, description = "The caller's factors, and what the rules ask.", body = FactorOverview),
    (status = "4XX", description = "Refused.", body = Problem),
))]
async fn list_own_factors(
    State(state): State<AppState>,
    AnySession(acting): AnySession,
) -> ApiResult<Json<FactorOverview>> {
    Ok(Json(overview::show(&state, &acting).await?))
}

/// Begins to add an app.
#[utoipa::path(post, path = "/api/v1/users/me/factors/totp", tag = "users", request_body = BeginTotp,
    security(("bearer" = []), ("cookie" = [])), responses(
    (status = 201, description = "The secret, shown this once; to be confirmed.", body = TotpEnrolment),
    (status = 403, description = "`verification_required`.", body = Problem),
))]
async fn post_totp(
    State(state): State<AppState>,
    who: Enrolling,
    JsonBody(body): JsonBody<BeginTotp>,
) -> ApiResult<(StatusCode, Json<TotpEnrolment>)> {
    Ok((
        StatusCode::CREATED,
        Json(add_totp::begin(&state, &who, body).await?),
    ))
}

/// Puts an app into force.
#[utoipa::path(post, path = "/api/v1/users/me/factors/totp/confirmation", tag = "users", request_body = ConfirmTotp,
    security(("bearer" = []), ("cookie" = [])), responses(
    (status = 201, description = "Added; a sign-in that waited for it is completed.", body = FactorAdded),
    (status = 422, description = "`invalid_body`: another code.", body = Problem),
))]
async fn post_totp_confirmation(
    State(state): State<AppState>,
    who: Enrolling,
    JsonBody(body): JsonBody<ConfirmTotp>,
) -> ApiResult<Response> {
    let added = add_totp::confirm(&state, &who, body).await?;
    Ok(with_waiting_session(&state, added))
}

/// Begins to add a passkey.
#[utoipa::path(post, path = "/api/v1/users/me/factors/passkeys/options", tag = "users",
    security(("bearer" = []), ("cookie" = [])), responses(
    (status = 200, description = "What to ask an authenticator.", body = PasskeyEnrolment),
    (status = 403, description = "`verification_required`.", body = Problem),
    (status = 409, description = "`passkeys_unavailable`: this server has no host name and TLS.", body = Problem),
))]
async fn post_own_passkey_options(
    State(state): State<AppState>,
    who: Enrolling,
) -> ApiResult<Json<PasskeyEnrolment>> {
    Ok(Json(add_passkey::begin(&state, &who).await?))
}

/// Adds a passkey.
#[utoipa::path(post, path = "/api/v1/users/me/factors/passkeys", tag = "users", request_body = AddPasskey,
    security(("bearer" = []), ("cookie" = [])), responses(
    (status = 201, description = "Added; a sign-in that waited for it is completed.", body = FactorAdded),
    (status = 422, description = "`invalid_body`: the answer does not hold.", body = Problem),
))]
async fn post_own_passkey(
    State(state): State<AppState>,
    who: Enrolling,
    JsonBody(body): JsonBody<AddPasskey>,
) -> ApiResult<Response> {
    let added = add_passkey::complete(&state, &who, body).await?;
    Ok(with_waiting_session(&state, added))
}

/// Makes backup codes; all before are void.
#[utoipa::path(post, path = "/api/v1/users/me/factors/backup-codes", tag = "users",
    security(("bearer" = []), ("cookie" = [])), responses(
    (status = 201, description = "The codes, shown this once.", body = BackupCodes),
    (status = 403, description = "`verification_required`.", body = Problem),
    (status = 409, description = "`no_factor`: there is nothing to stand in for.", body = Problem),
))]
async fn post_backup_codes(
    State(state): State<AppState>,
    AnySession(acting): AnySession,
) -> ApiResult<(StatusCode, Json<BackupCodes>)> {
    require_recent(&state, &acting).await?;
    Ok((
        StatusCode::CREATED,
        Json(backup_codes::regenerate(&state, &acting).await?),
    ))
}

/// Removes a factor of the caller's.
#[utoipa::path(delete, path = "/api/v1/users/me/factors/{factor_id}", tag = "users",
    params(("factor_id" = FactorId, Path, description = "The factor's id.")), security(("bearer" = []), ("cookie" = [])), responses(
    (status = 204, description = "Removed."),
    (status = 403, description = "`verification_required`.", body = Problem),
    (status = 409, description = "`factor_required`: the last one, and the role needs one.", body = Problem),
))]
async fn delete_own_factor(
    State(state): State<AppState>,
    AnySession(acting): AnySession,
    PathParams(factor_id): PathParams<FactorId>,
) -> ApiResult<StatusCode> {
    require_recent(&state, &acting).await?;
    remove::remove_factor(&state, &acting, factor_id).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Tells the caller what happened to their account.
#[utoipa::path(get, path = "/api/v1/users/me/notices", tag = "users", security(("bearer" = []), ("cookie" = [])), responses(
    (status = 200, description = "What was not dismissed yet, newest first.", body = Notices),
    (status = "4XX", description = "Refused.", body = Problem),
))]
async fn show_notices(
    State(state): State<AppState>,
    AnySession(acting): AnySession,
) -> ApiResult<Json<Notices>> {
    Ok(Json(overview::show_notices(&state, &acting).await?))
}

/// Dismisses the caller's notices.
#[utoipa::path(delete, path = "/api/v1/users/me/notices", tag = "users", security(("bearer" = []), ("cookie" = [])), responses(
    (status = 204, description = "Dismissed."),
    (status = "4XX", description = "Refused.", body = Problem),
))]
async fn delete_notices(
    State(state): State<AppState>,
    AnySession(acting): AnySession,
) -> ApiResult<StatusCode> {
    overview::dismiss(&state, &acting).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Tells which roles need a factor.
#[utoipa::path(get, path = "/api/v1/users/factor-policy", tag = "users", security(("bearer" = []), ("cookie" = [])), responses(
    (status = 200, description = "The rules of the tenant.", body = FactorPolicy),
    (status = "4XX", description = "Refused.", body = Problem),
))]
async fn show_factor_policy(
    State(state): State<AppState>,
    can: Can<UsersManage>,
) -> ApiResult<Json<FactorPolicy>> {
    Ok(Json(policy::show(&state, &can).await?))
}

/// Says which roles need a factor.
#[utoipa::path(patch, path = "/api/v1/users/factor-policy", tag = "users", request_body = UpdateFactorPolicy,
    security(("bearer" = []), ("cookie" = [])), responses(
    (status = 200, description = "Changed; counts from the next sign-in on.", body = FactorPolicy),
    (status = 403, description = "`verification_required`, `role_too_high`.", body = Problem),
))]
async fn patch_factor_policy(
    State(state): State<AppState>,
    can: Recent<UsersManage>,
    JsonBody(body): JsonBody<UpdateFactorPolicy>,
) -> ApiResult<Json<FactorPolicy>> {
    Ok(Json(policy::update(&state, &can, body).await?))
}

/// Takes all factors of somebody away who has lost them.
#[utoipa::path(delete, path = "/api/v1/users/{user_id}/factors", tag = "users",
    params(("user_id" = UserId, Path, description = "The person's id.")), security(("bearer" = []), ("cookie" = [])), responses(
    (status = 204, description = "Gone; their sessions have ended, and they are told."),
    (status = 403, description = "`verification_required`, `role_too_high`, `foreign_account`.", body = Problem),
    (status = 409, description = "`own_account`.", body = Problem),
))]
async fn delete_user_factors(
    State(state): State<AppState>,
    can: Recent<UsersManage>,
    PathParams(user_id): PathParams<UserId>,
) -> ApiResult<StatusCode> {
    reset::reset_factors(&state, &can, user_id).await?;
    Ok(StatusCode::NO_CONTENT)
}

fn with_waiting_session(state: &AppState, added: FactorAdded) -> Response {
    match added.session.as_ref().map(|session| session.token.clone()) {
        Some(token) => with_cookie(state, &token, added),
        None => (StatusCode::CREATED, Json(added)).into_response(),
    }
}

fn with_cookie(state: &AppState, token: &str, body: impl serde::Serialize) -> Response {
    let mut response = (StatusCode::CREATED, Json(body)).into_response();
    response
        .headers_mut()
        .extend(session_cookie(token, state.tls).map(|value| (header::SET_COOKIE, value)));
    response
}
