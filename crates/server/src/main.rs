//! `secureguard`: the server.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use secrecy::ExposeSecret;
use sg_server::config::{self, Config, Verb};
use sg_server::{commands, logging, router, up};

/// Self-hosted endpoint security monitoring.
#[derive(Debug, Parser)]
#[command(name = "secureguard", version, about)]
struct Arguments {
    /// Configuration file (default: /etc/secureguard/secureguard.toml, where it exists).
    #[arg(long, global = true, value_name = "FILE")]
    config: Option<PathBuf>,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run everything, with a PostgreSQL of its own in the data directory.
    Up {
        /// Where the database, keys and certificates live.
        #[arg(long, value_name = "DIR")]
        data_dir: Option<PathBuf>,
        /// Address and port to listen on; port 0 takes a free one.
        #[arg(long, value_name = "ADDR")]
        listen: Option<SocketAddr>,
        /// Once it serves, write addresses and first secrets there as JSON (0600) instead of printing them.
        #[arg(long, value_name = "FILE")]
        ready_file: Option<PathBuf>,
    },
    /// Serve with the database of DATABASE_URL and DATABASE_SYSTEM_URL.
    Serve {
        /// Address and port to listen on.
        #[arg(long, value_name = "ADDR")]
        listen: Option<SocketAddr>,
        /// Where keys and certificates live.
        #[arg(long, value_name = "DIR")]
        data_dir: Option<PathBuf>,
    },
    /// Bring the database of DATABASE_MIGRATE_URL to the present schema.
    Migrate,
    /// Say what is wrong with the configuration and the database, and what to do.
    Doctor {
        /// The data directory to look at.
        #[arg(long, value_name = "DIR")]
        data_dir: Option<PathBuf>,
    },
    /// Print the OpenAPI document.
    Openapi,
    /// What only whoever holds this host may do.
    Admin {
        #[command(subcommand)]
        command: Admin,
    },
}

#[derive(Debug, Subcommand)]
enum Admin {
    /// Give a user a new initial password, switch the account on and unlock it.
    ResetPassword {
        /// The user's sign-in name.
        username: String,
        /// The data directory of `up`.
        #[arg(long, value_name = "DIR")]
        data_dir: Option<PathBuf>,
    },
}

fn main() -> ExitCode {
    match run(Arguments::parse()) {
        Ok(code) => code,
        Err(error) => {
            report(&error);
            ExitCode::FAILURE
        }
    }
}

#[expect(clippy::print_stderr, reason = "the last word to whoever started the program")]
fn report(error: &anyhow::Error) {
    eprintln!("secureguard: {error:#}");
}

fn run(arguments: Arguments) -> anyhow::Result<ExitCode> {
    let file = arguments.config.as_deref();
    match arguments.command {
        Command::Up {
            data_dir,
            listen,
            ready_file,
        } => {
            let config = prepare(file, Verb::Up, data_dir, listen)?;
            block_on(up::up(config, ready_file, print_line))?;
        }
        Command::Serve { listen, data_dir } => {
            let config = prepare(file, Verb::Other, data_dir, listen)?;
            block_on(commands::serve(config))?;
        }
        Command::Migrate => {
            let config = prepare(file, Verb::Other, None, None)?;
            print_migration(&block_on(commands::migrate(&config))?);
        }
        Command::Doctor { data_dir } => {
            let config = prepare(file, Verb::Other, data_dir, None)?;
            return Ok(print_findings(&block_on(async {
                Ok(commands::doctor(&config).await)
            })?));
        }
        Command::Openapi => print_line(&router::document().to_pretty_json()?),
        Command::Admin {
            command: Admin::ResetPassword { username, data_dir },
        } => {
            let config = prepare(file, Verb::Up, data_dir, None)?;
            let password = block_on(commands::reset_password(&config, &username))?;
            print_line(&format!(
                "new password of {username}: {} (has to be changed at the next sign-in)",
                password.expose_secret()
            ));
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn prepare(
    file: Option<&std::path::Path>,
    verb: Verb,
    data_dir: Option<PathBuf>,
    listen: Option<SocketAddr>,
) -> anyhow::Result<Config> {
    let mut config = config::load(file, verb)?;
    if let Some(data_dir) = data_dir {
        config.data_dir = std::path::absolute(data_dir)?;
    }
    if let Some(listen) = listen {
        config.http.listen = listen;
        config.tls.applies_to(listen).map_err(anyhow::Error::msg)?;
    }
    logging::install(&config.log)?;
    Ok(config)
}

fn block_on<T>(future: impl Future<Output = anyhow::Result<T>>) -> anyhow::Result<T> {
    tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?
        .block_on(future)
}

fn print_migration(report: &sg_db::MigrationReport) {
    if report.from_version == report.to_version {
        print_line(&format!("the schema is version {} already", report.to_version));
    } else {
        print_line(&format!(
            "the schema went from version {} to {}",
            report.from_version, report.to_version
        ));
    }
    for row in &report.adopted {
        print_line(&format!(
            "{} {}: {} → {}",
            row.table_name, row.row_id, row.problem, row.repair
        ));
    }
}

fn print_findings(findings: &[commands::Finding]) -> ExitCode {
    for finding in findings {
        match &finding.result {
            Ok(found) => print_line(&format!("ok    {}: {found}", finding.about)),
            Err(problem) => print_line(&format!("WRONG {}: {problem}", finding.about)),
        }
    }
    if findings.iter().all(|finding| finding.result.is_ok()) {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

#[expect(clippy::print_stdout, reason = "the command's answer")]
fn print_line(text: &str) {
    println!("{text}");
}
