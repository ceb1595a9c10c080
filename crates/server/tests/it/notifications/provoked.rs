//! Every rule is provoked, its alert arrives in a mailbox, a syslog server and a webhook's receiver, once, and so does its end. Rules that take the program
//! with a PostgreSQL of its own (backups, standbys, refused connections) are provoked in `backups/sabotage.rs` and `standby/slots.rs`.

use chrono::Duration as Span;
use sg_server::audit::{Signing, seal};
use sg_server::jobs;
use sg_types::api::monitoring::AlertRuleView;
use sqlx::AssertSqlSafe;

use super::listeners::{Listeners, routes};
use super::receiver::Answer;
use super::*;
use crate::coverage::{look, pass};

const RULES: &str = "/api/v1/monitoring/alert-rules";
const OF_INSTALLATION: &str = "?installation=true";

/// A server whose tenant, or whose installation, is listened to.
struct Watched {
    server: TestServer,
    caller: TestCaller,
    listeners: Listeners,
    whose: &'static str,
}

impl Watched {
    async fn start(
        role: Role,
        whose: &'static str,
        configure: impl FnOnce(&mut sg_server::config::Config),
    ) -> Self {
        let listeners = Listeners::start().await;
        let server = TestServer::start_with(|config| {
            listeners.configure(&mut config.mail);
            configure(config);
        })
        .await;
        let caller = server.caller(TenantId::DEFAULT, role).await;
        listeners.join(&server, &caller, whose).await;
        Self {
            server,
            caller,
            listeners,
            whose,
        }
    }

    /// Runs SQL as the superuser.
    async fn sql(&self, statements: &str) {
        let mut conn = self.server.test_db.connect("postgres").await.unwrap();
        sqlx::raw_sql(AssertSqlSafe(statements.to_owned()))
            .execute(&mut conn)
            .await
            .unwrap();
    }

    /// Changes a rule, as whoever may.
    async fn set(&self, kind: &str, change: Value) {
        let path = format!("{RULES}{}", self.whose);
        let page: Page<AlertRuleView> = self.server.get(&self.caller, &path).await.expect(200);
        let rule = page.items.iter().find(|rule| rule.kind == kind).unwrap();
        let path = format!("{RULES}/{}", rule.rule_id);
        self.server
            .patch(&self.caller, &path, change)
            .await
            .expect::<AlertRuleView>(200);
    }

    async fn evaluate(&self) {
        jobs::evaluate_alerts(self.server.state.clone()).await.unwrap();
    }

    /// The rule fires, and everybody hears that once.
    async fn fires(&self, words: &str) {
        self.listeners
            .hear_while(&[words, "firing"], async || self.evaluate().await)
            .await;
    }

    /// It is over, and everybody hears that once.
    async fn clears(&self, words: &str) {
        self.listeners
            .hear_while(&[words, "is over"], async || self.evaluate().await)
            .await;
        for standing in ["firing", "is over"] {
            assert_eq!(
                self.listeners.heard(&[words, standing]),
                [1, 1, 1],
                "{words} {standing}"
            );
        }
    }

    fn advance(&self, seconds: i64) {
        self.server.clock.advance(Span::seconds(seconds));
    }
}

#[tokio::test]
async fn wrong_and_old_passwords_and_locked_accounts() {
    let watched = Watched::start(Role::Admin, "", |_| {}).await;
    let server = &watched.server;
    // Six people, and five wrong passwords for each.
    for _ in 0..6 {
        let person = server.caller(TenantId::DEFAULT, Role::User).await;
        for _ in 0..5 {
            let body = json!({ "username": person.username, "password": "Wrong-otter7-walnut" });
            let answer = server.send("POST", "/api/v1/sessions", "", Some(body)).await;
            assert_eq!(answer.status, 401, "{}", answer.body);
        }
    }
    watched.advance(1);
    watched.fires("failed sign ins").await;
    watched.fires("account lockouts").await;
    watched.advance(61);
    watched.clears("failed sign ins").await;
    watched.advance(3_600);
    watched.clears("account lockouts").await;

    let age = |days: i64| {
        format!(
            "update users.users set password_last_changed = '{}' where tenant_id = '{}'",
            server.state.now() - Span::days(days),
            TenantId::DEFAULT
        )
    };
    watched.sql(&age(400)).await;
    watched.fires("password policy violations").await;
    watched.sql(&age(1)).await;
    watched.clears("password policy violations").await;
}

#[tokio::test]
async fn an_endpoint_that_stays_away() {
    let watched = Watched::start(Role::Admin, "", |config| config.ingest.check_in_seconds = 30).await;
    look(&watched.server).await;
    let mut agent = TestAgent::enrol(&watched.server, &watched.caller, "web-1").await;
    pass(&watched.server, 80).await;
    let words = ["web-1", "has not checked in since"];
    watched.listeners.hear(&words).await;
    assert_eq!(watched.listeners.heard(&words), [1, 1, 1]);
    agent.send(&watched.server, &[]).await;
    watched.listeners.hear(&["web-1", "over"]).await;
}

#[tokio::test]
async fn an_audit_log_that_was_changed() {
    let watched = Watched::start(Role::Admin, "", |_| {}).await;
    let state = &watched.server.state;
    seal(state.clone(), Signing::Always).await.unwrap();
    let check = async || {
        jobs::check_audit_chains(state.clone()).await.unwrap();
    };
    check().await;
    assert_eq!(watched.listeners.heard(&["audit chain"]), [0, 0, 0]);
    // As the superuser, whom no trigger stops.
    let edit = |reason: &str| {
        format!(
            "set session_replication_role = replica;
             update audit.events set reason = {reason} where event_id = (
                select event_id from audit.events where tenant_id = '{}' and reason is not distinct from {} order by occurred_at limit 1);
             set session_replication_role = origin",
            TenantId::DEFAULT,
            if reason == "null" { "'nothing to see'" } else { "null" }
        )
    };
    watched.sql(&edit("'nothing to see'")).await;
    let listeners = &watched.listeners;
    listeners
        .hear_while(&["audit chain about places", "firing"], async || check().await)
        .await;
    watched.sql(&edit("null")).await;
    listeners
        .hear_while(&["audit chain about places", "is over"], async || check().await)
        .await;
    assert_eq!(listeners.heard(&["audit chain", "firing"]), [1, 1, 1]);
}

#[tokio::test]
async fn a_channel_that_is_not_to_be_reached() {
    let watched = Watched::start(Role::Admin, "", |_| {}).await;
    let (server, admin) = (&watched.server, &watched.caller);
    let broken = Receiver::start().await;
    broken.answer_with(&vec![Answer::Status(410); 60]);
    let body = json!({ "name": "broken", "target": { "kind": "webhook", "url": broken.url("/") } });
    let saved: ChannelSaved = server.post(admin, CHANNELS, body).await.expect(201);
    let route = json!({ "name": "x", "channel_id": saved.channel.channel_id, "source": "alert", "min_severity": "low" });
    server.post(admin, ROUTES, route).await.expect::<RouteView>(201);
    watched
        .sql("update users.users set password_last_changed = now() - interval '400 days'")
        .await;
    watched.fires("password policy violations").await;
    let words = "notification failure about broken";
    for number in 1..=4 {
        broken.wait_for(number).await;
        watched.advance(3_600);
    }
    watched.listeners.hear(&[words, "firing"]).await;
    broken.forget_answers();
    let path = format!("{CHANNELS}/{}/test", saved.channel.channel_id);
    assert_eq!(server.post(admin, &path, json!({})).await.status, 200);
    watched.listeners.hear(&[words, "is over"]).await;
    assert_eq!(watched.listeners.heard(&[words, "firing"]), [1, 1, 1]);
}

#[tokio::test]
async fn what_ails_the_database() {
    let watched = Watched::start(Role::SystemAdmin, OF_INSTALLATION, |_| {}).await;
    let routes = routes(&watched.server, &watched.caller, OF_INSTALLATION).await;
    assert_eq!(
        routes.len(),
        3,
        "the first channel of the installation is told of alerts only"
    );

    // Connections there are; the limit is moved to them instead of them to it, since other tests share the server.
    watched
        .set(
            "database_connections",
            json!({ "threshold": 0.1, "for_seconds": 0 }),
        )
        .await;
    watched.fires("Installation alert database connections").await;
    watched
        .set("database_connections", json!({ "threshold": 80 }))
        .await;
    watched.clears("database connections").await;

    // A statement of a request that takes its time.
    watched
        .set("slow_queries", json!({ "threshold": 0.2, "for_seconds": 0 }))
        .await;
    let mut request = watched.server.test_db.connect("sg_app").await.unwrap();
    tokio::select! {
        ended = sqlx::raw_sql("select pg_sleep(120)").execute(&mut request) => panic!("{ended:?}"),
        () = watched.fires("slow queries about requests") => {}
    }
    watched
        .sql("select pg_terminate_backend(pid) from pg_stat_activity where query = 'select pg_sleep(120)'")
        .await;
    watched.clears("slow queries about requests").await;

    // Partitions that somebody dropped; the job that makes them ends it.
    watched
        .sql(
            "do $$ declare one text; begin
                for one in select inhrelid::regclass::text from pg_inherits
                    where inhparent = 'monitoring.security_events'::regclass and inhrelid::regclass::text not like '%default'
                    order by 1 desc limit 7
                loop execute 'drop table ' || one; end loop; end $$",
        )
        .await;
    watched
        .fires("partitions ahead about monitoring.security_events")
        .await;
    jobs::keep_partitions(watched.server.state.clone()).await.unwrap();
    watched
        .clears("partitions ahead about monitoring.security_events")
        .await;

    // A row of a time that no partition holds.
    let admin = watched.server.caller(TenantId::DEFAULT, Role::Admin).await;
    let agent = TestAgent::enrol(&watched.server, &admin, "web-1").await;
    watched
        .sql(&format!(
            "insert into agents.system_info (agent_id, tenant_id, collected_at) values ('{}', '{}', '2060-01-01')",
            agent.agent_id,
            TenantId::DEFAULT
        ))
        .await;
    watched
        .fires("default partition rows about agents.system_info")
        .await;
    watched
        .sql("delete from agents.system_info where collected_at = '2060-01-01'")
        .await;
    watched
        .clears("default partition rows about agents.system_info")
        .await;
}

#[tokio::test]
async fn what_ails_the_host() {
    let dir = tempfile::tempdir().unwrap();
    let certificate = dir.path().join("own.pem");
    let write = |year| {
        let mut params = rcgen::CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
        params.not_before = rcgen::date_time_ymd(2020, 1, 1);
        params.not_after = rcgen::date_time_ymd(year, 1, 1);
        let pair = rcgen::KeyPair::generate().unwrap();
        std::fs::write(&certificate, params.self_signed(&pair).unwrap().pem()).unwrap();
    };
    write(2099);
    let watched = Watched::start(Role::SystemAdmin, OF_INSTALLATION, |config| {
        config.data_dir = dir.path().to_owned();
        config.tls.cert_file = certificate.clone();
    })
    .await;
    write(2021);
    watched.fires("certificate expiry").await;
    write(2099);
    watched.clears("certificate expiry").await;

    // The disk is as full as it is; the limit is moved to it.
    watched
        .set("storage_usage", json!({ "threshold": 0, "for_seconds": 0 }))
        .await;
    watched.fires("storage usage").await;
    watched.set("storage_usage", json!({ "threshold": 100 })).await;
    watched.clears("storage usage").await;
}
