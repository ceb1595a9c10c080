//! What the door for standbys lets in.

use std::os::unix::fs::PermissionsExt;

use sqlx::postgres::{PgConnectOptions, PgSslMode};
use sqlx::{Connection as _, PgConnection};

use super::{Node, ports};

#[tokio::test]
async fn the_role_for_replication_streams_and_can_do_nothing_else() {
    let (here, there) = ports();
    let (mut first, mut second) = (Node::new(here, there, &[]), Node::new(there, here, &[]));
    first.start();
    let file = first.path("second.invitation");
    let file = file.to_str().unwrap();
    for name in ["", "Second", "a b", "a';drop", &"x".repeat(41)] {
        assert!(!first.verb(&["standby", "invite", name, file]).0, "{name}");
    }
    first.must(&["standby", "invite", "second", file]);
    assert_eq!(
        std::fs::metadata(file).unwrap().permissions().mode() & 0o777,
        0o600
    );
    let (again, words) = first.verb(&["standby", "invite", "second", file]);
    assert!(!again && words.contains("is there already"), "{words}");

    let password = std::fs::read_to_string(first.data().join("secrets/sg_standby")).unwrap();
    let certificate = std::fs::read(first.data().join("tls/replication.crt")).unwrap();
    let options = |user: &str, database: &str, mode| {
        PgConnectOptions::new_without_pgpass()
            .host("127.0.0.1")
            .port(here)
            .username(user)
            .password(&password)
            .database(database)
            .ssl_mode(mode)
            .ssl_root_cert_from_pem(certificate.clone())
    };
    let refusal =
        async |options: &PgConnectOptions| PgConnection::connect_with(options).await.unwrap_err().to_string();
    let plain = refusal(&options("sg_standby", "postgres", PgSslMode::Disable)).await;
    assert!(
        plain.contains("no pg_hba.conf entry") && plain.contains("no encryption"),
        "{plain}"
    );
    for (user, database) in [
        ("sg_standby", "secureguard"),
        ("postgres", "postgres"),
        ("sg_app", "secureguard"),
    ] {
        let words = refusal(&options(user, database, PgSslMode::VerifyCa)).await;
        assert!(
            words.contains("no pg_hba.conf entry"),
            "{user} {database}: {words}"
        );
    }
    let wrong = options("sg_standby", "postgres", PgSslMode::VerifyCa).password("wrong");
    assert!(refusal(&wrong).await.contains("password authentication failed"));

    let mut conn = PgConnection::connect_with(&options("sg_standby", "postgres", PgSslMode::VerifyCa))
        .await
        .unwrap();
    for statement in [
        "select sealed from public.secureguard_keys",
        "create table public.mine (n int)",
        "create role mine",
        "alter role sg_standby superuser",
        "select pg_read_file('/etc/passwd')",
        "select pg_promote()",
        "select * from pg_authid",
        "copy (select 1) to program 'true'",
    ] {
        let error = sqlx::raw_sql(statement)
            .execute(&mut conn)
            .await
            .unwrap_err()
            .to_string();
        assert!(
            error.contains("permission denied") || error.contains("must be"),
            "{statement}: {error}"
        );
    }

    second.settings.retain(|(name, _)| !name.contains("LISTEN"));
    let (made, words) = second.verb(&["standby", "init", "--from", "/nowhere"]);
    assert!(!made && words.contains("cannot read"), "{words}");
    let full = first.verb(&["standby", "init", "--from", file]);
    assert!(
        !full.0 && full.1.contains("holds a database already"),
        "{}",
        full.1
    );

    second.must(&["standby", "init", "--from", file]);
    let (started, words) = first.verb(&["standby", "promote", "--primary-is-off"]);
    assert!(!started && words.contains("is no standby"), "{words}");
    for secret in [
        "secrets/sg_standby",
        "secrets/standby-keys",
        "postgres/standby.pgpass",
        "tls/replication.key",
    ] {
        let mode = std::fs::metadata(second.data().join(secret))
            .unwrap()
            .permissions()
            .mode();
        assert_eq!(mode & 0o077, 0, "{secret}");
    }
    let log = first.log();
    assert!(!log.contains(password.trim()), "no password in a log");
}
