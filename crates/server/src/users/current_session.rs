//! Who calls, and where.

use sg_db::users as db;
use sg_types::Permission;
use sg_types::api::users::{CurrentSession, TenantRef};

use crate::AppState;
use crate::auth::Acting;
use crate::error::{ApiError, ApiResult};

/// Describes the caller: name, role and permissions in the tenant of this call, and the tenants to choose from.
pub(super) async fn describe(state: &AppState, acting: &Acting) -> ApiResult<CurrentSession> {
    let caller = &acting.caller;
    let now = state.now();
    let mut tx = state.db.read(caller, now).await?;
    let name = db::find_tenant_name(&mut tx, caller.tenant_id)
        .await?
        .ok_or_else(ApiError::unauthenticated)?;
    let tenant = TenantRef {
        tenant_id: caller.tenant_id,
        name,
    };
    let tenants = if caller.scopes.is_some() {
        vec![tenant.clone()]
    } else {
        db::list_own_tenants(&mut tx, now).await?
    };
    let permissions: Vec<Permission> = Permission::ALL
        .iter()
        .copied()
        .filter(|p| caller.may(*p))
        .collect();
    Ok(CurrentSession {
        user_id: caller.user_id,
        username: caller.username.clone(),
        full_name: caller.full_name.clone(),
        role: caller.role.clone(),
        permissions,
        tenant,
        tenants,
        must_change_password: caller.must_change_password,
    })
}
