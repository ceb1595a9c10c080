//! How standbys are told: the same words on the terminal, over the API and in the console.

use sg_db::standby::{Standby, Standbys};
use sg_types::api::standbys::{StandbyList, StandbySetup, StandbyState, StandbyView};

use super::PREFIX;
use crate::config::Config;

/// The part of what it may keep from which on a slot is told of, as the alert `replication_slots` is seeded.
const FULL: f64 = 0.5;

/// What the database told, judged.
pub(super) fn judge(config: &Config, standbys: Standbys) -> StandbyList {
    let items: Vec<_> = standbys.items.into_iter().map(judge_one).collect();
    let is_waiting = standbys.waits_for_one
        && !items
            .iter()
            .any(|one| one.is_synchronous && is_connected(one.state));
    StandbyList {
        setup: if config.database.missing_urls().is_empty() {
            StandbySetup::Elsewhere
        } else if config.standby.listen().is_some() {
            StandbySetup::Invited
        } else {
            StandbySetup::Off
        },
        problem: is_waiting.then(|| {
            "commits wait for a standby, and none of those that are waited for is connected: no change is acknowledged. Bring one back, or remove its name from \
             standby.synchronous and restart"
                .to_owned()
        }),
        items,
    }
}

/// Whether nothing is wrong.
pub(super) fn is_in_order(list: &StandbyList) -> bool {
    list.problem.is_none() && list.items.iter().all(|one| is_connected(one.state))
}

fn is_connected(state: StandbyState) -> bool {
    !matches!(state, StandbyState::Disconnected | StandbyState::Lost)
}

fn judge_one(standby: Standby) -> StandbyView {
    let state = match standby.state.as_deref() {
        _ if standby.is_lost => StandbyState::Lost,
        _ if !standby.is_active => StandbyState::Disconnected,
        Some("streaming") => StandbyState::Streaming,
        Some(_) => StandbyState::CatchingUp,
        None => StandbyState::Connected,
    };
    let is_ours = standby.slot.is_some() && standby.name.starts_with(PREFIX);
    let name = match standby.name.strip_prefix(PREFIX) {
        Some(name) if is_ours => name.to_owned(),
        _ => standby.name,
    };
    let kept = standby.kept_bytes.zip(standby.kept_limit_bytes);
    let words = Words {
        name: &name,
        slot: standby.slot.as_deref(),
        is_ours,
        kept,
    };
    StandbyView {
        problem: words.problem(state),
        name,
        state,
        is_synchronous: standby.is_synchronous,
        address: standby.address,
        behind_bytes: standby.behind_bytes,
        replay_bytes: standby.replay_bytes,
        replay_seconds: is_connected(state).then(|| standby.replay_seconds.unwrap_or(0.0)),
        kept_bytes: standby.kept_bytes,
        kept_limit_bytes: standby.kept_limit_bytes,
        slot: standby.slot,
    }
}

struct Words<'a> {
    name: &'a str,
    slot: Option<&'a str>,
    /// Whether `standby invite` made its slot.
    is_ours: bool,
    /// What the slot keeps, and may keep, in bytes.
    kept: Option<(i64, i64)>,
}

impl Words<'_> {
    fn problem(&self, state: StandbyState) -> Option<String> {
        let remove = self.remove();
        match state {
            StandbyState::Lost => Some(if self.is_ours {
                format!(
                    "it was away for more than the log that its slot may keep, and the slot was given up. `secureguard standby invite {} FILE` gives it a slot again (the file \
                     is not needed), and it goes on where the backups' archive has what is missing; else make it anew. One that does not come back: {remove}",
                    self.name
                )
            } else {
                format!(
                    "its slot was given up, since it kept more of the log than it may; make the standby anew, or remove the slot: {remove}"
                )
            }),
            StandbyState::Disconnected => Some(format!(
                "it is not connected, and the primary's disk keeps the log for it. Start it, and look at its `log/postgresql.log`: network, disk, password. One that \
                 does not come back: {remove}"
            )),
            _ => {
                let (kept, limit) = self.kept?;
                #[expect(clippy::cast_precision_loss, reason = "a share")]
                let share = kept as f64 / limit.max(1) as f64;
                (share > FULL).then(|| {
                    format!(
                        "its slot keeps {:.0} % of what it may before it is given up: see why the standby is so slow (network, disk), or raise standby.slot_keep_mb",
                        share * 100.0
                    )
                })
            }
        }
    }

    fn remove(&self) -> String {
        match self.slot {
            Some(slot) if !self.is_ours => format!("`select pg_drop_replication_slot('{slot}')`"),
            _ => format!("`secureguard standby remove {}`", self.name),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Verb, load};

    fn standby(name: &str) -> Standby {
        Standby {
            name: name.to_owned(),
            slot: Some(name.to_owned()),
            is_active: true,
            state: Some("streaming".to_owned()),
            address: Some("10.0.0.2".to_owned()),
            is_synchronous: false,
            behind_bytes: 0,
            replay_bytes: 10,
            replay_seconds: None,
            kept_bytes: Some(10),
            kept_limit_bytes: Some(100),
            is_lost: false,
        }
    }

    fn told(items: Vec<Standby>, waits_for_one: bool) -> StandbyList {
        let config = load(None, Verb::Up).unwrap();
        judge(&config, Standbys { waits_for_one, items })
    }

    #[test]
    fn what_is_in_order_has_no_problem() {
        let list = told(vec![standby("sg_second"), standby("member2")], false);
        assert_eq!(list.items[0].name, "second");
        assert_eq!(list.items[1].name, "member2");
        assert!(list.items.iter().all(|one| one.problem.is_none()
            && one.state == StandbyState::Streaming
            && one.replay_seconds == Some(0.0)));
        assert!(is_in_order(&list) && list.setup == StandbySetup::Off);
    }

    #[test]
    fn each_trouble_says_what_to_do() {
        let away = Standby {
            is_active: false,
            state: None,
            ..standby("sg_second")
        };
        let lost = Standby {
            is_lost: true,
            ..away.clone()
        };
        let foreign = Standby {
            is_active: false,
            ..standby("member2")
        };
        let slow = Standby {
            state: Some("catchup".to_owned()),
            kept_bytes: Some(80),
            ..standby("sg_third")
        };
        let list = told(vec![away, lost, foreign, slow], false);
        for (one, state, words) in [
            (
                &list.items[0],
                StandbyState::Disconnected,
                "secureguard standby remove second",
            ),
            (
                &list.items[1],
                StandbyState::Lost,
                "secureguard standby invite second FILE",
            ),
            (
                &list.items[2],
                StandbyState::Disconnected,
                "pg_drop_replication_slot('member2')",
            ),
            (&list.items[3], StandbyState::CatchingUp, "keeps 80 %"),
        ] {
            assert_eq!(one.state, state);
            let problem = one.problem.as_deref().unwrap();
            assert!(problem.contains(words), "{problem}");
        }
        assert_eq!(list.items[0].replay_seconds, None);
        assert!(!is_in_order(&list));
    }

    #[test]
    fn commits_that_wait_for_nobody_are_told() {
        let synchronous = Standby {
            is_synchronous: true,
            ..standby("sg_second")
        };
        assert_eq!(told(vec![synchronous.clone()], true).problem, None);
        assert_eq!(told(vec![standby("sg_second")], false).problem, None);
        for standbys in [vec![], vec![standby("sg_second")]] {
            let list = told(standbys, true);
            assert!(
                list.problem
                    .as_deref()
                    .unwrap()
                    .contains("no change is acknowledged")
            );
            assert!(!is_in_order(&list));
        }
    }

    #[test]
    fn what_cannot_be_seen_is_not_called_in_trouble() {
        let hidden = Standby {
            state: None,
            address: None,
            ..standby("sg_second")
        };
        let list = told(vec![hidden], false);
        assert_eq!(list.items[0].state, StandbyState::Connected);
        assert!(list.items[0].problem.is_none() && is_in_order(&list));
    }
}
