//! Second factors: what they open, and what opens nothing.

mod authenticator;
mod backup_codes;
mod codes;
mod passkeys;
mod policy;
mod recovery;
mod verification;

use aws_lc_rs::hmac;
use data_encoding::BASE32_NOPAD;
use serde_json::{Value, json};
use sg_types::Clock;

use super::app::{Answer, App, PASSWORD};

/// An app that makes codes, written after RFC 4226 §5.3 and not after the server.
#[derive(Debug, Clone)]
pub(crate) struct Authy {
    secret: Vec<u8>,
    pub(crate) factor_id: String,
    pub(crate) backup_codes: Vec<String>,
}

impl Authy {
    /// Adds an app to the account behind `token`.
    pub(crate) async fn add(app: &App, token: &str) -> Self {
        let (mut authy, confirmed) = Self::add_with(app, token).await;
        assert_eq!(confirmed.status, 201, "{confirmed:?}");
        authy.backup_codes = texts(&confirmed.body["backup_codes"]);
        // The code of the confirmation is used up.
        app.advance(chrono::Duration::seconds(30));
        authy
    }

    pub(crate) async fn add_with(app: &App, token: &str) -> (Self, Answer) {
        let begun = app
            .post("/api/v1/users/me/factors/totp", token, json!({"name": "Phone"}))
            .await;
        assert_eq!(begun.status, 201, "{begun:?}");
        let secret = BASE32_NOPAD
            .decode(begun.body["secret"].as_str().unwrap().as_bytes())
            .unwrap();
        assert!(secret.len() * 8 >= 160);
        let authy = Self {
            secret,
            factor_id: begun.body["factor_id"].as_str().unwrap().to_owned(),
            backup_codes: Vec::new(),
        };
        let body = json!({"factor_id": authy.factor_id, "code": authy.code(app)});
        let confirmed = app
            .post("/api/v1/users/me/factors/totp/confirmation", token, body)
            .await;
        (authy, confirmed)
    }

    /// The code at the server's time.
    pub(crate) fn code(&self, app: &App) -> String {
        self.code_of_step(app.clock.now().timestamp() / 30)
    }

    fn code_of_step(&self, step: i64) -> String {
        let key = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, &self.secret);
        let tag = hmac::sign(&key, &step.to_be_bytes());
        let digest = tag.as_ref();
        let offset = usize::from(digest[19] & 15);
        let word = u32::from_be_bytes(digest[offset..offset + 4].try_into().unwrap()) & 0x7fff_ffff;
        format!("{:06}", word % 1_000_000)
    }

    /// A code that is wrong at this time.
    pub(crate) fn wrong_code(&self, app: &App) -> String {
        let step = app.clock.now().timestamp() / 30;
        let right: Vec<String> = (step - 1..=step + 1)
            .map(|step| self.code_of_step(step))
            .collect();
        (0..)
            .map(|n| format!("{n:06}"))
            .find(|code| !right.contains(code))
            .unwrap()
    }
}

/// The challenge that the password leads to.
pub(crate) async fn challenge(app: &App, username: &str) -> Value {
    let answer = app.sign_in(username, PASSWORD).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_eq!(answer.header("set-cookie"), "", "no session yet");
    answer.body
}

pub(crate) async fn second_step(
    app: &App,
    challenge: &Value,
    field: &str,
    proof: impl Into<Value>,
) -> Answer {
    let body = json!({"challenge": challenge["challenge"], field: proof.into()});
    app.post("/api/v1/sessions/second-factor", "", body).await
}

fn texts(value: &Value) -> Vec<String> {
    value.as_array().map_or(Vec::new(), |all| {
        all.iter().map(|text| text.as_str().unwrap().to_owned()).collect()
    })
}
