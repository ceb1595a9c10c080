//! Mail, in plain text.

use super::{Letter, Refusal};
use crate::AppState;
use crate::mail::Message;

/// Characters of a subject at most.
const SUBJECT_CHARS: usize = 200;

pub(super) async fn send(
    state: &AppState,
    addresses: &[String],
    letter: &Letter,
) -> Result<Option<i32>, Refusal> {
    let mailer = state
        .mailer
        .as_ref()
        .ok_or_else(|| Refusal::passing("no mail server is configured"))?;
    let to: Vec<&str> = addresses.iter().map(String::as_str).collect();
    let sent = mailer.send(letter.id.0, &to, &compose(letter)).await;
    sent.map(|()| Some(250)).map_err(|failure| Refusal {
        is_permanent: failure.permanent,
        code: failure.code.map(i32::from),
        reason: failure.reason,
        retry_after: None,
    })
}

fn compose(letter: &Letter) -> Message {
    let title = letter.plain_title();
    let subject: String = format!("[SecureGuard] {title}")
        .chars()
        .take(SUBJECT_CHARS)
        .collect();
    let facts: String = letter
        .facts
        .iter()
        .map(|(name, value)| format!("{name}: {value}\n"))
        .collect();
    Message {
        subject: subject.into(),
        text: format!("{title}\n\n{facts}\n{}\n", letter.url).into(),
    }
}
