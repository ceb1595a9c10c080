//! Where people are told of incidents and alerts.

use anyhow::{Context, Result, bail};
use chrono::{DateTime, Utc};
use clap::{Args, Subcommand};
use sg_client::Client;
use sg_types::{
    AgentId, ChannelId, Severity,
    api::monitoring::AlertState,
    api::notifications::{
        ChannelKind, ChannelSettings, ChannelTarget, ChannelTemplates, ChannelView, CreateChannel,
        CreateSilence, DeliveryAttempt, NotificationView, RouteSource, RouteView, SaveRoute, SilenceView,
        SyslogFormat, TestSample, UpdateChannel,
    },
};

use crate::alerts::{self, AlertRules};
use crate::output::{self, Format, optional, printable, time};
use crate::reports::{Figures, Whose};

#[derive(Debug, Subcommand)]
pub(crate) enum Monitoring {
    /// List and make channels: where people are told.
    Channels {
        #[command(subcommand)]
        command: Channels,
        #[command(flatten)]
        whose: Whose,
    },
    /// List and make routes: what goes to which channel.
    Routes {
        #[command(subcommand)]
        command: Routes,
        #[command(flatten)]
        whose: Whose,
    },
    /// List and make silences: what is muted for a while.
    Silences {
        #[command(subcommand)]
        command: Silences,
        #[command(flatten)]
        whose: Whose,
    },
    /// List what was told, with what became of it.
    Notifications {
        /// Only those that wait to be sent.
        #[arg(long)]
        waiting: bool,
        /// At most this many.
        #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..))]
        limit: u32,
        #[command(flatten)]
        whose: Whose,
    },
    /// List alerts, the newest first.
    Alerts {
        /// pending, firing or resolved.
        #[arg(long)]
        state: Option<AlertState>,
        /// At most this many.
        #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..))]
        limit: u32,
    },
    /// List and change alert rules: what is watched.
    AlertRules {
        #[command(subcommand)]
        command: AlertRules,
        #[command(flatten)]
        whose: Whose,
    },
    /// Show the standbys of the installation's PostgreSQL: how far behind each is, and what its slot keeps.
    Standbys,
    /// Send a test message to a channel, by its name or id.
    Test {
        channel: String,
        /// What it is about: test; or incident, alert or digest, to see what the channel's templates make of one.
        #[arg(long, default_value = "test")]
        sample: TestSample,
        #[command(flatten)]
        whose: Whose,
    },
    #[command(flatten)]
    Figures(Figures),
}

#[derive(Debug, Subcommand)]
pub(crate) enum Channels {
    /// List channels.
    List,
    /// Make a channel. Secrets are read from standard input, one line: the URL of a webhook, PagerDuty's routing key.
    Create(CreateArguments),
    /// Give a channel of mail or Slack texts of its own: Jinja templates, out of files. Without any, the standard texts are sent again.
    Templates {
        /// By name or id.
        channel: String,
        /// The subject of mail.
        #[arg(long)]
        subject_file: Option<std::path::PathBuf>,
        /// The text.
        #[arg(long)]
        body_file: Option<std::path::PathBuf>,
    },
    /// Remove a channel with its routes and its log.
    Delete { channel: String },
}

#[derive(Debug, Args)]
pub(crate) struct CreateArguments {
    /// Its name.
    name: String,
    /// email, slack, webhook, pagerduty or syslog.
    #[arg(long)]
    kind: ChannelKind,
    /// Addresses of mail, separated by commas.
    #[arg(long, value_delimiter = ',')]
    addresses: Vec<String>,
    /// Syslog: tls://host:port, tcp://host:port or udp://host:port.
    #[arg(long)]
    address: Option<String>,
    /// Syslog: json or cef.
    #[arg(long, default_value = "json")]
    format: SyslogFormat,
    /// PEM file of authorities to believe besides those of the system.
    #[arg(long)]
    ca_file: Option<std::path::PathBuf>,
    /// Messages in a minute at most [default: 10].
    #[arg(long)]
    per_minute: Option<i32>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Routes {
    /// List routes.
    List,
    /// Make a route.
    Create {
        /// Its name.
        name: String,
        /// The channel, by name or id.
        #[arg(long)]
        channel: String,
        /// incident or alert.
        #[arg(long, default_value = "incident")]
        source: RouteSource,
        /// From this severity on.
        #[arg(long, default_value = "high")]
        min_severity: Severity,
        /// Only these rules, or kinds of alerts, separated by commas.
        #[arg(long, value_delimiter = ',')]
        rules: Vec<String>,
        /// Only rules with one of these tags, separated by commas.
        #[arg(long, value_delimiter = ',')]
        tags: Vec<String>,
        /// Only these endpoints, separated by commas.
        #[arg(long, value_delimiter = ',')]
        endpoints: Vec<AgentId>,
        /// Minutes after which an incident that nobody has taken up, or an alert that still fires, goes to --escalate-to too.
        #[arg(long, requires = "escalate_to")]
        escalate_after: Option<i32>,
        /// The second channel, by name or id.
        #[arg(long, requires = "escalate_after")]
        escalate_to: Option<String>,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum Silences {
    /// List silences, ended ones too.
    List,
    /// Mute what everything that is given holds for.
    Create {
        /// Why.
        #[arg(long)]
        reason: String,
        /// Until when, as 2026-01-31T12:00:00Z.
        #[arg(long)]
        until: DateTime<Utc>,
        /// A detection's rule, or a kind of alerts.
        #[arg(long)]
        rule: Option<String>,
        /// An endpoint.
        #[arg(long)]
        endpoint: Option<AgentId>,
        /// Up to this severity.
        #[arg(long)]
        max_severity: Option<Severity>,
    },
}

impl Monitoring {
    pub(crate) async fn run(self, client: &Client, format: Format) -> Result<()> {
        match self {
            Self::Channels { command, whose } => command.run(client, format, whose.installation).await,
            Self::Alerts { state, limit } => {
                let rows = client.list_alerts(state, limit as usize).await?;
                alerts::tell(format, &rows)
            }
            Self::AlertRules { command, whose } => command.run(client, format, whose.installation).await,
            Self::Figures(command) => command.run(client, format).await,
            Self::Standbys => crate::standbys::show(client, format).await,
            Self::Routes { command, whose } => command.run(client, format, whose.installation).await,
            Self::Silences { command, whose } => command.run(client, format, whose.installation).await,
            Self::Notifications {
                waiting,
                limit,
                whose,
            } => {
                let rows = client
                    .list_notifications(waiting, whose.installation, limit as usize)
                    .await?;
                let headers = [
                    "AT",
                    "CHANNEL",
                    "CAUSE",
                    "SEVERITY",
                    "ABOUT",
                    "OUTCOME",
                    "LAST ANSWER",
                ];
                output::list(format, &rows, &headers, row_of_notification)
            }
            Self::Test {
                channel,
                sample,
                whose,
            } => {
                let id = find_channel(client, &channel, whose.installation).await?;
                let attempt = client.test_channel(id, sample, whose.installation).await?;
                output::record(
                    format,
                    &attempt,
                    &[
                        ("delivered", attempt.is_delivered.to_string()),
                        ("answer", describe(Some(&attempt))),
                        ("milliseconds", attempt.milliseconds.to_string()),
                        ("note", optional(attempt.note.as_deref())),
                    ],
                )?;
                if !attempt.is_delivered {
                    bail!("the test message was not delivered");
                }
                Ok(())
            }
        }
    }
}

impl Channels {
    async fn run(self, client: &Client, format: Format, installation: bool) -> Result<()> {
        match self {
            Self::List => {
                let headers = ["ID", "NAME", "KIND", "LEADS TO", "ON", "WAITING", "LAST ANSWER"];
                let channels = client.list_channels(installation).await?;
                output::list(format, &channels, &headers, row_of_channel)
            }
            Self::Create(arguments) => {
                let saved = client.create_channel(&arguments.channel()?, installation).await?;
                output::record(
                    format,
                    &saved,
                    &[
                        ("id", saved.channel.channel_id.to_string()),
                        ("name", saved.channel.name.clone()),
                        ("leads to", leads_to(&saved.channel.settings)),
                        (
                            "signing secret, shown this once",
                            saved.signing_secret.clone().unwrap_or_default(),
                        ),
                    ],
                )
            }
            Self::Templates {
                channel,
                subject_file,
                body_file,
            } => {
                let id = find_channel(client, &channel, installation).await?;
                let templates = ChannelTemplates {
                    subject: subject_file.as_deref().map(read_file).transpose()?,
                    body: body_file.as_deref().map(read_file).transpose()?,
                };
                let change = UpdateChannel {
                    templates: Some(templates),
                    ..UpdateChannel::default()
                };
                let saved = client.update_channel(id, &change, installation).await?;
                let own = &saved.channel.templates;
                output::record(
                    format,
                    &saved.channel,
                    &[
                        ("name", saved.channel.name.clone()),
                        ("own subject", yes_or_no(own.subject.is_some())),
                        ("own text", yes_or_no(own.body.is_some())),
                    ],
                )
            }
            Self::Delete { channel } => {
                let id = find_channel(client, &channel, installation).await?;
                Ok(client.delete_channel(id, installation).await?)
            }
        }
    }
}

impl CreateArguments {
    fn channel(&self) -> Result<CreateChannel> {
        let ca_pem = self.ca_file.as_deref().map(read_file).transpose()?;
        let target = match self.kind {
            ChannelKind::Email => ChannelTarget::Email {
                addresses: self.addresses.clone(),
            },
            ChannelKind::Slack => ChannelTarget::Slack {
                url: read_secret("the incoming webhook's URL: ")?,
                ca_pem,
            },
            ChannelKind::Webhook => ChannelTarget::Webhook {
                url: read_secret("the webhook's URL: ")?,
                ca_pem,
            },
            ChannelKind::Pagerduty => ChannelTarget::Pagerduty {
                routing_key: read_secret("the routing key: ")?,
                url: None,
                ca_pem,
            },
            ChannelKind::Syslog => ChannelTarget::Syslog {
                address: self.address.clone().context("syslog needs --address")?,
                format: self.format,
                ca_pem,
            },
        };
        Ok(CreateChannel {
            name: self.name.clone(),
            target,
            per_minute: self.per_minute,
            templates: ChannelTemplates::default(),
        })
    }
}

impl Routes {
    async fn run(self, client: &Client, format: Format, installation: bool) -> Result<()> {
        let Self::Create {
            name,
            channel,
            source,
            min_severity,
            rules,
            tags,
            endpoints,
            escalate_after,
            escalate_to,
        } = self
        else {
            let headers = ["NAME", "OF", "FROM", "ONLY", "CHANNEL", "ON", "ESCALATES"];
            let routes = client.list_routes(installation).await?;
            return output::list(format, &routes, &headers, row_of_route);
        };
        let escalate_to = match escalate_to {
            Some(channel) => Some(find_channel(client, &channel, installation).await?),
            None => None,
        };
        let route = SaveRoute {
            name,
            channel_id: find_channel(client, &channel, installation).await?,
            source,
            min_severity,
            rules,
            tags,
            agents: endpoints,
            is_enabled: true,
            muted_until: None,
            escalate_after_minutes: escalate_after,
            escalate_to,
        };
        let made = client.create_route(&route, installation).await?;
        output::record(
            format,
            &made,
            &[
                ("id", made.route_id.to_string()),
                ("name", made.name.clone()),
                ("channel", made.channel_name.clone()),
            ],
        )
    }
}

impl Silences {
    async fn run(self, client: &Client, format: Format, installation: bool) -> Result<()> {
        let Self::Create {
            reason,
            until,
            rule,
            endpoint,
            max_severity,
        } = self
        else {
            let rows = client.list_silences(installation, usize::MAX).await?;
            let headers = [
                "ID", "RULE", "ENDPOINT", "UP TO", "UNTIL", "HOLDS", "OWNER", "REASON",
            ];
            return output::list(format, &rows, &headers, row_of_silence);
        };
        let silence = CreateSilence {
            reason,
            rule,
            agent_id: endpoint,
            max_severity,
            expires_at: until,
            owner_id: None,
        };
        let made = client.create_silence(&silence, installation).await?;
        output::record(
            format,
            &made,
            &[
                ("id", made.silence_id.to_string()),
                ("until", time(made.expires_at)),
            ],
        )
    }
}

/// A channel by its id or name.
async fn find_channel(client: &Client, wanted: &str, installation: bool) -> Result<ChannelId> {
    if let Ok(id) = wanted.parse() {
        return Ok(id);
    }
    let channels = client.list_channels(installation).await?;
    let found = channels
        .iter()
        .find(|channel| channel.name.eq_ignore_ascii_case(wanted));
    Ok(found
        .with_context(|| format!("no channel is named `{wanted}`"))?
        .channel_id)
}

fn read_file(path: &std::path::Path) -> Result<String> {
    std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))
}

/// One line of standard input, so that no list of processes shows it.
fn read_secret(question: &str) -> Result<String> {
    output::ask(question)?;
    let mut line = String::new();
    std::io::stdin().read_line(&mut line)?;
    let secret = line.trim();
    if secret.is_empty() {
        bail!("nothing was given");
    }
    Ok(secret.to_owned())
}

fn row_of_channel(channel: &ChannelView) -> Vec<String> {
    vec![
        channel.channel_id.to_string(),
        printable(&channel.name),
        channel.settings.kind().to_string(),
        printable(&leads_to(&channel.settings)),
        yes_or_no(channel.is_enabled),
        channel.waiting.to_string(),
        describe(channel.last.as_ref()),
    ]
}

fn row_of_route(route: &RouteView) -> Vec<String> {
    let mut only = [route.rules.clone(), route.tags.clone()].concat();
    only.extend(route.agents.iter().map(ToString::to_string));
    let escalation = route.escalate_after_minutes.map(|minutes| {
        format!(
            "{} after {minutes} min",
            optional(route.escalate_to_name.as_deref())
        )
    });
    vec![
        printable(&route.name),
        route.source.to_string(),
        route.min_severity.to_string(),
        printable(&only.join(", ")),
        printable(&route.channel_name),
        match route.muted_until {
            Some(until) => format!("{}, quiet until {}", yes_or_no(route.is_enabled), time(until)),
            None => yes_or_no(route.is_enabled),
        },
        optional(escalation),
    ]
}

fn row_of_silence(silence: &SilenceView) -> Vec<String> {
    vec![
        silence.silence_id.to_string(),
        printable(&optional(silence.rule.as_deref())),
        printable(&optional(silence.hostname.as_deref())),
        optional(silence.max_severity),
        time(silence.expires_at),
        yes_or_no(silence.is_active),
        optional(silence.owner_username.as_deref()),
        printable(&silence.reason),
    ]
}

fn row_of_notification(one: &NotificationView) -> Vec<String> {
    let about = match one.merged_count {
        0 => optional(one.title.as_deref()),
        count => format!("{count} in one"),
    };
    vec![
        time(one.created_at),
        printable(&one.channel_name),
        one.cause.as_str().replace('_', " "),
        one.severity.to_string(),
        printable(&about),
        one.outcome
            .map_or_else(|| "waiting".to_owned(), |outcome| outcome.to_string()),
        describe(one.attempts.first()),
    ]
}

fn leads_to(settings: &ChannelSettings) -> String {
    match settings {
        ChannelSettings::Email { addresses } => addresses.join(", "),
        ChannelSettings::Slack { host, .. }
        | ChannelSettings::Webhook { host, .. }
        | ChannelSettings::Pagerduty { host, .. } => host.clone(),
        ChannelSettings::Syslog { address, format, .. } => format!("{address} ({format})"),
    }
}

fn describe(attempt: Option<&DeliveryAttempt>) -> String {
    let Some(attempt) = attempt else {
        return String::new();
    };
    match (&attempt.error, attempt.answer_code) {
        (Some(error), _) => error.clone(),
        (None, _) if attempt.note.is_some() => optional(attempt.note.as_deref()),
        (None, Some(code)) => code.to_string(),
        (None, None) => "sent".to_owned(),
    }
}

fn yes_or_no(value: bool) -> String {
    if value { "yes" } else { "no" }.to_owned()
}
