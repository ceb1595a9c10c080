//! The database for a command beside the server: that of the configuration, or the one that `up` keeps, started where it is not running.

use secrecy::ExposeSecret;
use sg_db::{Db, DbError};

use crate::config::Config;
use crate::up::{OwnCluster, connect, read_urls};

/// An open database.
pub(super) struct Opened {
    pub(super) db: Db,
    cluster: Option<OwnCluster>,
}

impl Opened {
    /// Opens it.
    ///
    /// # Errors
    /// In words for the person at the terminal.
    pub(super) async fn open(config: &Config) -> anyhow::Result<Self> {
        let given = &config.database;
        let (app, system) = if given.system_url.expose_secret().is_empty() {
            read_urls(&config.data_dir)?
        } else if given.url.expose_secret().is_empty() {
            (given.system_url.clone(), given.system_url.clone())
        } else {
            (given.url.clone(), given.system_url.clone())
        };
        let db = connect(config, &app, &system)?;
        match db.system("look").await {
            Ok(_) => Ok(Self { db, cluster: None }),
            Err(DbError::Unavailable(_)) if given.system_url.expose_secret().is_empty() => {
                let cluster = OwnCluster::start(config).await?;
                Ok(Self {
                    db,
                    cluster: Some(cluster),
                })
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Closes it, and stops what was started for it.
    ///
    /// # Errors
    /// When the database does not stop.
    pub(super) async fn close(self) -> anyhow::Result<()> {
        self.db.close().await;
        match self.cluster {
            Some(cluster) => cluster.stop().await,
            None => Ok(()),
        }
    }
}
