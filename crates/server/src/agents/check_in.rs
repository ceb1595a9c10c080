//! One check-in, from its body to its acknowledgement.

use axum::body::Body;
use axum::http::HeaderMap;
use sg_db::TokenHash;
use sg_db::agents::ingest::Outcome;
use sg_types::agent::CheckInReply;

use crate::AppState;
use crate::error::{ApiError, ApiResult};
use crate::http::CallerId;
use crate::ingest::{parse_check_in, read_body, refuse_agent};

pub(super) async fn take(
    state: &AppState,
    token: TokenHash,
    headers: &HeaderMap,
    body: Body,
    caller_id: &CallerId,
) -> ApiResult<CheckInReply> {
    let tenant_id = state.ingest.admit(&state.db, token).await?;
    let (text, _memory) = read_body(&state.ingest, &state.config.ingest, headers, body).await?;
    let check_in = parse_check_in(&text, token, state.ids.as_ref())?;
    drop(text);
    // Before anything is stored: what cannot be answered is not taken.
    state.rules.current(state).await?;
    match state.ingest.submit(tenant_id, check_in).await? {
        Outcome::Stored {
            agent_id,
            acknowledged_through,
            turn,
            check_in_seconds,
            rules_version,
        } => {
            caller_id.set(format!("agent:{agent_id}"));
            Ok(CheckInReply {
                trust_version: state.response.trust.version(),
                acknowledged_through: u64::try_from(acknowledged_through).unwrap_or(0),
                turn,
                rules_version: state.rules.offered(state, rules_version).await?,
                check_in_seconds: u32::try_from(check_in_seconds).unwrap_or(u32::MAX),
            })
        }
        Outcome::UnknownToken => {
            let mut tx = state.db.system("refused token").await?;
            Err(refuse_agent(&mut tx, token).await?)
        }
        Outcome::Conflict => Err(ApiError::conflict(
            "stream_conflict",
            "this stream went on without this turn: begin a new epoch with the records that are not acknowledged",
        )),
    }
}
