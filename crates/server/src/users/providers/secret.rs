//! Client secrets and bind passwords, sealed.

use chrono::{DateTime, Utc};
use sg_db::SystemTx;
use sg_db::users::providers::{Provider, delete_secret, find_secret_by_id};
use sg_db::users::{SecretLabel, SecretPurpose, hold_secret_keys, insert_secret};
use sg_types::TenantId;
use sg_types::api::providers::ProviderKind;
use uuid::Uuid;

use crate::AppState;
use crate::error::{ApiError, ApiResult};

/// Seals a secret of the tenant's and stores it. Returns its id.
pub(super) async fn store(
    state: &AppState,
    tx: &mut SystemTx,
    tenant_id: TenantId,
    kind: ProviderKind,
    text: &str,
    at: DateTime<Utc>,
) -> ApiResult<Uuid> {
    let purpose = match kind {
        ProviderKind::Oidc => SecretPurpose::OidcClient,
        ProviderKind::Ldap => SecretPurpose::LdapBind,
        ProviderKind::Scim => {
            return Err(ApiError::invalid_field("secret", "provisioning has none"));
        }
    };
    let label = SecretLabel {
        secret_id: state.ids.next(),
        tenant_id,
        user_id: None,
        purpose,
    };
    hold_secret_keys(tx).await?;
    let sealed = state
        .secrets
        .seal(label, text.as_bytes())
        .map_err(ApiError::internal)?;
    if !insert_secret(tx, &sealed, at).await? {
        return Err(ApiError::internal("a new secret has the id of another"));
    }
    Ok(label.secret_id)
}

/// Removes a secret that another one replaced.
pub(super) async fn forget(tx: &mut SystemTx, tenant_id: TenantId, secret_id: Uuid) -> ApiResult<()> {
    Ok(delete_secret(tx, tenant_id, secret_id).await?)
}

/// Opens the provider's secret; none when it has none.
pub(super) async fn open(state: &AppState, provider: &Provider) -> ApiResult<Option<String>> {
    let Some(secret_id) = provider.secret_id else {
        return Ok(None);
    };
    let mut tx = state.db.system("secret of a provider").await?;
    let sealed = find_secret_by_id(&mut tx, provider.tenant_id, secret_id).await?;
    drop(tx);
    let sealed = sealed.ok_or_else(|| ApiError::internal("a provider's secret is gone"))?;
    let opened = state.secrets.open(&sealed).map_err(ApiError::internal)?;
    let text = String::from_utf8(opened.to_vec()).map_err(ApiError::internal)?;
    Ok(Some(text))
}
