//! `cargo xtask bench notify`: how long after an endpoint tells of a match its incident is with a receiver, and how much of that is the check-in.
#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "a measurement: whatever does not work ends it"
)]

mod support;

use std::time::{Duration, Instant};

use axum::body::Bytes;
use serde_json::{Value, json};
use sg_types::Clock;
use sg_types::{Ids, SystemClock, TimeOrderedIds};
use support::{Server, quantile, report};
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

/// Incidents, one after the other.
const INCIDENTS: usize = 100;
/// Pause between two of them.
const PAUSE: Duration = Duration::from_millis(150);

#[tokio::main]
async fn main() {
    let dir = tempfile::tempdir().unwrap();
    let server = Server::start(dir.path(), &[]).await;
    let token = server.administrator().await;
    let (url, mut arrived) = receive().await;
    let channel = json!({ "name": "bench", "per_minute": 600, "target": { "kind": "webhook", "url": url } });
    let made = server.call("POST", "monitoring/channels", &token, &channel).await;
    assert_eq!(made.0, 201, "{}", made.1);
    let mut endpoint = Endpoint::enrol(&server).await;
    let (mut acknowledged, mut told) = (Vec::new(), Vec::new());
    for number in 0..INCIDENTS {
        tokio::time::sleep(PAUSE).await;
        let began = Instant::now();
        endpoint.tell(&server, number).await;
        acknowledged.push(began.elapsed().as_secs_f64() * 1_000.0);
        let at = arrived.recv().await.unwrap();
        told.push((at - began).as_secs_f64() * 1_000.0);
    }
    report(
        "incident-acknowledged-p50",
        quantile(acknowledged, 0.5),
        None,
        "ms",
    );
    report("incident-to-channel-p50", quantile(told.clone(), 0.5), None, "ms");
    report("incident-to-channel-p99", quantile(told, 0.99), None, "ms");
    server.stop();
}

/// A receiver, and when each message came.
async fn receive() -> (String, UnboundedReceiver<Instant>) {
    let (sender, receiver) = unbounded_channel();
    let router = axum::Router::new().fallback(move |_: Bytes| {
        let sender = sender.clone();
        async move { sender.send(Instant::now()).unwrap() }
    });
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
    (url, receiver)
}

struct Endpoint {
    token: String,
    epoch: uuid::Uuid,
    turn: Value,
    seq: u64,
}

impl Endpoint {
    async fn enrol(server: &Server) -> Self {
        let body = json!({ "host": {
            "hostname": "bench", "ip_address": "192.0.2.10", "mac_address": "02:42:ac:11:00:02", "os_info": "Debian GNU/Linux 12",
            "version": "0.1.0", "hardware_fingerprint": "ab".repeat(32),
        } });
        let (status, reply) = server
            .post("/agent/v1/enrol", server.enrolment_key(), &body)
            .await;
        assert_eq!(status, 201, "{reply}");
        Self {
            token: reply["token"].as_str().unwrap().to_owned(),
            epoch: TimeOrderedIds.next(),
            turn: json!(uuid::Uuid::nil()),
            seq: 1,
        }
    }

    /// Checks in with a match that opens an incident of its own.
    async fn tell(&mut self, server: &Server, number: usize) {
        let now = SystemClock.now();
        let finding = json!({ "id": TimeOrderedIds.next(), "at": now, "body": {
            "type": "finding", "finding_id": TimeOrderedIds.next(), "rule_id": "bench", "rule_name": "Bench", "engine": "yara",
            "severity": "critical", "confidence": 0.8, "threat_type": "malware", "tags": [], "explanation": "It matched.", "evidence": [],
            "subject": { "type": "file", "path": format!("/tmp/{number}"), "sha256": format!("{number:064x}"), "size": 68, "user": "root" },
        } });
        let body = json!({
            "epoch": self.epoch, "turn": self.turn, "first_seq": self.seq, "records": [finding], "sent_at": now,
            "agent": {
                "version": "0.1.0", "rules_version": 0, "hardware_fingerprint": "ab".repeat(32), "backlog_records": 0,
                "sources": [{ "area": "process", "source": "proc_connector", "gap": null }],
            },
        });
        let (status, reply) = server.post("/agent/v1/check-in", &self.token, &body).await;
        assert_eq!(status, 200, "{reply}");
        self.turn = reply["turn"].clone();
        self.seq = reply["acknowledged_through"].as_u64().unwrap() + 1;
    }
}
