//! libfaketime, by which the clock of a single process is moved. Without it that fault is left out, and the run says so.

use std::fs;
use std::path::PathBuf;

use super::apt;
use crate::{Result, ui};

/// Takes the machine's own, else unpacks Debian's package; none where neither is to be had.
pub(crate) fn find_or_install() -> Option<PathBuf> {
    if let Ok(Some(library)) = find() {
        return Some(library);
    }
    let installed = apt::install(
        &["libfaketime"],
        "libfaketime is missing (faults with clocks need it)",
    );
    match installed.and_then(|()| find()) {
        Ok(library) => library,
        Err(why) => {
            ui::say(&format!("clocks stay as they are: {why}"));
            None
        }
    }
}

fn find() -> Result<Option<PathBuf>> {
    for root in [PathBuf::from("/"), apt::unpacked_root()?] {
        for dir in fs::read_dir(root.join("usr/lib")).into_iter().flatten().flatten() {
            let library = dir.path().join("faketime/libfaketime.so.1");
            if library.is_file() {
                return Ok(Some(library));
            }
        }
    }
    Ok(None)
}
