//! `secureguard admin reset-factors`: the way back in for the last administrator.

use secrecy::{ExposeSecret, SecretString};
use sg_db::DbError;
use sg_types::{SystemClock, TimeOrderedIds};

use crate::config::Config;
use crate::up::{OwnCluster, connect, read_urls};
use crate::users::factors::reset::{ResetError, reset_on_host};

/// Takes all second factors of a user away; returns how many. Works beside a running server, and with a stopped `up`, whose database is started for
/// it.
///
/// # Errors
/// In words for the person at the terminal.
pub async fn reset_factors(config: &Config, username: &str) -> anyhow::Result<usize> {
    let given = &config.database.system_url;
    if !given.expose_secret().is_empty() {
        return reset_in(config, given, username).await;
    }
    let (_, system) = read_urls(&config.data_dir)?;
    match reset_in(config, &system, username).await {
        Err(error) if is_down(&error) => {
            let cluster = OwnCluster::start(config).await?;
            let result = reset_in(config, &system, username).await;
            cluster.stop().await?;
            result
        }
        result => result,
    }
}

async fn reset_in(config: &Config, system: &SecretString, username: &str) -> anyhow::Result<usize> {
    let db = connect(config, system, system)?;
    let result = reset_on_host(&db, &SystemClock, &TimeOrderedIds, username).await;
    db.close().await;
    Ok(result?)
}

fn is_down(error: &anyhow::Error) -> bool {
    matches!(
        error.downcast_ref(),
        Some(ResetError::Database(DbError::Unavailable(_)))
    )
}
