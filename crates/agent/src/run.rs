//! `run`: puts the parts together, and takes them apart in order.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::mpsc::sync_channel;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use sg_types::{Clock, Ids, SystemClock, TimeOrderedIds};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::{Notify, mpsc, watch};

use crate::collect::UserNames;
use crate::collect::files::FileSource;
use crate::collect::metrics::run_metrics;
use crate::collect::process::ProcessSource;
use crate::detect::{Engine, FileScanner, ProcessEvaluator, RulesInForce, SEEN_FILE};
use crate::health::{Health, STATUS_FILE, Snapshot};
use crate::identity::{CA_FILE, Identity, PinnedTrust, StateDir};
use crate::platform::{StopReceiver, StopSender, stop_pipe};
use crate::presence::Presence;
use crate::respond::{End, Responder, Tools, restore_isolation};
use crate::spool::{Spool, SpoolWriter, WriterHandle};
use crate::uplink::{RULES_FILE, RulesKeeper, ServerClient, Stream, Uplink};

/// The folder below the state folder that holds the spool.
pub(crate) const SPOOL_DIR: &str = "spool";
/// Program starts that may wait for their evaluation.
const WAITING_STARTS: usize = 4_096;
/// File changes that may wait for their scan.
const WAITING_CHANGES: usize = 1_024;
/// How long the parts may take to end.
const END_PATIENCE: Duration = Duration::from_secs(2);
/// How long the last check-in may take.
const GOODBYE_PATIENCE: Duration = Duration::from_secs(2);
/// How often `status` gets news.
const STATUS_EVERY: Duration = Duration::from_secs(2);

/// How the agent runs.
#[derive(Debug, Clone)]
pub struct RunConfig {
    /// The state folder.
    pub state_dir: PathBuf,
    /// The folders whose files are watched.
    pub watch: Vec<PathBuf>,
    /// Time between two samples of the machine's health.
    pub metrics_interval: Duration,
    /// Bytes of the spool at most.
    pub spool_max_bytes: u64,
    /// Bytes up to which a watched file's content is read.
    pub max_file_bytes: u64,
    /// Time that the server may take for an answer.
    pub request_timeout: Duration,
    /// Whether remote commands are taken.
    pub take_commands: bool,
}

/// Runs the agent until SIGTERM or SIGINT, or until a remote command asks for its restart.
///
/// # Errors
/// When the machine is not enrolled, another agent uses the state folder, or a part of the agent broke.
pub async fn run(config: RunConfig) -> Result<End> {
    let dir = StateDir::open(&config.state_dir)
        .context("this machine is not enrolled (see `secureguard-agent enrol --help`)")?;
    let Some(identity) = Identity::load(&dir)? else {
        bail!(
            "this machine is not enrolled: use `secureguard-agent enrol --server URL --key-file FILE --state-dir {}`",
            dir.path().display()
        );
    };
    let _lock = dir.lock()?;
    // Before anything that takes time: what was cut off stays so.
    restore_isolation(&dir);
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let shared = Shared::new();
    let (mut parts, mut uplink, responder) = start(&config, &dir, identity, &shared)?;
    tracing::info!(version = env!("CARGO_PKG_VERSION"), agent.id = %uplink.identity.agent_id, "the agent runs");

    let (stop, mut stopped) = watch::channel(false);
    let outcome = {
        let mut responder_stopped = stopped.clone();
        let checking_in = uplink.run(&mut stopped);
        let responding = respond(responder.as_ref(), &mut responder_stopped);
        let reporting = report_status(&dir, &shared.health);
        tokio::pin!(checking_in, responding, reporting);
        let mut responds = true;
        let mut end = End::Stopped;
        loop {
            tokio::select! {
                result = &mut checking_in => break result.map(|()| end),
                result = &mut responding, if responds => match result {
                    Ok(ended) => {
                        responds = false;
                        if ended == End::Restart {
                            end = ended;
                            let _ = stop.send(true);
                        }
                    }
                    Err(error) => break Err(error),
                },
                () = &mut reporting => {}
                _ = terminate.recv() => { let _ = stop.send(true); }
                _ = interrupt.recv() => { let _ = stop.send(true); }
                Some(name) = parts.broken.recv() => break Err(anyhow::anyhow!("the part `{name}` of the agent has broken")),
            }
        }
    };
    tracing::info!("the agent stops");
    let watched_until = shared.clock.now();
    parts.end();
    if outcome.is_ok() {
        uplink.say_goodbye(GOODBYE_PATIENCE).await;
        if let Err(error) = uplink.presence.end(watched_until) {
            tracing::warn!(error = %error, "cannot note that the agent ends in order");
        }
    }
    store_status(&dir, &shared.health.snapshot());
    outcome
}

/// Takes commands, where that is wanted.
async fn respond(responder: Option<&Responder>, stop: &mut watch::Receiver<bool>) -> Result<End> {
    match responder {
        Some(responder) => responder.run(stop).await,
        None => Ok(End::Stopped),
    }
}

/// A client for the server that this agent is enrolled at.
pub(crate) fn new_client(dir: &StateDir, identity: &Identity, timeout: Duration) -> Result<ServerClient> {
    let ca = match identity.own_ca {
        true => Some(
            fs::read(dir.file(CA_FILE))
                .context("the copied CA file is missing: enrol again with --ca FILE")?,
        ),
        false => None,
    };
    ServerClient::new(&identity.server, ca.as_deref(), timeout)
}

/// What all parts share.
struct Shared {
    health: Arc<Health>,
    rules: Arc<RulesInForce>,
    clock: Arc<dyn Clock>,
    ids: Arc<dyn Ids>,
    users: Arc<UserNames>,
}

impl Shared {
    fn new() -> Self {
        Self {
            health: Arc::new(Health::new(SystemClock.now())),
            rules: Arc::new(RulesInForce::new(Engine::empty())),
            clock: Arc::new(SystemClock),
            ids: Arc::new(TimeOrderedIds),
            users: Arc::new(UserNames::default()),
        }
    }
}

/// The running threads.
struct Parts {
    stop: Option<StopSender>,
    collectors: Vec<JoinHandle<()>>,
    writer: WriterHandle,
    writer_thread: JoinHandle<()>,
    broken: mpsc::UnboundedReceiver<&'static str>,
}

impl Parts {
    /// Ends the collectors, then what they feed, then the spool's writer, so that everything noticed is on disk.
    fn end(&mut self) {
        self.stop = None;
        let begin = Instant::now();
        wait_for(&self.collectors, begin + END_PATIENCE);
        self.writer.stop();
        wait_for(
            std::slice::from_ref(&self.writer_thread),
            begin + 2 * END_PATIENCE,
        );
    }
}

fn wait_for(threads: &[JoinHandle<()>], until: Instant) {
    while threads.iter().any(|thread| !thread.is_finished()) && Instant::now() < until {
        thread::sleep(Duration::from_millis(5));
    }
}

fn start(
    config: &RunConfig,
    dir: &StateDir,
    identity: Identity,
    shared: &Shared,
) -> Result<(Parts, Uplink, Option<Responder>)> {
    let client = new_client(dir, &identity, config.request_timeout)?;
    let (stream, spool) = open_stream(config, dir, &identity, shared)?;
    let presence = begin_presence(dir, &identity, shared)?;
    let keeper = RulesKeeper::start(
        dir.clone(),
        &identity.trust,
        shared.rules.clone(),
        shared.health.clone(),
    );
    let spool = Arc::new(Mutex::new(spool));
    let (writer_loop, writer, signal) = SpoolWriter::new(
        spool.clone(),
        shared.health.clone(),
        shared.clock.clone(),
        shared.ids.clone(),
    );
    let (stop, stopped) = stop_pipe()?;
    let (report, broken) = mpsc::unbounded_channel();
    let writer_thread = spawn("spool", &report, move || writer_loop.run())?;
    let mut collectors = start_collectors(config, dir, shared, &writer, &stopped, &report)?;
    collectors.push(watch_presence(
        &presence, shared, &spool, &writer, &stopped, &report,
    )?);
    let fingerprint = identity.fingerprint.read_again(Path::new("/"));
    let trust = Arc::new(PinnedTrust::new(identity.trust.clone()));
    let hurry = Arc::new(Notify::new());
    let reached = Arc::new(Notify::new());
    let responder = config.take_commands.then(|| Responder {
        client: client.clone(),
        identity: identity.clone(),
        trust: trust.clone(),
        reached: reached.clone(),
        tools: Tools {
            state: dir.clone(),
            rules: shared.rules.clone(),
            writer: writer.clone(),
            health: shared.health.clone(),
            users: shared.users.clone(),
            clock: shared.clock.clone(),
            ids: shared.ids.clone(),
            server: identity.server.clone(),
            max_file_bytes: config.max_file_bytes,
            check_in: hurry.clone(),
        },
    });
    let uplink = Uplink {
        client,
        identity,
        fingerprint,
        spool,
        signal,
        stream,
        rules: keeper,
        health: shared.health.clone(),
        clock: shared.clock.clone(),
        ids: shared.ids.clone(),
        trust,
        dir: dir.clone(),
        hurry,
        reached,
        trust_refused: 0,
        presence,
    };
    Ok((
        Parts {
            stop: Some(stop),
            collectors,
            writer,
            writer_thread,
            broken,
        },
        uplink,
        responder,
    ))
}

/// Begins this process's life.
fn begin_presence(dir: &StateDir, identity: &Identity, shared: &Shared) -> Result<Arc<Presence>> {
    let (clock, ids) = (shared.clock.as_ref(), shared.ids.as_ref());
    let (presence, missed) = Presence::begin(dir.clone(), identity.agent_id, clock, ids)
        .context("cannot note in the state folder that the agent runs")?;
    if let Some(gap) = missed {
        tracing::info!(reason = gap.reason, from = %gap.from, "nothing was seen since then");
    }
    Ok(Arc::new(presence))
}

/// Follows the agent's life; what was missed since the process before goes into the spool once the collectors watch.
fn watch_presence(
    presence: &Arc<Presence>,
    shared: &Shared,
    spool: &Arc<Mutex<Spool>>,
    writer: &WriterHandle,
    stopped: &StopReceiver,
    report: &mpsc::UnboundedSender<&'static str>,
) -> Result<JoinHandle<()>> {
    let (presence, clock, writer, stop) = (
        presence.clone(),
        shared.clock.clone(),
        writer.clone(),
        stopped.try_clone()?,
    );
    let (health, spool) = (shared.health.clone(), spool.clone());
    spawn("presence", report, move || {
        let record = |gap| {
            spool
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .append_gap(gap)
        };
        presence.run(clock.as_ref(), &writer, &stop, || health.is_watching(), record)
    })
}

/// Opens the spool behind everything that the stream knows of. Records of another identity are not this server's business.
fn open_stream(
    config: &RunConfig,
    dir: &StateDir,
    identity: &Identity,
    shared: &Shared,
) -> Result<(Stream, Spool)> {
    let state = match Stream::load(dir) {
        Ok(state) => state,
        Err(error) => {
            tracing::error!(error = %format!("{error:#}"), "the stream's state is lost; a new stream begins");
            None
        }
    };
    let folder = dir.file(SPOOL_DIR);
    let state = match state {
        Some(state) if state.agent_id != identity.agent_id => {
            tracing::warn!(
                "enrolled under another identity than before: records of the former one are removed"
            );
            for file in [RULES_FILE, SEEN_FILE] {
                dir.remove(file)?;
            }
            fs::remove_dir_all(&folder).or_else(|error| match error.kind() {
                std::io::ErrorKind::NotFound => Ok(()),
                _ => Err(error),
            })?;
            None
        }
        other => other,
    };
    let (acked, offered) = state
        .as_ref()
        .map_or((0, 0), |state| (state.acked, state.offered));
    let mut spool = Spool::open(
        &folder,
        config.spool_max_bytes,
        acked,
        offered,
        shared.clock.clone(),
        shared.ids.clone(),
    )
    .with_context(|| format!("cannot open the spool in {}", folder.display()))?;
    let stream = match state {
        Some(state) => Stream::resume(dir.clone(), state),
        None => {
            let first = spool.read(acked + 1, 0, 0)?.first_seq;
            Stream::begin(dir.clone(), identity.agent_id, first - 1, shared.ids.as_ref())?
        }
    };
    shared.health.set_spool_stats(spool.stats());
    Ok((stream, spool))
}

fn start_collectors(
    config: &RunConfig,
    dir: &StateDir,
    shared: &Shared,
    writer: &WriterHandle,
    stopped: &StopReceiver,
    report: &mpsc::UnboundedSender<&'static str>,
) -> Result<Vec<JoinHandle<()>>> {
    let (starts, waiting_starts) = sync_channel(WAITING_STARTS);
    let (changes, waiting_changes) = sync_channel(WAITING_CHANGES);
    let processes = ProcessSource {
        starts,
        writer: writer.clone(),
        health: shared.health.clone(),
        clock: shared.clock.clone(),
        users: shared.users.clone(),
    };
    let evaluator = ProcessEvaluator {
        rules: shared.rules.clone(),
        writer: writer.clone(),
        clock: shared.clock.clone(),
        ids: shared.ids.clone(),
    };
    let files = FileSource {
        folders: config.watch.clone(),
        excluded: vec![dir.path().to_owned()],
        changes,
        writer: writer.clone(),
        health: shared.health.clone(),
        clock: shared.clock.clone(),
        max_file_bytes: config.max_file_bytes,
    };
    let scanner = FileScanner {
        rules: shared.rules.clone(),
        writer: writer.clone(),
        state: dir.clone(),
        max_file_bytes: config.max_file_bytes,
        users: shared.users.clone(),
        clock: shared.clock.clone(),
        ids: shared.ids.clone(),
    };
    let (interval, clock, metrics_writer) = (config.metrics_interval, shared.clock.clone(), writer.clone());
    let [stop_metrics, stop_processes, stop_files] =
        [stopped.try_clone()?, stopped.try_clone()?, stopped.try_clone()?];
    Ok(vec![
        spawn("metrics", report, move || {
            run_metrics(interval, &metrics_writer, clock.as_ref(), &stop_metrics)
        })?,
        spawn("processes", report, move || processes.run(&stop_processes))?,
        spawn("process-rules", report, move || evaluator.run(&waiting_starts))?,
        spawn("files", report, move || files.run(&stop_files))?,
        spawn("file-scan", report, move || scanner.run(&waiting_changes))?,
    ])
}

/// Starts a thread that reports when it breaks.
fn spawn<T: Outcome>(
    name: &'static str,
    report: &mpsc::UnboundedSender<&'static str>,
    body: impl FnOnce() -> T + Send + 'static,
) -> Result<JoinHandle<()>> {
    let report = report.clone();
    let thread = thread::Builder::new().name(name.to_owned()).spawn(move || {
        match std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| body().into_result())) {
            Ok(Ok(())) => return,
            Ok(Err(error)) => tracing::error!(part = name, error = %error, "a part of the agent has broken"),
            Err(_) => tracing::error!(part = name, "a part of the agent has panicked"),
        }
        let _ = report.send(name);
    });
    thread.with_context(|| format!("cannot start the thread `{name}`"))
}

/// How a thread ended.
trait Outcome {
    fn into_result(self) -> std::io::Result<()>;
}

impl Outcome for () {
    fn into_result(self) -> std::io::Result<()> {
        Ok(())
    }
}

impl Outcome for std::io::Result<()> {
    fn into_result(self) -> std::io::Result<()> {
        self
    }
}

/// Writes the view for `status` when it changes.
async fn report_status(dir: &StateDir, health: &Health) {
    let mut told = None;
    loop {
        let snapshot = health.snapshot();
        if told.as_ref() != Some(&snapshot) {
            store_status(dir, &snapshot);
            told = Some(snapshot);
        }
        tokio::time::sleep(STATUS_EVERY).await;
    }
}

fn store_status(dir: &StateDir, snapshot: &Snapshot) {
    let written = serde_json::to_vec_pretty(snapshot)
        .map_err(Into::into)
        .and_then(|text| dir.replace_unsynced(STATUS_FILE, &text));
    if let Err(error) = written {
        tracing::debug!(error = %error, "cannot write the status file");
    }
}
