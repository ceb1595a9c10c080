//! Asking for a link after forgetting a password.

use chrono::Duration;
use sg_db::audit::{Actor, AuditEvent, Outcome};
use sg_db::users as db;
use sg_types::TenantId;
use sg_types::api::passwords::RequestPasswordReset;

use crate::AppState;
use crate::error::{ApiError, ApiResult};
use crate::http::RequestContext;

/// Minutes after which a mail that was not sent is not sent any more.
const WORTH_SENDING_MINUTES: i64 = 30;
/// Characters of a name or address that are looked at.
const MAX_ACCOUNT_CHARS: usize = 320;

/// Mails a link to whoever has this name or address. The answer is the same, after the same work, whether there is somebody or not.
pub(super) async fn request_password_reset(
    state: &AppState,
    request: &RequestContext,
    body: RequestPasswordReset,
) -> ApiResult<()> {
    state.rate_limits.check_password_reset(request.address)?;
    if state.mailer.is_none() {
        return Err(ApiError::mail_not_configured());
    }
    let account: String = body
        .account
        .trim()
        .chars()
        .filter(|c| *c != '\0')
        .take(MAX_ACCOUNT_CHARS)
        .collect();
    let now = state.now();
    let mut tx = state.db.system("forgotten password").await?;
    let expires_at = now + Duration::minutes(WORTH_SENDING_MINUTES);
    let found = db::request_password_reset(&mut tx, &account, state.next_id(), now, expires_at).await?;
    let event = AuditEvent {
        event_id: state.next_id(),
        at: now,
        actor: Actor::anonymous(),
        action: "user.request_password_reset",
        object: found.map(|(_, user_id)| ("user", user_id.to_string())),
        outcome: if found.is_some() {
            Outcome::Success
        } else {
            Outcome::Failure
        },
        reason: found.is_none().then(|| "no_such_account".to_owned()),
        request_id: Some(request.request_id.clone()),
        address: Some(request.address),
    };
    let tenant_id = found.map_or(TenantId::SYSTEM, |(tenant_id, _)| tenant_id);
    tx.commit(tenant_id, event).await?;
    Ok(())
}
