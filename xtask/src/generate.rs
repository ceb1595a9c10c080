//! `cargo xtask gen`: files that are derived from code and checked in.

use std::process::Command;

use crate::build::cargo;
use crate::tools::{self, node::Node, postgres::DUMP_VERSION};
use crate::{Result, npm, paths, shell, ui};

const OPENAPI: &str = "docs/api/openapi.json";
const SCHEMA_SQL: &str = "crates/db/schema.sql";
const REFERENCE: &str = "docs/database-reference.md";
const TYPES: &str = "web/src/api/schema.d.ts";

pub(crate) fn command(arguments: &[String]) -> Result {
    match arguments
        .iter()
        .map(String::as_str)
        .collect::<Vec<_>>()
        .as_slice()
    {
        [] => generate(false),
        ["--check"] => generate(true),
        other => Err(format!("gen knows --check, not {other:?}")),
    }
}

/// Writes every generated file, or with `check` only says which are out of date.
pub(crate) fn generate(check: bool) -> Result {
    let mut stale = Vec::new();
    let mut put = |file: &'static str, text: &str| -> Result {
        let path = paths::root().join(file);
        let current = std::fs::read_to_string(&path).unwrap_or_default();
        if current == text {
            ui::say(&format!("{file} is up to date"));
        } else if check {
            stale.push(file);
        } else {
            if let Some(dir) = path.parent() {
                paths::make_dir(dir)?;
            }
            paths::write(&path, text)?;
            ui::say(&format!("wrote {file}"));
        }
        Ok(())
    };
    put(OPENAPI, &openapi()?)?;
    if let Some(schema) = of_scratch_database("sg-schema-dump", SCHEMA_SQL)? {
        put(SCHEMA_SQL, &schema)?;
    }
    if let Some(reference) = of_scratch_database("sg-schema-reference", REFERENCE)? {
        put(REFERENCE, &reference)?;
    }
    let node = tools::node::ensure()?;
    npm::install(&node, "web")?;
    put(TYPES, &console_types(&node)?)?;
    if stale.is_empty() {
        Ok(())
    } else {
        Err(format!(
            "out of date: {}; run `cargo xtask gen` and commit them",
            stale.join(", ")
        ))
    }
}

fn openapi() -> Result<String> {
    ui::step("asking the server for its OpenAPI document", || {
        let text = shell::output(cargo().args([
            "run",
            "--quiet",
            "-p",
            "sg-server",
            "--bin",
            "secureguard",
            "--",
            "openapi",
        ]))?;
        Ok(format!("{}\n", text.trim_end()))
    })
}

/// What `program` prints of a freshly migrated database. Other versions of PostgreSQL write the same schema differently.
fn of_scratch_database(program: &str, file: &str) -> Result<Option<String>> {
    let postgres = tools::postgres::ensure()?;
    if postgres.version != DUMP_VERSION {
        ui::say(&format!(
            "{file} is left alone: it is made by PostgreSQL {DUMP_VERSION}, here is {}",
            postgres.version
        ));
        return Ok(None);
    }
    ui::step(&format!("migrating a scratch database for {file}"), || {
        let mut command = cargo();
        command
            .args(["run", "--quiet", "-p", "sg-testkit", "--bin", program])
            .env("PG_BIN", &postgres.bin_dir);
        shell::output(&mut command).map(Some)
    })
}

/// The console's types, made from the checked-in OpenAPI document.
fn console_types(node: &Node) -> Result<String> {
    let path = paths::root().join(TYPES);
    let before = std::fs::read_to_string(&path).ok();
    let made = ui::step("making the console's types", || {
        let mut command: Command = npm::npm(node, "web");
        shell::output(command.args(["run", "--silent", "gen"]))?;
        paths::read(&path)
    });
    if let Some(before) = before {
        paths::write(&path, &before)?;
    }
    made
}
