//! What has to be known before findings can be placed.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use chrono::{DateTime, Utc};
use sg_types::{AgentId, FindingId, TenantId, ThreatId};
use sqlx::{PgConnection, Row};
use uuid::Uuid;

use super::{
    assign::{KnownFinding, OpenIncident, OpenState},
    score::Verdicts,
    subject,
};
use crate::{DbError, agents::ingest::PlacedFinding};

/// Findings of a rule that are looked back at.
const VERDICT_SAMPLE: i64 = 1_000;

pub(super) async fn find_known_occurrences(
    conn: &mut PgConnection,
    findings: &[PlacedFinding],
) -> Result<HashSet<FindingId>, DbError> {
    let ids: Vec<Uuid> = findings
        .iter()
        .map(|finding| finding.occurrence_id.into())
        .collect();
    let known: Vec<Uuid> =
        sqlx::query_scalar("select occurrence_id from threats.occurrences where occurrence_id = any($1)")
            .bind(ids)
            .fetch_all(conn)
            .await?;
    Ok(known.into_iter().map(FindingId).collect())
}

/// The open incidents that the findings could join, locked so that nobody closes them meanwhile.
pub(super) async fn load_open(
    conn: &mut PgConnection,
    new: &[&PlacedFinding],
    since: DateTime<Utc>,
) -> Result<OpenState, DbError> {
    let mut state = OpenState::default();
    let mut wanted = BTreeSet::new();
    for placed in new {
        let keys = subject::keys(&placed.finding);
        wanted.extend(
            keys.own
                .into_iter()
                .chain(keys.lookups)
                .map(|key| (placed.tenant_id, placed.agent_id, key)),
        );
    }
    load_subjects(conn, wanted, since, &mut state).await?;
    let threat_ids: BTreeSet<Uuid> = state
        .subjects
        .values()
        .map(|(threat_id, _)| Uuid::from(*threat_id))
        .collect();
    let threat_ids: Vec<Uuid> = threat_ids.into_iter().collect();
    if threat_ids.is_empty() {
        return Ok(state);
    }
    let rows = sqlx::query(
        "select threat_id, severity from threats.incidents where threat_id = any($1) and status in ('new', 'investigating')
         order by threat_id for update",
    )
    .bind(&threat_ids)
    .fetch_all(&mut *conn)
    .await?;
    for row in rows {
        let incident = OpenIncident {
            severity: row.try_get::<String, _>("severity")?.parse()?,
            rules: BTreeMap::new(),
        };
        state
            .incidents
            .insert(ThreatId(row.try_get("threat_id")?), incident);
    }
    load_findings(conn, &threat_ids, &mut state).await?;
    Ok(state)
}

/// How earlier incidents of these rules were closed.
pub(super) async fn load_verdicts(
    conn: &mut PgConnection,
    rules: &BTreeSet<(TenantId, String)>,
) -> Result<HashMap<(TenantId, String), Verdicts>, DbError> {
    if rules.is_empty() {
        return Ok(HashMap::new());
    }
    let rows = sqlx::query(
        "select w.tenant_id, w.rule_id, v.confirmed, v.refuted
         from unnest($1::uuid[], $2::text[]) as w (tenant_id, rule_id)
         cross join lateral (
            select count(*) filter (where i.status = 'resolved') as confirmed, count(*) filter (where i.status = 'false_positive') as refuted
            from (
                select f.threat_id
                from threats.findings f
                where f.tenant_id = w.tenant_id and f.rule_id = w.rule_id
                order by f.last_seen_at desc
                limit $3
            ) recent
            join threats.incidents i on i.threat_id = recent.threat_id
         ) v",
    )
    .bind(rules.iter().map(|(tenant_id, _)| Uuid::from(*tenant_id)).collect::<Vec<_>>())
    .bind(rules.iter().map(|(_, rule_id)| rule_id.as_str()).collect::<Vec<_>>())
    .bind(VERDICT_SAMPLE)
    .fetch_all(conn)
    .await?;
    rows.into_iter()
        .map(|row| {
            let verdicts = Verdicts {
                confirmed: row.try_get("confirmed")?,
                refuted: row.try_get("refuted")?,
            };
            Ok((
                (TenantId(row.try_get("tenant_id")?), row.try_get("rule_id")?),
                verdicts,
            ))
        })
        .collect()
}

async fn load_subjects(
    conn: &mut PgConnection,
    wanted: BTreeSet<(TenantId, AgentId, String)>,
    since: DateTime<Utc>,
    state: &mut OpenState,
) -> Result<(), DbError> {
    let mut columns: (Vec<Uuid>, Vec<Uuid>, Vec<String>) = Default::default();
    for (tenant_id, agent_id, key) in wanted {
        columns.0.push(tenant_id.into());
        columns.1.push(agent_id.into());
        columns.2.push(key);
    }
    let rows = sqlx::query(
        "select s.agent_id, s.subject_key, s.threat_id, s.last_seen_at
         from unnest($1::uuid[], $2::uuid[], $3::text[]) as w (tenant_id, agent_id, subject_key)
         join threats.incident_subjects s
            on s.tenant_id = w.tenant_id and s.agent_id = w.agent_id and s.subject_key = w.subject_key
         where s.last_seen_at > $4",
    )
    .bind(columns.0)
    .bind(columns.1)
    .bind(columns.2)
    .bind(since)
    .fetch_all(conn)
    .await?;
    for row in rows {
        let key = (AgentId(row.try_get("agent_id")?), row.try_get("subject_key")?);
        state.subjects.insert(
            key,
            (ThreatId(row.try_get("threat_id")?), row.try_get("last_seen_at")?),
        );
    }
    Ok(())
}

async fn load_findings(
    conn: &mut PgConnection,
    threat_ids: &[Uuid],
    state: &mut OpenState,
) -> Result<(), DbError> {
    let rows = sqlx::query(
        "select threat_id, fingerprint, finding_id, rule_id, confidence::float8 as confidence, occurrence_count, last_seen_at
         from threats.findings where threat_id = any($1)",
    )
    .bind(threat_ids)
    .fetch_all(conn)
    .await?;
    for row in rows {
        let threat_id = ThreatId(row.try_get("threat_id")?);
        let Some(incident) = state.incidents.get_mut(&threat_id) else {
            continue;
        };
        incident
            .rules
            .insert(row.try_get("rule_id")?, row.try_get("confidence")?);
        let known = KnownFinding {
            finding_id: FindingId(row.try_get("finding_id")?),
            occurrence_count: row.try_get("occurrence_count")?,
            last_seen_at: row.try_get("last_seen_at")?,
        };
        state
            .findings
            .insert((threat_id, row.try_get("fingerprint")?), known);
    }
    Ok(())
}
