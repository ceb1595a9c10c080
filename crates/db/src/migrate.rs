//! Bringing a database to the present schema: a new one, one of an earlier version, or one that was built from the document's printed DDL.

use std::sync::LazyLock;

use secrecy::{ExposeSecret, SecretString};
use sqlx::{
    AssertSqlSafe, ConnectOptions, Connection as _, PgConnection, Row,
    migrate::{MigrateError, Migrator},
    postgres::{PgConnectOptions, PgConnection as Pg},
};

use crate::DbError;
use crate::context::prefer_parameter;
use crate::indexes::complete_indexes;
use crate::schema_steps::{SchemaFit, find_fit, mark_steps};

/// Steps of later releases are looked at by [`refuse_newer`], and are no reason to stop.
static MIGRATOR: LazyLock<Migrator> = LazyLock::new(|| {
    let mut migrator = sqlx::migrate!("./migrations");
    migrator.set_ignore_missing(true);
    migrator
});
const ROLES: &str = include_str!("roles.sql");
const REQUEST_ROLES: &str = include_str!("request_roles.sql");
const GUARD: &str = include_str!("guard.sql");
/// The version from which on an earlier database's rows are all in place. A migration that stopped before it reports at its next run.
const ADOPTED_FROM: i64 = 15;
/// Partitions made ahead at each migration: days, weeks or months, as the table has them.
const PERIODS_AHEAD: i32 = 8;
/// The version from which on partitions can be made one at a time.
const PARTITIONS_ONE_BY_ONE_FROM: i64 = 21;

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
    migrate_to(url, verifiers, newest_version()).await
}

/// As [`migrate`], but no further than `version`: what an earlier release of the program left.
#[doc(hidden)]
pub async fn migrate_to(
    url: &SecretString,
    verifiers: &RoleVerifiers,
    version: i64,
) -> Result<MigrationReport, DbError> {
    let mut conn = connect(url).await?;
    wait_for_turn(&mut conn).await?;
    let from_version = applied_version(&mut conn).await?.unwrap_or(0);
    if from_version > 0 {
        refuse_newer(&mut conn).await?;
    }
    prepare_roles(&mut conn, verifiers).await?;
    let reported = last_report_entry(&mut conn).await?;

    sqlx::raw_sql("set role sg_owner").execute(&mut conn).await?;
    mark_steps(&mut conn).await?;
    run_steps(&mut conn, version).await?;
    mark_steps(&mut conn).await?;
    complete_indexes(&mut conn, version).await?;
    ensure_partitions(&mut conn, version).await?;
    sqlx::raw_sql(REQUEST_ROLES).execute(&mut conn).await?;
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
    prefer_parameter(&mut conn).await?;
    set_up_guard(&mut conn).await?;

    let to_version = applied_version(&mut conn).await?.unwrap_or(0);
    let after = if from_version < ADOPTED_FROM { 0 } else { reported };
    let adopted = read_report(&mut conn, after).await?;
    conn.close().await?;
    Ok(MigrationReport {
        from_version,
        to_version,
        adopted,
    })
}

/// Another migration may take longer than DDL waits for a lock. Asked for again and again: who waits inside a statement has a snapshot, and
/// an index that the other one builds concurrently would wait for that.
async fn wait_for_turn(conn: &mut PgConnection) -> Result<(), DbError> {
    const PAUSE: std::time::Duration = std::time::Duration::from_millis(100);
    let attempt = "select pg_try_advisory_lock(hashtextextended('secureguard.migrate', 0))";
    while !sqlx::query_scalar::<_, bool>(attempt)
        .fetch_one(&mut *conn)
        .await?
    {
        tokio::time::sleep(PAUSE).await;
    }
    Ok(())
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
    known_versions().into_iter().max().unwrap_or(0)
}

/// The steps that this program brings.
pub(crate) fn known_versions() -> Vec<i64> {
    MIGRATOR.iter().map(|step| step.version).collect()
}

/// What each step does, for tests.
#[cfg(test)]
pub(crate) fn steps() -> impl Iterator<Item = (i64, &'static str)> {
    MIGRATOR.iter().map(|step| (step.version, step.sql.as_str()))
}

/// The steps of this program say nothing about what a later release has changed on purpose.
async fn refuse_newer(conn: &mut PgConnection) -> Result<(), DbError> {
    match find_fit(conn).await? {
        fit @ SchemaFit::TooNew { .. } => Err(DbError::TooNew(fit.problem().unwrap_or_default())),
        _ => Ok(()),
    }
}

/// Each step is a transaction. One that meets the requests of a running server in a circle of locks is tried again behind a gate.
async fn run_steps(conn: &mut PgConnection, version: i64) -> Result<(), DbError> {
    const ATTEMPTS: u32 = 120;
    let mut outcome = MIGRATOR.run_to(version, &mut *conn).await;
    for attempt in 1..ATTEMPTS {
        let step = match &outcome {
            Err(MigrateError::ExecuteMigration(error, step)) if is_deadlock(error) => *step,
            _ => break,
        };
        tracing::info!(
            step,
            attempt,
            "a step met running requests in a deadlock and is tried again"
        );
        // The step's transaction is over, and with it what it had set.
        sqlx::raw_sql("rollback; reset role; set role sg_owner")
            .execute(&mut *conn)
            .await?;
        outcome = match run_behind_gate(conn, step).await {
            Ok(()) => MIGRATOR.run_to(version, &mut *conn).await,
            refused => refused,
        };
    }
    Ok(outcome?)
}

/// Runs a step while nobody reads the table that requests and sign-ins read before any other: who has come so far needs no lock of the step's any more, and
/// who has not holds none that the step needs.
async fn run_behind_gate(conn: &mut PgConnection, step: i64) -> Result<(), MigrateError> {
    let as_of_step = |error| MigrateError::ExecuteMigration(error, step);
    let mut transaction = conn.begin().await.map_err(as_of_step)?;
    sqlx::raw_sql("lock table users.users in access exclusive mode")
        .execute(&mut *transaction)
        .await
        .map_err(as_of_step)?;
    MIGRATOR.run_to(step, &mut *transaction).await?;
    transaction.commit().await.map_err(as_of_step)
}

/// A circle of locks, or one that was not to be had in time.
fn is_deadlock(error: &sqlx::Error) -> bool {
    let failure = error.as_database_error().and_then(|failure| failure.code());
    matches!(failure.as_deref(), Some("40P01" | "55P03"))
}

/// One partition in each transaction, so that nobody who writes meanwhile waits for more than one. Schemas before the limit have all of theirs.
async fn ensure_partitions(conn: &mut PgConnection, version: i64) -> Result<(), DbError> {
    if version < PARTITIONS_ONE_BY_ONE_FROM {
        return Ok(());
    }
    loop {
        let made: i32 = sqlx::query_scalar("select agents.ensure_partitions(now(), $1, 1)")
            .bind(PERIODS_AHEAD)
            .fetch_one(&mut *conn)
            .await?;
        if made == 0 {
            return Ok(());
        }
    }
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

/// The printed functions would take the place of the product's own; an event trigger refuses them. Only a superuser may make one: where the
/// role that migrates is none, [`Db::has_contract_guard`](crate::Db::has_contract_guard) tells that it is missing.
async fn set_up_guard(conn: &mut PgConnection) -> Result<(), DbError> {
    let superuser: bool = sqlx::query_scalar("select rolsuper from pg_roles where rolname = session_user")
        .fetch_one(&mut *conn)
        .await?;
    let there: bool =
        sqlx::query_scalar("select to_regprocedure('users.refuse_loose_function()') is not null")
            .fetch_one(&mut *conn)
            .await?;
    if superuser && there {
        sqlx::raw_sql(GUARD).execute(conn).await?;
    }
    Ok(())
}

/// The last entry that an earlier migration has told; 0 for none.
async fn last_report_entry(conn: &mut PgConnection) -> Result<i64, DbError> {
    let exists: bool = sqlx::query_scalar("select to_regclass('audit.adoption_report') is not null")
        .fetch_one(&mut *conn)
        .await?;
    if !exists {
        return Ok(0);
    }
    sqlx::raw_sql("set role sg_owner").execute(&mut *conn).await?;
    let entry: i64 = sqlx::query_scalar("select coalesce(max(entry_id), 0) from audit.adoption_report")
        .fetch_one(&mut *conn)
        .await?;
    sqlx::raw_sql("reset role").execute(conn).await?;
    Ok(entry)
}

async fn read_report(conn: &mut PgConnection, after: i64) -> Result<Vec<AdoptedRow>, DbError> {
    sqlx::raw_sql("set role sg_owner").execute(&mut *conn).await?;
    let rows = sqlx::query(
        "select table_name, row_id, problem, repair from audit.adoption_report where entry_id > $1 order by entry_id",
    )
    .bind(after)
    .fetch_all(&mut *conn)
    .await?;
    sqlx::raw_sql("reset role").execute(conn).await?;
    rows.into_iter()
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
