//! Sealed files: AES-256-GCM over pieces of 64 KiB (STREAM, Hoang, Reyhanitabar, Rogaway and Vizár 2015), under a key of each file's own that is derived from the
//! repository's key, a random salt and the file's name (HKDF-SHA-256, RFC 5869). What was cut off, exchanged, renamed or changed does not open.

use std::io::{self, ErrorKind, Read, Write};

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use aws_lc_rs::hkdf::{HKDF_SHA256, KeyType, Salt};
use secrecy::{ExposeSecret, SecretBox, SecretString};

/// First bytes of a sealed file.
const MAGIC: &[u8; 8] = b"SGBAK\0\0\x01";
const SALT: usize = 32;
const PIECE: usize = 64 * 1024;
const TAG: usize = 16;
const KEY: usize = 32;
/// What the repository's key is derived from the pass for.
const REPOSITORY: &[u8] = b"secureguard.backup.v1 repository";
/// What a file's key is derived for.
const FILE: &[u8] = b"secureguard.backup.v1 file ";
/// What tells whether a pass belongs to a repository.
const CHECK: &[u8] = b"secureguard.backup.v1 check";

/// The key of a repository.
#[derive(Debug)]
pub(crate) struct Key(SecretBox<[u8; KEY]>);

struct Length(usize);

impl KeyType for Length {
    fn len(&self) -> usize {
        self.0
    }
}

impl Key {
    /// The key that belongs to a pass, which has 256 random bits: no work factor is needed.
    pub(crate) fn of(pass: &SecretString) -> Self {
        Self(SecretBox::new(Box::new(derive(
            pass.expose_secret().as_bytes(),
            &[],
            REPOSITORY,
        ))))
    }

    pub(crate) fn from_hex(text: &SecretString) -> Option<Self> {
        let mut key = Box::new([0; KEY]);
        hex::decode_to_slice(text.expose_secret(), key.as_mut_slice()).ok()?;
        Some(Self(SecretBox::new(key)))
    }

    pub(crate) fn to_hex(&self) -> SecretString {
        hex::encode(self.0.expose_secret()).into()
    }

    /// What a repository tells about its key, so that a wrong pass is told from a damaged file.
    pub(super) fn check(&self) -> String {
        hex::encode(derive(self.0.expose_secret(), &[], CHECK))
    }

    fn of_file(&self, salt: &[u8], name: &str) -> io::Result<LessSafeKey> {
        let key = derive(self.0.expose_secret(), salt, &[FILE, name.as_bytes()].concat());
        let key = UnboundKey::new(&AES_256_GCM, &key).map_err(|_| io::Error::other("no key"))?;
        Ok(LessSafeKey::new(key))
    }
}

fn derive(secret: &[u8], salt: &[u8], info: &[u8]) -> [u8; KEY] {
    let mut key = [0; KEY];
    let extracted = Salt::new(HKDF_SHA256, salt).extract(secret);
    let filled = extracted
        .expand(&[info], Length(KEY))
        .and_then(|derived| derived.fill(&mut key));
    // Fails only for more than 255 times the length of the digest.
    debug_assert!(filled.is_ok());
    key
}

/// Counts the pieces, and marks the last one.
fn nonce(number: u64, is_last: bool) -> Nonce {
    let mut bytes = [0; NONCE_LEN];
    if let Some(counter) = bytes.get_mut(3..11) {
        counter.copy_from_slice(&number.to_be_bytes());
    }
    if let Some(last) = bytes.last_mut() {
        *last = u8::from(is_last);
    }
    Nonce::assume_unique_for_key(bytes)
}

/// Seals what is written.
pub(super) struct Sealer<W: Write> {
    to: W,
    key: LessSafeKey,
    piece: Vec<u8>,
    number: u64,
}

impl<W: Write> Sealer<W> {
    /// Begins the file that is called `name` within the repository.
    pub(super) fn new(mut to: W, key: &Key, name: &str) -> io::Result<Self> {
        let salt: [u8; SALT] = rand::random();
        to.write_all(MAGIC)?;
        to.write_all(&salt)?;
        Ok(Self {
            to,
            key: key.of_file(&salt, name)?,
            piece: Vec::with_capacity(PIECE + TAG),
            number: 0,
        })
    }

    /// Ends it. Without this nothing opens.
    pub(super) fn finish(mut self) -> io::Result<W> {
        self.seal(true)?;
        self.to.flush()?;
        Ok(self.to)
    }

    fn seal(&mut self, is_last: bool) -> io::Result<()> {
        self.key
            .seal_in_place_append_tag(nonce(self.number, is_last), Aad::empty(), &mut self.piece)
            .map_err(|_| io::Error::other("a piece could not be sealed"))?;
        self.to.write_all(&self.piece)?;
        self.piece.clear();
        self.number += 1;
        Ok(())
    }
}

impl<W: Write> Write for Sealer<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        // The last piece is the one that is there at the end, so a full one waits.
        if self.piece.len() == PIECE && !bytes.is_empty() {
            self.seal(false)?;
        }
        let taken = bytes.len().min(PIECE - self.piece.len());
        self.piece
            .extend_from_slice(bytes.get(..taken).unwrap_or_default());
        Ok(taken)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.to.flush()
    }
}

/// Opens what is read. A file that is not what was sealed gives [`ErrorKind::InvalidData`].
pub(super) struct Opener<R: Read> {
    from: R,
    key: LessSafeKey,
    /// The piece that is given out, and how much of it was.
    piece: Vec<u8>,
    given: usize,
    /// The sealed piece behind it; empty: there is none.
    next: Vec<u8>,
    number: u64,
}

impl<R: Read> Opener<R> {
    pub(super) fn new(mut from: R, key: &Key, name: &str) -> io::Result<Self> {
        let mut head = [0; MAGIC.len() + SALT];
        from.read_exact(&mut head).map_err(|error| match error.kind() {
            ErrorKind::UnexpectedEof => damaged(),
            _ => error,
        })?;
        let (magic, salt) = head.split_at(MAGIC.len());
        if magic != MAGIC {
            return Err(damaged());
        }
        let mut this = Self {
            key: key.of_file(salt, name)?,
            from,
            piece: Vec::new(),
            given: 0,
            next: Vec::new(),
            number: 0,
        };
        this.next = this.read_piece()?;
        // Even nothing is sealed as one piece.
        this.open()?;
        Ok(this)
    }

    fn read_piece(&mut self) -> io::Result<Vec<u8>> {
        let mut piece = Vec::with_capacity(PIECE + TAG);
        (&mut self.from)
            .take((PIECE + TAG) as u64)
            .read_to_end(&mut piece)?;
        Ok(piece)
    }

    fn open(&mut self) -> io::Result<()> {
        let following = self.read_piece()?;
        self.piece = std::mem::replace(&mut self.next, following);
        let is_last = self.next.is_empty();
        let opened = self
            .key
            .open_in_place(nonce(self.number, is_last), Aad::empty(), &mut self.piece)
            .map_err(|_| damaged())?
            .len();
        self.piece.truncate(opened);
        self.given = 0;
        self.number += 1;
        Ok(())
    }
}

impl<R: Read> Read for Opener<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.given == self.piece.len() {
            if self.next.is_empty() {
                return Ok(0);
            }
            self.open()?;
        }
        let left = self.piece.get(self.given..).unwrap_or_default();
        let taken = left.len().min(buffer.len());
        if let (Some(to), Some(from)) = (buffer.get_mut(..taken), left.get(..taken)) {
            to.copy_from_slice(from);
        }
        self.given += taken;
        Ok(taken)
    }
}

fn damaged() -> io::Error {
    io::Error::new(ErrorKind::InvalidData, "it is damaged")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key() -> Key {
        Key::of(&"0123456789abcdef0123456789abcdef".into())
    }

    fn seal(plain: &[u8], name: &str) -> Vec<u8> {
        let mut sealer = Sealer::new(Vec::new(), &key(), name).unwrap();
        sealer.write_all(plain).unwrap();
        sealer.finish().unwrap()
    }

    fn open(sealed: &[u8], key: &Key, name: &str) -> io::Result<Vec<u8>> {
        let mut plain = Vec::new();
        Opener::new(sealed, key, name)?.read_to_end(&mut plain)?;
        Ok(plain)
    }

    #[test]
    fn what_was_sealed_opens_at_every_length_around_a_piece() {
        for length in [0, 1, PIECE - 1, PIECE, PIECE + 1, 2 * PIECE, 3 * PIECE + 7] {
            let plain: Vec<u8> = (0..length).map(|n| (n % 251) as u8).collect();
            let sealed = seal(&plain, "a");
            assert_eq!(open(&sealed, &key(), "a").unwrap(), plain, "{length}");
            assert!(
                !sealed
                    .windows(32)
                    .any(|window| plain.windows(32).next() == Some(window))
            );
        }
    }

    #[test]
    fn nothing_else_opens() {
        let plain = vec![7; 2 * PIECE + 100];
        let sealed = seal(&plain, "a");
        let head = MAGIC.len() + SALT;
        let whole = PIECE + TAG;
        let refused = |bytes: &[u8], key: &Key, name: &str, what: &str| {
            let error = open(bytes, key, name).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::InvalidData, "{what}");
        };
        refused(&sealed, &key(), "b", "under another name");
        refused(
            &sealed,
            &Key::of(&"another pass of 32 characters...".into()),
            "a",
            "by another pass",
        );
        for cut in [
            0,
            5,
            head,
            head + 10,
            head + whole,
            head + 2 * whole,
            sealed.len() - 1,
        ] {
            refused(&sealed[..cut], &key(), "a", &format!("cut at {cut}"));
        }
        for place in [0, 10, head, head + whole + 3, sealed.len() - 1] {
            let mut flipped = sealed.clone();
            flipped[place] ^= 1;
            refused(&flipped, &key(), "a", &format!("flipped at {place}"));
        }
        let mut exchanged = sealed.clone();
        exchanged.copy_within(head..head + whole, head + whole);
        refused(&exchanged, &key(), "a", "a piece twice");
        let mut longer = sealed.clone();
        longer.push(0);
        refused(&longer, &key(), "a", "something behind it");
        // Two files of the same content have nothing in common.
        assert_ne!(seal(&plain, "a")[MAGIC.len()..], sealed[MAGIC.len()..]);
    }

    #[test]
    fn a_key_is_written_down_and_read_again() {
        let again = Key::from_hex(&key().to_hex()).unwrap();
        assert_eq!(again.check(), key().check());
        assert_ne!(again.check(), again.to_hex().expose_secret());
        assert!(Key::from_hex(&"short".into()).is_none());
    }
}
