//! Sealed secrets. What is in here is ciphertext: the server seals and opens, with keys that no database holds.

use chrono::{DateTime, Utc};
use sg_types::{TenantId, UserId};
use sqlx::{Row, postgres::PgRow};
use uuid::Uuid;

use crate::{DbError, Reads, SystemTx, tx::Connection};

/// What a secret is for (`users.secrets.purpose`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SecretPurpose {
    /// The key of the digests that stand for sign-in names that nobody has.
    SignInDigest,
    /// A second factor's seed (RFC 6238).
    Totp,
    /// The password by which a directory is asked.
    LdapBind,
    /// The secret of an OpenID Connect client.
    OidcClient,
    /// The key that signs outgoing webhooks.
    WebhookSigning,
    /// What is secret of a channel for notifications.
    NotificationChannel,
}

impl SecretPurpose {
    /// Every purpose.
    pub const ALL: &'static [Self] = &[
        Self::SignInDigest,
        Self::Totp,
        Self::LdapBind,
        Self::OidcClient,
        Self::WebhookSigning,
        Self::NotificationChannel,
    ];

    /// The word that is stored.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::SignInDigest => "sign_in_digest",
            Self::Totp => "totp",
            Self::LdapBind => "ldap_bind",
            Self::OidcClient => "oidc_client",
            Self::WebhookSigning => "webhook_signing",
            Self::NotificationChannel => "notification_channel",
        }
    }
}

/// Whose secret it is and what for: what its seal is bound to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SecretLabel {
    /// The row's id.
    pub secret_id: Uuid,
    /// The tenant.
    pub tenant_id: TenantId,
    /// The person; none for a secret of the tenant itself.
    pub user_id: Option<UserId>,
    /// What for.
    pub purpose: SecretPurpose,
}

/// A row of `users.secrets`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SealedSecret {
    /// What the seal is bound to.
    pub label: SecretLabel,
    /// The key that sealed it.
    pub key_id: String,
    /// 12 bytes.
    pub nonce: Vec<u8>,
    /// The ciphertext with its tag of 16 bytes.
    pub ciphertext: Vec<u8>,
}

const COLUMNS: &str = "secret_id, tenant_id, user_id, purpose, key_id, nonce, ciphertext";

/// Keeps the keys that secrets are sealed under in use until this transaction ends. Take it before the ring of keys is looked at: a key is given up
/// only while nobody holds this.
///
/// # Errors
/// As every query.
pub async fn hold_secret_keys(tx: &mut SystemTx) -> Result<(), DbError> {
    sqlx::query("select pg_advisory_xact_lock_shared(hashtextextended('users.secrets', 0))")
        .execute(tx.conn())
        .await?;
    Ok(())
}

/// Waits until nobody seals, and keeps everybody from it until this transaction ends.
///
/// # Errors
/// As every query.
pub async fn claim_secret_keys(tx: &mut SystemTx) -> Result<(), DbError> {
    sqlx::query("select pg_advisory_xact_lock(hashtextextended('users.secrets', 0))")
        .execute(tx.conn())
        .await?;
    Ok(())
}

/// Stores a sealed secret. False when there is one already where only one may be.
///
/// # Errors
/// As every query.
pub async fn insert_secret(
    tx: &mut SystemTx,
    secret: &SealedSecret,
    at: DateTime<Utc>,
) -> Result<bool, DbError> {
    let result = sqlx::query(
        "insert into users.secrets (secret_id, tenant_id, user_id, purpose, key_id, nonce, ciphertext, created_at, sealed_at)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $8)
         on conflict do nothing",
    )
    .bind(secret.label.secret_id)
    .bind(secret.label.tenant_id.0)
    .bind(secret.label.user_id.map(|id| id.0))
    .bind(secret.label.purpose.as_str())
    .bind(&secret.key_id)
    .bind(&secret.nonce)
    .bind(&secret.ciphertext)
    .bind(at)
    .execute(tx.conn())
    .await?;
    Ok(result.rows_affected() == 1)
}

/// The newest secret of that tenant, person and purpose.
///
/// # Errors
/// As every query.
pub async fn find_secret(
    tx: &mut SystemTx,
    tenant_id: TenantId,
    user_id: Option<UserId>,
    purpose: SecretPurpose,
) -> Result<Option<SealedSecret>, DbError> {
    let row = sqlx::query(sqlx::AssertSqlSafe(format!(
        "select {COLUMNS} from users.secrets
         where tenant_id = $1 and user_id is not distinct from $2 and purpose = $3
         order by created_at desc, secret_id desc limit 1"
    )))
    .bind(tenant_id.0)
    .bind(user_id.map(|id| id.0))
    .bind(purpose.as_str())
    .fetch_optional(tx.conn())
    .await?;
    row.as_ref().map(read_secret).transpose()
}

/// Up to `limit` secrets that another key than `key_id` sealed, locked.
///
/// # Errors
/// As every query.
pub async fn lock_secrets_of_other_keys(
    tx: &mut SystemTx,
    key_id: &str,
    limit: i64,
) -> Result<Vec<SealedSecret>, DbError> {
    let rows = sqlx::query(sqlx::AssertSqlSafe(format!(
        "select {COLUMNS} from users.secrets where key_id <> $1 order by secret_id limit $2 for update"
    )))
    .bind(key_id)
    .bind(limit)
    .fetch_all(tx.conn())
    .await?;
    rows.iter().map(read_secret).collect()
}

/// Puts a new seal in place of the old one.
///
/// # Errors
/// As every query.
pub async fn reseal_secret(
    tx: &mut SystemTx,
    secret: &SealedSecret,
    at: DateTime<Utc>,
) -> Result<(), DbError> {
    sqlx::query(
        "update users.secrets set key_id = $2, nonce = $3, ciphertext = $4, sealed_at = $5 where secret_id = $1",
    )
    .bind(secret.label.secret_id)
    .bind(&secret.key_id)
    .bind(&secret.nonce)
    .bind(&secret.ciphertext)
    .bind(at)
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// How many secrets each key has sealed, by key id.
///
/// # Errors
/// As every query.
pub async fn count_secrets_by_key(tx: &mut impl Reads) -> Result<Vec<(String, i64)>, DbError> {
    sqlx::query("select key_id, count(*) as secrets from users.secrets group by key_id order by key_id")
        .fetch_all(tx.conn())
        .await?
        .iter()
        .map(|row| Ok((row.try_get("key_id")?, row.try_get("secrets")?)))
        .collect()
}

fn read_secret(row: &PgRow) -> Result<SealedSecret, DbError> {
    let word: String = row.try_get("purpose")?;
    let purpose = SecretPurpose::ALL
        .iter()
        .copied()
        .find(|purpose| purpose.as_str() == word)
        .ok_or_else(|| DbError::Inconsistent(format!("a secret for `{word}`")))?;
    Ok(SealedSecret {
        label: SecretLabel {
            secret_id: row.try_get("secret_id")?,
            tenant_id: TenantId(row.try_get("tenant_id")?),
            user_id: row.try_get::<Option<Uuid>, _>("user_id")?.map(UserId),
            purpose,
        },
        key_id: row.try_get("key_id")?,
        nonce: row.try_get("nonce")?,
        ciphertext: row.try_get("ciphertext")?,
    })
}
