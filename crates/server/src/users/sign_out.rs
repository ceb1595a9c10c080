//! Signing out.

use sg_db::users::{EndReason, end_session};
use sg_types::SessionId;

use crate::AppState;
use crate::auth::Acting;
use crate::error::ApiResult;

/// Ends the caller's session; its token opens nothing from the commit on.
pub(super) async fn sign_out(state: &AppState, acting: &Acting) -> ApiResult<()> {
    let session_id = SessionId(acting.caller.credential_id);
    let mut event = acting.event(state, "session.end");
    event.object = Some(("session", session_id.to_string()));
    // The session belongs to the user's home, which is not always the tenant of this call.
    let mut tx = state.db.system("sign-out").await?;
    end_session(
        &mut tx,
        acting.caller.user_id,
        session_id,
        EndReason::SignedOut,
        event.at,
    )
    .await?;
    tx.commit(acting.caller.home_tenant_id, event).await?;
    Ok(())
}
