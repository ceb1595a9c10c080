//! The outer form of secrets that prove who calls. The secret part is 256 random bits in base64url.

/// What a bearer token stands for, told by its prefix so that a leaked one is recognised by scanners and people.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum TokenKind {
    /// A signed-in session: `sgs_…`.
    Session,
    /// An API key: `sg_…`.
    ApiKey,
    /// An agent's own token: `sga_…`.
    Agent,
    /// What a mailed link for setting a password carries: `sgp_…`.
    PasswordLink,
    /// What a browser that was signed in with before is known by: `sgd_…`.
    Device,
    /// A sign-in that waits for its second step: `sgc_…`.
    Challenge,
}

/// A bearer token that has none of the known forms.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "the token has none of the known forms (sgs_…, sg_…, sga_…, sgp_…, sgd_…, sgc_… followed by 43 characters)"
)]
pub struct TokenError;

/// Length of a secret part: 32 bytes in base64url without padding.
const SECRET_CHARS: usize = 43;

impl TokenKind {
    /// The token's first characters.
    pub const fn prefix(self) -> &'static str {
        match self {
            Self::Session => "sgs_",
            Self::ApiKey => "sg_",
            Self::Agent => "sga_",
            Self::PasswordLink => "sgp_",
            Self::Device => "sgd_",
            Self::Challenge => "sgc_",
        }
    }

    /// Tells a token's kind from its form alone; whether it is valid only its hash can tell.
    ///
    /// # Errors
    /// [`TokenError`] when prefix, length or alphabet are wrong.
    pub fn of(token: &str) -> Result<Self, TokenError> {
        [
            Self::Session,
            Self::Agent,
            Self::PasswordLink,
            Self::Device,
            Self::Challenge,
            Self::ApiKey,
        ]
        .into_iter()
        .find(|kind| token.strip_prefix(kind.prefix()).is_some_and(is_secret))
        .ok_or(TokenError)
    }
}

fn is_secret(text: &str) -> bool {
    text.len() == SECRET_CHARS
        && text
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_are_told_apart_by_form() {
        let secret = "A".repeat(43);
        assert_eq!(TokenKind::of(&format!("sg_{secret}")), Ok(TokenKind::ApiKey));
        assert_eq!(TokenKind::of(&format!("sgs_{secret}")), Ok(TokenKind::Session));
        assert_eq!(TokenKind::of(&format!("sga_{secret}")), Ok(TokenKind::Agent));
        assert_eq!(TokenKind::of(&format!("sgc_{secret}")), Ok(TokenKind::Challenge));
        assert_eq!(TokenKind::of(&secret), Err(TokenError));
        assert_eq!(TokenKind::of("sg_short"), Err(TokenError));
        assert_eq!(TokenKind::of(&format!("sg_{}é", "A".repeat(41))), Err(TokenError));
    }
}
