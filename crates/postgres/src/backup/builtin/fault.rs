//! What goes wrong, in words for whoever has to put it right.

use std::io::{self, ErrorKind};
use std::path::Path;

use super::super::run::{DISK_FULL, FOREIGN, UNREACHABLE, WRONG_PASS};

#[derive(Debug, thiserror::Error)]
pub(crate) enum Fault {
    #[error("{FOREIGN}")]
    OtherDatabase,
    #[error("{WRONG_PASS}")]
    WrongPass,
    #[error(
        "{repository} was made by pgBackRest, and the built-in way does not go on with it: set backup.program to \"pgbackrest\", or begin another repository (backup.repository)"
    )]
    MadeByPgBackRest { repository: String },
    #[error("{repository} holds no backups of the built-in way; `secureguard backup init` begins")]
    NotBegun { repository: String },
    #[error("{repository} was made by a newer SecureGuard (format {format}); update this one")]
    Newer { repository: String, format: u32 },
    #[error("{name} is not in the archive")]
    Missing { name: String },
    #[error(
        "{name} is missing in the archive, and later segments are there: nothing behind it can be restored from this backup; restore to a moment before it (--to-time)"
    )]
    Gap { name: String },
    #[error("{name} is damaged; look at the disk of the repository")]
    Damaged { name: String },
    #[error(
        "another {name} is in the archive already, and nothing is written over: does another server write into this repository? Give this one a repository of its own (backup.repository)"
    )]
    Different { name: String },
    #[error("{name} is no whole segment of the write-ahead log ({reason}), and was not archived")]
    NoSegment { name: String, reason: String },
    #[error("pages of the database do not fit their checksums, so no backup was made: {words}")]
    Pages { words: String },
    #[error(
        "the write-ahead log did not reach the archive within {seconds} s; PostgreSQL's log says why its archive command fails"
    )]
    ArchiveLate { seconds: u32 },
    #[error("{words}")]
    Program { words: String },
    #[error("{DISK_FULL} ({path})")]
    DiskFull { path: String },
    #[error("{UNREACHABLE} ({path}: {source})")]
    Unreachable { path: String, source: io::Error },
    #[error("{path}: {source}")]
    Io { path: String, source: io::Error },
}

pub(crate) type Result<T> = std::result::Result<T, Fault>;

/// Names the file that an error is about.
pub(super) trait At<T> {
    fn at(self, path: &Path) -> Result<T>;
}

impl<T, E: Into<io::Error>> At<T> for std::result::Result<T, E> {
    fn at(self, path: &Path) -> Result<T> {
        self.map_err(|error| {
            let (source, path) = (error.into(), path.display().to_string());
            match source.kind() {
                ErrorKind::StorageFull | ErrorKind::QuotaExceeded => Fault::DiskFull { path },
                ErrorKind::InvalidData | ErrorKind::UnexpectedEof => Fault::Damaged { name: path },
                ErrorKind::PermissionDenied
                | ErrorKind::NotFound
                | ErrorKind::ReadOnlyFilesystem
                | ErrorKind::StaleNetworkFileHandle
                | ErrorKind::NotADirectory => Fault::Unreachable { path, source },
                _ => Fault::Io { path, source },
            }
        })
    }
}
