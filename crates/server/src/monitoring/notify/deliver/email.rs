//! Mail, in plain text.

use super::{Letter, OwnWords, Refusal};
use crate::AppState;
use crate::mail::Message;

/// Characters of a subject at most.
const SUBJECT_CHARS: usize = 200;

pub(super) async fn send(
    state: &AppState,
    addresses: &[String],
    letter: &Letter,
    own: &OwnWords,
) -> Result<Option<i32>, Refusal> {
    let mailer = state
        .mailer
        .as_ref()
        .ok_or_else(|| Refusal::passing("no mail server is configured"))?;
    let to: Vec<&str> = addresses.iter().map(String::as_str).collect();
    let sent = mailer.send(letter.id.0, &to, &compose(letter, own)).await;
    sent.map(|()| Some(250)).map_err(|failure| Refusal {
        is_permanent: failure.permanent,
        code: failure.code.map(i32::from),
        reason: failure.reason,
        retry_after: None,
    })
}

fn compose(letter: &Letter, own: &OwnWords) -> Message {
    let subject = own
        .subject
        .clone()
        .unwrap_or_else(|| format!("[SecureGuard] {}", letter.plain_title()));
    let subject: String = subject.chars().take(SUBJECT_CHARS).collect();
    let text = own.body.clone().unwrap_or_else(|| letter.plain_text());
    Message {
        subject: subject.into(),
        text: text.into(),
    }
}
