//! No password and no token of a link in anything that is kept: PostgreSQL's files and log with every statement in it, the server's log at its
//! most talkative, a dump of the database.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use serde_json::{Value, json};

use super::recovery::Sink;
use super::up::{Up, client, folder};

/// Every file below a folder.
fn files(dir: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(dir).unwrap().flatten() {
        let path = entry.path();
        match entry.file_type().unwrap() {
            kind if kind.is_dir() => files(&path, found),
            kind if kind.is_file() => found.push(path),
            _ => {}
        }
    }
}

/// The only role that reads every table, sealed secrets included.
fn superuser_url(up: &Up, data: &Path) -> String {
    let url = up.ready["database_url"].as_str().unwrap();
    let (_, place) = url.split_once('@').unwrap();
    let password = std::fs::read_to_string(data.join("secrets/postgres-superuser")).unwrap();
    format!("postgresql://postgres:{}@{place}", password.trim())
}

fn all_files(dir: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    files(dir, &mut found);
    found
}

fn contains(bytes: &[u8], text: &str) -> bool {
    memchr_like(bytes, text.as_bytes())
}

fn memchr_like(haystack: &[u8], needle: &[u8]) -> bool {
    let Some((first, _)) = needle.split_first() else {
        return false;
    };
    let mut rest = haystack;
    while let Some(at) = rest.iter().position(|byte| byte == first) {
        if rest[at..].starts_with(needle) {
            return true;
        }
        rest = &rest[at + 1..];
    }
    false
}

async fn call(up: &Up, path: &str, token: &str, body: Value) -> (u16, Value) {
    let mut sent = client().post(up.url(path)).json(&body);
    if !token.is_empty() {
        sent = sent.bearer_auth(token);
    }
    let answer = sent.send().await.unwrap();
    (
        answer.status().as_u16(),
        answer.json().await.unwrap_or(Value::Null),
    )
}

/// Signs in, rightly and wrongly, changes, recovers, invites. Returns every secret that was typed or mailed.
async fn flow(up: &Up, sink: &Sink) -> Vec<String> {
    let initial = up.ready["admin"]["password"].as_str().unwrap().to_owned();
    let chosen = "Marker-alder-7-quartz".to_owned();
    let (typed_wrong, name_wrong) = (
        "Marker-wrong-1-guess".to_owned(),
        "Marker-typed-2-asname".to_owned(),
    );
    let (weak, recovered) = ("markershort".to_owned(), "Marker-birch-8-basalt".to_owned());
    let invited = "Marker-cedar-9-gneiss".to_owned();

    let (_, session) = call(
        up,
        "/api/v1/sessions",
        "",
        json!({"username": "admin", "password": initial}),
    )
    .await;
    let token = session["token"].as_str().unwrap().to_owned();
    let change = |new: &str| json!({"current_password": initial, "new_password": new});
    assert_eq!(
        call(up, "/api/v1/users/me/password", &token, change(&weak))
            .await
            .0,
        422
    );
    assert_eq!(
        call(up, "/api/v1/users/me/password", &token, change(&chosen))
            .await
            .0,
        204
    );
    let (status, _) = call(
        up,
        "/api/v1/sessions",
        "",
        json!({"username": "admin", "password": typed_wrong}),
    )
    .await;
    assert_eq!(status, 401);
    call(
        up,
        "/api/v1/sessions",
        "",
        json!({"username": name_wrong, "password": "x"}),
    )
    .await;
    call(
        up,
        "/api/v1/users/password-resets",
        "",
        json!({"account": name_wrong}),
    )
    .await;

    let person = json!({"username": "once", "email": "once@example.org", "role": "user"});
    let (_, once) = call(up, "/api/v1/users", &token, person).await;
    let once = once["initial_password"].as_str().unwrap().to_owned();
    let person = json!({"username": "grace", "email": "grace@example.org", "role": "user", "invite": true});
    assert_eq!(call(up, "/api/v1/users", &token, person).await.0, 201);
    let invitation = sink.wait_for_link().await;
    let redeem = |token: &str, new: &str| json!({"token": token, "new_password": new});
    assert_eq!(
        call(
            up,
            "/api/v1/users/password-resets/redeem",
            "",
            redeem(&invitation, &invited)
        )
        .await
        .0,
        204
    );
    assert_eq!(
        call(
            up,
            "/api/v1/users/password-resets",
            "",
            json!({"account": "grace"})
        )
        .await
        .0,
        202
    );
    let link = sink.wait_for_link().await;
    assert_eq!(
        call(
            up,
            "/api/v1/users/password-resets/redeem",
            "",
            redeem(&link, &weak)
        )
        .await
        .0,
        422
    );
    assert_eq!(
        call(
            up,
            "/api/v1/users/password-resets/redeem",
            "",
            redeem(&link, &recovered)
        )
        .await
        .0,
        204
    );
    let (status, session) = call(
        up,
        "/api/v1/sessions",
        "",
        json!({"username": "grace", "password": recovered}),
    )
    .await;
    assert_eq!(status, 201);
    let last = session["token"].as_str().unwrap().to_owned();
    vec![
        initial,
        chosen,
        typed_wrong,
        name_wrong,
        weak,
        recovered,
        invited,
        once,
        invitation,
        link,
        token,
        last,
    ]
}

#[tokio::test]
async fn no_secret_is_kept_anywhere() {
    let dir = folder();
    let sink = Sink::start().await;
    let settings = sink.settings(dir.path());
    // The first start makes the cluster, the second one logs all that it is told.
    let first = Up::start_with(dir.path(), &[], &settings);
    let admin = first.ready["admin"].clone();
    first.stop();
    let data = dir.path().join("data");
    let auto = all_files(&data)
        .into_iter()
        .find(|path| path.ends_with("postgresql.auto.conf"))
        .unwrap();
    let more = "log_statement = 'all'\nlog_min_duration_statement = 0\nlog_min_messages = 'debug1'\nlog_min_error_statement = 'debug5'\n\
        log_parameter_max_length = -1\nlog_parameter_max_length_on_error = -1\n";
    std::fs::write(&auto, std::fs::read_to_string(&auto).unwrap() + more).unwrap();
    let mut up = Up::start_with(dir.path(), &[], &settings);
    up.ready["admin"] = admin;

    let secrets = flow(&up, &sink).await;
    let bin = sg_postgres::find(std::env::var_os("PG_BIN").map(PathBuf::from).as_deref())
        .unwrap()
        .bin_dir;
    let dump = Command::new(bin.join("pg_dump"))
        .args(["--inserts", "--schema=users", "--schema=audit"])
        .arg(superuser_url(&up, &data))
        .output()
        .unwrap();
    assert!(dump.status.success(), "{}", String::from_utf8_lossy(&dump.stderr));
    tokio::time::sleep(Duration::from_millis(200)).await;
    up.stop();

    let mut places: Vec<(String, Vec<u8>)> = all_files(dir.path())
        .into_iter()
        .map(|path| (path.display().to_string(), std::fs::read(&path).unwrap()))
        .collect();
    places.push(("pg_dump".to_owned(), [dump.stdout, dump.stderr].concat()));
    let logged = |what: &str| places.iter().any(|(_, bytes)| contains(bytes, what));
    assert!(logged("begin_password_attempt($1"), "PostgreSQL logs statements");
    assert!(
        logged("TRACE") || logged("trace"),
        "the server logs at trace level"
    );
    assert!(
        places
            .iter()
            .any(|(name, bytes)| name == "pg_dump" && contains(bytes, "known_devices"))
    );
    for secret in &secrets {
        for (place, bytes) in &places {
            assert!(!contains(bytes, secret), "{secret} is in {place}");
        }
    }
}
