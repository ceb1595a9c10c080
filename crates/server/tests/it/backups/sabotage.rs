//! What goes wrong, each with an alarm in words that say what to do, and with its end.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use sqlx::Connection as _;

use super::{BUILTIN, Site, Way, count, run, wait_for};
use crate::notifications::listeners::Listeners;
use crate::up::Up;

fn chmod(path: &Path, mode: u32) {
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
}

#[tokio::test]
async fn a_repository_that_cannot_be_reached_loses_nothing() {
    let (listeners, dir) = (Listeners::start().await, crate::up::folder());
    let settings = listeners.settings(dir.path());
    let settings: Vec<_> = settings
        .iter()
        .map(|(name, value)| (*name, value.as_str()))
        .collect();
    let site = Site::start(&settings);
    let password = site.up().ready["admin"]["password"].as_str().unwrap().to_owned();
    let token = listeners.join_program(site.up(), &password).await;
    // Somebody else tries the database meanwhile.
    let socket = std::fs::read_to_string(site.data().join("secrets/socket")).unwrap();
    let mut lines = socket.lines();
    let stranger = sqlx::postgres::PgConnectOptions::new()
        .socket(lines.next().unwrap())
        .port(lines.next().unwrap().parse().unwrap())
        .username("sg_app")
        .password("a guess")
        .database("secureguard");
    assert!(sqlx::PgConnection::connect_with(&stranger).await.is_err());
    let site = lose_the_repository(site).await;
    for subject in ["repository", "archiving"] {
        let words = format!("Installation alert backup failure about {subject}");
        listeners.hear(&[&words, "firing"]).await;
        listeners.hear(&[&words, "is over"]).await;
    }
    let words = "Installation alert unauthorized database access: sg_app@secureguard: password authentication failed for user";
    listeners.hear(&[words]).await;
    shorten_the_window(&site, &token).await;
    listeners.hear(&[words, "– over"]).await;
    assert_eq!(listeners.heard(&[words]), [2, 2, 2]);
}

/// Refused connections count for a second only.
pub(super) async fn shorten_the_window(site: &Site, token: &str) {
    let rules = site.up().url("/api/v1/monitoring/alert-rules");
    let answer = crate::up::client()
        .get(format!("{rules}?installation=true"))
        .bearer_auth(token)
        .send()
        .await
        .unwrap();
    let page: serde_json::Value = answer.json().await.unwrap();
    let rule = page["items"]
        .as_array()
        .unwrap()
        .iter()
        .find(|rule| rule["kind"] == "unauthorized_database_access")
        .unwrap();
    let answer = crate::up::client()
        .patch(format!("{rules}/{}", rule["rule_id"].as_str().unwrap()))
        .bearer_auth(token)
        .json(&serde_json::json!({ "window_seconds": 1 }))
        .send()
        .await
        .unwrap();
    assert_eq!(answer.status(), 200);
}

#[tokio::test]
async fn a_repository_of_the_built_in_way_that_cannot_be_reached_loses_nothing() {
    lose_the_repository(Site::start(BUILTIN)).await;
}

async fn lose_the_repository(site: Site) -> Site {
    site.first_backup().await;
    site.archive().await;
    let repository = site.path("repository");
    chmod(&repository, 0);
    let mut conn = site.connect().await;
    run(
        &mut conn,
        "create table public.meanwhile as select generate_series(1, 1000) n",
    )
    .await;
    site.alarm("repository", "the repository cannot be read or written")
        .await;
    site.alarm("archiving", "nothing is lost as long as this machine lives")
        .await;
    let (went_well, words) = site.verb(&["backup", "full"]);
    assert!(!went_well && words.contains("is its disk mounted"), "{words}");
    let kept = count(
        &mut conn,
        "select count(*) from pg_ls_archive_statusdir() where name like '%.ready'",
    )
    .await;
    assert!(kept > 0, "PostgreSQL keeps what was not archived");
    chmod(&repository, 0o700);
    site.archive().await;
    site.must(&["backup", "full"]);
    site.must(&["backup", "verify"]);
    site.all_clear().await;
    site
}

#[tokio::test]
async fn a_wrong_pass_is_told_from_a_broken_repository() {
    take_another_pass(&[]).await;
}

#[tokio::test]
async fn a_wrong_pass_is_told_without_pgbackrest_too() {
    take_another_pass(BUILTIN).await;
}

async fn take_another_pass(way: Way) {
    let mut site = Site::start(way);
    site.first_backup().await;
    site.stop();
    let pass = site.data().join("keys/backup.pass");
    let right = std::fs::read(&pass).unwrap();
    std::fs::write(&pass, "0123456789abcdef0123456789abcdef\n").unwrap();
    site.start_again();
    site.alarm("repository", "the pass does not open the repository")
        .await;
    let target = site.path("new");
    let (went_well, words) = site.verb(&["restore", "--target", target.to_str().unwrap()]);
    assert!(
        !went_well && words.contains("the pass does not open the repository"),
        "{words}"
    );
    assert!(!words.contains("0123456789abcdef"), "{words}");
    site.stop();
    std::fs::remove_file(&pass).unwrap();
    let refused = site.command(&["up", "--listen", "127.0.0.1:0"]).output().unwrap();
    let words = String::from_utf8_lossy(&refused.stderr);
    assert!(
        !refused.status.success() && words.contains("put back the pass file"),
        "{words}"
    );
    assert!(!pass.exists(), "none is made for a repository in use");
    std::fs::write(&pass, right).unwrap();
    chmod(&pass, 0o600);
    site.start_again();
    site.archive().await;
    site.all_clear().await;
}

#[tokio::test]
async fn a_gap_in_the_archive_is_found_and_a_backup_closes_it() {
    tear_the_archive(&[]).await;
}

#[tokio::test]
async fn a_gap_in_the_built_in_archive_is_found_and_a_backup_closes_it() {
    tear_the_archive(BUILTIN).await;
}

async fn tear_the_archive(way: Way) {
    let site = Site::start(way);
    site.first_backup().await;
    for _ in 0..3 {
        let mut conn = site.connect().await;
        run(&mut conn, "create table if not exists public.filler (n int); insert into public.filler select generate_series(1, 1000)").await;
        site.archive().await;
    }
    let mut segments = archived(&site.path("repository"));
    segments.sort();
    let victim = &segments[segments.len() - 2];
    std::fs::remove_file(victim).unwrap();
    let (went_well, words) = site.verb(&["backup", "verify"]);
    assert!(
        !went_well && words.contains("1 segments of the write-ahead log are missing"),
        "{words}"
    );
    site.alarm("verification", "make a backup now").await;
    let target = site.path("new");
    let (went_well, words) = site.verb(&["restore", "--target", target.to_str().unwrap()]);
    assert!(!words.contains("panicked"), "{words}");
    if way == BUILTIN {
        // The hole is not taken for the end of the log, as a missing file alone would be.
        assert!(
            !went_well && words.contains("later segments are there"),
            "{words}"
        );
    }
    site.must(&["backup", "full"]);
    let (went_well, words) = site.verb(&["backup", "verify"]);
    assert!(went_well, "what lies behind the newest backup is whole: {words}");
    site.all_clear().await;
}

#[tokio::test]
async fn a_corrupt_page_makes_a_backup_fail_and_a_repaired_one_clears_it() {
    damage_a_page(&[]).await;
}

#[tokio::test]
async fn a_corrupt_page_makes_a_backup_of_the_built_in_way_fail() {
    damage_a_page(BUILTIN).await;
}

async fn damage_a_page(way: Way) {
    let site = Site::start(way);
    site.first_backup().await;
    let mut conn = site.connect().await;
    run(
        &mut conn,
        "create table public.victim as select n, repeat('x', 500) as text from generate_series(1, 1000) n",
    )
    .await;
    run(&mut conn, "checkpoint").await;
    let file: String = sqlx::query_scalar("select pg_relation_filepath('public.victim')")
        .fetch_one(&mut conn)
        .await
        .unwrap();
    let file = site.data().join("postgres").join(file);
    let whole = std::fs::read(&file).unwrap();
    let mut damaged = whole.clone();
    damaged[8_192 * 3 + 4_000] ^= 0xff;
    std::fs::write(&file, &damaged).unwrap();
    let (went_well, words) = site.verb(&["backup", "full"]);
    assert!(
        !went_well && words.contains("do not fit their checksums"),
        "{words}"
    );
    site.alarm("backup", "do not fit their checksums").await;
    std::fs::write(&file, &whole).unwrap();
    site.must(&["backup", "full"]);
    site.all_clear().await;
}

#[tokio::test]
async fn a_server_that_is_to_use_pgbackrest_and_lacks_it_serves_and_says_what_to_install() {
    let site = Site::start(&[
        ("SECUREGUARD_BACKUP__PROGRAM", "pgbackrest"),
        ("SECUREGUARD_BACKUP__PGBACKREST", "/nowhere/pgbackrest"),
    ]);
    site.alarm("repository", "install it (on Debian: apt-get install pgbackrest)")
        .await;
    let (went_well, words) = site.verb(&["backup", "full"]);
    assert!(
        !went_well && words.contains("apt-get install pgbackrest"),
        "{words}"
    );
    let (_, words) = site.verb(&["doctor"]);
    assert!(words.contains("apt-get install pgbackrest"), "{words}");
    let mut conn = site.connect().await;
    run(&mut conn, "select pg_switch_wal()").await;
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert!(
        count(
            &mut conn,
            "select count(*) from pg_ls_archive_statusdir() where name like '%.ready'"
        )
        .await
            > 0
    );
}

#[tokio::test]
async fn a_full_disk_of_the_repository_is_told_and_nothing_is_lost() {
    fill_the_disk(&[]).await;
}

#[tokio::test]
async fn a_full_disk_of_the_built_in_repository_is_told_and_nothing_is_lost() {
    fill_the_disk(BUILTIN).await;
}

/// The repository is a file system of 48 MB that only the server's processes see.
async fn fill_the_disk(way: Way) {
    let mut site = Site::start(way);
    site.stop();
    let repository = site.path("small");
    std::fs::create_dir(&repository).unwrap();
    let place = repository.to_str().unwrap().to_owned();
    std::fs::remove_file(site.data().join("keys/backup.pass")).unwrap();
    site.settings.retain(|(name, _)| !name.ends_with("__REPOSITORY"));
    site.settings
        .push(("SECUREGUARD_BACKUP__REPOSITORY", place.clone()));
    let is_root = rustix::process::geteuid().is_root();
    let own = ["--user", "--map-current-user", "--keep-caps", "--mount"];
    let mut command = Command::new("unshare");
    command.args(if is_root { &own[3..] } else { &own[..] }).args([
        "sh",
        "-c",
        "mount -t tmpfs -o size=48m,mode=1777 tmpfs \"$1\" && shift && exec \"$@\"",
        "sh",
        place.as_str(),
        env!("CARGO_BIN_EXE_secureguard"),
    ]);
    command.stdout(Stdio::null());
    let mut up = Up::spawn_by(command, site.dir.path(), &[], &site.settings);
    up.wait_until_ready(site.dir.path());
    let pid = up.pid().to_string();
    site.up = Some(up);
    let inside = |arguments: &[&str]| {
        let mut command = Command::new("nsenter");
        command.args(["--target", &pid]);
        command.args(if is_root {
            &["--mount"][..]
        } else {
            &["--user", "--preserve-credentials", "--mount"][..]
        });
        let output = command
            .args(arguments)
            .envs(site.settings.iter().map(|(name, value)| (name, value)))
            .output()
            .unwrap();
        let words =
            String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
        (output.status.success(), words)
    };
    site.first_backup().await;
    let mut conn = site.connect().await;
    run(
        &mut conn,
        "create table public.noise as select n, string_agg(gen_random_uuid()::text, '') as t
         from generate_series(1, 15000) n, generate_series(1, 300) g group by n",
    )
    .await;
    site.alarm("archiving", "is full; give it more room").await;
    let data = site.data().display().to_string();
    let secureguard = env!("CARGO_BIN_EXE_secureguard");
    run(
        &mut conn,
        "insert into public.noise values (0, 'written while the disk was full')",
    )
    .await;

    let (grown, words) = inside(&["mount", "-o", "remount,size=1g", &place]);
    assert!(grown, "{words}");
    site.archive().await;
    let (made, words) = inside(&[secureguard, "backup", "full", "--data-dir", &data]);
    assert!(made, "{words}");
    let (verified, words) = inside(&[secureguard, "backup", "verify", "--data-dir", &data]);
    assert!(verified, "no segment is missing: {words}");
    site.all_clear().await;
    assert_eq!(
        count(&mut conn, "select count(*) from public.noise").await,
        15_001
    );
}

#[tokio::test]
async fn a_certificate_that_has_ended_is_told() {
    let dir = crate::up::folder();
    let (certificate, key) = (dir.path().join("own.pem"), dir.path().join("own.key"));
    let mut params = rcgen::CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
    params.not_before = rcgen::date_time_ymd(2020, 1, 1);
    params.not_after = rcgen::date_time_ymd(2021, 1, 1);
    let pair = rcgen::KeyPair::generate().unwrap();
    std::fs::write(&certificate, params.self_signed(&pair).unwrap().pem()).unwrap();
    std::fs::write(&key, pair.serialize_pem()).unwrap();
    chmod(&key, 0o600);
    let mut site = Site::start(&[
        ("SECUREGUARD_BACKUP__REPOSITORY", ""),
        ("SECUREGUARD_TLS__CERT_FILE", certificate.to_str().unwrap()),
        ("SECUREGUARD_TLS__KEY_FILE", key.to_str().unwrap()),
    ]);
    let firing = "select count(*) from monitoring.alerts a join monitoring.alert_rules r using (rule_id)
        where r.kind = 'certificate_expiry' and a.state = 'firing' and a.last_value < 0";
    let mut conn = site.connect().await;
    wait_for(
        "the alert",
        || site.log(),
        async || count(&mut conn, firing).await == 1,
    )
    .await;
    drop(conn);
    site.stop();
    params.not_after = rcgen::date_time_ymd(2099, 1, 1);
    std::fs::write(&certificate, params.self_signed(&pair).unwrap().pem()).unwrap();
    site.start_again();
    let mut conn = site.connect().await;
    wait_for(
        "its end",
        || site.log(),
        async || count(&mut conn, firing).await == 0,
    )
    .await;
}

pub(super) fn archived(dir: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(dir).unwrap().flatten() {
        let path = entry.path();
        if path.is_dir() {
            found.extend(archived(&path));
        } else if ["/archive/", "/wal/"]
            .iter()
            .any(|folder| path.to_string_lossy().contains(folder))
            && is_segment(&path.file_name().unwrap().to_string_lossy())
        {
            found.push(path);
        }
    }
    found
}

/// `<segment>-<checksum>.zst` of pgBackRest, `<segment>` of the built-in way.
fn is_segment(name: &str) -> bool {
    let segment = name.split('-').next().unwrap();
    segment.len() == 24 && segment.chars().all(|c| c.is_ascii_hexdigit())
}
