//! The Ed25519 key that signs rule sets, which agents pin at enrolment.

use std::path::{Path, PathBuf};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ed25519_dalek::pkcs8::{DecodePrivateKey, EncodePrivateKey, spki::der::pem::LineEnding};
use ed25519_dalek::{Signer, SigningKey};
use sg_types::agent::{RULES_SIGNATURE_CONTEXT, RulePackage, SignedRules, TrustSet};

use crate::files;

/// Version of the trust set that this server hands out.
const TRUST_SET_VERSION: u32 = 1;

/// Signs rule sets.
#[derive(Clone)]
pub struct RulesSigner {
    key: SigningKey,
}

/// Why the key cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum SigningKeyError {
    /// The file cannot be read or written.
    #[error("cannot use the rules signing key {path}: {source}")]
    Io {
        /// The key's file.
        path: PathBuf,
        /// The system's answer.
        source: std::io::Error,
    },
    /// The file is no PKCS #8 PEM of an Ed25519 key.
    #[error(
        "{path} is no Ed25519 key in PKCS #8 PEM: {reason}; agents trust the old key only, so restore it from your backup"
    )]
    Malformed {
        /// The key's file.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// Others may read the key.
    #[error("{path} can be read by others than its owner; run: chmod 0600 {path}")]
    Readable {
        /// The key's file.
        path: PathBuf,
    },
}

impl RulesSigner {
    /// Reads the key, or makes it (0600) where there is none.
    ///
    /// # Errors
    /// [`SigningKeyError`].
    pub fn load_or_create(path: &Path) -> Result<Self, SigningKeyError> {
        let io = |source| SigningKeyError::Io {
            path: path.to_owned(),
            source,
        };
        match std::fs::read_to_string(path) {
            Ok(pem) => {
                if files::is_readable_by_others(path).map_err(io)? {
                    return Err(SigningKeyError::Readable {
                        path: path.to_owned(),
                    });
                }
                Self::from_pem(path, &pem)
            }
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Self::create(path),
            Err(error) => Err(io(error)),
        }
    }

    /// A signer with a key that is kept nowhere.
    pub fn ephemeral() -> Self {
        Self {
            key: SigningKey::from_bytes(&rand::random()),
        }
    }

    /// Whom agents believe from their enrolment on.
    pub fn trust_set(&self) -> TrustSet {
        TrustSet {
            version: TRUST_SET_VERSION,
            rules_key: STANDARD.encode(self.key.verifying_key().as_bytes()),
        }
    }

    /// Signs a rule package.
    ///
    /// # Errors
    /// When the package cannot be written as JSON.
    pub fn sign(&self, package: &RulePackage) -> Result<SignedRules, serde_json::Error> {
        let package = serde_json::to_string(package)?;
        let message = [RULES_SIGNATURE_CONTEXT, package.as_bytes()].concat();
        let signature = STANDARD.encode(self.key.sign(&message).to_bytes());
        Ok(SignedRules { package, signature })
    }

    fn create(path: &Path) -> Result<Self, SigningKeyError> {
        let signer = Self::ephemeral();
        let pem = signer
            .key
            .to_pkcs8_pem(LineEnding::LF)
            .map_err(|e| SigningKeyError::Malformed {
                path: path.to_owned(),
                reason: e.to_string(),
            })?;
        let written = path
            .parent()
            .map_or(Ok(()), files::create_private_dir)
            .and_then(|()| files::write_private(path, pem.as_bytes()));
        written.map_err(|source| SigningKeyError::Io {
            path: path.to_owned(),
            source,
        })?;
        tracing::info!(path = %path.display(), "made a new key for signing rule sets");
        Ok(signer)
    }

    fn from_pem(path: &Path, pem: &str) -> Result<Self, SigningKeyError> {
        SigningKey::from_pkcs8_pem(pem)
            .map(|key| Self { key })
            .map_err(|e| SigningKeyError::Malformed {
                path: path.to_owned(),
                reason: e.to_string(),
            })
    }
}

impl std::fmt::Debug for RulesSigner {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RulesSigner").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use ed25519_dalek::{Signature, Verifier, VerifyingKey};

    use super::*;

    fn verify(signer: &RulesSigner, signed: &SignedRules, package: &str) -> bool {
        let key: [u8; 32] = STANDARD
            .decode(signer.trust_set().rules_key)
            .unwrap()
            .try_into()
            .unwrap();
        let signature = Signature::from_slice(&STANDARD.decode(&signed.signature).unwrap()).unwrap();
        let message = [RULES_SIGNATURE_CONTEXT, package.as_bytes()].concat();
        VerifyingKey::from_bytes(&key)
            .unwrap()
            .verify(&message, &signature)
            .is_ok()
    }

    #[test]
    fn the_key_survives_a_restart_and_signs_exactly_the_package() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("keys/rules.pem");
        let first = RulesSigner::load_or_create(&path).unwrap();
        assert_eq!(
            std::fs::metadata(&path).unwrap().permissions().mode() & 0o777,
            0o600
        );
        let second = RulesSigner::load_or_create(&path).unwrap();
        assert_eq!(first.trust_set(), second.trust_set());
        let signed = second
            .sign(&RulePackage {
                version: 3,
                rules: Vec::new(),
            })
            .unwrap();
        assert!(verify(&first, &signed, &signed.package));
        assert!(!verify(&first, &signed, &signed.package.replace('3', "4")));
    }

    #[test]
    fn a_damaged_or_readable_key_is_refused_not_replaced() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("rules.pem");
        files::write_private(&path, b"garbage").unwrap();
        assert!(matches!(
            RulesSigner::load_or_create(&path),
            Err(SigningKeyError::Malformed { .. })
        ));
        assert_eq!(std::fs::read(&path).unwrap(), b"garbage");
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).unwrap();
        assert!(matches!(
            RulesSigner::load_or_create(&path),
            Err(SigningKeyError::Readable { .. })
        ));
    }
}
