//! Everything that speaks SQL: the migrations, the pools, the transactions, and one module per schema.
//!
//! # How to use it
//! - [`Db::authenticate`] turns a [`Proof`] (the hash of a session token or API key) into a [`Caller`].
//! - [`Db::read`] and [`Db::write`] begin a transaction as `sg_app` and open the caller's tenant context in it: from then on row security lets
//!   the transaction see that one tenant, and nothing else. [`Db::system`] begins one as `sg_system`, which crosses tenants; it is for sign-in,
//!   ingest and jobs.
//! - A [`WriteTx`] ends with [`WriteTx::commit`], which takes the [`AuditEvent`](audit::AuditEvent) that says who did what. Dropping rolls back.
//! - Queries are functions of the modules [`users`], [`agents`], [`threats`], [`audit`]; they take `&mut impl Reads` or `&mut impl Writes`.

pub mod agents;
pub mod audit;
mod caller;
pub mod cleanup;
mod context;
mod error;
mod indexes;
mod migrate;
pub mod monitoring;
mod pool;
mod provision;
mod restored;
mod schema_steps;
pub mod standby;
mod statements;
mod stored;
pub mod threats;
mod tx;
pub mod users;

pub use caller::{Caller, Proof, TokenHash};
pub use error::DbError;
#[doc(hidden)]
pub use migrate::migrate_to;
pub use migrate::{AdoptedRow, MigrationReport, RoleVerifiers, migrate, migration_state};
pub use pool::{Db, DbConfig, PoolUse, RoleCheck};
pub use provision::create_database;
pub use restored::{RestoredFigures, count_restored_audit_events, examine_restored};
pub use schema_steps::SchemaFit;
pub use statements::{StatementFigures, StatementTotals};
pub use stored::{Stored, StoredGap, StreamFigures};
pub use tx::{ReadTx, Reads, SystemTx, WriteTx, Writes};
