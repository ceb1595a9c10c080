//! What the tests share: a scratch directory, SQL through psql, a process that holds a cluster and can be killed.

use std::io::{BufRead, BufReader};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use secrecy::ExposeSecret;
use sg_postgres::{Binaries, Cluster, ClusterOptions, Error, find};

/// Names the directory in which the process of [`hold`] keeps its cluster.
const HOLD_DIR: &str = "SG_POSTGRES_TEST_HOLD_DIR";

pub(crate) fn binaries() -> Binaries {
    find(std::env::var_os("PG_BIN").as_deref().map(Path::new)).unwrap()
}

/// A fresh folder that only we may enter.
pub(crate) fn scratch() -> tempfile::TempDir {
    tempfile::Builder::new()
        .prefix("sgpg-")
        .permissions(std::fs::Permissions::from_mode(0o700))
        .tempdir()
        .unwrap()
}

pub(crate) fn options(dir: &Path) -> ClusterOptions {
    let mut options = ClusterOptions::new(dir);
    options.durable = false;
    options.settings = vec![("shared_buffers".into(), "16MB".into())];
    options
}

pub(crate) fn start(dir: &Path) -> Result<Cluster, Error> {
    Cluster::start(&binaries(), &options(dir))
}

/// Runs SQL as the superuser and returns what it printed, one row per line.
pub(crate) fn sql(cluster: &Cluster, statement: &str) -> String {
    let output = psql(cluster, cluster.superuser_password().expose_secret(), statement);
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

pub(crate) fn psql(cluster: &Cluster, password: &str, statement: &str) -> std::process::Output {
    let mut command = binaries().command("psql");
    command
        .env("PGPASSWORD", password)
        .args(["-XAtq", "-v", "ON_ERROR_STOP=1", "-U", cluster.superuser()]);
    command
        .arg("-h")
        .arg(cluster.socket_dir())
        .args(["-d", "postgres", "-c", statement])
        .output()
        .unwrap()
}

/// A process of its own with a running cluster, for being killed.
pub(crate) struct Holder {
    pub(crate) process: Child,
    pub(crate) postmaster: i32,
}

impl Holder {
    pub(crate) fn start(dir: &Path) -> Self {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command
            .args(["--exact", "support::hold", "--ignored", "--nocapture"])
            .env(HOLD_DIR, dir);
        let mut process = command.stdout(Stdio::piped()).spawn().unwrap();
        let lines = BufReader::new(process.stdout.take().unwrap()).lines();
        let postmaster = lines
            .map_while(Result::ok)
            .find_map(|line| line.split("postmaster=").nth(1)?.parse().ok());
        Self {
            process,
            postmaster: postmaster.expect("the cluster started"),
        }
    }

    pub(crate) fn kill(mut self) -> i32 {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
        self.postmaster
    }
}

#[test]
#[ignore = "the process that other tests start and kill"]
fn hold() {
    let dir = PathBuf::from(std::env::var_os(HOLD_DIR).unwrap());
    // The thread that started the cluster ends, as a worker thread of a server may.
    let cluster = std::thread::spawn(move || start(&dir).unwrap()).join().unwrap();
    println!("\npostmaster={}", cluster.pid());
    std::thread::sleep(Duration::from_secs(120));
}

pub(crate) fn is_running(pid: i32) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit(") ")
        .next()
        .is_some_and(|rest| !rest.is_empty() && !rest.starts_with(['Z', 'X']))
}

pub(crate) fn eventually(what: &str, condition: impl Fn() -> bool) {
    let began = Instant::now();
    while !condition() {
        assert!(began.elapsed() < Duration::from_secs(20), "{what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

pub(crate) fn signal(signal: rustix::process::Signal, pid: i32) {
    rustix::process::kill_process(rustix::process::Pid::from_raw(pid).unwrap(), signal).unwrap();
}
