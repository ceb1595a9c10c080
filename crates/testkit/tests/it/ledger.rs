//! What was acknowledged, and whether exactly that is stored.

use std::collections::BTreeMap;

use sg_types::AgentId;
use sg_types::agent::{Record, RecordBody, Subject};
use sqlx::PgConnection;
use uuid::Uuid;

/// Everything that one endpoint was told is stored.
#[derive(Debug, Default)]
pub(crate) struct Ledger {
    metrics: Vec<Uuid>,
    events: Vec<Uuid>,
    occurrences: Vec<Uuid>,
    /// Matches by path and rule.
    matches: BTreeMap<(String, String), i64>,
}

impl Ledger {
    pub(crate) fn add(&mut self, record: &Record) {
        let id = Uuid::from(record.id);
        match &record.body {
            RecordBody::Metrics(_) => self.metrics.push(id),
            RecordBody::Event(_) => self.events.push(id),
            RecordBody::Finding(finding) => {
                let Subject::File(file) = &finding.subject else {
                    panic!("only files are used here")
                };
                self.occurrences.push(finding.finding_id.into());
                *self
                    .matches
                    .entry((file.path.clone(), finding.rule_id.clone()))
                    .or_default() += 1;
            }
            RecordBody::Gap(_) => panic!("these endpoints lose nothing"),
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.metrics.len() + self.events.len() + self.occurrences.len()
    }

    /// Compares with the database; nothing may be missing, double or too much.
    pub(crate) async fn verify(mut self, conn: &mut PgConnection, agent_id: AgentId) {
        for (what, acknowledged, query) in [
            ("samples", &mut self.metrics, "select s.info_id from agents.system_info s where s.agent_id = $1 order by s.info_id"),
            ("events", &mut self.events, "select v.event_id from agents.events v where v.agent_id = $1 order by v.event_id"),
            (
                "matches",
                &mut self.occurrences,
                "select o.occurrence_id from threats.occurrences o join threats.findings f on f.finding_id = o.finding_id
                 where f.agent_id = $1 order by o.occurrence_id",
            ),
        ] {
            acknowledged.sort_unstable();
            let stored: Vec<Uuid> = sqlx::query_scalar(query).bind(Uuid::from(agent_id)).fetch_all(&mut *conn).await.unwrap();
            assert_eq!(stored.len(), acknowledged.len(), "{what} of {agent_id}: stored (left), acknowledged (right)");
            assert!(stored == *acknowledged, "{what} of {agent_id}: other ones are stored than were acknowledged");
        }
        self.verify_incidents(conn, agent_id).await;
        let gaps: i64 = count(
            conn,
            "select count(*) from agents.gaps g where g.agent_id = $1 and g.reason <> 'offline'",
            agent_id,
        )
        .await;
        assert_eq!(gaps, 0, "gaps of {agent_id}");
    }

    /// One incident for each file, one finding for each rule on it, and every match counted.
    async fn verify_incidents(&self, conn: &mut PgConnection, agent_id: AgentId) {
        let findings: Vec<(String, String, i64)> = sqlx::query_as(
            "select f.subject ->> 'path', f.rule_id, f.occurrence_count from threats.findings f where f.agent_id = $1 order by 1, 2",
        )
        .bind(Uuid::from(agent_id))
        .fetch_all(&mut *conn)
        .await
        .unwrap();
        let expected: Vec<_> = self
            .matches
            .iter()
            .map(|((path, rule), count)| (path.clone(), rule.clone(), *count))
            .collect();
        assert_eq!(findings, expected, "findings of {agent_id}");

        let incidents: Vec<(String, i64)> = sqlx::query_as(
            "select i.file_path, i.occurrence_count from threats.incidents i where i.agent_id = $1 order by 1",
        )
        .bind(Uuid::from(agent_id))
        .fetch_all(&mut *conn)
        .await
        .unwrap();
        let mut expected: BTreeMap<String, i64> = BTreeMap::new();
        for ((path, _), count) in &self.matches {
            *expected.entry(path.clone()).or_default() += count;
        }
        assert_eq!(
            incidents,
            expected.into_iter().collect::<Vec<_>>(),
            "incidents of {agent_id}"
        );
    }
}

/// A number about one endpoint.
pub(crate) async fn count(conn: &mut PgConnection, query: &'static str, agent_id: AgentId) -> i64 {
    sqlx::query_scalar(query)
        .bind(Uuid::from(agent_id))
        .fetch_one(conn)
        .await
        .unwrap()
}
