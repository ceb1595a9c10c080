//! The gate in front of every password check, and the documented functions that stand on it.

use sg_testkit::TestDb;
use sqlx::PgConnection;

use crate::support::*;

async fn add_user(conn: &mut PgConnection, name: &str) -> anyhow::Result<()> {
    Ok(run(conn, format!("insert into users.users (username, email, password_hash) values ('{name}', '{name}@x', 'hash of {name}')")).await?)
}

async fn state(conn: &mut PgConnection, name: &str) -> anyhow::Result<String> {
    let query = format!(
        "select concat_ws(' ', failed_login_attempts, account_locked_until is not null,
            round(extract(epoch from account_locked_until - last_failed_login) / 60)) from users.users where username = '{name}'"
    );
    Ok(text(conn, query).await?.unwrap_or_default())
}

#[tokio::test]
async fn the_documented_functions_lock_and_release() -> anyhow::Result<()> {
    let test = TestDb::new().await?;
    let mut admin = test.connect("sg_admin").await?;
    add_user(&mut admin, "ada").await?;
    let fail = "select users.handle_failed_login('ada')";
    for attempt in 1..=4 {
        run(&mut admin, fail).await?;
        assert_eq!(state(&mut admin, "ada").await?, format!("{attempt} f"));
    }
    run(&mut admin, fail).await?;
    assert_eq!(state(&mut admin, "ada").await?, "5 t 30");
    // While locked, a failure counts nothing and does not extend the lock: else anybody could keep somebody out for good.
    let lock = "select account_locked_until::text from users.users where username = 'ada'";
    let until = text(&mut admin, lock).await?;
    for _ in 0..20 {
        run(&mut admin, fail).await?;
    }
    assert_eq!(
        (
            text(&mut admin, lock).await?,
            state(&mut admin, "ada").await?.as_str()
        ),
        (until, "5 t 30")
    );
    // After its end a fresh cycle begins: one failure does not lock again.
    run(
        &mut admin,
        "update users.users set account_locked_until = now() - interval '1 second'",
    )
    .await?;
    run(&mut admin, fail).await?;
    assert_eq!(state(&mut admin, "ada").await?, "1 f");
    // A name is the same in other letters; nobody's name is no error and changes nobody.
    run(
        &mut admin,
        "select users.handle_failed_login('ADA'); select users.handle_failed_login('nobody');
        select users.handle_failed_login(null); select users.handle_failed_login('')",
    )
    .await?;
    assert_eq!(state(&mut admin, "ada").await?, "2 f");

    run(&mut admin, "select users.handle_successful_login('Ada')").await?;
    let released = "select concat_ws(' ', failed_login_attempts, last_failed_login is null, account_locked_until is null,
        last_login > now() - interval '1 minute') from users.users where username = 'ada'";
    assert_eq!(text(&mut admin, released).await?.as_deref(), Some("0 t t t"));

    // A success of somebody who may not sign in changes nothing.
    run(
        &mut admin,
        "update users.users set is_active = false, failed_login_attempts = 3, last_login = null",
    )
    .await?;
    run(&mut admin, "select users.handle_successful_login('ada')").await?;
    let untouched = "select concat_ws(' ', failed_login_attempts, last_login is null) from users.users";
    assert_eq!(text(&mut admin, untouched).await?.as_deref(), Some("3 t"));
    Ok(())
}

#[tokio::test]
async fn the_policy_of_the_users_tenant_decides() -> anyhow::Result<()> {
    let test = two_tenants().await?;
    let mut admin = test.connect("sg_admin").await?;
    run(&mut admin, format!("update users.password_policies set max_failed_attempts = 2, lockout_duration_minutes = 7 where tenant_id = '{TENANT_B}'"))
        .await?;
    for _ in 0..2 {
        run(
            &mut admin,
            "select users.handle_failed_login('user-a'), users.handle_failed_login('user-b')",
        )
        .await?;
    }
    assert_eq!(state(&mut admin, "user-a").await?, "2 f");
    assert_eq!(state(&mut admin, "user-b").await?, "2 t 7");
    // No policy row never means no lockout: the documented 5 and 30.
    run(&mut admin, "delete from users.password_policies").await?;
    for _ in 0..3 {
        run(&mut admin, "select users.handle_failed_login('user-a')").await?;
    }
    assert_eq!(state(&mut admin, "user-a").await?, "5 t 30");
    // A counter that an earlier database let run on does not overflow.
    run(
        &mut admin,
        "update users.users set failed_login_attempts = 2147483647 where username = 'admin-a'",
    )
    .await?;
    run(&mut admin, "select users.handle_failed_login('admin-a')").await?;
    assert!(state(&mut admin, "admin-a").await?.ends_with("t 30"));
    Ok(())
}

#[tokio::test]
async fn no_number_of_parallel_guesses_gets_past_the_limit() -> anyhow::Result<()> {
    let test = TestDb::new().await?;
    let mut admin = test.connect("sg_admin").await?;
    for guesses in [1_usize, 10, 50, 150] {
        let name = format!("target{guesses}");
        add_user(&mut admin, &name).await?;
        let mut connections = Vec::new();
        for _ in 0..guesses.min(40) {
            connections.push(test.connect("sg_system").await?);
        }
        // Each connection guesses as often as it takes to make up the number, all of them at the same time.
        let share =
            |index: usize| guesses / connections.len() + usize::from(index < guesses % connections.len());
        let shares: Vec<_> = (0..connections.len()).map(share).collect();
        let running = connections.into_iter().zip(shares).map(|(mut conn, share)| {
            let name = name.clone();
            async move {
                let mut allowed = 0_i64;
                for _ in 0..share {
                    let gate = format!(
                        "select count(*) from users.begin_login_attempt('{name}', now()) where allowed"
                    );
                    allowed += count(&mut conn, gate).await?;
                }
                Ok::<_, sqlx::Error>(allowed)
            }
        });
        let allowed: i64 = futures_util::future::try_join_all(running)
            .await?
            .into_iter()
            .sum();
        assert_eq!(allowed, i64::try_from(guesses.min(5))?, "{guesses} guesses");
    }
    Ok(())
}

#[tokio::test]
async fn the_gate_tells_what_the_server_needs() -> anyhow::Result<()> {
    let test = TestDb::new().await?;
    let mut system = test.connect("sg_system").await?;
    let mut admin = test.connect("sg_admin").await?;
    add_user(&mut admin, "ada").await?;
    let gate = async |system: &mut PgConnection| {
        text(
            system,
            "select (select concat_ws(' ', allowed, username, password_hash, is_active, locked_until is not null, locked_now,
                must_change_password, role) from users.begin_login_attempt('ADA', now()))",
        )
        .await
    };
    assert_eq!(
        gate(&mut system).await?.as_deref(),
        Some("t ada hash of ada t f f f user")
    );
    // An expired password, or one whose age nobody knows, has to be changed.
    for age in ["now() - interval '91 days'", "null"] {
        run(
            &mut admin,
            format!("update users.users set password_last_changed = {age}, failed_login_attempts = 0"),
        )
        .await?;
        assert_eq!(
            gate(&mut system).await?.as_deref(),
            Some("t ada hash of ada t f f t user"),
            "{age}"
        );
    }
    run(&mut admin, "update users.password_policies set max_age_days = 0").await?;
    assert_eq!(
        gate(&mut system).await?.as_deref(),
        Some("t ada hash of ada t f f f user"),
        "0 days mean never"
    );
    run(
        &mut admin,
        "update users.users set failed_login_attempts = 4, is_active = false",
    )
    .await?;
    assert_eq!(
        gate(&mut system).await?.as_deref(),
        Some("t ada hash of ada f t t f user")
    );
    assert_eq!(
        gate(&mut system).await?.as_deref(),
        Some("f ada hash of ada f t f f user")
    );
    assert_eq!(
        count(
            &mut system,
            "select count(*) from users.begin_login_attempt('nobody', now())"
        )
        .await?,
        0
    );
    Ok(())
}

#[tokio::test]
async fn the_history_is_as_long_as_the_policy_compares_with() -> anyhow::Result<()> {
    let test = TestDb::new().await?;
    let mut system = test.connect("sg_system").await?;
    let mut admin = test.connect("sg_admin").await?;
    add_user(&mut admin, "ada").await?;
    let history = "select (select string_agg(h, ',' order by n) from jsonb_array_elements_text(password_history) with ordinality as x (h, n))
        from users.users";
    let store = async |system: &mut PgConnection, hash: &str| {
        run(
            system,
            format!("select users.store_password(user_id, '{hash}', true, now()) from users.users"),
        )
        .await
    };
    for number in 1..=7 {
        store(&mut system, &format!("h{number}")).await?;
    }
    assert_eq!(
        text(&mut admin, history).await?.as_deref(),
        Some("h6,h5,h4,h3,h2")
    );
    run(&mut admin, "update users.password_policies set history_count = 2").await?;
    store(&mut system, "h8").await?;
    assert_eq!(text(&mut admin, history).await?.as_deref(), Some("h7,h6"));
    run(&mut admin, "update users.password_policies set history_count = 0").await?;
    store(&mut system, "h9").await?;
    assert_eq!(text(&mut admin, history).await?, None);
    assert_eq!(
        text(
            &mut admin,
            "select concat_ws(' ', password_hash, must_change_password, password_history) from users.users"
        )
        .await?
        .as_deref(),
        Some("h9 t []")
    );
    Ok(())
}
