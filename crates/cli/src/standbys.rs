//! The standbys of the installation's PostgreSQL.

use anyhow::Result;
use sg_client::Client;
use sg_types::api::standbys::{StandbyList, StandbySetup, StandbyState, StandbyView};

use crate::output::{self, Format, optional, printable};

pub(crate) async fn show(client: &Client, format: Format) -> Result<()> {
    let list = client.standbys().await?;
    if format.is_whole() {
        return output::whole(format, &list);
    }
    if format == Format::Table && list.items.is_empty() {
        return output::line(advice(list.setup));
    }
    let headers = [
        "NAME",
        "STATE",
        "MODE",
        "BEHIND",
        "REPLAY LAG",
        "SLOT",
        "SLOT KEEPS",
        "ADDRESS",
    ];
    output::list(format, &list.items, &headers, row)?;
    if format == Format::Table {
        for words in problems(&list) {
            output::line(&printable(&words))?;
        }
    }
    Ok(())
}

/// What to do where there is no standby.
fn advice(setup: StandbySetup) -> &'static str {
    match setup {
        StandbySetup::Off => {
            "no standby, and none could follow: set `listen` and `peers` of [standby] in the server's configuration, restart it, and run `secureguard standby invite NAME FILE`"
        }
        StandbySetup::Invited => {
            "no standby; `secureguard standby invite NAME FILE` on the server lets one follow"
        }
        StandbySetup::Elsewhere => {
            "no standby is connected to PostgreSQL, and no slot waits for one; whoever runs it sets standbys up"
        }
    }
}

fn problems(list: &StandbyList) -> Vec<String> {
    let of_one = |one: &StandbyView| {
        let problem = one.problem.as_deref()?;
        Some(format!("! {}: {problem}", one.name))
    };
    let of_all = list.problem.as_deref().map(|problem| format!("! {problem}"));
    of_all
        .into_iter()
        .chain(list.items.iter().filter_map(of_one))
        .collect()
}

fn row(standby: &StandbyView) -> Vec<String> {
    let state = match standby.state {
        StandbyState::Streaming => "streaming",
        StandbyState::CatchingUp => "catching up",
        StandbyState::Connected => "connected",
        StandbyState::Disconnected => "not connected",
        StandbyState::Lost => "lost",
    };
    let mode = if standby.is_synchronous {
        "synchronous"
    } else {
        "asynchronous"
    };
    vec![
        printable(&standby.name),
        state.to_owned(),
        mode.to_owned(),
        format!("{} bytes", standby.behind_bytes),
        standby
            .replay_seconds
            .map(|seconds| format!("{seconds:.1} s, {} bytes", standby.replay_bytes))
            .unwrap_or_default(),
        printable(&optional(standby.slot.as_deref())),
        kept(standby),
        optional(standby.address.as_deref()),
    ]
}

fn kept(standby: &StandbyView) -> String {
    let megabytes = |bytes: i64| bytes / 1_048_576;
    match (standby.kept_bytes, standby.kept_limit_bytes) {
        (Some(kept), Some(limit)) => format!("{} of {} MB", megabytes(kept), megabytes(limit)),
        (Some(kept), None) => format!("{} MB", megabytes(kept)),
        _ => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_standby_in_trouble_is_a_row_and_a_line_with_what_to_do() {
        let standby = StandbyView {
            name: "second".to_owned(),
            slot: Some("sg_second".to_owned()),
            state: StandbyState::Disconnected,
            is_synchronous: false,
            address: None,
            behind_bytes: 5,
            replay_bytes: 5,
            replay_seconds: None,
            kept_bytes: Some(3 << 20),
            kept_limit_bytes: Some(64 << 20),
            problem: Some("it is not connected".to_owned()),
        };
        let list = StandbyList {
            setup: StandbySetup::Invited,
            problem: Some("commits wait".to_owned()),
            items: vec![standby],
        };
        assert_eq!(
            row(&list.items[0]),
            [
                "second",
                "not connected",
                "asynchronous",
                "5 bytes",
                "",
                "sg_second",
                "3 of 64 MB",
                ""
            ]
        );
        assert_eq!(
            problems(&list),
            ["! commits wait", "! second: it is not connected"]
        );
    }
}
