//! What tests stand on: a real PostgreSQL and a freshly migrated database for each test.
//!
//! `sg-test-cluster COMMAND…` starts one cluster for a whole test run and hands it to the command's processes; without it each test process
//! starts a cluster of its own, which takes about two seconds more.

pub mod bulk;
mod cluster;
mod database;
mod dump;
pub mod fault;
mod reference;
mod statements;

pub use cluster::{ROLE_PASSWORD_VARIABLE, SUPERUSER_URL_VARIABLE, TEMPLATE, TestCluster};
pub use database::TestDb;
pub use dump::{dump, dump_schema};
pub use reference::describe_schema;
pub use statements::capture_statements;
