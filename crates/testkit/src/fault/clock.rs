//! The clocks of processes, by libfaketime: never the machine's.

use std::ffi::OsString;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// The variable that names the library; without it no clock is moved.
const LIBRARY: &str = "SG_CHAOS_FAKETIME";

/// The clock of a process and of those that it starts.
#[derive(Debug)]
pub(crate) struct ChildClock {
    file: PathBuf,
    library: OsString,
}

impl ChildClock {
    /// One that is right so far; none without the library.
    pub(crate) fn new(file: PathBuf) -> io::Result<Option<Self>> {
        let library = std::env::var_os(LIBRARY).filter(|library| Path::new(library).is_file());
        let Some(library) = library else {
            return Ok(None);
        };
        let clock = Self { file, library };
        clock.move_by(0)?;
        Ok(Some(clock))
    }

    /// What the process needs in its environment. Durations stay right: no clock jumps that the kernel promises to be steady.
    pub(crate) fn environment(&self) -> Vec<(OsString, OsString)> {
        [
            ("LD_PRELOAD", self.library.clone()),
            ("FAKETIME_TIMESTAMP_FILE", self.file.clone().into()),
            ("FAKETIME_CACHE_DURATION", "1".into()),
            ("FAKETIME_DONT_FAKE_MONOTONIC", "1".into()),
            ("DONT_FAKE_MONOTONIC", "1".into()),
            ("FAKETIME_DONT_RESET", "1".into()),
        ]
        .map(|(name, value)| (name.into(), value))
        .into()
    }

    /// Moves it so far from the right time; seen within about a second.
    pub(crate) fn move_by(&self, seconds: i64) -> io::Result<()> {
        let next = self.file.with_extension("next");
        fs::write(&next, format!("{seconds:+}\n"))?;
        fs::rename(next, &self.file)
    }
}
