//! Access to this tenant for people whose home is another: by name, for a time, with a reason.

use chrono::{DateTime, Duration, Utc};
use sg_db::users::{self as db, MembershipChange};
use sg_types::UserId;
use sg_types::api::roles::{GrantMembership, MembershipView, UpdateMembership};

use super::roles::{find_grantable, require_grantable};
use super::validate::{Faults, is_display_name};
use crate::AppState;
use crate::auth::Acting;
use crate::error::{ApiError, ApiResult};

/// Days that access lasts at most before somebody decides again.
const MAX_DAYS: i64 = 366;

/// Gives access. A name that nobody has is answered like one of a person who cannot be given it, so that only what creating a user tells
/// anyway is told: that a name exists.
pub(super) async fn grant(
    state: &AppState,
    acting: &Acting,
    body: GrantMembership,
) -> ApiResult<MembershipView> {
    let mut event = acting.event(state, "membership.grant");
    let at = event.at;
    let mut faults = Faults::default();
    faults.require(
        is_display_name(&body.username, 255),
        "username",
        "must have 1–255 characters",
    );
    check(&mut faults, Some(body.expires_at), Some(&body.reason), at);
    faults.finish()?;
    let tenant_id = acting.caller.tenant_id;
    let mut tx = state.db.write(&acting.caller, at).await?;
    find_grantable(&mut tx, acting, tenant_id, &body.role).await?;
    let user_id = db::find_grantee(&mut tx, &body.username).await?.ok_or_else(|| {
        ApiError::invalid_field(
            "username",
            "nobody whose home is another tenant and whose account is active has this name",
        )
    })?;
    let earlier = db::view_membership(&mut tx, tenant_id, user_id, at).await?;
    if earlier.as_ref().is_some_and(|earlier| earlier.is_active) {
        return Err(ApiError::conflict(
            "already_exists",
            "this person has access already; change or end it instead",
        ));
    }
    if let Some(earlier) = earlier {
        let role = db::find_role(&mut tx, tenant_id, &earlier.role)
            .await?
            .ok_or_else(ApiError::not_found)?;
        require_grantable(acting, &role)?;
        db::revoke_keys_of(&mut tx, user_id, at).await?;
    }
    event.object = Some(("membership", user_id.to_string()));
    event.reason = Some(body.reason.clone());
    let change = MembershipChange {
        tenant_id,
        user_id,
        role: &body.role,
        expires_at: body.expires_at,
        granted_by: acting.caller.user_id,
        reason: Some(&body.reason),
    };
    db::put_membership(&mut tx, &change).await?;
    let view = db::view_membership(&mut tx, tenant_id, user_id, at)
        .await?
        .ok_or_else(|| ApiError::internal("a new membership is not to be seen"))?;
    tx.commit(event).await?;
    Ok(view)
}

/// Changes role, end or reason.
pub(super) async fn update(
    state: &AppState,
    acting: &Acting,
    user_id: UserId,
    body: UpdateMembership,
) -> ApiResult<MembershipView> {
    let mut event = acting.event(state, "membership.update");
    let at = event.at;
    let mut faults = Faults::default();
    check(&mut faults, body.expires_at, body.reason.as_deref(), at);
    faults.finish()?;
    let tenant_id = acting.caller.tenant_id;
    let mut tx = state.db.write(&acting.caller, at).await?;
    let before = lock(&mut tx, acting, user_id, at).await?;
    let role = body.role.unwrap_or_else(|| before.role.clone());
    find_grantable(&mut tx, acting, tenant_id, &role).await?;
    let expires_at = body
        .expires_at
        .or(before.expires_at)
        .ok_or_else(|| ApiError::invalid_field("expires_at", "must be given: this access has no end yet"))?;
    if body.expires_at.is_none() && expires_at <= at {
        return Err(ApiError::conflict(
            "membership_ended",
            "this access has ended; give it again with POST /api/v1/users/memberships",
        ));
    }
    let reason = body.reason.or(before.reason.clone());
    event.object = Some(("membership", user_id.to_string()));
    event.reason = reason.clone();
    let change = MembershipChange {
        tenant_id,
        user_id,
        role: &role,
        expires_at,
        granted_by: acting.caller.user_id,
        reason: reason.as_deref(),
    };
    db::put_membership(&mut tx, &change).await?;
    let view = db::view_membership(&mut tx, tenant_id, user_id, at)
        .await?
        .ok_or_else(ApiError::not_found)?;
    tx.commit(event).await?;
    Ok(view)
}

/// Ends access at once, keys included. What the person did, and that they had access, stays on record.
pub(super) async fn end(state: &AppState, acting: &Acting, user_id: UserId) -> ApiResult<()> {
    let mut event = acting.event(state, "membership.end");
    event.object = Some(("membership", user_id.to_string()));
    let at = event.at;
    let tenant_id = acting.caller.tenant_id;
    let mut tx = state.db.write(&acting.caller, at).await?;
    let before = lock(&mut tx, acting, user_id, at).await?;
    if before.expires_at.is_some_and(|end| end <= at) {
        return Ok(());
    }
    let change = MembershipChange {
        tenant_id,
        user_id,
        role: &before.role,
        expires_at: at,
        granted_by: acting.caller.user_id,
        reason: before.reason.as_deref(),
    };
    db::put_membership(&mut tx, &change).await?;
    db::revoke_keys_of(&mut tx, user_id, at).await?;
    Ok(tx.commit(event).await?)
}

async fn lock(
    tx: &mut sg_db::WriteTx,
    acting: &Acting,
    user_id: UserId,
    at: DateTime<Utc>,
) -> ApiResult<MembershipView> {
    let tenant_id = acting.caller.tenant_id;
    let seen = db::view_membership(tx, tenant_id, user_id, at)
        .await?
        .ok_or_else(ApiError::not_found)?;
    if user_id == acting.caller.user_id {
        return Err(ApiError::conflict(
            "own_account",
            "nobody changes their own access; ask an administrator of this tenant",
        ));
    }
    let role = db::find_role(tx, tenant_id, &seen.role)
        .await?
        .ok_or_else(ApiError::not_found)?;
    require_grantable(acting, &role)?;
    db::lock_user(tx, tenant_id, user_id)
        .await?
        .ok_or_else(ApiError::not_found)?;
    db::view_membership(tx, tenant_id, user_id, at)
        .await?
        .ok_or_else(ApiError::not_found)
}

fn check(faults: &mut Faults, expires_at: Option<DateTime<Utc>>, reason: Option<&str>, at: DateTime<Utc>) {
    faults.require(
        expires_at.is_none_or(|end| end > at && end <= at + Duration::days(MAX_DAYS)),
        "expires_at",
        format!("must be in the future, at most {MAX_DAYS} days ahead"),
    );
    faults.require(
        reason.is_none_or(|reason| is_display_name(reason, 500)),
        "reason",
        "must have 1–500 characters",
    );
}
