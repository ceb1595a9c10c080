//! Remote commands: asked for by people, signed by the signer, fetched by agents.

mod approve;
mod close;
mod deliver;
mod protocol;
mod report;
mod request;
mod routes;
mod trust;
mod waiting;

use sg_db::agents::{self as db};
use sg_types::CommandId;
use sg_types::api::commands::CommandDetail;

pub use protocol::routes as protocol_routes;
pub use routes::routes;
pub use trust::Trust;
pub use waiting::{Waiting, spawn};

use crate::AppState;
use crate::auth::Acting;
use crate::error::{ApiError, ApiResult};
use crate::signer::SignerClient;

/// What remote commands take besides the database.
#[derive(Debug, Default)]
pub struct Response {
    /// The way to the signer; none where commands are not taken.
    pub signer: Option<SignerClient>,
    /// Whom agents are told to believe.
    pub trust: Trust,
    /// The agents that wait for commands.
    pub waiting: Waiting,
}

/// Characters of a reason (`agents.commands.reason`).
const MAX_REASON_CHARS: usize = 2_000;

fn check_reason(reason: &str) -> ApiResult<&str> {
    let reason = reason.trim();
    if reason.is_empty() || reason.chars().count() > MAX_REASON_CHARS || reason.contains('\0') {
        return Err(ApiError::invalid_field(
            "reason",
            "is 1–2000 characters that say why",
        ));
    }
    Ok(reason)
}

async fn show(state: &AppState, acting: &Acting, command_id: CommandId) -> ApiResult<CommandDetail> {
    acting.require_whole_tenant()?;
    let mut tx = state.db.read(&acting.caller, state.now()).await?;
    db::find_command(&mut tx, command_id)
        .await?
        .ok_or_else(ApiError::not_found)
}
