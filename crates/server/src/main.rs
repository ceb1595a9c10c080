//! `secureguard`: the server.

mod answers;
mod backup_verbs;
mod bench_verb;
mod maintenance_verbs;
mod manual;
mod repository_verb;
mod standby_verbs;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use secrecy::ExposeSecret;
use sg_server::config::{self, Config, Verb};
use sg_server::signer::{Policy, SignerConfig};
use sg_server::{commands, logging, router, up};
use sg_types::response::CommandKind;

use crate::answers::{print_findings, print_first, print_migration, print_report, print_rotation};

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
    /// Sign remote commands, as a process of its own that `up` starts by itself.
    Signer(SignerArguments),
    /// The approver root: who may be the second person behind dangerous commands. Its key belongs on no server.
    Approver {
        #[command(subcommand)]
        command: Approver,
    },
    /// Make backups, look at them, and try them out.
    Backup {
        #[command(subcommand)]
        command: backup_verbs::Backup,
    },
    /// Do regular maintenance by hand, and see what was done.
    Maintenance {
        #[command(subcommand)]
        command: maintenance_verbs::Maintenance,
    },
    /// Measure what this machine carries, with simulated endpoints and a scratch database in a folder of its own.
    Bench(bench_verb::BenchArguments),
    /// Keep a second server that follows this one and can take over.
    Standby {
        #[command(subcommand)]
        command: standby_verbs::StandbyVerb,
    },
    /// Restore a backup into a new data directory.
    Restore(backup_verbs::RestoreArguments),
    /// Print what completes commands in a shell, such as `source <(secureguard completion bash)`.
    Completion { shell: clap_complete::Shell },
    /// Write manual pages, one for each command, into a folder.
    Man { folder: PathBuf },
    /// What the server and PostgreSQL call for backups of the built-in way.
    #[command(hide = true)]
    Repository(repository_verb::RepositoryArguments),
    /// What only whoever holds this host may do.
    Admin {
        #[command(subcommand)]
        command: Admin,
    },
}

#[derive(Debug, clap::Args)]
struct SignerArguments {
    /// The Unix socket to listen on.
    #[arg(long, value_name = "FILE")]
    socket: PathBuf,
    /// PEM file of the key, made where there is none.
    #[arg(long, value_name = "FILE")]
    key_file: PathBuf,
    /// File of the approver root's public key.
    #[arg(long, value_name = "FILE")]
    approver_root: PathBuf,
    /// File of the trust set that the approver root has signed.
    #[arg(long, value_name = "FILE")]
    trust_set: PathBuf,
    /// The kinds of commands that are signed; all without it.
    #[arg(long, value_delimiter = ',', value_parser = parse_kind)]
    kinds: Vec<CommandKind>,
    /// Longest time between asking for a command and its begin.
    #[arg(long, default_value_t = 604_800, value_parser = clap::value_parser!(u32).range(60..=2_678_400))]
    max_lifetime_seconds: u32,
    /// Commands that are signed within a minute at most.
    #[arg(long, default_value_t = 120)]
    per_minute: u32,
    /// End when standard input ends.
    #[arg(long)]
    until_input_ends: bool,
}

fn parse_kind(text: &str) -> Result<CommandKind, String> {
    text.parse()
        .map_err(|error: sg_types::UnknownValue| error.to_string())
}

#[derive(Debug, Subcommand)]
enum Approver {
    /// Make the approver root. Endpoints that enrol from then on take dangerous commands with the signature of a second person.
    Init {
        /// The file to make for the root's private key. Move it to a place that no server reads.
        #[arg(long, value_name = "FILE")]
        root: PathBuf,
        /// The data directory of the server.
        #[arg(long, value_name = "DIR")]
        data_dir: Option<PathBuf>,
    },
    /// Sign what agents believe anew, after another key was put in place. Agents take it without enrolling again.
    SignTrust {
        /// The root's private key.
        #[arg(long, value_name = "FILE")]
        root: PathBuf,
        /// Replace the root: the file to make for the private key of its successor.
        #[arg(long, value_name = "FILE")]
        new_root: Option<PathBuf>,
        /// The data directory of the server.
        #[arg(long, value_name = "DIR")]
        data_dir: Option<PathBuf>,
    },
    /// Vouch for somebody's key. Needs the root's key only, on whatever machine it is.
    Certify {
        /// The root's private key.
        #[arg(long, value_name = "FILE")]
        root: PathBuf,
        /// The person's id; `sgctl approver key` prints it with the public key.
        #[arg(long, value_name = "UUID")]
        user_id: uuid::Uuid,
        /// The person's sign-in name.
        #[arg(long)]
        username: String,
        /// The person's public key, in base64.
        #[arg(long, value_name = "KEY")]
        public_key: String,
        /// The only tenant whose endpoints may be commanded; every tenant without it.
        #[arg(long, value_name = "UUID")]
        tenant: Option<uuid::Uuid>,
        /// Days that the certificate holds.
        #[arg(long, default_value_t = 365, value_parser = clap::value_parser!(u32).range(1..=3_650))]
        days: u32,
        /// The file to make.
        #[arg(long, value_name = "FILE")]
        out: PathBuf,
    },
    /// Take a certificate back: agents hear of it with their next check-in.
    Revoke {
        /// The certificate's serial.
        serial: String,
        /// The root's private key.
        #[arg(long, value_name = "FILE")]
        root: PathBuf,
        /// The data directory of the server.
        #[arg(long, value_name = "DIR")]
        data_dir: Option<PathBuf>,
    },
}

#[derive(Debug, Subcommand)]
enum Admin {
    /// Make the first administrator and a first enrolment key of a new installation of `serve`; `up` does it by itself.
    CreateFirst {
        /// The data directory of the server.
        #[arg(long, value_name = "DIR")]
        data_dir: Option<PathBuf>,
    },
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
        Command::Completion { shell } => manual::complete(shell)?,
        Command::Man { folder } => manual::write_pages(&folder)?,
        Command::Signer(arguments) => {
            let config = config::load(file, Verb::Other)?;
            logging::install(&config.log, &config.traces)?;
            let until_input_ends = arguments.until_input_ends;
            block_on(commands::run_signer(arguments.into(), until_input_ends))?;
        }
        Command::Approver { command } => run_approver(file, command)?,
        Command::Audit { command } => return run_audit(file, command),
        Command::Backup { command } => return backup_verbs::run(file, command),
        Command::Standby { command } => return standby_verbs::run(file, command),
        Command::Maintenance { command } => return maintenance_verbs::run(file, command),
        Command::Bench(arguments) => return bench_verb::run(file, arguments),
        Command::Restore(arguments) => backup_verbs::restore(file, arguments)?,
        Command::Repository(arguments) => return Ok(repository_verb::run(&arguments)),
        Command::Admin {
            command: Admin::CreateFirst { data_dir },
        } => {
            let config = prepare(file, Verb::Up, data_dir, None)?;
            return Ok(print_first(block_on(commands::create_first(&config))?));
        }
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

impl From<SignerArguments> for SignerConfig {
    fn from(arguments: SignerArguments) -> Self {
        Self {
            socket: arguments.socket,
            key_file: arguments.key_file,
            policy: Policy::new(
                arguments.kinds,
                chrono::Duration::seconds(arguments.max_lifetime_seconds.into()),
                usize::try_from(arguments.per_minute).unwrap_or(usize::MAX),
                arguments.approver_root,
                arguments.trust_set,
            ),
        }
    }
}

fn run_approver(file: Option<&std::path::Path>, command: Approver) -> anyhow::Result<()> {
    match command {
        Approver::Init { root, data_dir } => {
            let config = prepare(file, Verb::Up, data_dir, None)?;
            let version = block_on(commands::make_approver_root(&config, &root))?;
            print_line(&format!(
                "made the approver root {} (trust set {version}); move it to a place that no server reads, and keep a copy\nendpoints that are enrolled already take it by `secureguard-agent trust --approver-root {}`",
                root.display(),
                config::approver_root_file(&config.data_dir).display()
            ));
        }
        Approver::SignTrust {
            root,
            new_root,
            data_dir,
        } => {
            let config = prepare(file, Verb::Up, data_dir, None)?;
            let version = block_on(commands::sign_trust(&config, &root, new_root.as_deref(), None))?;
            print_line(&format!(
                "trust set {version} is signed; agents take it with their next check-in"
            ));
        }
        Approver::Certify {
            root,
            user_id,
            username,
            public_key,
            tenant,
            days,
            out,
        } => {
            let request = commands::CertifyRequest {
                user_id: user_id.into(),
                username,
                public_key,
                tenant_id: tenant.map(sg_types::TenantId),
                days,
            };
            let serial = commands::certify_approver(&root, request, &out)?;
            print_line(&format!("certificate {serial} is in {}", out.display()));
        }
        Approver::Revoke {
            serial,
            root,
            data_dir,
        } => {
            let config = prepare(file, Verb::Up, data_dir, None)?;
            let version = block_on(commands::sign_trust(&config, &root, None, Some(&serial)))?;
            print_line(&format!(
                "certificate {serial} does not count any more (trust set {version})"
            ));
        }
    }
    Ok(())
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
    logging::install(&config.log, &config.traces)?;
    Ok(config)
}

fn block_on<T>(future: impl Future<Output = anyhow::Result<T>>) -> anyhow::Result<T> {
    tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?
        .block_on(future)
}

#[expect(clippy::print_stdout, reason = "the command's answer")]
fn print_line(text: &str) {
    println!("{text}");
}
