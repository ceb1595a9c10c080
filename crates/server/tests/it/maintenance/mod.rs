//! Key figures, regular maintenance and the reports on both.

mod kpis;
mod program;
mod reports;
mod requests;
mod runs;

use chrono::Duration;
use serde_json::Value;
use sg_server::jobs;
use sg_types::TenantId;

use crate::app::{App, Person};
use crate::recovery::Sink;

const KPIS: &str = "/api/v1/monitoring/kpis";
const MAINTENANCE: &str = "/api/v1/monitoring/maintenance";
const REPORTS: &str = "/api/v1/monitoring/reports";
const SUBSCRIPTIONS: &str = "/api/v1/monitoring/report-subscriptions";

/// A server that sends its mail to a mail server of its own.
async fn start() -> (App, Sink) {
    let sink = Sink::start().await;
    let app = App::start_with(|config| sink.configure(&mut config.mail)).await;
    (app, sink)
}

/// To noon of a day some days on, when the maintenance of that day is due.
fn advance_to_noon(app: &App, days: i64) {
    let noon = (app.clock_now().date_naive() + Duration::days(days))
        .and_hms_opt(12, 0, 0)
        .unwrap()
        .and_utc();
    app.advance(noon - app.clock_now());
}

/// Does what is due, of maintenance only.
async fn maintain(app: &App) {
    jobs::do_due_maintenance(app.state.clone()).await.unwrap();
}

async fn must(app: &App, path: &str, token: &str) -> Value {
    let answer = app.get(path, token).await;
    assert_eq!(answer.status, 200, "{path}: {}", answer.body);
    answer.body
}

/// The newest report of a kind, with its words in one text.
async fn newest(app: &App, kind: &str, of: &str, token: &str) -> Option<(Value, String)> {
    let list = must(app, &format!("{REPORTS}?kind={kind}{of}"), token).await;
    let id = list["items"][0]["report_id"].as_str()?;
    let query = if of.is_empty() { "" } else { "?installation=true" };
    let report = must(app, &format!("{REPORTS}/{id}{query}"), token).await;
    let text = report["content"].to_string();
    Some((report, text))
}

/// Somebody who sees everything of the tenant that is theirs only, and may read alerts.
async fn own_scoped(app: &App, tenant: TenantId) -> Person {
    let person = app.person(tenant, "desk", sg_types::Role::Manager).await;
    app.sql(&format!(
        "insert into users.roles (tenant_id, role, based_on, scope) values ('{tenant}', 'desk', 'manager', 'own');
         insert into users.role_permissions (tenant_id, role, permission) values ('{tenant}', 'desk', 'alerts_read');
         update users.users set role = 'desk' where user_id = '{0}';
         update users.memberships set role = 'desk' where user_id = '{0}'",
        person.user_id
    ))
    .await;
    person
}
