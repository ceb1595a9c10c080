//! Changing somebody's role or switching their account on and off.

use sg_db::users::{self as db, EndReason};
use sg_types::api::users::{UpdateUser, UserView};
use sg_types::{Role, TenantId, UserId};

use crate::AppState;
use crate::auth::Acting;
use crate::error::{ApiError, ApiResult};

/// Changes a member of the caller's tenant; takes effect at once, their sessions end.
pub(super) async fn update_user(
    state: &AppState,
    acting: &Acting,
    user_id: UserId,
    body: UpdateUser,
) -> ApiResult<UserView> {
    let tenant_id = acting.caller.tenant_id;
    let mut event = acting.event(state, "user.update");
    event.object = Some(("user", user_id.to_string()));
    let at = event.at;
    let mut tx = state.db.write(&acting.caller, at).await?;
    let seen = db::view_user(&mut tx, tenant_id, user_id)
        .await?
        .ok_or_else(ApiError::not_found)?;
    check(acting, seen.user_id, seen.tenant_id, seen.role, &body)?;
    // The database lets nobody lock a row of somebody above them, so that the reasons are told first.
    let person = db::lock_user(&mut tx, tenant_id, user_id)
        .await?
        .ok_or_else(ApiError::not_found)?;
    check(acting, person.user_id, person.home_tenant_id, person.role, &body)?;
    let at_home = person.home_tenant_id == tenant_id;
    let role = body.role.filter(|role| *role != person.role);
    let is_active = body.is_active.filter(|is_active| *is_active != person.is_active);
    if role.is_none() && is_active.is_none() {
        return Ok(seen);
    }
    match role {
        Some(role) if at_home => db::set_user_role(&mut tx, user_id, role).await?,
        Some(role) => db::set_member_role(&mut tx, tenant_id, user_id, role).await?,
        None => {}
    }
    if let Some(is_active) = is_active {
        db::set_user_active(&mut tx, user_id, is_active).await?;
    }
    if at_home {
        db::end_user_sessions(&mut tx, user_id, None, EndReason::AccessChanged, at).await?;
    }
    let view = db::view_user(&mut tx, tenant_id, user_id)
        .await?
        .ok_or_else(ApiError::not_found)?;
    tx.commit(event).await?;
    Ok(view)
}

fn check(acting: &Acting, user_id: UserId, home: TenantId, role: Role, body: &UpdateUser) -> ApiResult<()> {
    let caller = &acting.caller;
    if user_id == caller.user_id {
        return Err(ApiError::conflict(
            "own_account",
            "nobody changes their own role or switches themselves off; ask another administrator",
        ));
    }
    if !caller.role.may_grant(role) || body.role.is_some_and(|role| !caller.role.may_grant(role)) {
        return Err(ApiError::forbidden(
            "role_too_high",
            format!(
                "nobody grants or takes a role above their own; yours is `{}`",
                caller.role
            ),
        ));
    }
    if body.is_active.is_some() && home != caller.tenant_id {
        return Err(ApiError::forbidden(
            "foreign_account",
            "this person's account belongs to another tenant; only the role here can be changed",
        ));
    }
    Ok(())
}
