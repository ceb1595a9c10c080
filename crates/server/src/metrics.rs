//! Metrics in Prometheus' text form. Names are `sg_<area>_<noun>_<unit>`; labels come from closed sets.

use std::sync::OnceLock;

use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};

/// Upper bounds of the duration buckets in seconds.
const DURATION_BUCKETS: [f64; 12] = [
    0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0,
];

static HANDLE: OnceLock<Option<PrometheusHandle>> = OnceLock::new();

/// Installs the process' recorder once; later calls change nothing.
pub fn install() {
    HANDLE.get_or_init(|| {
        let builder = PrometheusBuilder::new()
            .set_buckets_for_metric(Matcher::Suffix("_seconds".to_owned()), &DURATION_BUCKETS);
        let handle = builder.and_then(PrometheusBuilder::install_recorder);
        match handle {
            Ok(handle) => {
                describe();
                Some(handle)
            }
            Err(error) => {
                tracing::warn!(error = %error, "metrics are not recorded");
                None
            }
        }
    });
}

/// The metrics as text.
pub fn render() -> String {
    HANDLE
        .get()
        .and_then(Option::as_ref)
        .map(PrometheusHandle::render)
        .unwrap_or_default()
}

/// Folds recorded samples together; to be called every few seconds.
pub fn upkeep() {
    if let Some(handle) = HANDLE.get().and_then(Option::as_ref) {
        handle.run_upkeep();
    }
}

fn describe() {
    metrics::describe_counter!("sg_http_requests_total", "Requests by method, route and status.");
    metrics::describe_histogram!(
        "sg_http_request_duration_seconds",
        "Time from a request's head to its answer's head."
    );
    metrics::describe_gauge!("sg_http_connections_count", "Open connections.");
    metrics::describe_gauge!(
        "sg_agents_waiting_count",
        "Agents whose question for commands is held open."
    );
    metrics::describe_counter!("sg_users_sign_ins_total", "Sign-ins by outcome.");
    metrics::describe_counter!(
        "sg_http_rate_limited_total",
        "Requests refused with 429 by limit."
    );
    metrics::describe_gauge!(
        "sg_jobs_last_run_timestamp_seconds",
        "When a job last came to its end, in seconds since 1970."
    );
    metrics::describe_counter!("sg_jobs_rows_total", "Rows that a job was about.");
    metrics::describe_counter!("sg_jobs_failures_total", "Runs of a job that failed.");
    metrics::describe_gauge!(
        "sg_monitoring_alerts_count",
        "Figures that are beyond the threshold of their alert rule."
    );
    metrics::describe_counter!(
        "sg_audit_sealed_rows_total",
        "Audit rows that were linked into a chain."
    );
    metrics::describe_gauge!(
        "sg_audit_export_waiting_seconds",
        "Age of the oldest signed audit entry that a sink has not been told."
    );
    metrics::describe_counter!(
        "sg_audit_export_failures_total",
        "Deliveries of audit entries that failed, by sink; they are repeated."
    );
    metrics::describe_gauge!(
        "sg_audit_forks_count",
        "Chains that were found changed at the last start."
    );
    describe_kpis();
    metrics::describe_counter!(
        "sg_postgres_restarts_total",
        "Restarts of the database that `up` keeps."
    );
}

fn describe_kpis() {
    for (name, words) in [
        (
            "sg_kpi_failed_sign_ins_ratio",
            "Share of today's attempts to sign in that failed.",
        ),
        ("sg_kpi_lockouts_count", "Accounts that were locked today."),
        (
            "sg_kpi_password_compliance_ratio",
            "Share of people whose password is as the policy asks.",
        ),
        (
            "sg_kpi_detection_accuracy_ratio",
            "Share of today's closed incidents that was no false positive.",
        ),
        (
            "sg_kpi_query_mean_seconds",
            "Average time of today's statements of requests.",
        ),
        (
            "sg_kpi_connections_ratio",
            "Most of today's connections to PostgreSQL, of those that there may be.",
        ),
        (
            "sg_kpi_index_use_ratio",
            "Share of the rows read today that an index led to.",
        ),
        ("sg_kpi_database_bytes", "Bytes of the database."),
        (
            "sg_kpi_database_growth_bytes",
            "Bytes that the database grows each day, over the last 30.",
        ),
    ] {
        metrics::describe_gauge!(name, words);
    }
}
