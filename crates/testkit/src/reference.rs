//! The database reference: what the catalog of a freshly migrated database says of every object.

use std::fmt::Write as _;

use anyhow::Result;
use sqlx::{AssertSqlSafe, PgConnection};

use crate::TestDb;

const HEAD: &str = "\
# Database reference

Every schema, table, column, index, constraint, trigger, policy and function of a freshly migrated database, as its catalog tells it. Made by
`cargo xtask gen`; do not edit. [database.md](database.md) says what it is about.

A table's partitions have its columns, indexes and constraints, and are reached through it only.
";

/// The sections of a table: heading, head of the Markdown table where it is one, and the query for its lines. `{table}` is the table's oid.
const TABLE_SECTIONS: &[(&str, &str, &str)] = &[
    (
        "",
        "| column | type | null | default | |\n|---|---|---|---|---|",
        "select format('| `%s` | %s | %s | %s | %s |', a.attname, format_type(a.atttypid, a.atttypmod), case when a.attnotnull then 'no' else 'yes' end,
            case when a.attidentity <> '' then 'identity' else coalesce('`' || replace(pg_get_expr(d.adbin, d.adrelid), '|', '\\|') || '`', '') end,
            coalesce(col_description(a.attrelid, a.attnum), ''))
         from pg_attribute a left join pg_attrdef d on d.adrelid = a.attrelid and d.adnum = a.attnum
         where a.attrelid = {table} and a.attnum > 0 and not a.attisdropped order by a.attnum",
    ),
    (
        "Indexes",
        "",
        "select format('- `%s`: %s', c.relname, regexp_replace(pg_get_indexdef(i.indexrelid), '^CREATE (UNIQUE )?INDEX .* USING ', '\\1'))
         from pg_index i join pg_class c on c.oid = i.indexrelid where i.indrelid = {table} order by c.relname",
    ),
    (
        "Constraints",
        "",
        "select format('- `%s`: %s', c.conname, pg_get_constraintdef(c.oid)) from pg_constraint c
         where c.conrelid = {table} and c.contype in ('p', 'u', 'f', 'c', 'x') order by c.contype, c.conname",
    ),
    (
        "Policies",
        "",
        "select format('- `%s`%s: %s to %s%s%s', p.polname, case when p.polpermissive then '' else ' (restrictive)' end,
            case p.polcmd when '*' then 'all' when 'r' then 'select' when 'a' then 'insert' when 'w' then 'update' else 'delete' end,
            (select string_agg(r::regrole::text, ', ' order by r::regrole::text) from unnest(p.polroles) r),
            coalesce(' where `' || regexp_replace(pg_get_expr(p.polqual, p.polrelid), '\\s+', ' ', 'g') || '`', ''),
            case when p.polqual is null then coalesce(', check `' || regexp_replace(pg_get_expr(p.polwithcheck, p.polrelid), '\\s+', ' ', 'g') || '`', '')
                else '' end)
         from pg_policy p where p.polrelid = {table} order by p.polpermissive desc, p.polname",
    ),
    (
        "Triggers",
        "",
        "select format('- `%s`: %s', t.tgname, regexp_replace(pg_get_triggerdef(t.oid), '^CREATE TRIGGER \\S+ (.*) ON \\S+ (.*)$', '\\1 \\2'))
         from pg_trigger t where t.tgrelid = {table} and not t.tgisinternal order by t.tgname",
    ),
    (
        "Privileges",
        "",
        "select format('- %s: %s', grantee, string_agg(privilege, ', ' order by privilege)) from (
            select pg_get_userbyid(x.grantee) as grantee, lower(x.privilege_type) as privilege
            from pg_class c cross join lateral aclexplode(c.relacl) x where c.oid = {table} and x.grantee <> c.relowner
            union all
            select pg_get_userbyid(x.grantee), lower(x.privilege_type) || ' (' || string_agg(a.attname, ', ' order by a.attnum) || ')'
            from pg_attribute a cross join lateral aclexplode(a.attacl) x where a.attrelid = {table}
            group by x.grantee, x.privilege_type) g
         group by grantee order by grantee",
    ),
];

const SCHEMAS: &str =
    "select n.nspname::text from pg_namespace n where pg_get_userbyid(n.nspowner) = 'sg_owner' order by 1";
const ROLES: &str = "select format('- `%s`%s', r.rolname, coalesce(', member of ' || (
        select string_agg(m.roleid::regrole::text, ', ' order by m.roleid::regrole::text) from pg_auth_members m where m.member = r.oid), ''))
    from pg_roles r where r.rolname like 'sg\\_%' order by r.rolname";
const FUNCTIONS: &str = "select format(E'- `%s.%s(%s)` → %s. %s %s %s', n.nspname, p.proname, pg_get_function_identity_arguments(p.oid),
        coalesce(pg_get_function_result(p.oid), 'nothing'), obj_description(p.oid, 'pg_proc'),
        case when p.prosecdef then 'Runs as ' || pg_get_userbyid(p.proowner) || '.' else 'Runs as its caller.' end,
        coalesce('Called by ' || (
            select string_agg(pg_get_userbyid(x.grantee), ', ' order by pg_get_userbyid(x.grantee)) from aclexplode(p.proacl) x
            where x.grantee <> p.proowner) || '.', 'Granted to nobody.'))
    from pg_proc p join pg_namespace n on n.oid = p.pronamespace where n.nspname = '{schema}' order by p.proname, 1";

/// The reference as Markdown.
///
/// # Errors
/// What PostgreSQL says.
pub async fn describe_schema(database: &TestDb) -> Result<String> {
    let mut conn = database.connect("postgres").await?;
    let mut text = HEAD.to_owned();
    let roles = lines(&mut conn, ROLES.to_owned()).await?;
    write!(text, "\n## Roles\n\n{}\n", roles.join("\n"))?;
    for schema in lines(&mut conn, SCHEMAS.to_owned()).await? {
        let about = lines(
            &mut conn,
            format!("select obj_description('{schema}'::regnamespace, 'pg_namespace')"),
        )
        .await?;
        write!(text, "\n## Schema {schema}\n\n{}\n", about.join(""))?;
        let tables = lines(
            &mut conn,
            format!(
                "select c.oid::regclass::text from pg_class c where c.relnamespace = '{schema}'::regnamespace and c.relkind in ('r', 'p', 'v', 'm')
                    and not c.relispartition order by c.relname"
            ),
        )
        .await?;
        for table in tables {
            describe_table(&mut conn, &table, &mut text).await?;
        }
        let functions = lines(&mut conn, FUNCTIONS.replace("{schema}", &schema)).await?;
        write!(text, "\n### Functions of {schema}\n\n{}\n", functions.join("\n"))?;
    }
    Ok(text)
}

async fn describe_table(conn: &mut PgConnection, table: &str, text: &mut String) -> Result<()> {
    let oid = format!("'{table}'::regclass");
    let about = lines(
        conn,
        format!("select coalesce(obj_description({oid}, 'pg_class'), '')"),
    )
    .await?;
    write!(text, "\n### {table}\n\n{}\n", about.join(""))?;
    let partitioned = lines(
        conn,
        format!(
            "select 'Partitioned by ' || pg_get_partkeydef({oid}) || '.' where pg_get_partkeydef({oid}) is not null
             union all
             select format('`%s`: a partition for each %s, kept %s.', s.parent_table, s.period,
                coalesce(s.keep_days || ' days', 'until somebody decides'))
             from agents.partition_schemes s
             where to_regclass(s.parent_table) in (select relid from pg_partition_tree({oid}))"
        ),
    )
    .await?;
    if !partitioned.is_empty() {
        write!(text, "\n{}\n", partitioned.join("\n"))?;
    }
    for (heading, head, query) in TABLE_SECTIONS {
        let found = lines(conn, query.replace("{table}", &oid)).await?;
        if found.is_empty() {
            continue;
        }
        if !heading.is_empty() {
            write!(text, "\n{heading}:\n")?;
        }
        if !head.is_empty() {
            write!(text, "\n{head}")?;
        }
        write!(text, "\n{}\n", found.join("\n"))?;
    }
    Ok(())
}

async fn lines(conn: &mut PgConnection, query: String) -> Result<Vec<String>> {
    Ok(sqlx::query_scalar(AssertSqlSafe(query)).fetch_all(conn).await?)
}
