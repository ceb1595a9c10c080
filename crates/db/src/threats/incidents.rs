//! Incidents as they are shown.

use sg_types::{
    AgentId, FindingId, IncidentStatus, Severity, ThreatId, UserId,
    api::threats::{FindingView, IncidentDetail, IncidentView, TimelineEntry},
};
use sqlx::{Postgres, QueryBuilder, Row, postgres::PgRow};
use uuid::Uuid;

use crate::{DbError, Reads, users::After};

/// Entries of the timeline and findings that a detail shows at most, the newest.
const MAX_DETAIL_ROWS: i64 = 1_000;

/// Which incidents to list.
#[derive(Debug, Clone, Default)]
pub struct IncidentFilter {
    /// Only these statuses; all when empty.
    pub statuses: Vec<IncidentStatus>,
    /// Only these severities; all when empty.
    pub severities: Vec<Severity>,
    /// Only those of this endpoint.
    pub agent_id: Option<AgentId>,
    /// Only those that this person works on.
    pub assigned_to: Option<UserId>,
    /// Only those with this text in title, description, path, process, command line, hash or host name, in any case.
    pub search: Option<String>,
}

/// What is stored of an incident, of a table or a page by the name `i`.
const STORED_COLUMNS: &str = "i.threat_id, i.agent_id, i.threat_type, i.severity, i.status, i.title, i.description, i.file_path,
    i.process_name, i.command_line, i.hash, i.detection_engine, i.confidence_score, i.false_positive_likelihood, i.occurrence_count,
    i.assigned_to, i.resolved_by, i.resolution_notes, i.detected_at, i.last_detected_at, i.resolved_at, i.updated_at";
/// What is shown. Names are looked up for each row by itself: the planner cannot know how many rows a tenant has, and joins the wrong way round.
pub(crate) const INCIDENT_COLUMNS: &str = "i.threat_id, i.agent_id,
    (select e.hostname from agents.endpoints e where e.agent_id = i.agent_id) as hostname, i.threat_type, i.severity, i.status, i.title,
    i.description, i.file_path, i.process_name, i.command_line, i.hash, i.detection_engine, i.confidence_score::float8 as confidence_score,
    i.false_positive_likelihood::float8 as false_positive_likelihood, i.occurrence_count, i.assigned_to,
    (select a.username from users.users a where a.user_id = i.assigned_to) as assigned_to_username, i.resolved_by,
    (select r.username from users.users r where r.user_id = i.resolved_by) as resolved_by_username, i.resolution_notes, i.detected_at,
    i.last_detected_at, i.resolved_at, i.updated_at,
    (select count(*) from threats.findings f where f.threat_id = i.threat_id) as finding_count";
pub(crate) const INCIDENT_TABLE: &str = " from threats.incidents i";

/// The incidents of the caller's tenant (and scope), newest first, at most `limit` after `after`.
///
/// # Errors
/// What a query may meet.
pub async fn list_incidents(
    tx: &mut impl Reads,
    filter: &IncidentFilter,
    after: Option<After>,
    limit: u32,
) -> Result<Vec<IncidentView>, DbError> {
    let mut query = QueryBuilder::<Postgres>::new("with page as (");
    push_page(&mut query, filter, after, limit);
    query
        .push(") select ")
        .push(INCIDENT_COLUMNS)
        .push(" from page i");
    query
        .push(" order by i.detected_at desc, i.threat_id desc")
        .build()
        .fetch_all(tx.conn())
        .await?
        .iter()
        .map(read_incident)
        .collect()
}

/// An incident with its findings and its timeline; none when the caller's tenant (and scope) has no such one.
///
/// # Errors
/// What a query may meet.
pub async fn find_incident(
    tx: &mut impl Reads,
    threat_id: ThreatId,
) -> Result<Option<IncidentDetail>, DbError> {
    let mut query = QueryBuilder::<Postgres>::new("select ");
    query
        .push(INCIDENT_COLUMNS)
        .push(INCIDENT_TABLE)
        .push(" where i.threat_id = ")
        .push_bind(Uuid::from(threat_id));
    let Some(row) = query.build().fetch_optional(tx.conn()).await? else {
        return Ok(None);
    };
    Ok(Some(IncidentDetail {
        incident: read_incident(&row)?,
        findings: list_findings(tx, threat_id).await?,
        timeline: list_timeline(tx, threat_id).await?,
    }))
}

/// The rows of a page. Each status, else each severity, is a list of its own that an index keeps in the order of time: however many incidents a
/// tenant has closed, the open ones are found at once.
fn push_page(query: &mut QueryBuilder<Postgres>, filter: &IncidentFilter, after: Option<After>, limit: u32) {
    let one_index = filter.agent_id.is_some() || filter.assigned_to.is_some();
    let statuses: Vec<String> = filter.statuses.iter().map(ToString::to_string).collect();
    let severities: Vec<String> = filter.severities.iter().map(ToString::to_string).collect();
    let (lists, column, words) = if one_index {
        (vec![None], "", [("status", statuses), ("severity", severities)])
    } else if statuses.is_empty() {
        let lists = severities.iter().cloned().map(Some).collect();
        (
            lists,
            "severity",
            [("status", Vec::new()), ("severity", Vec::new())],
        )
    } else {
        let lists = statuses.iter().cloned().map(Some).collect();
        (
            lists,
            "status",
            [("status", Vec::new()), ("severity", severities)],
        )
    };
    let lists: Vec<Option<String>> = if lists.is_empty() { vec![None] } else { lists };
    let several = lists.len() > 1;
    for (place, list) in lists.into_iter().enumerate() {
        query.push(if place > 0 { " union all (" } else { "(" });
        query
            .push("select ")
            .push(STORED_COLUMNS)
            .push(INCIDENT_TABLE)
            .push(" where true");
        if let Some(word) = list {
            query.push(" and i.").push(column).push(" = ").push_bind(word);
        }
        for (name, words) in &words {
            if !words.is_empty() {
                query.push(" and i.").push(*name).push(" = any(");
                query.push_bind(words.clone()).push(")");
            }
        }
        push_conditions(query, filter, after);
        query.push(" order by i.detected_at desc, i.threat_id desc limit ");
        query.push_bind(i64::from(limit)).push(")");
    }
    if several {
        query
            .push(" order by detected_at desc, threat_id desc limit ")
            .push_bind(i64::from(limit));
    }
}

fn push_conditions(query: &mut QueryBuilder<Postgres>, filter: &IncidentFilter, after: Option<After>) {
    if let Some(agent_id) = filter.agent_id {
        query.push(" and i.agent_id = ").push_bind(Uuid::from(agent_id));
    }
    if let Some(user_id) = filter.assigned_to {
        query.push(" and i.assigned_to = ").push_bind(Uuid::from(user_id));
    }
    if let Some(text) = &filter.search {
        let pattern = like_pattern(text);
        query.push(
            " and (concat_ws(chr(10), i.title, i.description, i.file_path, i.process_name, i.command_line, i.hash,
                (select e.hostname from agents.endpoints e where e.agent_id = i.agent_id)) ilike ",
        );
        query.push_bind(pattern).push(")");
    }
    if let Some(after) = after {
        query
            .push(" and (i.detected_at, i.threat_id) < (")
            .push_bind(after.at)
            .push(", ")
            .push_bind(after.id)
            .push(")");
    }
}

pub(crate) fn read_incident(row: &PgRow) -> Result<IncidentView, DbError> {
    // A database that was built earlier may hold an engine's name of its own.
    let engine: Option<String> = row.try_get("detection_engine")?;
    Ok(IncidentView {
        threat_id: ThreatId(row.try_get("threat_id")?),
        agent_id: row.try_get::<Option<Uuid>, _>("agent_id")?.map(AgentId),
        hostname: row.try_get("hostname")?,
        threat_type: row.try_get("threat_type")?,
        severity: row.try_get::<String, _>("severity")?.parse()?,
        status: row.try_get::<String, _>("status")?.parse()?,
        title: row.try_get("title")?,
        description: row.try_get("description")?,
        file_path: row.try_get("file_path")?,
        process_name: row.try_get("process_name")?,
        command_line: row.try_get("command_line")?,
        hash: row.try_get("hash")?,
        detection_engine: engine.and_then(|word| word.parse().ok()),
        confidence_score: row.try_get("confidence_score")?,
        false_positive_likelihood: row.try_get("false_positive_likelihood")?,
        finding_count: row.try_get("finding_count")?,
        occurrence_count: row.try_get("occurrence_count")?,
        assigned_to: row.try_get::<Option<Uuid>, _>("assigned_to")?.map(UserId),
        assigned_to_username: row.try_get("assigned_to_username")?,
        resolved_by: row.try_get::<Option<Uuid>, _>("resolved_by")?.map(UserId),
        resolved_by_username: row.try_get("resolved_by_username")?,
        resolution_notes: row.try_get("resolution_notes")?,
        detected_at: row.try_get("detected_at")?,
        last_detected_at: row.try_get("last_detected_at")?,
        resolved_at: row.try_get("resolved_at")?,
        updated_at: row.try_get("updated_at")?,
    })
}

/// A pattern for `ilike` that finds the text wherever it stands, its own wildcards taken literally.
fn like_pattern(text: &str) -> String {
    let escaped: String = text
        .chars()
        .flat_map(|c| {
            matches!(c, '%' | '_' | '\\')
                .then_some('\\')
                .into_iter()
                .chain([c])
        })
        .collect();
    format!("%{escaped}%")
}

async fn list_findings(tx: &mut impl Reads, threat_id: ThreatId) -> Result<Vec<FindingView>, DbError> {
    let rows = sqlx::query(
        "select finding_id, rule_id, rule_name, engine, severity, confidence::float8 as confidence, tags, explanation, evidence, subject,
            occurrence_count, first_seen_at, last_seen_at
         from threats.findings where threat_id = $1 order by first_seen_at, finding_id limit $2",
    )
    .bind(Uuid::from(threat_id))
    .bind(MAX_DETAIL_ROWS)
    .fetch_all(tx.conn())
    .await?;
    rows.into_iter()
        .map(|row| {
            Ok(FindingView {
                finding_id: FindingId(row.try_get("finding_id")?),
                rule_id: row.try_get("rule_id")?,
                rule_name: row.try_get("rule_name")?,
                engine: row.try_get::<String, _>("engine")?.parse()?,
                severity: row.try_get::<String, _>("severity")?.parse()?,
                confidence: row.try_get("confidence")?,
                tags: row.try_get("tags")?,
                explanation: row.try_get("explanation")?,
                evidence: row.try_get("evidence")?,
                subject: row.try_get("subject")?,
                occurrence_count: row.try_get("occurrence_count")?,
                first_seen_at: row.try_get("first_seen_at")?,
                last_seen_at: row.try_get("last_seen_at")?,
            })
        })
        .collect()
}

async fn list_timeline(tx: &mut impl Reads, threat_id: ThreatId) -> Result<Vec<TimelineEntry>, DbError> {
    let rows = sqlx::query(
        "select t.at, t.kind, t.actor_name, t.summary, t.detail
         from (
            select at, entry_id, kind, actor_name, summary, detail
            from threats.incident_timeline where threat_id = $1
            order by at desc, entry_id desc
            limit $2
         ) t
         order by t.at, t.entry_id",
    )
    .bind(Uuid::from(threat_id))
    .bind(MAX_DETAIL_ROWS)
    .fetch_all(tx.conn())
    .await?;
    rows.into_iter()
        .map(|row| {
            Ok(TimelineEntry {
                at: row.try_get("at")?,
                kind: row.try_get("kind")?,
                actor: row.try_get("actor_name")?,
                summary: row.try_get("summary")?,
                detail: row.try_get("detail")?,
            })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::like_pattern;

    #[test]
    fn a_search_text_is_no_pattern() {
        assert_eq!(like_pattern(r"50%_a\b"), r"%50\%\_a\\b%");
    }
}
