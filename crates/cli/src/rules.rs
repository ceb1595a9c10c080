//! Detection rules.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use clap::{Subcommand, ValueEnum};
use sg_client::{Client, RuleFilter};
use sg_types::agent::Event;
use sg_types::api::rules::{
    CreateRule, ExplainRule, RuleDetail, RuleExplanation, RuleOrigin, RuleTrial, TryRule, UpdateRule,
};
use sg_types::{RuleKind, Severity};
use uuid::Uuid;

use crate::output::{self, Format, optional, printable, time};
use crate::rules_import::{self, Import, kind_of};

#[derive(Debug, Subcommand)]
pub(crate) enum Rules {
    /// List the rules: those of the pack, and the tenant's own.
    List {
        /// Only these kinds: sigma, yara, indicator.
        #[arg(long, value_delimiter = ',')]
        kind: Vec<RuleKind>,
        /// Only these severities: low, medium, high, critical.
        #[arg(long, value_delimiter = ',')]
        severity: Vec<Severity>,
        /// Only the tenant's own.
        #[arg(long)]
        own: bool,
        /// Only those that are switched on, or off.
        #[arg(long)]
        only: Option<Switched>,
        /// Only those with this text.
        #[arg(long)]
        search: Option<String>,
        /// At most this many.
        #[arg(long, default_value_t = 10_000, value_parser = clap::value_parser!(u32).range(1..))]
        limit: u32,
    },
    /// Show one rule with its text.
    Show { id: String },
    /// Add a rule from a file; its ending tells the kind.
    Add {
        file: PathBuf,
        /// Why.
        #[arg(long)]
        reason: Option<String>,
        /// Leave it switched off.
        #[arg(long)]
        disabled: bool,
    },
    /// Take in a file or every rule in a folder. Ends with 1 when one of them was refused.
    Import(Import),
    /// Switch a rule on.
    Enable {
        id: String,
        /// Why.
        #[arg(long)]
        reason: Option<String>,
    },
    /// Switch a rule off, one of the pack too.
    Disable {
        id: String,
        /// Why.
        #[arg(long)]
        reason: Option<String>,
    },
    /// Remove a rule of the tenant's own; its versions stay.
    Remove {
        id: String,
        /// Why.
        #[arg(long)]
        reason: Option<String>,
    },
    /// List the versions of a rule, or print the text of one.
    History {
        id: String,
        /// Print the text that this version had.
        #[arg(long = "text", value_name = "VERSION")]
        text_of: Option<i32>,
    },
    /// Try a rule from a file on the events of the last days.
    Try {
        file: PathBuf,
        /// Days to look back, 1 to 30.
        #[arg(long, default_value_t = 7)]
        days: i32,
    },
    /// Tell why a Sigma rule, a stored one or one in a file, does or does not match an event.
    Explain {
        /// The rule's id, or a file.
        rule: String,
        /// A stored event.
        #[arg(long, conflicts_with = "event_file", required_unless_present = "event_file")]
        event: Option<Uuid>,
        /// A file with an event as JSON.
        #[arg(long)]
        event_file: Option<PathBuf>,
    },
}

/// Whether rules are switched on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Switched {
    /// Switched on.
    Enabled,
    /// Switched off.
    Disabled,
}

impl Rules {
    pub(crate) async fn run(self, client: &Client, format: Format) -> Result<()> {
        match self {
            Self::List {
                kind,
                severity,
                own,
                only,
                search,
                limit,
            } => {
                let filter = RuleFilter {
                    kinds: kind,
                    severities: severity,
                    origin: own.then_some(RuleOrigin::Tenant),
                    is_enabled: only.map(|only| only == Switched::Enabled),
                    search,
                };
                list(client, format, &filter, limit as usize).await
            }
            Self::Show { id } => show(format, &client.find_rule(&id).await?),
            Self::Add {
                file,
                reason,
                disabled,
            } => add(client, format, &file, reason, !disabled).await,
            Self::Import(import) => rules_import::run(import, client, format).await,
            Self::Enable { id, reason } => switch(client, format, &id, true, reason).await,
            Self::Disable { id, reason } => switch(client, format, &id, false, reason).await,
            Self::Remove { id, reason } => Ok(client.remove_rule(&id, reason.as_deref()).await?),
            Self::History { id, text_of } => history(client, format, &id, text_of).await,
            Self::Try { file, days } => {
                let (kind, text) = read(&file)?;
                let rule = TryRule {
                    kind,
                    text,
                    days: Some(days),
                };
                show_trial(format, &client.try_rule(&rule).await?)
            }
            Self::Explain {
                rule,
                event,
                event_file,
            } => explain(client, format, &rule, event, event_file).await,
        }
    }
}

async fn add(
    client: &Client,
    format: Format,
    file: &Path,
    reason: Option<String>,
    is_enabled: bool,
) -> Result<()> {
    let (kind, text) = read(file)?;
    let name = file.file_name().unwrap_or_default().to_string_lossy();
    let rule = CreateRule {
        kind,
        text,
        name: Some(name.into_owned()),
        is_enabled: Some(is_enabled),
        reason,
    };
    show(format, &client.create_rule(&rule).await?)
}

async fn list(client: &Client, format: Format, filter: &RuleFilter, limit: usize) -> Result<()> {
    let rules = client.list_rules(filter, limit).await?;
    let headers = [
        "KIND",
        "SEVERITY",
        "OF",
        "STATE",
        "MATCHES",
        "PRECISION",
        "NAME",
        "RULE",
    ];
    output::list(format, &rules, &headers, |rule| {
        vec![
            rule.kind.to_string(),
            rule.severity.to_string(),
            rule.origin.to_string(),
            on_or_off(rule.is_enabled),
            rule.record.matches.to_string(),
            percent(rule.record.precision),
            printable(&rule.name),
            printable(&rule.rule_id),
        ]
    })
}

fn show(format: Format, detail: &RuleDetail) -> Result<()> {
    let rule = &detail.rule;
    let record = &rule.record;
    output::record(
        format,
        detail,
        &[
            ("id", rule.rule_id.clone()),
            ("name", rule.name.clone()),
            ("kind", rule.kind.to_string()),
            ("severity", rule.severity.to_string()),
            ("of", rule.origin.to_string()),
            ("state", on_or_off(rule.is_enabled)),
            ("version", rule.version.to_string()),
            ("changed", rule.changed_at.map(time).unwrap_or_default()),
            ("by", optional(rule.changed_by_username.as_deref())),
            ("description", optional(rule.description.as_deref())),
            ("tags", rule.tags.join(", ")),
            ("matches", record.matches.to_string()),
            (
                "incidents",
                format!(
                    "{}, of which {} were real and {} false positives",
                    record.incidents, record.confirmed, record.false_positives
                ),
            ),
            ("precision", percent(record.precision)),
        ],
    )?;
    if format != Format::Table {
        return Ok(());
    }
    for diagnostic in &detail.diagnostics {
        output::line(&rules_import::in_words(diagnostic))?;
    }
    match &detail.text {
        Some(text) => output::line(&format!("\n{}", printable(text))),
        None => Ok(()),
    }
}

async fn switch(
    client: &Client,
    format: Format,
    id: &str,
    is_enabled: bool,
    reason: Option<String>,
) -> Result<()> {
    let update = UpdateRule {
        is_enabled: Some(is_enabled),
        reason,
        ..UpdateRule::default()
    };
    let detail = client.update_rule(id, &update).await?;
    let rule = &detail.rule;
    output::record(
        format,
        &detail,
        &[
            ("id", rule.rule_id.clone()),
            ("name", rule.name.clone()),
            ("state", on_or_off(rule.is_enabled)),
            ("version", rule.version.to_string()),
        ],
    )
}

async fn history(client: &Client, format: Format, id: &str, version: Option<i32>) -> Result<()> {
    if let Some(version) = version {
        let found = client.find_rule_version(id, version).await?;
        return match (format, &found.text) {
            (Format::Table, Some(text)) => output::line(&printable(text)),
            (Format::Table, None) => bail!("a rule of the pack has no text of the tenant's own"),
            (_, _) => output::whole(format, &found),
        };
    }
    let versions = client.list_rule_versions(id, usize::MAX).await?;
    let headers = ["VERSION", "CHANGED", "BY", "WHAT", "STATE", "WHY"];
    output::list(format, &versions, &headers, |version| {
        vec![
            version.version.to_string(),
            time(version.changed_at),
            optional(version.changed_by_username.as_deref()),
            version.change.to_string(),
            on_or_off(version.is_enabled),
            printable(&optional(version.reason.as_deref())),
        ]
    })
}

fn show_trial(format: Format, trial: &RuleTrial) -> Result<()> {
    let complete = if trial.is_complete {
        "all of them".to_owned()
    } else {
        format!("ended early: back to {}", time(trial.looked_back_to))
    };
    output::record(
        format,
        trial,
        &[
            ("matches", trial.matches.to_string()),
            ("endpoints", trial.endpoint_count.to_string()),
            (
                "events",
                format!("{} of {} days, {complete}", trial.events, trial.days),
            ),
            ("took", format!("{} ms", trial.elapsed_ms)),
        ],
    )?;
    if format != Format::Table || trial.matches == 0 {
        return Ok(());
    }
    output::line("")?;
    output::list(format, &trial.by_day, &["DAY", "MATCHES"], |day| {
        vec![day.day.to_string(), day.matches.to_string()]
    })?;
    output::list(
        format,
        &trial.examples,
        &["AT", "ENDPOINT", "WHAT", "WHY"],
        |example| {
            vec![
                time(example.occurred_at),
                printable(&optional(example.hostname.as_deref())),
                printable(&example.summary),
                printable(&example.explanation),
            ]
        },
    )
}

async fn explain(
    client: &Client,
    format: Format,
    rule: &str,
    event_id: Option<Uuid>,
    event_file: Option<PathBuf>,
) -> Result<()> {
    let path = PathBuf::from(rule);
    let (rule_id, text) = if path.is_file() {
        (None, Some(read(&path)?.1))
    } else {
        (Some(rule.to_owned()), None)
    };
    let event: Option<Event> = match event_file {
        None => None,
        Some(path) => {
            let text =
                std::fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
            Some(serde_json::from_str(&text).with_context(|| format!("{} is no event", path.display()))?)
        }
    };
    let question = ExplainRule {
        rule_id,
        text,
        event_id,
        event,
    };
    show_explanation(format, &client.explain_rule(&question).await?)
}

fn show_explanation(format: Format, explanation: &RuleExplanation) -> Result<()> {
    if format != Format::Table {
        return output::whole(format, explanation);
    }
    output::line(&printable(&explanation.summary))?;
    output::line(&format!("condition: {}", printable(&explanation.condition)))?;
    for selection in &explanation.selections {
        output::line(&format!(
            "\n{} {}",
            mark(selection.matched),
            printable(&selection.name)
        ))?;
        for check in &selection.checks {
            let value = check
                .value
                .as_deref()
                .map_or("absent".to_owned(), |value| format!("'{value}'"));
            output::line(&printable(&format!(
                "  {} {} {}: {value}",
                mark(check.matched),
                check.field.as_deref().unwrap_or("any value"),
                check.pattern
            )))?;
        }
    }
    Ok(())
}

fn read(file: &Path) -> Result<(RuleKind, String)> {
    let kind = kind_of(file).with_context(|| {
        format!(
            "{} ends with none of .yml, .yaml, .yar, .yara, .csv and .json",
            file.display()
        )
    })?;
    let text = std::fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))?;
    Ok((kind, text))
}

fn mark(holds: bool) -> &'static str {
    if holds { "✓" } else { "✗" }
}

fn on_or_off(is_enabled: bool) -> String {
    if is_enabled { "on" } else { "off" }.to_owned()
}

fn percent(share: Option<f64>) -> String {
    share
        .map(|share| format!("{:.0} %", share * 100.0))
        .unwrap_or_default()
}
