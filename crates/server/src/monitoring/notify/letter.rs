//! A notification in words, the same for every kind of channel. Text from endpoints is a value: it is cleaned here, and each kind of channel quotes it in
//! its own way.

use chrono::{DateTime, SecondsFormat, Utc};
use serde_json::{Value, json};
use sg_db::TokenHash;
use sg_db::monitoring::{AlertNews, Channel, ClaimedNotification, Content, DigestNews, IncidentSummary};
use sg_types::api::notifications::{ChannelSettings, ChannelTemplates, NotificationCause, TestSample};
use sg_types::{
    AgentId, AlertId, AlertRuleId, ChannelId, IncidentStatus, NotificationId, Severity, TenantId, ThreatId,
};
use uuid::Uuid;

/// Characters of one value at most.
const VALUE_CHARS: usize = 300;

/// A piece of a sentence.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Part {
    /// Our own words.
    Words(String),
    /// Somebody else's.
    Value(String),
}

/// A message for people.
#[derive(Debug, Clone)]
pub(super) struct Letter {
    /// The notification, the same at each attempt.
    pub(super) id: NotificationId,
    /// What it says, as `incident.opened`.
    pub(super) kind: &'static str,
    /// One sentence.
    pub(super) title: Vec<Part>,
    /// How bad it is.
    pub(super) severity: Severity,
    /// When it happened.
    pub(super) at: DateTime<Utc>,
    /// More, line by line: a name and a value.
    pub(super) facts: Vec<(&'static str, String)>,
    /// Where the console shows it.
    pub(super) url: String,
    /// What is the same for the beginning and the end of one thing.
    pub(super) thing: String,
    /// Whether it says that something is over.
    pub(super) is_over: bool,
    /// The same for programs.
    pub(super) data: Value,
}

impl Letter {
    /// Puts a notification into words. `console` is the server's own address.
    pub(super) fn new(claimed: &ClaimedNotification, content: &Content, console: &str) -> Self {
        let mut letter = match content {
            Content::Incident(incident) => of_incident(claimed, incident, console),
            Content::Alert(alert) => of_alert(claimed, alert, console),
            Content::Digest(digest) => of_digest(claimed, digest, console),
            Content::Test => return Self::test(claimed.notification_id, claimed.created_at, console),
        };
        letter.data["severity"] = json!(letter.severity);
        letter.data["title"] = json!(letter.plain_title());
        letter.data["url"] = json!(letter.url);
        letter
    }

    /// A message that says nothing but that it arrives.
    pub(super) fn test(id: NotificationId, at: DateTime<Utc>, console: &str) -> Self {
        Self {
            id,
            kind: "test",
            title: vec![Part::Words("This is a test message of SecureGuard".to_owned())],
            severity: Severity::Low,
            at,
            facts: vec![("Server", console.to_owned())],
            url: format!("{console}/monitoring/channels"),
            thing: format!("test/{id}"),
            is_over: false,
            data: json!({ "severity": "low", "title": "This is a test message of SecureGuard", "url": format!("{console}/monitoring/channels") }),
        }
    }

    /// A message of a kind that there is, about nothing.
    pub(super) fn sample(of: TestSample, id: NotificationId, at: DateTime<Utc>, console: &str) -> Self {
        let (cause, content) = match of {
            TestSample::Alert => (NotificationCause::AlertFiring, Content::Alert(sample_alert(at))),
            TestSample::Digest => (NotificationCause::Digest, Content::Digest(sample_digest(id))),
            TestSample::Incident | TestSample::Test => (
                NotificationCause::IncidentOpened,
                Content::Incident(sample_incident(at)),
            ),
        };
        let claimed = ClaimedNotification {
            notification_id: id,
            channel: Channel {
                channel_id: ChannelId(Uuid::nil()),
                tenant_id: TenantId::DEFAULT,
                name: String::new(),
                settings: ChannelSettings::Email {
                    addresses: Vec::new(),
                },
                secret_id: None,
                per_minute: 1,
                templates: ChannelTemplates::default(),
                is_enabled: true,
            },
            cause,
            threat_id: None,
            alert_id: None,
            digest_id: None,
            severity: Severity::High,
            created_at: at,
            attempts: 1,
        };
        let mut letter = Self::new(&claimed, &content, console);
        // There is no such thing to be shown.
        letter.url = format!("{console}/threats");
        letter.thing = format!("test/{id}");
        letter
    }

    /// The whole as lines of text.
    pub(super) fn plain_text(&self) -> String {
        let facts: String = self
            .facts
            .iter()
            .map(|(name, value)| format!("{name}: {value}\n"))
            .collect();
        format!("{}\n\n{facts}\n{}\n", self.plain_title(), self.url)
    }

    /// The title as one line of text.
    pub(super) fn plain_title(&self) -> String {
        let parts = self.title.iter().map(|part| match part {
            Part::Words(text) | Part::Value(text) => text.as_str(),
        });
        parts.collect()
    }

    /// What a webhook and syslog carry: `type`, `timestamp` and `data`, as Standard Webhooks recommends.
    pub(super) fn to_json(&self) -> Value {
        let mut data = self.data.clone();
        data["notification_id"] = json!(self.id);
        json!({ "type": self.kind, "timestamp": self.at.to_rfc3339_opts(SecondsFormat::Millis, true), "data": data })
    }
}

fn of_incident(claimed: &ClaimedNotification, incident: &IncidentSummary, console: &str) -> Letter {
    let (severity, host, title) = (
        incident.severity.max(claimed.severity),
        clean(&incident.hostname),
        clean(&incident.title),
    );
    let capital = capitalise(severity.as_str());
    let (kind, lead, end) = match claimed.cause {
        NotificationCause::IncidentRaised => (
            "incident.raised",
            "An incident on ".to_owned(),
            format!(" is now {severity}: "),
        ),
        NotificationCause::IncidentWaiting => (
            "incident.waiting",
            format!("Nobody has taken up the {severity} incident on "),
            ": ".to_owned(),
        ),
        NotificationCause::IncidentClosed => (
            "incident.closed",
            "The incident on ".to_owned(),
            format!(" is closed ({}): ", incident.status.as_str().replace('_', " ")),
        ),
        NotificationCause::IncidentReopened => (
            "incident.reopened",
            "The incident on ".to_owned(),
            format!(
                " is open again ({}): ",
                incident.status.as_str().replace('_', " ")
            ),
        ),
        _ => (
            "incident.opened",
            format!("{capital} incident on "),
            ": ".to_owned(),
        ),
    };
    let rules: Vec<String> = incident.rules.iter().map(|(_, name)| clean(name)).collect();
    let mut facts = vec![("Severity", severity.to_string()), ("Endpoint", host.clone())];
    if !rules.is_empty() {
        facts.push(("Rule", clean(&rules.join(", "))));
    }
    facts.push(("Detected", format_time(incident.detected_at)));
    Letter {
        id: claimed.notification_id,
        kind,
        title: vec![
            Part::Words(lead),
            Part::Value(host),
            Part::Words(end),
            Part::Value(title),
        ],
        severity,
        at: claimed.created_at,
        facts,
        url: format!("{console}/threats/{}", incident.threat_id),
        thing: format!("incident/{}", incident.threat_id),
        is_over: claimed.cause == NotificationCause::IncidentClosed,
        data: json!({
            "incident": {
                "threat_id": incident.threat_id, "title": incident.title, "status": incident.status, "detected_at": incident.detected_at,
                "rules": incident.rules.iter().map(|(id, name)| json!({ "rule_id": id, "name": name })).collect::<Vec<_>>(),
                "tags": incident.tags,
            },
            "endpoint": { "agent_id": incident.agent_id, "hostname": incident.hostname },
        }),
    }
}

fn of_alert(claimed: &ClaimedNotification, alert: &AlertNews, console: &str) -> Letter {
    let is_over = claimed.cause == NotificationCause::AlertResolved;
    let subject = clean(&alert.subject);
    let of_installation = claimed.channel.tenant_id == TenantId::SYSTEM;
    let lead = if of_installation {
        "Installation alert"
    } else {
        "Alert"
    };
    let mut title = vec![Part::Words(format!("{lead} {}", alert.kind.replace('_', " ")))];
    match &alert.summary {
        Some(summary) => title.extend([Part::Words(": ".to_owned()), Part::Value(clean(summary))]),
        None if !subject.is_empty() => {
            title.extend([Part::Words(" about ".to_owned()), Part::Value(subject.clone())]);
        }
        None => {}
    }
    let standing = match (&alert.summary, claimed.cause) {
        (Some(_), NotificationCause::AlertResolved) => " – over",
        (Some(_), NotificationCause::AlertWaiting) => " – still",
        (Some(_), _) => "",
        (None, NotificationCause::AlertResolved) => " is over",
        (None, NotificationCause::AlertWaiting) => " is still firing",
        (None, _) => " is firing",
    };
    title.push(Part::Words(standing.to_owned()));
    let mut facts = vec![
        ("Severity", alert.severity.to_string()),
        (
            "Figure",
            format!("{} (threshold {})", alert.last_value, alert.threshold),
        ),
    ];
    if let Some(at) = alert.fired_at {
        facts.push(("Since", format_time(at)));
    }
    if let Some(at) = alert.resolved_at.filter(|_| is_over) {
        facts.push(("Over", format_time(at)));
    }
    Letter {
        id: claimed.notification_id,
        kind: match claimed.cause {
            NotificationCause::AlertResolved => "alert.resolved",
            NotificationCause::AlertWaiting => "alert.waiting",
            _ => "alert.firing",
        },
        title,
        severity: alert.severity,
        at: claimed.created_at,
        facts,
        url: match alert.agent_id {
            Some(agent_id) => format!("{console}/agents/{agent_id}"),
            None if alert.kind == "endpoint_offline" => format!("{console}/agents?state=offline"),
            None if of_installation => format!("{console}/monitoring/alerts?of=installation"),
            None => format!("{console}/monitoring/notifications"),
        },
        thing: name_alert(alert.rule_id, &alert.subject),
        is_over,
        data: json!({ "alert": {
            "alert_id": alert.alert_id, "kind": alert.kind, "subject": alert.subject, "agent_id": alert.agent_id,
            "summary": alert.summary, "last_value": alert.last_value,
            "threshold": alert.threshold, "fired_at": alert.fired_at, "resolved_at": alert.resolved_at.filter(|_| is_over),
        } }),
    }
}

/// The same each time that a rule fires about a subject, so that a receiver opens again what it has closed.
fn name_alert(rule_id: AlertRuleId, subject: &str) -> String {
    if subject.is_empty() {
        return format!("alert/{rule_id}");
    }
    let hash = TokenHash::of(subject).to_hex();
    format!("alert/{rule_id}/{}", hash.get(..16).unwrap_or(&hash))
}

fn sample_incident(at: DateTime<Utc>) -> IncidentSummary {
    IncidentSummary {
        threat_id: ThreatId(Uuid::nil()),
        title: "Test: nothing happened".to_owned(),
        severity: Severity::High,
        status: IncidentStatus::New,
        agent_id: AgentId(Uuid::nil()),
        hostname: "test-endpoint".to_owned(),
        detected_at: at,
        rules: vec![("test_rule".to_owned(), "Test rule".to_owned())],
        tags: vec!["attack.execution".to_owned()],
    }
}

fn sample_alert(at: DateTime<Utc>) -> AlertNews {
    AlertNews {
        alert_id: AlertId(Uuid::nil()),
        rule_id: AlertRuleId(Uuid::nil()),
        kind: "failed_sign_ins".to_owned(),
        subject: "test".to_owned(),
        agent_id: None,
        summary: None,
        severity: Severity::Medium,
        last_value: 12.0,
        threshold: 10.0,
        fired_at: Some(at),
        resolved_at: None,
    }
}

fn sample_digest(id: NotificationId) -> DigestNews {
    DigestNews {
        digest_id: id,
        incidents: vec![(Severity::High, 2)],
        alerts: vec![("failed_sign_ins".to_owned(), true, 1)],
        lines: vec![(
            Severity::High,
            "Test: nothing happened".to_owned(),
            "test-endpoint".to_owned(),
        )],
        total: 3,
    }
}

fn of_digest(claimed: &ClaimedNotification, digest: &DigestNews, console: &str) -> Letter {
    let is_over = claimed.cause == NotificationCause::IncidentClosed;
    let incidents: i64 = digest.incidents.iter().map(|(_, count)| count).sum();
    let mut sentences = Vec::new();
    if incidents > 0 {
        let severities: Vec<String> = digest
            .incidents
            .iter()
            .map(|(severity, count)| format!("{count} {severity}"))
            .collect();
        let noun = if incidents == 1 { "incident" } else { "incidents" };
        sentences.push(format!("{incidents} more {noun}: {}", severities.join(", ")));
    }
    for (kind, fires, count) in &digest.alerts {
        let verb = match (*fires, is_over) {
            (true, true) => "was firing",
            (true, false) => "is firing",
            (false, _) => "is over",
        };
        sentences.push(format!(
            "alert {} {verb} for {count} subjects",
            kind.replace('_', " ")
        ));
    }
    let mut title = capitalise(&sentences.join("; "));
    if is_over {
        title = format!("Over: {title}");
    }
    let facts = digest.lines.iter().map(|(severity, what, place)| {
        let label = match severity {
            Severity::Low => "Low",
            Severity::Medium => "Medium",
            Severity::High => "High",
            Severity::Critical => "Critical",
        };
        (label, clean(&format!("{what} ({place})")))
    });
    Letter {
        id: claimed.notification_id,
        kind: if is_over { "digest.closed" } else { "digest" },
        title: vec![Part::Words(title)],
        severity: claimed.severity,
        at: claimed.created_at,
        facts: facts.collect(),
        url: if incidents > 0 {
            format!("{console}/threats")
        } else {
            format!("{console}/monitoring/notifications")
        },
        thing: format!("digest/{}", digest.digest_id),
        is_over,
        data: json!({ "digest": {
            "total": digest.total,
            "incidents": digest.incidents.iter().map(|(severity, count)| json!({ "severity": severity, "count": count })).collect::<Vec<_>>(),
            "alerts": digest.alerts.iter()
                .map(|(kind, fires, count)| json!({ "kind": kind, "firing": fires, "count": count })).collect::<Vec<_>>(),
            "some": digest.lines.iter()
                .map(|(severity, what, place)| json!({ "severity": severity, "title": what, "subject": place })).collect::<Vec<_>>(),
        } }),
    }
}

/// One line of at most some hundred characters: no control character, no other separator of lines, nothing that turns the direction of text
/// (Unicode Standard Annex 9) or is not to be seen.
pub(crate) fn clean(text: &str) -> String {
    let is_odd = |c: char| {
        c.is_control()
            || matches!(c, '\u{2028}' | '\u{2029}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
    };
    let spaced: String = text.chars().map(|c| if is_odd(c) { ' ' } else { c }).collect();
    let line = spaced.split_whitespace().collect::<Vec<_>>().join(" ");
    if line.chars().count() <= VALUE_CHARS {
        return line;
    }
    let mut short: String = line.chars().take(VALUE_CHARS - 1).collect();
    short.push('…');
    short
}

fn capitalise(text: &str) -> String {
    let mut chars = text.chars();
    chars
        .next()
        .map(|first| first.to_uppercase().chain(chars).collect())
        .unwrap_or_default()
}

pub(super) fn format_time(at: DateTime<Utc>) -> String {
    at.format("%Y-%m-%d %H:%M:%S UTC").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_one_line_that_shows_everything_in_it() {
        assert_eq!(clean("a\r\nBcc: x\0\u{2028}b\u{202e}c\u{7}\td"), "a Bcc: x b c d");
        assert_eq!(clean(&"x".repeat(1_000)).chars().count(), VALUE_CHARS);
        assert_eq!(clean("Zoë · 東京"), "Zoë · 東京");
        assert_eq!(capitalise("élan"), "Élan");
    }
}
