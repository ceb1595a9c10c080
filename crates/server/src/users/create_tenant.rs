//! Creating tenants.

use sg_db::users as db;
use sg_types::TenantId;
use sg_types::api::users::{CreateTenant, TenantView};

use super::validate::{Faults, is_display_name, is_slug};
use crate::AppState;
use crate::auth::Acting;
use crate::error::ApiResult;

/// Creates a tenant with the default password policy and nobody in it.
pub(super) async fn create_tenant(
    state: &AppState,
    acting: &Acting,
    body: CreateTenant,
) -> ApiResult<TenantView> {
    let mut faults = Faults::default();
    faults.require(
        is_display_name(&body.name, 255),
        "name",
        "must have 1–255 characters",
    );
    faults.require(
        is_slug(&body.slug),
        "slug",
        "must have 1–63 of a–z, 0–9 and inner hyphens",
    );
    faults.finish()?;
    let tenant_id: TenantId = state.next_id();
    let mut event = acting.event(state, "tenant.create");
    event.object = Some(("tenant", tenant_id.to_string()));
    let mut tx = state.db.system("new tenant").await?;
    let tenant = db::insert_tenant(&mut tx, tenant_id, &body.name, &body.slug).await?;
    let mut there = event.clone();
    there.event_id = state.next_id();
    tx.record(tenant_id, &there).await?;
    tx.commit(acting.caller.tenant_id, event).await?;
    Ok(tenant)
}
