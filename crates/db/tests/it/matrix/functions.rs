//! Calls of functions.

use sqlx::PgConnection;

use crate::support::*;

use super::{
    Cell, Probe,
    objects::{Function, Relation},
};

/// Functions that name something of another tenant on purpose, and why that is no leak.
const NAMES_OTHERS: &[(&str, &str)] = &[(
    "users.find_grantee(text)",
    "an administrator who gives access to somebody of another home names them exactly, and learns their id",
)];

/// What the second tenant's rows hold, and no other's.
const MARKS: [&str; 6] = ["bbbbbbbb-", "Tenant b", " of b", "admin-b", "own-b", "other-b"];

/// Calls the function with a null for each argument.
pub(super) async fn try_function(
    conn: &mut PgConnection,
    probe: &Probe,
    function: &Function,
) -> anyhow::Result<Cell> {
    let call = call(function, |kind| format!("null::{kind}"));
    probe.attempt(conn, "select 1", &call, None).await
}

/// Calls the function with arguments that mean the second tenant; says what it showed or changed of it.
pub(super) async fn try_on_another_tenant(
    conn: &mut PgConnection,
    probe: &Probe,
    function: &Function,
    relations: &[Relation],
) -> anyhow::Result<Vec<String>> {
    let mut leaks = Vec::new();
    if function.is_procedure || function.is_trigger {
        return Ok(leaks);
    }
    let user_b = TENANT_B.replace("000000000000", "000000000001");
    for (id, word) in [
        (TENANT_B, "session"),
        (user_b.as_str(), "admin-b"),
        (TENANT_B, "user"),
    ] {
        run(
            conn,
            format!(
                "savepoint attempt; set local session authorization {}",
                probe.role
            ),
        )
        .await?;
        let call = call(function, |kind| argument(kind, id, word));
        let shown = text(
            conn,
            format!("select string_agg(r::text, ' ') from ({call}) as r"),
        )
        .await;
        match shown {
            Ok(shown) => {
                let shown = shown.unwrap_or_default();
                if MARKS.iter().any(|mark| shown.contains(mark))
                    && !NAMES_OTHERS.iter().any(|(name, _)| *name == function.name)
                {
                    leaks.push(format!("{} shows {shown}", function.name));
                }
                run(conn, "set local session authorization default").await?;
                let changed = count(conn, count_changed(probe, relations)).await?;
                if changed > 0 {
                    leaks.push(format!(
                        "{} changes {changed} rows of another tenant",
                        function.name
                    ));
                }
            }
            Err(sqlx::Error::Database(_)) => {}
            Err(other) => return Err(other.into()),
        }
        run(conn, "rollback to savepoint attempt; release savepoint attempt").await?;
    }
    Ok(leaks)
}

fn call(function: &Function, argument: impl Fn(&str) -> String) -> String {
    let arguments: Vec<String> = function
        .argument_types
        .iter()
        .map(|kind| argument(kind))
        .collect();
    let (path, arguments) = (&function.path, arguments.join(", "));
    if function.is_procedure {
        format!("call {path}({arguments})")
    } else if function.is_trigger {
        format!("select {path}({arguments})")
    } else {
        format!("select * from {path}({arguments})")
    }
}

fn argument(kind: &str, id: &str, word: &str) -> String {
    let value = match kind {
        "uuid" => format!("'{id}'"),
        "uuid[]" => format!("array['{id}']"),
        "text" | "character varying" => format!("'{word}'"),
        "text[]" => format!("array['{word}']"),
        "timestamp with time zone" => "now()".to_owned(),
        "date" => "current_date".to_owned(),
        "boolean" => "true".to_owned(),
        "jsonb" | "json" => "'{}'".to_owned(),
        "integer" | "bigint" | "smallint" | "numeric" => "1".to_owned(),
        "bytea" => "'\\x00'".to_owned(),
        _ => "null".to_owned(),
    };
    format!("{value}::{kind}")
}

fn count_changed(probe: &Probe, relations: &[Relation]) -> String {
    let parts: Vec<String> = relations
        .iter()
        .filter(|relation| relation.kind == "table" && relation.has_tenant)
        .map(|relation| {
            format!(
                "select count(*) as changed from {} where tenant_id = '{TENANT_B}' and xmin::text::bigint >= {}",
                relation.name, probe.transaction
            )
        })
        .collect();
    if parts.is_empty() {
        return "select 0::bigint".to_owned();
    }
    format!(
        "select sum(changed)::bigint from ({}) as parts",
        parts.join(" union all ")
    )
}
