//! `cargo xtask bench rate-limits`: what counting a request costs, by the same request to a server that counts and to one that does not.
#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a measurement: whatever does not work ends it"
)]

mod support;

use std::time::Instant;

use serde_json::Value;
use support::{Server, quantile, report};

/// Pairs of servers, of which each that counts is the first one every other time: two that do the same differ by some percent too.
const PAIRS: usize = 6;
/// Requests to each server of a pair, and how many in a row before the other has its turn.
const REQUESTS: usize = 2_000;
const TURN: usize = 100;

#[tokio::main]
async fn main() {
    let (mut counted, mut uncounted, mut costs) = (Vec::new(), Vec::new(), Vec::new());
    for pair in 0..PAIRS {
        let (ours, theirs) = measure_pair(pair % 2 == 0).await;
        costs.push(ours - theirs);
        counted.push(ours);
        uncounted.push(theirs);
    }
    let (ours, theirs) = (quantile(counted, 0.5), quantile(uncounted, 0.5));
    report("rate-limit-request-p50", ours, Some(theirs), "us");
    report("rate-limit-cost-p50", quantile(costs, 0.5), None, "us");
}

/// The middle time of a request to a server that counts, and to one that does not.
async fn measure_pair(counting_first: bool) -> (f64, f64) {
    let (here, there) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let off = [("SECUREGUARD_RATE_LIMITS__REQUESTS", "false")];
    let (counting, other) = if counting_first {
        let counting = Server::start(here.path(), &[]).await;
        (counting, Server::start(there.path(), &off).await)
    } else {
        let other = Server::start(there.path(), &off).await;
        (Server::start(here.path(), &[]).await, other)
    };
    let (ours, theirs) = (counting.administrator().await, other.administrator().await);
    let (mut counted, mut uncounted) = (Vec::new(), Vec::new());
    for _ in 0..REQUESTS / TURN {
        take_turn(&counting, &ours, &mut counted).await;
        take_turn(&other, &theirs, &mut uncounted).await;
    }
    counting.stop();
    other.stop();
    (quantile(counted, 0.5), quantile(uncounted, 0.5))
}

async fn take_turn(server: &Server, token: &str, taken: &mut Vec<f64>) {
    for _ in 0..TURN {
        let began = Instant::now();
        let (status, _) = server.call("GET", "sessions/current", token, &Value::Null).await;
        taken.push(began.elapsed().as_secs_f64() * 1_000_000.0);
        assert_eq!(status, 200);
    }
}
