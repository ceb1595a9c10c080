//! Signing in by a passkey alone: its holder unlocked it, which is two factors in one (NIST SP 800-63B-4 §3.1.7).

use chrono::Duration;
use secrecy::ExposeSecret;
use sg_db::TokenHash;
use sg_db::users::factors::{
    ChallengePurpose, NewChallenge, consume_challenge, insert_challenge, lock_account, try_challenge,
};
use sg_types::api::factors::{PasskeyChallenge, PasskeySignIn};
use sg_types::{TenantId, TokenKind};

use super::super::sign_in::SignedIn;
use super::proof::test_passkey;
use super::session::{Visitor, refusal};
use super::{SECOND_STEP_MINUTES, passkey_request, require_relying_party};
use crate::error::ApiResult;
use crate::{AppState, tokens};

const METHOD: &str = "passkey";

/// Asks any authenticator that knows this server.
pub(super) async fn begin(state: &AppState, visitor: &Visitor) -> ApiResult<PasskeyChallenge> {
    state.rate_limits.check_sign_in(visitor.request.address, "")?;
    let party = require_relying_party(state)?;
    let token = tokens::generate(TokenKind::Challenge);
    let passkey_challenge: [u8; 32] = rand::random();
    let mut tx = state.db.system("sign-in").await?;
    let new = NewChallenge {
        challenge_id: state.ids.next(),
        tenant_id: TenantId::SYSTEM,
        user_id: None,
        purpose: ChallengePurpose::PasskeySignIn,
        token_hash: token.hash,
        passkey_challenge,
        verified_hash: None,
        session_id: None,
        provider_id: None,
        at: visitor.at,
        expires_at: visitor.at + Duration::minutes(SECOND_STEP_MINUTES),
    };
    insert_challenge(&mut tx, &new).await?;
    tx.commit_upkeep().await?;
    Ok(PasskeyChallenge {
        challenge: token.secret.expose_secret().to_owned(),
        passkey: passkey_request(&party, &passkey_challenge, &[], "required"),
    })
}

/// Signs in whoever the passkey belongs to.
pub(super) async fn complete(
    state: &AppState,
    visitor: &Visitor,
    body: PasskeySignIn,
) -> ApiResult<SignedIn> {
    let token = TokenHash::of(&body.challenge);
    state
        .rate_limits
        .check_sign_in(visitor.request.address, &token.to_hex())?;
    let mut tx = state.db.system("sign-in").await?;
    let challenge = try_challenge(&mut tx, token, ChallengePurpose::PasskeySignIn, visitor.at).await?;
    tx.commit_upkeep().await?;
    let challenge = challenge.ok_or_else(refusal)?;
    let answer = &body.passkey;
    let Some((user_id, tested)) = test_passkey(state, &challenge.passkey_challenge, answer, true).await?
    else {
        return visitor.fail(state, None, METHOD, "wrong_factor").await;
    };

    let mut tx = state.db.system("sign-in").await?;
    let Some(account) = lock_account(&mut tx, user_id).await? else {
        return Err(refusal());
    };
    let reason = if !account.is_active {
        "inactive"
    } else if !tested.accept(state, &mut tx, &account, visitor.at).await? {
        tested.refusal_reason()
    } else if !consume_challenge(&mut tx, challenge.challenge_id, visitor.at).await? {
        "challenge_used"
    } else {
        return visitor.start_session(state, tx, &account, METHOD, None).await;
    };
    drop(tx);
    visitor.fail(state, Some(&account), METHOD, reason).await
}
