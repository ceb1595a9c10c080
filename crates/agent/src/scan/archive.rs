//! Looking into archives: zip, tar and gzip, inside each other too. Nothing is written to disk, so that a name inside an archive is only
//! a name.

use std::cell::Cell;
use std::io::{self, Cursor, Read};
use std::rc::Rc;
use std::time::Instant;

use flate2::read::MultiGzDecoder;
use tar::EntryType;
use zip::result::ZipError;
use zip::{CompressionMethod, ZipArchive};

use super::{ALWAYS_UNPACKED, Gaps, Limits, Reason};

/// Bytes of a tar's own records (long names) that are read.
const MAX_TAR_RECORD: u64 = 64 * 1024;
/// Bytes of the name of an entry that are told.
const MAX_NAME: usize = 1_000;
/// A tar's block.
const BLOCK: usize = 512;

/// Tells the content of every entry below an archive, deepest last, as `visit(path, content)` with a path such as
/// `outer.zip!inner.tar!name`. Anything else than an archive has no entries. Returns what was not looked at.
pub fn unpack(path: &str, content: &[u8], limits: &Limits, visit: &mut dyn FnMut(&str, &[u8])) -> Gaps {
    let allowed = (content.len() as u64)
        .saturating_mul(u64::from(limits.max_ratio))
        .max(ALWAYS_UNPACKED)
        .min(limits.max_unpacked);
    let mut unpacker = Unpacker {
        limits,
        meter: Rc::new(Meter {
            left: Cell::new(allowed),
            deadline: Instant::now() + limits.max_time,
            exceeded: Cell::new(None),
        }),
        entries: 0,
        gaps: Gaps::default(),
        visit,
    };
    unpacker.look_into(path, content, 0, limits.max_held);
    if let Some(reason) = unpacker.meter.exceeded.get() {
        unpacker.gaps.add(path, reason);
    }
    unpacker.gaps
}

/// What everything that comes out of one file may cost.
struct Meter {
    left: Cell<u64>,
    deadline: Instant,
    exceeded: Cell<Option<Reason>>,
}

impl Meter {
    fn check_time(&self) {
        if Instant::now() > self.deadline {
            self.exceeded.set(Some(Reason::TimedOut));
        }
    }
}

/// Counts what is read, skipped bytes too, and ends when it is too much.
struct Metered<R> {
    inner: R,
    meter: Rc<Meter>,
}

impl<R: Read> Read for Metered<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.meter.check_time();
        if self.meter.exceeded.get().is_some() {
            return Err(io::Error::other("a limit is reached"));
        }
        let count = self.inner.read(buffer)?;
        match self.meter.left.get().checked_sub(count as u64) {
            Some(left) => self.meter.left.set(left),
            None => {
                self.meter.exceeded.set(Some(Reason::UnpacksToTooMuch));
                return Err(io::Error::other("a limit is reached"));
            }
        }
        Ok(count)
    }
}

enum Kind {
    Zip,
    Gzip,
    Tar,
}

impl Kind {
    fn of(head: &[u8]) -> Option<Self> {
        if head.starts_with(b"PK\x03\x04") || head.starts_with(b"PK\x05\x06") {
            Some(Self::Zip)
        } else if head.starts_with(&[0x1f, 0x8b, 8]) {
            Some(Self::Gzip)
        } else if head.len() >= BLOCK && head[257..].starts_with(b"ustar") {
            Some(Self::Tar)
        } else {
            None
        }
    }
}

struct Unpacker<'a> {
    limits: &'a Limits,
    meter: Rc<Meter>,
    entries: u32,
    gaps: Gaps,
    visit: &'a mut dyn FnMut(&str, &[u8]),
}

impl Unpacker<'_> {
    /// `room`: bytes that may be held beside what is held already.
    fn look_into(&mut self, path: &str, content: &[u8], depth: u32, room: u64) {
        let Some(kind) = Kind::of(content) else { return };
        if depth >= self.limits.max_depth {
            // With 0 nobody wants to hear of every archive.
            if self.limits.max_depth > 0 {
                self.gaps.add(path, Reason::TooDeep);
            }
            return;
        }
        match kind {
            Kind::Zip => self.zip(path, content, depth, room),
            Kind::Gzip => self.gzip(path, content, depth, room),
            Kind::Tar => self.tar(path, self.metered(content), depth, room),
        }
    }

    fn metered<R: Read>(&self, inner: R) -> Metered<R> {
        Metered {
            inner,
            meter: self.meter.clone(),
        }
    }

    /// Whether one more entry may be looked at.
    fn admit(&mut self) -> bool {
        self.meter.check_time();
        self.entries += 1;
        if self.entries > self.limits.max_entries && self.meter.exceeded.get().is_none() {
            self.meter.exceeded.set(Some(Reason::TooManyEntries));
        }
        self.meter.exceeded.get().is_none()
    }

    fn zip(&mut self, path: &str, content: &[u8], depth: u32, room: u64) {
        // The list of entries takes memory for each, so that a file which is nothing but entries is refused before it is read.
        let headers = content.windows(4).filter(|bytes| *bytes == b"PK\x01\x02").count();
        if headers as u64 > 4 * u64::from(self.limits.max_entries) {
            self.gaps.add(path, Reason::TooManyEntries);
            return;
        }
        let Ok(mut archive) = ZipArchive::new(Cursor::new(content)) else {
            self.gaps.add(path, Reason::Damaged);
            return;
        };
        for number in 0..archive.len() {
            if !self.admit() {
                return;
            }
            let name = match archive.name_for_index(number) {
                Some(Ok(name)) => name.into_owned(),
                _ => String::new(),
            };
            let inner = self.name_entry(path, &name);
            match archive.by_index(number) {
                Ok(entry) if entry.is_dir() => {}
                Ok(entry)
                    if !matches!(
                        entry.compression(),
                        CompressionMethod::Stored | CompressionMethod::Deflated
                    ) =>
                {
                    self.gaps.add(&inner, Reason::UnknownMethod);
                }
                Ok(entry) => self.take_entry(&inner, entry, depth, room),
                Err(ZipError::UnsupportedArchive(ZipError::PASSWORD_REQUIRED)) => {
                    self.gaps.add(&inner, Reason::Encrypted);
                }
                Err(ZipError::UnsupportedArchive(_)) => self.gaps.add(&inner, Reason::UnknownMethod),
                Err(_) => self.gaps.add(&inner, Reason::Damaged),
            }
        }
    }

    fn gzip(&mut self, path: &str, content: &[u8], depth: u32, room: u64) {
        if !self.admit() {
            return;
        }
        let mut decoder = self.metered(MultiGzDecoder::new(content));
        let mut head = Vec::new();
        let failed = (&mut decoder).take(BLOCK as u64).read_to_end(&mut head).is_err();
        let inner = format!("{path}!{}", name_without_gz(path));
        if !failed && matches!(Kind::of(&head), Some(Kind::Tar)) {
            // Not held as a whole: the tar may be much larger than each of its entries.
            if depth + 1 < self.limits.max_depth {
                self.tar(&inner, Cursor::new(head).chain(decoder), depth + 1, room);
            } else {
                self.gaps.add(&inner, Reason::TooDeep);
            }
            return;
        }
        // Its bytes have been counted; a failure shows again when more is read.
        self.take_metered(&inner, Cursor::new(head).chain(decoder), depth, room);
    }

    fn tar<R: Read>(&mut self, path: &str, reader: R, depth: u32, room: u64) {
        let mut archive = tar::Archive::new(reader);
        let Ok(entries) = archive.entries() else {
            self.gaps.add(path, Reason::Damaged);
            return;
        };
        let mut long_name = None;
        // Raw, since the crate would read names of any length into memory.
        for entry in entries.raw(true) {
            if !self.admit() {
                return;
            }
            let Ok(mut entry) = entry else {
                if self.meter.exceeded.get().is_none() {
                    self.gaps.add(path, Reason::Damaged);
                }
                return;
            };
            match entry.header().entry_type() {
                EntryType::GNULongName => long_name = read_record(&mut entry),
                EntryType::XHeader => {
                    long_name = read_record(&mut entry).and_then(|record| find_pax_path(&record))
                }
                EntryType::Regular | EntryType::Continuous | EntryType::GNUSparse => {
                    let name = long_name
                        .take()
                        .unwrap_or_else(|| entry.path_bytes().into_owned());
                    let inner = self.name_entry(path, &String::from_utf8_lossy(&name));
                    self.take_metered(&inner, entry, depth, room);
                }
                // Links and folders have a name and no content.
                EntryType::GNULongLink | EntryType::XGlobalHeader => {}
                _ => long_name = None,
            }
        }
    }

    fn name_entry(&mut self, path: &str, name: &str) -> String {
        let shown: String = name
            .chars()
            .take(MAX_NAME)
            .map(|c| if c.is_control() { '\u{fffd}' } else { c })
            .collect();
        let inner = format!("{path}!{shown}");
        let outside = name.starts_with(['/', '\\'])
            || name.split(['/', '\\']).any(|part| part == "..")
            || name.as_bytes().get(1) == Some(&b':');
        if outside {
            self.gaps.add(&inner, Reason::LeadsOutside);
        }
        inner
    }

    fn take_entry(&mut self, path: &str, reader: impl Read, depth: u32, room: u64) {
        let reader = self.metered(reader);
        self.take_metered(path, reader, depth, room);
    }

    /// Tells an entry's content and looks into it in turn.
    fn take_metered(&mut self, path: &str, reader: impl Read, depth: u32, room: u64) {
        let max = room.min(self.limits.max_bytes);
        let mut bytes = Vec::new();
        let outcome = reader.take(max.saturating_add(1)).read_to_end(&mut bytes);
        if bytes.len() as u64 > max {
            self.gaps.add(path, Reason::TooLarge);
            return;
        }
        if outcome.is_err() && self.meter.exceeded.get().is_none() {
            self.gaps.add(path, Reason::Damaged);
        }
        // What could be read of a damaged entry is looked at.
        (self.visit)(path, &bytes);
        if outcome.is_ok() {
            self.look_into(path, &bytes, depth + 1, room - bytes.len() as u64);
        }
    }
}

fn read_record(entry: &mut impl Read) -> Option<Vec<u8>> {
    let mut record = Vec::new();
    entry.take(MAX_TAR_RECORD).read_to_end(&mut record).ok()?;
    while record.last() == Some(&0) {
        record.pop();
    }
    Some(record)
}

/// The `path` of a pax record: lines of `length key=value`.
fn find_pax_path(record: &[u8]) -> Option<Vec<u8>> {
    let mut lines = record.split(|byte| *byte == b'\n');
    lines.find_map(|line| {
        let space = line.iter().position(|byte| *byte == b' ')?;
        line[space + 1..].strip_prefix(b"path=").map(<[u8]>::to_vec)
    })
}

fn name_without_gz(path: &str) -> String {
    let name = path.rsplit(['/', '!']).next().unwrap_or_default();
    match name.rsplit_once('.') {
        Some((stem, "gz" | "gzip")) => stem.to_owned(),
        Some((stem, "tgz")) => format!("{stem}.tar"),
        _ => "content".to_owned(),
    }
}
