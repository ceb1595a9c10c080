//! A server in this process with a database of its own, and people in it.

use std::net::SocketAddr;
use std::sync::{Arc, OnceLock};

use axum::Router;
use axum::body::Body;
use axum::http::{HeaderMap, Method, Request, header};
use chrono::Duration;
use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;
use sg_db::TokenHash;
use sg_db::users::{NewSession, NewUser, insert_session, insert_tenant, insert_user};
use sg_server::audit::AuditKeeper;
use sg_server::config::{self, Config, Verb};
use sg_server::http::{AllowedHosts, Peer};
use sg_server::mail::Mailer;
use sg_server::passwords::PasswordHasher;
use sg_server::secrets::SecretBox;
use sg_server::signing::RulesSigner;
use sg_server::supervisor::Supervisor;
use sg_server::{AppParts, AppState, router, tokens};
use sg_testkit::TestDb;
use sg_types::{
    Clock, Ids, ManualClock, Role, SessionId, SystemClock, TenantId, TimeOrderedIds, TokenKind, UserId,
};
use sqlx::AssertSqlSafe;
use tower::ServiceExt;

/// The password of everybody whom [`App::person`] makes.
pub(crate) const PASSWORD: &str = "Plinth-otter7-walnut";

/// A server without a socket.
pub(crate) struct App {
    pub(crate) state: AppState,
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) db: TestDb,
    /// Holds `secrets.json`.
    pub(crate) keys: tempfile::TempDir,
    router: Router,
}

/// Somebody with an open session.
#[derive(Debug, Clone)]
pub(crate) struct Person {
    pub(crate) user_id: UserId,
    pub(crate) token: String,
}

/// What came back.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Value,
}

impl Answer {
    /// The problem's code, empty when there is none.
    pub(crate) fn code(&self) -> &str {
        self.body["code"].as_str().unwrap_or_default()
    }

    /// A header's text, empty when it is missing.
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    /// The fields that were refused.
    pub(crate) fn fields(&self) -> Vec<&str> {
        self.body["errors"].as_array().map_or(Vec::new(), |errors| {
            errors.iter().filter_map(|e| e["field"].as_str()).collect()
        })
    }
}

impl App {
    pub(crate) async fn start() -> Self {
        Self::start_with(|_| {}).await
    }

    pub(crate) async fn start_with(change: impl FnOnce(&mut Config)) -> Self {
        Self::make(TestDb::new().await.unwrap(), change)
    }

    /// Another server, with keys of its own, on a database that is there.
    pub(crate) fn start_on(db: TestDb) -> Self {
        Self::make(db, |_| {})
    }

    fn make(db: TestDb, change: impl FnOnce(&mut Config)) -> Self {
        let clock = Arc::new(ManualClock::at(SystemClock.now()));
        let mut config = config::load(None, Verb::Other).unwrap();
        // Wide open, so that only the tests of limits meet them.
        let wide = 100_000.try_into().unwrap();
        let limits = &mut config.rate_limits;
        (
            limits.sign_in_per_address_burst,
            limits.sign_in_per_user_burst,
            limits.enrol_per_address_burst,
        ) = (wide, wide, wide);
        limits.password_reset_per_address_burst = wide;
        change(&mut config);
        let (keys, secrets) = secret_box(&*clock);
        let mailer = Mailer::new(&config.mail).unwrap();
        let state = AppState::new(AppParts {
            config,
            db: db.db.clone(),
            clock: clock.clone(),
            ids: Arc::new(TimeOrderedIds),
            rules_signer: RulesSigner::ephemeral(),
            response: sg_server::response::Response::default(),
            secrets,
            audit: AuditKeeper::ephemeral(),
            mailer,
            supervisor: Supervisor::new(),
            public_url: "http://localhost:8080".to_owned(),
            tls: false,
        });
        let router = router::build(state.clone(), AllowedHosts::loopback(None));
        Self {
            state,
            clock,
            db,
            keys,
            router,
        }
    }

    /// Another node on the same database, with what it knows of the audit chains.
    pub(crate) fn with_keeper(&self, audit: AuditKeeper) -> AppState {
        self.node(self.db.db.clone(), audit)
    }

    /// Another node on the same database that shares the audit key, with other settings.
    pub(crate) fn node_with(&self, change: impl FnOnce(&mut Config)) -> AppState {
        let mut config = self.state.config.clone();
        change(&mut config);
        self.node_of(config, self.db.db.clone(), self.state.audit.clone())
    }

    /// The way into another node on the same database.
    pub(crate) fn node_router(&self) -> Router {
        let state = self.node(self.db.db.clone(), self.state.audit.clone());
        router::build(state, AllowedHosts::loopback(None))
    }

    /// A node on some database.
    pub(crate) fn node(&self, db: sg_db::Db, audit: AuditKeeper) -> AppState {
        self.node_of(self.state.config.clone(), db, audit)
    }

    fn node_of(&self, config: Config, db: sg_db::Db, audit: AuditKeeper) -> AppState {
        AppState::new(AppParts {
            mailer: Mailer::new(&config.mail).unwrap(),
            config,
            db,
            clock: self.clock.clone(),
            ids: Arc::new(TimeOrderedIds),
            rules_signer: RulesSigner::ephemeral(),
            response: sg_server::response::Response::default(),
            secrets: SecretBox::load_or_create(&self.keys.path().join("secrets.json"), self.clock.now())
                .unwrap(),
            audit,
            supervisor: Supervisor::new(),
            public_url: "http://localhost:8080".to_owned(),
            tls: false,
        })
    }

    /// The tenant that exists from the start.
    pub(crate) fn tenant(&self) -> TenantId {
        TenantId::DEFAULT
    }

    pub(crate) async fn new_tenant(&self, slug: &str) -> TenantId {
        let tenant = TenantId(TimeOrderedIds.next());
        let mut tx = self.state.db.system("test").await.unwrap();
        insert_tenant(&mut tx, tenant, slug, slug).await.unwrap();
        tx.commit_upkeep().await.unwrap();
        tenant
    }

    /// Somebody new, signed in.
    pub(crate) async fn person(&self, tenant: TenantId, username: &str, role: Role) -> Person {
        let user_id = UserId(TimeOrderedIds.next());
        let mut tx = self.state.db.system("test").await.unwrap();
        let user = NewUser {
            user_id,
            tenant_id: tenant,
            username,
            email: &format!("{username}@example.org"),
            full_name: None,
            role: role.into(),
            password_hash: password_hash(),
            must_change_password: false,
        };
        insert_user(&mut tx, &user).await.unwrap();
        tx.commit_upkeep().await.unwrap();
        let token = self.open_session(user_id, role).await;
        Person { user_id, token }
    }

    /// One more session of somebody's.
    pub(crate) async fn open_session(&self, user_id: UserId, role: Role) -> String {
        let token = tokens::generate(TokenKind::Session);
        let sessions = &self.state.config.sessions;
        let now = self.clock.now();
        let session = NewSession {
            session_id: SessionId(TimeOrderedIds.next()),
            user_id,
            token_hash: token.hash,
            verified_hash: password_hash(),
            provider_id: None,
            at: now,
            idle_seconds: i32::try_from(sessions.idle(role).num_seconds()).unwrap(),
            expires_at: now + sessions.absolute(role),
            address: [127, 0, 0, 1].into(),
            user_agent: None,
        };
        let mut tx = self.state.db.system("test").await.unwrap();
        assert!(insert_session(&mut tx, &session).await.unwrap());
        tx.commit_upkeep().await.unwrap();
        token.secret.expose_secret().to_owned()
    }

    /// The server's time.
    pub(crate) fn clock_now(&self) -> chrono::DateTime<chrono::Utc> {
        self.clock.now()
    }

    /// Moves the time on.
    pub(crate) fn advance(&self, step: Duration) {
        self.clock.advance(step);
    }

    /// Runs SQL as the superuser.
    pub(crate) async fn sql(&self, statements: &str) {
        let mut conn = self.db.connect("postgres").await.unwrap();
        sqlx::raw_sql(AssertSqlSafe(statements.to_owned()))
            .execute(&mut conn)
            .await
            .unwrap();
    }

    /// The one text that a query of the superuser's yields.
    pub(crate) async fn sql_text(&self, query: &str) -> String {
        let mut conn = self.db.connect("postgres").await.unwrap();
        let text: Option<String> = sqlx::query_scalar(AssertSqlSafe(query.to_owned()))
            .fetch_one(&mut conn)
            .await
            .unwrap();
        text.unwrap_or_default()
    }

    pub(crate) async fn get(&self, path: &str, token: &str) -> Answer {
        self.call(Method::GET, path, token, None).await
    }

    pub(crate) async fn post(&self, path: &str, token: &str, body: Value) -> Answer {
        self.call(Method::POST, path, token, Some(body)).await
    }

    pub(crate) async fn patch(&self, path: &str, token: &str, body: Value) -> Answer {
        self.call(Method::PATCH, path, token, Some(body)).await
    }

    pub(crate) async fn delete(&self, path: &str, token: &str) -> Answer {
        self.call(Method::DELETE, path, token, None).await
    }

    pub(crate) async fn sign_in(&self, username: &str, password: &str) -> Answer {
        self.post(
            "/api/v1/sessions",
            "",
            serde_json::json!({"username": username, "password": password}),
        )
        .await
    }

    /// A call with a bearer token; without one when it is empty.
    pub(crate) async fn call(&self, method: Method, path: &str, token: &str, body: Option<Value>) -> Answer {
        let mut request = request(method, path);
        if !token.is_empty() {
            request = request.header(header::AUTHORIZATION, format!("Bearer {token}"));
        }
        let body = match body {
            Some(value) => {
                request = request.header(header::CONTENT_TYPE, "application/json");
                Body::from(value.to_string())
            }
            None => Body::empty(),
        };
        self.send(request.body(body).unwrap()).await
    }

    /// A request as it is.
    pub(crate) async fn send(&self, request: Request<Body>) -> Answer {
        let response = self.router.clone().oneshot(request).await.unwrap();
        let (parts, body) = response.into_parts();
        let streams = parts
            .headers
            .get(header::CONTENT_TYPE)
            .is_some_and(|v| v == "text/event-stream");
        let bytes = if streams {
            Vec::new()
        } else {
            axum::body::to_bytes(body, 10_000_000).await.unwrap().to_vec()
        };
        let text = String::from_utf8_lossy(&bytes);
        let body = serde_json::from_slice(&bytes).unwrap_or_else(|_| Value::String(text.into_owned()));
        Answer {
            status: parts.status.as_u16(),
            headers: parts.headers,
            body,
        }
    }
}

/// A request from this machine to this machine.
pub(crate) fn request(method: Method, path: &str) -> axum::http::request::Builder {
    Request::builder()
        .method(method)
        .uri(path)
        .header(header::HOST, "localhost:8080")
        .extension(Peer(SocketAddr::from(([127, 0, 0, 1], 40_000))))
}

/// Sealed secrets with keys of a folder's own.
pub(crate) fn secret_box(clock: &dyn Clock) -> (tempfile::TempDir, SecretBox) {
    let dir = tempfile::tempdir().unwrap();
    let secrets = SecretBox::load_or_create(&dir.path().join("secrets.json"), clock.now()).unwrap();
    (dir, secrets)
}

/// The hash of [`PASSWORD`], made once.
fn password_hash() -> &'static SecretString {
    static HASH: OnceLock<SecretString> = OnceLock::new();
    HASH.get_or_init(|| {
        let making = std::thread::spawn(|| {
            let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
            let hasher = PasswordHasher::new(&sg_server::config::PasswordsConfig {
                concurrency: 1,
                queue: 1,
                ..Default::default()
            });
            runtime.block_on(hasher.hash(PASSWORD.into())).unwrap()
        });
        making.join().unwrap().into()
    })
}

/// SHA-256 of a token in hex.
pub(crate) fn hash_hex(token: &str) -> String {
    TokenHash::of(token).to_hex()
}
