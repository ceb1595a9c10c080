use std::time::Duration;

use futures_util::StreamExt;
use serde_json::json;
use sg_types::api::monitoring::LiveEvent;
use sg_types::{Role, TenantId};

use crate::fleet::{TestAgent, TestCaller, TestServer, file_finding};

/// An open stream.
struct Stream {
    body: axum::body::BodyDataStream,
    text: String,
}

impl Stream {
    async fn open(server: &TestServer, caller: &TestCaller) -> Self {
        let response = server.open("/api/v1/monitoring/events", &caller.token).await;
        assert_eq!(
            (response.status().as_u16(), &response.headers()["content-type"]),
            (200, &"text/event-stream".parse().unwrap())
        );
        let mut stream = Self {
            body: response.into_body().into_data_stream(),
            text: String::new(),
        };
        // The first comment: from here on nothing is missed.
        stream.read(Duration::from_secs(5)).await;
        assert!(stream.text.starts_with(": alive"), "{}", stream.text);
        stream
    }

    /// Reads what arrives within `time`; false when the stream has ended.
    async fn read(&mut self, time: Duration) -> bool {
        match tokio::time::timeout(time, self.body.next()).await {
            Ok(Some(chunk)) => self.text.push_str(std::str::from_utf8(&chunk.unwrap()).unwrap()),
            Ok(None) => return false,
            Err(_) => {}
        }
        true
    }

    /// The kinds and ids of what has arrived, in order.
    fn heard(&self) -> Vec<(String, String)> {
        let data = self.text.lines().filter_map(|line| line.strip_prefix("data: "));
        data.map(|data| serde_json::from_str::<LiveEvent>(data).unwrap())
            .map(|event| (event.kind, event.id))
            .collect()
    }

    /// Reads until `count` events of this kind and id have arrived.
    async fn hear(&mut self, count: usize, kind: &str, id: impl ToString) {
        let awaited = (kind.to_owned(), id.to_string());
        let end = tokio::time::Instant::now() + Duration::from_secs(20);
        while self.heard().iter().filter(|event| **event == awaited).count() < count {
            assert!(
                tokio::time::Instant::now() < end,
                "{awaited:?} is not among {:?}",
                self.heard()
            );
            self.read(Duration::from_millis(100)).await;
        }
    }
}

#[tokio::test]
async fn everybody_hears_of_their_own_and_of_nothing_else() {
    let server = TestServer::start().await;
    server.wait_for_listener().await;
    let admin = server.caller(TenantId::DEFAULT, Role::Admin).await;
    let user = server.caller(TenantId::DEFAULT, Role::User).await;
    let stranger = server.caller(server.tenant("other").await, Role::Admin).await;
    let mut agent = TestAgent::enrol(&server, &admin, "web-1").await;
    let mut own = TestAgent::enrol(&server, &user, "laptop").await;
    let mut theirs = TestAgent::enrol(&server, &stranger, "elsewhere").await;
    let (mut all, mut some, mut none) = (
        Stream::open(&server, &admin).await,
        Stream::open(&server, &user).await,
        Stream::open(&server, &stranger).await,
    );
    agent
        .send(&server, &[file_finding(server.state.now(), "r", "yara", "/a")])
        .await;
    own.send(&server, &[]).await;

    all.hear(1, "metrics", agent.agent_id).await;
    all.hear(1, "metrics", own.agent_id).await;
    let incident = server.get(&admin, "/api/v1/threats/incidents").await.body["items"][0]["threat_id"]
        .as_str()
        .unwrap()
        .to_owned();
    all.hear(1, "incident", &incident).await;
    some.hear(1, "metrics", own.agent_id).await;

    server
        .patch(
            &admin,
            &format!("/api/v1/threats/incidents/{incident}"),
            json!({ "status": "resolved" }),
        )
        .await;
    all.hear(2, "incident", &incident).await;

    // What is told last arrives last: whatever else a stream was to carry is there by then.
    own.send(&server, &[]).await;
    some.hear(2, "metrics", own.agent_id).await;
    theirs.send(&server, &[]).await;
    none.hear(1, "metrics", theirs.agent_id).await;
    for (stream, agent) in [(&some, &own), (&none, &theirs)] {
        let heard = stream.heard();
        assert!(
            heard.iter().all(|(_, id)| *id == agent.agent_id.to_string()),
            "{heard:?}"
        );
    }
}

#[tokio::test]
async fn the_stream_ends_with_the_key_and_with_the_server() {
    let server = TestServer::start().await;
    server.wait_for_listener().await;
    let admin = server.caller(TenantId::DEFAULT, Role::Admin).await;
    let mut stream = Stream::open(&server, &admin).await;
    server
        .test_db
        .execute("update users.api_keys set is_active = false")
        .await
        .unwrap();
    assert!(
        ends_within(&mut stream, Duration::from_secs(20)).await,
        "the next beat finds the key revoked"
    );

    let other = server.caller(TenantId::DEFAULT, Role::Admin).await;
    let mut stream = Stream::open(&server, &other).await;
    server.state.supervisor.stop_token().cancel();
    assert!(ends_within(&mut stream, Duration::from_secs(2)).await);
}

async fn ends_within(stream: &mut Stream, time: Duration) -> bool {
    let end = tokio::time::Instant::now() + time;
    while tokio::time::Instant::now() < end {
        if !stream.read(Duration::from_millis(200)).await {
            return true;
        }
    }
    false
}
