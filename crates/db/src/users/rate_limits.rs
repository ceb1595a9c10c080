//! Requests per minute: the limits, and what nodes report and reserve of them.

use chrono::{DateTime, Utc};
use sg_types::TenantId;
use sg_types::api::rate_limits::{RateLimitView, RateSubjectKind, RateUsageView};
use sqlx::Row;

use crate::{DbError, Reads, SystemTx, WriteTx, tx::Connection};

/// Subjects of the usage list at most.
const MAX_USAGE: i64 = 100;

/// What a node has counted for a subject since it reported last.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Counted {
    /// What kind of subject.
    pub kind: RateSubjectKind,
    /// Its id, or the address.
    pub subject: String,
    /// Whose it is; [`TenantId::SYSTEM`] for an address.
    pub tenant_id: TenantId,
    /// The begin of the minute.
    pub window: DateTime<Utc>,
    /// Requests that were let through without a reservation.
    pub spent: i64,
    /// Requests that were let through in all.
    pub served: i64,
    /// Requests that were refused.
    pub refused: i64,
}

/// The answer to a report.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reserved {
    /// Requests that the node may let through without asking again.
    pub granted: i64,
    /// The limit: requests per minute.
    pub allowed: i64,
    /// What is left of it for every node.
    pub remaining: i64,
}

/// Reports what was counted and reserves more.
///
/// # Errors
/// As every query.
pub async fn reserve_requests(tx: &mut SystemTx, counted: &Counted) -> Result<Reserved, DbError> {
    let row = sqlx::query(
        "select granted, allowed, remaining from users.reserve_requests($1, $2, $3, $4, $5, $6, $7, true)",
    )
    .bind(counted.kind.as_str())
    .bind(&counted.subject)
    .bind(counted.tenant_id.0)
    .bind(counted.window)
    .bind(counted.spent)
    .bind(counted.served)
    .bind(counted.refused)
    .fetch_one(tx.conn())
    .await?;
    Ok(Reserved {
        granted: row.try_get("granted")?,
        allowed: row.try_get("allowed")?,
        remaining: row.try_get("remaining")?,
    })
}

/// Reports what was counted for many subjects, in one order on every node. Returns the limit of each.
///
/// # Errors
/// As every query.
pub async fn report_requests(tx: &mut SystemTx, counted: &[Counted]) -> Result<Vec<i64>, DbError> {
    fn column<T>(counted: &[Counted], of: impl Fn(&Counted) -> T) -> Vec<T> {
        counted.iter().map(of).collect()
    }
    let rows = sqlx::query(
        "select c.ordinal, r.allowed
         from (select * from unnest($1::text[], $2::text[], $3::uuid[], $4::timestamptz[], $5::bigint[], $6::bigint[], $7::bigint[])
            with ordinality c (kind, subject, tenant_id, window_start, spent, served, refused, ordinal) order by kind, subject, window_start) c
         cross join lateral users.reserve_requests(c.kind, c.subject, c.tenant_id, c.window_start, c.spent, c.served, c.refused, false) r",
    )
    .bind(column(counted, |c| c.kind.as_str()))
    .bind(column(counted, |c| c.subject.clone()))
    .bind(column(counted, |c| c.tenant_id.0))
    .bind(column(counted, |c| c.window))
    .bind(column(counted, |c| c.spent))
    .bind(column(counted, |c| c.served))
    .bind(column(counted, |c| c.refused))
    .fetch_all(tx.conn())
    .await?;
    let mut limits: Vec<(i64, i64)> = rows
        .iter()
        .map(|row| Ok((row.try_get("ordinal")?, row.try_get("allowed")?)))
        .collect::<Result<_, DbError>>()?;
    limits.sort_unstable();
    Ok(limits.into_iter().map(|(_, limit)| limit).collect())
}

/// The limits that hold in the caller's tenant.
///
/// # Errors
/// As every query.
pub async fn list_rate_limits(tx: &mut impl Reads) -> Result<Vec<RateLimitView>, DbError> {
    sqlx::query(
        "select d.subject_kind, coalesce(l.requests_per_minute, d.requests_per_minute) as requests_per_minute, l.tenant_id is null as is_default
         from users.list_default_rate_limits() d left join users.rate_limits l on l.subject_kind = d.subject_kind
         order by array_position(array['address', 'tenant', 'user', 'key'], d.subject_kind)",
    )
    .fetch_all(tx.conn())
    .await?
    .iter()
    .map(|row| {
        Ok(RateLimitView {
            kind: row.try_get::<String, _>("subject_kind")?.parse()?,
            requests_per_minute: row.try_get("requests_per_minute")?,
            is_default: row.try_get("is_default")?,
        })
    })
    .collect()
}

/// Who used the API of the caller's tenant since `since`: the whole tenant first, then the busiest.
///
/// # Errors
/// As every query.
pub async fn list_rate_usage(
    tx: &mut impl Reads,
    since: DateTime<Utc>,
) -> Result<Vec<RateUsageView>, DbError> {
    sqlx::query(
        "select r.subject_kind, r.subject, coalesce(u.username, k.key_name)::text as name, r.served, r.refused, r.peak
         from (
            select subject_kind, subject, sum(served)::bigint as served, sum(refused)::bigint as refused, max(served + refused) as peak
            from users.rate_usage where window_start >= $1
            group by subject_kind, subject
            order by subject_kind = 'tenant' desc, sum(served + refused) desc, subject_kind, subject
            limit $2) r
         left join users.users u on r.subject_kind = 'user' and u.user_id::text = r.subject
         left join users.api_keys k on r.subject_kind = 'key' and k.key_id::text = r.subject
         order by r.subject_kind = 'tenant' desc, r.served + r.refused desc, r.subject_kind, r.subject",
    )
    .bind(since)
    .bind(MAX_USAGE)
    .fetch_all(tx.conn())
    .await?
    .iter()
    .map(|row| {
        Ok(RateUsageView {
            kind: row.try_get::<String, _>("subject_kind")?.parse()?,
            subject: row.try_get("subject")?,
            name: row.try_get("name")?,
            served: row.try_get("served")?,
            refused: row.try_get("refused")?,
            peak_per_minute: row.try_get("peak")?,
        })
    })
    .collect()
}

/// Gives the caller's tenant a limit of its own for each of its users or keys; none: the default again.
///
/// # Errors
/// As every query.
pub async fn set_rate_limit(
    tx: &mut WriteTx,
    kind: RateSubjectKind,
    requests_per_minute: Option<i32>,
) -> Result<(), DbError> {
    match requests_per_minute {
        Some(limit) => {
            sqlx::query(
                "insert into users.rate_limits as l (tenant_id, subject_kind, requests_per_minute) values (users.current_tenant(), $1, $2)
                 on conflict (tenant_id, subject_kind) do update set requests_per_minute = excluded.requests_per_minute
                 where l.requests_per_minute <> excluded.requests_per_minute",
            )
            .bind(kind.as_str())
            .bind(limit)
            .execute(tx.conn())
            .await?;
        }
        None => {
            sqlx::query("delete from users.rate_limits where subject_kind = $1")
                .bind(kind.as_str())
                .execute(tx.conn())
                .await?;
        }
    }
    Ok(())
}
