//! A POST of JSON, signed as Standard Webhooks says (<https://www.standardwebhooks.com>): HMAC-SHA-256 over the id, the time and the body.

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use hmac::{Hmac, KeyInit, Mac};
use secrecy::ExposeSecret;
use sha2::Sha256;

use super::super::target::{ChannelSecret, SIGNING_PREFIX};
use super::{Letter, Refusal, post};
use crate::AppState;

pub(super) async fn send(
    state: &AppState,
    ca_pem: Option<&str>,
    secret: &ChannelSecret,
    letter: &Letter,
) -> Result<Option<i32>, Refusal> {
    let body = letter.to_json().to_string().into_bytes();
    let id = format!("msg_{}", letter.id.0.simple());
    let seconds = state.now().timestamp();
    let key = secret
        .signing_secret
        .as_ref()
        .and_then(|secret| secret.expose_secret().strip_prefix(SIGNING_PREFIX))
        .and_then(|encoded| BASE64.decode(encoded).ok())
        .ok_or_else(|| Refusal::permanent("the channel has no signing secret"))?;
    let headers = [
        ("webhook-id", id.clone()),
        ("webhook-timestamp", seconds.to_string()),
        (
            "webhook-signature",
            format!("v1,{}", sign(&key, &id, seconds, &body)),
        ),
    ];
    post(state, ca_pem, secret.url.as_ref(), &headers, body).await
}

fn sign(key: &[u8], id: &str, seconds: i64, body: &[u8]) -> String {
    // A key of any length will do (RFC 2104 §3).
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(key) else {
        return String::new();
    };
    mac.update(format!("{id}.{seconds}.").as_bytes());
    mac.update(body);
    BASE64.encode(mac.finalize().into_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of the specification's reference libraries.
    #[test]
    fn the_signature_is_that_of_the_specification() {
        let key = BASE64.decode("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").unwrap();
        let signature = sign(
            &key,
            "msg_p5jXN8AQM9LWM0D4loKWxJek",
            1_614_265_330,
            br#"{"test": 2432232314}"#,
        );
        assert_eq!(signature, "g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
    }
}
