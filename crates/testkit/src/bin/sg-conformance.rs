//! `sg-conformance`: a server is asked what its own OpenAPI document says it can be asked, and much that it says it cannot, by schemathesis, as somebody of each
//! documented role. No answer may be an error of the server's, and each has to be one of those that the document tells of.
#![expect(clippy::print_stdout, reason = "a command-line program talks to its user")]

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};

use anyhow::{Context, Result, bail, ensure};
use serde_json::{Value, json};
use sg_load::{Client, Target};
use sg_testkit::fault::{Installation, NodeLoad, Place};
use sg_types::Role;

const USAGE: &str = "usage: sg-conformance [--examples N] [--seed S] [--folder DIR]";
/// The variable that names the Python which has schemathesis.
const PYTHON: &str = "SG_CONFORMANCE_PYTHON";
const PASSWORD: &str = "Plinth-otter7-walnut";
const ROLES: [Role; 4] = [Role::User, Role::Manager, Role::Admin, Role::SystemAdmin];
/// What takes the caller's own session, password or factors away, after which every answer would be a refusal; a stream, which does not end; and bodies
/// that schemathesis does not make: lines of JSON, and the check-in's, for which there are fuzz tests.
const NOT_ASKED: &str =
    "^/api/v1/(sessions|users/me/|users/factor-policy|monitoring/events|agents/events)|^/agent/v1/check-in$";
/// What is not checked: that whatever fits the schema is accepted, since rules across fields and names of what has to exist are in no schema.
const NOT_CHECKED: &str = "positive_data_acceptance";
/// Endpoints that have reported something.
const ENDPOINTS: usize = 3;

struct Options {
    /// Requests made at random for each operation and role, beside those that follow from the document itself.
    examples: u32,
    seed: u64,
    folder: PathBuf,
}

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() -> ExitCode {
    match run().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            println!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn run() -> Result<()> {
    let options = Options::parse()?;
    let python = std::env::var_os(PYTHON).with_context(|| format!("{PYTHON} is not set"))?;
    std::fs::create_dir_all(&options.folder)?;
    let mut installation = Installation::at(Place {
        folder: options.folder.clone(),
        data_dir: options.folder.join("data"),
        environment: [
            ("SECUREGUARD_RATE_LIMITS__REQUESTS", "false"),
            ("SECUREGUARD_RATE_LIMITS__SIGN_IN_PER_ADDRESS_BURST", "1000"),
        ]
        .map(|(name, value)| (name.into(), value.into()))
        .to_vec(),
    });
    installation.start_server().await?;
    let mut load = NodeLoad::new(installation.enrolment_key(), &options.folder.join("ledger"))?;
    load.add(installation.url(), ENDPOINTS).await?;
    load.make_progress(200).await?;
    load.finish().await?;
    let admin = installation.admin();
    let admin_token = sign_in(installation.url(), &admin.username, &admin.password).await?;
    // Read from where schemathesis is run: an argument would show the token to whoever lists processes.
    std::fs::write(
        options.folder.join("schemathesis.toml"),
        "[headers]\nAuthorization = \"Bearer ${SG_TOKEN}\"\n",
    )?;
    let mut failed = Vec::new();
    for role in ROLES {
        let token = make_caller(installation.url(), &admin_token, role).await?;
        let calls = ask(&options, &python, installation.url(), role, &token)?;
        match calls {
            Ok(calls) => println!("conformance: {calls} requests as {role}, each answered as documented"),
            Err(report) => {
                println!("{report}");
                failed.push(role.as_str());
            }
        }
    }
    ensure!(
        failed.is_empty(),
        "answers that are not as documented, as {}",
        failed.join(", ")
    );
    println!("conformance passed: every answer is as the OpenAPI document says");
    Ok(())
}

/// How many requests were made, or what is wrong with the answers.
fn ask(options: &Options, python: &OsStr, url: &str, role: Role, token: &str) -> Result<Result<u64, String>> {
    let report = options.folder.join(format!("{role}.json"));
    let output = Command::new(python)
        .args(["-m", "schemathesis.cli", "run"])
        .arg(format!("{url}/api/v1/openapi.json"))
        // One thread: Python 3.11 parses nothing reliably on two.
        .args(["--max-examples", &options.examples.to_string(), "--workers", "1"])
        .args(["--seed", &options.seed.to_string()])
        .args([
            "--phases",
            "examples,coverage,fuzzing",
            "--exclude-path-regex",
            NOT_ASKED,
        ])
        .args(["--checks", "all", "--exclude-checks", NOT_CHECKED])
        .args([
            "--request-timeout",
            "30",
            "--suppress-health-check",
            "all",
            "--warnings",
            "off",
            "--no-color",
        ])
        .args(["--report", "json", "--report-json-path"])
        .arg(&report)
        .current_dir(&options.folder)
        .env("SG_TOKEN", token)
        .stdin(Stdio::null())
        .output()
        .context("schemathesis cannot be run")?;
    if !output.status.success() {
        return Ok(Err(format!(
            "{}{}",
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr)
        )));
    }
    count_requests(&report).map(Ok)
}

fn count_requests(report: &Path) -> Result<u64> {
    let report: Value = serde_json::from_slice(&std::fs::read(report)?)?;
    let count = report["test_cases"]["generated"].as_u64();
    let count = count.context("the report does not say how many requests there were")?;
    ensure!(count > 0, "nothing was asked");
    Ok(count)
}

async fn make_caller(url: &str, admin: &str, role: Role) -> Result<String> {
    let name = format!("asks-as-{role}");
    let user = json!({ "username": name, "email": format!("{name}@example.com"), "role": role });
    let made = post(url, "/api/v1/users", admin, &user).await?;
    let password = made["initial_password"].as_str().context("no password")?;
    sign_in(url, &name, password).await
}

/// Signs in with a one-time password, and again with another one.
async fn sign_in(url: &str, username: &str, once: &str) -> Result<String> {
    let session = post(
        url,
        "/api/v1/sessions",
        "",
        &json!({ "username": username, "password": once }),
    )
    .await?;
    let token = session["token"].as_str().context("no token")?;
    let change = json!({ "current_password": once, "new_password": PASSWORD });
    post(url, "/api/v1/users/me/password", token, &change).await?;
    let body = json!({ "username": username, "password": PASSWORD });
    let session = post(url, "/api/v1/sessions", "", &body).await?;
    Ok(session["token"].as_str().context("no token")?.to_owned())
}

async fn post(url: &str, path: &str, token: &str, body: &Value) -> Result<Value> {
    let mut client = Client::new(&Target::new(url, None)?, 0, true);
    let answer = client.post(path, token, body.to_string().as_bytes()).await?;
    let text = String::from_utf8_lossy(&answer.body);
    ensure!(
        (200..300).contains(&answer.status),
        "{path}: {} {text}",
        answer.status
    );
    Ok(serde_json::from_str(&text).unwrap_or_default())
}

impl Options {
    fn parse() -> Result<Self> {
        let mut options = Self {
            examples: 2,
            seed: 1,
            folder: std::env::temp_dir().join(format!("sg-conformance-{}", std::process::id())),
        };
        let mut words = std::env::args().skip(1);
        while let Some(word) = words.next() {
            let value = words
                .next()
                .with_context(|| format!("{word} takes a value\n{USAGE}"))?;
            match word.as_str() {
                "--examples" => options.examples = value.parse().context("--examples takes a number")?,
                "--seed" => options.seed = value.parse().context("--seed takes a number")?,
                "--folder" => options.folder = std::path::absolute(value)?,
                _ => bail!("{word} is not known\n{USAGE}"),
            }
        }
        ensure!(options.examples > 0, "--examples is at least 1");
        Ok(options)
    }
}
