//! The operations on alerts and their rules.

use axum::Json;
use axum::extract::State;
use serde::Deserialize;
use sg_db::monitoring as db;
use sg_types::api::Page;
use sg_types::api::monitoring::{AlertRuleView, AlertView, UpdateAlertRule};
use sg_types::{AlertRuleId, Problem};
use utoipa::IntoParams;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::{Whose, WhoseParams, alert_rules};
use crate::AppState;
use crate::auth::{AlertsManage, AlertsRead, Can};
use crate::error::ApiResult;
use crate::extract::{JsonBody, PathParams, QueryParams, decode_cursor, page_of, page_size, word_list};

/// The operations of this area.
pub fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(list_alerts))
        .routes(routes!(list_alert_rules))
        .routes(routes!(patch_alert_rule))
}

/// Which alerts to list.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct AlertParams {
    /// States, separated by commas: `pending`, `firing`, `resolved`.
    state: Option<String>,
    /// `true`: those of the installation instead of the tenant's; needs `tenants_manage`.
    installation: Option<bool>,
    /// Rows at most, 1–500; 50 when absent.
    #[param(minimum = 1, maximum = 500)]
    limit: Option<u32>,
    /// The `next_cursor` of the page before.
    cursor: Option<String>,
}

/// Lists alerts.
#[utoipa::path(get, path = "/api/v1/monitoring/alerts", tag = "monitoring", params(AlertParams),
    security(("bearer" = []), ("cookie" = [])), responses(
    (status = 200, description = "Alerts, newest first.", body = Page<AlertView>),
    (status = "4XX", description = "Refused.", body = Problem),
))]
async fn list_alerts(
    State(state): State<AppState>,
    can: Can<AlertsRead>,
    QueryParams(params): QueryParams<AlertParams>,
) -> ApiResult<Json<Page<AlertView>>> {
    let limit = page_size(params.limit)?;
    let after = decode_cursor(params.cursor.as_deref())?;
    let states = word_list("state", params.state.as_deref())?;
    let whose = Whose::of(&can, params.installation)?;
    let mut tx = whose.read(&state, &can).await?;
    let rows = db::list_alerts(&mut tx, whose.tenant_id(), &states, after, limit + 1).await?;
    Ok(Json(page_of(rows, limit, |row| (row.since, row.alert_id.0))))
}

/// Lists the rules behind alerts.
#[utoipa::path(get, path = "/api/v1/monitoring/alert-rules", tag = "monitoring", params(WhoseParams),
    security(("bearer" = []), ("cookie" = [])), responses(
    (status = 200, description = "Every rule, by what it watches.", body = Page<AlertRuleView>),
    (status = "4XX", description = "Refused.", body = Problem),
))]
async fn list_alert_rules(
    State(state): State<AppState>,
    can: Can<AlertsRead>,
    QueryParams(params): QueryParams<WhoseParams>,
) -> ApiResult<Json<Page<AlertRuleView>>> {
    let whose = Whose::of(&can, params.installation)?;
    let mut tx = whose.read(&state, &can).await?;
    let items = db::list_alert_rules(&mut tx, whose.tenant_id()).await?;
    Ok(Json(Page {
        items,
        next_cursor: None,
    }))
}

/// Changes a rule.
#[utoipa::path(patch, path = "/api/v1/monitoring/alert-rules/{rule_id}", tag = "monitoring", params(("rule_id" = AlertRuleId, Path)),
    request_body = UpdateAlertRule, security(("bearer" = []), ("cookie" = [])), responses(
    (status = 200, description = "The rule as it is now.", body = AlertRuleView),
    (status = "4XX", description = "Refused.", body = Problem),
))]
async fn patch_alert_rule(
    State(state): State<AppState>,
    can: Can<AlertsManage>,
    PathParams(rule_id): PathParams<AlertRuleId>,
    JsonBody(body): JsonBody<UpdateAlertRule>,
) -> ApiResult<Json<AlertRuleView>> {
    Ok(Json(
        alert_rules::update_alert_rule(&state, &can, rule_id, body).await?,
    ))
}
