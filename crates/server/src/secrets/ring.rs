//! The file of keys that secrets are sealed under.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use chrono::{DateTime, Utc};
use secrecy::zeroize::{Zeroize, Zeroizing};
use serde::{Deserialize, Serialize};

use crate::files;

/// Bytes of a key: AES-256.
pub(super) const KEY_BYTES: usize = 32;

/// Why the keys cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum KeyRingError {
    /// The file cannot be read or written.
    #[error("cannot use the keys of the sealed secrets in {path}: {source}")]
    Io {
        /// The keys' file.
        path: PathBuf,
        /// The system's answer.
        source: std::io::Error,
    },
    /// The file is no ring of keys.
    #[error(
        "{path} holds no keys as the server writes them ({reason}); the secrets in the database open with those only: restore the file from your backup"
    )]
    Malformed {
        /// The keys' file.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// Others may read the keys.
    #[error("{path} can be read by others than its owner; run: chmod 0600 {path}")]
    Readable {
        /// The keys' file.
        path: PathBuf,
    },
    /// Another process changes the keys.
    #[error("another rotation of the keys in {path} is running; wait for its end")]
    Locked {
        /// The keys' file.
        path: PathBuf,
    },
}

/// One key.
#[derive(Clone)]
pub(super) struct Key {
    /// 16 characters of lower-case hex.
    pub(super) key_id: String,
    pub(super) created_at: DateTime<Utc>,
    pub(super) bytes: Zeroizing<[u8; KEY_BYTES]>,
}

/// Every key that something may be sealed under; the newest, which seals, is the last.
#[derive(Clone)]
pub(super) struct Ring {
    pub(super) keys: Vec<Key>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct StoredRing {
    keys: Vec<StoredKey>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct StoredKey {
    key_id: String,
    created_at: DateTime<Utc>,
    /// Base64 of the 32 bytes.
    key: String,
}

impl Drop for StoredKey {
    fn drop(&mut self) {
        self.key.zeroize();
    }
}

impl Key {
    pub(super) fn random(at: DateTime<Utc>) -> Self {
        Self {
            key_id: hex::encode(rand::random::<[u8; 8]>()),
            created_at: at,
            bytes: Zeroizing::new(rand::random()),
        }
    }
}

impl Ring {
    pub(super) fn find(&self, key_id: &str) -> Option<&Key> {
        self.keys.iter().find(|key| key.key_id == key_id)
    }

    /// A ring is never empty: one is made with a key, and the newest one is never given up.
    pub(super) fn newest(&self) -> Option<&Key> {
        self.keys.last()
    }

    pub(super) fn read(path: &Path) -> Result<Self, KeyRingError> {
        let io = |source| KeyRingError::Io {
            path: path.to_owned(),
            source,
        };
        if files::is_readable_by_others(path).map_err(io)? {
            return Err(KeyRingError::Readable {
                path: path.to_owned(),
            });
        }
        let text = Zeroizing::new(std::fs::read_to_string(path).map_err(io)?);
        parse(&text).map_err(|reason| KeyRingError::Malformed {
            path: path.to_owned(),
            reason,
        })
    }

    pub(super) fn write(&self, path: &Path) -> Result<(), KeyRingError> {
        let stored = StoredRing {
            keys: self
                .keys
                .iter()
                .map(|key| StoredKey {
                    key_id: key.key_id.clone(),
                    created_at: key.created_at,
                    key: STANDARD.encode(key.bytes.as_slice()),
                })
                .collect(),
        };
        let text = serde_json::to_vec_pretty(&stored).map_err(std::io::Error::other);
        let written = text.map(Zeroizing::new).and_then(|text| {
            path.parent().map_or(Ok(()), files::create_private_dir)?;
            files::write_private(path, &text)
        });
        written.map_err(|source| KeyRingError::Io {
            path: path.to_owned(),
            source,
        })
    }
}

fn parse(text: &str) -> Result<Ring, String> {
    let stored: StoredRing = serde_json::from_str(text).map_err(|error| error.to_string())?;
    let mut ring = Ring { keys: Vec::new() };
    for key in stored.keys {
        let bytes = Zeroizing::new(STANDARD.decode(key.key.as_bytes()).map_err(|e| e.to_string())?);
        let bytes = <[u8; KEY_BYTES]>::try_from(bytes.as_slice())
            .map_err(|_| format!("key {} has not {KEY_BYTES} bytes", key.key_id))?;
        if ring.find(&key.key_id).is_some() {
            return Err(format!("key {} is there twice", key.key_id));
        }
        ring.keys.push(Key {
            key_id: key.key_id.clone(),
            created_at: key.created_at,
            bytes: Zeroizing::new(bytes),
        });
    }
    if ring.keys.is_empty() {
        return Err("there is no key in it".to_owned());
    }
    Ok(ring)
}

/// Keeps others from changing the file until it is dropped. The lock is a file of its own, since the ring is replaced as a whole.
pub(super) fn lock(path: &Path, wait: bool) -> Result<File, KeyRingError> {
    let io = |source| KeyRingError::Io {
        path: path.to_owned(),
        source,
    };
    path.parent()
        .map_or(Ok(()), files::create_private_dir)
        .map_err(io)?;
    let mut name = path.as_os_str().to_owned();
    name.push(".lock");
    let file = File::create(Path::new(&name)).map_err(io)?;
    if wait {
        file.lock().map_err(io)?;
    } else if file.try_lock().is_err() {
        return Err(KeyRingError::Locked {
            path: path.to_owned(),
        });
    }
    Ok(file)
}

/// What tells that the file was replaced.
pub(super) fn stamp(path: &Path) -> Option<(u64, SystemTime)> {
    use std::os::unix::fs::MetadataExt;
    let metadata = std::fs::metadata(path).ok()?;
    Some((metadata.ino(), metadata.modified().ok()?))
}
