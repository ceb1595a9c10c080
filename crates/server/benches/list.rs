//! `cargo xtask bench list [--large|--rows N]`: pages of incidents by HTTP, of one tenant among 1,000, against the product's own statements, prepared, with the
//! tenant written into them and without row security.
#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a measurement: whatever does not work ends it"
)]

mod support;

use std::time::Instant;

use sg_db::threats::{IncidentFilter, list_incidents};
use sg_db::{Db, DbConfig, Proof, ReadTx, TokenHash};
use sg_load::Client;
use sg_testkit::bulk::{self, AGENT, TENANT, TOKEN};
use sg_testkit::capture_statements;
use sg_types::{AgentId, Clock, IncidentStatus, Severity, SystemClock};
use sqlx::postgres::PgArguments;
use sqlx::query::Query;
use sqlx::{AssertSqlSafe, Connection, PgConnection, Postgres};
use support::{Server, quantile, report, role_url, superuser_url};
use uuid::Uuid;

const TURNS: usize = 1_000;
/// The first ones make plans and are not counted.
const FIRST_TURNS: usize = 50;
const PAGE: u32 = 50;

/// A list that people ask for.
struct Case {
    name: &'static str,
    /// What stands behind the path.
    query: String,
    filter: IncidentFilter,
    arguments: Vec<Value>,
}

/// What is bound to the statement.
#[derive(Clone)]
enum Value {
    Id(Uuid),
    Number(i64),
    Text(&'static str),
    Texts(Vec<&'static str>),
}

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let words: Vec<String> = std::env::args().collect();
    let rows = words.iter().skip_while(|word| *word != "--rows").nth(1);
    let rows = match rows {
        Some(text) => text.parse().unwrap(),
        None if words.iter().any(|word| word == "--large") => 10_000_000,
        None => 2_000_000,
    };
    let dir = tempfile::tempdir().unwrap();
    let server = Server::start(dir.path(), &[("SECUREGUARD_RATE_LIMITS__REQUESTS", "false")]).await;
    let mut bare = PgConnection::connect(&superuser_url(&server, dir.path()))
        .await
        .unwrap();
    bulk::insert_tenants(&mut bare, 10).await.unwrap();
    bulk::insert_incidents(&mut bare, rows, |_| {}).await.unwrap();
    for statement in [
        "set session_replication_role = origin",
        "vacuum analyze",
        "set plan_cache_mode = force_generic_plan",
    ] {
        sqlx::raw_sql(statement).execute(&mut bare).await.unwrap();
    }
    let db = Db::connect_lazy(&DbConfig::new(
        role_url(&server, dir.path(), "sg_app", "sg_app").into(),
        role_url(&server, dir.path(), "sg_system", "sg_system").into(),
    ))
    .unwrap();
    let now = SystemClock.now();
    let caller = db
        .authenticate(Proof::Session(TokenHash::of(TOKEN)), None, now)
        .await
        .unwrap()
        .unwrap();
    let mut tx = db.read(&caller, now).await.unwrap();
    let mut client = Client::new(&support::way(&server, 1, true, 1).target, 0, true);
    for case in cases() {
        let statement = bare_statement(&mut tx, &case.filter).await;
        let (mut ours, mut theirs) = (Vec::new(), Vec::new());
        for turn in 0..TURNS + FIRST_TURNS {
            let http = ask_server(&mut client, &case.query).await;
            let sql = ask_database(&mut bare, &statement, &case.arguments).await;
            assert_eq!(http.1, sql.1, "{}", case.name);
            if turn >= FIRST_TURNS {
                ours.push(http.0);
                theirs.push(sql.0);
            }
        }
        for (suffix, of) in [("p50", 0.5), ("p99", 0.99)] {
            report(
                &format!("list-{}-{suffix}", case.name),
                quantile(ours.clone(), of),
                Some(quantile(theirs.clone(), of)),
                "ms",
            );
        }
    }
    server.stop();
}

fn cases() -> Vec<Case> {
    let open = IncidentFilter {
        statuses: vec![IncidentStatus::New, IncidentStatus::Investigating],
        ..IncidentFilter::default()
    };
    let page = || Value::Number(PAGE.into());
    vec![
        Case {
            name: "newest",
            query: String::new(),
            filter: IncidentFilter::default(),
            arguments: vec![page()],
        },
        Case {
            name: "open",
            query: "&status=new,investigating".to_owned(),
            filter: open.clone(),
            arguments: vec![
                Value::Text("new"),
                page(),
                Value::Text("investigating"),
                page(),
                page(),
            ],
        },
        Case {
            name: "open-critical",
            query: "&status=new,investigating&severity=critical".to_owned(),
            filter: IncidentFilter {
                severities: vec![Severity::Critical],
                ..open
            },
            arguments: vec![
                Value::Text("new"),
                Value::Texts(vec!["critical"]),
                page(),
                Value::Text("investigating"),
                Value::Texts(vec!["critical"]),
                page(),
                page(),
            ],
        },
        Case {
            name: "of-endpoint",
            query: format!("&agent_id={AGENT}"),
            filter: IncidentFilter {
                agent_id: Some(AgentId(AGENT.parse().unwrap())),
                ..IncidentFilter::default()
            },
            arguments: vec![Value::Id(AGENT.parse().unwrap()), page()],
        },
        Case {
            name: "search",
            query: "&search=incident%201".to_owned(),
            filter: IncidentFilter {
                search: Some("incident 1".to_owned()),
                ..IncidentFilter::default()
            },
            arguments: vec![Value::Text("%incident 1%"), page()],
        },
    ]
}

/// The statement that the server sends, with the tenant in place of the context.
async fn bare_statement(tx: &mut ReadTx, filter: &IncidentFilter) -> String {
    let (outcome, statements) = capture_statements(list_incidents(tx, filter, None, PAGE)).await;
    outcome.unwrap();
    let statement = statements
        .into_iter()
        .find(|text| text.contains("threats.incidents"))
        .unwrap();
    let place = "from threats.incidents i where";
    assert!(statement.contains(place), "{statement}");
    statement
        .replace("(select users.current_tenant())", &format!("'{TENANT}'::uuid"))
        .replace(place, &format!("{place} i.tenant_id = '{TENANT}' and"))
}

/// Milliseconds until the answer is read, and its rows; neither side reads what the rows say.
async fn ask_server(client: &mut Client, query: &str) -> (f64, usize) {
    let path = format!("/api/v1/threats/incidents?limit={PAGE}{query}");
    let began = Instant::now();
    let answer = client.get(&path, TOKEN).await.unwrap();
    let took = began.elapsed().as_secs_f64() * 1_000.0;
    assert_eq!(answer.status, 200);
    let page: serde_json::Value = serde_json::from_slice(&answer.body).unwrap();
    (took, page["items"].as_array().unwrap().len())
}

/// Milliseconds until the last row is here, and the rows.
async fn ask_database(conn: &mut PgConnection, statement: &str, arguments: &[Value]) -> (f64, usize) {
    let query = arguments
        .iter()
        .cloned()
        .fold(sqlx::query(AssertSqlSafe(statement)), bind);
    let began = Instant::now();
    let rows = query.fetch_all(conn).await.unwrap();
    (began.elapsed().as_secs_f64() * 1_000.0, rows.len())
}

fn bind(query: Query<'_, Postgres, PgArguments>, value: Value) -> Query<'_, Postgres, PgArguments> {
    match value {
        Value::Id(value) => query.bind(value),
        Value::Number(value) => query.bind(value),
        Value::Text(value) => query.bind(value),
        Value::Texts(value) => query.bind(value),
    }
}
