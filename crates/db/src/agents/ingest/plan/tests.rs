use std::sync::atomic::{AtomicU64, Ordering};

use sg_types::{AgentId, TenantId};

use super::super::{AreaState, Watched};
use super::*;
use crate::TokenHash;

/// Ids that count up, so that a test can name them.
#[derive(Default)]
struct Counted(AtomicU64);

impl Ids for Counted {
    fn next(&self) -> Uuid {
        Uuid::from_u64_pair(7, self.0.fetch_add(1, Ordering::SeqCst))
    }
}

const EPOCH: Uuid = Uuid::from_u128(5);

fn now() -> DateTime<Utc> {
    DateTime::from_timestamp_micros(1_800_000_000_000_000).unwrap()
}

fn agent() -> Agent {
    Agent {
        agent_id: AgentId(Uuid::from_u128(1)),
        tenant_id: TenantId(Uuid::from_u128(2)),
        owner: None,
        hostname: "web-1".to_owned(),
        enrolled_fingerprint: Some("aa".to_owned()),
        reported_fingerprint: Some("aa".to_owned()),
        version: Some("1".to_owned()),
        check_in_seconds: 300,
        retention_class: 90,
        rules_version: 0,
        online: true,
        last_seen_at: now(),
        weak_spots: 0,
        said_goodbye: false,
        run_id: None,
        boot_id: None,
        last_seen: Some(now()),
    }
}

fn check_in(turn: Uuid, first_seq: i64, times: &[DateTime<Utc>]) -> NewCheckIn {
    let record = |at: &DateTime<Utc>| NewRecord {
        id: Uuid::from_u128(9),
        at: *at,
        body: NewBody::Metrics(Box::default()),
    };
    NewCheckIn {
        token: TokenHash::of("token"),
        epoch: EPOCH,
        turn,
        moves_turn: true,
        first_seq,
        records: times.iter().map(record).collect(),
        sent_at: now(),
        version: "1".to_owned(),
        rules_version: 0,
        hardware_fingerprint: "aa".to_owned(),
        sources: json!([]),
        backlog_records: 0,
        run: None,
        watched: Watched::default(),
    }
}

fn run(group: &[NewCheckIn], stream: Option<Stream>) -> Plan {
    let agents = HashMap::from([(TokenHash::of("token").as_bytes().to_vec(), agent())]);
    let streams = stream
        .into_iter()
        .map(|stream| ((agent().agent_id, EPOCH), stream))
        .collect();
    plan(group, &agents, streams, now(), &Counted::default())
}

fn stream(acknowledged_through: i64) -> Stream {
    Stream {
        acknowledged_through,
        turn: Uuid::from_u128(20),
        previous_turn: Uuid::from_u128(10),
    }
}

#[test]
fn only_the_last_two_turns_go_on_and_a_new_stream_begins_with_none() {
    let nil = Uuid::nil();
    for (turn, known, stored, found) in [
        (nil, None, true, 0),
        (Uuid::from_u128(20), Some(stream(0)), true, 0),
        (Uuid::from_u128(10), Some(stream(0)), true, 0),
        (Uuid::from_u128(9), Some(stream(0)), false, 1),
        (nil, Some(stream(0)), false, 1),
        (Uuid::from_u128(9), None, false, 0),
    ] {
        let plan = run(&[check_in(turn, 1, &[now()])], known);
        assert_eq!(
            matches!(plan.outcomes[0], Outcome::Stored { .. }),
            stored,
            "{turn} {known:?}"
        );
        assert_eq!(
            (plan.metrics.len(), plan.findings.len()),
            (usize::from(stored), found),
            "{turn} {known:?}"
        );
    }
}

#[test]
fn repeats_and_gaps_are_told_by_their_numbers() {
    let turn = Uuid::from_u128(20);
    for (first_seq, records, through, stored, missing) in [
        (1, 3, 5, 0, None),
        (4, 4, 7, 2, None),
        (6, 1, 6, 1, None),
        (9, 1, 9, 1, Some(3)),
        (6, 0, 5, 0, None),
        (9, 0, 8, 0, Some(3)),
    ] {
        let plan = run(
            &[check_in(turn, first_seq, &vec![now(); records])],
            Some(stream(5)),
        );
        let Outcome::Stored {
            acknowledged_through, ..
        } = plan.outcomes[0]
        else {
            panic!("refused")
        };
        assert_eq!(
            (acknowledged_through, plan.metrics.len()),
            (through, stored),
            "{first_seq}+{records}"
        );
        assert_eq!(
            plan.gaps.first().and_then(|row| row.gap.lost_records),
            missing,
            "{first_seq}+{records}"
        );
    }
}

#[test]
fn a_group_with_one_agent_twice_is_taken_in_order() {
    let first = check_in(Uuid::from_u128(20), 6, &[now()]);
    let repeat = check_in(Uuid::from_u128(20), 6, &[now(), now()]);
    let plan = run(&[first, repeat], Some(stream(5)));
    assert_eq!(
        (plan.metrics.len(), plan.streams.len(), plan.heartbeats.len()),
        (2, 1, 1)
    );
    assert_eq!(plan.streams[0].2.acknowledged_through, 7);
}

#[test]
fn a_piece_leaves_the_turns_as_they_are() {
    let piece = NewCheckIn {
        moves_turn: false,
        ..check_in(Uuid::from_u128(10), 6, &[now()])
    };
    let plan = run(&[piece], Some(stream(5)));
    assert_eq!(
        plan.streams[0].2,
        Stream {
            acknowledged_through: 6,
            ..stream(5)
        }
    );
}

#[test]
fn wrong_clocks_are_dated_to_the_receipt() {
    let good = now() - Duration::days(89);
    let times = [
        good,
        now() - Duration::days(91),
        now() + Duration::minutes(2),
        DateTime::<Utc>::MAX_UTC,
        DateTime::<Utc>::MIN_UTC,
    ];
    let plan = run(&[check_in(Uuid::from_u128(20), 6, &times)], Some(stream(5)));
    let dated: Vec<_> = plan.metrics.iter().map(|row| (row.at, row.told_at)).collect();
    let receipt = |told| (now(), Some(told));
    // The original is kept, as far as a program can read it.
    let (first, last) = (
        "0001-01-01T00:00:00Z".parse().unwrap(),
        "9999-12-31T00:00:00Z".parse().unwrap(),
    );
    assert_eq!(
        dated,
        [
            (good, None),
            receipt(times[1]),
            receipt(times[2]),
            receipt(last),
            receipt(first)
        ]
    );
}

#[test]
fn the_highest_numbers_do_not_overflow() {
    let plan = run(
        &[check_in(Uuid::from_u128(20), i64::MAX, &[now(), now()])],
        Some(stream(5)),
    );
    assert!(matches!(
        plan.outcomes[0],
        Outcome::Stored {
            acknowledged_through: i64::MAX,
            ..
        }
    ));
}

fn run_of(run_id: u128, boot_id: u128) -> sg_types::agent::AgentRun {
    sg_types::agent::AgentRun {
        run_id: Uuid::from_u128(run_id),
        boot_id: Some(Uuid::from_u128(boot_id)),
        ..Default::default()
    }
}

/// What the return of an endpoint after an hour is explained by.
fn cause_of(agent: &Agent, check_in: &NewCheckIn) -> &'static str {
    let agents = HashMap::from([(TokenHash::of("token").as_bytes().to_vec(), agent.clone())]);
    let plan = plan(
        std::slice::from_ref(check_in),
        &agents,
        HashMap::new(),
        now(),
        &Counted::default(),
    );
    assert_eq!(plan.returns.len(), 1);
    plan.returns[0].cause
}

#[test]
fn a_return_tells_the_machine_from_the_agent_and_from_the_network() {
    let away = Agent {
        online: false,
        last_seen_at: now() - Duration::hours(1),
        run_id: Some(Uuid::from_u128(1)),
        boot_id: Some(Uuid::from_u128(1)),
        ..agent()
    };
    let back = |run, times: &[DateTime<Utc>]| NewCheckIn {
        run: Some(run),
        ..check_in(Uuid::nil(), 1, times)
    };
    let same = || run_of(1, 1);
    let failing = sg_types::agent::AgentRun {
        failed_check_ins: 3,
        ..same()
    };
    let slept = sg_types::agent::AgentRun {
        asleep_seconds: 3_500,
        failed_check_ins: 1,
        ..same()
    };
    let halted = sg_types::agent::AgentRun {
        halted_seconds: 3_500,
        ..same()
    };
    let meanwhile = [now() - Duration::minutes(30)];
    let just_now = [now() - Duration::seconds(2)];
    for (run, times, cause) in [
        (failing.clone(), &[][..], "network"),
        (same(), &meanwhile[..], "network"),
        (same(), &just_now[..], "unknown"),
        (slept, &[][..], "host"),
        (halted, &[][..], "agent"),
        (run_of(2, 1), &just_now[..], "agent"),
        (run_of(2, 1), &meanwhile[..], "network"),
        (run_of(2, 2), &just_now[..], "host"),
    ] {
        assert_eq!(
            cause_of(&away, &back(run.clone(), times)),
            cause,
            "{run:?} {times:?}"
        );
    }
    let untold = check_in(Uuid::nil(), 1, &[]);
    assert_eq!(cause_of(&away, &untold), "unknown");
    assert_eq!(cause_of(&away, &check_in(Uuid::nil(), 1, &meanwhile)), "network");
    // What it claims of its own gaps is no observation.
    let gap = NewRecord {
        id: Uuid::from_u128(3),
        at: meanwhile[0],
        body: NewBody::Gap(NewGap {
            noticed_by: "agent",
            reason: "agent_killed".to_owned(),
            lost_records: None,
            from_at: meanwhile[0],
            to_at: Some(now()),
            area: "",
            detail: None,
        }),
    };
    let killed = NewCheckIn {
        records: vec![gap],
        ..back(run_of(2, 1), &[])
    };
    assert_eq!(cause_of(&away, &killed), "agent");
}

#[test]
fn weak_spots_begin_and_end_once() {
    let watched = |process, file| NewCheckIn {
        watched: Watched { process, file },
        ..check_in(Uuid::from_u128(20), 6, &[])
    };
    let mut known = 0;
    let steps: [(NewCheckIn, &[&str], &[&str]); 6] = [
        (watched(AreaState::Untold, AreaState::Untold), &[], &[]),
        (
            watched(AreaState::Whole, AreaState::Off),
            &["collector_off file"],
            &[],
        ),
        (watched(AreaState::Whole, AreaState::Off), &[], &[]),
        (
            watched(AreaState::Weaker, AreaState::Whole),
            &["weaker_source process"],
            &["collector_off file"],
        ),
        (
            watched(AreaState::Untold, AreaState::Whole),
            &["collector_off process"],
            &["weaker_source process"],
        ),
        (
            watched(AreaState::Whole, AreaState::Whole),
            &[],
            &["collector_off process"],
        ),
    ];
    for (check_in, began, ended) in steps {
        let agents = HashMap::from([(
            TokenHash::of("token").as_bytes().to_vec(),
            Agent {
                weak_spots: known,
                ..agent()
            },
        )]);
        let streams = HashMap::from([((agent().agent_id, EPOCH), stream(5))]);
        let plan = plan(&[check_in], &agents, streams, now(), &Counted::default());
        let told: Vec<_> = plan
            .gaps
            .iter()
            .map(|row| format!("{} {}", row.gap.reason, row.gap.area))
            .collect();
        let over: Vec<_> = plan
            .ended
            .iter()
            .map(|gap| format!("{} {}", gap.reason, gap.area))
            .collect();
        assert_eq!(
            (told, over),
            (
                began.iter().map(|word| (*word).to_owned()).collect(),
                ended.iter().map(|word| (*word).to_owned()).collect()
            )
        );
        known = plan.heartbeats[0].weak_spots;
    }
}

#[test]
fn a_clock_is_wrong_beyond_a_minute_and_right_again_below_half_of_one() {
    let mut known = 0;
    for (offset, is_wrong) in [
        (59, false),
        (61, true),
        (40, true),
        (-40, true),
        (29, false),
        (-3_600, true),
    ] {
        known = super::super::coverage::find_weak_spots(known, Watched::default(), Duration::seconds(offset));
        assert_eq!(known != 0, is_wrong, "{offset}");
    }
}
