//! What people see of their own factors.

use sg_db::users::factors::{
    count_backup_codes, dismiss_notices, find_factor_deadline, list_factors, list_notices,
};
use sg_types::api::factors::{FactorOverview, Notices};

use super::relying_party;
use crate::AppState;
use crate::auth::Acting;
use crate::error::ApiResult;

/// The caller's factors, and what the rules ask of them.
pub(super) async fn show(state: &AppState, acting: &Acting) -> ApiResult<FactorOverview> {
    let user_id = acting.caller.user_id;
    let mut tx = state.db.system("own factors").await?;
    Ok(FactorOverview {
        factors: list_factors(&mut tx, user_id).await?,
        backup_codes_left: count_backup_codes(&mut tx, user_id).await?,
        required_from: find_factor_deadline(&mut tx, user_id, state.now()).await?,
        passkeys_available: relying_party(state).is_some(),
    })
}

/// What the caller has not been told yet.
pub(super) async fn show_notices(state: &AppState, acting: &Acting) -> ApiResult<Notices> {
    let user_id = acting.caller.user_id;
    let mut tx = state.db.system("own notices").await?;
    let has_factor = !list_factors(&mut tx, user_id).await?.is_empty();
    let deadline = find_factor_deadline(&mut tx, user_id, state.now()).await?;
    Ok(Notices {
        notices: list_notices(&mut tx, user_id).await?,
        factor_due: deadline.filter(|_| !has_factor),
    })
}

/// Takes the caller's notices away.
pub(super) async fn dismiss(state: &AppState, acting: &Acting) -> ApiResult<()> {
    let mut tx = state.db.system("own notices").await?;
    dismiss_notices(&mut tx, acting.caller.user_id, state.now()).await?;
    // What somebody has read is no act upon the product: it leaves no audit entry.
    tx.commit_upkeep().await?;
    Ok(())
}
