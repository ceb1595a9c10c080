//! Setting channels up, changing, removing and trying them.

use chrono::Duration;
use sg_db::DbError;
use sg_db::monitoring::{self as db, ChannelToSave, NOTIFICATION_FAILURE};
use sg_db::users::providers::delete_secret;
use sg_db::{SystemTx, monitoring::Channel};
use sg_types::api::notifications::{
    ChannelSaved, ChannelTarget, CreateChannel, DeliveryAttempt, RouteSource, SaveRoute, TestSample,
    UpdateChannel,
};
use sg_types::{ChannelId, NotificationId, Scope, Severity, TenantId};

use super::super::Whose;
use super::target::{self, Checked};
use super::{check_name, console, sender, template};
use crate::AppState;
use crate::auth::Acting;
use crate::error::{ApiError, ApiResult};

/// Channels of one tenant at most.
const MAX_CHANNELS: i64 = 50;
/// Test messages of one channel in a minute.
const TESTS_PER_MINUTE: i64 = 10;
/// Messages in a minute where nothing is said.
const PER_MINUTE: i32 = 10;

pub(super) async fn create(
    state: &AppState,
    acting: &Acting,
    whose: Whose,
    body: CreateChannel,
) -> ApiResult<ChannelSaved> {
    require_whole_tenant(acting)?;
    check_name("name", &body.name)?;
    check_per_minute(body.per_minute)?;
    template::check(body.target.kind(), &body.templates, console(state))?;
    let checked = target::check(state, body.target)?;
    let (tenant_id, channel_id) = (whose.tenant_id(), state.next_id::<ChannelId>());
    let mut event = acting.event(state, "channel.create");
    event.object = Some(("channel", channel_id.to_string()));
    let mut tx = state.db.system("channel").await?;
    if db::count_channels(&mut tx, tenant_id).await? >= MAX_CHANNELS {
        return Err(ApiError::conflict(
            "too_many_channels",
            format!("a tenant has at most {MAX_CHANNELS} channels"),
        ));
    }
    let secret_id = checked.seal(state, &mut tx, tenant_id, event.at).await?;
    let new = ChannelToSave {
        channel_id,
        tenant_id,
        name: body.name.trim(),
        settings: &checked.settings,
        secret_id,
        per_minute: body.per_minute.unwrap_or(PER_MINUTE),
        templates: &body.templates,
        is_enabled: true,
        at: event.at,
    };
    let is_first = db::insert_channel(&mut tx, &new, whose.member(acting))
        .await
        .map_err(explain)?;
    if is_first {
        for route in first_routes(whose, channel_id) {
            let (id, by) = (state.next_id(), whose.member(acting));
            db::insert_route(&mut tx, tenant_id, id, &route, by, event.at).await?;
        }
    }
    let saved = show(&mut tx, tenant_id, channel_id, Some(&checked)).await?;
    tx.commit(acting.caller.tenant_id, event).await?;
    Ok(saved)
}

pub(super) async fn update(
    state: &AppState,
    acting: &Acting,
    whose: Whose,
    channel_id: ChannelId,
    body: UpdateChannel,
) -> ApiResult<ChannelSaved> {
    require_whole_tenant(acting)?;
    if let Some(name) = &body.name {
        check_name("name", name)?;
    }
    check_per_minute(body.per_minute)?;
    let tenant_id = whose.tenant_id();
    let mut event = acting.event(state, "channel.update");
    event.object = Some(("channel", channel_id.to_string()));
    let mut tx = state.db.system("channel").await?;
    let old = db::lock_channel(&mut tx, tenant_id, channel_id)
        .await?
        .ok_or_else(ApiError::not_found)?;
    if let Some(templates) = &body.templates {
        template::check(old.settings.kind(), templates, console(state))?;
    }
    let checked = match body.target {
        Some(target) => Some(check_kind(state, &old, target)?),
        None => None,
    };
    let secret_id = match &checked {
        Some(checked) => checked.seal(state, &mut tx, tenant_id, event.at).await?,
        None => old.secret_id,
    };
    let name = body.name.as_deref().map_or(old.name.as_str(), str::trim);
    let change = ChannelToSave {
        channel_id,
        tenant_id,
        name,
        settings: checked
            .as_ref()
            .map_or(&old.settings, |checked| &checked.settings),
        secret_id,
        per_minute: body.per_minute.unwrap_or(old.per_minute),
        templates: body.templates.as_ref().unwrap_or(&old.templates),
        is_enabled: body.is_enabled.unwrap_or(old.is_enabled),
        at: event.at,
    };
    db::update_channel(&mut tx, &change).await.map_err(explain)?;
    if checked.is_some()
        && let Some(replaced) = old.secret_id
    {
        delete_secret(&mut tx, tenant_id, replaced).await?;
    }
    if name != old.name {
        // The alert goes by the name.
        db::clear_alert(&mut tx, tenant_id, NOTIFICATION_FAILURE, &old.name, event.at).await?;
    }
    let saved = show(&mut tx, tenant_id, channel_id, checked.as_ref()).await?;
    tx.commit(acting.caller.tenant_id, event).await?;
    Ok(saved)
}

pub(super) async fn remove(
    state: &AppState,
    acting: &Acting,
    whose: Whose,
    channel_id: ChannelId,
) -> ApiResult<()> {
    require_whole_tenant(acting)?;
    let tenant_id = whose.tenant_id();
    let mut event = acting.event(state, "channel.delete");
    event.object = Some(("channel", channel_id.to_string()));
    let mut tx = state.db.system("channel").await?;
    let old = db::lock_channel(&mut tx, tenant_id, channel_id)
        .await?
        .ok_or_else(ApiError::not_found)?;
    db::delete_channel(&mut tx, tenant_id, channel_id).await?;
    if let Some(secret_id) = old.secret_id {
        delete_secret(&mut tx, tenant_id, secret_id).await?;
    }
    db::clear_alert(&mut tx, tenant_id, NOTIFICATION_FAILURE, &old.name, event.at).await?;
    tx.commit(acting.caller.tenant_id, event).await?;
    Ok(())
}

/// Sends a message about nothing, at once and once.
pub(super) async fn try_out(
    state: &AppState,
    acting: &Acting,
    whose: Whose,
    channel_id: ChannelId,
    sample: TestSample,
) -> ApiResult<DeliveryAttempt> {
    require_whole_tenant(acting)?;
    let tenant_id = whose.tenant_id();
    let mut event = acting.event(state, "channel.test");
    event.object = Some(("channel", channel_id.to_string()));
    let mut tx = state.db.system("channel").await?;
    let channel = db::lock_channel(&mut tx, tenant_id, channel_id)
        .await?
        .ok_or_else(ApiError::not_found)?;
    if sample != TestSample::Test && !template::takes_templates(channel.settings.kind()) {
        // Programs at the other end would believe it.
        return Err(ApiError::bad_request(
            "invalid_query",
            "`sample` is for channels that people read: e-mail and Slack",
        ));
    }
    // Nobody's mailbox is filled by tests.
    if db::count_tests(&mut tx, &channel, event.at - Duration::minutes(1)).await? >= TESTS_PER_MINUTE {
        return Err(ApiError::too_many_requests(60));
    }
    drop(tx);
    let id: NotificationId = state.next_id();
    let letter = template::sample(sample, id, event.at, console(state));
    let (attempt, _) = sender::attempt(state, &channel, &letter)
        .await
        .map_err(|error| ApiError::internal(error.into_boxed_dyn_error()))?;
    let mut tx = state.db.system("channel").await?;
    // It may have been removed meanwhile.
    if db::lock_channel(&mut tx, tenant_id, channel_id).await?.is_none() {
        return Err(ApiError::not_found());
    }
    db::record_test(&mut tx, &channel, id, &attempt).await?;
    tx.commit(acting.caller.tenant_id, event).await?;
    Ok(attempt)
}

/// Who sees a part of the tenant does not decide what the whole is told of.
pub(super) fn require_whole_tenant(acting: &Acting) -> ApiResult<()> {
    if acting.caller.scope == Scope::Tenant {
        return Ok(());
    }
    Err(ApiError::forbidden(
        "missing_permission",
        "notifications are for the whole tenant, of which this role sees a part",
    ))
}

fn check_kind(state: &AppState, old: &Channel, target: ChannelTarget) -> ApiResult<Checked> {
    if old.settings.kind() != target.kind() {
        return Err(ApiError::invalid_field(
            "target.kind",
            "the kind of a channel stays",
        ));
    }
    target::check(state, target)
}

fn check_per_minute(per_minute: Option<i32>) -> ApiResult<()> {
    if per_minute.is_some_and(|number| !(1..=600).contains(&number)) {
        return Err(ApiError::invalid_field("per_minute", "is between 1 and 600"));
    }
    Ok(())
}

async fn show(
    tx: &mut SystemTx,
    tenant_id: TenantId,
    channel_id: ChannelId,
    checked: Option<&Checked>,
) -> ApiResult<ChannelSaved> {
    let channel = db::find_channel(tx, tenant_id, channel_id).await?;
    Ok(ChannelSaved {
        channel: channel.ok_or_else(|| ApiError::internal("a stored channel is not to be seen"))?,
        signing_secret: checked.and_then(Checked::signing_secret),
    })
}

/// What the first channel is told of. The installation has no incidents.
fn first_routes(whose: Whose, channel_id: ChannelId) -> Vec<SaveRoute> {
    let routes = [
        (
            "High and critical incidents",
            RouteSource::Incident,
            Severity::High,
        ),
        ("Alerts", RouteSource::Alert, Severity::Low),
    ];
    let has = |source| whose != Whose::Installation || source == RouteSource::Alert;
    let wanted = routes.into_iter().filter(|(_, source, _)| has(*source));
    let made = wanted.map(|(name, source, min_severity)| SaveRoute {
        name: name.to_owned(),
        channel_id,
        source,
        min_severity,
        rules: Vec::new(),
        tags: Vec::new(),
        agents: Vec::new(),
        is_enabled: true,
        muted_until: None,
        escalate_after_minutes: None,
        escalate_to: None,
    });
    made.collect()
}

fn explain(error: DbError) -> ApiError {
    match &error {
        DbError::AlreadyExists { constraint } if constraint == "channels_tenant_id_name_key" => {
            ApiError::conflict("already_exists", "another channel has this name")
        }
        _ => error.into(),
    }
}
