//! Where things are.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};

use crate::Result;

/// The checkout. Cargo names it when it runs this program: the one that it was compiled in may be gone, since a target
/// folder can serve several checkouts.
pub(crate) fn root() -> PathBuf {
    set("CARGO_MANIFEST_DIR")
        .map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")), PathBuf::from)
        .parent()
        .map_or_else(|| PathBuf::from("."), Path::to_owned)
}

/// Where cargo puts what it builds.
pub(crate) fn target_dir() -> PathBuf {
    match std::env::var_os("CARGO_TARGET_DIR") {
        Some(dir) if !dir.is_empty() => root().join(dir),
        _ => root().join("target"),
    }
}

/// The folder that tools are installed into: `SECUREGUARD_TOOLS_DIR`; for root below /var/cache, because the user that
/// PostgreSQL runs as has to reach it; else in the user's cache.
pub(crate) fn tools_dir() -> Result<PathBuf> {
    if let Some(dir) = set("SECUREGUARD_TOOLS_DIR") {
        return std::path::absolute(dir).map_err(|e| format!("SECUREGUARD_TOOLS_DIR: {e}"));
    }
    if is_root() {
        return Ok(PathBuf::from("/var/cache/secureguard"));
    }
    Ok(match set("XDG_CACHE_HOME") {
        Some(dir) => PathBuf::from(dir).join("secureguard"),
        None => home()?.join(".cache/secureguard"),
    })
}

/// The data of `cargo xtask run`.
pub(crate) fn default_data_dir() -> Result<PathBuf> {
    if is_root() {
        return Ok(PathBuf::from("/var/lib/secureguard"));
    }
    Ok(match set("XDG_DATA_HOME") {
        Some(dir) => PathBuf::from(dir).join("secureguard"),
        None => home()?.join(".local/share/secureguard"),
    })
}

pub(crate) fn home() -> Result<PathBuf> {
    set("HOME")
        .map(PathBuf::from)
        .ok_or_else(|| "HOME is not set".to_owned())
}

pub(crate) fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

/// An environment variable that is set and not empty.
pub(crate) fn set(name: &str) -> Option<OsString> {
    std::env::var_os(name).filter(|value| !value.is_empty())
}

/// Makes a folder and those above it.
pub(crate) fn make_dir(dir: &Path) -> Result {
    fs::create_dir_all(dir).map_err(|e| format!("cannot create {}: {e}", dir.display()))
}

pub(crate) fn read(path: &Path) -> Result<String> {
    fs::read_to_string(path).map_err(|e| format!("cannot read {}: {e}", path.display()))
}

pub(crate) fn write(path: &Path, text: &str) -> Result {
    fs::write(path, text).map_err(|e| format!("cannot write {}: {e}", path.display()))
}

/// Writes a shell script that others may run too.
pub(crate) fn write_script(path: &Path, text: &str) -> Result {
    use std::os::unix::fs::PermissionsExt;

    write(path, text)?;
    fs::set_permissions(path, fs::Permissions::from_mode(0o755))
        .map_err(|e| format!("cannot write {}: {e}", path.display()))
}
