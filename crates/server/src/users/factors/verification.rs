//! Verifying oneself again: a session that was left open, or stolen, does nothing dangerous.

use chrono::Duration;
use secrecy::{ExposeSecret, SecretString};
use sg_db::audit::Outcome;
use sg_db::users as db;
use sg_db::users::factors::{
    Challenge, ChallengePurpose, NewChallenge, consume_challenge, count_backup_codes, insert_challenge,
    list_factors, list_passkeys, lock_account, read_verified_at, renew_session, try_challenge,
};
use sg_db::{Proof as CallerProof, TokenHash};
use sg_types::api::factors::{PasskeyChallenge, SessionRenewed, Verification, VerificationOptions};
use sg_types::{SessionId, TokenKind};

use super::super::verify_password::{self, Verified};
use super::proof::Proof;
use super::{RECENT_MINUTES, SECOND_STEP_MINUTES, passkey_request, relying_party};
use crate::auth::Acting;
use crate::error::{ApiError, ApiResult};
use crate::{AppState, tokens};

/// Refuses a session whose holder has not proved within the last five minutes who they are. API keys are made for programs, and pass.
///
/// # Errors
/// 403 `verification_required`.
pub(crate) async fn require_recent(state: &AppState, acting: &Acting) -> ApiResult<()> {
    if !matches!(acting.caller.proof, CallerProof::Session(_)) {
        return Ok(());
    }
    let mut tx = state.db.system("verification").await?;
    let verified_at = read_verified_at(&mut tx, SessionId(acting.caller.credential_id)).await?;
    if verified_at.is_some_and(|at| at + Duration::minutes(RECENT_MINUTES) > state.now()) {
        return Ok(());
    }
    Err(ApiError::forbidden(
        "verification_required",
        "prove again who you are: POST /api/v1/sessions/current/verification",
    ))
}

/// How the caller can verify themselves.
pub(super) async fn options(state: &AppState, acting: &Acting) -> ApiResult<VerificationOptions> {
    let caller = &acting.caller;
    let at = state.now();
    let mut tx = state.db.system("verification").await?;
    let mut factors: Vec<_> = list_factors(&mut tx, caller.user_id)
        .await?
        .iter()
        .map(|factor| factor.kind)
        .collect();
    factors.sort_unstable();
    factors.dedup();
    let backup_codes = !factors.is_empty() && count_backup_codes(&mut tx, caller.user_id).await? > 0;
    let password = factors.is_empty() && db::has_password(&mut tx, caller.user_id).await?;
    let passkeys = list_passkeys(&mut tx, caller.user_id).await?;
    let Some(party) = relying_party(state).filter(|_| !passkeys.is_empty()) else {
        return Ok(VerificationOptions {
            factors,
            password,
            backup_codes,
            passkey: None,
        });
    };
    let token = tokens::generate(TokenKind::Challenge);
    let passkey_challenge: [u8; 32] = rand::random();
    let new = NewChallenge {
        challenge_id: state.ids.next(),
        tenant_id: caller.home_tenant_id,
        user_id: Some(caller.user_id),
        purpose: ChallengePurpose::Verification,
        token_hash: token.hash,
        passkey_challenge,
        verified_hash: None,
        session_id: Some(SessionId(caller.credential_id)),
        provider_id: None,
        at,
        expires_at: at + Duration::minutes(SECOND_STEP_MINUTES),
    };
    insert_challenge(&mut tx, &new).await?;
    tx.commit_upkeep().await?;
    Ok(VerificationOptions {
        factors,
        password,
        backup_codes,
        passkey: Some(PasskeyChallenge {
            challenge: token.secret.expose_secret().to_owned(),
            passkey: passkey_request(&party, &passkey_challenge, &passkeys, "preferred"),
        }),
    })
}

/// Takes the caller's proof and renews the session: its old token opens nothing any more. Who has a factor uses it: somebody who holds the session may
/// have the password from the same place.
pub(super) async fn verify(
    state: &AppState,
    acting: &Acting,
    body: Verification,
) -> ApiResult<SessionRenewed> {
    if let Some(password) = body.password {
        if body.code.is_some() || body.backup_code.is_some() || body.passkey.is_some() {
            return Err(ApiError::invalid_field("password", "give exactly one proof"));
        }
        return verify_password(state, acting, password.into()).await;
    }
    let proof = Proof::of(body.code, body.backup_code, body.passkey)?;
    let caller = &acting.caller;
    let at = state.now();
    let challenge = match (&proof, &body.challenge) {
        (Proof::Passkey(_), Some(token)) => find_challenge(state, acting, token).await?,
        (Proof::Passkey(_), None) => {
            return Err(ApiError::invalid_field("challenge", "is missing"));
        }
        _ => None,
    };
    let signed = challenge
        .as_ref()
        .map_or(&[][..], |challenge| &challenge.passkey_challenge);
    let tested = match (&proof, &challenge) {
        (Proof::Passkey(_), None) => None,
        _ => proof.test(state, caller.user_id, signed, at).await?,
    };
    let mut tx = state.db.system("verification").await?;
    let account = lock_account(&mut tx, caller.user_id)
        .await?
        .ok_or_else(ApiError::unauthenticated)?;
    let mut accepted = match tested {
        Some(tested) => tested.accept(state, &mut tx, &account, at).await?,
        None => false,
    };
    if let Some(challenge) = challenge.filter(|_| accepted) {
        accepted = consume_challenge(&mut tx, challenge.challenge_id, at).await?;
    }
    if !accepted {
        drop(tx);
        return refuse(state, acting, proof.method()).await;
    }
    accept(state, acting, tx, proof.method()).await
}

async fn find_challenge(state: &AppState, acting: &Acting, token: &str) -> ApiResult<Option<Challenge>> {
    let mut tx = state.db.system("verification").await?;
    let hash = TokenHash::of(token);
    let challenge = try_challenge(&mut tx, hash, ChallengePurpose::Verification, state.now()).await?;
    tx.commit_upkeep().await?;
    Ok(challenge.filter(|c| c.session_id == Some(SessionId(acting.caller.credential_id))))
}

/// Through the same gate as a sign-in, so that a stolen session is no way around the lockout.
async fn verify_password(
    state: &AppState,
    acting: &Acting,
    password: SecretString,
) -> ApiResult<SessionRenewed> {
    let caller = &acting.caller;
    let mut tx = state.db.system("verification").await?;
    if !list_factors(&mut tx, caller.user_id).await?.is_empty() {
        return Err(ApiError::invalid_field(
            "password",
            "does not count here: you have a second factor; use that",
        ));
    }
    drop(tx);
    let at = state.now();
    let Verified {
        gate,
        verdict,
        is_unknown,
    } = verify_password::verify_password(state, &caller.username, password, None, at).await?;
    if is_unknown {
        return Err(ApiError::unavailable(30));
    }
    let gate = gate.filter(|gate| gate.user_id == caller.user_id);
    let Some(gate) = gate.filter(|_| verdict.matches) else {
        return refuse(state, acting, "password").await;
    };
    let mut tx = state.db.system("verification").await?;
    db::complete_password_attempt(&mut tx, &gate, at).await?;
    accept(state, acting, tx, "password").await
}

async fn accept(
    state: &AppState,
    acting: &Acting,
    mut tx: sg_db::SystemTx,
    method: &str,
) -> ApiResult<SessionRenewed> {
    let CallerProof::Session(old) = acting.caller.proof else {
        return Err(ApiError::unauthenticated());
    };
    let token = tokens::generate(TokenKind::Session);
    let session_id = SessionId(acting.caller.credential_id);
    let mut event = acting.event(state, "session.verify");
    event.object = Some(("session", session_id.to_string()));
    event.reason = Some(method.to_owned());
    if !renew_session(&mut tx, old, token.hash, event.at).await? {
        return Err(ApiError::unauthenticated());
    }
    tx.commit(acting.caller.home_tenant_id, event).await?;
    Ok(SessionRenewed {
        token: token.secret.expose_secret().to_owned(),
    })
}

async fn refuse<T>(state: &AppState, acting: &Acting, method: &str) -> ApiResult<T> {
    let mut event = acting.event(state, "session.verify");
    event.object = Some(("session", acting.caller.credential_id.to_string()));
    event.outcome = Outcome::Failure;
    event.reason = Some(method.to_owned());
    let tx = state.db.system("verification").await?;
    tx.commit(acting.caller.home_tenant_id, event).await?;
    Err(ApiError::forbidden(
        "verification_failed",
        "this did not prove who you are, or there were too many attempts; try again, after several failures wait some minutes",
    ))
}
