//! Bringing a database to the present schema: a new one, one of an earlier version, or one that was built from the document's printed DDL.

use secrecy::{ExposeSecret, SecretString};
use sqlx::{
    AssertSqlSafe, ConnectOptions, Connection as _, PgConnection, Row,
    migrate::Migrator,
    postgres::{PgConnectOptions, PgConnection as Pg},
};

use crate::DbError;

static MIGRATOR: Migrator = sqlx::migrate!("./migrations");
const ROLES: &str = include_str!("roles.sql");
/// The version from which on an earlier database's rows are all in place. A migration that stopped before it reports at its next run.
const ADOPTED_FROM: i64 = 15;
/// Partitions made ahead at each migration, in days.
const DAYS_AHEAD: i32 = 8;

/// SCRAM verifiers (RFC 5803) that make the roles able to sign in; the passwords themselves never reach SQL.
#[derive(Debug, Default, Clone)]
pub struct RoleVerifiers(pub Vec<(&'static str, SecretString)>);

/// A row of an earlier database that was repaired or put aside.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AdoptedRow {
    /// Schema and table.
    pub table_name: String,
    /// The row's key.
    pub row_id: String,
    /// What was wrong.
    pub problem: String,
    /// What was done.
    pub repair: String,
}

/// What a migration did.
#[derive(Debug, Clone, Default)]
pub struct MigrationReport {
    /// Version of the schema before; 0 for a database that no migration had seen.
    pub from_version: i64,
    /// Version of the schema now.
    pub to_version: i64,
    /// What had to be repaired, row by row.
    pub adopted: Vec<AdoptedRow>,
}

/// Brings the database behind `url` to the present schema. `url` connects as a role that may create roles and owns the database.
///
/// Runs under an advisory lock: a second one waits and finds nothing to do. Each step is one transaction; a step that fails leaves what the
/// steps before it made.
///
/// # Errors
/// [`DbError::Migration`] when a step fails, [`DbError::Unavailable`] when the database cannot be reached.
pub async fn migrate(url: &SecretString, verifiers: &RoleVerifiers) -> Result<MigrationReport, DbError> {
    let mut conn = connect(url).await?;
    // Another migration may take longer than DDL waits for a lock.
    sqlx::raw_sql(
        "set lock_timeout = 0; select pg_advisory_lock(hashtextextended('secureguard.migrate', 0)); set lock_timeout = '5s'",
    )
    .execute(&mut conn)
    .await?;
    let from_version = applied_version(&mut conn).await?.unwrap_or(0);
    prepare_roles(&mut conn, verifiers).await?;

    sqlx::raw_sql("set role sg_owner").execute(&mut conn).await?;
    MIGRATOR.run(&mut conn).await?;
    sqlx::query("select agents.ensure_partitions(now(), $1)")
        .bind(DAYS_AHEAD)
        .execute(&mut conn)
        .await?;
    sqlx::raw_sql(
        "grant select on public._sqlx_migrations to sg_app, sg_system, sg_admin, sg_backup; reset role",
    )
    .execute(&mut conn)
    .await?;
    if context_key_missing(&mut conn).await? {
        sqlx::raw_sql("set role sg_owner; set role sg_auth; select users.rotate_context_key(); reset role")
            .execute(&mut conn)
            .await?;
    }

    let to_version = applied_version(&mut conn).await?.unwrap_or(0);
    let adopted = if from_version < ADOPTED_FROM && to_version >= ADOPTED_FROM {
        read_report(&mut conn).await?
    } else {
        Vec::new()
    };
    conn.close().await?;
    Ok(MigrationReport {
        from_version,
        to_version,
        adopted,
    })
}

/// The schema's version in the database and the version that this program needs.
///
/// # Errors
/// [`DbError::Unavailable`] when the database cannot be reached.
pub async fn migration_state(url: &SecretString) -> Result<(i64, i64), DbError> {
    let mut conn = connect(url).await?;
    let applied = applied_version(&mut conn).await?.unwrap_or(0);
    conn.close().await?;
    Ok((applied, newest_version()))
}

pub(crate) fn newest_version() -> i64 {
    MIGRATOR.iter().map(|step| step.version).max().unwrap_or(0)
}

async fn connect(url: &SecretString) -> Result<PgConnection, DbError> {
    let options = url
        .expose_secret()
        .parse::<PgConnectOptions>()?
        .application_name("secureguard-migrate")
        .disable_statement_logging();
    // DDL waits for the statements that run, but not longer than a request would.
    Ok(Pg::connect_with(&options.options([("lock_timeout", "5000"), ("timezone", "UTC")])).await?)
}

async fn applied_version(conn: &mut PgConnection) -> Result<Option<i64>, DbError> {
    let exists: bool = sqlx::query_scalar("select to_regclass('public._sqlx_migrations') is not null")
        .fetch_one(&mut *conn)
        .await?;
    if !exists {
        return Ok(None);
    }
    Ok(
        sqlx::query_scalar("select max(version) from public._sqlx_migrations where success")
            .fetch_one(conn)
            .await?,
    )
}

async fn context_key_missing(conn: &mut PgConnection) -> Result<bool, DbError> {
    sqlx::raw_sql("set role sg_owner; set role sg_auth")
        .execute(&mut *conn)
        .await?;
    let missing: bool = sqlx::query_scalar("select not exists (select 1 from users.context_keys)")
        .fetch_one(&mut *conn)
        .await?;
    sqlx::raw_sql("reset role").execute(conn).await?;
    Ok(missing)
}

/// Roles belong to the whole cluster, and the lock to one database: where two databases migrate at once, PostgreSQL refuses the later of two
/// changes of one role, which is then made again.
async fn prepare_roles(conn: &mut PgConnection, verifiers: &RoleVerifiers) -> Result<(), DbError> {
    const ATTEMPTS: u32 = 50;
    for attempt in 1..=ATTEMPTS {
        let outcome = match sqlx::raw_sql(ROLES).execute(&mut *conn).await {
            Ok(_) => set_role_passwords(conn, verifiers).await,
            Err(error) => Err(error),
        };
        match outcome {
            Err(sqlx::Error::Database(failure)) if attempt < ATTEMPTS && was_overtaken(&*failure) => {
                tracing::debug!(
                    attempt,
                    "another database's migration changes the roles at the same time"
                );
                tokio::time::sleep(std::time::Duration::from_millis(20 * u64::from(attempt.min(10)))).await;
            }
            other => return Ok(other?),
        }
    }
    Ok(())
}

/// "tuple concurrently updated" (an internal error by its code), or a role that the other one created first.
fn was_overtaken(failure: &dyn sqlx::error::DatabaseError) -> bool {
    match failure.code().as_deref() {
        Some("XX000") => failure.message().contains("concurrently"),
        Some(code) => code == "42710" || code == "23505",
        None => false,
    }
}

async fn set_role_passwords(conn: &mut PgConnection, verifiers: &RoleVerifiers) -> Result<(), sqlx::Error> {
    for (role, verifier) in &verifiers.0 {
        let statement: String =
            sqlx::query_scalar("select format('alter role %I login password %L', $1::text, $2::text)")
                .bind(role)
                .bind(verifier.expose_secret())
                .fetch_one(&mut *conn)
                .await?;
        sqlx::raw_sql(AssertSqlSafe(statement))
            .execute(&mut *conn)
            .await?;
    }
    Ok(())
}

async fn read_report(conn: &mut PgConnection) -> Result<Vec<AdoptedRow>, DbError> {
    sqlx::query("select table_name, row_id, problem, repair from audit.adoption_report order by entry_id")
        .fetch_all(conn)
        .await?
        .into_iter()
        .map(|row| {
            Ok(AdoptedRow {
                table_name: row.try_get("table_name")?,
                row_id: row.try_get("row_id")?,
                problem: row.try_get("problem")?,
                repair: row.try_get("repair")?,
            })
        })
        .collect()
}
