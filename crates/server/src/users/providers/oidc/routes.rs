//! The operations of signing in at a provider.

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use sg_db::users::providers as db;
use sg_types::api::factors::SignInChallenge;
use sg_types::api::providers::{SessionEnded, SignInProvider, SignInProviders};
use sg_types::{Problem, ProviderId};
use utoipa::IntoParams;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::callback::{Returned, Returning};
use super::cookie::{self, Purpose};
use super::{sign_out, start};
use crate::AppState;
use crate::auth::{AnySession, clear_session_cookie};
use crate::error::{ApiError, ApiResult};
use crate::extract::{PathParams, QueryParams};
use crate::http::RequestContext;
use crate::users::factors::{self, Visitor};

/// Characters of a domain, and of a parameter that a provider sends.
const MAX_DOMAIN_CHARS: usize = 253;
const MAX_PARAMETER_CHARS: usize = 4_096;

/// The operations of signing in at a provider.
pub(in crate::users::providers) fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(list_sign_in_providers))
        .routes(routes!(start_sign_in))
        .routes(routes!(finish_sign_in))
        .routes(routes!(take_waiting_sign_in))
        .routes(routes!(end_session))
}

/// Which providers to offer.
#[derive(Debug, Clone, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct OfferParams {
    /// The domain of the person's e-mail address, at most 253 characters.
    domain: Option<String>,
}

/// Where to come back to.
#[derive(Debug, Clone, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct StartParams {
    /// A path of the console, at most 512 characters; `/` when absent.
    return_to: Option<String>,
}

/// What a provider sends back with the browser (RFC 6749 §4.1.2, RFC 9207 §2).
#[derive(Debug, Clone, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct CallbackParams {
    /// The state that the sign-in began with.
    pub(super) state: String,
    /// The code to redeem.
    pub(super) code: Option<String>,
    /// Why there is none.
    pub(super) error: Option<String>,
    /// Who answers.
    pub(super) iss: Option<String>,
}

/// Lists the ways to sign in besides user name and password: those shown to everybody, and those that a domain leads to.
#[utoipa::path(get, path = "/api/v1/sessions/providers", tag = "users", params(OfferParams), responses(
    (status = 200, description = "Providers by name; the same empty list for a domain that leads nowhere.", body = SignInProviders),
    (status = 429, description = "Too many attempts from this address; see Retry-After.", body = Problem),
))]
async fn list_sign_in_providers(
    State(state): State<AppState>,
    request: RequestContext,
    QueryParams(params): QueryParams<OfferParams>,
) -> ApiResult<Json<SignInProviders>> {
    state.rate_limits.check_provider_sign_in(request.address)?;
    let domain = params.domain.map(|domain| domain.trim().to_lowercase());
    if domain
        .as_ref()
        .is_some_and(|domain| domain.len() > MAX_DOMAIN_CHARS || domain.contains('\0'))
    {
        return Err(ApiError::bad_request("invalid_query", "`domain` is no domain"));
    }
    let mut tx = state.db.system("sign-in page").await?;
    let found = db::list_offered_providers(&mut tx, domain.as_deref()).await?;
    let items = found
        .into_iter()
        .map(|(provider_id, name)| SignInProvider {
            provider_id,
            name,
            start_url: format!("/api/v1/sessions/oidc/{provider_id}/start"),
        })
        .collect();
    Ok(Json(SignInProviders { items }))
}

/// Sends the browser to a provider.
#[utoipa::path(get, path = "/api/v1/sessions/oidc/{provider_id}/start", tag = "users",
    params(("provider_id" = ProviderId, Path, description = "The provider's id."), StartParams), responses(
    (status = 303, description = "To the provider, with a cookie that ties the sign-in to this browser."),
    (status = "4XX", description = "Refused.", body = Problem),
    (status = 503, description = "The provider cannot be reached.", body = Problem),
))]
async fn start_sign_in(
    State(state): State<AppState>,
    request: RequestContext,
    PathParams(provider_id): PathParams<ProviderId>,
    QueryParams(params): QueryParams<StartParams>,
) -> ApiResult<Response> {
    let started = start::start(&state, &request, provider_id, params.return_to.as_deref()).await?;
    let mut response = redirect(&started.location);
    response.headers_mut().extend(
        cookie::set(Purpose::Browser, &started.browser, state.tls).map(|value| (header::SET_COOKIE, value)),
    );
    Ok(response)
}

/// Takes the browser back from a provider.
#[utoipa::path(get, path = "/api/v1/sessions/oidc/{provider_id}/callback", tag = "users",
    params(("provider_id" = ProviderId, Path, description = "The provider's id."), CallbackParams), responses(
    (status = 303, description = "To the console: signed in, with the session's cookie, or to the sign-in page with `?sign_in_problem=`."),
    (status = "4XX", description = "The return names no state or no provider.", body = Problem),
))]
async fn finish_sign_in(
    State(state): State<AppState>,
    request: RequestContext,
    headers: HeaderMap,
    PathParams(provider_id): PathParams<ProviderId>,
    QueryParams(params): QueryParams<CallbackParams>,
) -> ApiResult<Response> {
    check_params(&params)?;
    let visitor = Visitor::new(&state, request, &headers);
    let returning = Returning {
        state: &state,
        visitor: &visitor,
        provider_id,
        browser: cookie::read(&headers, Purpose::Browser, state.tls),
    };
    let mut response = match returning.finish(&params).await? {
        Returned::SignedIn { signed_in, return_to } => signed_in.add_cookies(redirect(&return_to), state.tls),
        Returned::Waiting { challenge, return_to } => {
            let mut response = redirect(&with_parameter(&return_to, "sign_in_step=second"));
            let waiting = cookie::set(Purpose::Challenge, &challenge, state.tls);
            response
                .headers_mut()
                .extend(waiting.map(|value| (header::SET_COOKIE, value)));
            response
        }
        Returned::Refused(reason) => redirect(&format!("/?sign_in_problem={reason}")),
    };
    response
        .headers_mut()
        .extend(cookie::clear(Purpose::Browser, state.tls).map(|value| (header::SET_COOKIE, value)));
    Ok(response)
}

/// Tells what a sign-in waits for that came back from its provider and needs a second factor here.
#[utoipa::path(post, path = "/api/v1/sessions/second-factor/waiting", tag = "users", responses(
    (status = 200, description = "The challenge; its cookie is cleared.", body = SignInChallenge),
    (status = 401, description = "Nothing waits in this browser, or it took too long.", body = Problem),
))]
async fn take_waiting_sign_in(
    State(state): State<AppState>,
    request: RequestContext,
    headers: HeaderMap,
) -> ApiResult<Response> {
    state.rate_limits.check_provider_sign_in(request.address)?;
    let token =
        cookie::read(&headers, Purpose::Challenge, state.tls).ok_or_else(ApiError::unauthenticated)?;
    let waiting = factors::find_waiting(&state, token, state.now())
        .await?
        .ok_or_else(ApiError::unauthenticated)?;
    let mut response = Json(waiting).into_response();
    response
        .headers_mut()
        .extend(cookie::clear(Purpose::Challenge, state.tls).map(|value| (header::SET_COOKIE, value)));
    Ok(response)
}

fn with_parameter(path: &str, parameter: &str) -> String {
    let separator = if path.contains('?') { '&' } else { '?' };
    format!("{path}{separator}{parameter}")
}

/// Signs out, and tells where the provider ends its own session.
#[utoipa::path(post, path = "/api/v1/sessions/current/end", tag = "users", security(("bearer" = []), ("cookie" = [])), responses(
    (status = 200, description = "Signed out; the cookie is cleared.", body = SessionEnded),
    (status = "4XX", description = "Refused.", body = Problem),
))]
async fn end_session(State(state): State<AppState>, AnySession(acting): AnySession) -> ApiResult<Response> {
    let ended = sign_out::end_session(&state, &acting).await?;
    let mut response = Json(ended).into_response();
    response
        .headers_mut()
        .extend(clear_session_cookie(state.tls).map(|value| (header::SET_COOKIE, value)));
    Ok(response)
}

fn check_params(params: &CallbackParams) -> ApiResult<()> {
    let given = [
        Some(&params.state),
        params.code.as_ref(),
        params.error.as_ref(),
        params.iss.as_ref(),
    ];
    if given
        .into_iter()
        .flatten()
        .any(|text| text.len() > MAX_PARAMETER_CHARS)
    {
        return Err(ApiError::bad_request("invalid_query", "a parameter is too long"));
    }
    Ok(())
}

fn redirect(location: &str) -> Response {
    match header::HeaderValue::from_str(location) {
        Ok(value) => (StatusCode::SEE_OTHER, [(header::LOCATION, value)]).into_response(),
        Err(error) => ApiError::internal(error).into_response(),
    }
}
