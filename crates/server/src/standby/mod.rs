//! Hot standbys of the database of `up`: a second server that follows by streaming replication and can take over.
//!
//! A standby is a data directory in which `secureguard up` follows instead of serving, until it is promoted; then it serves. Of two servers with the same database
//! the one with the higher timeline is right: the other one finds that out by asking its peers and serves no more.

mod fence;
mod follow;
mod identity;
mod invitation;
mod promote;
mod routes;
mod status;
mod view;
mod watch;

use anyhow::Context;
use sg_postgres::{Network, Upstream};

pub(crate) use fence::refuse_stale;
pub(crate) use follow::follow;
pub use invitation::{init, invite, remove};
pub use promote::{Promoted, promote};
pub(crate) use routes::routes;
pub use status::status;
pub(crate) use watch::keep_watch;

use crate::config::Config;
use identity::Identity;
use invitation::Followed;

/// Slots of ours begin with this.
const PREFIX: &str = "sg_";

/// What PostgreSQL needs to have standbys, or to be one.
///
/// # Errors
/// In words: a file that belongs to it cannot be read.
pub(crate) fn settings(config: &Config) -> anyhow::Result<Vec<(String, String)>> {
    let standby = &config.standby;
    let mut settings = vec![(
        "max_slot_wal_keep_size".to_owned(),
        format!("{}MB", standby.slot_keep_mb),
    )];
    let slots = config.data_dir.join("postgres/pg_replslot");
    let (known, unknown): (Vec<_>, Vec<_>) = standby
        .synchronous
        .iter()
        .map(|name| format!("{PREFIX}{name}"))
        .partition(|slot| slots.join(slot).is_dir());
    for slot in unknown {
        tracing::warn!(
            slot,
            "commits do not wait for this standby, since it was never invited here"
        );
    }
    if !known.is_empty() {
        settings.push((
            "synchronous_standby_names".to_owned(),
            format!("ANY 1 ({})", known.join(", ")),
        ));
    }
    if sg_postgres::is_standby(&config.data_dir) {
        settings.extend(upstream(config)?.settings());
    }
    Ok(settings)
}

/// Where standbys connect; none where there is to be none.
///
/// # Errors
/// In words: a file cannot be read or made.
pub(crate) fn network(config: &Config) -> anyhow::Result<Option<Network>> {
    let Some(listen) = config.standby.listen() else {
        return Ok(None);
    };
    let identity = Identity::load_or_create(&config.data_dir)?;
    let mut peers: Vec<_> = config.standby.peers.iter().map(|peer| peer.ip()).collect();
    peers.sort();
    peers.dedup();
    Ok(Some(Network {
        listen,
        certificate: identity.certificate,
        key: identity.key,
        peers,
        role: sg_db::standby::ROLE.to_owned(),
    }))
}

/// The primary that is followed.
fn upstream(config: &Config) -> anyhow::Result<Upstream> {
    let followed = Followed::read(&config.data_dir)?;
    let identity = Identity::load(&config.data_dir)?
        .context("secrets/sg_standby or tls/replication.crt is missing; make the standby anew")?;
    Ok(Upstream {
        address: followed.from,
        certificate: identity.certificate,
        role: sg_db::standby::ROLE.to_owned(),
        password: identity.password,
        slot: followed.slot,
    })
}
