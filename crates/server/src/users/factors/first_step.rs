//! What a right password leads to where it is not enough.

use chrono::{DateTime, Duration, Utc};
use secrecy::{ExposeSecret, SecretString};
use sg_db::SystemTx;
use sg_db::users::LoginGate;
use sg_db::users::factors::{
    ChallengePurpose, NewChallenge, count_backup_codes, find_factor_deadline, insert_challenge, list_factors,
    list_passkeys,
};
use sg_types::api::factors::{FactorKind, SignInChallenge};
use sg_types::{TokenKind, UserId};

use super::{ENROLMENT_MINUTES, SECOND_STEP_MINUTES, passkey_request, relying_party};
use crate::error::ApiResult;
use crate::{AppState, tokens};

/// What comes after the password.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::users) enum NextStep {
    /// Nothing: the session.
    Session,
    /// One of these.
    SecondFactor(Vec<FactorKind>),
    /// A factor has to be added first.
    Enrolment,
}

/// What comes after the password of this user.
///
/// # Errors
/// As every query.
pub(in crate::users) async fn find_next_step(
    tx: &mut SystemTx,
    user_id: UserId,
    at: DateTime<Utc>,
) -> ApiResult<NextStep> {
    let mut kinds: Vec<FactorKind> = list_factors(tx, user_id)
        .await?
        .iter()
        .map(|factor| factor.kind)
        .collect();
    kinds.sort_unstable();
    kinds.dedup();
    if !kinds.is_empty() {
        return Ok(NextStep::SecondFactor(kinds));
    }
    let deadline = find_factor_deadline(tx, user_id, at).await?;
    Ok(if deadline.is_some_and(|deadline| deadline <= at) {
        NextStep::Enrolment
    } else {
        NextStep::Session
    })
}

/// Makes the challenge that leads on from a verified password. None when the password or the account changed meanwhile.
///
/// # Errors
/// As every query.
pub(in crate::users) async fn begin_challenge(
    state: &AppState,
    tx: &mut SystemTx,
    gate: &LoginGate,
    verified_hash: &SecretString,
    factors: Vec<FactorKind>,
    at: DateTime<Utc>,
) -> ApiResult<Option<SignInChallenge>> {
    let (purpose, minutes) = if factors.is_empty() {
        (ChallengePurpose::Enrolment, ENROLMENT_MINUTES)
    } else {
        (ChallengePurpose::SecondFactor, SECOND_STEP_MINUTES)
    };
    let token = tokens::generate(TokenKind::Challenge);
    let passkey_challenge: [u8; 32] = rand::random();
    let expires_at = at + Duration::minutes(minutes);
    let new = NewChallenge {
        challenge_id: state.ids.next(),
        tenant_id: gate.tenant_id,
        user_id: Some(gate.user_id),
        purpose,
        token_hash: token.hash,
        passkey_challenge,
        verified_hash: Some(verified_hash),
        session_id: None,
        at,
        expires_at,
    };
    if !insert_challenge(tx, &new).await? {
        return Ok(None);
    }
    let passkeys = list_passkeys(tx, gate.user_id).await?;
    let party = relying_party(state).filter(|_| !passkeys.is_empty());
    Ok(Some(SignInChallenge {
        challenge: token.secret.expose_secret().to_owned(),
        expires_at,
        must_enrol: factors.is_empty(),
        backup_codes: !factors.is_empty() && count_backup_codes(tx, gate.user_id).await? > 0,
        passkey: party.map(|party| passkey_request(&party, &passkey_challenge, &passkeys, "preferred")),
        factors,
    }))
}
