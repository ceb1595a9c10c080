//! What stands in the place of `%name%` in a tenant's Sigma rules with `expand`.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use sg_db::SystemTx;
use sg_db::threats::{
    self as db, list_placeholders, load_own_texts, load_placeholders, lock_rules, renew_rule_set,
};
use sg_detect::Placeholders;
use sg_types::api::Page;
use sg_types::api::rules::{PlaceholderView, SetPlaceholder};
use sg_types::{Problem, RuleKind, TenantId};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::inspect::inspect;
use super::save::{check_reason, require_manager};
use crate::AppState;
use crate::auth::{Acting, Can, RulesManage, RulesRead};
use crate::error::{ApiError, ApiResult};
use crate::extract::{JsonBody, PathParams};

/// Placeholders of a tenant.
const MAX_PLACEHOLDERS: usize = 200;
/// Values of one.
const MAX_VALUES: usize = 500;
/// Characters of a value.
const MAX_VALUE_CHARS: usize = 500;
/// Characters of a name.
const MAX_NAME_CHARS: usize = 100;

pub(super) fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(list_all, post_placeholder))
        .routes(routes!(delete_placeholder))
}

/// The values of the caller's tenant.
pub(super) async fn own(state: &AppState, acting: &Acting) -> ApiResult<Placeholders> {
    let mut tx = state.db.system("placeholders of a tenant").await?;
    Ok(load_placeholders(&mut tx, acting.caller.tenant_id).await?)
}

/// Lists the tenant's placeholders.
#[utoipa::path(get, path = "/api/v1/threats/placeholders", tag = "threats", security(("bearer" = []), ("cookie" = [])), responses(
    (status = 200, description = "All of them by name, one page.", body = Page<PlaceholderView>),
    (status = "4XX", description = "Refused.", body = Problem),
))]
async fn list_all(
    State(state): State<AppState>,
    can: Can<RulesRead>,
) -> ApiResult<Json<Page<PlaceholderView>>> {
    can.require_whole_tenant()?;
    let mut tx = state.db.read(&can.caller, state.now()).await?;
    Ok(Json(Page {
        items: list_placeholders(&mut tx, can.caller.tenant_id).await?,
        next_cursor: None,
    }))
}

/// Gives a placeholder its values, in force with the agents' next check-in.
#[utoipa::path(post, path = "/api/v1/threats/placeholders", tag = "threats",
    request_body = SetPlaceholder, security(("bearer" = []), ("cookie" = [])), responses(
    (status = 200, description = "The placeholder.", body = PlaceholderView),
    (status = 422, description = "Not to be kept, or a rule does not compile with it; `errors` names rule and code.", body = Problem),
    (status = "4XX", description = "Refused.", body = Problem),
))]
async fn post_placeholder(
    State(state): State<AppState>,
    can: Can<RulesManage>,
    JsonBody(body): JsonBody<SetPlaceholder>,
) -> ApiResult<Json<PlaceholderView>> {
    require_manager(&can)?;
    let name = body.name;
    check(&name, &body.values)?;
    let reason = check_reason(body.reason.as_deref())?;
    state.rules.current(&state).await?;
    let (tenant_id, mut event) = (can.caller.tenant_id, can.event(&state, "placeholder.set"));
    let mut tx = state.db.system("placeholders of a tenant").await?;
    lock_rules(&mut tx, tenant_id).await?;
    db::set_placeholder(
        &mut tx,
        tenant_id,
        &name,
        &body.values,
        can.caller.user_id,
        event.at,
    )
    .await?;
    let all = list_placeholders(&mut tx, tenant_id).await?;
    if all.len() > MAX_PLACEHOLDERS {
        return Err(ApiError::invalid_field(
            "values",
            format!("would be those of more than {MAX_PLACEHOLDERS} placeholders"),
        ));
    }
    if let Some((rule_id, why)) = find_broken(&state, &mut tx, tenant_id, &name).await? {
        return Err(ApiError::invalid_field(
            "values",
            format!("break the rule `{rule_id}`: {why}"),
        ));
    }
    renew_rule_set(&mut tx, tenant_id, event.at).await?;
    event.object = Some(("placeholder", name.clone()));
    event.reason = reason.map(str::to_owned);
    tx.commit(tenant_id, event).await?;
    let found = all.into_iter().find(|one| one.name == name);
    found
        .map(Json)
        .ok_or_else(|| ApiError::internal("a placeholder that was set is not there"))
}

/// Removes a placeholder that no rule of the tenant's own needs.
#[utoipa::path(delete, path = "/api/v1/threats/placeholders/{placeholder}", tag = "threats", params(("placeholder" = String, Path)),
    security(("bearer" = []), ("cookie" = [])), responses(
    (status = 204, description = "Removed."),
    (status = 409, description = "`placeholder_in_use`.", body = Problem),
    (status = "4XX", description = "Refused.", body = Problem),
))]
async fn delete_placeholder(
    State(state): State<AppState>,
    can: Can<RulesManage>,
    PathParams(name): PathParams<String>,
) -> ApiResult<StatusCode> {
    require_manager(&can)?;
    let (tenant_id, mut event) = (can.caller.tenant_id, can.event(&state, "placeholder.remove"));
    let mut tx = state.db.system("placeholders of a tenant").await?;
    lock_rules(&mut tx, tenant_id).await?;
    if !db::remove_placeholder(&mut tx, tenant_id, &name).await? {
        return Err(ApiError::not_found());
    }
    if let Some((rule_id, _)) = find_broken(&state, &mut tx, tenant_id, &name).await? {
        return Err(ApiError::conflict(
            "placeholder_in_use",
            format!("the rule `{rule_id}` needs it; change, switch off or remove that one first"),
        ));
    }
    renew_rule_set(&mut tx, tenant_id, event.at).await?;
    event.object = Some(("placeholder", name));
    tx.commit(tenant_id, event).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// A rule of the tenant's own that names the placeholder and does not compile as things stand in the transaction, and why.
async fn find_broken(
    state: &AppState,
    tx: &mut SystemTx,
    tenant_id: TenantId,
    name: &str,
) -> ApiResult<Option<(String, String)>> {
    let own = load_own_texts(tx, tenant_id).await?;
    let mark = format!("%{name}%");
    let find = move || {
        let mut concerned = own.rules.iter().filter(|rule| {
            rule.kind == RuleKind::Sigma && rule.text.contains("expand") && rule.text.contains(&mark)
        });
        concerned.find_map(|rule| {
            let refused = inspect(rule.kind, &rule.name, &rule.text, &own.placeholders).err()?;
            let why = refused
                .diagnostics
                .first()
                .map(|found| format!("{} {}", found.code, found.message));
            Some((rule.name.clone(), why.unwrap_or_default()))
        })
    };
    state.rules.run(find).await
}

fn check(name: &str, values: &[String]) -> ApiResult<()> {
    let is_word = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '-');
    if !(1..=MAX_NAME_CHARS).contains(&name.len())
        || !name.chars().all(is_word)
        || name.starts_with(['.', '-'])
    {
        let message = format!(
            "is 1–{MAX_NAME_CHARS} of a–z, A–Z, 0–9, `_`, `.` and `-`, and begins with none of the last two"
        );
        return Err(ApiError::invalid_field("name", message));
    }
    let is_value = |value: &String| {
        (1..=MAX_VALUE_CHARS).contains(&value.chars().count()) && !value.chars().any(char::is_control)
    };
    if !(1..=MAX_VALUES).contains(&values.len()) || !values.iter().all(is_value) {
        let message =
            format!("has 1–{MAX_VALUES} texts of 1–{MAX_VALUE_CHARS} characters without control characters");
        return Err(ApiError::invalid_field("values", message));
    }
    Ok(())
}
