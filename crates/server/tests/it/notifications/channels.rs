//! Setting channels up: who may, what is refused, and that nothing secret comes out again.

use sg_types::api::notifications::{ChannelSettings, ChannelView, DeliveryAttempt};

use super::receiver::Answer;
use super::*;
use crate::app::App;

#[tokio::test]
async fn what_is_secret_is_sealed_and_never_shown_again() {
    let scene = Scene::start().await;
    let receiver = &scene.receiver;
    let slack = json!({ "kind": "slack", "url": receiver.url("/services/T0/B0/tokenoftheslack") });
    scene.channel("slack", slack).await;
    let pager = json!({ "kind": "pagerduty", "routing_key": "routingkeyofthepager", "url": receiver.url("/v2/tokenofthepager") });
    scene.channel("pager", pager).await;
    let hook = scene
        .channel(
            "hook",
            json!({ "kind": "webhook", "url": receiver.url("/hook?key=tokenofthehook") }),
        )
        .await;
    let signing = hook.signing_secret.unwrap();
    assert!(signing.starts_with("whsec_") && signing.len() == 50, "{signing}");
    let listed = scene.server.get(&scene.admin, CHANNELS).await;
    let one = scene
        .server
        .get(&scene.admin, &format!("{CHANNELS}/{}", hook.channel.channel_id))
        .await;
    let dump = scene.whole_database().await;
    for secret in [
        "tokenofthe",
        "routingkeyofthepager",
        signing.trim_start_matches("whsec_"),
    ] {
        assert!(!listed.body.to_string().contains(secret), "{}", listed.body);
        assert!(!one.body.to_string().contains(secret), "{}", one.body);
        assert!(!dump.contains(secret), "{secret} is in the database");
    }
    assert_eq!(
        hook.channel.settings,
        ChannelSettings::Webhook {
            host: "127.0.0.1".to_owned(),
            ca_pem: None
        }
    );
    let sealed = scene
        .server
        .count("select count(*) from users.secrets where purpose = 'notification_channel'")
        .await;
    assert_eq!(sealed, 3);

    // A new target has a new secret, and the old one is gone; a removed channel leaves none.
    let path = format!("{CHANNELS}/{}", hook.channel.channel_id);
    let target = json!({ "target": { "kind": "webhook", "url": receiver.url("/other") } });
    let changed: ChannelSaved = scene.server.patch(&scene.admin, &path, target).await.expect(200);
    assert!(changed.signing_secret.is_some_and(|secret| secret != signing));
    let renamed: ChannelSaved = scene
        .server
        .patch(
            &scene.admin,
            &path,
            json!({ "name": "Hook", "per_minute": 30, "is_enabled": false }),
        )
        .await
        .expect(200);
    assert_eq!(
        (
            renamed.signing_secret,
            renamed.channel.is_enabled,
            renamed.channel.per_minute
        ),
        (None, false, 30)
    );
    scene
        .server
        .patch(
            &scene.admin,
            &path,
            json!({ "target": { "kind": "email", "addresses": ["a@b.c"] } }),
        )
        .await
        .refused(422, "invalid_body");
    assert_eq!(
        scene
            .server
            .send("DELETE", &path, &scene.admin.token, None)
            .await
            .status,
        204
    );
    let sealed = scene
        .server
        .count("select count(*) from users.secrets where purpose = 'notification_channel'")
        .await;
    assert_eq!(sealed, 2);
    let told = "select count(*) from audit.events where action in ('channel.create', 'channel.update', 'channel.delete') and outcome = 'success'";
    assert_eq!(scene.server.count(told).await, 6);
}

#[tokio::test]
async fn a_test_says_what_the_receiver_said() {
    let scene = Scene::start().await;
    let hook = scene.webhook("hook").await;
    let path = format!("{CHANNELS}/{}/test", hook.channel.channel_id);
    let test = async || {
        scene
            .server
            .post(&scene.admin, &path, json!({}))
            .await
            .expect::<DeliveryAttempt>(200)
    };
    let attempt = test().await;
    assert_eq!(
        (attempt.is_delivered, attempt.answer_code, &attempt.error),
        (true, Some(202), &None)
    );
    assert_eq!(scene.receiver.take()[0].json()["type"], "test");
    scene.receiver.answer_with(&[Answer::Status(403)]);
    let attempt = test().await;
    assert_eq!((attempt.is_delivered, attempt.answer_code), (false, Some(403)));
    assert!(attempt.error.unwrap().contains("403"));
    let view: ChannelView = scene
        .server
        .get(&scene.admin, &format!("{CHANNELS}/{}", hook.channel.channel_id))
        .await
        .expect(200);
    assert_eq!(view.last.map(|last| last.answer_code), Some(Some(403)));
    // Nobody listens, and what is said of that names no address.
    let closed = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = closed.local_addr().unwrap().port();
    drop(closed);
    let gone = scene
        .channel(
            "gone",
            json!({ "kind": "webhook", "url": format!("http://127.0.0.1:{port}/secretpath") }),
        )
        .await;
    let path = format!("{CHANNELS}/{}/test", gone.channel.channel_id);
    let attempt: DeliveryAttempt = scene
        .server
        .post(&scene.admin, &path, json!({}))
        .await
        .expect(200);
    let error = attempt.error.unwrap();
    assert!(
        !attempt.is_delivered && error.contains("no connection") && !error.contains("secretpath"),
        "{error}"
    );
    assert_eq!(scene.log("&outcome=refused").await.len(), 2);
    // Ten tests a minute: nobody's mailbox is filled by them.
    for _ in 0..9 {
        let answer = scene.server.post(&scene.admin, &path, json!({})).await;
        assert_eq!(answer.status, 200, "{}", answer.body);
    }
    let answer = scene.server.post(&scene.admin, &path, json!({})).await;
    answer.refused(429, "too_many_requests");
    scene.advance(61);
    assert_eq!(
        scene.server.post(&scene.admin, &path, json!({})).await.status,
        200
    );
}

#[tokio::test]
async fn addresses_that_lead_astray_are_refused() {
    let scene = Scene::start().await;
    for target in [
        json!({ "kind": "webhook", "url": "http://example.org/hook" }),
        json!({ "kind": "webhook", "url": "https://user:password@example.org/" }),
        json!({ "kind": "webhook", "url": "file:///etc/passwd" }),
        json!({ "kind": "webhook", "url": "gopher://127.0.0.1:6379/_x" }),
        json!({ "kind": "webhook", "url": "not a url" }),
        json!({ "kind": "webhook", "url": format!("https://example.org/{}", "x".repeat(2_000)) }),
        json!({ "kind": "webhook", "url": "https://example.org", "ca_pem": "nonsense" }),
        json!({ "kind": "webhook", "url": "https://example.org", "secret": "mine" }),
        json!({ "kind": "slack" }),
        json!({ "kind": "pigeon", "url": "https://example.org" }),
        json!({ "kind": "pagerduty", "routing_key": "short" }),
        json!({ "kind": "pagerduty", "routing_key": "with a space in it" }),
        json!({ "kind": "syslog", "address": "tls://log.example.org:6514", "format": "cef" }),
        json!({ "kind": "syslog", "address": "tcp://log.example.org:514", "format": "cef", "ca_pem": "x" }),
        json!({ "kind": "syslog", "address": "unix:/dev/log", "format": "json" }),
        json!({ "kind": "syslog", "address": "tcp://a\r\nb:514", "format": "json" }),
        json!({ "kind": "syslog", "address": "tcp://log.example.org", "format": "json" }),
    ] {
        let body = json!({ "name": "x", "target": target });
        let answer = scene.server.post(&scene.admin, CHANNELS, body).await;
        assert_eq!(answer.status, 422, "{target}: {}", answer.body);
    }
    let mail = json!({ "name": "x", "target": { "kind": "email", "addresses": ["a@example.org"] } });
    scene
        .server
        .post(&scene.admin, CHANNELS, mail)
        .await
        .refused(409, "mail_not_configured");
    // Metadata services and the like are found out when the name is looked up, or by the address itself.
    for url in [
        "https://169.254.169.254/latest",
        "https://[fe80::1]/",
        "https://0.0.0.0/",
        "https://[::ffff:169.254.169.254]/",
    ] {
        let made = scene.channel(url, json!({ "kind": "webhook", "url": url })).await;
        let path = format!("{CHANNELS}/{}/test", made.channel.channel_id);
        let attempt: DeliveryAttempt = scene
            .server
            .post(&scene.admin, &path, json!({}))
            .await
            .expect(200);
        assert!(
            !attempt.is_delivered && attempt.milliseconds < 2_000,
            "{url}: {attempt:?}"
        );
        assert!(
            attempt.error.unwrap().contains("not one that is gone to"),
            "{url}"
        );
    }
    for (name, per_minute) in [("", 10), ("x", 0), ("x", 601), (" ", 1), ("a\nb", 1)] {
        let body = json!({ "name": name, "per_minute": per_minute, "target": { "kind": "webhook", "url": "https://example.org" } });
        assert_eq!(
            scene.server.post(&scene.admin, CHANNELS, body).await.status,
            422,
            "{name:?}"
        );
    }
}

#[tokio::test]
async fn only_administrators_of_the_whole_tenant_decide_who_is_told() {
    let scene = Scene::start().await;
    let hook = scene.webhook("hook").await;
    let channel_id = hook.channel.channel_id;
    let path = format!("{CHANNELS}/{channel_id}");
    let route = scene.routes().await.remove(0);
    let route_path = format!("{ROUTES}/{}", route.route_id);
    let server = &scene.server;
    let manager = server.caller(TenantId::DEFAULT, Role::Manager).await;
    let user = server.caller(TenantId::DEFAULT, Role::User).await;
    let body = json!({ "name": "mine", "target": { "kind": "webhook", "url": scene.receiver.url("/") } });
    for caller in [&manager, &user] {
        server
            .post(caller, CHANNELS, body.clone())
            .await
            .refused(403, "missing_permission");
        server
            .patch(caller, &path, json!({ "is_enabled": false }))
            .await
            .refused(403, "missing_permission");
        server
            .post(caller, &format!("{path}/test"), json!({}))
            .await
            .refused(403, "missing_permission");
        server
            .post(caller, ROUTES, every_incident("x", channel_id))
            .await
            .refused(403, "missing_permission");
        assert_eq!(
            server
                .send("DELETE", &route_path, &caller.token, None)
                .await
                .status,
            403
        );
    }
    assert_eq!(server.get(&manager, CHANNELS).await.status, 200);
    assert_eq!(server.get(&user, CHANNELS).await.status, 403);
    assert_eq!(server.get(&user, NOTIFICATIONS).await.status, 403);

    // Another tenant neither sees nor reaches them, nor leads anything there.
    let other = server.caller(server.tenant("other").await, Role::Admin).await;
    let page: Page<ChannelView> = server.get(&other, CHANNELS).await.expect(200);
    assert!(page.items.is_empty());
    for answer in [
        server.get(&other, &path).await,
        server.patch(&other, &path, json!({ "is_enabled": false })).await,
        server.send("DELETE", &path, &other.token, None).await,
        server.post(&other, &format!("{path}/test"), json!({})).await,
        server
            .send(
                "PUT",
                &route_path,
                &other.token,
                Some(every_incident("x", channel_id)),
            )
            .await,
        server.send("DELETE", &route_path, &other.token, None).await,
    ] {
        answer.refused(404, "not_found");
    }
    server
        .post(&other, ROUTES, every_incident("x", channel_id))
        .await
        .refused(422, "invalid_body");
    let name = json!({ "name": "HOOK", "target": { "kind": "webhook", "url": scene.receiver.url("/") } });
    server
        .post(&other, CHANNELS, name.clone())
        .await
        .expect::<ChannelSaved>(201);
    server
        .post(&scene.admin, CHANNELS, name)
        .await
        .refused(409, "already_exists");
    assert!(scene.receiver.all().is_empty());
}

#[tokio::test]
async fn a_role_that_sees_a_part_of_the_tenant_sees_and_sets_up_nothing() {
    let app = App::start().await;
    let admin = app.person(app.tenant(), "ada", Role::Admin).await;
    let made = app
        .post(
            CHANNELS,
            &admin.token,
            json!({ "name": "hook", "target": { "kind": "webhook", "url": "https://example.org/" } }),
        )
        .await;
    assert_eq!(made.status, 201, "{}", made.body);
    let eve = app.person(app.tenant(), "eve", Role::User).await;
    app.sql(&format!(
        "insert into users.roles (tenant_id, role, based_on, scope) values ('{t}', 'watcher', 'admin', 'own');
         insert into users.role_permissions (tenant_id, role, permission)
         select '{t}', 'watcher', p from unnest(array['alerts_read', 'channels_manage', 'silences_manage']) p;
         update users.users set role = 'watcher' where user_id = '{u}';
         update users.memberships set role = 'watcher' where user_id = '{u}'",
        t = app.tenant(),
        u = eve.user_id
    ))
    .await;
    let listed = app.get(CHANNELS, &eve.token).await;
    assert_eq!(
        (listed.status, &listed.body["items"]),
        (200, &json!([])),
        "{}",
        listed.body
    );
    let path = format!(
        "{CHANNELS}/{}",
        made.body["channel"]["channel_id"].as_str().unwrap()
    );
    assert_eq!(app.delete(&path, &eve.token).await.status, 403);
    let silence = json!({ "reason": "quiet", "expires_at": app.clock_now() + chrono::Duration::hours(1) });
    assert_eq!(app.post(SILENCES, &eve.token, silence).await.status, 403);
}
