//! `/livez`, `/readyz` and `/metrics`.

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use secrecy::ExposeSecret;
use serde::Serialize;

use crate::audit::describe_sink_problems;
use crate::error::ApiError;
use crate::http::RequestContext;
use crate::{AppState, metrics as recorder, tokens};

/// The check that does not decide whether the server is ready.
const AUDIT_EXPORTS: &str = "audit_exports";

/// One thing that has to hold for the server to do its work.
#[derive(Debug, Serialize)]
pub struct Check {
    /// `database`, `schema`, `roles`, `audit_exports`.
    pub name: &'static str,
    /// Whether it holds.
    pub ok: bool,
    /// What is wrong, without internals; the log has more.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub problem: Option<String>,
}

#[derive(Serialize)]
struct Readiness {
    ready: bool,
    checks: Vec<Check>,
}

/// The process answers.
pub async fn live() -> &'static str {
    "ok\n"
}

/// The process can do its work: 200, else 503 with what is wrong.
pub async fn ready(State(state): State<AppState>) -> Response {
    let checks = run_checks(&state).await;
    // A sink that does not take the audit log is told, but nobody is turned away for it.
    let ready = checks.iter().all(|check| check.ok || check.name == AUDIT_EXPORTS);
    let status = if ready {
        StatusCode::OK
    } else {
        StatusCode::SERVICE_UNAVAILABLE
    };
    (status, Json(Readiness { ready, checks })).into_response()
}

/// The metrics, for whoever holds the configured token; without one, for clients on this machine that came through no proxy.
pub async fn metrics(
    State(state): State<AppState>,
    request: RequestContext,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let token = &state.config.metrics.token;
    let allowed = if token.expose_secret().is_empty() {
        request.address.is_loopback()
            && !["x-forwarded-for", "forwarded", "via"]
                .iter()
                .any(|name| headers.contains_key(*name))
    } else {
        let given = headers
            .get(header::AUTHORIZATION)
            .and_then(|v| v.to_str().ok())
            .and_then(|v| v.strip_prefix("Bearer "));
        given.is_some_and(|given| tokens::equal_in_constant_time(token, given))
    };
    if !allowed {
        return Err(ApiError::not_found());
    }
    for (pool, usage) in ["request", "system"].into_iter().zip(state.db.usage()) {
        ::metrics::gauge!("sg_db_connections_count", "pool" => pool, "state" => "open")
            .set(f64::from(usage.open));
        ::metrics::gauge!("sg_db_connections_count", "pool" => pool, "state" => "idle")
            .set(f64::from(usage.idle));
    }
    let waiting = u32::try_from(state.response.waiting.count()).unwrap_or(u32::MAX);
    ::metrics::gauge!("sg_agents_waiting_count").set(f64::from(waiting));
    Ok((
        [(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")],
        recorder::render(),
    )
        .into_response())
}

async fn run_checks(state: &AppState) -> Vec<Check> {
    let check = |name, problem: Option<String>| Check {
        name,
        ok: problem.is_none(),
        problem,
    };
    if let Err(error) = state.db.ping().await {
        tracing::warn!(error = %error, cause = ?std::error::Error::source(&error).map(ToString::to_string), "not ready: the database does not answer");
        return vec![check("database", Some("the database does not answer".to_owned()))];
    }
    let schema = match state.db.schema_fit().await {
        Ok(fit) => fit.problem(),
        Err(_) => Some("the schema's version cannot be read: run `secureguard migrate`".to_owned()),
    };
    let roles = match state.db.check_roles().await {
        Ok(roles) => roles
            .into_iter()
            .find_map(|role| Some(format!("role {}: {}", role.role, role.problem?))),
        Err(_) => Some("the database roles cannot be checked".to_owned()),
    };
    vec![
        check("database", None),
        check("schema", schema),
        check("roles", roles),
        check(AUDIT_EXPORTS, describe_sink_problems(state, state.now())),
    ]
}
