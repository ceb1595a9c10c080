//! A collection of breached passwords that the administrator names (ASVS 5.0 §6.2.12; NIST SP 800-63B-4 §3.1.1.2).

use std::fs::File;
use std::io::{self, ErrorKind};
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::Arc;

use aws_lc_rs::digest;
use data_encoding::HEXUPPER;
use secrecy::{ExposeSecret, SecretString};
use unicode_normalization::UnicodeNormalization;

/// Characters of a SHA-1 in hexadecimal.
const HASH_CHARS: usize = 40;
/// Bytes of a line at most: the hash, a colon, a count, the end of the line.
const MAX_LINE_BYTES: usize = 80;

/// A file of lines `SHA-1` or `SHA-1:COUNT`, ordered by the hash, which is how collections of breached passwords are handed on. It is searched where it
/// lies: some forty reads for a collection of a thousand million.
#[derive(Debug, Clone)]
pub struct BreachedPasswords {
    file: Arc<File>,
    bytes: u64,
}

impl BreachedPasswords {
    /// Opens a collection.
    ///
    /// # Errors
    /// What is wrong, when it cannot be read or has another form.
    pub fn open(path: &Path) -> Result<Self, String> {
        let open = || -> io::Result<Self> {
            let file = File::open(path)?;
            let bytes = file.metadata()?.len();
            let file = Arc::new(file);
            Ok(Self { file, bytes })
        };
        let collection = open().map_err(|error| format!("cannot be read: {error}"))?;
        let form = "has to consist of lines with a SHA-1 in hexadecimal, ordered";
        let mut before = Vec::new();
        // A few lines tell a file of another form or order; the whole one is too long to read at every start.
        for tenth in 0..10 {
            let line = collection
                .line_from(collection.bytes / 10 * tenth)
                .map_err(|error| format!("{form}: {error}"))?;
            match line {
                Some((_, hash)) if hash >= before => before = hash,
                // Behind the last line, unless there is no line at all.
                None if tenth > 0 => break,
                _ => return Err(form.to_owned()),
            }
        }
        Ok(collection)
    }

    /// Whether the collection has a password, in the form of Unicode that hashes are made of (NFC).
    ///
    /// # Errors
    /// When the file cannot be read any more, or a line is no line of a collection.
    pub fn contains(&self, password: &SecretString) -> io::Result<bool> {
        let text: String = password.expose_secret().nfc().collect();
        let hash = digest::digest(&digest::SHA1_FOR_LEGACY_USE_ONLY, text.as_bytes());
        let wanted = HEXUPPER.encode(hash.as_ref()).into_bytes();
        // Lines that begin before `low` are smaller than the one that is wanted, those from `high` on are greater.
        let (mut low, mut high) = (0, self.bytes);
        while low < high {
            let middle = low.midpoint(high);
            match self.line_from(middle)? {
                Some((end, hash)) if hash < wanted => low = end,
                Some((_, hash)) if hash == wanted => return Ok(true),
                _ => high = middle,
            }
        }
        Ok(false)
    }

    /// The end and the hash of the first line that begins at `offset` or after it; none behind the last one.
    fn line_from(&self, offset: u64) -> io::Result<Option<(u64, Vec<u8>)>> {
        // From one byte before, to see whether a line begins at the offset itself.
        let start = offset.saturating_sub(1);
        let mut buffer = [0; 2 * MAX_LINE_BYTES];
        let mut filled = 0;
        while let Some(rest) = buffer.get_mut(filled..).filter(|rest| !rest.is_empty()) {
            match self.file.read_at(rest, start + filled as u64) {
                Ok(0) => break,
                Ok(n) => filled += n,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        let read = buffer.get(..filled).unwrap_or_default();
        let find_end = |from: usize| {
            let rest = read.get(from..).unwrap_or_default();
            rest.iter()
                .position(|byte| *byte == b'\n')
                .map(|at| from + at + 1)
        };
        let begin = match offset {
            0 => 0,
            _ => match find_end(0) {
                Some(begin) => begin,
                None if filled < buffer.len() => return Ok(None),
                None => return Err(no_line()),
            },
        };
        let end = find_end(begin).unwrap_or(filled);
        let line = read.get(begin..end).unwrap_or_default().trim_ascii_end();
        if line.is_empty() && end == filled && filled < buffer.len() {
            return Ok(None);
        }
        let (hash, rest) = line.split_at_checked(HASH_CHARS).ok_or_else(no_line)?;
        if !hash.iter().all(u8::is_ascii_hexdigit) || !(rest.is_empty() || rest.starts_with(b":")) {
            return Err(no_line());
        }
        Ok(Some((start + end as u64, hash.to_ascii_uppercase())))
    }
}

fn no_line() -> io::Error {
    io::Error::new(ErrorKind::InvalidData, "a line is not a SHA-1 and a count")
}

#[cfg(test)]
mod tests {
    use std::fmt::Write as _;

    use super::*;

    fn hash_of(password: &str) -> String {
        HEXUPPER.encode(digest::digest(&digest::SHA1_FOR_LEGACY_USE_ONLY, password.as_bytes()).as_ref())
    }

    fn open(text: &str) -> Result<BreachedPasswords, String> {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), text).unwrap();
        BreachedPasswords::open(file.path())
    }

    #[test]
    fn every_line_is_found_and_nothing_else() {
        for (count, ending) in [(1, ""), (2, "\n"), (3, "\r\n"), (500, "\r\n"), (501, "\n")] {
            let mut hashes: Vec<String> = (0..count).map(|n| hash_of(&format!("word {n}"))).collect();
            hashes.sort();
            let mut text = String::new();
            for (n, hash) in hashes.iter().enumerate() {
                let _ = match n % 3 {
                    0 => write!(text, "{hash}:{}", n * n * 997),
                    1 => write!(text, "{}", hash.to_lowercase()),
                    _ => write!(text, "{hash}:1"),
                };
                text.push_str(if ending.is_empty() { "\n" } else { ending });
            }
            let text = if ending.is_empty() { text.trim_end() } else { &text };
            let collection = open(text).unwrap();
            for n in 0..count {
                assert!(
                    collection.contains(&format!("word {n}").into()).unwrap(),
                    "{n} of {count}"
                );
            }
            for n in count..count + 200 {
                assert!(
                    !collection.contains(&format!("word {n}").into()).unwrap(),
                    "{n} of {count}"
                );
            }
        }
    }

    #[test]
    fn accents_are_composed_first() {
        let collection = open(&hash_of("caf\u{e9}")).unwrap();
        assert!(collection.contains(&"cafe\u{301}".to_owned().into()).unwrap());
    }

    #[test]
    fn other_files_are_told() {
        let backwards = format!("{}\n{}\n", "F".repeat(40), "0".repeat(40));
        for text in [
            "",
            "\n",
            "password\n",
            &"x".repeat(1000),
            &"A".repeat(41),
            &backwards,
        ] {
            assert!(open(text).unwrap_err().contains("SHA-1"), "{text:.60}");
        }
        assert!(
            BreachedPasswords::open(Path::new("/nowhere"))
                .unwrap_err()
                .contains("cannot be read")
        );
    }
}
