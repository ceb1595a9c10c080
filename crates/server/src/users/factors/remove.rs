//! Taking a factor of one's own away.

use sg_db::users::factors::{delete_factor, find_factor_deadline, list_factors, lock_account};
use sg_types::FactorId;

use super::notify;
use crate::AppState;
use crate::auth::Acting;
use crate::error::{ApiError, ApiResult};

/// Removes a factor of the caller's. The last one stays while a rule requires one.
pub(super) async fn remove_factor(state: &AppState, acting: &Acting, factor_id: FactorId) -> ApiResult<()> {
    let mut event = acting.event(state, "factor.remove");
    event.object = Some(("factor", factor_id.to_string()));
    let at = event.at;
    let mut tx = state.db.system("factor removal").await?;
    let account = lock_account(&mut tx, acting.caller.user_id)
        .await?
        .ok_or_else(ApiError::unauthenticated)?;
    let removed = delete_factor(&mut tx, account.user_id, factor_id)
        .await?
        .ok_or_else(ApiError::not_found)?;
    if list_factors(&mut tx, account.user_id).await?.is_empty() {
        let deadline = find_factor_deadline(&mut tx, account.user_id, at).await?;
        if deadline.is_some_and(|deadline| deadline <= at) {
            return Err(ApiError::conflict(
                "factor_required",
                "your role needs a second factor; add another one before you remove the last",
            ));
        }
    }
    notify(
        state,
        &mut tx,
        &account,
        "factor_removed",
        Some(&removed.name),
        at,
    )
    .await?;
    tx.commit(account.tenant_id, event).await?;
    Ok(())
}
