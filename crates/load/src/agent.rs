//! An agent as far as its stream goes.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::io;

use anyhow::{Context, Result, bail, ensure};
use serde_json::json;
use sg_types::agent::{CheckInReply, EnrolReply};
use sg_types::{AgentId, Clock, Ids, SystemClock, TimeOrderedIds};
use uuid::Uuid;
use zstd::bulk::Compressor;

use crate::records::{Kind, NewRecord};
use crate::wire::{Answer, Client, compose};

/// Records in one check-in at most, as the agent has it.
const BATCH: usize = 1_000;

thread_local! {
    /// What compression works with: making it takes longer than compressing a check-in.
    static COMPRESSOR: RefCell<Compressor<'static>> = RefCell::new(Compressor::default());
}

/// One endpoint: who it is, where its stream stands, and what waits to be acknowledged.
#[derive(Debug)]
pub struct Agent {
    /// Its id; nil for one that was made of a token alone.
    pub id: AgentId,
    token: String,
    fingerprint: String,
    epoch: Uuid,
    turn: Uuid,
    /// Number of the first record that waits.
    next: u64,
    waiting: VecDeque<NewRecord>,
}

/// Records that the server says it has stored.
#[derive(Debug)]
pub struct Acknowledged {
    /// The stream.
    pub epoch: Uuid,
    /// Number of the first one.
    pub from: u64,
    /// Where and under which id each is stored.
    pub records: Vec<(Kind, Uuid)>,
}

/// What an answer to a check-in means.
#[derive(Debug)]
pub enum Judgement {
    /// Stored.
    Stored(Acknowledged),
    /// To come back later (429, 503): after these seconds, where the server says so.
    Busy(Option<u64>),
}

impl Agent {
    /// Enrols the endpoint with a number.
    ///
    /// # Errors
    /// No connection, or an answer other than 201 with a token.
    pub async fn enrol(client: &mut Client, key: &str, number: usize) -> Result<Self> {
        let fingerprint = format!("{number:064x}");
        let host = json!({
            "hostname": format!("host-{number}"), "os_info": "Debian GNU/Linux 12", "version": "1.0.0", "hardware_fingerprint": fingerprint,
        });
        let body = json!({ "host": host }).to_string();
        let answer = client.post("/agent/v1/enrol", key, body.as_bytes()).await?;
        if answer.status != 201 {
            bail!("enrolment was answered with {}", describe(&answer));
        }
        let reply: EnrolReply = serde_json::from_slice(&answer.body).context("the answer to an enrolment")?;
        Ok(Self {
            id: reply.agent_id,
            fingerprint,
            ..Self::of(reply.token)
        })
    }

    /// The one that a token stands for, before its first check-in.
    pub fn of(token: String) -> Self {
        Self {
            id: AgentId(Uuid::nil()),
            token,
            fingerprint: "x".to_owned(),
            epoch: TimeOrderedIds.next(),
            turn: Uuid::nil(),
            next: 1,
            waiting: VecDeque::new(),
        }
    }

    /// The secret by which the server knows it.
    pub fn token(&self) -> &str {
        &self.token
    }

    /// The stream.
    pub fn epoch(&self) -> Uuid {
        self.epoch
    }

    /// Records that wait.
    pub fn backlog(&self) -> usize {
        self.waiting.len()
    }

    /// Adds a record to what waits.
    pub fn observe(&mut self, record: NewRecord) {
        self.waiting.push_back(record);
    }

    /// Gives up the oldest records that wait, as an agent whose disk is full: their numbers are missing from the stream from then on. The first number
    /// and how many.
    pub fn forget_oldest(&mut self, count: usize) -> (u64, usize) {
        let (from, count) = (self.next, count.min(self.waiting.len()));
        self.waiting.drain(..count);
        self.next += count as u64;
        (from, count)
    }

    /// A check-in with what waits, a thousand records at most: the request, and how many records are in it. More than one are compressed.
    ///
    /// # Errors
    /// When zstd fails.
    pub fn request(&self) -> io::Result<(Vec<u8>, usize)> {
        let count = self.waiting.len().min(BATCH);
        let mut body = format!(
            r#"{{"epoch":"{}","turn":"{}","first_seq":{},"sent_at":"{}","agent":{{"version":"1.0.0","rules_version":0,"hardware_fingerprint":"{}"}},"records":["#,
            self.epoch,
            self.turn,
            self.next,
            SystemClock.now().to_rfc3339(),
            self.fingerprint,
        );
        for (place, record) in self.waiting.iter().take(count).enumerate() {
            if place > 0 {
                body.push(',');
            }
            body.push_str(&record.json);
        }
        body.push_str("]}");
        let (coding, body) = if count > 1 {
            (
                "Content-Encoding: zstd\r\n",
                COMPRESSOR.with_borrow_mut(|compressor| compressor.compress(body.as_bytes()))?,
            )
        } else {
            ("", body.into_bytes())
        };
        let request = compose("POST", "/agent/v1/check-in", &self.token, coding, &body);
        Ok((request, count))
    }

    /// Takes the answer to a check-in that carried so many records.
    ///
    /// # Errors
    /// An answer that the protocol does not foresee for an agent that does nothing wrong.
    pub fn judge(&mut self, answer: &Answer, sent: usize) -> Result<Judgement> {
        match answer.status {
            200 => {
                let reply: CheckInReply =
                    serde_json::from_slice(&answer.body).context("the answer to a check-in")?;
                ensure!(
                    reply.acknowledged_through == self.next - 1 + sent as u64,
                    "{} of {} was sent, and {} acknowledged",
                    self.next - 1 + sent as u64,
                    self.id,
                    reply.acknowledged_through
                );
                let from = self.next;
                self.turn = reply.turn;
                self.next += sent as u64;
                let records = self.waiting.drain(..sent).map(|record| (record.kind, record.id));
                Ok(Judgement::Stored(Acknowledged {
                    epoch: self.epoch,
                    from,
                    records: records.collect(),
                }))
            }
            429 | 503 => Ok(Judgement::Busy(answer.retry_after.map(|pause| pause.as_secs()))),
            _ => bail!("a check-in of {} was answered with {}", self.id, describe(answer)),
        }
    }
}

pub(crate) fn describe(answer: &Answer) -> String {
    let text: String = String::from_utf8_lossy(&answer.body).chars().take(400).collect();
    format!("{}: {text}", answer.status)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn answer(status: u16, body: &serde_json::Value) -> Answer {
        Answer {
            status,
            retry_after: None,
            body: body.to_string().into_bytes(),
        }
    }

    fn reply(through: u64) -> Answer {
        answer(
            200,
            &json!({ "acknowledged_through": through, "turn": Uuid::nil(), "rules_version": 0, "check_in_seconds": 30 }),
        )
    }

    #[test]
    fn only_what_was_acknowledged_is_forgotten() {
        let mut agent = Agent::of("sga_x".to_owned());
        for _ in 0..3 {
            agent.observe(NewRecord::sample(Duration::ZERO, false));
        }
        let (_, sent) = agent.request().unwrap();
        assert_eq!(sent, 3);
        let busy = agent.judge(&answer(503, &json!({})), sent).unwrap();
        assert!(matches!(busy, Judgement::Busy(None)));
        assert!(agent.judge(&answer(500, &json!({})), sent).is_err());
        assert!(agent.judge(&reply(2), sent).is_err(), "less than was sent");
        assert_eq!(agent.backlog(), 3);
        let Judgement::Stored(stored) = agent.judge(&reply(3), sent).unwrap() else {
            panic!("it was stored")
        };
        assert_eq!((stored.from, stored.records.len(), agent.backlog()), (1, 3, 0));
    }

    #[test]
    fn what_is_given_up_leaves_a_hole_in_the_numbers() {
        let mut agent = Agent::of("sga_x".to_owned());
        for _ in 0..5 {
            agent.observe(NewRecord::sample(Duration::ZERO, false));
        }
        assert_eq!(agent.forget_oldest(2), (1, 2));
        let (request, sent) = agent.request().unwrap();
        assert!(sent == 3 && !request.is_empty());
        let Judgement::Stored(stored) = agent.judge(&reply(5), sent).unwrap() else {
            panic!("it was stored")
        };
        assert_eq!(stored.from, 3);
    }
}
