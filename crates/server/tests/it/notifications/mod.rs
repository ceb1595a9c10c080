//! Who is told of incidents and alerts, by receivers that are real.

mod channels;
mod delivery;
mod hostile;
mod inhibited;
mod installation;
mod killed;
mod kinds;
mod provoked;
mod routing;
mod storms;
mod templates;

pub(crate) mod listeners;
pub(crate) mod receiver;

use std::time::Duration;

use serde_json::{Value, json};
use sg_types::api::Page;
use sg_types::api::notifications::{ChannelSaved, NotificationView, RouteView};
use sg_types::{ChannelId, Role, TenantId};

use super::fleet::{TestAgent, TestCaller, TestServer, file_finding};
use receiver::Receiver;

const CHANNELS: &str = "/api/v1/monitoring/channels";
const ROUTES: &str = "/api/v1/monitoring/routes";
const SILENCES: &str = "/api/v1/monitoring/silences";
const NOTIFICATIONS: &str = "/api/v1/monitoring/notifications";

/// A server with an administrator, an endpoint and a receiver.
struct Scene {
    server: TestServer,
    admin: TestCaller,
    agent: TestAgent,
    receiver: Receiver,
}

impl Scene {
    async fn start() -> Self {
        let server = TestServer::start().await;
        let admin = server.caller(TenantId::DEFAULT, Role::Admin).await;
        let agent = TestAgent::enrol(&server, &admin, "web-1").await;
        Self {
            server,
            admin,
            agent,
            receiver: Receiver::start().await,
        }
    }

    /// A webhook that leads to the receiver.
    async fn webhook(&self, name: &str) -> ChannelSaved {
        let target = json!({ "kind": "webhook", "url": self.receiver.url(&format!("/{name}")) });
        self.channel(name, target).await
    }

    async fn channel(&self, name: &str, target: Value) -> ChannelSaved {
        let body = json!({ "name": name, "target": target });
        self.server.post(&self.admin, CHANNELS, body).await.expect(201)
    }

    /// Sends a match of this severity that opens an incident of its own.
    async fn incident(&mut self, rule: &str, severity: &str, path: &str) {
        let record = finding(self.server.state.now(), rule, severity, path);
        self.agent.send(&self.server, &[record]).await;
    }

    async fn routes(&self) -> Vec<RouteView> {
        let page: Page<RouteView> = self.server.get(&self.admin, ROUTES).await.expect(200);
        page.items
    }

    async fn route(&self, body: Value) -> RouteView {
        self.server.post(&self.admin, ROUTES, body).await.expect(201)
    }

    async fn log(&self, query: &str) -> Vec<NotificationView> {
        let path = format!("{NOTIFICATIONS}?limit=500{query}");
        let page: Page<NotificationView> = self.server.get(&self.admin, &path).await.expect(200);
        page.items
    }

    /// Waits until nothing waits to be sent.
    async fn settle(&self) {
        for _ in 0..400 {
            if self.log("&waiting=true").await.is_empty() {
                return;
            }
            tokio::time::sleep(Duration::from_millis(25)).await;
        }
        panic!("{:?}", self.log("&waiting=true").await);
    }

    /// Waits until the log holds that for the query.
    async fn wait_for_log(
        &self,
        query: &str,
        holds: impl Fn(&[NotificationView]) -> bool,
    ) -> Vec<NotificationView> {
        for _ in 0..400 {
            let log = self.log(query).await;
            if holds(&log) {
                return log;
            }
            tokio::time::sleep(Duration::from_millis(25)).await;
        }
        panic!("{:#?}", self.log(query).await);
    }

    /// Every row of every table, as text.
    async fn whole_database(&self) -> String {
        let mut conn = self.server.test_db.connect("postgres").await.unwrap();
        sqlx::query_scalar("select database_to_xml(true, false, '')::text")
            .fetch_one(&mut conn)
            .await
            .unwrap()
    }

    fn advance(&self, seconds: i64) {
        self.server.clock.advance(chrono::Duration::seconds(seconds));
    }
}

fn finding(at: chrono::DateTime<chrono::Utc>, rule: &str, severity: &str, path: &str) -> Value {
    let mut record = file_finding(at, rule, "yara", path);
    record["body"]["severity"] = json!(severity);
    // Each file is a subject of its own.
    record["body"]["subject"]["sha256"] = json!(sg_db::TokenHash::of(path).to_hex());
    record
}

/// What a route needs that sends every incident to a channel.
fn every_incident(name: &str, channel: ChannelId) -> Value {
    json!({ "name": name, "channel_id": channel, "source": "incident", "min_severity": "low" })
}
