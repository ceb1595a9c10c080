//! There and back.

use std::os::unix::fs::MetadataExt as _;
use std::time::Duration;

use serde_json::json;
use sqlx::Row as _;

use super::{Site, connect, count, run};
use crate::up::{Up, sign_in};

const PEOPLE: &str = "select count(*) from users.users where username like 'person-%'";

#[tokio::test]
async fn what_a_mass_delete_took_comes_back_on_a_new_machine() {
    let mut site = Site::start(&[]);
    let password = site.up().ready["admin"]["password"].as_str().unwrap().to_owned();
    site.first_backup().await;
    let mut conn = site.connect().await;
    run(
        &mut conn,
        "insert into users.users (username, email, password_hash, role)
        select 'person-' || n, 'person-' || n || '@example.com', 'x', 'user' from generate_series(1, 300) n",
    )
    .await;
    site.must(&["backup", "incr"]);
    run(&mut conn, "insert into users.users (username, email, password_hash, role)
        select 'person-late-' || n, 'late-' || n || '@example.com', 'x', 'user' from generate_series(1, 100) n")
    .await;
    let moment: String = sqlx::query(
        "select to_char(clock_timestamp() at time zone 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"')",
    )
    .fetch_one(&mut conn)
    .await
    .unwrap()
    .get(0);
    tokio::time::sleep(Duration::from_millis(100)).await;
    run(&mut conn, "delete from users.memberships m using users.users u where u.user_id = m.user_id and u.username like 'person-%';
        delete from users.users where username like 'person-%'")
    .await;
    assert_eq!(count(&mut conn, PEOPLE).await, 0);
    site.archive().await;
    let listed = site.must(&["backup", "list"]);
    assert!(
        listed.contains("incr") && listed.contains("any moment from"),
        "{listed}"
    );

    let target = site.path("new");
    let early = site.verb(&[
        "restore",
        "--to-time",
        "2020-01-01T00:00:00Z",
        "--target",
        target.to_str().unwrap(),
    ]);
    assert!(
        !early.0 && early.1.contains("the first moment that can be restored is"),
        "{}",
        early.1
    );
    let late = site.verb(&[
        "restore",
        "--to-time",
        "2100-01-01T00:00:00Z",
        "--target",
        site.path("late").to_str().unwrap(),
    ]);
    assert!(
        !late.0 && late.1.contains("the archive ends before that moment"),
        "{}",
        late.1
    );
    let words = site.must(&[
        "restore",
        "--to-time",
        &moment,
        "--target",
        target.to_str().unwrap(),
    ]);
    assert!(
        words.contains("keys/secrets.json") && words.contains("secureguard up --data-dir"),
        "{words}"
    );
    let again = site.verb(&["restore", "--to-latest", "--target", target.to_str().unwrap()]);
    assert!(
        !again.0 && again.1.contains("never writes over one"),
        "{}",
        again.1
    );
    site.stop();

    // The machine is gone; the next one goes on with the same repository.
    std::fs::rename(site.data(), site.path("gone")).unwrap();
    std::fs::rename(&target, site.data()).unwrap();
    site.start_again();
    let (status, session) = sign_in(site.up(), "admin", &password).await;
    assert_eq!((status, &session["must_change_password"]), (201, &json!(true)));
    let mut conn = connect(&site.data()).await;
    assert_eq!(count(&mut conn, PEOPLE).await, 400, "as it was at {moment}");
    super::wait_for(
        "a full backup of the restored database",
        || site.log(),
        async || site.must(&["backup", "list"]).matches(" full ").count() >= 2,
    )
    .await;
    site.archive().await;
    let verified = site.must(&["backup", "verify"]);
    assert!(verified.contains("done in"), "{verified}");
    site.all_clear().await;
    no_pass_was_told(&site).await;
}

/// The pass is in its file and in pgBackRest's configuration, both for one account, and nowhere else.
async fn no_pass_was_told(site: &Site) {
    use std::os::unix::fs::PermissionsExt;
    let pass = std::fs::read_to_string(site.data().join("keys/backup.pass")).unwrap();
    let pass = pass.trim();
    let mut conn = site.connect().await;
    let settings: Vec<String> = sqlx::query_scalar("select coalesce(setting, '') from pg_settings")
        .fetch_all(&mut conn)
        .await
        .unwrap();
    assert!(settings.iter().all(|setting| !setting.contains(pass)));
    let log = std::fs::read_to_string(site.data().join("log/postgresql.log")).unwrap();
    assert!(!site.log().contains(pass) && !log.contains(pass));
    let configuration = site.data().join("backup/pgbackrest.conf");
    let mode = std::fs::metadata(&configuration).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let mut command_lines = String::new();
    for entry in std::fs::read_dir("/proc").unwrap().flatten() {
        command_lines += &std::fs::read_to_string(entry.path().join("cmdline")).unwrap_or_default();
    }
    assert!(!command_lines.contains(pass));
    // What is in the repository gives nothing away: not the database, not the keys.
    let output = std::process::Command::new("grep")
        .args(["-rlaE", "person-|BEGIN PRIVATE KEY|secureguard-recovery"])
        .arg(site.path("repository"))
        .output()
        .unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stdout), "");
}

#[tokio::test]
async fn a_drill_proves_the_way_back_and_leaves_nothing_behind() {
    let site = Site::start(&[]);
    site.first_backup().await;
    site.archive().await;
    let words = site.must(&["backup", "drill"]);
    for part in [
        "RPO ",
        "RTO ",
        "rows of",
        "settled entries of the audit log came back",
        "the audit log holds",
        "pg_amcheck found nothing",
    ] {
        assert!(words.contains(part), "{part}: {words}");
    }
    assert!(!site.data().join("backup/drill").exists());
    let mut conn = site.connect().await;
    let (rpo, rto): (f64, f64) = sqlx::query_as("select rpo_seconds, rto_seconds from monitoring.backups where kind = 'drill' and state = 'completed'")
        .fetch_one(&mut conn)
        .await
        .unwrap();
    assert!(
        (0.0..60.0).contains(&rpo) && (0.1..300.0).contains(&rto),
        "{rpo} {rto}"
    );

    // An audit log that somebody has changed does not come back as one that holds.
    run(
        &mut conn,
        "alter table audit.events disable trigger all; update audit.events set action = 'forged';
        alter table audit.events enable trigger all",
    )
    .await;
    site.archive().await;
    let (went_well, words) = site.verb(&["backup", "drill"]);
    assert!(
        !went_well && words.contains("FAILED") && words.contains("audit log:"),
        "{words}"
    );
    assert!(!site.data().join("backup/drill").exists());
    site.alarm("drill", "audit log:").await;
}

#[tokio::test]
async fn a_backup_that_was_killed_does_not_stop_the_next() {
    let site = Site::start(&[]);
    site.first_backup().await;
    let mut conn = site.connect().await;
    run(&mut conn, "create table public.bulk as select n, md5(n::text) || md5((-n)::text) as text from generate_series(1, 400000) n").await;
    let mut child = site.spawn(&["backup", "full"]);
    super::wait_for(
        "a backup under way",
        || site.log(),
        async || {
            count(
                &mut conn,
                "select count(*) from monitoring.backups where state = 'running'",
            )
            .await
                == 1
        },
    )
    .await;
    tokio::time::sleep(Duration::from_millis(1_500)).await;
    child.kill().unwrap();
    child.wait().unwrap();
    let words = site.must(&["backup", "full"]);
    assert!(words.contains("done in"), "{words}");
    assert_eq!(
        count(
            &mut conn,
            "select count(*) from monitoring.backups where state = 'interrupted'"
        )
        .await,
        1
    );
    site.must(&["backup", "verify"]);
    site.all_clear().await;

    // PostgreSQL hands a segment to pgBackRest, or somebody makes the repository: a lock is held for a moment.
    for (name, verb) in [("archive", "init"), ("backup", "full")] {
        let lock = hold_lock(&site, name);
        let work = site.spawn(&["backup", verb]);
        tokio::time::sleep(Duration::from_secs(3)).await;
        drop(lock);
        let output = work.wait_with_output().unwrap();
        assert!(output.status.success(), "{name}: {output:?}");
    }
}

/// As a pgBackRest at work has it; it removes the file behind itself.
fn hold_lock(site: &Site, name: &str) -> std::fs::File {
    let dir = site.data().join("backup/lock");
    let path = dir.join(format!("secureguard-{name}.lock"));
    let lock = std::fs::File::options()
        .write(true)
        .create(true)
        .truncate(false)
        .open(&path)
        .unwrap();
    lock.lock().unwrap();
    let owner = std::fs::metadata(&dir).unwrap();
    std::os::unix::fs::chown(&path, Some(owner.uid()), Some(owner.gid())).unwrap();
    lock
}

#[tokio::test]
async fn the_state_is_for_whoever_runs_the_installation() {
    let site = Site::start(&[]);
    site.first_backup().await;
    let password = site.up().ready["admin"]["password"].as_str().unwrap();
    let (_, session) = sign_in(site.up(), "admin", password).await;
    let token = session["token"].as_str().unwrap_or_default().to_owned();
    let (status, body) = site.state(&token).await;
    // The first password has to be changed before anything else.
    assert_eq!(status, 403, "{body}");
    let (status, _) = site.state("sg_nothing").await;
    assert_eq!(status, 401);
}

#[tokio::test]
async fn a_second_repository_is_a_whole_copy() {
    burn_the_first("auto").await;
}

#[tokio::test]
async fn a_second_repository_of_the_built_in_way_is_a_whole_copy() {
    burn_the_first("builtin").await;
}

async fn burn_the_first(program: &'static str) {
    let dir = crate::up::folder();
    let second = dir.path().join("elsewhere");
    let mut site = Site::start(&[
        ("SECUREGUARD_BACKUP__PROGRAM", program),
        ("SECUREGUARD_BACKUP__SECOND_REPOSITORY", second.to_str().unwrap()),
    ]);
    site.first_backup().await;
    let password = site.up().ready["admin"]["password"].as_str().unwrap().to_owned();
    site.archive().await;
    let listed = site.must(&["backup", "list"]);
    assert!(
        listed.contains("repository 1") && listed.contains("repository 2"),
        "{listed}"
    );
    site.stop();
    let pass = dir.path().join("pass");
    std::fs::copy(site.data().join("keys/backup.pass"), &pass).unwrap();
    // A fire took the machine and the first repository.
    std::fs::remove_dir_all(site.data()).unwrap();
    std::fs::remove_dir_all(site.path("repository")).unwrap();
    site.settings.retain(|(name, _)| !name.contains("REPOSITORY"));
    let target = site.path("saved");
    site.must(&[
        "restore",
        "--target",
        target.to_str().unwrap(),
        "--repository",
        second.to_str().unwrap(),
        "--pass-file",
        pass.to_str().unwrap(),
    ]);
    std::fs::rename(&target, site.data()).unwrap();
    let up = Up::start_with(site.dir.path(), &[], &site.settings);
    assert_eq!(sign_in(&up, "admin", &password).await.0, 201);
    up.stop();
}
