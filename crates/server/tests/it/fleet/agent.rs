//! An agent that keeps its stream as the real one does, and records for it to send.

use chrono::{DateTime, Utc};
use serde_json::{Value, json};
use sg_types::agent::{CheckInReply, EnrolReply};
use sg_types::{AgentId, Ids, TimeOrderedIds};
use uuid::Uuid;

use super::{Response, TestCaller, TestServer};

/// An agent with its state; cloning it clones the state.
#[derive(Debug, Clone)]
pub(crate) struct TestAgent {
    pub(crate) agent_id: AgentId,
    pub(crate) token: String,
    pub(crate) epoch: Uuid,
    pub(crate) turn: Uuid,
    pub(crate) next_seq: u64,
    pub(crate) fingerprint: String,
}

impl TestAgent {
    pub(crate) async fn enrol(server: &TestServer, caller: &TestCaller, hostname: &str) -> Self {
        let fingerprint = sg_db::TokenHash::of(hostname).to_hex();
        let reply: EnrolReply = server
            .post(caller, "/agent/v1/enrol", enrol_body(hostname, &fingerprint))
            .await
            .expect(201);
        Self::from_reply(&reply, fingerprint)
    }

    pub(crate) fn from_reply(reply: &EnrolReply, fingerprint: String) -> Self {
        let epoch = TimeOrderedIds.next();
        Self {
            agent_id: reply.agent_id,
            token: reply.token.clone(),
            epoch,
            turn: Uuid::nil(),
            next_seq: 1,
            fingerprint,
        }
    }

    /// The body of the next check-in.
    pub(crate) fn body(&self, records: &[Value], at: DateTime<Utc>) -> Value {
        json!({
            "epoch": self.epoch, "turn": self.turn, "first_seq": self.next_seq, "records": records, "sent_at": at,
            "agent": {
                "version": "0.1.0", "rules_version": 0, "hardware_fingerprint": self.fingerprint, "backlog_records": 0,
                "sources": [{ "area": "process", "source": "proc_connector", "gap": null }],
            },
        })
    }

    pub(crate) async fn try_send(&self, server: &TestServer, records: &[Value]) -> Response {
        let body = self.body(records, server.state.now());
        server
            .send("POST", "/agent/v1/check-in", &self.token, Some(body))
            .await
    }

    /// Checks in and moves on as the reply says.
    pub(crate) async fn send(&mut self, server: &TestServer, records: &[Value]) -> CheckInReply {
        let reply: CheckInReply = self.try_send(server, records).await.expect(200);
        self.turn = reply.turn;
        self.next_seq = reply.acknowledged_through + 1;
        reply
    }
}

pub(crate) fn enrol_body(hostname: &str, fingerprint: &str) -> Value {
    json!({ "host": {
        "hostname": hostname, "ip_address": "192.0.2.10", "mac_address": "02:42:ac:11:00:02", "os_info": "Debian GNU/Linux 12",
        "version": "0.1.0", "hardware_fingerprint": fingerprint,
    } })
}

/// A record with a new id.
pub(crate) fn record(at: DateTime<Utc>, body: Value) -> Value {
    json!({ "id": TimeOrderedIds.next(), "at": at, "body": body })
}

pub(crate) fn metrics(at: DateTime<Utc>, cpu: f64) -> Value {
    record(
        at,
        json!({
            "type": "metrics", "cpu_usage": cpu, "memory_usage": 40.0, "disk_usage": 50.0, "uptime": 100, "process_count": 80,
            "network_usage": [{ "interface": "eth0", "rx_bytes_per_second": 1000, "tx_bytes_per_second": 500 }], "service_status": [],
        }),
    )
}

pub(crate) fn event(at: DateTime<Utc>, path: &str) -> Value {
    record(
        at,
        json!({ "type": "event", "kind": "file_written", "path": path, "size": 3, "user": "root" }),
    )
}

pub(crate) fn gap(at: DateTime<Utc>, lost: u64) -> Value {
    record(
        at,
        json!({ "type": "gap", "reason": "spool_full", "lost_records": lost, "from": at, "to": at }),
    )
}

pub(crate) fn file_finding(at: DateTime<Utc>, rule: &str, engine: &str, path: &str) -> Value {
    record(
        at,
        json!({
            "type": "finding", "finding_id": TimeOrderedIds.next(), "rule_id": rule, "rule_name": format!("Rule {rule}"), "engine": engine,
            "severity": "high", "confidence": 0.8, "threat_type": "malware", "tags": ["attack.execution"], "explanation": "It matched.",
            "evidence": [{ "type": "string", "name": "$a", "offset": 0 }],
            "subject": { "type": "file", "path": path, "sha256": "27".repeat(32), "size": 68, "user": "root" },
        }),
    )
}

pub(crate) fn process_finding(
    at: DateTime<Utc>,
    rule: &str,
    key: &str,
    ancestors: &[&str],
    command_line: &str,
) -> Value {
    record(
        at,
        json!({
            "type": "finding", "finding_id": TimeOrderedIds.next(), "rule_id": rule, "rule_name": format!("Rule {rule}"), "engine": "sigma",
            "severity": "critical", "confidence": 0.9, "threat_type": "reverse_shell", "tags": [], "explanation": "It matched.", "evidence": [],
            "subject": {
                "type": "process", "key": key, "ancestors": ancestors, "pid": 42, "name": "bash", "image": "/usr/bin/bash",
                "command_line": command_line, "user": "root",
            },
        }),
    )
}
