//! What PostgreSQL counts of the statements that it runs, by the module `pg_stat_statements`, where that is switched on. A role reads the text of its own statements
//! only, so each pool asks for its own.

use sqlx::{PgPool, Row};

use crate::{Db, DbError};

/// `object_not_in_prerequisite_state`: the module was not loaded at PostgreSQL's start.
const NOT_LOADED: &str = "55000";

/// The statements of requests since PostgreSQL counts.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct StatementTotals {
    /// How many ran.
    pub calls: i64,
    /// Milliseconds that they took together.
    pub milliseconds: f64,
}

/// One statement since PostgreSQL counts.
#[derive(Debug, Clone, PartialEq)]
pub struct StatementFigures {
    /// PostgreSQL's number of it.
    pub query_id: i64,
    /// Its text; values are left out.
    pub text: String,
    /// How often it ran.
    pub calls: i64,
    /// Milliseconds that it took together.
    pub milliseconds: f64,
    /// Milliseconds that it took at most.
    pub longest: f64,
}

impl Db {
    /// The statements of requests; none where PostgreSQL does not count them.
    ///
    /// # Errors
    /// [`DbError::Unavailable`] and what else the query met.
    pub async fn request_statements(&self) -> Result<Option<StatementTotals>, DbError> {
        if !is_there(&self.app).await? {
            return Ok(None);
        }
        let row = sqlx::query(
            "select coalesce(sum(s.calls), 0)::bigint as calls, coalesce(sum(s.total_exec_time), 0)::float8 as milliseconds
             from public.pg_stat_statements s
             where s.toplevel and s.userid in (select r.oid from pg_roles r where r.rolname in ('sg_app', 'sg_app_own'))
                and s.dbid = (select d.oid from pg_database d where d.datname = current_database())",
        )
        .fetch_one(&self.app)
        .await;
        let Some(row) = unless_not_loaded(row)? else {
            return Ok(None);
        };
        Ok(Some(StatementTotals {
            calls: row.try_get("calls")?,
            milliseconds: row.try_get("milliseconds")?,
        }))
    }

    /// The statements of requests and of jobs that took longest together, `limit` of each; none where PostgreSQL does not count them. Those of requests that see
    /// their own only are left out: another role reads their figures and not their text.
    ///
    /// # Errors
    /// [`DbError::Unavailable`] and what else the query met.
    pub async fn heaviest_statements(&self, limit: u16) -> Result<Option<Vec<StatementFigures>>, DbError> {
        let mut figures = Vec::new();
        for pool in [&self.app, &self.system] {
            if !is_there(pool).await? {
                return Ok(None);
            }
            let rows = sqlx::query(
                "select s.queryid, left(s.query, 400) as text, s.calls, s.total_exec_time, s.max_exec_time
                 from public.pg_stat_statements s
                 where s.toplevel and s.queryid is not null
                    and s.userid = (select r.oid from pg_roles r where r.rolname = current_user)
                    and s.dbid = (select d.oid from pg_database d where d.datname = current_database())
                 order by s.total_exec_time desc limit $1",
            )
            .bind(i64::from(limit))
            .fetch_all(pool)
            .await;
            let Some(rows) = unless_not_loaded(rows)? else {
                return Ok(None);
            };
            for row in rows {
                figures.push(StatementFigures {
                    query_id: row.try_get("queryid")?,
                    text: row.try_get("text")?,
                    calls: row.try_get("calls")?,
                    milliseconds: row.try_get("total_exec_time")?,
                    longest: row.try_get("max_exec_time")?,
                });
            }
        }
        Ok(Some(figures))
    }
}

async fn is_there(pool: &PgPool) -> Result<bool, DbError> {
    Ok(
        sqlx::query_scalar("select to_regclass('public.pg_stat_statements') is not null")
            .fetch_one(pool)
            .await?,
    )
}

fn unless_not_loaded<T>(result: Result<T, sqlx::Error>) -> Result<Option<T>, DbError> {
    match result {
        Ok(value) => Ok(Some(value)),
        Err(sqlx::Error::Database(error)) if error.code().as_deref() == Some(NOT_LOADED) => Ok(None),
        Err(error) => Err(error.into()),
    }
}
