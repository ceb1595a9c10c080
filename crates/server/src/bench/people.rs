//! People at the console while endpoints check in: each asks for one page's data after the other, as the console does.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use serde_json::{Value, json};
use sg_load::{Agent, Client, Target, quantile};
use sg_types::AgentId;
use tokio::task::JoinSet;

use super::report::{Page, People};
use super::scratch::Scratch;

/// The administrator's password after the first change, on a server that is gone in a moment.
const PASSWORD: &str = "Gravel-lantern4-quince";
/// From one question of a person to the next: somebody who leafs through pages without reading them.
const THINKING: Duration = Duration::from_secs(1);
/// Endpoints that people look at, of all.
const LOOKED_AT: usize = 1_000;

/// What is asked for. `{id}` stands for an endpoint, `{n}` for a part of its name.
const PAGES: [&str; 14] = [
    "/api/v1/monitoring/overview",
    "/api/v1/agents/endpoints?limit=50",
    "/api/v1/agents/endpoints?limit=50&online=false",
    "/api/v1/agents/endpoints?limit=50&search=host-{n}",
    "/api/v1/agents/endpoints/{id}",
    "/api/v1/agents/endpoints/{id}/metrics?points=200",
    "/api/v1/agents/endpoints/{id}/coverage",
    "/api/v1/agents/endpoints/{id}/events",
    "/api/v1/threats/incidents?limit=50&status=new,investigating",
    "/api/v1/threats/incidents?limit=50&severity=high,critical",
    "/api/v1/threats/incidents?limit=50&search=uploads",
    "/api/v1/threats/incidents?limit=50&agent_id={id}",
    "/api/v1/audit/events?limit=50",
    "/api/v1/monitoring/alerts",
];

/// Some people at work.
pub(super) struct AtWork {
    people: JoinSet<anyhow::Result<Vec<(usize, f64)>>>,
    ending: Arc<AtomicBool>,
}

/// Lets so many people begin.
pub(super) fn begin(target: &Target, agents: &[Agent], session: &str, count: usize) -> AtWork {
    let ending = Arc::new(AtomicBool::new(false));
    let step = (agents.len() / LOOKED_AT).max(1);
    let looked_at: Arc<[AgentId]> = agents.iter().step_by(step).map(|agent| agent.id).collect();
    let mut people = JoinSet::new();
    for number in 0..count {
        let person = Person {
            client: Client::new(target, number, true),
            session: session.to_owned(),
            looked_at: Arc::clone(&looked_at),
        };
        people.spawn(person.work(number, Arc::clone(&ending)));
    }
    AtWork { people, ending }
}

impl AtWork {
    /// Lets them end; what they waited for.
    ///
    /// # Errors
    /// When anything but 200 was answered.
    pub(super) async fn end(mut self) -> anyhow::Result<People> {
        self.ending.store(true, Relaxed);
        let mut by_page: Vec<Vec<f64>> = vec![Vec::new(); PAGES.len()];
        while let Some(person) = self.people.join_next().await {
            for (page, took) in person.context("a person broke off")?? {
                by_page[page].push(took);
            }
        }
        let all: Vec<f64> = by_page.iter().flatten().copied().collect();
        let pages = PAGES.iter().zip(by_page).map(|(path, times)| Page {
            path: (*path).to_owned(),
            count: times.len(),
            p50_ms: quantile(times.clone(), 0.5),
            p95_ms: quantile(times, 0.95),
        });
        Ok(People {
            questions: all.len(),
            p50_ms: quantile(all.clone(), 0.5),
            p95_ms: quantile(all.clone(), 0.95),
            p99_ms: quantile(all, 0.99),
            pages: pages.collect(),
        })
    }
}

struct Person {
    client: Client,
    session: String,
    looked_at: Arc<[AgentId]>,
}

impl Person {
    async fn work(mut self, first: usize, ending: Arc<AtomicBool>) -> anyhow::Result<Vec<(usize, f64)>> {
        let mut times = Vec::new();
        // Nobody begins with the page that another one begins with, and everybody asks for each page once.
        let mut turn = first * 5;
        while (!ending.load(Relaxed) || times.len() < PAGES.len()) && !self.looked_at.is_empty() {
            let page = turn % PAGES.len();
            let id = self.looked_at[turn * 37 % self.looked_at.len()].to_string();
            let path = PAGES[page]
                .replace("{id}", &id)
                .replace("{n}", &(turn % 1_000).to_string());
            let began = Instant::now();
            let answer = self.client.get(&path, &self.session).await?;
            times.push((page, began.elapsed().as_secs_f64() * 1_000.0));
            let text = String::from_utf8_lossy(&answer.body);
            ensure!(
                answer.status == 200,
                "{path} was answered with {}: {text}",
                answer.status
            );
            turn += 1;
            tokio::time::sleep(THINKING).await;
        }
        Ok(times)
    }
}

/// The administrator's session.
pub(super) async fn sign_in(target: &Target, scratch: &Scratch) -> anyhow::Result<String> {
    let mut client = Client::new(target, 0, true);
    let (username, password) = &scratch.admin;
    let body = json!({ "username": username, "password": password });
    let session = post(&mut client, "/api/v1/sessions", "", &body, 201).await?;
    let token = session["token"]
        .as_str()
        .context("no token of a session")?
        .to_owned();
    let body = json!({ "current_password": password, "new_password": PASSWORD });
    post(&mut client, "/api/v1/users/me/password", &token, &body, 204).await?;
    Ok(token)
}

/// A POST that has to be answered with `status`.
pub(super) async fn post(
    client: &mut Client,
    path: &str,
    token: &str,
    body: &Value,
    status: u16,
) -> anyhow::Result<Value> {
    let answer = client.post(path, token, body.to_string().as_bytes()).await?;
    let text = String::from_utf8_lossy(&answer.body);
    ensure!(
        answer.status == status,
        "{path} was answered with {}: {text}",
        answer.status
    );
    Ok(serde_json::from_str(&text).unwrap_or(Value::Null))
}
