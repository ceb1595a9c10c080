//! Statements on relations and sequences.

use sqlx::PgConnection;

use crate::support::*;

use super::{Cell, Cells, Probe, objects::Relation};

pub(super) async fn try_relation(
    conn: &mut PgConnection,
    probe: &Probe,
    relation: &Relation,
) -> anyhow::Result<Cells> {
    Ok(vec![
        ("select", try_select(conn, probe, relation).await?),
        ("insert", try_insert(conn, probe, relation, 0).await?),
        ("insert", try_insert(conn, probe, relation, 1).await?),
        ("update", try_update(conn, probe, relation).await?),
        ("delete", try_removal(conn, probe, relation, "delete from").await?),
        ("truncate", try_removal(conn, probe, relation, "truncate").await?),
    ])
}

pub(super) async fn try_sequence(
    conn: &mut PgConnection,
    probe: &Probe,
    sequence: &str,
) -> anyhow::Result<Cells> {
    let mut cells = Vec::new();
    for (operation, statement) in [
        ("select", format!("select last_value from {sequence}")),
        ("usage", format!("select nextval('{sequence}')")),
        ("update", format!("select setval('{sequence}', 1)")),
    ] {
        cells.push((
            operation,
            probe.attempt(conn, "select 1", &statement, None).await?,
        ));
    }
    Ok(cells)
}

/// Counts as the role itself, in one column at least that it may read.
async fn try_select(conn: &mut PgConnection, probe: &Probe, relation: &Relation) -> anyhow::Result<Cell> {
    let (name, own) = (&relation.name, relation.is_own());
    run(
        conn,
        format!(
            "savepoint attempt; set local session authorization {}",
            probe.role
        ),
    )
    .await?;
    let by_tenant = sqlx::query_as(sqlx::AssertSqlSafe(format!(
        "select count(*) filter (where {own}), count(*) filter (where not {own}) from {name}"
    )))
    .fetch_one(&mut *conn)
    .await;
    let cell = match by_tenant {
        Ok((own, other)) => Cell::Rows { own, other },
        Err(sqlx::Error::Database(failure)) => {
            let code = failure.code().unwrap_or_default().into_owned();
            // Where the tenant's column may not be read, any row counts as another's.
            run(conn, "rollback to savepoint attempt").await?;
            run(conn, format!("set local session authorization {}", probe.role)).await?;
            match count(conn, format!("select count(*) from {name}")).await {
                Ok(other) => Cell::Rows { own: 0, other },
                Err(_) => Cell::Refused(code),
            }
        }
        Err(other) => return Err(other.into()),
    };
    run(conn, "rollback to savepoint attempt; release savepoint attempt").await?;
    Ok(cell)
}

/// Inserts a copy of a row that steps aside for it, so that its keys are free and its references hold.
async fn try_insert(
    conn: &mut PgConnection,
    probe: &Probe,
    relation: &Relation,
    place: usize,
) -> anyhow::Result<Cell> {
    let Some(row) = &relation.rows[place] else {
        return Ok(Cell::NoRow);
    };
    let name = &relation.name;
    let columns = text(
        conn,
        format!(
            "select coalesce(string_agg(quote_ident(a.attname), ', ' order by a.attnum)
                    filter (where has_column_privilege('{role}', a.attrelid, a.attnum, 'insert')),
                string_agg(quote_ident(a.attname), ', ' order by a.attnum))
             from pg_attribute a where a.attrelid = '{name}'::regclass and a.attnum > 0 and not a.attisdropped and a.attgenerated = ''
                and a.attidentity <> 'a'",
            role = probe.role
        ),
    )
    .await?
    .unwrap_or_default();
    let aside = if relation.is_view() {
        "select 1".to_owned()
    } else {
        format!(
            "set local session_replication_role = replica; delete from {name} t where to_jsonb(t)::text = $row${row}$row$;
             set local session_replication_role = origin"
        )
    };
    let insert = format!(
        "insert into {name} ({columns}) select {columns} from jsonb_populate_record(null::{name}, $row${row}$row$)"
    );
    probe
        .attempt(conn, &aside, &insert, Some(&measure_changed(probe, relation)))
        .await
}

/// Sets a column that the role may write to the value that it has, in every row that the role reaches.
async fn try_update(conn: &mut PgConnection, probe: &Probe, relation: &Relation) -> anyhow::Result<Cell> {
    let (name, role) = (&relation.name, &probe.role);
    let assignment = text(
        conn,
        format!(
            "select format(case when has_column_privilege('{role}', a.attrelid, a.attnum, 'select') then '%1$I = %1$I' else '%1$I = default' end,
                a.attname)
             from pg_attribute a where a.attrelid = '{name}'::regclass and a.attnum > 0 and not a.attisdropped and a.attgenerated = ''
                and a.attidentity <> 'a'
             order by has_column_privilege('{role}', a.attrelid, a.attnum, 'update') desc,
                has_column_privilege('{role}', a.attrelid, a.attnum, 'select') desc, a.attnum
             limit 1"
        ),
    )
    .await?
    .unwrap_or_default();
    let update = format!("update {name} set {assignment}");
    probe
        .attempt(conn, "select 1", &update, Some(&measure_changed(probe, relation)))
        .await
}

async fn try_removal(
    conn: &mut PgConnection,
    probe: &Probe,
    relation: &Relation,
    verb: &str,
) -> anyhow::Result<Cell> {
    let (name, own, before) = (&relation.name, relation.is_own(), relation.counts);
    let measure = format!(
        "select {} - count(*) filter (where {own}), {} - count(*) filter (where not {own}) from {name}",
        before.0, before.1
    );
    probe
        .attempt(conn, "select 1", &format!("{verb} {name}"), Some(&measure))
        .await
}

/// Counts the rows that the transaction has changed. Views have no row versions: what they show is counted with their tables.
fn measure_changed(probe: &Probe, relation: &Relation) -> String {
    if relation.is_view() {
        return "select 0::bigint, 0::bigint".to_owned();
    }
    let (name, own) = (&relation.name, relation.is_own());
    format!(
        "select count(*) filter (where {own}), count(*) filter (where not {own}) from {name}
         where xmin::text::bigint >= {}",
        probe.transaction
    )
}
