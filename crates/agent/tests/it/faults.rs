//! A server that is busy, broken, picky or gone, and a disk that is full.

use std::fs;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use sg_types::agent::{Event, RecordBody};

use crate::agent::{BINARY, Home, KillOnDrop};
use crate::detection::{eicar, file_findings, server_with_rules};
use crate::server::{Mode, State, TestServer};

fn file_arrived(state: &State, name: &str) -> bool {
    state.records().any(|record| match &record.body {
        RecordBody::Event(event) => matches!(&**event, Event::FileWritten(file) if file.path.ends_with(name)),
        _ => false,
    })
}

fn write(home: &Home, name: &str) {
    fs::write(home.watched().join(name), "x").unwrap();
}

fn check_ins(server: &TestServer) -> usize {
    server.state().check_ins.len()
}

/// Enrolled, running and checked in, with a server that wants to hear often.
fn running(arguments: &[&str]) -> (TestServer, Home, crate::agent::Agent) {
    let server = TestServer::start();
    server.state().check_in_seconds = 1;
    let home = Home::enrolled(&server);
    let agent = home.run(&[&["--metrics-interval", "1"], arguments].concat());
    server.wait_for("a check-in", 10, |state| (state.metrics() > 0).then_some(()));
    (server, home, agent)
}

#[test]
fn errors_and_cut_connections_pass_by_without_loss() {
    let (server, home, _agent) = running(&[]);
    for (number, mode) in [
        Mode::Status(500, None),
        Mode::Status(502, None),
        Mode::CutBefore,
        Mode::CutAfter,
    ]
    .into_iter()
    .enumerate()
    {
        server.set_mode(mode);
        let name = format!("file-{number}");
        write(&home, &name);
        home.wait_for_status("the failure is told", 20, |status| {
            status["agent"]["uplink_error"].is_string()
        });
        server.set_mode(Mode::Normal);
        server.wait_for("the file", 60, |state| file_arrived(state, &name).then_some(()));
    }
    assert!(server.state().holes.is_empty() && server.state().repeated_ids().is_empty());
}

#[test]
fn failures_do_not_become_a_storm() {
    let (server, home, _agent) = running(&[]);
    server.set_mode(Mode::Status(500, None));
    let before = check_ins(&server);
    for number in 0..50 {
        write(&home, &number.to_string());
        std::thread::sleep(Duration::from_millis(200));
    }
    let tries = check_ins(&server) - before;
    assert!((1..=25).contains(&tries), "{tries} requests in 10 s");
}

#[test]
fn a_busy_server_is_left_alone_for_as_long_as_it_asks() {
    let (server, home, _agent) = running(&[]);
    server.set_mode(Mode::Status(429, Some(6)));
    let before = check_ins(&server);
    server.wait_for("the refusal", 10, |state| {
        (state.check_ins.len() > before).then_some(())
    });
    let refused = check_ins(&server);
    let begin = Instant::now();
    server.set_mode(Mode::Normal);
    write(&home, "patience");
    std::thread::sleep(Duration::from_secs(5));
    assert_eq!(check_ins(&server), refused, "it came back too early");
    server.wait_for("the file", 20, |state| {
        file_arrived(state, "patience").then_some(())
    });
    assert!(begin.elapsed() >= Duration::from_secs(5));
}

#[test]
fn a_refused_token_stops_sending_but_not_collecting() {
    let (server, home, agent) = running(&[]);
    server.state().refuse_token = true;
    home.wait_for_status("the refusal is told", 20, |status| {
        status["agent"]["token_refused"] == true
            && status["agent"]["uplink_error"]
                .as_str()
                .is_some_and(|e| e.contains("enrol --force"))
    });
    let requests = server.state().requests["/agent/v1/check-in"];
    write(&home, "kept");
    std::thread::sleep(Duration::from_secs(4));
    assert_eq!(server.state().requests["/agent/v1/check-in"], requests);
    assert!(agent.terminate().success());
    assert!(home.enrol(&server, &["--force"]).status.success());
    let _agent = home.run(&[]);
    server.wait_for("what was kept", 20, |state| {
        file_arrived(state, "kept").then_some(())
    });
    assert!(server.state().holes.is_empty());
}

#[test]
fn a_server_that_hangs_is_given_up_in_time() {
    let (server, home, _agent) = running(&["--request-timeout", "2"]);
    server.set_mode(Mode::Hang);
    write(&home, "hanging");
    home.wait_for_status("the time-out is told", 20, |status| {
        status["agent"]["uplink_error"]
            .as_str()
            .is_some_and(|error| error.contains("in time"))
    });
    server.set_mode(Mode::Normal);
    server.wait_for("the file", 30, |state| {
        file_arrived(state, "hanging").then_some(())
    });
}

#[test]
fn batches_shrink_until_the_server_takes_them() {
    let (server, home, _agent) = running(&[]);
    server.set_mode(Mode::AtMost(3));
    for number in 0..30 {
        write(&home, &format!("small-{number}"));
    }
    server.wait_for("every file", 60, |state| {
        (0..30)
            .all(|number| file_arrived(state, &format!("small-{number}")))
            .then_some(())
    });
    assert!(server.state().holes.is_empty() && server.state().gaps("record_refused").is_empty());
}

#[test]
fn a_record_that_the_server_refuses_is_given_up_alone() {
    let (server, home, _agent) = running(&[]);
    server.set_mode(Mode::Poison("poisoned-name".to_owned()));
    for number in 0..20 {
        write(&home, &format!("before-{number}"));
    }
    write(&home, "poisoned-name");
    for number in 0..20 {
        write(&home, &format!("behind-{number}"));
    }
    let arrived = |state: &State| {
        (0..20).all(|n| {
            file_arrived(state, &format!("before-{n}")) && file_arrived(state, &format!("behind-{n}"))
        })
    };
    server.wait_for("every other file", 60, |state| arrived(state).then_some(()));
    server.wait_for("the gap", 20, |state| {
        (!state.gaps("record_refused").is_empty()).then_some(())
    });
    let state = server.state();
    assert!(!file_arrived(&state, "poisoned-name"));
    let missing: u64 = state.holes.iter().map(|(_, expected, got)| got - expected).sum();
    assert_eq!(missing, state.gaps("record_refused").len() as u64);
    assert!(state.repeated_ids().is_empty());
}

#[test]
fn a_server_that_refuses_everything_costs_no_record() {
    let (server, home, _agent) = running(&[]);
    server.set_mode(Mode::RefuseAll);
    write(&home, "innocent");
    home.wait_for_status("the refusal is told", 30, |status| {
        status["agent"]["uplink_error"].is_string()
    });
    std::thread::sleep(Duration::from_secs(5));
    server.set_mode(Mode::Normal);
    server.wait_for("the file", 60, |state| {
        file_arrived(state, "innocent").then_some(())
    });
    assert!(server.state().gaps("record_refused").is_empty() && server.state().holes.is_empty());
}

#[test]
fn a_full_spool_drops_the_oldest_says_so_and_keeps_findings() {
    let server = server_with_rules();
    let home = Home::enrolled(&server);
    let agent = home.run(&[]);
    home.wait_for_status("rules are in force", 20, |status| {
        status["agent"]["rules_version"] == 1
    });
    assert!(agent.terminate().success());
    server.stop();
    let agent = home.run(&["--spool-max-bytes", "262144"]);
    home.wait_for_status("the agent is back", 20, |status| {
        status["agent"]["pid"] == agent.pid() && status["agent"]["rules_version"] == 1
    });
    fs::write(home.watched().join("first.txt"), eicar()).unwrap();
    std::thread::sleep(Duration::from_millis(500));
    let name = "n".repeat(200);
    for number in 0..700 {
        write(&home, &format!("{number}-{name}"));
    }
    home.wait_for_status("the loss is told", 60, |status| {
        status["agent"]["spool_lost_records"].as_u64() > Some(100)
    });
    let server = server.restart();
    server.wait_for("the gap", 150, |state| {
        (!state.gaps("spool_full").is_empty()).then_some(())
    });
    server.wait_for("the findings", 150, |state| {
        (file_findings(state).len() >= 2).then_some(())
    });
    // The spool is small and other programs of this machine fill it too: what is written now is what must come through.
    write(&home, "afterwards");
    server.wait_for("the newest file", 150, |state| {
        file_arrived(state, "afterwards").then_some(())
    });
    let state = server.state();
    let told: u64 = state
        .gaps("spool_full")
        .iter()
        .filter_map(|gap| gap.lost_records)
        .sum();
    let missing: u64 = state.holes.iter().map(|(_, expected, got)| got - expected).sum();
    assert!(told > 100 && told <= missing, "{told} told, {missing} missing");
    assert!(
        state
            .gaps("spool_full")
            .iter()
            .all(|gap| gap.from <= gap.to && gap.detail.is_some())
    );
    drop(agent);
}

#[test]
fn a_full_disk_is_told_and_nothing_on_disk_is_harmed() {
    let server = TestServer::start();
    server.state().check_in_seconds = 1;
    let home = Home::enrolled(&server);
    // A private file system of 1 MiB, in a mount namespace that ends with the agent.
    let script = r#"set -e
        mount -t tmpfs -o size=1m,mode=700 tmpfs "$2"
        cp -a "$1/." "$2/"
        exec "$0" run --state-dir "$2" --watch "$3" --metrics-interval 1"#;
    let small = home.state().with_file_name("small");
    fs::create_dir(&small).unwrap();
    let agent = Command::new("unshare")
        .args(["--map-root-user", "--mount", "sh", "-c", script, BINARY])
        .args([home.state(), small.clone(), home.watched()])
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut agent = KillOnDrop(agent);
    server.wait_for("a check-in", 20, |state| (state.metrics() > 1).then_some(()));
    let inside = PathBuf::from(format!("/proc/{}/root{}", agent.0.id(), small.display()));
    let filler = inside.join("filler");
    let full = fs::write(&filler, vec![0; 2 * 1024 * 1024]);
    assert!(full.is_err(), "the disk is full");
    let before = server.state().metrics();
    std::thread::sleep(Duration::from_secs(4));
    write(&home, "while full");
    assert!(
        agent.0.try_wait().unwrap().is_none(),
        "a full disk does not end the agent"
    );
    fs::remove_file(&filler).unwrap();
    server.wait_for("the file", 60, |state| {
        file_arrived(state, "while full").then_some(())
    });
    server.wait_for("new samples", 60, |state| {
        (state.metrics() > before + 3).then_some(())
    });
    assert!(server.state().holes.is_empty() && server.state().repeated_ids().is_empty());
}
