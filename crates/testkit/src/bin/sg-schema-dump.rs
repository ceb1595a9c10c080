//! Migrates an empty database and prints its schema as `pg_dump` of PostgreSQL 15 tells it: the text of `crates/db/schema.sql`.

use std::io::Write;

use anyhow::Result;

use sg_testkit::TestDb;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<()> {
    let dump = sg_testkit::dump_schema(&TestDb::new().await?)?;
    std::io::stdout().write_all(dump.as_bytes())?;
    Ok(())
}
