//! A database is migrated while endpoints report, people work and sign in: nobody waits for long, nothing is lost.

mod traffic;

use std::time::Duration;

use sg_testkit::TestDb;
use sqlx::{Connection, PgConnection, Row};

use crate::support::*;

use traffic::Traffic;

/// The schema of the first release; what comes after it has to be safe on a live database.
const RELEASED: i64 = 15;
const INCIDENTS: i64 = 1_000_000;
/// The longest that anybody may wait for a lock of a migration.
const LONGEST_WAIT: Duration = Duration::from_secs(1);
/// How often the waits are looked at.
const SAMPLE: Duration = Duration::from_millis(20);

/// One row each that the traffic works on, and many incidents. Secondary indexes are made afterwards, which is several times faster.
const ROWS: &str = "
    insert into users.tenants (tenant_id, name, slug) values ('aaaaaaaa-0000-4000-8000-000000000000', 'A', 'a');
    insert into users.users (user_id, username, email, password_hash, role, tenant_id)
    values ('aaaaaaaa-0000-4000-8000-000000000001', 'admin-a', 'admin@a.example', '$argon2id$', 'admin', 'aaaaaaaa-0000-4000-8000-000000000000');
    insert into users.sessions (session_id, tenant_id, user_id, token_hash, created_at, last_seen_at, idle_seconds, expires_at)
    values ('aaaaaaaa-0000-4000-8000-000000000001', 'aaaaaaaa-0000-4000-8000-000000000000', 'aaaaaaaa-0000-4000-8000-000000000001',
        sha256('token of the administrator of a'), now(), now(), 36000, now() + interval '1 day');
    insert into agents.endpoints (agent_id, tenant_id, hostname)
    select ('aaaaaaaa-0000-4000-8000-' || lpad(n::text, 12, '0'))::uuid, 'aaaaaaaa-0000-4000-8000-000000000000', 'host-' || n
    from generate_series(100, 1099) n;
    insert into agents.heartbeats (agent_id, tenant_id, last_seen_at) select agent_id, tenant_id, now() from agents.endpoints;
    create temporary table held_back as
        select i.indexrelid::regclass::text as name, pg_get_indexdef(i.indexrelid) as definition
        from pg_index i where i.indrelid = 'threats.incidents'::regclass
            and not exists (select 1 from pg_constraint c where c.conindid = i.indexrelid);
    do $$ declare one record; begin for one in select name from held_back loop execute 'drop index ' || one.name; end loop; end $$;
    set session_replication_role = replica;
    insert into threats.incidents (threat_id, tenant_id, agent_id, threat_type, severity, status, title, detected_at)
    select ('00000000-0000-7000-8000-' || lpad(n::text, 12, '0'))::uuid, 'aaaaaaaa-0000-4000-8000-000000000000',
        ('aaaaaaaa-0000-4000-8000-' || lpad((100 + n % 1000)::text, 12, '0'))::uuid, 'malware', 'high',
        case when n % 10 = 0 then 'new' else 'resolved' end, 'Incident', now() - make_interval(secs => n)
    from generate_series(1, {incidents}) n;
    set session_replication_role = origin;
    do $$ declare one record; begin for one in select definition from held_back loop execute one.definition; end loop; end $$;
    analyze threats.incidents";

async fn released(incidents: i64) -> anyhow::Result<TestDb> {
    let test = TestDb::unmigrated().await?;
    test.migrate_to(RELEASED).await?;
    let mut root = test.connect("postgres").await?;
    run(&mut root, ROWS.replace("{incidents}", &incidents.to_string())).await?;
    Ok(test)
}

/// Somebody who waited for a lock.
#[derive(Debug)]
struct Wait {
    lasted: Duration,
    waiting: String,
    holding: String,
}

/// Runs `step` under traffic and tells who waited longest for a lock of it.
async fn longest_wait<T>(
    watcher: &mut PgConnection,
    step: impl Future<Output = anyhow::Result<T>>,
) -> anyhow::Result<Option<Wait>> {
    let mut longest: Option<Wait> = None;
    let mut step = std::pin::pin!(step);
    loop {
        let ended = tokio::select! {
            outcome = &mut step => Some(outcome),
            () = tokio::time::sleep(SAMPLE) => None,
        };
        for wait in waits(watcher).await? {
            if longest.as_ref().is_none_or(|known| known.lasted < wait.lasted) {
                longest = Some(wait);
            }
        }
        if let Some(outcome) = ended {
            outcome?;
            return Ok(longest);
        }
    }
}

/// Who of the traffic waits for a lock at this moment. The migration itself may wait, up to its own limit.
async fn waits(watcher: &mut PgConnection) -> anyhow::Result<Vec<Wait>> {
    let rows = sqlx::query(
        "select extract(epoch from clock_timestamp() - l.waitstart)::float8 as seconds, left(a.query, 200) as waiting,
            coalesce((select string_agg(left(b.query, 300), '; ') from pg_stat_activity b where b.pid = any (pg_blocking_pids(a.pid))), '')
                as holding
         from pg_locks l join pg_stat_activity a on a.pid = l.pid
         where not l.granted and l.waitstart is not null and a.datname = current_database() and a.application_name <> 'secureguard-migrate'",
    )
    .fetch_all(watcher)
    .await?;
    rows.iter()
        .map(|row| {
            Ok(Wait {
                lasted: Duration::from_secs_f64(row.try_get::<f64, _>("seconds")?.max(0.0)),
                waiting: row.try_get("waiting")?,
                holding: row.try_get("holding")?,
            })
        })
        .collect()
}

#[tokio::test]
async fn a_live_database_is_migrated_without_a_pause() -> anyhow::Result<()> {
    let test = released(INCIDENTS).await?;
    let (_, newest) = sg_db::migration_state(&test.superuser_url()).await?;
    let mut watcher = test.connect("postgres").await?;
    let traffic = Traffic::start(&test).await?;
    let mut blocked = Vec::new();
    for version in RELEASED + 1..=newest {
        let wait = longest_wait(&mut watcher, test.migrate_to(version)).await?;
        if let Some(wait) = wait.filter(|wait| wait.lasted > LONGEST_WAIT) {
            blocked.push(format!("migration {version}: {wait:#?}"));
        }
    }
    let done = traffic.stop().await?;
    assert!(blocked.is_empty(), "{}", blocked.join("\n"));
    assert_eq!(done.failures, Vec::<String>::new());
    for (what, times) in [
        ("check-ins", done.check_ins),
        ("updates", done.updates),
        ("sign-ins", done.sign_ins),
        ("reads", done.reads),
    ] {
        assert!(times > 3, "only {times} {what} during the migration");
    }
    for (kept, expected) in [
        ("select count(*) from threats.incidents", INCIDENTS),
        ("select count(*) from agents.system_info", done.check_ins),
        (
            "select sum(occurrence_count)::bigint from threats.incidents",
            INCIDENTS + done.updates,
        ),
        ("select count(*) from agents.endpoints", 1_000),
    ] {
        assert_eq!(count(&mut watcher, kept).await?, expected, "{kept}");
    }
    assert_eq!(
        sg_db::migration_state(&test.superuser_url()).await?,
        (newest, newest)
    );
    Ok(())
}

#[tokio::test]
async fn a_step_that_holds_everybody_up_is_named() -> anyhow::Result<()> {
    let test = released(1_000).await?;
    let mut watcher = test.connect("postgres").await?;
    let traffic = Traffic::start(&test).await?;
    let mut migrator = test.connect("postgres").await?;
    let rude = async {
        run(
            &mut migrator,
            "set application_name = 'secureguard-migrate'; begin; lock table threats.incidents in access exclusive mode; select pg_sleep(1.5); commit",
        )
        .await?;
        migrator.ping().await?;
        Ok(())
    };
    let wait = longest_wait(&mut watcher, rude).await?;
    traffic.stop().await?;
    let wait = wait.ok_or_else(|| anyhow::anyhow!("nobody waited"))?;
    assert!(wait.lasted > LONGEST_WAIT, "{wait:?}");
    assert!(wait.waiting.contains("threats.incidents"), "{wait:?}");
    assert!(wait.holding.contains("pg_sleep"), "{wait:?}");
    Ok(())
}
