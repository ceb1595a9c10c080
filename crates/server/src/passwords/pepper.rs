//! Keys that hashes are made with beside the salt and that the database does not hold (NIST SP 800-63B-4 §3.1.1.2): whoever has the hashes
//! alone cannot even begin to guess. Argon2 takes the key as its secret value (RFC 9106 §3.1), and the hash names its version (`keyid`).

use std::collections::BTreeMap;
use std::sync::Arc;

use argon2::KeyId;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use secrecy::{ExposeSecret, SecretSlice};

/// Bytes of a key at least.
const MIN_KEY_BYTES: usize = 32;

/// The keys by version. None of them: hashes are made without.
#[derive(Debug, Clone, Default)]
pub struct Pepper(Arc<BTreeMap<u32, SecretSlice<u8>>>);

impl Pepper {
    /// Reads lines of a version (1 or more) and a key in base64; `#` begins a comment.
    ///
    /// # Errors
    /// In words, with the number of the line and nothing of the key.
    pub fn parse(text: &str) -> Result<Self, String> {
        let mut keys = BTreeMap::new();
        for (index, line) in text.lines().enumerate() {
            let line = line.split('#').next().unwrap_or_default().trim();
            if line.is_empty() {
                continue;
            }
            let refuse = |what: &str| format!("line {}: {what}", index + 1);
            let (version, key) = line
                .split_once(char::is_whitespace)
                .ok_or_else(|| refuse("is not of the form `version key`"))?;
            let version: u32 = version
                .parse()
                .ok()
                .filter(|version| *version > 0 && *version <= 99_999_999)
                .ok_or_else(|| refuse("the version is no number from 1 to 99999999"))?;
            let key = STANDARD
                .decode(key.trim())
                .map_err(|_| refuse("the key is no base64"))?;
            if key.len() < MIN_KEY_BYTES {
                return Err(refuse("the key has less than 32 bytes"));
            }
            if keys.insert(version, SecretSlice::from(key)).is_some() {
                return Err(refuse("the version is there twice"));
            }
        }
        if keys.is_empty() {
            return Err("has no key".to_owned());
        }
        Ok(Self(Arc::new(keys)))
    }

    /// The key that hashes are made with, and how they name it; none without any.
    pub(super) fn current(&self) -> Option<(KeyId, &[u8])> {
        let (version, key) = self.0.last_key_value()?;
        // Eight digits at most, as a key id has eight bytes at most.
        let id = KeyId::new(version.to_string().as_bytes()).ok()?;
        Some((id, key.expose_secret()))
    }

    /// The key that a hash names; the empty one where it names none, none where it is not here.
    pub(super) fn find(&self, key_id: &[u8]) -> Option<&[u8]> {
        if key_id.is_empty() {
            return Some(&[]);
        }
        let version: u32 = std::str::from_utf8(key_id).ok()?.parse().ok()?;
        self.0.get(&version).map(ExposeSecret::expose_secret)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_highest_version_is_current_and_all_are_found() {
        let (one, two) = (STANDARD.encode([1; 32]), STANDARD.encode([2; 40]));
        let pepper = Pepper::parse(&format!("# rotated\n2 {two}\n\n1 {one} # old\n")).unwrap();
        let (id, key) = pepper.current().unwrap();
        assert_eq!((id.as_bytes(), key), (b"2".as_slice(), [2; 40].as_slice()));
        assert_eq!(pepper.find(b"1"), Some([1; 32].as_slice()));
        assert_eq!(pepper.find(b""), Some([].as_slice()));
        assert_eq!((pepper.find(b"3"), pepper.find(b"x")), (None, None));
        assert!(!format!("{pepper:?}").contains("1, 1"));
    }

    #[test]
    fn what_is_no_key_is_refused_without_being_repeated() {
        let key = STANDARD.encode([1; 32]);
        for bad in [
            String::new(),
            "secretkey".to_owned(),
            format!("0 {key}"),
            format!("x {key}"),
            "1 !!secret!!".to_owned(),
            format!("1 {}", STANDARD.encode([1; 31])),
            format!("1 {key}\n1 {key}"),
        ] {
            let reason = Pepper::parse(&bad).unwrap_err();
            assert!(!reason.contains("secret") && !reason.contains(&key), "{reason}");
        }
    }
}
