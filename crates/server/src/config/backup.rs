//! `[backup]`.

use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Deserialize;

/// Backups of the database.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BackupConfig {
    /// Folder of the repository; empty: no backups.
    pub repository: PathBuf,
    /// Another one: a folder, or `s3`; empty: none.
    pub second_repository: PathBuf,
    /// File of the repositories' pass; empty: below the data directory.
    pub pass_file: PathBuf,
    /// What makes the backups.
    pub program: BackupProgram,
    /// pgBackRest's program; empty: the installed one.
    pub pgbackrest: PathBuf,
    /// Folder of the program's configuration and locks; empty: below the data directory.
    pub work_dir: PathBuf,
    /// Folder for drills; empty: below the folder of its configuration.
    pub drill_dir: PathBuf,
    /// Full backups that are kept.
    pub keep_full: u32,
    /// Days between full backups.
    pub full_every_days: u32,
    /// Hour (UTC) of the daily backup.
    pub at_hour: u32,
    /// Days between drills; 0: none.
    pub drill_every_days: u32,
    /// Seconds after which a segment is closed at the latest.
    pub archive_timeout_seconds: u32,
    /// Seconds that the archive may be behind before an alert.
    pub archive_alert_seconds: u32,
    /// Hours without a backup before an alert.
    pub alert_after_hours: u32,
    /// Processes that read and compress.
    pub processes: u32,
    /// The bucket that `second_repository = "s3"` is.
    pub s3: BackupS3Config,
    /// The PostgreSQL of `serve`.
    pub cluster: BackupClusterConfig,
}

/// What makes the backups.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum BackupProgram {
    /// What made the repository; for one that is not begun pgBackRest where it is found, else the built-in way.
    Auto,
    /// pgBackRest.
    PgBackRest,
    /// `pg_basebackup` and an archive of the log.
    Builtin,
}

/// `[backup.s3]`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BackupS3Config {
    /// Bucket.
    pub bucket: String,
    /// Host and port.
    pub endpoint: String,
    /// Region.
    pub region: String,
    /// Path in the bucket.
    pub path: String,
    /// File of access key and secret key.
    pub key_file: PathBuf,
    /// Whether the bucket's name goes into the path.
    pub path_style: bool,
    /// Authorities of the store's certificate; empty: the system's.
    pub ca_file: PathBuf,
}

/// `[backup.cluster]`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BackupClusterConfig {
    /// Its data directory; empty: that of `up`.
    pub data_dir: PathBuf,
    /// Folder of its socket.
    pub socket_dir: PathBuf,
    /// Port.
    pub port: u16,
    /// Role that may make backups.
    pub user: String,
}

impl BackupConfig {
    /// Whether backups are made.
    pub fn is_on(&self) -> bool {
        !self.repository.as_os_str().is_empty()
    }

    /// Whether backups are made of the database of `up`.
    pub fn is_of_up(&self) -> bool {
        self.is_on() && self.other_cluster().is_none()
    }

    /// The PostgreSQL of `serve`, where backups are made of that.
    pub fn other_cluster(&self) -> Option<&BackupClusterConfig> {
        (!self.cluster.data_dir.as_os_str().is_empty()).then_some(&self.cluster)
    }

    /// Whether the second repository is the bucket.
    pub fn has_bucket(&self) -> bool {
        self.second_repository == Path::new("s3")
    }

    /// The pass' file.
    pub fn pass_file(&self, data_dir: &Path) -> PathBuf {
        or(&self.pass_file, || data_dir.join("keys/backup.pass"))
    }

    /// pgBackRest's program, where one is named.
    pub fn pgbackrest(&self) -> Option<&Path> {
        (!self.pgbackrest.as_os_str().is_empty()).then_some(&self.pgbackrest)
    }

    /// The folder of the program's configuration.
    pub fn work_dir(&self, data_dir: &Path) -> PathBuf {
        or(&self.work_dir, || data_dir.join("backup"))
    }

    /// The folder for drills.
    pub fn drill_dir(&self, data_dir: &Path) -> PathBuf {
        or(&self.drill_dir, || self.work_dir(data_dir).join("drill"))
    }

    /// Time between two looks of the watch: often enough to see that the archive is behind before it is late.
    pub fn watch_period(&self, longest: Duration) -> Duration {
        let limits = self.archive_alert_seconds.min(self.archive_timeout_seconds);
        longest.min(Duration::from_secs(u64::from(limits).max(2) / 2))
    }

    /// The folders of repositories.
    pub fn folders(&self) -> impl Iterator<Item = &Path> {
        let second = (!self.has_bucket()).then_some(&self.second_repository);
        std::iter::once(&self.repository)
            .chain(second)
            .map(PathBuf::as_path)
            .filter(|dir| !dir.as_os_str().is_empty())
    }

    /// What is wrong with the settings.
    pub(super) fn problems(&self) -> Vec<String> {
        let mut wrong = Vec::new();
        for (name, value, least, most) in [
            ("keep_full", self.keep_full, 1, 1_000),
            ("full_every_days", self.full_every_days, 1, 365),
            ("at_hour", self.at_hour, 0, 23),
            ("drill_every_days", self.drill_every_days, 0, 365),
            ("archive_timeout_seconds", self.archive_timeout_seconds, 1, 3_600),
            ("archive_alert_seconds", self.archive_alert_seconds, 2, 86_400),
            ("alert_after_hours", self.alert_after_hours, 1, 8_760),
            ("processes", self.processes, 1, 64),
        ] {
            if !(least..=most).contains(&value) {
                wrong.push(format!(
                    "setting `backup.{name}`: must be between {least} and {most}"
                ));
            }
        }
        for (name, path) in [
            ("repository", &self.repository),
            ("second_repository", &self.second_repository),
            ("work_dir", &self.work_dir),
            ("drill_dir", &self.drill_dir),
            ("cluster.data_dir", &self.cluster.data_dir),
        ] {
            let is_bucket = name == "second_repository" && self.has_bucket();
            if !path.as_os_str().is_empty() && !path.is_absolute() && !is_bucket {
                wrong.push(format!("setting `backup.{name}`: must be an absolute path"));
            }
        }
        if self.has_bucket() && self.program == BackupProgram::Builtin {
            wrong.push("setting `backup.second_repository`: a bucket needs pgBackRest".to_owned());
        }
        if self.has_bucket() {
            let s3 = &self.s3;
            let fields = [
                ("bucket", &s3.bucket),
                ("endpoint", &s3.endpoint),
                ("region", &s3.region),
            ];
            for (name, value) in fields {
                let is_plain = !value.is_empty() && value.chars().all(|c| c.is_ascii_graphic());
                if !is_plain {
                    wrong.push(format!(
                        "setting `backup.s3.{name}`: is missing, or has characters that no such name has"
                    ));
                }
            }
            if !s3.path.starts_with('/') || s3.path.contains(char::is_whitespace) {
                wrong.push("setting `backup.s3.path`: must begin with a slash".to_owned());
            }
        }
        if self.is_on() && self.repository == self.second_repository {
            wrong.push("setting `backup.second_repository`: is the first one".to_owned());
        }
        wrong
    }
}

fn or(path: &Path, default: impl FnOnce() -> PathBuf) -> PathBuf {
    if path.as_os_str().is_empty() {
        default()
    } else {
        path.to_owned()
    }
}
