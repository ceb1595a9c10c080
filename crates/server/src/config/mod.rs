//! Settings: the documented defaults, below a file, below the environment. Unknown names are errors.

mod audit;
mod backup;
mod database;
mod downloads;
mod http;
mod ingest;
mod load;
mod log;
mod mail;
mod maintenance;
mod passwords;
mod rate_limits;
mod response;
mod rules;
mod second_factors;
mod secrets;
mod sessions;
mod standby;
mod tls;
mod traces;

use std::path::PathBuf;

use secrecy::SecretString;
use serde::Deserialize;

pub use audit::{AuditConfig, FileSinkConfig, SyslogSinkConfig, WebhookSinkConfig};
pub use backup::{BackupClusterConfig, BackupConfig, BackupProgram, BackupS3Config};
pub use database::{DatabaseConfig, SessionPattern};
pub use downloads::DownloadsConfig;
pub use http::{HttpConfig, PublicUrl};
pub use ingest::IngestConfig;
pub use load::{ConfigError, DEFAULTS, Verb, load};
pub use log::{LogConfig, LogFormat};
pub use mail::{MailConfig, MailTls};
pub use maintenance::MaintenanceConfig;
pub use passwords::PasswordsConfig;
pub use rate_limits::RateLimitsConfig;
pub use response::{ResponseConfig, approver_root_file, trust_set_file};
pub use rules::RulesConfig;
pub use second_factors::SecondFactorsConfig;
pub use secrets::SecretsConfig;
pub use sessions::SessionsConfig;
pub use standby::{StandbyConfig, is_name};
pub use tls::{TlsConfig, TlsMode};
pub use traces::TracesConfig;

/// Everything that can be set. `secureguard.default.toml` documents each value.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// The file that was read; none when there was none.
    #[serde(skip)]
    pub file: Option<PathBuf>,
    /// Where keys, certificates and `up`'s database live.
    pub data_dir: PathBuf,
    /// The listener and what it accepts.
    pub http: HttpConfig,
    /// Certificates.
    pub tls: TlsConfig,
    /// Connections to PostgreSQL.
    pub database: DatabaseConfig,
    /// Life of sessions.
    pub sessions: SessionsConfig,
    /// Cost of password hashing.
    pub passwords: PasswordsConfig,
    /// Codes of authenticator apps.
    pub second_factors: SecondFactorsConfig,
    /// The mail server.
    pub mail: MailConfig,
    /// Limits for callers who have proved nothing.
    pub rate_limits: RateLimitsConfig,
    /// What agents may send.
    pub ingest: IngestConfig,
    /// Rule sets and their signature.
    pub rules: RulesConfig,
    /// The agent, for machines that are to be watched.
    pub downloads: DownloadsConfig,
    /// Remote commands.
    pub response: ResponseConfig,
    /// Secrets that are sealed into the database.
    pub secrets: SecretsConfig,
    /// The signature under the audit log, its retention and where it is told.
    pub audit: AuditConfig,
    /// Backups of the database.
    pub backup: BackupConfig,
    /// Hot standbys.
    pub standby: StandbyConfig,
    /// Regular maintenance.
    pub maintenance: MaintenanceConfig,
    /// Who may read `/metrics`.
    pub metrics: MetricsConfig,
    /// The log.
    pub log: LogConfig,
    /// Traces for a collector.
    pub traces: TracesConfig,
}

/// `[metrics]`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MetricsConfig {
    /// Bearer token for `GET /metrics`; empty: loopback clients only.
    pub token: SecretString,
}
