//! The product at work, and each fault done to it.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use rustix::process::Signal;
use secrecy::SecretString;
use sg_db::Stored;
use sg_load::{Fleet, FleetOptions, Ledger, Target};
use sg_testkit::fault::{ChildClock, Installation, Machine, MachinePlace, Place, Verdict};

use crate::disk::Disk;
use crate::files::Files;
use crate::proxy::Proxy;
use crate::report::Report;
use crate::say;
use crate::schedule::{Fault, Schedule, Step};

/// The variable that names libfaketime; without it no clock is moved.
const FAKETIME: &str = "SG_CHAOS_FAKETIME";
/// How long it may take after a fault until check-ins are acknowledged again.
const RECOVERY: Duration = Duration::from_secs(120);
/// How long the backlogs may take in the end.
const EMPTYING: Duration = Duration::from_secs(120);
/// Records that have to be acknowledged between two faults.
const PROGRESS: u64 = 60;
/// How much later than its file changes a clock moves.
const CLOCK_LAG: Duration = Duration::from_secs(2);
/// Records that the agent's last check-in surely takes.
const FEW: u64 = 500;
/// Between two lines of progress.
const TELL_EVERY: Duration = Duration::from_secs(15);

/// Everything that runs.
pub(crate) struct Work {
    folder: PathBuf,
    // In the order in which they have to end.
    machine: Machine,
    fleet: Option<Fleet>,
    files: Option<Files>,
    proxy: Proxy,
    installation: Installation,
    is_server_up: bool,
    is_agent_up: bool,
    disks: std::result::Result<(Disk, Disk), String>,
    server_clock: Option<ChildClock>,
    agent_clock: Option<ChildClock>,
    done: BTreeMap<Fault, u32>,
    skipped: BTreeMap<Fault, String>,
}

impl Work {
    /// Starts the server, the proxy, the agent and the endpoints. Without disks that can be filled: why there are none.
    pub(crate) async fn start(
        folder: &Path,
        endpoints: usize,
        without_disks: Option<String>,
    ) -> Result<Self> {
        let (server_dir, agent_dir) = (folder.join("server-disk"), folder.join("agent-disk"));
        let server_clock = find_clock(folder.join("server.clock"))?;
        let agent_clock = find_clock(folder.join("agent.clock"))?;
        let environment = |clock: &Option<ChildClock>| -> Vec<(OsString, OsString)> {
            let variables = clock.iter().flat_map(ChildClock::environment);
            variables.map(|(name, value)| (name.into(), value)).collect()
        };
        let mut server_environment = environment(&server_clock);
        let limits = [
            ("SECUREGUARD_RATE_LIMITS__REQUESTS", "false"),
            ("SECUREGUARD_RATE_LIMITS__ENROL_PER_ADDRESS_BURST", "100000"),
        ];
        server_environment.extend(limits.map(|(name, value)| (name.into(), value.into())));
        let mut installation = Installation::at(Place {
            folder: folder.to_owned(),
            data_dir: server_dir.join("data"),
            environment: server_environment,
        });
        installation.start_server().await?;
        say(&format!("the server serves at {}", installation.url()));
        let port = installation
            .url()
            .rsplit(':')
            .next()
            .and_then(|port| port.parse().ok());
        let proxy = Proxy::start(port.context("the server's address has no port")?).await?;
        let url = format!("http://127.0.0.1:{}", proxy.port);
        let place = MachinePlace {
            folder: folder.join("agent"),
            state_dir: agent_dir.join("state"),
            environment: environment(&agent_clock),
        };
        let mut machine = Machine::enrol_at(place, &url, installation.enrolment_key())?;
        machine.start()?;
        let ledger = Arc::new(Ledger::create(&folder.join("ledger"))?);
        let options = FleetOptions {
            size: endpoints,
            first: 0,
            pace: Duration::from_millis(150),
            lose_reply_every: 11,
            forgetful_one_in: 4,
            longest_pause: Duration::from_millis(500),
        };
        let key = installation.enrolment_key();
        let fleet = Fleet::start(&Target::new(&url, None)?, key, options, ledger).await?;
        let files = Files::start(machine.watched());
        Ok(Self {
            folder: folder.to_owned(),
            machine,
            fleet: Some(fleet),
            files: Some(files),
            proxy,
            installation,
            is_server_up: true,
            is_agent_up: true,
            disks: match without_disks {
                None => Ok((Disk::at(server_dir), Disk::at(agent_dir))),
                Some(why) => Err(why),
            },
            server_clock,
            agent_clock,
            done: BTreeMap::new(),
            skipped: BTreeMap::new(),
        })
    }

    /// Does one fault after the other until the time is over, then compares.
    pub(crate) async fn run(&mut self, seed: u64, length: Duration) -> Result<Report> {
        self.progress(PROGRESS).await.context("before the first fault")?;
        let end = Instant::now() + length;
        let mut told = Instant::now();
        for (number, step) in Schedule::new(seed).enumerate() {
            if Instant::now() + step.pause >= end {
                break;
            }
            tokio::time::sleep(step.pause).await;
            let what = format!("fault {}: {step}", number + 1);
            if let Some(why) = self.find_obstacle(step.fault) {
                say(&format!("{what}: skipped, {why}"));
                self.skipped.insert(step.fault, why);
                continue;
            }
            say(&what);
            self.apply(&step).await.context(what)?;
            if told.elapsed() > TELL_EVERY {
                told = Instant::now();
                self.tell(end);
            }
        }
        self.finish(seed).await
    }

    /// Copies the database out of the file system that goes with this process, for whoever looks for the reason.
    pub(crate) fn keep(mut self, folder: &Path) {
        self.fleet = None;
        let (machine, installation) = (self.machine, self.installation);
        drop((machine, installation));
        for name in ["server-disk", "agent-disk"] {
            let kept = folder.join(format!("{name}-kept"));
            let _ = Command::new("cp")
                .arg("-a")
                .arg(folder.join(name))
                .arg(kept)
                .status();
        }
        say(&format!("ledger, logs and data are left in {}", folder.display()));
    }

    fn find_obstacle(&self, fault: Fault) -> Option<String> {
        let clock_is_there = match fault {
            Fault::FillServerDisk | Fault::FillAgentDisk => {
                return self.disks.as_ref().err().cloned();
            }
            Fault::MoveServerClock => self.server_clock.is_some(),
            Fault::MoveAgentClock => self.agent_clock.is_some(),
            _ => true,
        };
        (!clock_is_there).then(|| "libfaketime is not there (Debian's package libfaketime)".to_owned())
    }

    async fn apply(&mut self, step: &Step) -> Result<()> {
        self.begin(step.fault, step).await?;
        if let Some(kill) = step.meanwhile {
            tokio::time::sleep(step.hold / 2).await;
            self.begin(kill, step).await?;
            tokio::time::sleep(step.hold / 2).await;
        } else {
            tokio::time::sleep(step.hold).await;
        }
        self.end(step.fault)?;
        *self.done.entry(step.fault).or_default() += 1;
        self.revive().await?;
        self.progress(PROGRESS).await
    }

    async fn begin(&mut self, fault: Fault, step: &Step) -> Result<()> {
        match fault {
            Fault::KillServer => {
                self.installation.check_server()?;
                self.is_server_up = false;
                self.installation.kill_server()?;
            }
            // A full disk may have ended it already.
            Fault::KillPostgres if self.installation.postmaster().is_none() => {
                say("    PostgreSQL is down already");
            }
            Fault::KillPostgres => self.installation.kill_postmaster()?,
            Fault::KillBackend => self.installation.kill_ingest_backend().await?,
            Fault::KillAgent => {
                self.is_agent_up = false;
                self.machine.kill()?;
            }
            Fault::HaltServer => self.installation.signal_server(Signal::STOP)?,
            Fault::HaltPostgres => self.installation.signal_cluster(Signal::STOP)?,
            Fault::HaltAgent => self.machine.halt()?,
            Fault::FillServerDisk | Fault::FillAgentDisk => {
                let Ok((server, agent)) = &self.disks else {
                    return Ok(());
                };
                let disk = if fault == Fault::FillServerDisk {
                    server
                } else {
                    agent
                };
                let taken = disk.fill()?;
                say(&format!("    {} MB taken, none left", taken >> 20));
            }
            Fault::CutConnections => self.proxy.cut_after(step.cut_after),
            Fault::MoveServerClock => move_clock(&self.server_clock, step.clock_seconds).await?,
            Fault::MoveAgentClock => move_clock(&self.agent_clock, step.clock_seconds).await?,
        }
        Ok(())
    }

    /// Takes back what lasts.
    fn end(&self, fault: Fault) -> Result<()> {
        match fault {
            Fault::HaltServer => self.installation.signal_server(Signal::CONT)?,
            Fault::HaltPostgres => self.installation.signal_cluster(Signal::CONT)?,
            Fault::HaltAgent => self.machine.go_on()?,
            Fault::FillServerDisk | Fault::FillAgentDisk => {
                if let Ok((server, agent)) = &self.disks {
                    let disk = if fault == Fault::FillServerDisk {
                        server
                    } else {
                        agent
                    };
                    disk.free()?;
                }
            }
            Fault::CutConnections => self.proxy.heal(),
            Fault::MoveServerClock | Fault::MoveAgentClock => {
                for clock in [&self.server_clock, &self.agent_clock].into_iter().flatten() {
                    clock.move_by(0)?;
                }
            }
            Fault::KillServer | Fault::KillPostgres | Fault::KillBackend | Fault::KillAgent => {}
        }
        Ok(())
    }

    /// Starts again what was killed; nothing else may have ended.
    async fn revive(&mut self) -> Result<()> {
        if !self.is_server_up {
            self.installation.start_server().await?;
            self.is_server_up = true;
        }
        self.installation.check_server()?;
        if !self.is_agent_up {
            self.machine.start()?;
            self.is_agent_up = true;
        }
        self.machine.check()
    }

    async fn progress(&mut self, records: u64) -> Result<()> {
        let fleet = self.fleet.as_mut().context("the endpoints are at work")?;
        let progress = fleet.make_progress(records, RECOVERY).await;
        self.installation.check_server()?;
        progress
    }

    fn tell(&self, end: Instant) {
        let Some(fleet) = &self.fleet else { return };
        let counts = fleet.counts();
        say(&format!(
            "{} records acknowledged, {} check-ins without an answer, {} put off, {} faults; {} s to go",
            counts.acknowledged.load(Relaxed),
            counts.unanswered.load(Relaxed),
            counts.busy.load(Relaxed),
            self.done.values().sum::<u32>(),
            end.saturating_duration_since(Instant::now()).as_secs()
        ));
    }

    async fn finish(&mut self, seed: u64) -> Result<Report> {
        say("the time is over: the backlogs are emptied");
        let files = self.files.take().context("files are written")?.stop().await?;
        let fleet = self.fleet.take().context("the endpoints are at work")?;
        let counts = fleet.finish(EMPTYING).await?;
        self.empty_agent().await?;
        say("comparing the ledger with the database");
        drop(self.installation.connect().await?);
        let url = SecretString::from(self.installation.database_url());
        let mut stored = Stored::connect(&url).await?;
        let verdict = Verdict::reach(&self.folder.join("ledger"), &mut stored).await?;
        let agent = self.machine.agent_id;
        let (told, gaps) = (stored.files(agent).await?, stored.gaps(agent).await?);
        stored.close().await?;
        self.installation.stop_server().await?;
        ensure!(
            verdict.records.acknowledged as u64 == counts.acknowledged.load(Relaxed),
            "the ledger has other records than were counted"
        );
        Ok(Report {
            seed,
            done: std::mem::take(&mut self.done),
            skipped: std::mem::take(&mut self.skipped),
            counts,
            cuts: self.proxy.cuts(),
            verdict,
            files,
            told,
            gaps,
        })
    }

    /// Lets the agent send what it has, and ends it in order. While it runs something always waits: it samples every second, and sees every program that
    /// starts, those of this run too.
    async fn empty_agent(&mut self) -> Result<()> {
        let end = Instant::now() + EMPTYING;
        loop {
            let waiting = self.backlog()?;
            if waiting <= FEW {
                self.machine.stop().await?;
                if self.backlog()? == 0 {
                    return Ok(());
                }
                self.machine.start()?;
            }
            ensure!(
                Instant::now() < end,
                "{waiting} records still wait at the agent\n{}",
                self.machine.log()
            );
            tokio::time::sleep(Duration::from_secs(2)).await;
        }
    }

    fn backlog(&self) -> Result<u64> {
        let status = self.machine.status()?;
        status["agent"]["backlog_records"]
            .as_u64()
            .context("the agent does not say what waits")
    }
}

/// A clock that can be moved, where `cargo xtask chaos` has found libfaketime.
fn find_clock(file: PathBuf) -> Result<Option<ChildClock>> {
    let library = std::env::var_os(FAKETIME).map(PathBuf::from);
    let library = library.filter(|library| library.is_file());
    Ok(library
        .map(|library| ChildClock::new(&library, file))
        .transpose()?)
}

async fn move_clock(clock: &Option<ChildClock>, seconds: i64) -> Result<()> {
    if let Some(clock) = clock {
        clock.move_by(seconds)?;
        tokio::time::sleep(CLOCK_LAG).await;
    }
    Ok(())
}
