//! `cargo xtask bench check-in`: check-ins with one row of metrics each, over kept connections, against PostgreSQL's own bench doing the same
//! two statements in a transaction.
#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "a measurement: whatever does not work ends it"
)]

mod support;

use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use sg_types::{Clock, Ids, SystemClock, TimeOrderedIds};
use support::{Server, quantile, report};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// Agents that check in, and connections that they come over: agents come by the hundred, and share transactions.
const AGENTS: usize = 2_560;
const CONNECTIONS: usize = 256;
/// Time of each of the two measurements.
const WINDOW: Duration = Duration::from_secs(20);

/// An agent as far as its stream goes.
struct Agent {
    token: String,
    epoch: String,
    turn: String,
    next: u64,
}

#[tokio::main]
async fn main() {
    let dir = tempfile::tempdir().unwrap();
    let settings = [
        ("SECUREGUARD_RATE_LIMITS__REQUESTS", "false"),
        ("SECUREGUARD_RATE_LIMITS__ENROL_PER_ADDRESS_BURST", "10000000"),
    ];
    let server = Server::start(dir.path(), &settings).await;
    let database = superuser_url(&server, dir.path());
    let theirs = measure_pgbench(&database, dir.path());
    let agents = enrol(&server).await;
    let (ours, times) = measure_check_ins(&server, agents).await;
    let again = measure_pgbench(&database, dir.path());
    server.stop();
    report(
        "check-in-per-second",
        ours,
        Some(f64::midpoint(theirs, again)),
        "1/s",
    );
    report("check-in-p50", quantile(times.clone(), 0.5), None, "ms");
    report("check-in-p99", quantile(times, 0.99), None, "ms");
}

async fn enrol(server: &Server) -> Vec<Agent> {
    let key = server.enrolment_key().to_owned();
    let mut agents = Vec::with_capacity(AGENTS);
    for n in 0..AGENTS {
        let host = json!({
            "hostname": format!("host-{n}"), "os_info": "Debian GNU/Linux 12", "version": "1.0.0", "hardware_fingerprint": format!("{n:064x}")
        });
        let (status, reply) = server
            .post("/agent/v1/enrol", &key, &json!({ "host": host }))
            .await;
        assert_eq!(status, 201, "{reply}");
        agents.push(Agent {
            token: reply["token"].as_str().unwrap().to_owned(),
            epoch: TimeOrderedIds.next().to_string(),
            turn: uuid::Uuid::nil().to_string(),
            next: 1,
        });
    }
    agents
}

async fn measure_check_ins(server: &Server, mut agents: Vec<Agent>) -> (f64, Vec<f64>) {
    let address = server.address();
    let began = Instant::now();
    let end = began + WINDOW;
    let mut clients = Vec::new();
    for _ in 0..CONNECTIONS {
        let own = agents.split_off(agents.len() - AGENTS / CONNECTIONS);
        clients.push(tokio::spawn(check_in_until(address.clone(), own, end)));
    }
    let mut times = Vec::new();
    for client in clients {
        times.extend(client.await.unwrap());
    }
    #[expect(clippy::cast_precision_loss, reason = "a count far below 2^52")]
    let rate = times.len() as f64 / began.elapsed().as_secs_f64();
    (rate, times)
}

/// Lets agents check in, one after the other, over one connection. A loader as light as can be: it shares the machine with what it loads.
async fn check_in_until(address: String, mut agents: Vec<Agent>, end: Instant) -> Vec<f64> {
    let mut stream = TcpStream::connect(&address).await.unwrap();
    stream.set_nodelay(true).unwrap();
    let (mut times, mut answer) = (Vec::new(), Vec::with_capacity(4_096));
    let mut turn = 0;
    while Instant::now() < end {
        let index = turn % agents.len();
        let agent = &mut agents[index];
        turn += 1;
        let now = SystemClock.now().to_rfc3339();
        let body = format!(
            r#"{{"epoch":"{}","turn":"{}","first_seq":{},"sent_at":"{now}","agent":{{"version":"1.0.0","rules_version":0,"hardware_fingerprint":"x"}},"records":[{{"id":"{}","at":"{now}","body":{{"type":"metrics","cpu_usage":12.5,"memory_usage":40.0,"disk_usage":50.0,"uptime":100,"process_count":80,"network_usage":[],"service_status":[]}}}}]}}"#,
            agent.epoch,
            agent.turn,
            agent.next,
            TimeOrderedIds.next(),
        );
        let request = format!(
            "POST /agent/v1/check-in HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
            agent.token,
            body.len()
        );
        let began = Instant::now();
        stream.write_all(request.as_bytes()).await.unwrap();
        let reply = read_answer(&mut stream, &mut answer).await;
        times.push(began.elapsed().as_secs_f64() * 1_000.0);
        assert_eq!(reply["acknowledged_through"], agent.next, "{reply}");
        reply["turn"].as_str().unwrap().clone_into(&mut agent.turn);
        agent.next += 1;
    }
    times
}

/// Reads one answer with a Content-Length.
async fn read_answer(stream: &mut TcpStream, buffer: &mut Vec<u8>) -> Value {
    buffer.clear();
    loop {
        let read = stream.read_buf(buffer).await.unwrap();
        assert_ne!(read, 0, "the server hung up");
        let Some(head) = buffer.windows(4).position(|four| four == b"\r\n\r\n") else {
            continue;
        };
        let text = String::from_utf8_lossy(&buffer[..head]).to_lowercase();
        let length: usize = text
            .split("content-length:")
            .nth(1)
            .and_then(|rest| rest.lines().next())
            .map_or(0, |number| number.trim().parse().unwrap());
        if buffer.len() >= head + 4 + length {
            return serde_json::from_slice(&buffer[head + 4..]).unwrap_or_else(|_| panic!("{text}"));
        }
    }
}

/// Transactions in a second of the same two statements, as prepared ones over 16 connections, without row security.
fn measure_pgbench(database: &str, dir: &Path) -> f64 {
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
    let seconds = WINDOW.as_secs().to_string();
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

fn superuser_url(server: &Server, dir: &Path) -> String {
    let (_, place) = server.database_url().split_once('@').unwrap();
    let password = std::fs::read_to_string(dir.join("data/secrets/postgres-superuser")).unwrap();
    format!("postgresql://postgres:{}@{place}", password.trim())
}
