//! Fetching rule sets and keeping the last good one.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Result;
use sg_types::agent::{RulePackage, SignedRules, TrustSet};

use super::client::ServerClient;
use crate::detect::{Engine, RulesInForce};
use crate::health::Health;
use crate::identity::{Identity, StateDir, verify_rules};

/// The name of the file that holds the signed rule set.
pub const RULES_FILE: &str = "rules.json";
/// How long a version that could not be used is left alone.
const RETRY_EVERY: Duration = Duration::from_secs(600);

/// Keeps the rules in force up to date.
pub struct RulesKeeper {
    dir: StateDir,
    in_force: Arc<RulesInForce>,
    health: Arc<Health>,
    failed: Option<(u64, Instant)>,
}

impl RulesKeeper {
    /// Puts the rule set on disk in force, once more verified; none when there is none or it is not believed.
    pub fn start(dir: StateDir, trust: &TrustSet, in_force: Arc<RulesInForce>, health: Arc<Health>) -> Self {
        let keeper = Self {
            dir,
            in_force,
            health,
            failed: None,
        };
        match keeper.dir.read_json::<SignedRules>(RULES_FILE) {
            Ok(Some(rules)) => match verify_rules(&rules, trust, 0) {
                Ok(package) => keeper.put_in_force(Engine::compile(&package)),
                Err(refused) => keeper.tell_refused(&format!("the rule set on disk is not used: {refused}")),
            },
            Ok(None) => {}
            Err(error) => keeper.tell_refused(&format!("the rule set on disk is not used: {error:#}")),
        }
        keeper
    }

    /// Fetches the rule set when the server's version is another one; true when a new one is in force.
    pub async fn follow(&mut self, offered: u64, client: &ServerClient, identity: &Identity) -> bool {
        let in_force = self.in_force.engine().version;
        let left_alone = self
            .failed
            .is_some_and(|(version, at)| version == offered && at.elapsed() < RETRY_EVERY);
        if offered == in_force || left_alone {
            return false;
        }
        match self.fetch(in_force, client, identity).await {
            Ok(()) => {
                self.failed = None;
                self.health.update(|health| health.rules_error = None);
                true
            }
            Err(error) => {
                self.failed = Some((offered, Instant::now()));
                self.tell_refused(&format!("rule set {offered} is not used: {error:#}"));
                false
            }
        }
    }

    async fn fetch(&self, in_force: u64, client: &ServerClient, identity: &Identity) -> Result<()> {
        let rules = client.fetch_rules(&identity.token).await?;
        let package = verify_rules(&rules, &identity.trust, in_force)?;
        if package.version == in_force {
            return Ok(());
        }
        let engine = compile_aside(package).await?;
        self.dir.replace_json(RULES_FILE, &rules)?;
        self.put_in_force(engine);
        Ok(())
    }

    fn put_in_force(&self, engine: Engine) {
        tracing::info!(
            rules.version = engine.version,
            rules.in_force = engine.counts.in_force,
            rules.refused = engine.counts.refused,
            "a rule set is in force"
        );
        self.health.update(|health| {
            health.rules_version = engine.version;
            health.rules_in_force = engine.counts.in_force;
            health.rules_refused = engine.counts.refused;
        });
        self.in_force.replace(engine);
    }

    fn tell_refused(&self, message: &str) {
        tracing::error!("{message}");
        self.health
            .update(|health| health.rules_error = Some(message.to_owned()));
    }
}

/// Compiling may take a second; check-ins and signals go on meanwhile.
async fn compile_aside(package: RulePackage) -> Result<Engine> {
    Ok(tokio::task::spawn_blocking(move || Engine::compile(&package)).await?)
}
