//! `secureguard repository …`: the program behind backups of the built-in way, run as PostgreSQL's account. It reads no configuration but what the server has left for it.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Subcommand;
use sg_postgres::{RepositoryTask, run_repository_task};
use sg_types::{Clock, SystemClock};

#[derive(Debug, clap::Args)]
pub(crate) struct RepositoryArguments {
    /// The folder that the server has put its settings into.
    #[arg(long, value_name = "DIR")]
    work_dir: PathBuf,
    #[command(subcommand)]
    task: Task,
}

#[derive(Debug, Subcommand)]
enum Task {
    /// Begin the repositories.
    Init,
    /// Make a full backup.
    Backup(Which),
    /// Tell all backups.
    List,
    /// Read everything.
    Verify(Which),
    /// Tell the files of the archive.
    Archived(Which),
    /// Put the files of a backup into a folder.
    Restore {
        #[command(flatten)]
        which: Which,
        /// The backup.
        #[arg(long)]
        label: String,
        /// The folder.
        #[arg(long, value_name = "DIR")]
        into: PathBuf,
    },
    /// Archive a file of the write-ahead log.
    Push {
        /// The file.
        path: PathBuf,
    },
    /// Get a file of the write-ahead log.
    Fetch {
        /// Its name.
        name: String,
        /// Where to put it.
        to: PathBuf,
        /// PostgreSQL can get it from elsewhere.
        #[arg(long)]
        may_stream: bool,
    },
}

#[derive(Debug, clap::Args)]
struct Which {
    /// 1 or 2.
    #[arg(long)]
    repository: u8,
}

pub(crate) fn run(arguments: &RepositoryArguments) -> ExitCode {
    let task = match &arguments.task {
        Task::Init => RepositoryTask::Init,
        Task::Backup(which) => RepositoryTask::Backup {
            repository: which.repository,
        },
        Task::List => RepositoryTask::List,
        Task::Verify(which) => RepositoryTask::Verify {
            repository: which.repository,
        },
        Task::Archived(which) => RepositoryTask::Archived {
            repository: which.repository,
        },
        Task::Restore { which, label, into } => RepositoryTask::Restore {
            repository: which.repository,
            label: label.clone(),
            into: into.clone(),
        },
        Task::Push { path } => RepositoryTask::Push { path: path.clone() },
        Task::Fetch { name, to, may_stream } => RepositoryTask::Fetch {
            name: name.clone(),
            to: to.clone(),
            may_stream: *may_stream,
        },
    };
    let code = run_repository_task(
        &arguments.work_dir,
        &task,
        &|| SystemClock.now(),
        &mut std::io::stdout().lock(),
        &mut std::io::stderr().lock(),
    );
    ExitCode::from(code)
}
