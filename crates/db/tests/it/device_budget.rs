//! The second budget of attempts: a known device's own, beside the account's documented one.

use sg_testkit::TestDb;
use sqlx::PgConnection;

use crate::support::*;

const DEVICE: &str = "'\\x1111111111111111111111111111111111111111111111111111111111111111'::bytea";
const OTHER: &str = "'\\x2222222222222222222222222222222222222222222222222222222222222222'::bytea";

async fn prepare() -> anyhow::Result<(TestDb, PgConnection, PgConnection)> {
    let test = TestDb::new().await?;
    let (mut admin, mut system) = (test.connect("sg_admin").await?, test.connect("sg_system").await?);
    for name in ["ada", "eve"] {
        run(
            &mut admin,
            format!("insert into users.users (username, email, password_hash) values ('{name}', '{name}@x', 'hash of {name}')"),
        )
        .await?;
    }
    run(
        &mut system,
        format!(
            "insert into users.known_devices (device_id, tenant_id, user_id, token_hash, created_at, last_used_at)
             select gen_random_uuid(), tenant_id, user_id, {DEVICE}, now(), now() from users.users where username = 'ada'"
        ),
    )
    .await?;
    Ok((test, admin, system))
}

/// Whether an attempt is admitted, whether it was the last before a lock, and whether the device's budget counted.
async fn attempt(system: &mut PgConnection, name: &str, device: &str) -> anyhow::Result<String> {
    let gate = format!(
        "select (
            select concat_ws(' ', allowed, locked_now, device_id is not null) from users.begin_password_attempt('{name}', {device}, now()))"
    );
    Ok(text(system, gate).await?.unwrap_or_default())
}

async fn complete(system: &mut PgConnection, device: &str) -> anyhow::Result<()> {
    Ok(run(
        system,
        format!(
            "select users.complete_password_attempt(u.user_id, (select device_id from users.known_devices where token_hash = {device}), now())
             from users.users u where u.username = 'ada'"
        ),
    )
    .await?)
}

#[tokio::test]
async fn a_stranger_locks_nobody_out_of_their_own_browser() -> anyhow::Result<()> {
    let (_test, mut admin, mut system) = prepare().await?;
    for _ in 0..8 {
        attempt(&mut system, "ada", "null").await?;
    }
    assert_eq!(
        attempt(&mut system, "ada", "null").await?,
        "f f f",
        "strangers are locked out"
    );
    assert_eq!(
        attempt(&mut system, "ada", OTHER).await?,
        "f f f",
        "an unknown cookie is a stranger's"
    );
    assert_eq!(attempt(&mut system, "ADA", DEVICE).await?, "t f t");
    complete(&mut system, DEVICE).await?;
    let columns = "select concat_ws(' ', failed_login_attempts, account_locked_until > now(), last_login is not null) from users.users
        where username = 'ada'";
    assert_eq!(
        text(&mut admin, columns).await?.as_deref(),
        Some("5 t t"),
        "the lock on strangers stays"
    );
    // Somebody else's device is nothing.
    assert_eq!(attempt(&mut system, "eve", DEVICE).await?, "t f f");
    assert_eq!(attempt(&mut system, "nobody", DEVICE).await?, "");
    Ok(())
}

#[tokio::test]
async fn the_limit_holds_for_each_budget() -> anyhow::Result<()> {
    let (_test, mut admin, mut system) = prepare().await?;
    for number in 1..=7 {
        let expected = match number {
            1..=4 => "t f t",
            5 => "t t t",
            _ => "f f t",
        };
        assert_eq!(attempt(&mut system, "ada", DEVICE).await?, expected, "{number}");
    }
    let columns = "select concat_ws(' ', failed_login_attempts, account_locked_until is null) from users.users where username = 'ada'";
    assert_eq!(
        text(&mut admin, columns).await?.as_deref(),
        Some("0 t"),
        "the documented columns tell of strangers"
    );
    assert_eq!(attempt(&mut system, "ada", "null").await?, "t f f");
    // After its end a fresh cycle begins.
    run(
        &mut admin,
        "update users.known_devices set locked_until = now() - interval '1 second'",
    )
    .await?;
    assert_eq!(attempt(&mut system, "ada", DEVICE).await?, "t f t");
    assert_eq!(
        text(
            &mut admin,
            "select failed_attempts::text from users.known_devices"
        )
        .await?
        .as_deref(),
        Some("1")
    );
    complete(&mut system, DEVICE).await?;
    assert_eq!(
        text(
            &mut admin,
            "select concat_ws(' ', failed_attempts, locked_until is null) from users.known_devices"
        )
        .await?
        .as_deref(),
        Some("0 t")
    );
    // The policy counts for devices too, live.
    run(
        &mut admin,
        "update users.password_policies set max_failed_attempts = 1, lockout_duration_minutes = 60",
    )
    .await?;
    assert_eq!(attempt(&mut system, "ada", DEVICE).await?, "t t t");
    let minutes =
        "select round(extract(epoch from locked_until - now()) / 60)::text from users.known_devices";
    assert_eq!(text(&mut admin, minutes).await?.as_deref(), Some("60"));
    Ok(())
}

#[tokio::test]
async fn an_administrators_lock_and_a_long_absence_hold_for_every_device() -> anyhow::Result<()> {
    let (_test, mut admin, mut system) = prepare().await?;
    run(
        &mut admin,
        "update users.users set account_locked_until = now() + interval '1 day' where username = 'ada'",
    )
    .await?;
    assert_eq!(attempt(&mut system, "ada", DEVICE).await?, "f f t");
    run(
        &mut admin,
        "update users.users set account_locked_until = null where username = 'ada';
         update users.known_devices set last_used_at = now() - interval '181 days'",
    )
    .await?;
    assert_eq!(
        attempt(&mut system, "ada", DEVICE).await?,
        "t f f",
        "a stranger again"
    );
    Ok(())
}

#[tokio::test]
async fn no_number_of_parallel_guesses_from_a_device_gets_past_the_limit() -> anyhow::Result<()> {
    let (test, mut admin, _system) = prepare().await?;
    for guesses in [1_usize, 10, 50, 150] {
        run(
            &mut admin,
            "update users.known_devices set failed_attempts = 0, locked_until = null;
             update users.users set failed_login_attempts = 0, account_locked_until = null",
        )
        .await?;
        let mut connections = Vec::new();
        for _ in 0..guesses.min(40) {
            connections.push(test.connect("sg_system").await?);
        }
        let count = connections.len();
        let running = connections
            .into_iter()
            .enumerate()
            .map(|(index, mut conn)| async move {
                let (mut device, mut stranger) = (0, 0);
                for _ in (index..guesses).step_by(count) {
                    device += i32::from(attempt(&mut conn, "ada", DEVICE).await?.starts_with('t'));
                    stranger += i32::from(attempt(&mut conn, "ada", "null").await?.starts_with('t'));
                }
                anyhow::Ok((device, stranger))
            });
        let mut tested = (0, 0);
        for result in futures_util::future::join_all(running).await {
            let (device, stranger) = result?;
            tested = (tested.0 + device, tested.1 + stranger);
        }
        let limit = i32::try_from(guesses.min(5))?;
        assert_eq!(
            tested,
            (limit, limit),
            "{guesses} parallel guesses on each budget"
        );
    }
    Ok(())
}

#[tokio::test]
async fn free_sql_of_a_request_reads_no_mail_link_or_device_and_sends_none_for_others() -> anyhow::Result<()>
{
    let test = two_tenants().await?;
    let mut app = test.connect("sg_app").await?;
    for table in [
        "users.outgoing_mail",
        "users.password_links",
        "users.known_devices",
    ] {
        assert_eq!(
            refusal(run(&mut app, format!("select 1 from {table}")).await),
            "42501",
            "{table}"
        );
    }
    let mail = |tenant: &str, user: u32| {
        format!(
            "insert into users.outgoing_mail (mail_id, tenant_id, user_id, kind, created_at, next_attempt_at, expires_at)
             values (gen_random_uuid(), '{tenant}', '{}-0000-4000-8000-{user:012}', 'password_reset', now(), now(), now())",
            &tenant[..8]
        )
    };
    for (token, statement, allowed) in [
        (ADMIN_A, mail(TENANT_A, 2), true),
        (USER_A, mail(TENANT_A, 2), true),
        (USER_A, mail(TENANT_A, 1), false),
        (ADMIN_A, mail(TENANT_B, 1), false),
    ] {
        run(&mut app, "begin").await?;
        run(&mut app, open_context(token)).await?;
        let result = run(&mut app, statement.as_str()).await;
        assert_eq!(result.is_ok(), allowed, "{token}: {statement}: {result:?}");
        run(&mut app, "rollback").await?;
    }
    Ok(())
}

#[tokio::test]
async fn the_callers_own_expiry_is_told() -> anyhow::Result<()> {
    let test = two_tenants().await?;
    let mut admin = test.connect("sg_admin").await?;
    let mut app = test.connect("sg_app").await?;
    run(
        &mut admin,
        "update users.users set password_last_changed = '2030-01-01'; update users.password_policies set max_age_days = 10",
    )
    .await?;
    let expiry = "select extract(epoch from users.own_password_expiry())::bigint::text";
    assert_eq!(text(&mut app, expiry).await?, None, "without a context");
    for (days, expected) in [(10, Some("1894320000")), (0, None)] {
        run(
            &mut admin,
            format!("update users.password_policies set max_age_days = {days}"),
        )
        .await?;
        run(&mut app, "begin").await?;
        run(&mut app, open_context(USER_A)).await?;
        assert_eq!(text(&mut app, expiry).await?.as_deref(), expected);
        run(&mut app, "rollback").await?;
    }
    Ok(())
}
