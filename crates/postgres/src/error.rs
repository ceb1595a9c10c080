//! What can go wrong, in words for the person who has to put it right.

use std::path::{Path, PathBuf};

/// Why PostgreSQL could not be found, started or stopped. Every message says what to do.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// No usable PostgreSQL anywhere that was searched.
    #[error(
        "no PostgreSQL 15 or newer was found (looked in {searched}); install it (on Debian: apt-get install postgresql) \
         or set PG_BIN to the folder that holds `postgres` and `initdb`"
    )]
    NotFound {
        /// The folders that were searched, comma-separated.
        searched: String,
    },
    /// PostgreSQL is there, and too old.
    #[error(
        "the PostgreSQL in {dir} is version {version}, SecureGuard needs 15 or newer; install a newer one or set PG_BIN to its folder"
    )]
    TooOld {
        /// Folder of the binaries.
        dir: PathBuf,
        /// Their version.
        version: crate::PgVersion,
    },
    /// A folder was named that does not hold a working PostgreSQL.
    #[error(
        "{dir} does not hold a working PostgreSQL ({reason}); set PG_BIN to the folder that holds `postgres` and `initdb`"
    )]
    Unusable {
        /// The folder.
        dir: PathBuf,
        /// What is missing or what its programs said.
        reason: String,
    },
    /// Another process holds the directory.
    #[error("another SecureGuard uses {dir} (pid {pid}); stop it first or choose another data directory")]
    InUse {
        /// The product's directory.
        dir: PathBuf,
        /// Process id of the holder, `unknown` when it has only just started.
        pid: String,
    },
    /// The directory holds something that is not ours.
    #[error(
        "{dir} is not a SecureGuard data directory: {reason}; choose an empty directory, nothing was changed"
    )]
    Foreign {
        /// The directory.
        dir: PathBuf,
        /// What was found there.
        reason: String,
    },
    /// The cluster belongs to another major version.
    #[error(
        "{dir} was made by PostgreSQL {made_by}, but {bin_dir} is PostgreSQL {found}; install PostgreSQL {made_by} or set \
         PG_BIN to its folder, nothing was changed"
    )]
    OtherMajor {
        /// The cluster's directory.
        dir: PathBuf,
        /// Major version in its PG_VERSION.
        made_by: String,
        /// Folder of the binaries.
        bin_dir: PathBuf,
        /// Their major version.
        found: u32,
    },
    /// The cluster belongs to a user that PostgreSQL would not run as.
    #[error(
        "{dir} belongs to user {owner}, but PostgreSQL would run as {expected}; start SecureGuard as the user who made it, or change its owner"
    )]
    WrongOwner {
        /// The directory.
        dir: PathBuf,
        /// Its owner: name or number.
        owner: String,
        /// The user PostgreSQL would run as.
        expected: String,
    },
    /// Others may read the cluster.
    #[error("{dir} has mode {mode:04o}, so that others can read or change the data; run: chmod 0700 {dir}")]
    WrongMode {
        /// The directory.
        dir: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// Root, and nobody to run PostgreSQL as.
    #[error(
        "PostgreSQL refuses to run as root and this system has neither a user `postgres` nor `nobody`; run: useradd --system postgres"
    )]
    NoUser,
    /// Too little room for a new cluster.
    #[error("{dir} has {} MB free, a new database needs {} MB; free some space or choose another data directory", available / 1_000_000, needed / 1_000_000)]
    DiskFull {
        /// The product's directory.
        dir: PathBuf,
        /// Free bytes.
        available: u64,
        /// Bytes a new cluster needs.
        needed: u64,
    },
    /// initdb failed.
    #[error("initdb could not make the database in {dir}:\n{output}")]
    Initdb {
        /// The cluster's directory.
        dir: PathBuf,
        /// The last lines that initdb printed.
        output: String,
    },
    /// PostgreSQL did not start.
    #[error("PostgreSQL did not start ({status}); its log {log} ends with:\n{tail}")]
    Start {
        /// How it ended, or that it never became ready.
        status: String,
        /// The log file.
        log: PathBuf,
        /// The log's last lines.
        tail: String,
    },
    /// A PostgreSQL of this directory is running and does not stop.
    #[error(
        "a PostgreSQL process left over in {dir} (pid {pid}) does not stop; end it with: kill -INT {pid}"
    )]
    Leftover {
        /// The cluster's directory.
        dir: PathBuf,
        /// Process id.
        pid: i32,
    },
    /// PostgreSQL did not stop.
    #[error("PostgreSQL (pid {pid}) has not stopped within {seconds} s")]
    Stop {
        /// Process id of the postmaster.
        pid: i32,
        /// How long was waited.
        seconds: u64,
    },
    /// The cluster is there and the password for it is not.
    #[error(
        "{path} is missing, so nobody can sign in to the database in {dir}; put the file back from your backup"
    )]
    SecretMissing {
        /// Where the password should be.
        path: PathBuf,
        /// The cluster's directory.
        dir: PathBuf,
    },
    /// No pgBackRest anywhere that was searched.
    #[error(
        "pgBackRest was not found (looked for {searched}), and it makes the backups of this repository; install it (on Debian: apt-get install pgbackrest) or set \
         backup.pgbackrest to the program"
    )]
    PgBackRestMissing {
        /// The files that were looked for, comma-separated.
        searched: String,
    },
    /// What makes the backups says no.
    #[error("{what} failed: {words}")]
    Backup {
        /// What was tried: `the backup`, `the restore`.
        what: &'static str,
        /// What is wrong, what to do, and the program's own words.
        words: String,
    },
    /// It was stopped from outside.
    #[error("{what} was stopped before its end; the next one goes on with what is there")]
    Interrupted {
        /// What was stopped.
        what: &'static str,
    },
    /// The primary could not be copied.
    #[error("the primary could not be copied: {output}")]
    BaseBackup {
        /// The last words of `pg_basebackup`.
        output: String,
    },
    /// Nothing in the repository can be restored as asked.
    #[error("{reason}")]
    NothingToRestore {
        /// What is there, and what to ask for.
        reason: String,
    },
    /// A file operation failed.
    #[error("cannot {what} {path}: {source}")]
    Io {
        /// What was tried, as a verb: `open`, `create`.
        what: &'static str,
        /// On which path.
        path: PathBuf,
        /// The system's answer.
        source: std::io::Error,
    },
    /// A program could not be started.
    #[error("cannot run {program} as user {user}: {source}")]
    Spawn {
        /// The program.
        program: PathBuf,
        /// The user it was to run as.
        user: String,
        /// The system's answer.
        source: std::io::Error,
    },
}

/// Adds the action and the path to a file error.
pub(crate) trait Context<T> {
    fn context(self, what: &'static str, path: &Path) -> Result<T, Error>;
}

impl<T, E: Into<std::io::Error>> Context<T> for Result<T, E> {
    fn context(self, what: &'static str, path: &Path) -> Result<T, Error> {
        self.map_err(|source| Error::Io {
            what,
            path: path.to_owned(),
            source: source.into(),
        })
    }
}
