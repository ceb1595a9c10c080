//! Access that a tenant gives to people whose home is another.

use chrono::{DateTime, Utc};
use sg_types::{RoleName, TenantId, UserId, api::roles::MembershipView};
use sqlx::{Row, postgres::PgRow};
use uuid::Uuid;

use super::After;
use crate::{DbError, Reads, WriteTx, tx::Connection};

/// A membership as it shall be.
#[derive(Debug)]
pub struct MembershipChange<'a> {
    /// The tenant that gives access: the caller's.
    pub tenant_id: TenantId,
    /// Who gets it.
    pub user_id: UserId,
    /// By which role.
    pub role: &'a RoleName,
    /// Until when.
    pub expires_at: DateTime<Utc>,
    /// Who gives it: the caller.
    pub granted_by: UserId,
    /// Why.
    pub reason: Option<&'a str>,
}

/// Whoever has this sign-in name and another home. One answer, none, for names that nobody has, for people who are switched off, and for
/// people at home here.
///
/// # Errors
/// As every query.
pub async fn find_grantee(tx: &mut WriteTx, username: &str) -> Result<Option<UserId>, DbError> {
    let id: Option<Uuid> = sqlx::query_scalar("select users.find_grantee($1)")
        .bind(username)
        .fetch_one(tx.conn())
        .await?;
    Ok(id.map(UserId))
}

/// The people of other homes who have or had access, oldest first.
///
/// # Errors
/// As every query.
pub async fn list_memberships(
    tx: &mut impl Reads,
    tenant_id: TenantId,
    at: DateTime<Utc>,
    after: Option<After>,
    limit: u32,
) -> Result<Vec<MembershipView>, DbError> {
    sqlx::query(
        "select m.user_id, u.username, u.full_name, u.tenant_id as home_tenant_id, m.role, m.expires_at,
            u.is_active and (m.expires_at is null or m.expires_at > $2) as is_active, m.reason, m.granted_by, m.created_at
         from users.memberships m
         join users.users u on u.user_id = m.user_id
         where m.tenant_id = $1 and u.tenant_id <> m.tenant_id
            and ($3::timestamptz is null or (m.created_at, m.user_id) > ($3, $4))
         order by m.created_at, m.user_id
         limit $5",
    )
    .bind(tenant_id.0)
    .bind(at)
    .bind(after.map(|a| a.at))
    .bind(after.map(|a| a.id))
    .bind(i64::from(limit))
    .fetch_all(tx.conn())
    .await?
    .iter()
    .map(view)
    .collect()
}

/// The access of one person of another home, in force or ended.
///
/// # Errors
/// As every query.
pub async fn view_membership(
    tx: &mut impl Reads,
    tenant_id: TenantId,
    user_id: UserId,
    at: DateTime<Utc>,
) -> Result<Option<MembershipView>, DbError> {
    sqlx::query(
        "select m.user_id, u.username, u.full_name, u.tenant_id as home_tenant_id, m.role, m.expires_at,
            u.is_active and (m.expires_at is null or m.expires_at > $2) as is_active, m.reason, m.granted_by, m.created_at
         from users.memberships m
         join users.users u on u.user_id = m.user_id
         where m.tenant_id = $1 and u.tenant_id <> m.tenant_id and m.user_id = $3",
    )
    .bind(tenant_id.0)
    .bind(at)
    .bind(user_id.0)
    .fetch_optional(tx.conn())
    .await?
    .as_ref()
    .map(view)
    .transpose()
}

/// Gives, changes or ends access. Row history keeps what it was before.
///
/// # Errors
/// [`DbError::Denied`] when the caller may not give or take the role, or it would end more than a year ahead.
pub async fn put_membership(tx: &mut WriteTx, membership: &MembershipChange<'_>) -> Result<(), DbError> {
    sqlx::query(
        "insert into users.memberships (tenant_id, user_id, role, expires_at, granted_by, reason)
         values ($1, $2, $3, $4, $5, $6)
         on conflict (tenant_id, user_id) do update
         set role = excluded.role, expires_at = excluded.expires_at, granted_by = excluded.granted_by, reason = excluded.reason",
    )
    .bind(membership.tenant_id.0)
    .bind(membership.user_id.0)
    .bind(membership.role.as_str())
    .bind(membership.expires_at)
    .bind(membership.granted_by.0)
    .bind(membership.reason)
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// Revokes every API key that somebody has in the caller's tenant, so that access given again later does not bring them back.
///
/// # Errors
/// As every query.
pub async fn revoke_keys_of(tx: &mut WriteTx, user_id: UserId, at: DateTime<Utc>) -> Result<(), DbError> {
    sqlx::query(
        "update users.api_keys set is_active = false, revoked_at = $2 where user_id = $1 and is_active",
    )
    .bind(user_id.0)
    .bind(at)
    .execute(tx.conn())
    .await?;
    Ok(())
}

fn view(row: &PgRow) -> Result<MembershipView, DbError> {
    Ok(MembershipView {
        user_id: row.try_get::<Uuid, _>("user_id")?.into(),
        username: row.try_get("username")?,
        full_name: row.try_get("full_name")?,
        home_tenant_id: row.try_get::<Uuid, _>("home_tenant_id")?.into(),
        role: row.try_get::<String, _>("role")?.parse()?,
        expires_at: row.try_get("expires_at")?,
        is_active: row.try_get("is_active")?,
        reason: row.try_get("reason")?,
        granted_by: row.try_get::<Option<Uuid>, _>("granted_by")?.map(UserId),
        created_at: row.try_get("created_at")?,
    })
}
