//! Findings that an exception of their tenant hides.

use std::collections::{BTreeMap, HashMap};

use chrono::{DateTime, NaiveDate, Utc};
use serde_json::json;
use sg_types::{AgentId, TenantId};
use sqlx::{PgConnection, Row, types::Json};
use uuid::Uuid;

use super::subject;
use crate::{DbError, agents::ingest::PlacedFinding};

/// What is counted up together.
type Key = (TenantId, Uuid, AgentId, String, NaiveDate);

struct Hidden<'a> {
    placed: &'a PlacedFinding,
    occurrences: i64,
    first_seen_at: DateTime<Utc>,
    last_seen_at: DateTime<Utc>,
}

/// Counts those that an exception hides, and returns the others. An exception counts at the time at which a match arrives.
pub(super) async fn hide<'a>(
    conn: &mut PgConnection,
    new: Vec<&'a PlacedFinding>,
    at: DateTime<Utc>,
) -> Result<Vec<&'a PlacedFinding>, DbError> {
    let hiding = find_hiding(conn, &new, at).await?;
    if hiding.is_empty() {
        return Ok(new);
    }
    let mut hidden: BTreeMap<Key, Hidden<'a>> = BTreeMap::new();
    let mut left = Vec::new();
    for (number, placed) in (0_i32..).zip(new) {
        let Some(exception_id) = hiding.get(&number) else {
            left.push(placed);
            continue;
        };
        let fingerprint = subject::keys(&placed.finding).fingerprint;
        let key = (
            placed.tenant_id,
            *exception_id,
            placed.agent_id,
            fingerprint,
            placed.at.date_naive(),
        );
        let entry = hidden.entry(key).or_insert(Hidden {
            placed,
            occurrences: 0,
            first_seen_at: placed.at,
            last_seen_at: placed.at,
        });
        entry.occurrences += 1;
        entry.first_seen_at = entry.first_seen_at.min(placed.at);
        entry.last_seen_at = entry.last_seen_at.max(placed.at);
    }
    count(conn, &hidden).await?;
    Ok(left)
}

/// The exception that hides each finding, by the finding's position.
async fn find_hiding(
    conn: &mut PgConnection,
    new: &[&PlacedFinding],
    at: DateTime<Utc>,
) -> Result<HashMap<i32, Uuid>, DbError> {
    let rows: Vec<_> = (0_i32..)
        .zip(new)
        .map(|(number, placed)| {
            json!({
                "number": number,
                "tenant_id": placed.tenant_id,
                "agent_id": placed.agent_id,
                "rule_id": placed.finding.rule_id,
                "subject": placed.finding.subject,
            })
        })
        .collect();
    let rows = sqlx::query(
        "select distinct on (n.number) n.number, e.exception_id
         from jsonb_to_recordset($1) as n (number integer, tenant_id uuid, agent_id uuid, rule_id text, subject jsonb)
         join threats.exceptions e on e.tenant_id = n.tenant_id
         where e.ended_at is null and (e.expires_at is null or e.expires_at > $2)
            and (e.rule_id is null or e.rule_id = n.rule_id) and (e.agent_id is null or e.agent_id = n.agent_id)
            and threats.excepts(e.conditions, n.subject)
         order by n.number, e.created_at, e.exception_id",
    )
    .bind(Json(rows))
    .bind(at)
    .fetch_all(conn)
    .await?;
    rows.iter()
        .map(|row| Ok((row.try_get("number")?, row.try_get("exception_id")?)))
        .collect()
}

async fn count(conn: &mut PgConnection, hidden: &BTreeMap<Key, Hidden<'_>>) -> Result<(), DbError> {
    let rows: Vec<_> = hidden
        .iter()
        .map(
            |((tenant_id, exception_id, agent_id, fingerprint, day), hidden)| {
                let finding = &hidden.placed.finding;
                json!({
                    "tenant_id": tenant_id,
                    "exception_id": exception_id,
                    "agent_id": agent_id,
                    "fingerprint": fingerprint,
                    "day": day,
                    "rule_id": finding.rule_id,
                    "rule_name": finding.rule_name,
                    "severity": finding.severity,
                    "subject": finding.subject,
                    "occurrences": hidden.occurrences,
                    "first_seen_at": hidden.first_seen_at,
                    "last_seen_at": hidden.last_seen_at,
                })
            },
        )
        .collect();
    sqlx::query(
        "insert into threats.excepted_findings as f (tenant_id, exception_id, agent_id, fingerprint, day, rule_id, rule_name, severity, subject,
            occurrence_count, first_seen_at, last_seen_at)
         select n.tenant_id, n.exception_id, n.agent_id, n.fingerprint, n.day, n.rule_id, n.rule_name, n.severity, n.subject,
            n.occurrences, n.first_seen_at, n.last_seen_at
         from jsonb_to_recordset($1) as n (tenant_id uuid, exception_id uuid, agent_id uuid, fingerprint text, day date, rule_id text,
            rule_name text, severity text, subject jsonb, occurrences bigint, first_seen_at timestamptz, last_seen_at timestamptz)
         on conflict on constraint excepted_findings_pkey do update
         set occurrence_count = f.occurrence_count + excluded.occurrence_count,
            first_seen_at = least(f.first_seen_at, excluded.first_seen_at), last_seen_at = greatest(f.last_seen_at, excluded.last_seen_at)",
    )
    .bind(Json(rows))
    .execute(conn)
    .await?;
    Ok(())
}
