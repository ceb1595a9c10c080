//! The operations on remote commands.

use reqwest::Method;
use sg_types::api::commands::{ApproveCommand, CloseCommand, CommandDetail, CommandView, RequestCommand};
use sg_types::{AgentId, CommandId, CommandState};

use crate::{Client, ClientError};

const NOTHING: Option<&()> = None;

/// Which commands to list.
#[derive(Debug, Clone, Default)]
pub struct CommandFilter {
    /// In any of these states; all when empty.
    pub states: Vec<CommandState>,
    /// Of this endpoint.
    pub agent_id: Option<AgentId>,
}

impl Client {
    /// Up to `limit` commands, the newest first.
    ///
    /// # Errors
    /// [`ClientError`]
    pub async fn list_commands(
        &self,
        filter: &CommandFilter,
        limit: usize,
    ) -> Result<Vec<CommandView>, ClientError> {
        let mut query = Vec::new();
        if !filter.states.is_empty() {
            let states: Vec<&str> = filter.states.iter().map(|state| state.as_str()).collect();
            query.push(("state", states.join(",")));
        }
        query.extend(filter.agent_id.map(|id| ("agent_id", id.to_string())));
        self.list("agents/commands", query, limit).await
    }

    /// One command with its output.
    ///
    /// # Errors
    /// [`ClientError`]
    pub async fn find_command(&self, id: CommandId) -> Result<CommandDetail, ClientError> {
        self.call(Method::GET, &format!("agents/commands/{id}"), &[], NOTHING)
            .await
    }

    /// Asks for a command.
    ///
    /// # Errors
    /// [`ClientError`]
    pub async fn request_command(
        &self,
        endpoint: AgentId,
        body: &RequestCommand,
    ) -> Result<CommandDetail, ClientError> {
        let path = format!("agents/endpoints/{endpoint}/commands");
        self.call(Method::POST, &path, &[], Some(body)).await
    }

    /// Agrees to a command as a second person.
    ///
    /// # Errors
    /// [`ClientError`]
    pub async fn approve_command(
        &self,
        id: CommandId,
        body: &ApproveCommand,
    ) -> Result<CommandDetail, ClientError> {
        let path = format!("agents/commands/{id}/approval");
        self.call(Method::POST, &path, &[], Some(body)).await
    }

    /// Ends a command that was not sent: `how` is `rejection` or `cancellation`.
    ///
    /// # Errors
    /// [`ClientError`]
    pub async fn close_command(
        &self,
        id: CommandId,
        how: &str,
        reason: &str,
    ) -> Result<CommandDetail, ClientError> {
        let body = CloseCommand {
            reason: reason.to_owned(),
        };
        self.call(
            Method::POST,
            &format!("agents/commands/{id}/{how}"),
            &[],
            Some(&body),
        )
        .await
    }
}
