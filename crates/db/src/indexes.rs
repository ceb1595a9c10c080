//! Indexes that are built while others write: what a migration declares on a partitioned table only, one partition at a time, and those of large tables.

use sqlx::{AssertSqlSafe, PgConnection, Row};

use crate::DbError;

/// The version that brings an index, its name and its definition.
const OF_LARGE_TABLES: [(i64, &str, &str); 2] = [
    // How many incidents of an endpoint are open is asked for each one that is listed.
    (
        30,
        "threats.idx_threats_open_by_agent",
        "idx_threats_open_by_agent on threats.incidents (tenant_id, agent_id) where status in ('new', 'investigating')",
    ),
    // How incidents were closed is counted for each day.
    (
        52,
        "threats.incidents_tenant_id_resolved_at_idx",
        "incidents_tenant_id_resolved_at_idx on threats.incidents (tenant_id, resolved_at) where resolved_at is not null",
    ),
];

/// Each partition without its part of an index that was declared with `on only`.
const MISSING: &str = "select p.oid::regclass::text as parent_index,
        format('%I.%I', n.nspname, k.relname || right(p.relname, -length(t.relname))) as name,
        quote_ident(k.relname || right(p.relname, -length(t.relname))) as bare_name,
        k.oid::regclass::text as partition,
        substring(pg_get_indexdef(p.oid) from ' USING .*') as definition
     from pg_index i
     join pg_class p on p.oid = i.indexrelid and p.relkind = 'I' and not i.indisvalid
     join pg_class t on t.oid = i.indrelid
     join pg_inherits h on h.inhparent = t.oid
     join pg_class k on k.oid = h.inhrelid and k.relkind = 'r'
     join pg_namespace n on n.oid = k.relnamespace and n.nspname in ('users', 'agents', 'threats', 'audit', 'monitoring')
     where not exists (
        select from pg_inherits c join pg_index x on x.indexrelid = c.inhrelid where c.inhparent = p.oid and x.indrelid = k.oid)
     order by 1, 2";

/// Builds them concurrently and attaches them. What was left half-built by an earlier run is built anew.
///
/// # Errors
/// What PostgreSQL says; running it again goes on where it stopped.
pub(crate) async fn complete_indexes(conn: &mut PgConnection, version: i64) -> Result<(), DbError> {
    // Building concurrently waits for transactions that were there before, however long they take.
    sqlx::raw_sql("set lock_timeout = 0").execute(&mut *conn).await?;
    build_on_large_tables(conn, version).await?;
    build_on_partitions(conn).await?;
    sqlx::raw_sql("set lock_timeout = '5s'").execute(conn).await?;
    Ok(())
}

async fn build_on_large_tables(conn: &mut PgConnection, version: i64) -> Result<(), DbError> {
    for (since, name, definition) in OF_LARGE_TABLES {
        let built: bool = sqlx::query_scalar(
            "select exists (select from pg_index where indexrelid = to_regclass($1) and indisvalid)",
        )
        .bind(name)
        .fetch_one(&mut *conn)
        .await?;
        if built || since > version {
            continue;
        }
        for statement in [
            format!("drop index concurrently if exists {name}"),
            format!("create index concurrently {definition}"),
        ] {
            sqlx::raw_sql(AssertSqlSafe(statement))
                .execute(&mut *conn)
                .await?;
        }
    }
    Ok(())
}

async fn build_on_partitions(conn: &mut PgConnection) -> Result<(), DbError> {
    let missing = sqlx::query(MISSING).fetch_all(&mut *conn).await?;
    let mut run = async |statement: String| sqlx::raw_sql(AssertSqlSafe(statement)).execute(&mut *conn).await;
    for row in missing {
        let text = |column: &str| row.try_get::<String, _>(column);
        let (name, definition) = (text("name")?, text("definition")?);
        run(format!("drop index concurrently if exists {name}")).await?;
        run(format!(
            "create index concurrently {} on {}{definition}",
            text("bare_name")?,
            text("partition")?
        ))
        .await?;
        run(format!(
            "alter index {} attach partition {name}",
            text("parent_index")?
        ))
        .await?;
    }
    Ok(())
}
