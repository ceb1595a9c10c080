//! Backups and the way back, with the real pgBackRest; as root and, like the whole suite, as a plain user.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use sg_postgres::{
    BackupKind, BackupOptions, Cluster, Error, Login, PgBackRest, Place, Program, Recovery, RepositoryPlace,
    Stanza, Until, Watch, claim_dir,
};

use crate::support::{binaries, options, scratch, sql};

struct Quiet;

impl Watch for Quiet {
    fn progress(&mut self, _: f64) {}

    fn is_cancelled(&self) -> bool {
        false
    }
}

struct Stopped;

impl Watch for Stopped {
    fn progress(&mut self, _: f64) {}

    fn is_cancelled(&self) -> bool {
        true
    }
}

fn pgbackrest() -> PgBackRest {
    let path = std::env::var_os("SECUREGUARD_TEST_PGBACKREST").map(PathBuf::from);
    PgBackRest::find(path.as_deref())
        .expect("SECUREGUARD_TEST_PGBACKREST names pgBackRest; `cargo xtask test` sets it")
}

fn stanza(dir: &Path, login: Option<Login>) -> Stanza {
    let data_dir = dir.join("it's 100 % data");
    Stanza::prepare(BackupOptions {
        program: Program::PgBackRest(pgbackrest()),
        place: Place::Own {
            socket_dir: std::fs::read_to_string(dir.join("socket"))
                .map_or_else(|_| data_dir.join("run"), PathBuf::from),
            data_dir,
            port: 5432,
            login,
        },
        work_dir: dir.join("it's 100 % data/backup"),
        repositories: vec![RepositoryPlace::Folder(dir.join("repository"))],
        pass: "0123456789abcdef0123456789abcdef".into(),
        keep_full: 2,
        processes: 1,
        archive_timeout_seconds: 60,
    })
    .unwrap()
}

fn wait_until_archived(cluster: &Cluster) {
    let segment = sql(cluster, "select pg_walfile_name(pg_switch_wal())");
    let began = Instant::now();
    while sql(
        cluster,
        "select coalesce(last_archived_wal, '') from pg_stat_archiver",
    ) < segment
    {
        assert!(
            began.elapsed() < Duration::from_secs(60),
            "{segment} is not archived"
        );
        std::thread::sleep(Duration::from_millis(50));
    }
}

#[test]
fn a_database_comes_back_beside_the_running_one() {
    let scratch = scratch();
    let data_dir = scratch.path().join("it's 100 % data");
    claim_dir(&data_dir).unwrap();
    let mut settings = options(&data_dir);
    settings.archive = Some(stanza(scratch.path(), None).archiving(60));
    let cluster = Cluster::start(&binaries(), &settings).unwrap();
    std::fs::write(
        scratch.path().join("socket"),
        cluster.socket_dir().to_str().unwrap(),
    )
    .unwrap();
    let stanza = stanza(
        scratch.path(),
        Some(Login {
            user: cluster.superuser().to_owned(),
            password: cluster.superuser_password().clone(),
            database: "postgres".to_owned(),
        }),
    );
    stanza.init(&mut Quiet).unwrap();
    stanza.init(&mut Quiet).unwrap();
    sql(&cluster, "create table t as select generate_series(1, 1000) n");
    let (full, warnings) = stanza.back_up(BackupKind::Full, 1, &mut Quiet).unwrap();
    assert_eq!((full.kind.as_str(), warnings.len()), ("full", 0), "{warnings:?}");
    sql(&cluster, "insert into t select generate_series(1001, 1500)");
    wait_until_archived(&cluster);
    assert!(matches!(
        stanza.back_up(BackupKind::Full, 1, &mut Stopped),
        Err(Error::Interrupted { .. })
    ));
    assert_eq!(stanza.list(&mut Quiet).unwrap().len(), 1);
    assert_eq!(stanza.find_gaps(16 * 1024 * 1024, &mut Quiet).unwrap(), []);
    assert!(stanza.verify(1, &mut Quiet).unwrap().is_empty());

    let target = scratch.path().join("beside");
    let recovery = Recovery {
        target: target.clone(),
        until: Until::Latest,
        label: None,
        keep_log: false,
        patience: Duration::from_secs(120),
    };
    stanza.restore_files(&recovery, &full, &mut Quiet).unwrap();
    std::fs::create_dir_all(target.join("secrets")).unwrap();
    std::fs::copy(
        data_dir.join("secrets/postgres-superuser"),
        target.join("secrets/postgres-superuser"),
    )
    .unwrap();
    let recovered = stanza.recover(&binaries(), &recovery).unwrap();
    assert_eq!(sql(&recovered.cluster, "select count(*) from t"), "1500");
    sql(&recovered.cluster, "insert into t values (0)");
    assert_eq!(
        sql(&cluster, "select count(*) from t"),
        "1500",
        "another database"
    );
    let again = stanza.restore_files(&recovery, &full, &mut Quiet);
    assert!(again.is_err(), "nothing is written over");
}
