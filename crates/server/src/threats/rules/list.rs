//! What people are shown of the rules: the pack's with what the tenant has switched off, and the tenant's own.

use std::collections::HashMap;
use std::sync::Arc;

use sg_db::threats::{self as db, StoredRule};
use sg_types::api::Page;
use sg_types::api::rules::{RuleDetail, RuleOrigin, RuleRecord, RuleView};
use sg_types::{RuleKind, Severity};

use super::RulesInForce;
use crate::AppState;
use crate::auth::Acting;
use crate::error::{ApiError, ApiResult};

/// Which rules a list is to show.
#[derive(Debug, Default)]
pub(super) struct RuleFilter {
    pub(super) kinds: Vec<RuleKind>,
    pub(super) severities: Vec<Severity>,
    pub(super) origin: Option<RuleOrigin>,
    pub(super) is_enabled: Option<bool>,
    /// In lower case.
    pub(super) search: Option<String>,
}

impl RuleFilter {
    fn takes(&self, rule: &RuleView) -> bool {
        let found = |text: &str| {
            self.search
                .as_ref()
                .is_none_or(|search| text.to_lowercase().contains(search))
        };
        (self.kinds.is_empty() || self.kinds.contains(&rule.kind))
            && (self.severities.is_empty() || self.severities.contains(&rule.severity))
            && self.origin.is_none_or(|origin| origin == rule.origin)
            && self
                .is_enabled
                .is_none_or(|is_enabled| is_enabled == rule.is_enabled)
            && (found(&rule.name)
                || found(&rule.rule_id)
                || rule.tags.iter().any(|tag| found(tag))
                || rule.description.as_deref().is_some_and(found))
    }
}

/// A page of the rules by their ids, after the id `after`; the cursor is the last one's id.
pub(super) async fn list(
    state: &AppState,
    acting: &Acting,
    filter: &RuleFilter,
    after: Option<&str>,
    limit: usize,
) -> ApiResult<(Page<RuleView>, Option<String>)> {
    let rules = state.rules.current(state).await?.clone();
    let tenant_id = acting.caller.tenant_id;
    let mut tx = state.db.read(&acting.caller, state.now()).await?;
    let stored = db::list_rules(&mut tx, tenant_id, false).await?;
    let mut finding_ids: HashMap<String, Vec<String>> = HashMap::new();
    let mut views = merge(&rules, stored, &mut finding_ids);
    views.retain(|rule| after.is_none_or(|after| rule.rule_id.as_str() > after) && filter.takes(rule));
    let more = views.len() > limit;
    views.truncate(limit);
    let ids: Vec<(String, String)> = views
        .iter()
        .flat_map(|rule| {
            let own = finding_ids.remove(&rule.rule_id).unwrap_or_default();
            let ids = if own.is_empty() {
                vec![rule.rule_id.clone()]
            } else {
                own
            };
            ids.into_iter().map(|id| (rule.rule_id.clone(), id))
        })
        .collect();
    let mut records = db::record_of_rules(&mut tx, tenant_id, &ids).await?;
    for rule in &mut views {
        rule.record = records.remove(&rule.rule_id).unwrap_or_default();
    }
    let last = views.last().filter(|_| more).map(|rule| rule.rule_id.clone());
    Ok((
        Page {
            items: views,
            next_cursor: None,
        },
        last,
    ))
}

/// A rule with its text.
///
/// # Errors
/// 404 for one that the tenant does not have, or has removed.
pub(super) async fn show(state: &AppState, acting: &Acting, rule_id: &str) -> ApiResult<RuleDetail> {
    let rules = state.rules.current(state).await?.clone();
    let tenant_id = acting.caller.tenant_id;
    let mut tx = state.db.read(&acting.caller, state.now()).await?;
    let stored = db::find_rule(&mut tx, tenant_id, rule_id)
        .await?
        .filter(|(rule, _)| rule.removed_at.is_none());
    let (mut rule, ids, text, diagnostics) = match (rules.pack.find(rule_id), stored) {
        (_, Some((stored, text))) if stored.origin == RuleOrigin::Tenant => {
            let (ids, diagnostics) = (stored.finding_ids.clone(), stored.diagnostics.clone());
            (own_view(stored), ids, text, diagnostics)
        }
        (Some(pack), stored) => {
            let view = pack_view(&pack.view, stored.as_ref().map(|(stored, _)| stored));
            let text = rules.pack.text_of(pack).map(str::to_owned);
            (view, vec![rule_id.to_owned()], text, Vec::new())
        }
        (None, _) => return Err(ApiError::not_found()),
    };
    let ids: Vec<_> = ids.into_iter().map(|id| (rule_id.to_owned(), id)).collect();
    let mut records = db::record_of_rules(&mut tx, tenant_id, &ids).await?;
    rule.record = records.remove(rule_id).unwrap_or_default();
    Ok(RuleDetail {
        rule,
        text,
        diagnostics,
    })
}

/// Both kinds of rules in the order of their ids; notes which ids the matches of the tenant's own may have.
fn merge(
    rules: &Arc<RulesInForce>,
    stored: Vec<StoredRule>,
    finding_ids: &mut HashMap<String, Vec<String>>,
) -> Vec<RuleView> {
    let (mut own, mut touched) = (Vec::new(), HashMap::new());
    for mut rule in stored {
        match rule.origin {
            RuleOrigin::Tenant => {
                finding_ids.insert(rule.rule_id.clone(), std::mem::take(&mut rule.finding_ids));
                own.push(own_view(rule));
            }
            RuleOrigin::Pack => {
                touched.insert(rule.rule_id.clone(), rule);
            }
        }
    }
    let of_pack = rules
        .pack
        .rules
        .iter()
        .filter(|rule| !finding_ids.contains_key(&rule.view.rule_id))
        .map(|rule| pack_view(&rule.view, touched.get(&rule.view.rule_id)));
    own.extend(of_pack);
    own.sort_by(|a, b| a.rule_id.cmp(&b.rule_id));
    own
}

fn pack_view(view: &RuleView, stored: Option<&StoredRule>) -> RuleView {
    let mut view = view.clone();
    if let Some(stored) = stored {
        view.is_enabled = stored.is_enabled;
        view.version = stored.version;
        view.changed_at = Some(stored.changed_at);
        view.changed_by_username.clone_from(&stored.changed_by_username);
    }
    view
}

fn own_view(stored: StoredRule) -> RuleView {
    RuleView {
        rule_id: stored.rule_id,
        name: stored.name,
        kind: stored.kind,
        severity: stored.severity,
        description: stored.description,
        tags: stored.tags,
        origin: RuleOrigin::Tenant,
        is_enabled: stored.is_enabled,
        version: stored.version,
        changed_at: Some(stored.changed_at),
        changed_by_username: stored.changed_by_username,
        warnings: i64::try_from(stored.diagnostics.len()).unwrap_or(i64::MAX),
        record: RuleRecord::default(),
    }
}
