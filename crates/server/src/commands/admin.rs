//! `secureguard admin …`: what only whoever holds the host may do.

use secrecy::{ExposeSecret, SecretString};
use sg_db::DbError;
use sg_types::{Clock, SystemClock, TimeOrderedIds};

use super::database::Opened;
use crate::audit::{self, AuditKeeper, Erasure};
use crate::config::Config;
use crate::passwords::PasswordHasher;
use crate::secrets::SecretBox;
use crate::secrets::rotate::{self, RotateError, Rotation};
use crate::up::{OwnCluster, connect, read_urls};
use crate::users;
use crate::users::seed::{Seeded, seed};

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

/// Makes the first administrator and a first enrolment key, as `up` does by itself; None when there is an administrator.
///
/// # Errors
/// In words for the person at the terminal.
pub async fn create_first(config: &Config) -> anyhow::Result<Option<Seeded>> {
    let opened = Opened::open(config).await?;
    let hasher = PasswordHasher::new(&config.passwords);
    let result = seed(&opened.db, &hasher, &SystemClock, &TimeOrderedIds).await;
    opened.close().await?;
    result
}

/// What was done to the keys of the sealed secrets.
#[derive(Debug)]
pub enum Rotated {
    /// A new key seals.
    Rotation(Rotation),
    /// These keys are gone.
    Retired(Vec<String>),
}

/// Changes the key that secrets are sealed under, or with `retire` removes the keys that nothing is sealed under any more. Works beside a running
/// server, which follows, and with a stopped `up`, whose database is started for it.
///
/// # Errors
/// In words for the person at the terminal.
pub async fn rotate_keys(config: &Config, retire: bool) -> anyhow::Result<Rotated> {
    let given = &config.database.system_url;
    if !given.expose_secret().is_empty() {
        return rotate_in(config, given, retire).await;
    }
    let (_, system) = read_urls(&config.data_dir)?;
    match rotate_in(config, &system, retire).await {
        Err(error) if is_down(&error) => {
            let cluster = OwnCluster::start(config).await?;
            let result = rotate_in(config, &system, retire).await;
            cluster.stop().await?;
            result
        }
        result => result,
    }
}

async fn rotate_in(config: &Config, system: &SecretString, retire: bool) -> anyhow::Result<Rotated> {
    let keys_file = config.secrets.keys_file(&config.data_dir);
    let secrets = SecretBox::load_or_create(&keys_file, SystemClock.now())?;
    let db = connect(config, system, system)?;
    let result = if retire {
        rotate::retire(&db, &secrets, &SystemClock, &TimeOrderedIds)
            .await
            .map(Rotated::Retired)
    } else {
        rotate::rotate(&db, &secrets, &SystemClock, &TimeOrderedIds)
            .await
            .map(Rotated::Rotation)
    };
    db.close().await;
    Ok(result?)
}

/// Erases a tenant. `confirm` has to repeat its short name.
///
/// # Errors
/// In words for the person at the terminal.
pub async fn erase_tenant(config: &Config, slug: &str, confirm: &str) -> anyhow::Result<u64> {
    anyhow::ensure!(
        slug == confirm,
        "nothing was erased: --confirm has to repeat the short name `{slug}`"
    );
    let keeper = AuditKeeper::open(&config.data_dir, &config.audit.key_file(&config.data_dir))?;
    let opened = Opened::open(config).await?;
    let erasure = Erasure {
        db: &opened.db,
        keeper: &keeper,
        clock: &SystemClock,
        ids: &TimeOrderedIds,
        by: "admin erase-tenant",
        reason: "done on the host",
    };
    let result = audit::erase_tenant(erasure, slug).await;
    opened.close().await?;
    Ok(result?)
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
        error.downcast_ref(),
        Some(users::reset_password::ResetError::Database(DbError::Unavailable(
            _
        )))
    ) || matches!(
        error.downcast_ref(),
        Some(RotateError::Database(DbError::Unavailable(_)))
    )
}
