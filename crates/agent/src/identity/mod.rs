//! Who this agent is: its state folder, its identity at the server, whom it trusts, and the facts about its host.

mod fingerprint;
mod host;
mod server_url;
mod state_dir;
mod trust;

use anyhow::{Context, Result};
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize, Serializer};
use sg_types::agent::TrustSet;
use sg_types::{AgentId, TenantId};

pub use fingerprint::{Fingerprint, FingerprintPart};
pub use host::read_host_facts;
pub use server_url::{is_loopback, parse_server_url};
pub use state_dir::{StateDir, StateLock, sync_dir};
pub use trust::{PinnedTrust, RulesRefused, verify_rules};

/// The name of the file that holds the identity.
pub const IDENTITY_FILE: &str = "identity.json";
/// The name of the file that holds the copied certificate authority.
pub const CA_FILE: &str = "ca.pem";

/// What the enrolment gave this agent.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Identity {
    /// The server's URL without a trailing slash.
    pub server: String,
    /// The endpoint's id at the server.
    pub agent_id: AgentId,
    /// The agent's secret.
    #[serde(serialize_with = "serialize_secret")]
    pub token: SecretString,
    /// The endpoint's tenant, where the server told it.
    #[serde(default)]
    pub tenant_id: Option<TenantId>,
    /// Whose signatures are believed.
    pub trust: TrustSet,
    /// The hardware fingerprint at enrolment.
    pub fingerprint: Fingerprint,
    /// Seconds between check-ins, as the server last said.
    pub check_in_seconds: u32,
    /// Whether the server's certificate is checked against the copied authority only.
    #[serde(default)]
    pub own_ca: bool,
}

impl Identity {
    /// Loads the identity; none when the agent is not enrolled.
    ///
    /// # Errors
    /// When the file cannot be read or is damaged.
    pub fn load(dir: &StateDir) -> Result<Option<Self>> {
        dir.read_json(IDENTITY_FILE)
    }

    /// Stores the identity durably.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn save(&self, dir: &StateDir) -> Result<()> {
        dir.replace_json(IDENTITY_FILE, self)
            .context("cannot store the agent's identity")
    }
}

fn serialize_secret<S: Serializer>(secret: &SecretString, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(secret.expose_secret())
}
