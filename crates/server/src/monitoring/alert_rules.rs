//! Changing what alert rules watch for.

use sg_db::monitoring as db;
use sg_types::api::monitoring::{AlertRuleView, UpdateAlertRule};
use sg_types::{AlertRuleId, FieldError, Permission, TenantId};

use crate::AppState;
use crate::auth::Acting;
use crate::error::{ApiError, ApiResult};

/// Greatest threshold (`monitoring.alert_rules.threshold`).
const MAX_THRESHOLD: f64 = 1e9;
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
    let mut event = acting.event(state, "alert_rule.update");
    event.object = Some(("alert_rule", rule_id.to_string()));
    let own = acting.caller.tenant_id;
    let mut tx = state.db.write(&acting.caller, event.at).await?;
    if let Some(rule) = db::update_alert_rule(&mut tx, own, rule_id, &body).await? {
        tx.commit(event).await?;
        return Ok(rule);
    }
    drop(tx);
    if !acting.caller.may(Permission::TenantsManage) {
        return Err(ApiError::not_found());
    }
    let mut tx = state.db.system("rule of the installation").await?;
    let rule = db::update_alert_rule(&mut tx, TenantId::SYSTEM, rule_id, &body)
        .await?
        .ok_or_else(ApiError::not_found)?;
    tx.commit(own, event).await?;
    Ok(rule)
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
    if errors.is_empty() {
        Ok(())
    } else {
        Err(ApiError::unprocessable("invalid_body", errors))
    }
}
