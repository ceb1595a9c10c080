//! The built program: `secureguard up` and the verbs beside it.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tempfile::TempDir;

/// What a program tells the world where mail is sent, which takes an address to link to.
pub(crate) const PUBLIC_URL: &str = "http://localhost:8080";

pub(crate) struct Up {
    child: Child,
    pub(crate) ready: Value,
}

impl Up {
    pub(crate) fn start(dir: &Path) -> Self {
        Self::start_with(dir, &[], &[])
    }

    /// With arguments, and settings of the environment.
    pub(crate) fn start_with(dir: &Path, arguments: &[&str], settings: &[(&str, String)]) -> Self {
        let mut this = Self::spawn(dir, arguments, settings);
        this.wait_until_ready(dir);
        this
    }

    /// Starts it and waits for nothing.
    pub(crate) fn spawn(dir: &Path, arguments: &[&str], settings: &[(&str, String)]) -> Self {
        Self::spawn_by(program(), dir, arguments, settings)
    }

    /// By a command that becomes the program.
    pub(crate) fn spawn_by(
        mut command: Command,
        dir: &Path,
        arguments: &[&str],
        settings: &[(&str, String)],
    ) -> Self {
        let ready_file = dir.join("ready.json");
        let log = std::fs::File::create(dir.join("up.log")).unwrap();
        let child = command
            .args(["up", "--listen", "127.0.0.1:0", "--data-dir"])
            .arg(dir.join("data"))
            .arg("--ready-file")
            .arg(&ready_file)
            .args(arguments)
            .envs(settings.iter().map(|(name, value)| (name, value)))
            .stderr(log)
            .spawn()
            .unwrap();
        Self {
            child,
            ready: Value::Null,
        }
    }

    pub(crate) fn wait_until_ready(&mut self, dir: &Path) {
        let ready_file = dir.join("ready.json");
        let began = Instant::now();
        while !ready_file.exists() {
            let log = || std::fs::read_to_string(dir.join("up.log")).unwrap_or_default();
            assert!(self.child.try_wait().unwrap().is_none(), "it ended: {}", log());
            assert!(began.elapsed() < Duration::from_secs(60), "not ready: {}", log());
            std::thread::sleep(Duration::from_millis(20));
        }
        assert_eq!(
            std::fs::metadata(&ready_file).unwrap().permissions().mode() & 0o777,
            0o600
        );
        self.ready = serde_json::from_slice(&std::fs::read(&ready_file).unwrap()).unwrap();
        std::fs::remove_file(&ready_file).unwrap();
        if self.ready["url"] == PUBLIC_URL {
            self.find_address(dir);
        }
    }

    /// Waits for its end by itself; whether that was a good one.
    pub(crate) fn wait_for_end(&mut self, patience: Duration) -> bool {
        let began = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status.success();
            }
            assert!(began.elapsed() < patience, "it did not end");
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// Where it listens, for one that tells another address to the world.
    fn find_address(&mut self, dir: &Path) {
        let log = std::fs::read_to_string(dir.join("up.log")).unwrap();
        let (_, port) = log.rsplit_once("http.address=127.0.0.1:").unwrap();
        let port: String = port.chars().take_while(char::is_ascii_digit).collect();
        self.ready["url"] = format!("http://localhost:{port}").into();
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("{}{path}", self.ready["url"].as_str().unwrap())
    }

    pub(crate) fn signal(&self, signal: rustix::process::Signal) {
        let pid = rustix::process::Pid::from_child(&self.child);
        rustix::process::kill_process(pid, signal).unwrap();
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    pub(crate) fn stop(mut self) {
        self.signal(rustix::process::Signal::INT);
        let status = self.child.wait().unwrap();
        assert!(status.success(), "{status}");
    }
}

impl Drop for Up {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

pub(crate) fn program() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_secureguard"));
    for name in ["DATABASE_URL", "DATABASE_SYSTEM_URL", "DATABASE_MIGRATE_URL"] {
        command.env_remove(name);
    }
    command.stdout(Stdio::null());
    command
}

fn output(arguments: &[&str], data_dir: &Path) -> Output {
    program()
        .args(arguments)
        .arg("--data-dir")
        .arg(data_dir)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .output()
        .unwrap()
}

pub(crate) fn folder() -> TempDir {
    tempfile::Builder::new().prefix("sg-up-").tempdir().unwrap()
}

pub(crate) fn client() -> reqwest::Client {
    reqwest::Client::builder()
        .timeout(Duration::from_secs(20))
        .build()
        .unwrap()
}

pub(crate) async fn sign_in(up: &Up, username: &str, password: &str) -> (u16, Value) {
    let body = json!({"username": username, "password": password});
    let answer = client()
        .post(up.url("/api/v1/sessions"))
        .json(&body)
        .send()
        .await
        .unwrap();
    (answer.status().as_u16(), answer.json().await.unwrap())
}

/// Calls the program; the body, whatever the status.
pub(crate) async fn call(up: &Up, token: &str, method: &str, path: &str, body: &Value) -> (u16, Value) {
    let answer = client()
        .request(method.parse().unwrap(), up.url(path))
        .bearer_auth(token)
        .json(body)
        .send()
        .await
        .unwrap();
    let status = answer.status().as_u16();
    (status, answer.json().await.unwrap_or_default())
}

/// The first administrator's token: signs in, and changes the first password.
pub(crate) async fn sign_in_first(up: &Up) -> String {
    let first = up.ready["admin"]["password"].as_str().unwrap();
    let (status, session) = sign_in(up, "admin", first).await;
    assert_eq!(status, 201, "{session}");
    let token = session["token"].as_str().unwrap();
    let change = json!({ "current_password": first, "new_password": "Plinth-otter7-walnut" });
    let (status, changed) = call(up, token, "POST", "/api/v1/users/me/password", &change).await;
    assert!((200..300).contains(&status), "{changed}");
    changed["token"].as_str().unwrap_or(token).to_owned()
}

#[tokio::test]
async fn one_command_gives_a_server_and_the_next_start_finds_it_again() {
    let dir = folder();
    let up = Up::start(dir.path());
    let ready = up.ready.clone();
    assert!(
        ready["url"].as_str().unwrap().starts_with("http://localhost:"),
        "{ready}"
    );
    assert!(
        ready["database_url"]
            .as_str()
            .unwrap()
            .starts_with("postgresql://sg_admin:")
    );
    assert!(ready["enrolment_key"].as_str().unwrap().starts_with("sg_"));
    assert_eq!(ready["ca_file"], Value::Null);
    let password = ready["admin"]["password"].as_str().unwrap().to_owned();
    let (status, session) = sign_in(&up, "admin", &password).await;
    assert_eq!((status, &session["must_change_password"]), (201, &json!(true)));
    assert_eq!(
        client().get(up.url("/readyz")).send().await.unwrap().status(),
        200
    );

    let second = output(&["up", "--listen", "127.0.0.1:0"], &dir.path().join("data"));
    assert!(!second.status.success());
    assert!(
        String::from_utf8_lossy(&second.stderr).contains("another SecureGuard uses"),
        "{second:?}"
    );
    up.stop();

    let again = Up::start(dir.path());
    assert_eq!(
        (&again.ready["admin"], &again.ready["enrolment_key"]),
        (&Value::Null, &Value::Null)
    );
    assert_eq!(sign_in(&again, "admin", &password).await.0, 201, "the same data");
    again.stop();
    let log = std::fs::read_to_string(dir.path().join("up.log")).unwrap();
    assert!(!log.contains(&password), "no secret in the log");
}

#[tokio::test]
async fn a_killed_database_comes_back_with_its_data() {
    let dir = folder();
    let up = Up::start(dir.path());
    let password = up.ready["admin"]["password"].as_str().unwrap().to_owned();
    let pid_file = dir.path().join("data/postgres/postmaster.pid");
    let postmaster = || {
        std::fs::read_to_string(&pid_file)
            .ok()
            .and_then(|t| t.lines().next()?.parse::<i32>().ok())
    };
    let old = postmaster().unwrap();
    rustix::process::kill_process(
        rustix::process::Pid::from_raw(old).unwrap(),
        rustix::process::Signal::KILL,
    )
    .unwrap();
    let began = Instant::now();
    loop {
        let (status, body) = sign_in(&up, "admin", &password).await;
        if status == 201 {
            break;
        }
        assert_eq!(
            (status, &body["code"]),
            (503, &json!("unavailable")),
            "nothing else meanwhile"
        );
        assert!(began.elapsed() < Duration::from_secs(60), "it did not come back");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    assert_ne!(postmaster(), Some(old));
    up.stop();
}

#[tokio::test]
async fn a_killed_server_takes_its_database_along_and_starts_again() {
    let dir = folder();
    let up = Up::start(dir.path());
    let password = up.ready["admin"]["password"].as_str().unwrap().to_owned();
    up.signal(rustix::process::Signal::KILL);
    drop(up);
    let again = Up::start(dir.path());
    assert_eq!(sign_in(&again, "admin", &password).await.0, 201);
    again.stop();
}

#[tokio::test]
async fn whoever_holds_the_host_lets_the_last_administrator_back_in() {
    let dir = folder();
    let up = Up::start(dir.path());
    let data_dir = dir.path().join("data");
    for _ in 0..6 {
        assert_eq!(sign_in(&up, "admin", "wrong").await.0, 401);
    }
    let first = up.ready["admin"]["password"].as_str().unwrap().to_owned();
    assert_eq!(sign_in(&up, "admin", &first).await.0, 401, "locked");
    let reset = |name: &str| {
        let output = program()
            .args(["admin", "reset-password", name, "--data-dir"])
            .arg(&data_dir)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .output()
            .unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        let password = text
            .split(": ")
            .nth(1)
            .map(|rest| rest.split(' ').next().unwrap().to_owned());
        (output.status.success(), password)
    };
    assert_eq!(reset("nobody"), (false, None));
    let (_, password) = reset("ADMIN");
    let (status, session) = sign_in(&up, "admin", &password.unwrap()).await;
    assert_eq!((status, &session["must_change_password"]), (201, &json!(true)));
    up.stop();

    let (worked, password) = reset("admin");
    assert!(worked, "the database is started for it");
    let up = Up::start(dir.path());
    assert_eq!(sign_in(&up, "admin", &password.unwrap()).await.0, 201);
    up.stop();
}

#[tokio::test]
async fn a_taken_port_and_a_foreign_folder_are_refused_untouched() {
    let dir = folder();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let refused = output(&["up", "--listen", &address], &dir.path().join("data"));
    assert!(
        !refused.status.success() && String::from_utf8_lossy(&refused.stderr).contains("is in use"),
        "{refused:?}"
    );
    assert!(!dir.path().join("data").exists());

    let foreign = dir.path().join("foreign");
    std::fs::create_dir_all(foreign.join("photos")).unwrap();
    let refused = output(&["up", "--listen", "127.0.0.1:0"], &foreign);
    assert!(
        !refused.status.success() && String::from_utf8_lossy(&refused.stderr).contains("nothing was changed"),
        "{refused:?}"
    );
    assert_eq!(std::fs::read_dir(&foreign).unwrap().count(), 1);
}

#[tokio::test]
async fn outside_loopback_it_speaks_tls_with_an_authority_of_its_own() {
    let dir = folder();
    let log = std::fs::File::create(dir.path().join("up.log")).unwrap();
    let ready_file = dir.path().join("ready.json");
    let child = program()
        .args(["up", "--listen", "127.0.0.1:0", "--data-dir"])
        .arg(dir.path().join("data"))
        .arg("--ready-file")
        .arg(&ready_file)
        .env("SECUREGUARD_TLS__MODE", "on")
        .stderr(log)
        .spawn()
        .unwrap();
    let mut up = Up {
        child,
        ready: Value::Null,
    };
    let began = Instant::now();
    while !ready_file.exists() {
        assert!(began.elapsed() < Duration::from_secs(60) && up.child.try_wait().unwrap().is_none());
        std::thread::sleep(Duration::from_millis(20));
    }
    up.ready = serde_json::from_slice(&std::fs::read(&ready_file).unwrap()).unwrap();
    let ca = std::fs::read(up.ready["ca_file"].as_str().unwrap()).unwrap();
    let trusting = reqwest::Client::builder()
        .tls_certs_only([reqwest::Certificate::from_pem(&ca).unwrap()])
        .build()
        .unwrap();
    let answer = trusting.get(up.url("/livez")).send().await.unwrap();
    assert_eq!(answer.status(), 200);
    assert!(
        answer.headers()["strict-transport-security"]
            .to_str()
            .unwrap()
            .starts_with("max-age=")
    );
    assert!(
        client().get(up.url("/livez")).send().await.is_err(),
        "nobody else trusts it"
    );
    let password = up.ready["admin"]["password"].as_str().unwrap();
    let body = json!({"username": "admin", "password": password});
    let session = trusting
        .post(up.url("/api/v1/sessions"))
        .json(&body)
        .send()
        .await
        .unwrap();
    let cookie = session.headers()["set-cookie"].to_str().unwrap();
    assert!(
        cookie.starts_with("__Host-sg_session=") && cookie.contains("; Secure"),
        "{cookie}"
    );
    up.stop();
}

#[test]
fn the_document_is_printed_without_a_database() {
    let printed = program().arg("openapi").stdout(Stdio::piped()).output().unwrap();
    let document: Value = serde_json::from_slice(&printed.stdout).unwrap();
    assert!(document["paths"]["/api/v1/sessions"]["post"].is_object());
}

#[test]
fn the_audit_log_is_told_to_a_file_and_checked_from_outside() {
    let dir = tempfile::tempdir().unwrap();
    let log = dir.path().join("audit.jsonl");
    let config = dir.path().join("sg.toml");
    std::fs::write(
        &config,
        format!("[audit.file]\npath = {:?}\n", log.display().to_string()),
    )
    .unwrap();
    let data = dir.path().join("data");
    let up = Up::start_with(dir.path(), &["--config", &config.display().to_string()], &[]);
    let began = Instant::now();
    // The first start makes the administrator and the enrolment key: within 5 seconds they are told.
    while !std::fs::read_to_string(&log).is_ok_and(|text| text.contains("\"type\":\"checkpoint\"")) {
        assert!(began.elapsed() < Duration::from_secs(30), "nothing is told");
        std::thread::sleep(Duration::from_millis(50));
    }
    let key = output(&["audit", "public-key"], &data);
    assert!(key.status.success(), "{key:?}");
    let key_file = dir.path().join("audit.pub");
    std::fs::write(&key_file, &key.stdout).unwrap();
    let verify = |arguments: &[&str]| {
        program()
            .arg("audit")
            .arg("verify")
            .args(arguments)
            .stdout(Stdio::piped())
            .output()
            .unwrap()
    };
    let (log, key_file, data_text) = (
        log.display().to_string(),
        key_file.display().to_string(),
        data.display().to_string(),
    );
    let offline = verify(&[&log, "--public-key", &key_file]);
    assert!(
        offline.status.success(),
        "{}",
        String::from_utf8_lossy(&offline.stdout)
    );
    let live = verify(&["--data-dir", &data_text, "--checkpoints", &log]);
    assert!(live.status.success(), "{}", String::from_utf8_lossy(&live.stdout));
    up.stop();
    // Also when nothing runs; and a bent file is refused with exit code 1.
    let live = verify(&["--data-dir", &data_text, "--checkpoints", &log]);
    assert!(live.status.success(), "{}", String::from_utf8_lossy(&live.stdout));
    let text = std::fs::read_to_string(&log).unwrap().replacen(
        "\"outcome\":\"success\"",
        "\"outcome\":\"failure\"",
        1,
    );
    std::fs::write(&log, text).unwrap();
    let bent = verify(&[&log, "--public-key", &key_file]);
    assert_eq!(bent.status.code(), Some(1));
    let said = String::from_utf8_lossy(&bent.stdout);
    assert!(
        said.contains("FAULT tenant 00000000-0000-0000-0000-00000000000")
            && said.contains("is not what it was when it was written"),
        "{said}"
    );
    let file = data.join("default.ndjson");
    let exported = output(
        &["admin", "export-tenant", "default", &file.to_string_lossy()],
        &data,
    );
    assert!(exported.status.success(), "{exported:?}");
    let text = std::fs::read_to_string(&file).unwrap();
    assert!(
        text.contains("\"table\":\"users.users\"")
            && text.lines().last().unwrap().contains("\"complete\":true")
    );
    let unknown = output(&["admin", "export-tenant", "nobody", "/dev/null"], &data);
    assert!(
        String::from_utf8_lossy(&unknown.stderr).contains("there is no tenant"),
        "{unknown:?}"
    );
    let refused = output(
        &["admin", "erase-tenant", "default", "--confirm", "default"],
        &data,
    );
    assert!(
        !refused.status.success() && String::from_utf8_lossy(&refused.stderr).contains("cannot be erased"),
        "{refused:?}"
    );
}
