//! The built program, killed between a commit and a delivery: nothing is lost, and what comes twice says so.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Instant;

use sg_types::{Clock, Ids, SystemClock, TimeOrderedIds};

use super::receiver::Answer;
use super::*;
use crate::up::{Up, call, folder, sign_in_first};

struct Endpoint {
    token: String,
    epoch: uuid::Uuid,
    turn: Value,
    seq: u64,
}

impl Endpoint {
    async fn enrol(up: &Up) -> Self {
        let key = up.ready["enrolment_key"].as_str().unwrap().to_owned();
        let body = super::super::fleet::enrol_body("web-1", &"ab".repeat(32));
        let (status, reply) = call(up, &key, "POST", "/agent/v1/enrol", &body).await;
        assert_eq!(status, 201, "{reply}");
        Self {
            token: reply["token"].as_str().unwrap().to_owned(),
            epoch: TimeOrderedIds.next(),
            turn: json!(uuid::Uuid::nil()),
            seq: 1,
        }
    }

    /// Opens an incident of its own; it is stored once this returns.
    async fn incident(&mut self, up: &Up, path: &str) {
        let now = SystemClock.now();
        let body = json!({
            "epoch": self.epoch, "turn": self.turn, "first_seq": self.seq, "records": [finding(now, "miner", "critical", path)], "sent_at": now,
            "agent": {
                "version": "0.1.0", "rules_version": 0, "hardware_fingerprint": "ab".repeat(32), "backlog_records": 0,
                "sources": [{ "area": "process", "source": "proc_connector", "gap": null }],
            },
        });
        let (status, reply) = call(up, &self.token, "POST", "/agent/v1/check-in", &body).await;
        assert_eq!(status, 200, "{reply}");
        self.turn = reply["turn"].clone();
        self.seq = reply["acknowledged_through"].as_u64().unwrap() + 1;
    }
}

fn start(dir: &Path) -> Up {
    Up::start_with(dir, &[], &[("SECUREGUARD_LOG", "trace".to_owned())])
}

#[tokio::test]
async fn a_server_that_is_killed_loses_no_notification() {
    let dir = folder();
    let mut up = start(dir.path());
    let token = sign_in_first(&up).await;
    let receiver = Receiver::start().await;
    let target = json!({ "kind": "webhook", "url": receiver.url("/hook?token=thesecretofthehook") });
    let body = json!({ "name": "hook", "per_minute": 600, "target": target });
    let (status, made) = call(&up, &token, "POST", CHANNELS, &body).await;
    assert_eq!(status, 201, "{made}");
    let mut endpoint = Endpoint::enrol(&up).await;
    // Killed while the receiver has it and has not answered, and right after the commit.
    let mut expected = 0;
    for round in 0..3 {
        receiver.answer_with(&[Answer::Hang]);
        for number in 0..4 {
            endpoint.incident(&up, &format!("/tmp/{round}-{number}")).await;
            expected += 1;
        }
        if round != 1 {
            receiver.wait_for(expected - 3).await;
        }
        drop(up);
        receiver.forget_answers();
        up = start(dir.path());
        // The lease of what was on its way is a minute; nobody wants to wait for it here.
        release_leases(&up).await;
        wait_until_told(&receiver, expected).await;
    }
    let log = std::fs::read_to_string(dir.path().join("up.log")).unwrap();
    assert!(!log.contains("thesecretofthehook"), "no secret in the log");
    assert!(!log.contains("whsec_"), "no secret in the log");
    let mut ids: BTreeMap<String, String> = BTreeMap::new();
    for posted in receiver.all() {
        let title = posted.json()["data"]["title"].as_str().unwrap().to_owned();
        let id = posted.header("webhook-id").to_owned();
        assert_eq!(
            *ids.entry(title.clone()).or_insert_with(|| id.clone()),
            id,
            "{title} has one id, however often it comes"
        );
    }
    assert_eq!(ids.len(), expected);
    up.stop();
}

async fn release_leases(up: &Up) {
    let url = up.ready["database_url"].as_str().unwrap();
    let mut conn = <sqlx::PgConnection as sqlx::Connection>::connect(url)
        .await
        .unwrap();
    sqlx::query("update monitoring.notifications set next_attempt_at = now() where finished_at is null")
        .execute(&mut conn)
        .await
        .unwrap();
}

async fn wait_until_told(receiver: &Receiver, expected: usize) {
    let began = Instant::now();
    loop {
        let titles: std::collections::BTreeSet<String> = receiver
            .all()
            .iter()
            .map(|posted| posted.json()["data"]["title"].as_str().unwrap().to_owned())
            .collect();
        if titles.len() == expected {
            return;
        }
        assert!(
            began.elapsed().as_secs() < 30,
            "{} of {expected}: {titles:?}",
            titles.len()
        );
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}
