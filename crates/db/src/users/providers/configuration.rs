//! The configuration of identity providers.

use chrono::{DateTime, Utc};
use sg_types::{
    ProviderId, Role, TenantId,
    api::providers::{ProviderSettings, ProviderView, PublicationView, RoleMapping},
};
use sqlx::{Row, postgres::PgRow, types::Json};
use uuid::Uuid;

use crate::{DbError, Reads, SystemTx, tx::Connection, users::After};

/// A provider as the server works with it.
#[derive(Debug, Clone)]
pub struct Provider {
    /// Its id.
    pub provider_id: ProviderId,
    /// Whose it is.
    pub tenant_id: TenantId,
    /// Its name.
    pub name: String,
    /// Whether it is in use.
    pub is_enabled: bool,
    /// Whether people whom nobody has created yet get an account.
    pub creates_users: bool,
    /// The role of who has no other.
    pub default_role: Role,
    /// The highest role that it gives or signs in.
    pub highest_role: Role,
    /// What gives which role.
    pub role_mappings: Vec<RoleMapping>,
    /// E-mail domains that lead to it.
    pub domains: Vec<String>,
    /// What only its kind has.
    pub settings: ProviderSettings,
    /// Where its secret is.
    pub secret_id: Option<Uuid>,
    /// When it was changed last.
    pub updated_at: DateTime<Utc>,
}

/// A provider to be stored.
#[derive(Debug)]
pub struct ProviderToSave<'a> {
    /// Its id.
    pub provider_id: ProviderId,
    /// Whose it is.
    pub tenant_id: TenantId,
    /// Its name.
    pub name: &'a str,
    /// Whether it is in use.
    pub is_enabled: bool,
    /// Whether the sign-in page shows it to everybody.
    pub is_listed: bool,
    /// Whether people whom nobody has created yet get an account.
    pub creates_users: bool,
    /// The role of who has no other.
    pub default_role: Role,
    /// The highest role that it gives or signs in.
    pub highest_role: Role,
    /// What gives which role.
    pub role_mappings: &'a [RoleMapping],
    /// What only its kind has.
    pub settings: &'a ProviderSettings,
    /// Where its secret is.
    pub secret_id: Option<Uuid>,
    /// The time.
    pub at: DateTime<Utc>,
}

/// The query for views, with what is behind `from`.
macro_rules! view_query {
    ($rest:literal) => {
        concat!(
            "select p.provider_id, p.name, p.is_enabled, p.is_listed, p.creates_users, p.default_role, p.highest_role,
        p.role_mappings, p.settings, p.secret_id is not null as has_secret,
        p.created_at, p.updated_at,
        (p.kind = 'oidc' and (p.is_listed and not p.is_published or exists (
            select from users.provider_domains d where d.provider_id = p.provider_id and not d.is_published))) as is_waiting,
        (select coalesce(array_agg(d.domain order by d.domain), '{}') from users.provider_domains d where d.provider_id = p.provider_id) as domains,
        (select count(*) from users.external_identities i where i.tenant_id = p.tenant_id and i.provider_id = p.provider_id) as linked_users
     from users.identity_providers p ",
            $rest
        )
    };
}

/// The query for providers to work with, with what is behind the joins.
macro_rules! work_query {
    ($rest:literal) => {
        concat!(
            "select p.provider_id, p.tenant_id, p.name, p.is_enabled, p.creates_users, p.default_role, p.highest_role,
        p.role_mappings, p.settings, p.secret_id, p.updated_at,
        (select coalesce(array_agg(d.domain order by d.domain), '{}') from users.provider_domains d where d.provider_id = p.provider_id) as domains
     from users.identity_providers p
     join users.tenants t on t.tenant_id = p.tenant_id ",
            $rest
        )
    };
}

/// The providers of the tenant, oldest first.
///
/// # Errors
/// As every query.
pub async fn list_providers(
    tx: &mut impl Reads,
    tenant_id: TenantId,
    after: Option<After>,
    limit: u32,
) -> Result<Vec<ProviderView>, DbError> {
    sqlx::query(view_query!(
        "where p.tenant_id = $1 and ($2::timestamptz is null or (p.created_at, p.provider_id) > ($2, $3))
         order by p.created_at, p.provider_id limit $4"
    ))
    .bind(tenant_id.0)
    .bind(after.map(|a| a.at))
    .bind(after.map(|a| a.id))
    .bind(i64::from(limit))
    .fetch_all(tx.conn())
    .await?
    .iter()
    .map(view)
    .collect()
}

/// One provider of the tenant.
///
/// # Errors
/// As every query.
pub async fn view_provider(
    tx: &mut impl Reads,
    tenant_id: TenantId,
    provider_id: ProviderId,
) -> Result<Option<ProviderView>, DbError> {
    sqlx::query(view_query!("where p.tenant_id = $1 and p.provider_id = $2"))
        .bind(tenant_id.0)
        .bind(provider_id.0)
        .fetch_optional(tx.conn())
        .await?
        .as_ref()
        .map(view)
        .transpose()
}

/// A provider by its id alone, for somebody who is about to sign in. None when its tenant is suspended.
///
/// # Errors
/// As every query.
pub async fn find_provider(tx: &mut SystemTx, provider_id: ProviderId) -> Result<Option<Provider>, DbError> {
    sqlx::query(work_query!("where p.provider_id = $1 and t.status = 'active'"))
        .bind(provider_id.0)
        .fetch_optional(tx.conn())
        .await?
        .as_ref()
        .map(provider)
        .transpose()
}

/// The providers of a kind that are in use, of all tenants.
///
/// # Errors
/// As every query.
pub async fn list_enabled_providers(tx: &mut SystemTx, kind: &str) -> Result<Vec<Provider>, DbError> {
    sqlx::query(work_query!(
        "where p.kind = $1 and p.is_enabled and t.status = 'active' order by p.provider_id"
    ))
    .bind(kind)
    .fetch_all(tx.conn())
    .await?
    .iter()
    .map(provider)
    .collect()
}

/// What the sign-in page offers: the OpenID providers that are listed, and the one that `domain` (lower case) leads to. Both once they are published.
///
/// # Errors
/// As every query.
pub async fn list_offered_providers(
    tx: &mut SystemTx,
    domain: Option<&str>,
) -> Result<Vec<(ProviderId, String)>, DbError> {
    sqlx::query(
        "select p.provider_id, p.name
         from users.identity_providers p
         join users.tenants t on t.tenant_id = p.tenant_id
         where p.kind = 'oidc' and p.is_enabled and t.status = 'active'
            and (p.is_listed and p.is_published or exists (
                select from users.provider_domains d where d.provider_id = p.provider_id and d.domain = $1 and d.is_published))
         order by p.name, p.provider_id
         limit 100",
    )
    .bind(domain)
    .fetch_all(tx.conn())
    .await?
    .iter()
    .map(|row| {
        Ok((
            row.try_get::<Uuid, _>("provider_id")?.into(),
            row.try_get("name")?,
        ))
    })
    .collect()
}

/// Stores a provider.
///
/// # Errors
/// [`DbError::AlreadyExists`] when the tenant has one of that name, or a second one for provisioning.
pub async fn insert_provider(tx: &mut SystemTx, new: &ProviderToSave<'_>) -> Result<(), DbError> {
    sqlx::query(
        "insert into users.identity_providers (provider_id, tenant_id, kind, name, is_enabled, is_listed, creates_users, default_role,
            highest_role, role_mappings, settings, secret_id, created_at, updated_at)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $13)",
    )
    .bind(new.provider_id.0)
    .bind(new.tenant_id.0)
    .bind(new.settings.kind().as_str())
    .bind(new.name)
    .bind(new.is_enabled)
    .bind(new.is_listed)
    .bind(new.creates_users)
    .bind(new.default_role.as_str())
    .bind(new.highest_role.as_str())
    .bind(Json(new.role_mappings))
    .bind(Json(new.settings))
    .bind(new.secret_id)
    .bind(new.at)
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// Replaces a provider, whose kind stays. False when there is none of that kind.
///
/// # Errors
/// [`DbError::AlreadyExists`] when the tenant has another one of that name.
pub async fn update_provider(tx: &mut SystemTx, new: &ProviderToSave<'_>) -> Result<bool, DbError> {
    let result = sqlx::query(
        "update users.identity_providers
         set name = $4, is_enabled = $5, is_listed = $6, creates_users = $7, default_role = $8, highest_role = $9, role_mappings = $10,
            settings = $11, secret_id = $12, updated_at = $13, is_published = is_published and $6
         where provider_id = $1 and tenant_id = $2 and kind = $3",
    )
    .bind(new.provider_id.0)
    .bind(new.tenant_id.0)
    .bind(new.settings.kind().as_str())
    .bind(new.name)
    .bind(new.is_enabled)
    .bind(new.is_listed)
    .bind(new.creates_users)
    .bind(new.default_role.as_str())
    .bind(new.highest_role.as_str())
    .bind(Json(new.role_mappings))
    .bind(Json(new.settings))
    .bind(new.secret_id)
    .bind(new.at)
    .execute(tx.conn())
    .await?;
    Ok(result.rows_affected() == 1)
}

/// Replaces the e-mail domains (lower case) of a provider. New ones lead nowhere until they are published.
///
/// # Errors
/// As every query.
pub async fn set_provider_domains(
    tx: &mut SystemTx,
    tenant_id: TenantId,
    provider_id: ProviderId,
    domains: &[String],
) -> Result<(), DbError> {
    sqlx::query(
        "delete from users.provider_domains where tenant_id = $1 and provider_id = $2 and not domain = any ($3)",
    )
    .bind(tenant_id.0)
    .bind(provider_id.0)
    .bind(domains)
    .execute(tx.conn())
    .await?;
    sqlx::query(
        "insert into users.provider_domains (domain, tenant_id, provider_id)
         select n.domain, $1, $2 from unnest($3::text[]) as n (domain)
         where not exists (
            select from users.provider_domains d where d.domain = n.domain and d.tenant_id = $1 and d.provider_id = $2)",
    )
    .bind(tenant_id.0)
    .bind(provider_id.0)
    .bind(domains)
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// Agrees to what an OpenID provider shows on the common sign-in page, or takes that back. False when there is no such provider.
///
/// # Errors
/// [`DbError::AlreadyExists`] when one of its domains leads to another provider.
pub async fn publish_provider(
    tx: &mut SystemTx,
    tenant_id: TenantId,
    provider_id: ProviderId,
    is_published: bool,
) -> Result<bool, DbError> {
    let result = sqlx::query(
        "update users.identity_providers set is_published = $3 and is_listed where tenant_id = $1 and provider_id = $2 and kind = 'oidc'",
    )
    .bind(tenant_id.0)
    .bind(provider_id.0)
    .bind(is_published)
    .execute(tx.conn())
    .await?;
    sqlx::query(
        "update users.provider_domains set is_published = $3
         where tenant_id = $1 and provider_id = $2 and is_published <> $3",
    )
    .bind(tenant_id.0)
    .bind(provider_id.0)
    .bind(is_published)
    .execute(tx.conn())
    .await?;
    Ok(result.rows_affected() == 1)
}

/// The providers of all tenants that want something of the common sign-in page, those that wait first.
///
/// # Errors
/// As every query.
pub async fn list_publications(tx: &mut SystemTx) -> Result<Vec<PublicationView>, DbError> {
    sqlx::query(
        "select p.provider_id, p.tenant_id, t.name as tenant_name, p.name, p.is_listed, p.settings ->> 'issuer' as issuer,
            p.is_listed and not p.is_published or exists (
                select from users.provider_domains d where d.provider_id = p.provider_id and not d.is_published) as is_waiting,
            (select coalesce(array_agg(d.domain order by d.domain), '{}') from users.provider_domains d where d.provider_id = p.provider_id) as domains
         from users.identity_providers p
         join users.tenants t on t.tenant_id = p.tenant_id
         where p.kind = 'oidc' and t.status = 'active'
            and (p.is_listed or exists (select from users.provider_domains d where d.provider_id = p.provider_id))
         order by is_waiting desc, t.name, p.provider_id
         limit 500",
    )
    .fetch_all(tx.conn())
    .await?
    .iter()
    .map(|row| {
        Ok(PublicationView {
            provider_id: row.try_get::<Uuid, _>("provider_id")?.into(),
            tenant_id: row.try_get::<Uuid, _>("tenant_id")?.into(),
            tenant_name: row.try_get("tenant_name")?,
            name: row.try_get("name")?,
            issuer: row.try_get("issuer")?,
            is_listed: row.try_get("is_listed")?,
            domains: row.try_get("domains")?,
            is_waiting: row.try_get("is_waiting")?,
        })
    })
    .collect()
}

/// Removes a provider with its links; the accounts stay. False when there is none.
///
/// # Errors
/// As every query.
pub async fn delete_provider(
    tx: &mut SystemTx,
    tenant_id: TenantId,
    provider_id: ProviderId,
) -> Result<bool, DbError> {
    let result =
        sqlx::query("delete from users.identity_providers where tenant_id = $1 and provider_id = $2")
            .bind(tenant_id.0)
            .bind(provider_id.0)
            .execute(tx.conn())
            .await?;
    Ok(result.rows_affected() == 1)
}

/// Ends every session that the provider vouched for. Returns how many.
///
/// # Errors
/// As every query.
pub async fn end_provider_sessions(
    tx: &mut SystemTx,
    tenant_id: TenantId,
    provider_id: ProviderId,
    at: DateTime<Utc>,
) -> Result<u64, DbError> {
    let result = sqlx::query(
        "update users.sessions set ended_at = $3, end_reason = 'provider_changed'
         where tenant_id = $1 and provider_id = $2 and ended_at is null",
    )
    .bind(tenant_id.0)
    .bind(provider_id.0)
    .bind(at)
    .execute(tx.conn())
    .await?;
    Ok(result.rows_affected())
}

fn view(row: &PgRow) -> Result<ProviderView, DbError> {
    Ok(ProviderView {
        provider_id: row.try_get::<Uuid, _>("provider_id")?.into(),
        name: row.try_get("name")?,
        is_enabled: row.try_get("is_enabled")?,
        is_listed: row.try_get("is_listed")?,
        domains: row.try_get("domains")?,
        creates_users: row.try_get("creates_users")?,
        default_role: row.try_get::<String, _>("default_role")?.parse()?,
        highest_role: row.try_get::<String, _>("highest_role")?.parse()?,
        role_mappings: row.try_get::<Json<_>, _>("role_mappings")?.0,
        settings: row.try_get::<Json<_>, _>("settings")?.0,
        has_secret: row.try_get("has_secret")?,
        redirect_uri: None,
        linked_users: row.try_get("linked_users")?,
        is_waiting: row.try_get("is_waiting")?,
        created_at: row.try_get("created_at")?,
        updated_at: row.try_get("updated_at")?,
    })
}

pub(super) fn provider(row: &PgRow) -> Result<Provider, DbError> {
    Ok(Provider {
        provider_id: row.try_get::<Uuid, _>("provider_id")?.into(),
        tenant_id: row.try_get::<Uuid, _>("tenant_id")?.into(),
        name: row.try_get("name")?,
        is_enabled: row.try_get("is_enabled")?,
        creates_users: row.try_get("creates_users")?,
        default_role: row.try_get::<String, _>("default_role")?.parse()?,
        highest_role: row.try_get::<String, _>("highest_role")?.parse()?,
        role_mappings: row.try_get::<Json<_>, _>("role_mappings")?.0,
        domains: row.try_get("domains")?,
        settings: row.try_get::<Json<_>, _>("settings")?.0,
        secret_id: row.try_get("secret_id")?,
        updated_at: row.try_get("updated_at")?,
    })
}
