//! What a killed run leaves behind.

use std::os::unix::fs::MetadataExt;

use rustix::process::Signal;

use crate::support::{Holder, eventually, is_running, scratch, signal, sql, start};

#[test]
fn a_second_start_is_refused_and_harms_nothing() {
    let scratch = scratch();
    let first = start(scratch.path()).unwrap();
    let message = start(scratch.path()).unwrap_err().to_string();
    assert!(message.contains("another SecureGuard uses"), "{message}");
    assert!(
        message.contains(&format!("pid {}", std::process::id())),
        "{message}"
    );
    assert_eq!(sql(&first, "select 1"), "1");
}

#[test]
fn postgresql_ends_with_the_killed_process_that_started_it() {
    let scratch = scratch();
    let holder = Holder::start(scratch.path());
    assert!(is_running(holder.postmaster));
    let postmaster = holder.kill();
    eventually("PostgreSQL ends", || !is_running(postmaster));
}

#[test]
fn a_start_right_after_a_kill_works() {
    let scratch = scratch();
    drop(start(scratch.path()).unwrap());
    for _ in 0..3 {
        let postmaster = Holder::start(scratch.path()).kill();
        let cluster = start(scratch.path()).unwrap();
        assert!(!is_running(postmaster));
        assert_eq!(sql(&cluster, "select 1"), "1");
    }
}

#[test]
fn a_postmaster_that_outlived_its_server_is_ended() {
    let scratch = scratch();
    let holder = Holder::start(scratch.path());
    // Stopped, it cannot react to the death signal of its parent before the next start meets it.
    signal(Signal::STOP, holder.postmaster);
    let postmaster = holder.kill();
    assert!(is_running(postmaster));
    let waker = std::thread::spawn(move || {
        std::thread::sleep(std::time::Duration::from_millis(500));
        signal(Signal::CONT, postmaster);
    });
    let cluster = start(scratch.path()).unwrap();
    waker.join().unwrap();
    assert!(!is_running(postmaster));
    assert_eq!(sql(&cluster, "select 1"), "1");
}

#[test]
fn backends_that_outlived_their_postmaster_are_ended() {
    let scratch = scratch();
    let mut cluster = start(scratch.path()).unwrap();
    let backend: i32 = sql(
        &cluster,
        "select pid from pg_stat_activity where backend_type = 'checkpointer'",
    )
    .parse()
    .unwrap();
    signal(Signal::STOP, backend);
    signal(Signal::KILL, cluster.pid());
    eventually("the postmaster ends", || !is_running(cluster.pid()));
    assert!(cluster.has_exited().is_some());
    drop(cluster);
    let waker = std::thread::spawn(move || {
        std::thread::sleep(std::time::Duration::from_millis(500));
        signal(Signal::CONT, backend);
    });
    let cluster = start(scratch.path()).unwrap();
    waker.join().unwrap();
    assert!(!is_running(backend));
    assert_eq!(sql(&cluster, "select 1"), "1");
}

#[test]
fn a_stale_pid_file_does_not_stop_a_start() {
    let scratch = scratch();
    drop(start(scratch.path()).unwrap());
    let cluster_dir = scratch.path().join("postgres");
    let owner = std::fs::metadata(&cluster_dir).unwrap();
    // A process of the same user that is not PostgreSQL, as after a reboot that gave the number to another program.
    let mut sleeper = std::process::Command::new("sleep");
    sleeper.arg("60");
    if rustix::process::geteuid().is_root() {
        use std::os::unix::process::CommandExt;
        sleeper.uid(owner.uid()).gid(owner.gid());
    }
    let mut sleeper = sleeper.spawn().unwrap();
    for pid in [sleeper.id(), 4_000_000] {
        let pid_file = cluster_dir.join("postmaster.pid");
        std::fs::write(
            &pid_file,
            format!("{pid}\n{}\n0\n5432\n/tmp\n\n1 1\nready\n", cluster_dir.display()),
        )
        .unwrap();
        std::os::unix::fs::chown(&pid_file, Some(owner.uid()), Some(owner.gid())).unwrap();
        let cluster = start(scratch.path()).unwrap();
        assert_eq!(sql(&cluster, "select 1"), "1");
    }
    assert!(
        sleeper.try_wait().unwrap().is_none(),
        "the other program was left alone"
    );
    sleeper.kill().unwrap();
    sleeper.wait().unwrap();
}

#[test]
fn a_half_finished_initdb_is_redone() {
    let scratch = scratch();
    drop(start(scratch.path()).unwrap());
    let (finished, unfinished) = (
        scratch.path().join("postgres"),
        scratch.path().join("postgres.new"),
    );
    std::fs::rename(&finished, &unfinished).unwrap();
    std::fs::remove_file(unfinished.join("global/pg_control")).unwrap();
    let cluster = start(scratch.path()).unwrap();
    assert!(!unfinished.exists());
    assert_eq!(sql(&cluster, "select 1"), "1");
}
