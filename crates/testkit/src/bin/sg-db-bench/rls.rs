//! What row security costs: the product's query in an opened context, against the same statement with the tenant written into it, run by a role
//! that row security does not bind. Both prepared once, as the server prepares them, and asked in turns; the times are the client's, over a unix
//! socket.

use anyhow::{Context, Result};
use sg_db::{DbError, agents, audit, threats};
use sg_testkit::capture_statements;
use sg_types::{AgentId, Clock, IncidentStatus, Severity, SystemClock};
use sqlx::{AssertSqlSafe, PgConnection};
use uuid::Uuid;

use crate::{Bench, TENANT, TENANTS, caller, median, open_context, report, run, say, time};

const AGENT: &str = "b0000000-0000-4000-8000-000000050003";
const TURNS: usize = 300;
const ROUNDS: usize = 9;

const ROWS: &str = "
    insert into threats.incidents (threat_id, tenant_id, agent_id, threat_type, severity, status, title, detected_at)
    select ('00000000-0000-7000-8000-' || lpad(n::text, 12, '0'))::uuid, ('a0000000-0000-4000-8000-' || lpad((1 + n % 1000)::text, 12, '0'))::uuid,
        ('b0000000-0000-4000-8000-' || lpad(((1 + n % 1000) * 100 + n / 1000 % 10)::text, 12, '0'))::uuid, 'malware',
        (array['low', 'medium', 'high', 'critical'])[1 + n / 1000 % 4],
        (array['new', 'investigating', 'resolved', 'resolved', 'resolved', 'false_positive'])[1 + n / 7000 % 6], 'Incident ' || n,
        now() - make_interval(secs => n)
    from generate_series({from}, {to}) n";
const BESIDE: &str = "
    insert into agents.system_info (agent_id, tenant_id, cpu_usage, memory_usage, disk_usage, collected_at)
    select e.agent_id, e.tenant_id, 1, 2, 3, now() - make_interval(mins => 30 * n) from agents.endpoints e, generate_series(0, 49) n;
    insert into audit.events (event_id, tenant_id, occurred_at, transaction_id, actor_kind, actor_id, actor_name, action, object_kind, object_id, outcome)
    select gen_random_uuid(), ('a0000000-0000-4000-8000-' || lpad((1 + n % 1000)::text, 12, '0'))::uuid, now() - make_interval(secs => n),
        (n + 1000)::text::xid8, 'user', gen_random_uuid()::text, 'somebody-' || n / 1000 % 7, 'incident.update', 'incident', 'object-' || n % 500, 'success'
    from generate_series(1, 500000) n;
    set session_replication_role = origin;
    vacuum analyze";

struct Case {
    name: &'static str,
    statement: String,
    /// What stands before the tenant's condition in the statement.
    place: &'static str,
    /// The tenant's column.
    column: &'static str,
    arguments: Vec<String>,
}

pub(crate) async fn measure(bench: &Bench, incidents: i64) -> Result<()> {
    let mut root = bench.connect("postgres").await?;
    run(&mut root, TENANTS.replace("{endpoints}", "10")).await?;
    let step = 250_000;
    for from in (1..=incidents).step_by(step) {
        let to = incidents.min(from + i64::try_from(step)? - 1);
        let rows = ROWS
            .replace("{from}", &from.to_string())
            .replace("{to}", &to.to_string());
        run(&mut root, rows).await?;
        say(&format!("{to} of {incidents} incidents"));
    }
    run_each(&mut root, BESIDE).await?;
    for case in cases(bench).await? {
        let (mut ours, mut theirs) = (Vec::new(), Vec::new());
        // Each backend has a pace of its own: where its memory lies differs.
        for _ in 0..ROUNDS {
            let mut app = bench.connect("sg_app").await?;
            let mut root = bench.connect("postgres").await?;
            let (ours_here, theirs_here) = compare(&mut app, &mut root, &case).await?;
            ours.extend(ours_here);
            theirs.extend(theirs_here);
        }
        report(case.name, median(ours), Some(median(theirs)), "ms");
    }
    let mut app = bench.connect("sg_app").await?;
    run(&mut app, "begin").await?;
    let mut opening = Vec::new();
    for _ in 0..TURNS {
        opening.push(time(&mut app, &open_context()).await?);
    }
    report("rls-open-context", median(opening), None, "ms");
    Ok(())
}

/// `vacuum` does not run beside other statements.
async fn run_each(conn: &mut PgConnection, statements: &str) -> Result<()> {
    for statement in statements.split(';') {
        run(conn, statement).await?;
    }
    Ok(())
}

async fn compare(
    app: &mut PgConnection,
    root: &mut PgConnection,
    case: &Case,
) -> Result<(Vec<f64>, Vec<f64>)> {
    let explicit = case
        .statement
        .replace("(select users.current_tenant())", &format!("'{TENANT}'::uuid"))
        .replace(
            case.place,
            &format!("{} {} = '{TENANT}' and", case.place, case.column),
        );
    anyhow::ensure!(explicit != case.statement, "{}: {}", case.name, case.statement);
    // As the server's connections have it.
    for conn in [&mut *app, &mut *root] {
        run(conn, "set plan_cache_mode = force_generic_plan").await?;
    }
    run(app, "begin").await?;
    run(app, open_context()).await?;
    run(app, format!("prepare asked as {}", case.statement)).await?;
    run(root, format!("prepare asked as {explicit}")).await?;
    let execute = format!("execute asked ({})", case.arguments.join(", "));
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    for _ in 0..TURNS {
        ours.push(ask(app, &execute).await?);
        theirs.push(ask(root, &execute).await?);
    }
    // The first ones make plans.
    Ok((ours.split_off(20), theirs.split_off(20)))
}

/// How long a statement takes until its last row is here, in milliseconds. It has to yield one.
async fn ask(conn: &mut PgConnection, statement: &str) -> Result<f64> {
    let begin = std::time::Instant::now();
    let rows = sqlx::raw_sql(AssertSqlSafe(statement)).fetch_all(conn).await?;
    let taken = begin.elapsed().as_secs_f64() * 1000.0;
    anyhow::ensure!(!rows.is_empty(), "no row: {statement}");
    Ok(taken)
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
    let texts = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>();
    let present = [
        "now()",
        "90",
        "now() - interval '1 day'",
        "now() + interval '1 hour'",
    ];
    let branch = [
        "'new'",
        "array['critical']",
        "50",
        "'investigating'",
        "array['critical']",
        "50",
        "50",
    ];
    Ok(vec![
        Case {
            name: "rls-latest-metrics",
            statement: listen(agents::find_endpoint(&mut tx, agent, now), "agents.endpoints").await?,
            place: "on true where",
            column: "e.tenant_id",
            arguments: texts(&[&present[..], &[&format!("'{AGENT}'")]].concat()),
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
            arguments: texts(&branch),
        },
        Case {
            name: "rls-endpoint-list",
            statement: listen(
                agents::list_endpoints(&mut tx, &every, None, 50, now),
                "agents.endpoints",
            )
            .await?,
            place: "select e.agent_id from agents.endpoints e where",
            column: "e.tenant_id",
            arguments: texts(&[&["50"], &present[..]].concat()),
        },
        Case {
            name: "rls-audit-search",
            statement: listen(audit::list_events(&mut tx, &actor, None, 50), "audit.events").await?,
            place: "from audit.events where",
            column: "tenant_id",
            arguments: texts(&["'somebody-3'", "50"]),
        },
    ])
}
