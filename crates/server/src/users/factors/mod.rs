//! Second factors: codes of an app, passkeys, backup codes; the second step of a sign-in; verifying oneself again before dangerous actions.
//!
//! Who has a factor gets no session for a password alone, but a challenge that opens the second step once. Who has to have one and has none
//! gets a challenge that opens adding one. Everything here runs as `sg_system`: requests have no SQL over factors.

mod add_passkey;
mod add_totp;
mod adding;
mod backup_codes;
mod enrolling;
mod first_step;
mod overview;
mod passkey_sign_in;
mod policy;
mod proof;
mod remove;
pub mod reset;
mod routes;
mod second_step;
mod secret;
mod session;
mod totp;
mod verification;
mod webauthn;

pub(super) use first_step::{FirstStepDone, NextStep, begin_challenge, find_next_step, find_waiting};
pub use routes::routes;
pub(super) use session::Visitor;
pub(crate) use verification::require_recent;

use chrono::{DateTime, Utc};
use sg_db::audit::{Actor, AuditEvent, Outcome};
use sg_db::users::factors::{Account, PasskeyFactor, insert_notice};
use sg_db::{DbError, SystemTx};
use sg_types::api::factors::{PasskeyDescriptor, PasskeyRequest};

use crate::AppState;
use crate::config::PublicUrl;
use crate::error::ApiError;
use crate::http::RequestContext;
use webauthn::RelyingParty;

/// Minutes that somebody has for the second step.
const SECOND_STEP_MINUTES: i64 = 5;
/// Minutes that somebody has to add a first factor at sign-in.
const ENROLMENT_MINUTES: i64 = 15;
/// Minutes after which dangerous actions want to know again who acts.
const RECENT_MINUTES: i64 = 5;
/// Factors that somebody may have.
const MAX_FACTORS: usize = 20;
/// What authenticators and apps show as the other side.
const ISSUER: &str = "SecureGuard";

/// The server as passkeys know it. None where browsers allow none: under an address instead of a name, and without TLS but on localhost.
fn relying_party(state: &AppState) -> Option<RelyingParty> {
    let url: PublicUrl = state.public_url.parse().ok()?;
    let is_address = url.host.starts_with('[') || url.host.parse::<std::net::IpAddr>().is_ok();
    let secure = url.scheme == "https" || url.host == "localhost";
    (secure && !is_address).then(|| RelyingParty {
        origin: url.origin(),
        id: url.host,
    })
}

fn require_relying_party(state: &AppState) -> Result<RelyingParty, ApiError> {
    relying_party(state).ok_or_else(|| {
        ApiError::conflict(
            "passkeys_unavailable",
            "passkeys need a host name and TLS; set http.public_url to the https address that people use",
        )
    })
}

fn passkey_request(
    party: &RelyingParty,
    challenge: &[u8],
    passkeys: &[PasskeyFactor],
    user_verification: &str,
) -> PasskeyRequest {
    PasskeyRequest {
        challenge: webauthn::encode(challenge),
        rp_id: party.id.clone(),
        timeout: u32::try_from(SECOND_STEP_MINUTES * 60_000).unwrap_or(u32::MAX),
        user_verification: user_verification.to_owned(),
        allow_credentials: passkeys.iter().map(describe).collect(),
    }
}

fn describe(passkey: &PasskeyFactor) -> PasskeyDescriptor {
    PasskeyDescriptor {
        id: webauthn::encode(&passkey.credential_id),
        transports: passkey.transports.clone(),
    }
}

/// Tells somebody what happened to their account; shown at their next visit.
async fn notify(
    state: &AppState,
    tx: &mut SystemTx,
    account: &Account,
    kind: &str,
    detail: Option<&str>,
    at: DateTime<Utc>,
) -> Result<(), DbError> {
    let (id, tenant, user) = (state.ids.next(), account.tenant_id, account.user_id);
    insert_notice(tx, id, tenant, user, kind, detail, at).await
}

/// The audit event of somebody who is not behind a session yet, but known by what they proved.
fn event_of(
    state: &AppState,
    request: &RequestContext,
    account: &Account,
    action: &'static str,
    at: DateTime<Utc>,
) -> AuditEvent {
    AuditEvent {
        event_id: state.next_id(),
        at,
        actor: Actor {
            kind: "user",
            id: Some(account.user_id.into()),
            name: Some(account.username.clone()),
        },
        action,
        object: None,
        outcome: Outcome::Success,
        reason: None,
        request_id: Some(request.request_id.clone()),
        address: Some(request.address),
    }
}
