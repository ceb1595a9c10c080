//! Changing what alert rules watch for.

use std::collections::HashSet;

use sg_db::Reads;
use sg_db::monitoring as db;
use sg_types::api::monitoring::{AlertRuleView, UpdateAlertRule};
use sg_types::{AlertRuleId, FieldError, Permission, TenantId};

use crate::AppState;
use crate::auth::Acting;
use crate::error::{ApiError, ApiResult};

/// Greatest threshold (`monitoring.alert_rules.threshold`).
const MAX_THRESHOLD: f64 = 1e9;
/// Rules that keep another one quiet, at most (`alert_rules_inhibited_by_check`).
const MAX_INHIBITORS: usize = 15;
/// Seconds of a day.
const DAY_SECONDS: i32 = 86_400;

/// The installation's rules belong to the system tenant, where nobody is a member: whoever manages tenants changes them.
pub(super) async fn update_alert_rule(
    state: &AppState,
    acting: &Acting,
    rule_id: AlertRuleId,
    body: UpdateAlertRule,
) -> ApiResult<AlertRuleView> {
    check(&body)?;
    let body = UpdateAlertRule {
        inhibited_by: body.inhibited_by.map(|mut kinds| {
            kinds.sort_unstable();
            kinds.dedup();
            kinds
        }),
        ..body
    };
    let mut event = acting.event(state, "alert_rule.update");
    event.object = Some(("alert_rule", rule_id.to_string()));
    let own = acting.caller.tenant_id;
    let mut tx = state.db.write(&acting.caller, event.at).await?;
    check_inhibitors(&mut tx, own, rule_id, &body).await?;
    if let Some(rule) = db::update_alert_rule(&mut tx, own, rule_id, &body).await? {
        tx.commit(event).await?;
        return Ok(rule);
    }
    drop(tx);
    if !acting.caller.may(Permission::TenantsManage) {
        return Err(ApiError::not_found());
    }
    let mut tx = state.db.system("rule of the installation").await?;
    check_inhibitors(&mut tx, TenantId::SYSTEM, rule_id, &body).await?;
    let rule = db::update_alert_rule(&mut tx, TenantId::SYSTEM, rule_id, &body)
        .await?
        .ok_or_else(ApiError::not_found)?;
    tx.commit(own, event).await?;
    Ok(rule)
}

/// A rule is kept quiet by others that its tenant has, and not by itself.
async fn check_inhibitors(
    tx: &mut impl Reads,
    tenant_id: TenantId,
    rule_id: AlertRuleId,
    body: &UpdateAlertRule,
) -> ApiResult<()> {
    let Some(kinds) = &body.inhibited_by else {
        return Ok(());
    };
    let rules = db::list_alert_rules(tx, tenant_id).await?;
    if !rules.iter().any(|rule| rule.rule_id == rule_id) {
        return Ok(());
    }
    let others: HashSet<&str> = rules
        .iter()
        .filter(|rule| rule.rule_id != rule_id)
        .map(|rule| rule.kind.as_str())
        .collect();
    if kinds.iter().all(|kind| others.contains(kind.as_str())) {
        return Ok(());
    }
    let error = FieldError::new("inhibited_by", "names other rules that the tenant has");
    Err(ApiError::unprocessable("invalid_body", vec![error]))
}

fn check(body: &UpdateAlertRule) -> ApiResult<()> {
    let mut errors = Vec::new();
    if body
        .threshold
        .is_some_and(|threshold| !(0.0..=MAX_THRESHOLD).contains(&threshold))
    {
        errors.push(FieldError::new("threshold", "is between 0 and 1,000,000,000"));
    }
    for (name, seconds) in [
        ("window_seconds", body.window_seconds),
        ("for_seconds", body.for_seconds),
    ] {
        if seconds.is_some_and(|seconds| !(0..=DAY_SECONDS).contains(&seconds)) {
            errors.push(FieldError::new(name, "is between 0 and 86,400"));
        }
    }
    if body
        .inhibited_by
        .as_ref()
        .is_some_and(|kinds| kinds.len() > MAX_INHIBITORS)
    {
        errors.push(FieldError::new("inhibited_by", "has 15 entries at most"));
    }
    if errors.is_empty() {
        Ok(())
    } else {
        Err(ApiError::unprocessable("invalid_body", errors))
    }
}
