//! Endpoints.

use anyhow::Result;
use chrono::Duration;
use clap::Subcommand;
use sg_client::Client;
use sg_types::{AgentId, Clock, Liveness, SystemClock, api::agents::EndpointView};

use crate::output::{self, Format, optional, printable, time};

#[derive(Debug, Subcommand)]
pub(crate) enum Endpoints {
    /// List endpoints.
    List {
        /// Only those that are online, late ones too.
        #[arg(long)]
        online: bool,
        /// Only those whose check-in is late.
        #[arg(long)]
        stale: bool,
        /// Only those that are offline.
        #[arg(long)]
        offline: bool,
        /// At most this many.
        #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..))]
        limit: u32,
    },
    /// Show one endpoint.
    Show { id: AgentId },
    /// List what an endpoint was not watched for.
    Coverage {
        id: AgentId,
        /// Of so many days up to now.
        #[arg(long, default_value_t = 30, value_parser = clap::value_parser!(u16).range(1..=400))]
        days: u16,
        /// At most this many.
        #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..))]
        limit: u32,
    },
    /// Take an endpoint out of service; its token stops working at once, its history stays.
    Decommission { id: AgentId },
}

impl Endpoints {
    pub(crate) async fn run(self, client: &Client, format: Format) -> Result<()> {
        match self {
            Self::List {
                online,
                stale,
                offline,
                limit,
            } => {
                let wanted: Vec<Liveness> = [
                    (online, Liveness::Online),
                    (online || stale, Liveness::Stale),
                    (offline, Liveness::Offline),
                ]
                .into_iter()
                .filter_map(|(wanted, liveness)| wanted.then_some(liveness))
                .collect();
                let endpoints = client.list_endpoints(&wanted, limit as usize).await?;
                let headers = [
                    "ID",
                    "HOST",
                    "STATE",
                    "LAST SEEN",
                    "CPU %",
                    "MEMORY %",
                    "OPEN INCIDENTS",
                ];
                output::list(format, &endpoints, &headers, |endpoint| {
                    vec![
                        endpoint.agent_id.to_string(),
                        printable(&endpoint.hostname),
                        state(endpoint).to_owned(),
                        endpoint.last_seen.map(time).unwrap_or_default(),
                        percent(endpoint.cpu_usage),
                        percent(endpoint.memory_usage),
                        endpoint.open_incidents.to_string(),
                    ]
                })
            }
            Self::Coverage { id, days, limit } => {
                let from = SystemClock.now() - Duration::days(days.into());
                let gaps = client.list_coverage(id, from, limit as usize).await?;
                let headers = ["FROM", "TO", "REASON", "CAUSE", "LOST", "MEANING", "WHAT TO DO"];
                output::list(format, &gaps, &headers, |gap| {
                    vec![
                        time(gap.from_at),
                        gap.to_at.map_or_else(|| "goes on".to_owned(), time),
                        printable(&with_area(&gap.reason, &gap.area)),
                        optional(gap.cause.as_deref()),
                        gap.lost_records.map(|lost| lost.to_string()).unwrap_or_default(),
                        gap.meaning.clone(),
                        gap.advice.clone(),
                    ]
                })
            }
            Self::Show { id } => show(format, &client.find_endpoint(id).await?),
            Self::Decommission { id } => show(format, &client.decommission_endpoint(id).await?),
        }
    }
}

fn show(format: Format, endpoint: &EndpointView) -> Result<()> {
    let sources: Vec<String> = endpoint
        .sources
        .iter()
        .map(|source| match &source.gap {
            Some(gap) => format!("{}: {} ({gap})", source.area, source.source),
            None => format!("{}: {}", source.area, source.source),
        })
        .collect();
    output::record(
        format,
        endpoint,
        &[
            ("id", endpoint.agent_id.to_string()),
            ("host", endpoint.hostname.clone()),
            ("name", optional(endpoint.device_name.as_deref())),
            ("state", state(endpoint).to_owned()),
            ("last seen", endpoint.last_seen.map(time).unwrap_or_default()),
            ("address", optional(endpoint.ip_address.as_deref())),
            ("system", optional(endpoint.os_info.as_deref())),
            ("agent", optional(endpoint.version.as_deref())),
            ("owner", optional(endpoint.username.as_deref())),
            ("cpu %", percent(endpoint.cpu_usage)),
            ("memory %", percent(endpoint.memory_usage)),
            ("disk %", percent(endpoint.disk_usage)),
            ("open incidents", endpoint.open_incidents.to_string()),
            ("sources", sources.join("; ")),
        ],
    )
}

fn state(endpoint: &EndpointView) -> &'static str {
    match endpoint.status {
        sg_types::EndpointStatus::Decommissioned => "decommissioned",
        _ => endpoint.liveness.as_str(),
    }
}

fn with_area(reason: &str, area: &str) -> String {
    if area.is_empty() {
        reason.to_owned()
    } else {
        format!("{reason} ({area})")
    }
}

fn percent(value: Option<f64>) -> String {
    value.map(|value| format!("{value:.1}")).unwrap_or_default()
}
