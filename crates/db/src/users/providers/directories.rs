//! People of a directory, and what its synchronisations did.

use chrono::{DateTime, Utc};
use sg_types::{
    ProviderId, TenantId, UserId,
    api::providers::{SyncReport, SyncView},
};
use sqlx::{Row, types::Json};
use uuid::Uuid;

use super::{ExternalAccount, Provider, configuration::find_provider, identities::account};
use crate::{DbError, Reads, SystemTx, tx::Connection};

/// An account that a directory keeps.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DirectoryLink {
    /// The directory's unchanging name for its person.
    pub subject: String,
    /// The account.
    pub account: ExternalAccount,
    /// Whether it is switched off because the directory had the person no more.
    pub vanished: bool,
}

/// The directory that checks somebody's password, and its name for them. None when passwords of ours do. One query, whether there is such a
/// person or not.
///
/// # Errors
/// As every query.
pub async fn find_directory_link(
    tx: &mut SystemTx,
    user_id: Option<UserId>,
) -> Result<Option<(Provider, String)>, DbError> {
    let row = sqlx::query(
        "select p.provider_id, i.subject
         from users.external_identities i
         join users.identity_providers p on p.tenant_id = i.tenant_id and p.provider_id = i.provider_id
         where i.user_id = $1 and p.kind = 'ldap' and p.is_enabled
         order by i.linked_at, p.provider_id
         limit 1",
    )
    .bind(user_id.map_or(Uuid::nil(), |id| id.0))
    .fetch_optional(tx.conn())
    .await?;
    let Some(row) = row else { return Ok(None) };
    let subject = row.try_get("subject")?;
    let provider = find_provider(tx, ProviderId(row.try_get("provider_id")?)).await?;
    Ok(provider.map(|provider| (provider, subject)))
}

/// Whether a directory checks the password of a user.
///
/// # Errors
/// As every query.
pub async fn has_directory(tx: &mut SystemTx, user_id: UserId) -> Result<bool, DbError> {
    Ok(sqlx::query_scalar("select users.has_directory($1)")
        .bind(user_id.0)
        .fetch_one(tx.conn())
        .await?)
}

/// Everybody whom the provider is linked to; locked until the end of the transaction, in one order everywhere.
///
/// # Errors
/// As every query.
pub async fn list_directory_links(
    tx: &mut SystemTx,
    tenant_id: TenantId,
    provider_id: ProviderId,
) -> Result<Vec<DirectoryLink>, DbError> {
    sqlx::query(
        "select i.subject, i.vanished_at is not null as vanished, u.user_id, u.tenant_id, u.username, u.email, u.full_name, r.based_on,
            u.is_active, u.last_login is not null as was_used
         from users.external_identities i
         join users.users u on u.tenant_id = i.tenant_id and u.user_id = i.user_id
         join users.roles r on r.tenant_id = u.tenant_id and r.role = u.role
         where i.tenant_id = $1 and i.provider_id = $2
         order by u.user_id
         for no key update of u",
    )
    .bind(tenant_id.0)
    .bind(provider_id.0)
    .fetch_all(tx.conn())
    .await?
    .iter()
    .map(|row| {
        Ok(DirectoryLink {
            subject: row.try_get("subject")?,
            account: account(row)?,
            vanished: row.try_get("vanished")?,
        })
    })
    .collect()
}

/// Notes that the directory has these people.
///
/// # Errors
/// As every query.
pub async fn note_seen(
    tx: &mut SystemTx,
    provider_id: ProviderId,
    subjects: &[String],
    at: DateTime<Utc>,
) -> Result<(), DbError> {
    sqlx::query(
        "update users.external_identities set last_seen_at = $3, vanished_at = null where provider_id = $1 and subject = any ($2)",
    )
    .bind(provider_id.0)
    .bind(subjects)
    .bind(at)
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// Notes that an account was switched off because the directory has its person no more.
///
/// # Errors
/// As every query.
pub async fn set_vanished(
    tx: &mut SystemTx,
    provider_id: ProviderId,
    user_id: UserId,
    at: DateTime<Utc>,
) -> Result<(), DbError> {
    sqlx::query(
        "update users.external_identities set vanished_at = $3 where provider_id = $1 and user_id = $2",
    )
    .bind(provider_id.0)
    .bind(user_id.0)
    .bind(at)
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// Keeps what a synchronisation did.
///
/// # Errors
/// As every query.
pub async fn insert_sync(
    tx: &mut SystemTx,
    tenant_id: TenantId,
    provider_id: ProviderId,
    sync: &SyncView,
) -> Result<(), DbError> {
    sqlx::query(
        "insert into users.directory_syncs (sync_id, tenant_id, provider_id, started_at, finished_at, is_dry_run, outcome, report)
         values ($1, $2, $3, $4, $5, $6, $7, $8)",
    )
    .bind(sync.sync_id)
    .bind(tenant_id.0)
    .bind(provider_id.0)
    .bind(sync.started_at)
    .bind(sync.finished_at)
    .bind(sync.is_dry_run)
    .bind(sync.outcome.as_str())
    .bind(Json(&sync.report))
    .execute(tx.conn())
    .await?;
    // The last hundred are kept.
    sqlx::query(
        "delete from users.directory_syncs where tenant_id = $1 and provider_id = $2 and sync_id not in (
            select s.sync_id from users.directory_syncs s where s.tenant_id = $1 and s.provider_id = $2
            order by s.started_at desc, s.sync_id desc limit 100)",
    )
    .bind(tenant_id.0)
    .bind(provider_id.0)
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// The last synchronisations of a provider, newest first.
///
/// # Errors
/// As every query.
pub async fn list_syncs(
    tx: &mut impl Reads,
    tenant_id: TenantId,
    provider_id: ProviderId,
    limit: u32,
) -> Result<Vec<SyncView>, DbError> {
    sqlx::query(
        "select sync_id, started_at, finished_at, is_dry_run, outcome, report
         from users.directory_syncs
         where tenant_id = $1 and provider_id = $2
         order by started_at desc, sync_id desc
         limit $3",
    )
    .bind(tenant_id.0)
    .bind(provider_id.0)
    .bind(i64::from(limit))
    .fetch_all(tx.conn())
    .await?
    .iter()
    .map(|row| {
        Ok(SyncView {
            sync_id: row.try_get("sync_id")?,
            started_at: row.try_get("started_at")?,
            finished_at: row.try_get("finished_at")?,
            is_dry_run: row.try_get("is_dry_run")?,
            outcome: row.try_get::<String, _>("outcome")?.parse()?,
            report: row.try_get::<Json<SyncReport>, _>("report")?.0,
        })
    })
    .collect()
}

/// When the provider was synchronised last, dry runs left out.
///
/// # Errors
/// As every query.
pub async fn last_sync_at(
    tx: &mut SystemTx,
    provider_id: ProviderId,
) -> Result<Option<DateTime<Utc>>, DbError> {
    Ok(sqlx::query_scalar(
        "select max(started_at) from users.directory_syncs where provider_id = $1 and not is_dry_run",
    )
    .bind(provider_id.0)
    .fetch_one(tx.conn())
    .await?)
}
