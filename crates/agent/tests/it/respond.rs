//! Remote commands on a real agent: what it does, what it refuses whoever signed it, and that a kill in between does nothing twice.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use chrono::TimeDelta;
use sg_trust::{PublicKey, SecretKey, approve, certify, sign_order, sign_trust_set, verify_result};
use sg_types::agent::TrustSet;
use sg_types::response::{
    ApproverCertificate, CommandAction, CommandOrder, CommandResult, NoArguments, PathArguments,
    ProcessArguments, QuarantineArguments, RestoreArguments, ScriptArguments, SignedCommand,
};
use sg_types::{AgentId, Clock, CommandId, CommandState, SystemClock, TenantId, UserId};
use uuid::Uuid;

use crate::agent::Home;
use crate::server::{TENANT, TestServer, signer};

const REQUESTER: UserId = UserId(Uuid::from_u128(0xaaa));
const APPROVER: UserId = UserId(Uuid::from_u128(0xbbb));

fn root() -> SecretKey {
    SecretKey::from_seed(&[3; 32])
}

fn approver() -> SecretKey {
    SecretKey::from_seed(&[4; 32])
}

fn server_with_root() -> TestServer {
    let server = TestServer::start();
    let mut state = server.state.lock().unwrap();
    state.approver_root = Some(root().public().to_base64());
    state.trust_version = 2;
    drop(state);
    server
}

/// The endpoint that the test server enrols first.
const AGENT: AgentId = AgentId(Uuid::from_u128(1));

fn order(number: u128, action: CommandAction) -> CommandOrder {
    let now = SystemClock.now();
    CommandOrder {
        command_id: CommandId(Uuid::from_u128(number)),
        tenant_id: TENANT,
        agent_id: AGENT,
        nonce: format!("{number:064x}"),
        issued_at: now,
        expires_at: now + TimeDelta::minutes(10),
        requested_by: REQUESTER,
        requester: "first".to_owned(),
        reason: "a test".to_owned(),
        action,
    }
}

fn certificate() -> ApproverCertificate {
    let now = SystemClock.now();
    ApproverCertificate {
        serial: "ab".repeat(16),
        user_id: APPROVER,
        username: "second".to_owned(),
        tenant_id: Some(TENANT),
        public_key: approver().public().to_base64(),
        not_before: now - TimeDelta::days(1),
        not_after: now + TimeDelta::days(1),
    }
}

fn approved_with(order: &CommandOrder, certificate: &ApproverCertificate) -> SignedCommand {
    let signed = sign_order(&signer(), serde_json::to_string(order).unwrap());
    let approval = approve(&approver(), certify(&root(), certificate).unwrap(), &signed.text);
    SignedCommand {
        order: signed,
        approval: Some(approval),
    }
}

fn approved(number: u128, action: CommandAction) -> SignedCommand {
    approved_with(&order(number, action), &certificate())
}

fn script(text: &str, timeout_seconds: u32) -> CommandAction {
    CommandAction::RunScript(ScriptArguments {
        script: text.to_owned(),
        timeout_seconds,
    })
}

impl TestServer {
    fn offer(&self, command: SignedCommand) {
        self.state.lock().unwrap().commands = vec![command];
    }

    /// The result of a command, believed under the key that the agent told.
    fn wait_for_result(&self, number: u128) -> CommandResult {
        let begin = Instant::now();
        loop {
            let state = self.state.lock().unwrap();
            let key = state
                .result_key
                .as_deref()
                .map(|key| PublicKey::parse(key).unwrap());
            let found = key.and_then(|key| {
                let results = state
                    .results
                    .iter()
                    .map(|signed| verify_result(&key, signed).unwrap());
                results
                    .into_iter()
                    .find(|result| result.command_id.0.as_u128() == number)
            });
            drop(state);
            if let Some(result) = found {
                return result;
            }
            assert!(begin.elapsed() < Duration::from_secs(20), "no result of {number}");
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    fn wait_for_refusal(&self, words: &str) {
        let begin = Instant::now();
        loop {
            let refusals = self.state.lock().unwrap().refusals.clone();
            if refusals.iter().any(|refusal| refusal.reason.contains(words)) {
                return;
            }
            assert!(
                begin.elapsed() < Duration::from_secs(20),
                "no `{words}` in {refusals:?}"
            );
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

#[test]
fn a_command_is_done_once_and_what_it_brought_is_signed() {
    let server = server_with_root();
    let home = Home::enrolled(&server);
    let mark = home.watched().join("mark");
    server.offer(approved(
        1,
        script(
            &format!("echo once >> {}; echo said; echo complained >&2", mark.display()),
            10,
        ),
    ));
    let _agent = home.run(&[]);
    let result = server.wait_for_result(1);
    assert_eq!(
        (result.outcome, result.exit_code),
        (CommandState::Succeeded, Some(0))
    );
    let mut lines: Vec<&str> = result.output.lines().collect();
    lines.sort_unstable();
    assert_eq!(lines, ["complained", "said"]);
    assert_eq!(result.output_bytes, 16);
    // The server goes on offering it, as a thief of its queue would.
    server.wait_for_refusal("done or refused before");
    assert_eq!(fs::read_to_string(&mark).unwrap(), "once\n");
    assert_eq!(server.state.lock().unwrap().results.len(), 1);
    let log = home.state().join("commands.log");
    assert_eq!(fs::metadata(&log).unwrap().permissions().mode() & 0o777, 0o600);
    let log = fs::read_to_string(log).unwrap();
    for event in ["begun", "succeeded", "refused"] {
        assert!(log.contains(&format!("\"event\":\"{event}\"")), "{log}");
    }
}

#[test]
fn neither_the_signer_nor_an_approver_nor_an_old_order_kills_anything() {
    let server = server_with_root();
    let home = Home::enrolled(&server);
    let mut victim = Command::new("sleep")
        .arg("600")
        .stdin(Stdio::null())
        .spawn()
        .unwrap();
    let kill = CommandAction::KillProcess(ProcessArguments {
        pid: victim.id(),
        key: None,
    });
    let signed_by =
        |key: &SecretKey, order: &CommandOrder| sign_order(key, serde_json::to_string(order).unwrap());
    let plain = order(1, kill.clone());
    let mut forged = vec![
        (
            "not by the pinned signer",
            SignedCommand {
                order: signed_by(&approver(), &plain),
                approval: approved_with(&plain, &certificate()).approval,
            },
        ),
        (
            "signature of a second person",
            SignedCommand {
                order: signed_by(&signer(), &order(2, kill.clone())),
                approval: None,
            },
        ),
    ];
    let own_certificate = order(3, kill.clone());
    let text = signed_by(&signer(), &own_certificate);
    let approval = approve(&signer(), certify(&signer(), &certificate()).unwrap(), &text.text);
    forged.push((
        "not by the pinned approver root",
        SignedCommand {
            order: text,
            approval: Some(approval),
        },
    ));
    let mut by_requester = certificate();
    by_requester.user_id = REQUESTER;
    forged.push((
        "nobody approves",
        approved_with(&order(4, kill.clone()), &by_requester),
    ));
    let mut of_another = certificate();
    of_another.tenant_id = Some(TenantId(Uuid::from_u128(0x99)));
    forged.push((
        "one of another tenant",
        approved_with(&order(5, kill.clone()), &of_another),
    ));
    let mut for_another = order(6, kill.clone());
    for_another.agent_id = AgentId(Uuid::from_u128(0x99));
    forged.push((
        "for another endpoint",
        approved_with(&for_another, &certificate()),
    ));
    let mut by_another_tenant = order(7, kill.clone());
    by_another_tenant.tenant_id = TenantId(Uuid::from_u128(0x99));
    forged.push((
        "by another tenant",
        approved_with(&by_another_tenant, &certificate()),
    ));
    let mut expired = order(8, kill.clone());
    expired.expires_at = SystemClock.now() - TimeDelta::seconds(1);
    forged.push(("has expired", approved_with(&expired, &certificate())));
    let mut changed = approved(9, kill.clone());
    changed.order.text = changed.order.text.replace("a test", "a jest");
    forged.push(("not by the pinned signer", changed));
    let mut swapped = approved(10, kill);
    swapped.approval = approved(11, CommandAction::RestartAgent(NoArguments {})).approval;
    forged.push(("has not signed this order", swapped));
    let _agent = home.run(&[]);
    for (words, command) in forged {
        server.state.lock().unwrap().refusals.clear();
        server.offer(command);
        server.wait_for_refusal(words);
    }
    assert!(victim.try_wait().unwrap().is_none(), "the process lives");
    assert!(server.state.lock().unwrap().results.is_empty());
    server.offer(approved(
        12,
        CommandAction::KillProcess(ProcessArguments {
            pid: victim.id(),
            key: Some("another boot/1/1".to_owned()),
        }),
    ));
    let result = server.wait_for_result(12);
    assert!(
        result.summary.contains("another one than asked for"),
        "{}",
        result.summary
    );
    assert!(victim.try_wait().unwrap().is_none());
    server.offer(approved(
        13,
        CommandAction::KillProcess(ProcessArguments {
            pid: victim.id(),
            key: None,
        }),
    ));
    // Its parent, this test, has to take notice for the process to go.
    assert!(!victim.wait().unwrap().success());
    assert_eq!(server.wait_for_result(13).outcome, CommandState::Succeeded);
}

#[test]
fn an_agent_that_is_killed_does_nothing_twice_and_says_what_it_does_not_know() {
    let server = server_with_root();
    let home = Home::enrolled(&server);
    let mark = home.watched().join("mark");
    server.state.lock().unwrap().lose_results = true;
    server.offer(approved(1, script(&format!("echo x >> {}", mark.display()), 10)));
    let agent = home.run(&[]);
    let begin = Instant::now();
    while !fs::read_to_string(home.state().join("commands.json")).is_ok_and(|text| text.contains("ended")) {
        assert!(begin.elapsed() < Duration::from_secs(20), "{}", home.log());
        std::thread::sleep(Duration::from_millis(20));
    }
    agent.kill();
    server.state.lock().unwrap().lose_results = false;
    let agent = home.run(&[]);
    assert_eq!(server.wait_for_result(1).outcome, CommandState::Succeeded);
    assert_eq!(fs::read_to_string(&mark).unwrap(), "x\n");
    // In the middle of one.
    let begun = home.watched().join("begun");
    server.offer(approved(
        2,
        script(&format!("touch {}; sleep 30", begun.display()), 60),
    ));
    let begin = Instant::now();
    while !begun.exists() {
        assert!(begin.elapsed() < Duration::from_secs(20), "{}", home.log());
        std::thread::sleep(Duration::from_millis(20));
    }
    agent.kill();
    let _agent = home.run(&[]);
    let result = server.wait_for_result(2);
    assert_eq!(result.outcome, CommandState::Failed);
    assert!(result.summary.contains("in the middle"), "{}", result.summary);
}

#[test]
fn a_file_goes_and_comes_back_as_it_was_and_the_agents_own_stay() {
    let server = server_with_root();
    let home = Home::enrolled(&server);
    let file = home.watched().join("evil");
    fs::write(&file, "evil").unwrap();
    fs::set_permissions(&file, fs::Permissions::from_mode(0o4751)).unwrap();
    let link = home.watched().join("link");
    symlink(home.state(), &link).unwrap();
    let path = |path: &std::path::Path| path.to_str().unwrap().to_owned();
    let quarantine = |file: &std::path::Path, sha256: Option<&str>| {
        CommandAction::QuarantineFile(QuarantineArguments {
            path: path(file),
            sha256: sha256.map(str::to_owned),
        })
    };
    let sha256 = "4e23ca9dd6c4b9c3e5b1b6a1a2a7a6a2b1a4b6f1f6fb3c7b8b7a2c5e5c0f1d2e";
    let _agent = home.run(&[]);
    let ask = |number, action| {
        server.offer(approved(number, action));
        server.wait_for_result(number)
    };
    let other = ask(1, quarantine(&file, Some(sha256)));
    assert_eq!(other.outcome, CommandState::Failed);
    assert!(
        file.exists() && other.summary.contains("stays where it is"),
        "{}",
        other.summary
    );
    let gone = ask(2, quarantine(&file, None));
    assert_eq!(gone.outcome, CommandState::Succeeded, "{}", gone.summary);
    assert!(!file.exists());
    let restore = CommandAction::RestoreFile(RestoreArguments {
        quarantined_by: CommandId(Uuid::from_u128(2)),
    });
    fs::write(&file, "another file took the name").unwrap();
    assert_eq!(ask(3, restore.clone()).outcome, CommandState::Failed);
    fs::remove_file(&file).unwrap();
    let back = ask(4, restore.clone());
    assert_eq!(back.outcome, CommandState::Succeeded, "{}", back.summary);
    assert_eq!(fs::read_to_string(&file).unwrap(), "evil");
    assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o7777, 0o4751);
    assert_eq!(ask(5, restore).outcome, CommandState::Failed);
    for (number, hidden) in [
        (6, home.state().join("identity.json")),
        (7, link.join("identity.json")),
        (8, home.watched()),
    ] {
        let collect = CommandAction::CollectFile(PathArguments { path: path(&hidden) });
        let result = ask(number, collect);
        assert_eq!(
            (result.outcome, result.output.as_str()),
            (CommandState::Failed, ""),
            "{}",
            result.summary
        );
        assert_eq!(
            ask(number + 10, quarantine(&hidden, None)).outcome,
            CommandState::Failed
        );
    }
    let collected = ask(9, CommandAction::CollectFile(PathArguments { path: path(&file) }));
    assert_eq!(collected.output, "ZXZpbA==");
}

#[test]
fn a_script_has_its_time_tells_on_the_way_and_leaves_nothing_running() {
    let server = server_with_root();
    let home = Home::enrolled(&server);
    let still = home.watched().join("still");
    let text = format!("echo first; (sleep 4; touch {}) & sleep 600", still.display());
    server.offer(approved(1, script(&text, 3)));
    let _agent = home.run(&[]);
    let begin = Instant::now();
    while server.state.lock().unwrap().chunks.is_empty() {
        assert!(begin.elapsed() < Duration::from_secs(20), "{}", home.log());
        std::thread::sleep(Duration::from_millis(20));
    }
    assert!(
        server.state.lock().unwrap().results.is_empty(),
        "it was told before the end"
    );
    let chunk = server.state.lock().unwrap().chunks[0].1.clone();
    assert_eq!((chunk.offset, chunk.text.as_str()), (0, "first\n"));
    let result = server.wait_for_result(1);
    assert_eq!(result.outcome, CommandState::Failed);
    assert!(result.summary.contains("killed after 3 s"), "{}", result.summary);
    std::thread::sleep(Duration::from_secs(2));
    assert!(!still.exists());
}

#[test]
fn whom_the_agent_believes_changes_under_the_roots_signature_only() {
    let server = server_with_root();
    let home = Home::enrolled(&server);
    let successor = SecretKey::from_seed(&[9; 32]);
    let set = TrustSet {
        version: 3,
        rules_key: server_rules_key(&server),
        commands_key: Some(successor.public().to_base64()),
        approver_root: Some(root().public().to_base64()),
        revoked_approvers: Vec::new(),
    };
    let thief = sign_trust_set(&SecretKey::from_seed(&[7; 32]), &set).unwrap();
    {
        let mut state = server.state.lock().unwrap();
        state.check_in_seconds = 1;
        state.trust_version = 3;
        state.trust_offer = vec![thief];
    }
    let harmless = |number, key: &SecretKey| SignedCommand {
        order: sign_order(
            key,
            serde_json::to_string(&order(number, CommandAction::ListProcesses(NoArguments {}))).unwrap(),
        ),
        approval: None,
    };
    let _agent = home.run(&[]);
    server.offer(harmless(1, &successor));
    server.wait_for_refusal("not by the pinned signer");
    server.offer(harmless(2, &signer()));
    assert_eq!(server.wait_for_result(2).outcome, CommandState::Succeeded);
    {
        let mut state = server.state.lock().unwrap();
        state.trust_version = 4;
        state.trust_offer = vec![sign_trust_set(&root(), &TrustSet { version: 4, ..set }).unwrap()];
        state.refusals.clear();
        state.commands.clear();
    }
    let begin = Instant::now();
    while !home.log().contains("another trust set is pinned") {
        assert!(begin.elapsed() < Duration::from_secs(20), "{}", home.log());
        std::thread::sleep(Duration::from_millis(50));
    }
    server.offer(harmless(3, &signer()));
    server.wait_for_refusal("not by the pinned signer");
    server.offer(harmless(4, &successor));
    let listed = server.wait_for_result(4);
    assert!(listed.output.contains("secureguard-agent"), "{}", listed.output);
}

#[test]
fn the_agent_starts_anew_when_it_is_told_to() {
    let server = server_with_root();
    let home = Home::enrolled(&server);
    server.offer(approved(1, CommandAction::RestartAgent(NoArguments {})));
    let agent = home.run(&[]);
    let result = server.wait_for_result(1);
    assert_eq!(result.outcome, CommandState::Succeeded, "{}", result.summary);
    assert!(
        result.summary.contains(&format!("process {}", agent.pid())),
        "{}",
        result.summary
    );
    assert_eq!(home.log().matches("the agent runs").count(), 2, "{}", home.log());
}

#[test]
fn a_machine_can_take_no_commands_at_all() {
    let server = server_with_root();
    let home = Home::enrolled(&server);
    server.offer(approved(1, CommandAction::ListProcesses(NoArguments {})));
    let _agent = home.run(&["--refuse-commands"]);
    home.wait_for_status("a check-in", 20, |status| {
        !status["agent"]["last_acknowledged_at"].is_null()
    });
    std::thread::sleep(Duration::from_secs(1));
    let state = server.state.lock().unwrap();
    assert!(state.started.is_empty() && state.result_key.is_none());
}

fn server_rules_key(server: &TestServer) -> String {
    use base64::Engine as _;
    base64::engine::general_purpose::STANDARD.encode(server.key.verifying_key().as_bytes())
}
