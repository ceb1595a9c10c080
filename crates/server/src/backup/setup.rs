//! What makes the backups, set up from the configuration.

use std::path::{Path, PathBuf};

use anyhow::{Context, bail, ensure};
use secrecy::SecretString;
use sg_postgres::{
    ArchiveAccess, BackupOptions, Binaries, Builtin, Login, Maker, PgBackRest, Place, Program,
    RepositoryPlace, S3, Search, Stanza,
};

use super::pass;
use crate::config::{BackupProgram, Config};
use crate::files;
use crate::up::{DATABASE, read_password, socket_dir};

/// Seconds that a backup waits for its last segment to reach the archive.
const ARCHIVE_PATIENCE: u32 = 120;

/// How the PostgreSQL of `up` reaches the archive. Where something is missing it is told by the watch: PostgreSQL keeps its log until it can be sent.
///
/// # Errors
/// In words: the pass is missing, or a folder cannot be made.
pub(crate) fn archiving(config: &Config) -> anyhow::Result<ArchiveAccess> {
    let settings = &config.backup;
    let (pass, made) = pass::load_or_create(&settings.pass_file(&config.data_dir), &settings.repository)?;
    if made {
        tracing::warn!(
            path = %settings.pass_file(&config.data_dir).display(),
            "made the pass of the backups; keep a copy of it away from this machine and from the repository"
        );
    }
    let program = choose_program(config).or_else(|error| {
        tracing::error!(error = format!("{error:#}"), "backups cannot be made");
        match wanted(config)? {
            Maker::PgBackRest => Ok(Program::PgBackRest(PgBackRest::expected(settings.pgbackrest()))),
            Maker::Builtin => builtin(config),
        }
    })?;
    let stanza = Stanza::prepare(options(config, program, pass)?)?;
    let seconds = settings.archive_timeout_seconds;
    if sg_postgres::is_standby(&config.data_dir) {
        return Ok(stanza.archiving_standby(seconds));
    }
    Ok(stanza.archiving(seconds))
}

/// What makes the backups.
///
/// # Errors
/// In words: a repository was made by the other one, or a program is missing.
pub(super) fn choose_program(config: &Config) -> anyhow::Result<Program> {
    let settings = &config.backup;
    let wanted = wanted(config)?;
    for dir in settings.folders() {
        // One that cannot be looked into is told by whoever works with it.
        match (wanted, Maker::of_repository(dir).unwrap_or_default()) {
            (Maker::PgBackRest, Some(Maker::Builtin)) => bail!(
                "the repository {} was made by the built-in way, and pgBackRest does not go on with it: set backup.program to \"builtin\", or begin another repository (backup.repository)",
                dir.display()
            ),
            (Maker::Builtin, Some(Maker::PgBackRest)) => bail!(
                "the repository {} was made by pgBackRest, and the built-in way does not go on with it: set backup.program to \"pgbackrest\", or begin another repository \
                 (backup.repository)",
                dir.display()
            ),
            _ => {}
        }
    }
    match wanted {
        Maker::Builtin => builtin(config),
        Maker::PgBackRest => Ok(Program::PgBackRest(PgBackRest::find(settings.pgbackrest())?)),
    }
}

/// Which of the two it is to be. What made the repository goes on with it; one that does not tell is left to whom was configured last, so that a disk that is not mounted
/// changes nothing.
fn wanted(config: &Config) -> anyhow::Result<Maker> {
    let settings = &config.backup;
    match settings.program {
        BackupProgram::PgBackRest => return Ok(Maker::PgBackRest),
        BackupProgram::Builtin => return Ok(Maker::Builtin),
        BackupProgram::Auto => {}
    }
    let told = Maker::of_repository(&settings.repository).unwrap_or_default();
    if let Some(maker) = told.or(Maker::of_work_dir(&settings.work_dir(&config.data_dir))?) {
        return Ok(maker);
    }
    match PgBackRest::find(settings.pgbackrest()) {
        Ok(_) => Ok(Maker::PgBackRest),
        Err(error) => {
            if settings.has_bucket() {
                return Err(error).context("a bucket needs pgBackRest");
            }
            tracing::warn!(
                "pgBackRest was not found, so backups are made by the built-in way: PostgreSQL's own pg_basebackup, full backups only, into folders only"
            );
            Ok(Maker::Builtin)
        }
    }
}

fn builtin(config: &Config) -> anyhow::Result<Program> {
    let executable = std::env::current_exe().context("cannot find this program")?;
    // So the system calls it after an update; its successor has the same place.
    let name = executable.to_string_lossy();
    let executable = PathBuf::from(name.strip_suffix(" (deleted)").unwrap_or(&name));
    Ok(Program::Builtin(Builtin {
        executable,
        bin_dir: binaries(config)?.bin_dir,
    }))
}

/// Sets it up.
///
/// # Errors
/// In words: backups are off, the program or the pass is missing, a folder cannot be made.
pub(crate) fn open(config: &Config) -> anyhow::Result<Stanza> {
    let settings = &config.backup;
    ensure!(
        settings.is_on(),
        "no repository is set: backup.repository names the folder for backups, on another disk than the database"
    );
    let program = choose_program(config)?;
    let pass = pass::load(&settings.pass_file(&config.data_dir))?;
    Ok(Stanza::prepare(options(config, program, pass)?)?)
}

/// As [`open`], making the pass where there is none yet. True when it was made.
pub(crate) fn open_first(config: &Config) -> anyhow::Result<(Stanza, bool)> {
    let settings = &config.backup;
    ensure!(
        settings.is_on(),
        "no repository is set: backup.repository names the folder for backups, on another disk than the database"
    );
    choose_program(config)?;
    let (_, made) = pass::load_or_create(&settings.pass_file(&config.data_dir), &settings.repository)?;
    Ok((open(config)?, made))
}

/// What the doctor says.
///
/// # Errors
/// In words: what is wrong and what to do.
pub(crate) fn check_setup(config: &Config) -> anyhow::Result<String> {
    let settings = &config.backup;
    if !settings.is_on() {
        bail!("no backups are made; set backup.repository to a folder on another disk");
    }
    let program = choose_program(config)?;
    let path = settings.pass_file(&config.data_dir);
    if path.exists() {
        pass::load(&path)?;
    }
    let second = if settings.second_repository.as_os_str().is_empty() {
        "; there is no second repository, a fire takes both".to_owned()
    } else {
        format!(" and {}", settings.second_repository.display())
    };
    let who = match program {
        Program::PgBackRest(found) => format!("pgBackRest {}", found.version),
        Program::Builtin(_) => "the built-in way (full backups only)".to_owned(),
    };
    Ok(format!(
        "{who} keeps them in {}{second}",
        settings.repository.display()
    ))
}

/// PostgreSQL's programs.
pub(crate) fn binaries(config: &Config) -> anyhow::Result<Binaries> {
    let search = Search {
        explicit: config.database.pg_bin().map(Path::to_owned),
        data_dir: Some(config.data_dir.clone()),
        ..Search::default()
    };
    Ok(search.run()?)
}

pub(super) fn options(
    config: &Config,
    program: Program,
    pass: SecretString,
) -> anyhow::Result<BackupOptions> {
    let settings = &config.backup;
    // pg_basebackup needs the right to replicate, which no role of the product has. The account that is given this password owns the files anyway.
    let (file, user) = match program {
        Program::PgBackRest(_) => ("sg_backup", "sg_backup"),
        Program::Builtin(_) => ("postgres-superuser", "postgres"),
    };
    let place = match settings.other_cluster() {
        Some(other) => Place::Other {
            cluster_dir: other.data_dir.clone(),
            socket_dir: other.socket_dir.clone(),
            port: other.port,
            user: other.user.clone(),
        },
        None => Place::Own {
            data_dir: config.data_dir.clone(),
            socket_dir: socket_dir(&config.data_dir),
            port: config.standby.listen().map_or(5432, |listen| listen.port()),
            login: read_password(&config.data_dir, file)?.map(|password| Login {
                user: user.to_owned(),
                password,
                database: DATABASE.to_owned(),
            }),
        },
    };
    let mut repositories = vec![RepositoryPlace::Folder(settings.repository.clone())];
    if settings.has_bucket() {
        repositories.push(RepositoryPlace::S3(bucket(config)?));
    } else if !settings.second_repository.as_os_str().is_empty() {
        repositories.push(RepositoryPlace::Folder(settings.second_repository.clone()));
    }
    Ok(BackupOptions {
        program,
        place,
        work_dir: settings.work_dir(&config.data_dir),
        repositories,
        pass,
        keep_full: settings.keep_full,
        processes: settings.processes,
        archive_timeout_seconds: ARCHIVE_PATIENCE,
    })
}

fn bucket(config: &Config) -> anyhow::Result<S3> {
    let s3 = &config.backup.s3;
    let text = std::fs::read_to_string(&s3.key_file)
        .with_context(|| format!("cannot read backup.s3.key_file {}", s3.key_file.display()))?;
    ensure!(
        !files::is_readable_by_others(&s3.key_file)?,
        "others may read {}; run: chmod 0600 {}",
        s3.key_file.display(),
        s3.key_file.display()
    );
    let mut lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
    let (Some(key), Some(secret), None) = (lines.next(), lines.next(), lines.next()) else {
        bail!(
            "{} has to hold two lines: access key and secret key",
            s3.key_file.display()
        );
    };
    let authorities = (!s3.ca_file.as_os_str().is_empty())
        .then(|| std::fs::read_to_string(&s3.ca_file))
        .transpose()
        .with_context(|| format!("cannot read backup.s3.ca_file {}", s3.ca_file.display()))?;
    Ok(S3 {
        bucket: s3.bucket.clone(),
        endpoint: s3.endpoint.clone(),
        region: s3.region.clone(),
        path: s3.path.clone(),
        key: key.into(),
        key_secret: secret.into(),
        path_style: s3.path_style,
        authorities,
    })
}
