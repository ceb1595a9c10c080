//! Key figures, maintenance and the reports on both; standbys. With `installation`, those of all tenants together, for whoever manages them.

use reqwest::Method;
use sg_types::ReportId;
use sg_types::api::kpis::KpiView;
use sg_types::api::maintenance::{
    MaintenancePeriod, MaintenanceRunView, ReportKind, ReportSubscription, ReportSubscriptions,
    ReportSummary, ReportView, RequestMaintenance,
};
use sg_types::api::standbys::StandbyList;

use crate::{Client, ClientError};

const NOTHING: Option<&()> = None;

impl Client {
    /// The key figures of the last days.
    ///
    /// # Errors
    /// [`ClientError`]
    pub async fn kpis(&self, days: u16, installation: bool) -> Result<KpiView, ClientError> {
        let mut query = of(installation);
        query.push(("days", days.to_string()));
        self.call(Method::GET, "monitoring/kpis", &query, NOTHING).await
    }

    /// The standbys of the installation's PostgreSQL.
    ///
    /// # Errors
    /// [`ClientError`]
    pub async fn standbys(&self) -> Result<StandbyList, ClientError> {
        self.call(Method::GET, "monitoring/standbys", &[], NOTHING).await
    }

    /// Up to `limit` maintenance runs of the installation, the newest first.
    ///
    /// # Errors
    /// [`ClientError`]
    pub async fn list_maintenance(&self, limit: usize) -> Result<Vec<MaintenanceRunView>, ClientError> {
        self.list("monitoring/maintenance", Vec::new(), limit).await
    }

    /// Asks for a run of maintenance of the installation.
    ///
    /// # Errors
    /// [`ClientError`]
    pub async fn request_maintenance(
        &self,
        period: MaintenancePeriod,
    ) -> Result<MaintenanceRunView, ClientError> {
        let body = RequestMaintenance { period };
        let path = "monitoring/maintenance-runs";
        self.call(Method::POST, path, &[], Some(&body)).await
    }

    /// Up to `limit` reports, the newest first.
    ///
    /// # Errors
    /// [`ClientError`]
    pub async fn list_reports(
        &self,
        kind: Option<ReportKind>,
        installation: bool,
        limit: usize,
    ) -> Result<Vec<ReportSummary>, ClientError> {
        let mut query = of(installation);
        query.extend(kind.map(|kind| ("kind", kind.to_string())));
        self.list("monitoring/reports", query, limit).await
    }

    /// One report.
    ///
    /// # Errors
    /// [`ClientError`]
    pub async fn report(&self, id: ReportId, installation: bool) -> Result<ReportView, ClientError> {
        let path = format!("monitoring/reports/{id}");
        self.call(Method::GET, &path, &of(installation), NOTHING).await
    }

    /// Which reports the caller gets by mail.
    ///
    /// # Errors
    /// [`ClientError`]
    pub async fn report_subscriptions(&self) -> Result<ReportSubscriptions, ClientError> {
        let path = "monitoring/report-subscriptions";
        self.call(Method::GET, path, &[], NOTHING).await
    }

    /// Chooses when the caller gets a kind of report by mail.
    ///
    /// # Errors
    /// [`ClientError`]
    pub async fn subscribe_to_report(
        &self,
        chosen: &ReportSubscription,
    ) -> Result<ReportSubscriptions, ClientError> {
        let path = "monitoring/report-subscriptions";
        self.call(Method::PUT, path, &[], Some(chosen)).await
    }
}

/// Whose, as a query.
pub(crate) fn of(installation: bool) -> Vec<(&'static str, String)> {
    if installation {
        vec![("installation", "true".to_owned())]
    } else {
        Vec::new()
    }
}
