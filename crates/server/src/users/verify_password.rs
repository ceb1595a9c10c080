//! The one way from a typed password to a verdict: take a place in the pool, reserve an attempt, verify. Every path that checks a password goes
//! through here, so that no number of parallel guesses on any mix of paths is tested beyond the policy's limit.

use chrono::{DateTime, Utc};
use secrecy::{ExposeSecret, SecretString};
use serde_json::json;
use sg_db::TokenHash;
use sg_db::monitoring::{SecurityEvent, record_security_event};
use sg_db::users::{self as db, LoginGate};
use sg_types::Severity;

use super::providers::ldap::{DirectoryAnswer, find_directory_account};
use crate::AppState;
use crate::error::ApiResult;
use crate::http::RequestContext;
use crate::mail::{self, MailKind};
use crate::passwords::{MAX_PASSWORD_CHARS, Verdict};

/// What came of it.
pub(super) struct Verified {
    /// Whose attempt it is; none when nobody has that name.
    pub(super) gate: Option<LoginGate>,
    /// Never a match when the attempt was not allowed.
    pub(super) verdict: Verdict,
    /// Whether nobody could say: a directory keeps the password and cannot be asked. The attempt is given back.
    pub(super) is_unknown: bool,
}

/// Checks the password of `username` by the budget of `device`, or the account's: against the hash that is stored here, or by the directory
/// where one keeps it, whose word counts in place of a hash from earlier. Takes the same time whatever is wrong.
///
/// # Errors
/// 503 when the pool is full; no attempt was counted then. Those of the database.
pub(super) async fn verify_password(
    state: &AppState,
    username: &str,
    password: SecretString,
    device: Option<TokenHash>,
    at: DateTime<Utc>,
) -> ApiResult<Verified> {
    // A place in the pool comes first: an attempt that is reserved is also tested.
    let place = state.passwords.admit()?;
    let mut tx = state.db.system("password check").await?;
    let mut gate = db::begin_password_attempt(&mut tx, username, device, at).await?;
    let directory = find_directory_account(&mut tx, gate.as_ref().map(|gate| gate.user_id)).await?;
    tx.commit_upkeep().await?;
    let is_testable = gate
        .as_ref()
        .is_some_and(|gate| gate.allowed && password.expose_secret().chars().count() <= MAX_PASSWORD_CHARS);
    let stored = gate
        .as_ref()
        .filter(|_| is_testable)
        .map(|gate| gate.password_hash.expose_secret().to_owned());
    let Some(directory) = directory else {
        let verdict = place.verify(password, stored).await?;
        return Ok(Verified {
            gate,
            verdict,
            is_unknown: false,
        });
    };
    // What a directory keeps is changed there.
    if let Some(gate) = &mut gate {
        gate.must_change_password = false;
    }
    let (hashed, answer) = tokio::join!(place.verify(password.clone(), stored), async {
        match is_testable {
            true => directory.check(state, &password).await,
            false => Ok(DirectoryAnswer::Wrong),
        }
    });
    hashed?;
    let answer = answer?;
    if let Some(gate) = gate.as_ref().filter(|_| answer == DirectoryAnswer::Silent) {
        let mut tx = state.db.system("password check").await?;
        db::release_password_attempt(&mut tx, gate).await?;
        tx.commit_upkeep().await?;
    }
    Ok(Verified {
        gate,
        verdict: Verdict {
            matches: answer == DirectoryAnswer::Right,
            needs_rehash: false,
        },
        is_unknown: answer == DirectoryAnswer::Silent,
    })
}

/// Tells somebody, and whoever watches, that an account is locked, when a failed attempt was the last one before the lock. A lock of one device is its user's own
/// doing and no news.
///
/// # Errors
/// Those of the database.
pub(super) async fn tell_of_lock(
    state: &AppState,
    tx: &mut sg_db::SystemTx,
    request: &RequestContext,
    gate: &LoginGate,
) -> ApiResult<()> {
    if gate.locked_now && gate.device_id.is_none() {
        let event = SecurityEvent {
            tenant_id: gate.tenant_id,
            at: state.now(),
            kind: "account_locked",
            severity: Severity::Medium,
            subject: &gate.user_id.to_string(),
            detail: &json!({ "address": request.address }),
        };
        record_security_event(tx, &event).await?;
        tracing::warn!(user.id = %gate.user_id, "an account is locked after too many failed attempts");
        mail::notify(state, tx, gate.tenant_id, gate.user_id, MailKind::AccountLocked).await?;
    }
    Ok(())
}
