//! Lockout and its evidence.

use futures_util::future::try_join_all;

use super::*;

pub(super) async fn nothing_ever_locks(subject: &Subject) -> anyhow::Result<bool> {
    let mut conn = subject.administrator().await?;
    add_user(&mut conn, "ada").await?;
    fail(&mut conn, "ada", 20).await?;
    Ok(!is_locked(&mut conn, "ada").await?)
}

/// All guesses ask at once whether they may, all that may test a password, and all fail.
pub(super) async fn more_guesses_than_the_policy(subject: &Subject) -> anyhow::Result<bool> {
    const GUESSES: usize = 40;
    subject.with_user("ada").await?;
    let mut clients = try_join_all((0..GUESSES).map(|_| subject.program())).await?;
    let may = if subject.is_printed() {
        "select coalesce(account_locked_until <= now(), true) from users.users where username = 'ada'"
    } else {
        "select allowed from users.begin_login_attempt('ada', clock_timestamp())"
    };
    let allowed = try_join_all(clients.iter_mut().map(|conn| is(conn, may))).await?;
    if subject.is_printed() {
        try_join_all(clients.iter_mut().map(|conn| fail(conn, "ada", 1))).await?;
    }
    let tested = allowed.iter().filter(|allowed| **allowed).count();
    assert!(tested >= 5, "the policy grants five");
    Ok(tested > 5)
}

pub(super) async fn nothing_counts_without_a_tenant(subject: &Subject) -> anyhow::Result<bool> {
    subject.with_two_tenants().await?;
    let role = if subject.is_printed() {
        "sg_app"
    } else {
        "sg_system"
    };
    fail(&mut subject.test.connect(role).await?, "user-a", 1).await?;
    let mut root = subject.test.connect("postgres").await?;
    is(
        &mut root,
        "select failed_login_attempts = 0 from users.users where username = 'user-a'",
    )
    .await
}

pub(super) async fn a_lock_is_extended(subject: &Subject) -> anyhow::Result<bool> {
    let mut conn = subject.with_user("ada").await?;
    fail(&mut conn, "ada", 5).await?;
    assert!(is_locked(&mut conn, "ada").await?);
    let until = "select account_locked_until::text from users.users where username = 'ada'";
    let before = text(&mut conn, until).await?;
    fail(&mut conn, "ada", 1).await?;
    let extended = text(&mut conn, until).await? != before;
    // One failure after its end.
    run(
        &mut conn,
        "update users.users set account_locked_until = now() - interval '1 second' where username = 'ada'",
    )
    .await?;
    fail(&mut conn, "ada", 1).await?;
    let locked_again = is_locked(&mut conn, "ada").await?;
    one_answer(usize::from(extended) + usize::from(locked_again), 2)
}

pub(super) async fn null_counts_nothing(subject: &Subject) -> anyhow::Result<bool> {
    let mut conn = subject.with_user("ada").await?;
    let nulled = run(&mut conn, "update users.users set failed_login_attempts = null").await;
    assert!(subject.is_printed() == nulled.is_ok());
    fail(&mut conn, "ada", 20).await?;
    Ok(!is_locked(&mut conn, "ada").await?)
}

pub(super) async fn the_ruling_policy_changes_by_itself(subject: &Subject) -> anyhow::Result<bool> {
    let mut conn = subject.with_user("ada").await?;
    let second = run(
        &mut conn,
        "insert into users.password_policies (max_failed_attempts) values (99)",
    )
    .await;
    if !subject.is_printed() {
        assert_eq!(refusal(second), "23505");
    }
    // A change of something else in the first row moves it behind the second one.
    run(
        &mut conn,
        "update users.password_policies set min_length = 13 where max_failed_attempts = 5",
    )
    .await?;
    fail(&mut conn, "ada", 5).await?;
    Ok(!is_locked(&mut conn, "ada").await?)
}

pub(super) async fn inactive_is_unlocked(subject: &Subject) -> anyhow::Result<bool> {
    let mut conn = subject.with_user("ada").await?;
    run(
        &mut conn,
        "update users.users set is_active = false, account_locked_until = now() + interval '1 hour'",
    )
    .await?;
    run(&mut conn, "select users.handle_successful_login('ada')").await?;
    Ok(!is_locked(&mut conn, "ada").await?)
}

/// Attempts of the last minute, as the document's indicator "failed login attempt rate" needs them; 0 where nothing keeps any.
async fn failures(conn: &mut PgConnection, condition: &str) -> anyhow::Result<i64> {
    if is(conn, "to_regclass('audit.login_attempts') is null").await? {
        return Ok(0);
    }
    let query = format!(
        "select count(*) from audit.login_attempts where outcome <> 'success' and occurred_at > now() - interval '1 minute' and {condition}"
    );
    Ok(count(conn, query).await?)
}

pub(super) async fn no_trace_of_unknown_names(subject: &Subject) -> anyhow::Result<bool> {
    let mut conn = subject.administrator().await?;
    fail(&mut conn, "hunter2-typed-as-a-name", 3).await?;
    let mut root = subject.test.connect("postgres").await?;
    let kept = failures(&mut root, "outcome = 'unknown_user' and user_id is null").await?;
    // What was typed may be a password.
    assert_eq!(
        failures(&mut root, "username_or_digest like '%hunter2%'").await?,
        0
    );
    assert!(kept == 0 || kept == 3, "{kept}");
    Ok(kept == 0)
}

pub(super) async fn evidence_is_lost(subject: &Subject) -> anyhow::Result<bool> {
    let mut conn = subject.with_user("ada").await?;
    run(&mut conn, "begin; select pg_sleep(0.02)").await?;
    fail(&mut conn, "ada", 1).await?;
    // The time at which the transaction began is not the time of the failure.
    let wrong_time = is(
        &mut conn,
        "select last_failed_login = transaction_timestamp() from users.users where username = 'ada'",
    )
    .await?;
    run(&mut conn, "commit; select users.handle_successful_login('ada')").await?;
    let mut root = subject.test.connect("postgres").await?;
    let gone = is(
        &mut root,
        "select last_failed_login is null from users.users where username = 'ada'",
    )
    .await?;
    assert!(gone, "a success resets the documented columns");
    let nothing_kept = failures(&mut root, "username_or_digest = 'ada'").await? == 0;
    one_answer(usize::from(wrong_time) + usize::from(nothing_kept), 2)
}
