//! Making the product's database in a cluster of its own.

use secrecy::{ExposeSecret, SecretString};
use sqlx::{AssertSqlSafe, ConnectOptions, Connection as _, postgres::PgConnectOptions};

use crate::DbError;

/// Makes the database `name` where it is missing. `url` connects as a superuser to another database of the cluster.
///
/// # Errors
/// [`DbError::Unavailable`] when the cluster does not answer.
pub async fn create_database(url: &SecretString, name: &str) -> Result<(), DbError> {
    let options = url
        .expose_secret()
        .parse::<PgConnectOptions>()?
        .application_name("secureguard-provision");
    let mut conn = options.connect().await?;
    let exists: bool = sqlx::query_scalar("select exists (select 1 from pg_database where datname = $1)")
        .bind(name)
        .fetch_one(&mut conn)
        .await?;
    if !exists {
        let statement: String = sqlx::query_scalar("select format('create database %I', $1::text)")
            .bind(name)
            .fetch_one(&mut conn)
            .await?;
        sqlx::raw_sql(AssertSqlSafe(statement)).execute(&mut conn).await?;
    }
    Ok(conn.close().await?)
}
