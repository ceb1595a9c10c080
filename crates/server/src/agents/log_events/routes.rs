//! The operation of log shippers.

use std::time::Duration;

use axum::body::Body;
use axum::extract::{FromRequestParts, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode, header};
use axum::{Extension, Json};
use serde::Deserialize;
use sg_db::Proof;
use sg_types::agent::LogEvent;
use sg_types::api::agents::EventsReport;
use sg_types::api::users::KeyScope;
use sg_types::{Permission, Problem};
use tokio::time::timeout;
use utoipa::IntoParams;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::{Sending, read, take};
use crate::AppState;
use crate::auth::{Acting, authenticate};
use crate::error::{ApiError, ApiResult};
use crate::extract::{QueryParams, too_slow};
use crate::http::BodyPatience;

/// What keeps the repeats of a request apart.
const IDEMPOTENCY_KEY: &str = "idempotency-key";
/// Characters of such a key.
const MAX_KEY_CHARS: usize = 200;
/// Characters of a source's name (`agents.endpoints.hostname`).
const MAX_NAME_CHARS: usize = 255;
/// Characters of a part of a log source.
const MAX_PART_CHARS: usize = 100;

/// The operations of this area.
pub fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(send_events))
}

/// Where events come from.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct SourceParams {
    /// The log source's name, 1–255 characters, case ignored. One that is not known is made.
    source: String,
    /// Sigma's `product` of events that do not say it.
    product: Option<String>,
    /// Sigma's `category` of events that do not say it.
    category: Option<String>,
    /// Sigma's `service` of events that do not say it.
    service: Option<String>,
}

/// Takes events of what has no agent, one JSON object a line: Elastic Common Schema, OCSF, or Sigma's own words. The answer comes after they are
/// stored and judged. Lines that are no event are named in the answer; the others are taken.
#[utoipa::path(post, path = "/api/v1/agents/events", tag = "agents",
    params(SourceParams, ("Idempotency-Key" = Option<String>, Header, description = "Makes repeats of events without an id harmless.")),
    request_body(content = String, content_type = "application/x-ndjson", description = "Events, one a line."),
    security(("bearer" = []), ("cookie" = [])), responses(
    (status = 200, description = "What was taken, and which lines were not.", body = EventsReport),
    (status = 409, description = "`source_decommissioned`.", body = Problem),
    (status = 413, description = "Too many bytes or lines; none was taken.", body = Problem),
    (status = "4XX", description = "Refused; needs a key with the scope `events` or a session, and `events_send`.", body = Problem),
    (status = 503, description = "Not now; see Retry-After.", body = Problem),
))]
async fn send_events(
    State(state): State<AppState>,
    EventSender(acting): EventSender,
    QueryParams(params): QueryParams<SourceParams>,
    patience: Option<Extension<BodyPatience>>,
    headers: HeaderMap,
    body: Body,
) -> ApiResult<Json<EventsReport>> {
    require_lines(&headers)?;
    let sending = Sending {
        source: source_name(&params.source)?,
        idempotency_key: idempotency_key(&headers)?,
        otherwise: LogEvent {
            product: part("product", params.product)?,
            category: part("category", params.category)?,
            service: part("service", params.service)?,
            ..LogEvent::default()
        },
    };
    let patience = patience.map_or(Duration::MAX, |Extension(patience)| patience.0);
    let sent = timeout(patience, read(&state, &headers, body)).await;
    let sent = sent.map_err(|_| too_slow())??;
    take(&state, &acting, sending, sent).await.map(Json)
}

/// Whoever may send events, found before the body is read.
#[derive(Debug)]
struct EventSender(Acting);

impl FromRequestParts<AppState> for EventSender {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &AppState) -> Result<Self, ApiError> {
        let acting = authenticate(parts, state, KeyScope::Events).await?;
        if acting.caller.must_change_password && matches!(acting.caller.proof, Proof::Session(_)) {
            return Err(ApiError::forbidden(
                "password_change_required",
                "the password has to be changed first: POST /api/v1/users/me/password",
            ));
        }
        // Its scope has been looked at: `may` asks for that of the API.
        if !acting.caller.permissions.contains(&Permission::EventsSend) {
            return Err(ApiError::missing_permission(Permission::EventsSend));
        }
        // A source is the whole tenant's.
        acting.require_whole_tenant()?;
        Ok(Self(acting))
    }
}

fn require_lines(headers: &HeaderMap) -> ApiResult<()> {
    let kind = headers
        .get(header::CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .and_then(|text| text.split(';').next())
        .map(|text| text.trim().to_ascii_lowercase());
    match kind.as_deref() {
        Some("application/x-ndjson" | "application/ndjson" | "application/jsonl" | "application/json") => {
            Ok(())
        }
        _ => Err(ApiError::new(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "unsupported_media_type",
            "events are JSON, one a line, sent with `Content-Type: application/x-ndjson`",
        )),
    }
}

fn source_name(text: &str) -> ApiResult<String> {
    let name = text.trim();
    if (1..=MAX_NAME_CHARS).contains(&name.chars().count()) && !name.chars().any(char::is_control) {
        return Ok(name.to_owned());
    }
    Err(ApiError::bad_request(
        "invalid_query",
        format!("`source` is a name of 1–{MAX_NAME_CHARS} characters without control characters"),
    ))
}

fn part(name: &'static str, text: Option<String>) -> ApiResult<Option<String>> {
    let Some(text) = text.filter(|text| !text.is_empty()) else {
        return Ok(None);
    };
    if text.chars().count() > MAX_PART_CHARS || text.chars().any(char::is_control) {
        return Err(ApiError::bad_request(
            "invalid_query",
            format!("`{name}` has at most {MAX_PART_CHARS} characters and no control characters"),
        ));
    }
    Ok(Some(text.to_lowercase()))
}

fn idempotency_key(headers: &HeaderMap) -> ApiResult<Option<String>> {
    let Some(value) = headers.get(IDEMPOTENCY_KEY) else {
        return Ok(None);
    };
    let key = value
        .to_str()
        .ok()
        .filter(|text| (1..=MAX_KEY_CHARS).contains(&text.len()));
    key.map(|key| Some(key.to_owned())).ok_or_else(|| {
        ApiError::bad_request(
            "invalid_headers",
            format!("Idempotency-Key has 1–{MAX_KEY_CHARS} visible ASCII characters"),
        )
    })
}
