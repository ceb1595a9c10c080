//! What there is to try.

use std::collections::BTreeMap;

use sqlx::{PgConnection, Row};

use crate::support::*;

/// The schemas of the product are those of its owner.
pub(super) const OWN: &str = "pg_get_userbyid(n.nspowner) = 'sg_owner'";

/// A table, view or partition.
#[derive(Debug, Clone)]
pub(super) struct Relation {
    pub(super) name: String,
    /// The name, with `YYYYMMDD` for the date of a partition.
    pub(super) class: String,
    pub(super) kind: &'static str,
    pub(super) has_tenant: bool,
    /// A row of the first tenant, and one that is not, as JSON.
    pub(super) rows: [Option<String>; 2],
    /// Rows of the first tenant, and others.
    pub(super) counts: (i64, i64),
}

impl Relation {
    pub(super) fn is_view(&self) -> bool {
        self.kind == "view"
    }

    /// An expression that says whether a row belongs to the first tenant.
    pub(super) fn is_own(&self) -> String {
        if self.has_tenant {
            format!("coalesce(tenant_id = '{TENANT_A}', false)")
        } else {
            "false".to_owned()
        }
    }
}

/// A function or procedure.
#[derive(Debug, Clone)]
pub(super) struct Function {
    /// With the types of its arguments.
    pub(super) name: String,
    /// `schema.name`, quoted where needed.
    pub(super) path: String,
    pub(super) argument_types: Vec<String>,
    pub(super) is_procedure: bool,
    /// Whether a call by hand is refused, as it is for a trigger's function.
    pub(super) is_trigger: bool,
}

/// Everything that there is to try.
#[derive(Debug)]
pub(super) struct Objects {
    pub(super) relations: Vec<Relation>,
    pub(super) sequences: Vec<String>,
    pub(super) functions: Vec<Function>,
    /// Partitions whose rights differ from those of the one that stands for them.
    pub(super) odd_partitions: Vec<String>,
}

pub(super) async fn find_objects(
    conn: &mut PgConnection,
    wanted: impl Fn(&str) -> bool,
) -> anyhow::Result<Objects> {
    let (relations, odd_partitions) = find_relations(conn, &wanted).await?;
    let sequences = texts(
        conn,
        format!(
            "select c.oid::regclass::text from pg_class c join pg_namespace n on n.oid = c.relnamespace
             where {OWN} and c.relkind = 'S' order by 1"
        ),
    )
    .await?;
    Ok(Objects {
        relations,
        sequences: sequences.into_iter().filter(|name| wanted(name)).collect(),
        functions: find_functions(conn, &wanted).await?,
        odd_partitions,
    })
}

/// The relations, one for all partitions that differ by their date only.
async fn find_relations(
    conn: &mut PgConnection,
    wanted: &impl Fn(&str) -> bool,
) -> anyhow::Result<(Vec<Relation>, Vec<String>)> {
    let rows = sqlx::query(sqlx::AssertSqlSafe(format!(
        "select c.oid::regclass::text as name, regexp_replace(c.oid::regclass::text, '_[0-9]{{8}}$', '_YYYYMMDD') as class,
            case when c.relkind in ('v', 'm') then 'view' when c.relispartition then 'partition' else 'table' end as kind,
            exists (select 1 from pg_attribute a where a.attrelid = c.oid and a.attname = 'tenant_id' and not a.attisdropped) as has_tenant,
            concat_ws(' ', pg_get_userbyid(c.relowner), coalesce(c.relacl, acldefault('r', c.relowner)), c.relrowsecurity, c.relforcerowsecurity,
                (select string_agg(concat_ws(' ', p.polname, p.polcmd, p.polroles, pg_get_expr(p.polqual, p.polrelid)), ', ' order by p.polname)
                    from pg_policy p where p.polrelid = c.oid)) as rights
         from pg_class c join pg_namespace n on n.oid = c.relnamespace
         where {OWN} and c.relkind in ('r', 'p', 'v', 'm', 'f') order by 2, 1"
    )))
    .fetch_all(&mut *conn)
    .await?;
    let mut classes: BTreeMap<String, (Relation, String)> = BTreeMap::new();
    let mut odd = Vec::new();
    for row in rows {
        let mut relation = Relation {
            name: row.try_get("name")?,
            class: row.try_get("class")?,
            kind: match row.try_get::<String, _>("kind")?.as_str() {
                "view" => "view",
                "partition" => "partition",
                _ => "table",
            },
            has_tenant: row.try_get("has_tenant")?,
            rows: [None, None],
            counts: (0, 0),
        };
        let rights: String = row.try_get("rights")?;
        if !wanted(&relation.name) {
            continue;
        }
        look_into(conn, &mut relation).await?;
        match classes.get_mut(&relation.class) {
            None => {
                classes.insert(relation.class.clone(), (relation, rights));
            }
            Some((first, expected)) => {
                if rights != *expected {
                    odd.push(format!("{} differs from others of its kind", relation.name));
                }
                // One with rows shows more.
                if first.counts == (0, 0) {
                    *first = relation;
                }
            }
        }
    }
    Ok((classes.into_values().map(|(relation, _)| relation).collect(), odd))
}

async fn look_into(conn: &mut PgConnection, relation: &mut Relation) -> anyhow::Result<()> {
    let (name, own) = (&relation.name, relation.is_own());
    relation.counts = sqlx::query_as(sqlx::AssertSqlSafe(format!(
        "select count(*) filter (where {own}), count(*) filter (where not {own}) from {name}"
    )))
    .fetch_one(&mut *conn)
    .await?;
    for (place, condition) in [own.clone(), format!("not {own} and {}", of_the_other(relation))]
        .into_iter()
        .enumerate()
    {
        relation.rows[place] = text(
            conn,
            format!("select min(to_jsonb(t)::text) from {name} t where {condition}"),
        )
        .await?;
    }
    Ok(())
}

/// The second tenant's rows, where rows have a tenant: the installation's own would say less.
fn of_the_other(relation: &Relation) -> String {
    if relation.has_tenant {
        format!("tenant_id = '{TENANT_B}'")
    } else {
        "true".to_owned()
    }
}

async fn find_functions(
    conn: &mut PgConnection,
    wanted: &impl Fn(&str) -> bool,
) -> anyhow::Result<Vec<Function>> {
    let rows = sqlx::query(sqlx::AssertSqlSafe(format!(
        "select p.oid::regprocedure::text as name, format('%I.%I', n.nspname, p.proname) as path, p.prokind = 'p' as is_procedure,
            p.prorettype in ('trigger'::regtype, 'event_trigger'::regtype) as is_trigger,
            array(select format_type(t, null) from unnest(p.proargtypes) with ordinality as a (t, place) order by place) as argument_types
         from pg_proc p join pg_namespace n on n.oid = p.pronamespace where {OWN} order by 1"
    )))
    .fetch_all(conn)
    .await?;
    let mut functions = Vec::new();
    for row in rows {
        let function = Function {
            name: row.try_get("name")?,
            path: row.try_get("path")?,
            argument_types: row.try_get("argument_types")?,
            is_procedure: row.try_get("is_procedure")?,
            is_trigger: row.try_get("is_trigger")?,
        };
        if wanted(&function.name) {
            functions.push(function);
        }
    }
    Ok(functions)
}
