//! API keys.

use chrono::{DateTime, Utc};
use sg_types::{
    KeyId, TenantId, UserId,
    api::users::{ApiKeyView, KeyScope},
};
use sqlx::{Row, postgres::PgRow};
use uuid::Uuid;

use super::After;
use crate::{DbError, Reads, SystemTx, TokenHash, Writes, tx::Connection};

/// A key to be.
#[derive(Debug)]
pub struct NewApiKey<'a> {
    /// The key's id.
    pub key_id: KeyId,
    /// The tenant it works in.
    pub tenant_id: TenantId,
    /// Whose it is; a member of that tenant.
    pub user_id: UserId,
    /// Hash of the secret.
    pub hash: TokenHash,
    /// First ten characters of the secret.
    pub prefix: &'a str,
    /// Its name.
    pub name: &'a str,
    /// What it may be used for, at least one.
    pub scopes: &'a [KeyScope],
    /// When it ends.
    pub expires_at: Option<DateTime<Utc>>,
    /// How many enrolments it is good for, 1 or more.
    pub max_enrolments: Option<i64>,
    /// The key whose place it takes.
    pub replaces: Option<KeyId>,
}

/// Whose keys to look at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyOwner {
    /// One user's.
    Only(UserId),
    /// Everybody's in the tenant.
    Everybody,
}

impl KeyOwner {
    fn user_id(self) -> Option<Uuid> {
        match self {
            Self::Only(user_id) => Some(user_id.0),
            Self::Everybody => None,
        }
    }
}

/// Creates a key.
///
/// # Errors
/// [`DbError::MissingReference`] when the owner is no member of the tenant.
pub async fn insert_api_key(tx: &mut impl Writes, key: &NewApiKey<'_>) -> Result<(), DbError> {
    let scopes: Vec<&str> = key.scopes.iter().map(|scope| scope.as_str()).collect();
    sqlx::query(
        "insert into users.api_keys (key_id, tenant_id, user_id, key_hash, key_prefix, key_name, scopes, expires_at, max_enrolments,
            replaces_key_id)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
    )
    .bind(key.key_id.0)
    .bind(key.tenant_id.0)
    .bind(key.user_id.0)
    .bind(key.hash.to_hex())
    .bind(key.prefix)
    .bind(key.name)
    .bind(scopes)
    .bind(key.expires_at)
    .bind(key.max_enrolments)
    .bind(key.replaces.map(|id| id.0))
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// Keys of the tenant, newest first.
///
/// # Errors
/// As every query.
pub async fn list_api_keys(
    tx: &mut impl Reads,
    owner: KeyOwner,
    after: Option<After>,
    limit: u32,
) -> Result<Vec<ApiKeyView>, DbError> {
    sqlx::query(
        "select k.key_id, k.user_id, u.username, k.key_name, k.key_prefix, k.scopes, k.is_active, k.expires_at, k.last_used,
            k.usage_count, k.created_at, k.max_enrolments, k.enrolments, k.replaces_key_id
         from users.api_keys k
         join users.users u on u.user_id = k.user_id
         where ($1::uuid is null or k.user_id = $1)
            and ($2::timestamptz is null or (k.created_at, k.key_id) < ($2, $3))
         order by k.created_at desc, k.key_id desc
         limit $4",
    )
    .bind(owner.user_id())
    .bind(after.map(|a| a.at))
    .bind(after.map(|a| a.id))
    .bind(i64::from(limit))
    .fetch_all(tx.conn())
    .await?
    .iter()
    .map(view)
    .collect()
}

/// One key of the tenant.
///
/// # Errors
/// As every query.
pub async fn find_api_key(
    tx: &mut impl Reads,
    owner: KeyOwner,
    key_id: KeyId,
) -> Result<Option<ApiKeyView>, DbError> {
    sqlx::query(
        "select k.key_id, k.user_id, u.username, k.key_name, k.key_prefix, k.scopes, k.is_active, k.expires_at, k.last_used,
            k.usage_count, k.created_at, k.max_enrolments, k.enrolments, k.replaces_key_id
         from users.api_keys k
         join users.users u on u.user_id = k.user_id
         where k.key_id = $2 and ($1::uuid is null or k.user_id = $1)",
    )
    .bind(owner.user_id())
    .bind(key_id.0)
    .fetch_optional(tx.conn())
    .await?
    .as_ref()
    .map(view)
    .transpose()
}

/// Revokes a key; from the commit on it opens nothing. A key that is revoked already stays as it is.
///
/// # Errors
/// As every query.
pub async fn revoke_api_key(tx: &mut impl Writes, key_id: KeyId, at: DateTime<Utc>) -> Result<(), DbError> {
    sqlx::query(
        "update users.api_keys set is_active = false, revoked_at = $2 where key_id = $1 and is_active",
    )
    .bind(key_id.0)
    .bind(at)
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// Brings the end of an active key forward to `at`; a key that ends sooner, or is revoked, stays as it is. False when there is no active key.
///
/// # Errors
/// As every query.
pub async fn end_api_key_by(tx: &mut impl Writes, key_id: KeyId, at: DateTime<Utc>) -> Result<bool, DbError> {
    let result = sqlx::query(
        "update users.api_keys set expires_at = least(expires_at, $2) where key_id = $1 and is_active",
    )
    .bind(key_id.0)
    .bind(at)
    .execute(tx.conn())
    .await?;
    Ok(result.rows_affected() == 1)
}

/// Uses of one key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KeyUse {
    /// The key.
    pub key_id: KeyId,
    /// How many uses to add.
    pub uses: i64,
    /// The last of them.
    pub last_used: DateTime<Utc>,
}

/// Adds uses to several keys at once, each at most once in `uses`.
///
/// # Errors
/// As every query.
pub async fn count_key_uses(tx: &mut SystemTx, uses: &[KeyUse]) -> Result<(), DbError> {
    // In one order everywhere, so that two nodes do not wait for each other.
    let mut uses = uses.to_vec();
    uses.sort_unstable_by_key(|key_use| key_use.key_id);
    sqlx::query(
        "update users.api_keys k
         set usage_count = k.usage_count + u.uses, last_used = greatest(k.last_used, u.last_used)
         from unnest($1::uuid[], $2::bigint[], $3::timestamptz[]) as u (key_id, uses, last_used)
         where k.key_id = u.key_id",
    )
    .bind(uses.iter().map(|key_use| key_use.key_id.0).collect::<Vec<_>>())
    .bind(uses.iter().map(|key_use| key_use.uses).collect::<Vec<_>>())
    .bind(uses.iter().map(|key_use| key_use.last_used).collect::<Vec<_>>())
    .execute(tx.conn())
    .await?;
    Ok(())
}

fn view(row: &PgRow) -> Result<ApiKeyView, DbError> {
    let scopes: Vec<String> = row.try_get("scopes")?;
    Ok(ApiKeyView {
        key_id: row.try_get::<Uuid, _>("key_id")?.into(),
        user_id: row.try_get::<Uuid, _>("user_id")?.into(),
        username: row.try_get("username")?,
        key_name: row.try_get("key_name")?,
        key_prefix: row.try_get("key_prefix")?,
        scopes: scopes.iter().map(|word| word.parse()).collect::<Result<_, _>>()?,
        is_active: row.try_get("is_active")?,
        expires_at: row.try_get("expires_at")?,
        last_used: row.try_get("last_used")?,
        usage_count: row.try_get("usage_count")?,
        created_at: row.try_get("created_at")?,
        max_enrolments: row.try_get("max_enrolments")?,
        enrolments: row.try_get("enrolments")?,
        replaces_key_id: row.try_get::<Option<Uuid>, _>("replaces_key_id")?.map(KeyId),
    })
}
