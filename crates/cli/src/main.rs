//! `sgctl`: the operator's command line over the public API. One file for each noun.

mod agents;
mod audit;
mod commands;
mod events;
mod login;
mod monitoring;
mod output;
mod placeholders;
mod profile;
mod reports;
mod roles;
mod rules;
mod rules_import;
mod threats;
mod users;

use std::{path::PathBuf, process::ExitCode};

use clap::{Parser, Subcommand};

use crate::output::Format;

/// Work SecureGuard's incidents and endpoints from a terminal or a pipeline.
#[derive(Debug, Parser)]
#[command(name = "sgctl", version, propagate_version = true)]
struct Arguments {
    /// Print JSON instead of tables.
    #[arg(long, global = true)]
    json: bool,
    /// Where sign-ins are kept [default: $XDG_CONFIG_HOME/sgctl/config.json, else ~/.config/sgctl/config.json].
    #[arg(long, global = true, env = "SGCTL_CONFIG", value_name = "FILE")]
    config: Option<PathBuf>,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Keep a server's address and an API key for the commands that follow.
    Login(login::Login),
    /// Forget the kept address and key.
    Logout,
    /// Show whose key it is and where it works.
    Whoami,
    /// List, show and work incidents.
    #[command(subcommand)]
    Incidents(threats::Incidents),
    /// Work with detection rules.
    #[command(subcommand)]
    Threats(threats::Threats),
    /// List, show and decommission endpoints.
    #[command(subcommand)]
    Endpoints(agents::Endpoints),
    /// Send events of what has no agent.
    #[command(subcommand)]
    Events(events::Events),
    /// Ask endpoints to do something, approve what others asked for, and see what it came to.
    #[command(subcommand)]
    Commands(commands::Commands),
    /// The key with which one approves dangerous commands.
    #[command(subcommand)]
    Approver(commands::Approver),
    /// List, make and revoke API keys.
    #[command(subcommand)]
    ApiKeys(users::ApiKeys),
    /// List and create people.
    #[command(subcommand)]
    Users(users::Users),
    /// List, make and change the tenant's roles.
    #[command(subcommand)]
    Roles(roles::Roles),
    /// List, give and end access for people of other tenants.
    #[command(subcommand)]
    Access(roles::Access),
    /// Show and change what a tenant has subscribed to.
    #[command(subcommand)]
    Subscription(roles::Subscription),
    /// Set up where people are told of incidents and alerts, what goes where, and see what was told.
    #[command(subcommand)]
    Monitoring(monitoring::Monitoring),
    /// Read the audit log.
    #[command(subcommand)]
    Audit(audit::Audit),
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    match run(Arguments::parse()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            output::error(&error);
            ExitCode::FAILURE
        }
    }
}

async fn run(arguments: Arguments) -> anyhow::Result<()> {
    let format = if arguments.json {
        Format::Json
    } else {
        Format::Table
    };
    let path = profile::path(arguments.config)?;
    match arguments.command {
        Command::Login(login) => login.run(&path, format).await,
        Command::Logout => login::logout(&path),
        Command::Whoami => login::whoami(&profile::client(&path)?, format).await,
        Command::Incidents(command) => command.run(&profile::client(&path)?, format).await,
        Command::Threats(command) => command.run(&profile::client(&path)?, format).await,
        Command::Endpoints(command) => command.run(&profile::client(&path)?, format).await,
        Command::Events(command) => command.run(&profile::client(&path)?, format).await,
        Command::Commands(command) => command.run(&profile::client(&path)?, format, &path).await,
        Command::Approver(command) => command.run(&profile::client(&path)?, format, &path).await,
        Command::ApiKeys(command) => command.run(&profile::client(&path)?, format).await,
        Command::Users(command) => command.run(&profile::client(&path)?, format).await,
        Command::Roles(command) => command.run(&profile::client(&path)?, format).await,
        Command::Access(command) => command.run(&profile::client(&path)?, format).await,
        Command::Subscription(command) => command.run(&profile::client(&path)?, format).await,
        Command::Monitoring(command) => command.run(&profile::client(&path)?, format).await,
        Command::Audit(command) => command.run(&profile::client(&path)?, format).await,
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Arguments::command().debug_assert();
    }
}
