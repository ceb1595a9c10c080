//! What the server knows of the chains outside the database: its key, and the last signed end of each chain.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::Context;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use sg_db::audit::{Checkpoint, Hash};
use sg_types::TenantId;

use super::canonical::{CHECKPOINT_CONTEXT, checkpoint_message};
use super::records::to_microseconds;
use crate::files;
use crate::signing::{AuditSigner, AuditVerifier};

/// The file in the data directory.
const HEADS_FILE: &str = "audit/heads.json";

/// The key and the known ends. Cheap to clone.
#[derive(Debug, Clone)]
pub struct AuditKeeper(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    signer: AuditSigner,
    heads_file: Option<PathBuf>,
    heads: Mutex<BTreeMap<TenantId, KnownHead>>,
    exports: Mutex<BTreeMap<&'static str, SinkStatus>>,
}

/// A signed end of a chain as it was seen last.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
pub struct KnownHead {
    /// The position.
    pub position: i64,
    /// The link there, in hex.
    pub link: String,
    /// When it was signed.
    pub signed_at: DateTime<Utc>,
    /// The signature in hex.
    pub signature: String,
}

/// How a sink does.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SinkStatus {
    /// Why it did not take the last lines; none when it did.
    pub problem: Option<String>,
    /// Since when something waits for it; none when it has been told everything.
    pub waiting_since: Option<DateTime<Utc>>,
}

impl KnownHead {
    /// The link, when it can be read.
    pub fn link(&self) -> Option<Hash> {
        hex::decode(&self.link).ok()?.try_into().ok()
    }

    /// As a checkpoint; what cannot be read is left empty and believed by nobody.
    pub fn to_checkpoint(&self, tenant_id: TenantId, verifier: &AuditVerifier) -> Checkpoint {
        Checkpoint {
            tenant_id,
            position: self.position,
            link: self.link().unwrap_or_default(),
            signed_at: self.signed_at,
            key_id: verifier.key_id(),
            signature: hex::decode(&self.signature).unwrap_or_default(),
        }
    }
}

impl AuditKeeper {
    /// Reads the key, or makes it, and the known ends.
    ///
    /// # Errors
    /// In words: the key or the file cannot be used.
    pub fn open(data_dir: &Path, key_file: &Path) -> anyhow::Result<Self> {
        let signer = AuditSigner::load_or_create(key_file)?;
        let path = data_dir.join(HEADS_FILE);
        let heads = read_heads(&path)?;
        Ok(Self::with(signer, Some(path), heads))
    }

    /// A keeper with a key that is kept nowhere and a memory that ends with it.
    pub fn ephemeral() -> Self {
        Self::with(AuditSigner::ephemeral(), None, BTreeMap::new())
    }

    fn with(signer: AuditSigner, heads_file: Option<PathBuf>, heads: BTreeMap<TenantId, KnownHead>) -> Self {
        Self(Arc::new(Shared {
            signer,
            heads_file,
            heads: Mutex::new(heads),
            exports: Mutex::default(),
        }))
    }

    /// The key.
    pub fn signer(&self) -> &AuditSigner {
        &self.0.signer
    }

    /// The ends that were signed last, as far as this server knows.
    pub fn known_heads(&self) -> BTreeMap<TenantId, KnownHead> {
        self.0
            .heads
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// Signs the end of a chain.
    pub fn sign(&self, tenant_id: TenantId, position: i64, link: Hash, at: DateTime<Utc>) -> Checkpoint {
        let signed_at = to_microseconds(at);
        let message = checkpoint_message(tenant_id, position, &link, signed_at);
        Checkpoint {
            tenant_id,
            position,
            link,
            signed_at,
            key_id: self.0.signer.verifier().key_id(),
            signature: self.0.signer.sign(CHECKPOINT_CONTEXT, &message).to_vec(),
        }
    }

    /// Keeps what was signed, in the file too. To be called when the signatures are committed: a file that knew more than the database would
    /// raise a false alarm.
    ///
    /// # Errors
    /// When the file cannot be written; the memory knows it nevertheless.
    pub fn remember(&self, checkpoints: &[Checkpoint]) -> anyhow::Result<()> {
        if checkpoints.is_empty() {
            return Ok(());
        }
        let mut heads = self.0.heads.lock().unwrap_or_else(PoisonError::into_inner);
        for checkpoint in checkpoints {
            let head = KnownHead {
                position: checkpoint.position,
                link: hex::encode(checkpoint.link),
                signed_at: checkpoint.signed_at,
                signature: hex::encode(&checkpoint.signature),
            };
            heads.insert(checkpoint.tenant_id, head);
        }
        self.store(&heads)
    }

    /// Forgets the end of a chain whose tenant is not there any more.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub(super) fn forget(&self, tenant_id: TenantId) -> anyhow::Result<()> {
        let mut heads = self.0.heads.lock().unwrap_or_else(PoisonError::into_inner);
        heads.remove(&tenant_id);
        self.store(&heads)
    }

    fn store(&self, heads: &BTreeMap<TenantId, KnownHead>) -> anyhow::Result<()> {
        let Some(path) = &self.0.heads_file else {
            return Ok(());
        };
        let text = serde_json::to_vec_pretty(heads)?;
        path.parent()
            .map_or(Ok(()), files::create_private_dir)
            .and_then(|()| files::write_private(path, &text))
            .with_context(|| format!("cannot write {}", path.display()))
    }

    /// Notes how a sink does.
    pub fn note_sink(&self, sink: &'static str, status: SinkStatus) {
        let mut exports = self.0.exports.lock().unwrap_or_else(PoisonError::into_inner);
        exports.insert(sink, status);
    }

    /// How each sink that this server tells does.
    pub fn sinks(&self) -> BTreeMap<&'static str, SinkStatus> {
        self.0
            .exports
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }
}

/// The known ends of the data directory; none when there is no file.
///
/// # Errors
/// In words: the file cannot be read. It is never replaced by an empty one, since it is what tells of a restored backup.
pub fn read_known_heads(data_dir: &Path) -> anyhow::Result<BTreeMap<TenantId, KnownHead>> {
    read_heads(&data_dir.join(HEADS_FILE))
}

fn read_heads(path: &Path) -> anyhow::Result<BTreeMap<TenantId, KnownHead>> {
    match std::fs::read(path) {
        Ok(text) => serde_json::from_slice(&text).with_context(|| {
            format!(
                "{} cannot be read; it holds the last signed ends of the audit log, so restore it or, to begin anew, remove it",
                path.display()
            )
        }),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(BTreeMap::new()),
        Err(error) => Err(error).with_context(|| format!("cannot read {}", path.display())),
    }
}
