//! Taking all of somebody's factors away, for those who have lost them: by an administrator, or on the host for the last of those.

use sg_db::audit::{Actor, AuditEvent, Outcome};
use sg_db::users::factors::{delete_all_factors, insert_notice, lock_account};
use sg_db::users::{self as db, EndReason};
use sg_db::{Db, DbError};
use sg_types::{Clock, Ids, UserId};

use super::notify;
use crate::AppState;
use crate::auth::Acting;
use crate::error::{ApiError, ApiResult};
use crate::users::roles::require_grantable;

/// Why nothing was reset.
#[derive(Debug, thiserror::Error)]
pub enum ResetError {
    /// Nobody has that name.
    #[error("nobody has the user name `{0}`; an administrator sees all names in the console under Users")]
    UnknownUser(String),
    /// The database did not take it.
    #[error(transparent)]
    Database(#[from] DbError),
}

/// Resets the factors of a member of the caller's tenant; their sessions end, and they are told who did it.
pub(super) async fn reset_factors(state: &AppState, acting: &Acting, user_id: UserId) -> ApiResult<()> {
    let caller = &acting.caller;
    let mut event = acting.event(state, "user.reset_factors");
    event.object = Some(("user", user_id.to_string()));
    let at = event.at;
    let mut tx = state.db.system("reset of factors").await?;
    let person = db::lock_user(&mut tx, caller.tenant_id, user_id)
        .await?
        .ok_or_else(ApiError::not_found)?;
    if user_id == caller.user_id {
        return Err(ApiError::conflict(
            "own_account",
            "nobody resets their own factors; remove them one by one, or ask another administrator",
        ));
    }
    let role = db::find_role(&mut tx, caller.tenant_id, &person.role)
        .await?
        .ok_or_else(|| ApiError::internal("somebody has a role that does not exist"))?;
    require_grantable(acting, &role)?;
    if person.home_tenant_id != caller.tenant_id {
        return Err(ApiError::forbidden(
            "foreign_account",
            "this person's account belongs to another tenant; its administrators reset factors",
        ));
    }
    let account = lock_account(&mut tx, user_id)
        .await?
        .ok_or_else(ApiError::not_found)?;
    delete_all_factors(&mut tx, user_id).await?;
    db::end_user_sessions(&mut tx, user_id, None, EndReason::AccessChanged, at).await?;
    notify(
        state,
        &mut tx,
        &account,
        "factors_reset",
        Some(&caller.username),
        at,
    )
    .await?;
    tx.commit(account.tenant_id, event).await?;
    Ok(())
}

/// Resets the factors of `username`; their sessions end. The audit log says that it was done on the host. Returns how many factors there were.
///
/// # Errors
/// [`ResetError`].
pub async fn reset_on_host(
    db: &Db,
    clock: &dyn Clock,
    ids: &dyn Ids,
    username: &str,
) -> Result<usize, ResetError> {
    let at = clock.now();
    let mut tx = db.system("reset of factors on the host").await?;
    let unknown = || ResetError::UnknownUser(username.to_owned());
    let user_id = db::find_user_id(&mut tx, username).await?.ok_or_else(unknown)?;
    let account = lock_account(&mut tx, user_id).await?.ok_or_else(unknown)?;
    let count = delete_all_factors(&mut tx, user_id).await?;
    db::end_user_sessions(&mut tx, user_id, None, EndReason::AccessChanged, at).await?;
    let (tenant, kind, detail) = (account.tenant_id, "factors_reset", Some("done on the host"));
    insert_notice(&mut tx, ids.next(), tenant, user_id, kind, detail, at).await?;
    let event = AuditEvent {
        event_id: ids.next().into(),
        at,
        actor: Actor::system("admin reset-factors"),
        action: "user.reset_factors",
        object: Some(("user", user_id.to_string())),
        outcome: Outcome::Success,
        reason: Some("done on the host".to_owned()),
        request_id: None,
        address: None,
    };
    tx.commit(account.tenant_id, event).await?;
    Ok(count)
}
