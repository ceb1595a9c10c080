//! What nobody needs any more: one statement for each kind, in batches, safe to repeat. `docs/retention.md` explains each.
//!
//! To add one, add it to [`CLEANUPS`] and to that page, which a test compares with this list.

use chrono::{DateTime, Utc};

use crate::{DbError, SystemTx, tx::Connection};

/// Rows that one transaction removes at most.
pub const BATCH: i64 = 1_000;

/// A kind of rows that end.
#[derive(Debug, Clone, Copy)]
pub struct Cleanup {
    /// Names it in metrics and in `docs/retention.md`.
    pub name: &'static str,
    /// Takes the time (`$1`) and the number of rows at most (`$2`).
    statement: &'static str,
}

/// Rows of a table that are under no legal hold.
macro_rules! unless_held {
    ($alias:literal, $time:literal) => {
        concat!(
            " and not exists (select from agents.legal_holds h where h.released_at is null and h.tenant_id = ", $alias, ".tenant_id
                and (h.agent_id is null or h.agent_id = ", $alias, ".agent_id) and h.from_at <= ", $alias, ".", $time, "
                and (h.to_at is null or h.to_at > ", $alias, ".", $time, "))"
        )
    };
}

/// Rows of a class that are past its days and not in a partition, by the table's key and time; the time stands twice so that no other partition is looked at.
macro_rules! default_rows {
    ($table:literal, $key:literal, $time:literal, $class:literal, $days:literal) => {
        concat!(
            "delete from ",
            $table,
            " where retention_class = ",
            $class,
            " and ",
            $time,
            " < $1::timestamptz - interval '",
            $days,
            " days' and (",
            $key,
            ", ",
            $time,
            ") in (
            select r.",
            $key,
            ", r.",
            $time,
            " from ",
            $table,
            " r where r.retention_class = ",
            $class,
            " and r.",
            $time,
            " < $1::timestamptz - interval '",
            $days,
            " days'",
            unless_held!("r", $time),
            " limit $2)"
        )
    };
}

/// Those of metrics, whose partitions are days.
macro_rules! default_metrics {
    ($class:literal, $days:literal) => {
        default_rows!("agents.system_info", "info_id", "collected_at", $class, $days)
    };
}

/// Those of events, whose partitions are a day, a week or a month.
macro_rules! default_events {
    ($class:literal, $days:literal) => {
        default_rows!("agents.events", "event_id", "occurred_at", $class, $days)
    };
}

/// Every kind, in the order of their turns.
pub const CLEANUPS: &[Cleanup] = &[
    Cleanup {
        name: "sessions",
        statement: "delete from users.sessions where session_id in (
            select s.session_id from users.sessions s
            where s.expires_at < $1::timestamptz - interval '30 days' or s.ended_at < $1 - interval '30 days' limit $2)",
    },
    Cleanup {
        name: "excepted_findings",
        statement: "delete from threats.excepted_findings where (tenant_id, exception_id, agent_id, fingerprint, day) in (
            select f.tenant_id, f.exception_id, f.agent_id, f.fingerprint, f.day from threats.excepted_findings f
            where f.day < ($1::timestamptz at time zone 'UTC')::date - 90 limit $2)",
    },
    Cleanup {
        name: "correlation_matches",
        statement: "delete from threats.correlation_matches where (tenant_id, rule_id, group_key, occurred_at, event_id, position) in (
            select m.tenant_id, m.rule_id, m.group_key, m.occurred_at, m.event_id, m.position from threats.correlation_matches m
            where m.keep_until < $1::timestamptz limit $2)",
    },
    Cleanup {
        name: "correlation_episodes",
        statement: "delete from threats.correlation_episodes where (tenant_id, rule_id, group_key, from_at) in (
            select e.tenant_id, e.rule_id, e.group_key, e.from_at from threats.correlation_episodes e
            where e.keep_until < $1::timestamptz limit $2)",
    },
    Cleanup {
        name: "backups",
        statement: "delete from monitoring.backups where run_id in (
            select b.run_id from monitoring.backups b where b.finished_at < $1::timestamptz - interval '400 days' limit $2)",
    },
    Cleanup {
        name: "kpi_samples",
        statement: "delete from monitoring.kpi_samples where (tenant_id, day) in (
            select s.tenant_id, s.day from monitoring.kpi_samples s where s.day < ($1::timestamptz at time zone 'UTC')::date - 400 limit $2)",
    },
    // Tasks go with their run.
    Cleanup {
        name: "maintenance_runs",
        statement: "delete from monitoring.maintenance_runs where run_id in (
            select r.run_id from monitoring.maintenance_runs r where r.finished_at < $1::timestamptz - interval '400 days' limit $2)",
    },
    Cleanup {
        name: "reports",
        statement: "delete from monitoring.reports where report_id in (
            select p.report_id from monitoring.reports p where p.created_at < $1::timestamptz - interval '400 days' limit $2)",
    },
    Cleanup {
        name: "outgoing_mail",
        statement: "delete from users.outgoing_mail where mail_id in (
            select m.mail_id from users.outgoing_mail m
            where m.finished_at < $1::timestamptz - interval '30 days'
                or (m.finished_at is null and m.expires_at < $1 - interval '30 days') limit $2)",
    },
    Cleanup {
        name: "password_links",
        statement: "delete from users.password_links where link_id in (
            select l.link_id from users.password_links l where l.expires_at < $1::timestamptz - interval '30 days' limit $2)",
    },
    Cleanup {
        name: "known_devices",
        statement: "delete from users.known_devices where device_id in (
            select d.device_id from users.known_devices d where d.last_used_at < $1::timestamptz - interval '180 days' limit $2)",
    },
    Cleanup {
        name: "password_history",
        statement: "update users.users u set password_history = (
                select coalesce(jsonb_agg(h.hash order by h.position), '[]')
                from jsonb_array_elements(u.password_history) with ordinality as h (hash, position) where h.position <= t.history_count)
            from (
                select v.user_id, p.history_count from users.users v join users.password_policies p on p.tenant_id = v.tenant_id
                where jsonb_array_length(v.password_history) > p.history_count and $1::timestamptz is not null
                limit $2
            ) t where t.user_id = u.user_id",
    },
    Cleanup {
        name: "api_keys",
        statement: "delete from users.api_keys where key_id in (
            select k.key_id from users.api_keys k
            where least(k.revoked_at, k.expires_at) < $1::timestamptz - interval '400 days'
                and not exists (select from agents.endpoints e where e.tenant_id = k.tenant_id and e.registered_via_key_id = k.key_id)
            limit $2)",
    },
    Cleanup {
        name: "agent_tokens",
        statement: "delete from agents.agent_tokens where token_hash in (
            select t.token_hash from agents.agent_tokens t where t.revoked_at < $1::timestamptz - interval '90 days' limit $2)",
    },
    Cleanup {
        name: "commands_expired",
        statement: "update agents.commands set state = 'expired', finished_at = $1 where command_id in (
            select c.command_id from agents.commands c
            where c.state in ('pending', 'approved', 'sent', 'running')
                -- What has begun in time may take as long as a script may.
                and c.expires_at + case c.state when 'running' then interval '2 hours' else interval '0' end <= $1::timestamptz
            order by c.expires_at limit $2 for update skip locked)",
    },
    Cleanup {
        name: "commands",
        statement: concat!(
            "delete from agents.commands where command_id in (
            select c.command_id from agents.commands c where c.finished_at < $1::timestamptz - interval '400 days'",
            unless_held!("c", "requested_at"),
            " limit $2)"
        ),
    },
    Cleanup {
        name: "memberships",
        statement: "delete from users.memberships where (tenant_id, user_id) in (
            select m.tenant_id, m.user_id from users.memberships m
            where m.expires_at < $1::timestamptz - interval '400 days'
                and not exists (select from users.users u where u.user_id = m.user_id and u.tenant_id = m.tenant_id)
                and not exists (select from users.api_keys k where k.tenant_id = m.tenant_id and k.user_id = m.user_id)
                and not exists (select from agents.endpoints e where e.tenant_id = m.tenant_id and e.user_id = m.user_id)
                and not exists (select from threats.incidents i where i.tenant_id = m.tenant_id and m.user_id in (i.assigned_to, i.resolved_by))
                and not exists (select from agents.commands c where c.tenant_id = m.tenant_id
                    and m.user_id in (c.requested_by, c.approved_by, c.closed_by))
                and not exists (select from agents.legal_holds h where h.tenant_id = m.tenant_id and m.user_id in (h.placed_by, h.released_by))
            limit $2)",
    },
    Cleanup {
        name: "rate_usage",
        statement: "delete from users.rate_usage where ctid in (
            select u.ctid from users.rate_usage u where u.window_start < $1::timestamptz - interval '1 day' limit $2)",
    },
    Cleanup {
        name: "pending_sign_ins",
        statement: "delete from users.pending_sign_ins where state_hash in (
            select p.state_hash from users.pending_sign_ins p where p.expires_at < $1::timestamptz - interval '1 day' limit $2)",
    },
    Cleanup {
        name: "sign_in_challenges",
        statement: "delete from users.sign_in_challenges where challenge_id in (
            select c.challenge_id from users.sign_in_challenges c where c.expires_at < $1::timestamptz - interval '1 day' limit $2)",
    },
    // A factor refers to its secret, which therefore goes by what the deletion of the factor returns.
    Cleanup {
        name: "pending_factors",
        statement: "with gone as (
                delete from users.factors where factor_id in (
                    select f.factor_id from users.factors f
                    where f.kind = 'totp' and f.confirmed_at is null and f.created_at < $1::timestamptz - interval '10 minutes' limit $2)
                returning secret_id)
            delete from users.secrets s using gone g where s.secret_id = g.secret_id",
    },
    Cleanup {
        name: "notices",
        statement: "delete from users.notices where notice_id in (
            select n.notice_id from users.notices n where n.created_at < $1::timestamptz - interval '400 days' limit $2)",
    },
    Cleanup {
        name: "streams",
        statement: "delete from agents.streams s using (
                select r.agent_id, r.epoch from (
                    select agent_id, epoch, row_number() over (partition by agent_id order by last_seen_at desc, epoch) as rank
                    from agents.streams) r
                where r.rank > 16 and $1::timestamptz is not null limit $2) r
            where r.agent_id = s.agent_id and r.epoch = s.epoch",
    },
    Cleanup {
        name: "gaps",
        statement: concat!(
            "delete from agents.gaps where gap_id in (
            select g.gap_id from agents.gaps g where g.recorded_at < $1::timestamptz - interval '400 days' and g.to_at is not null",
            unless_held!("g", "from_at"),
            " limit $2)"
        ),
    },
    Cleanup {
        name: "occurrences",
        statement: "delete from threats.occurrences where occurrence_id in (
            select o.occurrence_id from threats.occurrences o join threats.findings f on f.finding_id = o.finding_id
            where o.received_at < $1::timestamptz - interval '90 days'
                and not exists (select from agents.legal_holds h where h.released_at is null and h.tenant_id = o.tenant_id
                    and (h.agent_id is null or h.agent_id = f.agent_id) and h.from_at <= o.occurred_at
                    and (h.to_at is null or h.to_at > o.occurred_at))
            limit $2)",
    },
    // Attempts go with their notification.
    Cleanup {
        name: "notifications",
        statement: "delete from monitoring.notifications where notification_id in (
            select n.notification_id from monitoring.notifications n where n.finished_at < $1::timestamptz - interval '90 days' limit $2)",
    },
    Cleanup {
        name: "silences",
        statement: "delete from monitoring.silences where silence_id in (
            select s.silence_id from monitoring.silences s
            where least(s.expires_at, s.ended_at) < $1::timestamptz - interval '400 days' limit $2)",
    },
    Cleanup {
        name: "alerts",
        statement: "delete from monitoring.alerts where alert_id in (
            select a.alert_id from monitoring.alerts a where a.state = 'resolved' and a.resolved_at < $1::timestamptz - interval '400 days'
            limit $2)",
    },
    // Rows of odd times, which no partition took and no drop reaches.
    Cleanup {
        name: "default_metrics_30",
        statement: default_metrics!("30", "32"),
    },
    Cleanup {
        name: "default_metrics_90",
        statement: default_metrics!("90", "92"),
    },
    Cleanup {
        name: "default_metrics_400",
        statement: default_metrics!("400", "402"),
    },
    Cleanup {
        name: "default_events_30",
        statement: default_events!("30", "32"),
    },
    Cleanup {
        name: "default_events_90",
        statement: default_events!("90", "99"),
    },
    Cleanup {
        name: "default_events_400",
        statement: default_events!("400", "433"),
    },
    // What was under a hold that is released, and past its time before.
    Cleanup {
        name: "released_metrics",
        statement: concat!(
            "delete from agents.system_info where retention_class = 0 and (info_id, collected_at) in (
            select s.info_id, s.collected_at from agents.system_info s where s.retention_class = 0 and s.collected_at < $1::timestamptz",
            unless_held!("s", "collected_at"),
            " limit $2)"
        ),
    },
    Cleanup {
        name: "released_events",
        statement: concat!(
            "delete from agents.events_held where (event_id, occurred_at) in (
            select v.event_id, v.occurred_at from agents.events_held v where v.occurred_at < $1::timestamptz",
            unless_held!("v", "occurred_at"),
            " limit $2)"
        ),
    },
];

/// Removes at most [`BATCH`] rows of one kind; returns how many. Fewer than [`BATCH`]: there are no more.
///
/// # Errors
/// What a query may meet.
pub async fn run_cleanup(tx: &mut SystemTx, cleanup: &Cleanup, at: DateTime<Utc>) -> Result<u64, DbError> {
    let done = sqlx::query(cleanup.statement)
        .bind(at)
        .bind(BATCH)
        .execute(tx.conn())
        .await?;
    Ok(done.rows_affected())
}
