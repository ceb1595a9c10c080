//! Who PostgreSQL runs as.

use std::os::unix::fs::MetadataExt;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::process::Command;

use crate::support::{scratch, sql, start};

#[test]
fn postgresql_never_runs_as_root() {
    let scratch = scratch();
    let cluster = start(&scratch.path().join("below/a/private/folder")).unwrap();
    let uid = std::fs::metadata(format!("/proc/{}", cluster.pid()))
        .unwrap()
        .uid();
    let me = rustix::process::geteuid().as_raw();
    assert_ne!(uid, 0);
    assert!(me == 0 || uid == me);
    assert_eq!(sql(&cluster, "select 1"), "1");
    let status = std::fs::read_to_string(format!("/proc/{}/status", cluster.pid())).unwrap();
    let groups = status
        .lines()
        .find_map(|l| l.strip_prefix("Groups:"))
        .unwrap()
        .trim()
        .to_owned();
    assert!(
        me != 0 || groups.is_empty(),
        "root's groups are given up: {groups}"
    );
}

#[test]
fn the_whole_suite_also_passes_as_a_plain_user() {
    const NOBODY: u32 = 65534;
    if !rustix::process::geteuid().is_root() {
        return;
    }
    let scratch = scratch();
    std::fs::set_permissions(scratch.path(), std::fs::Permissions::from_mode(0o755)).unwrap();
    let program = scratch.path().join("it");
    std::fs::copy(std::env::current_exe().unwrap(), &program).unwrap();
    let home = scratch.path().join("tmp");
    std::fs::create_dir(&home).unwrap();
    std::os::unix::fs::chown(&home, Some(NOBODY), Some(NOBODY)).unwrap();
    let output = Command::new(&program)
        .args(["--test-threads", "2"])
        .env_clear()
        .env("PATH", "/usr/bin:/bin")
        .envs(
            ["PG_BIN", "SECUREGUARD_TEST_PGBACKREST"]
                .iter()
                .filter_map(|name| Some((name, std::env::var_os(name)?))),
        )
        .env("TMPDIR", &home)
        .uid(NOBODY)
        .gid(NOBODY)
        .current_dir("/")
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stdout)
    );
}

#[test]
fn a_cluster_of_another_user_is_refused() {
    if !rustix::process::geteuid().is_root() {
        return;
    }
    let scratch = scratch();
    drop(start(scratch.path()).unwrap());
    std::os::unix::fs::chown(scratch.path().join("postgres"), Some(12345), Some(12345)).unwrap();
    let message = start(scratch.path()).unwrap_err().to_string();
    assert!(message.contains("belongs to user 12345"), "{message}");
}
