//! A running cluster.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{ErrorKind, Read, Seek, SeekFrom};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::time::{Duration, Instant};

use rustix::process::Signal;
use secrecy::SecretString;

use crate::error::{Context, Error};
use crate::layout::{self, Layout};
use crate::machine::{self, Machine};
use crate::process::{self, Handed, Supervised};
use crate::user::{self, RunAs};
use crate::{ArchiveAccess, Binaries, Network, config, initdb, leftovers};

/// The superuser's name, also the name of the database it connects to.
pub(crate) const SUPERUSER: &str = "postgres";
/// Part of the socket's file name, where nothing listens on the network.
pub(crate) const PORT: u16 = 5432;
/// Longest path of a socket folder. The system allows 107 bytes including `/.s.PGSQL.5432`.
const SOCKET_DIR_MAX: usize = 90;
/// How long a fast shutdown may take: it writes everything that is in memory to disk.
const FAST_SHUTDOWN: Duration = Duration::from_secs(60);
const IMMEDIATE_SHUTDOWN: Duration = Duration::from_secs(10);

/// With less free, a failed start is put down to the full disk, which also keeps PostgreSQL from logging why.
const FULL: u64 = 20_000_000;

/// How to run a cluster.
#[derive(Debug, Clone)]
pub struct ClusterOptions {
    /// The product's directory; the cluster lives in `postgres` below it. Created with mode 0700 when missing.
    pub data_dir: PathBuf,
    /// Settings of postgresql.conf that go before the library's defaults, by name and value.
    pub settings: Vec<(String, String)>,
    /// False switches off what protects data from a power cut (fsync); for tests.
    pub durable: bool,
    /// Folder for the socket: `run` below the directory by default. When its path is too long for a socket
    /// (90 bytes) or has characters other than letters, digits and `/._-+`, a
    /// private folder below /run or /tmp takes its place for as long as the cluster runs.
    pub socket_dir: Option<PathBuf>,
    /// Sends the write-ahead log to a repository of backups, or fetches it from there.
    pub archive: Option<ArchiveAccess>,
    /// Lets standbys connect. Without it nothing listens on the network.
    pub network: Option<Network>,
    /// How long PostgreSQL may take until it answers. After a crash it replays its log first, which can take minutes.
    pub start_timeout: Duration,
}

impl ClusterOptions {
    /// A durable cluster with the default settings, ready within five minutes.
    pub fn new(data_dir: impl Into<PathBuf>) -> Self {
        Self {
            data_dir: data_dir.into(),
            settings: Vec::new(),
            durable: true,
            socket_dir: None,
            archive: None,
            network: None,
            start_timeout: Duration::from_secs(300),
        }
    }
}

/// A running PostgreSQL. Dropping it stops it; so does the end of this process, however it ends.
#[derive(Debug)]
pub struct Cluster {
    process: Supervised,
    socket_dir: PathBuf,
    temporary_socket_dir: bool,
    port: u16,
    password: SecretString,
    layout: Layout,
}

impl Cluster {
    /// Starts the cluster in `options.data_dir`, made first when there is none, and waits until it accepts connections.
    /// Blocks; the caller's thread may end afterwards.
    ///
    /// # Errors
    /// Every [`Error`] that says so; whatever was in the directory before is unchanged then.
    pub fn start(bin: &Binaries, options: &ClusterOptions) -> Result<Self, Error> {
        let layout = Layout::open(&options.data_dir)?;
        let cluster_dir = layout.cluster_dir();
        let run_as = user::choose(&cluster_dir)?;
        let password = if layout::has_cluster(&cluster_dir, &run_as, bin)? {
            leftovers::end_all(&cluster_dir)?;
            let missing = || Error::SecretMissing {
                path: layout.secret_path(),
                dir: cluster_dir.clone(),
            };
            layout.read_secret()?.ok_or_else(missing)?
        } else {
            let password = layout.read_secret()?.map_or_else(|| layout.create_secret(), Ok)?;
            initdb::create(&layout, bin, &run_as, &password, options.durable)?;
            password
        };
        let mut settings = Vec::new();
        if options.durable {
            let machine = Machine::look(&layout.dir).settings();
            let compression = (
                "wal_compression",
                machine::log_compression(bin, &cluster_dir).to_owned(),
            );
            settings.extend(
                machine
                    .into_iter()
                    .chain([compression])
                    .map(|(name, value)| (name.to_owned(), value)),
            );
        }
        settings.extend(options.settings.iter().cloned());
        settings.extend(
            options
                .archive
                .iter()
                .flat_map(|archive| archive.settings.iter().cloned()),
        );
        let network = options.network.as_ref();
        config::write(&cluster_dir, &settings, options.durable, network, &run_as)?;
        let port = network.map_or(PORT, |network| network.listen.port());
        let (socket_dir, temporary_socket_dir) =
            make_socket_dir(&layout, options.socket_dir.as_deref(), port, &run_as)?;
        let (process, log) = spawn_postmaster(bin, &layout, &socket_dir, options, &run_as)?;
        let cluster = Self {
            process,
            socket_dir,
            temporary_socket_dir,
            port,
            password,
            layout,
        };
        cluster.wait_until_ready(options.start_timeout, log)?;
        Ok(cluster)
    }

    /// The folder of the unix socket: the host to connect to.
    pub fn socket_dir(&self) -> &Path {
        &self.socket_dir
    }

    /// The port: part of the socket's name, and where standbys connect.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The superuser's name; a database of the same name exists.
    pub fn superuser(&self) -> &str {
        SUPERUSER
    }

    /// The superuser's password, the same at every start.
    pub fn superuser_password(&self) -> &SecretString {
        &self.password
    }

    /// Process id of the postmaster.
    pub fn pid(&self) -> i32 {
        self.process.pid()
    }

    /// PostgreSQL's log.
    pub fn log_path(&self) -> PathBuf {
        self.layout.log_path()
    }

    /// The postmaster's exit status, once it has ended on its own. Noticed within 0.2 s.
    pub fn has_exited(&mut self) -> Option<ExitStatus> {
        self.process.exited()
    }

    /// Stops PostgreSQL: ends its connections, writes everything to disk, waits.
    ///
    /// # Errors
    /// [`Error::Stop`] when it has not ended after 70 s.
    pub fn stop(self) -> Result<(), Error> {
        self.shut_down()
    }

    fn shut_down(&self) -> Result<(), Error> {
        for (signal, patience) in [(Signal::INT, FAST_SHUTDOWN), (Signal::QUIT, IMMEDIATE_SHUTDOWN)] {
            self.process.signal(signal);
            if self.process.wait(patience).is_some() {
                return Ok(());
            }
        }
        let seconds = (FAST_SHUTDOWN + IMMEDIATE_SHUTDOWN).as_secs();
        Err(Error::Stop {
            pid: self.process.pid(),
            seconds,
        })
    }

    fn wait_until_ready(&self, timeout: Duration, log_start: u64) -> Result<(), Error> {
        let began = Instant::now();
        let pid_file = self.layout.cluster_dir().join("postmaster.pid");
        let mut next_word = Duration::from_secs(5);
        loop {
            if is_ready(&pid_file, self.process.pid()) {
                return Ok(());
            }
            let status = match self.process.exited() {
                Some(status) => status.to_string(),
                None if began.elapsed() >= timeout => format!("not ready after {} s", timeout.as_secs()),
                None => {
                    if began.elapsed() >= next_word {
                        tracing::info!(
                            waited_s = began.elapsed().as_secs(),
                            "waiting for PostgreSQL to finish its recovery"
                        );
                        next_word += Duration::from_secs(5);
                    }
                    std::thread::sleep(Duration::from_millis(5));
                    continue;
                }
            };
            let log = self.layout.log_path();
            let mut tail = tail_of(&log, log_start);
            let free = layout::free_bytes(&self.layout.dir).unwrap_or(u64::MAX);
            if free < FULL {
                tail.push_str(&format!(
                    "\n(only {} kB are free in {}: free some space)",
                    free / 1000,
                    self.layout.dir.display()
                ));
            }
            return Err(Error::Start { status, log, tail });
        }
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        if let Err(error) = self.shut_down() {
            tracing::error!(%error, "PostgreSQL did not stop");
        }
        if self.temporary_socket_dir {
            let _ = fs::remove_dir_all(&self.socket_dir);
        }
    }
}

/// Starts the postmaster; also returns where in the log its output begins.
fn spawn_postmaster(
    bin: &Binaries,
    layout: &Layout,
    socket_dir: &Path,
    options: &ClusterOptions,
    run_as: &RunAs,
) -> Result<(Supervised, u64), Error> {
    let log_path = layout.log_path();
    layout::make_private_dir(&layout.dir.join("log"))?;
    let log = OpenOptions::new()
        .create(true)
        .append(true)
        .mode(0o600)
        .open(&log_path)
        .context("open", &log_path)?;
    let log_start = log.metadata().context("read", &log_path)?.len();
    let (data, socket) = (
        Handed::fixed(&layout.cluster_dir(), run_as, process::CLUSTER_NUMBER)?,
        Handed::new(socket_dir, run_as)?,
    );
    let archive = options.archive.as_ref();
    let mut handed = archive.map_or_else(|| Ok(Vec::new()), |archive| archive.hand_over(run_as))?;
    let mut command = bin.command("postgres");
    command.arg("-D").arg(data.path());
    command.arg("-c").arg(format!(
        "unix_socket_directories={}",
        quote_list_item(socket.path())
    ));
    let network = options.network.as_ref();
    let port = network.map_or(PORT, |network| network.listen.port());
    command.arg("-c").arg(format!("port={port}"));
    config::fixed_arguments(network).for_each(|setting| {
        command.arg("-c").arg(setting);
    });
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log);
    handed.extend([data, socket]);
    process::prepare(
        &mut command,
        run_as,
        &handed.iter().collect::<Vec<_>>(),
        Signal::INT,
    );
    let process = Supervised::spawn(command, run_as, handed, log_path)?;
    Ok((process, log_start))
}

/// The folder for the socket, and whether it is to be removed afterwards.
fn make_socket_dir(
    layout: &Layout,
    chosen: Option<&Path>,
    port: u16,
    run_as: &RunAs,
) -> Result<(PathBuf, bool), Error> {
    let dir = chosen.map_or_else(|| layout.dir.join("run"), Path::to_owned);
    if is_good_socket_dir(&dir) {
        layout::make_dir_for(&dir, run_as)?;
        remove_stale_sockets(&dir, port)?;
        return Ok((dir, false));
    }
    let mut failure = None;
    for base in ["/run", "/tmp"] {
        let dir = Path::new(base).join(format!("secureguard-{}", hex::encode(rand::random::<[u8; 8]>())));
        match DirBuilder::new().mode(0o700).create(&dir) {
            Ok(()) => return layout::make_dir_for(&dir, run_as).map(|()| (dir, true)),
            Err(e) => failure = Some((e, dir)),
        }
    }
    match failure {
        Some((error, dir)) => Err(error).context("create", &dir),
        None => Err(std::io::Error::from(ErrorKind::NotFound)).context("create", &dir),
    }
}

/// A socket's path is short, and it goes into connection strings, where commas separate hosts and others need escapes.
fn is_good_socket_dir(dir: &Path) -> bool {
    let bytes = dir.as_os_str().as_bytes();
    bytes.len() <= SOCKET_DIR_MAX
        && bytes
            .iter()
            .all(|b| b.is_ascii_alphanumeric() || b"/._-+".contains(b))
}

/// The caller holds the lock and has ended every process of the cluster: a socket that is still there is dead.
fn remove_stale_sockets(dir: &Path, port: u16) -> Result<(), Error> {
    for name in [format!(".s.PGSQL.{port}"), format!(".s.PGSQL.{port}.lock")] {
        let path = dir.join(name);
        match fs::remove_file(&path) {
            Ok(()) => {}
            Err(e) if e.kind() == ErrorKind::NotFound => {}
            Err(e) => return Err(e).context("remove", &path),
        }
    }
    Ok(())
}

/// Commas separate the items of the setting, and quotes protect them.
fn quote_list_item(path: &Path) -> String {
    format!("\"{}\"", path.to_string_lossy().replace('"', "\"\""))
}

/// The postmaster writes its state into the eighth line of its pid file.
fn is_ready(pid_file: &Path, pid: i32) -> bool {
    let Ok(file) = File::open(pid_file) else {
        return false;
    };
    let mut text = String::new();
    if file.take(4096).read_to_string(&mut text).is_err() {
        return false;
    }
    let mut lines = text.lines();
    lines.next() == Some(pid.to_string().as_str())
        && lines.nth(6).is_some_and(|status| status.trim() == "ready")
}

/// The last lines of the log that were written from `start` on.
fn tail_of(log: &Path, start: u64) -> String {
    let read = || -> std::io::Result<String> {
        let mut file = File::open(log)?;
        let len = file.metadata()?.len();
        file.seek(SeekFrom::Start(start.min(len).max(len.saturating_sub(4096))))?;
        let mut bytes = Vec::new();
        file.take(4096).read_to_end(&mut bytes)?;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    };
    let text = read().unwrap_or_default();
    let lines: Vec<&str> = text.lines().collect();
    lines
        .get(lines.len().saturating_sub(10)..)
        .unwrap_or_default()
        .join("\n")
}
