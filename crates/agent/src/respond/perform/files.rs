//! Single files: reading one, taking one away and bringing it back.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::fd::OwnedFd;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rustix::fs::{AtFlags, CWD, Mode, OFlags, ResolveFlags, Timespec, Timestamps};
use serde::{Deserialize, Serialize};
use sg_types::CommandId;
use sg_types::response::{MAX_COLLECTED_BYTES, QuarantineArguments};
use sha2::{Digest, Sha256};

use super::{Done, Tools, refuse_own_files};
use crate::identity::sync_dir;
use crate::platform::open_for_scan;
use crate::respond::output::Output;

/// The folder below the state folder that holds what was taken away.
const QUARANTINE_DIR: &str = "quarantine";
/// Bytes of a file that is taken away at most.
const MAX_QUARANTINED_BYTES: u64 = 1024 * 1024 * 1024;

/// What is needed to bring a file back as it was. Extended attributes are not kept.
#[derive(Debug, Serialize, Deserialize)]
struct Kept {
    path: PathBuf,
    sha256: String,
    size: u64,
    mode: u32,
    uid: u32,
    gid: u32,
    modified_seconds: i64,
    modified_nanoseconds: i64,
}

pub(super) fn collect(tools: &Tools, path: &Path, output: &Output) -> Result<Done> {
    refuse_own_files(tools, path)?;
    let (file, metadata) = open_regular(path)?;
    let mut content = Vec::new();
    file.take(MAX_COLLECTED_BYTES + 1).read_to_end(&mut content)?;
    if content.len() as u64 > MAX_COLLECTED_BYTES {
        bail!(
            "{} has {} bytes; at most {MAX_COLLECTED_BYTES} are read",
            path.display(),
            metadata.size()
        );
    }
    output.write(STANDARD.encode(&content).as_bytes());
    Done::saying(format!(
        "{} bytes in base64, SHA-256 {}, mode {:o}, owner {}",
        content.len(),
        hex::encode(Sha256::digest(&content)),
        metadata.mode() & 0o7777,
        tools.users.name(metadata.uid())
    ))
}

pub(super) fn quarantine(
    tools: &Tools,
    command_id: CommandId,
    arguments: &QuarantineArguments,
) -> Result<Done> {
    let path = Path::new(&arguments.path);
    refuse_own_files(tools, path)?;
    let (mut file, metadata) = open_regular(path)?;
    if metadata.size() > MAX_QUARANTINED_BYTES {
        bail!(
            "{} has {} bytes; at most {MAX_QUARANTINED_BYTES} are taken away",
            path.display(),
            metadata.size()
        );
    }
    let folder = tools.state.file(QUARANTINE_DIR);
    fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(&folder)?;
    let content = folder.join(command_id.to_string());
    let sha256 = copy_hashed(&mut file, &content, 0o400)?;
    if let Some(wanted) = arguments.sha256.as_ref().filter(|wanted| **wanted != sha256) {
        fs::remove_file(&content)?;
        bail!(
            "{} stays where it is: its SHA-256 is {sha256}, not {wanted}",
            path.display()
        );
    }
    let kept = Kept {
        path: path.to_owned(),
        sha256: sha256.clone(),
        size: metadata.size(),
        mode: metadata.mode() & 0o7777,
        uid: metadata.uid(),
        gid: metadata.gid(),
        modified_seconds: metadata.mtime(),
        modified_nanoseconds: metadata.mtime_nsec(),
    };
    tools
        .state
        .replace_json(&format!("{QUARANTINE_DIR}/{command_id}.json"), &kept)?;
    sync_dir(&folder)?;
    // Only the file that was read goes: another may have taken its name meanwhile.
    let (parent, name) = open_parent(path)?;
    let present = rustix::fs::statat(&parent, name, AtFlags::SYMLINK_NOFOLLOW)?;
    if (present.st_dev, present.st_ino) != (metadata.dev(), metadata.ino()) {
        bail!("{} was replaced meanwhile; nothing was removed", path.display());
    }
    rustix::fs::unlinkat(&parent, name, AtFlags::empty())?;
    rustix::fs::fsync(&parent)?;
    if path.symlink_metadata().is_ok() {
        bail!("{} is there again", path.display());
    }
    Done::saying(format!(
        "{} is gone; {} bytes, SHA-256 {sha256}, are kept",
        path.display(),
        kept.size
    ))
}

pub(super) fn restore(tools: &Tools, quarantined_by: CommandId) -> Result<Done> {
    let name = format!("{QUARANTINE_DIR}/{quarantined_by}.json");
    let kept: Kept = tools
        .state
        .read_json(&name)?
        .with_context(|| format!("nothing is kept of command {quarantined_by}"))?;
    let content = tools.state.file(QUARANTINE_DIR).join(quarantined_by.to_string());
    let mut source = File::open(&content).context("the kept content is missing")?;
    let (parent, target) = open_parent(&kept.path)?;
    let fd = rustix::fs::openat(
        &parent,
        target,
        OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC,
        Mode::from_raw_mode(0o600),
    )
    .with_context(|| format!("cannot make {}", kept.path.display()))?;
    let mut file = File::from(fd);
    let written = fill(&mut source, &mut file, &kept);
    if let Err(error) = written {
        let _ = rustix::fs::unlinkat(&parent, target, AtFlags::empty());
        return Err(error);
    }
    rustix::fs::fsync(&parent)?;
    fs::remove_file(&content)?;
    tools.state.remove(&name)?;
    Done::saying(format!(
        "{} is back with its owner, mode and time; SHA-256 {}",
        kept.path.display(),
        kept.sha256
    ))
}

fn fill(source: &mut File, target: &mut File, kept: &Kept) -> Result<()> {
    let sha256 = pump(source, target)?;
    if sha256 != kept.sha256 {
        bail!(
            "the kept content was changed: its SHA-256 is {sha256}, not {}",
            kept.sha256
        );
    }
    std::os::unix::fs::fchown(&*target, Some(kept.uid), Some(kept.gid))?;
    rustix::fs::fchmod(&*target, Mode::from_raw_mode(kept.mode))?;
    let modified = Timespec {
        tv_sec: kept.modified_seconds,
        tv_nsec: kept.modified_nanoseconds,
    };
    rustix::fs::futimens(
        &*target,
        &Timestamps {
            last_access: modified,
            last_modification: modified,
        },
    )?;
    Ok(target.sync_all()?)
}

fn open_regular(path: &Path) -> Result<(File, fs::Metadata)> {
    let file = open_for_scan(path).with_context(|| format!("cannot open {}", path.display()))?;
    let metadata = file.metadata()?;
    if !metadata.is_file() {
        bail!("{} is not a regular file", path.display());
    }
    Ok((file, metadata))
}

/// The folder of a path, reached without following a symbolic link, and the last name in it.
fn open_parent(path: &Path) -> Result<(OwnedFd, &std::ffi::OsStr)> {
    let (parent, name) = path
        .parent()
        .zip(path.file_name())
        .with_context(|| format!("{} is not the path of a file", path.display()))?;
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let resolve = ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_MAGICLINKS;
    let folder = rustix::fs::openat2(CWD, parent, flags, Mode::empty(), resolve)
        .with_context(|| format!("cannot open {} without following a link", parent.display()))?;
    Ok((folder, name))
}

fn copy_hashed(source: &mut File, target: &Path, mode: u32) -> Result<String> {
    let mut file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(mode)
        .open(target)?;
    let sha256 = pump(source, &mut file)?;
    file.sync_all()?;
    Ok(sha256)
}

/// Copies everything and gives its SHA-256.
fn pump(source: &mut impl Read, target: &mut impl Write) -> io::Result<String> {
    let mut digest = Sha256::new();
    let mut buffer = vec![0; 64 * 1024];
    loop {
        let count = source.read(&mut buffer)?;
        let Some(bytes) = buffer.get(..count).filter(|bytes| !bytes.is_empty()) else {
            return Ok(hex::encode(digest.finalize()));
        };
        digest.update(bytes);
        target.write_all(bytes)?;
    }
}
