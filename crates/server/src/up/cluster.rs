//! The private PostgreSQL, started again when it dies underneath the server.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::Context;
use secrecy::SecretString;
use sg_postgres::{Binaries, Cluster, ClusterOptions, Search};

use crate::config::Config;
use crate::supervisor::Supervisor;

/// How often it is looked at whether PostgreSQL still runs.
const LOOK_EVERY: Duration = Duration::from_millis(200);
/// Pause before a failed restart is tried again: doubles from the first to the second.
const FIRST_PAUSE: Duration = Duration::from_millis(250);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// The module that counts statements.
const STATEMENTS: &str = "pg_stat_statements";

/// Where the cluster listens and how to get in.
#[derive(Debug, Clone)]
pub(crate) struct Address {
    pub(crate) socket_dir: PathBuf,
    pub(crate) port: u16,
    pub(crate) superuser: String,
    pub(crate) superuser_password: SecretString,
}

/// The cluster that `up` keeps. Dropping it stops PostgreSQL.
#[derive(Debug, Clone)]
pub struct OwnCluster(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    /// None while it is down between a crash and the restart, and after the stop.
    running: Mutex<Option<Cluster>>,
    binaries: Binaries,
    options: ClusterOptions,
    address: Address,
}

impl OwnCluster {
    /// Finds PostgreSQL and starts the cluster of the data directory, made first where there is none.
    ///
    /// # Errors
    /// In words: no PostgreSQL, a directory that is not ours or in use, a full disk, …
    pub async fn start(config: &Config) -> anyhow::Result<Self> {
        crate::standby::refuse_stale(config).await?;
        let search = Search {
            explicit: config.database.pg_bin().map(std::path::Path::to_owned),
            data_dir: Some(config.data_dir.clone()),
            ..Search::default()
        };
        let mut options = ClusterOptions::new(&config.data_dir);
        options.settings.push((
            "max_connections".to_owned(),
            (config.database.max_connections * 2 + 20).to_string(),
        ));
        let backups = config.clone();
        let shared = tokio::task::spawn_blocking(move || {
            let binaries = search.run()?;
            if backups.backup.is_of_up() || backups.standby.listen().is_some() {
                sg_postgres::claim_dir(&backups.data_dir)?;
            }
            options.settings.extend(crate::standby::settings(&backups)?);
            options.network = crate::standby::network(&backups)?;
            if backups.backup.is_of_up() {
                options.archive = Some(crate::backup::archiving(&backups)?);
            }
            if binaries.has_module(STATEMENTS) {
                let settings = [
                    ("shared_preload_libraries", STATEMENTS),
                    ("pg_stat_statements.track_utility", "off"),
                ];
                let settings = settings.map(|(name, value)| (name.to_owned(), value.to_owned()));
                options.settings.extend(settings);
            }
            tracing::info!(postgres.version = %binaries.version, postgres.dir = %binaries.bin_dir.display(), "starting the database");
            let cluster = Cluster::start(&binaries, &options)?;
            let address = Address {
                socket_dir: cluster.socket_dir().to_owned(),
                port: cluster.port(),
                superuser: cluster.superuser().to_owned(),
                superuser_password: cluster.superuser_password().clone(),
            };
            // After a crash it has to come back at the same place.
            options.socket_dir = Some(address.socket_dir.clone());
            anyhow::Ok(Shared {
                running: Mutex::new(Some(cluster)),
                binaries,
                options,
                address,
            })
        });
        Ok(Self(Arc::new(
            shared.await.context("the start of the database broke off")??,
        )))
    }

    pub(crate) fn address(&self) -> Address {
        self.0.address.clone()
    }

    /// Watches PostgreSQL and starts it again, with the same data, when it has ended on its own. Requests meanwhile get 503.
    pub fn keep_running(&self, supervisor: &Supervisor) {
        let (this, stop) = (self.clone(), supervisor.stop_token());
        supervisor.spawn_restarting("database", move || {
            let (this, stop) = (this.clone(), stop.clone());
            async move {
                while !stop.is_cancelled() {
                    tokio::select! {
                        () = stop.cancelled() => break,
                        () = tokio::time::sleep(LOOK_EVERY) => {}
                    }
                    if this.has_ended() {
                        this.restart(&stop).await?;
                    }
                }
                Ok(())
            }
        });
    }

    /// Stops PostgreSQL and waits for it.
    ///
    /// # Errors
    /// When it does not stop.
    pub async fn stop(self) -> anyhow::Result<()> {
        let cluster = self.take();
        let task = tokio::task::spawn_blocking(move || cluster.map_or(Ok(()), Cluster::stop));
        Ok(task.await.context("the stop of the database broke off")??)
    }

    pub(crate) fn has_ended(&self) -> bool {
        let mut running = self.0.running.lock().unwrap_or_else(PoisonError::into_inner);
        match running.as_mut().map(Cluster::has_exited) {
            Some(Some(status)) => {
                tracing::error!(%status, "the database has ended on its own and is started again");
                true
            }
            Some(None) => false,
            None => true,
        }
    }

    fn take(&self) -> Option<Cluster> {
        self.0
            .running
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take()
    }

    pub(crate) async fn restart(&self, stop: &tokio_util::sync::CancellationToken) -> anyhow::Result<()> {
        let mut pause = FIRST_PAUSE;
        while !stop.is_cancelled() {
            metrics::counter!("sg_postgres_restarts_total").increment(1);
            let this = self.clone();
            let started = tokio::task::spawn_blocking(move || {
                // The dead one goes first: it holds the directory's lock.
                drop(this.take());
                let cluster = Cluster::start(&this.0.binaries, &this.0.options)?;
                *this.0.running.lock().unwrap_or_else(PoisonError::into_inner) = Some(cluster);
                Ok::<_, sg_postgres::Error>(())
            });
            match started.await.context("the restart of the database broke off")? {
                Ok(()) => {
                    tracing::info!("the database runs again");
                    return Ok(());
                }
                Err(error) => {
                    tracing::error!(%error, retry_ms = pause.as_millis(), "the database did not start")
                }
            }
            tokio::select! {
                () = stop.cancelled() => {}
                () = tokio::time::sleep(pause) => {}
            }
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
        Ok(())
    }
}
