//! Without pgBackRest: there and back, and what only this way meets.

use std::path::{Path, PathBuf};
use std::time::Duration;

use super::sabotage::archived;
use super::{BUILTIN, Site, connect, count, run, wait_for};
use crate::up::sign_in;

const PEOPLE: &str = "select count(*) from users.users where username like 'person-%'";
const NO_PGBACKREST: &[(&str, &str)] = &[("SECUREGUARD_BACKUP__PGBACKREST", "/nowhere/pgbackrest")];

async fn now(site: &Site) -> String {
    let mut conn = site.connect().await;
    sqlx::query_scalar(
        "select to_char(clock_timestamp() at time zone 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"')",
    )
    .fetch_one(&mut conn)
    .await
    .unwrap()
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

#[tokio::test]
async fn a_database_comes_back_to_a_moment_and_goes_on_in_the_same_repository() {
    let mut site = Site::start(NO_PGBACKREST);
    let password = site.up().ready["admin"]["password"].as_str().unwrap().to_owned();
    site.first_backup().await;
    assert!(site.log().contains("pgBackRest was not found"), "{}", site.log());
    let mut conn = site.connect().await;
    run(
        &mut conn,
        "insert into users.users (username, email, password_hash, role)
        select 'person-' || n, 'person-' || n || '@example.com', 'x', 'user' from generate_series(1, 300) n",
    )
    .await;
    let moment = now(&site).await;
    tokio::time::sleep(Duration::from_millis(100)).await;
    run(&mut conn, "delete from users.memberships m using users.users u where u.user_id = m.user_id and u.username like 'person-%';
        delete from users.users where username like 'person-%'")
    .await;
    site.archive().await;
    let (went_well, words) = site.verb(&["backup", "incr"]);
    assert!(
        !went_well && words.contains("every backup is a full one"),
        "{words}"
    );
    let listed = site.must(&["backup", "list"]);
    assert!(
        listed.contains(" full ") && listed.contains("any moment from"),
        "{listed}"
    );
    let (_, words) = site.verb(&["doctor"]);
    assert!(
        words.contains("the built-in way (full backups only) keeps them"),
        "{words}"
    );

    let (target, late) = (site.path("new"), site.path("late"));
    let words = site.must(&["restore", "--to-time", &moment, "--target", text(&target)]);
    assert!(words.contains("keys/secrets.json"), "{words}");
    let (went_well, words) = site.verb(&[
        "restore",
        "--to-time",
        "2100-01-01T00:00:00Z",
        "--target",
        text(&late),
    ]);
    assert!(
        !went_well && words.contains("the archive ends before that moment"),
        "{words}"
    );
    let (went_well, words) = site.verb(&["restore", "--to-latest", "--target", text(&target)]);
    assert!(!went_well && words.contains("never writes over one"), "{words}");
    nothing_is_readable(&site).await;
    site.stop();

    std::fs::rename(site.data(), site.path("gone")).unwrap();
    std::fs::rename(&target, site.data()).unwrap();
    site.start_again();
    assert_eq!(sign_in(site.up(), "admin", &password).await.0, 201);
    let mut conn = connect(&site.data()).await;
    assert_eq!(count(&mut conn, PEOPLE).await, 300, "as it was at {moment}");
    wait_for(
        "a full backup of the restored database",
        || site.log(),
        async || site.must(&["backup", "list"]).matches(" full ").count() >= 2,
    )
    .await;
    site.archive().await;
    site.must(&["backup", "verify"]);
    let words = site.must(&["backup", "drill"]);
    for part in [
        "RPO ",
        "RTO ",
        "settled entries of the audit log came back",
        "pg_amcheck found nothing",
    ] {
        assert!(words.contains(part), "{part}: {words}");
    }
    site.all_clear().await;
}

/// Neither the database nor a key, neither in the repository nor where others could look.
async fn nothing_is_readable(site: &Site) {
    let pass = std::fs::read_to_string(site.data().join("keys/backup.pass")).unwrap();
    let superuser = std::fs::read_to_string(site.data().join("secrets/postgres-superuser")).unwrap();
    let settings = std::fs::read_to_string(site.data().join("backup/builtin.json")).unwrap();
    assert!(
        !settings.contains(pass.trim()),
        "the pass opens more than the repository"
    );
    let key = settings.split("\"key\": \"").nth(1).unwrap().get(..64).unwrap();
    for pattern in [
        "person-",
        "BEGIN PRIVATE KEY",
        "secureguard-recovery",
        "START WAL",
        pass.trim(),
        superuser.trim(),
        key,
    ] {
        let output = std::process::Command::new("grep")
            .args(["-rlaF", pattern])
            .arg(site.path("repository"))
            .output()
            .unwrap();
        assert_eq!(String::from_utf8_lossy(&output.stdout), "", "{pattern}");
    }
    let mut conn = site.connect().await;
    let settings: Vec<String> = sqlx::query_scalar("select coalesce(setting, '') from pg_settings")
        .fetch_all(&mut conn)
        .await
        .unwrap();
    let log = std::fs::read_to_string(site.data().join("log/postgresql.log")).unwrap() + &site.log();
    for secret in [pass.trim(), key] {
        assert!(settings.iter().all(|setting| !setting.contains(secret)));
        assert!(!log.contains(secret));
    }
}

fn flip(path: &Path, place: usize) {
    let mut bytes = std::fs::read(path).unwrap();
    bytes[place] ^= 0x20;
    std::fs::write(path, bytes).unwrap();
}

fn newest_backup(site: &Site) -> PathBuf {
    let mut backups: Vec<PathBuf> = std::fs::read_dir(site.path("repository/backup"))
        .unwrap()
        .flatten()
        .map(|entry| entry.path())
        .collect();
    backups.sort();
    backups.pop().unwrap()
}

#[tokio::test]
async fn a_flipped_byte_is_found_and_never_restored() {
    let site = Site::start(&[BUILTIN[0], ("SECUREGUARD_BACKUP__KEEP_FULL", "2")]);
    site.first_backup().await;
    let oldest = newest_backup(&site);
    site.must(&["backup", "full"]);
    let before = now(&site).await;
    let mut conn = site.connect().await;
    // Something that was committed after that moment, by which a recovery knows that it is there.
    run(&mut conn, "create table public.early ()").await;
    site.archive().await;
    run(
        &mut conn,
        "create table public.t as select generate_series(1, 1000) n",
    )
    .await;
    site.archive().await;

    // In the log.
    let mut segments = archived(&site.path("repository"));
    segments.sort();
    let segment = segments.pop().unwrap();
    let whole = std::fs::read(&segment).unwrap();
    flip(&segment, whole.len() / 2);
    let (went_well, words) = site.verb(&["backup", "verify"]);
    assert!(!went_well && words.contains("is damaged"), "{words}");
    site.alarm("verification", "make a full backup").await;
    let target = site.path("new");
    let (went_well, words) = site.verb(&["restore", "--to-latest", "--target", text(&target)]);
    assert!(!went_well && words.contains("is damaged"), "{words}");
    let earlier = site.path("earlier");
    site.must(&["restore", "--to-time", &before, "--target", text(&earlier)]);
    std::fs::write(&segment, &whole).unwrap();
    site.must(&["backup", "verify"]);

    // In the backup.
    let data = newest_backup(&site).join("data");
    let middle = usize::try_from(std::fs::metadata(&data).unwrap().len() / 2).unwrap();
    flip(&data, middle);
    let (went_well, words) = site.verb(&["backup", "verify"]);
    assert!(!went_well && words.contains("data is damaged"), "{words}");
    let other = site.path("other");
    let (went_well, words) = site.verb(&["restore", "--target", text(&other)]);
    assert!(!went_well && words.contains("is damaged"), "{words}");
    assert!(
        !other.join("postgres").exists(),
        "half of it never looks like a database"
    );

    // An older one and the log bring back the same.
    let label = oldest.file_name().unwrap().to_str().unwrap();
    site.must(&["restore", "--backup", label, "--target", text(&other)]);

    // Others take its place, and the log that only older ones needed goes.
    let first = archived(&site.path("repository")).len();
    site.must(&["backup", "full"]);
    site.must(&["backup", "full"]);
    assert!(archived(&site.path("repository")).len() < first);
    site.must(&["backup", "verify"]);
    site.all_clear().await;
}

#[tokio::test]
async fn a_backup_that_was_killed_leaves_nothing_that_looks_like_one() {
    let site = Site::start(BUILTIN);
    site.first_backup().await;
    let mut conn = site.connect().await;
    run(&mut conn, "create table public.bulk as select n, md5(n::text) || md5((-n)::text) as text from generate_series(1, 600000) n").await;
    let mut child = site.spawn(&["backup", "full"]);
    let folder = site.path("repository/backup");
    let parts = || {
        let entries = std::fs::read_dir(&folder).unwrap().flatten();
        entries
            .filter(|entry| entry.file_name().to_string_lossy().ends_with(".part"))
            .count()
    };
    wait_for("a backup under way", || site.log(), async || parts() == 1).await;
    child.kill().unwrap();
    child.wait().unwrap();
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(parts(), 1, "it was killed before its end");
    assert_eq!(
        site.must(&["backup", "list"])
            .matches(" full  repository")
            .count(),
        1
    );
    let target = site.path("new");
    site.must(&["restore", "--target", text(&target)]);
    site.must(&["backup", "full"]);
    assert_eq!(parts(), 0);
    assert_eq!(
        site.must(&["backup", "list"])
            .matches(" full  repository")
            .count(),
        2
    );
    site.must(&["backup", "verify"]);
    site.all_clear().await;
}

#[tokio::test]
async fn neither_way_goes_on_with_a_repository_of_the_other() {
    let mut site = Site::start(BUILTIN);
    site.first_backup().await;
    site.stop();
    let set = |site: &mut Site, program: &str| {
        site.settings.retain(|(name, _)| !name.ends_with("__PROGRAM"));
        site.settings
            .push(("SECUREGUARD_BACKUP__PROGRAM", program.to_owned()));
    };
    set(&mut site, "pgbackrest");
    site.start_again();
    site.alarm("repository", "was made by the built-in way").await;
    let (went_well, words) = site.verb(&["backup", "full"]);
    assert!(
        !went_well && words.contains("set backup.program to \"builtin\""),
        "{words}"
    );
    site.stop();
    // pgBackRest is there, and the repository decides.
    set(&mut site, "auto");
    site.start_again();
    site.archive().await;
    site.must(&["backup", "full"]);
    site.all_clear().await;
    site.stop();

    std::fs::create_dir_all(site.path("of-pgbackrest/archive")).unwrap();
    site.settings.retain(|(name, _)| !name.ends_with("__REPOSITORY"));
    let other = site.path("of-pgbackrest").display().to_string();
    site.settings.push(("SECUREGUARD_BACKUP__REPOSITORY", other));
    set(&mut site, "builtin");
    let (went_well, words) = site.verb(&["backup", "list"]);
    assert!(!went_well && words.contains("was made by pgBackRest"), "{words}");
    site.settings
        .push(("SECUREGUARD_BACKUP__SECOND_REPOSITORY", "s3".to_owned()));
    let (went_well, words) = site.verb(&["backup", "list"]);
    assert!(
        !went_well && words.contains("a bucket needs pgBackRest"),
        "{words}"
    );
}
