//! Working through what is open, one incident after the other.

use std::io::BufRead;

use anyhow::Result;
use clap::Args;
use sg_client::{Client, IncidentFilter};
use sg_types::{
    IncidentStatus, Severity, UserId,
    api::threats::{IncidentDetail, IncidentView, UpdateIncident},
};

use crate::{
    output::{self, Format, printable},
    threats,
};

const QUESTION: &str = "[a]ssign to me  [r]esolve  [f]alse positive  [n]ote  [s]kip  [q]uit > ";

#[derive(Debug, Args)]
pub(crate) struct Triage {
    /// Only these severities: low, medium, high, critical.
    #[arg(long, value_delimiter = ',')]
    severity: Vec<Severity>,
    /// Only those that are mine.
    #[arg(long)]
    mine: bool,
    /// Only those with this text.
    #[arg(long)]
    search: Option<String>,
}

/// What was made of the queue.
#[derive(Default)]
struct Tally {
    assigned: usize,
    closed: usize,
    skipped: usize,
}

enum Next {
    Incident,
    End,
}

impl Triage {
    /// The most severe first, and the oldest of those. It ends with the queue, with `q`, or with the input.
    pub(crate) async fn run(self, client: &Client) -> Result<()> {
        let me = client.current_session().await?.user_id;
        let filter = IncidentFilter {
            statuses: vec![IncidentStatus::New, IncidentStatus::Investigating],
            severities: self.severity,
            search: self.search,
            ..IncidentFilter::default()
        };
        let mut queue = client.list_incidents(&filter, usize::MAX).await?;
        if self.mine {
            queue.retain(|one| one.assigned_to == Some(me));
        }
        queue.sort_by_key(|one| (std::cmp::Reverse(one.severity), one.detected_at));
        if queue.is_empty() {
            return output::line("nothing is open");
        }
        let mut tally = Tally::default();
        for (place, incident) in queue.iter().enumerate() {
            output::line(&format!("\n{} of {}", place + 1, queue.len()))?;
            if let Next::End = work(client, me, incident, &mut tally).await? {
                break;
            }
        }
        let left = queue.len() - tally.closed;
        output::line(&format!(
            "{} closed, {} assigned, {} skipped; {left} of these are open",
            tally.closed, tally.assigned, tally.skipped
        ))
    }
}

async fn work(client: &Client, me: UserId, incident: &IncidentView, tally: &mut Tally) -> Result<Next> {
    let id = incident.threat_id;
    // It may have been worked by somebody else since the queue was read.
    let mut detail = client.find_incident(id).await?;
    loop {
        if detail.incident.status.is_closed() {
            output::line(&format!(
                "{} is {} by now",
                printable(&detail.incident.title),
                detail.incident.status
            ))?;
            return Ok(Next::Incident);
        }
        threats::show(Format::Table, &detail)?;
        let Some(answer) = ask(QUESTION)? else {
            return Ok(Next::End);
        };
        match answer.as_str() {
            "a" => {
                detail = assign(client, &detail, me).await?;
                tally.assigned += 1;
            }
            "r" | "f" => {
                let status = if answer == "r" {
                    IncidentStatus::Resolved
                } else {
                    IncidentStatus::FalsePositive
                };
                let Some(notes) = ask("what was it? (a line, may be empty) > ")? else {
                    return Ok(Next::End);
                };
                let notes = Some(notes).filter(|notes| !notes.is_empty());
                client
                    .update_incident(id, &threats::to_status(status, notes))
                    .await?;
                tally.closed += 1;
                return Ok(Next::Incident);
            }
            "n" => {
                if let Some(text) = ask("note > ")?.filter(|text| !text.is_empty()) {
                    client.add_note(id, &text).await?;
                    detail = client.find_incident(id).await?;
                }
            }
            "s" => {
                tally.skipped += 1;
                return Ok(Next::Incident);
            }
            "q" => return Ok(Next::End),
            _ => output::line("one of the letters in brackets, please")?,
        }
    }
}

async fn assign(client: &Client, detail: &IncidentDetail, me: UserId) -> Result<IncidentDetail> {
    let update = UpdateIncident {
        assigned_to: Some(Some(me)),
        status: Some(IncidentStatus::Investigating).filter(|_| detail.incident.status == IncidentStatus::New),
        ..UpdateIncident::default()
    };
    Ok(client.update_incident(detail.incident.threat_id, &update).await?)
}

/// A line of the input without its blanks; none at its end.
fn ask(question: &str) -> Result<Option<String>> {
    output::ask(question)?;
    let mut line = String::new();
    let read = std::io::stdin().lock().read_line(&mut line)?;
    Ok((read > 0).then(|| line.trim().to_owned()))
}
