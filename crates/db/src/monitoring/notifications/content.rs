//! What a notification tells, as it is when it is sent.

use chrono::{DateTime, Utc};
use sg_types::api::notifications::NotificationCause;
use sg_types::{AgentId, AlertId, AlertRuleId, IncidentStatus, NotificationId, Severity, ThreatId};
use sqlx::{Row, postgres::PgRow};
use uuid::Uuid;

use super::{ClaimedNotification, keeps_open};
use crate::{DbError, Reads};

/// Lines that a digest lists.
const DIGEST_LINES: i64 = 10;

/// What a notification tells.
#[derive(Debug, Clone)]
pub enum Content {
    /// Of an incident.
    Incident(IncidentSummary),
    /// Of an alert.
    Alert(AlertNews),
    /// Of several.
    Digest(DigestNews),
    /// Nothing: somebody tries the channel.
    Test,
}

/// An incident. Text from the endpoint is as the endpoint sent it.
#[derive(Debug, Clone)]
pub struct IncidentSummary {
    /// The incident.
    pub threat_id: ThreatId,
    /// Its title.
    pub title: String,
    /// Its severity.
    pub severity: Severity,
    /// Where it stands.
    pub status: IncidentStatus,
    /// The endpoint.
    pub agent_id: AgentId,
    /// Its name.
    pub hostname: String,
    /// When it was found first.
    pub detected_at: DateTime<Utc>,
    /// The rules that matched: id and name.
    pub rules: Vec<(String, String)>,
    /// Their tags.
    pub tags: Vec<String>,
}

/// An alert.
#[derive(Debug, Clone)]
pub struct AlertNews {
    /// The alert.
    pub alert_id: AlertId,
    /// Its rule, which with the subject is the same each time it fires.
    pub rule_id: AlertRuleId,
    /// What its rule watches.
    pub kind: String,
    /// What it is about.
    pub subject: String,
    /// The endpoint, where it is about one.
    pub agent_id: Option<AgentId>,
    /// What is the matter, in one line.
    pub summary: Option<String>,
    /// The rule's severity.
    pub severity: Severity,
    /// The figure when it was found last.
    pub last_value: f64,
    /// The rule's threshold.
    pub threshold: f64,
    /// When it began to fire.
    pub fired_at: Option<DateTime<Utc>>,
    /// When it was over.
    pub resolved_at: Option<DateTime<Utc>>,
}

/// Several at once.
#[derive(Debug, Clone)]
pub struct DigestNews {
    /// The digest.
    pub digest_id: NotificationId,
    /// How many incidents by severity, the most severe first.
    pub incidents: Vec<(Severity, i64)>,
    /// How many alerts by what their rules watch and whether they fire.
    pub alerts: Vec<(String, bool, i64)>,
    /// Some of them: severity, what it is, where.
    pub lines: Vec<(Severity, String, String)>,
    /// How many it tells of.
    pub total: i64,
}

/// Reads what a notification tells; none when that is gone.
///
/// # Errors
/// As every query.
pub async fn read_content(
    tx: &mut impl Reads,
    claimed: &ClaimedNotification,
) -> Result<Option<Content>, DbError> {
    if claimed.cause == NotificationCause::Test {
        return Ok(Some(Content::Test));
    }
    if let Some(threat_id) = claimed.threat_id {
        return Ok(read_incident(tx, claimed, threat_id)
            .await?
            .map(Content::Incident));
    }
    if let Some(alert_id) = claimed.alert_id {
        return Ok(read_alert(tx, claimed, alert_id).await?.map(Content::Alert));
    }
    let digest_id = claimed.digest_id.unwrap_or(claimed.notification_id);
    Ok(Some(Content::Digest(read_digest(tx, claimed, digest_id).await?)))
}

async fn read_incident(
    tx: &mut impl Reads,
    claimed: &ClaimedNotification,
    threat_id: ThreatId,
) -> Result<Option<IncidentSummary>, DbError> {
    let row = sqlx::query(
        "select i.threat_id, i.title, i.severity, i.status, i.agent_id, e.hostname, i.detected_at, f.ids, f.names, f.tags
         from threats.incidents i
         join agents.endpoints e on e.tenant_id = i.tenant_id and e.agent_id = i.agent_id
         cross join lateral (
            select coalesce(array_agg(r.rule_id), '{}') as ids, coalesce(array_agg(r.rule_name), '{}') as names,
                (select coalesce(array_agg(distinct t.tag), '{}') from threats.findings g cross join lateral unnest(g.tags) as t (tag)
                    where g.tenant_id = i.tenant_id and g.threat_id = i.threat_id) as tags
            from (select f.rule_id, min(f.rule_name) as rule_name from threats.findings f
                where f.tenant_id = i.tenant_id and f.threat_id = i.threat_id
                group by f.rule_id order by min(f.first_seen_at), f.rule_id limit 10) r) f
         where i.tenant_id = $1 and i.threat_id = $2",
    )
    .bind(claimed.tenant_id().0)
    .bind(threat_id.0)
    .fetch_optional(tx.conn())
    .await?;
    row.as_ref().map(incident).transpose()
}

fn incident(row: &PgRow) -> Result<IncidentSummary, DbError> {
    let (ids, names): (Vec<String>, Vec<String>) = (row.try_get("ids")?, row.try_get("names")?);
    Ok(IncidentSummary {
        threat_id: ThreatId(row.try_get("threat_id")?),
        title: row.try_get("title")?,
        severity: row.try_get::<String, _>("severity")?.parse()?,
        status: row.try_get::<String, _>("status")?.parse()?,
        agent_id: AgentId(row.try_get("agent_id")?),
        hostname: row.try_get("hostname")?,
        detected_at: row.try_get("detected_at")?,
        rules: ids.into_iter().zip(names).collect(),
        tags: row.try_get("tags")?,
    })
}

async fn read_alert(
    tx: &mut impl Reads,
    claimed: &ClaimedNotification,
    alert_id: AlertId,
) -> Result<Option<AlertNews>, DbError> {
    let row = sqlx::query(
        "select a.alert_id, a.rule_id, r.kind, a.subject, a.agent_id, a.summary, r.severity, a.last_value::float8 as last_value, r.threshold::float8 as threshold, a.fired_at,
            a.resolved_at
         from monitoring.alerts a join monitoring.alert_rules r on r.tenant_id = a.tenant_id and r.rule_id = a.rule_id
         where a.tenant_id = $1 and a.alert_id = $2",
    )
    .bind(claimed.tenant_id().0)
    .bind(alert_id.0)
    .fetch_optional(tx.conn())
    .await?;
    let Some(row) = row else { return Ok(None) };
    Ok(Some(AlertNews {
        alert_id: AlertId(row.try_get("alert_id")?),
        rule_id: AlertRuleId(row.try_get("rule_id")?),
        kind: row.try_get("kind")?,
        subject: row.try_get("subject")?,
        agent_id: row.try_get::<Option<Uuid>, _>("agent_id")?.map(AgentId),
        summary: row.try_get("summary")?,
        severity: row.try_get::<String, _>("severity")?.parse()?,
        last_value: row.try_get("last_value")?,
        threshold: row.try_get("threshold")?,
        fired_at: row.try_get("fired_at")?,
        resolved_at: row.try_get("resolved_at")?,
    }))
}

async fn read_digest(
    tx: &mut impl Reads,
    claimed: &ClaimedNotification,
    digest_id: NotificationId,
) -> Result<DigestNews, DbError> {
    let rows = sqlx::query(
        "with member as materialized (
            select n.notification_id, n.severity, n.created_at, n.cause, n.threat_id, i.title, e.hostname, r.kind, l.subject
            from monitoring.notifications n
            left join threats.incidents i on i.tenant_id = n.tenant_id and i.threat_id = n.threat_id
            left join agents.endpoints e on e.tenant_id = i.tenant_id and e.agent_id = i.agent_id
            left join monitoring.alerts l on l.tenant_id = n.tenant_id and l.alert_id = n.alert_id
            left join monitoring.alert_rules r on r.tenant_id = l.tenant_id and r.rule_id = l.rule_id
            where n.tenant_id = $1 and n.digest_id = $2 and n.outcome = 'merged'
                and (not $4 or n.cause in ('alert_firing', 'alert_waiting')))
         select 'incidents' as part, m.severity, null::text as kind, false as fires, null::text as what, null::text as place,
            count(distinct m.threat_id) as count, monitoring.severity_rank(m.severity) as rank
         from member m where m.threat_id is not null group by m.severity
         union all
         select 'alerts', 'low', m.kind, m.cause <> 'alert_resolved', null, null, count(*), 0 from member m
         where m.kind is not null group by m.kind, m.cause <> 'alert_resolved'
         union all
         (select 'line', m.severity, null, false, coalesce(m.title, m.kind), coalesce(m.hostname, m.subject, ''), 1,
            monitoring.severity_rank(m.severity)
          from member m where coalesce(m.title, m.kind) is not null
          order by monitoring.severity_rank(m.severity) desc, m.created_at, m.notification_id limit $3)
         order by rank desc",
    )
    .bind(claimed.tenant_id().0)
    .bind(digest_id.0)
    .bind(DIGEST_LINES)
    // Who keeps nothing open hears of the end of alerts alone.
    .bind(claimed.digest_id.is_some() && !keeps_open(claimed.channel.settings.kind()))
    .fetch_all(tx.conn())
    .await?;
    let mut news = DigestNews {
        digest_id,
        incidents: Vec::new(),
        alerts: Vec::new(),
        lines: Vec::new(),
        total: 0,
    };
    for row in &rows {
        let severity: Severity = row.try_get::<String, _>("severity")?.parse()?;
        let count: i64 = row.try_get("count")?;
        match row.try_get::<String, _>("part")?.as_str() {
            "incidents" => news.incidents.push((severity, count)),
            "alerts" => news
                .alerts
                .push((row.try_get("kind")?, row.try_get("fires")?, count)),
            _ => {
                news.lines
                    .push((severity, row.try_get("what")?, row.try_get("place")?));
                continue;
            }
        }
        news.total += count;
    }
    Ok(news)
}

/// The id of what a message is about, where it is one thing.
impl Content {
    /// The incident or alert.
    pub fn id(&self) -> Option<Uuid> {
        match self {
            Self::Incident(incident) => Some(incident.threat_id.0),
            Self::Alert(alert) => Some(alert.alert_id.0),
            Self::Digest(_) | Self::Test => None,
        }
    }
}
