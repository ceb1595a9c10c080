//! Detection rules: the installation's pack, what tenants add to it and switch off, and the packages that agents get.

mod correlators;
mod evaluators;
mod explain;
mod import;
mod inspect;
mod limits;
mod list;
mod pack;
mod packages;
mod placeholders;
mod routes;
mod save;
mod trial;
mod trial_correlation;
mod trial_routes;

use std::path::Path;
use std::sync::Arc;

use axum::body::Bytes;
use sg_db::threats::{find_rule_set, load_own_texts, newest_rules_version, publish_rules};
use sg_detect::Placeholders;
use sg_types::TenantId;
use sg_types::agent::RulePackage;
use tokio::sync::{OnceCell, Semaphore};

use crate::AppState;
use crate::error::{ApiError, ApiResult};
use correlators::Correlators;
use evaluators::Evaluators;
use packages::Packages;

pub(crate) use explain::recorded;
pub use pack::{Pack, PackRule};
pub(super) use routes::routes;
pub(super) use trial::summarize;

/// Packages that are put together, and texts that are compiled, at the same time.
const WORKERS: usize = 2;
/// Seconds after which an agent may ask again for what this node cannot put together.
const OUTDATED_RETRY_SECONDS: u64 = 60;

/// The rules of this process: the pack, read, compiled, numbered and signed when it is asked for first, and the packages of tenants.
#[derive(Debug)]
pub struct Rules {
    pack: OnceCell<Arc<RulesInForce>>,
    packages: Packages,
    correlators: Correlators,
    evaluators: Evaluators,
    /// Bounds what putting packages together and compiling for requests cost at once.
    workers: Arc<Semaphore>,
    /// Bounds the trials, each of which reads days of events.
    trials: Arc<Semaphore>,
}

/// The pack with its version and signature.
#[derive(Debug)]
pub struct RulesInForce {
    /// Its version, higher than that of every earlier pack of this installation.
    pub version: u64,
    /// What agents are given: a `SignedRules` as JSON.
    pub body: Bytes,
    /// The rules.
    pub pack: Pack,
}

impl Default for Rules {
    fn default() -> Self {
        Self {
            pack: OnceCell::new(),
            packages: Packages::default(),
            correlators: Correlators::default(),
            evaluators: Evaluators::default(),
            workers: Arc::new(Semaphore::new(WORKERS)),
            trials: Arc::new(Semaphore::new(WORKERS)),
        }
    }
}

impl Rules {
    /// The pack in force.
    ///
    /// # Errors
    /// 503 while the database cannot number it, 500 when the configured folder cannot be read.
    pub async fn current(&self, state: &AppState) -> ApiResult<&Arc<RulesInForce>> {
        self.pack
            .get_or_try_init(|| async { load(state).await.map(Arc::new) })
            .await
    }

    /// The version that an agent should have whose tenant's own rules have the version `own`, 0 for none.
    ///
    /// # Errors
    /// Those of [`Self::current`].
    pub async fn offered(&self, state: &AppState, own: i64) -> ApiResult<u64> {
        let pack = self.current(state).await?.version;
        Ok(u64::try_from(own).unwrap_or(0).max(pack))
    }

    /// The signed package for the tenant's agents: the pack, or the pack with what the tenant has changed.
    ///
    /// # Errors
    /// Those of [`Self::current`]; 503 where another node has a newer pack, which this one cannot sign under the tenant's version.
    pub async fn package_for(&self, state: &AppState, tenant_id: TenantId) -> ApiResult<Bytes> {
        let pack = self.current(state).await?;
        let mut tx = state.db.system("rules of a tenant").await?;
        let Some(own) = find_rule_set(&mut tx, tenant_id).await? else {
            return Ok(pack.body.clone());
        };
        if let Some(body) = self.packages.find(tenant_id, self.offered(state, own).await?) {
            return Ok(body);
        }
        drop(tx);
        let _turn = self.work().await?;
        self.put_together(state, pack, tenant_id).await
    }

    async fn put_together(
        &self,
        state: &AppState,
        pack: &Arc<RulesInForce>,
        tenant_id: TenantId,
    ) -> ApiResult<Bytes> {
        let mut tx = state.db.system("rules of a tenant").await?;
        // The version before the texts: a change between the two is offered under a higher version once more.
        let own = find_rule_set(&mut tx, tenant_id).await?.unwrap_or(0);
        let version = self.offered(state, own).await?;
        if let Some(body) = self.packages.find(tenant_id, version) {
            return Ok(body);
        }
        let newest = newest_rules_version(&mut tx).await?;
        if u64::try_from(newest).is_ok_and(|newest| newest > pack.version) {
            return Err(ApiError::unavailable(OUTDATED_RETRY_SECONDS)
                .because("another node of this installation has a newer pack of rules"));
        }
        let texts = load_own_texts(&mut tx, tenant_id).await?;
        drop(tx);
        let (state, pack) = (state.clone(), pack.clone());
        let body = tokio::task::spawn_blocking(move || {
            let correlator = correlators::compile(&pack.pack, &texts);
            let mut off = texts.switched_off;
            off.extend(correlator.iter().flat_map(|found| found.silent()).cloned());
            let mut rules = pack.pack.without(&off);
            rules.extend(texts.rules.into_iter().filter(|rule| !off.contains(&rule.name)));
            sign(&state, version, rules, off, texts.placeholders)
        })
        .await
        .map_err(ApiError::internal)??;
        self.packages.keep(tenant_id, version, body.clone());
        Ok(body)
    }

    /// A turn at work that takes a processor.
    async fn work(&self) -> ApiResult<tokio::sync::OwnedSemaphorePermit> {
        self.workers
            .clone()
            .acquire_owned()
            .await
            .map_err(ApiError::internal)
    }

    /// Runs work that takes a processor, off the threads that serve requests.
    async fn run<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> ApiResult<T> {
        let turn = self.work().await?;
        tokio::task::spawn_blocking(move || {
            let _turn = turn;
            work()
        })
        .await
        .map_err(ApiError::internal)
    }
}

async fn load(state: &AppState) -> ApiResult<RulesInForce> {
    let folder = state.config.rules.folder().map(Path::to_owned);
    let pack = tokio::task::spawn_blocking(move || Pack::load(folder.as_deref()))
        .await
        .map_err(ApiError::internal)?
        .map_err(|error| ApiError::internal(format!("{error:#}")))?;
    let mut tx = state.db.system("version of the rule set").await?;
    let version = publish_rules(&mut tx, pack.digest, state.now()).await?;
    tx.commit_upkeep().await?;
    let version = u64::try_from(version).map_err(ApiError::internal)?;
    let silent = pack.correlator.iter().flat_map(|found| found.silent()).cloned();
    let body = sign(
        state,
        version,
        pack.sources.clone(),
        silent.collect(),
        Placeholders::new(),
    )?;
    tracing::info!(version, rules = pack.rules.len(), "rule set in force");
    Ok(RulesInForce { version, body, pack })
}

fn sign(
    state: &AppState,
    version: u64,
    rules: Vec<sg_detect::RuleSource>,
    switched_off: Vec<String>,
    placeholders: Placeholders,
) -> ApiResult<Bytes> {
    let package = RulePackage {
        version,
        rules,
        switched_off,
        placeholders,
    };
    let signed = state.rules_signer.sign(&package).map_err(ApiError::internal)?;
    serde_json::to_vec(&signed)
        .map(Bytes::from)
        .map_err(ApiError::internal)
}
