//! What an endpoint was not watched for.

use chrono::{DateTime, Utc};
use sg_types::{AgentId, api::agents::CoverageGapView, coverage::explain};
use sqlx::{Row, postgres::PgRow};
use uuid::Uuid;

use crate::{DbError, Reads, users::After};

/// A range of time that gaps reach into.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CoverageRange {
    /// Begin.
    pub from: DateTime<Utc>,
    /// End.
    pub to: DateTime<Utc>,
}

/// The gaps of an endpoint that reach into a range, those that began last first, at most `limit` after `after`.
///
/// # Errors
/// What a query may meet.
pub async fn list_gaps(
    tx: &mut impl Reads,
    agent_id: AgentId,
    range: CoverageRange,
    after: Option<After>,
    limit: u32,
) -> Result<Vec<CoverageGapView>, DbError> {
    sqlx::query(
        "select g.gap_id, g.reason, g.cause, g.area, g.noticed_by, g.from_at, g.to_at, g.lost_records, g.gap_count, g.detail
         from agents.gaps g
         where g.tenant_id = (select users.current_tenant()) and g.agent_id = $1 and g.from_at <= $3 and (g.to_at is null or g.to_at >= $2)
            and ($4::timestamptz is null or (g.from_at, g.gap_id) < ($4, $5))
         order by g.from_at desc, g.gap_id desc
         limit $6",
    )
    .bind(Uuid::from(agent_id))
    .bind(range.from)
    .bind(range.to)
    .bind(after.map(|after| after.at))
    .bind(after.map(|after| after.id))
    .bind(i64::from(limit))
    .fetch_all(tx.conn())
    .await?
    .iter()
    .map(gap)
    .collect()
}

fn gap(row: &PgRow) -> Result<CoverageGapView, DbError> {
    let (reason, cause): (String, Option<String>) = (row.try_get("reason")?, row.try_get("cause")?);
    // The cause is known once the gap has ended; one without evidence is told as such.
    let to_at: Option<DateTime<Utc>> = row.try_get("to_at")?;
    let words = explain(&reason, cause.as_deref().or(to_at.is_some().then_some("unknown")));
    Ok(CoverageGapView {
        gap_id: row.try_get("gap_id")?,
        cause,
        area: row.try_get("area")?,
        noticed_by: row.try_get("noticed_by")?,
        from_at: row.try_get("from_at")?,
        to_at,
        lost_records: row.try_get("lost_records")?,
        gap_count: row.try_get("gap_count")?,
        detail: row.try_get("detail")?,
        meaning: words.meaning.to_owned(),
        advice: words.advice.to_owned(),
        reason,
    })
}
