//! Adding, changing, switching and removing rules.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use sg_db::SystemTx;
use sg_db::threats::{
    self as db, NewRule, RuleWeight, StoredRule, SwitchRule, lock_rules, renew_rule_set, save_rule,
    switch_rule,
};
use sg_types::api::rules::{
    CreateRule, RuleChange, RuleDetail, RuleDiagnostic, RuleOrigin, RuleValidation, UpdateRule, ValidateRule,
};
use sg_types::{RuleKind, TenantId, UserId};

use super::inspect::{Inspected, MAX_NAME_CHARS, Refused, inspect, refusal};
use super::limits::{MAX_RULES_EVER, exchange, find_excess};
use super::{Pack, list, placeholders};
use crate::AppState;
use crate::auth::Acting;
use crate::error::{ApiError, ApiResult};

/// Characters of a reason.
const MAX_REASON_CHARS: usize = 2_000;
/// The tenant's rules as they stand while one of them is changed.
pub(super) struct Shelf {
    rules: HashMap<String, StoredRule>,
    /// Which rule has an id that matches name.
    owners: HashMap<String, String>,
    weight: RuleWeight,
}

/// Who saves, when and why.
#[derive(Debug, Clone, Copy)]
pub(super) struct Saving<'a> {
    pub(super) reason: Option<&'a str>,
    pub(super) by: UserId,
    pub(super) at: DateTime<Utc>,
}

impl Shelf {
    pub(super) async fn load(tx: &mut SystemTx, tenant_id: TenantId) -> ApiResult<Self> {
        let rules = db::list_rules(tx, tenant_id, true).await?;
        let own = |rule: &&StoredRule| rule.removed_at.is_none() && rule.origin == RuleOrigin::Tenant;
        let owners = rules
            .iter()
            .filter(own)
            .flat_map(|rule| {
                rule.finding_ids
                    .iter()
                    .map(|id| (id.clone(), rule.rule_id.clone()))
            })
            .collect();
        Ok(Self {
            weight: db::weigh_rules(tx, tenant_id).await?,
            owners,
            rules: rules
                .into_iter()
                .map(|rule| (rule.rule_id.clone(), rule))
                .collect(),
        })
    }

    /// The tenant's own rule, unless it was removed.
    pub(super) fn find(&self, rule_id: &str) -> Option<&StoredRule> {
        self.rules
            .get(rule_id)
            .filter(|rule| rule.removed_at.is_none() && rule.origin == RuleOrigin::Tenant)
    }

    /// Why the text cannot stand beside the others, if it cannot.
    pub(super) fn find_conflict(&self, pack: &Pack, new: &Inspected) -> Option<RuleDiagnostic> {
        for id in new.finding_ids.iter().chain([&new.rule_id]) {
            if pack.find(id).is_some() {
                let message = format!(
                    "`{id}` is the id of a rule of the pack; switch that one off, and give this one an id of its own."
                );
                return Some(refusal("R004", None, message));
            }
            if self.owners.get(id).is_some_and(|owner| *owner != new.rule_id) {
                let message =
                    format!("`{id}` is the id of another rule of the tenant; give each an id of its own.");
                return Some(refusal("R004", None, message));
            }
        }
        if !self.rules.contains_key(&new.rule_id) && self.rules.len() >= MAX_RULES_EVER {
            let message = format!(
                "the tenant has had {MAX_RULES_EVER} rules, whose versions are kept; change one instead of adding another."
            );
            return Some(refusal("R005", None, message));
        }
        let after = self.weight_with(new);
        find_excess(&after).map(|excess| refusal("R005", None, format!("{excess}; remove rules.")))
    }

    /// Stores the text under its id. The caller has asked for conflicts.
    pub(super) async fn save(
        &mut self,
        tx: &mut SystemTx,
        tenant_id: TenantId,
        new: &Inspected,
        text: &str,
        is_enabled: bool,
        saving: Saving<'_>,
    ) -> ApiResult<RuleChange> {
        let change = if self.find(&new.rule_id).is_some() {
            RuleChange::Update
        } else {
            RuleChange::Create
        };
        let rule = NewRule {
            rule_id: &new.rule_id,
            finding_ids: &new.finding_ids,
            kind: new.kind,
            name: &new.name,
            severity: new.severity,
            description: new.description.as_deref(),
            tags: &new.tags,
            text,
            digest: new.digest,
            diagnostics: &new.diagnostics,
            is_enabled,
            weight: new.weight,
            change,
            reason: saving.reason,
            by: saving.by,
            at: saving.at,
        };
        save_rule(tx, tenant_id, &rule).await?;
        self.weight = self.weight_with(new);
        self.owners.retain(|_, owner| *owner != new.rule_id);
        for id in &new.finding_ids {
            self.owners.insert(id.clone(), new.rule_id.clone());
        }
        Ok(change)
    }

    fn weight_with(&self, new: &Inspected) -> RuleWeight {
        exchange(
            self.weight,
            self.find(&new.rule_id).map(|rule| rule.weight),
            new.weight,
        )
    }
}

/// Adds a rule of the tenant's own.
pub(super) async fn create(state: &AppState, acting: &Acting, body: CreateRule) -> ApiResult<RuleDetail> {
    acting.require_whole_tenant()?;
    let name = match &body.name {
        Some(name) => check_name("name", name)?.to_owned(),
        None => format!("rule-{}", state.next_id::<uuid::Uuid>()),
    };
    let reason = check_reason(body.reason.as_deref())?;
    let rules = state.rules.current(state).await?.clone();
    let mut event = acting.event(state, "rule.create");
    let (new, text) = inspect_aside(state, acting, body.kind, name, body.text).await?;
    let tenant_id = acting.caller.tenant_id;
    let mut tx = state.db.system("rules of a tenant").await?;
    lock_rules(&mut tx, tenant_id).await?;
    let mut shelf = Shelf::load(&mut tx, tenant_id).await?;
    if shelf.find(&new.rule_id).is_some() {
        return Err(ApiError::conflict(
            "already_exists",
            format!("the tenant has a rule `{}` already; change that one", new.rule_id),
        ));
    }
    refuse_conflict(&shelf, &rules.pack, &new)?;
    let saving = Saving {
        reason,
        by: acting.caller.user_id,
        at: event.at,
    };
    shelf
        .save(
            &mut tx,
            tenant_id,
            &new,
            &text,
            body.is_enabled.unwrap_or(true),
            saving,
        )
        .await?;
    renew_rule_set(&mut tx, tenant_id, event.at).await?;
    event.object = Some(("rule", new.rule_id.clone()));
    event.reason = reason.map(str::to_owned);
    tx.commit(tenant_id, event).await?;
    list::show(state, acting, &new.rule_id).await
}

/// Gives a rule another text, or switches it on or off.
pub(super) async fn update(
    state: &AppState,
    acting: &Acting,
    rule_id: &str,
    body: UpdateRule,
) -> ApiResult<RuleDetail> {
    acting.require_whole_tenant()?;
    check_reason(body.reason.as_deref())?;
    let found = list::show(state, acting, rule_id).await?;
    if body.version.is_some_and(|version| version != found.rule.version) {
        return Err(changed_meanwhile());
    }
    match (&body.text, body.is_enabled) {
        (Some(_), _) if found.rule.origin == RuleOrigin::Pack => Err(ApiError::conflict(
            "pack_rule",
            "a rule of the pack keeps its text; switch it off, and add one of your own",
        )),
        (Some(text), _) if found.text.as_deref() == Some(text) => switch(state, acting, found, &body).await,
        (Some(_), _) => replace(state, acting, found, body).await,
        (None, _) => switch(state, acting, found, &body).await,
    }
}

/// Removes a rule of the tenant's own; its versions stay.
pub(super) async fn remove(
    state: &AppState,
    acting: &Acting,
    rule_id: &str,
    reason: Option<&str>,
) -> ApiResult<()> {
    acting.require_whole_tenant()?;
    let reason = check_reason(reason)?;
    let found = list::show(state, acting, rule_id).await?;
    if found.rule.origin == RuleOrigin::Pack {
        return Err(ApiError::conflict(
            "pack_rule",
            "a rule of the pack is switched off, not removed",
        ));
    }
    commit_switch(state, acting, &found, RuleChange::Remove, reason).await
}

/// What the compiler says about a text; nothing is stored.
pub(super) async fn validate(
    state: &AppState,
    acting: &Acting,
    body: ValidateRule,
) -> ApiResult<RuleValidation> {
    let rules = state.rules.current(state).await?.clone();
    let (kind, text) = (body.kind, body.text);
    let own = placeholders::own(state, acting).await?;
    let inspected = state
        .rules
        .run(move || inspect(kind, "rule", &text, &own))
        .await?;
    let new = match inspected {
        Ok(new) => new,
        Err(refused) => {
            return Ok(RuleValidation {
                is_valid: false,
                rule_id: refused.rule_id,
                name: None,
                diagnostics: refused.diagnostics,
            });
        }
    };
    let mut tx = state.db.system("rules of a tenant").await?;
    let shelf = Shelf::load(&mut tx, acting.caller.tenant_id).await?;
    let mut diagnostics = new.diagnostics.clone();
    let conflict = shelf.find_conflict(&rules.pack, &new);
    let is_valid = conflict.is_none();
    diagnostics.extend(conflict);
    Ok(RuleValidation {
        is_valid,
        rule_id: Some(new.rule_id),
        name: Some(new.name),
        diagnostics,
    })
}

async fn replace(
    state: &AppState,
    acting: &Acting,
    found: RuleDetail,
    body: UpdateRule,
) -> ApiResult<RuleDetail> {
    let text = body.text.unwrap_or_default();
    let rules = state.rules.current(state).await?.clone();
    let name = stand_in(&found);
    let mut event = acting.event(state, "rule.update");
    let (new, text) = inspect_aside(state, acting, found.rule.kind, name, text).await?;
    if new.rule_id != found.rule.rule_id {
        let message = format!(
            "names the rule `{}`; a rule keeps its id, `{}`",
            new.rule_id, found.rule.rule_id
        );
        return Err(ApiError::invalid_field("text", message));
    }
    let tenant_id = acting.caller.tenant_id;
    let mut tx = state.db.system("rules of a tenant").await?;
    lock_rules(&mut tx, tenant_id).await?;
    let mut shelf = Shelf::load(&mut tx, tenant_id).await?;
    let stored = shelf.find(&new.rule_id).ok_or_else(ApiError::not_found)?;
    if stored.version != found.rule.version {
        return Err(changed_meanwhile());
    }
    let is_enabled = body.is_enabled.unwrap_or(stored.is_enabled);
    refuse_conflict(&shelf, &rules.pack, &new)?;
    let saving = Saving {
        reason: body.reason.as_deref(),
        by: acting.caller.user_id,
        at: event.at,
    };
    shelf
        .save(&mut tx, tenant_id, &new, &text, is_enabled, saving)
        .await?;
    renew_rule_set(&mut tx, tenant_id, event.at).await?;
    event.object = Some(("rule", new.rule_id.clone()));
    event.reason = body.reason;
    tx.commit(tenant_id, event).await?;
    list::show(state, acting, &new.rule_id).await
}

async fn switch(
    state: &AppState,
    acting: &Acting,
    found: RuleDetail,
    body: &UpdateRule,
) -> ApiResult<RuleDetail> {
    let change = match body.is_enabled {
        Some(is_enabled) if is_enabled != found.rule.is_enabled => {
            if is_enabled {
                RuleChange::Enable
            } else {
                RuleChange::Disable
            }
        }
        _ => return Ok(found),
    };
    commit_switch(state, acting, &found, change, body.reason.as_deref()).await?;
    list::show(state, acting, &found.rule.rule_id).await
}

async fn commit_switch(
    state: &AppState,
    acting: &Acting,
    found: &RuleDetail,
    change: RuleChange,
    reason: Option<&str>,
) -> ApiResult<()> {
    let rule = &found.rule;
    let mut event = acting.event(
        state,
        match change {
            RuleChange::Enable => "rule.enable",
            RuleChange::Disable => "rule.disable",
            _ => "rule.remove",
        },
    );
    event.object = Some(("rule", rule.rule_id.clone()));
    event.reason = reason.map(str::to_owned);
    let tenant_id = acting.caller.tenant_id;
    let mut tx = state.db.system("rules of a tenant").await?;
    lock_rules(&mut tx, tenant_id).await?;
    if let Some((stored, _)) = db::find_rule(&mut tx, tenant_id, &rule.rule_id).await?
        && stored.version != rule.version
    {
        return Err(changed_meanwhile());
    }
    let switch = SwitchRule {
        rule_id: &rule.rule_id,
        pack: (rule.origin == RuleOrigin::Pack).then_some((rule.kind, rule.name.as_str(), rule.severity)),
        change,
        reason,
        by: acting.caller.user_id,
        at: event.at,
    };
    if !switch_rule(&mut tx, tenant_id, &switch).await? {
        return Err(ApiError::not_found());
    }
    renew_rule_set(&mut tx, tenant_id, event.at).await?;
    tx.commit(tenant_id, event).await?;
    Ok(())
}

async fn inspect_aside(
    state: &AppState,
    acting: &Acting,
    kind: RuleKind,
    name: String,
    text: String,
) -> ApiResult<(Inspected, String)> {
    let own = placeholders::own(state, acting).await?;
    let inspected = state
        .rules
        .run(move || inspect(kind, &name, &text, &own).map(|new| (new, text)))
        .await?;
    Ok(inspected?)
}

/// What stands in for the id of a stored rule's text.
fn stand_in(found: &RuleDetail) -> String {
    let id = found.rule.rule_id.as_str();
    id.strip_prefix("indicators:").unwrap_or(id).to_owned()
}

fn refuse_conflict(shelf: &Shelf, pack: &Pack, new: &Inspected) -> ApiResult<()> {
    match shelf.find_conflict(pack, new) {
        None => Ok(()),
        Some(conflict) => Err(Refused {
            rule_id: None,
            diagnostics: vec![conflict],
        }
        .into()),
    }
}

fn changed_meanwhile() -> ApiError {
    ApiError::conflict(
        "conflict",
        "somebody else changed the rule at the same time; read it again",
    )
}

/// A name that may stand in for an id.
pub(super) fn check_name<'a>(field: &str, name: &'a str) -> ApiResult<&'a str> {
    let name = name.trim();
    if name.is_empty() || name.chars().count() > MAX_NAME_CHARS || name.chars().any(char::is_control) {
        return Err(ApiError::invalid_field(
            field,
            format!("is 1–{MAX_NAME_CHARS} characters"),
        ));
    }
    Ok(name)
}

pub(super) fn check_reason(reason: Option<&str>) -> ApiResult<Option<&str>> {
    match reason.map(str::trim) {
        None => Ok(None),
        Some(reason)
            if (1..=MAX_REASON_CHARS).contains(&reason.chars().count()) && !reason.contains('\0') =>
        {
            Ok(Some(reason))
        }
        Some(_) => Err(ApiError::invalid_field(
            "reason",
            format!("is 1–{MAX_REASON_CHARS} characters"),
        )),
    }
}

/// Whether the caller may change rules at all.
pub(super) fn require_manager(acting: &Acting) -> ApiResult<()> {
    acting.require_whole_tenant()
}
