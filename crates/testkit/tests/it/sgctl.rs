//! `sgctl` against a server that runs.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::Duration;

use serde_json::{Value, json};
use sg_load::{Client, Target};
use sg_testkit::fault::{Installation, Machine, program};

use crate::wait_for;

/// The administrator's password after the first change.
const PASSWORD: &str = "Violet-harbour-9-lanterns";

/// Somebody's terminal.
struct Terminal {
    config: PathBuf,
}

impl Terminal {
    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(program("sgctl").unwrap());
        for name in ["SGCTL_SERVER", "SGCTL_KEY", "SGCTL_CA", "SGCTL_CONTEXT"] {
            command.env_remove(name);
        }
        command.env("SGCTL_CONFIG", &self.config).args(arguments);
        command
    }

    fn run(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output().unwrap()
    }

    /// What it prints, when all goes well.
    fn says(&self, arguments: &[&str]) -> String {
        let output = self.run(arguments);
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{arguments:?}: {errors}");
        String::from_utf8(output.stdout).unwrap()
    }

    fn says_json(&self, arguments: &[&str]) -> Value {
        serde_json::from_str(&self.says(arguments)).unwrap()
    }

    /// The code with which it ends, and what it says of it.
    fn fails(&self, arguments: &[&str]) -> (i32, String) {
        let output = self.run(arguments);
        let errors = String::from_utf8(output.stderr).unwrap();
        (output.status.code().unwrap(), errors)
    }

    /// With these lines typed.
    fn typed(&self, arguments: &[&str], lines: &str) -> String {
        let mut child = self
            .command(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        child.stdin.take().unwrap().write_all(lines.as_bytes()).unwrap();
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success());
        String::from_utf8(output.stdout).unwrap()
    }
}

/// A key with which the administrator works from a terminal.
async fn make_key(installation: &Installation, folder: &Path) -> PathBuf {
    let target = Target::new(installation.url(), None).unwrap();
    let mut client = Client::new(&target, 0, true);
    let admin = installation.admin();
    let credentials = json!({ "username": admin.username, "password": admin.password });
    let session = post(&mut client, "/api/v1/sessions", "", &credentials).await;
    let token = session["token"].as_str().unwrap();
    let change = json!({ "current_password": admin.password, "new_password": PASSWORD });
    post(&mut client, "/api/v1/users/me/password", token, &change).await;
    let wanted = json!({ "key_name": "terminal", "scopes": ["api"] });
    let key = post(&mut client, "/api/v1/users/api-keys", token, &wanted).await;
    let file = folder.join("key");
    std::fs::write(&file, key["key"].as_str().unwrap()).unwrap();
    file
}

async fn post(client: &mut Client, path: &str, token: &str, body: &Value) -> Value {
    let answer = client
        .post(path, token, body.to_string().as_bytes())
        .await
        .unwrap();
    let text = String::from_utf8_lossy(&answer.body);
    assert!((200..300).contains(&answer.status), "{path}: {text}");
    serde_json::from_str(&text).unwrap_or_default()
}

#[tokio::test]
async fn a_terminal_signs_in_reads_triages_and_says_what_went_wrong() {
    let mut installation = Installation::start().await.unwrap();
    let folder = tempfile::tempdir().unwrap();
    let terminal = Terminal {
        config: folder.path().join("config.json"),
    };
    let (code, words) = terminal.fails(&["incidents", "list"]);
    assert_eq!(code, 3);
    assert!(words.contains("sgctl login"), "{words}");

    let key = make_key(&installation, folder.path()).await;
    let (url, key) = (installation.url().to_owned(), key.to_str().unwrap().to_owned());
    let login = ["login", "--server", &url, "--key-file", &key];
    terminal.says(&login);
    terminal.says(&[&["--context", "customer"], &login[..]].concat());
    assert!(terminal.says(&["contexts", "list"]).contains("customer"));
    terminal.says(&["contexts", "use", "default"]);
    let contexts = terminal.says_json(&["contexts", "list", "--json"]);
    assert_eq!(contexts[1]["is_current"], true, "{contexts}");
    assert!(
        !contexts.to_string().contains("\"key\""),
        "no key is shown: {contexts}"
    );

    machine_with_incidents(&installation, &terminal).await;
    formats(&terminal);
    triage(&terminal);
    alert_rules(&terminal);

    let nobody = uuid::Uuid::nil().to_string();
    assert_eq!(terminal.fails(&["incidents", "show", &nobody]).0, 4);
    assert_eq!(terminal.fails(&["users", "list", "--context", "nowhere"]).0, 3);
    assert_eq!(terminal.fails(&["users", "lists"]).0, 2);
    let (code, words) = terminal.fails(&["logout", "--watch"]);
    assert_eq!(code, 1);
    assert!(words.contains("only what reads"), "{words}");
    watch_outlasts_an_absence(&mut installation, &terminal).await;
}

/// A machine on which two things happened that the pack has rules for.
async fn machine_with_incidents(installation: &Installation, terminal: &Terminal) {
    let mut machine = Machine::enrol(installation).unwrap();
    machine.start().unwrap();
    for number in 0..2 {
        machine
            .write_file(
                &format!("eicar-{number}"),
                &[
                    "X5O!P%@AP[4\\PZX54(P^)7CC)7}$",
                    "EICAR-STANDARD-ANTIVIRUS-TEST-FILE!$H+H*",
                ]
                .concat(),
            )
            .unwrap();
    }
    wait_for("two incidents", Duration::from_secs(60), async || {
        let found = terminal.says_json(&["incidents", "list", "--json"]);
        (found.as_array().unwrap().len() >= 2).then_some(())
    })
    .await;
    machine.stop().await.unwrap();
}

fn formats(terminal: &Terminal) {
    let as_json = terminal.says_json(&["incidents", "list", "--output", "json"]);
    let id = as_json[0]["threat_id"].as_str().unwrap();
    let yaml = terminal.says(&["incidents", "list", "-o", "yaml"]);
    assert!(yaml.contains(&format!("threat_id: {id}")), "{yaml}");
    let csv = terminal.says(&["incidents", "list", "-o", "csv"]);
    assert_eq!(
        csv.lines().count(),
        1 + as_json.as_array().unwrap().len(),
        "{csv}"
    );
    assert!(csv.contains(id), "{csv}");
    let shown = terminal.says(&["incidents", "show", id, "-o", "yaml"]);
    assert!(shown.contains("findings:"), "{shown}");
    let (code, words) = terminal.fails(&[
        "monitoring",
        "report",
        "-o",
        "csv",
        &uuid::Uuid::nil().to_string(),
    ]);
    assert_eq!(code, 4, "{words}");
    assert!(
        terminal
            .says(&["completion", "zsh"])
            .starts_with("#compdef sgctl")
    );
}

/// Takes the first and calls it harmless, asks for something that is none of the letters, leaves the second and ends with the input.
fn triage(terminal: &Terminal) {
    let open = || {
        let listed = ["incidents", "list", "--status", "new,investigating", "--json"];
        terminal.says_json(&listed).as_array().unwrap().len()
    };
    let before = open();
    let said = terminal.typed(&["threats", "triage"], "a\nx\nf\nour own test file\ns\n");
    assert!(said.contains(&format!("1 of {before}")), "{said}");
    assert!(said.contains("one of the letters"), "{said}");
    assert!(said.contains("1 closed, 1 assigned, 1 skipped"), "{said}");
    assert_eq!(open(), before - 1);
    let closed = terminal.says_json(&["incidents", "list", "--status", "false_positive", "--json"]);
    assert_eq!(closed[0]["assigned_to_username"], "admin", "{closed}");
    assert_eq!(closed[0]["resolution_notes"], "our own test file", "{closed}");
    let mine = terminal.typed(&["threats", "triage", "--mine"], "");
    assert!(mine.contains("nothing is open"), "{mine}");
}

/// What is watched is listed and changed.
fn alert_rules(terminal: &Terminal) {
    fn update<'a>(more: &[&'a str]) -> Vec<&'a str> {
        [&["monitoring", "alert-rules", "update", "account_lockouts"], more].concat()
    }
    terminal.says(&update(&[
        "--threshold",
        "7",
        "--enabled",
        "off",
        "--inhibited-by",
        "failed_sign_ins",
    ]));
    let listed = terminal.says_json(&["monitoring", "alert-rules", "list", "--json"]);
    let mut listed = listed.as_array().unwrap().iter();
    let changed = listed.find(|rule| rule["kind"] == "account_lockouts").unwrap();
    assert_eq!(
        (
            &changed["threshold"],
            &changed["enabled"],
            &changed["inhibited_by"]
        ),
        (&json!(7.0), &json!(false), &json!(["failed_sign_ins"]))
    );
    let said = terminal.says(&update(&["--inhibited-by", "", "--enabled", "on"]));
    assert!(said.contains("above 7"), "{said}");
    let (code, words) = terminal.fails(&update(&[]));
    assert!(code == 1 && words.contains("what is to change"), "{words}");
    let (_, words) = terminal.fails(&[
        "monitoring",
        "alert-rules",
        "update",
        "nothing",
        "--threshold",
        "1",
    ]);
    assert!(words.contains("no rule watches `nothing`"), "{words}");
    terminal.says(&["monitoring", "alerts", "--state", "firing"]);
}

/// A server that is away is said to be, and its answers come again.
async fn watch_outlasts_an_absence(installation: &mut Installation, terminal: &Terminal) {
    installation.kill_server().unwrap();
    assert_eq!(terminal.fails(&["whoami"]).0, 6);
    let log = terminal.config.with_extension("log");
    let mut watching = terminal
        .command(&["whoami", "--watch=1"])
        .stdout(std::fs::File::create(&log).unwrap())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    installation.start_server().await.unwrap();
    wait_for("two answers", Duration::from_secs(30), async || {
        let said = std::fs::read_to_string(&log).unwrap();
        (said.matches("tenant").count() >= 2).then_some(())
    })
    .await;
    watching.kill().unwrap();
    watching.wait().unwrap();
}
