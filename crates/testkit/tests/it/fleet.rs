//! Endpoints that check in without a pause, keep what was not acknowledged, and repeat it, as the agent does.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use reqwest::{Client, StatusCode, header};
use sg_types::agent::{
    AgentState, CheckIn, CheckInReply, EnrolReply, EnrolRequest, Event, FileSubject, Finding, HostFacts,
    Metrics, Record, RecordBody, Subject,
};
use sg_types::{
    AgentId, Clock, DetectionEngine, FindingId, Ids, RecordId, Severity, SystemClock, TimeOrderedIds,
};
use tokio::task::JoinSet;
use uuid::Uuid;

use crate::installation::{Installation, wait_for};
use crate::ledger::Ledger;

/// Every so many check-ins the answer is thrown away, as if it had been lost on its way.
const LOST_REPLY_EVERY: u64 = 7;

/// What happened so far, over all endpoints.
#[derive(Debug, Default)]
pub(crate) struct Counts {
    /// Records that the server has acknowledged.
    pub(crate) acknowledged: AtomicU64,
    /// Answers that were thrown away.
    pub(crate) lost_replies: AtomicU64,
    /// Check-ins that were answered with 503.
    pub(crate) busy: AtomicU64,
    /// Check-ins without an answer.
    pub(crate) unanswered: AtomicU64,
}

/// Some endpoints at work.
pub(crate) struct Fleet {
    tasks: JoinSet<Endpoint>,
    finished: Vec<Endpoint>,
    ending: Arc<AtomicBool>,
    pub(crate) counts: Arc<Counts>,
}

impl Fleet {
    /// Enrols `size` endpoints and lets them check in.
    pub(crate) async fn start(installation: &Installation, size: usize) -> Self {
        let mut fleet = Self {
            tasks: JoinSet::new(),
            finished: Vec::new(),
            ending: Arc::default(),
            counts: Arc::default(),
        };
        for number in 0..size {
            let endpoint = Endpoint::enrol(installation, number, Arc::clone(&fleet.counts)).await;
            fleet.tasks.spawn(endpoint.work(Arc::clone(&fleet.ending)));
        }
        fleet
    }

    /// Waits until that many more records are acknowledged.
    pub(crate) async fn make_progress(&mut self, records: u64, installation: &mut Installation) {
        let goal = self.counts.acknowledged.load(Relaxed) + records;
        wait_for(
            "check-ins are acknowledged",
            Duration::from_secs(30),
            async || {
                installation.assert_server_runs();
                if let Some(ended) = self.tasks.try_join_next() {
                    panic!("an endpoint ended: {:?}\n{}", ended.err(), installation.log());
                }
                (self.counts.acknowledged.load(Relaxed) >= goal).then_some(())
            },
        )
        .await;
    }

    /// Lets the endpoints get rid of what they have, then compares all of it with the database.
    pub(crate) async fn finish(mut self, installation: &Installation) {
        self.ending.store(true, Relaxed);
        let all = async {
            while let Some(endpoint) = self.tasks.join_next().await {
                self.finished.push(endpoint.unwrap());
            }
        };
        tokio::time::timeout(Duration::from_secs(30), all)
            .await
            .expect("everything is acknowledged in the end");
        let mut conn = installation.connect().await;
        let mut total = 0;
        for endpoint in self.finished {
            assert!(endpoint.waiting.is_empty());
            total += endpoint.ledger.len();
            endpoint.ledger.verify(&mut conn, endpoint.agent_id).await;
        }
        let alarms: i64 =
            sqlx::query_scalar("select count(*) from threats.findings f where f.engine = 'server'")
                .fetch_one(&mut conn)
                .await
                .unwrap();
        assert_eq!(alarms, 0, "no endpoint was taken for a copy of itself");
        assert!(
            self.counts.lost_replies.load(Relaxed) > 0,
            "some check-in was repeated"
        );
        println!("{total} records acknowledged and stored once; {:?}", self.counts);
    }
}

/// One endpoint.
#[derive(Debug)]
struct Endpoint {
    client: Client,
    url: String,
    agent_id: AgentId,
    token: String,
    fingerprint: String,
    epoch: Uuid,
    turn: Uuid,
    /// The number of the first record in `waiting`.
    first_seq: u64,
    waiting: VecDeque<Record>,
    ledger: Ledger,
    check_ins: u64,
    counts: Arc<Counts>,
}

impl Endpoint {
    async fn enrol(installation: &Installation, number: usize, counts: Arc<Counts>) -> Self {
        let client = Client::builder()
            .no_proxy()
            .timeout(Duration::from_secs(30))
            .build()
            .unwrap();
        let fingerprint = format!("{number:064x}");
        let host = HostFacts {
            hostname: format!("endpoint-{number}"),
            ip_address: None,
            mac_address: None,
            os_info: "Debian GNU/Linux 12".to_owned(),
            version: "0.1.0".to_owned(),
            hardware_fingerprint: fingerprint.clone(),
        };
        let answer = client
            .post(format!("{}/agent/v1/enrol", installation.url()))
            .bearer_auth(installation.enrolment_key())
            .json(&EnrolRequest {
                host,
                previous_agent_id: None,
            })
            .send()
            .await
            .unwrap();
        assert_eq!(answer.status(), StatusCode::CREATED);
        let reply: EnrolReply = answer.json().await.unwrap();
        Self {
            client,
            url: format!("{}/agent/v1/check-in", installation.url()),
            agent_id: reply.agent_id,
            token: reply.token,
            fingerprint,
            epoch: TimeOrderedIds.next(),
            turn: Uuid::nil(),
            first_seq: 1,
            waiting: VecDeque::new(),
            ledger: Ledger::default(),
            check_ins: 0,
            counts,
        }
    }

    /// Checks in until it is told to end and nothing waits any more.
    async fn work(mut self, ending: Arc<AtomicBool>) -> Self {
        loop {
            if !ending.load(Relaxed) {
                self.observe();
            } else if self.waiting.is_empty() {
                return self;
            }
            self.check_in().await;
        }
    }

    /// Makes a few records; what waits stays within bounds, so that an outage does not grow into a flood.
    fn observe(&mut self) {
        if self.waiting.len() > 200 {
            return;
        }
        let round = self.check_ins;
        self.waiting.push_back(record(RecordBody::Metrics(sample())));
        for number in 0..=round % 9 {
            let event = Event::FileWritten(file(format!("/srv/data/{round}-{number}")));
            self.waiting.push_back(record(RecordBody::Event(Box::new(event))));
        }
        if round.is_multiple_of(3) {
            let path = format!("/srv/uploads/{}", round % 4);
            for rule in 0..=round % 2 {
                let finding = finding(&format!("rule-{rule}"), file(path.clone()));
                self.waiting
                    .push_back(record(RecordBody::Finding(Box::new(finding))));
            }
        }
    }

    async fn check_in(&mut self) {
        self.check_ins += 1;
        let sent = u64::try_from(self.waiting.len()).unwrap();
        let Ok(answer) = self.send().await else {
            return self.pause_unanswered().await;
        };
        match answer.status() {
            StatusCode::OK => match answer.json::<CheckInReply>().await {
                Ok(_) if self.check_ins.is_multiple_of(LOST_REPLY_EVERY) => {
                    self.counts.lost_replies.fetch_add(1, Relaxed);
                }
                Ok(reply) => self.accept(&reply, sent),
                Err(_) => self.pause_unanswered().await,
            },
            StatusCode::SERVICE_UNAVAILABLE => {
                assert!(
                    answer.headers().contains_key(header::RETRY_AFTER),
                    "a refusal says when to come back"
                );
                self.counts.busy.fetch_add(1, Relaxed);
                tokio::time::sleep(Duration::from_millis(150)).await;
            }
            status => panic!("{status}: {}", answer.text().await.unwrap_or_default()),
        }
    }

    async fn send(&self) -> reqwest::Result<reqwest::Response> {
        let check_in = CheckIn {
            epoch: self.epoch,
            turn: self.turn,
            first_seq: self.first_seq,
            records: self.waiting.iter().cloned().collect(),
            sent_at: SystemClock.now(),
            agent: AgentState {
                version: "0.1.0".to_owned(),
                hardware_fingerprint: self.fingerprint.clone(),
                ..AgentState::default()
            },
        };
        let body = zstd::encode_all(serde_json::to_vec(&check_in).unwrap().as_slice(), 1).unwrap();
        self.client
            .post(&self.url)
            .bearer_auth(&self.token)
            .header(header::CONTENT_TYPE, "application/json")
            .header(header::CONTENT_ENCODING, "zstd")
            .body(body)
            .send()
            .await
    }

    /// Moves what was acknowledged into the ledger; it is never sent again.
    fn accept(&mut self, reply: &CheckInReply, sent: u64) {
        assert_eq!(
            reply.acknowledged_through,
            self.first_seq - 1 + sent,
            "all that was sent, and nothing else"
        );
        for record in self.waiting.drain(..) {
            self.ledger.add(&record);
        }
        self.turn = reply.turn;
        self.first_seq += sent;
        self.counts.acknowledged.fetch_add(sent, Relaxed);
    }

    async fn pause_unanswered(&self) {
        self.counts.unanswered.fetch_add(1, Relaxed);
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

fn record(body: RecordBody) -> Record {
    Record {
        id: RecordId(TimeOrderedIds.next()),
        at: SystemClock.now(),
        body,
    }
}

fn sample() -> Metrics {
    Metrics {
        cpu_usage: 12.5,
        memory_usage: 40.0,
        disk_usage: 50.0,
        network_usage: Vec::new(),
        uptime: 1_000,
        process_count: 80,
        service_status: Vec::new(),
    }
}

fn file(path: String) -> FileSubject {
    FileSubject {
        path,
        sha256: Some("27".repeat(32)),
        size: 68,
        user: Some("root".to_owned()),
    }
}

fn finding(rule: &str, file: FileSubject) -> Finding {
    Finding {
        finding_id: FindingId(TimeOrderedIds.next()),
        rule_id: rule.to_owned(),
        rule_name: format!("The {rule}"),
        engine: DetectionEngine::Yara,
        severity: Severity::High,
        confidence: 0.8,
        threat_type: "malware".to_owned(),
        tags: Vec::new(),
        explanation: "It matched.".to_owned(),
        evidence: serde_json::json!([]),
        subject: Subject::File(file),
    }
}
