//! Removing a tenant, with time to think again.

use chrono::Duration;
use sg_db::users as db;
use sg_types::TenantId;
use sg_types::api::users::TenantView;

use super::subscriptions::existing;
use crate::AppState;
use crate::auth::Acting;
use crate::error::{ApiError, ApiResult};

/// Between the wish and the erasure.
const DELAY: Duration = Duration::days(30);

/// Suspends a tenant at once and has it erased after [`DELAY`]. A second wish does not put it off.
pub(super) async fn remove_tenant(
    state: &AppState,
    acting: &Acting,
    tenant_id: TenantId,
) -> ApiResult<TenantView> {
    let tenant_id = existing(tenant_id)?;
    let caller = &acting.caller;
    if [caller.tenant_id, caller.home_tenant_id, TenantId::DEFAULT].contains(&tenant_id) {
        return Err(ApiError::conflict(
            "own_tenant",
            "nobody removes the tenant that they work in or are at home in, or the one that every installation has",
        ));
    }
    let mut event = acting.event(state, "tenant.remove");
    event.object = Some(("tenant", tenant_id.to_string()));
    let mut tx = state.db.system("removal of a tenant").await?;
    let tenant = db::schedule_erasure(&mut tx, tenant_id, event.at + DELAY)
        .await?
        .ok_or_else(ApiError::not_found)?;
    let mut here = event.clone();
    here.event_id = state.next_id();
    tx.record(caller.tenant_id, &here).await?;
    tx.commit(tenant_id, event).await?;
    Ok(tenant)
}
