//! Where people are told of incidents and alerts, what goes where, what is muted, and what became of each message.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{
    AgentId, AlertId, ChannelId, NotificationId, RouteId, Severity, SilenceId, ThreatId, UserId,
    values::text_enum,
};

/// How a channel reaches people (`monitoring.channels.kind`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ChannelKind {
    /// Mail, by the server's own mail server.
    Email,
    /// An incoming webhook of Slack, or of whatever takes the same.
    Slack,
    /// A signed POST of JSON.
    Webhook,
    /// A syslog server.
    Syslog,
    /// Events of PagerDuty, or of whatever takes the same.
    Pagerduty,
}
text_enum!(ChannelKind {
    Email => "email",
    Slack => "slack",
    Webhook => "webhook",
    Syslog => "syslog",
    Pagerduty => "pagerduty",
});

/// What a syslog message says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum SyslogFormat {
    /// The JSON of the webhook.
    Json,
    /// ArcSight Common Event Format, version 0.
    Cef,
}
text_enum!(SyslogFormat { Json => "json", Cef => "cef" });

/// Where a channel leads to, as it is set. What is secret in it is sealed and never shown again.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum ChannelTarget {
    /// Mail.
    Email {
        /// 1–20 addresses.
        addresses: Vec<String>,
    },
    /// Slack.
    Slack {
        /// The incoming webhook's `https` URL; secret.
        url: String,
        /// PEM of authorities to believe besides those of the system.
        #[serde(default)]
        ca_pem: Option<String>,
    },
    /// A webhook. The answer has the secret that its signatures are made with.
    Webhook {
        /// Its `https` URL; secret, since tokens may be in it.
        url: String,
        /// PEM of authorities to believe besides those of the system.
        #[serde(default)]
        ca_pem: Option<String>,
    },
    /// Syslog.
    Syslog {
        /// `tls://host:port`, `tcp://host:port` or `udp://host:port`.
        address: String,
        /// What a message says.
        format: SyslogFormat,
        /// PEM of authorities to believe besides those of the system.
        #[serde(default)]
        ca_pem: Option<String>,
    },
    /// PagerDuty.
    Pagerduty {
        /// The integration's key; secret.
        routing_key: String,
        /// Where events go to: `https://events.pagerduty.com/v2/enqueue` when absent.
        #[serde(default)]
        url: Option<String>,
        /// PEM of authorities to believe besides those of the system.
        #[serde(default)]
        ca_pem: Option<String>,
    },
}

impl ChannelTarget {
    /// Its kind.
    pub fn kind(&self) -> ChannelKind {
        match self {
            Self::Email { .. } => ChannelKind::Email,
            Self::Slack { .. } => ChannelKind::Slack,
            Self::Webhook { .. } => ChannelKind::Webhook,
            Self::Syslog { .. } => ChannelKind::Syslog,
            Self::Pagerduty { .. } => ChannelKind::Pagerduty,
        }
    }
}

impl std::fmt::Debug for ChannelTarget {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ChannelTarget")
            .field("kind", &self.kind())
            .finish_non_exhaustive()
    }
}

/// What may be shown of where a channel leads to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum ChannelSettings {
    /// Mail.
    Email {
        /// To whom.
        addresses: Vec<String>,
    },
    /// Slack.
    Slack {
        /// Host of the URL.
        host: String,
        /// Further authorities.
        ca_pem: Option<String>,
    },
    /// A webhook.
    Webhook {
        /// Host of the URL.
        host: String,
        /// Further authorities.
        ca_pem: Option<String>,
    },
    /// Syslog.
    Syslog {
        /// Protocol, host and port.
        address: String,
        /// What a message says.
        format: SyslogFormat,
        /// Further authorities.
        ca_pem: Option<String>,
    },
    /// PagerDuty.
    Pagerduty {
        /// Host of the URL.
        host: String,
        /// Further authorities.
        ca_pem: Option<String>,
    },
}

impl ChannelSettings {
    /// Its kind.
    pub fn kind(&self) -> ChannelKind {
        match self {
            Self::Email { .. } => ChannelKind::Email,
            Self::Slack { .. } => ChannelKind::Slack,
            Self::Webhook { .. } => ChannelKind::Webhook,
            Self::Syslog { .. } => ChannelKind::Syslog,
            Self::Pagerduty { .. } => ChannelKind::Pagerduty,
        }
    }
}

/// The texts of a channel in somebody's own words: templates of Jinja, which are given `kind`, `severity`, `title`, `time`, `url`, `is_over`, `facts`,
/// `text` (what is sent without one), `incident`, `endpoint`, `alert` and `digest`. One that comes to nothing, or fails, gives way to the standard text.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ChannelTemplates {
    /// The subject of a mail; 8,000 bytes at most.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subject: Option<String>,
    /// The text of a mail, or of a message to Slack; 8,000 bytes at most.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub body: Option<String>,
}

/// What a test message is about; other than `test` for channels that take templates, to see what these make of it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum TestSample {
    /// That it arrives.
    #[default]
    Test,
    /// An incident that there is none of.
    Incident,
    /// An alert that there is none of.
    Alert,
    /// Several at once.
    Digest,
}
text_enum!(TestSample {
    Test => "test",
    Incident => "incident",
    Alert => "alert",
    Digest => "digest",
});

/// `POST /api/v1/monitoring/channels` → 201 [`ChannelSaved`]. The first channel of a tenant gets two routes: incidents from severity high on, and
/// every alert.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CreateChannel {
    /// 1–100 characters, no other channel's.
    pub name: String,
    /// Where it leads to.
    pub target: ChannelTarget,
    /// Messages in a minute at most, 1–600; what is beyond becomes one digest. 10 when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub per_minute: Option<i32>,
    /// Texts in somebody's own words; of mail and Slack only.
    #[serde(default)]
    pub templates: ChannelTemplates,
}

/// `PATCH /api/v1/monitoring/channels/{channel_id}` → [`ChannelSaved`]; absent fields stay.
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct UpdateChannel {
    /// 1–100 characters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Where it leads to, as a whole and of the same kind; a webhook gets another signing secret.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target: Option<ChannelTarget>,
    /// Messages in a minute at most, 1–600.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub per_minute: Option<i32>,
    /// Whether anything is sent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub is_enabled: Option<bool>,
    /// Texts in somebody's own words, as a whole: `{}` goes back to the standard ones.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub templates: Option<ChannelTemplates>,
}

/// Where people are told.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ChannelView {
    /// The channel's id.
    pub channel_id: ChannelId,
    /// Its name.
    pub name: String,
    /// Where it leads to, without what is secret.
    pub settings: ChannelSettings,
    /// Whether anything is sent.
    pub is_enabled: bool,
    /// Messages in a minute at most.
    pub per_minute: i32,
    /// Texts in somebody's own words.
    pub templates: ChannelTemplates,
    /// When it was made.
    pub created_at: DateTime<Utc>,
    /// When it was changed.
    pub updated_at: DateTime<Utc>,
    /// Messages that wait.
    pub waiting: i64,
    /// The last attempt to send.
    pub last: Option<DeliveryAttempt>,
}

/// A channel as it was stored.
#[derive(Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ChannelSaved {
    /// The channel.
    pub channel: ChannelView,
    /// The secret of a webhook's signatures (`whsec_` and 32 bytes in base64), where it was made by this call; shown this once.
    pub signing_secret: Option<String>,
}

impl std::fmt::Debug for ChannelSaved {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ChannelSaved")
            .field("channel", &self.channel)
            .finish_non_exhaustive()
    }
}

/// One attempt to deliver; what `POST /api/v1/monitoring/channels/{channel_id}/test` answers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct DeliveryAttempt {
    /// When it began.
    pub started_at: DateTime<Utc>,
    /// How long it took.
    pub milliseconds: i32,
    /// Whether the receiver took it.
    pub is_delivered: bool,
    /// The receiver's answer, where it has one: a status of HTTP or SMTP.
    pub answer_code: Option<i32>,
    /// Why it was not taken.
    pub error: Option<String>,
    /// What else somebody should know, such as a template that failed.
    #[serde(default)]
    pub note: Option<String>,
}

/// What a route is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum RouteSource {
    /// Incidents: opened, and raised to a higher severity.
    Incident,
    /// Alerts: firing and resolved.
    Alert,
}
text_enum!(RouteSource { Incident => "incident", Alert => "alert" });

/// `POST /api/v1/monitoring/routes` → 201 [`RouteView`]; `PUT /api/v1/monitoring/routes/{route_id}` → [`RouteView`].
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SaveRoute {
    /// 1–100 characters.
    pub name: String,
    /// Where it goes.
    pub channel_id: ChannelId,
    /// What it is about.
    pub source: RouteSource,
    /// From this severity on.
    pub min_severity: Severity,
    /// Only these rules (of incidents), or kinds (of alerts); every one when empty. At most 100.
    #[serde(default)]
    pub rules: Vec<String>,
    /// Only incidents of rules with one of these tags; every one when empty. At most 100.
    #[serde(default)]
    pub tags: Vec<String>,
    /// Only incidents on these endpoints; every one when empty. At most 100.
    #[serde(default)]
    pub agents: Vec<AgentId>,
    /// Whether it is on; `true` when absent.
    #[serde(default = "yes")]
    pub is_enabled: bool,
    /// Until when it is quiet.
    #[serde(default)]
    pub muted_until: Option<DateTime<Utc>>,
    /// Minutes, 1–10,080, after which an incident that is still `new`, or an alert that still fires, goes to `escalate_to` too.
    #[serde(default)]
    pub escalate_after_minutes: Option<i32>,
    /// The second channel.
    #[serde(default)]
    pub escalate_to: Option<ChannelId>,
}

fn yes() -> bool {
    true
}

/// What goes to which channel.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct RouteView {
    /// The route's id.
    pub route_id: RouteId,
    /// Its name.
    pub name: String,
    /// Where it goes.
    pub channel_id: ChannelId,
    /// That channel's name.
    pub channel_name: String,
    /// What it is about.
    pub source: RouteSource,
    /// From this severity on.
    pub min_severity: Severity,
    /// Only these rules, or kinds of alerts.
    pub rules: Vec<String>,
    /// Only rules with one of these tags.
    pub tags: Vec<String>,
    /// Only these endpoints.
    pub agents: Vec<AgentId>,
    /// Whether it is on.
    pub is_enabled: bool,
    /// Until when it is quiet.
    pub muted_until: Option<DateTime<Utc>>,
    /// After how many minutes an incident that is still `new`, or an alert that still fires, goes to `escalate_to` too.
    pub escalate_after_minutes: Option<i32>,
    /// The second channel.
    pub escalate_to: Option<ChannelId>,
    /// That channel's name.
    pub escalate_to_name: Option<String>,
    /// When it was made.
    pub created_at: DateTime<Utc>,
}

/// Why something is told (`monitoring.notifications.cause`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum NotificationCause {
    /// An incident was opened.
    IncidentOpened,
    /// An incident became more severe.
    IncidentRaised,
    /// Nobody has taken up an incident.
    IncidentWaiting,
    /// An incident was closed; told to receivers that have it open.
    IncidentClosed,
    /// An incident that was closed is open again; told to receivers that keep things open.
    IncidentReopened,
    /// An alert fires.
    AlertFiring,
    /// An alert goes on for longer than its route allows.
    AlertWaiting,
    /// An alert is over.
    AlertResolved,
    /// Several of these at once.
    Digest,
    /// Somebody tried the channel.
    Test,
}
text_enum!(NotificationCause {
    IncidentOpened => "incident_opened",
    IncidentRaised => "incident_raised",
    IncidentWaiting => "incident_waiting",
    IncidentClosed => "incident_closed",
    IncidentReopened => "incident_reopened",
    AlertFiring => "alert_firing",
    AlertWaiting => "alert_waiting",
    AlertResolved => "alert_resolved",
    Digest => "digest",
    Test => "test",
});

/// What became of a notification.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum NotificationOutcome {
    /// The receiver took it.
    Sent,
    /// The receiver refuses it for good.
    Refused,
    /// It was not to be delivered within a day.
    Expired,
    /// It was muted.
    Silenced,
    /// A digest told of it.
    Merged,
}
text_enum!(NotificationOutcome {
    Sent => "sent",
    Refused => "refused",
    Expired => "expired",
    Silenced => "silenced",
    Merged => "merged",
});

/// One message to one channel.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct NotificationView {
    /// The notification's id, which its receiver sees too.
    pub notification_id: NotificationId,
    /// Where it goes.
    pub channel_id: ChannelId,
    /// That channel's name.
    pub channel_name: String,
    /// The route that led there.
    pub route_id: Option<RouteId>,
    /// Why it is told.
    pub cause: NotificationCause,
    /// The incident.
    pub threat_id: Option<ThreatId>,
    /// The alert.
    pub alert_id: Option<AlertId>,
    /// What it is about: the incident's title, or the alert's rule and subject.
    pub title: Option<String>,
    /// How bad it was.
    pub severity: Severity,
    /// When it happened.
    pub created_at: DateTime<Utc>,
    /// When it is tried again; null once it has ended.
    pub next_attempt_at: Option<DateTime<Utc>>,
    /// When it ended.
    pub finished_at: Option<DateTime<Utc>>,
    /// What became of it; null while it waits.
    pub outcome: Option<NotificationOutcome>,
    /// The kind of the rule whose alert keeps it quiet, or did when it was over.
    pub inhibited_by: Option<String>,
    /// The digest that told of it.
    pub digest_id: Option<NotificationId>,
    /// Of a digest: how many it told of.
    pub merged_count: i64,
    /// The attempts, the latest first, 30 at most.
    pub attempts: Vec<DeliveryAttempt>,
}

/// `POST /api/v1/monitoring/silences` → 201 [`SilenceView`]: mutes what everything that is given holds for.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CreateSilence {
    /// Why, 1–2,000 characters.
    pub reason: String,
    /// A detection's rule, or a kind of alert rule; every one when null.
    #[serde(default)]
    pub rule: Option<String>,
    /// An endpoint; every one when null.
    #[serde(default)]
    pub agent_id: Option<AgentId>,
    /// Up to this severity; every one when null.
    #[serde(default)]
    pub max_severity: Option<Severity>,
    /// Until when: within 90 days.
    pub expires_at: DateTime<Utc>,
    /// Who answers for it; the caller when null.
    #[serde(default)]
    pub owner_id: Option<UserId>,
}

/// What nobody is told of for a while.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct SilenceView {
    /// The silence's id.
    pub silence_id: SilenceId,
    /// Why.
    pub reason: String,
    /// The rule, or kind of alert rule.
    pub rule: Option<String>,
    /// The endpoint.
    pub agent_id: Option<AgentId>,
    /// That endpoint's name.
    pub hostname: Option<String>,
    /// Up to this severity.
    pub max_severity: Option<Severity>,
    /// Who answers for it.
    pub owner_id: Option<UserId>,
    /// Their sign-in name.
    pub owner_username: Option<String>,
    /// When it was made.
    pub created_at: DateTime<Utc>,
    /// When it ends by itself.
    pub expires_at: DateTime<Utc>,
    /// When somebody ended it.
    pub ended_at: Option<DateTime<Utc>>,
    /// Whether it holds.
    pub is_active: bool,
}
