//! What the measurements of the server share: the server, and how results are told.
#![allow(dead_code, reason = "each measurement needs a part of it")]

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use reqwest::Client;
use serde_json::{Value, json};
pub(crate) use sg_load::quantile;
use sg_load::{Agent, Load, Mix, Target, Way};

/// The password of everybody after the first change.
pub(crate) const PASSWORD: &str = "Gravel-lantern4-quince";

/// A server of the built program, with a database of its own.
pub(crate) struct Server {
    child: Child,
    url: String,
    admin: (String, String),
    enrolment_key: String,
    database_url: String,
    ca_file: Option<PathBuf>,
    http: Client,
}

impl Server {
    /// Starts one in `dir`, with these settings besides.
    pub(crate) async fn start(dir: &Path, settings: &[(&str, &str)]) -> Self {
        let ready = dir.join("ready.json");
        // An earlier server in the same folder has left its own.
        let _ = std::fs::remove_file(&ready);
        let child = Command::new(env!("CARGO_BIN_EXE_secureguard"))
            .args(["up", "--listen", "127.0.0.1:0", "--data-dir"])
            .arg(dir.join("data"))
            .arg("--ready-file")
            .arg(&ready)
            .envs(settings.iter().copied())
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
        let ca_file = facts["ca_file"].as_str().map(PathBuf::from);
        let mut http = Client::builder().timeout(Duration::from_secs(60));
        if let Some(file) = &ca_file {
            http = http
                .add_root_certificate(reqwest::Certificate::from_pem(&std::fs::read(file).unwrap()).unwrap());
        }
        Self {
            child,
            url: text(&facts["url"]),
            admin: (
                text(&facts["admin"]["username"]),
                text(&facts["admin"]["password"]),
            ),
            enrolment_key: text(&facts["enrolment_key"]),
            database_url: text(&facts["database_url"]),
            ca_file,
            http: http.build().unwrap(),
        }
    }

    pub(crate) async fn sign_in(&self, username: &str, password: &str) -> (u16, Value) {
        let body = json!({"username": username, "password": password});
        self.call("POST", "sessions", "", &body).await
    }

    pub(crate) async fn call(&self, method: &str, path: &str, token: &str, body: &Value) -> (u16, Value) {
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
    pub(crate) async fn administrator(&self) -> String {
        let (_, session) = self.sign_in(&self.admin.0, &self.admin.1).await;
        let token = session["token"].as_str().unwrap().to_owned();
        self.change(&token, &self.admin.1).await;
        token
    }

    /// Changes the password behind `token` to [`PASSWORD`].
    pub(crate) async fn change(&self, token: &str, current: &str) {
        let body = json!({"current_password": current, "new_password": PASSWORD});
        assert_eq!(self.call("POST", "users/me/password", token, &body).await.0, 204);
    }

    /// The key by which endpoints are enrolled.
    pub(crate) fn enrolment_key(&self) -> &str {
        &self.enrolment_key
    }

    /// Where its database is.
    pub(crate) fn database_url(&self) -> &str {
        &self.database_url
    }

    /// Its process.
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Host and port.
    pub(crate) fn address(&self) -> String {
        self.url.split("//").nth(1).unwrap().to_owned()
    }

    /// The authority that clients have to trust, where it speaks TLS.
    pub(crate) fn ca_file(&self) -> Option<&Path> {
        self.ca_file.as_deref()
    }

    /// A POST to any path.
    pub(crate) async fn post(&self, path: &str, token: &str, body: &Value) -> (u16, Value) {
        let sent = self
            .http
            .post(format!("{}{path}", self.url))
            .bearer_auth(token)
            .json(body);
        let answer = sent.send().await.unwrap();
        (
            answer.status().as_u16(),
            answer.json().await.unwrap_or(Value::Null),
        )
    }

    pub(crate) fn stop(mut self) {
        let pid = rustix::process::Pid::from_child(&self.child);
        rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
        self.child.wait().unwrap();
    }
}

/// How agents come to a server: with so many samples in each check-in.
pub(crate) fn way(server: &Server, connections: usize, kept: bool, samples: usize) -> Way {
    Way {
        target: Target::new(&server.url, server.ca_file()).unwrap(),
        kept,
        connections,
        mix: Mix::samples(samples),
        pace: None,
    }
}

/// Enrols so many endpoints.
pub(crate) async fn enrol(server: &Server, count: usize) -> Vec<Agent> {
    let target = Target::new(&server.url, server.ca_file()).unwrap();
    let enrolled = sg_load::enrol(&target, server.enrolment_key(), 0..count, 8, |_| {});
    enrolled.await.unwrap()
}

/// Lets the agents check in for a while. Whatever is answered but that it was stored ends the measurement.
pub(crate) async fn check_in(way: &Way, agents: &mut Vec<Agent>, window: Duration) -> Load {
    let load = sg_load::drive(way, agents, window).await.unwrap();
    assert_eq!(
        (load.busy, load.unanswered, &load.complaints),
        (0, 0, &Vec::new()),
        "every check-in is stored"
    );
    load
}

/// Prints a result; without `theirs` there is no ratio.
pub(crate) fn report(name: &str, ours: f64, theirs: Option<f64>, unit: &str) {
    let ratio = theirs.map_or_else(|| "-".to_owned(), |theirs| format!("{:.2}", ours / theirs));
    let theirs = theirs.map_or_else(|| "-".to_owned(), |theirs| format!("{theirs:.3}"));
    println!("{name} ratio={ratio} ours={ours:.3} theirs={theirs} unit={unit}");
}

/// How the superuser of the server's database connects.
pub(crate) fn superuser_url(server: &Server, dir: &Path) -> String {
    role_url(server, dir, "postgres", "postgres-superuser")
}

/// How a role whose password is in a file among the server's secrets connects to its database.
pub(crate) fn role_url(server: &Server, dir: &Path, role: &str, file: &str) -> String {
    let (_, place) = server.database_url().split_once('@').unwrap();
    let password = std::fs::read_to_string(dir.join("data/secrets").join(file)).unwrap();
    format!("postgresql://{role}:{}@{place}", password.trim())
}
