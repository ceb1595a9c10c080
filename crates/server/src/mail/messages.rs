//! The messages: plain text, short, one link at most, and nothing that a mail program has to load.

use std::borrow::Cow;

use chrono::{DateTime, Duration, Utc};
use secrecy::{ExposeSecret, SecretString};
use sg_db::users::LinkPurpose;

/// Which message it is; its word is `users.outgoing_mail.kind`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MailKind {
    /// A link for a forgotten password.
    PasswordReset,
    /// A link for the first password.
    Invitation,
    /// The password was changed.
    PasswordChanged,
    /// Sign-in is locked after too many failures.
    AccountLocked,
}

impl MailKind {
    const ALL: [Self; 4] = [
        Self::PasswordReset,
        Self::Invitation,
        Self::PasswordChanged,
        Self::AccountLocked,
    ];

    /// The word that is stored.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::PasswordReset => "password_reset",
            Self::Invitation => "invitation",
            Self::PasswordChanged => "password_changed",
            Self::AccountLocked => "account_locked",
        }
    }

    /// The kind of a stored word; none for a word of another version of this program.
    pub fn find(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == word)
    }

    /// How long after it was asked for the mail is still of use.
    pub fn worth_sending_for(self) -> Duration {
        match self {
            Self::PasswordReset => Duration::minutes(30),
            Self::Invitation => Duration::days(2),
            Self::PasswordChanged | Self::AccountLocked => Duration::days(1),
        }
    }

    /// The link that it carries, and how long that works. 30 minutes for a forgotten password; an invitation waits for somebody who does not
    /// expect it.
    pub fn link(self) -> Option<(LinkPurpose, Duration)> {
        match self {
            Self::PasswordReset => Some((LinkPurpose::Reset, Duration::minutes(30))),
            Self::Invitation => Some((LinkPurpose::Invitation, Duration::days(3))),
            Self::PasswordChanged | Self::AccountLocked => None,
        }
    }
}

/// Who reads it, and where the server is.
#[derive(Debug, Clone, Copy)]
pub struct Reader<'a> {
    /// Sign-in name.
    pub username: &'a str,
    /// The person's name.
    pub full_name: Option<&'a str>,
    /// The server's own URL, never one that a request named.
    pub public_url: &'a str,
    /// When what the mail tells of happened.
    pub at: DateTime<Utc>,
}

/// A message in words.
#[derive(Debug, Clone)]
pub struct Message {
    /// The subject.
    pub subject: Cow<'static, str>,
    /// The text; holds the link's token, so that it is a secret.
    pub text: SecretString,
}

/// Puts a message into words. `token` is the link's, where the kind has one.
pub(super) fn render(kind: MailKind, reader: &Reader<'_>, token: Option<&SecretString>) -> Message {
    let greeting = reader.full_name.unwrap_or(reader.username);
    let (url, username) = (reader.public_url, reader.username);
    let at = reader.at.format("%Y-%m-%d %H:%M UTC");
    // Behind the `#`, the token stays in the browser: no server's or proxy's log sees it.
    let link = format!(
        "{url}/set-password#{}",
        token.map(|t| t.expose_secret()).unwrap_or_default()
    );
    let (subject, body) = match kind {
        MailKind::PasswordReset => (
            "Set a new SecureGuard password",
            format!(
                "somebody, probably you, asked for a new password for the account {username} on {url}.\n\n\
                 Set it here within 30 minutes:\n\n{link}\n\n\
                 The link works once. If you did not ask for it, ignore this mail: nothing has changed."
            ),
        ),
        MailKind::Invitation => (
            "Your SecureGuard account",
            format!(
                "an account with the user name {username} was made for you on {url}.\n\n\
                 Choose its password here within 3 days:\n\n{link}\n\n\
                 The link works once. Later, \"Forgot your password?\" on the sign-in page sends you another one."
            ),
        ),
        MailKind::PasswordChanged => (
            "Your SecureGuard password was changed",
            format!(
                "the password of the account {username} on {url} was changed at {at}.\n\n\
                 If that was not you, set another one by \"Forgot your password?\" on the sign-in page and tell your administrator."
            ),
        ),
        MailKind::AccountLocked => (
            "Sign-in to your SecureGuard account is locked",
            format!(
                "after several wrong passwords, the last one at {at}, sign-in to the account {username} on {url} is locked for a while.\n\n\
                 Browsers that you have signed in with before are not concerned. If the tries were not yours, there is nothing that you have \
                 to do; tell your administrator if it happens again."
            ),
        ),
    };
    Message {
        subject: subject.into(),
        text: format!("Hello {greeting},\n\n{body}\n").into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_found_again_and_texts_stay_plain() {
        for kind in MailKind::ALL {
            assert_eq!(MailKind::find(kind.as_str()), Some(kind));
            let reader = Reader {
                username: "ada",
                full_name: None,
                public_url: "https://guard.example.org",
                at: DateTime::UNIX_EPOCH,
            };
            let message = render(kind, &reader, Some(&"sgp_token".into()));
            let text = message.text.expose_secret();
            assert_eq!(text.contains("sgp_token"), kind.link().is_some(), "{text}");
            assert!(text.contains("ada") && text.contains("https://guard.example.org"));
            assert!(!text.contains('<') && text.len() < 700);
            assert!(!format!("{message:?}").contains("sgp_token"));
        }
        assert_eq!(MailKind::find("something"), None);
    }
}
