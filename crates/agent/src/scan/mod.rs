//! Scanning files: reading them, looking into archives, and walking folders, each within limits. What could not be looked at is told,
//! never passed over.

mod archive;
mod read;
mod walk;

pub use archive::unpack;
pub use read::{FileContent, read_file};
pub use walk::{Walk, Walked};

use std::fmt;
use std::time::Duration;

/// Gaps that are kept of one file; further ones are only counted.
const MAX_GAPS: usize = 100;

/// What looking at one file may cost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of a file, or of an entry of an archive, that is read.
    pub max_bytes: u64,
    /// Archives inside each other; 0 looks into none.
    pub max_depth: u32,
    /// Entries of everything that a file unpacks to.
    pub max_entries: u32,
    /// Bytes that a file may unpack to for each of its own; at least [`ALWAYS_UNPACKED`] are allowed.
    pub max_ratio: u32,
    /// Bytes that a file may unpack to in all.
    pub max_unpacked: u64,
    /// Bytes of unpacked entries that are held at the same time.
    pub max_held: u64,
    /// Time for one file with everything in it; YARA has a limit of its own for each content.
    pub max_time: Duration,
}

/// Bytes that a file may unpack to, however small it is.
pub const ALWAYS_UNPACKED: u64 = 16 * 1024 * 1024;

impl Limits {
    /// For a scan that somebody asked for.
    pub const ON_DEMAND: Self = Self {
        max_bytes: 64 * 1024 * 1024,
        max_depth: 8,
        max_entries: 20_000,
        max_ratio: 250,
        max_unpacked: 1024 * 1024 * 1024,
        max_held: 96 * 1024 * 1024,
        max_time: Duration::from_secs(120),
    };
    /// For files as they are written, beside everything else that the machine does.
    pub const ON_WRITE: Self = Self {
        max_bytes: 32 * 1024 * 1024,
        max_depth: 4,
        max_entries: 2_000,
        max_ratio: 250,
        max_unpacked: 128 * 1024 * 1024,
        max_held: 32 * 1024 * 1024,
        max_time: Duration::from_secs(20),
    };
}

/// Why something was not looked at, or only in part.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Reason {
    /// It is larger than what is read.
    TooLarge,
    /// It lies in more archives than are looked into.
    TooDeep,
    /// The file has more entries than are looked at.
    TooManyEntries,
    /// The file unpacks to more than is allowed.
    UnpacksToTooMuch,
    /// It took too long.
    TimedOut,
    /// It is encrypted.
    Encrypted,
    /// It is packed in a way that is not known.
    UnknownMethod,
    /// The archive is damaged, or no such archive.
    Damaged,
    /// An entry's name leads out of the folder that it would be unpacked to. It was looked at.
    LeadsOutside,
    /// It changed while it was read. It was looked at as it was read.
    Changed,
    /// It cannot be read.
    Unreadable,
    /// YARA did not scan it to its end.
    ScanIncomplete,
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::TooLarge => "larger than what is read",
            Self::TooDeep => "in more archives than are looked into",
            Self::TooManyEntries => "more entries than are looked at",
            Self::UnpacksToTooMuch => "unpacks to more than is allowed",
            Self::TimedOut => "took too long",
            Self::Encrypted => "encrypted",
            Self::UnknownMethod => "packed in a way that is not known",
            Self::Damaged => "damaged",
            Self::LeadsOutside => "the name leads out of the archive's folder",
            Self::Changed => "changed while it was read",
            Self::Unreadable => "cannot be read",
            Self::ScanIncomplete => "YARA did not scan it to its end",
        })
    }
}

/// Something that was not looked at in full.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Gap {
    /// The file, or `file!entry` inside an archive.
    pub path: String,
    /// Why.
    pub reason: Reason,
}

/// Gaps of one file, no more of them than are of use.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Gaps {
    /// The first of them.
    pub kept: Vec<Gap>,
    /// How many there are in all.
    pub count: u64,
}

impl Gaps {
    /// Adds one.
    pub fn add(&mut self, path: &str, reason: Reason) {
        self.count += 1;
        if self.kept.len() < MAX_GAPS {
            self.kept.push(Gap {
                path: path.to_owned(),
                reason,
            });
        }
    }

    /// Adds those of another list.
    pub fn extend(&mut self, other: Self) {
        self.count += other.count;
        let room = MAX_GAPS - self.kept.len().min(MAX_GAPS);
        self.kept.extend(other.kept.into_iter().take(room));
    }

    /// Whether everything was looked at; a name that leads outside hides nothing.
    pub fn is_complete(&self) -> bool {
        self.kept.iter().all(|gap| gap.reason == Reason::LeadsOutside)
    }
}
