//! Alerts, and the rules that find them. With `installation`, those of the installation, for whoever manages it.

use reqwest::Method;
use sg_types::AlertRuleId;
use sg_types::api::Page;
use sg_types::api::monitoring::{AlertRuleView, AlertState, AlertView, UpdateAlertRule};

use crate::maintenance::of;
use crate::{Client, ClientError};

const NOTHING: Option<&()> = None;

impl Client {
    /// Up to `limit` alerts, the newest first.
    ///
    /// # Errors
    /// [`ClientError`]
    pub async fn list_alerts(
        &self,
        state: Option<AlertState>,
        limit: usize,
    ) -> Result<Vec<AlertView>, ClientError> {
        let query = state.map(|state| ("state", state.to_string()));
        self.list("monitoring/alerts", query.into_iter().collect(), limit)
            .await
    }

    /// The alert rules by what they watch.
    ///
    /// # Errors
    /// [`ClientError`]
    pub async fn list_alert_rules(&self, installation: bool) -> Result<Vec<AlertRuleView>, ClientError> {
        let page: Page<AlertRuleView> = self
            .call(Method::GET, "monitoring/alert-rules", &of(installation), NOTHING)
            .await?;
        Ok(page.items)
    }

    /// Changes an alert rule.
    ///
    /// # Errors
    /// [`ClientError`]
    pub async fn update_alert_rule(
        &self,
        id: AlertRuleId,
        change: &UpdateAlertRule,
    ) -> Result<AlertRuleView, ClientError> {
        let path = format!("monitoring/alert-rules/{id}");
        self.call(Method::PATCH, &path, &[], Some(change)).await
    }
}
