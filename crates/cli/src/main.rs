//! `sgctl`: the operator's command line over the public API. One file for each noun.

mod agents;
mod alerts;
mod audit;
mod commands;
mod contexts;
mod events;
mod exit;
mod login;
mod manual;
mod monitoring;
mod output;
mod placeholders;
mod profile;
mod reports;
mod roles;
mod rules;
mod rules_import;
mod standbys;
mod threats;
mod triage;
mod users;

use std::{path::PathBuf, process::ExitCode, time::Duration};

use anyhow::bail;
use clap::{ArgMatches, CommandFactory, FromArgMatches, Parser, Subcommand};

use crate::{output::Format, profile::Profiles};

/// The commands that `--watch` repeats: they only read.
const READING: [&str; 12] = [
    "alerts",
    "coverage",
    "history",
    "kpis",
    "list",
    "maintenance",
    "notifications",
    "permissions",
    "plans",
    "reports",
    "show",
    "whoami",
];

/// Work SecureGuard's incidents and endpoints from a terminal or a pipeline.
///
/// Exit codes: 0 done; 1 failed; 2 the command line is none; 3 not signed in, or not allowed; 4 there is no such thing; 5 something else stands in the way;
/// 6 no answer; 7 not now, it may be tried again.
#[derive(Debug, Parser)]
#[command(name = "sgctl", version, propagate_version = true)]
struct Arguments {
    /// How to print.
    #[arg(long, short, global = true, value_enum, default_value_t = Format::Table)]
    output: Format,
    /// The same as --output json.
    #[arg(long, global = true, conflicts_with = "output")]
    json: bool,
    /// Ask again every so many seconds, 5 when none are given, until Ctrl-C.
    #[arg(long, global = true, value_name = "SECONDS", num_args = 0..=1, require_equals = true, default_missing_value = "5",
        value_parser = clap::value_parser!(u64).range(1..=86_400))]
    watch: Option<u64>,
    /// The sign-in to use, by its name [default: the one in use].
    #[arg(long, global = true, env = "SGCTL_CONTEXT", value_name = "NAME")]
    context: Option<String>,
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
    /// List the servers that one has signed in to, and choose one.
    #[command(subcommand)]
    Contexts(contexts::Contexts),
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
    /// Print what completes commands in a shell, such as `source <(sgctl completion bash)`.
    Completion { shell: clap_complete::Shell },
    /// Write manual pages, one for each command, into a folder.
    Man { folder: PathBuf },
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let matches = Arguments::command().get_matches();
    let arguments = match Arguments::from_arg_matches(&matches) {
        Ok(arguments) => arguments,
        Err(error) => error.exit(),
    };
    let done = match arguments.watch {
        Some(seconds) => watch(&matches, Duration::from_secs(seconds)).await,
        None => run(arguments).await,
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            output::error(&error);
            exit::code(&error)
        }
    }
}

/// Does the same again and again. What the server refuses ends it, a server that is away does not.
async fn watch(matches: &ArgMatches, pause: Duration) -> anyhow::Result<()> {
    let name = leaf(matches);
    if !READING.contains(&name) {
        bail!("--watch repeats only what reads: {}", READING.join(", "));
    }
    loop {
        output::clear_screen()?;
        match run(Arguments::from_arg_matches(matches)?).await {
            Err(error) if exit::may_be_repeated(&error) => output::error(&error),
            done => done?,
        }
        tokio::time::sleep(pause).await;
    }
}

/// The name of the innermost command.
fn leaf(matches: &ArgMatches) -> &str {
    let mut name = "";
    let mut at = matches;
    while let Some((inner, below)) = at.subcommand() {
        (name, at) = (inner, below);
    }
    name
}

async fn run(arguments: Arguments) -> anyhow::Result<()> {
    let format = if arguments.json {
        Format::Json
    } else {
        arguments.output
    };
    match arguments.command {
        Command::Completion { shell } => return manual::complete(&mut Arguments::command(), shell),
        Command::Man { folder } => return manual::write_pages(Arguments::command(), &folder),
        _ => {}
    }
    let profiles = Profiles::new(arguments.config, arguments.context)?;
    let client = match arguments.command {
        Command::Login(login) => return login.run(&profiles, format).await,
        Command::Logout => return login::logout(&profiles),
        Command::Contexts(command) => return command.run(&profiles, format),
        _ => profiles.client()?,
    };
    match arguments.command {
        Command::Whoami => login::whoami(&client, format).await,
        Command::Incidents(command) => command.run(&client, format).await,
        Command::Threats(command) => command.run(&client, format).await,
        Command::Endpoints(command) => command.run(&client, format).await,
        Command::Events(command) => command.run(&client, format).await,
        Command::Commands(command) => command.run(&client, format, &profiles.path).await,
        Command::Approver(command) => command.run(&client, format, &profiles.path).await,
        Command::ApiKeys(command) => command.run(&client, format).await,
        Command::Users(command) => command.run(&client, format).await,
        Command::Roles(command) => command.run(&client, format).await,
        Command::Access(command) => command.run(&client, format).await,
        Command::Subscription(command) => command.run(&client, format).await,
        Command::Monitoring(command) => command.run(&client, format).await,
        Command::Audit(command) => command.run(&client, format).await,
        Command::Login(_)
        | Command::Logout
        | Command::Contexts(_)
        | Command::Completion { .. }
        | Command::Man { .. } => Ok(()),
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

    #[test]
    fn only_what_reads_is_repeated() {
        let matches = |line: &str| {
            Arguments::command()
                .try_get_matches_from(line.split(' '))
                .unwrap()
        };
        assert_eq!(leaf(&matches("sgctl incidents list --watch")), "list");
        assert_eq!(leaf(&matches("sgctl threats rules show x --watch=2")), "show");
        for line in ["sgctl users create a b", "sgctl api-keys revoke x"] {
            let found = Arguments::command().try_get_matches_from(line.split(' '));
            assert!(
                found.is_err() || !READING.contains(&leaf(&found.unwrap())),
                "{line}"
            );
        }
        let unknown: Vec<&str> = READING
            .into_iter()
            .filter(|name| !names(&Arguments::command()).contains(&(*name).to_owned()))
            .collect();
        assert!(unknown.is_empty(), "{unknown:?}");
    }

    fn names(command: &clap::Command) -> Vec<String> {
        let inner = command.get_subcommands().flat_map(names);
        std::iter::once(command.get_name().to_owned())
            .chain(inner)
            .collect()
    }
}
