//! `secureguard up`: the whole product from one command, with a PostgreSQL of its own.

mod cluster;
mod ready_file;
mod secrets;
mod signer;

use std::path::PathBuf;
use std::sync::Arc;

use anyhow::Context;
use secrecy::{ExposeSecret, SecretString};
use sg_db::{Db, DbConfig, MigrationReport, RoleVerifiers};
use sg_types::{Clock, SystemClock, TimeOrderedIds};

pub use cluster::OwnCluster;
pub use ready_file::{Admin, ReadyFile};
pub use secrets::{RolePasswords, Urls, read_urls};
pub(crate) use secrets::{read_password, read_superuser_url, remember_socket, restored_urls, socket_dir};
pub use signer::connect_signer;

use crate::audit::AuditKeeper;
use crate::config::Config;
use crate::listen::Port;
use crate::mail::Mailer;
use crate::passwords::PasswordHasher;
use crate::secrets::SecretBox;
use crate::signing::RulesSigner;
use crate::supervisor::Supervisor;
use crate::users::seed::{Seeded, seed};
use crate::{AppParts, AppState, metrics, serve, standby};

/// The product's database in the cluster.
pub(crate) const DATABASE: &str = "secureguard";

/// Runs everything until a signal comes. Without a ready file, `tell` is given what a person needs, the one-time secrets included.
///
/// # Errors
/// In words for the person at the terminal.
pub async fn up(config: Config, ready_file: Option<PathBuf>, tell: fn(&str)) -> anyhow::Result<()> {
    let signalled = async {
        serve::stop_signal()
            .await
            .map(|name| tracing::info!(signal = name, "stopped before serving"))
    };
    let started = tokio::select! {
        started = start(config, ready_file, tell) => started?,
        result = signalled => return result,
    };
    let (state, cluster) = started;
    let result = serve::run_until_stopped(&state).await;
    let stopped = cluster.stop().await;
    result.and(stopped)
}

async fn start(
    config: Config,
    ready_file: Option<PathBuf>,
    tell: fn(&str),
) -> anyhow::Result<(AppState, OwnCluster)> {
    if !config.database.url.expose_secret().is_empty() {
        tracing::warn!(
            "database URLs are set and ignored: `up` uses its own database in the data directory, `serve` uses yours"
        );
    }
    if let Some(path) = &ready_file {
        remove_old(path)?;
    }
    let supervisor = Supervisor::new();
    let (port, cluster) = if sg_postgres::is_standby(&config.data_dir) {
        let cluster = standby::follow(&config).await?;
        (Port::bind(config.http.listen).await?, cluster)
    } else {
        // The port first: when it is taken, nothing has been touched.
        let port = Port::bind(config.http.listen).await?;
        (port, OwnCluster::start(&config).await?)
    };
    let passwords = RolePasswords::load_or_create(&config.data_dir)?;
    let urls = Urls::new(&cluster.address(), &passwords);
    secrets::remember_socket(&config.data_dir, &cluster.address())?;

    let (clock, ids) = (Arc::new(SystemClock), Arc::new(TimeOrderedIds));
    let report = prepare_database(&urls, passwords.verifiers()).await?;
    log_report(&report);
    let db = connect(&config, &urls.app, &urls.system)?;
    refuse_powerful_roles(&db).await?;
    let seeded = seed(
        &db,
        &PasswordHasher::new(&config.passwords),
        clock.as_ref(),
        ids.as_ref(),
    )
    .await?;

    let listener = port.secure(&config, clock.as_ref())?;
    let secrets = SecretBox::load_or_create(&config.secrets.keys_file(&config.data_dir), clock.now())?;
    let rules_signer = RulesSigner::load_or_create(&config.rules.key_file(&config.data_dir))?;
    let response = signer::start(&config, &rules_signer, &supervisor).await?;
    let audit = AuditKeeper::open(&config.data_dir, &config.audit.key_file(&config.data_dir))?;
    let mailer = Mailer::new(&config.mail)?;
    metrics::install();
    let (url, tls) = (listener.url().to_owned(), listener.is_tls());
    let ca_file = listener
        .certificates()
        .and_then(|certificates| certificates.ca_file());
    let state = AppState::new(AppParts {
        config,
        db,
        clock,
        ids,
        rules_signer,
        response,
        secrets,
        audit,
        mailer,
        supervisor: supervisor.clone(),
        public_url: url.clone(),
        tls,
    });
    let address = listener.address();
    serve::start(&state, listener);
    cluster.keep_running(&supervisor);
    standby::keep_watch(&state, urls.superuser_elsewhere.clone());
    tracing::info!(http.url = url, http.address = %address, "serving");
    announce(&url, &urls, seeded, ca_file, ready_file.as_deref(), tell)?;
    Ok((state, cluster))
}

fn announce(
    url: &str,
    urls: &Urls,
    seeded: Option<Seeded>,
    ca_file: Option<PathBuf>,
    ready_file: Option<&std::path::Path>,
    tell: fn(&str),
) -> anyhow::Result<()> {
    let ready = ReadyFile {
        url: url.to_owned(),
        database_url: urls.admin.expose_secret().to_owned(),
        admin: seeded.as_ref().map(|s| Admin {
            username: s.username.clone(),
            password: s.admin_password.expose_secret().to_owned(),
        }),
        enrolment_key: seeded
            .as_ref()
            .map(|s| s.enrolment_key.expose_secret().to_owned()),
        ca_file: ca_file.map(|path| path.to_string_lossy().into_owned()),
    };
    match ready_file {
        Some(path) => ready
            .write(path)
            .with_context(|| format!("cannot write the ready file {}", path.display())),
        None => {
            tell(&ready.describe());
            Ok(())
        }
    }
}

fn remove_old(path: &std::path::Path) -> anyhow::Result<()> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(error).with_context(|| format!("cannot replace the ready file {}", path.display()))
        }
        _ => Ok(()),
    }
}

async fn prepare_database(urls: &Urls, verifiers: RoleVerifiers) -> anyhow::Result<MigrationReport> {
    sg_db::create_database(&urls.superuser_elsewhere, DATABASE)
        .await
        .context("cannot make the database")?;
    sg_db::migrate(&urls.superuser, &verifiers)
        .await
        .context("cannot bring the database to the present schema")
}

/// Says what a migration did.
pub fn log_report(report: &MigrationReport) {
    if report.from_version != report.to_version {
        tracing::info!(
            schema.from = report.from_version,
            schema.to = report.to_version,
            "the database was brought to the present schema"
        );
    }
    for row in &report.adopted {
        tracing::warn!(
            table = row.table_name,
            row.id = row.row_id,
            problem = row.problem,
            repair = row.repair,
            "a row was repaired"
        );
    }
}

/// Connections for ingest, sign-in and jobs at least: a job that takes minutes, as maintenance does, holds two of them.
const JOB_CONNECTIONS: u32 = 8;

/// Prepares the pools.
///
/// # Errors
/// When a URL cannot be parsed.
pub fn connect(config: &Config, app: &SecretString, system: &SecretString) -> anyhow::Result<Db> {
    let mut options = DbConfig::new(app.clone(), system.clone());
    options.app_connections = config.database.max_connections;
    options.system_connections = (config.database.max_connections / 4).max(JOB_CONNECTIONS);
    if !config.standby.synchronous.is_empty() || config.database.waits_for_standby {
        // A time limit would end the wait for the standby, and PostgreSQL then acknowledges a commit that only this machine has.
        options.statement_timeout = std::time::Duration::ZERO;
    }
    Db::connect_lazy(&options).context("a database URL cannot be used")
}

/// Refuses to serve with a role that row security does not bind.
///
/// # Errors
/// In words: which role, why, and what to do.
pub async fn refuse_powerful_roles(db: &Db) -> anyhow::Result<()> {
    for check in db.check_roles().await? {
        if let Some(problem) = check.problem {
            anyhow::bail!(
                "refusing to start: the database role `{}` must not serve requests, because {problem}; see `secureguard doctor`",
                check.role
            );
        }
    }
    Ok(())
}
