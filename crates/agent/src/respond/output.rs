//! What a command prints: kept up to a bound, counted and hashed as a whole.

use std::io::{self, Write};
use std::sync::{Arc, Mutex, MutexGuard};

use sg_types::response::MAX_OUTPUT_BYTES;
use sha2::{Digest, Sha256};

/// Bytes that are told while the command still runs, in one piece at most.
const CHUNK_BYTES: usize = 64 * 1024;

/// Shared between the thread that does the command and the task that tells the server.
#[derive(Clone, Default)]
pub(super) struct Output(Arc<Mutex<Inner>>);

#[derive(Default)]
struct Inner {
    kept: Vec<u8>,
    told: usize,
    bytes: u64,
    digest: Sha256,
}

/// The whole of it, once the command has ended.
pub(super) struct Whole {
    pub(super) text: String,
    pub(super) bytes: u64,
    pub(super) sha256: String,
}

impl Output {
    pub(super) fn write(&self, bytes: &[u8]) {
        let mut inner = self.lock();
        let room = MAX_OUTPUT_BYTES.saturating_sub(inner.kept.len()).min(bytes.len());
        inner
            .kept
            .extend_from_slice(bytes.get(..room).unwrap_or_default());
        inner.bytes += bytes.len() as u64;
        inner.digest.update(bytes);
    }

    pub(super) fn line(&self, text: &str) {
        self.write(text.as_bytes());
        self.write(b"\n");
    }

    /// The next piece that was not told yet, with its place; whole characters only.
    pub(super) fn next_chunk(&self) -> Option<(u64, String)> {
        let mut inner = self.lock();
        let rest = inner.kept.get(inner.told..).unwrap_or_default();
        let piece = rest.get(..CHUNK_BYTES.min(rest.len())).unwrap_or_default();
        let length = match std::str::from_utf8(piece) {
            Ok(_) => piece.len(),
            // A character that is cut in two waits for its rest.
            Err(error) if error.error_len().is_none() => error.valid_up_to(),
            Err(_) => piece.len(),
        };
        if length == 0 {
            return None;
        }
        let text = String::from_utf8_lossy(piece.get(..length).unwrap_or_default()).into_owned();
        let offset = inner.told as u64;
        inner.told += length;
        Some((offset, text.replace('\0', "\u{fffd}")))
    }

    pub(super) fn whole(&self) -> Whole {
        let inner = self.lock();
        let mut text = String::from_utf8_lossy(&inner.kept)
            .into_owned()
            .replace('\0', "\u{fffd}");
        // Bytes that are no text take more room once they are replaced.
        if text.len() > MAX_OUTPUT_BYTES {
            let end = (0..=MAX_OUTPUT_BYTES)
                .rev()
                .find(|end| text.is_char_boundary(*end));
            text.truncate(end.unwrap_or(0));
        }
        Whole {
            text,
            bytes: inner.bytes,
            sha256: hex::encode(inner.digest.clone().finalize()),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }
}

impl Write for Output {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        Output::write(self, bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_output_is_cut_and_hashed_as_a_whole() {
        let output = Output::default();
        let block = vec![b'x'; 300_000];
        for _ in 0..4 {
            output.write(&block);
        }
        let whole = output.whole();
        assert_eq!((whole.text.len(), whole.bytes), (MAX_OUTPUT_BYTES, 1_200_000));
        assert_eq!(whole.sha256, hex::encode(Sha256::digest(vec![b'x'; 1_200_000])));
    }

    #[test]
    fn pieces_do_not_cut_characters_and_come_once() {
        let output = Output::default();
        let text = "ä".as_bytes();
        output.write(&text[..1]);
        assert_eq!(output.next_chunk(), None);
        output.write(&text[1..]);
        output.write(b"\xffz\0");
        assert_eq!(output.next_chunk(), Some((0, "ä\u{fffd}z\u{fffd}".to_owned())));
        assert_eq!(output.next_chunk(), None);
    }
}
