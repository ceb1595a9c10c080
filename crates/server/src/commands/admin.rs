//! `secureguard admin …`: what only whoever holds the host may do.

use secrecy::{ExposeSecret, SecretString};
use sg_types::{SystemClock, TimeOrderedIds};

use crate::config::Config;
use crate::passwords::PasswordHasher;
use crate::up::{OwnCluster, connect, read_urls};
use crate::users;

/// Gives a user a new initial password. Works beside a running `up` or `serve`, and with a stopped `up`, whose database is started for it.
///
/// # Errors
/// In words for the person at the terminal.
pub async fn reset_password(config: &Config, username: &str) -> anyhow::Result<SecretString> {
    let given = &config.database;
    if !given.system_url.expose_secret().is_empty() {
        let app = if given.url.expose_secret().is_empty() {
            &given.system_url
        } else {
            &given.url
        };
        return reset_in(config, app, &given.system_url, username).await;
    }
    let (app, system) = read_urls(&config.data_dir)?;
    match reset_in(config, &app, &system, username).await {
        Err(error) if is_down(&error) => {
            let cluster = OwnCluster::start(config).await?;
            let result = reset_in(config, &app, &system, username).await;
            cluster.stop().await?;
            result
        }
        result => result,
    }
}

async fn reset_in(
    config: &Config,
    app: &SecretString,
    system: &SecretString,
    username: &str,
) -> anyhow::Result<SecretString> {
    let db = connect(config, app, system)?;
    let hasher = PasswordHasher::new(&config.passwords);
    let result =
        users::reset_password::reset_password(&db, &hasher, &SystemClock, &TimeOrderedIds, username).await;
    db.close().await;
    Ok(result?)
}

fn is_down(error: &anyhow::Error) -> bool {
    matches!(
        error.downcast_ref::<users::reset_password::ResetError>(),
        Some(users::reset_password::ResetError::Database(
            sg_db::DbError::Unavailable(_)
        ))
    )
}
