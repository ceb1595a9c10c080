//! What the tasks of maintenance look at. Each list is bounded: a report names some and counts the rest.

use std::net::IpAddr;

use chrono::{DateTime, Utc};
use ipnetwork::IpNetwork;
use sg_types::{Severity, TenantId};
use sqlx::{Row, postgres::PgRow};
use uuid::Uuid;

use crate::{DbError, SystemTx, tx::Connection};

/// Different names that one address fails for before it is a pattern.
pub const SPRAYED_NAMES: i64 = 5;
/// Failures of one account before a success after them is a pattern.
pub const GUESSES: i64 = 10;
/// Incidents of one rule in a week before twice as many as before are a pattern.
pub const SURGE: i64 = 5;
/// Incidents of one rule that were closed before it is judged by how.
pub const JUDGED: i64 = 5;
/// Refusals of one actor before they are a pattern.
pub const REFUSALS: i64 = 20;
/// Names in one list of one tenant.
const LISTED: i64 = 10;

/// The time that is looked at.
#[derive(Debug, Clone, Copy)]
pub struct Window {
    /// Begin.
    pub from: DateTime<Utc>,
    /// End.
    pub to: DateTime<Utc>,
}

/// Sign-ins of a tenant; those by names that nobody has are the system tenant's.
#[derive(Debug, Clone)]
pub struct SignInFigures {
    /// The tenant.
    pub tenant_id: TenantId,
    /// Attempts.
    pub total: i64,
    /// Those that failed.
    pub failed: i64,
}

/// An address that failed under several names.
#[derive(Debug, Clone)]
pub struct SprayingAddress {
    /// The tenant whose names they were.
    pub tenant_id: TenantId,
    /// The address.
    pub address: IpAddr,
    /// Failures.
    pub failed: i64,
    /// Different names.
    pub names: i64,
}

/// An account that was signed in to after many failures.
#[derive(Debug, Clone)]
pub struct GuessedAccount {
    /// The tenant.
    pub tenant_id: TenantId,
    /// The account.
    pub username: String,
    /// Failures before the success.
    pub failed: i64,
    /// The success.
    pub at: DateTime<Utc>,
}

/// A locked account.
#[derive(Debug, Clone)]
pub struct LockedAccount {
    /// The tenant.
    pub tenant_id: TenantId,
    /// The account.
    pub username: String,
    /// How often it was locked in the time.
    pub locks: i64,
    /// How often in the seven days before the end of the time.
    pub locks_of_week: i64,
}

/// Something of a tenant with a number: a severity, a rule, an actor.
#[derive(Debug, Clone)]
pub struct TenantCount {
    /// The tenant.
    pub tenant_id: TenantId,
    /// What is counted.
    pub name: String,
    /// How many.
    pub count: i64,
    /// How many in the time before, or of a kind that the query tells.
    pub other: i64,
}

/// How many attempts to sign in there were.
///
/// # Errors
/// What a query may meet.
pub async fn review_sign_ins(tx: &mut SystemTx, window: Window) -> Result<Vec<SignInFigures>, DbError> {
    list(
        tx,
        "select a.tenant_id, count(*) as total, count(*) filter (where a.outcome <> 'success') as failed
         from audit.login_attempts a
         where a.occurred_at >= $1 and a.occurred_at < $2 and a.outcome <> 'second_factor_required'
         group by a.tenant_id",
        window,
        |row| {
            Ok(SignInFigures {
                tenant_id: tenant(row)?,
                total: row.try_get("total")?,
                failed: row.try_get("failed")?,
            })
        },
    )
    .await
}

/// Addresses that failed under [`SPRAYED_NAMES`] names or more.
///
/// # Errors
/// What a query may meet.
pub async fn review_spraying(tx: &mut SystemTx, window: Window) -> Result<Vec<SprayingAddress>, DbError> {
    let statement = format!(
        "select * from (
            select a.tenant_id, a.address, count(*) as failed, count(distinct a.username_or_digest) as names,
                row_number() over (partition by a.tenant_id order by count(*) desc, a.address) as place
            from audit.login_attempts a
            where a.occurred_at >= $1 and a.occurred_at < $2 and a.address is not null
                and a.outcome in ('unknown_user', 'wrong_password', 'locked', 'throttled', 'inactive')
            group by a.tenant_id, a.address
            having count(distinct a.username_or_digest) >= {SPRAYED_NAMES}) f
         where f.place <= {LISTED} order by f.tenant_id, f.place"
    );
    list(tx, &statement, window, |row| {
        Ok(SprayingAddress {
            tenant_id: tenant(row)?,
            address: row.try_get::<IpNetwork, _>("address")?.ip(),
            failed: row.try_get("failed")?,
            names: row.try_get("names")?,
        })
    })
    .await
}

/// Accounts whose password was right after [`GUESSES`] failures or more within an hour.
///
/// # Errors
/// What a query may meet.
pub async fn review_guessed_accounts(
    tx: &mut SystemTx,
    window: Window,
) -> Result<Vec<GuessedAccount>, DbError> {
    let statement = format!(
        "select * from (
            select s.tenant_id, u.username, max(s.failed) as failed, max(s.occurred_at) as at,
                row_number() over (partition by s.tenant_id order by max(s.failed) desc, u.username) as place
            from (
                select a.tenant_id, a.user_id, a.outcome, a.occurred_at,
                    count(*) filter (where a.outcome in ('wrong_password', 'locked', 'throttled')) over (
                        partition by a.tenant_id, a.user_id order by a.occurred_at range between interval '1 hour' preceding and current row) as failed
                from audit.login_attempts a
                where a.occurred_at >= $1 and a.occurred_at < $2 and a.user_id is not null
            ) s join users.users u on u.user_id = s.user_id
            where s.outcome in ('success', 'second_factor_required') and s.failed >= {GUESSES}
            group by s.tenant_id, u.username) f
         where f.place <= {LISTED} order by f.tenant_id, f.place"
    );
    list(tx, &statement, window, |row| {
        Ok(GuessedAccount {
            tenant_id: tenant(row)?,
            username: row.try_get("username")?,
            failed: row.try_get("failed")?,
            at: row.try_get("at")?,
        })
    })
    .await
}

/// Accounts that were locked.
///
/// # Errors
/// What a query may meet.
pub async fn review_lockouts(tx: &mut SystemTx, window: Window) -> Result<Vec<LockedAccount>, DbError> {
    list(
        tx,
        "select v.tenant_id, coalesce(max(u.username), 'an account that is gone') as username,
            count(*) filter (where v.occurred_at >= $1) as locks, count(*) as locks_of_week
         from monitoring.security_events v
         left join users.users u on u.tenant_id = v.tenant_id and u.user_id::text = v.subject
         where v.kind = 'account_locked' and v.occurred_at >= $2::timestamptz - interval '7 days' and v.occurred_at < $2
         group by v.tenant_id, v.subject
         having count(*) filter (where v.occurred_at >= $1) > 0
         order by v.tenant_id, locks_of_week desc, username",
        window,
        |row| {
            Ok(LockedAccount {
                tenant_id: tenant(row)?,
                username: row.try_get("username")?,
                locks: row.try_get("locks")?,
                locks_of_week: row.try_get("locks_of_week")?,
            })
        },
    )
    .await
}

/// Incidents that were opened, by severity, with those of as long a time before.
///
/// # Errors
/// What a query may meet.
pub async fn review_incidents(tx: &mut SystemTx, window: Window) -> Result<Vec<TenantCount>, DbError> {
    counts(
        tx,
        "select i.tenant_id, i.severity::text as name, count(*) filter (where i.detected_at >= $1) as count,
            count(*) filter (where i.detected_at < $1) as other
         from users.tenants t
         join threats.incidents i on i.tenant_id = t.tenant_id and i.detected_at >= $1 - ($2::timestamptz - $1) and i.detected_at < $2
         group by i.tenant_id, i.severity",
        window,
    )
    .await
}

/// Rules with at least twice as many incidents as before, and [`SURGE`] or more.
///
/// # Errors
/// What a query may meet.
pub async fn review_surges(tx: &mut SystemTx, window: Window) -> Result<Vec<TenantCount>, DbError> {
    let statement = format!(
        "select * from (
            select f.tenant_id, max(f.rule_name) as name, count(distinct f.threat_id) filter (where f.first_seen_at >= $1) as count,
                count(distinct f.threat_id) filter (where f.first_seen_at < $1) as other,
                row_number() over (partition by f.tenant_id
                    order by count(distinct f.threat_id) filter (where f.first_seen_at >= $1) desc, max(f.rule_name)) as place
            from threats.findings f
            where f.last_seen_at >= $1 - ($2::timestamptz - $1) and f.first_seen_at >= $1 - ($2 - $1) and f.first_seen_at < $2
            group by f.tenant_id, f.rule_id) r
         where r.count >= {SURGE} and r.count >= 2 * r.other and r.place <= {LISTED} order by r.tenant_id, r.place"
    );
    counts(tx, &statement, window).await
}

/// Rules of which [`JUDGED`] incidents or more were closed, most of them (`other`) as false positives.
///
/// # Errors
/// What a query may meet.
pub async fn review_noisy_rules(tx: &mut SystemTx, window: Window) -> Result<Vec<TenantCount>, DbError> {
    let statement = format!(
        "select * from (
            select i.tenant_id, max(f.rule_name) as name, count(distinct i.threat_id) as count,
                count(distinct i.threat_id) filter (where i.status = 'false_positive') as other,
                row_number() over (partition by i.tenant_id order by count(distinct i.threat_id) desc, max(f.rule_name)) as place
            from users.tenants t
            join threats.incidents i on i.tenant_id = t.tenant_id and i.resolved_at >= $1 and i.resolved_at < $2
            join threats.findings f on f.tenant_id = i.tenant_id and f.threat_id = i.threat_id
            where i.status in ('resolved', 'false_positive')
            group by i.tenant_id, f.rule_id
            having count(distinct i.threat_id) >= {JUDGED}
                and 2 * count(distinct i.threat_id) filter (where i.status = 'false_positive') > count(distinct i.threat_id)) r
         where r.place <= {LISTED} order by r.tenant_id, r.place"
    );
    counts(tx, &statement, window).await
}

/// Incidents of high and critical severity that nobody has taken up within seven days.
///
/// # Errors
/// What a query may meet.
pub async fn review_waiting_incidents(
    tx: &mut SystemTx,
    window: Window,
) -> Result<Vec<TenantCount>, DbError> {
    counts(
        tx,
        "select i.tenant_id, i.severity::text as name, count(*) as count, 0::bigint as other
         from users.tenants t
         join threats.incidents i on i.tenant_id = t.tenant_id and i.status = 'new' and i.severity in ('high', 'critical')
            and i.detected_at < $2::timestamptz - interval '7 days' and $1::timestamptz is not null
         group by i.tenant_id, i.severity",
        window,
    )
    .await
}

/// How the people of a tenant stand with its password policy.
#[derive(Debug, Clone)]
pub struct PolicyFigures {
    /// The tenant.
    pub tenant_id: TenantId,
    /// Active people.
    pub people: i64,
    /// Those whose password is older than the policy allows.
    pub too_old: i64,
    /// Some of them by name, at most ten.
    pub too_old_names: Vec<String>,
    /// Those who have owed a change for 30 days or more.
    pub owing: i64,
    /// Those who could have signed in for 90 days and did not.
    pub idle: i64,
    /// Some of them by name, at most ten.
    pub idle_names: Vec<String>,
    /// Least length of passwords.
    pub min_length: i32,
    /// Days that a password may be old; 0: for ever.
    pub max_age_days: i32,
    /// Failures before an account is locked.
    pub max_failed_attempts: i32,
}

/// How people stand with the password policies.
///
/// # Errors
/// What a query may meet.
pub async fn review_policies(tx: &mut SystemTx, window: Window) -> Result<Vec<PolicyFigures>, DbError> {
    let statement = format!(
        "select p.tenant_id, p.min_length, p.max_age_days, p.max_failed_attempts, count(*) as people,
            count(*) filter (where c.is_old) as too_old,
            coalesce((array_agg(c.username order by c.username) filter (where c.is_old))[1:{LISTED}], '{{}}') as too_old_names,
            count(*) filter (where c.owes) as owing, count(*) filter (where c.is_idle) as idle,
            coalesce((array_agg(c.username order by c.username) filter (where c.is_idle))[1:{LISTED}], '{{}}') as idle_names
         from users.password_policies p
         join lateral (
            select u.username::text as username,
                p.max_age_days > 0 and u.password_last_changed < $2::timestamptz - make_interval(days => p.max_age_days) as is_old,
                u.must_change_password and u.password_last_changed < $2 - interval '30 days' as owes,
                coalesce(u.last_login, u.created_at) < $2 - interval '90 days' as is_idle
            from users.users u where u.tenant_id = p.tenant_id and u.is_active) c on true
         where $1::timestamptz is not null
         group by p.tenant_id, p.min_length, p.max_age_days, p.max_failed_attempts"
    );
    list(tx, &statement, window, |row| {
        Ok(PolicyFigures {
            tenant_id: tenant(row)?,
            people: row.try_get("people")?,
            too_old: row.try_get("too_old")?,
            too_old_names: row.try_get("too_old_names")?,
            owing: row.try_get("owing")?,
            idle: row.try_get("idle")?,
            idle_names: row.try_get("idle_names")?,
            min_length: row.try_get("min_length")?,
            max_age_days: row.try_get("max_age_days")?,
            max_failed_attempts: row.try_get("max_failed_attempts")?,
        })
    })
    .await
}

/// Entries of the audit log (`count`) and the refused ones among them (`other`).
///
/// # Errors
/// What a query may meet.
pub async fn review_audit_volume(tx: &mut SystemTx, window: Window) -> Result<Vec<TenantCount>, DbError> {
    counts(
        tx,
        "select e.tenant_id, '' as name, count(*) as count, count(*) filter (where e.outcome = 'denied') as other
         from audit.events e where e.occurred_at >= $1 and e.occurred_at < $2 group by e.tenant_id",
        window,
    )
    .await
}

/// Actors who were refused [`REFUSALS`] times or more.
///
/// # Errors
/// What a query may meet.
pub async fn review_refusals(tx: &mut SystemTx, window: Window) -> Result<Vec<TenantCount>, DbError> {
    let statement = format!(
        "select * from (
            select e.tenant_id, coalesce(max(e.actor_name), e.actor_id, 'nobody known') as name, count(*) as count, 0::bigint as other,
                row_number() over (partition by e.tenant_id order by count(*) desc, e.actor_id) as place
            from audit.events e where e.occurred_at >= $1 and e.occurred_at < $2 and e.outcome = 'denied'
            group by e.tenant_id, e.actor_id having count(*) >= {REFUSALS}) r
         where r.place <= {LISTED} order by r.tenant_id, r.place"
    );
    counts(tx, &statement, window).await
}

/// Changes of who may do what and of what guards the tenant, by action.
///
/// # Errors
/// What a query may meet.
pub async fn review_changes(tx: &mut SystemTx, window: Window) -> Result<Vec<TenantCount>, DbError> {
    counts(
        tx,
        "select e.tenant_id, e.action as name, count(*) as count, 0::bigint as other
         from audit.events e
         where e.occurred_at >= $1 and e.occurred_at < $2 and e.outcome = 'success'
            and split_part(e.action, '.', 1) in ('user', 'role', 'membership', 'api_key', 'password_policy', 'factor_policy', 'identity_provider',
                'exception', 'rule', 'alert_rule', 'channel', 'silence', 'legal_hold', 'subscription', 'tenant')
         group by e.tenant_id, e.action order by e.tenant_id, count(*) desc, e.action",
        window,
    )
    .await
}

/// The names of tenants.
///
/// # Errors
/// What a query may meet.
pub async fn list_tenant_names(tx: &mut SystemTx, tenants: &[TenantId]) -> Result<Vec<String>, DbError> {
    Ok(
        sqlx::query_scalar("select name::text from users.tenants where tenant_id = any ($1) order by name")
            .bind(tenants.iter().map(|tenant| tenant.0).collect::<Vec<_>>())
            .fetch_all(tx.conn())
            .await?,
    )
}

/// Lets the statements of this transaction take as long as they need; they are nobody's request.
///
/// # Errors
/// What a query may meet.
pub async fn allow_long_statements(tx: &mut SystemTx) -> Result<(), DbError> {
    sqlx::query("set local statement_timeout = '30min'")
        .execute(tx.conn())
        .await?;
    Ok(())
}

/// A severity's place among the counts, the worst first.
pub fn worst_first(counts: &mut [TenantCount]) {
    counts.sort_by_key(|one| {
        let severity = one.name.parse::<Severity>().ok();
        std::cmp::Reverse(severity.map(|severity| severity as u8))
    });
}

async fn list<T>(
    tx: &mut SystemTx,
    statement: &str,
    window: Window,
    read: impl Fn(&PgRow) -> Result<T, DbError>,
) -> Result<Vec<T>, DbError> {
    sqlx::query(sqlx::AssertSqlSafe(statement.to_owned()))
        .bind(window.from)
        .bind(window.to)
        .fetch_all(tx.conn())
        .await?
        .iter()
        .map(read)
        .collect()
}

async fn counts(tx: &mut SystemTx, statement: &str, window: Window) -> Result<Vec<TenantCount>, DbError> {
    list(tx, statement, window, |row| {
        Ok(TenantCount {
            tenant_id: tenant(row)?,
            name: row.try_get("name")?,
            count: row.try_get("count")?,
            other: row.try_get("other")?,
        })
    })
    .await
}

fn tenant(row: &PgRow) -> Result<TenantId, DbError> {
    Ok(TenantId(row.try_get::<Uuid, _>("tenant_id")?))
}
