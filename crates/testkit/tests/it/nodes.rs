//! Several `serve` nodes before one PostgreSQL: what one does the others see, what is done once is done by one of them, and they are upgraded one after the other.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use sg_db::users::{NewApiKey, insert_api_key};
use sg_db::{Stored, TokenHash};
use sg_load::Client;
use sg_testkit::TestDb;
use sg_testkit::fault::{First, Node, Nodes};
use sg_types::api::users::KeyScope;
use sg_types::{Clock, KeyId, SystemClock, TenantId, UserId};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use crate::fleet::Fleet;
use crate::wait_for;

/// A database, and what its nodes share.
struct Site {
    db: TestDb,
    nodes: Nodes,
    first: First,
    /// An API key of the first administrator.
    key: String,
    _folder: tempfile::TempDir,
}

impl Site {
    async fn new() -> Self {
        let db = TestDb::new().await.unwrap();
        let folder = tempfile::Builder::new().prefix("sg-nodes-").tempdir().unwrap();
        let nodes = Nodes {
            folder: folder.path().to_owned(),
            app_url: db.url("sg_app"),
            system_url: db.url("sg_system"),
            programs: None,
            environment: Vec::new(),
        };
        let first = nodes.create_first().unwrap();
        let key = api_key(&db).await;
        Self {
            db,
            nodes,
            first,
            key,
            _folder: folder,
        }
    }

    async fn stored(&self) -> Stored {
        Stored::connect(&self.db.url("sg_admin")).await.unwrap()
    }

    /// Endpoints at a node, numbered from `first` on.
    async fn fleet(&self, node: &Node, first: usize, size: usize) -> Fleet {
        Fleet::start_at(node.url(), &self.first.enrolment_key, first, size).await
    }
}

async fn api_key(db: &TestDb) -> String {
    let mut conn = db.connect("postgres").await.unwrap();
    let user: uuid::Uuid = sqlx::query_scalar("select user_id from users.users where username = 'admin'")
        .fetch_one(&mut conn)
        .await
        .unwrap();
    let text = format!("sg_{}", "k".repeat(43));
    let key = NewApiKey {
        key_id: KeyId(user),
        tenant_id: TenantId::DEFAULT,
        user_id: UserId(user),
        hash: TokenHash::of(&text),
        prefix: &text[..10],
        name: "test",
        scopes: &[KeyScope::Api],
        expires_at: None,
        max_enrolments: None,
        replaces: None,
    };
    let mut tx = db.db.system("test").await.unwrap();
    insert_api_key(&mut tx, &key).await.unwrap();
    tx.commit_upkeep().await.unwrap();
    text
}

async fn get(client: &mut Client, path: &str, key: &str) -> (u16, serde_json::Value) {
    let answer = client.get(path, key).await.unwrap();
    let body = serde_json::from_slice(&answer.body).unwrap_or_default();
    (answer.status, body)
}

async fn post(
    client: &mut Client,
    path: &str,
    key: &str,
    body: serde_json::Value,
) -> (u16, serde_json::Value) {
    let answer = client.post(path, key, body.to_string().as_bytes()).await.unwrap();
    let body = serde_json::from_slice(&answer.body).unwrap_or_default();
    (answer.status, body)
}

/// What a stream of live events says, as it comes.
async fn open_stream(node: &Node, key: &str) -> Arc<Mutex<String>> {
    let address = node.url().trim_start_matches("http://").to_owned();
    let request = format!(
        "GET /api/v1/monitoring/events HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {key}\r\nAccept: text/event-stream\r\n\r\n"
    );
    let heard = Arc::new(Mutex::new(String::new()));
    let own = Arc::clone(&heard);
    #[expect(clippy::disallowed_methods, reason = "a test's own listener")]
    tokio::spawn(async move {
        // Again and again, as consoles do: a node that has just begun to listen ends the streams that were open before.
        loop {
            let Ok(mut stream) = TcpStream::connect(&address).await else {
                return;
            };
            if stream.write_all(request.as_bytes()).await.is_err() {
                return;
            }
            let mut buffer = [0; 4_096];
            while let Ok(read @ 1..) = stream.read(&mut buffer).await {
                own.lock()
                    .unwrap()
                    .push_str(&String::from_utf8_lossy(&buffer[..read]));
            }
        }
    });
    heard
}

async fn wait_to_hear(heard: &Mutex<String>, what: &str) {
    wait_for(what, Duration::from_secs(20), async || {
        heard.lock().unwrap().contains(what).then_some(())
    })
    .await;
}

/// A receiver of webhooks: which message came how often.
async fn receive_webhooks() -> (u16, Arc<Mutex<BTreeMap<String, usize>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let received: Arc<Mutex<BTreeMap<String, usize>>> = Arc::default();
    let all = Arc::clone(&received);
    #[expect(clippy::disallowed_methods, reason = "a test's own receiver")]
    tokio::spawn(async move {
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            let all = Arc::clone(&all);
            tokio::spawn(async move {
                let mut request = Vec::new();
                while !request.windows(4).any(|four| four == b"\r\n\r\n") {
                    if stream.read_buf(&mut request).await.unwrap_or(0) == 0 {
                        return;
                    }
                }
                let head = String::from_utf8_lossy(&request).to_lowercase();
                let id = head.lines().find_map(|line| line.strip_prefix("webhook-id:"));
                let id = id.unwrap_or_default().trim().to_owned();
                *all.lock().unwrap().entry(id).or_default() += 1;
                // Long enough for another node to take it for undelivered, if nothing kept it from that.
                tokio::time::sleep(Duration::from_millis(300)).await;
                let answer = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
                let _ = stream.write_all(answer.as_bytes()).await;
                let mut rest = [0; 8_192];
                let _ = tokio::time::timeout(Duration::from_millis(200), stream.read(&mut rest)).await;
            });
        }
    });
    (port, received)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_one_node_stores_consoles_of_the_other_hear_and_both_keep() {
    let site = Site::new().await;
    let (one, other) = tokio::join!(site.nodes.start("one"), site.nodes.start("other"));
    let (one, other) = (one.unwrap(), other.unwrap());
    let heard = open_stream(&other, &site.key).await;
    wait_to_hear(&heard, "text/event-stream").await;
    // The stream is open; whoever enrols and reports does so at the first node only.
    let mut fleet = site.fleet(&one, 0, 4).await;
    fleet.go_on(100).await;
    wait_to_hear(&heard, r#""kind":"endpoint""#).await;
    wait_to_hear(&heard, r#""kind":"incident""#).await;
    // And some more at the other, at the same time.
    let mut further = site.fleet(&other, 10, 4).await;
    tokio::join!(fleet.go_on(200), further.go_on(200));
    let mut stored = site.stored().await;
    for fleet in [fleet, further] {
        fleet.finish_in(&mut stored).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_limit_holds_for_all_nodes_together() {
    const LIMIT: u64 = 100;
    let site = Site::new().await;
    site.db
        .execute("insert into users.rate_limits (tenant_id, subject_kind, requests_per_minute) values ('00000000-0000-0000-0000-000000000001', 'key', 100)")
        .await
        .unwrap();
    let (one, other) = tokio::join!(site.nodes.start("one"), site.nodes.start("other"));
    let nodes = [one.unwrap(), other.unwrap()];
    let mut clients = [nodes[0].client(1).unwrap(), nodes[1].client(2).unwrap()];
    // Within one minute.
    wait_for("a minute has begun", Duration::from_secs(30), async || {
        (SystemClock.now().timestamp() % 60 < 40).then_some(())
    })
    .await;
    let (mut served, mut refused) = (0, 0);
    for number in 0..160_usize {
        let (status, body) = get(&mut clients[number % 2], "/api/v1/monitoring/channels", &site.key).await;
        match status {
            200 => served += 1,
            429 => refused += 1,
            other => panic!("{other} {body}"),
        }
    }
    assert!(
        (LIMIT - 10..=LIMIT + 4).contains(&served),
        "{served} were served and {refused} refused"
    );

    // The lock of an account is one for all of them, too.
    let mut codes = Vec::new();
    for number in 0..12_usize {
        let body = serde_json::json!({"username": "admin", "password": format!("wrong {number}")});
        let (status, _) = post(&mut clients[number % 2], "/api/v1/sessions", "", body).await;
        codes.push(status);
    }
    let events = "select count(*) from monitoring.security_events where kind = 'account_locked'";
    assert_eq!(site.db.count(events).await.unwrap(), 1, "{codes:?}");
    let body = serde_json::json!({"username": "admin", "password": site.first.password});
    for client in &mut clients {
        let (status, body) = post(client, "/api/v1/sessions", "", body.clone()).await;
        assert_ne!(status, 201, "the right password opens nothing meanwhile: {body}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_to_be_done_once_one_node_does() {
    let site = Site::new().await;
    let (one, other) = tokio::join!(site.nodes.start("one"), site.nodes.start("other"));
    let nodes = [one.unwrap(), other.unwrap()];
    let mut clients = [nodes[0].client(1).unwrap(), nodes[1].client(2).unwrap()];
    let (port, received) = receive_webhooks().await;
    let channel = serde_json::json!({
        "name": "hook", "per_minute": 600,
        "target": {"kind": "webhook", "url": format!("http://127.0.0.1:{port}/hook")},
    });
    let (status, body) = post(&mut clients[0], "/api/v1/monitoring/channels", &site.key, channel).await;
    assert_eq!(status, 201, "{body}");

    // Maintenance of three kinds, asked for at both nodes at once, and the same one at both.
    let [first, second] = &mut clients;
    let path = "/api/v1/monitoring/maintenance-runs";
    let ask = |period: &str| serde_json::json!({ "period": period });
    let (daily, again) = tokio::join!(
        post(first, path, &site.key, ask("daily")),
        post(second, path, &site.key, ask("daily"))
    );
    let mut codes = [daily.0, again.0];
    codes.sort_unstable();
    assert!(codes == [202, 409] || codes == [202, 202], "{daily:?} {again:?}");
    let (weekly, monthly) = tokio::join!(
        post(first, path, &site.key, ask("weekly")),
        post(second, path, &site.key, ask("monthly"))
    );
    assert_eq!((weekly.0, monthly.0), (202, 202), "{weekly:?} {monthly:?}");

    let mut fleets = [
        site.fleet(&nodes[0], 0, 3).await,
        site.fleet(&nodes[1], 10, 3).await,
    ];
    for fleet in &mut fleets {
        fleet.go_on(150).await;
    }
    let mut stored = site.stored().await;
    let [fleet, further] = fleets;
    for fleet in [fleet, further] {
        fleet.finish_in(&mut stored).await;
    }

    check_maintenance(&site, i64::from(codes == [202, 202]) + 3).await;
    check_webhooks(&site, &received).await;
    // Two that sealed the audit log at once would have forked its chain.
    drop(nodes);
    assert!(site.db.count("select count(*) from audit.chain").await.unwrap() > 0);
    verify_audit(&site);
}

/// Each run that was asked for was done once, with each of its tasks, and left one report of the installation.
async fn check_maintenance(site: &Site, asked: i64) {
    let count = async |query: &'static str| site.db.count(query).await.unwrap();
    let running = "select count(*) from monitoring.maintenance_runs where state = 'running'";
    wait_for("maintenance is done", Duration::from_secs(60), async || {
        (count(running).await == 0).then_some(())
    })
    .await;
    let reports = "select count(*) from monitoring.reports where tenant_id = '00000000-0000-0000-0000-000000000000' and run_id is not null";
    for (query, expected) in [
        (
            "select count(*) from monitoring.maintenance_runs where is_by_hand",
            asked,
        ),
        (
            "select sum(interruptions)::bigint from monitoring.maintenance_runs",
            0,
        ),
        (
            "select count(*) from monitoring.maintenance_tasks where state = 'completed'",
            asked * 3,
        ),
        (reports, asked),
    ] {
        assert_eq!(count(query).await, expected, "{query}");
    }
}

/// Each notification reached its receiver, once.
async fn check_webhooks(site: &Site, received: &Mutex<BTreeMap<String, usize>>) {
    let count = async |query: &'static str| site.db.count(query).await.unwrap();
    let open = "select count(*) from monitoring.notifications where finished_at is null";
    wait_for("everything is told", Duration::from_secs(30), async || {
        (count(open).await == 0).then_some(())
    })
    .await;
    let received = received.lock().unwrap().clone();
    assert!(received.values().all(|times| *times == 1), "{received:?}");
    let sent = "select count(*) from monitoring.notifications where outcome = 'sent'";
    assert_eq!(i64::try_from(received.len()).unwrap(), count(sent).await);
    assert!(!received.is_empty());
}

/// `secureguard audit verify`, as an administrator runs it.
fn verify_audit(site: &Site) {
    use secrecy::ExposeSecret;

    let program = sg_testkit::fault::program("secureguard").unwrap();
    let output = std::process::Command::new(program)
        .args(["audit", "verify", "--data-dir"])
        .arg(site.nodes.folder.join("one"))
        .env("DATABASE_URL", site.nodes.app_url.expose_secret())
        .env("DATABASE_SYSTEM_URL", site.nodes.system_url.expose_secret())
        .env(
            "SECUREGUARD_AUDIT__SIGNING_KEY_FILE",
            site.nodes.folder.join("keys/audit.pem"),
        )
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(
        output.status.success(),
        "{text}{}",
        String::from_utf8_lossy(&output.stderr)
    );
}

/// What the next release's migration would do: it adds, and marks itself first.
const EXPANDING: &str = "
    insert into public.schema_steps (version, expands) values (9001, true);
    begin;
    alter table agents.endpoints add column next_release text not null default 'x';
    alter table threats.incidents add column next_release integer;
    create index endpoints_next_release_idx on agents.endpoints (tenant_id, next_release);
    create table monitoring.next_release (one integer primary key);
    insert into public._sqlx_migrations (version, description, success, checksum, execution_time) values (9001, 'next release', true, '\\x00', 0);
    commit";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nodes_are_upgraded_one_after_the_other_and_nothing_is_lost() {
    let site = Site::new().await;
    let mut old = site.nodes.start("old").await.unwrap();
    let mut fleet = site.fleet(&old, 0, 6).await;
    fleet.go_on(200).await;

    site.db.execute(EXPANDING).await.unwrap();
    fleet.go_on(300).await;
    let (status, text) = old.readiness().await.unwrap();
    assert_eq!(status, 200, "{text}");
    let mut client = old.client(1).unwrap();
    for path in [
        "/api/v1/agents/endpoints?limit=5",
        "/api/v1/threats/incidents?limit=5",
        "/api/v1/monitoring/overview",
    ] {
        let (status, body) = get(&mut client, path, &site.key).await;
        assert_eq!(status, 200, "{path} {body}");
    }
    // One of this release beside the newer schema, as when a node starts again in the middle of an upgrade.
    let mut beside = site.nodes.start("beside").await.unwrap();
    assert!(beside.log().contains("of a later release"), "{}", beside.log());
    let mut further = site.fleet(&beside, 10, 3).await;
    tokio::join!(fleet.go_on(200), further.go_on(200));
    // `secureguard migrate` of this release finds nothing to do, and says nothing of steps that it lacks.
    let report = site.db.migrate().await.unwrap();
    assert_eq!((report.from_version, report.to_version), (9001, 9001));
    further.finish_in(&mut site.stored().await).await;
    beside.stop().await.unwrap();
    fleet.go_on(100).await;
    // In order: what is under way ends, and what comes then waits with the endpoints.
    old.stop().await.unwrap();
    old.start().await.unwrap();
    fleet.go_on(100).await;
    fleet.finish_in(&mut site.stored().await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_schema_that_this_release_does_not_understand_is_refused() {
    let site = Site::new().await;
    let node = site.nodes.start("one").await.unwrap();
    site.db
        .execute(
            "insert into public._sqlx_migrations (version, description, success, checksum, execution_time) values (9001, 'unmarked', true, '\\x00', 0)",
        )
        .await
        .unwrap();
    let (status, text) = node.readiness().await.unwrap();
    assert_eq!(status, 503, "{text}");
    assert!(text.contains("step 9001: update this program"), "{text}");
    let refused = site.nodes.start("two").await.unwrap_err().to_string();
    assert!(
        refused.contains("refusing to start") && refused.contains("step 9001"),
        "{refused}"
    );
    let refused = site.db.migrate().await.unwrap_err().to_string();
    assert!(refused.contains("step 9001: update this program"), "{refused}");

    // One that says of itself that it contracts is no better; one that expands is.
    for (marks, expected) in [
        ("insert into public.schema_steps values (9001, false)", 503),
        (
            "update public.schema_steps set expands = true where version = 9001",
            200,
        ),
    ] {
        site.db.execute(marks).await.unwrap();
        let (status, text) = node.readiness().await.unwrap();
        assert_eq!(status, expected, "{text}");
    }
}
