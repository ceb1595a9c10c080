//! A server of one test's own, and short words for what clients do.

mod agent;
mod response;

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::http::{Request, header};
use secrecy::{ExposeSecret, SecretString};
use sg_db::users::{NewApiKey, NewUser, insert_api_key, insert_tenant, insert_user};
use sg_server::audit::AuditKeeper;
use sg_server::config::{self, Config};
use sg_server::http::AllowedHosts;
use sg_server::mail::Mailer;
use sg_server::signing::RulesSigner;
use sg_server::supervisor::Supervisor;
use sg_server::{AppParts, AppState, jobs, router, tokens};
use sg_testkit::TestDb;
use sg_types::api::users::KeyScope;
use sg_types::{
    Clock, Ids, KeyId, ManualClock, Role, SystemClock, TenantId, TimeOrderedIds, TokenKind, UserId,
};
use tower::ServiceExt;

pub(crate) use agent::{TestAgent, enrol_body, event, file_finding, gap, metrics, process_finding, record};
pub(crate) use response::Response;

use super::app::secret_box;

/// A server with its database, clock and background work.
pub(crate) struct TestServer {
    pub(crate) state: AppState,
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) test_db: TestDb,
    _keys: tempfile::TempDir,
    router: Router,
}

/// Somebody who calls with an API key.
#[derive(Debug, Clone)]
pub(crate) struct TestCaller {
    pub(crate) user_id: UserId,
    pub(crate) username: String,
    pub(crate) token: String,
}

impl TestServer {
    pub(crate) async fn start() -> Self {
        Self::start_with(|_| {}).await
    }

    pub(crate) async fn start_with(configure: impl FnOnce(&mut Config)) -> Self {
        let response = sg_server::response::Response::default();
        Self::start_as(configure, RulesSigner::ephemeral(), response).await
    }

    /// A server whose commands are signed by `response`'s signer.
    pub(crate) async fn start_as(
        configure: impl FnOnce(&mut Config),
        rules_signer: RulesSigner,
        response: sg_server::response::Response,
    ) -> Self {
        let test_db = TestDb::new().await.unwrap();
        let mut config = config::load(None, config::Verb::Other).unwrap();
        configure(&mut config);
        let clock = Arc::new(ManualClock::at(SystemClock.now()));
        let (keys, secrets) = secret_box(&*clock);
        let mailer = Mailer::new(&config.mail).unwrap();
        let state = AppState::new(AppParts {
            config,
            db: test_db.db.clone(),
            clock: clock.clone(),
            ids: Arc::new(TimeOrderedIds),
            rules_signer,
            response,
            secrets,
            audit: AuditKeeper::ephemeral(),
            mailer,
            supervisor: Supervisor::new(),
            public_url: "http://localhost".to_owned(),
            tls: false,
        });
        jobs::spawn(&state);
        sg_server::response::spawn(&state);
        let router = router::build(state.clone(), AllowedHosts::loopback(None));
        Self {
            state,
            clock,
            test_db,
            _keys: keys,
            router,
        }
    }

    pub(crate) async fn tenant(&self, slug: &str) -> TenantId {
        let tenant_id = TenantId(TimeOrderedIds.next());
        let mut tx = self.state.db.system("test").await.unwrap();
        insert_tenant(&mut tx, tenant_id, slug, slug).await.unwrap();
        tx.commit_upkeep().await.unwrap();
        tenant_id
    }

    /// A person of `tenant_id` with an API key for everything that their role may do.
    pub(crate) async fn caller(&self, tenant_id: TenantId, role: Role) -> TestCaller {
        let user_id = UserId(TimeOrderedIds.next());
        let username = format!("u{}", user_id.0.simple());
        let mut tx = self.state.db.system("test").await.unwrap();
        let user = NewUser {
            user_id,
            tenant_id,
            username: &username,
            email: &format!("{username}@example.org"),
            full_name: None,
            role: role.into(),
            password_hash: &SecretString::from("no password opens this"),
            must_change_password: false,
        };
        insert_user(&mut tx, &user).await.unwrap();
        tx.commit_upkeep().await.unwrap();
        let (_, token) = self
            .key(tenant_id, user_id, &[KeyScope::Api, KeyScope::Enrol])
            .await;
        TestCaller {
            user_id,
            username,
            token,
        }
    }

    pub(crate) async fn key(
        &self,
        tenant_id: TenantId,
        user_id: UserId,
        scopes: &[KeyScope],
    ) -> (KeyId, String) {
        let token = tokens::generate(TokenKind::ApiKey);
        let key_id = KeyId(TimeOrderedIds.next());
        let mut tx = self.state.db.system("test").await.unwrap();
        let key = NewApiKey {
            key_id,
            tenant_id,
            user_id,
            hash: token.hash,
            prefix: &token.prefix,
            name: "test",
            scopes,
            expires_at: None,
            max_enrolments: None,
            replaces: None,
        };
        insert_api_key(&mut tx, &key).await.unwrap();
        tx.commit_upkeep().await.unwrap();
        (key_id, token.secret.expose_secret().to_owned())
    }

    pub(crate) async fn get(&self, caller: &TestCaller, path: &str) -> Response {
        self.send("GET", path, &caller.token, None).await
    }

    pub(crate) async fn post(&self, caller: &TestCaller, path: &str, body: serde_json::Value) -> Response {
        self.send("POST", path, &caller.token, Some(body)).await
    }

    pub(crate) async fn patch(&self, caller: &TestCaller, path: &str, body: serde_json::Value) -> Response {
        self.send("PATCH", path, &caller.token, Some(body)).await
    }

    pub(crate) async fn send(
        &self,
        method: &str,
        path: &str,
        token: &str,
        body: Option<serde_json::Value>,
    ) -> Response {
        let body = body.map_or_else(Body::empty, |value| Body::from(value.to_string()));
        self.send_raw(method, path, token, &[("content-type", "application/json")], body)
            .await
    }

    pub(crate) async fn send_raw(
        &self,
        method: &str,
        path: &str,
        token: &str,
        headers: &[(&str, &str)],
        body: Body,
    ) -> Response {
        let mut request = Request::builder()
            .method(method)
            .uri(path)
            .header(header::HOST, "localhost");
        if !token.is_empty() {
            request = request.header(header::AUTHORIZATION, format!("Bearer {token}"));
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let response = self
            .router
            .clone()
            .oneshot(request.body(body).unwrap())
            .await
            .unwrap();
        Response::read(response).await
    }

    /// The answer before its body was read, for streams.
    pub(crate) async fn open(&self, path: &str, token: &str) -> axum::response::Response {
        let request = Request::builder()
            .uri(path)
            .header(header::HOST, "localhost")
            .header(header::AUTHORIZATION, format!("Bearer {token}"));
        self.router
            .clone()
            .oneshot(request.body(Body::empty()).unwrap())
            .await
            .unwrap()
    }

    /// Waits until the listener for live events has told that it is there, which ends every stream that was open before.
    pub(crate) async fn wait_for_listener(&self) {
        for _ in 0..200 {
            let listening = self.count("select count(*) from pg_stat_activity where datname = current_database() and query ilike 'listen%'");
            if listening.await > 0 {
                tokio::time::sleep(std::time::Duration::from_millis(200)).await;
                return;
            }
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        }
        panic!("nobody listens");
    }

    /// Runs SQL as the superuser.
    pub(crate) async fn sql(&self, statements: &'static str) {
        let mut conn = self.test_db.connect("postgres").await.unwrap();
        sqlx::raw_sql(statements).execute(&mut conn).await.unwrap();
    }

    /// One figure, asked of the database as the superuser.
    pub(crate) async fn count(&self, query: &'static str) -> i64 {
        self.test_db.count(query).await.unwrap()
    }
}
