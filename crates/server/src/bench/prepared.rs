//! Endpoints that the database is given as enrolment leaves them, where there are more than there is time to enrol.

use std::ops::Range;

use secrecy::ExposeSecret;
use sg_db::Stored;
use sg_load::Agent;
use sg_types::{AgentId, Ids, TimeOrderedIds, TokenKind};

use crate::tokens;

/// Endpoints that are inserted in one transaction.
const STEP: usize = 50_000;

/// Puts the endpoints with these numbers there; asked as the superuser. Tells how many there are from time to time.
///
/// # Errors
/// What PostgreSQL says.
pub async fn insert_agents(
    stored: &mut Stored,
    numbers: Range<usize>,
    tell: impl Fn(usize),
) -> anyhow::Result<Vec<Agent>> {
    let mut agents = Vec::with_capacity(numbers.len());
    for from in numbers.clone().step_by(STEP) {
        let mut rows = Vec::with_capacity(STEP);
        for number in from..numbers.end.min(from + STEP) {
            let token = tokens::generate(TokenKind::Agent);
            let id = AgentId(TimeOrderedIds.next());
            rows.push((id, format!("host-{number}"), token.hash));
            let mut agent = Agent::of(token.secret.expose_secret().to_owned());
            agent.id = id;
            agents.push(agent);
        }
        stored.insert_endpoints(&rows).await?;
        tell(from + rows.len());
    }
    stored.settle().await?;
    Ok(agents)
}
