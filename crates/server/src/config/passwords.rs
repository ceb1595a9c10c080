//! `[passwords]`.

use std::path::PathBuf;

use serde::Deserialize;

use crate::passwords::{BreachedPasswords, Pepper};

/// Cost of password hashing.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PasswordsConfig {
    /// Passwords hashed at the same time; 0: as many as there are processors.
    pub concurrency: usize,
    /// Requests that may wait for that.
    pub queue: usize,
    /// File with the keys of peppered hashes; empty: no pepper.
    pub pepper_file: PathBuf,
    /// What is in it.
    #[serde(skip)]
    pub pepper: Pepper,
    /// File with the hashes of breached passwords; empty: none.
    pub breached_file: PathBuf,
    /// The same, open.
    #[serde(skip)]
    pub breached: Option<BreachedPasswords>,
}

impl PasswordsConfig {
    /// Passwords hashed at the same time, 1 or more.
    pub fn effective_concurrency(&self) -> usize {
        match self.concurrency {
            // One processor is left for everybody who does not sign in at the moment.
            0 => std::thread::available_parallelism().map_or(1, |processors| (processors.get() - 1).max(1)),
            n => n,
        }
    }

    /// Reads the files that the settings name. Every fault is told.
    pub(super) fn load_files(&mut self) -> Vec<String> {
        let mut faults = self.load_pepper();
        if !self.breached_file.as_os_str().is_empty() {
            match BreachedPasswords::open(&self.breached_file) {
                Ok(breached) => self.breached = Some(breached),
                Err(reason) => faults.push(format!(
                    "setting `passwords.breached_file`: {} {reason}",
                    self.breached_file.display()
                )),
            }
        }
        faults
    }

    fn load_pepper(&mut self) -> Vec<String> {
        if self.pepper_file.as_os_str().is_empty() {
            return Vec::new();
        }
        let path = self.pepper_file.display();
        let read = std::fs::read_to_string(&self.pepper_file)
            .map_err(|error| format!("setting `passwords.pepper_file`: {path} cannot be read: {error}"));
        let parsed = read.and_then(|text| {
            Pepper::parse(&text)
                .map_err(|reason| format!("setting `passwords.pepper_file`: {path}: {reason}"))
        });
        match parsed {
            Ok(pepper) => {
                self.pepper = pepper;
                Vec::new()
            }
            Err(reason) => vec![reason],
        }
    }
}
