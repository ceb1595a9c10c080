//! The key figures of each day. Those of the installation are rows of the system tenant.

use chrono::{DateTime, Duration, NaiveDate, Utc};
use serde::{Deserialize, Serialize};
use sg_types::TenantId;
use sg_types::api::kpis::{KpiDay, SystemDay, share};
use sqlx::{Row, postgres::PgRow, types::Json};
use uuid::Uuid;

use crate::{DbError, Reads, StatementTotals, SystemTx, tx::Connection};

/// Days that are computed afterwards where nobody counted: the first time, and after a stop.
const LATE_DAYS: i64 = 30;

/// What PostgreSQL had counted at some moment.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
struct Counters {
    queries: Option<i64>,
    query_milliseconds: Option<f64>,
    index_rows: i64,
    scanned_rows: i64,
}

/// The days on which sign-ins, lockouts and closed incidents are not counted to their end, for every tenant and for all together. Returns how many rows were written.
///
/// # Errors
/// What a query may meet.
pub async fn sample_tenants(tx: &mut SystemTx, at: DateTime<Utc>) -> Result<u64, DbError> {
    let today = at.date_naive();
    let last_whole: Option<NaiveDate> = sqlx::query_scalar(
        "select max(s.day) from monitoring.kpi_samples s
         where s.tenant_id = $1 and s.measured_at >= (s.day + 1)::timestamp at time zone 'UTC'",
    )
    .bind(TenantId::SYSTEM.0)
    .fetch_one(tx.conn())
    .await?;
    let earliest = today - Duration::days(LATE_DAYS);
    let first = last_whole.map_or(earliest, |day| (day + Duration::days(1)).max(earliest));
    let begin = first.min(today).and_time(chrono::NaiveTime::MIN).and_utc();
    let done = sqlx::query(SAMPLE)
        .bind(TenantId::SYSTEM.0)
        .bind(begin)
        .bind(at)
        .bind(today)
        .execute(tx.conn())
        .await?;
    Ok(done.rows_affected())
}

/// `$1` the system tenant, `$2` the begin, `$3` now, `$4` today. A right password that a second step follows is no attempt of its own.
const SAMPLE: &str = "
with days as (
    select d::date as day from generate_series(($2::timestamptz at time zone 'UTC')::date::timestamp, $4::date::timestamp, interval '1 day') d
), attempts as (
    select coalesce(a.tenant_id, $1) as tenant_id, (a.occurred_at at time zone 'UTC')::date as day, count(*) as total,
        count(*) filter (where a.outcome <> 'success') as failed
    from audit.login_attempts a
    where a.occurred_at >= $2 and a.occurred_at <= $3 and a.outcome <> 'second_factor_required'
    group by grouping sets ((a.tenant_id, (a.occurred_at at time zone 'UTC')::date), ((a.occurred_at at time zone 'UTC')::date))
    having grouping(a.tenant_id) = 1 or a.tenant_id <> $1
), lockouts as (
    select coalesce(v.tenant_id, $1) as tenant_id, (v.occurred_at at time zone 'UTC')::date as day, count(*) as total
    from monitoring.security_events v
    where v.kind = 'account_locked' and v.occurred_at >= $2 and v.occurred_at <= $3
    group by grouping sets ((v.tenant_id, (v.occurred_at at time zone 'UTC')::date), ((v.occurred_at at time zone 'UTC')::date))
    having grouping(v.tenant_id) = 1 or v.tenant_id <> $1
), closed as (
    select coalesce(i.tenant_id, $1) as tenant_id, (i.resolved_at at time zone 'UTC')::date as day,
        count(*) filter (where i.status = 'resolved') as confirmed, count(*) filter (where i.status = 'false_positive') as wrong
    from users.tenants t
    join threats.incidents i on i.tenant_id = t.tenant_id and i.resolved_at >= $2 and i.resolved_at <= $3
    where i.status in ('resolved', 'false_positive')
    group by grouping sets ((i.tenant_id, (i.resolved_at at time zone 'UTC')::date), ((i.resolved_at at time zone 'UTC')::date))
), people as (
    select coalesce(u.tenant_id, $1) as tenant_id, count(*) as total,
        count(*) filter (where not u.must_change_password
            and (p.max_age_days = 0 or u.password_last_changed >= $3 - make_interval(days => p.max_age_days))) as compliant
    from users.users u join users.password_policies p on p.tenant_id = u.tenant_id
    where u.is_active
    group by grouping sets ((u.tenant_id), ())
    having grouping(u.tenant_id) = 1 or u.tenant_id <> $1
)
insert into monitoring.kpi_samples as s (tenant_id, day, measured_at, sign_ins, failed_sign_ins, lockouts, confirmed_incidents, false_incidents,
    people, compliant_people)
select t.tenant_id, d.day, $3, coalesce(a.total, 0), coalesce(a.failed, 0), coalesce(l.total, 0), coalesce(c.confirmed, 0), coalesce(c.wrong, 0),
    case when d.day = $4 then coalesce(p.total, 0) end, case when d.day = $4 then coalesce(p.compliant, 0) end
from users.tenants t
cross join days d
left join attempts a on a.tenant_id = t.tenant_id and a.day = d.day
left join lockouts l on l.tenant_id = t.tenant_id and l.day = d.day
left join closed c on c.tenant_id = t.tenant_id and c.day = d.day
left join people p on p.tenant_id = t.tenant_id
where t.status <> 'erased' and (d.day >= (t.created_at at time zone 'UTC')::date or a.total > 0 or l.total > 0 or c.confirmed + c.wrong > 0)
on conflict (tenant_id, day) do update set measured_at = excluded.measured_at, sign_ins = excluded.sign_ins,
    failed_sign_ins = excluded.failed_sign_ins, lockouts = excluded.lockouts, confirmed_incidents = excluded.confirmed_incidents,
    false_incidents = excluded.false_incidents, people = coalesce(excluded.people, s.people),
    compliant_people = coalesce(excluded.compliant_people, s.compliant_people)";

/// How the installation runs, added to the day's figures. What PostgreSQL counts since its start is told as what has been added since the last look; when it began
/// anew in between, that time is left out. `disk` is used and all bytes.
///
/// # Errors
/// What a query may meet.
pub async fn sample_installation(
    tx: &mut SystemTx,
    at: DateTime<Utc>,
    statements: Option<StatementTotals>,
    disk: Option<(i64, i64)>,
) -> Result<(), DbError> {
    let before: Option<Json<Counters>> = sqlx::query_scalar(
        "select s.counters from monitoring.kpi_samples s where s.tenant_id = $1 and s.counters is not null order by s.day desc limit 1",
    )
    .bind(TenantId::SYSTEM.0)
    .fetch_optional(tx.conn())
    .await?;
    let row = sqlx::query(
        "select (select coalesce(sum(d.numbackends), 0) from pg_stat_database d)::integer as connections,
            current_setting('max_connections')::integer - current_setting('superuser_reserved_connections')::integer as max_connections,
            (select coalesce(sum(t.idx_tup_fetch), 0) from pg_stat_user_tables t
                where t.schemaname in ('users', 'agents', 'threats', 'audit', 'monitoring'))::bigint as index_rows,
            (select coalesce(sum(t.seq_tup_read), 0) from pg_stat_user_tables t
                where t.schemaname in ('users', 'agents', 'threats', 'audit', 'monitoring'))::bigint as scanned_rows,
            pg_database_size(current_database()) as database_bytes",
    )
    .fetch_one(tx.conn())
    .await?;
    let after = Counters {
        queries: statements.map(|totals| totals.calls),
        query_milliseconds: statements.map(|totals| totals.milliseconds),
        index_rows: row.try_get("index_rows")?,
        scanned_rows: row.try_get("scanned_rows")?,
    };
    let added = before.map_or_else(Counters::default, |before| after.since(before.0));
    sqlx::query(
        "update monitoring.kpi_samples set
            queries = case when $3::bigint is null then queries else coalesce(queries, 0) + $3 end,
            query_milliseconds = case when $4::float8 is null then query_milliseconds else coalesce(query_milliseconds, 0) + $4 end,
            connections = greatest(connections, $5), max_connections = $6,
            index_rows = coalesce(index_rows, 0) + $7, scanned_rows = coalesce(scanned_rows, 0) + $8,
            database_bytes = $9, disk_used_bytes = $10, disk_total_bytes = $11, counters = $12
         where tenant_id = $1 and day = $2",
    )
    .bind(TenantId::SYSTEM.0)
    .bind(at.date_naive())
    .bind(added.queries)
    .bind(added.query_milliseconds)
    .bind(row.try_get::<i32, _>("connections")?)
    .bind(row.try_get::<i32, _>("max_connections")?)
    .bind(added.index_rows)
    .bind(added.scanned_rows)
    .bind(row.try_get::<i64, _>("database_bytes")?)
    .bind(disk.map(|(used, _)| used))
    .bind(disk.map(|(_, total)| total))
    .bind(Json(after))
    .execute(tx.conn())
    .await?;
    Ok(())
}

impl Counters {
    /// What was added since `before`; nothing of a counter that began anew.
    fn since(self, before: Self) -> Self {
        let queries = self.queries.zip(before.queries).map(|(now, then)| now - then);
        let milliseconds = self
            .query_milliseconds
            .zip(before.query_milliseconds)
            .map(|(now, then)| now - then);
        let is_sound =
            queries.is_some_and(|count| count >= 0) && milliseconds.is_some_and(|time| time >= 0.0);
        let rows = (
            self.index_rows - before.index_rows,
            self.scanned_rows - before.scanned_rows,
        );
        let (index_rows, scanned_rows) = if rows.0 >= 0 && rows.1 >= 0 { rows } else { (0, 0) };
        Self {
            queries: queries.filter(|_| is_sound),
            query_milliseconds: milliseconds.filter(|_| is_sound),
            index_rows,
            scanned_rows,
        }
    }
}

/// The figures of a tenant from a day on, ascending; for [`TenantId::SYSTEM`] the installation's. With the time at which the newest were measured.
///
/// # Errors
/// What a query may meet.
pub async fn list_kpi_days(
    tx: &mut impl Reads,
    tenant_id: TenantId,
    from: NaiveDate,
) -> Result<(Vec<KpiDay>, Option<DateTime<Utc>>), DbError> {
    let rows = sqlx::query(
        "select s.* from monitoring.kpi_samples s where s.tenant_id = $1 and s.day >= $2 order by s.day",
    )
    .bind(Uuid::from(tenant_id))
    .bind(from)
    .fetch_all(tx.conn())
    .await?;
    let measured_at = rows.last().map(|row| row.try_get("measured_at")).transpose()?;
    let days = rows.iter().map(kpi_day).collect::<Result<_, _>>()?;
    Ok((days, measured_at))
}

pub(super) fn kpi_day(row: &PgRow) -> Result<KpiDay, DbError> {
    let tenant_id = TenantId(row.try_get("tenant_id")?);
    Ok(KpiDay {
        day: row.try_get("day")?,
        sign_ins: row.try_get("sign_ins")?,
        failed_sign_ins: row.try_get("failed_sign_ins")?,
        lockouts: row.try_get("lockouts")?,
        people: row.try_get("people")?,
        compliant_people: row.try_get("compliant_people")?,
        confirmed_incidents: row.try_get("confirmed_incidents")?,
        false_incidents: row.try_get("false_incidents")?,
        system: (tenant_id == TenantId::SYSTEM)
            .then(|| system_day(row))
            .transpose()?,
    })
}

fn system_day(row: &PgRow) -> Result<SystemDay, DbError> {
    let queries: Option<i64> = row.try_get("queries")?;
    let milliseconds: Option<f64> = row.try_get("query_milliseconds")?;
    let rows: (Option<i64>, Option<i64>) = (row.try_get("index_rows")?, row.try_get("scanned_rows")?);
    #[expect(clippy::cast_precision_loss, reason = "a mean for people")]
    let mean = queries
        .zip(milliseconds)
        .filter(|(count, _)| *count > 0)
        .map(|(count, time)| time / count as f64);
    Ok(SystemDay {
        queries,
        query_milliseconds: mean,
        connections: row.try_get("connections")?,
        max_connections: row.try_get("max_connections")?,
        index_use: rows
            .0
            .zip(rows.1)
            .and_then(|(index, scanned)| share(index, index + scanned)),
        database_bytes: row.try_get("database_bytes")?,
        disk_used_bytes: row.try_get("disk_used_bytes")?,
        disk_total_bytes: row.try_get("disk_total_bytes")?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counters_that_began_anew_add_nothing() {
        let before = Counters {
            queries: Some(100),
            query_milliseconds: Some(50.0),
            index_rows: 1000,
            scanned_rows: 10,
        };
        let later = Counters {
            queries: Some(130),
            query_milliseconds: Some(56.0),
            index_rows: 1500,
            scanned_rows: 10,
        };
        let added = later.since(before);
        assert_eq!((added.queries, added.query_milliseconds), (Some(30), Some(6.0)));
        assert_eq!((added.index_rows, added.scanned_rows), (500, 0));
        let anew = before.since(later);
        assert_eq!((anew.queries, anew.query_milliseconds), (None, None));
        assert_eq!((anew.index_rows, anew.scanned_rows), (0, 0));
        assert_eq!(
            later.since(Counters::default()).queries,
            None,
            "the first look only begins to count"
        );
    }
}
