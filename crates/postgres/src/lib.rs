//! Finds PostgreSQL on this machine and runs a private cluster with it.
//!
//! The cluster listens on a unix socket only, asks everybody for a scram password, and belongs to one process: a
//! second start on the same directory is refused, and PostgreSQL ends when the process that started it ends, however
//! it ends. Started by root, PostgreSQL runs as an unprivileged user even below a folder that only root may enter.
//!
//! Below the product's directory:
//!
//! | path | what |
//! |---|---|
//! | `lock` | held while a process uses the directory; names its process id |
//! | `secrets/` | 0700; the superuser's password, 0600 |
//! | `postgres/` | the cluster; `postgres.new/` while it is being made |
//! | `run/` | the unix socket |
//! | `log/postgresql.log` | PostgreSQL's log, and one older part as `postgresql.log.1` |
//!
//! The library is synchronous and reads no environment variable.

mod backup;
mod cluster;
mod config;
mod error;
mod find;
mod initdb;
mod layout;
mod leftovers;
mod machine;
mod process;
mod replication;
mod scram;
mod user;

pub use backup::{
    ArchiveAccess, BackupInfo, BackupKind, BackupOptions, Builtin, Gap, Login, Maker, PgBackRest, Place,
    Program, Recovered, Recovery, RepositoryPlace, RepositoryTask, S3, Stanza, Until, Watch,
    run_repository_task,
};
pub use cluster::{Cluster, ClusterOptions};
pub use error::Error;
pub use find::{Binaries, PgVersion, Search, find};
pub use layout::claim_dir;
pub use replication::{BaseBackup, ControlData, Network, Upstream, is_standby, read_control_data};
pub use scram::scram_verifier;
