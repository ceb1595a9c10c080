//! Testing a proof: first what has to be reserved, then the comparison, then what the proof uses up.

use chrono::{DateTime, Utc};
use sg_db::users::factors::{
    Account, accept_passkey, accept_totp, find_passkey, reserve_totp_attempts, use_backup_code,
};
use sg_db::{SystemTx, TokenHash};
use sg_types::api::factors::PasskeyAssertion;
use sg_types::{FactorId, FieldError, UserId};

use super::webauthn::{self, Use};
use super::{backup_codes, notify, relying_party, secret, totp};
use crate::AppState;
use crate::error::{ApiError, ApiResult};

/// What somebody offers besides a password.
pub(super) enum Proof {
    Code(String),
    BackupCode(String),
    Passkey(Box<PasskeyAssertion>),
}

/// A proof that fits; whether it may still be used, [`Tested::accept`] tells.
#[derive(Debug, Clone, Copy)]
pub(super) enum Tested {
    Code { factor_id: FactorId, step: i64 },
    BackupCode(TokenHash),
    Passkey { factor_id: FactorId, used: Use },
}

impl Proof {
    /// The one proof among three fields.
    ///
    /// # Errors
    /// 422 for none and for several.
    pub(super) fn of(
        code: Option<String>,
        backup_code: Option<String>,
        passkey: Option<PasskeyAssertion>,
    ) -> ApiResult<Self> {
        match (code, backup_code, passkey) {
            (Some(code), None, None) => Ok(Self::Code(code)),
            (None, Some(code), None) => Ok(Self::BackupCode(code)),
            (None, None, Some(passkey)) => Ok(Self::Passkey(Box::new(passkey))),
            _ => Err(ApiError::unprocessable(
                "invalid_body",
                vec![FieldError::new(
                    "code",
                    "give exactly one of: code, backup_code, passkey",
                )],
            )),
        }
    }

    /// The word for logs.
    pub(super) fn method(&self) -> &'static str {
        match self {
            Self::Code(_) => "totp",
            Self::BackupCode(_) => "backup_code",
            Self::Passkey(_) => "passkey",
        }
    }

    /// Compares. None when nothing of this user's fits.
    pub(super) async fn test(
        &self,
        state: &AppState,
        user_id: UserId,
        passkey_challenge: &[u8],
        at: DateTime<Utc>,
    ) -> ApiResult<Option<Tested>> {
        match self {
            Self::Code(code) => test_code(state, user_id, code, at).await,
            Self::BackupCode(code) => Ok(Some(Tested::BackupCode(backup_codes::hash(code)))),
            Self::Passkey(answer) => {
                let found = test_passkey(state, passkey_challenge, answer, false).await?;
                Ok(found.and_then(|(owner, tested)| (owner == user_id).then_some(tested)))
            }
        }
    }
}

impl Tested {
    /// Uses the proof up, atomically. False when it was used before, or, for a passkey, its counter went back.
    pub(super) async fn accept(
        self,
        state: &AppState,
        tx: &mut SystemTx,
        account: &Account,
        at: DateTime<Utc>,
    ) -> ApiResult<bool> {
        let accepted = match self {
            Self::Code { factor_id, step } => accept_totp(tx, factor_id, step, at).await?,
            Self::BackupCode(hash) => use_backup_code(tx, account.user_id, hash, at).await?,
            Self::Passkey { factor_id, used } => {
                accept_passkey(tx, factor_id, used.sign_count, used.backed_up, at).await?
            }
        };
        match self {
            Self::BackupCode(_) if accepted => {
                notify(state, tx, account, "backup_code_used", None, at).await?;
            }
            Self::Passkey { factor_id, .. } if !accepted => {
                tracing::warn!(user.id = %account.user_id, factor.id = %factor_id, "a passkey's counter did not go up: it may have been copied");
            }
            _ => {}
        }
        Ok(accepted)
    }

    /// The word for the audit log when [`Tested::accept`] says no.
    pub(super) fn refusal_reason(self) -> &'static str {
        match self {
            Self::Code { .. } => "code_used",
            Self::BackupCode(_) => "wrong_factor",
            Self::Passkey { .. } => "passkey_counter",
        }
    }
}

async fn test_code(
    state: &AppState,
    user_id: UserId,
    code: &str,
    at: DateTime<Utc>,
) -> ApiResult<Option<Tested>> {
    let mut tx = state.db.system("second factor").await?;
    let factors = reserve_totp_attempts(&mut tx, user_id, at).await?;
    let mut secrets = Vec::new();
    for factor in factors {
        let opened = secret::open(state, &mut tx, factor.secret_id).await?;
        secrets.push((factor.factor_id, opened));
    }
    tx.commit_upkeep().await?;
    let drift = state.config.second_factors.totp_drift_steps;
    let fitting = secrets
        .iter()
        .filter_map(|(factor_id, secret)| Some((*factor_id, totp::find_step(secret, code, at, drift)?)));
    Ok(fitting
        .map(|(factor_id, step)| Tested::Code { factor_id, step })
        .next_back())
}

/// Whose passkey answered, when the answer holds.
pub(super) async fn test_passkey(
    state: &AppState,
    challenge: &[u8],
    answer: &PasskeyAssertion,
    verified_person: bool,
) -> ApiResult<Option<(UserId, Tested)>> {
    let (Some(party), Ok(credential_id)) = (relying_party(state), webauthn::decode(&answer.id)) else {
        return Ok(None);
    };
    let mut tx = state.db.system("second factor").await?;
    let Some(passkey) = find_passkey(&mut tx, &credential_id).await? else {
        return Ok(None);
    };
    drop(tx);
    // Where the authenticator says whose passkey it is, it has to be theirs (WebAuthn Level 3 §7.2 step 6).
    if let Some(handle) = &answer.user_handle
        && webauthn::decode(handle).ok().as_deref() != Some(passkey.user_id.0.as_bytes())
    {
        return Ok(None);
    }
    match webauthn::verify_assertion(&party, challenge, &passkey.public_key, answer, verified_person) {
        Ok(used) => {
            let factor_id = passkey.factor_id;
            Ok(Some((passkey.user_id, Tested::Passkey { factor_id, used })))
        }
        Err(fault) => {
            tracing::debug!(fault = %fault, "a passkey's answer was refused");
            Ok(None)
        }
    }
}
