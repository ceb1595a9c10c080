//! The rules that the server itself evaluates, on events that no agent saw: compiled without YARA, and kept while there is room.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError};

use sg_db::threats::{OwnTexts, find_rule_set, load_own_texts};
use sg_db::{Db, DbError, SystemTx};
use sg_detect::{RuleSet, RuleSource, compile_with};
use sg_types::{RuleKind, TenantId};

use super::{Pack, Rules, correlators};

/// Tenants whose rules are kept at most: each may take tens of megabytes.
const MAX_TENANTS: usize = 32;

/// The version of a tenant's own rules, and what was compiled of them.
type Versioned = (i64, Arc<RuleSet>);

/// By tenant: the version of its own rules, and its rules together with the pack's. Tenants without rules of their own share what stands under none.
#[derive(Debug, Default)]
pub(super) struct Evaluators {
    kept: Mutex<HashMap<Option<TenantId>, Versioned>>,
    /// One is compiled at a time, and not twice for those who want the same.
    compiling: tokio::sync::Mutex<()>,
}

impl Evaluators {
    fn find(&self, tenant_id: Option<TenantId>, version: i64) -> Option<Arc<RuleSet>> {
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let (known, rules) = kept.get(&tenant_id)?;
        (*known == version).then(|| rules.clone())
    }

    fn keep(&self, tenant_id: Option<TenantId>, version: i64, rules: Arc<RuleSet>) {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.len() > MAX_TENANTS && !kept.contains_key(&tenant_id) {
            let any = kept.keys().find(|key| key.is_some()).copied();
            any.and_then(|other| kept.remove(&other));
        }
        kept.insert(tenant_id, (version, rules));
    }
}

impl Rules {
    /// Compiles what [`Self::evaluator`] is going to give, while no transaction is open in which others would wait for it.
    ///
    /// # Errors
    /// As there.
    pub async fn prepare_evaluator(&self, db: &Db, tenant_id: TenantId) -> Result<(), DbError> {
        let own = {
            let mut tx = db.system("rules of a tenant").await?;
            find_rule_set(&mut tx, tenant_id).await?.unwrap_or(0)
        };
        let key = (own != 0).then_some(tenant_id);
        if self.evaluators.find(key, own).is_some() {
            return Ok(());
        }
        let _turn = self.evaluators.compiling.lock().await;
        let mut tx = db.system("rules of a tenant").await?;
        self.evaluator(&mut tx, tenant_id, own).await.map(drop)
    }

    /// The Sigma rules and indicators of a tenant whose own rules have the version `own`, 0 for none: those that make findings of their own.
    ///
    /// # Errors
    /// [`DbError::Busy`] while the pack is not to be had, and what else a query may meet.
    pub async fn evaluator(
        &self,
        tx: &mut SystemTx,
        tenant_id: TenantId,
        own: i64,
    ) -> Result<Arc<RuleSet>, DbError> {
        let pack = self.pack.get().ok_or(DbError::Busy)?.clone();
        let key = (own != 0).then_some(tenant_id);
        if let Some(known) = self.evaluators.find(key, own) {
            return Ok(known);
        }
        let texts = match own {
            0 => OwnTexts::default(),
            _ => load_own_texts(tx, tenant_id).await?,
        };
        let work = move || Arc::new(put_together(&pack.pack, texts));
        let rules = tokio::task::spawn_blocking(work)
            .await
            .map_err(|error| DbError::Inconsistent(error.to_string()))?;
        self.evaluators.keep(key, own, rules.clone());
        Ok(rules)
    }
}

fn put_together(pack: &Pack, own: OwnTexts) -> RuleSet {
    let correlator = correlators::compile(pack, &own);
    let mut switched_off = own.switched_off;
    switched_off.extend(correlator.iter().flat_map(|found| found.silent()).cloned());
    let off: HashSet<&str> = switched_off.iter().map(String::as_str).collect();
    let sources: Vec<RuleSource> = pack
        .without(&switched_off)
        .into_iter()
        .chain(
            own.rules
                .into_iter()
                .filter(|rule| !off.contains(rule.name.as_str())),
        )
        .filter(|source| source.kind != RuleKind::Yara)
        .collect();
    let (mut rules, _) = compile_with(&sources, &own.placeholders);
    rules.switch_off(switched_off);
    rules
}
