//! What goes wrong, each with an alarm in words that say what to do, and with its end.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::{Site, count, run};

fn chmod(path: &Path, mode: u32) {
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
}

#[tokio::test]
async fn a_repository_that_cannot_be_reached_loses_nothing() {
    let site = Site::start(&[]);
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
    site.must(&["backup", "incr"]);
    site.must(&["backup", "verify"]);
    site.all_clear().await;
}

#[tokio::test]
async fn a_wrong_pass_is_told_from_a_broken_repository() {
    let mut site = Site::start(&[]);
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
    let site = Site::start(&[]);
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
    let (_, words) = site.verb(&["restore", "--target", target.to_str().unwrap()]);
    assert!(!words.contains("panicked"), "{words}");
    site.must(&["backup", "full"]);
    let (went_well, words) = site.verb(&["backup", "verify"]);
    assert!(went_well, "what lies behind the newest backup is whole: {words}");
    site.all_clear().await;
}

#[tokio::test]
async fn a_corrupt_page_makes_a_backup_fail_and_a_repaired_one_clears_it() {
    let site = Site::start(&[]);
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
async fn a_server_without_pgbackrest_serves_and_says_what_to_install() {
    let site = Site::start(&[("SECUREGUARD_BACKUP__PGBACKREST", "/nowhere/pgbackrest")]);
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

fn archived(dir: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(dir).unwrap().flatten() {
        let path = entry.path();
        if path.is_dir() {
            found.extend(archived(&path));
        } else if path.to_string_lossy().contains("/archive/")
            && path.file_name().unwrap().to_string_lossy().contains('-')
            && path.extension().is_some_and(|extension| extension == "zst")
        {
            found.push(path);
        }
    }
    found
}
