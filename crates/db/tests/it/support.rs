//! Two tenants with a row in every table, and short ways to run SQL.

use chrono::{DateTime, Utc};
use sg_db::{Caller, Proof, TokenHash};
use sg_testkit::TestDb;
use sg_types::{Clock, SystemClock};
use sqlx::{AssertSqlSafe, PgConnection};

/// The document's printed SQL, in the order in which it works.
pub(crate) const PRINTED: [&str; 6] = [
    include_str!("../fixtures/1_schemas.sql"),
    include_str!("../fixtures/2_tables.sql"),
    include_str!("../fixtures/3_functions.sql"),
    include_str!("../fixtures/4_indexes.sql"),
    include_str!("../fixtures/5_migration_008.sql"),
    include_str!("../fixtures/6_administration.sql"),
];

/// The first tenant.
pub(crate) const TENANT_A: &str = "aaaaaaaa-0000-4000-8000-000000000000";
/// The second tenant.
pub(crate) const TENANT_B: &str = "bbbbbbbb-0000-4000-8000-000000000000";
/// Token of tenant A's administrator.
pub(crate) const ADMIN_A: &str = "token of the administrator of a";
/// Token of a plain user of tenant A, whose endpoint is the tenant's first.
pub(crate) const USER_A: &str = "token of a user of a";
/// Token of tenant B's administrator.
pub(crate) const ADMIN_B: &str = "token of the administrator of b";
/// The API key of tenant A's administrator.
pub(crate) const KEY_A: &str = "sg_key_of_a";

/// The time; the database compares with its own.
pub(crate) fn now() -> DateTime<Utc> {
    SystemClock.now()
}

/// Runs statements, separated by semicolons.
pub(crate) async fn run(conn: &mut PgConnection, sql: impl Into<String>) -> Result<(), sqlx::Error> {
    sqlx::raw_sql(AssertSqlSafe(sql.into()))
        .execute(conn)
        .await
        .map(|_| ())
}

/// The rows that a statement changed.
pub(crate) async fn affected(conn: &mut PgConnection, sql: impl Into<String>) -> Result<u64, sqlx::Error> {
    Ok(sqlx::query(AssertSqlSafe(sql.into()))
        .execute(conn)
        .await?
        .rows_affected())
}

/// The one number that a query yields.
pub(crate) async fn count(conn: &mut PgConnection, sql: impl Into<String>) -> Result<i64, sqlx::Error> {
    sqlx::query_scalar(AssertSqlSafe(sql.into()))
        .fetch_one(conn)
        .await
}

/// The one text that a query yields; cast to text in the query.
pub(crate) async fn text(
    conn: &mut PgConnection,
    sql: impl Into<String>,
) -> Result<Option<String>, sqlx::Error> {
    sqlx::query_scalar(AssertSqlSafe(sql.into()))
        .fetch_one(conn)
        .await
}

/// The texts that a query yields; cast to text in the query.
pub(crate) async fn texts(
    conn: &mut PgConnection,
    sql: impl Into<String>,
) -> Result<Vec<String>, sqlx::Error> {
    sqlx::query_scalar(AssertSqlSafe(sql.into()))
        .fetch_all(conn)
        .await
}

/// The SQLSTATE of a refusal.
///
/// # Panics
/// When the statement was not refused.
pub(crate) fn refusal<T: std::fmt::Debug>(result: Result<T, sqlx::Error>) -> String {
    match result {
        Err(sqlx::Error::Database(failure)) => failure.code().unwrap_or_default().into_owned(),
        other => panic!("expected a refusal, got {other:?}"),
    }
}

/// SQL that opens the context of `token` in its own transaction.
pub(crate) fn open_context(token: &str) -> String {
    format!(
        "select users.open_context('session', '\\x{}', null, clock_timestamp())",
        TokenHash::of(token).to_hex()
    )
}

/// A caller as the server makes one.
pub(crate) async fn caller(test: &TestDb, token: &str) -> anyhow::Result<Caller> {
    let proof = Proof::Session(TokenHash::of(token));
    test.db
        .authenticate(proof, None, now())
        .await?
        .ok_or_else(|| anyhow::anyhow!("nobody holds {token}"))
}

/// A migrated database with the two tenants.
pub(crate) async fn two_tenants() -> anyhow::Result<TestDb> {
    let test = TestDb::new().await?;
    let mut conn = test.connect("postgres").await?;
    for tenant in ["a", "b"] {
        run(&mut conn, seed(tenant)).await?;
    }
    Ok(test)
}

/// One row at least in every table, under ids that begin with the tenant's letter.
fn seed(tenant: &str) -> String {
    let hash = |token: &str| format!("'\\x{}'::bytea", TokenHash::of(token).to_hex());
    let id = |number: u32| format!("'{}-0000-4000-8000-{number:012}'::uuid", tenant.repeat(8));
    let token = |who: &str| hash(&format!("token of {who} of {tenant}"));
    let (t, admin, user) = (id(0), id(1), id(2));
    let (own, other, incident, other_incident, finding) = (id(11), id(12), id(21), id(22), id(31));
    let (admin_token, user_token, agent_token) =
        (token("the administrator"), token("a user"), token("the agent"));
    let key_hash = TokenHash::of(&format!("sg_key_of_{tenant}")).to_hex();
    let (epoch, key) = (id(41), id(51));
    format!(
        "
        insert into users.tenants (tenant_id, name, slug) values ({t}, 'Tenant {tenant}', 'tenant-{tenant}');
        insert into users.users (user_id, username, email, password_hash, role, tenant_id) values
            ({admin}, 'admin-{tenant}', 'admin@{tenant}.example', '$argon2id$', 'admin', {t}),
            ({user}, 'user-{tenant}', 'user@{tenant}.example', '$argon2id$', 'user', {t});
        insert into users.sessions (session_id, tenant_id, user_id, token_hash, created_at, last_seen_at, idle_seconds, expires_at)
        values
            ({admin}, {t}, {admin}, {admin_token}, now(), now(), 3600, now() + interval '1 day'),
            ({user}, {t}, {user}, {user_token}, now(), now(), 3600, now() + interval '1 day');
        insert into users.api_keys (key_id, user_id, key_hash, key_name, key_prefix)
        values ({key}, {admin}, '{key_hash}', 'key of {tenant}', 'sg_key');
        insert into agents.endpoints (agent_id, tenant_id, user_id, hostname, registered_via_key_id)
        values ({own}, {t}, {user}, 'own-{tenant}', {key}), ({other}, {t}, null, 'other-{tenant}', null);
        insert into agents.agent_tokens (token_hash, tenant_id, agent_id, created_at)
        values ({agent_token}, {t}, {own}, now());
        insert into agents.heartbeats (agent_id, tenant_id, last_seen_at) values ({own}, {t}, now()), ({other}, {t}, now());
        insert into agents.streams (agent_id, epoch, tenant_id, turn, previous_turn, created_at, last_seen_at)
        values ({own}, {epoch}, {t}, {epoch}, {epoch}, now(), now());
        insert into agents.gaps (gap_id, tenant_id, agent_id, noticed_by, reason, from_at, to_at, recorded_at)
        values ({own}, {t}, {own}, 'agent', 'spool_full', now(), now(), now());
        insert into agents.system_info (agent_id, cpu_usage) values ({own}, 11.5), ({other}, 12.5);
        insert into agents.events (event_id, tenant_id, agent_id, kind, occurred_at, received_at, detail)
        values ({own}, {t}, {own}, 'process_started', now(), now(), '{{}}');
        insert into threats.incidents (threat_id, agent_id, threat_type, severity, title) values
            ({incident}, {own}, 'malware', 'high', 'own incident of {tenant}'),
            ({other_incident}, {other}, 'malware', 'low', 'other incident of {tenant}');
        insert into threats.findings (finding_id, tenant_id, threat_id, agent_id, rule_id, rule_name, engine, severity, confidence,
            explanation, evidence, subject, fingerprint, first_seen_at, last_seen_at)
        values ({finding}, {t}, {incident}, {own}, 'rule', 'Rule', 'yara', 'high', 0.9, 'why', '{{}}', '{{}}', 'print', now(), now());
        insert into threats.occurrences (occurrence_id, tenant_id, finding_id, occurred_at, received_at)
        values ({own}, {t}, {finding}, now(), now());
        insert into threats.incident_subjects (tenant_id, agent_id, subject_key, threat_id, last_seen_at)
        values ({t}, {own}, 'file:/x', {incident}, now());
        insert into threats.incident_timeline (entry_id, tenant_id, threat_id, at, kind, summary)
        values ({own}, {t}, {incident}, now(), 'note', 'note of {tenant}');
        insert into audit.login_attempts (attempt_id, tenant_id, occurred_at, username_or_digest, outcome, method)
        values ({own}, {t}, now(), 'admin-{tenant}', 'success', 'password');
        insert into audit.events (event_id, tenant_id, occurred_at, actor_kind, actor_id, action, outcome)
        values ({own}, {t}, now(), 'user', {admin}::text, 'session.create', 'success');"
    )
}
