//! `cargo xtask bench rate-limits`: what counting a request costs, by the same request to a server that counts and to one that does not.
#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a measurement: whatever does not work ends it"
)]

mod support;

use std::time::Instant;

use serde_json::{Value, json};
use support::{Server, quantile, report};

/// Requests to each server, below what an address may send in a minute.
const REQUESTS: usize = 5_000;
/// Requests in a row before the other server has its turn.
const TURN: usize = 100;

#[tokio::main]
async fn main() {
    let (here, there) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let counting = Server::start(here.path(), &[]).await;
    let other = Server::start(there.path(), &[("SECUREGUARD_RATE_LIMITS__REQUESTS", "false")]).await;
    let (ours, theirs) = (counting.administrator().await, other.administrator().await);
    let wide = json!({"user": 30_000});
    assert_eq!(
        counting.call("PUT", "users/rate-limits", &ours, &wide).await.0,
        200
    );

    let (mut counted, mut uncounted) = (Vec::new(), Vec::new());
    for _ in 0..REQUESTS / TURN {
        take_turn(&counting, &ours, &mut counted).await;
        take_turn(&other, &theirs, &mut uncounted).await;
    }
    counting.stop();
    other.stop();
    let (ours, theirs) = (quantile(counted, 0.5), quantile(uncounted, 0.5));
    report("rate-limit-request-p50", ours, Some(theirs), "us");
    report("rate-limit-cost-p50", ours - theirs, None, "us");
}

async fn take_turn(server: &Server, token: &str, taken: &mut Vec<f64>) {
    for _ in 0..TURN {
        let began = Instant::now();
        let (status, _) = server.call("GET", "sessions/current", token, &Value::Null).await;
        taken.push(began.elapsed().as_secs_f64() * 1_000_000.0);
        assert_eq!(status, 200);
    }
}
