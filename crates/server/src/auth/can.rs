//! `Can<P>`: a handler that takes it runs only for callers who hold permission `P`.

use std::marker::PhantomData;
use std::ops::Deref;

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use sg_db::Proof;
use sg_types::Permission;
use sg_types::api::users::KeyScope;

use super::acting::{Acting, authenticate};
use crate::AppState;
use crate::error::ApiError;

/// A permission as a type, for [`Can`].
pub trait Needs: Send + Sync + 'static {
    /// The permission.
    const PERMISSION: Permission;
}

/// A caller who holds permission `P`; a session only once its user owes no change of password.
#[derive(Debug, Clone)]
pub struct Can<P> {
    acting: Acting,
    permission: PhantomData<P>,
}

impl<P> Deref for Can<P> {
    type Target = Acting;

    fn deref(&self) -> &Acting {
        &self.acting
    }
}

impl<P: Needs> FromRequestParts<AppState> for Can<P> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &AppState) -> Result<Self, ApiError> {
        let acting = authenticate(parts, state, KeyScope::Api).await?;
        // A key was made by somebody who had signed in properly; a password that grew old must not stop programs.
        if acting.caller.must_change_password && matches!(acting.caller.proof, Proof::Session(_)) {
            return Err(ApiError::forbidden(
                "password_change_required",
                "the password has to be changed first: POST /api/v1/users/me/password",
            ));
        }
        if !acting.caller.may(P::PERMISSION) {
            return Err(ApiError::missing_permission(P::PERMISSION));
        }
        Ok(Self {
            acting,
            permission: PhantomData,
        })
    }
}

macro_rules! permissions {
    ($($name:ident),+ $(,)?) => {$(
        #[doc = concat!("[`Permission::", stringify!($name), "`] as a type.")]
        #[derive(Debug, Clone, Copy)]
        pub struct $name;

        impl Needs for $name {
            const PERMISSION: Permission = Permission::$name;
        }
    )+};
}

permissions!(
    EndpointsRead,
    EndpointsManage,
    EventsSend,
    IncidentsRead,
    IncidentsWork,
    RulesRead,
    RulesManage,
    ExceptionsManage,
    CommandsRead,
    CommandsRequest,
    CommandsApprove,
    ApiKeysOwn,
    ApiKeysManage,
    UsersRead,
    UsersManage,
    TenantsManage,
    AuditRead,
    AlertsRead,
    AlertsManage,
    ChannelsManage,
    SilencesManage,
    HoldsManage,
    PoliciesManage,
    ProvidersManage,
    TenantExport,
);
