//! Every refusal says what to do and changes nothing.

use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

use sg_postgres::{Error, Search, find};

use crate::support::{binaries, scratch, sql, start};

#[test]
fn a_foreign_directory_is_refused_untouched() {
    for (kind, make) in [
        (
            "somebody's folder",
            (|dir: &Path| std::fs::create_dir_all(dir.join("photos")).unwrap()) as fn(&Path),
        ),
        ("a cluster of its own", |dir| {
            std::fs::write(dir.join("PG_VERSION"), "15\n").unwrap()
        }),
        ("a folder of one of our names", |dir| {
            std::fs::create_dir(dir.join("log")).unwrap()
        }),
        ("another program's lock", |dir| {
            std::fs::write(dir.join("lock"), "mine").unwrap()
        }),
    ] {
        let scratch = scratch();
        make(scratch.path());
        let before = listing(scratch.path());
        let error = start(scratch.path()).expect_err(kind);
        assert!(matches!(error, Error::Foreign { .. }), "{kind}: {error}");
        assert_eq!(listing(scratch.path()), before, "{kind}");
    }
}

#[test]
fn loose_files_are_no_reason_to_refuse() {
    let scratch = scratch();
    std::fs::write(scratch.path().join("up.log"), "starting\n").unwrap();
    assert_eq!(sql(&start(scratch.path()).unwrap(), "select 1"), "1");
}

#[test]
fn a_folder_in_the_clusters_place_is_refused_untouched() {
    let scratch = scratch();
    drop(start(scratch.path()).unwrap());
    let place = scratch.path().join("postgres");
    std::fs::rename(&place, scratch.path().join("postgres.aside")).unwrap();
    std::fs::create_dir(&place).unwrap();
    std::fs::write(place.join("letter.txt"), "dear").unwrap();
    let message = start(scratch.path()).unwrap_err().to_string();
    assert!(message.contains("holds no PostgreSQL cluster"), "{message}");
    assert_eq!(std::fs::read_to_string(place.join("letter.txt")).unwrap(), "dear");
}

#[test]
fn another_major_version_is_refused() {
    let scratch = scratch();
    drop(start(scratch.path()).unwrap());
    let marker = scratch.path().join("postgres/PG_VERSION");
    std::fs::write(&marker, "14\n").unwrap();
    let message = start(scratch.path()).unwrap_err().to_string();
    assert!(message.contains("was made by PostgreSQL 14"), "{message}");
    std::fs::write(&marker, format!("{}\n", binaries().version.major)).unwrap();
    assert_eq!(sql(&start(scratch.path()).unwrap(), "select 1"), "1");
}

#[test]
fn a_cluster_that_others_may_read_is_refused() {
    let scratch = scratch();
    drop(start(scratch.path()).unwrap());
    let dir = scratch.path().join("postgres");
    std::fs::set_permissions(&dir, std::fs::Permissions::from_mode(0o755)).unwrap();
    let message = start(scratch.path()).unwrap_err().to_string();
    assert!(
        message.contains("has mode 0755") && message.contains("chmod 0700"),
        "{message}"
    );
}

#[test]
fn a_lost_password_is_said() {
    let scratch = scratch();
    drop(start(scratch.path()).unwrap());
    std::fs::remove_file(scratch.path().join("secrets/postgres-superuser")).unwrap();
    let message = start(scratch.path()).unwrap_err().to_string();
    assert!(message.contains("postgres-superuser is missing"), "{message}");
}

#[test]
fn a_failed_start_shows_the_end_of_the_log() {
    let scratch = scratch();
    drop(start(scratch.path()).unwrap());
    std::fs::write(
        scratch.path().join("postgres/local.conf"),
        "shared_buffers = 'plenty'\n",
    )
    .unwrap();
    std::fs::set_permissions(
        scratch.path().join("postgres/local.conf"),
        std::fs::Permissions::from_mode(0o644),
    )
    .unwrap();
    let message = start(scratch.path()).unwrap_err().to_string();
    assert!(
        message.contains("shared_buffers") && message.contains("postgresql.log"),
        "{message}"
    );
}

#[test]
fn a_full_disk_is_said_before_anything_is_made() {
    if !rustix::process::geteuid().is_root() {
        // A file system of its own can only be mounted by root; the suite also runs as root in `users`.
        return;
    }
    let scratch = scratch();
    let mount = |options: &str| {
        let status = Command::new("mount")
            .args(["-t", "tmpfs", "-o", options, "tmpfs"])
            .arg(scratch.path())
            .status();
        status.is_ok_and(|s| s.success())
    };
    if !mount("size=120m,mode=0700") {
        return;
    }
    let message = start(scratch.path()).map(|_| ()).map_err(|e| e.to_string());
    assert!(mount("remount,size=400m"));
    let cluster = start(scratch.path()).map(|cluster| {
        sql(&cluster, "create table t as select 1 as v");
        drop(cluster);
        // Everything that is left goes to somebody else's file.
        let _ = Command::new("dd")
            .args(["if=/dev/zero", "bs=64k"])
            .arg(format!("of={}/filler", scratch.path().display()))
            .output();
        let full = start(scratch.path()).map(|_| ()).map_err(|e| e.to_string());
        std::fs::remove_file(scratch.path().join("filler")).unwrap();
        let value = start(scratch.path()).map(|cluster| sql(&cluster, "select v from t"));
        (full, value.map_err(|e| e.to_string()))
    });
    assert!(
        Command::new("umount")
            .arg(scratch.path())
            .status()
            .unwrap()
            .success()
    );
    let message = message.unwrap_err();
    assert!(
        message.contains("MB free, a new database needs 200 MB"),
        "{message}"
    );
    let (full, value) = cluster.unwrap();
    let full = full.unwrap_err();
    assert!(
        full.contains("No space left") || full.contains("free some space"),
        "{full}"
    );
    assert_eq!(value.unwrap(), "1", "nothing was lost");
}

#[test]
fn unusable_and_old_binaries_are_named() {
    let scratch = scratch();
    let message = find(Some(scratch.path())).unwrap_err().to_string();
    assert!(
        message.contains("there is no `postgres`") && message.contains("PG_BIN"),
        "{message}"
    );

    let fake = |name: &str, text: &str| {
        let path = scratch.path().join(name);
        std::fs::write(&path, format!("#!/bin/sh\necho '{text}'\n")).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
    };
    fake("initdb", "");
    fake("postgres", "postgres (PostgreSQL) 14.9");
    let message = find(Some(scratch.path())).unwrap_err().to_string();
    assert!(
        message.contains("14.9") && message.contains("15 or newer"),
        "{message}"
    );
    fake("postgres", "error while loading shared libraries");
    let message = find(Some(scratch.path())).unwrap_err().to_string();
    assert!(message.contains("shared libraries"), "{message}");
}

#[test]
fn the_search_finds_this_machines_postgresql() {
    let explicit = binaries();
    assert!(explicit.version.major >= 15);
    let root = scratch();
    let nested = root
        .path()
        .join("usr/lib/postgresql")
        .join(explicit.version.major.to_string());
    std::fs::create_dir_all(&nested).unwrap();
    std::os::unix::fs::symlink(&explicit.bin_dir, nested.join("bin")).unwrap();
    let found = Search {
        extra: vec![root.path().to_owned()],
        ..Search::default()
    }
    .run()
    .unwrap();
    assert!(found.version.major >= 15);
}

fn listing(dir: &Path) -> BTreeMap<String, u32> {
    let entries = std::fs::read_dir(dir).unwrap().map(Result::unwrap);
    entries
        .map(|e| {
            (
                e.file_name().into_string().unwrap(),
                e.metadata().unwrap().permissions().mode(),
            )
        })
        .collect()
}
