//! One segment file: a header, then records as `length | crc32 | JSON`, all numbers little-endian.
//!
//! The checksum covers the length too, so that a run of zeros is never taken for an empty record.

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufReader, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use chrono::{DateTime, Utc};
use sg_types::agent::Record;

use crate::identity::sync_dir;

/// Begins every segment; the last byte is the format's version.
const MAGIC: &[u8; 8] = b"SGSPOOL\x01";
/// Magic, first number, checksum of both.
pub(crate) const HEADER_BYTES: u64 = 8 + 8 + 4;
/// Length and checksum before each record.
const FRAME_BYTES: usize = 8;
/// Bytes of one encoded record at most; a longer length is damage.
pub(crate) const MAX_RECORD_BYTES: usize = 4 * 1024 * 1024;
const SUFFIX: &str = ".seg";

/// A segment's place and extent. Its records are numbered `first_seq .. first_seq + count`.
#[derive(Debug, Clone)]
pub(crate) struct Segment {
    pub(crate) path: PathBuf,
    pub(crate) first_seq: u64,
    pub(crate) count: u64,
    /// Bytes that are known to be good, the header included.
    pub(crate) bytes: u64,
    pub(crate) first_at: Option<DateTime<Utc>>,
    pub(crate) last_at: Option<DateTime<Utc>>,
}

/// What a scan of a segment file found.
#[derive(Debug)]
pub(crate) struct Scan {
    pub(crate) segment: Segment,
    /// Whether something after the good records (or the header itself) could not be read.
    pub(crate) damaged: bool,
}

/// What stands at a position of a segment.
#[derive(Debug)]
pub(crate) enum Frame {
    /// A record's JSON text.
    Record(Vec<u8>),
    /// The end, exactly after a record.
    End,
    /// Something that is no whole record.
    Damaged,
}

impl Segment {
    /// The number after the last record.
    pub(crate) fn end(&self) -> u64 {
        self.first_seq + self.count
    }

    /// Creates an empty segment durably. It comes into being with its header or not at all.
    pub(crate) fn create(dir: &Path, first_seq: u64) -> io::Result<(Self, File)> {
        let temporary = dir.join("segment.new");
        let path = dir.join(format!("{first_seq:020}{SUFFIX}"));
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o600)
            .open(&temporary)?;
        file.write_all(&encode_header(first_seq))?;
        file.sync_all()?;
        fs::rename(&temporary, &path)?;
        sync_dir(dir)?;
        let segment = Self {
            path,
            first_seq,
            count: 0,
            bytes: HEADER_BYTES,
            first_at: None,
            last_at: None,
        };
        Ok((segment, file))
    }

    /// Writes encoded records behind the good ones and waits for the disk. On an error nothing has become good.
    pub(crate) fn append(&mut self, file: &File, encoded: &[u8], times: &[DateTime<Utc>]) -> io::Result<()> {
        file.write_all_at(encoded, self.bytes)?;
        file.sync_data()?;
        self.bytes += encoded.len() as u64;
        self.count += times.len() as u64;
        self.first_at = self.first_at.or(times.first().copied());
        self.last_at = times.last().copied().or(self.last_at);
        Ok(())
    }

    /// Cuts off what lies behind the good records.
    pub(crate) fn truncate_to_good(&self) -> io::Result<()> {
        let file = OpenOptions::new().write(true).open(&self.path)?;
        file.set_len(self.bytes)?;
        file.sync_all()
    }

    /// Reads through the file.
    pub(crate) fn scan(path: &Path, first_seq: u64) -> io::Result<Scan> {
        let mut segment = Self {
            path: path.to_owned(),
            first_seq,
            count: 0,
            bytes: HEADER_BYTES,
            first_at: None,
            last_at: None,
        };
        let Some(mut reader) = FrameReader::open(&segment, HEADER_BYTES)? else {
            return Ok(Scan {
                segment,
                damaged: true,
            });
        };
        loop {
            match reader.next()? {
                Frame::Record(text) => {
                    let at = serde_json::from_slice::<Record>(&text)
                        .ok()
                        .map(|record| record.at);
                    segment.first_at = segment.first_at.or(at);
                    segment.last_at = at.or(segment.last_at);
                    segment.count += 1;
                    segment.bytes = reader.offset;
                }
                Frame::End => {
                    return Ok(Scan {
                        segment,
                        damaged: false,
                    });
                }
                Frame::Damaged => {
                    return Ok(Scan {
                        segment,
                        damaged: true,
                    });
                }
            }
        }
    }
}

/// Reads frames one after the other.
pub(crate) struct FrameReader {
    file: BufReader<File>,
    /// Where the next frame begins.
    pub(crate) offset: u64,
}

impl FrameReader {
    /// Opens a segment at a frame's begin; none when the header is not that of this segment.
    pub(crate) fn open(segment: &Segment, offset: u64) -> io::Result<Option<Self>> {
        let mut file = BufReader::with_capacity(64 * 1024, File::open(&segment.path)?);
        let mut header = [0; HEADER_BYTES as usize];
        if !read_whole(&mut file, &mut header)? || header != encode_header(segment.first_seq) {
            return Ok(None);
        }
        if offset != HEADER_BYTES {
            file.seek(SeekFrom::Start(offset))?;
        }
        Ok(Some(Self { file, offset }))
    }

    /// The next frame.
    pub(crate) fn next(&mut self) -> io::Result<Frame> {
        if self.file.fill_buf_is_empty()? {
            return Ok(Frame::End);
        }
        let mut frame = [0; FRAME_BYTES];
        if !read_whole(&mut self.file, &mut frame)? {
            return Ok(Frame::Damaged);
        }
        let [a, b, c, d, e, f, g, h] = frame;
        let length = u32::from_le_bytes([a, b, c, d]);
        let checksum = u32::from_le_bytes([e, f, g, h]);
        if length as usize > MAX_RECORD_BYTES {
            return Ok(Frame::Damaged);
        }
        let mut text = vec![0; length as usize];
        if !read_whole(&mut self.file, &mut text)? || checksum != checksum_of(&text) {
            return Ok(Frame::Damaged);
        }
        self.offset += (FRAME_BYTES + text.len()) as u64;
        Ok(Frame::Record(text))
    }
}

/// Lists the segments of a folder by their first number.
pub(crate) fn list_segments(dir: &Path) -> io::Result<Vec<(u64, PathBuf)>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(dir)? {
        let path = entry?.path();
        let name = path
            .file_name()
            .and_then(|name| name.to_str())
            .unwrap_or_default();
        if let Some(number) = name.strip_suffix(SUFFIX).and_then(|stem| stem.parse().ok()) {
            found.push((number, path));
        }
    }
    found.sort_unstable();
    Ok(found)
}

/// Appends a record's frame to `buffer`.
pub(crate) fn encode_record(buffer: &mut Vec<u8>, record: &Record) -> io::Result<()> {
    encode_frame(buffer, &serde_json::to_vec(record)?)
}

/// Appends a frame around a text to `buffer`.
pub(crate) fn encode_frame(buffer: &mut Vec<u8>, text: &[u8]) -> io::Result<()> {
    if text.len() > MAX_RECORD_BYTES {
        return Err(io::Error::new(
            io::ErrorKind::InvalidInput,
            "a record is larger than the spool takes",
        ));
    }
    buffer.extend_from_slice(&(text.len() as u32).to_le_bytes());
    buffer.extend_from_slice(&checksum_of(text).to_le_bytes());
    buffer.extend_from_slice(text);
    Ok(())
}

fn checksum_of(text: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(&(text.len() as u32).to_le_bytes());
    hasher.update(text);
    hasher.finalize()
}

fn encode_header(first_seq: u64) -> [u8; HEADER_BYTES as usize] {
    let mut header = [0; HEADER_BYTES as usize];
    header[..8].copy_from_slice(MAGIC);
    header[8..16].copy_from_slice(&first_seq.to_le_bytes());
    let checksum = crc32fast::hash(&header[..16]);
    header[16..].copy_from_slice(&checksum.to_le_bytes());
    header
}

/// Fills `buffer`; false when the file ends before.
fn read_whole(file: &mut impl Read, buffer: &mut [u8]) -> io::Result<bool> {
    match file.read_exact(buffer) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(false),
        Err(error) => Err(error),
    }
}

trait FillBufIsEmpty {
    fn fill_buf_is_empty(&mut self) -> io::Result<bool>;
}

impl FillBufIsEmpty for BufReader<File> {
    fn fill_buf_is_empty(&mut self) -> io::Result<bool> {
        use std::io::BufRead;
        Ok(self.fill_buf()?.is_empty())
    }
}
