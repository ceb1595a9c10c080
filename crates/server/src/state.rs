//! What every request can reach.

use std::sync::Arc;
use std::sync::atomic::AtomicI64;

use chrono::{DateTime, Utc};
use sg_db::Db;
use sg_types::{Clock, Ids};
use tokio::sync::{Notify, Semaphore};

use crate::agents::Enrolments;
use crate::audit::{AuditKeeper, Refusals};
use crate::auth::KeyUsage;
use crate::config::Config;
use crate::downloads::Downloads;
use crate::ingest::Ingest;
use crate::mail::Mailer;
use crate::monitoring::{FleetCounts, Live};
use crate::passwords::PasswordHasher;
use crate::quotas::Quotas;
use crate::rate_limit::RateLimits;
use crate::response::Response;
use crate::secrets::{SecretBox, SignInDigest};
use crate::signing::RulesSigner;
use crate::supervisor::Supervisor;
use crate::threats::rules::Rules;
use crate::users::providers::Discovery;
use crate::users::providers::ldap::Directories;

/// The one state of the server. Cheap to clone.
#[derive(Clone)]
pub struct AppState(Arc<Shared>);

/// The parts of [`AppState`]; reached through it by their names.
pub struct Shared {
    /// The configuration.
    pub config: Config,
    /// The database.
    pub db: Db,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// New ids.
    pub ids: Arc<dyn Ids>,
    /// Password hashing.
    pub passwords: PasswordHasher,
    /// The way to the mail server; none where no mail is sent.
    pub mailer: Option<Mailer>,
    /// Limits for callers who have proved nothing.
    pub rate_limits: RateLimits,
    /// The agent and the script that installs it.
    pub downloads: Downloads,
    /// Limits on the requests of callers.
    pub quotas: Quotas,
    /// Refusals that the audit log was told of in this minute.
    pub refusals: Refusals,
    /// One export of a tenant at a time: each holds a snapshot of the database.
    pub(crate) exports: Arc<Semaphore>,
    /// Uses of API keys that are not written yet.
    pub key_usage: KeyUsage,
    /// The signature under rule sets.
    pub rules_signer: RulesSigner,
    /// The signer of commands, and whom agents are told to believe.
    pub response: Response,
    /// Seals and opens what the server has to read again.
    pub secrets: SecretBox,
    /// What stands in the records for sign-in names that nobody has.
    pub sign_in_digest: SignInDigest,
    /// The audit log's key and what is known of its chains outside the database.
    pub audit: AuditKeeper,
    /// The rule set in force.
    pub rules: Rules,
    /// Up to when (µs since 1970) this process has taken in what the product notices of its own sign-ins; 0 before the first look.
    pub(crate) own_log_until: AtomicI64,
    /// The queue in front of the group commit.
    pub ingest: Ingest,
    /// Enrolments that wait for their transaction.
    pub enrolments: Enrolments,
    /// How many endpoints tenants have, where counting takes long.
    pub fleet_counts: FleetCounts,
    /// What OpenID providers said of themselves lately.
    pub(crate) discovery: Discovery,
    /// Bounds the questions to directories.
    pub(crate) directories: Directories,
    /// Hands changes to the open event streams.
    pub live: Live,
    /// Wakes the sender of notifications.
    pub(crate) notification_waits: Notify,
    /// Starts tasks; its stop token ends event streams.
    pub supervisor: Supervisor,
    /// The server's own URL, for commands shown to people.
    pub public_url: String,
    /// Whether clients come by TLS, which decides the cookie's form.
    pub tls: bool,
}

/// What a state is made of.
pub struct AppParts {
    /// The configuration.
    pub config: Config,
    /// The database.
    pub db: Db,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// New ids.
    pub ids: Arc<dyn Ids>,
    /// The signature under rule sets.
    pub rules_signer: RulesSigner,
    /// The signer of commands, and whom agents are told to believe.
    pub response: Response,
    /// Seals and opens what the server has to read again.
    pub secrets: SecretBox,
    /// The audit log's key and what is known of its chains.
    pub audit: AuditKeeper,
    /// The way to the mail server; none where no mail is sent.
    pub mailer: Option<Mailer>,
    /// Starts tasks.
    pub supervisor: Supervisor,
    /// The server's own URL.
    pub public_url: String,
    /// Whether clients come by TLS.
    pub tls: bool,
}

impl AppState {
    /// Puts the parts together. Starts no task: [`crate::serve::spawn_background`] does.
    pub fn new(parts: AppParts) -> Self {
        Self(Arc::new(Shared {
            passwords: PasswordHasher::new(&parts.config.passwords),
            rate_limits: RateLimits::new(&parts.config.rate_limits),
            downloads: Downloads::default(),
            quotas: Quotas::new(parts.config.rate_limits.requests),
            refusals: Refusals::default(),
            exports: Arc::new(Semaphore::new(1)),
            key_usage: KeyUsage::default(),
            rules: Rules::default(),
            own_log_until: AtomicI64::new(0),
            ingest: Ingest::new(&parts.config.ingest),
            enrolments: Enrolments::default(),
            fleet_counts: FleetCounts::default(),
            discovery: Discovery::default(),
            directories: Directories::default(),
            live: Live::default(),
            notification_waits: Notify::new(),
            config: parts.config,
            db: parts.db,
            clock: parts.clock,
            ids: parts.ids,
            rules_signer: parts.rules_signer,
            response: parts.response,
            secrets: parts.secrets,
            sign_in_digest: SignInDigest::default(),
            audit: parts.audit,
            mailer: parts.mailer,
            supervisor: parts.supervisor,
            public_url: parts.public_url,
            tls: parts.tls,
        }))
    }

    /// The current time.
    pub fn now(&self) -> DateTime<Utc> {
        self.clock.now()
    }

    /// A new id of the asked kind.
    pub fn next_id<T: From<uuid::Uuid>>(&self) -> T {
        self.ids.next().into()
    }
}

impl std::ops::Deref for AppState {
    type Target = Shared;

    fn deref(&self) -> &Shared {
        &self.0
    }
}
