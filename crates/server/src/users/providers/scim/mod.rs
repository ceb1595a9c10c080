//! Provisioning: a client of the tenant's own keeps its people and groups here (SCIM 2.0, RFC 7643 and RFC 7644).

mod caller;
mod discovery;
mod error;
mod filter;
mod groups;
mod patch;
mod routes;
mod search;
mod users;

pub(super) use routes::routes;
