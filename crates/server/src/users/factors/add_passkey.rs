//! Adding a passkey.

use chrono::Duration;
use secrecy::ExposeSecret;
use sg_db::users::factors::{
    ChallengePurpose, NewChallenge, NewPasskey, consume_challenge, insert_challenge, insert_passkey,
    list_passkeys, try_challenge,
};
use sg_db::{DbError, TokenHash};
use sg_types::api::factors::{
    AddPasskey, FactorAdded, PasskeyCreation, PasskeyEnrolment, PasskeyServer, PasskeyUser,
};
use sg_types::{FactorId, TokenKind};

use super::enrolling::Enrolling;
use super::{ISSUER, SECOND_STEP_MINUTES, adding, describe, require_relying_party, webauthn};
use crate::error::{ApiError, ApiResult};
use crate::{AppState, tokens};

/// Kinds of transport that are kept, and characters of each.
const MAX_TRANSPORTS: usize = 8;
const MAX_TRANSPORT_CHARS: usize = 20;

/// Asks an authenticator for a passkey that the account does not have yet.
pub(super) async fn begin(state: &AppState, who: &Enrolling) -> ApiResult<PasskeyEnrolment> {
    let party = require_relying_party(state)?;
    let at = who.visitor.at;
    let mut tx = state.db.system("new factor").await?;
    let account = who.lock(&mut tx).await?;
    let passkeys = list_passkeys(&mut tx, account.user_id).await?;
    let token = tokens::generate(TokenKind::Challenge);
    let passkey_challenge: [u8; 32] = rand::random();
    let new = NewChallenge {
        challenge_id: state.ids.next(),
        tenant_id: account.tenant_id,
        user_id: Some(account.user_id),
        purpose: ChallengePurpose::PasskeyRegistration,
        token_hash: token.hash,
        passkey_challenge,
        verified_hash: None,
        session_id: who.session_id(),
        provider_id: None,
        at,
        expires_at: at + Duration::minutes(SECOND_STEP_MINUTES),
    };
    insert_challenge(&mut tx, &new).await?;
    tx.commit_upkeep().await?;
    Ok(PasskeyEnrolment {
        challenge: token.secret.expose_secret().to_owned(),
        passkey: PasskeyCreation {
            challenge: webauthn::encode(&passkey_challenge),
            rp: PasskeyServer {
                id: party.id,
                name: ISSUER.to_owned(),
            },
            user: PasskeyUser {
                id: webauthn::encode(account.user_id.0.as_bytes()),
                display_name: account.full_name.unwrap_or_else(|| account.username.clone()),
                name: account.username,
            },
            algorithms: webauthn::ALGORITHMS.to_vec(),
            timeout: u32::try_from(SECOND_STEP_MINUTES * 60_000).unwrap_or(u32::MAX),
            exclude_credentials: passkeys.iter().map(describe).collect(),
        },
    })
}

/// Adds the passkey that an authenticator made.
pub(super) async fn complete(state: &AppState, who: &Enrolling, body: AddPasskey) -> ApiResult<FactorAdded> {
    adding::check_name(&body.name)?;
    let party = require_relying_party(state)?;
    let at = who.visitor.at;
    let mut tx = state.db.system("new factor").await?;
    let token = TokenHash::of(&body.challenge);
    let challenge = try_challenge(&mut tx, token, ChallengePurpose::PasskeyRegistration, at).await?;
    tx.commit_upkeep().await?;
    let challenge = challenge
        .filter(|c| c.user_id == Some(who.user_id) && c.session_id == who.session_id())
        .ok_or_else(refusal)?;
    let made = webauthn::verify_registration(&party, &challenge.passkey_challenge, &body.passkey)
        .map_err(|fault| refusal().because(fault))?;

    let mut tx = state.db.system("new factor").await?;
    let account = who.lock(&mut tx).await?;
    let factor_id: FactorId = state.next_id();
    let transports = clean_transports(body.passkey.transports);
    let new = NewPasskey {
        factor_id,
        tenant_id: account.tenant_id,
        user_id: account.user_id,
        name: &body.name,
        credential_id: &made.id,
        public_key: &made.public_key,
        sign_count: made.sign_count,
        transports: &transports,
        backed_up: made.backed_up,
        at,
    };
    insert_passkey(&mut tx, &new).await.map_err(|error| match error {
        DbError::AlreadyExists { .. } => refusal().because(error),
        other => other.into(),
    })?;
    if !consume_challenge(&mut tx, challenge.challenge_id, at).await? {
        return Err(refusal());
    }
    adding::finish(state, who, tx, &account, factor_id, "passkey").await
}

fn clean_transports(transports: Vec<String>) -> Vec<String> {
    let known = |text: &String| {
        text.len() <= MAX_TRANSPORT_CHARS && text.bytes().all(|b| b.is_ascii_lowercase() || b == b'-')
    };
    transports
        .into_iter()
        .filter(known)
        .take(MAX_TRANSPORTS)
        .collect()
}

fn refusal() -> ApiError {
    ApiError::invalid_field(
        "passkey",
        "was not accepted: it is known already, took too long, or was made for another site; try again",
    )
}
