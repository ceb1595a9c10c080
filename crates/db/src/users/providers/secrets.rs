//! Secrets of providers by their ids.

use sg_types::{TenantId, UserId};
use sqlx::Row;
use uuid::Uuid;

use crate::{
    DbError, SystemTx,
    tx::Connection,
    users::{SealedSecret, SecretLabel, SecretPurpose},
};

/// A secret of the tenant's, sealed.
///
/// # Errors
/// As every query.
pub async fn find_secret_by_id(
    tx: &mut SystemTx,
    tenant_id: TenantId,
    secret_id: Uuid,
) -> Result<Option<SealedSecret>, DbError> {
    let row = sqlx::query(
        "select user_id, purpose, key_id, nonce, ciphertext from users.secrets where tenant_id = $1 and secret_id = $2",
    )
    .bind(tenant_id.0)
    .bind(secret_id)
    .fetch_optional(tx.conn())
    .await?;
    let Some(row) = row else { return Ok(None) };
    let word: String = row.try_get("purpose")?;
    let purpose = SecretPurpose::ALL
        .iter()
        .copied()
        .find(|purpose| purpose.as_str() == word)
        .ok_or_else(|| DbError::Inconsistent(format!("a secret for `{word}`")))?;
    Ok(Some(SealedSecret {
        label: SecretLabel {
            secret_id,
            tenant_id,
            user_id: row.try_get::<Option<Uuid>, _>("user_id")?.map(UserId),
            purpose,
        },
        key_id: row.try_get("key_id")?,
        nonce: row.try_get("nonce")?,
        ciphertext: row.try_get("ciphertext")?,
    }))
}

/// Removes a secret of the tenant's.
///
/// # Errors
/// [`DbError::MissingReference`] when something still needs it.
pub async fn delete_secret(tx: &mut SystemTx, tenant_id: TenantId, secret_id: Uuid) -> Result<(), DbError> {
    sqlx::query("delete from users.secrets where tenant_id = $1 and secret_id = $2")
        .bind(tenant_id.0)
        .bind(secret_id)
        .execute(tx.conn())
        .await?;
    Ok(())
}
