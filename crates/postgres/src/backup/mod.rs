//! Backups, made by pgBackRest or, where that is missing, by a way of our own: configuration, repositories, the archive of the write-ahead log, and the way back.
//!
//! Either program runs as PostgreSQL does. Its configuration holds the pass of the repositories; it lies in a folder that only that account enters, and is
//! written anew at each start. Nothing secret is on a command line.

mod archive;
mod builtin;
mod info;
mod pgbackrest;
mod program;
mod recover;
mod run;
mod stanza;

use std::path::PathBuf;

use secrecy::SecretString;

pub use archive::Gap;
pub use builtin::{RepositoryTask, run_repository_task};
pub use info::{BackupInfo, BackupKind};
pub use program::{Builtin, Maker, PgBackRest, Program};
pub use recover::{Recovered, Recovery, Until};
pub use run::Watch;
pub use stanza::{ArchiveAccess, Stanza};

/// What is backed up, and whereto.
#[derive(Debug, Clone)]
pub struct BackupOptions {
    /// What makes them.
    pub program: Program,
    /// The cluster.
    pub place: Place,
    /// Folder for configuration and locks, made where it is missing; for the account that PostgreSQL runs as only.
    pub work_dir: PathBuf,
    /// One or two repositories; the second one is the copy elsewhere.
    pub repositories: Vec<RepositoryPlace>,
    /// What the repositories are encrypted with: AES-256-CBC by pgBackRest, AES-256-GCM by the built-in way.
    pub pass: SecretString,
    /// Full backups that are kept, with all that hangs on them; 1 at least.
    pub keep_full: u32,
    /// Processes that read and compress.
    pub processes: u32,
    /// Seconds that a backup waits for its last segment of the log to reach the archive.
    pub archive_timeout_seconds: u32,
}

/// A cluster to back up.
#[derive(Debug, Clone)]
pub enum Place {
    /// The private one below the product's directory.
    Own {
        /// The product's directory.
        data_dir: PathBuf,
        /// Folder of its socket.
        socket_dir: PathBuf,
        /// Port, part of the socket's name.
        port: u16,
        /// Who makes backups there; none as long as the role is not there.
        login: Option<Login>,
    },
    /// One that somebody else runs on this machine.
    Other {
        /// Its data directory, as PostgreSQL tells it (`show data_directory`).
        cluster_dir: PathBuf,
        /// Folder of its socket.
        socket_dir: PathBuf,
        /// Port, part of the socket's name.
        port: u16,
        /// Role that may make backups, whom the socket lets in without a password.
        user: String,
    },
}

/// A role that may make backups.
#[derive(Debug, Clone)]
pub struct Login {
    /// Role.
    pub user: String,
    /// Its password.
    pub password: SecretString,
    /// Database to connect to.
    pub database: String,
}

/// Where a repository is.
#[derive(Debug, Clone)]
pub enum RepositoryPlace {
    /// A folder, made where it is missing.
    Folder(PathBuf),
    /// A bucket of an S3-compatible store; for pgBackRest only.
    S3(S3),
}

/// A bucket of an S3-compatible store.
#[derive(Debug, Clone)]
pub struct S3 {
    /// Name of the bucket.
    pub bucket: String,
    /// Host, with a port where it is not 443.
    pub endpoint: String,
    /// Region.
    pub region: String,
    /// Path in the bucket, beginning with a slash.
    pub path: String,
    /// Access key.
    pub key: SecretString,
    /// Secret of the access key.
    pub key_secret: SecretString,
    /// Whether the bucket's name goes into the path rather than into the host name.
    pub path_style: bool,
    /// PEM of the authorities that the store's certificate may come from; else those of the system.
    pub authorities: Option<String>,
}
