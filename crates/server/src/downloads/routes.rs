//! The operations of this area.

use std::path::PathBuf;
use std::sync::Arc;

use axum::extract::{Path, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router, body::Bytes};
use sg_types::Problem;
use sg_types::api::agents::{AgentInstaller, InstallScript};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::Offer;
use crate::AppState;
use crate::auth::{ApiKeysOwn, Can};
use crate::error::{ApiError, ApiResult};
use crate::http::RequestContext;

/// For people who are signed in.
pub fn api_routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(show_installer))
}

/// For machines that are to be watched.
pub fn public_routes() -> Router<AppState> {
    Router::new()
        .route("/install/agent.sh", get(fetch_script))
        .route("/install/agent/{machine}", get(fetch_program))
}

/// Shows how an agent is installed.
#[utoipa::path(get, path = "/api/v1/agents/installer", tag = "agents", security(("bearer" = []), ("cookie" = [])), responses(
    (status = 200, description = "The commands, and the digest that vouches for the script; nothing where the server has no agent to download.", body = AgentInstaller),
    (status = "4XX", description = "Refused.", body = Problem),
))]
async fn show_installer(
    State(state): State<AppState>,
    _can: Can<ApiKeysOwn>,
) -> ApiResult<Json<AgentInstaller>> {
    let offer = match offer(&state).await {
        Ok(offer) => offer,
        Err(error) if error.code() == "agent_not_offered" => return Ok(Json(AgentInstaller::default())),
        Err(error) => return Err(error),
    };
    let url = format!("{}/install/agent.sh", state.public_url);
    Ok(Json(AgentInstaller {
        machines: offer.machines().map(str::to_owned).collect(),
        script: Some(InstallScript {
            command: command(&url, &offer, ""),
            uninstall_command: command(&url, &offer, " --uninstall"),
            sha256: offer.script_sha256.clone(),
            url,
        }),
    }))
}

/// Nothing of what came over the network runs before its digest was compared: that is why the script may come from a certificate that the
/// machine does not know yet.
fn command(url: &str, offer: &Offer, arguments: &str) -> String {
    let options = if offer.private_authority { "-fsSk" } else { "-fsS" };
    let digest = &offer.script_sha256;
    format!(
        "f=$(mktemp) && curl {options} -o \"$f\" {url} && echo \"{digest}  $f\" | sha256sum -c --quiet - && sh \"$f\"{arguments}; rm -f \"$f\""
    )
}

async fn fetch_script(
    State(state): State<AppState>,
    request: RequestContext,
    headers: HeaderMap,
) -> ApiResult<Response> {
    state.rate_limits.check_download(request.address)?;
    let offer = offer(&state).await?;
    Ok(answer(
        &headers,
        "text/x-shellscript; charset=utf-8",
        &offer.script_sha256,
        &offer.script,
    ))
}

async fn fetch_program(
    State(state): State<AppState>,
    request: RequestContext,
    Path(machine): Path<String>,
    headers: HeaderMap,
) -> ApiResult<Response> {
    state.rate_limits.check_download(request.address)?;
    let offer = offer(&state).await?;
    let program = offer.program(&machine).ok_or_else(ApiError::not_found)?;
    Ok(answer(
        &headers,
        "application/octet-stream",
        &program.sha256,
        &program.bytes,
    ))
}

async fn offer(state: &AppState) -> ApiResult<Arc<Offer>> {
    let state = state.clone();
    let task = tokio::task::spawn_blocking(move || {
        let folder = &state.config.downloads.agents;
        state
            .downloads
            .offer(folder, &state.public_url, own_authority(&state))
    });
    task.await.map_err(ApiError::internal)?
}

/// The authority that this server has made itself, where clients need it.
fn own_authority(state: &AppState) -> Option<PathBuf> {
    let given = !state.config.tls.cert_file.as_os_str().is_empty();
    let file = state.config.data_dir.join("tls/ca.pem");
    (state.tls && !given && file.is_file()).then_some(file)
}

fn answer(headers: &HeaderMap, content_type: &'static str, sha256: &str, body: &Bytes) -> Response {
    let etag = format!("\"{sha256}\"");
    let known = headers
        .get(header::IF_NONE_MATCH)
        .and_then(|value| value.to_str().ok())
        .is_some_and(|known| known.contains(&etag));
    let mut response = if known {
        StatusCode::NOT_MODIFIED.into_response()
    } else {
        ([(header::CONTENT_TYPE, content_type)], body.clone()).into_response()
    };
    let headers = response.headers_mut();
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    if let Ok(value) = HeaderValue::from_str(&etag) {
        headers.insert(header::ETAG, value);
    }
    response
}
