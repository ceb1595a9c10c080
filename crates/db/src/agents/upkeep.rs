//! The lock under which a job runs on one node at a time.

use crate::{DbError, SystemTx, tx::Connection};

/// Takes the lock of a job until the end of the transaction; false when another node has it.
///
/// # Errors
/// What a query may meet.
pub async fn try_job_lock(tx: &mut SystemTx, job: &str) -> Result<bool, DbError> {
    Ok(
        sqlx::query_scalar("select pg_try_advisory_xact_lock(hashtextextended('secureguard.job.' || $1, 0))")
            .bind(job)
            .fetch_one(tx.conn())
            .await?,
    )
}

/// As [`try_job_lock`], for a transaction that only holds the lock while others work: it is not ended for being idle.
///
/// # Errors
/// What a query may meet.
pub async fn try_long_job_lock(tx: &mut SystemTx, job: &str) -> Result<bool, DbError> {
    let is_ours = try_job_lock(tx, job).await?;
    if is_ours {
        sqlx::query("set local idle_in_transaction_session_timeout = 0")
            .execute(tx.conn())
            .await?;
    }
    Ok(is_ours)
}
