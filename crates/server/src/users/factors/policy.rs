//! Who must have a factor.

use sg_db::WriteTx;
use sg_db::users::factors::{drop_factor_rules_except, list_factor_rules, set_factor_rule};
use sg_db::users::find_role;
use sg_types::RoleName;
use sg_types::api::factors::{FactorPolicy, FactorRule, UpdateFactorPolicy};

use crate::AppState;
use crate::auth::Acting;
use crate::error::{ApiError, ApiResult};
use crate::users::roles::require_grantable;

/// Days of grace at most.
const MAX_GRACE_DAYS: i32 = 90;
/// Days of grace when nobody says.
const DEFAULT_GRACE_DAYS: i32 = 14;

/// The rules of the caller's tenant.
pub(super) async fn show(state: &AppState, acting: &Acting) -> ApiResult<FactorPolicy> {
    let mut tx = state.db.read(&acting.caller, state.now()).await?;
    let rules = list_factor_rules(&mut tx, acting.caller.tenant_id).await?;
    Ok(FactorPolicy { rules })
}

/// Changes the rules; from the next sign-in on.
pub(super) async fn update(
    state: &AppState,
    acting: &Acting,
    body: UpdateFactorPolicy,
) -> ApiResult<FactorPolicy> {
    if body
        .grace_days
        .is_some_and(|days| !(0..=MAX_GRACE_DAYS).contains(&days))
    {
        return Err(ApiError::invalid_field(
            "grace_days",
            format!("must be within 0 and {MAX_GRACE_DAYS}"),
        ));
    }
    let tenant_id = acting.caller.tenant_id;
    let mut event = acting.event(state, "factor_policy.update");
    event.object = Some(("tenant", tenant_id.to_string()));
    let mut tx = state.db.write(&acting.caller, event.at).await?;
    let present = list_factor_rules(&mut tx, tenant_id).await?;
    let roles: Vec<RoleName> = body
        .roles
        .unwrap_or_else(|| present.iter().map(|rule| rule.role.clone()).collect());
    let others = find_others(&mut tx, acting, &present, &roles).await?;
    drop_factor_rules_except(&mut tx, tenant_id, &roles).await?;
    for role in roles.iter().filter(|role| !others.contains(role)) {
        let known = present.iter().find(|rule| rule.role == *role);
        let days = body
            .grace_days
            .or(known.map(|rule| rule.grace_days))
            .unwrap_or(DEFAULT_GRACE_DAYS);
        set_factor_rule(&mut tx, tenant_id, role, days, event.at).await?;
    }
    let rules = list_factor_rules(&mut tx, tenant_id).await?;
    tx.commit(event).await?;
    Ok(FactorPolicy { rules })
}

/// The roles beyond the caller's own whose rules stay as they are. Nobody lifts or sets what holds for those above them.
async fn find_others(
    tx: &mut WriteTx,
    acting: &Acting,
    present: &[FactorRule],
    roles: &[RoleName],
) -> ApiResult<Vec<RoleName>> {
    let mut others = Vec::new();
    let dropped = present
        .iter()
        .map(|rule| &rule.role)
        .filter(|role| !roles.contains(role));
    for name in roles.iter().chain(dropped) {
        let role = find_role(tx, acting.caller.tenant_id, name)
            .await?
            .ok_or_else(|| {
                ApiError::invalid_field("roles", format!("there is no role `{name}` in the tenant"))
            })?;
        let stays = roles.contains(name) && present.iter().any(|rule| rule.role == *name);
        if stays && !acting.caller.may_grant(&role) {
            others.push(name.clone());
        } else {
            require_grantable(acting, &role)?;
        }
    }
    Ok(others)
}
