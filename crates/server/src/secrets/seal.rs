//! Sealing and opening: AES-256-GCM with random nonces (NIST SP 800-38D §8.2.2; at most 2^32 seals under one key, §8.3).

use std::path::{Path, PathBuf};
use std::sync::{PoisonError, RwLock};
use std::time::SystemTime;

use aws_lc_rs::aead::{AES_256_GCM, Aad, Nonce, RandomizedNonceKey};
use chrono::{DateTime, Utc};
use secrecy::zeroize::Zeroizing;
use sg_db::users::{SealedSecret, SecretLabel};

use super::ring::{self, Key, KeyRingError, Ring};

/// Seals under the newest key of the ring, opens with any of them. Follows the file: a rotation beside it needs no restart.
pub struct SecretBox {
    path: PathBuf,
    loaded: RwLock<Loaded>,
}

struct Loaded {
    ring: Ring,
    stamp: Option<(u64, SystemTime)>,
}

/// Why a secret was not opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The ring has no such key.
    #[error("key {key_id} is not in the ring: restore the file of keys from your backup")]
    UnknownKey {
        /// The key that sealed it.
        key_id: String,
    },
    /// The seal does not hold: the row was changed, or belongs to somebody or something else.
    #[error("the seal of the secret {secret_id} does not hold: its row was changed or moved")]
    Broken {
        /// The row.
        secret_id: uuid::Uuid,
    },
    /// The keys cannot be read.
    #[error(transparent)]
    Ring(#[from] KeyRingError),
}

impl SecretBox {
    /// Reads the keys, or makes a first one (0600) where there is no file.
    ///
    /// # Errors
    /// [`KeyRingError`].
    pub fn load_or_create(path: &Path, at: DateTime<Utc>) -> Result<Self, KeyRingError> {
        if !path.exists() {
            // Of several nodes that start at once, one makes the key.
            let _lock = ring::lock(path, true)?;
            if !path.exists() {
                let first = Ring {
                    keys: vec![Key::random(at)],
                };
                first.write(path)?;
                tracing::info!(path = %path.display(), "made a first key for sealed secrets");
            }
        }
        Ok(Self {
            path: path.to_owned(),
            loaded: RwLock::new(Loaded {
                stamp: ring::stamp(path),
                ring: Ring::read(path)?,
            }),
        })
    }

    /// The ids of the keys, the newest last.
    ///
    /// # Errors
    /// [`KeyRingError`] when the file was changed into something else.
    pub fn key_ids(&self) -> Result<Vec<String>, KeyRingError> {
        Ok(self
            .current()?
            .keys
            .iter()
            .map(|key| key.key_id.clone())
            .collect())
    }

    /// Seals `secret`, at most 64 KiB. In a transaction that stores it, after [`sg_db::users::hold_secret_keys`].
    ///
    /// # Errors
    /// [`OpenError::Ring`].
    pub fn seal(&self, label: SecretLabel, secret: &[u8]) -> Result<SealedSecret, OpenError> {
        let ring = self.current()?;
        let key = ring.newest().ok_or_else(|| OpenError::UnknownKey {
            key_id: "(none)".to_owned(),
        })?;
        let mut text = secret.to_vec();
        let broken = |_| OpenError::Broken {
            secret_id: label.secret_id,
        };
        let nonce = RandomizedNonceKey::new(&AES_256_GCM, key.bytes.as_slice())
            .and_then(|cipher| cipher.seal_in_place_append_tag(associated(&label, &key.key_id), &mut text))
            .map_err(broken)?;
        Ok(SealedSecret {
            label,
            key_id: key.key_id.clone(),
            nonce: nonce.as_ref().to_vec(),
            ciphertext: text,
        })
    }

    /// Opens a secret, if its seal fits its tenant, person, purpose and id.
    ///
    /// # Errors
    /// [`OpenError`].
    pub fn open(&self, sealed: &SealedSecret) -> Result<Zeroizing<Vec<u8>>, OpenError> {
        let ring = self.current()?;
        let key = ring.find(&sealed.key_id).ok_or_else(|| OpenError::UnknownKey {
            key_id: sealed.key_id.clone(),
        })?;
        let broken = |_| OpenError::Broken {
            secret_id: sealed.label.secret_id,
        };
        let mut text = Zeroizing::new(sealed.ciphertext.clone());
        let nonce = Nonce::try_assume_unique_for_key(&sealed.nonce).map_err(broken)?;
        let length = RandomizedNonceKey::new(&AES_256_GCM, key.bytes.as_slice())
            .and_then(|cipher| {
                cipher.open_in_place(nonce, associated(&sealed.label, &key.key_id), text.as_mut_slice())
            })
            .map_err(broken)?
            .len();
        text.truncate(length);
        Ok(text)
    }

    /// The file of the keys.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// The ring as the file has it.
    pub(super) fn current(&self) -> Result<Ring, KeyRingError> {
        let stamp = ring::stamp(&self.path);
        {
            let loaded = self.loaded.read().unwrap_or_else(PoisonError::into_inner);
            // A file that is gone takes no key away from a server that runs.
            if stamp.is_none() || loaded.stamp == stamp {
                return Ok(loaded.ring.clone());
            }
        }
        let mut loaded = self.loaded.write().unwrap_or_else(PoisonError::into_inner);
        *loaded = Loaded {
            ring: Ring::read(&self.path)?,
            stamp,
        };
        tracing::info!(
            keys = loaded.ring.keys.len(),
            "read the keys for sealed secrets again"
        );
        Ok(loaded.ring.clone())
    }
}

impl std::fmt::Debug for SecretBox {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SecretBox")
            .field("path", &self.path)
            .finish_non_exhaustive()
    }
}

/// What the seal is bound to. Fixed words, ids and hex hold no separator, so that two labels never give one text.
fn associated(label: &SecretLabel, key_id: &str) -> Aad<String> {
    let user = label
        .user_id
        .map_or_else(|| "-".to_owned(), |user_id| user_id.to_string());
    Aad::from(format!(
        "secureguard.secret.v1|{}|{user}|{}|{}|{key_id}",
        label.tenant_id,
        label.purpose.as_str(),
        label.secret_id
    ))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use sg_db::users::SecretPurpose;
    use sg_types::{TenantId, UserId};
    use uuid::Uuid;

    use super::*;

    const LABEL: SecretLabel = SecretLabel {
        secret_id: Uuid::from_u128(7),
        tenant_id: TenantId(Uuid::from_u128(1)),
        user_id: Some(UserId(Uuid::from_u128(2))),
        purpose: SecretPurpose::Totp,
    };

    #[test]
    fn what_is_sealed_opens_under_its_own_label_only() {
        let dir = tempfile::tempdir().unwrap();
        let make = |name| SecretBox::load_or_create(&dir.path().join(name), DateTime::UNIX_EPOCH).unwrap();
        let secrets = make("one.json");
        for secret in [&b""[..], b"x", &[0; 65_536]] {
            let sealed = secrets.seal(LABEL, secret).unwrap();
            assert_eq!(sealed.ciphertext.len(), secret.len() + 16);
            assert_eq!(secrets.open(&sealed).unwrap().as_slice(), secret);
        }
        let sealed = secrets.seal(LABEL, b"a seed").unwrap();
        assert_ne!(
            sealed.ciphertext,
            secrets.seal(LABEL, b"a seed").unwrap().ciphertext
        );
        let moved: [fn(&mut SealedSecret); 9] = [
            |s| s.label.tenant_id = TenantId(Uuid::from_u128(3)),
            |s| s.label.user_id = Some(UserId(Uuid::from_u128(3))),
            |s| s.label.user_id = None,
            |s| s.label.purpose = SecretPurpose::LdapBind,
            |s| s.label.secret_id = Uuid::from_u128(8),
            |s| s.nonce[0] ^= 1,
            |s| s.ciphertext[0] ^= 1,
            |s| s.ciphertext.truncate(15),
            |s| s.nonce.truncate(11),
        ];
        for change in moved {
            let mut other = sealed.clone();
            change(&mut other);
            assert!(
                matches!(secrets.open(&other), Err(OpenError::Broken { .. })),
                "{other:?}"
            );
        }
        let elsewhere = make("other.json");
        assert!(matches!(
            elsewhere.open(&sealed),
            Err(OpenError::UnknownKey { .. })
        ));
    }

    #[test]
    fn the_file_is_private_followed_and_never_replaced_by_guess() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("keys/secrets.json");
        let one = SecretBox::load_or_create(&path, DateTime::UNIX_EPOCH).unwrap();
        assert_eq!(
            std::fs::metadata(&path).unwrap().permissions().mode() & 0o777,
            0o600
        );
        let two = SecretBox::load_or_create(&path, DateTime::UNIX_EPOCH).unwrap();
        let sealed = one.seal(LABEL, b"a seed").unwrap();
        assert_eq!(two.open(&sealed).unwrap().as_slice(), b"a seed");

        // Another process adds a key: the next seal is under it, and the old ones open.
        let mut ring = Ring::read(&path).unwrap();
        ring.keys.push(Key::random(DateTime::UNIX_EPOCH));
        ring.write(&path).unwrap();
        let newer = one.seal(LABEL, b"a seed").unwrap();
        assert_eq!(newer.key_id, ring.newest().unwrap().key_id);
        assert_eq!(two.open(&newer).unwrap().as_slice(), b"a seed");
        assert_eq!(two.open(&sealed).unwrap().as_slice(), b"a seed");

        for damage in [
            "garbage",
            "{}",
            r#"{"keys":[]}"#,
            r#"{"keys":[{"key_id":"a","created_at":"2026-01-01T00:00:00Z","key":"AAAA"}]}"#,
        ] {
            crate::files::write_private(&path, damage.as_bytes()).unwrap();
            assert!(
                matches!(
                    SecretBox::load_or_create(&path, DateTime::UNIX_EPOCH),
                    Err(KeyRingError::Malformed { .. })
                ),
                "{damage}"
            );
            assert_eq!(std::fs::read_to_string(&path).unwrap(), damage);
        }
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o640)).unwrap();
        assert!(matches!(
            SecretBox::load_or_create(&path, DateTime::UNIX_EPOCH),
            Err(KeyRingError::Readable { .. })
        ));
    }
}
