//! Resetting a password on the host, which lets the last administrator back in.

use secrecy::SecretString;
use sg_db::audit::{Actor, AuditEvent, Outcome};
use sg_db::users::{self as db, EndReason};
use sg_db::{Db, DbError};
use sg_types::{Clock, Ids};

use crate::passwords::{PasswordHasher, PoolFull, generate_initial_password};

/// Why a password was not reset.
#[derive(Debug, thiserror::Error)]
pub enum ResetError {
    /// Nobody has that name.
    #[error("nobody has the user name `{0}`; an administrator sees all names in the console under Users")]
    UnknownUser(String),
    /// The database did not take it.
    #[error(transparent)]
    Database(#[from] DbError),
    /// Hashing failed.
    #[error(transparent)]
    Hashing(#[from] PoolFull),
}

/// Gives `username` a new initial password, switches the account on, unlocks it and ends its sessions. The audit log says that it was done on the host.
///
/// # Errors
/// [`ResetError`].
pub async fn reset_password(
    db: &Db,
    hasher: &PasswordHasher,
    clock: &dyn Clock,
    ids: &dyn Ids,
    username: &str,
) -> Result<SecretString, ResetError> {
    let password = generate_initial_password();
    let hash = SecretString::from(hasher.hash(password.clone()).await?);
    let now = clock.now();
    let mut tx = db.system("password reset on the host").await?;
    let unknown = || ResetError::UnknownUser(username.to_owned());
    let user_id = db::find_user_id(&mut tx, username).await?.ok_or_else(unknown)?;
    let facts = db::lock_password(&mut tx, user_id).await?.ok_or_else(unknown)?;
    db::store_password(&mut tx, user_id, &hash, true, now).await?;
    db::set_user_active(&mut tx, user_id, true).await?;
    db::forget_known_devices(&mut tx, user_id).await?;
    db::end_user_sessions(&mut tx, user_id, None, EndReason::PasswordReset, now).await?;
    let event = AuditEvent {
        event_id: ids.next().into(),
        at: now,
        actor: Actor::system("admin reset-password"),
        action: "user.reset_password",
        object: Some(("user", user_id.to_string())),
        outcome: Outcome::Success,
        reason: Some("done on the host".to_owned()),
        request_id: None,
        address: None,
    };
    tx.commit(facts.tenant_id, event).await?;
    Ok(password)
}
