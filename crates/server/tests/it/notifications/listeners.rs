//! A mailbox, a syslog server behind TLS and a webhook's receiver: an alert counts as told when it has arrived at each of them.

use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use sg_server::config::MailConfig;
use sg_types::api::Page;
use sg_types::api::notifications::{ChannelSaved, RouteSource, RouteView};

use super::receiver::{Receiver, SyslogServer};
use super::{CHANNELS, ROUTES};
use crate::fleet::{TestCaller, TestServer};
use crate::recovery::Sink;
use crate::up::{self, Up};

/// How long something may take to arrive. The program looks at its figures every thirty seconds.
const PATIENCE: Duration = Duration::from_secs(75);

const OWN_PASSWORD: &str = "Plinth-otter7-walnut";

/// One receiver of each kind.
pub(crate) struct Listeners {
    mail: Sink,
    syslog: SyslogServer,
    hook: Receiver,
}

impl Listeners {
    pub(crate) async fn start() -> Self {
        Self {
            mail: Sink::start().await,
            syslog: SyslogServer::tls().await,
            hook: Receiver::start().await,
        }
    }

    /// Lets a server in this process send its mail here.
    pub(crate) fn configure(&self, config: &mut MailConfig) {
        self.mail.configure(config);
    }

    /// The same for the program.
    pub(crate) fn settings(&self, dir: &Path) -> Vec<(&'static str, String)> {
        let mut settings = self.mail.settings(dir);
        settings.retain(|(name, _)| *name != "SECUREGUARD_LOG");
        settings
    }

    fn channels(&self) -> [(&'static str, Value); 3] {
        let syslog = format!("tls://localhost:{}", self.syslog.address.port());
        [
            (
                "mailbox",
                json!({ "kind": "email", "addresses": ["ops@example.org"] }),
            ),
            (
                "log",
                json!({ "kind": "syslog", "address": syslog, "format": "json", "ca_pem": self.syslog.certificate }),
            ),
            (
                "hook",
                json!({ "kind": "webhook", "url": self.hook.url("/hook") }),
            ),
        ]
    }

    /// Makes them channels of the tenant, or with `?installation=true` of the installation, that are told of every alert.
    pub(crate) async fn join(&self, server: &TestServer, caller: &TestCaller, whose: &str) {
        for (number, (name, target)) in self.channels().into_iter().enumerate() {
            let body = json!({ "name": name, "target": target, "per_minute": 600 });
            let path = format!("{CHANNELS}{whose}");
            let saved: ChannelSaved = server.post(caller, &path, body).await.expect(201);
            // The first has its routes.
            if number > 0 {
                let path = format!("{ROUTES}{whose}");
                let body = every_alert(name, &saved);
                server.post(caller, &path, body).await.expect::<RouteView>(201);
            }
        }
    }

    /// The same by the program's API, as its first administrator.
    pub(crate) async fn join_program(&self, up: &Up, password: &str) -> String {
        let (status, session) = up::sign_in(up, "admin", password).await;
        assert_eq!(status, 201, "{session}");
        // The first password is good for choosing another.
        let change = json!({ "current_password": password, "new_password": OWN_PASSWORD });
        let answer = up::client()
            .post(up.url("/api/v1/users/me/password"))
            .bearer_auth(session["token"].as_str().unwrap())
            .json(&change)
            .send()
            .await
            .unwrap();
        assert!(answer.status().is_success(), "{}", answer.text().await.unwrap());
        let (status, session) = up::sign_in(up, "admin", OWN_PASSWORD).await;
        assert_eq!(status, 201, "{session}");
        let token = session["token"].as_str().unwrap().to_owned();
        let post = async |path: &str, body: Value| -> Value {
            let path = up.url(&format!("{path}?installation=true"));
            let request = up::client().post(path).bearer_auth(&token).json(&body);
            let answer = request.send().await.unwrap();
            let (status, body) = (answer.status().as_u16(), answer.json().await.unwrap());
            assert_eq!(status, 201, "{body}");
            body
        };
        for (number, (name, target)) in self.channels().into_iter().enumerate() {
            let body = json!({ "name": name, "target": target, "per_minute": 600 });
            let saved: ChannelSaved = serde_json::from_value(post(CHANNELS, body).await).unwrap();
            if number > 0 {
                post(ROUTES, every_alert(name, &saved)).await;
            }
        }
        token
    }

    /// How many messages with all of these words each of them has got.
    pub(crate) fn heard(&self, words: &[&str]) -> [usize; 3] {
        let count = |texts: Vec<String>| {
            let has_all = |text: &str| words.iter().all(|part| text.contains(part));
            texts.iter().filter(|text| has_all(text)).count()
        };
        let mut mails = self.mail.all();
        assert!(mails.iter().all(|mail| mail.encrypted));
        // Others are told by mail of what concerns them, as of a lock of their account.
        mails.retain(|mail| mail.to == ["ops@example.org"]);
        let posted = self.hook.all().iter().map(|one| title(&one.json())).collect();
        let messages = self.syslog.all();
        let logged = messages.iter().map(|message| {
            let (head, json) = message.split_once('\u{feff}').unwrap();
            assert!(
                head.starts_with("<1") && head.contains(" secureguard - "),
                "{head}"
            );
            title(&serde_json::from_str(json).unwrap())
        });
        [
            count(mails.into_iter().map(|mail| mail.text).collect()),
            count(logged.collect()),
            count(posted),
        ]
    }

    /// Does `work` until a message with all of these words has arrived everywhere.
    pub(crate) async fn hear_while(&self, words: &[&str], mut work: impl AsyncFnMut()) {
        let began = Instant::now();
        while self.heard(words).contains(&0) {
            assert!(
                began.elapsed() < PATIENCE,
                "{words:?}: {:?} of {:?}",
                self.heard(words),
                self.hook
                    .all()
                    .iter()
                    .map(|one| title(&one.json()))
                    .collect::<Vec<_>>()
            );
            work().await;
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// Waits until a message with all of these words has arrived everywhere.
    pub(crate) async fn hear(&self, words: &[&str]) {
        self.hear_while(words, async || {}).await;
    }
}

fn title(message: &Value) -> String {
    message["data"]["title"].as_str().unwrap().to_owned()
}

fn every_alert(name: &str, saved: &ChannelSaved) -> Value {
    json!({ "name": name, "channel_id": saved.channel.channel_id, "source": RouteSource::Alert, "min_severity": "low" })
}

/// What goes where, for the tenant or the installation.
pub(crate) async fn routes(server: &TestServer, caller: &TestCaller, whose: &str) -> Vec<RouteView> {
    let page: Page<RouteView> = server.get(caller, &format!("{ROUTES}{whose}")).await.expect(200);
    page.items
}
