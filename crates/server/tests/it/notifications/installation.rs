//! Those who run the installation are told of its alerts by the same means, and nobody else sees or reaches these.

use sg_db::monitoring::{clear_alert, raise_alert};
use sg_types::api::monitoring::AlertView;
use sg_types::api::notifications::{ChannelView, SilenceView};

use super::*;

const OF_IT: &str = "?installation=true";

impl Scene {
    /// A backup fails, or is in order again.
    async fn backup(&self, fails: bool) {
        let now = self.server.state.now();
        let mut tx = self.server.state.db.system("test").await.unwrap();
        if fails {
            raise_alert(&mut tx, TenantId::SYSTEM, "backup_failure", "archiving", 1.0, now)
                .await
                .unwrap();
        } else {
            clear_alert(&mut tx, TenantId::SYSTEM, "backup_failure", "archiving", now)
                .await
                .unwrap();
        }
        tx.commit_upkeep().await.unwrap();
    }

    async fn log_of_installation(&self, root: &TestCaller) -> Vec<NotificationView> {
        let path = format!("{NOTIFICATIONS}{OF_IT}&limit=500");
        let page: Page<NotificationView> = self.server.get(root, &path).await.expect(200);
        page.items
    }
}

#[tokio::test]
async fn operators_are_told_of_the_installations_alerts_and_tenants_are_not() {
    let scene = Scene::start().await;
    let (server, own) = (&scene.server, Receiver::start().await);
    let root = server.caller(TenantId::DEFAULT, Role::SystemAdmin).await;
    // A channel of the tenant, which hears of the tenant's alerts only.
    scene.webhook("tenant").await;
    let target = json!({ "kind": "webhook", "url": own.url("/hook") });
    let body = json!({ "name": "operators", "target": target });
    let saved: ChannelSaved = server
        .post(&root, &format!("{CHANNELS}{OF_IT}"), body)
        .await
        .expect(201);
    let channel = saved.channel.channel_id;
    let routes: Page<RouteView> = server.get(&root, &format!("{ROUTES}{OF_IT}")).await.expect(200);
    assert_eq!(routes.items.len(), 1, "{routes:?}");
    assert_eq!(routes.items[0].name, "Alerts");

    scene.backup(true).await;
    let told = own.wait_for(1).await[0].json();
    assert_eq!(
        (&told["type"], &told["data"]["title"]),
        (
            &json!("alert.firing"),
            &json!("Installation alert backup failure about archiving is firing")
        )
    );
    assert_eq!(
        told["data"]["url"],
        "http://localhost/monitoring/alerts?of=installation"
    );
    scene.backup(false).await;
    assert_eq!(own.wait_for(2).await[1].json()["type"], "alert.resolved");
    assert!(scene.receiver.all().is_empty(), "the tenant hears nothing of it");

    // Muted, and told of again; the page, the test and the log are the same means.
    let silence = json!({ "reason": "the disk is changed", "rule": "backup_failure",
        "expires_at": server.state.now() + chrono::Duration::hours(1) });
    let silence: SilenceView = server
        .post(&root, &format!("{SILENCES}{OF_IT}"), silence)
        .await
        .expect(201);
    assert_eq!(
        silence.owner_id, None,
        "nobody is a member; the audit log has who it was"
    );
    scene.backup(true).await;
    scene.backup(false).await;
    let path = format!("{SILENCES}/{}{OF_IT}", silence.silence_id);
    server
        .send("DELETE", &path, &root.token, None)
        .await
        .expect::<SilenceView>(200);
    let path = format!("{CHANNELS}/{channel}/test{OF_IT}");
    assert_eq!(server.post(&root, &path, json!({})).await.status, 200);
    scene.backup(true).await;
    own.wait_for(4).await;
    let kinds: Vec<String> = own
        .all()
        .iter()
        .map(|one| one.json()["type"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(kinds, ["alert.firing", "alert.resolved", "test", "alert.firing"]);
    let log = scene.log_of_installation(&root).await;
    assert_eq!(log.len(), 5, "{log:?}");
    // A channel that does not answer is an alert of the installation's.
    let dead = json!({ "name": "dead", "target": { "kind": "webhook", "url": scene.receiver.url("/") } });
    server
        .post(&root, &format!("{CHANNELS}{OF_IT}"), dead)
        .await
        .expect::<ChannelSaved>(201);
    let rules: Page<sg_types::api::monitoring::AlertRuleView> = server
        .get(&root, &format!("/api/v1/monitoring/alert-rules{OF_IT}"))
        .await
        .expect(200);
    assert!(rules.items.iter().any(|rule| rule.kind == "notification_failure"));
    let actions = "select count(*) from audit.events where action in ('channel.create', 'silence.create', 'silence.end', 'channel.test')
        and tenant_id = '00000000-0000-0000-0000-000000000001' and actor_id is not null and outcome = 'success'";
    assert_eq!(server.count(actions).await, 6);
}

#[tokio::test]
async fn an_alert_that_goes_on_goes_to_a_second_channel() {
    let scene = Scene::start().await;
    let (server, own) = (&scene.server, Receiver::start().await);
    let root = server.caller(TenantId::DEFAULT, Role::SystemAdmin).await;
    let mut channels = Vec::new();
    for name in ["first", "second"] {
        let body =
            json!({ "name": name, "target": { "kind": "webhook", "url": own.url(&format!("/{name}")) } });
        let saved: ChannelSaved = server
            .post(&root, &format!("{CHANNELS}{OF_IT}"), body)
            .await
            .expect(201);
        channels.push(saved.channel.channel_id);
    }
    let routes: Page<RouteView> = server.get(&root, &format!("{ROUTES}{OF_IT}")).await.expect(200);
    let path = format!("{ROUTES}/{}{OF_IT}", routes.items[0].route_id);
    let body = json!({ "name": "Alerts", "channel_id": channels[0], "source": "alert", "min_severity": "critical",
        "escalate_after_minutes": 15, "escalate_to": channels[1] });
    server
        .send("PUT", &path, &root.token, Some(body))
        .await
        .expect::<RouteView>(200);
    scene.backup(true).await;
    own.wait_for(1).await;
    scene.advance(14 * 60);
    tokio::time::sleep(Duration::from_millis(1_300)).await;
    assert_eq!(own.all().len(), 1, "not before its time");
    scene.advance(61);
    let told = own.wait_for(2).await[1].json();
    assert_eq!(
        (&told["type"], &told["data"]["title"]),
        (
            &json!("alert.waiting"),
            &json!("Installation alert backup failure about archiving is still firing")
        )
    );
    // Both hear of the end; one that is over by then is not told of.
    scene.backup(false).await;
    own.wait_for(4).await;
    scene.backup(true).await;
    own.wait_for(5).await;
    scene.backup(false).await;
    own.wait_for(6).await;
    scene.advance(16 * 60);
    tokio::time::sleep(Duration::from_millis(1_300)).await;
    let kinds: Vec<String> = own
        .all()
        .iter()
        .map(|one| one.json()["type"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(
        kinds,
        [
            "alert.firing",
            "alert.waiting",
            "alert.resolved",
            "alert.resolved",
            "alert.firing",
            "alert.resolved"
        ]
    );
}

/// What a tenant's administrator may try.
#[tokio::test]
async fn nobody_but_who_manages_the_installation_sees_or_reaches_its_channels() {
    let scene = Scene::start().await;
    let server = &scene.server;
    let root = server.caller(TenantId::DEFAULT, Role::SystemAdmin).await;
    let body =
        json!({ "name": "operators", "target": { "kind": "webhook", "url": scene.receiver.url("/hook") } });
    let saved: ChannelSaved = server
        .post(&root, &format!("{CHANNELS}{OF_IT}"), body.clone())
        .await
        .expect(201);
    let id = saved.channel.channel_id;
    let routes: Page<RouteView> = server.get(&root, &format!("{ROUTES}{OF_IT}")).await.expect(200);
    let route = routes.items[0].route_id;
    let silence = json!({ "reason": "x", "expires_at": server.state.now() + chrono::Duration::hours(1) });
    let made: SilenceView = server
        .post(&root, &format!("{SILENCES}{OF_IT}"), silence.clone())
        .await
        .expect(201);
    let other = server.caller(server.tenant("other").await, Role::Admin).await;
    let alert = json!({ "name": "x", "channel_id": id, "source": "alert", "min_severity": "low" });
    for caller in [&scene.admin, &other] {
        let token = &caller.token;
        for (method, path, body) in [
            ("GET", CHANNELS.to_owned(), None),
            ("POST", CHANNELS.to_owned(), Some(body.clone())),
            ("GET", format!("{CHANNELS}/{id}"), None),
            (
                "PATCH",
                format!("{CHANNELS}/{id}"),
                Some(json!({ "is_enabled": false })),
            ),
            ("DELETE", format!("{CHANNELS}/{id}"), None),
            ("POST", format!("{CHANNELS}/{id}/test"), None),
            ("GET", ROUTES.to_owned(), None),
            ("POST", ROUTES.to_owned(), Some(alert.clone())),
            ("PUT", format!("{ROUTES}/{route}"), Some(alert.clone())),
            ("DELETE", format!("{ROUTES}/{route}"), None),
            ("GET", SILENCES.to_owned(), None),
            ("POST", SILENCES.to_owned(), Some(silence.clone())),
            ("DELETE", format!("{SILENCES}/{}", made.silence_id), None),
            ("GET", NOTIFICATIONS.to_owned(), None),
        ] {
            let answer = server
                .send(method, &format!("{path}{OF_IT}"), token, body.clone())
                .await;
            answer.refused(403, "missing_permission");
            // Without the word it is a channel of the caller's tenant, which has none of that id.
            if method != "GET" && path.contains('/') && path.matches('-').count() > 3 {
                let answer = server.send(method, &path, token, body).await;
                answer.refused(404, "not_found");
            }
        }
        server
            .post(caller, ROUTES, alert.clone())
            .await
            .refused(422, "invalid_body");
        let page: Page<ChannelView> = server.get(caller, CHANNELS).await.expect(200);
        assert!(page.items.is_empty());
    }
    // Nor does the operator mix them: incidents are their tenants', and a tenant's channel is no place for the installation's alerts.
    let mine = scene.webhook("mine").await.channel.channel_id;
    for (bad, status) in [
        (every_incident("x", id), 422),
        (
            json!({ "name": "x", "channel_id": mine, "source": "alert", "min_severity": "low" }),
            422,
        ),
    ] {
        let answer = server.post(&root, &format!("{ROUTES}{OF_IT}"), bad).await;
        assert_eq!(answer.status, status, "{}", answer.body);
    }
    let page: Page<AlertView> = server
        .get(&scene.admin, "/api/v1/monitoring/alerts")
        .await
        .expect(200);
    assert!(page.items.is_empty());
    let dump = scene.whole_database().await;
    assert!(!dump.contains(saved.signing_secret.unwrap().trim_start_matches("whsec_")));
}
