//! What goes where, and what is muted for a while.

use chrono::{DateTime, Duration, Utc};
use sg_db::monitoring as db;
use sg_db::{DbError, SystemTx};
use sg_types::api::notifications::{CreateSilence, RouteSource, RouteView, SaveRoute, SilenceView};
use sg_types::{RouteId, SilenceId, TenantId};

use super::super::Whose;
use super::channels::require_whole_tenant;
use super::check_name;
use crate::AppState;
use crate::auth::Acting;
use crate::error::{ApiError, ApiResult};

/// Routes of one tenant at most.
const MAX_ROUTES: i64 = 200;
/// Entries of a route's lists.
const MAX_ENTRIES: usize = 100;
const MAX_ENTRY_CHARS: usize = 200;
/// Characters of a silence's reason.
const MAX_REASON_CHARS: usize = 2_000;
/// The furthest end of a silence, and of a route's quiet.
const MAX_DAYS: i64 = 90;
/// Minutes of a week.
const MAX_ESCALATION_MINUTES: i32 = 10_080;

pub(super) async fn create_route(
    state: &AppState,
    acting: &Acting,
    whose: Whose,
    body: SaveRoute,
) -> ApiResult<RouteView> {
    require_whole_tenant(acting)?;
    let route_id: RouteId = state.next_id();
    let tenant_id = whose.tenant_id();
    let mut event = acting.event(state, "route.create");
    check_route(&body, whose, event.at)?;
    event.object = Some(("route", route_id.to_string()));
    let mut tx = state.db.system("route").await?;
    if db::count_routes(&mut tx, tenant_id).await? >= MAX_ROUTES {
        return Err(ApiError::conflict(
            "too_many_routes",
            format!("a tenant has at most {MAX_ROUTES} routes"),
        ));
    }
    let by = whose.member(acting);
    let stored = db::insert_route(&mut tx, tenant_id, route_id, &body, by, event.at).await;
    stored.map_err(explain)?;
    let view = show_route(&mut tx, tenant_id, route_id).await?;
    tx.commit(acting.caller.tenant_id, event).await?;
    Ok(view)
}

pub(super) async fn replace_route(
    state: &AppState,
    acting: &Acting,
    whose: Whose,
    route_id: RouteId,
    body: SaveRoute,
) -> ApiResult<RouteView> {
    require_whole_tenant(acting)?;
    let tenant_id = whose.tenant_id();
    let mut event = acting.event(state, "route.update");
    event.object = Some(("route", route_id.to_string()));
    check_route(&body, whose, event.at)?;
    let mut tx = state.db.system("route").await?;
    let changed = db::update_route(&mut tx, tenant_id, route_id, &body).await;
    if !changed.map_err(explain)? {
        return Err(ApiError::not_found());
    }
    let view = show_route(&mut tx, tenant_id, route_id).await?;
    tx.commit(acting.caller.tenant_id, event).await?;
    Ok(view)
}

pub(super) async fn remove_route(
    state: &AppState,
    acting: &Acting,
    whose: Whose,
    route_id: RouteId,
) -> ApiResult<()> {
    require_whole_tenant(acting)?;
    let tenant_id = whose.tenant_id();
    let mut event = acting.event(state, "route.delete");
    event.object = Some(("route", route_id.to_string()));
    let mut tx = state.db.system("route").await?;
    if !db::delete_route(&mut tx, tenant_id, route_id).await? {
        return Err(ApiError::not_found());
    }
    tx.commit(acting.caller.tenant_id, event).await?;
    Ok(())
}

pub(super) async fn create_silence(
    state: &AppState,
    acting: &Acting,
    whose: Whose,
    body: CreateSilence,
) -> ApiResult<SilenceView> {
    require_whole_tenant(acting)?;
    let silence_id: SilenceId = state.next_id();
    let tenant_id = whose.tenant_id();
    let mut event = acting.event(state, "silence.create");
    let reason = body.reason.trim().to_owned();
    if reason.is_empty() || reason.chars().count() > MAX_REASON_CHARS || reason.contains('\0') {
        return Err(ApiError::invalid_field(
            "reason",
            format!("is 1–{MAX_REASON_CHARS} characters"),
        ));
    }
    check_entries("rule", body.rule.as_slice())?;
    check_end("expires_at", Some(body.expires_at), event.at)?;
    event.object = Some(("silence", silence_id.to_string()));
    event.reason = Some(reason);
    let mut tx = state.db.system("silence").await?;
    let by = whose.member(acting);
    let stored = db::insert_silence(&mut tx, tenant_id, silence_id, &body, by, event.at).await;
    stored.map_err(explain)?;
    let view = db::find_silence(&mut tx, tenant_id, silence_id, event.at).await?;
    let view = view.ok_or_else(|| ApiError::internal("a stored silence is not to be seen"))?;
    tx.commit(acting.caller.tenant_id, event).await?;
    Ok(view)
}

/// Ends a silence: what happens from now on is told. Ending what has ended changes nothing.
pub(super) async fn end_silence(
    state: &AppState,
    acting: &Acting,
    whose: Whose,
    silence_id: SilenceId,
) -> ApiResult<SilenceView> {
    require_whole_tenant(acting)?;
    let tenant_id = whose.tenant_id();
    let mut event = acting.event(state, "silence.end");
    event.object = Some(("silence", silence_id.to_string()));
    let at = event.at;
    let mut tx = state.db.system("silence").await?;
    let ended = db::end_silence(&mut tx, tenant_id, silence_id, whose.member(acting), at).await?;
    let view = db::find_silence(&mut tx, tenant_id, silence_id, at)
        .await?
        .ok_or_else(ApiError::not_found)?;
    if ended {
        tx.commit(acting.caller.tenant_id, event).await?;
    }
    Ok(view)
}

async fn show_route(tx: &mut SystemTx, tenant_id: TenantId, route_id: RouteId) -> ApiResult<RouteView> {
    let found = db::list_routes(tx, tenant_id, Some(route_id)).await?;
    let view = found.into_iter().next();
    view.ok_or_else(|| ApiError::internal("a stored route is not to be seen"))
}

fn check_route(body: &SaveRoute, whose: Whose, now: DateTime<Utc>) -> ApiResult<()> {
    check_name("name", &body.name)?;
    check_entries("rules", &body.rules)?;
    check_entries("tags", &body.tags)?;
    if body.agents.len() > MAX_ENTRIES {
        return Err(ApiError::invalid_field(
            "agents",
            format!("has at most {MAX_ENTRIES} entries"),
        ));
    }
    if whose == Whose::Installation && body.source == RouteSource::Incident {
        return Err(ApiError::invalid_field(
            "source",
            "the installation has alerts only; incidents are their tenants'",
        ));
    }
    if body.source == RouteSource::Alert && !(body.tags.is_empty() && body.agents.is_empty()) {
        return Err(ApiError::invalid_field(
            "source",
            "alerts have neither tags nor endpoints",
        ));
    }
    if body.muted_until.is_some_and(|until| until > now) {
        check_end("muted_until", body.muted_until, now)?;
    }
    if body.escalate_after_minutes.is_some() != body.escalate_to.is_some() {
        return Err(ApiError::invalid_field(
            "escalate_to",
            "goes with escalate_after_minutes",
        ));
    }
    if body
        .escalate_after_minutes
        .is_some_and(|minutes| !(1..=MAX_ESCALATION_MINUTES).contains(&minutes))
    {
        return Err(ApiError::invalid_field(
            "escalate_after_minutes",
            "is between 1 and 10,080",
        ));
    }
    Ok(())
}

fn check_entries(field: &'static str, entries: &[String]) -> ApiResult<()> {
    let is_entry = |text: &String| {
        !text.is_empty() && text.chars().count() <= MAX_ENTRY_CHARS && !text.chars().any(char::is_control)
    };
    if entries.len() > MAX_ENTRIES || !entries.iter().all(is_entry) {
        return Err(ApiError::invalid_field(
            field,
            format!("has at most {MAX_ENTRIES} entries of 1–{MAX_ENTRY_CHARS} characters"),
        ));
    }
    Ok(())
}

fn check_end(field: &'static str, end: Option<DateTime<Utc>>, now: DateTime<Utc>) -> ApiResult<()> {
    if end.is_some_and(|end| end <= now || end > now + Duration::days(MAX_DAYS)) {
        return Err(ApiError::invalid_field(
            field,
            format!("has to be later than now, by {MAX_DAYS} days at most"),
        ));
    }
    Ok(())
}

fn explain(error: DbError) -> ApiError {
    let DbError::MissingReference { constraint } = &error else {
        return error.into();
    };
    match constraint.as_str() {
        "routes_channel_id_fkey" => ApiError::invalid_field("channel_id", "is no channel of this tenant"),
        "routes_escalate_to_fkey" => ApiError::invalid_field("escalate_to", "is no channel of this tenant"),
        "silences_agent_id_fkey" => ApiError::invalid_field("agent_id", "is no endpoint of this tenant"),
        "silences_owner_id_fkey" => {
            ApiError::invalid_field("owner_id", "is nobody who may work in this tenant")
        }
        _ => error.into(),
    }
}
