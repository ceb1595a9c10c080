//! The operations on key figures, maintenance and reports. What is the installation's takes `tenants_manage`.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use chrono::Duration;
use serde::Deserialize;
use sg_db::monitoring as db;
use sg_types::api::Page;
use sg_types::api::kpis::{KpiTotal, KpiView, StorageForecast};
use sg_types::api::maintenance::{
    MaintenanceRunView, ReportKind, ReportMode, ReportSubscription, ReportSubscriptions, ReportSummary,
    ReportView, RequestMaintenance,
};
use sg_types::{Permission, Problem, ReportId};
use utoipa::IntoParams;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::request::request_run;
use crate::AppState;
use crate::auth::{Acting, AlertsRead, Can, TenantsManage};
use crate::error::{ApiError, ApiResult};
use crate::extract::{
    JsonBody, PageParams, PathParams, QueryParams, decode_cursor, page_of, page_size, word_list,
};
use crate::monitoring::{Whose, WhoseParams};

/// Days that figures are kept.
const KEPT_DAYS: u16 = 400;

/// The operations of this area.
pub(crate) fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(show_kpis))
        .routes(routes!(list_maintenance))
        .routes(routes!(post_maintenance_run))
        .routes(routes!(list_reports))
        .routes(routes!(show_report))
        .routes(routes!(list_report_subscriptions, put_report_subscription))
}

/// Which figures to show.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct KpiParams {
    /// Days that end with today (UTC), 1–400; 30 when absent.
    #[param(minimum = 1, maximum = 400)]
    days: Option<u16>,
    /// `true`: those of the installation instead of the tenant's; needs `tenants_manage`.
    installation: Option<bool>,
}

/// Which reports to list.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct ReportParams {
    /// Kinds, separated by commas: `daily`, `weekly`, `monthly`, `kpis`.
    kind: Option<String>,
    /// `true`: those of the installation instead of the tenant's; needs `tenants_manage`.
    installation: Option<bool>,
    /// Rows at most, 1–500; 50 when absent.
    #[param(minimum = 1, maximum = 500)]
    limit: Option<u32>,
    /// The `next_cursor` of the page before.
    cursor: Option<String>,
}

/// Shows the key figures of each day.
#[utoipa::path(get, path = "/api/v1/monitoring/kpis", tag = "monitoring", params(KpiParams),
    security(("bearer" = []), ("cookie" = [])), responses(
    (status = 200, description = "The figures, the oldest day first.", body = KpiView),
    (status = "4XX", description = "Refused.", body = Problem),
))]
async fn show_kpis(
    State(state): State<AppState>,
    can: Can<AlertsRead>,
    QueryParams(params): QueryParams<KpiParams>,
) -> ApiResult<Json<KpiView>> {
    can.require_whole_tenant()?;
    let days = params.days.unwrap_or(30);
    if !(1..=KEPT_DAYS).contains(&days) {
        return Err(ApiError::bad_request(
            "invalid_query",
            "`days` must be between 1 and 400",
        ));
    }
    let from = state.now().date_naive() - Duration::days(i64::from(days) - 1);
    let whose = Whose::of(&can, params.installation)?;
    let mut tx = whose.read(&state, &can).await?;
    let (days, measured_at) = db::list_kpi_days(&mut tx, whose.tenant_id(), from).await?;
    Ok(Json(KpiView {
        measured_at,
        total: KpiTotal::of(&days),
        storage: StorageForecast::of(&days),
        days,
    }))
}

/// Lists maintenance runs of the installation with their tasks. Needs `tenants_manage` too.
#[utoipa::path(get, path = "/api/v1/monitoring/maintenance", tag = "monitoring", params(PageParams),
    security(("bearer" = []), ("cookie" = [])), responses(
    (status = 200, description = "Runs, newest first.", body = Page<MaintenanceRunView>),
    (status = "4XX", description = "Refused.", body = Problem),
))]
async fn list_maintenance(
    State(state): State<AppState>,
    can: Can<AlertsRead>,
    QueryParams(params): QueryParams<PageParams>,
) -> ApiResult<Json<Page<MaintenanceRunView>>> {
    Whose::of(&can, Some(true))?;
    let limit = page_size(params.limit)?;
    let after = decode_cursor(params.cursor.as_deref())?;
    let mut tx = state.db.system("maintenance").await?;
    let rows = db::list_maintenance_runs(&mut tx, after, limit + 1).await?;
    Ok(Json(page_of(rows, limit, |row| (row.started_at, row.run_id.0))))
}

/// Asks for a run of maintenance; a node begins it at once, or when the run that is under way has ended. Needs `alerts_read` too.
#[utoipa::path(post, path = "/api/v1/monitoring/maintenance-runs", tag = "monitoring", request_body = RequestMaintenance,
    security(("bearer" = []), ("cookie" = [])), responses(
    (status = 202, description = "Noted; its tasks say how far it is.", body = MaintenanceRunView),
    (status = 409, description = "`already_running`: a run of the period is under way.", body = Problem),
))]
async fn post_maintenance_run(
    State(state): State<AppState>,
    can: Can<TenantsManage>,
    JsonBody(body): JsonBody<RequestMaintenance>,
) -> ApiResult<(StatusCode, Json<MaintenanceRunView>)> {
    if !can.caller.may(Permission::AlertsRead) {
        return Err(ApiError::missing_permission(Permission::AlertsRead));
    }
    let run = request_run(&state, &can, body.period).await?;
    Ok((StatusCode::ACCEPTED, Json(run)))
}

/// Lists reports on maintenance and on the figures of a week.
#[utoipa::path(get, path = "/api/v1/monitoring/reports", tag = "monitoring", params(ReportParams),
    security(("bearer" = []), ("cookie" = [])), responses(
    (status = 200, description = "Reports, newest first.", body = Page<ReportSummary>),
    (status = "4XX", description = "Refused.", body = Problem),
))]
async fn list_reports(
    State(state): State<AppState>,
    can: Can<AlertsRead>,
    QueryParams(params): QueryParams<ReportParams>,
) -> ApiResult<Json<Page<ReportSummary>>> {
    can.require_whole_tenant()?;
    let limit = page_size(params.limit)?;
    let after = decode_cursor(params.cursor.as_deref())?;
    let kinds = word_list("kind", params.kind.as_deref())?;
    let whose = Whose::of(&can, params.installation)?;
    let mut tx = whose.read(&state, &can).await?;
    let rows = db::list_reports(&mut tx, whose.tenant_id(), &kinds, after, limit + 1).await?;
    Ok(Json(page_of(rows, limit, |row| {
        (row.created_at, row.report_id.0)
    })))
}

/// Shows a report.
#[utoipa::path(get, path = "/api/v1/monitoring/reports/{report_id}", tag = "monitoring",
    params(("report_id" = ReportId, Path), WhoseParams), security(("bearer" = []), ("cookie" = [])), responses(
    (status = 200, description = "The report.", body = ReportView),
    (status = "4XX", description = "Refused.", body = Problem),
))]
async fn show_report(
    State(state): State<AppState>,
    can: Can<AlertsRead>,
    PathParams(report_id): PathParams<ReportId>,
    QueryParams(params): QueryParams<WhoseParams>,
) -> ApiResult<Json<ReportView>> {
    can.require_whole_tenant()?;
    let whose = Whose::of(&can, params.installation)?;
    let mut tx = whose.read(&state, &can).await?;
    let report = db::find_report(&mut tx, whose.tenant_id(), report_id).await?;
    report.map(Json).ok_or_else(ApiError::not_found)
}

/// Shows which reports the caller gets by mail.
#[utoipa::path(get, path = "/api/v1/monitoring/report-subscriptions", tag = "monitoring",
    security(("bearer" = []), ("cookie" = [])), responses(
    (status = 200, description = "One entry for each kind that the caller may read.", body = ReportSubscriptions),
    (status = "4XX", description = "Refused.", body = Problem),
))]
async fn list_report_subscriptions(
    State(state): State<AppState>,
    can: Can<AlertsRead>,
) -> ApiResult<Json<ReportSubscriptions>> {
    can.require_whole_tenant()?;
    read_subscriptions(&state, &can).await.map(Json)
}

/// Chooses when the caller gets a kind of report by mail.
#[utoipa::path(put, path = "/api/v1/monitoring/report-subscriptions", tag = "monitoring",
    request_body = ReportSubscription, security(("bearer" = []), ("cookie" = [])), responses(
    (status = 200, description = "What the caller gets from then on.", body = ReportSubscriptions),
    (status = "4XX", description = "Refused.", body = Problem),
))]
async fn put_report_subscription(
    State(state): State<AppState>,
    can: Can<AlertsRead>,
    JsonBody(chosen): JsonBody<ReportSubscription>,
) -> ApiResult<Json<ReportSubscriptions>> {
    can.require_whole_tenant()?;
    Whose::of(&can, Some(chosen.of_installation))?;
    if chosen.kind == ReportKind::Kpis && chosen.mode == ReportMode::Findings {
        return Err(ApiError::invalid_field(
            "mode",
            "is `always` or `never` for figures, which hold nothing to do",
        ));
    }
    let mut event = can.event(&state, "report_subscription.update");
    let (tenant, user) = (can.caller.tenant_id, can.caller.user_id);
    event.object = Some(("user", user.to_string()));
    let mut tx = state.db.system("subscription to reports").await?;
    db::save_report_subscription(&mut tx, tenant, user, chosen, event.at).await?;
    tx.commit(tenant, event).await?;
    read_subscriptions(&state, &can).await.map(Json)
}

async fn read_subscriptions(state: &AppState, acting: &Acting) -> ApiResult<ReportSubscriptions> {
    let caller = &acting.caller;
    let mut tx = state.db.system("subscriptions to reports").await?;
    let (email, chosen) = db::list_report_subscriptions(&mut tx, caller.tenant_id, caller.user_id).await?;
    let manages_people = caller.may(Permission::UsersManage);
    let mut whose = vec![false];
    if caller.may(Permission::TenantsManage) {
        whose.push(true);
    }
    let mode = |kind, of_installation| {
        let made = chosen
            .iter()
            .find(|one| one.kind == kind && one.of_installation == of_installation);
        made.map_or_else(
            || ReportSubscription::default_mode(kind, of_installation, manages_people),
            |one| one.mode,
        )
    };
    let items = whose
        .into_iter()
        .flat_map(|of_installation| ReportKind::ALL.iter().map(move |kind| (*kind, of_installation)));
    Ok(ReportSubscriptions {
        email,
        is_mail_on: state.mailer.is_some(),
        items: items
            .map(|(kind, of_installation)| ReportSubscription {
                kind,
                of_installation,
                mode: mode(kind, of_installation),
            })
            .collect(),
    })
}
