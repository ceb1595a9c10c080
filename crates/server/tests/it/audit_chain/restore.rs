//! An older backup that is put back: nothing in the database tells of it, and the server notices at its start.

use secrecy::{ExposeSecret, SecretString};
use sg_db::{Db, DbConfig};
use sg_server::audit::verify::{OutsideKnowledge, verify_live};
use sg_server::audit::{AuditKeeper, Signing, note_forks, seal};

use super::Sealed;

/// A dump of the database by `pg_dump`, put back into a new database by `pg_restore`.
struct Backup {
    _dir: tempfile::TempDir,
    file: std::path::PathBuf,
    name: String,
    database: String,
}

impl Backup {
    fn take(sealed: &Sealed) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("dump");
        let (database, name) = (
            sealed.app.db.name().to_owned(),
            format!("{}_restored", sealed.app.db.name()),
        );
        run(
            "pg_dump",
            &[
                "--format=custom",
                &format!("--file={}", file.display()),
                &format!("--dbname={}", sealed.app.db.superuser_url().expose_secret()),
            ],
        );
        Self {
            _dir: dir,
            file,
            name,
            database,
        }
    }

    async fn restore(&self, sealed: &Sealed) -> Db {
        sealed
            .app
            .sql(&format!("create database {} template template0", self.name))
            .await;
        let elsewhere = |url: SecretString| {
            SecretString::from(url.expose_secret().replacen(&self.database, &self.name, 1))
        };
        let superuser = elsewhere(sealed.app.db.superuser_url());
        run(
            "pg_restore",
            &[
                "--exit-on-error",
                &format!("--dbname={}", superuser.expose_secret()),
                &self.file.to_string_lossy(),
            ],
        );
        let config = DbConfig::new(
            elsewhere(sealed.app.db.url("sg_app")),
            elsewhere(sealed.app.db.url("sg_system")),
        );
        Db::connect_lazy(&config).unwrap()
    }

    async fn remove(&self, sealed: &Sealed, db: Db) {
        db.close().await;
        sealed
            .app
            .sql(&format!("drop database {} with (force)", self.name))
            .await;
    }
}

fn run(program: &str, arguments: &[&str]) {
    let explicit = std::env::var_os("PG_BIN").map(std::path::PathBuf::from);
    let binaries = sg_postgres::find(explicit.as_deref()).unwrap();
    let output = binaries.command(program).args(arguments).output().unwrap();
    assert!(
        output.status.success(),
        "{program}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
}

#[tokio::test]
async fn a_restored_backup_is_noticed_recorded_and_named() {
    let sealed = Sealed::make().await;
    let dir = tempfile::tempdir().unwrap();
    let key = dir.path().join("keys/audit.pem");
    let open = || AuditKeeper::open(dir.path(), &key).unwrap();
    // The chains go on under a key and a memory of their own.
    sealed.attack("delete from audit.checkpoints; update audit.chain_heads set checkpoint_position = 0, checkpoint_at = null").await;
    seal(sealed.app.with_keeper(open()), Signing::Always)
        .await
        .unwrap();
    let backup = Backup::take(&sealed);
    // Somebody who is not in the backup at all.
    let later = sealed.app.new_tenant("later").await;
    sealed.app.person(later, "late", sg_types::Role::Admin).await;
    sealed.act("after the backup").await;
    seal(sealed.app.with_keeper(open()), Signing::Always)
        .await
        .unwrap();
    let end = sealed
        .number(&format!(
            "select position from audit.chain_heads where tenant_id = '{}'",
            sealed.tenant
        ))
        .await;
    let exported = sealed.exported().await;
    let keeper = open();
    assert_eq!(
        note_forks(&sealed.app.with_keeper(keeper.clone())).await.unwrap(),
        0,
        "nothing was restored yet"
    );

    let db = backup.restore(&sealed).await;
    let verifier = keeper.signer().verifier();
    let verify = async |exported: &[_]| {
        let outside = OutsideKnowledge {
            exported: exported.to_vec(),
            kept: Vec::new(),
        };
        verify_live(&db, &verifier, &outside).await.unwrap()
    };
    let alone = verify(&[]).await;
    assert!(alone.holds(), "a backup is whole in itself: {:?}", alone.faults);
    let report = verify(&exported).await;
    assert!(
        report.names(sealed.tenant, Some(end), "or an older backup was restored"),
        "{:?}",
        report.faults
    );

    // The server comes back on it: the fork is on record before anything else is, and only once.
    let node = sealed.app.node(db.clone(), open());
    assert!(note_forks(&node).await.unwrap() >= 1);
    assert_eq!(note_forks(&sealed.app.node(db.clone(), open())).await.unwrap(), 0);
    let report = verify(&[]).await;
    assert!(report.holds(), "{:?}", report.faults);
    let noted = report
        .notes
        .iter()
        .find(|note| note.tenant_id == Some(sealed.tenant) && note.what.contains("a fork is on record"));
    assert!(
        noted.is_some_and(|note| note.what.contains(&format!("position {end} had been signed"))),
        "{:?}",
        report.notes
    );
    assert!(
        report.notes.iter().any(|note| note
            .what
            .contains(&format!("of tenant {later}, who is not there any more"))),
        "{:?}",
        report.notes
    );
    // What was exported is contradicted for good.
    seal(node.clone(), Signing::Always).await.unwrap();
    let report = verify(&exported).await;
    assert!(
        !report.holds() && report.names(sealed.tenant, Some(end), ""),
        "{:?}",
        report.faults
    );

    // A server that keeps running while the backup is put back notices before it goes on.
    let running = sealed.app.node(db.clone(), keeper);
    sg_server::audit::seal(running, Signing::Always).await.unwrap();
    assert!(verify(&[]).await.holds());
    backup.remove(&sealed, db).await;
}

#[tokio::test]
async fn an_unreadable_memory_is_not_replaced() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::create_dir(dir.path().join("audit")).unwrap();
    std::fs::write(dir.path().join("audit/heads.json"), "{").unwrap();
    let error = AuditKeeper::open(dir.path(), &dir.path().join("audit.pem")).unwrap_err();
    assert!(format!("{error:#}").contains("heads.json"), "{error:#}");
    assert_eq!(std::fs::read(dir.path().join("audit/heads.json")).unwrap(), b"{");
}
