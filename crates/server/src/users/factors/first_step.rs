//! What a right password leads to where it is not enough.

use chrono::{DateTime, Duration, Utc};
use secrecy::{ExposeSecret, SecretString};
use sg_db::users::factors::{
    ChallengePurpose, NewChallenge, count_backup_codes, find_factor_deadline, find_waiting_challenge,
    insert_challenge, list_factors, list_passkeys,
};
use sg_db::{SystemTx, TokenHash};
use sg_types::api::factors::{FactorKind, SignInChallenge};
use sg_types::{ProviderId, TenantId, TokenKind, UserId};

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

/// What was proved in the first step.
pub(in crate::users) struct FirstStepDone<'a> {
    pub(in crate::users) tenant_id: TenantId,
    pub(in crate::users) user_id: UserId,
    /// The hash that the password was verified against, or, where a provider vouched, the present one.
    pub(in crate::users) verified_hash: &'a SecretString,
    pub(in crate::users) provider_id: Option<ProviderId>,
}

/// Makes the challenge that leads on from the first step. None when the password or the account changed meanwhile.
///
/// # Errors
/// As every query.
pub(in crate::users) async fn begin_challenge(
    state: &AppState,
    tx: &mut SystemTx,
    done: &FirstStepDone<'_>,
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
        tenant_id: done.tenant_id,
        user_id: Some(done.user_id),
        purpose,
        token_hash: token.hash,
        passkey_challenge,
        verified_hash: Some(done.verified_hash),
        session_id: None,
        provider_id: done.provider_id,
        at,
        expires_at,
    };
    if !insert_challenge(tx, &new).await? {
        return Ok(None);
    }
    let challenge = token.secret.expose_secret().to_owned();
    let made = describe(
        state,
        tx,
        done.user_id,
        factors,
        (challenge, &passkey_challenge, expires_at),
    )
    .await?;
    Ok(Some(made))
}

/// Finds the challenge that a browser's return from a provider left. None when there is none any more.
///
/// # Errors
/// As every query.
pub(in crate::users) async fn find_waiting(
    state: &AppState,
    token: &str,
    at: DateTime<Utc>,
) -> ApiResult<Option<SignInChallenge>> {
    let mut tx = state.db.system("sign-in").await?;
    let waiting = find_waiting_challenge(&mut tx, TokenHash::of(token), at).await?;
    let Some((challenge, expires_at)) = waiting else {
        return Ok(None);
    };
    let Some(user_id) = challenge.user_id else {
        return Ok(None);
    };
    let kinds = match find_next_step(&mut tx, user_id, at).await? {
        NextStep::SecondFactor(kinds) => kinds,
        NextStep::Session | NextStep::Enrolment => Vec::new(),
    };
    let named = (token.to_owned(), &challenge.passkey_challenge[..], expires_at);
    Ok(Some(describe(state, &mut tx, user_id, kinds, named).await?))
}

/// A challenge as the person who has to answer it sees it; `named` is its token, what an authenticator has to sign, and its end.
async fn describe(
    state: &AppState,
    tx: &mut SystemTx,
    user_id: UserId,
    factors: Vec<FactorKind>,
    named: (String, &[u8], DateTime<Utc>),
) -> ApiResult<SignInChallenge> {
    let (challenge, passkey_challenge, expires_at) = named;
    let passkeys = list_passkeys(tx, user_id).await?;
    let party = relying_party(state).filter(|_| !passkeys.is_empty());
    Ok(SignInChallenge {
        challenge,
        expires_at,
        must_enrol: factors.is_empty(),
        backup_codes: !factors.is_empty() && count_backup_codes(tx, user_id).await? > 0,
        passkey: party.map(|party| passkey_request(&party, passkey_challenge, &passkeys, "preferred")),
        factors,
    })
}
