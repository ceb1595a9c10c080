//! Who calls, and where.

use chrono::{DateTime, Duration, Utc};
use sg_db::users as db;
use sg_types::Permission;
use sg_types::api::users::{CurrentSession, TenantRef};

use crate::AppState;
use crate::auth::Acting;
use crate::error::{ApiError, ApiResult};

/// Time before a password's end from which on its user is warned.
const PASSWORD_WARNING: Duration = Duration::days(14);

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
    let password_expires_at = db::find_own_password_expiry(&mut tx).await?;
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
        password_expires_at,
        password_expires_soon: expires_soon(password_expires_at, now),
        mail_enabled: state.mailer.is_some(),
    })
}

/// Whether it is time to warn of a password's end.
pub(super) fn expires_soon(expires_at: Option<DateTime<Utc>>, now: DateTime<Utc>) -> bool {
    expires_at.is_some_and(|end| end - now <= PASSWORD_WARNING)
}
