//! What row security costs: the product's query in an opened context, against the same statement with the tenant written into it, run by a role
//! that holds the same grants and that row security does not bind. Both prepared once, as the server prepares them, and asked in turns. The times are
//! the client's, over a unix socket; beside them, where Linux tells it, the processor time of PostgreSQL's process alone.

use anyhow::{Context, Result};
use chrono::{DateTime, Duration, Utc};
use secrecy::ExposeSecret;
use sg_db::{DbError, agents, audit, threats};
use sg_testkit::{
    bulk::{self, AGENT, TENANT},
    capture_statements,
};
use sg_types::{AgentId, Clock, IncidentStatus, Severity, SystemClock};
use sqlx::{AssertSqlSafe, Connection, PgConnection, Postgres, postgres::PgArguments, query::Query};
use uuid::Uuid;

use crate::{Bench, caller, median, open_context, report, run, say, time};

const TURNS: usize = 300;
/// The first ones make plans and are not counted.
const FIRST_TURNS: usize = 20;
const ROUNDS: usize = 9;

const BESIDE: &str = "
    insert into agents.system_info (agent_id, tenant_id, cpu_usage, memory_usage, disk_usage, collected_at)
    select e.agent_id, e.tenant_id, 1, 2, 3, now() - make_interval(mins => 30 * n) from agents.endpoints e, generate_series(0, 49) n;
    insert into audit.events (event_id, tenant_id, occurred_at, transaction_id, actor_kind, actor_id, actor_name, action, object_kind, object_id, outcome)
    select gen_random_uuid(), ('a0000000-0000-4000-8000-' || lpad((1 + n % 1000)::text, 12, '0'))::uuid, now() - make_interval(secs => n),
        (n + 1000)::text::xid8, 'user', gen_random_uuid()::text, 'somebody-' || n / 1000 % 7, 'incident.update', 'incident', 'object-' || n % 500, 'success'
    from generate_series(1, 500000) n;
    set session_replication_role = origin;
    vacuum analyze";

/// The cheapest policy that still asks anything, in the place of all that requests have: what is left is the price of asking at all.
const FLOOR: &str = "
    do $$ declare a record; begin
        for a in select p.polname as name, p.polrelid::regclass as place from pg_policy p
            where p.polname in ('member_visibility', 'tenant_isolation') and 'sg_app'::regrole = any (p.polroles)
                and p.polqual is not null
        loop
            execute format(case a.name
                when 'tenant_isolation' then 'alter policy %I on %s using (tenant_id = (select ''{tenant}''::uuid))'
                else 'drop policy %I on %s' end, a.name, a.place);
        end loop;
    end $$";

/// A role with what was granted to sg_app, for which there is no row security.
const UNBOUND: &str = "
    do $$ declare a record; begin
        create role unbound login bypassrls password '{verifier}';
        for a in select format('grant usage on schema %I to unbound', n.nspname) as statement
            from pg_namespace n where n.nspname in ('users', 'agents', 'threats', 'audit', 'monitoring')
            union all select format('grant %s on %s to unbound', g.privilege_type, c.oid::regclass)
            from pg_class c, aclexplode(c.relacl) g where g.grantee = 'sg_app'::regrole
            union all select format('grant %s (%I) on %s to unbound', g.privilege_type, t.attname, t.attrelid::regclass)
            from pg_attribute t, aclexplode(t.attacl) g where g.grantee = 'sg_app'::regrole
            union all select format('grant execute on function %s to unbound', f.oid::regprocedure)
            from pg_proc f, aclexplode(f.proacl) g where g.grantee = 'sg_app'::regrole
        loop
            execute a.statement;
        end loop;
    end $$";

struct Case {
    name: &'static str,
    statement: String,
    /// What stands before the tenant's condition in the statement.
    place: &'static str,
    /// The tenant's column.
    column: &'static str,
    arguments: Vec<Value>,
}

/// What is bound to a statement.
#[derive(Clone)]
enum Value {
    Time(DateTime<Utc>),
    Class(i16),
    Number(i64),
    Id(Uuid),
    Text(String),
    Texts(Vec<String>),
}

/// What asking took, in milliseconds.
#[derive(Default)]
struct Times {
    client: Vec<f64>,
    /// Empty where the system does not tell.
    server: Vec<f64>,
}

pub(crate) async fn measure(bench: &Bench, incidents: i64) -> Result<()> {
    let mut root = bench.connect("postgres").await?;
    bulk::insert_tenants(&mut root, 10).await?;
    bulk::insert_incidents(&mut root, incidents, |done| {
        say(&format!("{done} of {incidents} incidents"));
    })
    .await?;
    run_each(&mut root, BESIDE).await?;
    let verifiers = bench.cluster.verifiers();
    let (_, verifier) = verifiers.0.first().context("no role signs in")?;
    run(&mut root, UNBOUND.replace("{verifier}", verifier.expose_secret())).await?;
    let cases = cases(bench).await?;
    compare_all(bench, &cases, "").await?;
    let mut app = bench.connect("sg_app").await?;
    run(&mut app, "begin").await?;
    let mut opening = Vec::new();
    for _ in 0..TURNS {
        opening.push(time(&mut app, &open_context()).await?);
    }
    report("rls-open-context", median(opening), None, "ms");
    app.close().await?;
    run(&mut root, FLOOR.replace("{tenant}", TENANT)).await?;
    compare_all(bench, &cases, "-floor").await
}

/// `vacuum` does not run beside other statements.
async fn run_each(conn: &mut PgConnection, statements: &str) -> Result<()> {
    for statement in statements.split(';') {
        run(conn, statement).await?;
    }
    Ok(())
}

async fn compare_all(bench: &Bench, cases: &[Case], suffix: &str) -> Result<()> {
    for case in cases {
        let (mut ours, mut theirs) = (Times::default(), Times::default());
        // Each backend has a pace of its own: where its memory lies differs.
        for _ in 0..ROUNDS {
            let mut app = bench.connect("sg_app").await?;
            let mut unbound = bench.connect("unbound").await?;
            compare(&mut app, &mut unbound, case, &mut ours, &mut theirs).await?;
        }
        let name = format!("{}{suffix}", case.name);
        report(&name, median(ours.client), Some(median(theirs.client)), "ms");
        if !ours.server.is_empty() {
            report(
                &format!("{name}-server"),
                median(ours.server),
                Some(median(theirs.server)),
                "ms",
            );
        }
    }
    Ok(())
}

async fn compare(
    app: &mut PgConnection,
    unbound: &mut PgConnection,
    case: &Case,
    ours: &mut Times,
    theirs: &mut Times,
) -> Result<()> {
    let explicit = case
        .statement
        .replace("(select users.current_tenant())", &format!("'{TENANT}'::uuid"))
        .replace(
            case.place,
            &format!("{} {} = '{TENANT}' and", case.place, case.column),
        );
    anyhow::ensure!(explicit != case.statement, "{}: {}", case.name, case.statement);
    let mut processes = Vec::new();
    for conn in [&mut *app, &mut *unbound] {
        // As the server's connections have it.
        run(conn, "set plan_cache_mode = force_generic_plan; begin").await?;
        processes.push(
            sqlx::query_scalar("select pg_backend_pid()")
                .fetch_one(&mut *conn)
                .await?,
        );
    }
    run(app, open_context()).await?;
    for turn in 0..TURNS + FIRST_TURNS {
        for (conn, process, statement, times) in [
            (&mut *app, processes[0], &case.statement, &mut *ours),
            (&mut *unbound, processes[1], &explicit, &mut *theirs),
        ] {
            let (client, server) = ask(conn, process, statement, &case.arguments).await?;
            if turn >= FIRST_TURNS {
                times.client.push(client);
                times.server.extend(server);
            }
        }
    }
    Ok(())
}

/// How long a statement takes until its last row is here, and what it costs its process, in milliseconds. It has to yield a row.
async fn ask(
    conn: &mut PgConnection,
    process: i32,
    statement: &str,
    arguments: &[Value],
) -> Result<(f64, Option<f64>)> {
    let query = arguments
        .iter()
        .cloned()
        .fold(sqlx::query(AssertSqlSafe(statement)), bind);
    let before = processor_time(process);
    let begin = std::time::Instant::now();
    let rows = query.fetch_all(conn).await?;
    let client = begin.elapsed().as_secs_f64() * 1000.0;
    anyhow::ensure!(!rows.is_empty(), "no row: {statement}");
    let server = before
        .zip(processor_time(process))
        .map(|(before, after)| after - before);
    Ok((client, server))
}

fn bind(query: Query<'_, Postgres, PgArguments>, value: Value) -> Query<'_, Postgres, PgArguments> {
    match value {
        Value::Time(value) => query.bind(value),
        Value::Class(value) => query.bind(value),
        Value::Number(value) => query.bind(value),
        Value::Id(value) => query.bind(value),
        Value::Text(value) => query.bind(value),
        Value::Texts(value) => query.bind(value),
    }
}

/// What a process has had of the processor, in milliseconds.
fn processor_time(process: i32) -> Option<f64> {
    let text = std::fs::read_to_string(format!("/proc/{process}/schedstat")).ok()?;
    let nanoseconds: f64 = text.split(' ').next()?.parse().ok()?;
    Some(nanoseconds / 1e6)
}

async fn listen<T>(work: impl Future<Output = Result<T, DbError>>, mark: &str) -> Result<String> {
    let (outcome, statements) = capture_statements(work).await;
    outcome?;
    statements
        .into_iter()
        .find(|text| text.contains(mark))
        .context("the statement was not heard")
}

async fn cases(bench: &Bench) -> Result<Vec<Case>> {
    let now = SystemClock.now();
    let agent = AgentId(Uuid::parse_str(AGENT)?);
    let db = bench.open()?;
    let mut tx = db.read(&caller(&db).await?, now).await?;
    let severe = threats::IncidentFilter {
        statuses: vec![IncidentStatus::New, IncidentStatus::Investigating],
        severities: vec![Severity::Critical],
        ..threats::IncidentFilter::default()
    };
    let actor = audit::EventFilter {
        actor: Some("somebody-3"),
        ..audit::EventFilter::default()
    };
    let every = agents::EndpointFilter::default();
    let present = [
        Value::Time(now),
        Value::Class(90),
        Value::Time(now - Duration::days(1)),
        Value::Time(now + Duration::hours(1)),
    ];
    let branch = |status: &str| {
        [
            Value::Text(status.to_owned()),
            Value::Texts(vec!["critical".to_owned()]),
            Value::Number(50),
        ]
    };
    Ok(vec![
        Case {
            name: "rls-latest-metrics",
            statement: listen(agents::find_endpoint(&mut tx, agent, now), "agents.system_info").await?,
            place: "from agents.system_info s where",
            column: "s.tenant_id",
            arguments: [&[Value::Id(agent.into())], &present[1..]].concat(),
        },
        Case {
            name: "rls-endpoint",
            statement: listen(agents::find_endpoint(&mut tx, agent, now), "agents.endpoints").await?,
            place: "= e.agent_id where",
            column: "e.tenant_id",
            arguments: vec![Value::Time(now), Value::Id(agent.into())],
        },
        Case {
            name: "rls-open-incidents",
            statement: listen(
                threats::list_incidents(&mut tx, &severe, None, 50),
                "threats.incidents",
            )
            .await?,
            place: "from threats.incidents i where",
            column: "i.tenant_id",
            arguments: [&branch("new")[..], &branch("investigating"), &[Value::Number(50)]].concat(),
        },
        Case {
            name: "rls-endpoint-list",
            statement: listen(
                agents::list_endpoints(&mut tx, &every, None, 50, now),
                "agents.endpoints",
            )
            .await?,
            place: "from agents.endpoints e where",
            column: "e.tenant_id",
            arguments: [&[Value::Number(50)], &present[..]].concat(),
        },
        Case {
            name: "rls-audit-search",
            statement: listen(audit::list_events(&mut tx, &actor, None, 50), "audit.events").await?,
            place: "from audit.events where",
            column: "tenant_id",
            arguments: vec![Value::Text("somebody-3".to_owned()), Value::Number(50)],
        },
    ])
}
