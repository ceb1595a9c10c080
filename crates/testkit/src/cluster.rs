//! One PostgreSQL for many tests, with a migrated template database.

use std::{path::PathBuf, sync::OnceLock};

use anyhow::{Context, Result};
use secrecy::{ExposeSecret, SecretString};
use sg_db::RoleVerifiers;
use sg_postgres::{Cluster, ClusterOptions};
use sqlx::{AssertSqlSafe, Connection, Executor, PgConnection};

/// Names the variable by which a test run hands its cluster to the test processes.
pub const SUPERUSER_URL_VARIABLE: &str = "SECUREGUARD_TEST_SUPERUSER_URL";
/// Names the variable with the password that all roles of that cluster share.
pub const ROLE_PASSWORD_VARIABLE: &str = "SECUREGUARD_TEST_ROLE_PASSWORD";
/// The migrated database that each test's own is a copy of.
pub const TEMPLATE: &str = "sg_template";
const ROLES: [&str; 3] = ["sg_app", "sg_system", "sg_admin"];

/// A PostgreSQL for tests.
#[derive(Debug)]
pub struct TestCluster {
    superuser_url: String,
    role_password: String,
    // Fields drop in order: PostgreSQL stops before its folder goes.
    _cluster: Option<Cluster>,
    _directory: Option<tempfile::TempDir>,
}

impl TestCluster {
    /// Starts a cluster in a temporary folder and migrates its template.
    ///
    /// # Errors
    /// When PostgreSQL is not installed or does not start.
    pub async fn start() -> Result<Self> {
        let test_cluster = Self::start_empty()?;
        test_cluster.make_template().await?;
        Ok(test_cluster)
    }

    /// As [`Self::start`], with settings of its own and, where it has to be `durable`, with what a power cut asks for.
    ///
    /// # Errors
    /// When PostgreSQL is not installed or does not start.
    pub async fn start_with(durable: bool, settings: &[(&str, &str)]) -> Result<Self> {
        let test_cluster = Self::start_cluster(durable, settings)?;
        test_cluster.make_template().await?;
        Ok(test_cluster)
    }

    /// Starts a cluster in a temporary folder that nothing of the product has seen, its roles included.
    ///
    /// # Errors
    /// When PostgreSQL is not installed or does not start.
    pub fn start_empty() -> Result<Self> {
        Self::start_cluster(
            false,
            &[
                ("max_connections", "400"),
                ("shared_buffers", "128MB"),
                ("max_wal_size", "512MB"),
            ],
        )
    }

    #[expect(
        clippy::disallowed_methods,
        reason = "the test run's own switches; random password of a throw-away cluster"
    )]
    fn start_cluster(durable: bool, settings: &[(&str, &str)]) -> Result<Self> {
        let explicit = std::env::var_os("PG_BIN").map(std::path::PathBuf::from);
        let binaries = sg_postgres::find(explicit.as_deref())?;
        let parent = parent_of_clusters(durable);
        remove_abandoned(&parent);
        let directory = tempfile::Builder::new()
            .prefix(FOLDER_PREFIX)
            .tempdir_in(parent)?;
        let mut options = ClusterOptions::new(directory.path());
        options.durable = durable;
        // A test may end while its pool still connects, and dropping its database waits for such a backend.
        options.settings = [("authentication_timeout", "5s")]
            .iter()
            .chain(settings)
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect();
        let cluster = Cluster::start(&binaries, &options)?;
        let superuser_url = libpq_url(
            cluster.superuser(),
            cluster.superuser_password().expose_secret(),
            &cluster.socket_dir().to_string_lossy(),
            cluster.port(),
            "postgres",
        );
        Ok(Self {
            superuser_url,
            role_password: uuid::Uuid::new_v4().simple().to_string(),
            _cluster: Some(cluster),
            _directory: Some(directory),
        })
    }

    /// The cluster of this test run, else one of this process's own.
    ///
    /// # Errors
    /// When there is none and none starts.
    #[expect(clippy::disallowed_methods, reason = "the test run's own switches")]
    pub(crate) async fn shared() -> Result<&'static Self> {
        static SHARED: OnceLock<TestCluster> = OnceLock::new();
        static STARTING: tokio::sync::Mutex<()> = tokio::sync::Mutex::const_new(());
        let _one_at_a_time = STARTING.lock().await;
        if let Some(cluster) = SHARED.get() {
            return Ok(cluster);
        }
        let cluster = match (
            std::env::var(SUPERUSER_URL_VARIABLE),
            std::env::var(ROLE_PASSWORD_VARIABLE),
        ) {
            (Ok(superuser_url), Ok(role_password)) => Self {
                superuser_url,
                role_password,
                _cluster: None,
                _directory: None,
            },
            _ => Self::start().await?,
        };
        Ok(SHARED.get_or_init(|| cluster))
    }

    /// The variables that hand this cluster to another process.
    pub fn variables(&self) -> [(&'static str, &str); 2] {
        [
            (SUPERUSER_URL_VARIABLE, &self.superuser_url),
            (ROLE_PASSWORD_VARIABLE, &self.role_password),
        ]
    }

    /// libpq URI of `database` as the superuser.
    pub fn superuser_url(&self, database: &str) -> SecretString {
        SecretString::from(
            self.superuser_url
                .replacen("/postgres?", &format!("/{database}?"), 1),
        )
    }

    /// libpq URI of `database` as `role`.
    pub fn role_url(&self, role: &str, database: &str) -> SecretString {
        let (_, after_user) = self.superuser_url.split_once('@').unwrap_or_default();
        let address = after_user.replacen("/postgres?", &format!("/{database}?"), 1);
        SecretString::from(format!("postgresql://{role}:{}@{address}", self.role_password))
    }

    /// Runs SQL as the superuser in the maintenance database.
    ///
    /// # Errors
    /// What PostgreSQL says.
    pub async fn execute(&self, sql: String) -> Result<()> {
        let mut conn = PgConnection::connect(&self.superuser_url).await?;
        conn.execute(AssertSqlSafe(sql)).await?;
        conn.close().await?;
        Ok(())
    }

    /// The verifiers that let the roles sign in to this cluster.
    pub fn verifiers(&self) -> RoleVerifiers {
        let password = SecretString::from(self.role_password.clone());
        RoleVerifiers(
            ROLES
                .into_iter()
                .map(|role| (role, SecretString::from(sg_postgres::scram_verifier(&password))))
                .collect(),
        )
    }

    async fn make_template(&self) -> Result<()> {
        self.execute(format!("create database {TEMPLATE}")).await?;
        sg_db::migrate(&self.superuser_url(TEMPLATE), &self.verifiers())
            .await
            .context("migrating the template")?;
        Ok(())
    }
}

/// How the folders of clusters begin.
const FOLDER_PREFIX: &str = "sg-test-";

/// The memory file system of Linux, where there is one with room.
const MEMORY: &str = "/dev/shm";
/// What all databases of a run take at most together, twice, in bytes.
const ROOM_IN_MEMORY: u64 = 8 << 30;

/// In memory, unless it has to be durable: each test makes and drops a database of 1,300 files, and making files just after as many went takes a
/// disk's file system longer than all the rest of most tests.
fn parent_of_clusters(durable: bool) -> PathBuf {
    let room = rustix::fs::statvfs(MEMORY).map_or(0, |found| found.f_bavail * found.f_frsize);
    if durable || room < ROOM_IN_MEMORY {
        std::env::temp_dir()
    } else {
        PathBuf::from(MEMORY)
    }
}

/// Removes the folders that test processes left behind. A cluster that is shared by a process's tests lives in a static, which nothing drops: PostgreSQL
/// ends with its process, and its folder stays. Whoever still uses one holds its lock; one that is new may have none yet.
fn remove_abandoned(temporary: &std::path::Path) {
    for entry in std::fs::read_dir(temporary).into_iter().flatten().flatten() {
        let is_ours = entry.file_name().to_string_lossy().starts_with(FOLDER_PREFIX);
        let is_old = entry.metadata().and_then(|data| data.modified()).is_ok_and(|at| {
            at.elapsed()
                .is_ok_and(|age| age > std::time::Duration::from_secs(60))
        });
        if !is_ours || !is_old {
            continue;
        }
        let lock = std::fs::File::options()
            .write(true)
            .open(entry.path().join("lock"));
        if let Ok(lock) = lock
            && lock.try_lock().is_ok()
        {
            // Another process may be faster, or the folder another user's.
            let _ = std::fs::remove_dir_all(entry.path());
        }
    }
}

fn libpq_url(user: &str, password: &str, socket_dir: &str, port: u16, database: &str) -> String {
    let host = socket_dir.replace('%', "%25").replace('/', "%2F");
    format!("postgresql://{user}:{password}@localhost/{database}?host={host}&port={port}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_nobody_holds_is_removed() {
        let temporary = tempfile::tempdir().unwrap();
        let past = std::time::UNIX_EPOCH + std::time::Duration::from_secs(1);
        let made = |name: &str, with_lock: bool| {
            let folder = temporary.path().join(name);
            std::fs::create_dir(&folder).unwrap();
            if with_lock {
                std::fs::write(folder.join("lock"), "").unwrap();
            }
            folder
        };
        let old = |folder: &std::path::Path| std::fs::File::open(folder).unwrap().set_modified(past).unwrap();
        let (left, held, new) = (
            made("sg-test-left", true),
            made("sg-test-held", true),
            made("sg-test-new", true),
        );
        let (other, starting) = (made("other", true), made("sg-test-starting", false));
        for folder in [&left, &held, &other, &starting] {
            old(folder);
        }
        let holder = std::fs::File::options()
            .write(true)
            .open(held.join("lock"))
            .unwrap();
        holder.try_lock().unwrap();
        remove_abandoned(temporary.path());
        assert!(!left.exists());
        assert!(held.exists() && new.exists() && other.exists() && starting.exists());
    }
}
