//! Incidents, and the way to the rules.

use anyhow::{Result, bail};
use clap::Subcommand;
use sg_client::{Client, IncidentFilter};
use sg_types::{
    AgentId, IncidentStatus, Severity, ThreatId, UserId,
    api::threats::{IncidentDetail, UpdateIncident},
};

use crate::output::{self, Format, optional, printable, time};
use crate::placeholders::Placeholders;
use crate::rules::Rules;
use crate::triage::Triage;

#[derive(Debug, Subcommand)]
pub(crate) enum Incidents {
    /// List incidents, the newest first.
    List {
        /// Only these statuses: new, investigating, resolved, false_positive.
        #[arg(long, value_delimiter = ',')]
        status: Vec<IncidentStatus>,
        /// Only these severities: low, medium, high, critical.
        #[arg(long, value_delimiter = ',')]
        severity: Vec<Severity>,
        /// Only those on this endpoint.
        #[arg(long)]
        endpoint: Option<AgentId>,
        /// Only those with this text.
        #[arg(long)]
        search: Option<String>,
        /// At most this many.
        #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..))]
        limit: u32,
    },
    /// Show one incident with its findings and timeline.
    Show { id: ThreatId },
    /// Assign an incident: a user name, `me` or `nobody`.
    Assign { id: ThreatId, to: String },
    /// Begin to work on an incident.
    Investigate { id: ThreatId },
    /// Close an incident: it was real and is dealt with.
    Resolve {
        id: ThreatId,
        /// What was found out.
        #[arg(long)]
        notes: Option<String>,
    },
    /// Close an incident: it was no threat.
    FalsePositive {
        id: ThreatId,
        /// Why it was none.
        #[arg(long)]
        notes: Option<String>,
    },
    /// Open a closed incident again.
    Reopen { id: ThreatId },
    /// Add a note.
    Note { id: ThreatId, text: String },
}

impl Incidents {
    pub(crate) async fn run(self, client: &Client, format: Format) -> Result<()> {
        let (id, update) = match self {
            Self::List {
                status,
                severity,
                endpoint,
                search,
                limit,
            } => {
                let filter = IncidentFilter {
                    statuses: status,
                    severities: severity,
                    agent_id: endpoint,
                    search,
                };
                return list(client, format, &filter, limit as usize).await;
            }
            Self::Show { id } => return show(format, &client.find_incident(id).await?),
            Self::Note { id, text } => {
                let entry = client.add_note(id, &text).await?;
                return output::record(format, &entry, &[("noted", time(entry.at))]);
            }
            Self::Assign { id, to } => {
                let assignee = assignee(client, &to).await?;
                (
                    id,
                    UpdateIncident {
                        assigned_to: Some(assignee),
                        ..UpdateIncident::default()
                    },
                )
            }
            Self::Investigate { id } | Self::Reopen { id } => {
                (id, to_status(IncidentStatus::Investigating, None))
            }
            Self::Resolve { id, notes } => (id, to_status(IncidentStatus::Resolved, notes)),
            Self::FalsePositive { id, notes } => (id, to_status(IncidentStatus::FalsePositive, notes)),
        };
        show(format, &client.update_incident(id, &update).await?)
    }
}

/// What `sgctl threats` is about.
#[derive(Debug, Subcommand)]
pub(crate) enum Threats {
    /// List, add, import, try out and switch detection rules.
    #[command(subcommand)]
    Rules(Rules),
    /// List, set and remove what stands in the place of `%name%` in Sigma rules.
    #[command(subcommand)]
    Placeholders(Placeholders),
    /// Work through the open incidents, one after the other.
    Triage(Triage),
}

impl Threats {
    pub(crate) async fn run(self, client: &Client, format: Format) -> Result<()> {
        match self {
            Self::Rules(rules) => rules.run(client, format).await,
            Self::Placeholders(placeholders) => placeholders.run(client, format).await,
            Self::Triage(triage) => triage.run(client).await,
        }
    }
}

async fn list(client: &Client, format: Format, filter: &IncidentFilter, limit: usize) -> Result<()> {
    let incidents = client.list_incidents(filter, limit).await?;
    let headers = [
        "ID",
        "DETECTED",
        "SEVERITY",
        "STATUS",
        "ENDPOINT",
        "ASSIGNED TO",
        "TITLE",
    ];
    output::list(format, &incidents, &headers, |incident| {
        vec![
            incident.threat_id.to_string(),
            time(incident.detected_at),
            incident.severity.to_string(),
            incident.status.to_string(),
            printable(&optional(incident.hostname.as_deref())),
            optional(incident.assigned_to_username.as_deref()),
            printable(&incident.title),
        ]
    })
}

pub(crate) fn show(format: Format, detail: &IncidentDetail) -> Result<()> {
    let incident = &detail.incident;
    output::record(
        format,
        detail,
        &[
            ("id", incident.threat_id.to_string()),
            ("title", incident.title.clone()),
            ("severity", incident.severity.to_string()),
            ("status", incident.status.to_string()),
            ("endpoint", optional(incident.hostname.as_deref())),
            ("detected", time(incident.detected_at)),
            ("last seen", time(incident.last_detected_at)),
            (
                "seen",
                format!(
                    "{} times, {} findings",
                    incident.occurrence_count, incident.finding_count
                ),
            ),
            ("file", optional(incident.file_path.as_deref())),
            ("sha-256", optional(incident.hash.as_deref())),
            ("process", optional(incident.process_name.as_deref())),
            ("command line", optional(incident.command_line.as_deref())),
            ("assigned to", optional(incident.assigned_to_username.as_deref())),
            ("resolved by", optional(incident.resolved_by_username.as_deref())),
            ("notes", optional(incident.resolution_notes.as_deref())),
        ],
    )?;
    if format != Format::Table {
        return Ok(());
    }
    output::line("\nfindings")?;
    output::list(
        format,
        &detail.findings,
        &["ENGINE", "RULE", "WHY", "SEEN"],
        |finding| {
            vec![
                finding.engine.to_string(),
                printable(&finding.rule_name),
                printable(&finding.explanation),
                finding.occurrence_count.to_string(),
            ]
        },
    )?;
    output::line("\ntimeline")?;
    output::list(format, &detail.timeline, &["AT", "BY", "WHAT"], |entry| {
        vec![
            time(entry.at),
            optional(entry.actor.as_deref()),
            printable(&entry.summary),
        ]
    })
}

pub(crate) fn to_status(status: IncidentStatus, notes: Option<String>) -> UpdateIncident {
    UpdateIncident {
        status: Some(status),
        resolution_notes: notes.map(Some),
        ..UpdateIncident::default()
    }
}

async fn assignee(client: &Client, name: &str) -> Result<Option<UserId>> {
    match name {
        "nobody" => Ok(None),
        "me" => Ok(Some(client.current_session().await?.user_id)),
        _ => match client.find_user_by_name(name).await? {
            Some(id) => Ok(Some(id)),
            None => bail!(
                "nobody in this tenant has the user name `{name}`; `sgctl users list` shows who there is"
            ),
        },
    }
}
