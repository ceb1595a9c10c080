//! What of the agents' streams is stored, for holding it against what was acknowledged; asked as `sg_admin` or the superuser, who see every tenant.

use chrono::{DateTime, Utc};
use secrecy::{ExposeSecret, SecretString};
use sg_types::{AgentId, TenantId};
use sqlx::postgres::PgConnectOptions;
use sqlx::{ConnectOptions, Connection as _, PgConnection};
use uuid::Uuid;

use crate::{DbError, TokenHash};

/// A connection of its own.
#[derive(Debug)]
pub struct Stored(PgConnection);

/// The streams of one endpoint in numbers.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct StreamFigures {
    /// The endpoint.
    #[sqlx(try_from = "Uuid")]
    pub agent_id: AgentId,
    /// Numbers that count as arrived, over all its streams.
    pub acknowledged: i64,
    /// Rows that records became: samples, events, matches, and gaps that the agent told.
    pub rows: i64,
    /// Numbers for which a gap says that their records never arrived or could not be stored.
    pub explained: i64,
}

/// A gap of an endpoint.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct StoredGap {
    /// Why.
    pub reason: String,
    /// Begin.
    pub from_at: DateTime<Utc>,
    /// End; none while it goes on.
    pub to_at: Option<DateTime<Utc>>,
    /// More in words.
    pub detail: Option<String>,
}

impl Stored {
    /// Connects.
    ///
    /// # Errors
    /// What PostgreSQL says.
    pub async fn connect(url: &SecretString) -> Result<Self, DbError> {
        let options = url.expose_secret().parse::<PgConnectOptions>()?;
        Ok(Self(
            options.application_name("secureguard-stored").connect().await?,
        ))
    }

    /// Ends the connection.
    ///
    /// # Errors
    /// What PostgreSQL says.
    pub async fn close(self) -> Result<(), DbError> {
        Ok(self.0.close().await?)
    }

    /// Ids of all samples, with their endpoints.
    ///
    /// # Errors
    /// What PostgreSQL says.
    pub async fn samples(&mut self) -> Result<Vec<(AgentId, Uuid)>, DbError> {
        self.ids("select s.agent_id, s.info_id from agents.system_info s")
            .await
    }

    /// Ids of all events of agents, with their endpoints.
    ///
    /// # Errors
    /// What PostgreSQL says.
    pub async fn events(&mut self) -> Result<Vec<(AgentId, Uuid)>, DbError> {
        self.ids("select v.agent_id, v.event_id from agents.events v where v.agent_id is not null")
            .await
    }

    /// Ids of all matches that agents told, with their endpoints.
    ///
    /// # Errors
    /// What PostgreSQL says.
    pub async fn matches(&mut self) -> Result<Vec<(AgentId, Uuid)>, DbError> {
        self.ids(
            "select f.agent_id, o.occurrence_id from threats.occurrences o join threats.findings f on f.finding_id = o.finding_id
             where f.agent_id is not null and f.engine <> 'server'",
        )
        .await
    }

    async fn ids(&mut self, query: &'static str) -> Result<Vec<(AgentId, Uuid)>, DbError> {
        let rows: Vec<(Uuid, Uuid)> = sqlx::query_as(query).fetch_all(&mut self.0).await?;
        Ok(rows.into_iter().map(|(agent, id)| (AgentId(agent), id)).collect())
    }

    /// The streams of every endpoint that has any: each number stands for a row, or a gap says why not.
    ///
    /// # Errors
    /// What PostgreSQL says.
    pub async fn streams(&mut self) -> Result<Vec<StreamFigures>, DbError> {
        Ok(sqlx::query_as(
            "with streams as (select t.agent_id, sum(t.acknowledged_through)::bigint as acknowledged from agents.streams t group by 1),
                samples as (select s.agent_id, count(*) as n from agents.system_info s group by 1),
                events as (select v.agent_id, count(*) as n from agents.events v where v.agent_id is not null group by 1),
                matches as (select f.agent_id, count(*) as n from threats.occurrences o join threats.findings f on f.finding_id = o.finding_id
                    where f.engine <> 'server' group by 1),
                told as (select g.agent_id, sum(g.gap_count) as n from agents.gaps g where g.noticed_by = 'agent' group by 1),
                explained as (select g.agent_id, sum(coalesce(g.lost_records, g.gap_count)) as n from agents.gaps g
                    where g.noticed_by = 'server' and g.reason in ('records_missing', 'record_refused') group by 1)
             select t.agent_id, t.acknowledged,
                (coalesce(s.n, 0) + coalesce(v.n, 0) + coalesce(m.n, 0) + coalesce(d.n, 0))::bigint as rows, coalesce(e.n, 0)::bigint as explained
             from streams t left join samples s using (agent_id) left join events v using (agent_id) left join matches m using (agent_id)
                left join told d using (agent_id) left join explained e using (agent_id)
             order by t.agent_id",
        )
        .fetch_all(&mut self.0)
        .await?)
    }

    /// The paths of files that an endpoint told of as written or renamed into place, and how often each.
    ///
    /// # Errors
    /// What PostgreSQL says.
    pub async fn files(&mut self, agent_id: AgentId) -> Result<Vec<(String, i64)>, DbError> {
        Ok(sqlx::query_as(
            "select v.detail ->> 'path', count(*) from agents.events v
             where v.agent_id = $1 and v.kind in ('file_written', 'file_renamed') group by 1",
        )
        .bind(Uuid::from(agent_id))
        .fetch_all(&mut self.0)
        .await?)
    }

    /// The gaps of an endpoint, the oldest first.
    ///
    /// # Errors
    /// What PostgreSQL says.
    pub async fn gaps(&mut self, agent_id: AgentId) -> Result<Vec<StoredGap>, DbError> {
        Ok(sqlx::query_as(
            "select g.reason, g.from_at, g.to_at, g.detail from agents.gaps g where g.agent_id = $1 order by g.from_at",
        )
        .bind(Uuid::from(agent_id))
        .fetch_all(&mut self.0)
        .await?)
    }

    /// How often endpoints were taken for copies of others.
    ///
    /// # Errors
    /// What PostgreSQL says.
    pub async fn clones(&mut self) -> Result<i64, DbError> {
        Ok(
            sqlx::query_scalar("select count(*) from threats.findings f where f.engine = 'server'")
                .fetch_one(&mut self.0)
                .await?,
        )
    }

    /// Findings that count other matches than are stored, incidents that count other ones than their findings, and files in which a rule was found and
    /// which have more than one incident; each in words. Processes of one program may have one each.
    ///
    /// # Errors
    /// What PostgreSQL says.
    pub async fn miscounted(&mut self) -> Result<Vec<String>, DbError> {
        Ok(sqlx::query_scalar(
            "select format('finding %s of endpoint %s (%s) counts %s matches, and %s are stored', f.finding_id, f.agent_id, f.rule_id,
                f.occurrence_count, o.n)
             from threats.findings f
             cross join lateral (select count(*) as n from threats.occurrences o where o.finding_id = f.finding_id) o
             where f.engine <> 'server' and f.occurrence_count <> o.n
             union all
             select format('incident %s of endpoint %s counts %s matches, and its findings %s', i.threat_id, i.agent_id, i.occurrence_count, f.n)
             from threats.incidents i
             cross join lateral (select coalesce(sum(f.occurrence_count), 0) as n from threats.findings f where f.threat_id = i.threat_id) f
             where i.occurrence_count <> f.n
             union all
             select format('%s incidents about %s of endpoint %s: %s', count(*), i.file_path, i.agent_id,
                string_agg(format('%s, %s, from %s to %s', i.threat_id, i.status, i.detected_at, i.last_detected_at), '; '))
             from threats.incidents i where i.file_path is not null and i.detection_engine = 'yara'
             group by i.agent_id, i.file_path having count(*) > 1",
        )
        .fetch_all(&mut self.0)
        .await?)
    }

    /// How many endpoints there are.
    ///
    /// # Errors
    /// What PostgreSQL says.
    pub async fn endpoints(&mut self) -> Result<i64, DbError> {
        Ok(sqlx::query_scalar("select count(*) from agents.endpoints")
            .fetch_one(&mut self.0)
            .await?)
    }

    /// Puts endpoints of the default tenant there as enrolment leaves them, by id, host name and their tokens' hashes, but for the audit log: for
    /// measurements with more of them than there is time to enrol. Asked as the superuser.
    ///
    /// # Errors
    /// What PostgreSQL says.
    pub async fn insert_endpoints(&mut self, rows: &[(AgentId, String, TokenHash)]) -> Result<(), DbError> {
        let ids: Vec<Uuid> = rows.iter().map(|(id, ..)| Uuid::from(*id)).collect();
        let tenant = Uuid::from(TenantId::DEFAULT);
        let mut tx = self.0.begin().await?;
        // No line of the audit log for each, and no check of keys that are right.
        sqlx::query("set local session_replication_role = replica")
            .execute(&mut *tx)
            .await?;
        sqlx::query(
            "insert into agents.endpoints (agent_id, tenant_id, hostname, os_info, version, user_id, status, last_seen, created_at, updated_at)
             select n.agent_id, $3, n.hostname, 'Debian GNU/Linux 12', '1.0.0', (select u.user_id from users.users u where u.username = 'admin'),
                'active', now(), now(), now()
             from unnest($1::uuid[], $2::text[]) as n (agent_id, hostname)",
        )
        .bind(&ids)
        .bind(rows.iter().map(|(_, name, _)| name.as_str()).collect::<Vec<_>>())
        .bind(tenant)
        .execute(&mut *tx)
        .await?;
        sqlx::query(
            "insert into agents.agent_tokens (token_hash, tenant_id, agent_id, created_at)
             select n.token_hash, $3, n.agent_id, now() from unnest($1::bytea[], $2::uuid[]) as n (token_hash, agent_id)",
        )
        .bind(rows.iter().map(|(.., token)| token.as_bytes()).collect::<Vec<_>>())
        .bind(&ids)
        .bind(tenant)
        .execute(&mut *tx)
        .await?;
        sqlx::query("set local session_replication_role = origin")
            .execute(&mut *tx)
            .await?;
        sqlx::query(
            "insert into agents.heartbeats (agent_id, tenant_id, last_seen_at) select n.agent_id, $2, now() from unnest($1::uuid[]) as n (agent_id)",
        )
        .bind(&ids)
        .bind(tenant)
        .execute(&mut *tx)
        .await?;
        Ok(tx.commit().await?)
    }

    /// Takes what was put there into account for plans, and writes it to disk.
    ///
    /// # Errors
    /// What PostgreSQL says.
    pub async fn settle(&mut self) -> Result<(), DbError> {
        for statement in ["vacuum analyze", "checkpoint"] {
            sqlx::query(statement).execute(&mut self.0).await?;
        }
        Ok(())
    }

    /// Bytes of write-ahead log since the cluster was made.
    ///
    /// # Errors
    /// What PostgreSQL says.
    pub async fn log_bytes(&mut self) -> Result<i64, DbError> {
        Ok(
            sqlx::query_scalar("select (pg_current_wal_insert_lsn() - '0/0'::pg_lsn)::bigint")
                .fetch_one(&mut self.0)
                .await?,
        )
    }

    /// Bytes of the database on disk, tables and indexes.
    ///
    /// # Errors
    /// What PostgreSQL says.
    pub async fn database_bytes(&mut self) -> Result<i64, DbError> {
        Ok(sqlx::query_scalar("select pg_database_size(current_database())")
            .fetch_one(&mut self.0)
            .await?)
    }
}
