//! Migrates an empty database and prints its reference: the text of `docs/database-reference.md`.

use std::io::Write;

use anyhow::Result;

use sg_testkit::TestDb;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<()> {
    let reference = sg_testkit::describe_schema(&TestDb::new().await?).await?;
    std::io::stdout().write_all(reference.as_bytes())?;
    Ok(())
}
