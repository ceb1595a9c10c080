//! Kills each part of the product while check-ins run, with the built programs and a ledger of what was acknowledged: afterwards all of it is
//! stored, and stored once.

#[cfg(test)]
mod agent_kills;
#[cfg(test)]
mod bench;
#[cfg(test)]
mod database_kills;
#[cfg(test)]
mod fleet;
#[cfg(test)]
mod nodes;
#[cfg(test)]
mod server_kills;
#[cfg(test)]
mod sgctl;
#[cfg(test)]
mod silence;

#[cfg(test)]
use std::time::Duration;

/// Asks again and again until there is an answer.
#[cfg(test)]
async fn wait_for<T>(what: &str, patience: Duration, look: impl AsyncFnMut() -> Option<T>) -> T {
    sg_testkit::fault::wait_for(what, patience, look).await.unwrap()
}

/// A number about one endpoint.
#[cfg(test)]
async fn count(conn: &mut sqlx::PgConnection, query: &'static str, agent_id: sg_types::AgentId) -> i64 {
    sqlx::query_scalar(query)
        .bind(uuid::Uuid::from(agent_id))
        .fetch_one(conn)
        .await
        .unwrap()
}
