//! The Ed25519 keys of the server: one signs rule sets, which agents pin at enrolment, and one signs the audit log.

use std::path::{Path, PathBuf};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ed25519_dalek::pkcs8::{
    DecodePrivateKey, DecodePublicKey, EncodePrivateKey, EncodePublicKey, spki::der::pem::LineEnding,
};
use ed25519_dalek::{Signature, Signer, SigningKey, VerifyingKey};
use sg_trust::SecretKey;
use sg_types::agent::{RULES_SIGNATURE_CONTEXT, RulePackage, SignedRules};
use sha2::{Digest, Sha256};

use crate::files;

/// Signs rule sets.
#[derive(Clone)]
pub struct RulesSigner(KeyPair);

/// Signs checkpoints and records of the audit log.
#[derive(Clone)]
pub struct AuditSigner(KeyPair);

/// Believes what an [`AuditSigner`] signed.
#[derive(Debug, Clone)]
pub struct AuditVerifier(VerifyingKey);

#[derive(Clone)]
struct KeyPair(SigningKey);

/// Why the key cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum SigningKeyError {
    /// The file cannot be read or written.
    #[error("cannot use the signing key {path}: {source}")]
    Io {
        /// The key's file.
        path: PathBuf,
        /// The system's answer.
        source: std::io::Error,
    },
    /// The file is no PEM of an Ed25519 key: PKCS #8 for a private one, SubjectPublicKeyInfo for a public one.
    #[error("{path} is no Ed25519 key in PEM: {reason}; {consequence}")]
    Malformed {
        /// The key's file.
        path: PathBuf,
        /// What is wrong.
        reason: String,
        /// What a new key would mean.
        consequence: &'static str,
    },
    /// Others may read the key.
    #[error("{path} can be read by others than its owner; run: chmod 0600 {path}")]
    Readable {
        /// The key's file.
        path: PathBuf,
    },
}

/// What a key is for, in words.
struct Purpose {
    what: &'static str,
    consequence: &'static str,
}

const RULES: Purpose = Purpose {
    what: "rule sets",
    consequence: "agents trust the old key only, so restore it from your backup",
};
const AUDIT: Purpose = Purpose {
    what: "the audit log",
    consequence: "whoever checks the audit log knows the old key only, so restore it from your backup",
};

impl RulesSigner {
    /// Reads the key, or makes it (0600) where there is none.
    ///
    /// # Errors
    /// [`SigningKeyError`].
    pub fn load_or_create(path: &Path) -> Result<Self, SigningKeyError> {
        KeyPair::load_or_create(path, &RULES).map(Self)
    }

    /// A signer with a key that is kept nowhere.
    pub fn ephemeral() -> Self {
        Self(KeyPair::ephemeral())
    }

    /// The public half, in base64.
    pub fn public_key(&self) -> String {
        STANDARD.encode(self.0.0.verifying_key().as_bytes())
    }

    /// The key itself, for what is signed in the common form.
    pub fn secret_key(&self) -> SecretKey {
        SecretKey::from_seed(self.0.0.as_bytes())
    }

    /// Signs a rule package.
    ///
    /// # Errors
    /// When the package cannot be written as JSON.
    pub fn sign(&self, package: &RulePackage) -> Result<SignedRules, serde_json::Error> {
        let package = serde_json::to_string(package)?;
        let signature = STANDARD.encode(self.0.sign(RULES_SIGNATURE_CONTEXT, package.as_bytes()));
        Ok(SignedRules { package, signature })
    }
}

impl AuditSigner {
    /// Reads the key, or makes it (0600) where there is none, its public half beside it (`.pub`).
    ///
    /// # Errors
    /// [`SigningKeyError`].
    pub fn load_or_create(path: &Path) -> Result<Self, SigningKeyError> {
        let signer = KeyPair::load_or_create(path, &AUDIT).map(Self)?;
        let public = path.with_extension("pub");
        if !public.exists() {
            let pem = signer.verifier().to_pem();
            files::write_public(&public, pem.as_bytes())
                .map_err(|source| SigningKeyError::Io { path: public, source })?;
        }
        Ok(signer)
    }

    /// A signer with a key that is kept nowhere.
    pub fn ephemeral() -> Self {
        Self(KeyPair::ephemeral())
    }

    /// Signs `message`; `context` keeps one kind of message from passing for another.
    pub fn sign(&self, context: &[u8], message: &[u8]) -> [u8; 64] {
        self.0.sign(context, message)
    }

    /// Who believes this signer.
    pub fn verifier(&self) -> AuditVerifier {
        AuditVerifier(self.0.0.verifying_key())
    }
}

impl AuditVerifier {
    /// Reads a public key (SubjectPublicKeyInfo in PEM).
    ///
    /// # Errors
    /// [`SigningKeyError`].
    pub fn load(path: &Path) -> Result<Self, SigningKeyError> {
        let pem = std::fs::read_to_string(path).map_err(|source| SigningKeyError::Io {
            path: path.to_owned(),
            source,
        })?;
        VerifyingKey::from_public_key_pem(&pem)
            .map(Self)
            .map_err(|error| SigningKeyError::Malformed {
                path: path.to_owned(),
                reason: error.to_string(),
                consequence: "`secureguard audit public-key` prints one",
            })
    }

    /// The key in PEM.
    pub fn to_pem(&self) -> String {
        self.0.to_public_key_pem(LineEnding::LF).unwrap_or_default()
    }

    /// The first 8 bytes of the SHA-256 of the public key in hex.
    pub fn key_id(&self) -> String {
        let digest = Sha256::digest(self.0.as_bytes());
        hex::encode(digest.get(..8).unwrap_or_default())
    }

    /// Whether the signer signed this.
    pub fn believes(&self, context: &[u8], message: &[u8], signature: &[u8]) -> bool {
        Signature::from_slice(signature).is_ok_and(|signature| {
            self.0
                .verify_strict(&[context, message].concat(), &signature)
                .is_ok()
        })
    }
}

impl KeyPair {
    fn load_or_create(path: &Path, purpose: &Purpose) -> Result<Self, SigningKeyError> {
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
                SigningKey::from_pkcs8_pem(&pem)
                    .map(Self)
                    .map_err(|e| malformed(path, &e, purpose))
            }
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Self::create(path, purpose),
            Err(error) => Err(io(error)),
        }
    }

    fn ephemeral() -> Self {
        Self(SigningKey::from_bytes(&rand::random()))
    }

    fn create(path: &Path, purpose: &Purpose) -> Result<Self, SigningKeyError> {
        let pair = Self::ephemeral();
        let pem = pair
            .0
            .to_pkcs8_pem(LineEnding::LF)
            .map_err(|e| malformed(path, &e, purpose))?;
        let written = path
            .parent()
            .map_or(Ok(()), files::create_private_dir)
            .and_then(|()| files::write_private(path, pem.as_bytes()));
        written.map_err(|source| SigningKeyError::Io {
            path: path.to_owned(),
            source,
        })?;
        tracing::info!(path = %path.display(), signs = purpose.what, "made a new signing key");
        Ok(pair)
    }

    fn sign(&self, context: &[u8], message: &[u8]) -> [u8; 64] {
        self.0.sign(&[context, message].concat()).to_bytes()
    }
}

fn malformed(path: &Path, reason: &dyn std::fmt::Display, purpose: &Purpose) -> SigningKeyError {
    SigningKeyError::Malformed {
        path: path.to_owned(),
        reason: reason.to_string(),
        consequence: purpose.consequence,
    }
}

impl std::fmt::Debug for RulesSigner {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RulesSigner").finish_non_exhaustive()
    }
}

impl std::fmt::Debug for AuditSigner {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("AuditSigner").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use ed25519_dalek::Verifier;

    use super::*;

    fn verify(signer: &RulesSigner, signed: &SignedRules, package: &str) -> bool {
        let key: [u8; 32] = STANDARD.decode(signer.public_key()).unwrap().try_into().unwrap();
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
        assert_eq!(first.public_key(), second.public_key());
        let signed = second
            .sign(&RulePackage {
                version: 3,
                rules: Vec::new(),
                switched_off: Vec::new(),
                placeholders: std::collections::BTreeMap::new(),
            })
            .unwrap();
        assert!(verify(&first, &signed, &signed.package));
        assert!(!verify(&first, &signed, &signed.package.replace('3', "4")));
    }

    #[test]
    fn an_audit_signature_holds_for_its_own_context_and_key_only() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("keys/audit.pem");
        let signer = AuditSigner::load_or_create(&path).unwrap();
        let verifier = AuditVerifier::load(&path.with_extension("pub")).unwrap();
        assert_eq!(verifier.key_id(), signer.verifier().key_id());
        let signature = signer.sign(b"one\0", b"message");
        assert!(verifier.believes(b"one\0", b"message", &signature));
        assert!(!verifier.believes(b"two\0", b"message", &signature));
        assert!(!verifier.believes(b"one\0", b"massage", &signature));
        assert!(!verifier.believes(b"one\0", b"message", &signature[..63]));
        assert!(
            !AuditSigner::ephemeral()
                .verifier()
                .believes(b"one\0", b"message", &signature)
        );
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
