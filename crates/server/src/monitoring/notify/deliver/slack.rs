//! An incoming webhook of Slack, Mattermost, Rocket.Chat and whatever else takes `{"text": …}`.

use serde_json::json;

use super::super::letter::Part;
use super::super::target::ChannelSecret;
use super::{Letter, OwnWords, Refusal, post};
use crate::AppState;

pub(super) async fn send(
    state: &AppState,
    ca_pem: Option<&str>,
    secret: &ChannelSecret,
    letter: &Letter,
    own: &OwnWords,
) -> Result<Option<i32>, Refusal> {
    let text = own.body.clone().unwrap_or_else(|| compose(letter));
    let body = json!({ "text": text }).to_string().into_bytes();
    post(state, ca_pem, secret.url.as_ref(), &[], body).await
}

/// The title, in which our own words are told from somebody else's.
pub(in super::super) fn title(letter: &Letter) -> String {
    let parts = letter.title.iter().map(|part| match part {
        Part::Words(text) => escape(text),
        Part::Value(text) => quote(text),
    });
    parts.collect()
}

pub(in super::super) fn compose(letter: &Letter) -> String {
    let title = title(letter);
    let facts: String = letter
        .facts
        .iter()
        .map(|(name, value)| format!("\n{name}: {}", quote(value)))
        .collect();
    format!("{title}{facts}\n<{}|Open in SecureGuard>", escape(&letter.url))
}

/// The three characters that Slack reads as more than themselves; without them nothing is a mention or a link.
pub(in super::super) fn escape(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
}

/// Somebody else's text as code, in which no markup is read; an `@` that mentions nobody, where the receiver looks for names in code too.
pub(in super::super) fn quote(text: &str) -> String {
    if text.is_empty() {
        return "–".to_owned();
    }
    format!("`{}`", escape(&text.replace('`', "'").replace('@', "@\u{200b}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_is_mentioned_by_what_an_endpoint_says() {
        for hostile in [
            "<!channel> x",
            "@here",
            "<@U123>",
            "<https://evil|Open>",
            "`code` *x*",
            "a&lt;b",
        ] {
            let quoted = quote(hostile);
            assert!(!quoted.contains('<') && !quoted.contains("@h"), "{quoted}");
            assert_eq!(quoted.matches('`').count(), 2, "{quoted}");
        }
    }
}
