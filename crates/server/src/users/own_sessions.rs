//! A person's own sessions: where they are signed in, and how they end it from elsewhere.

use sg_db::Proof;
use sg_db::users::{self as db, EndReason};
use sg_types::SessionId;
use sg_types::api::users::{SessionView, SessionsEnded};

use crate::AppState;
use crate::auth::Acting;
use crate::error::{ApiError, ApiResult};

/// The caller's open sessions. They belong to the caller's home, which is not always the tenant of the call.
pub(super) async fn list(state: &AppState, acting: &Acting) -> ApiResult<Vec<SessionView>> {
    let mut tx = state.db.system("list of one's own sessions").await?;
    Ok(db::list_sessions(&mut tx, acting.caller.user_id, current(acting), state.now()).await?)
}

/// Ends one of the caller's sessions; its token opens nothing from the commit on.
pub(super) async fn end(state: &AppState, acting: &Acting, session_id: SessionId) -> ApiResult<()> {
    let mut event = acting.event(state, "session.revoke");
    event.object = Some(("session", session_id.to_string()));
    let mut tx = state.db.system("end of one's own session").await?;
    if !db::end_session(
        &mut tx,
        acting.caller.user_id,
        session_id,
        EndReason::Revoked,
        event.at,
    )
    .await?
    {
        return Err(ApiError::not_found());
    }
    tx.commit(acting.caller.home_tenant_id, event).await?;
    Ok(())
}

/// Ends every session of the caller's but the one of this call.
pub(super) async fn end_others(state: &AppState, acting: &Acting) -> ApiResult<SessionsEnded> {
    let event = acting.event(state, "session.revoke_others");
    let mut tx = state.db.system("end of one's own other sessions").await?;
    let ended = db::end_user_sessions(
        &mut tx,
        acting.caller.user_id,
        current(acting),
        EndReason::Revoked,
        event.at,
    )
    .await?;
    tx.commit(acting.caller.home_tenant_id, event).await?;
    Ok(SessionsEnded { ended })
}

fn current(acting: &Acting) -> Option<SessionId> {
    match acting.caller.proof {
        Proof::Session(_) => Some(SessionId(acting.caller.credential_id)),
        Proof::ApiKey(_) => None,
    }
}
