//! A directory's word on a password, in place of ours.

use std::sync::Arc;

use secrecy::{ExposeSecret, SecretString};
use sg_db::SystemTx;
use sg_db::users::providers::{self as db, Provider};
use sg_types::UserId;
use sg_types::api::providers::ProviderSettings;
use tokio::sync::Semaphore;

use super::super::secret;
use super::people;
use crate::AppState;
use crate::error::{ApiError, ApiResult};

/// Passwords that directories are asked about at the same time at most.
const CONCURRENCY: usize = 16;

/// Bounds how many passwords directories are asked about at a time.
#[derive(Debug, Clone)]
pub(crate) struct Directories(Arc<Semaphore>);

impl Default for Directories {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(CONCURRENCY)))
    }
}

/// Somebody whose password a directory checks.
#[derive(Debug, Clone)]
pub(crate) struct DirectoryAccount {
    provider: Provider,
    subject: String,
}

/// What a directory says of a password.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum DirectoryAnswer {
    /// It is the right one.
    Right,
    /// It is not.
    Wrong,
    /// The directory could not be asked.
    Silent,
}

/// Whose password a directory checks; none for everybody else. The same query for people who do not exist.
///
/// # Errors
/// As every query.
pub(crate) async fn find_directory_account(
    tx: &mut SystemTx,
    user_id: Option<UserId>,
) -> ApiResult<Option<DirectoryAccount>> {
    let found = db::find_directory_link(tx, user_id).await?;
    Ok(found.map(|(provider, subject)| DirectoryAccount { provider, subject }))
}

impl DirectoryAccount {
    /// Asks the directory.
    ///
    /// # Errors
    /// 503 when too many are asked about already.
    pub(crate) async fn check(
        &self,
        state: &AppState,
        password: &SecretString,
    ) -> ApiResult<DirectoryAnswer> {
        let ProviderSettings::Ldap(settings) = &self.provider.settings else {
            return Ok(DirectoryAnswer::Silent);
        };
        let _place = state
            .directories
            .0
            .clone()
            .try_acquire_owned()
            .map_err(|_| ApiError::unavailable(2))?;
        let secret = secret::open(state, &self.provider).await?;
        let answer = people::check_password(
            settings,
            !state.tls,
            secret.as_deref(),
            &self.subject,
            password.expose_secret(),
        )
        .await;
        Ok(match answer {
            Ok(true) => DirectoryAnswer::Right,
            Ok(false) => DirectoryAnswer::Wrong,
            Err(error) => {
                tracing::warn!(
                    provider.id = %self.provider.provider_id, error = %anyhow::Error::from(error), "a directory cannot be asked about a password"
                );
                DirectoryAnswer::Silent
            }
        })
    }
}
