//! `secureguard standby status`.

use anyhow::Context;
use sg_db::standby::{Standby, list_standbys, read_replay};

use super::PREFIX;
use super::invitation::Followed;
use crate::config::Config;
use crate::up::read_superuser_url;

/// How standbys, or this standby, stand; in lines. False when something is not in order.
///
/// # Errors
/// In words: the database does not answer.
pub async fn status(config: &Config) -> anyhow::Result<(Vec<String>, bool)> {
    let url = read_superuser_url(&config.data_dir)?;
    let replay = read_replay(&url)
        .await
        .context("the database does not answer; does `up` run?")?;
    if replay.is_standby {
        let followed = Followed::read(&config.data_dir)?;
        let connected = if replay.is_streaming {
            "receives its log".to_owned()
        } else {
            "is NOT connected to it: see log/postgresql.log".to_owned()
        };
        let at = replay
            .replayed_at
            .map_or_else(|| "none since it runs".to_owned(), |at| at.to_rfc3339());
        let lines = vec![
            format!(
                "standby of {} (slot {}): {connected}",
                followed.from, followed.slot
            ),
            format!(
                "to be replayed: {} bytes; last commit that is here: {at}",
                replay.to_replay_bytes
            ),
        ];
        return Ok((lines, replay.is_streaming));
    }
    let standbys = list_standbys(&url).await?;
    let is_in_order = standbys
        .iter()
        .all(|standby| standby.is_active && !standby.is_lost);
    let mut lines = vec!["primary".to_owned()];
    if standbys.is_empty() {
        lines.push("no standby; `secureguard standby invite NAME FILE` lets one follow".to_owned());
    }
    lines.extend(standbys.iter().map(|standby| describe(standby, config)));
    Ok((lines, is_in_order))
}

fn describe(standby: &Standby, config: &Config) -> String {
    let name = standby.slot.strip_prefix(PREFIX).unwrap_or(&standby.slot);
    let limit = config.standby.slot_keep_mb;
    let kept = standby.kept_bytes / 1_048_576;
    if standby.is_lost {
        return format!(
            "{name}: LOST, it was away for more than {limit} MB of the log; it fetches the rest from the backups' archive, or is made anew"
        );
    }
    let behind = standby.behind_bytes;
    match &standby.address {
        Some(address) => format!(
            "{name}: {address}, {behind} bytes and {:.1} s behind, {}; its slot keeps {kept} of {limit} MB",
            standby.behind_seconds,
            if standby.is_synchronous {
                "synchronous"
            } else {
                "asynchronous"
            }
        ),
        None => format!(
            "{name}: NOT CONNECTED, {behind} bytes behind; its slot keeps {kept} of {limit} MB, and `secureguard standby remove {name}` lets them go"
        ),
    }
}
