//! Trust sets: whom agents believe. A later one replaces the pinned one under a signature that the pinned one names.

use sg_types::agent::TrustSet;
use sg_types::response::SignedText;

use crate::key::{KeyError, PublicKey, SecretKey};

const TRUST_CONTEXT: &[u8] = b"secureguard-trust-v1\0";

/// Why a trust set is not taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TrustRefused {
    /// Neither the approver root nor the key for rules is usable.
    #[error("the pinned keys are not usable: enrol again")]
    UnusableKey,
    /// Not signed by who may change it.
    #[error("the trust set is not signed by the key that may change the pinned one")]
    BadSignature,
    /// The text is no trust set, or a key in it is none.
    #[error("the signed text is not a trust set: {0}")]
    NotATrustSet(String),
    /// It is not newer.
    #[error("version {offered} is not newer than version {pinned} that is pinned")]
    NotNewer {
        /// The version that was offered.
        offered: u32,
        /// The pinned version.
        pinned: u32,
    },
    /// It brings an approver root where none is pinned.
    #[error(
        "an approver root is pinned at enrolment or on the machine itself, and never comes with an update"
    )]
    BringsRoot,
}

/// Signs a trust set.
///
/// # Errors
/// [`KeyError::Private`] when it cannot be written as JSON.
pub fn sign_trust_set(key: &SecretKey, trust: &TrustSet) -> Result<SignedText, KeyError> {
    let text = serde_json::to_string(trust).map_err(|_| KeyError::Private)?;
    let signature = key.sign(TRUST_CONTEXT, &text);
    Ok(SignedText { text, signature })
}

/// Reads a trust set that may take the place of the pinned one. Where an approver root is pinned, it alone may change it: whoever has taken the server
/// over holds the key for rules. Where none is, that key changes everything but this: else it could bring a root of its own.
///
/// # Errors
/// [`TrustRefused`] says why it is not taken.
pub fn verify_trust_set(offered: &SignedText, pinned: &TrustSet) -> Result<TrustSet, TrustRefused> {
    let authority = pinned.approver_root.as_deref().unwrap_or(&pinned.rules_key);
    let authority = PublicKey::parse(authority).map_err(|_| TrustRefused::UnusableKey)?;
    if !authority.believes(TRUST_CONTEXT, &offered.text, &offered.signature) {
        return Err(TrustRefused::BadSignature);
    }
    let trust: TrustSet =
        serde_json::from_str(&offered.text).map_err(|error| TrustRefused::NotATrustSet(error.to_string()))?;
    let keys = [
        Some(&trust.rules_key),
        trust.commands_key.as_ref(),
        trust.approver_root.as_ref(),
    ];
    for key in keys.into_iter().flatten() {
        PublicKey::parse(key).map_err(|error| TrustRefused::NotATrustSet(error.to_string()))?;
    }
    if trust.version <= pinned.version {
        return Err(TrustRefused::NotNewer {
            offered: trust.version,
            pinned: pinned.version,
        });
    }
    if pinned.approver_root.is_none() && trust.approver_root.is_some() {
        return Err(TrustRefused::BringsRoot);
    }
    Ok(trust)
}
