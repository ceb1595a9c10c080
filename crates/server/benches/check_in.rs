//! `cargo xtask bench check-in [plain|tls] [--seconds N]`: check-ins with one row of metrics each, against PostgreSQL's own bench doing the same two
//! statements in a transaction. Over HTTP and over TLS with kept connections, and over TLS with a new connection for each check-in.
#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "a measurement: whatever does not work ends it"
)]

mod support;

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use sg_load::{Agent, Load, Way};
use support::{Server, check_in, enrol, quantile, report, superuser_url, way};

/// Agents that check in: agents come by the hundred, and share transactions.
const AGENTS: usize = 2_560;
/// Connections that they come over: many, and as many as the bench that they are compared with has.
const MANY: usize = 256;
const FEW: usize = 16;
/// Turns of the measurements, one after the other so that the machine's moods meet them all.
const ROUNDS: usize = 3;

#[tokio::main]
async fn main() {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let wants = |part: &str| {
        words.iter().any(|word| word == part) || !words.iter().any(|word| word == "plain" || word == "tls")
    };
    let seconds = words.iter().skip_while(|word| *word != "--seconds").nth(1);
    let window = Duration::from_secs(seconds.map_or(8, |text| text.parse().unwrap()));
    let dir = tempfile::tempdir().unwrap();
    let server = start(dir.path(), &[]).await;
    let mut agents = enrol(&server, AGENTS).await;
    let bench = Bench {
        window,
        dir: dir.path(),
    };
    if wants("plain") {
        let ways = [
            ("check-in", way(&server, MANY, true, 1)),
            ("check-in-16-connections", way(&server, FEW, true, 1)),
        ];
        bench.measure(&server, &ways, &mut agents).await;
    }
    server.stop();
    if wants("tls") {
        let server = start(dir.path(), &[("SECUREGUARD_TLS__MODE", "on")]).await;
        let ways = [
            ("check-in-tls", way(&server, MANY, true, 1)),
            ("check-in-tls-reconnecting", way(&server, MANY, false, 1)),
        ];
        bench.measure(&server, &ways, &mut agents).await;
        server.stop();
    }
}

async fn start(dir: &Path, settings: &[(&str, &str)]) -> Server {
    let mut all = vec![
        ("SECUREGUARD_RATE_LIMITS__REQUESTS", "false"),
        ("SECUREGUARD_RATE_LIMITS__ENROL_PER_ADDRESS_BURST", "10000000"),
    ];
    all.extend(settings);
    Server::start(dir, &all).await
}

struct Bench<'a> {
    window: Duration,
    dir: &'a Path,
}

impl Bench<'_> {
    async fn measure(&self, server: &Server, ways: &[(&str, Way)], agents: &mut Vec<Agent>) {
        let database = superuser_url(server, self.dir);
        // The first check-in of an endpoint says that it is online and writes more than the others.
        check_in(&ways[0].1, agents, Duration::from_secs(4)).await;
        let mut theirs = Vec::new();
        let mut ours: Vec<Vec<Load>> = ways.iter().map(|_| Vec::new()).collect();
        for _ in 0..ROUNDS {
            theirs.push(measure_pgbench(&database, self.dir, self.window));
            for ((_, way), loads) in ways.iter().zip(&mut ours) {
                loads.push(check_in(way, agents, self.window).await);
            }
        }
        for ((name, way), loads) in ways.iter().zip(ours) {
            let rate = quantile(loads.iter().map(|load| load.per_second).collect(), 0.5);
            let times: Vec<f64> = loads.iter().flat_map(|load| load.times.clone()).collect();
            report(
                &format!("{name}-per-second"),
                rate,
                Some(quantile(theirs.clone(), 0.5)),
                "1/s",
            );
            report(&format!("{name}-p50"), quantile(times.clone(), 0.5), None, "ms");
            report(&format!("{name}-p99"), quantile(times, 0.99), None, "ms");
            if !way.kept {
                let resumed: usize = loads.iter().map(|load| load.resumed).sum();
                let full: usize = loads.iter().map(|load| load.full).sum();
                #[expect(clippy::cast_precision_loss, reason = "counts far below 2^52")]
                report(
                    &format!("{name}-resumed"),
                    resumed as f64,
                    Some((resumed + full) as f64),
                    "connections",
                );
            }
        }
    }
}

/// Transactions in a second of the same two statements, as prepared ones over 16 connections, without row security.
fn measure_pgbench(database: &str, dir: &Path, window: Duration) -> f64 {
    let bin = std::env::var("PG_BIN").unwrap();
    let script = dir.join("check-in.sql");
    std::fs::write(
        &script,
        format!(
            "\\set n random(1, {AGENTS})\n\
             begin;\n\
             update agents.heartbeats set last_seen_at = now() where agent_id = ('b0000000-0000-4000-8000-' || lpad(:n::text, 12, '0'))::uuid;\n\
             insert into agents.system_info (agent_id, tenant_id, cpu_usage, memory_usage, disk_usage, uptime, process_count, collected_at)\n\
             values (('b0000000-0000-4000-8000-' || lpad(:n::text, 12, '0'))::uuid, '00000000-0000-0000-0000-000000000001', 12.5, 40, 50, 100, 80, now());\n\
             commit;\n"
        ),
    )
    .unwrap();
    let setup = format!(
        "insert into agents.endpoints (agent_id, tenant_id, hostname)
         select ('b0000000-0000-4000-8000-' || lpad(n::text, 12, '0'))::uuid, '00000000-0000-0000-0000-000000000001', 'bench-' || n
         from generate_series(1, {AGENTS}) n on conflict do nothing;
         insert into agents.heartbeats (agent_id, tenant_id, last_seen_at)
         select agent_id, tenant_id, now() from agents.endpoints where hostname like 'bench-%' on conflict do nothing"
    );
    let made = Command::new(format!("{bin}/psql"))
        .args(["-qX", "-v", "ON_ERROR_STOP=1", "-c", &setup, database])
        .status()
        .unwrap();
    assert!(made.success());
    let seconds = window.as_secs().to_string();
    let output = Command::new(format!("{bin}/pgbench"))
        .args([
            "-n", "-M", "prepared", "-c", "16", "-j", "2", "-T", &seconds, "-f",
        ])
        .arg(&script)
        .arg(database)
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    let tps = text
        .lines()
        .find_map(|line| line.strip_prefix("tps = ")?.split(' ').next()?.parse().ok());
    tps.unwrap_or_else(|| panic!("{text}{}", String::from_utf8_lossy(&output.stderr)))
}
