//! What goes on while a database is migrated.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};
use std::time::Duration;

use sg_testkit::TestDb;
use sqlx::PgConnection;
use tokio::task::JoinHandle;

use crate::support::*;

/// Between two of a kind.
const PAUSE: Duration = Duration::from_millis(5);

const CHECK_IN: &str = "begin;
    insert into agents.system_info (agent_id, tenant_id, cpu_usage, collected_at)
    values ('aaaaaaaa-0000-4000-8000-000000000100', 'aaaaaaaa-0000-4000-8000-000000000000', 1, now());
    update agents.heartbeats set last_seen_at = now() where agent_id = 'aaaaaaaa-0000-4000-8000-000000000100';
    commit";
const UPDATE: &str = "begin;
    update threats.incidents set occurrence_count = occurrence_count + 1, status = 'investigating'
    where threat_id = '00000000-0000-7000-8000-000000000007';
    insert into threats.incident_timeline (entry_id, tenant_id, threat_id, at, kind, summary)
    values (gen_random_uuid(), 'aaaaaaaa-0000-4000-8000-000000000000', '00000000-0000-7000-8000-000000000007', now(), 'note', 'note');
    insert into audit.events (event_id, tenant_id, occurred_at, actor_kind, action, outcome)
    values (gen_random_uuid(), 'aaaaaaaa-0000-4000-8000-000000000000', now(), 'system', 'incident.update', 'success');
    commit";
const SIGN_IN: &str = "begin;
    select user_id from users.begin_login_attempt('admin-a', now());
    select users.complete_login('aaaaaaaa-0000-4000-8000-000000000001', now());
    commit";

/// Clients that work until they are stopped.
pub(super) struct Traffic {
    stop: Arc<AtomicBool>,
    clients: Vec<JoinHandle<(i64, Vec<String>)>>,
}

/// How often each kind of work was done, and what failed in a way that no repetition helps.
#[derive(Debug, Default)]
pub(super) struct Done {
    pub(super) check_ins: i64,
    pub(super) updates: i64,
    pub(super) sign_ins: i64,
    pub(super) reads: i64,
    pub(super) failures: Vec<String>,
}

impl Traffic {
    pub(super) async fn start(test: &TestDb) -> anyhow::Result<Self> {
        let stop = Arc::new(AtomicBool::new(false));
        let mut clients = Vec::new();
        let read = format!(
            "begin; {}; select threat_id, title from threats.incidents order by detected_at desc limit 20; commit",
            open_context(ADMIN_A)
        );
        for (role, work) in [
            ("sg_system", CHECK_IN.to_owned()),
            ("sg_system", UPDATE.to_owned()),
            ("sg_system", SIGN_IN.to_owned()),
            ("sg_app", read),
        ] {
            let conn = test.connect(role).await?;
            clients.push(start_client(conn, work, Arc::clone(&stop)));
        }
        // Everybody has begun before the migration does.
        tokio::time::sleep(20 * PAUSE).await;
        Ok(Self { stop, clients })
    }

    pub(super) async fn stop(self) -> anyhow::Result<Done> {
        self.stop.store(true, Ordering::Relaxed);
        let mut times = Vec::new();
        let mut failures = Vec::new();
        for client in self.clients {
            let (done, failed) = client.await?;
            times.push(done);
            failures.extend(failed);
        }
        let &[check_ins, updates, sign_ins, reads] = times.as_slice() else {
            anyhow::bail!("{} clients", times.len());
        };
        Ok(Done {
            check_ins,
            updates,
            sign_ins,
            reads,
            failures,
        })
    }
}

#[expect(clippy::disallowed_methods, reason = "the test's own clients")]
fn start_client(
    mut conn: PgConnection,
    work: String,
    stop: Arc<AtomicBool>,
) -> JoinHandle<(i64, Vec<String>)> {
    tokio::spawn(async move {
        let (mut done, mut failures) = (0, Vec::new());
        let started = run(
            &mut conn,
            "set lock_timeout = '5s'; set statement_timeout = '30s'",
        )
        .await;
        failures.extend(started.err().map(|error| error.to_string()));
        while !stop.load(Ordering::Relaxed) && failures.is_empty() {
            match run(&mut conn, work.clone()).await {
                Ok(()) => done += 1,
                Err(error) => {
                    let again = matches!(&error, sqlx::Error::Database(failure) if may_be_repeated(failure.code().as_deref()));
                    if !again {
                        failures.push(format!("{error} in {work}"));
                    }
                    failures.extend(run(&mut conn, "rollback").await.err().map(|e| e.to_string()));
                }
            }
            tokio::time::sleep(PAUSE).await;
        }
        (done, failures)
    })
}

/// What the product answers with "try again": a conflict, a deadlock, a lock or statement that took too long.
fn may_be_repeated(code: Option<&str>) -> bool {
    matches!(code, Some("40001" | "40P01" | "55P03" | "57014"))
}
