//! `cargo xtask bench login`: what signing in costs, what it gives away, and what a flood of it does to everybody else.
#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a measurement: whatever does not work ends it"
)]

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use argon2::password_hash::PasswordHasher;
use argon2::{Algorithm, Argon2, Params, Version};
use reqwest::Client;
use serde_json::{Value, json};

/// Time of each measurement of throughput.
const WINDOW: Duration = Duration::from_secs(10);
/// Tries of each kind of failure.
const TRIES: usize = 200;
/// Wrong passwords that one account takes before it is locked.
const LIMIT: usize = 100;
/// Clients that sign in at once, in the measurement of throughput and in the flood.
const CLIENTS: usize = 8;
const FLOOD: usize = 64;
const PASSWORD: &str = "Gravel-lantern4-quince";

struct Server {
    child: Child,
    url: String,
    admin: (String, String),
    http: Client,
}

impl Server {
    async fn start(dir: &Path, concurrency: usize) -> Self {
        let ready = dir.join("ready.json");
        let child = Command::new(env!("CARGO_BIN_EXE_secureguard"))
            .args(["up", "--listen", "127.0.0.1:0", "--data-dir"])
            .arg(dir.join("data"))
            .arg("--ready-file")
            .arg(&ready)
            .env("SECUREGUARD_PASSWORDS__CONCURRENCY", concurrency.to_string())
            .env("SECUREGUARD_RATE_LIMITS__SIGN_IN_PER_ADDRESS_BURST", "10000000")
            .env("SECUREGUARD_RATE_LIMITS__SIGN_IN_PER_USER_BURST", "10000000")
            .env("SECUREGUARD_LOG", "warn")
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        while !ready.exists() {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        let facts: Value = serde_json::from_slice(&std::fs::read(&ready).unwrap()).unwrap();
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        Self {
            child,
            url: text(&facts["url"]),
            admin: (
                text(&facts["admin"]["username"]),
                text(&facts["admin"]["password"]),
            ),
            http: Client::builder()
                .timeout(Duration::from_secs(60))
                .build()
                .unwrap(),
        }
    }

    async fn sign_in(&self, username: &str, password: &str) -> (u16, Value) {
        let body = json!({"username": username, "password": password});
        self.call("POST", "sessions", "", &body).await
    }

    async fn call(&self, method: &str, path: &str, token: &str, body: &Value) -> (u16, Value) {
        let method = method.parse().unwrap();
        let mut sent = self.http.request(method, format!("{}/api/v1/{path}", self.url));
        if !token.is_empty() {
            sent = sent.bearer_auth(token);
        }
        if !body.is_null() {
            sent = sent.json(body);
        }
        let answer = sent.send().await.unwrap();
        (
            answer.status().as_u16(),
            answer.json().await.unwrap_or(Value::Null),
        )
    }

    /// The administrator's session, their one-time password changed.
    async fn administrator(&self) -> String {
        let (_, session) = self.sign_in(&self.admin.0, &self.admin.1).await;
        let token = session["token"].as_str().unwrap().to_owned();
        self.change(&token, &self.admin.1).await;
        token
    }

    async fn change(&self, token: &str, current: &str) {
        let body = json!({"current_password": current, "new_password": PASSWORD});
        assert_eq!(self.call("POST", "users/me/password", token, &body).await.0, 204);
    }

    /// Somebody new with [`PASSWORD`]; returns their id.
    async fn person(&self, admin: &str, name: &str) -> String {
        let body = json!({"username": name, "email": format!("{name}@example.org"), "role": "user"});
        let (_, made) = self.call("POST", "users", admin, &body).await;
        let initial = made["initial_password"].as_str().unwrap();
        let (_, session) = self.sign_in(name, initial).await;
        self.change(session["token"].as_str().unwrap(), initial).await;
        made["user_id"].as_str().unwrap().to_owned()
    }

    fn stop(mut self) {
        let pid = rustix::process::Pid::from_child(&self.child);
        rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
        self.child.wait().unwrap();
    }
}

#[tokio::main]
async fn main() {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let dir = tempfile::tempdir().unwrap();
    let server = Server::start(dir.path(), 0).await;
    let admin = server.administrator().await;
    for n in 0..CLIENTS {
        server.person(&admin, &format!("client{n}")).await;
    }
    measure_throughput(&server, cores).await;
    measure_enumeration(&server, &admin).await;
    let admin_password = PASSWORD.to_owned();
    let quiet = measure_others(&server, &admin, false).await;
    let all_cores = measure_others(&server, &admin, true).await;
    server.stop();
    let fewer = Server::start(dir.path(), (cores - 1).max(1)).await;
    let (_, session) = fewer.sign_in("admin", &admin_password).await;
    let reference = measure_others(&fewer, session["token"].as_str().unwrap(), true).await;
    fewer.stop();
    report("login-others-p99-quiet", quiet, None, "ms");
    report("login-flood-others-p99", all_cores, Some(reference), "ms");
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
    server.person(admin, "locked").await;
    let inactive = server.person(admin, "inactive").await;
    for n in 0..=TRIES / (LIMIT - 10) {
        server.person(admin, &format!("wrong{n}")).await;
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
        for (name, taken) in [wrong.as_str(), "nobody-has-this", "locked", "inactive"]
            .iter()
            .zip(&mut times)
        {
            let began = Instant::now();
            assert_eq!(server.sign_in(name, "not the password").await.0, 401);
            taken.push(began.elapsed().as_secs_f64() * 1_000.0);
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

#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "an index into some thousand values"
)]
fn quantile(mut values: Vec<f64>, of: f64) -> f64 {
    values.sort_by(f64::total_cmp);
    values[((values.len() - 1) as f64 * of) as usize]
}

fn report(name: &str, ours: f64, theirs: Option<f64>, unit: &str) {
    let ratio = theirs.map_or_else(|| "-".to_owned(), |theirs| format!("{:.2}", ours / theirs));
    let theirs = theirs.map_or_else(|| "-".to_owned(), |theirs| format!("{theirs:.3}"));
    println!("{name} ratio={ratio} ours={ours:.3} theirs={theirs} unit={unit}");
}
