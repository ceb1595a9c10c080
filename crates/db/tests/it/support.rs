//! Two tenants with a row in every table, and short ways to run SQL.

use chrono::{DateTime, Utc};
use sg_db::{Caller, Proof, TokenHash};
use sg_testkit::TestDb;
use sg_types::{Clock, SystemClock};
use sqlx::{AssertSqlSafe, PgConnection};

use crate::seeds::{self, Seed};

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

/// SQL that opens the context of `token` in its transaction, in the role that a request of theirs has.
pub(crate) fn open_context(token: &str) -> String {
    let role = if token == USER_A {
        "; set local role sg_app_own"
    } else {
        ""
    };
    format!("{}{role}", open_context_only(token))
}

/// SQL that opens the context of `token` in its transaction.
pub(crate) fn open_context_only(token: &str) -> String {
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
        for seed in seeds::ALL {
            run(&mut conn, seed(&Seed(tenant))).await?;
        }
    }
    Ok(test)
}
