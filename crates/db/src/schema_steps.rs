//! How a program and a schema fit that are not of the same release: nodes are upgraded one after the other, the schema first.
//!
//! A step *expands* when whatever worked before it works after it: it adds tables, columns with a default, functions, indexes. What a release no longer uses goes in a
//! *contracting* step of a later release.

use sqlx::PgConnection;

use crate::{Db, DbError, migrate::known_versions};

/// Steps that programs of an earlier release cannot work beside. Those programs refuse to serve the schema from then on.
const CONTRACTING: [i64; 0] = [];
/// The step that made the table of these marks.
const MARKED_FROM: i64 = 56;

/// How the schema of a database and this program go together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SchemaFit {
    /// The schema that this program brings.
    Same(i64),
    /// The database has yet to be migrated.
    Older {
        /// The database's version.
        applied: i64,
        /// This program's version.
        needed: i64,
    },
    /// Of a later release, and this program can work beside it.
    Newer {
        /// The database's version.
        applied: i64,
        /// This program's version.
        known: i64,
    },
    /// Of a later release that this program does not understand.
    TooNew {
        /// The database's version.
        applied: i64,
        /// This program's version.
        known: i64,
        /// The first step that is not marked as one that expands.
        step: i64,
    },
}

impl SchemaFit {
    /// Why this program must not work on the schema, and what to do; none when it may.
    pub fn problem(self) -> Option<String> {
        match self {
            Self::Same(_) | Self::Newer { .. } => None,
            Self::Older { applied, needed } => Some(format!(
                "the schema is version {applied}, this program needs {needed}: run `secureguard migrate`"
            )),
            Self::TooNew { applied, known, step } => Some(format!(
                "the schema is version {applied}, and programs that know it up to {known}, as this one, cannot work beside its step {step}: update this program"
            )),
        }
    }
}

impl Db {
    /// How the database's schema and this program go together.
    ///
    /// # Errors
    /// [`DbError::Unavailable`] and what else the query met; a database that was never migrated is [`DbError::Other`] or [`DbError::Denied`].
    pub async fn schema_fit(&self) -> Result<SchemaFit, DbError> {
        #[expect(
            clippy::disallowed_methods,
            reason = "it reads no tenant's table and begins no transaction that a dropped request could leave open"
        )]
        let mut conn = self.app.acquire().await?;
        find_fit(&mut conn).await
    }
}

/// As [`Db::schema_fit`], by a connection that is there; the bookkeeping of the migrations has to be there too.
pub(crate) async fn find_fit(conn: &mut PgConnection) -> Result<SchemaFit, DbError> {
    let known = known_versions();
    let needed = known.iter().copied().max().unwrap_or(0);
    let applied: Vec<i64> =
        sqlx::query_scalar("select version from public._sqlx_migrations where success order by version")
            .fetch_all(&mut *conn)
            .await?;
    let newest = applied.last().copied().unwrap_or(0);
    if !applied.contains(&needed) {
        return Ok(SchemaFit::Older {
            applied: newest,
            needed,
        });
    }
    let unknown: Vec<i64> = applied
        .into_iter()
        .filter(|version| !known.contains(version))
        .collect();
    if unknown.is_empty() {
        return Ok(SchemaFit::Same(needed));
    }
    let step: Option<i64> = sqlx::query_scalar(
        "select min(u.version) from unnest($1::bigint[]) as u (version)
         where not exists (select from public.schema_steps s where s.version = u.version and s.expands)",
    )
    .bind(&unknown)
    .fetch_one(conn)
    .await?;
    Ok(match step {
        None => SchemaFit::Newer {
            applied: newest,
            known: needed,
        },
        Some(step) => SchemaFit::TooNew {
            applied: newest,
            known: needed,
            step,
        },
    })
}

/// Marks the steps that this program brings, where the table is there already: before they are taken, since nodes look at any moment.
pub(crate) async fn mark_steps(conn: &mut PgConnection) -> Result<(), DbError> {
    let exists: bool = sqlx::query_scalar("select to_regclass('public.schema_steps') is not null")
        .fetch_one(&mut *conn)
        .await?;
    if !exists {
        return Ok(());
    }
    let versions: Vec<i64> = known_versions()
        .into_iter()
        .filter(|version| *version >= MARKED_FROM)
        .collect();
    sqlx::query(
        "insert into public.schema_steps as s (version, expands)
         select k.version, k.version <> all ($2::bigint[]) from unnest($1::bigint[]) as k (version)
         on conflict (version) do update set expands = excluded.expands where s.expands <> excluded.expands",
    )
    .bind(versions)
    .bind(CONTRACTING.as_slice())
    .execute(conn)
    .await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::migrate::steps;

    /// What takes something away that an earlier program may use.
    const TAKES_AWAY: [&str; 7] = [
        "drop table",
        "drop column",
        "drop function",
        "drop view",
        " rename ",
        "set not null",
        "set data type",
    ];

    #[test]
    fn a_step_that_takes_something_away_is_named() {
        for (version, sql) in
            steps().filter(|(version, _)| *version >= MARKED_FROM && !CONTRACTING.contains(version))
        {
            for line in sql.lines().filter(|line| !line.trim_start().starts_with("--")) {
                let lower = line.to_lowercase();
                let found = TAKES_AWAY.iter().find(|words| lower.contains(**words));
                assert!(
                    found.is_none() || lower.contains("-- expands:"),
                    "step {version} has {line:?}: name it in CONTRACTING, or say in the line, after `-- expands:`, why earlier programs do not notice"
                );
            }
        }
    }

    #[test]
    fn what_does_not_fit_says_what_to_do() {
        let words = |fit: SchemaFit| fit.problem().unwrap_or_default();
        assert!(
            words(SchemaFit::Older {
                applied: 3,
                needed: 5
            })
            .contains("run `secureguard migrate`")
        );
        let too_new = SchemaFit::TooNew {
            applied: 9,
            known: 5,
            step: 8,
        };
        assert!(words(too_new).contains("step 8: update this program"));
        assert_eq!(words(SchemaFit::Newer { applied: 9, known: 5 }), "");
    }
}
