//! Alerts, and the rules that find them.

use anyhow::{Context, Result, ensure};
use clap::{Args, Subcommand};
use sg_client::Client;
use sg_types::Severity;
use sg_types::api::monitoring::{AlertRuleView, AlertView, UpdateAlertRule};

use crate::output::{self, Format, printable, time};

#[derive(Debug, Subcommand)]
pub(crate) enum AlertRules {
    /// List the rules: what is watched, from when on it is an alert, and what keeps it quiet.
    List,
    /// Change a rule; what is not given stays.
    Update(Change),
}

#[derive(Debug, Args)]
pub(crate) struct Change {
    /// What the rule watches, such as `failed_sign_ins`.
    kind: String,
    /// Switch it on or off.
    #[arg(long, value_name = "on|off", value_parser = parse_switch)]
    enabled: Option<bool>,
    /// How bad it is.
    #[arg(long)]
    severity: Option<Severity>,
    /// Beyond which figure it is an alert.
    #[arg(long)]
    threshold: Option<f64>,
    /// Seconds over which the figure is counted.
    #[arg(long)]
    window_seconds: Option<i32>,
    /// Seconds for which it has to hold.
    #[arg(long)]
    for_seconds: Option<i32>,
    /// Kinds of rules whose alerts keep those of this one quiet, separated by commas; an empty text for none.
    #[arg(long, value_delimiter = ',')]
    inhibited_by: Option<Vec<String>>,
}

fn parse_switch(text: &str) -> Result<bool, String> {
    match text {
        "on" => Ok(true),
        "off" => Ok(false),
        _ => Err("it is `on` or `off`".to_owned()),
    }
}

pub(crate) fn tell(format: Format, alerts: &[AlertView]) -> Result<()> {
    let headers = [
        "SINCE",
        "STATE",
        "SEVERITY",
        "KIND",
        "ABOUT",
        "FIGURE",
        "THRESHOLD",
        "WHAT",
    ];
    output::list(format, alerts, &headers, row_of_alert)
}

impl AlertRules {
    pub(crate) async fn run(self, client: &Client, format: Format, installation: bool) -> Result<()> {
        let rules = client.list_alert_rules(installation).await?;
        let Self::Update(change) = self else {
            let headers = [
                "KIND",
                "ON",
                "SEVERITY",
                "ALERT",
                "COUNTED OVER",
                "HOLDS FOR",
                "KEPT QUIET BY",
            ];
            return output::list(format, &rules, &headers, row_of_rule);
        };
        let rule = rules
            .iter()
            .find(|rule| rule.kind == change.kind)
            .with_context(|| {
                format!(
                    "no rule watches `{}`; `sgctl monitoring alert-rules list` names them",
                    change.kind
                )
            })?;
        let update = change.update();
        ensure!(
            update != UpdateAlertRule::default(),
            "say what is to change: `sgctl monitoring alert-rules update --help`"
        );
        let saved = client.update_alert_rule(rule.rule_id, &update).await?;
        output::record(
            format,
            &saved,
            &[
                ("kind", saved.kind.clone()),
                ("on", saved.enabled.to_string()),
                ("severity", saved.severity.to_string()),
                ("alert", limit(&saved)),
                ("counted over", format!("{} s", saved.window_seconds)),
                ("holds for", format!("{} s", saved.for_seconds)),
                ("kept quiet by", saved.inhibited_by.join(", ")),
            ],
        )
    }
}

impl Change {
    fn update(self) -> UpdateAlertRule {
        UpdateAlertRule {
            enabled: self.enabled,
            severity: self.severity,
            threshold: self.threshold,
            window_seconds: self.window_seconds,
            for_seconds: self.for_seconds,
            inhibited_by: self
                .inhibited_by
                .map(|kinds| kinds.into_iter().filter(|kind| !kind.is_empty()).collect()),
        }
    }
}

fn limit(rule: &AlertRuleView) -> String {
    format!("{} {}", rule.comparison, rule.threshold)
}

fn row_of_rule(rule: &AlertRuleView) -> Vec<String> {
    vec![
        rule.kind.clone(),
        if rule.enabled { "yes" } else { "no" }.to_owned(),
        rule.severity.to_string(),
        limit(rule),
        format!("{} s", rule.window_seconds),
        format!("{} s", rule.for_seconds),
        rule.inhibited_by.join(", "),
    ]
}

fn row_of_alert(alert: &AlertView) -> Vec<String> {
    vec![
        time(alert.since),
        alert.state.to_string(),
        alert.severity.to_string(),
        alert.kind.clone(),
        printable(&alert.subject),
        alert.last_value.to_string(),
        alert.threshold.to_string(),
        printable(alert.summary.as_deref().unwrap_or_default()),
    ]
}
