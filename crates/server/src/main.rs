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
    /// Check the audit log, or write it for somebody who checks it.
    Audit {
        #[command(subcommand)]
        command: Audit,
    },
    /// What only whoever holds this host may do.
    Admin {
        #[command(subcommand)]
        command: Admin,
    },
}

#[derive(Debug, Subcommand)]
enum Admin {
    /// Take all second factors of a user away who has lost them.
    ResetFactors {
        /// The user's sign-in name.
        username: String,
        /// The data directory of `up`.
        #[arg(long, value_name = "DIR")]
        data_dir: Option<PathBuf>,
    },
    /// Give a user a new initial password, switch the account on and unlock it.
    ResetPassword {
        /// The user's sign-in name.
        username: String,
        /// The data directory of `up`.
        #[arg(long, value_name = "DIR")]
        data_dir: Option<PathBuf>,
    },
    /// Change the key that secrets are sealed under in the database; every secret is sealed again. A rotation that was cut short is finished.
    RotateKeys {
        /// Instead, remove the older keys, which has to wait until nothing is sealed under them. Backups from before need them.
        #[arg(long)]
        retire: bool,
        /// The data directory of `up`.
        #[arg(long, value_name = "DIR")]
        data_dir: Option<PathBuf>,
    },
    /// Write everything of a tenant into a file, lines of JSON; works for a suspended tenant too.
    ExportTenant {
        /// The tenant's short name.
        slug: String,
        /// The file to make.
        file: PathBuf,
        /// The data directory of `up`.
        #[arg(long, value_name = "DIR")]
        data_dir: Option<PathBuf>,
    },
    /// Remove everything of a tenant from every table, for good; a signed record of it stays in the audit log.
    EraseTenant {
        /// The tenant's short name.
        slug: String,
        /// The short name again.
        #[arg(long, value_name = "SLUG")]
        confirm: String,
        /// The data directory of `up`.
        #[arg(long, value_name = "DIR")]
        data_dir: Option<PathBuf>,
    },
}

#[derive(Debug, Subcommand)]
enum Audit {
    /// Check export files with nothing but a public key, or else the database. Exit code 1 when something does not hold.
    Verify {
        /// Export files, in the order in which they were written; without any, the database is checked.
        files: Vec<PathBuf>,
        /// PEM file of the public key; without it, that of this server.
        #[arg(long, value_name = "FILE")]
        public_key: Option<PathBuf>,
        /// Export files whose checkpoints the database has to fit.
        #[arg(long, value_name = "FILE", conflicts_with = "files")]
        checkpoints: Vec<PathBuf>,
        /// The data directory of the server.
        #[arg(long, value_name = "DIR")]
        data_dir: Option<PathBuf>,
    },
    /// Write the chains with their rows and checkpoints into a file.
    Export {
        /// The file to make.
        file: PathBuf,
        /// One tenant only.
        #[arg(long, value_name = "UUID")]
        tenant: Option<uuid::Uuid>,
        /// The data directory of the server.
        #[arg(long, value_name = "DIR")]
        data_dir: Option<PathBuf>,
    },
    /// Print the public key that checks the audit log.
    PublicKey {
        /// The data directory of the server.
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
        Command::Audit { command } => return run_audit(file, command),
        Command::Admin {
            command: Admin::ExportTenant { slug, file, data_dir },
        } => {
            let config = prepare(arguments.config.as_deref(), Verb::Up, data_dir, None)?;
            let rows = block_on(commands::export_tenant(&config, &slug, &file))?;
            print_line(&format!("exported {slug}: {rows} rows into {}", file.display()));
        }
        Command::Admin {
            command:
                Admin::EraseTenant {
                    slug,
                    confirm,
                    data_dir,
                },
        } => {
            let config = prepare(file, Verb::Up, data_dir, None)?;
            let rows = block_on(commands::erase_tenant(&config, &slug, &confirm))?;
            print_line(&format!(
                "erased {slug}: {rows} rows; exports that were made before still hold its audit log"
            ));
        }
        Command::Admin {
            command: Admin::ResetFactors { username, data_dir },
        } => {
            let config = prepare(file, Verb::Up, data_dir, None)?;
            let count = block_on(commands::reset_factors(&config, &username))?;
            print_line(&format!(
                "{username} has no second factor any more ({count} removed); the password alone signs in"
            ));
        }
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
        Command::Admin {
            command: Admin::RotateKeys { retire, data_dir },
        } => {
            let config = prepare(file, Verb::Up, data_dir, None)?;
            print_rotation(&block_on(commands::rotate_keys(&config, retire))?);
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn run_audit(file: Option<&std::path::Path>, command: Audit) -> anyhow::Result<ExitCode> {
    match command {
        Audit::Verify {
            files,
            public_key,
            checkpoints,
            data_dir,
        } => {
            let report = if files.is_empty() {
                let config = prepare(file, Verb::Up, data_dir, None)?;
                block_on(commands::verify_database(
                    &config,
                    public_key.as_deref(),
                    &checkpoints,
                ))?
            } else {
                let key = public_key.ok_or_else(|| {
                    anyhow::anyhow!(
                        "export files are checked with --public-key; `secureguard audit public-key` prints it"
                    )
                })?;
                commands::verify_files(&files, &key)?
            };
            return Ok(print_report(&report));
        }
        Audit::Export {
            file: out,
            tenant,
            data_dir,
        } => {
            let config = prepare(file, Verb::Up, data_dir, None)?;
            let lines = block_on(commands::export_file(
                &config,
                &out,
                tenant.map(sg_types::TenantId),
            ))?;
            print_line(&format!("wrote {lines} lines to {}", out.display()));
        }
        Audit::PublicKey { data_dir } => {
            let config = prepare(file, Verb::Up, data_dir, None)?;
            print_line(commands::public_key(&config)?.trim_end());
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn print_report(report: &sg_server::audit::verify::Report) -> ExitCode {
    for fault in &report.faults {
        print_line(&format!("FAULT {fault}"));
    }
    for note in &report.notes {
        print_line(&format!("note  {note}"));
    }
    for (tenant_id, (position, signed)) in &report.chains {
        print_line(&format!(
            "chain tenant {tenant_id}: {position} entries, signed through {signed}"
        ));
    }
    let (entries, checkpoints) = (report.entries, report.checkpoints);
    if report.holds() {
        print_line(&format!(
            "the audit log holds: {entries} entries and {checkpoints} signatures were checked"
        ));
        ExitCode::SUCCESS
    } else {
        print_line(&format!(
            "the audit log does not hold: {} faults in {entries} entries and {checkpoints} signatures",
            report.faults.len()
        ));
        ExitCode::FAILURE
    }
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

fn print_rotation(rotated: &commands::Rotated) {
    match rotated {
        commands::Rotated::Retired(keys) if keys.is_empty() => print_line("there is no older key"),
        commands::Rotated::Retired(keys) => print_line(&format!("removed: {}", keys.join(", "))),
        commands::Rotated::Rotation(rotation) => {
            let began = if rotation.resumed {
                "finished an earlier rotation"
            } else {
                "made a new key"
            };
            print_line(&format!(
                "{began}: key {} seals, {} secrets were sealed again",
                rotation.key_id, rotation.resealed
            ));
            if !rotation.older_keys.is_empty() {
                print_line(&format!(
                    "still in the file: {}; remove with --retire once no backup from before is needed",
                    rotation.older_keys.join(", ")
                ));
            }
        }
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
