//! Ed25519 keys in the forms in which they are kept and told.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ed25519_dalek::pkcs8::spki::der::pem::LineEnding;
use ed25519_dalek::pkcs8::{DecodePrivateKey, EncodePrivateKey};
use ed25519_dalek::{Signature, Signer, SigningKey, VerifyingKey};
use sha2::{Digest, Sha256};

/// Not an Ed25519 key.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// Not 32 bytes of base64 that are a point of the curve.
    #[error("not an Ed25519 public key: 44 characters of base64")]
    Public,
    /// Not a PKCS #8 private key in PEM.
    #[error("not an Ed25519 private key in PEM (PKCS #8)")]
    Private,
}

/// Checks signatures.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublicKey(VerifyingKey);

/// Makes signatures.
#[derive(Clone)]
pub struct SecretKey(SigningKey);

impl PublicKey {
    /// Reads base64.
    ///
    /// # Errors
    /// [`KeyError::Public`].
    pub fn parse(text: &str) -> Result<Self, KeyError> {
        let bytes: [u8; 32] = STANDARD
            .decode(text.trim())
            .ok()
            .and_then(|bytes| bytes.try_into().ok())
            .ok_or(KeyError::Public)?;
        let key = VerifyingKey::from_bytes(&bytes).map_err(|_| KeyError::Public)?;
        // Under a key of small order anything passes for signed.
        if key.is_weak() {
            return Err(KeyError::Public);
        }
        Ok(Self(key))
    }

    /// The key in base64.
    pub fn to_base64(&self) -> String {
        STANDARD.encode(self.0.as_bytes())
    }

    /// The first 8 bytes of the SHA-256 of the key, in hex.
    pub fn key_id(&self) -> String {
        let digest = Sha256::digest(self.0.as_bytes());
        hex::encode(digest.get(..8).unwrap_or_default())
    }

    /// Whether `signature` (base64) is this key's over `context` and `text`.
    pub fn believes(&self, context: &[u8], text: &str, signature: &str) -> bool {
        let Ok(bytes) = STANDARD.decode(signature) else {
            return false;
        };
        Signature::from_slice(&bytes).is_ok_and(|signature| {
            self.0
                .verify_strict(&[context, text.as_bytes()].concat(), &signature)
                .is_ok()
        })
    }
}

impl SecretKey {
    /// The key that grows from 32 random bytes.
    pub fn from_seed(seed: &[u8; 32]) -> Self {
        Self(SigningKey::from_bytes(seed))
    }

    /// Reads PKCS #8 in PEM.
    ///
    /// # Errors
    /// [`KeyError::Private`].
    pub fn from_pem(text: &str) -> Result<Self, KeyError> {
        SigningKey::from_pkcs8_pem(text)
            .map(Self)
            .map_err(|_| KeyError::Private)
    }

    /// PKCS #8 in PEM; secret.
    ///
    /// # Errors
    /// [`KeyError::Private`] when the key cannot be encoded.
    pub fn to_pem(&self) -> Result<String, KeyError> {
        self.0
            .to_pkcs8_pem(LineEnding::LF)
            .map(|pem| pem.as_str().to_owned())
            .map_err(|_| KeyError::Private)
    }

    /// Its public half.
    pub fn public(&self) -> PublicKey {
        PublicKey(self.0.verifying_key())
    }

    /// The signature over `context` and `text`, in base64.
    pub fn sign(&self, context: &[u8], text: &str) -> String {
        let signature = self.0.sign(&[context, text.as_bytes()].concat());
        STANDARD.encode(signature.to_bytes())
    }
}

impl std::fmt::Debug for SecretKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SecretKey").finish_non_exhaustive()
    }
}
