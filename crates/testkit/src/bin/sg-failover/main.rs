//! `sg-failover`: two nodes of `serve` before three members of PostgreSQL under Patroni, as `packaging/patroni` has them, with simulated endpoints at work. The primary
//! is killed, and another time halted as by a machine that hangs; told are the seconds until check-ins are acknowledged again, and how many acknowledged records are
//! missing afterwards. Synchronous, none may be.
#![expect(clippy::print_stdout, reason = "a command-line program talks to its user")]

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use rustix::process::Signal;
use secrecy::SecretString;
use sg_db::{RoleVerifiers, Stored};
use sg_testkit::fault::{NodeLoad, Nodes, PatroniCluster, PatroniTools, Verdict, wait_for};

const USAGE: &str = "usage: sg-failover [--endpoints N] [--mode sync|async|both] [--folder DIR]";
/// The promise: writes go on within so many seconds.
const PROMISED: f64 = 30.0;
/// How long a takeover is waited for at all.
const PATIENCE: Duration = Duration::from_secs(90);
/// What was under way when the primary went may still be acknowledged for so long.
const UNDER_WAY: Duration = Duration::from_millis(300);

struct Options {
    endpoints: usize,
    modes: Vec<bool>,
    folder: PathBuf,
}

/// What is done to the primary.
#[derive(Debug, Clone, Copy)]
enum Fault {
    Killed,
    Halted,
}

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() -> ExitCode {
    match run().await {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            println!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn run() -> Result<bool> {
    let options = Options::parse()?;
    let mut holds = true;
    for is_synchronous in &options.modes {
        let name = if *is_synchronous {
            "synchronous"
        } else {
            "asynchronous"
        };
        let folder = options.folder.join(name);
        std::fs::create_dir_all(&folder)?;
        println!("{name}: making three members in {}", folder.display());
        holds &= run_mode(&folder, *is_synchronous, options.endpoints)
            .await
            .with_context(|| format!("{name}; logs are in {}", folder.display()))?;
    }
    println!(
        "{}",
        if holds {
            "failover passed"
        } else {
            "failover FAILED"
        }
    );
    Ok(holds)
}

async fn run_mode(folder: &Path, is_synchronous: bool, endpoints: usize) -> Result<bool> {
    let mode = if is_synchronous {
        "synchronous"
    } else {
        "asynchronous"
    };
    let mut cluster = PatroniCluster::start(&folder.join("members"), tools()?, is_synchronous).await?;
    let verifiers = RoleVerifiers(vec![("sg_admin", PatroniCluster::verifier().into())]);
    sg_db::migrate(&cluster.url("postgres"), &verifiers).await?;
    let nodes = Nodes {
        folder: folder.join("nodes"),
        app_url: cluster.url("sg_app"),
        system_url: cluster.url("sg_system"),
        programs: None,
        environment: vec![(
            "SECUREGUARD_DATABASE__WAITS_FOR_STANDBY".into(),
            is_synchronous.to_string().into(),
        )],
    };
    let key = nodes.create_first()?.enrolment_key;
    let pair = [nodes.start("one").await?, nodes.start("two").await?];
    let ledger = folder.join("ledger");
    let mut load = NodeLoad::new(&key, &ledger)?;
    for node in &pair {
        load.add(node.url(), endpoints / 2).await?;
    }
    let mut holds = true;
    for fault in [Fault::Killed, Fault::Halted] {
        load.make_progress(10 * endpoints as u64).await?;
        let seconds = fail_over(&mut cluster, &load, fault).await?;
        println!(
            "{mode}, the primary was {}: check-ins went on after {seconds:.1} s",
            fault.word()
        );
        holds &= seconds <= PROMISED;
    }
    load.make_progress(10 * endpoints as u64).await?;
    let acknowledged = load.finish().await;
    let mut stored = connect(&cluster.url("sg_admin")).await?;
    let verdict = Verdict::reach(&ledger, &mut stored).await?;
    println!(
        "{mode}: {} records acknowledged, {} of them missing, {} stored twice",
        verdict.records.acknowledged,
        verdict.records.missing.len(),
        verdict.records.duplicated.len()
    );
    if is_synchronous {
        acknowledged?;
        for complaint in verdict.complaints() {
            println!("{mode}: {complaint}");
            holds = false;
        }
    }
    Ok(holds)
}

/// Takes the primary away, waits for another one, and brings the member back; the seconds without an acknowledgement.
async fn fail_over(cluster: &mut PatroniCluster, load: &NodeLoad, fault: Fault) -> Result<f64> {
    let primary = cluster.primary().await.context("there is no primary")?;
    let began = Instant::now();
    match fault {
        Fault::Killed => cluster.kill_member(primary)?,
        Fault::Halted => cluster.signal_member(primary, Signal::STOP)?,
    }
    tokio::time::sleep(UNDER_WAY).await;
    let before = load.acknowledged();
    while load.acknowledged() == before {
        ensure!(
            began.elapsed() < PATIENCE,
            "no check-in is acknowledged after {} s",
            PATIENCE.as_secs()
        );
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let seconds = began.elapsed().as_secs_f64();
    match fault {
        Fault::Killed => cluster.start_member(primary)?,
        Fault::Halted => cluster.signal_member(primary, Signal::CONT)?,
    }
    cluster.wait_until_follows(primary).await?;
    let new = cluster.primary().await;
    ensure!(new.is_some_and(|new| new != primary), "{new:?} is the primary");
    cluster.wait_until_guarded().await?;
    Ok(seconds)
}

impl Fault {
    const fn word(self) -> &'static str {
        match self {
            Self::Killed => "killed",
            Self::Halted => "halted",
        }
    }
}

async fn connect(url: &SecretString) -> Result<Stored> {
    wait_for("the database answers", PATIENCE, async || {
        Stored::connect(url).await.ok()
    })
    .await
}

#[expect(clippy::disallowed_methods, reason = "what `cargo xtask failover` hands over")]
fn tools() -> Result<PatroniTools> {
    let named = |name: &str| std::env::var_os(name).map(PathBuf::from);
    let root =
        named("SG_FAILOVER_ROOT").context("SG_FAILOVER_ROOT is not set; use `cargo xtask failover`")?;
    Ok(PatroniTools {
        root,
        libraries: std::env::var("SG_FAILOVER_LIBRARIES").unwrap_or_default(),
        pg_bin: sg_postgres::find(named("PG_BIN").as_deref())?.bin_dir,
    })
}

impl Options {
    fn parse() -> Result<Self> {
        let mut options = Self {
            endpoints: 20,
            modes: vec![true, false],
            folder: std::env::temp_dir().join(format!("sg-failover-{}", std::process::id())),
        };
        let mut words = std::env::args().skip(1);
        while let Some(word) = words.next() {
            let value = words
                .next()
                .with_context(|| format!("{word} takes a value\n{USAGE}"))?;
            match word.as_str() {
                "--endpoints" => options.endpoints = value.parse().context("--endpoints takes a number")?,
                "--folder" => options.folder = std::path::absolute(value)?,
                "--mode" => {
                    options.modes = match value.as_str() {
                        "sync" => vec![true],
                        "async" => vec![false],
                        "both" => vec![true, false],
                        other => bail!("there is no mode {other}\n{USAGE}"),
                    }
                }
                _ => bail!("{word} is not known\n{USAGE}"),
            }
        }
        ensure!(
            (2..=500).contains(&options.endpoints),
            "endpoints are from 2 to 500"
        );
        Ok(options)
    }
}
