//! Every operation of the OpenAPI document × every identity → status, as a golden file. An operation that the document gains is in the
//! matrix at once; its row has to be looked at and accepted.

use std::collections::BTreeMap;
use std::fmt::Write;

use axum::body::Body;
use axum::http::{Method, header};
use sg_server::router;
use sg_types::{Ids, Role, TenantId, TimeOrderedIds};

use super::app::{App, Person, hash_hex, request};

/// Operations that need no proof of who calls.
const OPEN: [&str; 10] = [
    "POST /api/v1/sessions",
    "POST /api/v1/sessions/second-factor",
    "POST /api/v1/sessions/passkey/options",
    "POST /api/v1/sessions/passkey",
    "POST /api/v1/users/password-resets",
    "POST /api/v1/users/password-resets/redeem",
    "GET /api/v1/openapi.json",
    "GET /api/v1/sessions/providers",
    "GET /api/v1/sessions/oidc/{provider_id}/start",
    "GET /api/v1/sessions/oidc/{provider_id}/callback",
];

/// One operation of the document.
#[derive(Debug, Clone)]
pub(crate) struct Operation {
    pub(crate) method: Method,
    pub(crate) path: String,
}

impl Operation {
    fn name(&self) -> String {
        format!("{} {}", self.method, self.path)
    }

    fn is_agents(&self) -> bool {
        self.path.starts_with("/agent/")
    }
}

/// Every operation of the document, in its order.
pub(crate) fn operations() -> Vec<Operation> {
    let document = serde_json::to_value(router::document()).unwrap();
    let mut all = Vec::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for method in item.as_object().unwrap().keys() {
            let method = method.to_ascii_uppercase().parse().unwrap();
            all.push(Operation {
                method,
                path: path.clone(),
            });
        }
    }
    assert!(all.len() >= 25, "{} operations", all.len());
    all
}

/// Two tenants, one thing of each kind in the first, and somebody of each role.
pub(crate) struct Fixture {
    tenant: TenantId,
    ids: BTreeMap<&'static str, String>,
    people: BTreeMap<&'static str, (Person, Role)>,
    keys: BTreeMap<&'static str, String>,
}

/// Who calls, from nobody to everybody.
const IDENTITIES: [&str; 10] = [
    "anonymous",
    "garbage",
    "user",
    "manager",
    "admin",
    "system_admin",
    "key_enrol",
    "key_api",
    "agent",
    "other_admin",
];

impl Fixture {
    pub(crate) async fn make(app: &App) -> Self {
        let (tenant, other, third) = (
            app.tenant(),
            app.new_tenant("other").await,
            app.new_tenant("third").await,
        );
        let mut people = BTreeMap::new();
        for (name, tenant, role) in [
            ("user", tenant, Role::User),
            ("manager", tenant, Role::Manager),
            ("admin", tenant, Role::Admin),
            ("system_admin", tenant, Role::SystemAdmin),
            ("other_admin", other, Role::Admin),
        ] {
            people.insert(name, (app.person(tenant, name, role).await, role));
        }
        let victim = app.person(tenant, "victim", Role::User).await;
        let mut keys = BTreeMap::new();
        let mut ids = BTreeMap::from([
            ("user_id", victim.user_id.to_string()),
            // Nobody of it calls: one of the operations ends it.
            ("tenant_id", third.to_string()),
            ("member_id", people["other_admin"].0.user_id.to_string()),
            ("role", "helper".to_owned()),
            ("detection_rule_id", "fixture-rule".to_owned()),
            ("version", "1".to_owned()),
            ("placeholder", "fixture".to_owned()),
        ]);
        let session = app
            .sql_text(&format!(
                "select session_id::text from users.sessions where user_id = '{}'",
                victim.user_id
            ))
            .await;
        ids.insert("session_id", session);
        for (name, scope) in [("key_enrol", "enrol"), ("key_api", "api")] {
            let body = serde_json::json!({"key_name": name, "scopes": [scope]});
            let answer = app
                .post("/api/v1/users/api-keys", &people["admin"].0.token, body)
                .await;
            keys.insert(name, answer.body["key"].as_str().unwrap().to_owned());
        }
        let spare = app
            .post(
                "/api/v1/users/api-keys",
                &people["admin"].0.token,
                serde_json::json!({"key_name": "spare"}),
            )
            .await;
        ids.insert("key_id", spare.body["key_id"].as_str().unwrap().to_owned());
        for name in [
            "agent_id",
            "threat_id",
            "hold_id",
            "factor_id",
            "provider_id",
            "exception_id",
            "channel_id",
            "route_id",
            "silence_id",
            "report_id",
            "command_id",
        ] {
            ids.insert(name, TimeOrderedIds.next().to_string());
        }
        let rule = format!(
            "select rule_id::text from monitoring.alert_rules where kind = 'failed_sign_ins' and tenant_id = '{tenant}'"
        );
        ids.insert("rule_id", app.sql_text(&rule).await);
        app.sql(&format!(
            "insert into agents.endpoints (agent_id, tenant_id, hostname) values ('{agent}', '{tenant}', 'host');
             insert into agents.heartbeats (agent_id, tenant_id, last_seen_at) values ('{agent}', '{tenant}', now());
             insert into threats.incidents (threat_id, agent_id, threat_type, severity, title)
             values ('{threat}', '{agent}', 'malware', 'high', 'Something');
             insert into threats.exceptions (exception_id, tenant_id, name, reason, rule_id, created_at)
             values ('{exception}', '{tenant}', 'Known', 'known', 'rule', now());
             insert into monitoring.silences (silence_id, tenant_id, reason, created_at, expires_at)
             values ('{silence}', '{tenant}', 'quiet', now(), now() + interval '1 hour');
             insert into monitoring.reports (report_id, tenant_id, kind, from_at, to_at, created_at, finished_at, content)
             values ('{report}', '{tenant}', 'kpis', now() - interval '7 days', now(), now(), now(), '{{}}');
             insert into agents.commands (command_id, tenant_id, agent_id, kind, order_text, nonce, idempotency_key, requested_by, requested_at, reason, expires_at)
             values ('{command}', '{tenant}', '{agent}', 'list_processes', '{{}}', decode(repeat('00', 32), 'hex'), 'k', '{admin}', now(), 'x', now() + interval '1 day');
             insert into users.roles (tenant_id, role, based_on, scope) values ('{tenant}', 'helper', 'manager', 'tenant');
             update users.users set role = 'helper' where username = 'victim';
             insert into users.memberships (tenant_id, user_id, role, expires_at)
             values ('{tenant}', '{member}', 'manager', now() + interval '1 day');
             insert into agents.legal_holds (hold_id, tenant_id, from_at, reason, placed_by, placed_at)
             values ('{hold}', '{tenant}', now(), 'a case', '{admin}', now());
             insert into users.factors (factor_id, tenant_id, user_id, kind, name, created_at, confirmed_at, credential_id, public_key, sign_count)
             values ('{factor}', '{tenant}', '{victim}', 'passkey', 'Key', now(), now(), 'x', decode(repeat('00', 77), 'hex'), 0)",
            report = ids["report_id"],
            member = ids["member_id"],
            factor = ids["factor_id"],
            victim = victim.user_id,
            agent = ids["agent_id"],
            hold = ids["hold_id"],
            exception = ids["exception_id"],
            silence = ids["silence_id"],
            command = ids["command_id"],
            admin = people["admin"].0.user_id,
            threat = ids["threat_id"],
        ))
        .await;
        Self {
            tenant,
            ids,
            people,
            keys,
        }
    }

    /// Puts back what an operation may have removed: a directory and a syslog server that nobody answers for, a rule.
    async fn restore(&self, app: &App) {
        app.sql(&format!(
            "insert into users.identity_providers (provider_id, tenant_id, kind, name, is_enabled, creates_users, default_role, highest_role,
                settings, created_at, updated_at)
             values ('{0}', '{1}', 'ldap', 'Directory', true, true, 'user', 'admin', '{2}', now(), now())
             on conflict do nothing;
             insert into threats.rules (tenant_id, rule_id, origin, kind, name, severity, text, text_digest, is_enabled, version, created_at, changed_at)
             values ('{1}', 'fixture-rule', 'tenant', 'sigma', 'Rule', 'low', 'x', sha256('x'), true, 1, now(), now())
             on conflict (tenant_id, rule_id) do update set removed_at = null, version = 1;
             insert into threats.placeholders (tenant_id, name, placeholder_values, changed_at) values ('{1}', 'fixture', '{{x}}', now()) on conflict do nothing;
             delete from threats.rule_versions where rule_id = 'fixture-rule';
             insert into threats.rule_versions (tenant_id, rule_id, version, change, text, is_enabled, changed_at)
             values ('{1}', 'fixture-rule', 1, 'create', 'x', true, now())",
            self.ids["provider_id"],
            self.tenant,
            serde_json::json!({
                "kind": "ldap", "url": "ldaps://127.0.0.1:9", "bind_dn": "cn=x", "base_dn": "dc=x", "user_filter": "(cn=*)"
            })
        ))
        .await;
        app.sql(&format!(
            "insert into monitoring.channels (channel_id, tenant_id, name, kind, settings, created_at, updated_at)
             values ('{channel}', '{tenant}', 'Log', 'syslog', '{settings}', now(), now()) on conflict do nothing;
             insert into monitoring.routes (route_id, tenant_id, name, channel_id, source, min_severity, created_at)
             values ('{route}', '{tenant}', 'Route', '{channel}', 'incident', 'high', now()) on conflict do nothing",
            channel = self.ids["channel_id"],
            route = self.ids["route_id"],
            tenant = self.tenant,
            settings = serde_json::json!({ "kind": "syslog", "address": "udp://127.0.0.1:9", "format": "json" }),
        ))
        .await;
    }

    /// The path with the ids of what exists in the first tenant.
    pub(crate) fn fill(&self, path: &str) -> String {
        let mut filled = path.replace("/memberships/{user_id}", "/memberships/{member_id}");
        for (name, id) in &self.ids {
            filled = filled.replace(&format!("{{{name}}}"), id);
        }
        assert!(!filled.contains('{'), "teach this test about {path}");
        filled
    }

    /// The path with `id` for every parameter.
    pub(crate) fn fill_with(&self, path: &str, id: &str) -> String {
        let mut filled = path.to_owned();
        while let (Some(start), Some(end)) = (filled.find('{'), filled.find('}')) {
            filled.replace_range(start..=end, id);
        }
        filled
    }

    /// A token that gets as far as any does.
    pub(crate) async fn strongest_token(&self, app: &App, operation: &Operation) -> String {
        match operation.path.as_str() {
            "/agent/v1/enrol" => self.keys["key_enrol"].clone(),
            path if path.starts_with("/agent/") => self.token(app, "agent").await,
            _ => self.token(app, "system_admin").await,
        }
    }

    /// A fresh token of `who`: some operations end the one they are called with.
    async fn token(&self, app: &App, who: &str) -> String {
        if let Some((person, role)) = self.people.get(who) {
            return app.open_session(person.user_id, *role).await;
        }
        match who {
            "anonymous" => String::new(),
            "garbage" => "sgs_garbage".to_owned(),
            "agent" => self.agent_token(app).await,
            key => self.keys[key].clone(),
        }
    }

    async fn agent_token(&self, app: &App) -> String {
        let token = format!("sga_{:0>43}", TimeOrderedIds.next().simple().to_string());
        let agent = &self.ids["agent_id"];
        app.sql(&format!(
            "update agents.endpoints set status = 'active', decommissioned_at = null where agent_id = '{agent}';
             update agents.agent_tokens set revoked_at = now(), revoke_reason = 'unenrolled' where agent_id = '{agent}' and revoked_at is null;
             insert into agents.agent_tokens (token_hash, tenant_id, agent_id, created_at)
             values ('\\x{}', '{}', '{agent}', now())",
            hash_hex(&token),
            self.tenant,
        ))
        .await;
        token
    }
}

async fn status(app: &App, fixture: &Fixture, operation: &Operation, who: &str) -> u16 {
    let token = fixture.token(app, who).await;
    if [
        "{provider_id}",
        "{detection_rule_id}",
        "{channel_id}",
        "{route_id}",
        "{placeholder}",
    ]
    .iter()
    .any(|id| operation.path.contains(id))
    {
        fixture.restore(app).await;
    }
    status_with(app, fixture, operation, &token).await
}

async fn status_with(app: &App, fixture: &Fixture, operation: &Operation, token: &str) -> u16 {
    let mut call = request(operation.method.clone(), &fixture.fill(&operation.path));
    if !token.is_empty() {
        call = call.header(header::AUTHORIZATION, format!("Bearer {token}"));
    }
    let body = if matches!(operation.method, Method::GET | Method::DELETE) {
        ""
    } else {
        "{}"
    };
    let sent = call
        .header(header::CONTENT_TYPE, "application/json")
        .body(Body::from(body))
        .unwrap();
    app.send(sent).await.status
}

#[tokio::test]
async fn the_matrix_of_operations_and_identities() {
    let app = App::start().await;
    let fixture = Fixture::make(&app).await;
    let mut table = format!("{:<58}", "operation");
    for who in IDENTITIES {
        write!(table, " {who:>12}").unwrap();
    }
    table.push('\n');
    for operation in operations() {
        write!(table, "{:<58}", operation.name()).unwrap();
        for who in IDENTITIES {
            let status = status(&app, &fixture, &operation, who).await;
            check(&operation, who, status);
            write!(table, " {status:>12}").unwrap();
        }
        table.push('\n');
    }
    insta::assert_snapshot!("authz", table);
}

/// What holds for every operation, whatever its row says.
fn check(operation: &Operation, who: &str, status: u16) {
    let name = operation.name();
    assert!(status < 500, "{name} as {who}: {status}");
    if OPEN.contains(&name.as_str()) {
        return;
    }
    let refused = [401, 403, 404].contains(&status);
    match who {
        "anonymous" | "garbage" => assert_eq!(status, 401, "{name} as {who}"),
        "agent" => assert_eq!(
            status == 401,
            !operation.is_agents() || operation.path.ends_with("/enrol"),
            "{name} as {who}"
        ),
        "key_enrol" => assert!(
            refused != operation.path.ends_with("/enrol"),
            "{name} as {who}: {status}"
        ),
        // Whatever the id: this takes a permission that no administrator of a tenant has.
        "other_admin"
            if ["/tenants/{", "/provider-publications/{"]
                .iter()
                .any(|of| operation.path.contains(of)) =>
        {
            assert_eq!(status, 403, "{name} as {who}")
        }
        "other_admin" if operation.path.contains('{') && !operation.is_agents() => {
            assert_eq!(status, 404, "{name} as {who}")
        }
        _ if operation.is_agents() && !operation.path.ends_with("/enrol") => {
            assert_eq!(status, 401, "{name} as {who}")
        }
        _ => {}
    }
}

#[tokio::test]
async fn a_session_opens_nothing_once_its_tenant_is_suspended() {
    let app = App::start().await;
    let fixture = Fixture::make(&app).await;
    // Whoever is signed in when it is suspended: nothing ends their sessions, since nothing works.
    let mut tokens = BTreeMap::new();
    for who in ["user", "system_admin", "key_api"] {
        tokens.insert(who, fixture.token(&app, who).await);
    }
    app.sql("update users.tenants set status = 'suspended' where slug = 'default'")
        .await;
    for operation in operations()
        .iter()
        .filter(|o| !OPEN.contains(&o.name().as_str()) && !o.is_agents())
    {
        for (who, token) in &tokens {
            assert_eq!(
                status_with(&app, &fixture, operation, token).await,
                401,
                "{} as {who}",
                operation.name()
            );
        }
    }
}
