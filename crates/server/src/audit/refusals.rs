//! Tries at what somebody may not do are told in the audit log: of the tenant that the caller works in, or, where nobody knows who they are, of the
//! installation.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use axum::extract::{MatchedPath, Request, State};
use axum::middleware::Next;
use axum::response::Response;
use sg_db::Caller;
use sg_db::audit::{Actor, AuditEvent, Outcome};
use sg_types::TenantId;
use uuid::Uuid;

use crate::AppState;
use crate::error::ErrorReport;
use crate::http::RequestContext;

/// Refusals that say that somebody went beyond what they may, looked for what is not theirs, or sent what no client of ours sends. The others ask for
/// something first, answer a slip of the pen, or are told where they happen.
const TOLD: [&str; 12] = [
    "csrf_refused",
    "foreign_account",
    "incomplete_body",
    "invalid_encoding",
    "invalid_json",
    "key_scope",
    "missing_permission",
    "not_found",
    "role_too_high",
    "session_required",
    "too_large",
    "unknown_reference",
];
/// Different refusals of a minute that are told at most.
const MAX_PER_MINUTE: usize = 1_000;

/// A place on the request where authentication leaves who called.
#[derive(Debug, Clone, Default)]
pub(crate) struct KnownCaller(Arc<OnceLock<(TenantId, Uuid, Actor)>>);

impl KnownCaller {
    /// Says who called; the first word counts.
    pub(crate) fn set(&self, caller: &Caller) {
        self.0
            .get_or_init(|| (caller.tenant_id, caller.credential_id, Actor::from(caller)));
    }
}

/// Whose credential, which operation, which code.
type Told = (Uuid, String, &'static str);

/// What was told in this minute already: whoever repeats themselves does not fill the log.
#[derive(Debug, Default)]
pub struct Refusals(Mutex<(i64, HashSet<Told>)>);

impl Refusals {
    fn is_news(&self, minute: i64, credential: Uuid, operation: &str, code: &'static str) -> bool {
        let mut told = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if told.0 != minute {
            *told = (minute, HashSet::new());
        }
        told.1.len() < MAX_PER_MINUTE && told.1.insert((credential, operation.to_owned(), code))
    }
}

/// Tells of a refusal before it is answered. One that cannot be told is answered all the same, and stays in the server's log.
pub(crate) async fn tell(State(state): State<AppState>, mut request: Request, next: Next) -> Response {
    let known = KnownCaller::default();
    request.extensions_mut().insert(known.clone());
    let context = request.extensions().get::<RequestContext>().cloned();
    let route = request.extensions().get::<MatchedPath>().cloned();
    let method = request.method().clone();
    let response = next.run(request).await;
    let report = response.extensions().get::<ErrorReport>();
    let told = report.filter(|report| TOLD.contains(&report.code));
    let (Some(report), Some(route)) = (told, route) else {
        return response;
    };
    let nobody = (TenantId::SYSTEM, Uuid::nil(), Actor::anonymous());
    let (tenant_id, credential, actor) = match known.0.get() {
        Some(known) => known,
        // Of all that strangers send, only what a foreign site made a browser send is worth a line.
        None if report.code == "csrf_refused" => &nobody,
        None => return response,
    };
    let operation = format!("{method} {}", route.as_str());
    let at = state.now();
    if !state
        .refusals
        .is_news(at.timestamp() / 60, *credential, &operation, report.code)
    {
        return response;
    }
    let event = AuditEvent {
        event_id: state.next_id(),
        at,
        actor: actor.clone(),
        action: "request.refuse",
        object: Some(("operation", operation)),
        outcome: Outcome::Failure,
        reason: Some(report.code.to_owned()),
        request_id: context.as_ref().map(|context| context.request_id.clone()),
        address: context.map(|context| context.address),
    };
    // In a box: every request that waits would keep room for it.
    let committed = Box::pin(async { state.db.system("refusal").await?.commit(*tenant_id, event).await });
    if let Err(error) = committed.await {
        tracing::warn!(error = %anyhow::Error::from(error), "a refusal is not in the audit log");
    }
    response
}
