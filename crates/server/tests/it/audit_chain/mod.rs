//! The chain of the audit log: sealed, signed, told, verified, and every change by whoever holds the database named.

mod export;
mod removal;
mod restore;
mod tamper;

use sg_db::audit::Checkpoint;
use sg_server::audit::export::export_to;
use sg_server::audit::verify::{OutsideKnowledge, Report, read_checkpoints, verify_export, verify_live};
use sg_server::audit::{Signing, seal};
use sg_types::{Role, TenantId};

use crate::app::App;

/// A server with two tenants whose people did something, sealed and signed.
struct Sealed {
    app: App,
    tenant: TenantId,
}

impl Sealed {
    async fn make() -> Self {
        let app = App::start().await;
        let tenant = app.new_tenant("north").await;
        let sealed = Self { app, tenant };
        for number in 0..6 {
            sealed.act(&format!("first{number}")).await;
        }
        sealed.seal().await;
        sealed
    }

    /// Somebody comes, and makes a key: rows in each table of the audit log.
    async fn act(&self, name: &str) {
        let person = self.app.person(self.tenant, name, Role::Admin).await;
        let body = serde_json::json!({"key_name": "k"});
        let made = self.app.post("/api/v1/users/api-keys", &person.token, body).await;
        assert_eq!(made.status, 201, "{made:?}");
        assert_eq!(self.app.sign_in(name, "wrong").await.status, 401);
    }

    async fn seal(&self) {
        seal(self.app.state.clone(), Signing::Always).await.unwrap();
    }

    async fn export(&self) -> String {
        let mut out = Vec::new();
        export_to(&self.app.state.db, None, &mut out).await.unwrap();
        String::from_utf8(out).unwrap()
    }

    async fn exported(&self) -> Vec<Checkpoint> {
        let (checkpoints, report) = read_checkpoints(self.export().await.as_bytes()).unwrap();
        assert!(report.holds() && !checkpoints.is_empty());
        checkpoints
    }

    async fn verify(&self) -> Report {
        self.verify_with(Vec::new()).await
    }

    /// Against exported checkpoints.
    async fn verify_with(&self, exported: Vec<Checkpoint>) -> Report {
        let verifier = self.app.state.audit.signer().verifier();
        let outside = OutsideKnowledge {
            exported,
            kept: Vec::new(),
        };
        verify_live(&self.app.state.db, &verifier, &outside)
            .await
            .unwrap()
    }

    fn verify_text(&self, text: &str) -> Report {
        verify_export(text.as_bytes(), &self.app.state.audit.signer().verifier()).unwrap()
    }

    /// As the superuser, whom no trigger stops.
    async fn attack(&self, sql: &str) {
        self.app
            .sql(&format!(
                "set session_replication_role = replica; {sql}; set session_replication_role = origin"
            ))
            .await;
    }

    /// One number, asked as the superuser.
    async fn number(&self, sql: &str) -> i64 {
        self.app
            .sql_text(&format!("select ({sql})::text"))
            .await
            .parse()
            .unwrap()
    }

    /// The position of some event of the tenant in the middle of its chain.
    async fn position_of_an_event(&self) -> i64 {
        self.number(&format!(
            "select position from audit.chain where tenant_id = '{}' and table_code = 1 order by position offset 2 limit 1",
            self.tenant
        ))
        .await
    }
}

const ALL_ROWS: &str = "(select count(*) from audit.events) + (select count(*) from audit.row_changes)
    + (select count(*) from audit.login_attempts) + (select count(*) from audit.chain_records)";

#[tokio::test]
async fn what_is_written_is_sealed_signed_exported_and_verified() {
    let sealed = Sealed::make().await;
    let rows = sealed.number(ALL_ROWS).await;
    assert!(rows > 30, "{rows}");
    assert_eq!(sealed.number("select count(*) from audit.chain").await, rows);
    assert_eq!(sealed.number("select count(*) from audit.unsealed").await, 0);
    let report = sealed.verify().await;
    assert!(report.holds(), "{:?}", report.faults);
    assert_eq!(report.entries, u64::try_from(rows).unwrap());
    for (tenant, (position, signed)) in &report.chains {
        assert_eq!(position, signed, "{tenant} is signed to its end");
    }

    // The same from a file alone, and one by one: each changed byte of it is noticed.
    let text = sealed.export().await;
    let offline = sealed.verify_text(&text);
    assert!(offline.holds(), "{:?}", offline.faults);
    assert_eq!((offline.entries, offline.chains), (report.entries, report.chains));
    let other = sg_server::signing::AuditSigner::ephemeral().verifier();
    assert!(
        !verify_export(text.as_bytes(), &other).unwrap().holds(),
        "another key"
    );

    // A quiet chain gets no further signatures.
    let before = sealed.number("select count(*) from audit.checkpoints").await;
    sealed.seal().await;
    assert_eq!(
        sealed.number("select count(*) from audit.checkpoints").await,
        before
    );
    // One that grows gets its next one when the last is 2 seconds old.
    sealed.act("second").await;
    seal(sealed.app.state.clone(), Signing::WhenDue).await.unwrap();
    assert_eq!(
        sealed.number("select count(*) from audit.checkpoints").await,
        before
    );
    sealed.app.advance(chrono::Duration::seconds(3));
    seal(sealed.app.state.clone(), Signing::WhenDue).await.unwrap();
    assert!(sealed.number("select count(*) from audit.checkpoints").await > before);
    assert!(sealed.verify().await.holds());
}

#[tokio::test]
async fn two_nodes_and_many_writers_make_one_chain() {
    let sealed = Sealed::make().await;
    let state = &sealed.app.state;
    let write = async || {
        for _ in 0..10 {
            sealed
                .app
                .sql(&format!(
                    "insert into audit.events (event_id, tenant_id, occurred_at, actor_kind, action, outcome)
                     select gen_random_uuid(), '{}', now(), 'system', 'x.y', 'success' from generate_series(1, 700)",
                    sealed.tenant
                ))
                .await;
        }
    };
    let node = async || {
        for _ in 0..30 {
            seal(state.clone(), Signing::Always).await.unwrap();
        }
    };
    tokio::join!(write(), write(), node(), node(), node());
    sealed.seal().await;
    assert_eq!(sealed.number("select count(*) from audit.unsealed").await, 0);
    assert_eq!(
        sealed.number("select count(*) from audit.chain").await,
        sealed.number(ALL_ROWS).await
    );
    let report = sealed.verify().await;
    assert!(report.holds(), "{:?}", report.faults);
}

#[tokio::test]
async fn rows_from_before_the_chain_are_sealed_as_what_they_are() {
    let sealed = Sealed::make().await;
    sealed
        .attack(&format!(
            "insert into audit.events (event_id, tenant_id, occurred_at, actor_kind, action, outcome)
             select gen_random_uuid(), '{}', now(), 'system', 'x.y', 'success' from generate_series(1, 10);
             insert into audit.unsealed (tenant_id, table_code, row_id, row_time) select tenant_id, 1, event_id, occurred_at from audit.events
             where row_hash is null",
            sealed.tenant
        ))
        .await;
    sealed.seal().await;
    assert!(sealed.verify().await.holds());
    sealed
        .attack("update audit.events set reason = 'other' where action = 'x.y'")
        .await;
    assert_eq!(sealed.verify().await.faults.len(), 10);
}
