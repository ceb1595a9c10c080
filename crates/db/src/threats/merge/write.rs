//! One statement for each table. The rows travel as one JSON array, which findings are rare enough for.

use chrono::{DateTime, Utc};
use serde::Serialize;
use serde_json::{Value, json};
use sg_types::agent::{Finding, Subject};
use sqlx::PgConnection;

use super::{
    assign::{Drafts, IncidentDraft},
    subject,
};
use crate::{DbError, agents::ingest::PlacedFinding};

pub(super) async fn write_all(
    conn: &mut PgConnection,
    drafts: &Drafts<'_>,
    at: DateTime<Utc>,
) -> Result<(), DbError> {
    insert_incidents(conn, drafts).await?;
    update_incidents(conn, drafts).await?;
    upsert_findings(conn, drafts).await?;
    insert_occurrences(conn, drafts, at).await?;
    upsert_subjects(conn, drafts).await?;
    insert_timeline(conn, drafts).await
}

async fn insert_incidents(conn: &mut PgConnection, drafts: &Drafts<'_>) -> Result<(), DbError> {
    let rows: Vec<Value> = drafts
        .incidents
        .iter()
        .filter_map(|(threat_id, draft)| {
            let opened_by = draft.opened_by?;
            let mut row = describe(opened_by);
            add_figures(&mut row, draft);
            row["threat_id"] = json!(threat_id);
            Some(row)
        })
        .collect();
    execute(
        conn,
        "insert into threats.incidents (threat_id, tenant_id, agent_id, threat_type, severity, status, title, description, file_path,
            process_name, command_line, hash, detection_engine, confidence_score, false_positive_likelihood, detected_at,
            last_detected_at, occurrence_count)
         select n.threat_id, n.tenant_id, n.agent_id, n.threat_type, n.severity, 'new', n.title, n.description, n.file_path,
            n.process_name, n.command_line, n.hash, n.detection_engine, round(n.confidence, 2), round(n.false_positive, 2), n.detected_at,
            n.last_detected_at, n.occurrences
         from jsonb_to_recordset($1) as n (threat_id uuid, tenant_id uuid, agent_id uuid, threat_type text, severity text, title text,
            description text, file_path text, process_name text, command_line text, hash text, detection_engine text, confidence numeric,
            false_positive numeric, detected_at timestamptz, last_detected_at timestamptz, occurrences bigint)",
        rows,
    )
    .await
}

async fn update_incidents(conn: &mut PgConnection, drafts: &Drafts<'_>) -> Result<(), DbError> {
    let rows: Vec<Value> = drafts
        .incidents
        .iter()
        .filter(|(_, draft)| draft.opened_by.is_none())
        .map(|(threat_id, draft)| {
            let mut row = json!({ "threat_id": threat_id });
            add_figures(&mut row, draft);
            row
        })
        .collect();
    execute(
        conn,
        "update threats.incidents i
         set severity = n.severity, hash = coalesce(i.hash, n.hash), occurrence_count = i.occurrence_count + n.occurrences,
            confidence_score = coalesce(round(n.confidence, 2), i.confidence_score),
            false_positive_likelihood = coalesce(round(n.false_positive, 2), i.false_positive_likelihood),
            detected_at = least(i.detected_at, n.detected_at), last_detected_at = greatest(i.last_detected_at, n.last_detected_at)
         from jsonb_to_recordset($1) as n (threat_id uuid, severity text, hash text, occurrences bigint, confidence numeric,
            false_positive numeric, detected_at timestamptz, last_detected_at timestamptz)
         where i.threat_id = n.threat_id",
        rows,
    )
    .await
}

async fn upsert_findings(conn: &mut PgConnection, drafts: &Drafts<'_>) -> Result<(), DbError> {
    let rows: Vec<Value> = drafts
        .findings
        .iter()
        .map(|((threat_id, fingerprint), draft)| {
            let finding = &draft.placed.finding;
            json!({
                "finding_id": draft.finding_id, "tenant_id": draft.placed.tenant_id, "threat_id": threat_id,
                "agent_id": draft.placed.agent_id, "rule_id": finding.rule_id, "rule_name": finding.rule_name, "engine": finding.engine,
                "severity": finding.severity, "confidence": finding.confidence, "tags": finding.tags,
                "explanation": finding.explanation, "evidence": finding.evidence, "subject": finding.subject,
                "fingerprint": fingerprint, "occurrences": draft.occurrences, "first_seen_at": draft.first_seen_at,
                "last_seen_at": draft.last_seen_at,
            })
        })
        .collect();
    execute(
        conn,
        "insert into threats.findings (finding_id, tenant_id, threat_id, agent_id, rule_id, rule_name, engine, severity, confidence, tags,
            explanation, evidence, subject, fingerprint, occurrence_count, first_seen_at, last_seen_at)
         select n.finding_id, n.tenant_id, n.threat_id, n.agent_id, n.rule_id, n.rule_name, n.engine, n.severity, round(n.confidence, 2),
            array(select jsonb_array_elements_text(n.tags)), n.explanation, n.evidence, n.subject, n.fingerprint, n.occurrences,
            n.first_seen_at, n.last_seen_at
         from jsonb_to_recordset($1) as n (finding_id uuid, tenant_id uuid, threat_id uuid, agent_id uuid, rule_id text, rule_name text,
            engine text, severity text, confidence numeric, tags jsonb, explanation text, evidence jsonb, subject jsonb, fingerprint text,
            occurrences bigint, first_seen_at timestamptz, last_seen_at timestamptz)
         on conflict (threat_id, fingerprint) do update set
            occurrence_count = findings.occurrence_count + excluded.occurrence_count,
            first_seen_at = least(findings.first_seen_at, excluded.first_seen_at),
            last_seen_at = greatest(findings.last_seen_at, excluded.last_seen_at)",
        rows,
    )
    .await
}

async fn insert_occurrences(
    conn: &mut PgConnection,
    drafts: &Drafts<'_>,
    at: DateTime<Utc>,
) -> Result<(), DbError> {
    let rows = drafts
        .occurrences
        .iter()
        .map(|(occurrence_id, finding_id, tenant_id, occurred_at)| {
            json!({
                "occurrence_id": occurrence_id, "finding_id": finding_id, "tenant_id": tenant_id, "occurred_at": occurred_at,
                "received_at": at,
            })
        })
        .collect();
    execute(
        conn,
        "insert into threats.occurrences (occurrence_id, tenant_id, finding_id, occurred_at, received_at)
         select n.occurrence_id, n.tenant_id, n.finding_id, n.occurred_at, n.received_at
         from jsonb_to_recordset($1) as n (occurrence_id uuid, tenant_id uuid, finding_id uuid, occurred_at timestamptz,
            received_at timestamptz)",
        rows,
    )
    .await
}

async fn upsert_subjects(conn: &mut PgConnection, drafts: &Drafts<'_>) -> Result<(), DbError> {
    let rows = drafts
        .subjects
        .iter()
        .map(|((agent_id, key), (tenant_id, threat_id, last_seen_at))| {
            json!({
                "tenant_id": tenant_id, "agent_id": agent_id, "subject_key": key, "threat_id": threat_id, "last_seen_at": last_seen_at,
            })
        })
        .collect();
    execute(
        conn,
        "insert into threats.incident_subjects (tenant_id, agent_id, subject_key, threat_id, last_seen_at)
         select n.tenant_id, n.agent_id, n.subject_key, n.threat_id, n.last_seen_at
         from jsonb_to_recordset($1) as n (tenant_id uuid, agent_id uuid, subject_key text, threat_id uuid, last_seen_at timestamptz)
         on conflict (tenant_id, agent_id, subject_key) do update set
            threat_id = excluded.threat_id, last_seen_at = excluded.last_seen_at",
        rows,
    )
    .await
}

async fn insert_timeline(conn: &mut PgConnection, drafts: &Drafts<'_>) -> Result<(), DbError> {
    let rows = drafts
        .timeline
        .iter()
        .map(|entry| {
            json!({
                "entry_id": entry.entry_id, "tenant_id": entry.tenant_id, "threat_id": entry.threat_id, "at": entry.at,
                "kind": entry.kind, "summary": entry.summary, "detail": entry.detail,
            })
        })
        .collect();
    execute(
        conn,
        "insert into threats.incident_timeline (entry_id, tenant_id, threat_id, at, kind, summary, detail)
         select n.entry_id, n.tenant_id, n.threat_id, n.at, n.kind, n.summary, n.detail
         from jsonb_to_recordset($1) as n (entry_id uuid, tenant_id uuid, threat_id uuid, at timestamptz, kind text, summary text,
            detail jsonb)",
        rows,
    )
    .await
}

/// What the first finding says of an incident.
fn describe(opened_by: &PlacedFinding) -> Value {
    let finding = &opened_by.finding;
    let mut row = json!({
        "tenant_id": opened_by.tenant_id, "agent_id": opened_by.agent_id, "threat_type": finding.threat_type,
        "title": subject::title(finding), "description": finding.explanation, "detection_engine": finding.engine,
    });
    add_subject(&mut row, finding);
    row
}

fn add_subject(row: &mut Value, finding: &Finding) {
    match &finding.subject {
        Subject::File(file) => row["file_path"] = json!(file.path),
        Subject::Process(process) => {
            row["process_name"] = json!(process.name);
            row["command_line"] = json!(process.command_line);
            row["file_path"] = json!(process.image);
        }
        Subject::Endpoint => {}
    }
}

fn add_figures(row: &mut Value, draft: &IncidentDraft<'_>) {
    #[derive(Serialize)]
    struct Figures<'a> {
        severity: &'a str,
        occurrences: i64,
        detected_at: DateTime<Utc>,
        last_detected_at: DateTime<Utc>,
        confidence: Option<f64>,
        false_positive: Option<f64>,
        hash: Option<&'a str>,
    }
    let figures = Figures {
        severity: draft.severity.as_str(),
        occurrences: draft.occurrences,
        detected_at: draft.detected_at,
        last_detected_at: draft.last_detected_at,
        confidence: draft.score.map(|score| score.confidence),
        false_positive: draft.score.map(|score| score.false_positive),
        hash: draft.hash,
    };
    if let (Value::Object(row), Ok(Value::Object(figures))) = (row, serde_json::to_value(&figures)) {
        row.extend(figures);
    }
}

async fn execute(conn: &mut PgConnection, statement: &'static str, rows: Vec<Value>) -> Result<(), DbError> {
    if rows.is_empty() {
        return Ok(());
    }
    sqlx::query(statement)
        .bind(Value::Array(rows))
        .execute(conn)
        .await?;
    Ok(())
}
