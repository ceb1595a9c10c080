//! `secureguard bench`: what this machine carries. A server of this program works on a scratch database in a folder of its own, and simulated endpoints
//! load it; nothing else is touched.

mod commands;
mod people;
mod prepared;
mod report;
mod scratch;

use std::collections::HashSet;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};
use sg_db::Stored;
use sg_load::{
    Agent, Comparison, Kind, Load, Mix, NewRecord, Target, Way, compare, drain, drive, enrol,
    peak_resident_bytes, processor_seconds, processor_seconds_below, quantile,
};
use sg_types::AgentId;
use uuid::Uuid;

pub use prepared::insert_agents;
pub use report::{CheckIns, Commands, Disk, Page, People, Processor, Records, Report, Storm};
use scratch::Scratch;

use crate::serve::stop_signal;

/// How often it is told how far a phase is.
const SLICE: Duration = Duration::from_secs(5);
/// How many slices a long run has.
const SLICES: u32 = 20;
/// The first check-in of an endpoint says that it is online and writes more than the others; so long they are not measured.
const WARM_UP: Duration = Duration::from_secs(3);
/// How long the backlogs of a storm, and what is left at the end, may take: this, and a second for so many records.
const EMPTYING: Duration = Duration::from_secs(300);
const EMPTIED_PER_SECOND: usize = 5_000;
/// The outage before the storm.
const OUTAGE_SECONDS: u32 = 3_600;
/// Endpoints that enrol; those beyond are put into the database as enrolment leaves them.
const ENROLLED: usize = 20_000;
/// Endpoints that enrol at once, as in a roll-out.
const ENROLLING: usize = 64;
/// Seconds of a day.
const DAY: f64 = 86_400.0;

/// What is measured.
#[derive(Debug, Clone)]
pub struct BenchOptions {
    /// The folder for everything; it does not exist, or is empty.
    pub folder: PathBuf,
    /// Endpoints.
    pub endpoints: usize,
    /// Seconds of check-ins.
    pub seconds: u64,
    /// Connections at the same time.
    pub connections: usize,
    /// Check-ins in a second; none: as fast as they are answered.
    pub rate: Option<u32>,
    /// People who use the console while endpoints check in.
    pub people: usize,
    /// Seconds between two check-ins of an endpoint, for what follows from the figures.
    pub heartbeat_seconds: u32,
    /// TLS, and a new connection for each check-in, as agents come that check in every few minutes.
    pub tls: bool,
    /// Endpoints that are commanded.
    pub commands: usize,
    /// Endpoints that wait for commands, those that are commanded included.
    pub waiting: usize,
    /// Folder of PostgreSQL's programs; none: it is searched for.
    pub pg_bin: Option<PathBuf>,
}

/// Measures; `tell` is told how far it is. SIGINT and SIGTERM end it, and the scratch server with it.
///
/// # Errors
/// In words: the folder holds something, the server does not start, a signal came.
pub async fn bench(options: &BenchOptions, tell: fn(&str)) -> anyhow::Result<Report> {
    let scratch = Scratch::start(options, tell).await?;
    let bench = Bench {
        options,
        tell,
        scratch: &scratch,
    };
    let measured = tokio::select! {
        measured = bench.measure() => measured,
        signal = stop_signal() => signal.and_then(|name| bail!("stopped by {name} before its end")),
    };
    let stopped = scratch.stop();
    let report = measured?;
    stopped?;
    Ok(report)
}

struct Bench<'a> {
    options: &'a BenchOptions,
    tell: fn(&str),
    scratch: &'a Scratch,
}

/// Figures that only grow, at one moment.
struct Standing {
    server: f64,
    postgres: f64,
    load: f64,
    log_bytes: i64,
    database_bytes: i64,
}

impl Bench<'_> {
    async fn measure(&self) -> anyhow::Result<Report> {
        let (options, tell) = (self.options, self.tell);
        let mut stored = Stored::connect(&self.scratch.superuser_url()?).await?;
        ensure!(
            stored.endpoints().await? == 0,
            "the database holds endpoints already; a measurement takes an empty one"
        );
        let target = Target::new(&self.scratch.url, self.scratch.ca_file.as_deref())?;
        let began = Instant::now();
        let mut agents = self.enrol(&target).await?;
        let enrolled_per_second = ratio(agents.len(), began.elapsed().as_secs_f64());
        let by_database = agents.len()..options.endpoints;
        if !by_database.is_empty() {
            let tell = |count| tell(&format!("put {count} of {} endpoints there", options.endpoints));
            agents.extend(insert_agents(&mut stored, by_database, tell).await?);
        }
        let way = self.way(&target);
        let session = people::sign_in(&target, self.scratch).await?;
        let mut all = drive(&way, &mut agents, WARM_UP).await?;
        let before = self.stand(&mut stored).await?;
        let at_work = people::begin(&target, &agents, &session, options.people);
        let load = self.check_in(&way, &mut agents).await?;
        let people = at_work.end().await?;
        let after = self.stand(&mut stored).await?;
        let check_ins = CheckIns::of(&load);
        let count = load.times.len();
        all.add(load);
        let commands = commands::measure(self, &target, &agents, &session).await?;
        let storm = self.storm(&way, &mut agents, &mut all).await?;
        let patience = patience_for(&agents);
        all.add(drain(&way, &mut agents, patience).await?);
        tell("comparing what was acknowledged with what is stored");
        let comparison = compare_all(&all, &agents, &mut stored).await?;
        stored.close().await?;
        let per_day = DAY / f64::from(options.heartbeat_seconds);
        Ok(Report {
            endpoints: options.endpoints,
            heartbeat_seconds: options.heartbeat_seconds,
            rate: options.rate,
            processors: std::thread::available_parallelism().map_or(1, usize::from),
            tls: options.tls,
            enrolled_per_second,
            capacity_endpoints: check_ins.per_second * f64::from(options.heartbeat_seconds),
            check_ins,
            people,
            commands,
            storm,
            records: Records {
                acknowledged: comparison.acknowledged,
                stored: comparison.stored,
                lost: comparison.missing.len(),
                duplicated: comparison.duplicated.len(),
                waiting: agents.iter().map(Agent::backlog).sum(),
            },
            processor: Processor::between(&before, &after, count),
            server_peak_bytes: peak_resident_bytes(self.scratch.server_pid()).unwrap_or(0),
            disk: Disk::between(&before, &after, count, per_day),
            complaints: all.complaints,
        })
    }

    async fn enrol(&self, target: &Target) -> anyhow::Result<Vec<Agent>> {
        let count = self.options.endpoints.min(ENROLLED);
        let key = &self.scratch.enrolment_key;
        let tell = |enrolled| (self.tell)(&format!("enrolled {enrolled} of {count} endpoints"));
        enrol(target, key, 0..count, ENROLLING, tell).await
    }

    fn way(&self, target: &Target) -> Way {
        Way {
            target: target.clone(),
            kept: !self.options.tls,
            connections: self.options.connections,
            mix: Mix {
                samples: 1,
                event_every: 10,
                match_every: 100,
            },
            pace: None,
        }
    }

    async fn check_in(&self, way: &Way, agents: &mut Vec<Agent>) -> anyhow::Result<Load> {
        let length = Duration::from_secs(self.options.seconds);
        let pace = self.options.rate.map(|rate| pace(way.connections, rate));
        let way = &Way { pace, ..way.clone() };
        // Each slice begins with connections of its own, of which a long run is to have few.
        let slice = SLICE.max(length / SLICES);
        let began = Instant::now();
        let mut load = Load::default();
        while began.elapsed() < length {
            let slice = slice
                .min(length - began.elapsed())
                .max(Duration::from_millis(500));
            let part = drive(way, agents, slice).await?;
            (self.tell)(&format!(
                "check-ins: {:.0} of {} s: {:.0}/s, p99 {:.1} ms",
                began.elapsed().as_secs_f64(),
                length.as_secs(),
                part.per_second,
                quantile(part.times.clone(), 0.99)
            ));
            load.add(part);
        }
        load.per_second = ratio(load.times.len(), began.elapsed().as_secs_f64());
        Ok(load)
    }

    /// Everybody comes back at once after an hour's outage, with a sample for each check-in that was missed.
    async fn storm(&self, way: &Way, agents: &mut Vec<Agent>, all: &mut Load) -> anyhow::Result<Storm> {
        let heartbeat = self.options.heartbeat_seconds;
        let missed = (OUTAGE_SECONDS / heartbeat).max(1);
        for agent in agents.iter_mut() {
            for back in (0..missed).rev() {
                let ago = Duration::from_secs((back * heartbeat).into());
                agent.observe(NewRecord::sample(ago, false));
            }
        }
        let records: usize = agents.iter().map(Agent::backlog).sum();
        (self.tell)(&format!(
            "reconnect storm: {records} records of {} endpoints",
            agents.len()
        ));
        let began = Instant::now();
        let patience = patience_for(agents);
        let load = drain(way, agents, patience).await?;
        let seconds = began.elapsed().as_secs_f64();
        let storm = Storm {
            records,
            seconds,
            records_per_second: ratio(load.acknowledged.len(), seconds),
            put_off: load.busy,
            waiting: agents.iter().map(Agent::backlog).sum(),
        };
        all.add(load);
        Ok(storm)
    }

    async fn stand(&self, stored: &mut Stored) -> anyhow::Result<Standing> {
        Ok(Standing {
            server: processor_seconds(self.scratch.server_pid()),
            postgres: self.scratch.postmaster().map_or(0.0, processor_seconds_below),
            load: processor_seconds(std::process::id()),
            log_bytes: stored.log_bytes().await?,
            database_bytes: stored.database_bytes().await?,
        })
    }
}

/// How long it may take until nothing waits any more.
fn patience_for(agents: &[Agent]) -> Duration {
    let records: usize = agents.iter().map(Agent::backlog).sum();
    EMPTYING + Duration::from_secs((records / EMPTIED_PER_SECOND) as u64)
}

/// From one check-in of a connection to its next, so that all together come to the rate.
fn pace(connections: usize, rate: u32) -> Duration {
    let connections = u32::try_from(connections).unwrap_or(u32::MAX);
    Duration::from_secs(1) * connections / rate.max(1)
}

/// Compares the records of the simulated endpoints; what the server notes of its own sign-ins is none of them.
async fn compare_all(all: &Load, agents: &[Agent], stored: &mut Stored) -> anyhow::Result<Comparison> {
    let own: HashSet<AgentId> = agents.iter().map(|agent| agent.id).collect();
    let told = |wanted: Kind| -> Vec<Uuid> {
        let records = all.acknowledged.iter().filter(|(kind, _)| *kind == wanted);
        records.map(|(_, id)| *id).collect()
    };
    let ids = |rows: Vec<(AgentId, Uuid)>| -> Vec<Uuid> {
        let rows = rows.into_iter().filter(|(agent, _)| own.contains(agent));
        rows.map(|(_, id)| id).collect()
    };
    let compared = |kind: Kind, rows| compare(&told(kind), &ids(rows));
    Ok(compared(Kind::Sample, stored.samples().await?)
        .and(compared(Kind::Event, stored.events().await.context("events")?))
        .and(compared(Kind::Match, stored.matches().await.context("matches")?)))
}

#[expect(clippy::cast_precision_loss, reason = "counts far below 2^52")]
fn ratio(count: usize, by: f64) -> f64 {
    count as f64 / by.max(f64::EPSILON)
}
