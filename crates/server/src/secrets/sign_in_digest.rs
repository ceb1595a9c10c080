//! What stands in the records for a sign-in name that nobody has. People type passwords into that field, so it is a digest; and since a digest of a
//! password can be guessed by whoever has the database, it is keyed by a secret that a dump does not give away.

use aws_lc_rs::hmac;
use chrono::{DateTime, Utc};
use sg_db::users::{SecretLabel, SecretPurpose, find_secret, hold_secret_keys, insert_secret};
use sg_db::{Db, DbError};
use sg_types::{Ids, TenantId};
use tokio::sync::OnceCell;

use super::{OpenError, SecretBox};

/// The key, read from the database at its first use.
#[derive(Default)]
pub struct SignInDigest {
    key: OnceCell<hmac::Key>,
}

/// Why there is no digest.
#[derive(Debug, thiserror::Error)]
enum DigestError {
    #[error(transparent)]
    Database(#[from] DbError),
    #[error(transparent)]
    Sealed(#[from] OpenError),
    #[error("the key of the sign-in digests is not to be seen after it was stored")]
    Missing,
}

impl SignInDigest {
    /// HMAC-SHA-256 of `username` in lower case, in hex. `(unreadable key)` where the key does not open: a lost key of the records is no reason to
    /// answer differently.
    pub async fn of(
        &self,
        db: &Db,
        secrets: &SecretBox,
        ids: &dyn Ids,
        at: DateTime<Utc>,
        username: &str,
    ) -> String {
        match self
            .key
            .get_or_try_init(|| load_or_create(db, secrets, ids, at))
            .await
        {
            Ok(key) => hex::encode(hmac::sign(key, username.to_lowercase().as_bytes())),
            Err(error) => {
                tracing::error!(
                    error = %anyhow::Error::from(error),
                    "the key of the sign-in digests cannot be read, names that nobody has are recorded without one"
                );
                "(unreadable key)".to_owned()
            }
        }
    }
}

async fn load_or_create(
    db: &Db,
    secrets: &SecretBox,
    ids: &dyn Ids,
    at: DateTime<Utc>,
) -> Result<hmac::Key, DigestError> {
    let (tenant, purpose) = (TenantId::SYSTEM, SecretPurpose::SignInDigest);
    let mut tx = db.system("key of the sign-in digests").await?;
    hold_secret_keys(&mut tx).await?;
    if find_secret(&mut tx, tenant, None, purpose).await?.is_none() {
        let label = SecretLabel {
            secret_id: ids.next(),
            tenant_id: tenant,
            user_id: None,
            purpose,
        };
        let random = secrecy::zeroize::Zeroizing::new(rand::random::<[u8; 32]>());
        let sealed = secrets.seal(label, random.as_slice())?;
        // Of two nodes that make one, the first one's stays.
        insert_secret(&mut tx, &sealed, at).await?;
    }
    let sealed = find_secret(&mut tx, tenant, None, purpose)
        .await?
        .ok_or(DigestError::Missing)?;
    tx.commit_upkeep().await?;
    Ok(hmac::Key::new(hmac::HMAC_SHA256, &secrets.open(&sealed)?))
}
