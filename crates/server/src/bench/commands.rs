//! How long a command takes from the person who asks to the endpoint that waits for it.

use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use serde_json::{Value, json};
use sg_load::{Agent, Client, Target, quantile};
use sg_types::response::CommandsReply;
use tokio::task::JoinSet;

use super::report::Commands;
use super::scratch::Scratch;

/// The administrator's password after the first change, on a server that is gone in a moment.
const PASSWORD: &str = "Gravel-lantern4-quince";
/// Seconds for which an endpoint's question is held open.
const WAIT: u64 = 30;
/// Until all questions are open.
const SETTLE: Duration = Duration::from_secs(1);

/// Asks for a command for each of so many endpoints, one after the other, while all of them wait.
pub(super) async fn measure(
    scratch: &Scratch,
    target: &Target,
    agents: &[Agent],
    count: usize,
    tell: fn(&str),
) -> anyhow::Result<Commands> {
    let chosen = &agents[..count.min(agents.len())];
    if chosen.is_empty() {
        return Ok(Commands::default());
    }
    tell(&format!("commands for {} endpoints", chosen.len()));
    let mut client = Client::new(target, 0, true);
    let session = sign_in(&mut client, scratch).await?;
    let mut waiting = JoinSet::new();
    for (number, agent) in chosen.iter().enumerate() {
        let (mut client, token) = (Client::new(target, number + 1, true), agent.token().to_owned());
        waiting.spawn(async move {
            let path = format!("/agent/v1/commands?wait={WAIT}");
            let answer = client.get(&path, &token).await?;
            let arrived = Instant::now();
            let reply: CommandsReply = serde_json::from_slice(&answer.body)?;
            anyhow::Ok((number, (!reply.commands.is_empty()).then_some(arrived)))
        });
    }
    tokio::time::sleep(SETTLE).await;
    let mut asked = Vec::with_capacity(chosen.len());
    for agent in chosen {
        let path = format!("/api/v1/agents/endpoints/{}/commands", agent.id);
        let body = json!({ "kind": "list_processes", "arguments": {}, "reason": "a measurement" });
        let begin = Instant::now();
        let detail = call(&mut client, &path, &session, &body, 201).await?;
        asked.push((begin, detail["command"]["command_id"].clone()));
    }
    let mut times = Vec::with_capacity(chosen.len());
    while let Some(answer) = waiting.join_next().await {
        let (number, arrived) = answer.context("an endpoint broke off")??;
        let Some(arrived) = arrived else { continue };
        times.push(arrived.duration_since(asked[number].0).as_secs_f64() * 1_000.0);
        // They do nothing, and say so.
        let refusal = json!({ "command_id": asked[number].1, "reason": "a measurement" });
        let token = chosen[number].token();
        call(&mut client, "/agent/v1/commands/refusals", token, &refusal, 204).await?;
    }
    Ok(Commands {
        asked: asked.len(),
        delivered: times.len(),
        p50_ms: quantile(times.clone(), 0.5),
        p95_ms: quantile(times.clone(), 0.95),
        p99_ms: quantile(times, 0.99),
    })
}

async fn sign_in(client: &mut Client, scratch: &Scratch) -> anyhow::Result<String> {
    let (username, password) = &scratch.admin;
    let body = json!({ "username": username, "password": password });
    let session = call(client, "/api/v1/sessions", "", &body, 201).await?;
    let token = session["token"]
        .as_str()
        .context("no token of a session")?
        .to_owned();
    let body = json!({ "current_password": password, "new_password": PASSWORD });
    call(client, "/api/v1/users/me/password", &token, &body, 204).await?;
    Ok(token)
}

async fn call(
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
