//! Everything that the schema document prints exists after a migration from nothing and after an adoption.

use std::collections::BTreeMap;

use sg_testkit::TestDb;

use crate::{migration::printed, support::*};

const COLUMNS: &str = "select c.oid::regclass || '.' || a.attname || '|' || format_type(a.atttypid, a.atttypmod) || '|' || a.attnotnull
        || '|' || coalesce(pg_get_expr(d.adbin, d.adrelid), '')
    from pg_class c join pg_namespace n on n.oid = c.relnamespace
    join pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
    left join pg_attrdef d on d.adrelid = c.oid and d.adnum = a.attnum
    where n.nspname in ('users', 'agents', 'threats', 'audit', 'monitoring') and c.relkind in ('r', 'p') and not c.relispartition order by 1";
const CONSTRAINTS: &str = "select c.conrelid::regclass || '.' || c.conname || '|' || c.contype::text
    from pg_constraint c join pg_class t on t.oid = c.conrelid join pg_namespace n on n.oid = t.relnamespace
    -- Since PostgreSQL 18 not null is one too; the columns tell it already.
    where n.nspname in ('users', 'agents', 'threats', 'audit', 'monitoring') and c.contype <> 'n' order by 1";
const CHECKS: &str = "select c.conname || '|' || pg_get_constraintdef(c.oid)
    from pg_constraint c where c.conname in ('incidents_severity_check', 'incidents_status_check') and c.contype = 'c' order by 1";
const INDEXES: &str = "select i.indexrelid::regclass || '|' || i.indrelid::regclass
    from pg_index i join pg_class c on c.oid = i.indexrelid join pg_namespace n on n.oid = c.relnamespace
    where n.nspname in ('users', 'agents', 'threats') and c.relname like 'idx\\_%' order by 1";
const FUNCTIONS: &str = "select p.oid::regproc || '(' || pg_get_function_arguments(p.oid) || ') ' || pg_get_function_result(p.oid)
    from pg_proc p join pg_namespace n on n.oid = p.pronamespace
    where n.nspname = 'users' and p.proname in ('validate_password_strength', 'handle_failed_login', 'handle_successful_login') order by 1";

/// Defaults that were replaced on purpose, and by what.
const OTHER_DEFAULTS: [(&str, &str); 4] = [
    ("agents.endpoints.tenant_id", "users.tenant_default()"),
    ("agents.system_info.info_id", "users.time_ordered_uuid()"),
    ("users.password_policies.tenant_id", "users.tenant_default()"),
    ("users.users.tenant_id", "users.tenant_default()"),
];

#[tokio::test]
async fn the_printed_objects_exist_after_either_way() -> anyhow::Result<()> {
    let document = TestDb::unmigrated().await?;
    let mut conn = document.connect("postgres").await?;
    for part in PRINTED {
        run(&mut conn, part).await?;
    }
    let adopted = printed().await?;
    adopted.migrate().await?;
    let new = TestDb::new().await?;
    for test in [&new, &adopted] {
        let mut own = test.connect("postgres").await?;
        let columns = by_name(&texts(&mut own, COLUMNS).await?);
        let documented = by_name(&texts(&mut conn, COLUMNS).await?);
        assert_eq!(documented.len(), 86, "the document prints 86 columns");
        for (name, column) in documented {
            let Some(own) = columns.get(&name) else {
                panic!("{name} is missing")
            };
            assert!(
                holds_at_least(&own.0, &column.0),
                "{name}: {} does not hold every {}",
                own.0,
                column.0
            );
            assert!(own.1 || !column.1, "{name} is nullable");
            let replaced = OTHER_DEFAULTS.iter().find(|(replaced, _)| *replaced == name);
            assert_eq!(
                own.2,
                replaced.map_or(column.2.as_str(), |(_, default)| default),
                "default of {name}"
            );
        }
        for (what, query, least) in [
            ("constraint", CONSTRAINTS, 17),
            ("check", CHECKS, 2),
            ("index", INDEXES, 15),
            ("function", FUNCTIONS, 3),
        ] {
            let own = texts(&mut own, query).await?;
            let documented = texts(&mut conn, query).await?;
            assert!(documented.len() >= least, "{} times {what}", documented.len());
            for object in documented {
                assert!(own.contains(&object), "{what} {object} is missing in {own:#?}");
            }
        }
    }
    Ok(())
}

/// Name → (type, not null, default).
fn by_name(lines: &[String]) -> BTreeMap<String, (String, bool, String)> {
    lines
        .iter()
        .map(|line| {
            let parts: Vec<_> = line.splitn(4, '|').collect();
            (
                parts[0].to_owned(),
                (parts[1].to_owned(), parts[2] == "true", parts[3].to_owned()),
            )
        })
        .collect()
}

/// Whether every value of the type `printed` is one of `own` too.
fn holds_at_least(own: &str, printed: &str) -> bool {
    let size = |text: &str| -> Vec<u32> {
        let digits = text
            .split_once('(')
            .map_or("", |(_, rest)| rest.trim_end_matches(')'));
        digits.split(',').filter_map(|part| part.parse().ok()).collect()
    };
    let base = |text: &str| text.split('(').next().unwrap_or_default().to_owned();
    match (base(own).as_str(), base(printed).as_str()) {
        ("text", "character varying") | ("bigint", "integer") => true,
        (one, other) if one == other => match (size(own).as_slice(), size(printed).as_slice()) {
            ([own], [printed]) => own >= printed,
            ([own, own_scale], [printed, scale]) => {
                own >= printed && own_scale >= scale && own - own_scale >= printed - scale
            }
            (own, printed) => own == printed,
        },
        _ => false,
    }
}
