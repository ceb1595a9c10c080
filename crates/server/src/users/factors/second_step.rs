//! The second step of a sign-in.

use sg_db::TokenHash;
use sg_db::users::factors::{ChallengePurpose, consume_challenge, lock_account, try_challenge};
use sg_types::api::factors::SecondFactor;

use super::super::sign_in::SignedIn;
use super::proof::Proof;
use super::session::{Visitor, refusal};
use crate::AppState;
use crate::error::ApiResult;

/// Signs in with what the first step asked for. Whoever cannot, learns nothing but that.
pub(super) async fn complete_sign_in(
    state: &AppState,
    visitor: &Visitor,
    body: SecondFactor,
) -> ApiResult<SignedIn> {
    let proof = Proof::of(body.code, body.backup_code, body.passkey)?;
    let token = TokenHash::of(&body.challenge);
    state
        .rate_limits
        .check_sign_in(visitor.request.address, &token.to_hex())?;
    let mut tx = state.db.system("sign-in").await?;
    let challenge = try_challenge(&mut tx, token, ChallengePurpose::SecondFactor, visitor.at).await?;
    tx.commit_upkeep().await?;
    let Some((challenge, user_id)) = challenge.and_then(|c| c.user_id.map(|user_id| (c, user_id))) else {
        return Err(refusal());
    };
    let tested = proof
        .test(state, user_id, &challenge.passkey_challenge, visitor.at)
        .await?;

    let mut tx = state.db.system("sign-in").await?;
    let Some(account) = lock_account(&mut tx, user_id).await? else {
        return Err(refusal());
    };
    let reason = match tested {
        None => "wrong_factor",
        Some(_) if !account.is_active || !account.has_password_of(&challenge) => "account_changed",
        Some(tested) if !tested.accept(state, &mut tx, &account, visitor.at).await? => {
            tested.refusal_reason()
        }
        Some(_) if !consume_challenge(&mut tx, challenge.challenge_id, visitor.at).await? => "challenge_used",
        Some(_) => {
            return visitor
                .start_session(state, tx, &account, proof.method(), challenge.provider_id)
                .await;
        }
    };
    drop(tx);
    visitor.fail(state, Some(&account), proof.method(), reason).await
}
