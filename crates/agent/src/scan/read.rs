//! Reading one file as it lies on disk.

use std::fs::{File, Metadata};
use std::io::{self, Read};
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use super::Reason;
use crate::platform::open_for_scan;

/// A regular file as it was read.
#[derive(Debug)]
pub struct FileContent {
    /// As it was before the file was read.
    pub metadata: Metadata,
    /// The content; none when it is larger than what is read.
    pub bytes: Option<Vec<u8>>,
    /// What is to be said about the reading.
    pub gap: Option<Reason>,
}

/// Reads a file, up to `max` bytes of content; none for what is no regular file. No link is followed, nothing blocks, and the size that
/// the file claims is not believed.
///
/// # Errors
/// When it is gone, a symbolic link, or not readable.
pub fn read_file(path: &Path, max: u64) -> io::Result<Option<FileContent>> {
    let file = open_for_scan(path)?;
    let metadata = file.metadata()?;
    if !metadata.is_file() {
        return Ok(None);
    }
    let bytes = read_bounded(&file, &metadata, max)?;
    let gap = match &bytes {
        None => Some(Reason::TooLarge),
        Some(bytes) => {
            let after = file.metadata()?;
            let same = after.size() == bytes.len() as u64
                && (after.mtime(), after.mtime_nsec()) == (metadata.mtime(), metadata.mtime_nsec());
            // Files of the kernel claim to be empty and are not.
            (!same && metadata.size() > 0).then_some(Reason::Changed)
        }
    };
    Ok(Some(FileContent { metadata, bytes, gap }))
}

fn read_bounded(file: &File, metadata: &Metadata, max: u64) -> io::Result<Option<Vec<u8>>> {
    if metadata.size() > max {
        return Ok(None);
    }
    let mut bytes = Vec::with_capacity(usize::try_from(metadata.size()).unwrap_or(0));
    file.take(max.saturating_add(1)).read_to_end(&mut bytes)?;
    Ok((bytes.len() as u64 <= max).then_some(bytes))
}
