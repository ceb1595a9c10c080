//! Remote commands over HTTP, with a real signer behind a real socket.

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use sg_server::config::{approver_root_file, trust_set_file};
use sg_server::response::{Response, Trust};
use sg_server::signer::{self, Policy, SignerClient, SignerConfig};
use sg_server::signing::RulesSigner;
use sg_trust::{
    PublicKey, Recipient, SecretKey, approve, certify, sign_result, sign_trust_set, verify_command,
};
use sg_types::agent::{TrustOffer, TrustSet};
use sg_types::api::Page;
use sg_types::api::commands::{CommandDetail, CommandView};
use sg_types::response::{
    ApproverCertificate, CommandResult, CommandsReply, MAX_OUTPUT_BYTES, SignedCommand,
};
use sg_types::{CommandState, Role, TenantId};
use tempfile::TempDir;

use crate::fleet::{TestAgent, TestCaller, TestServer};

const LIST: &str = "/api/v1/agents/commands";

/// A server with a signer and an approver root, and two people, of whom the second may approve.
struct Case {
    server: TestServer,
    trust: TrustSet,
    first: TestCaller,
    second: TestCaller,
    agent: TestAgent,
    _folder: TempDir,
}

fn root() -> SecretKey {
    SecretKey::from_seed(&[3; 32])
}

fn key_of(caller: &TestCaller) -> SecretKey {
    let mut seed = [0; 32];
    seed[..16].copy_from_slice(caller.user_id.0.as_bytes());
    SecretKey::from_seed(&seed)
}

impl Case {
    async fn new() -> Self {
        Self::with_policy(|folder| {
            Policy::new(
                Vec::new(),
                chrono::Duration::days(7),
                100,
                approver_root_file(folder),
                trust_set_file(folder),
            )
        })
        .await
    }

    async fn with_policy(policy: impl FnOnce(&std::path::Path) -> Policy) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let data = folder.path();
        std::fs::create_dir(data.join("keys")).unwrap();
        let socket = data.join("signer.sock");
        let config = SignerConfig {
            socket: socket.clone(),
            key_file: data.join("keys/commands.pem"),
            policy: policy(data),
        };
        let supervisor = sg_server::supervisor::Supervisor::new();
        supervisor.spawn_critical("signer", signer::run(config));
        let client = SignerClient::new(socket);
        let begin = Instant::now();
        let commands_key = loop {
            match client.public_key().await {
                Ok(key) => break key,
                Err(error) => assert!(begin.elapsed() < Duration::from_secs(10), "{error}"),
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        };
        let rules_signer = RulesSigner::ephemeral();
        let trust = TrustSet {
            version: 3,
            rules_key: rules_signer.public_key(),
            commands_key: Some(commands_key.clone()),
            approver_root: Some(root().public().to_base64()),
            revoked_approvers: Vec::new(),
        };
        std::fs::write(approver_root_file(data), root().public().to_base64()).unwrap();
        let signed = sign_trust_set(&root(), &trust).unwrap();
        std::fs::write(trust_set_file(data), serde_json::to_string(&signed).unwrap()).unwrap();
        let response = Response {
            trust: Trust::load(data, Some(commands_key), &rules_signer).unwrap(),
            signer: Some(client),
            ..Response::default()
        };
        let server = TestServer::start_as(|_| {}, rules_signer, response).await;
        let first = server.caller(TenantId::DEFAULT, Role::Admin).await;
        let second = server.caller(TenantId::DEFAULT, Role::Manager).await;
        let agent = TestAgent::enrol(&server, &first, "web-1").await;
        Self {
            server,
            trust,
            first,
            second,
            agent,
            _folder: folder,
        }
    }

    fn endpoint(&self) -> String {
        format!("/api/v1/agents/endpoints/{}/commands", self.agent.agent_id)
    }

    async fn ask(&self, kind: &str, arguments: Value) -> CommandDetail {
        let body = json!({ "kind": kind, "arguments": arguments, "reason": "to see" });
        self.server
            .post(&self.first, &self.endpoint(), body)
            .await
            .expect(201)
    }

    fn certificate_of(&self, caller: &TestCaller) -> ApproverCertificate {
        ApproverCertificate {
            serial: "ab".repeat(16),
            user_id: caller.user_id,
            username: caller.username.clone(),
            tenant_id: Some(TenantId::DEFAULT),
            public_key: key_of(caller).public().to_base64(),
            not_before: self.server.state.now() - chrono::Duration::hours(1),
            not_after: self.server.state.now() + chrono::Duration::days(1),
        }
    }

    fn approval_by(&self, caller: &TestCaller, detail: &CommandDetail) -> Value {
        let certificate = certify(&root(), &self.certificate_of(caller)).unwrap();
        let text = detail.order_text.as_deref().unwrap();
        serde_json::to_value(approve(&key_of(caller), certificate, text)).unwrap()
    }

    async fn fetch(&self, wait: u64) -> Vec<SignedCommand> {
        let path = format!("/agent/v1/commands?wait={wait}");
        let reply: CommandsReply = self
            .server
            .send("GET", &path, &self.agent.token, None)
            .await
            .expect(200);
        reply.commands
    }

    async fn show(&self, detail: &CommandDetail) -> CommandDetail {
        let path = format!("{LIST}/{}", detail.command.command_id);
        self.server.get(&self.first, &path).await.expect(200)
    }

    async fn tell(&self, path: &str, body: Value) -> crate::fleet::Response {
        let path = format!("/agent/v1/commands/{path}");
        self.server
            .send("POST", &path, &self.agent.token, Some(body))
            .await
    }
}

#[tokio::test]
async fn a_command_reaches_its_endpoint_at_once_and_what_it_brought_comes_back_signed() {
    let case = Case::new().await;
    case.server.wait_for_listener().await;
    let (commands, asked) = tokio::join!(case.fetch(20), async {
        tokio::time::sleep(Duration::from_millis(300)).await;
        (Instant::now(), case.ask("list_processes", json!({})).await)
    });
    let (asked_at, detail) = asked;
    assert!(
        asked_at.elapsed() < Duration::from_secs(5),
        "the question was held open and answered"
    );
    let me = Recipient {
        agent_id: case.agent.agent_id,
        tenant_id: Some(TenantId::DEFAULT),
    };
    let order = verify_command(&commands[0], &case.trust, me, case.server.state.now()).unwrap();
    assert_eq!(order.command_id, detail.command.command_id);
    assert_eq!(order.requester, case.first.username);
    // The answer may have been lost, so that it goes again until the endpoint begins.
    assert_eq!(case.fetch(0).await, commands);
    let id = order.command_id;
    assert_eq!(case.tell(&format!("{id}/start"), json!({})).await.status, 204);
    assert_eq!(case.fetch(0).await, []);
    let piece = json!({ "offset": 0, "text": "pid\n" });
    assert_eq!(
        case.tell(&format!("{id}/output"), piece.clone()).await.status,
        204
    );
    assert_eq!(case.tell(&format!("{id}/output"), piece).await.status, 204);
    let running = case.show(&detail).await;
    assert_eq!(
        (running.command.state, running.output.as_str()),
        (CommandState::Running, "pid\n")
    );

    let (own, thief) = (SecretKey::from_seed(&[5; 32]), SecretKey::from_seed(&[6; 32]));
    let result = CommandResult {
        command_id: id,
        agent_id: case.agent.agent_id,
        outcome: CommandState::Succeeded,
        summary: "1 process".to_owned(),
        exit_code: None,
        // As much as there may be, of what grows most on its way.
        output: "\u{1}".repeat(MAX_OUTPUT_BYTES),
        output_bytes: MAX_OUTPUT_BYTES as u64,
        output_sha256: String::new(),
        started_at: None,
        finished_at: case.server.state.now(),
    };
    let signed = |key: &SecretKey, result: &CommandResult| {
        serde_json::to_value(sign_result(key, result).unwrap()).unwrap()
    };
    let path = format!("{id}/result");
    let unknown_key = case.tell(&path, signed(&own, &result)).await;
    assert_eq!(
        (unknown_key.status.as_u16(), unknown_key.fields()),
        (422, vec!["signature"])
    );
    let put = |key: &SecretKey| json!({ "public_key": key.public().to_base64() });
    let key_path = "/agent/v1/result-key";
    for (key, status) in [(&own, 204), (&own, 204), (&thief, 409)] {
        let answer = case
            .server
            .send("PUT", key_path, &case.agent.token, Some(put(key)))
            .await;
        assert_eq!(answer.status, status);
    }
    assert_eq!(case.tell(&path, signed(&thief, &result)).await.status, 422);
    let of_another = CommandResult {
        command_id: sg_types::CommandId(uuid::Uuid::nil()),
        ..result.clone()
    };
    assert_eq!(
        case.tell(&path, signed(&own, &of_another)).await.fields(),
        ["text"]
    );
    let unfinished = CommandResult {
        outcome: CommandState::Running,
        ..result.clone()
    };
    assert_eq!(
        case.tell(&path, signed(&own, &unfinished)).await.fields(),
        ["text"]
    );
    assert_eq!(case.tell(&path, signed(&own, &result)).await.status, 204);
    assert_eq!(case.tell(&path, signed(&own, &result)).await.status, 204);
    let done = case.show(&detail).await;
    assert_eq!(
        (
            done.command.state,
            done.command.summary.as_deref(),
            done.output.len()
        ),
        (CommandState::Succeeded, Some("1 process"), MAX_OUTPUT_BYTES)
    );
    let kept = done.result.unwrap();
    assert_eq!(kept.result_key, Some(own.public().to_base64()));
    PublicKey::parse(&kept.result_key.unwrap()).unwrap();
    let audited = case
        .server
        .count("select count(*) from audit.events where action in ('command.request', 'command.finish') and object_kind = 'command'")
        .await;
    assert_eq!(audited, 2);
}

#[tokio::test]
async fn a_dangerous_command_goes_with_a_second_persons_signature_and_no_other_way() {
    let case = Case::new().await;
    let detail = case.ask("kill_process", json!({ "pid": 77 })).await;
    assert!(detail.command.dangerous);
    assert_eq!(case.fetch(0).await, [], "it waits for a second person");
    let path = format!("{LIST}/{}/approval", detail.command.command_id);
    let own = case
        .server
        .post(&case.first, &path, case.approval_by(&case.first, &detail))
        .await;
    own.refused(403, "own_approval");
    let mut of_another = case.approval_by(&case.second, &detail);
    let third = case.server.caller(TenantId::DEFAULT, Role::Manager).await;
    let borrowed = case.server.post(&third, &path, of_another.clone()).await;
    assert_eq!(
        (borrowed.status.as_u16(), borrowed.fields()),
        (422, vec!["certificate"])
    );
    of_another["signature"] = json!("AAAA");
    assert_eq!(
        case.server.post(&case.second, &path, of_another).await.fields(),
        ["signature"]
    );
    let foreign = certify(&key_of(&case.second), &case.certificate_of(&case.second)).unwrap();
    let text = detail.order_text.clone().unwrap();
    let self_made = serde_json::to_value(approve(&key_of(&case.second), foreign, &text)).unwrap();
    assert_eq!(
        case.server.post(&case.second, &path, self_made).await.fields(),
        ["signature"]
    );
    let user = case.server.caller(TenantId::DEFAULT, Role::User).await;
    assert_eq!(case.server.post(&user, &path, json!({})).await.status, 403);

    let approved: CommandDetail = case
        .server
        .post(&case.second, &path, case.approval_by(&case.second, &detail))
        .await
        .expect(200);
    assert_eq!(approved.command.approved_by, Some(case.second.user_id));
    let commands = case.fetch(0).await;
    let me = Recipient {
        agent_id: case.agent.agent_id,
        tenant_id: Some(TenantId::DEFAULT),
    };
    verify_command(&commands[0], &case.trust, me, case.server.state.now()).unwrap();
    // Too late to turn it down.
    let path = format!("{LIST}/{}/rejection", detail.command.command_id);
    let late = case
        .server
        .post(&case.second, &path, json!({ "reason": "no" }))
        .await;
    late.refused(409, "invalid_transition");
}

#[tokio::test]
async fn with_the_database_in_hand_the_signer_still_says_no_and_it_is_seen() {
    let case = Case::new().await;
    let detail = case.ask("kill_process", json!({ "pid": 77 })).await;
    case.server
        .sql("update agents.commands set state = 'approved', approved_at = now(), approval = '{\"certificate\": {\"text\": \"{}\", \"signature\": \"\"}, \"signature\": \"\"}',
                approved_by = (select user_id from users.users where user_id <> requested_by order by user_id desc limit 1)")
        .await;
    assert_eq!(case.fetch(0).await, []);
    let refused = case.show(&detail).await;
    assert_eq!(refused.command.state, CommandState::Rejected);
    assert!(
        refused
            .command
            .close_reason
            .unwrap()
            .contains("not by the pinned approver root")
    );
    // Its kind rewritten in the table, the text that is signed stays what it was; rewritten too, the approval does not fit.
    let other = case.ask("list_processes", json!({})).await;
    case.server
        .sql("alter table agents.commands disable trigger guard_command;
              update agents.commands set order_text = replace(replace(order_text, 'list_processes', 'restart_agent'), 'to see', 'to do') where state = 'pending';
              alter table agents.commands enable trigger guard_command")
        .await;
    assert_eq!(case.fetch(0).await, []);
    let refused = case.show(&other).await;
    assert!(refused.command.close_reason.unwrap().contains("second person"));
}

#[tokio::test]
async fn what_an_endpoint_refuses_is_told_to_whoever_watches() {
    let case = Case::new().await;
    let detail = case.ask("list_processes", json!({})).await;
    assert_eq!(case.fetch(0).await.len(), 1);
    let body = json!({ "command_id": detail.command.command_id, "reason": "the order has expired" });
    assert_eq!(case.tell("refusals", body.clone()).await.status, 204);
    assert_eq!(case.tell("refusals", body).await.status, 204);
    let rejected = case.show(&detail).await;
    assert_eq!(
        (rejected.command.state, rejected.command.summary.as_deref()),
        (CommandState::Rejected, Some("the order has expired"))
    );
    let events = case
        .server
        .count("select count(*) from monitoring.security_events where kind = 'command_refused'")
        .await;
    assert_eq!(events, 1, "told once within the hour");
    for number in 0..20 {
        let invented =
            json!({ "command_id": uuid::Uuid::from_u128(number), "reason": format!("invented {number}") });
        assert_eq!(case.tell("refusals", invented).await.status, 204);
    }
    let told = case
        .server
        .count(
            "select (select count(*) from monitoring.security_events where kind = 'command_refused')
                + (select count(*) from audit.events where action = 'command.refuse')",
        )
        .await;
    assert_eq!(told, 2, "who has taken an endpoint over fills no log");
    // About a command of another endpoint nothing changes.
    let admin = &case.first;
    let other = TestAgent::enrol(&case.server, admin, "web-2").await;
    let of_first = case.ask("refresh_rules", json!({})).await;
    assert_eq!(case.fetch(0).await.len(), 1);
    let body = json!({ "command_id": of_first.command.command_id, "reason": "not mine" });
    let path = "/agent/v1/commands/refusals";
    assert_eq!(
        case.server
            .send("POST", path, &other.token, Some(body))
            .await
            .status,
        204
    );
    assert_eq!(case.show(&of_first).await.command.state, CommandState::Sent);
    let id = of_first.command.command_id;
    for (what, body) in [
        ("start", json!({})),
        ("output", json!({ "offset": 0, "text": "x" })),
    ] {
        let path = format!("/agent/v1/commands/{id}/{what}");
        assert_eq!(
            case.server
                .send("POST", &path, &other.token, Some(body))
                .await
                .status,
            404,
            "{what}"
        );
    }
}

#[tokio::test]
async fn who_asks_for_what_is_checked_and_a_repeat_is_the_same_command() {
    let case = Case::new().await;
    let endpoint = case.endpoint();
    let fields = |kind: &str, arguments: Value| {
        let (server, first, path) = (&case.server, &case.first, endpoint.clone());
        let body = json!({ "kind": kind, "arguments": arguments, "reason": "to see" });
        async move { server.post(first, &path, body).await.fields().join(",") }
    };
    assert_eq!(
        fields("scan_path", json!({ "path": "/srv/../etc" })).await,
        "arguments.path"
    );
    assert_eq!(
        fields("scan_path", json!({ "path": "/srv", "deep": true })).await,
        "arguments"
    );
    assert_eq!(fields("kill_process", json!({ "pid": 1 })).await, "arguments.pid");
    assert_eq!(
        fields("run_script", json!({ "script": "", "timeout_seconds": 5 })).await,
        "arguments.script"
    );
    assert_eq!(fields("format_disk", json!({})).await, "kind");
    for (body, field) in [
        (json!({ "kind": "list_processes", "reason": " " }), "reason"),
        (
            json!({ "kind": "list_processes", "reason": "x", "expires_in_seconds": 5 }),
            "expires_in_seconds",
        ),
        (
            json!({ "kind": "list_processes", "reason": "x", "expires_in_seconds": 604_801 }),
            "expires_in_seconds",
        ),
    ] {
        assert_eq!(
            case.server.post(&case.first, &endpoint, body).await.fields(),
            [field]
        );
    }
    let body = json!({ "kind": "list_processes", "reason": "x" });
    let user = case.server.caller(TenantId::DEFAULT, Role::User).await;
    assert_eq!(case.server.post(&user, &endpoint, body.clone()).await.status, 403);
    assert_eq!(case.server.get(&user, LIST).await.status, 403);
    let tenant = case.server.tenant("other").await;
    let stranger = case.server.caller(tenant, Role::Admin).await;
    assert_eq!(
        case.server.post(&stranger, &endpoint, body.clone()).await.status,
        404
    );
    let mine = case.ask("list_processes", json!({})).await;
    let path = format!("{LIST}/{}", mine.command.command_id);
    assert_eq!(case.server.get(&stranger, &path).await.status, 404);
    let path = format!("{path}/cancellation");
    assert_eq!(
        case.server
            .post(&stranger, &path, json!({ "reason": "x" }))
            .await
            .status,
        404
    );
    let send = |key: &'static str, body: Value| {
        let headers = [("content-type", "application/json"), ("idempotency-key", key)];
        let (server, token, path) = (&case.server, &case.first.token, endpoint.clone());
        async move {
            server
                .send_raw("POST", &path, token, &headers, body.to_string().into())
                .await
        }
    };
    let first: CommandDetail = send("once", body.clone()).await.expect(201);
    let again: CommandDetail = send("once", body).await.expect(200);
    assert_eq!(first.command.command_id, again.command.command_id);
    let other = send("once", json!({ "kind": "refresh_rules", "reason": "x" })).await;
    other.refused(409, "idempotency_key_reused");
    let cancelled: CommandDetail = case
        .server
        .post(&case.first, &path, json!({ "reason": "no need" }))
        .await
        .expect(200);
    assert_eq!(cancelled.command.state, CommandState::Cancelled);
    let listed: Page<CommandView> = case
        .server
        .get(&case.first, &format!("{LIST}?state=pending"))
        .await
        .expect(200);
    assert_eq!(listed.items.len(), 1);
    assert_eq!(
        case.server
            .get(&case.first, &format!("{LIST}?state=lost"))
            .await
            .status,
        400
    );
}

#[tokio::test]
async fn without_a_signer_or_a_root_there_is_a_word_and_no_command() {
    let server = TestServer::start().await;
    let admin = server.caller(TenantId::DEFAULT, Role::Admin).await;
    let agent = TestAgent::enrol(&server, &admin, "web-1").await;
    let path = format!("/api/v1/agents/endpoints/{}/commands", agent.agent_id);
    let answer = server
        .post(&admin, &path, json!({ "kind": "list_processes", "reason": "x" }))
        .await;
    answer.refused(403, "commands_not_configured");
    let answer = server.send("GET", "/agent/v1/commands", &agent.token, None).await;
    answer.refused(403, "commands_not_configured");
    let offer: TrustOffer = server
        .send("GET", "/agent/v1/trust", &agent.token, None)
        .await
        .expect(200);
    assert_eq!(offer.sets.len(), 1);
    assert_eq!(
        server
            .send("GET", "/agent/v1/commands", &admin.token, None)
            .await
            .status,
        401
    );
}

#[tokio::test]
async fn the_signers_own_policy_stands_above_the_servers() {
    let case = Case::with_policy(|folder| {
        Policy::new(
            vec![sg_types::response::CommandKind::ListProcesses],
            chrono::Duration::days(7),
            100,
            approver_root_file(folder),
            trust_set_file(folder),
        )
    })
    .await;
    let refused = case.ask("collect_diagnostics", json!({})).await;
    let taken = case.ask("list_processes", json!({})).await;
    let commands = case.fetch(0).await;
    assert_eq!(commands.len(), 1);
    let refused = case.show(&refused).await;
    assert!(refused.command.close_reason.unwrap().contains("does not allow"));
    assert_eq!(case.show(&taken).await.command.state, CommandState::Sent);
}
