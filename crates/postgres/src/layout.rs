//! The product's directory: whose it is, who holds it, and the secret in it.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{ErrorKind, Read, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, flock};
use secrecy::SecretString;

use crate::error::{Context, Error};
use crate::user::{self, RunAs};

/// First line of the lock file, by which a directory is known to be ours.
const MARK: &str = "secureguard";
const LOCK: &str = "lock";
const SECRET: &str = "postgres-superuser";
/// The folders that this library makes.
const OURS: [&str; 5] = ["postgres", "postgres.new", "run", "log", "secrets"];

/// The locked directory. The lock goes when this is dropped or the process ends.
#[derive(Debug)]
pub(crate) struct Layout {
    pub(crate) dir: PathBuf,
    _lock: File,
}

impl Layout {
    /// Makes the directory when it is missing, refuses one that is not ours, and locks it.
    pub(crate) fn open(dir: &Path) -> Result<Self, Error> {
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(dir)
            .context("create", dir)?;
        let dir = fs::canonicalize(dir).context("open", dir)?;
        let lock_path = dir.join(LOCK);
        if !is_ours(&lock_path) {
            refuse_foreign(&dir)?;
        }
        let mut lock = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .custom_flags(rustix::fs::OFlags::NOFOLLOW.bits().cast_signed())
            .open(&lock_path)
            .context("open", &lock_path)?;
        match flock(&lock, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => {}
            Err(rustix::io::Errno::WOULDBLOCK) => {
                return Err(Error::InUse {
                    dir,
                    pid: read_holder(&mut lock),
                });
            }
            Err(errno) => return Err(errno).context("lock", &lock_path),
        }
        // Of one length, so that a full disk cannot leave half of it.
        write!(lock, "{MARK}\n{:<10}\n", std::process::id()).context("write", &lock_path)?;
        Ok(Self { dir, _lock: lock })
    }

    pub(crate) fn cluster_dir(&self) -> PathBuf {
        self.dir.join("postgres")
    }

    pub(crate) fn unfinished_dir(&self) -> PathBuf {
        self.dir.join("postgres.new")
    }

    pub(crate) fn log_path(&self) -> PathBuf {
        self.dir.join("log/postgresql.log")
    }

    pub(crate) fn secret_path(&self) -> PathBuf {
        self.dir.join("secrets").join(SECRET)
    }

    /// The superuser's password, when there is one.
    pub(crate) fn read_secret(&self) -> Result<Option<SecretString>, Error> {
        let path = self.secret_path();
        match fs::read_to_string(&path) {
            Ok(text) if text.trim().is_empty() => Ok(None),
            Ok(text) => Ok(Some(SecretString::from(text.trim()))),
            Err(e) if e.kind() == ErrorKind::NotFound => Ok(None),
            Err(e) => Err(e).context("read", &path),
        }
    }

    /// Makes the superuser's password (256 random bits) and stores it where only its owner may read it.
    pub(crate) fn create_secret(&self) -> Result<SecretString, Error> {
        use secrecy::ExposeSecret;

        make_private_dir(&self.dir.join("secrets"))?;
        let secret = SecretString::from(hex::encode(rand::random::<[u8; 32]>()));
        let path = self.secret_path();
        let part = path.with_extension("new");
        let mut file = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o600)
            .open(&part)
            .context("create", &part)?;
        file.write_all(secret.expose_secret().as_bytes())
            .context("write", &part)?;
        file.sync_all().context("write", &part)?;
        fs::rename(&part, &path).context("create", &path)?;
        Ok(secret)
    }
}

/// Makes the product's directory and marks it as ours, for whoever puts something into it before the cluster is there.
///
/// # Errors
/// [`Error::InUse`], [`Error::Foreign`], or what the file system says.
pub fn claim_dir(dir: &Path) -> Result<(), Error> {
    Layout::open(dir).map(drop)
}

/// Makes a folder that only its owner may enter; one that exists is tightened.
pub(crate) fn make_private_dir(dir: &Path) -> Result<(), Error> {
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(dir)
        .context("create", dir)?;
    fs::set_permissions(dir, fs::Permissions::from_mode(0o700)).context("change the mode of", dir)
}

/// Makes a folder for the account that PostgreSQL runs as.
pub(crate) fn make_dir_for(dir: &Path, run_as: &RunAs) -> Result<(), Error> {
    make_private_dir(dir)?;
    if run_as.switch {
        let handle = File::open(dir).context("open", dir)?;
        std::os::unix::fs::fchown(&handle, Some(run_as.uid), Some(run_as.gid))
            .context("change the owner of", dir)?;
    }
    Ok(())
}

/// Whether `dir` holds a finished cluster. An error when it holds something else, or a cluster that `run_as` cannot serve.
pub(crate) fn has_cluster(dir: &Path, run_as: &RunAs, bin: &crate::Binaries) -> Result<bool, Error> {
    let metadata = match fs::metadata(dir) {
        Ok(metadata) => metadata,
        Err(e) if e.kind() == ErrorKind::NotFound => return Ok(false),
        Err(e) => return Err(e).context("open", dir),
    };
    if !run_as.switch && metadata.uid() != run_as.uid {
        return Err(wrong_owner(dir, &metadata, run_as));
    }
    if fs::read_dir(dir).context("open", dir)?.next().is_none() {
        return Ok(false);
    }
    let made_by = fs::read_to_string(dir.join("PG_VERSION"))
        .unwrap_or_default()
        .trim()
        .to_owned();
    if made_by.is_empty() || !dir.join("global/pg_control").is_file() {
        let reason =
            "it is not empty and holds no PostgreSQL cluster (PG_VERSION or global/pg_control is missing)"
                .to_owned();
        return Err(Error::Foreign {
            dir: dir.to_owned(),
            reason,
        });
    }
    if made_by != bin.version.major.to_string() {
        let (bin_dir, found) = (bin.bin_dir.clone(), bin.version.major);
        return Err(Error::OtherMajor {
            dir: dir.to_owned(),
            made_by,
            bin_dir,
            found,
        });
    }
    if metadata.uid() != run_as.uid {
        return Err(wrong_owner(dir, &metadata, run_as));
    }
    let mode = metadata.mode() & 0o7777;
    if mode & 0o027 != 0 {
        return Err(Error::WrongMode {
            dir: dir.to_owned(),
            mode,
        });
    }
    Ok(true)
}

fn wrong_owner(dir: &Path, metadata: &fs::Metadata, run_as: &RunAs) -> Error {
    Error::WrongOwner {
        dir: dir.to_owned(),
        owner: user::describe(metadata.uid()),
        expected: run_as.name.clone(),
    }
}

/// Refuses a directory with less than `needed` bytes free for us.
pub(crate) fn require_space(dir: &Path, needed: u64) -> Result<(), Error> {
    let available = free_bytes(dir)?;
    if available < needed {
        return Err(Error::DiskFull {
            dir: dir.to_owned(),
            available,
            needed,
        });
    }
    Ok(())
}

/// Bytes that an unprivileged user may still write below `dir`.
pub(crate) fn free_bytes(dir: &Path) -> Result<u64, Error> {
    let stat = rustix::fs::statvfs(dir).context("measure", dir)?;
    Ok(stat.f_bavail.saturating_mul(stat.f_frsize))
}

/// Without our lock file, a directory is accepted when nothing in it can be mistaken for ours: no folder of one of our
/// names, no cluster, no other folder. Loose files, such as a caller's log, are no reason to refuse.
fn refuse_foreign(dir: &Path) -> Result<(), Error> {
    let foreign = |reason: String| {
        Err(Error::Foreign {
            dir: dir.to_owned(),
            reason,
        })
    };
    for entry in fs::read_dir(dir).context("open", dir)? {
        let entry = entry.context("read", dir)?;
        let name = entry.file_name();
        let name = name.to_string_lossy();
        if name == "PG_VERSION" {
            return foreign("it is a PostgreSQL cluster of its own".to_owned());
        }
        if name == LOCK {
            let empty = entry.metadata().is_ok_and(|m| m.is_file() && m.len() == 0);
            if !empty {
                return foreign("its file `lock` is not ours".to_owned());
            }
        } else if OURS.contains(&name.as_ref()) || entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            return foreign(format!(
                "it already holds `{name}`, which SecureGuard did not make"
            ));
        }
    }
    Ok(())
}

fn is_ours(lock_path: &Path) -> bool {
    fs::symlink_metadata(lock_path).is_ok_and(|m| m.is_file() && m.len() < 4096)
        && fs::read_to_string(lock_path).is_ok_and(|text| text.lines().next() == Some(MARK))
}

fn read_holder(lock: &mut File) -> String {
    let mut text = String::new();
    match lock.read_to_string(&mut text) {
        Ok(_) => text.lines().nth(1).unwrap_or("unknown").trim().to_owned(),
        Err(_) => "unknown".to_owned(),
    }
}
