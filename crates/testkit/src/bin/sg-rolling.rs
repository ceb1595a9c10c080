//! `sg-rolling`: nodes of `serve` are upgraded one after the other over one PostgreSQL, from the programs of an earlier revision to those of the present one, with simulated
//! endpoints at work. The earlier node serves while the present release migrates and while a present node serves beside it; then its program is replaced. What was
//! acknowledged has to be there, by whichever node.
#![expect(clippy::print_stdout, reason = "a command-line program talks to its user")]

use std::path::{Path, PathBuf};
use std::process::{ExitCode, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};
use sg_db::Stored;
use sg_load::bound;
use sg_testkit::TestCluster;
use sg_testkit::fault::{First, Node, NodeLoad, Nodes, Verdict};
use sqlx::{Connection, PgConnection};

const USAGE: &str = "usage: sg-rolling --earlier DIR --present DIR [--endpoints N] [--folder DIR]";
const DATABASE: &str = "secureguard";
const NEW_PASSWORD: &str = "Plinth-otter7-walnut";
/// What people look at while nodes are upgraded.
const READ: [&str; 4] = [
    "/api/v1/agents/endpoints?limit=5",
    "/api/v1/threats/incidents?limit=5",
    "/api/v1/monitoring/overview",
    "/api/v1/audit/events?limit=5",
];

struct Options {
    earlier: PathBuf,
    present: PathBuf,
    endpoints: usize,
    folder: PathBuf,
}

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() -> ExitCode {
    match run().await {
        Ok(()) => {
            println!("the nodes were upgraded one after the other, and nothing is lost");
            ExitCode::SUCCESS
        }
        Err(error) => {
            println!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn run() -> Result<()> {
    let options = Options::parse()?;
    std::fs::create_dir_all(&options.folder)?;
    let cluster = TestCluster::start_empty()?;
    cluster.execute(format!("create database {DATABASE}")).await?;
    let migrate_url = cluster.superuser_url(DATABASE);
    migrate(&options.earlier, &migrate_url)?;
    for (role, verifier) in cluster.verifiers().0 {
        let verifier = verifier.expose_secret();
        cluster
            .execute(format!("alter role {role} login password '{verifier}'"))
            .await?;
    }
    let nodes = |programs: &Path| Nodes {
        folder: options.folder.join("nodes"),
        app_url: cluster.role_url("sg_app", DATABASE),
        system_url: cluster.role_url("sg_system", DATABASE),
        programs: Some(programs.to_owned()),
        environment: Vec::new(),
    };
    let (earlier, present) = (nodes(&options.earlier), nodes(&options.present));
    let first = earlier.create_first()?;
    let mut old = earlier.start("one").await?;
    let token = sign_in(&old, &first).await?;
    let mut load = NodeLoad::new(&first.enrolment_key, &options.folder.join("ledger"))?;
    let (half, records) = (options.endpoints / 2, 10 * options.endpoints as u64);
    load.add(old.url(), half).await?;
    load.make_progress(records).await?;
    read(&old, &token).await?;
    let schema = newest_step(&migrate_url).await?;

    let pause = migrate_under_load(&options.present, &migrate_url, &load).await?;
    let migrated = newest_step(&migrate_url).await?;
    println!(
        "schema {schema} became {migrated} under load; check-ins paused for {:.2} s at most",
        pause.as_secs_f64()
    );
    let (status, words) = old.readiness().await?;
    if status == 200 {
        load.make_progress(records).await?;
        read(&old, &token).await?;
        println!("the earlier node serves on beside the schema of the present release");
    } else {
        ensure!(
            status == 503 && words.contains("update this program"),
            "the earlier node is not ready and does not say why: {status} {words}"
        );
        println!("the earlier node says that it must stop: {words}");
    }

    let new = present.start("two").await?;
    load.add(new.url(), half).await?;
    load.make_progress(records).await?;
    read(&new, &token).await?;
    if status == 200 {
        read(&old, &token).await?;
    }
    println!("an earlier and a present node have served side by side");

    old.stop().await?;
    old.replace_program(&options.present)?;
    old.start().await?;
    load.make_progress(records).await?;
    for node in [&old, &new] {
        read(node, &token).await?;
    }
    let ledger = load.finish().await?;
    let mut stored = Stored::connect(&cluster.role_url("sg_admin", DATABASE)).await?;
    let verdict = Verdict::reach(&ledger, &mut stored).await?;
    println!(
        "{} records acknowledged, {} of them missing, {} stored twice",
        verdict.records.acknowledged,
        verdict.records.missing.len(),
        verdict.records.duplicated.len()
    );
    let complaints = verdict.complaints();
    ensure!(complaints.is_empty(), "{}", complaints.join("; "));
    verify_audit(&present)
}

/// Brings the schema to where the programs want it, while endpoints report; the longest time without an acknowledgement.
async fn migrate_under_load(programs: &Path, url: &SecretString, load: &NodeLoad) -> Result<Duration> {
    let (programs, url) = (programs.to_owned(), url.clone());
    let migrating = tokio::task::spawn_blocking(move || migrate(&programs, &url));
    let (mut seen, mut since, mut longest) = (load.acknowledged(), Instant::now(), Duration::ZERO);
    while !migrating.is_finished() {
        tokio::time::sleep(Duration::from_millis(10)).await;
        let acknowledged = load.acknowledged();
        if acknowledged != seen {
            (seen, since) = (acknowledged, Instant::now());
        }
        longest = longest.max(since.elapsed());
    }
    migrating.await??;
    Ok(longest)
}

fn migrate(programs: &Path, url: &SecretString) -> Result<()> {
    let output = bound(&programs.join("secureguard"), "KILL")
        .arg("migrate")
        .env("DATABASE_MIGRATE_URL", url.expose_secret())
        .stdin(Stdio::null())
        .output()
        .with_context(|| format!("{} cannot be run", programs.display()))?;
    ensure!(
        output.status.success(),
        "migrating by {}: {}",
        programs.display(),
        String::from_utf8_lossy(&output.stderr)
    );
    Ok(())
}

async fn newest_step(url: &SecretString) -> Result<i64> {
    let mut conn = PgConnection::connect(url.expose_secret()).await?;
    Ok(
        sqlx::query_scalar("select max(version) from public._sqlx_migrations where success")
            .fetch_one(&mut conn)
            .await?,
    )
}

async fn sign_in(node: &Node, first: &First) -> Result<String> {
    let body = json!({"username": first.username, "password": first.password});
    let session = post(node, "/api/v1/sessions", "", &body).await?;
    let token = session["token"].as_str().context("no token")?;
    let change = json!({"current_password": first.password, "new_password": NEW_PASSWORD});
    let changed = post(node, "/api/v1/users/me/password", token, &change).await?;
    Ok(changed["token"].as_str().unwrap_or(token).to_owned())
}

async fn post(node: &Node, path: &str, token: &str, body: &Value) -> Result<Value> {
    let answer = node
        .client(0)?
        .post(path, token, body.to_string().as_bytes())
        .await?;
    let text = String::from_utf8_lossy(&answer.body);
    ensure!(
        (200..300).contains(&answer.status),
        "{path}: {} {text}",
        answer.status
    );
    Ok(serde_json::from_str(&text).unwrap_or_default())
}

async fn read(node: &Node, token: &str) -> Result<()> {
    let mut client = node.client(0)?;
    for path in READ {
        let answer = client.get(path, token).await?;
        ensure!(
            answer.status == 200,
            "{} {path}: {} {}",
            node.url(),
            answer.status,
            String::from_utf8_lossy(&answer.body)
        );
    }
    Ok(())
}

fn verify_audit(nodes: &Nodes) -> Result<()> {
    let output = nodes
        .command("one")?
        .args(["audit", "verify", "--data-dir"])
        .arg(nodes.folder.join("one"))
        .output()?;
    let text = String::from_utf8_lossy(&output.stdout);
    ensure!(
        output.status.success(),
        "{text}{}",
        String::from_utf8_lossy(&output.stderr)
    );
    println!("{}", text.trim().lines().last().unwrap_or_default());
    Ok(())
}

impl Options {
    fn parse() -> Result<Self> {
        let (mut earlier, mut present, mut endpoints) = (None, None, 20);
        let mut folder = std::env::temp_dir().join(format!("sg-rolling-{}", std::process::id()));
        let mut words = std::env::args().skip(1);
        while let Some(word) = words.next() {
            let value = words
                .next()
                .with_context(|| format!("{word} takes a value\n{USAGE}"))?;
            match word.as_str() {
                "--earlier" => earlier = Some(std::path::absolute(value)?),
                "--present" => present = Some(std::path::absolute(value)?),
                "--endpoints" => endpoints = value.parse().context("--endpoints takes a number")?,
                "--folder" => folder = std::path::absolute(value)?,
                _ => bail!("{word} is not known\n{USAGE}"),
            }
        }
        ensure!((2..=500).contains(&endpoints), "endpoints are from 2 to 500");
        Ok(Self {
            earlier: earlier.with_context(|| format!("--earlier is missing\n{USAGE}"))?,
            present: present.with_context(|| format!("--present is missing\n{USAGE}"))?,
            endpoints,
            folder,
        })
    }
}
