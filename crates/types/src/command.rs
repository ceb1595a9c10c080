//! The life of a remote command.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::values::text_enum;

/// Where a remote command stands (`agents.commands.state`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum CommandState {
    /// Asked for.
    Pending,
    /// A second person agreed.
    Approved,
    /// Signed and handed to the endpoint.
    Sent,
    /// The endpoint works on it.
    Running,
    /// Done.
    Succeeded,
    /// Tried, and it did not work.
    Failed,
    /// Its time passed before it was done.
    Expired,
    /// Taken back before it was sent.
    Cancelled,
    /// Refused by the second person, the signer or the endpoint.
    Rejected,
}
text_enum!(CommandState {
    Pending => "pending", Approved => "approved", Sent => "sent", Running => "running", Succeeded => "succeeded", Failed => "failed",
    Expired => "expired", Cancelled => "cancelled", Rejected => "rejected",
});

impl CommandState {
    /// The states that may follow this one; the database's `agents.command_may_become` is the same table.
    pub const fn successors(self) -> &'static [Self] {
        match self {
            Self::Pending => &[
                Self::Approved,
                Self::Sent,
                Self::Rejected,
                Self::Cancelled,
                Self::Expired,
            ],
            Self::Approved => &[Self::Sent, Self::Rejected, Self::Cancelled, Self::Expired],
            Self::Sent => &[
                Self::Running,
                Self::Succeeded,
                Self::Failed,
                Self::Rejected,
                Self::Expired,
            ],
            Self::Running => &[Self::Succeeded, Self::Failed, Self::Expired],
            Self::Succeeded | Self::Failed | Self::Expired | Self::Cancelled | Self::Rejected => &[],
        }
    }

    /// Whether nothing follows any more.
    pub const fn is_final(self) -> bool {
        self.successors().is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_state_is_reached_and_every_way_ends() {
        for state in CommandState::ALL {
            let reached = CommandState::ALL
                .iter()
                .any(|before| before.successors().contains(state));
            assert_eq!(reached, *state != CommandState::Pending, "{state}");
            assert!(state.is_final() || state.successors().contains(&CommandState::Expired));
        }
    }
}
