//! Setting a password by a mailed link.

use secrecy::SecretString;
use sg_db::TokenHash;
use sg_db::audit::{Actor, AuditEvent, Outcome};
use sg_db::users::{self as db, EndReason, PasswordFacts};
use sg_types::TokenKind;
use sg_types::api::passwords::RedeemPasswordReset;

use super::new_password::judge;
use crate::AppState;
use crate::error::{ApiError, ApiResult};
use crate::http::RequestContext;
use crate::mail::{self, MailKind};

/// Sets the password of whoever the link was mailed to. Their sessions end, their devices are forgotten, a lock is taken off. Nobody is signed
/// in by it: that takes the password, and whatever else signing in takes. A refused password leaves the link as it is.
pub(super) async fn redeem_password_reset(
    state: &AppState,
    request: &RequestContext,
    body: RedeemPasswordReset,
) -> ApiResult<()> {
    state.rate_limits.check_password_reset(request.address)?;
    let token = SecretString::from(body.token);
    let new = SecretString::from(body.new_password);
    let token_hash = hash_of(&token)?;
    let facts = find_facts(state, &token_hash).await?;
    let reasons = judge(state, &facts, &new).await?;
    if !reasons.is_empty() {
        return Err(ApiError::unprocessable("password_refused", reasons));
    }
    let hash = SecretString::from(state.passwords.hash(new).await?);

    let now = state.now();
    let mut tx = state.db.system("password by link").await?;
    let (link, facts) = lock(state, &mut tx, &token_hash).await?;
    db::use_link(&mut tx, link.link_id, now).await?;
    db::store_password(&mut tx, link.user_id, &hash, false, now).await?;
    db::unlock_user(&mut tx, link.user_id).await?;
    db::end_user_sessions(&mut tx, link.user_id, None, EndReason::PasswordReset, now).await?;
    db::forget_known_devices(&mut tx, link.user_id).await?;
    mail::notify(
        state,
        &mut tx,
        facts.tenant_id,
        link.user_id,
        MailKind::PasswordChanged,
    )
    .await?;
    let event = AuditEvent {
        event_id: state.next_id(),
        at: now,
        actor: Actor {
            kind: "user",
            id: Some(link.user_id.into()),
            name: Some(facts.username.clone()),
        },
        action: "user.reset_password",
        object: Some(("user", link.user_id.to_string())),
        outcome: Outcome::Success,
        reason: Some("by mailed link".to_owned()),
        request_id: Some(request.request_id.clone()),
        address: Some(request.address),
    };
    tx.commit(facts.tenant_id, event).await?;
    Ok(())
}

fn hash_of(token: &SecretString) -> ApiResult<TokenHash> {
    use secrecy::ExposeSecret;
    let text = token.expose_secret();
    if TokenKind::of(text) == Ok(TokenKind::PasswordLink) {
        Ok(TokenHash::of(text))
    } else {
        Err(ApiError::link_invalid())
    }
}

/// What the new password is judged by; nothing stays locked while it is hashed.
async fn find_facts(state: &AppState, token_hash: &TokenHash) -> ApiResult<PasswordFacts> {
    let mut tx = state.db.system("password by link").await?;
    let (_, facts) = lock(state, &mut tx, token_hash).await?;
    Ok(facts)
}

/// The person first, then the link: a change of the password and a second use of the link wait here, and then find the link void.
async fn lock(
    state: &AppState,
    tx: &mut sg_db::SystemTx,
    token_hash: &TokenHash,
) -> ApiResult<(db::OpenLink, PasswordFacts)> {
    let at = state.now();
    let link = db::find_open_link(tx, token_hash, at)
        .await?
        .ok_or_else(ApiError::link_invalid)?;
    let facts = db::lock_password(tx, link.user_id)
        .await?
        .ok_or_else(ApiError::link_invalid)?;
    let still = db::find_open_link(tx, token_hash, at)
        .await?
        .ok_or_else(ApiError::link_invalid)?;
    Ok((still, facts))
}
