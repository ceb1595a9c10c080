//! Exceptions: making, trying out and ending them.

use chrono::Duration;
use sg_db::DbError;
use sg_db::threats::{self as db, NewException};
use sg_types::ExceptionId;
use sg_types::api::exceptions::{CreateException, ExceptionPreview, ExceptionScope, ExceptionView};

use crate::AppState;
use crate::auth::Acting;
use crate::error::{ApiError, ApiResult};

/// Days of stored findings that a preview looks at.
const PREVIEW_DAYS: i32 = 30;
/// Sizes of what can be given (`threats.exceptions`).
const MAX_NAME_CHARS: usize = 200;
const MAX_REASON_CHARS: usize = 2_000;
const MAX_CONDITIONS: usize = 10;
const MAX_VALUE_CHARS: usize = 4_000;
const MAX_RULE_ID_CHARS: usize = 200;
/// Furthest end of an exception that ends by itself.
const MAX_DAYS: i64 = 3_660;

pub(super) async fn create(
    state: &AppState,
    acting: &Acting,
    body: CreateException,
) -> ApiResult<ExceptionView> {
    let caller = &acting.caller;
    acting.require_whole_tenant()?;
    let exception_id: ExceptionId = state.next_id();
    let mut event = acting.event(state, "exception.create");
    let (name, reason) = (body.name.trim(), body.reason.trim());
    check_text("name", name, MAX_NAME_CHARS)?;
    check_text("reason", reason, MAX_REASON_CHARS)?;
    check_scope(&body.scope)?;
    let latest = event.at + Duration::days(MAX_DAYS);
    if body.expires_at.is_some_and(|at| at <= event.at || at > latest) {
        return Err(ApiError::invalid_field(
            "expires_at",
            "has to be later than now, by ten years at most",
        ));
    }
    event.object = Some(("exception", exception_id.to_string()));
    event.reason = Some(reason.to_owned());
    let new = NewException {
        exception_id,
        tenant_id: caller.tenant_id,
        name,
        reason,
        scope: &body.scope,
        owner_id: body.owner_id.unwrap_or(caller.user_id),
        threat_id: body.threat_id,
        created_by: caller.user_id,
        at: event.at,
        expires_at: body.expires_at,
    };
    let mut tx = state.db.system("exception").await?;
    db::insert_exception(&mut tx, &new).await.map_err(explain)?;
    let view = db::find_exception(&mut tx, caller.tenant_id, exception_id, event.at).await?;
    let view = view.ok_or_else(|| ApiError::internal("a stored exception is not to be seen"))?;
    tx.commit(caller.tenant_id, event).await?;
    Ok(view)
}

/// What an exception would have hidden of what is stored.
pub(super) async fn preview(
    state: &AppState,
    acting: &Acting,
    scope: &ExceptionScope,
) -> ApiResult<ExceptionPreview> {
    check_scope(scope)?;
    let now = state.now();
    let mut tx = state.db.read(&acting.caller, now).await?;
    Ok(db::preview_exception(&mut tx, acting.caller.tenant_id, scope, now, PREVIEW_DAYS).await?)
}

/// Ends an exception: what arrives from now on opens incidents again. Ending what has ended changes nothing.
pub(super) async fn end(
    state: &AppState,
    acting: &Acting,
    exception_id: ExceptionId,
) -> ApiResult<ExceptionView> {
    let caller = &acting.caller;
    acting.require_whole_tenant()?;
    let mut event = acting.event(state, "exception.end");
    event.object = Some(("exception", exception_id.to_string()));
    let at = event.at;
    let mut tx = state.db.system("exception").await?;
    let ended = db::end_exception(&mut tx, caller.tenant_id, exception_id, caller.user_id, at).await?;
    let view = db::find_exception(&mut tx, caller.tenant_id, exception_id, at)
        .await?
        .ok_or_else(ApiError::not_found)?;
    if ended {
        tx.commit(caller.tenant_id, event).await?;
    }
    Ok(view)
}

fn check_scope(scope: &ExceptionScope) -> ApiResult<()> {
    if scope.rule_id.is_none() && scope.conditions.is_empty() {
        return Err(ApiError::invalid_field(
            "scope",
            "needs a rule or a condition: else it would hide everything",
        ));
    }
    if let Some(rule_id) = &scope.rule_id {
        check_text("scope.rule_id", rule_id, MAX_RULE_ID_CHARS)?;
    }
    if scope.conditions.len() > MAX_CONDITIONS {
        return Err(ApiError::invalid_field(
            "scope.conditions",
            format!("has at most {MAX_CONDITIONS} entries"),
        ));
    }
    scope
        .conditions
        .iter()
        .try_for_each(|condition| check_text("scope.conditions", &condition.value, MAX_VALUE_CHARS))
}

fn check_text(field: &'static str, text: &str, most: usize) -> ApiResult<()> {
    if text.trim().is_empty() || text.chars().count() > most || text.contains('\0') {
        return Err(ApiError::invalid_field(field, format!("is 1–{most} characters")));
    }
    Ok(())
}

fn explain(error: DbError) -> ApiError {
    let DbError::MissingReference { constraint } = &error else {
        return error.into();
    };
    match constraint.as_str() {
        "exceptions_agent_id_fkey" => {
            ApiError::invalid_field("scope.agent_id", "is no endpoint of this tenant")
        }
        "exceptions_threat_id_fkey" => ApiError::invalid_field("threat_id", "is no incident of this tenant"),
        "exceptions_owner_id_fkey" => {
            ApiError::invalid_field("owner_id", "is nobody who may work in this tenant")
        }
        _ => error.into(),
    }
}
