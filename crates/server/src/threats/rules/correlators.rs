//! The correlations of tenants that have rules of their own, compiled and kept while there is room.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use sg_db::threats::{OwnTexts, load_own_texts};
use sg_db::{DbError, SystemTx};
use sg_detect::correlation::Correlator;
use sg_types::TenantId;

use super::{Pack, Rules};

/// Tenants whose correlations are kept at most.
const MAX_TENANTS: usize = 256;

/// What the pack and a tenant's own rules correlate; none when they correlate nothing.
type Compiled = Option<Arc<Correlator>>;

/// By tenant: the version of its own rules, and what they correlate together with the pack's.
#[derive(Debug, Default)]
pub(super) struct Correlators(Mutex<HashMap<TenantId, (i64, Compiled)>>);

impl Correlators {
    fn find(&self, tenant_id: TenantId, version: i64) -> Option<Compiled> {
        let kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (known, correlator) = kept.get(&tenant_id)?;
        (*known == version).then(|| correlator.clone())
    }

    fn keep(&self, tenant_id: TenantId, version: i64, correlator: Compiled) {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.len() >= MAX_TENANTS && !kept.contains_key(&tenant_id) {
            let any = kept.keys().next().copied();
            any.and_then(|other| kept.remove(&other));
        }
        kept.insert(tenant_id, (version, correlator));
    }
}

impl Rules {
    /// The correlations of a tenant whose own rules have the version `own`, 0 for none; none when there are no correlations.
    ///
    /// # Errors
    /// [`DbError::Busy`] while the pack is not to be had, and what else a query may meet.
    pub async fn correlator(
        &self,
        tx: &mut SystemTx,
        tenant_id: TenantId,
        own: i64,
    ) -> Result<Compiled, DbError> {
        let pack = self.pack.get().ok_or(DbError::Busy)?.clone();
        if own == 0 {
            return Ok(pack.pack.correlator.clone());
        }
        if let Some(known) = self.correlators.find(tenant_id, own) {
            return Ok(known);
        }
        let texts = load_own_texts(tx, tenant_id).await?;
        let work = move || compile(&pack.pack, &texts).map(Arc::new);
        let correlator = tokio::task::spawn_blocking(work)
            .await
            .map_err(|error| DbError::Inconsistent(error.to_string()))?;
        tracing::debug!(tenant = %tenant_id, own, "correlations compiled");
        self.correlators.keep(tenant_id, own, correlator.clone());
        Ok(correlator)
    }
}

/// What the pack and a tenant's own rules correlate.
pub(super) fn compile(pack: &Pack, own: &OwnTexts) -> Option<Correlator> {
    let off = own.switched_off.iter().cloned().collect();
    let (correlator, _) = Correlator::compile_with(&pack.sources, &own.rules, &off, &own.placeholders)?;
    Some(correlator)
}
