//! Nothing acknowledged is lost, nothing is stored twice, whatever is killed or cut.

use std::collections::BTreeMap;
use std::fs;
use std::time::Duration;

use sg_types::agent::{Event, RecordBody};
use uuid::Uuid;

use crate::agent::Home;
use crate::server::{Mode, State, TestServer};

fn written_files(state: &State) -> usize {
    let written = |body: &RecordBody| matches!(body, RecordBody::Event(event) if matches!(**event, Event::FileWritten(_)));
    state.records().filter(|record| written(&record.body)).count()
}

/// Numbers of each stream are 1, 2, 3 … as stored.
fn assert_unbroken(state: &State) {
    let mut next: BTreeMap<Uuid, u64> = BTreeMap::new();
    for (epoch, number, _) in &state.ledger {
        let expected = next.entry(*epoch).or_insert(1);
        assert_eq!(number, expected, "a number is missing or repeated");
        *expected += 1;
    }
    assert!(state.holes.is_empty(), "{:?}", state.holes);
    assert!(state.repeated_ids().is_empty(), "{:?}", state.repeated_ids());
}

fn wait_until_empty(home: &Home) {
    home.wait_for_status("everything is acknowledged", 60, |status| {
        // Programs are started all the time; a handful of records always waits.
        status["agent"]["backlog_records"].as_u64() < Some(50) && status["agent"]["uplink_error"].is_null()
    });
}

#[test]
fn kill_9_at_any_moment_loses_nothing_that_was_on_disk_and_repeats_nothing() {
    let server = TestServer::start();
    server.state().check_in_seconds = 1;
    let home = Home::enrolled(&server);
    let modes = [
        Mode::Normal,
        Mode::CutAfter,
        Mode::CutBefore,
        Mode::Normal,
        Mode::CutAfter,
        Mode::Status(500, None),
    ];
    for round in 0..12_u64 {
        server.set_mode(modes[round as usize % modes.len()].clone());
        let agent = home.run(&["--metrics-interval", "1"]);
        for number in 0..40 {
            fs::write(home.watched().join(format!("{round}-{number}")), "x").unwrap();
            std::thread::sleep(Duration::from_millis(7 + round * 3 % 20));
        }
        std::thread::sleep(Duration::from_millis(round * 137 % 900));
        agent.kill();
    }
    server.set_mode(Mode::Normal);
    let agent = home.run(&["--metrics-interval", "1"]);
    home.wait_for_status("the agent is back", 10, |status| {
        status["agent"]["pid"] == agent.pid()
    });
    wait_until_empty(&home);
    assert!(agent.terminate().success());
    let state = server.state();
    assert_unbroken(&state);
    assert_eq!(
        state
            .ledger
            .iter()
            .map(|(epoch, _, _)| epoch)
            .collect::<std::collections::BTreeSet<_>>()
            .len(),
        1
    );
    // A record that was being written when the agent was killed was never sent; more than that is no loss.
    assert!(
        state
            .gaps("spool_damaged")
            .iter()
            .all(|gap| gap.lost_records.unwrap_or(0) == 0)
    );
    assert!(state.records().count() > 100);
}

#[test]
fn what_happens_offline_arrives_later_in_order() {
    let server = TestServer::start();
    let home = Home::enrolled(&server);
    let agent = home.run(&["--metrics-interval", "1"]);
    server.wait_for("a check-in", 10, |state| (state.metrics() > 0).then_some(()));
    server.stop();
    for number in 0..300 {
        fs::write(home.watched().join(number.to_string()), "x").unwrap();
    }
    home.wait_for_status("records wait and the reason is told", 20, |status| {
        status["agent"]["backlog_records"].as_u64() > Some(300) && status["agent"]["uplink_error"].is_string()
    });
    let server = server.restart();
    server.wait_for("all files", 150, |state| {
        (written_files(state) == 300).then_some(())
    });
    wait_until_empty(&home);
    assert!(agent.terminate().success());
    assert_unbroken(&server.state());
}

#[test]
fn the_end_is_orderly() {
    let server = TestServer::start();
    let home = Home::enrolled(&server);
    let agent = home.run(&[]);
    server.wait_for("a check-in", 10, |state| (state.metrics() > 0).then_some(()));
    fs::write(home.watched().join("last words"), "x").unwrap();
    std::thread::sleep(Duration::from_millis(300));
    assert!(agent.terminate().success());
    assert_eq!(written_files(&server.state()), 1, "{}", home.log());
    // Without the server the end is as orderly, and the record goes with the next start.
    let agent = home.run(&[]);
    home.wait_for_status("the agent is back", 10, |status| {
        status["running"] == true && status["agent"]["pid"] == agent.pid()
    });
    std::thread::sleep(Duration::from_millis(1500));
    server.stop();
    fs::write(home.watched().join("after the end"), "x").unwrap();
    std::thread::sleep(Duration::from_millis(300));
    assert!(agent.terminate().success());
    let server = server.restart();
    let _agent = home.run(&[]);
    server.wait_for("the record of the run before", 20, |state| {
        (written_files(state) == 2).then_some(())
    });
    assert_unbroken(&server.state());
}

#[test]
fn a_copy_of_the_state_gets_a_stream_of_its_own() {
    let server = TestServer::start();
    server.state().check_in_seconds = 1;
    let home = Home::enrolled(&server);
    let agent = home.run(&["--metrics-interval", "1"]);
    server.wait_for("a check-in", 10, |state| (state.metrics() > 0).then_some(()));
    assert!(agent.terminate().success());
    let copy = Home::new();
    copy_folder(&home.state(), &copy.state());
    let agent = home.run(&["--metrics-interval", "1"]);
    let before = server.state().check_ins.len();
    server.wait_for("more check-ins", 20, |state| {
        (state.check_ins.len() > before + 3).then_some(())
    });
    assert!(agent.terminate().success());
    let epochs = |state: &State| {
        state
            .ledger
            .iter()
            .map(|(epoch, _, _)| *epoch)
            .collect::<std::collections::BTreeSet<_>>()
            .len()
    };
    assert_eq!(epochs(&server.state()), 1);
    let _copy = copy.run(&["--metrics-interval", "1"]);
    server.wait_for("the copy's own stream", 20, |state| {
        (epochs(state) == 2).then_some(())
    });
    copy.wait_for_status("the copy goes on", 20, |status| {
        status["agent"]["uplink_error"].is_null()
    });
    assert_unbroken(&server.state());
}

#[test]
fn a_server_restored_from_a_backup_loses_the_agent_nothing() {
    let server = TestServer::start();
    server.state().check_in_seconds = 1;
    let home = Home::enrolled(&server);
    let _agent = home.run(&["--metrics-interval", "1"]);
    server.wait_for("check-ins", 20, |state| (state.metrics() > 2).then_some(()));
    // The server knows nothing of the stream any more: an unknown turn is a conflict.
    server.state().forget_streams();
    fs::write(home.watched().join("afterwards"), "x").unwrap();
    server.wait_for("the file under a new stream", 20, |state| {
        (written_files(state) == 1).then_some(())
    });
    assert_unbroken(&server.state());
}

fn copy_folder(from: &std::path::Path, to: &std::path::Path) {
    let status = std::process::Command::new("cp")
        .arg("-a")
        .arg(from)
        .arg(to)
        .status()
        .unwrap();
    assert!(status.success());
}
