//! `sg-db-bench bytes|liveness|rls|series [--rows N]` measures the database on a durable cluster of its own, on rows that the database makes. One line for each
//! figure: `NAME ratio=… ours=… theirs=… unit=…`.

mod bytes;
mod liveness;
mod rls;
mod series;

use anyhow::{Context, Result, bail};
use secrecy::ExposeSecret;
use sg_db::{Caller, Db, DbConfig, Proof, TokenHash};
use sg_testkit::{TEMPLATE, TestCluster, bulk::TOKEN};
use sg_types::{Clock, SystemClock};
use sqlx::{AssertSqlSafe, Connection, PgConnection};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let rows = match arguments.iter().position(|word| word == "--rows") {
        Some(place) => Some(
            arguments
                .get(place + 1)
                .and_then(|text| text.parse().ok())
                .context("--rows takes a number")?,
        ),
        None => None,
    };
    let bench = Bench::start().await?;
    match arguments.first().map(String::as_str) {
        Some("bytes") => bytes::measure(&bench, rows.unwrap_or(2_000)).await,
        Some("liveness") => liveness::measure(&bench, rows.unwrap_or(1_000_000)).await,
        Some("rls") => rls::measure(&bench, rows.unwrap_or(2_000_000)).await,
        Some("series") => series::measure(&bench, rows.unwrap_or(20_000_000)).await,
        _ => bail!("usage: sg-db-bench bytes|liveness|rls|series [--rows N]"),
    }
}

/// A cluster with one database, `bench`.
struct Bench {
    cluster: TestCluster,
}

impl Bench {
    async fn start() -> Result<Self> {
        let settings = [
            ("shared_buffers", "512MB"),
            ("max_wal_size", "1GB"),
            ("wal_compression", "on"),
            ("autovacuum", "off"),
            ("jit", "off"),
        ];
        let cluster = TestCluster::start_with(true, &settings).await?;
        cluster
            .execute(format!("create database bench template {TEMPLATE}"))
            .await?;
        Ok(Self { cluster })
    }

    /// The database as the server sees it.
    fn open(&self) -> Result<Db> {
        let config = DbConfig::new(
            self.cluster.role_url("sg_app", "bench"),
            self.cluster.role_url("sg_system", "bench"),
        );
        Ok(Db::connect_lazy(&config)?)
    }

    /// A connection as `role`, or as the superuser when the role is `postgres`.
    async fn connect(&self, role: &str) -> Result<PgConnection> {
        let url = match role {
            "postgres" => self.cluster.superuser_url("bench"),
            role => self.cluster.role_url(role, "bench"),
        };
        Ok(PgConnection::connect(url.expose_secret()).await?)
    }
}

async fn caller(db: &Db) -> Result<Caller> {
    let proof = Proof::Session(TokenHash::of(TOKEN));
    db.authenticate(proof, None, SystemClock.now())
        .await?
        .context("the bench's session is not valid")
}

async fn run(conn: &mut PgConnection, sql: impl Into<String>) -> Result<()> {
    sqlx::raw_sql(AssertSqlSafe(sql.into())).execute(conn).await?;
    Ok(())
}

/// SQL that opens the administrator's context.
fn open_context() -> String {
    format!(
        "select users.open_context('session', '\\x{}', null, clock_timestamp())",
        TokenHash::of(TOKEN).to_hex()
    )
}

/// What the server took to plan and to run a statement, in milliseconds.
async fn time(conn: &mut PgConnection, statement: &str) -> Result<f64> {
    let explained: serde_json::Value = sqlx::query_scalar(AssertSqlSafe(format!(
        "explain (analyze, timing off, costs off, summary on, format json) {statement}"
    )))
    .fetch_one(conn)
    .await?;
    let part = |key: &str| explained[0][key].as_f64().unwrap_or_default();
    Ok(part("Planning Time") + part("Execution Time"))
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}

#[expect(clippy::print_stdout, reason = "figures go to the terminal")]
fn report(name: &str, ours: f64, theirs: Option<f64>, unit: &str) {
    let ratio = theirs.map_or_else(|| "-".to_owned(), |theirs| format!("{:.2}", ours / theirs));
    let theirs = theirs.map_or_else(|| "-".to_owned(), |theirs| format!("{theirs:.3}"));
    println!("{name} ratio={ratio} ours={ours:.3} theirs={theirs} unit={unit}");
}

#[expect(clippy::print_stderr, reason = "progress goes to the terminal")]
fn say(text: &str) {
    eprintln!("{text}");
}
