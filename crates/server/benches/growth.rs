//! `cargo xtask bench growth [--large|--rows N] [--seconds N]`: what a check-in costs with 1,000 endpoints and no history, and with 1,000,000 endpoints,
//! all of which check in, and 20 million samples.
#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a measurement: whatever does not work ends it"
)]

mod support;

use std::path::Path;
use std::time::Duration;

use sg_db::Stored;
use sg_load::{Agent, Way, processor_seconds, processor_seconds_below};
use sg_server::bench::insert_agents;
use sqlx::{AssertSqlSafe, Connection, PgConnection};
use support::{Server, check_in, enrol, quantile, report, superuser_url, way};

const FEW: usize = 1_000;
const MANY: usize = 1_000_000;
const CONNECTIONS: usize = 256;
/// Days over which the samples are spread; today's are those that are measured.
const DAYS: i64 = 20;
/// Rows that are inserted in one transaction.
const STEP: i64 = 1_000_000;

/// One day's samples, of endpoints in turn.
const SAMPLES: &str = "
    insert into agents.system_info (agent_id, tenant_id, cpu_usage, memory_usage, disk_usage, uptime, process_count, collected_at, received_at)
    select e.agent_id, '00000000-0000-0000-0000-000000000001', n % 100, 40, 50, 86400, 200, s.at, s.at
    from generate_series({from}::bigint, {to}) n
    join (select agent_id, row_number() over () - 1 as number from agents.endpoints) e on e.number = n % {endpoints}
    cross join lateral (select date_trunc('day', now()) - interval '{day} days' + make_interval(secs => 86000.0 * (n - {from}) / {step}) as at) s";

#[tokio::main]
async fn main() {
    let words: Vec<String> = std::env::args().collect();
    let number = |name: &str| {
        let mut after = words.iter().skip_while(|word| *word != name);
        after.nth(1).map(|text| text.parse::<i64>().unwrap())
    };
    let large = words.iter().any(|word| word == "--large");
    let rows = number("--rows").unwrap_or(if large { 100_000_000 } else { 20_000_000 });
    let window = Duration::from_secs(number("--seconds").unwrap_or(60).unsigned_abs());
    let dir = tempfile::tempdir().unwrap();
    let settings = [
        ("SECUREGUARD_RATE_LIMITS__REQUESTS", "false"),
        ("SECUREGUARD_RATE_LIMITS__ENROL_PER_ADDRESS_BURST", "10000000"),
    ];
    let server = Server::start(dir.path(), &settings).await;
    let way = way(&server, CONNECTIONS, true, 1);
    let mut agents = enrol(&server, FEW).await;
    check_in(&way, &mut agents, Duration::from_secs(4)).await;
    let few = measure(&server, dir.path(), &way, &mut agents, window).await;

    let mut root = PgConnection::connect(&superuser_url(&server, dir.path()))
        .await
        .unwrap();
    let mut stored = Stored::connect(&superuser_url(&server, dir.path()).into())
        .await
        .unwrap();
    let tell = |count| eprintln!("{count} endpoints");
    let others = insert_agents(&mut stored, FEW..MANY, tell).await.unwrap();
    agents.extend(others);
    grow(&mut root, rows).await;
    stored.settle().await.unwrap();
    // The first check-in of an endpoint writes more than the others: all of them have had theirs before it is measured.
    let seconds = f64::from(u32::try_from(agents.len()).unwrap()) / few.rate;
    eprintln!("the first check-in of {} endpoints", agents.len());
    check_in(&way, &mut agents, Duration::from_secs_f64(seconds * 1.5)).await;
    let many = measure(&server, dir.path(), &way, &mut agents, window).await;
    server.stop();
    report("growth-processor-time", many.cost, Some(few.cost), "us/check-in");
    report("growth-rate", many.rate, Some(few.rate), "1/s");
    report("growth-p99", many.p99, Some(few.p99), "ms");
}

/// What check-ins come to.
struct Figures {
    /// Microseconds of processor time of the server and of PostgreSQL for each.
    cost: f64,
    /// In a second.
    rate: f64,
    /// Milliseconds.
    p99: f64,
}

async fn measure(
    server: &Server,
    dir: &Path,
    way: &Way,
    agents: &mut Vec<Agent>,
    window: Duration,
) -> Figures {
    let pid = std::fs::read_to_string(dir.join("data/postgres/postmaster.pid")).unwrap();
    let postmaster: u32 = pid.lines().next().unwrap().trim().parse().unwrap();
    let spent = || processor_seconds(server.pid()) + processor_seconds_below(postmaster);
    let before = spent();
    let load = check_in(way, agents, window).await;
    let count = f64::from(u32::try_from(load.times.len()).unwrap());
    Figures {
        cost: (spent() - before) * 1e6 / count,
        rate: load.per_second,
        p99: quantile(load.times, 0.99),
    }
}

/// Everybody's history.
async fn grow(root: &mut PgConnection, rows: i64) {
    let ensure = format!("select agents.ensure_partitions(now() - interval '{DAYS} days', {DAYS})");
    run(root, ensure).await;
    run(root, "set session_replication_role = replica".to_owned()).await;
    let step = rows.min(STEP);
    for (turn, from) in (0..rows).step_by(usize::try_from(step).unwrap()).enumerate() {
        let statement = SAMPLES
            .replace("{endpoints}", &MANY.to_string())
            .replace("{from}", &from.to_string())
            .replace("{to}", &(from + step - 1).to_string())
            .replace("{step}", &step.to_string())
            .replace("{day}", &(1 + turn as i64 % DAYS).to_string());
        run(root, statement).await;
        eprintln!("{} of {rows} samples", from + step);
    }
    run(root, "set session_replication_role = origin".to_owned()).await;
}

async fn run(conn: &mut PgConnection, statements: String) {
    sqlx::raw_sql(AssertSqlSafe(statements))
        .execute(conn)
        .await
        .unwrap();
}
