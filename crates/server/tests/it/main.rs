//! The server over HTTP, on a real PostgreSQL.

#[cfg(test)]
mod administration;
#[cfg(test)]
mod agent_protocol;
#[cfg(test)]
mod agents;
#[cfg(test)]
mod api_keys;
#[cfg(test)]
mod app;
#[cfg(test)]
mod asvs;
#[cfg(test)]
mod audit;
#[cfg(test)]
mod audit_chain;
#[cfg(test)]
mod authz;
#[cfg(test)]
mod backups;
#[cfg(test)]
mod bodies;
#[cfg(test)]
mod coverage;
#[cfg(test)]
mod downloads;
#[cfg(test)]
mod edge;
#[cfg(test)]
mod errors;
#[cfg(test)]
mod factors;
#[cfg(test)]
mod fleet;
#[cfg(test)]
mod guessing;
#[cfg(test)]
mod listener;
#[cfg(test)]
mod log_events;
#[cfg(test)]
mod maintenance;
#[cfg(test)]
mod monitoring;
#[cfg(test)]
mod notifications;
#[cfg(test)]
mod own_log;
#[cfg(test)]
mod password;
#[cfg(test)]
mod password_policy;
#[cfg(test)]
mod people;
#[cfg(test)]
mod plaintext;
#[cfg(test)]
mod provider_access;
#[cfg(test)]
mod providers;
#[cfg(test)]
mod rate_limits;
#[cfg(test)]
mod recovery;
#[cfg(test)]
mod response;
#[cfg(test)]
mod roles;
#[cfg(test)]
mod secrets;
#[cfg(test)]
mod sessions;
#[cfg(test)]
mod standby;
#[cfg(test)]
mod subscriptions;
#[cfg(test)]
mod tenant_export;
#[cfg(test)]
mod tenants;
#[cfg(test)]
mod threats;
#[cfg(test)]
mod traces;
#[cfg(test)]
mod up;
