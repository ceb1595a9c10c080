//! Sealed secrets: what opens, what a moved row is worth, the change of keys beside a server that runs, and what a dump gives away.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use secrecy::ExposeSecret;
use serde_json::json;
use sg_db::users::{
    SealedSecret, SecretLabel, SecretPurpose, count_secrets_by_key, find_secret, hold_secret_keys,
    insert_secret,
};
use sg_server::secrets::rotate::{RotateError, retire, rotate};
use sg_server::secrets::{OpenError, SecretBox};
use sg_types::{Ids, Role, SystemClock, TenantId, TimeOrderedIds, UserId};

use super::app::{App, PASSWORD, hash_hex};

/// Seals a secret and stores it.
async fn store(
    app: &App,
    tenant: TenantId,
    user: Option<UserId>,
    purpose: SecretPurpose,
    secret: &[u8],
) -> SecretLabel {
    let label = SecretLabel {
        secret_id: TimeOrderedIds.next(),
        tenant_id: tenant,
        user_id: user,
        purpose,
    };
    let mut tx = app.state.db.system("test").await.unwrap();
    hold_secret_keys(&mut tx).await.unwrap();
    let sealed = app.state.secrets.seal(label, secret).unwrap();
    assert!(insert_secret(&mut tx, &sealed, app.state.now()).await.unwrap());
    tx.commit_upkeep().await.unwrap();
    label
}

async fn find(app: &App, label: SecretLabel) -> SealedSecret {
    let mut tx = app.state.db.system("test").await.unwrap();
    find_secret(&mut tx, label.tenant_id, label.user_id, label.purpose)
        .await
        .unwrap()
        .unwrap()
}

async fn keys_in_use(app: &App) -> Vec<(String, i64)> {
    let mut tx = app.state.db.system("test").await.unwrap();
    count_secrets_by_key(&mut tx).await.unwrap()
}

#[tokio::test]
async fn a_row_that_is_moved_or_relabelled_does_not_open() {
    let app = App::start().await;
    let (one, two) = (app.tenant(), app.new_tenant("two").await);
    let ada = app.person(one, "ada", Role::User).await.user_id;
    let eve = app.person(one, "eve", Role::User).await.user_id;
    let webhook = store(&app, one, None, SecretPurpose::WebhookSigning, b"of one").await;
    let foreign = store(&app, two, None, SecretPurpose::WebhookSigning, b"of two").await;
    let seed = store(&app, one, Some(ada), SecretPurpose::Totp, b"seed of ada").await;
    let other_seed = store(&app, one, Some(eve), SecretPurpose::Totp, b"seed of eve").await;
    let opened = app.state.secrets.open(&find(&app, seed).await).unwrap();
    assert_eq!(opened.as_slice(), b"seed of ada");

    // Whoever can write the table puts another's ciphertext into their own row, or gives their row another label.
    let copy = |from: SecretLabel, to: SecretLabel| {
        format!(
            "update users.secrets t set key_id = f.key_id, nonce = f.nonce, ciphertext = f.ciphertext
             from users.secrets f where f.secret_id = '{}' and t.secret_id = '{}'",
            from.secret_id, to.secret_id
        )
    };
    let relabelled = SecretLabel {
        purpose: SecretPurpose::LdapBind,
        ..webhook
    };
    for (attack, label) in [
        (copy(foreign, webhook), webhook),
        (copy(seed, other_seed), other_seed),
        (copy(webhook, seed), seed),
        (
            format!(
                "update users.secrets set purpose = 'ldap_bind' where secret_id = '{}'",
                webhook.secret_id
            ),
            relabelled,
        ),
        (
            format!(
                "update users.secrets set ciphertext = set_byte(ciphertext, 0, get_byte(ciphertext, 0) # 1) where secret_id = '{}'",
                foreign.secret_id
            ),
            foreign,
        ),
    ] {
        app.sql(&attack).await;
        let found = find(&app, label).await;
        assert!(
            matches!(app.state.secrets.open(&found), Err(OpenError::Broken { .. })),
            "{attack}"
        );
    }
}

#[tokio::test]
async fn requests_and_administrators_do_not_read_what_is_sealed() {
    let app = App::start().await;
    store(
        &app,
        app.tenant(),
        None,
        SecretPurpose::OidcClient,
        b"client secret",
    )
    .await;
    for role in ["sg_app", "sg_admin"] {
        let mut conn = app.db.connect(role).await.unwrap();
        for query in [
            "select ciphertext from users.secrets",
            "select nonce from users.secrets",
            "select s from users.secrets s",
            "copy users.secrets to stdout",
        ] {
            let error = sqlx::raw_sql(query).execute(&mut conn).await.unwrap_err();
            let code = error.as_database_error().and_then(|e| e.code()).unwrap();
            assert_eq!(code, "42501", "{role}: {query}");
        }
        sqlx::raw_sql("select purpose, key_id from users.secrets")
            .execute(&mut conn)
            .await
            .unwrap();
    }
    let history =
        "select string_agg(after::text, '') from audit.row_changes where table_name = 'users.secrets'";
    let history = app.sql_text(history).await;
    assert!(
        history.contains("oidc_client") && !history.contains("ciphertext"),
        "{history}"
    );
}

#[tokio::test]
async fn keys_change_beside_a_running_server() {
    let app = App::start().await;
    let label = store(&app, app.tenant(), None, SecretPurpose::WebhookSigning, b"a key").await;
    let others = app.person(app.tenant(), "ada", Role::User).await.user_id;
    for number in 0..230_u32 {
        store(
            &app,
            app.tenant(),
            Some(others),
            SecretPurpose::Totp,
            &number.to_be_bytes(),
        )
        .await;
    }
    let first = keys_in_use(&app).await;
    // What `admin rotate-keys` does, in a box of its own.
    let (db, ids) = (&app.state.db, &TimeOrderedIds);
    let elsewhere =
        SecretBox::load_or_create(&app.keys.path().join("secrets.json"), app.state.now()).unwrap();
    assert!(
        retire(db, &elsewhere, &SystemClock, ids)
            .await
            .unwrap()
            .is_empty()
    );

    // One that is cut short by a row that does not open is finished with the same key.
    app.sql(&format!(
        "insert into users.secrets select 'ffffffff-ffff-4fff-8fff-ffffffffffff', tenant_id, user_id, 'ldap_bind', key_id, nonce,
            ciphertext, created_at, sealed_at from users.secrets where secret_id = '{}'",
        label.secret_id
    ))
    .await;
    let cut = rotate(db, &elsewhere, &SystemClock, ids).await;
    assert!(
        matches!(cut, Err(RotateError::Sealed(OpenError::Broken { .. }))),
        "{cut:?}"
    );
    let midway = keys_in_use(&app).await;
    assert_eq!(midway.len(), 2, "{midway:?}");
    assert!(matches!(
        retire(db, &elsewhere, &SystemClock, ids).await,
        Err(RotateError::InUse { .. })
    ));
    app.sql("delete from users.secrets where secret_id = 'ffffffff-ffff-4fff-8fff-ffffffffffff'")
        .await;
    let done = rotate(db, &elsewhere, &SystemClock, ids).await.unwrap();
    assert!(
        done.resumed && done.resealed > 0 && done.resealed < 231,
        "{done:?}"
    );
    assert_eq!(keys_in_use(&app).await, [(done.key_id.clone(), 231)]);
    assert_eq!(done.older_keys, [first[0].0.clone()]);

    // The server follows: it opens what is there, and seals under the new key.
    let found = find(&app, label).await;
    assert_eq!(found.key_id, done.key_id);
    assert_eq!(app.state.secrets.open(&found).unwrap().as_slice(), b"a key");
    let newer = store(&app, app.tenant(), None, SecretPurpose::LdapBind, b"x").await;
    assert_eq!(find(&app, newer).await.key_id, done.key_id);
    assert_eq!(
        retire(db, &elsewhere, &SystemClock, ids).await.unwrap(),
        done.older_keys
    );
    assert_eq!(app.state.secrets.key_ids().unwrap(), [done.key_id]);
    assert_eq!(
        app.state
            .secrets
            .open(&find(&app, label).await)
            .unwrap()
            .as_slice(),
        b"a key"
    );
    let told = "select string_agg(distinct action, ' ' order by action) from audit.events where action like 'secret_keys.%'";
    assert_eq!(
        app.sql_text(told).await,
        "secret_keys.create secret_keys.reseal secret_keys.retire"
    );
}

/// The program itself, with the given data directory.
fn rotate_keys(app: &App, data_dir: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_secureguard"));
    command
        .args(["admin", "rotate-keys", "--data-dir"])
        .arg(data_dir)
        .args(arguments)
        .env("DATABASE_SYSTEM_URL", app.db.url("sg_system").expose_secret())
        .env(
            "SECUREGUARD_SECRETS__KEYS_FILE",
            app.keys.path().join("secrets.json"),
        )
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command
}

#[tokio::test]
async fn a_rotation_that_is_killed_is_finished_by_the_next() {
    let app = App::start().await;
    let data_dir = tempfile::tempdir().unwrap();
    let user = app.person(app.tenant(), "ada", Role::User).await.user_id;
    let mut tx = app.state.db.system("test").await.unwrap();
    for number in 0..3_000_u32 {
        let label = SecretLabel {
            secret_id: TimeOrderedIds.next(),
            tenant_id: app.tenant(),
            user_id: Some(user),
            purpose: SecretPurpose::Totp,
        };
        let sealed = app.state.secrets.seal(label, &number.to_be_bytes()).unwrap();
        assert!(insert_secret(&mut tx, &sealed, app.state.now()).await.unwrap());
    }
    tx.commit_upkeep().await.unwrap();
    let mut seen = BTreeSet::new();
    for milliseconds in [60, 120, 200, 300, 450] {
        let mut child = rotate_keys(&app, data_dir.path(), &[]).spawn().unwrap();
        tokio::time::sleep(Duration::from_millis(milliseconds)).await;
        child.kill().unwrap();
        child.wait().unwrap();
        let in_use = keys_in_use(&app).await;
        assert_eq!(in_use.iter().map(|(_, secrets)| secrets).sum::<i64>(), 3_000);
        seen.extend(in_use.into_iter().map(|(key_id, _)| key_id));
    }
    let output = rotate_keys(&app, data_dir.path(), &[]).output().unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let in_use = keys_in_use(&app).await;
    assert_eq!(in_use.len(), 1, "{in_use:?}");
    let refused = rotate_keys(&app, data_dir.path(), &["--retire"])
        .output()
        .unwrap();
    assert!(
        refused.status.success(),
        "{}",
        String::from_utf8_lossy(&refused.stderr)
    );
    assert_eq!(app.state.secrets.key_ids().unwrap(), [in_use[0].0.clone()]);
    // Every one of them still says what it said.
    let mut tx = app.state.db.system("test").await.unwrap();
    let all = sg_db::users::lock_secrets_of_other_keys(&mut tx, "none", 10_000)
        .await
        .unwrap();
    let opened: BTreeSet<Vec<u8>> = all
        .iter()
        .map(|sealed| app.state.secrets.open(sealed).unwrap().to_vec())
        .collect();
    assert_eq!(opened, (0..3_000_u32).map(|n| n.to_be_bytes().to_vec()).collect());
}

#[tokio::test]
async fn names_that_nobody_has_are_kept_under_a_key() {
    let app = App::start().await;
    for typed in ["Hunter2-my-password", "hunter2-MY-password", "another"] {
        assert_eq!(app.sign_in(typed, "x").await.status, 401);
    }
    let digests = "select string_agg(distinct username_or_digest, ' ') from audit.login_attempts where outcome = 'unknown_user'";
    let digests = app.sql_text(digests).await;
    assert_eq!(
        digests.split(' ').count(),
        2,
        "one name is one digest in any case: {digests}"
    );
    assert!(digests.split(' ').all(|digest| digest.len() == 64), "{digests}");
    // Whoever has the database cannot try passwords against it.
    assert!(!digests.contains(&hash_hex("hunter2-my-password")));
    assert!(!digests.contains(&hash_hex("another")));
    assert_eq!(
        app.sql_text("select string_agg(purpose || ' ' || tenant_id, ',') from users.secrets")
            .await,
        format!("sign_in_digest {}", TenantId::SYSTEM)
    );
    // Without its key, sign-in goes on as before.
    let other = App::start_on(app.db);
    let answer = other.sign_in("another", "x").await;
    assert_eq!((answer.status, answer.code()), (401, "invalid_credentials"));
}

#[tokio::test]
async fn a_dump_holds_no_secret() {
    let app = App::start().await;
    let admin = app.person(app.tenant(), "admin", Role::Admin).await;
    let mut secrets: Vec<Vec<u8>> = vec![PASSWORD.into(), admin.token.clone().into_bytes()];
    // Everything that hands out a secret over the API.
    let session = app.sign_in("admin", PASSWORD).await;
    secrets.push(session.body["token"].as_str().unwrap().into());
    let key = app
        .post(
            "/api/v1/users/api-keys",
            &admin.token,
            json!({"key_name": "installer"}),
        )
        .await;
    assert_eq!(key.status, 201, "{key:?}");
    let key = key.body["key"].as_str().unwrap().to_owned();
    secrets.push(key.clone().into_bytes());
    let person = app
        .post(
            "/api/v1/users",
            &admin.token,
            json!({"username": "new", "email": "new@example.org", "role": "user"}),
        )
        .await;
    secrets.push(person.body["initial_password"].as_str().unwrap().into());
    let changed = "Gravel-lantern4-quince";
    let change = json!({"current_password": PASSWORD, "new_password": changed});
    assert_eq!(
        app.post("/api/v1/users/me/password", &admin.token, change)
            .await
            .status,
        204
    );
    secrets.push(changed.into());
    app.sign_in("hunter2-in-the-wrong-field", "wrong-password-of-nobody")
        .await;
    secrets.push("hunter2-in-the-wrong-field".into());
    secrets.push("wrong-password-of-nobody".into());
    secrets.push(hash_hex("hunter2-in-the-wrong-field").into());
    for (purpose, secret) in [
        (SecretPurpose::Totp, "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"),
        (SecretPurpose::LdapBind, "bind-password-of-the-directory"),
        (SecretPurpose::OidcClient, "client-secret-of-the-provider"),
        (SecretPurpose::WebhookSigning, "signing-secret-of-the-webhook"),
    ] {
        store(&app, app.tenant(), None, purpose, secret.as_bytes()).await;
        secrets.push(secret.into());
    }
    let mut tx = app.state.db.system("test").await.unwrap();
    let digest_key = find_secret(&mut tx, TenantId::SYSTEM, None, SecretPurpose::SignInDigest).await;
    secrets.push(
        app.state
            .secrets
            .open(&digest_key.unwrap().unwrap())
            .unwrap()
            .to_vec(),
    );
    let ring = std::fs::read_to_string(app.keys.path().join("secrets.json")).unwrap();
    let ring: serde_json::Value = serde_json::from_str(&ring).unwrap();
    secrets.push(ring["keys"][0]["key"].as_str().unwrap().into());

    // Plain text, and the custom format both as it is and not compressed.
    for arguments in [
        &["--format=plain"][..],
        &["--format=plain", "--inserts"],
        &["--format=custom"],
        &["--format=custom", "--compress=0"],
    ] {
        let dump = sg_testkit::dump(&app.db, arguments).unwrap();
        assert!(dump.len() > 50_000, "{arguments:?}: {} bytes", dump.len());
        if !arguments.contains(&"--format=custom") {
            assert!(
                holds(&dump, b"$argon2id$") && holds(&dump, b"installer"),
                "the rows are in it"
            );
        }
        for secret in &secrets {
            for form in [secret.clone(), hex::encode(secret).into_bytes()] {
                assert!(
                    !holds(&dump, &form),
                    "{arguments:?} holds {}",
                    String::from_utf8_lossy(secret)
                );
            }
        }
    }
}

/// The server's log holds every statement here, with the values in them and, where it is let, those that are bound.
#[tokio::test]
async fn a_log_of_every_statement_holds_no_secret() {
    let db = sg_testkit::TestDb::new().await.unwrap();
    let mut root = db.connect("postgres").await.unwrap();
    let everything = format!("alter database {} set log_statement = 'all'", db.name());
    sqlx::raw_sql(sqlx::AssertSqlSafe(everything))
        .execute(&mut root)
        .await
        .unwrap();
    let app = App::start_on(db);
    let log_path = app.db.server_log().unwrap();
    let start = usize::try_from(std::fs::metadata(&log_path).unwrap().len()).unwrap();
    app.person(app.tenant(), "ada", Role::User).await;
    let typed = format!("typed-as-a-name-{}", app.db.name());
    let changed = format!("Gravel-lantern4-{}", app.db.name());
    app.sign_in(&typed, "x").await;
    app.sign_in("ada", &typed).await;
    let session = app.sign_in("ada", PASSWORD).await;
    let token = session.body["token"].as_str().unwrap();
    let change = json!({"current_password": PASSWORD, "new_password": changed});
    let answer = app.post("/api/v1/users/me/password", token, change).await;
    assert_eq!(answer.status, 204, "{answer:?}");
    let log = std::fs::read(&log_path).unwrap();
    let log = String::from_utf8_lossy(&log[start..]);
    assert!(
        log.lines()
            .any(|line| line.contains(app.db.name()) && line.contains("users.store_password")),
        "statements are logged"
    );
    for secret in [&typed, &changed, &token.to_owned(), &hash_hex(token)] {
        assert!(!log.contains(secret.as_str()), "the log holds {secret}");
    }
}

fn holds(bytes: &[u8], text: &[u8]) -> bool {
    bytes.windows(text.len()).any(|window| window == text)
}
