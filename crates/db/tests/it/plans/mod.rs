//! How the product's frequent queries are answered: the plan of the very statements that it sends, as a request sends them, on tables large enough
//! for the planner to choose.

mod data;
mod tree;

use sg_db::{agents, audit, threats};
use sg_testkit::{TestDb, capture_statements};
use sg_types::{AgentId, IncidentStatus, Severity};
use sqlx::{Connection, PgConnection};
use uuid::Uuid;

use crate::support::*;

use tree::Plan;

/// Tables that hold so much that no query of a request may read all of it.
const LARGE: [&str; 6] = [
    "endpoints",
    "incidents",
    "system_info",
    "events",
    "row_changes",
    "findings",
];

/// Rows that a page of 50 may need to look at in one place.
const FEW: f64 = 500.0;

/// A statement that the product sent, and the arguments to explain it with.
struct Case {
    name: &'static str,
    statement: String,
    arguments: Vec<String>,
    /// Partitions that it may look into at most.
    partitions: usize,
    /// Rows that it may look at in one place at most.
    rows: f64,
}

async fn listen<T>(
    work: impl Future<Output = Result<T, sg_db::DbError>>,
    mark: &str,
) -> anyhow::Result<String> {
    let (outcome, statements) = capture_statements(work).await;
    outcome?;
    statements
        .into_iter()
        .find(|statement| statement.contains(mark))
        .ok_or_else(|| anyhow::anyhow!("no statement with {mark} was sent"))
}

/// The statements of the four reads that are asked for most, each with filters as the console sets them.
async fn cases(test: &TestDb) -> anyhow::Result<Vec<Case>> {
    let caller = caller(test, ADMIN_A).await?;
    let agent = AgentId(Uuid::parse_str(data::AGENT)?);
    let mut tx = test.db.read(&caller, now()).await?;
    let mut cases = metrics(&mut tx, agent).await?;
    cases.extend(incidents(&mut tx, agent).await?);
    cases.extend(audit_search(&mut tx).await?);
    Ok(cases)
}

async fn metrics(tx: &mut sg_db::ReadTx, agent: AgentId) -> anyhow::Result<Vec<Case>> {
    let (at, soon, yesterday) = ("now()", "now() + interval '1 hour'", "now() - interval '1 day'");
    // The time, the class of the tenant's time series, and the bounds of what is shown as the present state.
    let times = [at, "90", yesterday, soon].map(str::to_owned);
    let page = |first: &[&str]| -> Vec<String> {
        let first = first.iter().map(|text| (*text).to_owned());
        first.chain(times.clone()).collect()
    };
    let filter = agents::EndpointFilter::default();
    let searched = agents::EndpointFilter {
        search: Some("st-50".to_owned()),
        ..filter.clone()
    };
    let offline = agents::EndpointFilter {
        online: Some(false),
        ..filter.clone()
    };
    let range = agents::Range {
        from: now() - chrono::Duration::days(1),
        to: now(),
        step_seconds: 3600,
    };
    Ok(vec![
        Case {
            name: "the latest metrics of an endpoint",
            statement: listen(agents::find_endpoint(tx, agent, now()), "agents.system_info").await?,
            arguments: [format!("'{}'", data::AGENT)]
                .into_iter()
                .chain(times[1..].iter().cloned())
                .collect(),
            partitions: 3,
            rows: FEW,
        },
        Case {
            name: "an endpoint",
            statement: listen(agents::find_endpoint(tx, agent, now()), "agents.endpoints").await?,
            arguments: vec![times[0].clone(), format!("'{}'", data::AGENT)],
            partitions: 0,
            rows: FEW,
        },
        Case {
            name: "endpoints by name, with their latest metrics",
            statement: listen(
                agents::list_endpoints(tx, &filter, None, 50, now()),
                "agents.endpoints",
            )
            .await?,
            arguments: page(&[]),
            partitions: 3,
            // A thousand heartbeats are as soon read as fifty are looked up.
            rows: 1_100.0,
        },
        Case {
            name: "endpoints by name, a later page",
            statement: listen(
                agents::list_endpoints(tx, &filter, Some(("host-500".to_owned(), agent)), 50, now()),
                "agents.endpoints",
            )
            .await?,
            arguments: page(&["'host-500'", &format!("'{}'", data::AGENT)]),
            partitions: 3,
            rows: 1_100.0,
        },
        Case {
            name: "endpoints by a part of a text",
            statement: listen(
                agents::list_endpoints(tx, &searched, None, 50, now()),
                "agents.endpoints",
            )
            .await?,
            arguments: page(&["'st-50'"]),
            partitions: 3,
            rows: 1_100.0,
        },
        Case {
            name: "endpoints that are offline",
            statement: listen(
                agents::list_endpoints(tx, &offline, None, 50, now()),
                "agents.endpoints",
            )
            .await?,
            arguments: page(&[]),
            partitions: 3,
            rows: 1_100.0,
        },
        Case {
            name: "metrics of an endpoint over a day",
            statement: listen(
                agents::read_metrics(tx, agent, range, now()),
                "agents.system_info",
            )
            .await?,
            arguments: vec![
                format!("'{}'", data::AGENT),
                yesterday.to_owned(),
                at.to_owned(),
                "300".to_owned(),
                "now() - interval '400 days'".to_owned(),
                yesterday.to_owned(),
            ],
            // Of the roll-ups, too, those of this time only.
            partitions: 8,
            rows: FEW,
        },
        Case {
            name: "events of an endpoint",
            statement: listen(agents::list_events(tx, agent, None, 50), "agents.events").await?,
            arguments: ["agent", "50", "agent", "50", "agent", "50", "50"]
                .map(|text| text.replace("agent", &format!("'{}'", data::AGENT)))
                .to_vec(),
            // Every class: what the tenant had before may hold some.
            partitions: 40,
            rows: FEW,
        },
    ])
}

async fn incidents(tx: &mut sg_db::ReadTx, agent: AgentId) -> anyhow::Result<Vec<Case>> {
    let open = threats::IncidentFilter {
        statuses: vec![IncidentStatus::New, IncidentStatus::Investigating],
        ..threats::IncidentFilter::default()
    };
    let severe = threats::IncidentFilter {
        severities: vec![Severity::Critical],
        ..open.clone()
    };
    let of_agent = threats::IncidentFilter {
        agent_id: Some(agent),
        ..threats::IncidentFilter::default()
    };
    let mut cases = Vec::new();
    for (name, filter, arguments) in [
        (
            "incidents, newest first",
            threats::IncidentFilter::default(),
            vec!["50"],
        ),
        (
            "open incidents",
            open,
            vec!["'new'", "50", "'investigating'", "50", "50"],
        ),
        (
            "open incidents by severity",
            severe,
            vec![
                "'new'",
                "array['critical']",
                "50",
                "'investigating'",
                "array['critical']",
                "50",
                "50",
            ],
        ),
        (
            "incidents of an endpoint",
            of_agent,
            vec!["'aaaaaaaa-0000-4000-8000-000000000500'", "50"],
        ),
    ] {
        cases.push(Case {
            name,
            statement: listen(
                threats::list_incidents(tx, &filter, None, 50),
                "threats.incidents",
            )
            .await?,
            arguments: arguments.into_iter().map(str::to_owned).collect(),
            partitions: 0,
            rows: FEW,
        });
    }
    Ok(cases)
}

async fn audit_search(tx: &mut sg_db::ReadTx) -> anyhow::Result<Vec<Case>> {
    let actor = audit::EventFilter {
        actor: Some(data::ACTOR),
        ..audit::EventFilter::default()
    };
    let object = audit::EventFilter {
        object_kind: Some("incident"),
        object_id: Some("object-7"),
        ..audit::EventFilter::default()
    };
    let time = audit::EventFilter {
        from: Some(now() - chrono::Duration::hours(2)),
        to: Some(now()),
        ..audit::EventFilter::default()
    };
    let mut cases = Vec::new();
    for (name, filter, arguments, partitions) in [
        (
            "audit events, newest first",
            audit::EventFilter::default(),
            vec!["50"],
            12,
        ),
        (
            "audit events of an actor",
            actor,
            vec!["'aaaaaaaa-0000-4000-8000-000000000001'", "50"],
            12,
        ),
        (
            "audit events on an object",
            object,
            vec!["'incident'", "'object-7'", "50"],
            12,
        ),
        (
            "audit events of a time",
            time,
            vec!["now() - interval '2 hours'", "now()", "50"],
            2,
        ),
    ] {
        cases.push(Case {
            name,
            statement: listen(audit::list_events(tx, &filter, None, 50), "audit.events").await?,
            arguments: arguments.into_iter().map(str::to_owned).collect(),
            partitions,
            rows: FEW,
        });
    }
    Ok(cases)
}

/// The plan of a statement in an opened context, with its run.
async fn explain(app: &mut PgConnection, case: &Case, mode: &str) -> anyhow::Result<Plan> {
    run(app, format!("begin; set local plan_cache_mode = {mode}")).await?;
    run(app, open_context(ADMIN_A)).await?;
    run(app, format!("prepare asked as {}", case.statement)).await?;
    let explained: serde_json::Value = sqlx::query_scalar(sqlx::AssertSqlSafe(format!(
        "explain (analyze, costs off, timing off, summary off, format json) execute asked ({})",
        case.arguments.join(", ").replace("now()", data::MOMENT)
    )))
    .fetch_one(&mut *app)
    .await?;
    run(app, "rollback; deallocate asked").await?;
    Ok(Plan::read(&explained[0]["Plan"]))
}

#[tokio::test]
async fn frequent_queries_read_what_they_show() -> anyhow::Result<()> {
    let test = data::large().await?;
    let mut root = test.connect("postgres").await?;
    let mut app = test.connect("sg_app").await?;
    // Other versions of PostgreSQL choose other nodes, and sort a few rows more where 15 walks an index; the other rules hold for them too.
    let version = count(
        &mut root,
        "select current_setting('server_version_num')::bigint / 10000",
    )
    .await?;
    let mut golden = String::new();
    let mut complaints = Vec::new();
    for case in cases(&test).await? {
        for mode in ["force_custom_plan", "force_generic_plan"] {
            let plan = explain(&mut app, &case, mode).await?;
            let place = format!("{} ({mode})", case.name);
            let mut wrong = plan.complaints(&LARGE, case.partitions, case.rows);
            wrong.retain(|complaint| version == 15 || !complaint.starts_with("reads "));
            if !wrong.is_empty() {
                complaints.push(format!("{place}: {}\n{plan}", wrong.join(", ")));
            }
            golden.push_str(&format!("{place}\n{plan}\n"));
        }
    }
    assert!(complaints.is_empty(), "{}", complaints.join("\n"));
    if version == 15 {
        insta::assert_snapshot!("plans", golden);
    }
    app.close().await?;
    Ok(())
}

#[tokio::test]
async fn a_plan_that_reads_too_much_is_named() -> anyhow::Result<()> {
    let test = data::large().await?;
    let mut app = test.connect("sg_app").await?;
    for (statement, expected) in [
        (
            "select count(*) from threats.incidents where title like '%x%'",
            "reads all",
        ),
        (
            "select count(*) from agents.endpoints e where (select users.current_tenant() where e.agent_id is not null) is not null",
            "evaluates",
        ),
        (
            "select max(cpu_usage) from agents.system_info where agent_id = gen_random_uuid()",
            "looks into",
        ),
    ] {
        let case = Case {
            name: "bad",
            statement: statement.to_owned(),
            arguments: Vec::new(),
            partitions: 3,
            rows: FEW,
        };
        run(
            &mut app,
            "set enable_indexscan = off; set enable_bitmapscan = off; set enable_indexonlyscan = off",
        )
        .await?;
        if expected != "reads all" {
            run(&mut app, "reset all").await?;
        }
        run(&mut app, "begin").await?;
        run(&mut app, open_context(ADMIN_A)).await?;
        let explained: serde_json::Value = sqlx::query_scalar(sqlx::AssertSqlSafe(format!(
            "explain (analyze, costs off, timing off, summary off, format json) {}",
            case.statement
        )))
        .fetch_one(&mut app)
        .await?;
        run(&mut app, "rollback").await?;
        let plan = Plan::read(&explained[0]["Plan"]);
        let complaints = plan.complaints(&LARGE, case.partitions, case.rows);
        assert!(
            complaints.iter().any(|why| why.starts_with(expected)),
            "{expected}: {complaints:?}\n{plan}"
        );
    }
    Ok(())
}
