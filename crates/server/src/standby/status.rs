//! `secureguard standby status`.

use std::fmt::Write as _;

use anyhow::Context;
use sg_db::standby::{list_standbys_of, read_replay};
use sg_types::api::standbys::{StandbyState, StandbyView};

use super::invitation::Followed;
use super::view::{is_in_order, judge};
use crate::config::Config;
use crate::up::{DATABASE, read_superuser_url};

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
    let list = judge(config, list_standbys_of(&url, DATABASE).await?);
    let mut lines = vec!["primary".to_owned()];
    if list.items.is_empty() {
        lines.push("no standby; `secureguard standby invite NAME FILE` lets one follow".to_owned());
    }
    lines.extend(list.items.iter().map(describe));
    lines.extend(list.problem.clone());
    Ok((lines, is_in_order(&list)))
}

fn describe(standby: &StandbyView) -> String {
    let StandbyView {
        name, behind_bytes, ..
    } = standby;
    let mode = if standby.is_synchronous {
        "synchronous"
    } else {
        "asynchronous"
    };
    let mut line = match standby.state {
        StandbyState::Lost => format!("{name}: LOST"),
        StandbyState::Disconnected => format!("{name}: NOT CONNECTED, {behind_bytes} bytes behind"),
        StandbyState::Streaming | StandbyState::CatchingUp | StandbyState::Connected => format!(
            "{name}: {}, {behind_bytes} bytes and {:.1} s behind, {mode}",
            standby.address.as_deref().unwrap_or("connected"),
            standby.replay_seconds.unwrap_or_default()
        ),
    };
    if let Some(kept) = standby.kept_bytes {
        let _ = write!(line, "; its slot keeps {}", megabytes(kept));
        if let Some(limit) = standby.kept_limit_bytes {
            let _ = write!(line, " of {}", megabytes(limit));
        }
    }
    if let Some(problem) = &standby.problem {
        let _ = write!(line, "; {problem}");
    }
    line
}

fn megabytes(bytes: i64) -> String {
    format!("{} MB", bytes / 1_048_576)
}
