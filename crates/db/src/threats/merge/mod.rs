//! Findings become incidents: what shares a subject within the window is one incident, the same rule on the same subject counts up.

mod assign;
mod exceptions;
mod read;
mod score;
mod subject;
mod write;

use chrono::{DateTime, Duration, Utc};
use sg_types::Ids;
use sqlx::PgConnection;

use crate::{
    DbError,
    agents::ingest::PlacedFinding,
    monitoring::{Change, enqueue_incidents},
};

/// Stores the findings that are not stored yet. The caller holds the locks of their endpoints, so that nobody else opens an incident about
/// the same subject meanwhile. Returns the incidents that were opened or changed.
///
/// # Errors
/// What a query may meet.
pub(crate) async fn record_findings(
    conn: &mut PgConnection,
    findings: &[PlacedFinding],
    at: DateTime<Utc>,
    window: Duration,
    ids: &dyn Ids,
) -> Result<Vec<Change>, DbError> {
    if findings.is_empty() {
        return Ok(Vec::new());
    }
    let known = read::find_known_occurrences(conn, findings).await?;
    let new: Vec<_> = findings
        .iter()
        .filter(|finding| !known.contains(&finding.occurrence_id))
        .collect();
    let new = exceptions::hide(conn, new, at).await?;
    if new.is_empty() {
        return Ok(Vec::new());
    }
    // An endpoint that was offline tells late: the window is about when things happened.
    let since = new.iter().map(|placed| placed.at).min().unwrap_or(at) - window;
    let mut state = read::load_open(conn, &new, since).await?;
    let mut drafts = assign::assign(&new, &mut state, window, ids);
    let verdicts = read::load_verdicts(conn, &drafts.rules_to_judge()).await?;
    drafts.judge(&verdicts);
    write::write_all(conn, &drafts, at).await?;
    enqueue_incidents(conn, &drafts.news(), at).await?;
    Ok(drafts.changes())
}
