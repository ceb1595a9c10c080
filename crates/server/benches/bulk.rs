//! `cargo xtask bench bulk [--seconds N]`: agents that empty a backlog, 1,000 samples in a check-in, against a bare client that inserts the same rows by
//! `insert … unnest`, 10,000 at a time and under the same row security, and against COPY by the superuser.
#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a measurement: whatever does not work ends it"
)]

mod support;

use std::fmt::Write;
use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};
use serde_json::{Value, json};
use sg_types::{Clock, Ids, SystemClock, TimeOrderedIds};
use sqlx::{Connection, PgConnection};
use support::{Server, check_in, enrol, quantile, report, superuser_url, way};
use uuid::Uuid;

/// Agents with a backlog, each with a connection of its own, and samples in each of their check-ins.
const AGENTS: usize = 16;
const SAMPLES: usize = 1_000;
/// Rows that the bare client inserts in a statement, each statement in a transaction.
const ROWS: usize = 10_000;
const ROUNDS: usize = 3;

#[tokio::main]
async fn main() {
    let words: Vec<String> = std::env::args().collect();
    let seconds = words.iter().skip_while(|word| *word != "--seconds").nth(1);
    let window = Duration::from_secs(seconds.map_or(8, |text| text.parse().unwrap()));
    let dir = tempfile::tempdir().unwrap();
    let settings = [
        ("SECUREGUARD_RATE_LIMITS__REQUESTS", "false"),
        ("SECUREGUARD_RATE_LIMITS__ENROL_PER_ADDRESS_BURST", "10000000"),
    ];
    let server = Server::start(dir.path(), &settings).await;
    let mut agents = enrol(&server, AGENTS).await;
    let way = way(&server, AGENTS, true, SAMPLES);
    let samples = f64::from(u32::try_from(SAMPLES).unwrap());
    let mut bare = Bare::connect(&superuser_url(&server, dir.path())).await;
    let (mut ours, mut unnest, mut copy) = (Vec::new(), Vec::new(), Vec::new());
    check_in(&way, &mut agents, Duration::from_secs(2)).await;
    for _ in 0..ROUNDS {
        unnest.push(bare.measure(window, Bare::insert).await);
        copy.push(bare.measure(window, Bare::copy).await);
        let load = check_in(&way, &mut agents, window).await;
        ours.push(load.per_second * samples);
    }
    server.stop();
    let ours = quantile(ours, 0.5);
    report("bulk-against-unnest", ours, Some(quantile(unnest, 0.5)), "rows/s");
    report("bulk-against-copy", ours, Some(quantile(copy, 0.5)), "rows/s");
}

/// A client that has nothing to do but write rows of the enrolled endpoints.
struct Bare {
    conn: PgConnection,
    agents: Vec<(Uuid, Uuid)>,
    network: Value,
}

impl Bare {
    async fn connect(database: &str) -> Self {
        let mut conn = PgConnection::connect(database).await.unwrap();
        let agents =
            sqlx::query_as("select agent_id, tenant_id from agents.endpoints where hostname like 'host-%'")
                .fetch_all(&mut conn)
                .await
                .unwrap();
        let interface =
            json!({ "interface": "eth0", "rx_bytes_per_second": 1000, "tx_bytes_per_second": 500 });
        Self {
            conn,
            agents,
            network: json!({ "rx_bytes_per_second": 1000, "tx_bytes_per_second": 500, "interfaces": [interface] }),
        }
    }

    async fn measure(&mut self, window: Duration, write: impl AsyncFn(&mut Self, DateTime<Utc>)) -> f64 {
        let began = Instant::now();
        let mut rows = 0_u32;
        while began.elapsed() < window {
            write(self, SystemClock.now()).await;
            rows += u32::try_from(ROWS).unwrap();
        }
        f64::from(rows) / began.elapsed().as_secs_f64()
    }

    fn row(&self, n: usize, now: DateTime<Utc>) -> (Uuid, Uuid, Uuid, DateTime<Utc>) {
        let (agent, tenant) = self.agents[n / (ROWS / self.agents.len() + 1)];
        let age = Duration::from_secs(u64::try_from(n % 10_000).unwrap());
        (TimeOrderedIds.next(), agent, tenant, now - age)
    }

    async fn insert(&mut self, now: DateTime<Utc>) {
        let rows: Vec<_> = (0..ROWS).map(|n| self.row(n, now)).collect();
        let mut tx = self.conn.begin().await.unwrap();
        sqlx::query("set local role sg_system")
            .execute(&mut *tx)
            .await
            .unwrap();
        sqlx::query(
            "insert into agents.system_info (info_id, agent_id, tenant_id, retention_class, collected_at, received_at, cpu_usage, memory_usage,
                disk_usage, network_usage, uptime, process_count, service_status)
             select n.info_id, n.agent_id, n.tenant_id, 90, n.collected_at, now(), round(n.cpu_usage::numeric, 2),
                round(n.memory_usage::numeric, 2), round(n.disk_usage::numeric, 2), n.network_usage, n.uptime, n.process_count, n.service_status
             from unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::timestamptz[], $5::float8[], $6::float8[], $7::float8[], $8::jsonb[],
                $9::bigint[], $10::integer[], $11::jsonb[])
                as n (info_id, agent_id, tenant_id, collected_at, cpu_usage, memory_usage, disk_usage, network_usage, uptime, process_count,
                    service_status)",
        )
        .bind(rows.iter().map(|row| row.0).collect::<Vec<_>>())
        .bind(rows.iter().map(|row| row.1).collect::<Vec<_>>())
        .bind(rows.iter().map(|row| row.2).collect::<Vec<_>>())
        .bind(rows.iter().map(|row| row.3).collect::<Vec<_>>())
        .bind(vec![12.5; ROWS])
        .bind(vec![40.0; ROWS])
        .bind(vec![50.0; ROWS])
        .bind(vec![&self.network; ROWS])
        .bind(vec![100_i64; ROWS])
        .bind(vec![80; ROWS])
        .bind(vec![json!([]); ROWS])
        .execute(&mut *tx)
        .await
        .unwrap();
        tx.commit().await.unwrap();
    }

    async fn copy(&mut self, now: DateTime<Utc>) {
        let mut text = String::new();
        for n in 0..ROWS {
            let (id, agent, tenant, at) = self.row(n, now);
            let (at, network) = (at.to_rfc3339(), &self.network);
            writeln!(
                text,
                "{id}\t{agent}\t{tenant}\t90\t{at}\t{at}\t12.5\t40\t50\t{network}\t100\t80\t[]"
            )
            .unwrap();
        }
        let mut sink = self
            .conn
            .copy_in_raw(
                "copy agents.system_info (info_id, agent_id, tenant_id, retention_class, collected_at, received_at, cpu_usage, memory_usage,
                    disk_usage, network_usage, uptime, process_count, service_status) from stdin",
            )
            .await
            .unwrap();
        sink.send(text.as_bytes()).await.unwrap();
        sink.finish().await.unwrap();
    }
}
