//! The clocks of processes, by libfaketime: never the machine's.

use std::ffi::OsString;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// The clock of a process and of those that it starts.
#[derive(Debug)]
pub struct ChildClock {
    file: PathBuf,
    library: PathBuf,
}

impl ChildClock {
    /// One that is right so far. `file` is where it is set, which has to be readable by every process that has this clock.
    ///
    /// # Errors
    /// When the library is not there, or the file cannot be written.
    pub fn new(library: &Path, file: PathBuf) -> io::Result<Self> {
        if !library.is_file() {
            return Err(io::Error::new(
                io::ErrorKind::NotFound,
                "libfaketime is not there",
            ));
        }
        let clock = Self {
            file,
            library: library.to_owned(),
        };
        clock.move_by(0)?;
        Ok(clock)
    }

    /// Removes what processes that were killed have left of their clocks: one with the same number that runs as somebody else does not start with it.
    ///
    /// # Errors
    /// When the folder cannot be read.
    pub fn remove_leftovers() -> io::Result<()> {
        for entry in fs::read_dir("/dev/shm")? {
            let path = entry?.path();
            let name = path
                .file_name()
                .and_then(|name| name.to_str())
                .unwrap_or_default();
            let process = name
                .strip_prefix("sem.faketime_sem_")
                .or_else(|| name.strip_prefix("faketime_shm_"));
            if process.is_some_and(|id| !Path::new("/proc").join(id).exists()) {
                // Somebody else may have been quicker.
                let _ = fs::remove_file(path);
            }
        }
        Ok(())
    }

    /// What a process needs in its environment. Durations stay right: no clock jumps that the kernel promises to be steady.
    pub fn environment(&self) -> [(&'static str, OsString); 6] {
        [
            ("LD_PRELOAD", self.library.clone().into()),
            ("FAKETIME_TIMESTAMP_FILE", self.file.clone().into()),
            ("FAKETIME_CACHE_DURATION", "1".into()),
            ("FAKETIME_DONT_FAKE_MONOTONIC", "1".into()),
            ("DONT_FAKE_MONOTONIC", "1".into()),
            ("FAKETIME_DONT_RESET", "1".into()),
        ]
    }

    /// Moves it so many seconds from the right time; seen within about a second.
    ///
    /// # Errors
    /// When its file cannot be written.
    pub fn move_by(&self, seconds: i64) -> io::Result<()> {
        let next = self.file.with_extension("next");
        fs::write(&next, format!("{seconds:+}\n"))?;
        fs::rename(next, &self.file)
    }
}
