//! Where the secrets of apps are kept: sealed, bound to their owner and purpose.

use chrono::{DateTime, Utc};
use secrecy::zeroize::Zeroizing;
use sg_db::SystemTx;
use sg_db::users::factors::{Account, find_totp_secret};
use sg_db::users::{SecretLabel, SecretPurpose, hold_secret_keys, insert_secret};
use uuid::Uuid;

use crate::AppState;
use crate::error::{ApiError, ApiResult};

/// Seals a secret of this person's into the database. Returns its id.
pub(super) async fn seal(
    state: &AppState,
    tx: &mut SystemTx,
    account: &Account,
    secret: &[u8],
    at: DateTime<Utc>,
) -> ApiResult<Uuid> {
    let label = SecretLabel {
        secret_id: state.ids.next(),
        tenant_id: account.tenant_id,
        user_id: Some(account.user_id),
        purpose: SecretPurpose::Totp,
    };
    hold_secret_keys(tx).await?;
    let sealed = state.secrets.seal(label, secret).map_err(ApiError::internal)?;
    insert_secret(tx, &sealed, at).await?;
    Ok(label.secret_id)
}

/// Opens a secret.
pub(super) async fn open(
    state: &AppState,
    tx: &mut SystemTx,
    secret_id: Uuid,
) -> ApiResult<Zeroizing<Vec<u8>>> {
    let sealed = find_totp_secret(tx, secret_id)
        .await?
        .ok_or_else(|| ApiError::internal("a factor without its secret"))?;
    state.secrets.open(&sealed).map_err(ApiError::internal)
}
