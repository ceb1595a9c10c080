//! `cargo xtask bench login`: what signing in costs, what it gives away, and what a flood of it does to everybody else.
#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a measurement: whatever does not work ends it"
)]

mod support;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use argon2::password_hash::PasswordHasher;
use argon2::{Algorithm, Argon2, Params, Version};
use serde_json::{Value, json};
use support::{PASSWORD, Server, quantile, report};

/// Time of each measurement of throughput.
const WINDOW: Duration = Duration::from_secs(10);
/// Tries of each kind of failure.
const TRIES: usize = 200;
/// Wrong passwords that one account takes before it is locked.
const LIMIT: usize = 100;
/// Clients that sign in at once, in the measurement of throughput and in the flood.
const CLIENTS: usize = 8;
const FLOOD: usize = 64;

#[tokio::main]
async fn main() {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let (threads, all) = ((cores - 1).max(1), cores.to_string());
    let dir = tempfile::tempdir().unwrap();
    // The measured requests are more than anybody is allowed.
    let unlimited = ("SECUREGUARD_RATE_LIMITS__REQUESTS", "false");
    let server = Server::start(dir.path(), &[unlimited]).await;
    let admin = server.administrator().await;
    for n in 0..CLIENTS {
        person(&server, &admin, &format!("client{n}")).await;
    }
    measure_throughput(&server, threads).await;
    measure_enumeration(&server, &admin).await;
    let quiet = measure_others(&server, &admin, false).await;
    let flood = measure_others(&server, &admin, true).await;
    server.stop();
    let every_core = ("SECUREGUARD_PASSWORDS__CONCURRENCY", all.as_str());
    let server = Server::start(dir.path(), &[unlimited, every_core]).await;
    let (_, session) = server.sign_in("admin", PASSWORD).await;
    let flood_on_all = measure_others(&server, session["token"].as_str().unwrap(), true).await;
    server.stop();
    report("login-others-p99", flood, Some(quiet), "ms");
    report("login-others-p99-every-core", flood_on_all, Some(flood), "ms");
}

/// Somebody new with [`PASSWORD`]; returns their id.
async fn person(server: &Server, admin: &str, name: &str) -> String {
    let body = json!({"username": name, "email": format!("{name}@example.org"), "role": "user"});
    let (_, made) = server.call("POST", "users", admin, &body).await;
    let initial = made["initial_password"].as_str().unwrap();
    let (_, session) = server.sign_in(name, initial).await;
    server.change(session["token"].as_str().unwrap(), initial).await;
    made["user_id"].as_str().unwrap().to_owned()
}

/// Sign-ins in a second, and what Argon2id alone does with as many threads as the server has.
async fn measure_throughput(server: &Server, cores: usize) {
    let raw_before = raw_hashes_per_second(cores);
    let (done, end) = (AtomicU64::new(0), Instant::now() + WINDOW);
    let clients = (0..CLIENTS).map(|n| {
        let done = &done;
        async move {
            while Instant::now() < end {
                assert_eq!(server.sign_in(&format!("client{n}"), PASSWORD).await.0, 201);
                done.fetch_add(1, Ordering::Relaxed);
            }
        }
    });
    futures_util::future::join_all(clients).await;
    let ours = rate(done.into_inner());
    let raw = f64::midpoint(raw_before, raw_hashes_per_second(cores));
    report("login-per-second", ours, Some(raw), "1/s");
}

fn raw_hashes_per_second(threads: usize) -> f64 {
    let end = Instant::now() + WINDOW;
    let done: u64 = std::thread::scope(|scope| {
        let running: Vec<_> = (0..threads)
            .map(|_| {
                scope.spawn(move || {
                    let params = Params::new(19_456, 2, 1, None).unwrap();
                    let argon = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
                    let mut count = 0;
                    while Instant::now() < end {
                        let salt: [u8; 16] = rand::random();
                        argon.hash_password_with_salt(PASSWORD.as_bytes(), &salt).unwrap();
                        count += 1;
                    }
                    count
                })
            })
            .collect();
        running.into_iter().map(|thread| thread.join().unwrap()).sum()
    });
    rate(done)
}

/// The middle time of each kind of refusal against that of a wrong password, taken in turns.
async fn measure_enumeration(server: &Server, admin: &str) {
    let policy = async |limit: usize| {
        let body = json!({"max_failed_attempts": limit});
        assert_eq!(
            server
                .call("PATCH", "users/password-policy", admin, &body)
                .await
                .0,
            200
        );
    };
    person(server, admin, "locked").await;
    let inactive = person(server, admin, "inactive").await;
    for n in 0..=TRIES / (LIMIT - 10) {
        person(server, admin, &format!("wrong{n}")).await;
    }
    policy(1).await;
    server.sign_in("locked", "wrong").await;
    policy(LIMIT).await;
    let off = json!({"is_active": false});
    assert_eq!(
        server
            .call("PATCH", &format!("users/{inactive}"), admin, &off)
            .await
            .0,
        200
    );
    let mut times: [Vec<f64>; 4] = Default::default();
    for n in 0..TRIES {
        let wrong = format!("wrong{}", n / (LIMIT - 10));
        let kinds = [wrong.as_str(), "nobody-has-this", "locked", "inactive"];
        // Each kind has each place in the turn equally often, so that what comes before it tells nothing.
        for place in 0..kinds.len() {
            let kind = (place + n) % kinds.len();
            let began = Instant::now();
            assert_eq!(server.sign_in(kinds[kind], "not the password").await.0, 401);
            times[kind].push(began.elapsed().as_secs_f64() * 1_000.0);
        }
    }
    let [wrong, unknown, locked, inactive] = times.map(|taken| quantile(taken, 0.5));
    report("login-refused-unknown-p50", unknown, Some(wrong), "ms");
    report("login-refused-locked-p50", locked, Some(wrong), "ms");
    report("login-refused-inactive-p50", inactive, Some(wrong), "ms");
}

/// The time at p99 of another operation, alone or during a flood of sign-ins.
async fn measure_others(server: &Server, token: &str, flood: bool) -> f64 {
    let stop = Arc::new(AtomicBool::new(!flood));
    let flooding = (0..FLOOD).map(|n| {
        let stop = stop.clone();
        async move {
            while !stop.load(Ordering::Relaxed) {
                server.sign_in(&format!("flood{n}"), "x").await;
            }
        }
    });
    let measuring = async {
        let (mut taken, end) = (Vec::new(), Instant::now() + WINDOW * 2);
        while Instant::now() < end {
            let began = Instant::now();
            assert_eq!(
                server
                    .call("GET", "sessions/current", token, &Value::Null)
                    .await
                    .0,
                200
            );
            taken.push(began.elapsed().as_secs_f64() * 1_000.0);
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        stop.store(true, Ordering::Relaxed);
        quantile(taken, 0.99)
    };
    futures_util::future::join(measuring, futures_util::future::join_all(flooding))
        .await
        .0
}

#[expect(clippy::cast_precision_loss, reason = "counts far below 2^52")]
fn rate(count: u64) -> f64 {
    count as f64 / WINDOW.as_secs_f64()
}
