//! The operations around passwords: changing one's own, forgotten ones, and the policy.

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use sg_types::Problem;
use sg_types::api::passwords::{
    PasswordPolicyView, RedeemPasswordReset, RequestPasswordReset, UpdatePasswordPolicy,
};
use sg_types::api::users::ChangePassword;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::{change_password, password_policy, redeem_password_reset, request_password_reset};
use crate::AppState;
use crate::auth::{AnyCaller, AnySession, Can, PoliciesManage, find_device};
use crate::error::ApiResult;
use crate::extract::JsonBody;
use crate::http::RequestContext;

/// The operations of this part.
pub(super) fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(post_own_password))
        .routes(routes!(post_password_reset))
        .routes(routes!(post_redeem))
        .routes(routes!(show_password_policy, patch_password_policy))
}

/// Changes the caller's password.
#[utoipa::path(post, path = "/api/v1/users/me/password", tag = "users", request_body = ChangePassword,
    security(("bearer" = []), ("cookie" = [])), responses(
    (status = 204, description = "Changed; every other session of the caller has ended."),
    (status = 422, description = "`password_refused`, with every reason in `errors`.", body = Problem),
))]
async fn post_own_password(
    State(state): State<AppState>,
    AnySession(acting): AnySession,
    headers: HeaderMap,
    JsonBody(body): JsonBody<ChangePassword>,
) -> ApiResult<StatusCode> {
    let device = find_device(&headers, &acting.caller.username, state.tls);
    change_password::change_password(&state, &acting, device, body).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Mails a link for setting a new password to whoever has this user name or e-mail address.
#[utoipa::path(post, path = "/api/v1/users/password-resets", tag = "users", request_body = RequestPasswordReset, responses(
    (status = 202, description = "Whoever was named: the same answer for an account that exists and one that does not."),
    (status = 409, description = "`mail_not_configured`: this server sends no mail.", body = Problem),
    (status = 429, description = "Too many requests from this address; see Retry-After.", body = Problem),
))]
async fn post_password_reset(
    State(state): State<AppState>,
    request: RequestContext,
    JsonBody(body): JsonBody<RequestPasswordReset>,
) -> ApiResult<StatusCode> {
    request_password_reset::request_password_reset(&state, &request, body).await?;
    Ok(StatusCode::ACCEPTED)
}

/// Sets a password by a mailed link.
#[utoipa::path(post, path = "/api/v1/users/password-resets/redeem", tag = "users", request_body = RedeemPasswordReset, responses(
    (status = 204, description = "Set; every session of the user has ended. Sign in with the new password."),
    (status = 410, description = "`link_invalid`: used, expired or void.", body = Problem),
    (status = 422, description = "`password_refused`, with every reason in `errors`; the link still works.", body = Problem),
    (status = 429, description = "Too many requests from this address; see Retry-After.", body = Problem),
))]
async fn post_redeem(
    State(state): State<AppState>,
    request: RequestContext,
    JsonBody(body): JsonBody<RedeemPasswordReset>,
) -> ApiResult<StatusCode> {
    redeem_password_reset::redeem_password_reset(&state, &request, body).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Shows the tenant's policy for passwords.
#[utoipa::path(get, path = "/api/v1/users/password-policy", tag = "users", security(("bearer" = []), ("cookie" = [])), responses(
    (status = 200, description = "The policy in force.", body = PasswordPolicyView),
    (status = "4XX", description = "Refused.", body = Problem),
))]
async fn show_password_policy(
    State(state): State<AppState>,
    AnyCaller(acting): AnyCaller,
) -> ApiResult<Json<PasswordPolicyView>> {
    Ok(Json(password_policy::show(&state, &acting).await?))
}

/// Changes the tenant's policy for passwords.
#[utoipa::path(patch, path = "/api/v1/users/password-policy", tag = "users", request_body = UpdatePasswordPolicy,
    security(("bearer" = []), ("cookie" = [])), responses(
    (status = 200, description = "The policy from now on.", body = PasswordPolicyView),
    (status = "4XX", description = "Refused.", body = Problem),
))]
async fn patch_password_policy(
    State(state): State<AppState>,
    can: Can<PoliciesManage>,
    JsonBody(body): JsonBody<UpdatePasswordPolicy>,
) -> ApiResult<Json<PasswordPolicyView>> {
    Ok(Json(password_policy::update(&state, &can, body).await?))
}
