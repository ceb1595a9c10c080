//! Results, which the agent signs with a key of its own.

use sg_types::response::{CommandResult, SignedText};

use crate::key::{KeyError, PublicKey, SecretKey};

const RESULT_CONTEXT: &[u8] = b"secureguard-results-v1\0";

/// Signs a result.
///
/// # Errors
/// [`KeyError::Private`] when it cannot be written as JSON.
pub fn sign_result(key: &SecretKey, result: &CommandResult) -> Result<SignedText, KeyError> {
    let text = serde_json::to_string(result).map_err(|_| KeyError::Private)?;
    let signature = key.sign(RESULT_CONTEXT, &text);
    Ok(SignedText { text, signature })
}

/// Reads a result that `key` has signed; none when it has not, or when the text is no result.
pub fn verify_result(key: &PublicKey, result: &SignedText) -> Option<CommandResult> {
    if !key.believes(RESULT_CONTEXT, &result.text, &result.signature) {
        return None;
    }
    serde_json::from_str(&result.text).ok()
}
