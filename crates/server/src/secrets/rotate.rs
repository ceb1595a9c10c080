//! Changing the key that secrets are sealed under: a new one seals, everything is sealed again under it, the old one goes when nothing uses it.

use sg_db::audit::{Actor, AuditEvent, Outcome};
use sg_db::users::{
    claim_secret_keys, count_secrets_by_key, hold_secret_keys, lock_secrets_of_other_keys, reseal_secret,
};
use sg_db::{Db, DbError};
use sg_types::{Clock, Ids, TenantId};

use super::ring::{self, Key, Ring};
use super::{KeyRingError, OpenError, SecretBox};

/// Secrets that are sealed again in one transaction.
const BATCH: i64 = 100;

/// What a rotation did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rotation {
    /// The key that seals.
    pub key_id: String,
    /// Whether an earlier rotation had been cut short, and this one has finished it.
    pub resumed: bool,
    /// Secrets that were sealed again.
    pub resealed: usize,
    /// Older keys that are still in the ring.
    pub older_keys: Vec<String>,
}

/// Why the keys were not changed.
#[derive(Debug, thiserror::Error)]
pub enum RotateError {
    /// The database did not take it. Running it again goes on from there.
    #[error(transparent)]
    Database(#[from] DbError),
    /// A secret does not open.
    #[error(transparent)]
    Sealed(#[from] OpenError),
    /// The keys cannot be changed.
    #[error(transparent)]
    Ring(#[from] KeyRingError),
    /// Something is sealed under a key that was to go.
    #[error(
        "{secrets} secrets are still sealed under key {key_id}; run `secureguard admin rotate-keys` first"
    )]
    InUse {
        /// The key.
        key_id: String,
        /// How many.
        secrets: i64,
    },
}

/// Makes a new key and seals every secret again under it, beside running servers. One that was cut short is finished, with the key that it made.
///
/// # Errors
/// [`RotateError`]; what was sealed again by then stays so.
pub async fn rotate(
    db: &Db,
    secrets: &SecretBox,
    clock: &dyn Clock,
    ids: &dyn Ids,
) -> Result<Rotation, RotateError> {
    let path = secrets.path();
    let _lock = ring::lock(path, false)?;
    let mut ring = secrets.current()?;
    let resumed = has_unfinished(db, &ring).await?;
    if !resumed {
        ring.keys.push(Key::random(clock.now()));
        ring.write(path)?;
        let key_id = ring.newest().map(|key| key.key_id.clone());
        record(
            db,
            clock,
            ids,
            "secret_keys.create",
            key_id,
            "a new key".to_owned(),
        )
        .await?;
    }
    let key_id = ring.newest().map(|key| key.key_id.clone()).unwrap_or_default();
    let mut resealed = 0;
    loop {
        let batch = reseal_batch(db, secrets, clock, ids, &key_id).await?;
        if batch == 0 {
            break;
        }
        resealed += batch;
    }
    let older_keys = ring
        .keys
        .iter()
        .filter(|key| key.key_id != key_id)
        .map(|key| key.key_id.clone())
        .collect();
    Ok(Rotation {
        key_id,
        resumed,
        resealed,
        older_keys,
    })
}

/// Takes every key but the newest out of the ring, once nothing is sealed under them. Copies of the database that are older than the rotation need
/// those keys.
///
/// # Errors
/// [`RotateError::InUse`], and as [`rotate`].
pub async fn retire(
    db: &Db,
    secrets: &SecretBox,
    clock: &dyn Clock,
    ids: &dyn Ids,
) -> Result<Vec<String>, RotateError> {
    let path = secrets.path();
    let _lock = ring::lock(path, false)?;
    let mut tx = db.system("retirement of keys").await?;
    // Whoever seals has looked at the ring after they came in here: none of them may hold an old key.
    claim_secret_keys(&mut tx).await?;
    let ring = secrets.current()?;
    let newest = ring.newest().cloned();
    let newest_id = newest.as_ref().map(|key| key.key_id.clone()).unwrap_or_default();
    for (key_id, secrets) in count_secrets_by_key(&mut tx).await? {
        if key_id != newest_id {
            return Err(RotateError::InUse { key_id, secrets });
        }
    }
    let retired: Vec<String> = ring
        .keys
        .iter()
        .map(|key| key.key_id.clone())
        .filter(|key_id| *key_id != newest_id)
        .collect();
    if retired.is_empty() {
        return Ok(retired);
    }
    let event = event(
        clock,
        ids,
        "secret_keys.retire",
        Some(newest_id),
        format!("removed {}", retired.join(", ")),
    );
    let left = Ring {
        keys: newest.into_iter().collect(),
    };
    left.write(path)?;
    tx.commit(TenantId::SYSTEM, event).await?;
    Ok(retired)
}

async fn has_unfinished(db: &Db, ring: &Ring) -> Result<bool, RotateError> {
    let newest = ring.newest().map(|key| key.key_id.as_str());
    let mut tx = db.system("rotation of keys").await?;
    let used = count_secrets_by_key(&mut tx).await?;
    Ok(used.iter().any(|(key_id, _)| Some(key_id.as_str()) != newest))
}

async fn reseal_batch(
    db: &Db,
    secrets: &SecretBox,
    clock: &dyn Clock,
    ids: &dyn Ids,
    key_id: &str,
) -> Result<usize, RotateError> {
    let mut tx = db.system("rotation of keys").await?;
    hold_secret_keys(&mut tx).await?;
    let batch = lock_secrets_of_other_keys(&mut tx, key_id, BATCH).await?;
    if batch.is_empty() {
        return Ok(0);
    }
    for sealed in &batch {
        let again = secrets.seal(sealed.label, &secrets.open(sealed)?)?;
        reseal_secret(&mut tx, &again, clock.now()).await?;
    }
    let reason = format!("{} secrets sealed again", batch.len());
    let event = event(clock, ids, "secret_keys.reseal", Some(key_id.to_owned()), reason);
    tx.commit(TenantId::SYSTEM, event).await?;
    Ok(batch.len())
}

async fn record(
    db: &Db,
    clock: &dyn Clock,
    ids: &dyn Ids,
    action: &'static str,
    key_id: Option<String>,
    reason: String,
) -> Result<(), RotateError> {
    let tx = db.system("rotation of keys").await?;
    Ok(tx
        .commit(TenantId::SYSTEM, event(clock, ids, action, key_id, reason))
        .await?)
}

fn event(
    clock: &dyn Clock,
    ids: &dyn Ids,
    action: &'static str,
    key_id: Option<String>,
    reason: String,
) -> AuditEvent {
    AuditEvent {
        event_id: ids.next().into(),
        at: clock.now(),
        actor: Actor::system("admin rotate-keys"),
        action,
        object: key_id.map(|key_id| ("secret_key", key_id)),
        outcome: Outcome::Success,
        reason: Some(reason),
        request_id: None,
        address: None,
    }
}
