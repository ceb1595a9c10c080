//! `[maintenance]`.

use serde::Deserialize;

/// Regular maintenance.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MaintenanceConfig {
    /// Whether it is done by itself.
    pub enabled: bool,
    /// Hour (UTC) of its begin.
    pub at_hour: u32,
}

impl MaintenanceConfig {
    /// What is wrong with the settings.
    pub(super) fn problems(&self) -> Vec<String> {
        (self.at_hour > 23)
            .then(|| "setting `maintenance.at_hour`: must be between 0 and 23".to_owned())
            .into_iter()
            .collect()
    }
}
