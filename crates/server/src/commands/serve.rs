//! `secureguard serve`: a stateless node with a database of its administrator's.

use std::sync::Arc;
use std::time::{Duration, Instant};

use sg_db::{Db, DbError, SchemaFit};
use sg_types::{Clock, SystemClock, TimeOrderedIds};

use crate::audit::AuditKeeper;
use crate::config::Config;
use crate::listen::Port;
use crate::mail::Mailer;
use crate::secrets::SecretBox;
use crate::signing::RulesSigner;
use crate::supervisor::Supervisor;
use crate::up::{connect, connect_signer, refuse_powerful_roles};
use crate::{AppParts, AppState, metrics, serve as serving};

/// How long a database may take to come up beside the server.
const PATIENCE: Duration = Duration::from_secs(60);
const RETRY: Duration = Duration::from_secs(1);

/// Serves until a signal comes.
///
/// # Errors
/// In words for the person at the terminal.
pub async fn serve(config: Config) -> anyhow::Result<()> {
    let missing = config.database.missing_urls();
    anyhow::ensure!(
        missing.is_empty(),
        "`serve` needs {}; `secureguard up` brings a database of its own",
        missing.join(" and ")
    );
    let port = Port::bind(config.http.listen).await?;
    let clock = Arc::new(SystemClock);
    let db = connect(&config, &config.database.url, &config.database.system_url)?;
    wait_for_database(&db).await?;
    refuse_powerful_roles(&db).await?;
    refuse_other_schema(&db).await?;
    let listener = port.secure(&config, clock.as_ref())?;
    let secrets = SecretBox::load_or_create(&config.secrets.keys_file(&config.data_dir), clock.now())?;
    let rules_signer = RulesSigner::load_or_create(&config.rules.key_file(&config.data_dir))?;
    let response = connect_signer(&config, &rules_signer).await?;
    let mailer = Mailer::new(&config.mail)?;
    let audit = AuditKeeper::open(&config.data_dir, &config.audit.key_file(&config.data_dir))?;
    metrics::install();
    let (public_url, tls) = (listener.url().to_owned(), listener.is_tls());
    tracing::info!(http.url = public_url, http.address = %listener.address(), "serving");
    let state = AppState::new(AppParts {
        config,
        db,
        clock,
        ids: Arc::new(TimeOrderedIds),
        rules_signer,
        response,
        mailer,
        secrets,
        audit,
        supervisor: Supervisor::new(),
        public_url,
        tls,
    });
    serving::start(&state, listener);
    serving::run_until_stopped(&state).await
}

async fn wait_for_database(db: &Db) -> anyhow::Result<()> {
    let started = Instant::now();
    loop {
        match db.schema_fit().await {
            Err(error @ DbError::Unavailable(_)) if started.elapsed() < PATIENCE => {
                tracing::warn!(error = %anyhow::Error::from(error), "waiting for the database");
                tokio::time::sleep(RETRY).await;
            }
            Err(error @ DbError::Unavailable(_)) => {
                return Err(anyhow::Error::from(error).context("the database does not answer"));
            }
            _ => return Ok(()),
        }
    }
}

async fn refuse_other_schema(db: &Db) -> anyhow::Result<()> {
    let fit = db.schema_fit().await.map_err(|error| {
        anyhow::Error::from(error).context("the schema cannot be read; run `secureguard migrate` first")
    })?;
    if let Some(problem) = fit.problem() {
        anyhow::bail!("refusing to start: {problem}");
    }
    if let SchemaFit::Newer { applied, known } = fit {
        tracing::warn!(
            schema.version = applied,
            schema.known = known,
            "the schema is of a later release, beside which this program can work; update it soon"
        );
    }
    Ok(())
}
