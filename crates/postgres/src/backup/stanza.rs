//! pgBackRest's view of one cluster and its repositories.

use std::fmt::Write as _;
use std::os::fd::RawFd;
use std::path::{Path, PathBuf};
use std::process::Command;

use secrecy::{ExposeSecret, SecretString};

use super::archive::{self, Gap};
use super::info::{self, BackupInfo, BackupKind};
use super::run::{self, Watch};
use super::{BackupOptions, Place, RepositoryPlace, S3};
use crate::error::Error;
use crate::process::{CLUSTER_NUMBER, Handed, REPOSITORY_NUMBER, WORK_NUMBER};
use crate::user::{self, RunAs};
use crate::{config, layout};

/// pgBackRest's name for the cluster.
const NAME: &str = "secureguard";
const CONFIGURATION: &str = "pgbackrest.conf";
const PASSWORDS: &str = "pgpass";

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

/// A cluster with its repositories, and pgBackRest configured for it.
#[derive(Debug, Clone)]
pub struct Stanza {
    options: BackupOptions,
    pub(super) run_as: RunAs,
}

impl Stanza {
    /// Makes the folders that are missing and writes pgBackRest's configuration.
    ///
    /// # Errors
    /// When a folder cannot be made or a file cannot be written.
    pub fn prepare(options: BackupOptions) -> Result<Self, Error> {
        let cluster_dir = match &options.place {
            Place::Own { data_dir, .. } => data_dir.join("postgres"),
            Place::Other { cluster_dir, .. } => cluster_dir.clone(),
        };
        let run_as = user::choose(&cluster_dir)?;
        let this = Self { options, run_as };
        layout::make_dir_for(&this.options.work_dir, &this.run_as)?;
        for repository in &this.options.repositories {
            if let RepositoryPlace::Folder(dir) = repository
                && !dir.exists()
            {
                layout::make_dir_for(dir, &this.run_as)?;
            }
        }
        let work = &this.options.work_dir;
        config::replace(work, CONFIGURATION, &this.render(), &this.run_as)?;
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
                (
                    "archive_command".to_owned(),
                    self.shell_command("archive-push \"%p\""),
                ),
            ],
            folders: self.folders(),
        }
    }

    /// The archive command, for the configuration of a PostgreSQL that somebody else runs.
    pub fn archive_command(&self) -> String {
        self.shell_command("archive-push \"%p\"")
    }

    /// As [`Self::archiving`], for a standby, which also fetches from the archive what its primary no longer has.
    pub fn archiving_standby(&self, timeout_seconds: u32) -> ArchiveAccess {
        let mut access = self.archiving(timeout_seconds);
        access
            .settings
            .extend(self.fetching(&self.cluster_dir()).settings);
        access
    }

    /// What the PostgreSQL of another directory needs to fetch its log from the archive.
    pub(super) fn fetching(&self, cluster_dir: &Path) -> ArchiveAccess {
        let place = self.path(cluster_dir, CLUSTER_NUMBER);
        ArchiveAccess {
            settings: vec![(
                "restore_command".to_owned(),
                self.shell_command(&format!("--pg1-path={} archive-get %f \"%p\"", quote(&place))),
            )],
            folders: self.folders(),
        }
    }

    /// Makes the repositories ready. Does nothing where they are.
    ///
    /// # Errors
    /// [`Error::PgBackRest`]: another database's repository, another pass, no access.
    pub fn init(&self, watch: &mut dyn Watch) -> Result<(), Error> {
        self.run("making the repository", &["stanza-create"], None, watch)
            .map(drop)
    }

    /// Makes a backup and removes those that are past their retention. What an interrupted one has copied is used. Returns the backup, and what
    /// pgBackRest warned of.
    ///
    /// # Errors
    /// [`Error::PgBackRest`], [`Error::Interrupted`].
    pub fn back_up(
        &self,
        kind: BackupKind,
        repository: u8,
        watch: &mut dyn Watch,
    ) -> Result<(BackupInfo, Vec<String>), Error> {
        let (kind, repository_option) = (
            format!("--type={}", kind.as_str()),
            format!("--repo={repository}"),
        );
        let arguments = [
            "--log-level-console=detail",
            kind.as_str(),
            repository_option.as_str(),
            "backup",
        ];
        let done = self.run("the backup", &arguments, None, watch)?;
        let newest = self
            .list(watch)?
            .into_iter()
            .rfind(|backup| backup.repository == repository);
        let newest = newest.ok_or_else(|| Error::PgBackRest {
            what: "the backup",
            advice: "it ended well, and is not in the repository".to_owned(),
            output: String::new(),
        })?;
        Ok((newest, done.warnings))
    }

    /// All backups of all repositories, oldest first.
    ///
    /// # Errors
    /// [`Error::PgBackRest`]: a repository cannot be read, or not with this pass.
    pub fn list(&self, watch: &mut dyn Watch) -> Result<Vec<BackupInfo>, Error> {
        let what = "reading the repository";
        let done = self.run(what, &["--output=json", "info"], None, watch)?;
        info::parse(&done.stdout).map_err(|output| run::refuse(what, &output))
    }

    /// Reads every file of the repositories and compares its checksum. Returns pgBackRest's words about what does not fit, none when all does.
    ///
    /// # Errors
    /// [`Error::PgBackRest`].
    pub fn verify(&self, repository: u8, watch: &mut dyn Watch) -> Result<Vec<String>, Error> {
        let option = format!("--repo={repository}");
        let arguments = ["--log-level-console=info", option.as_str(), "verify"];
        let done = self.run("the verification", &arguments, None, watch)?;
        Ok(done.warnings)
    }

    /// Segments of the log that are missing in the archives. `segment_bytes` is `wal_segment_size`, 16 MiB unless the cluster was made otherwise.
    ///
    /// # Errors
    /// [`Error::PgBackRest`].
    pub fn find_gaps(&self, segment_bytes: u64, watch: &mut dyn Watch) -> Result<Vec<Gap>, Error> {
        let backups = self.list(watch)?;
        let mut gaps = Vec::new();
        for (repository, _) in (1..).zip(&self.options.repositories) {
            let option = format!("--repo={repository}");
            let path = format!("archive/{NAME}");
            let arguments = ["--output=json", "--recurse", option.as_str(), "repo-ls", &path];
            let done = self.run("reading the archive", &arguments, None, watch)?;
            let files: serde_json::Map<String, serde_json::Value> = serde_json::from_str(done.stdout.trim())
                .map_err(|error| Error::PgBackRest {
                    what: "reading the archive",
                    advice: "its list of files is no JSON".to_owned(),
                    output: error.to_string(),
                })?;
            gaps.extend(archive::find_gaps(
                repository,
                files.keys().map(String::as_str),
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

    /// Runs pgBackRest on the cluster, or on another directory in its place.
    pub(super) fn run(
        &self,
        what: &'static str,
        arguments: &[&str],
        other_dir: Option<&Path>,
        watch: &mut dyn Watch,
    ) -> Result<run::Done, Error> {
        let mut handed = Vec::new();
        for (dir, number) in self.folders() {
            handed.push(Handed::fixed(&dir, &self.run_as, number)?);
        }
        let cluster_dir = other_dir.map_or_else(|| self.cluster_dir(), Path::to_owned);
        let mut command = Command::new(&self.options.program.path);
        command
            .env_clear()
            .env("LC_ALL", "C")
            .env("PATH", "/usr/bin:/bin");
        command.env("PGPASSFILE", self.work_path().join(PASSWORDS));
        command.arg(format!(
            "--config={}",
            self.work_path().join(CONFIGURATION).display()
        ));
        command.arg(format!("--stanza={NAME}"));
        if cluster_dir.is_dir() {
            let cluster = self.hand_cluster(&cluster_dir)?;
            if other_dir.is_some() {
                command.arg(format!("--pg1-path={}", cluster.path().display()));
            }
            handed.push(cluster);
        }
        let socket = match &self.options.place {
            Place::Own { socket_dir, .. } if socket_dir.is_dir() => {
                Some(Handed::fixed(socket_dir, &self.run_as, SOCKET_NUMBER)?)
            }
            _ => None,
        };
        handed.extend(socket);
        command.args(arguments);
        run::run(
            what,
            &mut command,
            &self.run_as,
            &handed.iter().collect::<Vec<_>>(),
            watch,
        )
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
        std::iter::once((self.options.work_dir.clone(), WORK_NUMBER))
            .chain(repositories)
            .collect()
    }

    /// A folder as pgBackRest finds it.
    fn path(&self, dir: &Path, number: RawFd) -> PathBuf {
        match &self.options.place {
            Place::Own { .. } => Handed::fixed_path(dir, &self.run_as, number),
            Place::Other { .. } => dir.to_owned(),
        }
    }

    fn work_path(&self) -> PathBuf {
        self.path(&self.options.work_dir, WORK_NUMBER)
    }

    fn shell_command(&self, rest: &str) -> String {
        format!(
            "{} --config={} --stanza={NAME} {rest}",
            quote(&self.options.program.path),
            quote(&self.work_path().join(CONFIGURATION))
        )
    }

    fn render(&self) -> String {
        let options = &self.options;
        let mut text =
            String::from("# Written by SecureGuard. Holds the pass of the repositories.\n[global]\n");
        for ((number, place), fd) in (1..).zip(&options.repositories).zip(REPOSITORY_NUMBER..) {
            match place {
                RepositoryPlace::Folder(dir) => {
                    let _ = writeln!(text, "repo{number}-path={}", self.path(dir, fd).display());
                }
                RepositoryPlace::S3(s3) => render_s3(&mut text, number, s3),
            }
            let _ = writeln!(text, "repo{number}-cipher-type=aes-256-cbc");
            let _ = writeln!(text, "repo{number}-cipher-pass={}", options.pass.expose_secret());
            let _ = writeln!(text, "repo{number}-retention-full={}", options.keep_full.max(1));
            let _ = writeln!(text, "repo{number}-bundle=y");
        }
        let _ = write!(
            text,
            "lock-path={}\nspool-path={}\nlog-level-file=off\nlog-level-stderr=warn\ncompress-type=zst\nstart-fast=y\nprocess-max={}\narchive-timeout={}\n\n[{NAME}]\n",
            self.work_path().join("lock").display(),
            // The package's own, in /var/spool, is closed to everybody but the user postgres, and a restore looks into it.
            self.work_path().join("spool").display(),
            options.processes.max(1),
            options.archive_timeout_seconds.max(1)
        );
        let cluster = self.path(&self.cluster_dir(), CLUSTER_NUMBER);
        let _ = writeln!(text, "pg1-path={}", cluster.display());
        match &options.place {
            Place::Own {
                socket_dir,
                port,
                login,
                ..
            } => {
                let socket = self.path(socket_dir, SOCKET_NUMBER);
                let _ = writeln!(text, "pg1-socket-path={}\npg1-port={port}", socket.display());
                if let Some(login) = login {
                    let _ = writeln!(text, "pg1-user={}\npg1-database={}", login.user, login.database);
                }
            }
            Place::Other {
                socket_dir,
                port,
                user,
                ..
            } => {
                let _ = writeln!(
                    text,
                    "pg1-socket-path={}\npg1-port={port}\npg1-user={user}",
                    socket_dir.display()
                );
            }
        }
        text
    }
}

/// The folder of the socket, behind the numbers of two repositories.
const SOCKET_NUMBER: RawFd = REPOSITORY_NUMBER + 2;

fn render_s3(text: &mut String, number: u32, s3: &S3) {
    let secret = |secret: &SecretString| secret.expose_secret().to_owned();
    let _ = write!(
        text,
        "repo{number}-type=s3\nrepo{number}-path={}\nrepo{number}-s3-bucket={}\nrepo{number}-s3-endpoint={}\nrepo{number}-s3-region={}\n\
         repo{number}-s3-key={}\nrepo{number}-s3-key-secret={}\n",
        s3.path,
        s3.bucket,
        s3.endpoint,
        s3.region,
        secret(&s3.key),
        secret(&s3.key_secret)
    );
    if s3.path_style {
        let _ = writeln!(text, "repo{number}-s3-uri-style=path");
    }
    if let Some(ca_file) = &s3.ca_file {
        let _ = writeln!(text, "repo{number}-storage-ca-file={}", ca_file.display());
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
