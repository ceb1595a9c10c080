//! Many rows at once, for measurements: 1,000 tenants, their endpoints and their incidents, made by the database.

use anyhow::Result;
use sqlx::{AssertSqlSafe, PgConnection};

/// The tenant that is measured, one of many.
pub const TENANT: &str = "a0000000-0000-4000-8000-000000000500";
/// One of its endpoints.
pub const AGENT: &str = "b0000000-0000-4000-8000-000000050003";
/// The token of a session of its administrator.
pub const TOKEN: &str = "sgs_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

/// Incidents that are inserted in one transaction.
const STEP: i64 = 250_000;

const TENANTS: &str = "
    insert into users.tenants (tenant_id, name, slug)
    select ('a0000000-0000-4000-8000-' || lpad(t::text, 12, '0'))::uuid, 'T' || t, 't-' || t from generate_series(1, 1000) t;
    set session_replication_role = replica;
    insert into users.users (user_id, username, email, password_hash, role, tenant_id)
    select tenant_id, slug, slug || '@example.org', 'x', 'admin', tenant_id from users.tenants where slug like 't-%';
    insert into users.memberships (tenant_id, user_id, role)
    select tenant_id, user_id, role from users.users where username like 't-%';
    insert into users.sessions (session_id, tenant_id, user_id, token_hash, created_at, last_seen_at, idle_seconds, expires_at)
    select user_id, tenant_id, user_id, sha256('{token}'), now(), now(), 360000, now() + interval '9 days'
    from users.users where username = 't-500';
    insert into agents.endpoints (agent_id, tenant_id, hostname)
    select ('b0000000-0000-4000-8000-' || lpad((t * 100 + e)::text, 12, '0'))::uuid,
        ('a0000000-0000-4000-8000-' || lpad(t::text, 12, '0'))::uuid, 'host-' || e
    from generate_series(1, 1000) t, generate_series(0, {endpoints} - 1) e;
    insert into agents.heartbeats (agent_id, tenant_id, last_seen_at) select agent_id, tenant_id, now() from agents.endpoints";

const INCIDENTS: &str = "
    insert into threats.incidents (threat_id, tenant_id, agent_id, threat_type, severity, status, title, detected_at)
    select ('00000000-0000-7000-8000-' || lpad(n::text, 12, '0'))::uuid, ('a0000000-0000-4000-8000-' || lpad((1 + n % 1000)::text, 12, '0'))::uuid,
        ('b0000000-0000-4000-8000-' || lpad(((1 + n % 1000) * 100 + n / 1000 % 10)::text, 12, '0'))::uuid, 'malware',
        (array['low', 'medium', 'high', 'critical'])[1 + n / 1000 % 4],
        (array['new', 'investigating', 'resolved', 'resolved', 'resolved', 'false_positive'])[1 + n / 7000 % 6], 'Incident ' || n,
        now() - make_interval(secs => n)
    from generate_series({from}, {to}) n";

/// The tenants with as many endpoints each, up to a hundred, and the administrator of the one that is measured. Triggers stay off in this session.
///
/// # Errors
/// What PostgreSQL says.
pub async fn insert_tenants(conn: &mut PgConnection, endpoints: u32) -> Result<()> {
    let sql = TENANTS
        .replace("{endpoints}", &endpoints.to_string())
        .replace("{token}", TOKEN);
    sqlx::raw_sql(AssertSqlSafe(sql)).execute(conn).await?;
    Ok(())
}

/// So many incidents, spread over the tenants, over ten endpoints of each and over time; tells how many are there after each step.
///
/// # Errors
/// What PostgreSQL says.
pub async fn insert_incidents(conn: &mut PgConnection, count: i64, tell: impl Fn(i64)) -> Result<()> {
    for from in (1..=count).step_by(usize::try_from(STEP)?) {
        let to = count.min(from + STEP - 1);
        let sql = INCIDENTS
            .replace("{from}", &from.to_string())
            .replace("{to}", &to.to_string());
        sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut *conn).await?;
        tell(to);
    }
    Ok(())
}
