//! Streaming replication: slots and their standbys, the keys that follow by replication, and the promotion. Asked as the cluster's superuser, in the cluster's
//! own database `postgres`, since all of it belongs to the cluster and to no tenant.

use std::time::Duration;

use chrono::{DateTime, Utc};
use secrecy::{ExposeSecret, SecretString};
use sg_types::TenantId;
use sqlx::postgres::{PgConnectOptions, PgRow, PgSslMode};
use sqlx::{AssertSqlSafe, ConnectOptions, Connection as _, PgConnection, Row};
use uuid::Uuid;

use crate::{DbError, SystemTx, tx::Connection};

/// The only role that may stream. It has no right to anything else.
pub const ROLE: &str = "sg_standby";

/// A standby and its slot, or one of them.
#[derive(Debug, Clone, PartialEq)]
pub struct Standby {
    /// That of the slot, else that of the connection.
    pub name: String,
    /// The slot.
    pub slot: Option<String>,
    /// Whether a standby is connected.
    pub is_active: bool,
    /// `startup`, `catchup` or `streaming`; none when it is not connected, or not to be seen.
    pub state: Option<String>,
    /// Where it connects from.
    pub address: Option<String>,
    /// Whether commits wait for it.
    pub is_synchronous: bool,
    /// Bytes of the log that it has not stored yet; from what the slot holds when it is not connected.
    pub behind_bytes: i64,
    /// Bytes of the log that it does not show yet; likewise.
    pub replay_bytes: i64,
    /// How long a commit takes until the standby shows it, in seconds; none when nothing is under way.
    pub replay_seconds: Option<f64>,
    /// Bytes of the log that the slot keeps on this disk.
    pub kept_bytes: Option<i64>,
    /// Bytes that it may keep; none: as many as there are.
    pub kept_limit_bytes: Option<i64>,
    /// Whether the slot was given up, since it kept more than it may.
    pub is_lost: bool,
}

/// The standbys and slots of a primary.
#[derive(Debug, Clone, PartialEq)]
pub struct Standbys {
    /// Whether commits wait for a standby.
    pub waits_for_one: bool,
    /// By name.
    pub items: Vec<Standby>,
}

/// How far a standby is.
#[derive(Debug, Clone, PartialEq)]
pub struct Replay {
    /// False for a primary.
    pub is_standby: bool,
    /// Whether it is connected to its primary.
    pub is_streaming: bool,
    /// Bytes that it has stored and does not show yet.
    pub to_replay_bytes: i64,
    /// The last commit that it shows.
    pub replayed_at: Option<DateTime<Utc>>,
}

/// What another server says about itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PeerState {
    /// The same in a primary and all that were copied from it.
    pub system_identifier: String,
    /// Whether it follows a primary.
    pub is_standby: bool,
    /// Timeline that it writes, or follows.
    pub timeline: u32,
}

/// Makes the role and the slot of a standby; what is there stays, with the password given.
///
/// # Errors
/// What a query may meet.
pub async fn prepare_standby(url: &SecretString, slot: &str, verifier: &SecretString) -> Result<(), DbError> {
    let mut conn = connect(url).await?;
    let is_there: bool = sqlx::query_scalar("select exists (select from pg_roles where rolname = $1)")
        .bind(ROLE)
        .fetch_one(&mut conn)
        .await?;
    let verb = if is_there { "alter" } else { "create" };
    let statement: String = sqlx::query_scalar(
        "select format('%s role %I with login replication nosuperuser nocreatedb nocreaterole noinherit nobypassrls connection limit 20 password %L', $1::text, $2::text, $3::text)",
    )
    .bind(verb)
    .bind(ROLE)
    .bind(verifier.expose_secret())
    .fetch_one(&mut conn)
    .await?;
    sqlx::raw_sql(AssertSqlSafe(statement)).execute(&mut conn).await?;
    // One that was given up keeps nothing and never will.
    sqlx::query(
        "select pg_drop_replication_slot(slot_name) from pg_replication_slots where slot_name = $1 and wal_status = 'lost'",
    )
    .bind(slot)
    .execute(&mut conn)
    .await?;
    sqlx::query(
        "select pg_create_physical_replication_slot($1, true)
         where not exists (select from pg_replication_slots where slot_name = $1)",
    )
    .bind(slot)
    .execute(&mut conn)
    .await?;
    Ok(conn.close().await?)
}

/// Removes the slot of a standby that is gone; whether there was one.
///
/// # Errors
/// What a query may meet; a slot in use is refused.
pub async fn drop_standby(url: &SecretString, slot: &str) -> Result<bool, DbError> {
    let mut conn = connect(url).await?;
    let dropped = sqlx::query(
        "select pg_drop_replication_slot(slot_name) from pg_replication_slots where slot_name = $1 and slot_type = 'physical'",
    )
    .bind(slot)
    .execute(&mut conn)
    .await?;
    conn.close().await?;
    Ok(dropped.rows_affected() > 0)
}

/// The standbys and slots of a primary.
///
/// # Errors
/// What a query may meet.
pub async fn list_standbys(tx: &mut SystemTx) -> Result<Standbys, DbError> {
    list(tx.conn()).await
}

/// As [`list_standbys`], of a database, by the URL of its cluster's superuser.
///
/// # Errors
/// What a query may meet.
pub async fn list_standbys_of(url: &SecretString, database: &str) -> Result<Standbys, DbError> {
    let options = options(url)?.database(database);
    let mut conn = options.connect().await?;
    let standbys = list(&mut conn).await?;
    conn.close().await?;
    Ok(standbys)
}

async fn list(conn: &mut PgConnection) -> Result<Standbys, DbError> {
    let waits_for_one = sqlx::query_scalar("select current_setting('synchronous_standby_names') <> ''")
        .fetch_one(&mut *conn)
        .await?;
    let rows = sqlx::query(
        "select name, slot, is_active, state, address, is_synchronous, behind_bytes, replay_bytes, replay_seconds, kept_bytes, kept_limit_bytes, is_lost
         from monitoring.list_standbys()",
    )
    .fetch_all(conn)
    .await?;
    let standby = |row: &PgRow| {
        Ok::<_, DbError>(Standby {
            name: row.try_get("name")?,
            slot: row.try_get("slot")?,
            is_active: row.try_get("is_active")?,
            state: row.try_get("state")?,
            address: row.try_get("address")?,
            is_synchronous: row.try_get("is_synchronous")?,
            behind_bytes: row.try_get("behind_bytes")?,
            replay_bytes: row.try_get("replay_bytes")?,
            replay_seconds: row.try_get("replay_seconds")?,
            kept_bytes: row.try_get("kept_bytes")?,
            kept_limit_bytes: row.try_get("kept_limit_bytes")?,
            is_lost: row.try_get("is_lost")?,
        })
    };
    Ok(Standbys {
        waits_for_one,
        items: rows.iter().map(standby).collect::<Result<_, _>>()?,
    })
}

/// How far the cluster is in following its primary.
///
/// # Errors
/// What a query may meet.
pub async fn read_replay(url: &SecretString) -> Result<Replay, DbError> {
    let mut conn = connect(url).await?;
    let row = sqlx::query(
        "select pg_is_in_recovery() as is_standby, exists (select from pg_stat_wal_receiver where status = 'streaming') as is_streaming,
            case when pg_is_in_recovery() then greatest(coalesce(pg_wal_lsn_diff(pg_last_wal_receive_lsn(), pg_last_wal_replay_lsn()), 0), 0) else 0 end::bigint
                as to_replay_bytes,
            pg_last_xact_replay_timestamp() as replayed_at",
    )
    .fetch_one(&mut conn)
    .await?;
    conn.close().await?;
    Ok(Replay {
        is_standby: row.try_get("is_standby")?,
        is_streaming: row.try_get("is_streaming")?,
        to_replay_bytes: row.try_get("to_replay_bytes")?,
        replayed_at: row.try_get("replayed_at")?,
    })
}

/// Ends recovery, after all that was received has been replayed; waits until writes are accepted. False when that took longer than a minute. The new timeline is on
/// disk then.
///
/// # Errors
/// What a query may meet.
pub async fn promote(url: &SecretString) -> Result<bool, DbError> {
    let mut conn = connect(url).await?;
    let promoted: bool = sqlx::query_scalar("select pg_promote(true, 60)")
        .fetch_one(&mut conn)
        .await?;
    conn.close().await?;
    Ok(promoted)
}

/// Notes the timeline in the control file, where a start looks for it.
///
/// # Errors
/// What a query may meet.
pub async fn checkpoint(url: &SecretString) -> Result<(), DbError> {
    let mut conn = connect(url).await?;
    sqlx::query("checkpoint").execute(&mut conn).await?;
    Ok(conn.close().await?)
}

/// Stores the sealed keys where standbys find them.
///
/// # Errors
/// What a query may meet.
pub async fn save_sealed_keys(url: &SecretString, sealed: &str) -> Result<(), DbError> {
    let mut conn = connect(url).await?;
    // Nobody waits for a standby before the first one is there.
    sqlx::raw_sql(
        "set synchronous_commit = local; create table if not exists public.secureguard_keys (one boolean primary key default true check (one), sealed text not null)",
    )
    .execute(&mut conn)
    .await?;
    sqlx::query(
        "insert into public.secureguard_keys (sealed) values ($1) on conflict (one) do update set sealed = excluded.sealed",
    )
    .bind(sealed)
    .execute(&mut conn)
    .await?;
    Ok(conn.close().await?)
}

/// The sealed keys, when there are any.
///
/// # Errors
/// What a query may meet.
pub async fn read_sealed_keys(url: &SecretString) -> Result<Option<String>, DbError> {
    let mut conn = connect(url).await?;
    let is_there: bool = sqlx::query_scalar("select to_regclass('public.secureguard_keys') is not null")
        .fetch_one(&mut conn)
        .await?;
    let sealed = if is_there {
        sqlx::query_scalar("select sealed from public.secureguard_keys")
            .fetch_optional(&mut conn)
            .await?
    } else {
        None
    };
    conn.close().await?;
    Ok(sealed)
}

const STANDING: &str =
    "select (select system_identifier::text from pg_control_system()) as system_identifier, pg_is_in_recovery() as is_standby,
        case when pg_is_in_recovery() then (select timeline_id::text from pg_control_checkpoint())
            else ('x' || left(pg_walfile_name(pg_current_wal_lsn()), 8))::bit(32)::int::text end as timeline";

/// How the cluster itself stands.
///
/// # Errors
/// What a query may meet.
pub async fn read_standing(url: &SecretString) -> Result<PeerState, DbError> {
    let mut conn = connect(url).await?;
    let state = standing(&mut conn).await?;
    conn.close().await?;
    Ok(state)
}

async fn standing(conn: &mut PgConnection) -> Result<PeerState, DbError> {
    let row = sqlx::query(STANDING).fetch_one(conn).await?;
    Ok(PeerState {
        system_identifier: row.try_get("system_identifier")?,
        is_standby: row.try_get("is_standby")?,
        timeline: row.try_get::<String, _>("timeline")?.parse().unwrap_or(0),
    })
}

/// Asks another server how it stands, as [`ROLE`], over TLS to its pinned certificate.
///
/// # Errors
/// [`DbError::Unavailable`] when it does not answer within `patience`, or turns us away.
pub async fn ask_peer(
    address: std::net::SocketAddr,
    password: &SecretString,
    certificate: &str,
    patience: Duration,
) -> Result<PeerState, DbError> {
    let options = PgConnectOptions::new_without_pgpass()
        .host(&address.ip().to_string())
        .port(address.port())
        .username(ROLE)
        .password(password.expose_secret())
        .database("postgres")
        .ssl_mode(PgSslMode::VerifyCa)
        .ssl_root_cert_from_pem(certificate.as_bytes().to_vec())
        .application_name("secureguard-peer");
    let asked = async {
        let mut conn = options.connect().await?;
        let state = standing(&mut conn).await?;
        conn.close().await?;
        Ok::<_, DbError>(state)
    };
    match tokio::time::timeout(patience, asked).await {
        Ok(answer) => answer,
        Err(_) => Err(sqlx::Error::PoolTimedOut.into()),
    }
}

/// Lets the rest of a transaction commit without waiting for a standby: what watches standbys must not hang on them.
///
/// # Errors
/// What a query may meet.
pub async fn commit_here_only(tx: &mut SystemTx) -> Result<(), DbError> {
    sqlx::query("set local synchronous_commit = local")
        .execute(tx.conn())
        .await?;
    Ok(())
}

/// Subjects of the installation's open alerts of a kind.
///
/// # Errors
/// What a query may meet.
pub async fn list_open_subjects(tx: &mut SystemTx, kind: &str) -> Result<Vec<String>, DbError> {
    Ok(sqlx::query_scalar(
        "select a.subject from monitoring.alerts a join monitoring.alert_rules r on r.tenant_id = a.tenant_id and r.rule_id = a.rule_id
         where a.tenant_id = $1 and r.kind = $2 and a.state <> 'resolved'",
    )
    .bind(Uuid::from(TenantId::SYSTEM))
    .bind(kind)
    .fetch_all(tx.conn())
    .await?)
}

async fn connect(url: &SecretString) -> Result<PgConnection, DbError> {
    Ok(options(url)?.connect().await?)
}

fn options(url: &SecretString) -> Result<PgConnectOptions, DbError> {
    Ok(url
        .expose_secret()
        .parse::<PgConnectOptions>()?
        .application_name("secureguard-standby"))
}
