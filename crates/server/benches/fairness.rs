//! `cargo xtask bench fairness [--seconds N]`: how long check-ins of nine tenants take while a tenth sends fifty times as much as each of them, against the same
//! while it sends as much; and while it sends as fast as it is answered.
#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a measurement: whatever does not work ends it"
)]

mod support;

use std::time::Duration;

use sg_load::{Agent, Load, Way};
use sqlx::{AssertSqlSafe, Connection, PgConnection};
use support::{Server, check_in, quantile, report, superuser_url};

/// Tenants besides the one that presses, and the agents and connections of each.
const OTHERS: usize = 9;
const AGENTS: usize = 40;
const CONNECTIONS: usize = 4;
/// Between two check-ins of a connection: 33 in a second for each tenant, as of 10,000 endpoints at 300 s.
const PACE: Duration = Duration::from_millis(120);
/// The same for the one that presses: 50 times as many over 64 connections.
const PRESSING_CONNECTIONS: usize = 64;
const PRESSING_PACE: Duration = Duration::from_micros(38_400);
const ROUNDS: usize = 3;

#[tokio::main]
async fn main() {
    let words: Vec<String> = std::env::args().collect();
    let seconds = words.iter().skip_while(|word| *word != "--seconds").nth(1);
    let window = Duration::from_secs(seconds.map_or(8, |text| text.parse().unwrap()));
    let dir = tempfile::tempdir().unwrap();
    let server = Server::start(dir.path(), &[("SECUREGUARD_RATE_LIMITS__REQUESTS", "false")]).await;
    let mut conn = PgConnection::connect(&superuser_url(&server, dir.path()))
        .await
        .unwrap();
    let mut others = Vec::new();
    for tenant in 0..OTHERS {
        others.extend(insert_agents(&mut conn, tenant, AGENTS).await);
    }
    let mut pressing = insert_agents(&mut conn, OTHERS, PRESSING_CONNECTIONS * 10).await;
    let way = |connections, pace| Way {
        pace,
        ..support::way(&server, connections, true, 1)
    };
    let paced = way(OTHERS * CONNECTIONS, Some(PACE));
    let (calm, pressed, flooded) = (
        way(CONNECTIONS, Some(PACE)),
        way(PRESSING_CONNECTIONS, Some(PRESSING_PACE)),
        way(256, None),
    );
    check_in(&paced, &mut others, Duration::from_secs(4)).await;
    let mut loads: [(Vec<Load>, Vec<Load>); 3] = Default::default();
    for _ in 0..ROUNDS {
        for (way, loads) in [&calm, &pressed, &flooded].into_iter().zip(&mut loads) {
            let (of_others, of_pressing) = tokio::join!(
                check_in(&paced, &mut others, window),
                check_in(way, &mut pressing, window)
            );
            loads.0.push(of_others);
            loads.1.push(of_pressing);
        }
    }
    server.stop();
    let [calm, pressed, flooded] = loads;
    let times = |loads: &[Load], of| {
        let times = loads.iter().flat_map(|load| load.times.clone()).collect();
        quantile(times, of)
    };
    let rate = |loads: &[Load]| quantile(loads.iter().map(|load| load.per_second).collect(), 0.5);
    for (name, loads) in [
        ("fairness-50-times", pressed),
        ("fairness-as-fast-as-it-can", flooded),
    ] {
        report(
            &format!("{name}-per-second"),
            rate(&loads.1),
            Some(rate(&calm.1)),
            "1/s",
        );
        for (suffix, of) in [("p50", 0.5), ("p99", 0.99)] {
            report(
                &format!("{name}-others-{suffix}"),
                times(&loads.0, of),
                Some(times(&calm.0, of)),
                "ms",
            );
        }
    }
}

/// Endpoints of a tenant of their own, with their tokens.
async fn insert_agents(conn: &mut PgConnection, tenant: usize, count: usize) -> Vec<Agent> {
    sqlx::raw_sql(AssertSqlSafe(format!(
        "insert into users.tenants (tenant_id, name, slug)
         values (('a0000000-0000-4000-8000-' || lpad('{tenant}', 12, '0'))::uuid, 'Tenant {tenant}', 'tenant-{tenant}');
         insert into agents.endpoints (tenant_id, hostname)
         select t.tenant_id, 'host-' || n from users.tenants t, generate_series(1, {count}) n where t.slug = 'tenant-{tenant}';
         insert into agents.heartbeats (agent_id, tenant_id, last_seen_at)
         select e.agent_id, e.tenant_id, now() from agents.endpoints e join users.tenants t using (tenant_id) where t.slug = 'tenant-{tenant}';
         insert into agents.agent_tokens (token_hash, tenant_id, agent_id, created_at)
         select sha256(convert_to('sga_' || left(encode(sha256(convert_to(e.agent_id::text, 'UTF8')), 'hex'), 43), 'UTF8')), e.tenant_id, e.agent_id, now()
         from agents.endpoints e join users.tenants t using (tenant_id) where t.slug = 'tenant-{tenant}'"
    )))
    .execute(&mut *conn)
    .await
    .unwrap();
    sqlx::query_scalar(AssertSqlSafe(format!(
        "select 'sga_' || left(encode(sha256(convert_to(e.agent_id::text, 'UTF8')), 'hex'), 43)
         from agents.endpoints e join users.tenants t using (tenant_id) where t.slug = 'tenant-{tenant}'"
    )))
    .fetch_all(conn)
    .await
    .unwrap()
    .into_iter()
    .map(Agent::of)
    .collect()
}
