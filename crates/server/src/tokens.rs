//! Bearer tokens: 256 random bits, of which only the SHA-256 is kept.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use secrecy::{ExposeSecret, SecretString};
use sg_db::TokenHash;
use sg_types::TokenKind;

/// Characters of a token that are kept readable, to tell keys apart (`users.api_keys.key_prefix` takes ten).
const PREFIX_CHARS: usize = 10;

/// A token that was just made.
#[derive(Debug, Clone)]
pub struct NewToken {
    /// The token itself; shown once.
    pub secret: SecretString,
    /// What is stored and looked up.
    pub hash: TokenHash,
    /// Its first characters.
    pub prefix: String,
}

/// Makes a token of `kind`.
pub fn generate(kind: TokenKind) -> NewToken {
    let random: [u8; 32] = rand::random();
    let text = format!("{}{}", kind.prefix(), URL_SAFE_NO_PAD.encode(random));
    NewToken {
        hash: TokenHash::of(&text),
        prefix: text.chars().take(PREFIX_CHARS).collect(),
        secret: text.into(),
    }
}

/// Compares two secrets in a time that tells nothing about where they differ.
pub fn equal_in_constant_time(a: &SecretString, b: &str) -> bool {
    subtle::ConstantTimeEq::ct_eq(
        TokenHash::of(a.expose_secret()).as_bytes(),
        TokenHash::of(b).as_bytes(),
    )
    .into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_have_their_form_and_differ() {
        for kind in [
            TokenKind::Session,
            TokenKind::ApiKey,
            TokenKind::Agent,
            TokenKind::Challenge,
        ] {
            let (one, two) = (generate(kind), generate(kind));
            assert_eq!(TokenKind::of(one.secret.expose_secret()), Ok(kind));
            assert_eq!(one.hash, TokenHash::of(one.secret.expose_secret()));
            assert_eq!(one.prefix.len(), 10);
            assert_ne!(one.hash, two.hash);
            assert!(!format!("{one:?}").contains(one.secret.expose_secret()));
        }
    }
}
