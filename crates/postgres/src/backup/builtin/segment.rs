//! Files of the write-ahead log: into the archive and out of it.

use std::fs;
use std::io::{ErrorKind, Read, Write};
use std::path::Path;

use super::super::archive::is_segment;
use super::fault::{At, Fault, Result};
use super::repository::{Repository, names, wal_name};

/// Bytes at the beginning of a segment that tell what it is.
const HEADER: usize = 40;
/// A segment's first page has the long header (`XLP_LONG_HEADER`).
const LONG_HEADER: u16 = 0x0002;

/// What a segment says of itself: `XLogLongPageHeaderData` of PostgreSQL's `access/xlog_internal.h`, the same since PostgreSQL 9.3.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Header {
    pub(super) system_identifier: u64,
    pub(super) segment_bytes: u64,
    timeline: u32,
    address: u64,
}

impl Header {
    pub(super) fn read(bytes: &[u8]) -> Option<Self> {
        let bytes = bytes.get(..HEADER)?;
        let short = |at: usize| Some(u16::from_ne_bytes(bytes.get(at..at + 2)?.try_into().ok()?));
        let int = |at: usize| Some(u32::from_ne_bytes(bytes.get(at..at + 4)?.try_into().ok()?));
        let long = |at: usize| Some(u64::from_ne_bytes(bytes.get(at..at + 8)?.try_into().ok()?));
        let header = Self {
            timeline: int(4)?,
            address: long(8)?,
            system_identifier: long(24)?,
            segment_bytes: int(32)?.into(),
        };
        let is_sound = short(2)? & LONG_HEADER != 0
            && header.segment_bytes.is_power_of_two()
            && (1 << 20..=1 << 30).contains(&header.segment_bytes);
        is_sound.then_some(header)
    }

    /// Whether it is the one that its name says. A segment of another timeline's end is renamed when its timeline goes on, so the timeline in it may be older.
    fn fits(&self, name: &str) -> bool {
        let part = |range: std::ops::Range<usize>| {
            name.get(range)
                .and_then(|text| u64::from_str_radix(text, 16).ok())
                .unwrap_or(u64::MAX)
        };
        let per_log = 0x1_0000_0000 / self.segment_bytes;
        let number = part(8..16).saturating_mul(per_log).saturating_add(part(16..24));
        u64::from(self.timeline) <= part(0..8) && number.saturating_mul(self.segment_bytes) == self.address
    }
}

/// Puts a file that PostgreSQL is done with into each repository. One that is there already is compared.
pub(super) fn push(repositories: &[Result<Repository<'_>>], path: &Path) -> Result<()> {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let bytes = fs::read(path).at(path)?;
    let header = check(&name, &bytes)?;
    let mut failed = None;
    // One that cannot be reached does not keep the other from going on.
    for repository in repositories {
        let pushed = match repository {
            Ok(repository) => push_to(repository, &name, &bytes, header),
            Err(fault) => Err(Fault::Program {
                words: fault.to_string(),
            }),
        };
        if let Err(fault) = pushed {
            failed.get_or_insert(fault);
        }
    }
    failed.map_or(Ok(()), Err)
}

fn push_to(repository: &Repository<'_>, name: &str, bytes: &[u8], header: Option<Header>) -> Result<()> {
    if header.is_some_and(|header| header.system_identifier != repository.system_identifier) {
        return Err(Fault::OtherDatabase);
    }
    let stored = wal_name(name);
    let path = repository.path(&stored);
    if !path.exists() && repository.write(&stored, |to| to.write_all(bytes).at(&path))? {
        return Ok(());
    }
    let mut there = Vec::new();
    repository.read(&stored)?.read_to_end(&mut there).at(&path)?;
    if there == bytes {
        Ok(())
    } else {
        Err(Fault::Different {
            name: name.to_owned(),
        })
    }
}

/// Whether a file of the log is whole; the header, where it is a segment.
pub(super) fn check(name: &str, bytes: &[u8]) -> Result<Option<Header>> {
    let no_segment = |reason: String| Fault::NoSegment {
        name: name.to_owned(),
        reason,
    };
    let segment = name.strip_suffix(".partial").unwrap_or(name);
    let is_plain = name.len() >= 16 && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '.');
    if !is_plain || !name.chars().take(8).all(|c| c.is_ascii_hexdigit()) {
        return Err(no_segment("no file of the log is called so".to_owned()));
    }
    if !is_segment(segment) {
        return Ok(None);
    }
    let header = Header::read(bytes).ok_or_else(|| no_segment("its first page is none".to_owned()))?;
    if bytes.len() as u64 != header.segment_bytes {
        return Err(no_segment(format!(
            "it has {} bytes instead of {}",
            bytes.len(),
            header.segment_bytes
        )));
    }
    if !header.fits(segment) {
        return Err(no_segment("it is another one by its first page".to_owned()));
    }
    Ok(Some(header))
}

/// Gets a file for a recovery, from the first repository that has it whole.
pub(super) fn fetch(repositories: &[Result<Repository<'_>>], name: &str, to: &Path) -> Result<()> {
    let mut failed = None;
    for repository in repositories {
        let fetched = match repository {
            Ok(repository) => read(repository, name),
            Err(Fault::NotBegun { .. }) => continue,
            Err(fault) => Err(Fault::Program {
                words: fault.to_string(),
            }),
        };
        match fetched {
            Ok(bytes) => {
                let mut file = fs::File::create(to).at(to)?;
                return file.write_all(&bytes).and_then(|()| file.sync_all()).at(to);
            }
            // That it is not there says least of all.
            Err(fault) if failed.is_none() || !matches!(fault, Fault::Missing { .. }) => failed = Some(fault),
            Err(_) => {}
        }
    }
    Err(failed.unwrap_or_else(|| Fault::Missing {
        name: name.to_owned(),
    }))
}

/// Reads a file of the log, which is whole.
pub(super) fn read(repository: &Repository<'_>, name: &str) -> Result<Vec<u8>> {
    let stored = wal_name(name);
    let path = repository.path(&stored);
    let mut bytes = Vec::new();
    match repository.read(&stored) {
        Err(Fault::Missing { .. }) if is_gap(&path, name)? => {
            return Err(Fault::Gap {
                name: name.to_owned(),
            });
        }
        other => other?.read_to_end(&mut bytes).at(&path)?,
    };
    check(name, &bytes)?;
    Ok(bytes)
}

/// Whether segments of the same timeline are there before and behind one that is not. PostgreSQL would take its absence for the end of the log.
fn is_gap(path: &Path, name: &str) -> Result<bool> {
    if !is_segment(name) {
        return Ok(false);
    }
    let (mut before, mut behind) = (false, false);
    for other in names(path.parent().unwrap_or(path))? {
        if is_segment(&other) {
            before |= other.as_str() < name;
            behind |= other.as_str() > name;
        }
    }
    Ok(before && behind)
}

/// The size of segments and the identity of a cluster, by a segment in its directory and by its control file.
pub(super) fn identify(cluster: &Path) -> Result<(u64, u64)> {
    let control = cluster.join("global/pg_control");
    let mut identifier = [0; 8];
    fs::File::open(&control)
        .and_then(|mut file| file.read_exact(&mut identifier))
        .at(&control)?;
    let folder = cluster.join("pg_wal");
    for name in names(&folder)?.iter().filter(|name| is_segment(name)) {
        let mut head = [0; HEADER];
        let read = fs::File::open(folder.join(name)).and_then(|mut file| file.read_exact(&mut head));
        match read {
            // Segments are renamed while PostgreSQL works, and fresh ones are empty.
            Err(error) if [ErrorKind::NotFound, ErrorKind::UnexpectedEof].contains(&error.kind()) => {}
            other => {
                other.at(&folder)?;
                if let Some(header) = Header::read(&head) {
                    return Ok((u64::from_ne_bytes(identifier), header.segment_bytes));
                }
            }
        }
    }
    Err(Fault::Damaged {
        name: folder.display().to_string(),
    })
}

#[cfg(test)]
mod tests {
    use super::super::crypt::Key;
    use super::*;

    const SIZE: usize = 1 << 20;

    /// A segment as PostgreSQL begins one.
    fn segment(system: u64, timeline: u32, number: u64) -> Vec<u8> {
        let mut bytes = vec![0; SIZE];
        bytes[2..4].copy_from_slice(&LONG_HEADER.to_ne_bytes());
        bytes[4..8].copy_from_slice(&timeline.to_ne_bytes());
        bytes[8..16].copy_from_slice(&(number * SIZE as u64).to_ne_bytes());
        bytes[24..32].copy_from_slice(&system.to_ne_bytes());
        bytes[32..36].copy_from_slice(&(SIZE as u32).to_ne_bytes());
        bytes[500] = u8::try_from(number).unwrap();
        bytes
    }

    struct Place {
        dir: tempfile::TempDir,
        key: Key,
    }

    impl Place {
        fn new() -> Self {
            let dir = tempfile::tempdir().unwrap();
            for name in ["one", "two", "pg_wal"] {
                fs::create_dir(dir.path().join(name)).unwrap();
            }
            let key = Key::of(&"0123456789abcdef0123456789abcdef".into());
            Repository::init(1, &dir.path().join("one"), &key, 42).unwrap();
            Self { dir, key }
        }

        fn path(&self, name: &str) -> std::path::PathBuf {
            self.dir.path().join(name)
        }

        fn push(&self, name: &str, bytes: &[u8]) -> Result<()> {
            let (one, path) = (self.path("one"), self.path("pg_wal").join(name));
            fs::write(&path, bytes).unwrap();
            push(&[Repository::open(1, &one, &self.key)], &path)
        }

        fn fetch(&self, name: &str) -> Result<Vec<u8>> {
            let (one, to) = (self.path("one"), self.path("pg_wal/RECOVERYXLOG"));
            fetch(&[Repository::open(1, &one, &self.key)], name, &to)?;
            Ok(fs::read(to).unwrap())
        }

        fn stored(&self) -> Vec<String> {
            names(&self.path("one/wal/00000001")).unwrap()
        }
    }

    fn name(number: u64) -> String {
        format!("0000000100000000{number:08X}")
    }

    #[test]
    fn a_segment_comes_back_and_is_never_written_over() {
        let place = Place::new();
        let whole = segment(42, 1, 3);
        place.push(&name(3), &whole).unwrap();
        place.push(&name(3), &whole).unwrap();
        assert_eq!(place.fetch(&name(3)).unwrap(), whole);
        let mut other = whole.clone();
        other[9_000] = 1;
        assert!(matches!(
            place.push(&name(3), &other),
            Err(Fault::Different { .. })
        ));
        assert_eq!(place.fetch(&name(3)).unwrap(), whole);
        place.push("00000002.history", b"1\t0/3000000\tx\n").unwrap();
        assert_eq!(place.fetch("00000002.history").unwrap(), b"1\t0/3000000\tx\n");
        assert_eq!(place.stored(), [name(3)], "nothing is left beside it");
    }

    #[test]
    fn what_is_no_whole_segment_of_this_database_is_not_archived() {
        let place = Place::new();
        let whole = segment(42, 1, 3);
        for (what, bytes) in [
            ("empty", Vec::new()),
            ("cut", whole[..SIZE - 1].to_vec()),
            ("cut in its header", whole[..20].to_vec()),
            ("zeros", vec![0; SIZE]),
            ("another one", segment(42, 1, 4)),
        ] {
            let refused = place.push(&name(3), &bytes);
            assert!(
                matches!(refused, Err(Fault::NoSegment { .. })),
                "{what}: {refused:?}"
            );
        }
        assert!(matches!(
            place.push(&name(3), &segment(43, 1, 3)),
            Err(Fault::OtherDatabase)
        ));
        for hostile in [
            "..",
            "passwd",
            "00000001/../../../../tmp/xx",
            "0000000100000000000000 3",
        ] {
            assert!(check(hostile, &whole).is_err(), "{hostile}");
        }
        assert_eq!(place.stored(), Vec::<String>::new());
    }

    #[test]
    fn the_end_of_the_archive_is_told_from_a_hole_in_it() {
        let place = Place::new();
        for number in [3, 4, 5] {
            place.push(&name(number), &segment(42, 1, number)).unwrap();
        }
        fs::remove_file(place.path("one").join(wal_name(&name(4)))).unwrap();
        assert!(matches!(place.fetch(&name(4)), Err(Fault::Gap { .. })));
        for outside in [2, 6] {
            assert!(matches!(place.fetch(&name(outside)), Err(Fault::Missing { .. })));
        }
        assert!(matches!(
            place.fetch("00000009.history"),
            Err(Fault::Missing { .. })
        ));
    }

    #[test]
    fn a_damaged_file_is_never_given_out_and_the_other_repository_has_it() {
        let place = Place::new();
        let two = place.path("two");
        Repository::init(2, &two, &place.key, 42).unwrap();
        let whole = segment(42, 1, 3);
        let (one, path) = (place.path("one"), place.path("pg_wal").join(name(3)));
        fs::write(&path, &whole).unwrap();
        let both = || {
            [
                Repository::open(1, &one, &place.key),
                Repository::open(2, &two, &place.key),
            ]
        };
        push(&both(), &path).unwrap();
        let stored = one.join(wal_name(&name(3)));
        let sound = fs::read(&stored).unwrap();
        for cut in [0, 3, 41, sound.len() / 2, sound.len() - 1] {
            fs::write(&stored, &sound[..cut]).unwrap();
            assert!(
                matches!(place.fetch(&name(3)), Err(Fault::Damaged { .. })),
                "{cut}"
            );
        }
        let mut flipped = sound.clone();
        let middle = flipped.len() / 2;
        flipped[middle] ^= 0x10;
        fs::write(&stored, &flipped).unwrap();
        assert!(matches!(place.fetch(&name(3)), Err(Fault::Damaged { .. })));
        let to = place.path("pg_wal/RECOVERYXLOG");
        fetch(&both(), &name(3), &to).unwrap();
        assert_eq!(fs::read(to).unwrap(), whole);
        // Another segment in its place is none, though it opens under its own name.
        place.push(&name(4), &segment(42, 1, 4)).unwrap();
        fs::copy(one.join(wal_name(&name(4))), &stored).unwrap();
        assert!(matches!(place.fetch(&name(3)), Err(Fault::Damaged { .. })));
    }

    #[test]
    fn another_pass_opens_nothing_and_writes_nothing() {
        let place = Place::new();
        let other = Key::of(&"another pass that has 32 characters".into());
        let one = place.path("one");
        assert!(matches!(Repository::open(1, &one, &other), Err(Fault::WrongPass)));
        assert!(matches!(
            Repository::init(1, &one, &other, 42),
            Err(Fault::WrongPass)
        ));
        assert!(matches!(
            Repository::init(1, &one, &place.key, 43),
            Err(Fault::OtherDatabase)
        ));
        fs::create_dir_all(place.path("two/archive")).unwrap();
        assert!(matches!(
            Repository::init(2, &place.path("two"), &place.key, 42),
            Err(Fault::MadeByPgBackRest { .. })
        ));
        assert!(matches!(
            Repository::init(2, &place.path("nowhere"), &place.key, 42),
            Err(Fault::Unreachable { .. })
        ));
    }
}
