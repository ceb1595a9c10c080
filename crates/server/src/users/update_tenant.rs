//! Renaming a tenant, suspending it and letting it work again.

use sg_db::users as db;
use sg_types::TenantId;
use sg_types::api::users::{TenantStatus, TenantView, UpdateTenant};

use super::subscriptions::existing;
use super::validate::{Faults, is_display_name};
use crate::AppState;
use crate::auth::Acting;
use crate::error::{ApiError, ApiResult};

/// Changes a tenant. Whoever is signed in there is refused from the commit on; their sessions go on when it is active again.
pub(super) async fn update_tenant(
    state: &AppState,
    acting: &Acting,
    tenant_id: TenantId,
    body: UpdateTenant,
) -> ApiResult<TenantView> {
    let mut faults = Faults::default();
    faults.require(
        body.name.as_deref().is_none_or(|name| is_display_name(name, 255)),
        "name",
        "must have 1–255 characters",
    );
    faults.finish()?;
    let tenant_id = existing(tenant_id)?;
    let caller = &acting.caller;
    let is_own = [caller.tenant_id, caller.home_tenant_id].contains(&tenant_id);
    if is_own && body.status == Some(TenantStatus::Suspended) {
        return Err(ApiError::conflict(
            "own_tenant",
            "nobody suspends the tenant that they work in, or are at home in",
        ));
    }
    let mut event = acting.event(state, "tenant.update");
    event.object = Some(("tenant", tenant_id.to_string()));
    let mut tx = state.db.system("change of a tenant").await?;
    let tenant = db::update_tenant(&mut tx, tenant_id, body.name.as_deref(), body.status)
        .await?
        .ok_or_else(ApiError::not_found)?;
    if tenant_id != caller.tenant_id {
        let mut here = event.clone();
        here.event_id = state.next_id();
        tx.record(caller.tenant_id, &here).await?;
    }
    tx.commit(tenant_id, event).await?;
    Ok(tenant)
}
