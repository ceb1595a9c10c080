//! The operations on rules. What tries rules out is in `trial_routes`.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Deserialize;
use sg_db::threats as db;
use sg_types::Problem;
use sg_types::api::Page;
use sg_types::api::rules::{
    CreateRule, RuleDetail, RuleOrigin, RuleVersionDetail, RuleVersionView, RuleView, UpdateRule,
};
use utoipa::IntoParams;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::list::{self, RuleFilter};
use super::{placeholders, save, trial_routes};
use crate::AppState;
use crate::auth::{Can, RulesManage, RulesRead};
use crate::error::{ApiError, ApiResult};
use crate::extract::{JsonBody, PageParams, PathParams, QueryParams, page_size, search_text, word_list};

/// The operations of this area.
pub(in crate::threats) fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(list_rules, post_rule))
        .routes(routes!(show_rule, patch_rule, delete_rule))
        .routes(routes!(list_versions))
        .routes(routes!(show_version))
        .merge(trial_routes::routes())
        .merge(placeholders::routes())
}

/// Parameters of the list.
#[derive(Debug, Clone, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct RuleParams {
    /// Only these kinds, separated by commas.
    kind: Option<String>,
    /// Only these severities, separated by commas.
    severity: Option<String>,
    /// `pack` or `tenant`.
    origin: Option<String>,
    /// Only rules that are switched on (`true`) or off (`false`).
    is_enabled: Option<bool>,
    /// Only rules with this text in their name, id, description or tags; case does not matter.
    search: Option<String>,
    /// Rows at most, 1–500; 50 when absent.
    #[param(minimum = 1, maximum = 500)]
    limit: Option<u32>,
    /// The `next_cursor` of the page before.
    cursor: Option<String>,
}

/// Parameters of a removal.
#[derive(Debug, Clone, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct RemoveParams {
    /// Why, 1–2,000 characters.
    reason: Option<String>,
}

/// Lists the rules: those of the pack, and the tenant's own.
#[utoipa::path(get, path = "/api/v1/threats/rules", tag = "threats", params(RuleParams), security(("bearer" = []), ("cookie" = [])),
    responses(
    (status = 200, description = "Rules by their ids.", body = Page<RuleView>),
    (status = "4XX", description = "Refused.", body = Problem),
))]
async fn list_rules(
    State(state): State<AppState>,
    can: Can<RulesRead>,
    QueryParams(params): QueryParams<RuleParams>,
) -> ApiResult<Json<Page<RuleView>>> {
    let limit = usize::try_from(page_size(params.limit)?).unwrap_or(usize::MAX);
    let after = params.cursor.as_deref().map(decode).transpose()?;
    let origins: Vec<RuleOrigin> = word_list("origin", params.origin.as_deref())?;
    let filter = RuleFilter {
        kinds: word_list("kind", params.kind.as_deref())?,
        severities: word_list("severity", params.severity.as_deref())?,
        origin: origins.first().copied().filter(|_| origins.len() == 1),
        is_enabled: params.is_enabled,
        search: search_text(params.search)?.map(|text| text.to_lowercase()),
    };
    let (page, last) = list::list(&state, &can, &filter, after.as_deref(), limit).await?;
    Ok(Json(Page {
        next_cursor: last.map(|id| URL_SAFE_NO_PAD.encode(id)),
        ..page
    }))
}

/// Adds a rule of the tenant's own; its agents get it with their next check-in.
#[utoipa::path(post, path = "/api/v1/threats/rules", tag = "threats", request_body = CreateRule, security(("bearer" = []), ("cookie" = [])),
    responses(
    (status = 201, description = "The rule.", body = RuleDetail),
    (status = 409, description = "`already_exists`: the tenant has a rule of this id.", body = Problem),
    (status = 422, description = "The text does not compile, or is too much; `errors` names code and line.", body = Problem),
))]
async fn post_rule(
    State(state): State<AppState>,
    can: Can<RulesManage>,
    JsonBody(body): JsonBody<CreateRule>,
) -> ApiResult<(StatusCode, Json<RuleDetail>)> {
    Ok((StatusCode::CREATED, Json(save::create(&state, &can, body).await?)))
}

/// Shows a rule with its text.
#[utoipa::path(get, path = "/api/v1/threats/rules/{detection_rule_id}", tag = "threats", params(("detection_rule_id" = String, Path)),
    security(("bearer" = []), ("cookie" = [])), responses(
    (status = 200, description = "The rule.", body = RuleDetail),
    (status = "4XX", description = "Refused.", body = Problem),
))]
async fn show_rule(
    State(state): State<AppState>,
    can: Can<RulesRead>,
    PathParams(rule_id): PathParams<String>,
) -> ApiResult<Json<RuleDetail>> {
    Ok(Json(list::show(&state, &can, &rule_id).await?))
}

/// Gives a rule another text, or switches it on or off. Rules of the pack can be switched only.
#[utoipa::path(patch, path = "/api/v1/threats/rules/{detection_rule_id}", tag = "threats", params(("detection_rule_id" = String, Path)),
    request_body = UpdateRule, security(("bearer" = []), ("cookie" = [])), responses(
    (status = 200, description = "The rule as it is now.", body = RuleDetail),
    (status = 409, description = "`conflict`: somebody changed it meanwhile; `pack_rule`: it is of the pack and keeps its text.", body = Problem),
    (status = 422, description = "The text does not compile, or is too much; `errors` names code and line.", body = Problem),
))]
async fn patch_rule(
    State(state): State<AppState>,
    can: Can<RulesManage>,
    PathParams(rule_id): PathParams<String>,
    JsonBody(body): JsonBody<UpdateRule>,
) -> ApiResult<Json<RuleDetail>> {
    Ok(Json(save::update(&state, &can, &rule_id, body).await?))
}

/// Removes a rule of the tenant's own. Its versions stay.
#[utoipa::path(delete, path = "/api/v1/threats/rules/{detection_rule_id}", tag = "threats",
    params(("detection_rule_id" = String, Path), RemoveParams), security(("bearer" = []), ("cookie" = [])), responses(
    (status = 204, description = "Removed."),
    (status = 409, description = "`pack_rule`: it is of the pack, and can be switched off.", body = Problem),
    (status = "4XX", description = "Refused.", body = Problem),
))]
async fn delete_rule(
    State(state): State<AppState>,
    can: Can<RulesManage>,
    PathParams(rule_id): PathParams<String>,
    QueryParams(params): QueryParams<RemoveParams>,
) -> ApiResult<StatusCode> {
    save::remove(&state, &can, &rule_id, params.reason.as_deref()).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Lists the versions of a rule, of a removed one too.
#[utoipa::path(get, path = "/api/v1/threats/rules/{detection_rule_id}/versions", tag = "threats",
    params(("detection_rule_id" = String, Path), PageParams), security(("bearer" = []), ("cookie" = [])), responses(
    (status = 200, description = "Versions, the latest first; none for a rule that was never changed.", body = Page<RuleVersionView>),
    (status = "4XX", description = "Refused.", body = Problem),
))]
async fn list_versions(
    State(state): State<AppState>,
    can: Can<RulesRead>,
    PathParams(rule_id): PathParams<String>,
    QueryParams(params): QueryParams<PageParams>,
) -> ApiResult<Json<Page<RuleVersionView>>> {
    let limit = params.limit()?;
    let before = match params.cursor.as_deref() {
        None => None,
        Some(cursor) => Some(decode(cursor)?.parse::<i32>().map_err(|_| invalid_cursor())?),
    };
    let rules = state.rules.current(&state).await?.clone();
    let tenant_id = can.caller.tenant_id;
    let mut tx = state.db.read(&can.caller, state.now()).await?;
    let mut items = db::list_rule_versions(&mut tx, tenant_id, &rule_id, before, limit + 1).await?;
    if items.is_empty() && before.is_none() && rules.pack.find(&rule_id).is_none() {
        return Err(ApiError::not_found());
    }
    let limit = usize::try_from(limit).unwrap_or(usize::MAX);
    let more = items.len() > limit;
    items.truncate(limit);
    let last = items.last().filter(|_| more);
    Ok(Json(Page {
        next_cursor: last.map(|last| URL_SAFE_NO_PAD.encode(last.version.to_string())),
        items,
    }))
}

/// Shows a version of a rule with the text that it had.
#[utoipa::path(get, path = "/api/v1/threats/rules/{detection_rule_id}/versions/{version}", tag = "threats",
    params(("detection_rule_id" = String, Path), ("version" = i32, Path)), security(("bearer" = []), ("cookie" = [])), responses(
    (status = 200, description = "The version.", body = RuleVersionDetail),
    (status = "4XX", description = "Refused.", body = Problem),
))]
async fn show_version(
    State(state): State<AppState>,
    can: Can<RulesRead>,
    PathParams((rule_id, version)): PathParams<(String, i32)>,
) -> ApiResult<Json<RuleVersionDetail>> {
    let mut tx = state.db.read(&can.caller, state.now()).await?;
    let found = db::find_rule_version(&mut tx, can.caller.tenant_id, &rule_id, version).await?;
    Ok(Json(found.ok_or_else(ApiError::not_found)?))
}

fn decode(cursor: &str) -> ApiResult<String> {
    let decoded = URL_SAFE_NO_PAD
        .decode(cursor)
        .ok()
        .and_then(|bytes| String::from_utf8(bytes).ok());
    decoded.ok_or_else(invalid_cursor)
}

fn invalid_cursor() -> ApiError {
    ApiError::bad_request(
        "invalid_cursor",
        "the cursor is none that a page of this list gave",
    )
}
