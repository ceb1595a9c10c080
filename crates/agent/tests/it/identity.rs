//! Enrolling, refusing, forgetting, and whom the agent believes.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::Command;

use sg_types::agent::SignedRules;

use crate::agent::{BINARY, Home};
use crate::detection::{eicar, file_findings, server_with_rules};
use crate::server::{ENROLMENT_KEY, TestServer, sign_rules};

fn stderr(output: &std::process::Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn stdout(output: &std::process::Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[test]
fn enrolling_registers_the_host_and_keeps_secrets_to_the_owner() {
    let server = TestServer::start();
    let home = Home::new();
    let output = home.enrol(&server, &[]);
    assert!(output.status.success(), "{}", stderr(&output));
    let enrolment = server.state().enrolments[0].clone();
    assert!(!enrolment.host.hostname.is_empty() && enrolment.host.os_info.contains("Linux"));
    assert_eq!(enrolment.host.hardware_fingerprint.len(), 64);
    assert_eq!(
        fs::metadata(home.state()).unwrap().permissions().mode() & 0o777,
        0o700
    );
    for entry in fs::read_dir(home.state()).unwrap() {
        let path = entry.unwrap().path();
        assert_eq!(
            fs::metadata(&path).unwrap().permissions().mode() & 0o777,
            0o600,
            "{path:?}"
        );
        assert!(
            !fs::read_to_string(&path).unwrap().contains(ENROLMENT_KEY),
            "the key is not kept"
        );
    }
    let token = server.state().token.clone().unwrap();
    assert!(!stdout(&output).contains(&token) && !stderr(&output).contains(&token));
}

#[test]
fn enrolling_again_changes_nothing_unless_it_is_forced() {
    let server = TestServer::start();
    let home = Home::enrolled(&server);
    let before = fs::read(home.state().join("identity.json")).unwrap();
    let output = home.enrol(&server, &[]);
    assert!(
        output.status.success() && stdout(&output).contains("already enrolled"),
        "{}",
        stdout(&output)
    );
    assert_eq!(fs::read(home.state().join("identity.json")).unwrap(), before);
    assert_eq!(server.state().enrolments.len(), 1);

    let other = TestServer::start();
    let output = home.enrol(&other, &[]);
    assert!(
        !output.status.success() && stderr(&output).contains("unenrol"),
        "{}",
        stderr(&output)
    );
    assert_eq!(other.state().enrolments.len(), 0);

    assert!(home.enrol(&server, &["--force"]).status.success());
    assert_ne!(fs::read(home.state().join("identity.json")).unwrap(), before);
    let state = server.state();
    assert!(state.enrolments[1].previous_agent_id.is_some());
    assert_eq!(
        state.enrolments[0].host.hardware_fingerprint,
        state.enrolments[1].host.hardware_fingerprint
    );
}

#[test]
fn the_key_may_come_from_a_file_or_the_environment() {
    let server = TestServer::start();
    let home = Home::new();
    let file = home.watched().join("key");
    fs::write(&file, format!("{ENROLMENT_KEY}\n")).unwrap();
    let output = home.command(
        "enrol",
        &["--server", &server.url, "--key-file", file.to_str().unwrap()],
    );
    assert!(output.status.success(), "{}", stderr(&output));
    let home = Home::new();
    let mut command = Command::new(BINARY);
    command
        .args(["enrol", "--server", &server.url, "--state-dir"])
        .arg(home.state());
    let output = command
        .env("SECUREGUARD_ENROLMENT_KEY", ENROLMENT_KEY)
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", stderr(&output));
}

#[test]
fn what_cannot_work_is_refused_with_what_to_do() {
    let server = TestServer::start();
    let home = Home::new();
    let wrong = ENROLMENT_KEY.replace("AAA", "BBB");
    for (arguments, expected) in [
        (
            vec!["--server", "http://example.org", "--key", ENROLMENT_KEY],
            "use https",
        ),
        (
            vec!["--server", "example.org", "--key", ENROLMENT_KEY],
            "not a URL",
        ),
        (
            vec!["--server", &server.url, "--key", "hello"],
            "not an enrolment key",
        ),
        (vec!["--server", &server.url], "--key-file"),
        (
            vec!["--server", &server.url, "--key", &wrong],
            "refuses the enrolment key",
        ),
        (
            vec![
                "--server",
                &server.url,
                "--key",
                ENROLMENT_KEY,
                "--ca",
                "/nonexistent",
            ],
            "CA file",
        ),
        (
            vec!["--server", "http://127.0.0.1:1", "--key", ENROLMENT_KEY],
            "check the URL",
        ),
    ] {
        let output = home.command("enrol", &arguments);
        assert!(
            !output.status.success() && stderr(&output).contains(expected),
            "{arguments:?}: {}",
            stderr(&output)
        );
        assert!(!stderr(&output).contains(ENROLMENT_KEY));
        assert!(!home.state().join("identity.json").exists());
    }
    for verb in ["run", "status", "unenrol"] {
        let output = home.command(verb, &[]);
        assert!(
            !output.status.success() && stderr(&output).contains("not enrolled"),
            "{verb}: {}",
            stderr(&output)
        );
    }
}

#[test]
fn one_state_folder_serves_one_agent() {
    let server = TestServer::start();
    let home = Home::enrolled(&server);
    let agent = home.run(&[]);
    home.wait_for_status("the agent runs", 10, |status| {
        status["running"] == true && status["agent"]["pid"] == agent.pid()
    });
    for (verb, arguments) in [
        ("run", vec![]),
        ("unenrol", vec![]),
        (
            "enrol",
            vec!["--server", &server.url, "--key", ENROLMENT_KEY, "--force"],
        ),
    ] {
        let output = home.command(verb, &arguments);
        assert!(
            !output.status.success() && stderr(&output).contains("stop it first"),
            "{verb}: {}",
            stderr(&output)
        );
    }
    assert!(agent.terminate().success());
    assert_eq!(home.status()["running"], false);
}

#[test]
fn unenrolling_tells_the_server_first_and_then_forgets_everything() {
    let server = TestServer::start();
    let home = Home::enrolled(&server);
    let agent = home.run(&[]);
    server.wait_for("a check-in", 10, |state| (state.metrics() > 0).then_some(()));
    assert!(agent.terminate().success());
    server.stop();
    let output = home.command("unenrol", &[]);
    assert!(
        !output.status.success() && stderr(&output).contains("nothing was changed"),
        "{}",
        stderr(&output)
    );
    assert!(home.state().join("identity.json").exists());
    let server = server.restart();
    assert!(home.command("unenrol", &[]).status.success());
    assert!(server.state().unenrolled);
    let left: Vec<_> = fs::read_dir(home.state())
        .unwrap()
        .map(|entry| entry.unwrap().file_name())
        .collect();
    assert_eq!(left, ["lock"]);
}

#[test]
fn a_rule_set_with_a_false_signature_is_never_used() {
    let server = TestServer::start();
    server.set_rules(1, sg_detect::default_pack());
    let home = Home::enrolled(&server);
    let agent = home.run(&[]);
    home.wait_for_status("rules 1", 20, |status| status["agent"]["rules_version"] == 1);
    let forged = sign_rules(&ed25519_dalek::SigningKey::from_bytes(&[9; 32]), 2, vec![]);
    {
        let mut state = server.state();
        state.rules = Some(forged);
        state.rules_version = 2;
        state.check_in_seconds = 1;
    }
    fs::write(home.watched().join("nudge"), "x").unwrap();
    home.wait_for_status("the refusal is told", 20, |status| {
        status["agent"]["rules_error"]
            .as_str()
            .is_some_and(|error| error.contains("signature"))
    });
    assert_eq!(home.status()["agent"]["rules_version"], 1);
    let fetches = server.state().requests["/agent/v1/rules"];
    std::thread::sleep(std::time::Duration::from_secs(3));
    assert_eq!(
        server.state().requests["/agent/v1/rules"],
        fetches,
        "a refused version is not fetched again at once"
    );
    agent.kill();

    // The same for the copy on disk.
    let path = home.state().join("rules.json");
    let mut rules: SignedRules = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
    rules.package = rules.package.replacen("EICAR", "EICBR", 1);
    fs::write(&path, serde_json::to_vec(&rules).unwrap()).unwrap();
    let _agent = home.run(&[]);
    home.wait_for_status("the refusal at the start", 20, |status| {
        status["running"] == true
            && status["agent"]["rules_version"] == 0
            && status["agent"]["rules_error"].is_string()
    });
}

#[test]
fn an_older_rule_set_is_refused() {
    let server = TestServer::start();
    server.set_rules(5, vec![]);
    server.state().check_in_seconds = 1;
    let home = Home::enrolled(&server);
    let _agent = home.run(&[]);
    home.wait_for_status("rules 5", 20, |status| status["agent"]["rules_version"] == 5);
    server.set_rules(4, vec![]);
    home.wait_for_status("the refusal", 20, |status| {
        status["agent"]["rules_error"]
            .as_str()
            .is_some_and(|error| error.contains("older"))
    });
    assert_eq!(home.status()["agent"]["rules_version"], 5);
}

#[test]
fn detection_works_without_the_server_and_is_told_later() {
    let server = server_with_rules();
    let home = Home::enrolled(&server);
    let agent = home.run(&[]);
    home.wait_for_status("rules 1", 20, |status| status["agent"]["rules_version"] == 1);
    assert!(agent.terminate().success());
    server.stop();
    let agent = home.run(&[]);
    home.wait_for_status("rules from disk", 20, |status| {
        status["agent"]["rules_version"] == 1 && status["agent"]["uplink_error"].is_string()
    });
    fs::write(home.watched().join("x.txt"), eicar()).unwrap();
    home.wait_for_status("records wait", 20, |status| {
        status["agent"]["backlog_records"].as_u64() > Some(2)
    });
    let server = server.restart();
    server.wait_for("the findings", 150, |state| {
        (file_findings(state).len() >= 2).then_some(())
    });
    agent.kill();
    let token = server.state().token.clone().unwrap();
    assert!(!home.log().contains(&token), "no secret in the log");
}

#[test]
fn a_server_with_its_own_authority_is_believed_by_that_authority_alone() {
    let (server, authority) = TestServer::start_with_tls();
    let (_, foreign) = TestServer::start_with_tls();
    let home = Home::new();
    let write = |name: &str, pem: &str| {
        let path = home.watched().join(name);
        fs::write(&path, pem).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let (right, wrong) = (write("ca.pem", &authority), write("foreign.pem", &foreign));
    for arguments in [vec![], vec!["--ca", &wrong]] {
        let output = home.enrol(&server, &arguments);
        assert!(
            !output.status.success() && stderr(&output).contains("certificate"),
            "{}",
            stderr(&output)
        );
        assert_eq!(server.state().enrolments.len(), 0);
    }
    assert!(home.enrol(&server, &["--ca", &right]).status.success());
    // The authority was copied: the file may go.
    fs::remove_file(&right).unwrap();
    let _agent = home.run(&[]);
    server.wait_for("a check-in over TLS", 20, |state| {
        (state.metrics() > 0).then_some(())
    });
}
