//! Whose alerts, rules, channels, figures and reports a request is about.

use serde::Deserialize;
use sg_db::ReadTx;
use sg_types::{Permission, TenantId, UserId};
use utoipa::IntoParams;

use crate::AppState;
use crate::auth::Acting;
use crate::error::{ApiError, ApiResult};

/// Whose.
#[derive(Debug, Clone, Copy, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct WhoseParams {
    /// `true`: the installation's instead of the tenant's; needs `tenants_manage`.
    pub(crate) installation: Option<bool>,
}

/// The caller's tenant, or the installation, whose rows belong to the system tenant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Whose {
    /// The tenant that the caller works in.
    Tenant(TenantId),
    /// The installation.
    Installation,
}

impl Whose {
    /// What was asked for by `?installation=`.
    ///
    /// # Errors
    /// 403 `missing_permission` for the installation, of whoever does not manage tenants.
    pub(crate) fn of(acting: &Acting, installation: Option<bool>) -> ApiResult<Self> {
        if !installation.unwrap_or(false) {
            return Ok(Self::Tenant(acting.caller.tenant_id));
        }
        if !acting.caller.may(Permission::TenantsManage) {
            return Err(ApiError::missing_permission(Permission::TenantsManage));
        }
        Ok(Self::Installation)
    }

    /// The tenant that the rows belong to.
    pub(crate) fn tenant_id(self) -> TenantId {
        match self {
            Self::Tenant(tenant_id) => tenant_id,
            Self::Installation => TenantId::SYSTEM,
        }
    }

    /// The caller, where rows can say that it was them: nobody is a member of the system tenant, and there the audit log tells.
    pub(crate) fn member(self, acting: &Acting) -> Option<UserId> {
        matches!(self, Self::Tenant(_)).then_some(acting.caller.user_id)
    }

    /// Begins reading these rows: a tenant's under row security, the installation's by name.
    ///
    /// # Errors
    /// What the database says.
    pub(crate) async fn read(self, state: &AppState, acting: &Acting) -> ApiResult<ReadTx> {
        Ok(match self {
            Self::Tenant(_) => state.db.read(&acting.caller, state.now()).await?,
            Self::Installation => state
                .db
                .system_snapshot("what is the installation's")
                .await?
                .into(),
        })
    }
}
