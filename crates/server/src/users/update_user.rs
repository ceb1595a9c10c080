//! Changing somebody's role or switching their account on and off.

use sg_db::WriteTx;
use sg_db::users::{self as db, EndReason};
use sg_types::api::users::{UpdateUser, UserView};
use sg_types::{RoleName, TenantId, UserId};

use super::require_recent;
use super::roles::{find_grantable, require_grantable};
use crate::AppState;
use crate::auth::Acting;
use crate::error::{ApiError, ApiResult};

/// Changes somebody at home in the caller's tenant; takes effect at once, their sessions end.
pub(super) async fn update_user(
    state: &AppState,
    acting: &Acting,
    user_id: UserId,
    body: UpdateUser,
) -> ApiResult<UserView> {
    if body.role.is_some() {
        require_recent(state, acting).await?;
    }
    let tenant_id = acting.caller.tenant_id;
    let mut event = acting.event(state, "user.update");
    event.object = Some(("user", user_id.to_string()));
    let at = event.at;
    let mut tx = state.db.write(&acting.caller, at).await?;
    let seen = db::view_user(&mut tx, tenant_id, user_id)
        .await?
        .ok_or_else(ApiError::not_found)?;
    check(&mut tx, acting, seen.user_id, seen.tenant_id, &seen.role, &body).await?;
    // The database lets nobody lock a row of somebody above them, so that the reasons are told first.
    let person = db::lock_user(&mut tx, tenant_id, user_id)
        .await?
        .ok_or_else(ApiError::not_found)?;
    check(
        &mut tx,
        acting,
        person.user_id,
        person.home_tenant_id,
        &person.role,
        &body,
    )
    .await?;
    let role = body.role.filter(|role| *role != person.role);
    let is_active = body.is_active.filter(|is_active| *is_active != person.is_active);
    if role.is_none() && is_active.is_none() {
        return Ok(seen);
    }
    if let Some(role) = role {
        db::set_user_role(&mut tx, user_id, role).await?;
    }
    if let Some(is_active) = is_active {
        db::set_user_active(&mut tx, user_id, is_active).await?;
    }
    db::end_user_sessions(&mut tx, user_id, None, EndReason::AccessChanged, at).await?;
    let view = db::view_user(&mut tx, tenant_id, user_id)
        .await?
        .ok_or_else(ApiError::not_found)?;
    tx.commit(event).await?;
    Ok(view)
}

/// Ends every session of somebody at home in the caller's tenant.
pub(super) async fn end_sessions(state: &AppState, acting: &Acting, user_id: UserId) -> ApiResult<()> {
    let tenant_id = acting.caller.tenant_id;
    let mut event = acting.event(state, "user.end_sessions");
    event.object = Some(("user", user_id.to_string()));
    let mut tx = state.db.write(&acting.caller, event.at).await?;
    let seen = db::view_user(&mut tx, tenant_id, user_id)
        .await?
        .ok_or_else(ApiError::not_found)?;
    let nothing = UpdateUser::default();
    check(
        &mut tx,
        acting,
        seen.user_id,
        seen.tenant_id,
        &seen.role,
        &nothing,
    )
    .await?;
    db::end_user_sessions(&mut tx, user_id, None, EndReason::Revoked, event.at).await?;
    tx.commit(event).await?;
    Ok(())
}

async fn check(
    tx: &mut WriteTx,
    acting: &Acting,
    user_id: UserId,
    home: TenantId,
    role: &RoleName,
    body: &UpdateUser,
) -> ApiResult<()> {
    let caller = &acting.caller;
    if user_id == caller.user_id {
        return Err(ApiError::conflict(
            "own_account",
            "nobody changes their own role or switches themselves off; ask another administrator",
        ));
    }
    let current = db::find_role(tx, caller.tenant_id, role)
        .await?
        .ok_or_else(|| ApiError::internal("somebody has a role that does not exist"))?;
    require_grantable(acting, &current)?;
    if home != caller.tenant_id {
        return Err(ApiError::forbidden(
            "foreign_account",
            "this person's account belongs to another tenant; change their access here: /api/v1/users/memberships",
        ));
    }
    if let Some(role) = &body.role {
        find_grantable(tx, acting, caller.tenant_id, role).await?;
    }
    Ok(())
}
