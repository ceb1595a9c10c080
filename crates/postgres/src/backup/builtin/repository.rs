//! A repository of the built-in way:
//!
//! | path | what |
//! |---|---|
//! | `secureguard-repository.json` | who made it, and how to tell whether a pass belongs to it; the only file that is not sealed |
//! | `backup/<label>/data` | everything that `pg_basebackup` gave, compressed (zstd) |
//! | `backup/<label>/info` | [`BackupInfo`] |
//! | `backup/<label>.part/` | a backup that is not complete, or was not |
//! | `wal/<timeline>/<name>` | a file of the write-ahead log, compressed |

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{ErrorKind, Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use rustix::fs::{CWD, RenameFlags, renameat_with};
use serde::{Deserialize, Serialize};

use super::super::info::BackupInfo;
use super::crypt::{Key, Opener, Sealer};
use super::fault::{At, Fault, Result};

/// The file by which a repository is known.
pub(crate) const MARKER: &str = "secureguard-repository.json";
const FORMAT: u32 = 1;
/// zstd's own default: the disk of a repository is as fast as that.
const LEVEL: i32 = 3;
/// End of the name of what is not complete.
const PART: &str = ".part";

#[derive(Debug, Serialize, Deserialize)]
struct Marker {
    made_by: String,
    format: u32,
    system_identifier: String,
    key_check: String,
}

/// One that is known to be ours, and to belong to the key.
#[derive(Debug)]
pub(super) struct Repository<'a> {
    pub(super) number: u8,
    dir: &'a Path,
    key: &'a Key,
    /// Of the cluster whose backups these are.
    pub(super) system_identifier: u64,
}

impl<'a> Repository<'a> {
    /// Opens it.
    pub(super) fn open(number: u8, dir: &'a Path, key: &'a Key) -> Result<Self> {
        let named = || dir.display().to_string();
        let path = dir.join(MARKER);
        let text = match fs::read_to_string(&path) {
            Err(error) if error.kind() == ErrorKind::NotFound && dir.is_dir() => {
                return Err(if dir.join("archive").exists() {
                    Fault::MadeByPgBackRest { repository: named() }
                } else {
                    Fault::NotBegun { repository: named() }
                });
            }
            other => other.at(&path)?,
        };
        let damaged = || Fault::Damaged {
            name: path.display().to_string(),
        };
        let marker: Marker = serde_json::from_str(&text).map_err(|_| damaged())?;
        if marker.format != FORMAT {
            return Err(Fault::Newer {
                repository: named(),
                format: marker.format,
            });
        }
        if marker.key_check != key.check() {
            return Err(Fault::WrongPass);
        }
        Ok(Self {
            number,
            dir,
            key,
            system_identifier: marker.system_identifier.parse().map_err(|_| damaged())?,
        })
    }

    /// Begins one for a cluster, or opens the one that is there.
    pub(super) fn init(number: u8, dir: &'a Path, key: &'a Key, system_identifier: u64) -> Result<Self> {
        match Self::open(number, dir, key) {
            Err(Fault::NotBegun { .. }) => {}
            Ok(opened) if opened.system_identifier != system_identifier => return Err(Fault::OtherDatabase),
            other => return other,
        }
        let marker = Marker {
            made_by: "secureguard".to_owned(),
            format: FORMAT,
            system_identifier: system_identifier.to_string(),
            key_check: key.check(),
        };
        let path = dir.join(MARKER);
        let text = serde_json::to_string(&marker).map_err(|error| Fault::Program {
            words: error.to_string(),
        })?;
        put(&path, |file| file.write_all(text.as_bytes()).at(&path))?;
        Self::open(number, dir, key)
    }

    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.dir.join(name)
    }

    /// Writes a sealed and compressed file, which is there whole or not at all. False when one of that name was there.
    pub(super) fn write(&self, name: &str, fill: impl FnOnce(&mut dyn Write) -> Result<()>) -> Result<bool> {
        let path = self.path(name);
        put(&path, |file| {
            let sealer = Sealer::new(&mut *file, self.key, name).at(&path)?;
            let mut encoder = zstd::Encoder::new(sealer, LEVEL).at(&path)?;
            fill(&mut encoder)?;
            encoder.finish().at(&path)?.finish().at(&path)?;
            Ok(())
        })
    }

    /// Opens a file.
    pub(super) fn read(&self, name: &str) -> Result<impl Read + use<'_>> {
        self.read_under(&self.path(name), name)
    }

    fn read_under(&self, path: &Path, name: &str) -> Result<impl Read + use<'_>> {
        let file = match File::open(path) {
            Err(error) if error.kind() == ErrorKind::NotFound => {
                return Err(Fault::Missing {
                    name: name.to_owned(),
                });
            }
            other => other.at(path)?,
        };
        let opener = Opener::new(file, self.key, name).at(path)?;
        zstd::Decoder::new(opener).at(path)
    }

    /// Backups, oldest first, and words about those that cannot be read.
    pub(super) fn list(&self) -> Result<(Vec<BackupInfo>, Vec<String>)> {
        let (mut backups, mut complaints) = (Vec::new(), Vec::new());
        for label in names(&self.path("backup"))? {
            if label.ends_with(PART) {
                continue;
            }
            match self.read_info(&label) {
                Ok(backup) => backups.push(backup),
                Err(fault) => complaints.push(format!("backup {label}: {fault}")),
            }
        }
        backups.sort_by(|a, b| (a.finished_at, &a.label).cmp(&(b.finished_at, &b.label)));
        Ok((backups, complaints))
    }

    fn read_info(&self, label: &str) -> Result<BackupInfo> {
        let name = format!("backup/{label}/info");
        let mut text = String::new();
        let path = self.path(&name);
        self.read(&name)?.read_to_string(&mut text).at(&path)?;
        let mut info: BackupInfo = serde_json::from_str(&text).map_err(|_| Fault::Damaged { name })?;
        info.repository = self.number;
        Ok(info)
    }

    /// Makes the place for a backup, and removes what interrupted ones have left.
    pub(super) fn begin_backup(&self, label: &str) -> Result<()> {
        let folder = self.path("backup");
        for name in names(&folder)?.into_iter().filter(|name| name.ends_with(PART)) {
            let left = folder.join(name);
            fs::remove_dir_all(&left).at(&left)?;
        }
        let dir = folder.join(format!("{label}{PART}"));
        make_dir(&dir)
    }

    /// Seals everything that `fill` writes as the data of a backup. Returns the bytes that it takes.
    pub(super) fn write_data(
        &self,
        label: &str,
        fill: impl FnOnce(&mut dyn Write) -> Result<()>,
    ) -> Result<u64> {
        let path = self.path(&format!("backup/{label}{PART}/data"));
        let file = create(&path)?;
        let sealer = Sealer::new(&file, self.key, &data_name(label)).at(&path)?;
        let mut encoder = zstd::Encoder::new(sealer, LEVEL).at(&path)?;
        fill(&mut encoder)?;
        encoder.finish().at(&path)?.finish().at(&path)?;
        file.sync_all().at(&path)?;
        Ok(file.metadata().at(&path)?.len())
    }

    /// Makes a backup one that counts.
    pub(super) fn finish_backup(&self, info: &BackupInfo) -> Result<()> {
        let (label, folder) = (&info.label, self.path("backup"));
        let part = folder.join(format!("{label}{PART}"));
        let path = part.join("info");
        let text = serde_json::to_vec(info).map_err(|error| Fault::Program {
            words: error.to_string(),
        })?;
        let file = create(&path)?;
        let sealer = Sealer::new(&file, self.key, &format!("backup/{label}/info")).at(&path)?;
        let mut encoder = zstd::Encoder::new(sealer, LEVEL).at(&path)?;
        encoder.write_all(&text).at(&path)?;
        encoder.finish().at(&path)?.finish().at(&path)?;
        file.sync_all().at(&path)?;
        sync_dir(&part)?;
        fs::rename(&part, folder.join(label)).at(&part)?;
        sync_dir(&folder)
    }

    /// Everything that a backup holds, as tar.
    pub(super) fn read_data(&self, label: &str) -> Result<impl Read + use<'_>> {
        self.read(&data_name(label))
    }

    /// Removes a backup; from its first step on it counts no more.
    pub(super) fn remove_backup(&self, label: &str) -> Result<()> {
        let folder = self.path("backup");
        let part = folder.join(format!("{label}{PART}"));
        fs::rename(folder.join(label), &part).at(&part)?;
        sync_dir(&folder)?;
        fs::remove_dir_all(&part).at(&part)
    }

    /// Files of the write-ahead log, in order.
    pub(super) fn wal(&self) -> Result<Vec<String>> {
        let folder = self.path("wal");
        let mut found = Vec::new();
        for timeline in names(&folder)? {
            found.extend(
                names(&folder.join(&timeline))?
                    .into_iter()
                    .filter(|name| !name.starts_with('.')),
            );
        }
        found.sort();
        Ok(found)
    }
}

/// The name of a file of the write-ahead log within a repository.
pub(super) fn wal_name(file: &str) -> String {
    format!("wal/{}/{file}", file.get(..8).unwrap_or("other"))
}

fn data_name(label: &str) -> String {
    format!("backup/{label}/data")
}

/// Names in a folder; none when it is not there.
pub(super) fn names(dir: &Path) -> Result<Vec<String>> {
    let entries = match fs::read_dir(dir) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        other => other.at(dir)?,
    };
    let mut names = Vec::new();
    for entry in entries {
        names.push(entry.at(dir)?.file_name().to_string_lossy().into_owned());
    }
    names.sort();
    Ok(names)
}

/// Fills a file beside its place, and puts it there when it is whole and on the disk. False when something was there.
fn put(path: &Path, fill: impl FnOnce(&mut File) -> Result<()>) -> Result<bool> {
    let (Some(dir), Some(name)) = (path.parent(), path.file_name()) else {
        return Ok(false);
    };
    make_dir(dir)?;
    let part = dir.join(format!(".{}.new", name.to_string_lossy()));
    match fs::remove_file(&part) {
        Err(error) if error.kind() != ErrorKind::NotFound => return Err(error).at(&part),
        _ => {}
    }
    let written = create(&part).and_then(|mut file| {
        fill(&mut file)?;
        file.sync_all().at(&part)?;
        place(&part, path)
    });
    if !matches!(written, Ok(true)) {
        let _ = fs::remove_file(&part);
    }
    sync_dir(dir)?;
    written
}

/// Never over something else.
fn place(part: &Path, path: &Path) -> Result<bool> {
    match renameat_with(CWD, part, CWD, path, RenameFlags::NOREPLACE) {
        Ok(()) => Ok(true),
        Err(rustix::io::Errno::EXIST) => Ok(false),
        // File systems that do not know how: PostgreSQL sends one file at a time.
        Err(rustix::io::Errno::INVAL | rustix::io::Errno::NOSYS | rustix::io::Errno::NOTSUP) => {
            if path.exists() {
                return Ok(false);
            }
            fs::rename(part, path).at(path).map(|()| true)
        }
        Err(errno) => Err(errno).at(path),
    }
}

fn create(path: &Path) -> Result<File> {
    OpenOptions::new()
        .read(true)
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)
        .at(path)
}

/// Below the repository, whose own folder has to be there: else a disk that is not mounted would be written to.
fn make_dir(dir: &Path) -> Result<()> {
    let make = |dir: &Path| match DirBuilder::new().mode(0o700).create(dir) {
        Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(()),
        Ok(()) => dir.parent().map_or(Ok(()), sync_dir),
        Err(error) => Err(error).at(dir),
    };
    match dir.parent() {
        Some(parent) if !parent.exists() => make(parent)?,
        _ => {}
    }
    make(dir)
}

fn sync_dir(dir: &Path) -> Result<()> {
    File::open(dir).and_then(|dir| dir.sync_all()).at(dir)
}
