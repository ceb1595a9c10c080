//! The folder that everything the agent must remember lives in: owner-only, one process at a time, files replaced as a whole.

use std::fs::{self, DirBuilder, File, OpenOptions, TryLockError};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use serde::Serialize;
use serde::de::DeserializeOwned;

/// Bytes of a state file at most; a larger one is not the agent's work.
const MAX_STATE_FILE_BYTES: u64 = 96 * 1024 * 1024;

/// How often and at which distance a held lock is tried again.
const LOCK_ATTEMPTS: u32 = 20;
const LOCK_PAUSE: Duration = Duration::from_millis(50);

/// An agent's state folder (mode 0700, its files 0600).
#[derive(Debug, Clone)]
pub struct StateDir {
    path: PathBuf,
}

/// Held while a process may change the state; released by the kernel when the process ends, however it ends.
#[derive(Debug)]
pub struct StateLock {
    _file: File,
}

impl StateDir {
    /// Opens the folder, creating it when it is missing.
    ///
    /// # Errors
    /// When it cannot be created, is not a folder, belongs to another user, or others could write to it.
    pub fn create(path: &Path) -> Result<Self> {
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(path)
            .with_context(|| format!("cannot create the state folder {}", path.display()))?;
        let dir = Self::open(path)?;
        let mode = fs::metadata(&dir.path)?.mode() & 0o777;
        if mode != 0o700 {
            fs::set_permissions(&dir.path, fs::Permissions::from_mode(0o700))
                .with_context(|| format!("cannot make {} owner-only (mode 0700)", dir.path.display()))?;
        }
        Ok(dir)
    }

    /// Opens an existing folder.
    ///
    /// # Errors
    /// When it is missing, is not a folder or belongs to another user than the one that runs this.
    pub fn open(path: &Path) -> Result<Self> {
        let path = path
            .canonicalize()
            .with_context(|| format!("cannot open the state folder {}", path.display()))?;
        let metadata = fs::metadata(&path)?;
        if !metadata.is_dir() {
            bail!("{} is not a folder", path.display());
        }
        let user = rustix::process::geteuid().as_raw();
        if metadata.uid() != user {
            bail!(
                "the state folder {} belongs to user {} but this runs as user {user}: run it as its owner, or choose another folder",
                path.display(),
                metadata.uid()
            );
        }
        Ok(Self { path })
    }

    /// The folder's canonical path.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The path of one of its files.
    pub fn file(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    /// Takes the folder for this process.
    ///
    /// # Errors
    /// When another process holds it; the message names the process.
    pub fn lock(&self) -> Result<StateLock> {
        let path = self.file("lock");
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(&path)
            .with_context(|| format!("cannot open {}", path.display()))?;
        match try_lock_patiently(&file) {
            Ok(()) => {
                file.set_len(0)?;
                write!(file, "{}", std::process::id())?;
                Ok(StateLock { _file: file })
            }
            Err(TryLockError::WouldBlock) => {
                let mut holder = String::new();
                let _ = (&file).take(16).read_to_string(&mut holder);
                bail!(
                    "another agent (process {}) uses the state folder {}: stop it first, for example with `systemctl stop secureguard-agent`",
                    holder.trim(),
                    self.path.display()
                )
            }
            Err(TryLockError::Error(error)) => {
                Err(error).with_context(|| format!("cannot lock {}", path.display()))
            }
        }
    }

    /// Whether a process holds the folder at this moment.
    pub fn is_locked(&self) -> bool {
        match File::open(self.file("lock")) {
            Ok(file) => matches!(file.try_lock(), Err(TryLockError::WouldBlock)),
            Err(_) => false,
        }
    }

    /// Replaces a file as a whole: whatever happens, it holds the old content or the new one, and the new one once this returns.
    ///
    /// # Errors
    /// When the content cannot be written, flushed or renamed; the old content is then still there.
    pub fn replace(&self, name: &str, content: &[u8]) -> io::Result<()> {
        self.write_aside(name, content, true)
    }

    /// Replaces a file as a whole without waiting for the disk, for what is only a view of the present.
    ///
    /// # Errors
    /// When the content cannot be written or renamed.
    pub fn replace_unsynced(&self, name: &str, content: &[u8]) -> io::Result<()> {
        self.write_aside(name, content, false)
    }

    /// Replaces a file by a value as JSON.
    ///
    /// # Errors
    /// As [`Self::replace`].
    pub fn replace_json<T: Serialize>(&self, name: &str, value: &T) -> io::Result<()> {
        self.replace(name, &serde_json::to_vec_pretty(value)?)
    }

    /// Reads a JSON file; none when it is missing.
    ///
    /// # Errors
    /// When it cannot be read or does not hold what it should.
    pub fn read_json<T: DeserializeOwned>(&self, name: &str) -> Result<Option<T>> {
        let path = self.file(name);
        let content = match File::open(&path) {
            Ok(file) => read_bounded(file)?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error).with_context(|| format!("cannot read {}", path.display())),
        };
        serde_json::from_slice(&content).map(Some).with_context(|| {
            format!(
                "{} is damaged; moving it away and enrolling again mends it",
                path.display()
            )
        })
    }

    /// Removes a file; a missing one is fine.
    ///
    /// # Errors
    /// When it is there and cannot be removed.
    pub fn remove(&self, name: &str) -> io::Result<()> {
        match fs::remove_file(self.file(name)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }

    fn write_aside(&self, name: &str, content: &[u8], durable: bool) -> io::Result<()> {
        let temporary = self.file(&format!("{name}.new"));
        let mut file = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o600)
            .open(&temporary)?;
        file.write_all(content)?;
        if durable {
            file.sync_all()?;
        }
        fs::rename(&temporary, self.file(name))?;
        if durable { sync_dir(&self.path) } else { Ok(()) }
    }
}

/// Makes the names in a folder durable.
///
/// # Errors
/// When the folder cannot be opened or flushed.
pub fn sync_dir(path: &Path) -> io::Result<()> {
    File::open(path)?.sync_all()
}

/// A process that was killed holds its lock until the kernel has cleaned it up.
fn try_lock_patiently(file: &File) -> Result<(), TryLockError> {
    for _ in 0..LOCK_ATTEMPTS {
        match file.try_lock() {
            Err(TryLockError::WouldBlock) => std::thread::sleep(LOCK_PAUSE),
            other => return other,
        }
    }
    file.try_lock()
}

fn read_bounded(file: File) -> io::Result<Vec<u8>> {
    let mut content = Vec::new();
    file.take(MAX_STATE_FILE_BYTES).read_to_end(&mut content)?;
    Ok(content)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_folder_and_its_files_are_owner_only() {
        let parent = tempfile::tempdir().unwrap();
        let dir = StateDir::create(&parent.path().join("a/b")).unwrap();
        dir.replace_json("x.json", &vec![1, 2]).unwrap();
        assert_eq!(fs::metadata(dir.path()).unwrap().mode() & 0o777, 0o700);
        assert_eq!(fs::metadata(dir.file("x.json")).unwrap().mode() & 0o777, 0o600);
        assert_eq!(dir.read_json::<Vec<u8>>("x.json").unwrap(), Some(vec![1, 2]));
        assert_eq!(dir.read_json::<Vec<u8>>("y.json").unwrap(), None);
    }

    #[test]
    fn only_one_process_holds_it() {
        let parent = tempfile::tempdir().unwrap();
        let dir = StateDir::create(parent.path()).unwrap();
        let lock = dir.lock().unwrap();
        assert!(dir.is_locked());
        let message = dir.lock().unwrap_err().to_string();
        assert!(message.contains(&std::process::id().to_string()), "{message}");
        drop(lock);
        assert!(!dir.is_locked());
        dir.lock().unwrap();
    }

    #[test]
    fn a_damaged_file_is_an_error_that_says_what_to_do() {
        let parent = tempfile::tempdir().unwrap();
        let dir = StateDir::create(parent.path()).unwrap();
        dir.replace("x.json", b"{").unwrap();
        let message = dir.read_json::<Vec<u8>>("x.json").unwrap_err().to_string();
        assert!(message.contains("is damaged"), "{message}");
    }
}
