//! What tenants have subscribed to.

use sg_db::users as db;
use sg_types::TenantId;
use sg_types::api::subscriptions::{SubscriptionStatus, SubscriptionView, UpdateSubscription};

use super::validate::{Faults, is_display_name};
use crate::AppState;
use crate::auth::Acting;
use crate::error::{ApiError, ApiResult};

/// The classes of retention, in days: each has partitions of its own.
const RETENTION_DAYS: [i16; 3] = [30, 90, 400];

/// The subscription of the caller's own tenant.
pub(super) async fn describe_own(state: &AppState, acting: &Acting) -> ApiResult<SubscriptionView> {
    let now = state.now();
    let mut tx = state.db.read(&acting.caller, now).await?;
    db::find_own_subscription(&mut tx, now)
        .await?
        .ok_or_else(ApiError::not_found)
}

/// The subscription of any tenant.
pub(super) async fn describe(state: &AppState, tenant_id: TenantId) -> ApiResult<SubscriptionView> {
    let mut tx = state.db.system("subscription of a tenant").await?;
    db::find_subscription(&mut tx, existing(tenant_id)?, state.now())
        .await?
        .ok_or_else(ApiError::not_found)
}

/// Changes a tenant's subscription. Fewer than are in use is no error: nothing is taken away, only nothing added.
pub(super) async fn change(
    state: &AppState,
    acting: &Acting,
    tenant_id: TenantId,
    body: UpdateSubscription,
) -> ApiResult<SubscriptionView> {
    validate(&body)?;
    let mut event = acting.event(state, "subscription.change");
    event.object = Some(("tenant", tenant_id.to_string()));
    event.reason = Some(body.reason.clone());
    let mut tx = state.db.system("change of a subscription").await?;
    let changed = db::change_subscription(&mut tx, existing(tenant_id)?, &body, acting.caller.user_id).await;
    if !changed.map_err(explain)? {
        return Err(ApiError::not_found());
    }
    let view = db::find_subscription(&mut tx, tenant_id, event.at)
        .await?
        .ok_or_else(ApiError::not_found)?;
    if tenant_id != acting.caller.tenant_id {
        let mut here = event.clone();
        here.event_id = state.next_id();
        tx.record(acting.caller.tenant_id, &here).await?;
    }
    tx.commit(tenant_id, event).await?;
    Ok(view)
}

/// The reserved tenant is nobody's business.
pub(super) fn existing(tenant_id: TenantId) -> ApiResult<TenantId> {
    if tenant_id == TenantId::SYSTEM {
        Err(ApiError::not_found())
    } else {
        Ok(tenant_id)
    }
}

fn validate(body: &UpdateSubscription) -> ApiResult<()> {
    let mut faults = Faults::default();
    let limits = &body.own_limits;
    for (name, limit) in [
        ("own_limits.endpoints", limits.endpoints),
        ("own_limits.users", limits.users),
    ] {
        faults.require(limit.is_none_or(|limit| limit >= 0), name, "must not be negative");
    }
    faults.require(
        limits
            .retention_days
            .is_none_or(|days| RETENTION_DAYS.contains(&days)),
        "own_limits.retention_days",
        "must be one of 30, 90, 400",
    );
    faults.require(
        body.status != SubscriptionStatus::Trial || body.trial_ends_at.is_some(),
        "trial_ends_at",
        "must be given for a trial",
    );
    let in_order = body
        .period_end
        .zip(body.period_start)
        .is_none_or(|(end, start)| end > start);
    faults.require(in_order, "period_end", "must be after the period's start");
    faults.require(
        is_display_name(&body.reason, 500),
        "reason",
        "must have 1–500 characters",
    );
    faults.finish()
}

fn explain(error: sg_db::DbError) -> ApiError {
    match error {
        sg_db::DbError::MissingReference { .. } => ApiError::invalid_field("plan", "there is no such plan"),
        sg_db::DbError::InvalidValue { constraint } if constraint == "subscriptions_period_end_check" => {
            ApiError::invalid_field("period_end", "must be after the period's start")
        }
        other => other.into(),
    }
}
