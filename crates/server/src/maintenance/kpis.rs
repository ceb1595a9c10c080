//! The key figures of each day: counted again and again while the day goes on, so that they are there whenever somebody looks.

use sg_db::agents::try_job_lock;
use sg_db::monitoring::{allow_long_statements, list_kpi_days, sample_installation, sample_tenants};
use sg_types::TenantId;
use sg_types::api::kpis::{KpiTotal, StorageForecast};

use crate::AppState;
use crate::config::Config;

/// Days that the forecast on `/metrics` looks back.
const FORECAST_DAYS: i64 = 30;

/// Counts. Returns how many rows were written.
///
/// # Errors
/// What the database says; the next run finds the same.
pub async fn run(state: AppState) -> anyhow::Result<u64> {
    let now = state.now();
    let statements = state.db.request_statements().await?;
    let disk = read_disk(&state.config);
    let mut tx = state.db.system("key figures").await?;
    if !try_job_lock(&mut tx, "key-figures").await? {
        return Ok(0);
    }
    allow_long_statements(&mut tx).await?;
    let rows = sample_tenants(&mut tx, now).await?;
    sample_installation(&mut tx, now, statements, disk).await?;
    let from = now.date_naive() - chrono::Duration::days(FORECAST_DAYS - 1);
    let (days, _) = list_kpi_days(&mut tx, TenantId::SYSTEM, from).await?;
    tx.commit_upkeep().await?;
    let today: Vec<_> = days
        .iter()
        .filter(|day| day.day == now.date_naive())
        .cloned()
        .collect();
    publish(&KpiTotal::of(&today), StorageForecast::of(&days).as_ref());
    Ok(rows)
}

/// Used and all bytes of the disk that the database is on, where that is the server's own.
pub fn read_disk(config: &Config) -> Option<(i64, i64)> {
    if !config.data_dir.join("postgres/PG_VERSION").exists() {
        return None;
    }
    let told = rustix::fs::statvfs(&config.data_dir).ok()?;
    let used = told.f_blocks.saturating_sub(told.f_bfree);
    let bytes = |blocks: u64| i64::try_from(blocks.saturating_mul(told.f_frsize)).ok();
    Some((bytes(used)?, bytes(used + told.f_bavail)?))
}

/// The installation's figures on `/metrics`. One that is not known is not told.
fn publish(today: &KpiTotal, storage: Option<&StorageForecast>) {
    let tell = |name: &'static str, value: Option<f64>| {
        if let Some(value) = value {
            metrics::gauge!(name).set(value);
        }
    };
    #[expect(clippy::cast_precision_loss, reason = "Prometheus has floats only")]
    let whole = |value: i64| Some(value as f64);
    tell("sg_kpi_failed_sign_ins_ratio", today.failed_sign_in_rate);
    tell("sg_kpi_lockouts_count", whole(today.lockouts));
    tell("sg_kpi_password_compliance_ratio", today.password_compliance);
    tell("sg_kpi_detection_accuracy_ratio", today.detection_accuracy);
    tell(
        "sg_kpi_query_mean_seconds",
        today.query_milliseconds.map(|milliseconds| milliseconds / 1000.0),
    );
    let connections = today.connections.zip(today.max_connections);
    tell(
        "sg_kpi_connections_ratio",
        connections.map(|(open, most)| f64::from(open) / f64::from(most.max(1))),
    );
    tell("sg_kpi_index_use_ratio", today.index_use);
    tell("sg_kpi_database_bytes", today.database_bytes.and_then(whole));
    tell(
        "sg_kpi_database_growth_bytes",
        storage.and_then(|storage| storage.bytes_per_day),
    );
}
