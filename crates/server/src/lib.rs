//! The server of SecureGuard: the API, the console, the ingest of what agents send, and the jobs behind them.

pub mod agents;
pub mod audit;
pub mod auth;
pub mod backup;
pub mod commands;
pub mod config;
pub mod console;
pub mod error;
pub mod extract;
pub mod files;
pub mod health;
pub mod http;
pub mod ingest;
pub mod jobs;
pub mod listen;
pub mod logging;
pub mod mail;
pub mod metrics;
pub mod monitoring;
pub mod passwords;
pub mod quotas;
pub mod rate_limit;
pub mod response;
pub mod router;
pub mod secrets;
pub mod serve;
pub mod signer;
pub mod signing;
pub mod state;
pub mod supervisor;
mod syslog;
pub mod threats;
pub mod tokens;
pub mod up;
pub mod users;

pub use state::{AppParts, AppState};
