//! What an endpoint says is somebody else's text: it stays a value, wherever it goes.

use super::receiver::SyslogServer;
use super::*;
use crate::recovery::Sink;

const HOSTILE: &str = "/tmp/<!channel> @here <https://evil.example|click> `x` *b*\r\nBcc: evil@example.org\r\n\r\n.\r\nQUIT\r\n|CEF:0|x\\ a=b ]\"\u{202e}gnp\u{2028}<1>1 forged";

/// Sends an incident whose host, rule and file are hostile.
async fn attack(scene: &mut Scene) {
    scene
        .server
        .sql("update agents.endpoints set hostname = E'web<!everyone>|\\\\=x\\nHost: y'")
        .await;
    let mut record = finding(scene.server.state.now(), "miner", "critical", HOSTILE);
    record["body"]["rule_name"] = json!("Rule\r\nX-Evil: 1 <@U1> | a=b");
    scene.agent.send(&scene.server, &[record]).await;
}

#[tokio::test]
async fn no_header_command_or_recipient_gets_into_a_mail() {
    let sink = Sink::start().await;
    let server = TestServer::start_with(|config| sink.configure(&mut config.mail)).await;
    let admin = server.caller(TenantId::DEFAULT, Role::Admin).await;
    let agent = TestAgent::enrol(&server, &admin, "web-1").await;
    let receiver = Receiver::start().await;
    let mut scene = Scene {
        server,
        admin,
        agent,
        receiver,
    };
    scene
        .channel(
            "mail",
            json!({ "kind": "email", "addresses": ["ada@example.org"] }),
        )
        .await;
    attack(&mut scene).await;
    scene.settle().await;
    let mails = sink.take();
    assert_eq!(mails.len(), 1);
    let mail = &mails[0];
    assert_eq!(mail.to, ["ada@example.org"]);
    assert_eq!(
        (mail.header("Bcc"), mail.header("X-Evil"), mail.header("Host")),
        ("", "", ""),
        "{}",
        mail.text
    );
    let body = mail.text.split_once("\n\n").unwrap().1;
    assert!(body.contains("/threats/"), "whole: {body}");
    assert!(
        !body
            .lines()
            .any(|line| line.starts_with("Bcc") || line.starts_with("QUIT") || line == "."),
        "{body}"
    );
    assert!(
        body.contains("Content-Type") || mail.header("Content-Type").starts_with("text/plain"),
        "{}",
        mail.text
    );
}

#[tokio::test]
async fn nobody_is_mentioned_and_nothing_is_a_link_in_slack() {
    let mut scene = Scene::start().await;
    scene
        .channel(
            "slack",
            json!({ "kind": "slack", "url": scene.receiver.url("/x") }),
        )
        .await;
    attack(&mut scene).await;
    let posted = scene.receiver.wait_for(1).await;
    let text = posted[0].json()["text"].as_str().unwrap().to_owned();
    let (said, link) = text.rsplit_once('\n').unwrap();
    assert!(
        !said.contains('<') && !said.contains('>') && !said.contains("@here"),
        "{said}"
    );
    assert!(
        link.starts_with("<http://localhost/threats/") && link.ends_with("|Open in SecureGuard>"),
        "{link}"
    );
    // Every value is one piece of code on one line.
    for line in said.lines() {
        assert_eq!(line.matches('`').count() % 2, 0, "{line}");
    }
    assert_eq!(said.lines().count(), 5, "{said}");
    assert!(!text.contains('\u{202e}') && !text.contains('\u{2028}'));
}

#[tokio::test]
async fn no_field_or_message_is_forged_in_syslog() {
    let mut scene = Scene::start().await;
    let (cef, json) = (SyslogServer::tcp().await, SyslogServer::udp().await);
    scene
        .channel(
            "cef",
            json!({ "kind": "syslog", "address": format!("tcp://{}", cef.address), "format": "cef" }),
        )
        .await;
    let made = scene
        .channel(
            "json",
            json!({ "kind": "syslog", "address": format!("udp://{}", json.address), "format": "json" }),
        )
        .await;
    scene.route(every_incident("json", made.channel.channel_id)).await;
    attack(&mut scene).await;
    let message = cef.wait_for(1).await.remove(0);
    assert!(
        !message.contains('\n') && !message.contains('\r') && !message.contains('\u{2028}'),
        "{message:?}"
    );
    let cef = message.split_once('\u{feff}').unwrap().1;
    // Seven bars that are not escaped, and the keys that we write.
    let bars = cef.replace("\\\\", "").replace("\\|", "");
    let head: Vec<&str> = bars.splitn(8, '|').collect();
    assert_eq!((head[0], head[6]), ("CEF:0", "10"), "{cef}");
    let extension = head[7].replace("\\=", "");
    let keys: Vec<&str> = extension
        .split('=')
        .rev()
        .skip(1)
        .filter_map(|before| before.rsplit([' ', '|']).next())
        .collect();
    assert_eq!(
        keys,
        ["msg", "dvchost", "cs1", "cs1Label", "externalId", "rt"],
        "{cef}"
    );
    let message = json.wait_for(1).await.remove(0);
    assert!(!message.contains('\n') && !message.contains('\r'), "{message:?}");
    let body: Value = serde_json::from_str(message.split_once('\u{feff}').unwrap().1).unwrap();
    // Programs get it as it was.
    assert!(
        body["data"]["incident"]["title"]
            .as_str()
            .unwrap()
            .contains("<!channel>")
    );
}

#[tokio::test]
async fn neither_the_log_nor_the_attempts_hold_what_is_secret() {
    let scene = Scene::start().await;
    let closed = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/services/secrettoken", closed.local_addr().unwrap());
    drop(closed);
    let mut scene = scene;
    scene
        .channel("slack", json!({ "kind": "slack", "url": url }))
        .await;
    scene.incident("miner", "critical", "/tmp/a").await;
    let log = scene
        .wait_for_log("", |log| log.iter().any(|one| one.attempts.len() == 1))
        .await;
    assert!(!serde_json::to_string(&log).unwrap().contains("secrettoken"));
    assert!(!scene.whole_database().await.contains("secrettoken"));
}
