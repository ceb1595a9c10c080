//! Events of PagerDuty, version 2: what begins and ends has one key, so that the end resolves the beginning.

use secrecy::ExposeSecret;
use serde_json::{Map, Value, json};
use sg_types::Severity;

use super::super::target::ChannelSecret;
use super::{Letter, Refusal, post};
use crate::AppState;

/// Characters of a summary at most.
const SUMMARY_CHARS: usize = 1_024;

pub(super) async fn send(
    state: &AppState,
    ca_pem: Option<&str>,
    secret: &ChannelSecret,
    letter: &Letter,
) -> Result<Option<i32>, Refusal> {
    let routing_key = secret
        .routing_key
        .as_ref()
        .ok_or_else(|| Refusal::permanent("the channel has no routing key"))?;
    let body = compose(letter, routing_key.expose_secret(), &state.public_url);
    post(
        state,
        ca_pem,
        secret.url.as_ref(),
        &[],
        body.to_string().into_bytes(),
    )
    .await
}

fn compose(letter: &Letter, routing_key: &str, console: &str) -> Value {
    let dedup_key = format!("secureguard/{}", letter.thing);
    if letter.is_over {
        return json!({ "routing_key": routing_key, "event_action": "resolve", "dedup_key": dedup_key });
    }
    let summary: String = letter.plain_title().chars().take(SUMMARY_CHARS).collect();
    let facts: Map<String, Value> = letter
        .facts
        .iter()
        .enumerate()
        .map(|(number, (name, value))| (format!("{} {name}", number + 1), json!(value)))
        .collect();
    json!({
        "routing_key": routing_key,
        "event_action": "trigger",
        "dedup_key": dedup_key,
        "client": "SecureGuard",
        "client_url": console,
        "links": [{ "href": letter.url, "text": "Open in SecureGuard" }],
        "payload": {
            "summary": summary,
            "source": letter.data["endpoint"]["hostname"].as_str().unwrap_or("secureguard"),
            "severity": match letter.severity {
                Severity::Low => "info",
                Severity::Medium => "warning",
                Severity::High => "error",
                Severity::Critical => "critical",
            },
            "timestamp": letter.at,
            "class": letter.kind,
            "custom_details": facts,
        },
    })
}
