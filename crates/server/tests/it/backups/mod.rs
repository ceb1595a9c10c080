//! Backups by the built program, with real pgBackRest and PostgreSQL, and without pgBackRest: the way there and back, and what goes wrong on it.

mod builtin;
mod clock;
mod recovery;
mod s3;
mod sabotage;
mod strangers;

use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;
use sqlx::postgres::PgConnectOptions;
use sqlx::{Connection as _, PgConnection, Row as _};
use tempfile::TempDir;

use crate::up::{Up, folder, program};

/// Settings by which either program makes the backups.
type Way = &'static [(&'static str, &'static str)];
const BUILTIN: Way = &[("SECUREGUARD_BACKUP__PROGRAM", "builtin")];

/// An installation that backs itself up.
struct Site {
    /// Ends before its folder goes.
    up: Option<Up>,
    dir: TempDir,
    settings: Vec<(&'static str, String)>,
}

impl Site {
    /// Starts it, with a watch that notices within seconds.
    fn start(more: &[(&'static str, &str)]) -> Self {
        let dir = folder();
        let pgbackrest = pgbackrest();
        let mut settings = vec![
            ("SECUREGUARD_BACKUP__PGBACKREST", pgbackrest),
            (
                "SECUREGUARD_BACKUP__REPOSITORY",
                dir.path().join("repository").display().to_string(),
            ),
            ("SECUREGUARD_BACKUP__ARCHIVE_TIMEOUT_SECONDS", "2".to_owned()),
            ("SECUREGUARD_BACKUP__ARCHIVE_ALERT_SECONDS", "8".to_owned()),
            ("SECUREGUARD_BACKUP__DRILL_EVERY_DAYS", "0".to_owned()),
        ];
        for (name, value) in more {
            settings.retain(|(known, _)| known != name);
            settings.push((name, (*value).to_owned()));
        }
        let mut this = Self {
            up: None,
            dir,
            settings,
        };
        this.start_again();
        this
    }

    fn start_again(&mut self) {
        self.up = Some(Up::start_with(self.dir.path(), &[], &self.settings));
    }

    fn stop(&mut self) {
        self.up.take().unwrap().stop();
    }

    fn up(&self) -> &Up {
        self.up.as_ref().unwrap()
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn data(&self) -> PathBuf {
        self.path("data")
    }

    fn command(&self, arguments: &[&str]) -> std::process::Command {
        let mut command = program();
        command
            .args(arguments)
            .arg("--data-dir")
            .arg(self.data())
            .envs(self.settings.iter().map(|(name, value)| (name, value)))
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command
    }

    fn spawn(&self, arguments: &[&str]) -> Child {
        self.command(arguments).spawn().unwrap()
    }

    /// Runs a verb; whether it went well, and its words. One that finds another run at work waits for it.
    fn verb(&self, arguments: &[&str]) -> (bool, String) {
        let began = Instant::now();
        loop {
            let output = self.command(arguments).output().unwrap();
            let words = String::from_utf8_lossy(&output.stdout).into_owned()
                + &String::from_utf8_lossy(&output.stderr);
            if words.contains("is running; wait for its end") && began.elapsed() < Duration::from_secs(60) {
                std::thread::sleep(Duration::from_millis(200));
                continue;
            }
            return (output.status.success(), words);
        }
    }

    /// As [`Self::verb`], which has to go well.
    fn must(&self, arguments: &[&str]) -> String {
        let (went_well, words) = self.verb(arguments);
        assert!(went_well, "{arguments:?}: {words}\n{}", self.log());
        words
    }

    fn log(&self) -> String {
        std::fs::read_to_string(self.path("up.log")).unwrap_or_default()
    }

    /// The database, as its superuser.
    async fn connect(&self) -> PgConnection {
        connect(&self.data()).await
    }

    /// Waits for the first backup, which the server makes by itself.
    async fn first_backup(&self) {
        let mut conn = self.connect().await;
        wait_for(
            "the first backup",
            || self.log(),
            async || {
                count(
                    &mut conn,
                    "select count(*) from monitoring.backups where kind = 'full' and state = 'completed'",
                )
                .await
                    > 0
            },
        )
        .await;
    }

    /// Waits until a problem with `words` is told about `subject`, and its alert fires.
    async fn alarm(&self, subject: &str, words: &str) {
        let mut conn = self.connect().await;
        wait_for(
            words,
            || self.log(),
            async || {
                let row = sqlx::query(
                    "select exists (select from monitoring.backup_state s, jsonb_array_elements(s.problems) p
                    where p ->> 'subject' = $1 and strpos(p ->> 'words', $2) > 0)
                 and exists (select from monitoring.alerts a join monitoring.alert_rules r using (rule_id)
                    where r.kind = 'backup_failure' and a.subject = $1 and a.state = 'firing')",
                )
                .bind(subject)
                .bind(words)
                .fetch_one(&mut conn)
                .await
                .unwrap();
                row.get(0)
            },
        )
        .await;
    }

    /// Waits until nothing is wrong, and no alert is open.
    async fn all_clear(&self) {
        let mut conn = self.connect().await;
        wait_for("all clear", || self.log(), async || {
            count(&mut conn, "select count(*) from monitoring.backup_state where problems <> '[]'").await == 0
                && count(
                    &mut conn,
                    "select count(*) from monitoring.alerts a join monitoring.alert_rules r using (rule_id)
                     where r.kind = 'backup_failure' and a.state <> 'resolved'",
                )
                .await
                    == 0
        })
        .await;
    }

    /// Closes the segment that is written and waits until it is in the archive.
    async fn archive(&self) {
        let mut conn = self.connect().await;
        let segment: String = sqlx::query_scalar("select pg_walfile_name(pg_switch_wal())")
            .fetch_one(&mut conn)
            .await
            .unwrap();
        wait_for(
            "the archive",
            || self.log(),
            async || {
                let archived: Option<String> =
                    sqlx::query_scalar("select last_archived_wal from pg_stat_archiver")
                        .fetch_one(&mut conn)
                        .await
                        .unwrap();
                archived.is_some_and(|archived| archived >= segment)
            },
        )
        .await;
    }

    async fn state(&self, token: &str) -> (u16, Value) {
        let answer = crate::up::client()
            .get(self.up().url("/api/v1/monitoring/backup-state"))
            .bearer_auth(token)
            .send()
            .await
            .unwrap();
        (answer.status().as_u16(), answer.json().await.unwrap())
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "where the tests' pgBackRest is, is no setting of the product"
)]
pub(crate) fn pgbackrest() -> String {
    std::env::var("SECUREGUARD_TEST_PGBACKREST")
        .expect("SECUREGUARD_TEST_PGBACKREST names pgBackRest; `cargo xtask test` sets it")
}

pub(crate) async fn connect(data: &Path) -> PgConnection {
    // As migrations do, whose changes of the schema are no alarm.
    let options = options(data).application_name("secureguard-migrate");
    PgConnection::connect_with(&options).await.unwrap()
}

/// As the superuser of a program's own cluster.
fn options(data: &Path) -> PgConnectOptions {
    let read = |name: &str| std::fs::read_to_string(data.join("secrets").join(name)).unwrap();
    let socket = read("socket");
    let mut lines = socket.lines();
    PgConnectOptions::new()
        .socket(lines.next().unwrap())
        .port(lines.next().unwrap().parse().unwrap())
        .username("postgres")
        .password(read("postgres-superuser").trim())
        .database("secureguard")
}

pub(crate) async fn count(conn: &mut PgConnection, query: &'static str) -> i64 {
    sqlx::query_scalar(query).fetch_one(conn).await.unwrap()
}

pub(crate) async fn run(conn: &mut PgConnection, statement: &'static str) {
    sqlx::raw_sql(statement).execute(conn).await.unwrap();
}

pub(crate) async fn wait_for(what: &str, log: impl Fn() -> String, mut is_so: impl AsyncFnMut() -> bool) {
    let began = Instant::now();
    while !is_so().await {
        assert!(
            began.elapsed() < Duration::from_secs(90),
            "waited in vain for: {what}\n{}",
            log()
        );
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}
