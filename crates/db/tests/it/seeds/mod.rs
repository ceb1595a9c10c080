//! One row at least in every table for each of two tenants: what the isolation tests look for. Each area of the schema has its file.

mod audit_chain;
mod backups;
mod correlations;
mod exceptions;
mod factors;
mod main_path;
mod maintenance;
mod notifications;
mod password_recovery;
mod providers;
mod rate_limits;
mod roles;
mod rules;
mod secrets;
mod series;
mod subscriptions;

use sg_db::TokenHash;

/// Every area's rows, in the order in which they refer to each other.
pub(crate) const ALL: &[fn(&Seed) -> String] = &[
    main_path::seed,
    password_recovery::seed,
    subscriptions::seed,
    roles::seed,
    secrets::seed,
    factors::seed,
    series::seed,
    audit_chain::seed,
    providers::seed,
    rate_limits::seed,
    correlations::seed,
    exceptions::seed,
    rules::seed,
    notifications::seed,
    backups::seed,
    maintenance::seed,
];

/// The tenant that gets the rows, by its letter: ids begin with it.
pub(crate) struct Seed(pub(crate) &'static str);

impl Seed {
    /// The tenant's `number`th id as an SQL literal; 0 is the tenant itself, 1 its administrator, 2 its plain user, 11 that user's
    /// endpoint, 12 an endpoint of nobody, 21 and 22 the incidents on them, 31 the finding of the first, 51 the administrator's API key,
    /// 61 and 62 the secrets of the tenant and of its plain user, 71 to 75 that user's second factors, 81 an
    /// exception, 91 to 94 a channel, a route, a silence and a notification, 95 a backup, 97 a maintenance run, 98 a report.
    pub(crate) fn id(&self, number: u32) -> String {
        format!("'{}-0000-4000-8000-{number:012}'::uuid", self.0.repeat(8))
    }

    /// The hash of a token of this tenant as an SQL literal.
    pub(crate) fn token_hash(&self, who: &str) -> String {
        let token = format!("token of {who} of {}", self.0);
        format!("'\\x{}'::bytea", TokenHash::of(&token).to_hex())
    }
}
