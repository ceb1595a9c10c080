//! Fencing: a server whose database another one has taken over does not serve.
//!
//! Each promotion begins a timeline of a higher number. A primary asks its peers, before its PostgreSQL starts and every few seconds while it serves. When one of
//! them is a primary of the same database on a higher timeline, it leaves a note in its data directory and ends; with the note it never starts again, whoever answers then.

use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, bail, ensure};
use sg_db::DbError;
use sg_db::standby::{PeerState, ask_peer};

use super::identity::Identity;
use crate::backup::{binaries, blocking};
use crate::config::Config;
use crate::files;

/// Below the data directory.
const NOTE: &str = "fenced";
/// How long a peer may take to answer.
pub(super) const PATIENCE: Duration = Duration::from_secs(3);

/// Refuses to start a primary that was replaced. Does nothing for a standby, and where there are no peers.
///
/// # Errors
/// In words: who has taken over and what to do.
pub(crate) async fn refuse_stale(config: &Config) -> anyhow::Result<()> {
    let data_dir = &config.data_dir;
    if let Ok(note) = std::fs::read_to_string(data_dir.join(NOTE)) {
        bail!("{}", note.trim());
    }
    if config.standby.peers.is_empty()
        || !data_dir.join("postgres/PG_VERSION").exists()
        || sg_postgres::is_standby(data_dir)
    {
        return Ok(());
    }
    let Some(identity) = Identity::load(data_dir)? else {
        return Ok(());
    };
    let (bin, dir) = (binaries(config)?, data_dir.clone());
    let own = blocking(move || Ok(sg_postgres::read_control_data(&bin, &dir)?)).await?;
    let own = PeerState {
        system_identifier: own.system_identifier,
        is_standby: false,
        timeline: own.timeline,
    };
    let mut has_answered = false;
    for (peer, answer) in ask_all(config, &identity).await {
        match answer {
            Ok(state) if state.system_identifier == own.system_identifier => {
                has_answered = true;
                // Two primaries of one timeline: the one that runs is right.
                if !state.is_standby && state.timeline >= own.timeline {
                    bail!("{}", fence(data_dir, peer, &state, &own)?);
                }
            }
            Ok(_) => tracing::warn!(%peer, "a peer has another database"),
            Err(error) => {
                tracing::warn!(%peer, %error, "a peer does not say whether it has taken over");
            }
        }
    }
    ensure!(
        has_answered || !config.standby.need_peer,
        "none of the peers answers, and one of them may have taken over; start one of them first, or set standby.need_peer = false when you are sure that none has"
    );
    Ok(())
}

/// What all peers say, asked at the same time.
pub(super) async fn ask_all(
    config: &Config,
    identity: &Identity,
) -> Vec<(SocketAddr, Result<PeerState, DbError>)> {
    let asked = config.standby.peers.iter().map(|peer| async move {
        let answer = ask_peer(*peer, &identity.password, &identity.certificate, PATIENCE).await;
        (*peer, answer)
    });
    futures_util::future::join_all(asked).await
}

/// Leaves the note. Returns its words.
pub(super) fn fence(
    data_dir: &Path,
    peer: SocketAddr,
    state: &PeerState,
    own: &PeerState,
) -> anyhow::Result<String> {
    let words = format!(
        "this server was replaced: {peer} was promoted (its timeline is {}, here it is {}) and takes the writes, so nothing is served here. Make this machine its \
         standby: move {} away, run `secureguard standby invite NAME FILE` there and `secureguard standby init --from FILE` here. What was written here after the \
         promotion is in the directory that was moved away, and nowhere else. Only when {peer} is lost for good, delete {}",
        state.timeline,
        own.timeline,
        data_dir.display(),
        data_dir.join(NOTE).display()
    );
    files::write_private(&data_dir.join(NOTE), format!("{words}\n").as_bytes())
        .context("cannot leave the note that this server was replaced")?;
    Ok(words)
}
