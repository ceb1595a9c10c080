//! Who must have a factor.

use chrono::{DateTime, Utc};
use sg_types::api::factors::FactorRule;
use sg_types::{RoleName, TenantId, UserId};
use sqlx::Row;

use crate::{DbError, Reads, SystemTx, Writes, tx::Connection};

/// The rules of a tenant, the documented roles first.
///
/// # Errors
/// As every query.
pub async fn list_factor_rules(tx: &mut impl Reads, tenant_id: TenantId) -> Result<Vec<FactorRule>, DbError> {
    sqlx::query(
        "select p.role, p.grace_days, p.required_since
         from users.factor_policies p join users.roles r on r.tenant_id = p.tenant_id and r.role = p.role
         where p.tenant_id = $1
         order by p.role <> r.based_on, users.role_rank(r.based_on), p.role",
    )
    .bind(tenant_id.0)
    .fetch_all(tx.conn())
    .await?
    .iter()
    .map(|row| {
        Ok(FactorRule {
            role: row.try_get::<String, _>("role")?.parse()?,
            grace_days: row.try_get("grace_days")?,
            required_since: row.try_get("required_since")?,
        })
    })
    .collect()
}

/// Requires a factor of a role of the tenant; where it is required already, its time goes on and only the days of grace change.
///
/// # Errors
/// As every query.
pub async fn set_factor_rule(
    tx: &mut impl Writes,
    tenant_id: TenantId,
    role: &RoleName,
    grace_days: i32,
    at: DateTime<Utc>,
) -> Result<(), DbError> {
    sqlx::query(
        "insert into users.factor_policies (tenant_id, role, grace_days, required_since) values ($1, $2, $3, $4)
         on conflict (tenant_id, role) do update set grace_days = excluded.grace_days",
    )
    .bind(tenant_id.0)
    .bind(role.as_str())
    .bind(grace_days)
    .bind(at)
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// Takes the rules of all other roles away.
///
/// # Errors
/// As every query.
pub async fn drop_factor_rules_except(
    tx: &mut impl Writes,
    tenant_id: TenantId,
    roles: &[RoleName],
) -> Result<(), DbError> {
    let kept: Vec<&str> = roles.iter().map(RoleName::as_str).collect();
    sqlx::query("delete from users.factor_policies where tenant_id = $1 and role <> all ($2)")
        .bind(tenant_id.0)
        .bind(&kept)
        .execute(tx.conn())
        .await?;
    Ok(())
}

/// From when on a user has to have a factor: the earliest date that any of their roles in any tenant sets. None when no rule is about them.
///
/// # Errors
/// As every query.
pub async fn find_factor_deadline(
    tx: &mut SystemTx,
    user_id: UserId,
    at: DateTime<Utc>,
) -> Result<Option<DateTime<Utc>>, DbError> {
    Ok(sqlx::query_scalar(
        "select min(greatest(p.required_since, u.created_at) + make_interval(days => p.grace_days))
         from users.memberships m
         join users.users u on u.user_id = m.user_id
         join users.factor_policies p on p.tenant_id = m.tenant_id and p.role = m.role
         where m.user_id = $1 and (m.expires_at is null or m.expires_at > $2)",
    )
    .bind(user_id.0)
    .bind(at)
    .fetch_one(tx.conn())
    .await?)
}
