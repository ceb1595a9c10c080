//! Counts the uses of API keys in memory and writes them in batches: one row that is updated at each request would be the busiest of all.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use chrono::{DateTime, Utc};
use sg_db::Db;
use sg_db::users::{KeyUse, count_key_uses};
use sg_types::KeyId;

/// Uses that are not written yet.
#[derive(Debug, Default)]
pub struct KeyUsage(Mutex<HashMap<KeyId, KeyUse>>);

impl KeyUsage {
    /// Counts one use.
    pub fn note(&self, key_id: KeyId, at: DateTime<Utc>) {
        self.add(KeyUse {
            key_id,
            uses: 1,
            last_used: at,
        });
    }

    /// Writes what was counted. What cannot be written is kept for the next turn; what a killed process had counted is lost.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn flush(&self, db: &Db) -> anyhow::Result<()> {
        let uses: Vec<KeyUse> = self.lock().drain().map(|(_, key_use)| key_use).collect();
        if uses.is_empty() {
            return Ok(());
        }
        let written = async {
            let mut tx = db.system("uses of API keys").await?;
            count_key_uses(&mut tx, &uses).await?;
            tx.commit_upkeep().await
        };
        written.await.map_err(|error| {
            uses.iter().for_each(|key_use| self.add(*key_use));
            error.into()
        })
    }

    fn add(&self, more: KeyUse) {
        let mut pending = self.lock();
        let entry = pending.entry(more.key_id).or_insert(KeyUse { uses: 0, ..more });
        entry.uses += more.uses;
        entry.last_used = entry.last_used.max(more.last_used);
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<KeyId, KeyUse>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
