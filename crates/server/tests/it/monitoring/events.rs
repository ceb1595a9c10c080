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

    /// The kinds and ids of what arrived, in order, once nothing more comes.
    async fn events(&mut self) -> Vec<(String, String)> {
        for _ in 0..20 {
            self.read(Duration::from_millis(100)).await;
        }
        let data = self.text.lines().filter_map(|line| line.strip_prefix("data: "));
        data.map(|data| serde_json::from_str::<LiveEvent>(data).unwrap())
            .map(|event| (event.kind, event.id))
            .collect()
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
    let (mut all, mut some, mut none) = (
        Stream::open(&server, &admin).await,
        Stream::open(&server, &user).await,
        Stream::open(&server, &stranger).await,
    );
    agent
        .send(&server, &[file_finding(server.state.now(), "r", "yara", "/a")])
        .await;
    own.send(&server, &[]).await;

    let heard = all.events().await;
    assert!(
        heard.contains(&("metrics".to_owned(), agent.agent_id.to_string())),
        "{heard:?}"
    );
    assert!(
        heard.contains(&("metrics".to_owned(), own.agent_id.to_string())),
        "{heard:?}"
    );
    let incident = server.get(&admin, "/api/v1/threats/incidents").await.body["items"][0]["threat_id"]
        .as_str()
        .unwrap()
        .to_owned();
    assert!(
        heard.contains(&("incident".to_owned(), incident.clone())),
        "{heard:?}"
    );
    let heard = some.events().await;
    assert!(
        !heard.is_empty() && heard.iter().all(|(_, id)| *id == own.agent_id.to_string()),
        "{heard:?}"
    );
    assert!(none.events().await.is_empty());

    server
        .patch(
            &admin,
            &format!("/api/v1/threats/incidents/{incident}"),
            json!({ "status": "resolved" }),
        )
        .await;
    let heard = all.events().await;
    assert_eq!(
        heard.iter().filter(|(kind, _)| kind == "incident").count(),
        2,
        "{heard:?}"
    );
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
