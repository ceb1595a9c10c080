//! One cluster, its repositories, and the program that makes its backups, configured for it.

use std::os::fd::RawFd;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use secrecy::ExposeSecret;

use super::archive::{self, Gap};
use super::info::{self, BackupInfo, BackupKind};
use super::program::Program;
use super::run::{self, Watch};
use super::{BackupOptions, Place, RepositoryPlace, S3, builtin, pgbackrest};
use crate::error::{Context, Error};
use crate::process::{CLUSTER_NUMBER, Handed, REPOSITORY_NUMBER, WORK_NUMBER};
use crate::user::{self, RunAs};
use crate::{config, layout};

const PASSWORDS: &str = "pgpass";
/// How long work waits for pgBackRest's locks. What takes longer is another backup, of which the server's own rows tell.
const LOCK_PATIENCE: Duration = Duration::from_secs(60);
const LOCK_PAUSE: Duration = Duration::from_millis(300);
/// The folder of the socket, behind the numbers of two repositories.
pub(super) const SOCKET_NUMBER: RawFd = REPOSITORY_NUMBER + 2;
/// This program, where it is what makes the backups: an account that may not enter its folder runs it by this number.
const PROGRAM_NUMBER: RawFd = REPOSITORY_NUMBER + 3;

/// What a program is told to do.
pub(super) enum Work<'a> {
    Init,
    Backup { kind: BackupKind, repository: u8 },
    List,
    Verify { repository: u8 },
    Archived { repository: u8 },
    Restore { label: &'a str, repository: u8 },
}

/// How PostgreSQL reaches the archive: settings, and the folders that it is handed.
#[derive(Debug, Clone)]
pub struct ArchiveAccess {
    /// Settings of postgresql.conf.
    pub settings: Vec<(String, String)>,
    folders: Vec<(PathBuf, RawFd)>,
}

impl ArchiveAccess {
    pub(crate) fn hand_over(&self, run_as: &RunAs) -> Result<Vec<Handed>, Error> {
        self.folders
            .iter()
            .map(|(dir, number)| Handed::fixed(dir, run_as, *number))
            .collect()
    }
}

/// A cluster with its repositories, and what makes its backups.
#[derive(Debug, Clone)]
pub struct Stanza {
    pub(super) options: BackupOptions,
    pub(super) run_as: RunAs,
}

impl Stanza {
    /// Makes the folders that are missing and writes the program's configuration.
    ///
    /// # Errors
    /// When a folder cannot be made or a file cannot be written, or [`Error::Backup`] for a bucket without pgBackRest.
    pub fn prepare(options: BackupOptions) -> Result<Self, Error> {
        let cluster_dir = match &options.place {
            Place::Own { data_dir, .. } => data_dir.join("postgres"),
            Place::Other { cluster_dir, .. } => cluster_dir.clone(),
        };
        let run_as = user::choose(&cluster_dir)?;
        let this = Self { options, run_as };
        this.require_folders()?;
        layout::make_dir_for(&this.options.work_dir, &this.run_as)?;
        for repository in &this.options.repositories {
            if let RepositoryPlace::Folder(dir) = repository
                && !dir.exists()
            {
                layout::make_dir_for(dir, &this.run_as)?;
            }
        }
        let work = &this.options.work_dir;
        let (name, text, other) = match &this.options.program {
            Program::PgBackRest(_) => (
                pgbackrest::CONFIGURATION,
                pgbackrest::render(&this),
                builtin::SETTINGS,
            ),
            Program::Builtin(own) => (
                builtin::SETTINGS,
                this.render_settings(&own.bin_dir),
                pgbackrest::CONFIGURATION,
            ),
        };
        config::replace(work, name, &text, &this.run_as)?;
        for place in &this.options.repositories {
            if let RepositoryPlace::S3(S3 {
                authorities: Some(authorities),
                ..
            }) = place
            {
                config::replace(work, pgbackrest::AUTHORITIES, authorities, &this.run_as)?;
            }
        }
        remove_file(&work.join(other))?;
        if let Place::Own {
            login: Some(login), ..
        } = &this.options.place
        {
            let line = format!(
                "*:*:*:{}:{}\n",
                login.user,
                escape(login.password.expose_secret())
            );
            config::replace(work, PASSWORDS, &line, &this.run_as)?;
        }
        Ok(this)
    }

    /// What PostgreSQL needs to send its log to the archive. A command that fails is tried again for ever: no segment is given up.
    pub fn archiving(&self, timeout_seconds: u32) -> ArchiveAccess {
        ArchiveAccess {
            settings: vec![
                ("archive_mode".to_owned(), "on".to_owned()),
                ("archive_timeout".to_owned(), format!("{timeout_seconds}s")),
                ("archive_command".to_owned(), self.archive_command()),
            ],
            folders: self.folders(),
        }
    }

    /// The archive command, for the configuration of a PostgreSQL that somebody else runs.
    pub fn archive_command(&self) -> String {
        let verb = match &self.options.program {
            Program::PgBackRest(_) => "archive-push",
            Program::Builtin(_) => "push",
        };
        self.shell_command(&format!("{verb} \"%p\""))
    }

    /// As [`Self::archiving`], for a standby, which also fetches from the archive what its primary no longer has.
    pub fn archiving_standby(&self, timeout_seconds: u32) -> ArchiveAccess {
        let mut access = self.archiving(timeout_seconds);
        access
            .settings
            .extend(self.fetching(&self.cluster_dir(), true).settings);
        access
    }

    /// What the PostgreSQL of another directory needs to fetch its log from the archive. One that follows a primary can go on without (`may_stream`); for the
    /// others damage is no end of the log.
    pub(super) fn fetching(&self, cluster_dir: &Path, may_stream: bool) -> ArchiveAccess {
        let place = self.path(cluster_dir, CLUSTER_NUMBER);
        let verb = match (&self.options.program, may_stream) {
            (Program::PgBackRest(_), _) => format!("--pg1-path={} archive-get", quote(&place)),
            (Program::Builtin(_), true) => "fetch --may-stream".to_owned(),
            (Program::Builtin(_), false) => "fetch".to_owned(),
        };
        ArchiveAccess {
            settings: vec![(
                "restore_command".to_owned(),
                self.shell_command(&format!("{verb} %f \"%p\"")),
            )],
            folders: self.folders(),
        }
    }

    /// Makes the repositories ready. Does nothing where they are.
    ///
    /// # Errors
    /// [`Error::Backup`]: another database's repository, another pass, another program's, no access.
    pub fn init(&self, watch: &mut dyn Watch) -> Result<(), Error> {
        self.run_alone("making the repository", &Work::Init, watch)
            .map(drop)
    }

    /// Whether backups of what has changed can be made; else each one is full.
    pub fn has_incremental(&self) -> bool {
        matches!(self.options.program, Program::PgBackRest(_))
    }

    /// Whether a backup of this kind can be made at all.
    ///
    /// # Errors
    /// [`Error::Backup`], which says what can.
    pub fn check_kind(&self, kind: BackupKind) -> Result<(), Error> {
        if kind == BackupKind::Full || self.has_incremental() {
            return Ok(());
        }
        Err(Error::Backup {
            what: "the backup",
            words: "without pgBackRest every backup is a full one: run `secureguard backup full`, or install pgBackRest and begin another repository with it"
                .to_owned(),
        })
    }

    /// Makes a backup and removes those that are past their retention. Returns the backup, and what the program warned of.
    ///
    /// # Errors
    /// [`Error::Backup`], [`Error::Interrupted`].
    pub fn back_up(
        &self,
        kind: BackupKind,
        repository: u8,
        watch: &mut dyn Watch,
    ) -> Result<(BackupInfo, Vec<String>), Error> {
        let refuse = |words: &str| Error::Backup {
            what: "the backup",
            words: words.to_owned(),
        };
        self.check_kind(kind)?;
        let done = self.run_alone("the backup", &Work::Backup { kind, repository }, watch)?;
        let newest = self
            .list(watch)?
            .into_iter()
            .rfind(|backup| backup.repository == repository);
        let newest = newest.ok_or_else(|| refuse("it ended well, and is not in the repository"))?;
        Ok((newest, done.warnings))
    }

    /// All backups of all repositories, oldest first.
    ///
    /// # Errors
    /// [`Error::Backup`]: a repository cannot be read, or not with this pass.
    pub fn list(&self, watch: &mut dyn Watch) -> Result<Vec<BackupInfo>, Error> {
        let what = "reading the repository";
        let done = self.run(what, &Work::List, None, watch)?;
        let refuse = |words: String| Error::Backup { what, words };
        match &self.options.program {
            Program::PgBackRest(_) => {
                info::parse(&done.stdout).map_err(|output| refuse(run::explain(&output)))
            }
            Program::Builtin(_) => {
                serde_json::from_str(done.stdout.trim()).map_err(|error| refuse(error.to_string()))
            }
        }
    }

    /// Reads every file of the repositories and compares its checksum. Returns the program's words about what does not fit, none when all does.
    ///
    /// # Errors
    /// [`Error::Backup`].
    pub fn verify(&self, repository: u8, watch: &mut dyn Watch) -> Result<Vec<String>, Error> {
        let done = self.run("the verification", &Work::Verify { repository }, None, watch)?;
        Ok(done.warnings)
    }

    /// Segments of the log that are missing in the archives. `segment_bytes` is `wal_segment_size`, 16 MiB unless the cluster was made otherwise.
    ///
    /// # Errors
    /// [`Error::Backup`].
    pub fn find_gaps(&self, segment_bytes: u64, watch: &mut dyn Watch) -> Result<Vec<Gap>, Error> {
        let backups = self.list(watch)?;
        let what = "reading the archive";
        let mut gaps = Vec::new();
        for repository in 1..=self.repositories() {
            let done = self.run(what, &Work::Archived { repository }, None, watch)?;
            let text = done.stdout.trim();
            let names = match &self.options.program {
                Program::PgBackRest(_) => pgbackrest::read_archived(text),
                Program::Builtin(_) => serde_json::from_str(text),
            };
            let names = names.map_err(|error| Error::Backup {
                what,
                words: format!("its list of files is no JSON: {error}"),
            })?;
            gaps.extend(archive::find_gaps(
                repository,
                names.iter().map(String::as_str),
                &backups,
                segment_bytes,
            ));
        }
        Ok(gaps)
    }

    /// Puts a file (0600) into the cluster's directory, so that it is part of every backup; PostgreSQL leaves it alone.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn put_beside(&self, name: &str, text: &str) -> Result<(), Error> {
        config::replace(&self.cluster_dir(), name, text, &self.run_as)
    }

    /// How many repositories there are.
    pub fn repositories(&self) -> u8 {
        u8::try_from(self.options.repositories.len()).unwrap_or(u8::MAX)
    }

    pub(super) fn cluster_dir(&self) -> PathBuf {
        match &self.options.place {
            Place::Own { data_dir, .. } => data_dir.join("postgres"),
            Place::Other { cluster_dir, .. } => cluster_dir.clone(),
        }
    }

    /// Runs what takes pgBackRest's locks. Somebody else who makes the repository, or a segment that PostgreSQL hands over, holds them for a moment.
    fn run_alone(
        &self,
        what: &'static str,
        work: &Work<'_>,
        watch: &mut dyn Watch,
    ) -> Result<run::Done, Error> {
        let began = Instant::now();
        loop {
            let done = self.run(what, work, None, watch);
            let is_locked = matches!(&done, Err(Error::Backup { words, .. }) if words.contains(run::LOCKED));
            if !is_locked || watch.is_cancelled() || began.elapsed() > LOCK_PATIENCE {
                return done;
            }
            std::thread::sleep(LOCK_PAUSE);
        }
    }

    /// Runs the program on the cluster, or on another directory in its place.
    pub(super) fn run(
        &self,
        what: &'static str,
        work: &Work<'_>,
        other_dir: Option<&Path>,
        watch: &mut dyn Watch,
    ) -> Result<run::Done, Error> {
        let mut handed = Vec::new();
        for (dir, number) in self.folders() {
            handed.push(Handed::fixed(&dir, &self.run_as, number)?);
        }
        let cluster_dir = other_dir.map_or_else(|| self.cluster_dir(), Path::to_owned);
        let mut other_path = None;
        if cluster_dir.is_dir() {
            let cluster = self.hand_cluster(&cluster_dir)?;
            other_path = other_dir.map(|_| cluster.path().to_owned());
            handed.push(cluster);
        }
        let socket = match &self.options.place {
            Place::Own { socket_dir, .. } if socket_dir.is_dir() => {
                Some(Handed::fixed(socket_dir, &self.run_as, SOCKET_NUMBER)?)
            }
            _ => None,
        };
        handed.extend(socket);
        let (mut command, explain) = self.command(work, other_path.as_deref());
        let done = run::run(
            what,
            &mut command,
            &self.run_as,
            &handed.iter().collect::<Vec<_>>(),
            explain,
            watch,
        );
        match done {
            Err(Error::Backup { what, words }) => Err(Error::Backup {
                what,
                words: self.name_folders(words),
            }),
            Ok(mut done) => {
                done.warnings = done
                    .warnings
                    .into_iter()
                    .map(|words| self.name_folders(words))
                    .collect();
                Ok(done)
            }
            other => other,
        }
    }

    /// The program with its arguments, and what puts its complaints into words.
    fn command(&self, work: &Work<'_>, other_path: Option<&Path>) -> (Command, fn(&str) -> String) {
        let work_path = self.work_path();
        let mut command = Command::new(self.program_path());
        command
            .env_clear()
            .env("LC_ALL", "C")
            .env("PATH", "/usr/bin:/bin")
            .env("PGPASSFILE", work_path.join(PASSWORDS));
        match &self.options.program {
            Program::PgBackRest(_) => {
                let configuration = work_path.join(pgbackrest::CONFIGURATION);
                command
                    .arg(format!("--config={}", configuration.display()))
                    .arg(format!("--stanza={}", pgbackrest::NAME))
                    .args(pgbackrest::arguments(work, other_path));
                (command, run::explain)
            }
            Program::Builtin(_) => {
                command
                    .arg(builtin::VERB)
                    .arg(format!("--work-dir={}", work_path.display()))
                    .args(builtin::arguments(work, other_path));
                (command, run::clean)
            }
        }
    }

    /// Folders by their own paths, for whoever reads the words.
    fn name_folders(&self, words: String) -> String {
        self.folders()
            .into_iter()
            .fold(words, |words, (dir, number)| match self.path(&dir, number) {
                path if path == dir => words,
                path => words.replace(&*path.to_string_lossy(), &dir.to_string_lossy()),
            })
    }

    /// A directory under the path that the running cluster tells as its own.
    fn hand_cluster(&self, dir: &Path) -> Result<Handed, Error> {
        match &self.options.place {
            Place::Own { .. } => Handed::fixed(dir, &self.run_as, CLUSTER_NUMBER),
            Place::Other { .. } => Handed::plain(dir),
        }
    }

    fn folders(&self) -> Vec<(PathBuf, RawFd)> {
        if matches!(self.options.place, Place::Other { .. }) {
            return Vec::new();
        }
        let repositories = self.options.repositories.iter().zip(REPOSITORY_NUMBER..);
        let repositories = repositories.filter_map(|(place, number)| match place {
            RepositoryPlace::Folder(dir) => Some((dir.clone(), number)),
            RepositoryPlace::S3(_) => None,
        });
        let own = match &self.options.program {
            Program::PgBackRest(_) => None,
            Program::Builtin(own) => Some((own.executable.clone(), PROGRAM_NUMBER)),
        };
        std::iter::once((self.options.work_dir.clone(), WORK_NUMBER))
            .chain(repositories)
            .chain(own)
            .collect()
    }

    /// A folder as the program finds it.
    pub(super) fn path(&self, dir: &Path, number: RawFd) -> PathBuf {
        match &self.options.place {
            Place::Own { .. } => Handed::fixed_path(dir, &self.run_as, number),
            Place::Other { .. } => dir.to_owned(),
        }
    }

    pub(super) fn work_path(&self) -> PathBuf {
        self.path(&self.options.work_dir, WORK_NUMBER)
    }

    fn program_path(&self) -> PathBuf {
        match &self.options.program {
            Program::PgBackRest(program) => program.path.clone(),
            Program::Builtin(own) => self.path(&own.executable, PROGRAM_NUMBER),
        }
    }

    fn shell_command(&self, rest: &str) -> String {
        let (program, work) = (quote(&self.program_path()), self.work_path());
        match &self.options.program {
            Program::PgBackRest(_) => format!(
                "{program} --config={} --stanza={} {rest}",
                quote(&work.join(pgbackrest::CONFIGURATION)),
                pgbackrest::NAME
            ),
            Program::Builtin(_) => format!("{program} {} --work-dir={} {rest}", builtin::VERB, quote(&work)),
        }
    }

    /// The built-in way knows folders only.
    fn require_folders(&self) -> Result<(), Error> {
        let has_bucket = self
            .options
            .repositories
            .iter()
            .any(|place| matches!(place, RepositoryPlace::S3(_)));
        if has_bucket && !self.has_incremental() {
            return Err(Error::Backup {
                what: "setting up the backups",
                words: "a bucket needs pgBackRest: install it (on Debian: apt-get install pgbackrest) and begin a repository with it, or name a folder \
                        (backup.second_repository)"
                    .to_owned(),
            });
        }
        Ok(())
    }

    fn render_settings(&self, bin_dir: &Path) -> String {
        let options = &self.options;
        let repositories = options.repositories.iter().zip(REPOSITORY_NUMBER..);
        let (socket, port, user) = match &options.place {
            Place::Own {
                socket_dir,
                port,
                login,
                ..
            } => (
                self.path(socket_dir, SOCKET_NUMBER),
                *port,
                login.as_ref().map_or("", |login| &login.user).to_owned(),
            ),
            Place::Other {
                socket_dir,
                port,
                user,
                ..
            } => (socket_dir.clone(), *port, user.clone()),
        };
        let settings = builtin::Settings {
            repositories: repositories
                .filter_map(|(place, number)| match place {
                    RepositoryPlace::Folder(dir) => Some(self.path(dir, number)),
                    RepositoryPlace::S3(_) => None,
                })
                .collect(),
            key: builtin::Key::of(&options.pass).to_hex(),
            keep_full: options.keep_full.max(1) as usize,
            archive_timeout_seconds: options.archive_timeout_seconds.max(1),
            cluster: self.path(&self.cluster_dir(), CLUSTER_NUMBER),
            bin_dir: bin_dir.to_owned(),
            socket,
            port,
            user,
            password_file: self.work_path().join(PASSWORDS),
        };
        settings.render()
    }
}

/// A path in PostgreSQL's commands, which a shell reads after percent signs were replaced.
fn quote(path: &Path) -> String {
    format!("'{}'", path.to_string_lossy().replace('\'', "'\\''")).replace('%', "%%")
}

/// Colons and backslashes have a meaning in a password file.
fn escape(password: &str) -> String {
    password.replace('\\', "\\\\").replace(':', "\\:")
}

fn remove_file(path: &Path) -> Result<(), Error> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error).context("remove", path),
        _ => Ok(()),
    }
}
