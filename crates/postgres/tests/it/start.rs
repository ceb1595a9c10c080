//! A cluster that starts, serves and stops.

use std::os::unix::fs::PermissionsExt;
use std::time::{Duration, Instant};

use secrecy::{ExposeSecret, SecretString};
use sg_postgres::{Cluster, ClusterOptions, scram_verifier};

use crate::support::{binaries, options, psql, scratch, signal, sql, start};

#[test]
fn a_new_cluster_serves_and_keeps_its_data() {
    let scratch = scratch();
    let dir = scratch.path().join("data");
    let cluster = start(&dir).unwrap();
    let password = cluster.superuser_password().expose_secret().to_owned();
    sql(
        &cluster,
        "create table t (v text); insert into t values ('grüße')",
    );
    cluster.stop().unwrap();

    let cluster = start(&dir).unwrap();
    assert_eq!(cluster.superuser_password().expose_secret(), password);
    assert_eq!(sql(&cluster, "select v from t"), "grüße");
    let facts = "select current_setting('data_checksums'), current_setting('server_encoding'), \
        current_setting('password_encryption'), current_setting('listen_addresses'), \
        current_setting('log_parameter_max_length'), current_setting('log_parameter_max_length_on_error')";
    assert_eq!(sql(&cluster, facts), "on|UTF8|scram-sha-256||0|0");
    let locale = "select datcollate, datctype from pg_database where datname = 'template1'";
    assert_eq!(sql(&cluster, locale), "C|C.UTF-8");
}

#[test]
fn a_durable_cluster_keeps_fsync() {
    let scratch = scratch();
    let cluster = Cluster::start(&binaries(), &ClusterOptions::new(scratch.path())).unwrap();
    assert_eq!(
        sql(
            &cluster,
            "select current_setting('fsync'), current_setting('synchronous_commit')"
        ),
        "on|on"
    );
    assert_eq!(
        sql(
            &cluster,
            "select current_setting('wal_compression'), current_setting('checkpoint_timeout'), current_setting('max_connections')"
        ),
        "lz4|15min|100"
    );
    let kept: u64 = sql(
        &cluster,
        "select pg_size_bytes(current_setting('shared_buffers')) / 1048576",
    )
    .parse()
    .unwrap();
    assert!((128..=8_192).contains(&kept), "{kept} MB, by the machine");
}

#[test]
fn nobody_connects_without_the_password() {
    let scratch = scratch();
    let cluster = start(scratch.path()).unwrap();
    for wrong in ["", "postgres"] {
        let output = psql(&cluster, wrong, "select 1");
        assert!(!output.status.success(), "password {wrong:?} was accepted");
    }
    let methods = sql(
        &cluster,
        "select string_agg(distinct type || ' ' || auth_method, ',') from pg_hba_file_rules",
    );
    assert_eq!(methods, "local scram-sha-256");
}

#[test]
fn nothing_is_readable_by_others() {
    let scratch = scratch();
    let dir = scratch.path().join("data");
    let cluster = start(&dir).unwrap();
    for name in [
        "",
        "postgres",
        "secrets",
        "secrets/postgres-superuser",
        "run",
        "run/.s.PGSQL.5432",
        "log",
        "log/postgresql.log",
    ] {
        let mode = std::fs::metadata(dir.join(name)).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode & 0o077, 0, "{name:?} has mode {mode:o}");
    }
    let log = std::fs::read_to_string(cluster.log_path()).unwrap();
    assert!(log.contains("ready to accept connections"), "{log}");
    assert!(!log.contains(cluster.superuser_password().expose_secret()));
}

#[test]
fn a_verifier_is_as_good_as_the_password() {
    let scratch = scratch();
    let cluster = start(scratch.path()).unwrap();
    let verifier = scram_verifier(&SecretString::from("a 'new' one"));
    sql(&cluster, &format!("alter role postgres password '{verifier}'"));
    assert!(psql(&cluster, "a 'new' one", "select 1").status.success());
    assert!(
        !psql(&cluster, cluster.superuser_password().expose_secret(), "select 1")
            .status
            .success()
    );
}

#[test]
fn callers_and_administrators_settings_apply_but_not_to_what_is_fixed() {
    let scratch = scratch();
    let mut options = options(scratch.path());
    options.settings.push(("work_mem".into(), "3MB".into()));
    options
        .settings
        .push(("listen_addresses".into(), "127.0.0.1".into()));
    let cluster = Cluster::start(&binaries(), &options).unwrap();
    assert_eq!(
        sql(
            &cluster,
            "select current_setting('work_mem'), current_setting('listen_addresses')"
        ),
        "3MB|"
    );
    sql(&cluster, "alter system set log_parameter_max_length = -1");
    cluster.stop().unwrap();
    let local = scratch.path().join("postgres/local.conf");
    std::fs::write(&local, "work_mem = '5MB'\n").unwrap();
    std::fs::set_permissions(&local, std::fs::Permissions::from_mode(0o644)).unwrap();
    let cluster = Cluster::start(&binaries(), &options).unwrap();
    assert_eq!(
        sql(
            &cluster,
            "select current_setting('work_mem'), current_setting('log_parameter_max_length')"
        ),
        "5MB|0"
    );
}

#[test]
fn a_long_path_gets_a_short_socket() {
    let scratch = scratch();
    let dir = scratch.path().join("d".repeat(120));
    let cluster = start(&dir).unwrap();
    let socket_dir = cluster.socket_dir().to_owned();
    assert_eq!(sql(&cluster, "select 1"), "1");
    assert_eq!(
        std::fs::metadata(&socket_dir).unwrap().permissions().mode() & 0o777,
        0o700
    );
    cluster.stop().unwrap();
    assert!(!socket_dir.exists(), "{} is removed", socket_dir.display());
}

#[test]
fn odd_characters_in_the_path_do_no_harm() {
    let scratch = scratch();
    let dir = scratch.path().join("it's, \"odd\" §");
    let cluster = start(&dir).unwrap();
    assert_eq!(sql(&cluster, "select 1"), "1");
}

#[test]
fn the_end_of_postgresql_is_noticed() {
    let scratch = scratch();
    let mut cluster = start(scratch.path()).unwrap();
    assert!(cluster.has_exited().is_none());
    signal(rustix::process::Signal::KILL, cluster.pid());
    let began = Instant::now();
    while cluster.has_exited().is_none() {
        assert!(began.elapsed() < Duration::from_secs(5));
        std::thread::sleep(Duration::from_millis(10));
    }
    drop(cluster);
    let cluster = start(scratch.path()).unwrap();
    assert_eq!(sql(&cluster, "select 1"), "1");
}
