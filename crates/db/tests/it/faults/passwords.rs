//! Judging and keeping passwords, and the policies for it.

use sg_types::UserId;

use super::*;

pub(super) async fn judged_wrongly(subject: &Subject) -> anyhow::Result<bool> {
    let mut conn = subject.administrator().await?;
    let mut shown = 0;
    for wrong in [
        "users.validate_password_strength(null)",
        "users.validate_password_strength('x', null, false, false, false, false)",
        "not users.validate_password_strength('Пароль-Длинный-Сильный-7')",
    ] {
        shown += usize::from(is(&mut conn, wrong).await?);
    }
    one_answer(shown, 3)
}

/// The statements by which a password is judged and stored, while the server logs every statement.
pub(super) async fn plaintext_is_logged(subject: &Subject) -> anyhow::Result<bool> {
    let mut root = subject.test.connect("postgres").await?;
    run(
        &mut root,
        format!("alter database {} set log_statement = 'all'", subject.test.name()),
    )
    .await?;
    let path = subject.test.server_log()?;
    let start = std::fs::metadata(&path)?.len();
    // As long as names of databases are random, nobody else logs this.
    let plaintext = format!("Correct-Horse-7-{}", subject.test.name());
    if subject.is_printed() {
        let judge = format!("select users.validate_password_strength('{plaintext}')");
        run(&mut subject.program().await?, judge).await?;
    } else {
        let mut admin = subject.with_user("ada").await?;
        let user_id = text(
            &mut admin,
            "select user_id::text from users.users where username = 'ada'",
        )
        .await?;
        let user_id = UserId(user_id.unwrap_or_default().parse()?);
        let hash = "$argon2id$v=19$m=19456,t=2,p=1$c2FsdHNhbHQ$aGFzaA".into();
        let mut tx = subject.test.db.system("test").await?;
        sg_db::users::begin_password_attempt(&mut tx, "ada", None, now()).await?;
        sg_db::users::lock_password(&mut tx, user_id).await?;
        sg_db::users::store_password(&mut tx, user_id, &hash, false, now()).await?;
        tx.commit_upkeep().await?;
    }
    let log = std::fs::read(&path)?;
    let log = String::from_utf8_lossy(log.get(usize::try_from(start)?..).unwrap_or_default());
    let own: Vec<_> = log
        .lines()
        .filter(|line| line.contains(subject.test.name()))
        .collect();
    assert!(!own.is_empty(), "the server logs statements");
    assert_eq!(
        own.iter().any(|line| line.contains("store_password")),
        !subject.is_printed()
    );
    assert!(
        !log.contains("$argon2id$v=19$m=19456,t=2,p=1$c2FsdHNhbHQ$aGFzaA"),
        "bound values are not logged"
    );
    Ok(log.contains(&plaintext))
}

pub(super) async fn impossible_policies(subject: &Subject) -> anyhow::Result<bool> {
    let mut conn = subject.with_user("ada").await?;
    // The documented change stays possible.
    assert!(
        affected(
            &mut conn,
            "update users.password_policies set min_length = 14, max_failed_attempts = 3, lockout_duration_minutes = 60"
        )
        .await?
            > 0
    );
    all_accepted(
        &mut conn,
        &[
            "update users.password_policies set min_length = -1",
            "update users.password_policies set lockout_duration_minutes = -5",
            "update users.password_policies set max_failed_attempts = 0",
            "update users.password_policies set history_count = -1",
            "update users.password_policies set max_age_days = -90",
        ],
        &["23514"],
    )
    .await
}

/// A schema that is stricter about hashes, as a check by form would make the printed one, refuses the document's sample; ours does not, and leaves
/// it to the program never to verify such a hash.
pub(super) async fn sample_hash_is_judged_by_its_form(subject: &Subject) -> anyhow::Result<bool> {
    let mut conn = subject.administrator().await?;
    run(&mut conn, "delete from users.users where username = 'newuser'").await?;
    if subject.is_printed() {
        run(
            &mut conn,
            "alter table users.users add constraint phc check (password_hash like '$argon2%') not valid",
        )
        .await?;
    }
    let sample = run(
        &mut conn,
        "insert into users.users (username, email, password_hash, must_change_password)
        values ('newuser', 'user@domain.com', '[argon2_hash]', true)",
    )
    .await;
    match sample {
        Ok(()) => Ok(false),
        refused => {
            assert_eq!(refusal(refused), "23514");
            Ok(true)
        }
    }
}

/// The one statement that `docs/database.md` gives for the profile of NIST SP 800-63B-4.
fn nist_profile() -> anyhow::Result<String> {
    let document = include_str!("../../../../../docs/database.md");
    let start = document
        .find("    update users.password_policies set\n        min_length = 15")
        .ok_or_else(|| anyhow::anyhow!("docs/database.md has no NIST profile"))?;
    let (statement, _) = document[start..]
        .split_once(';')
        .ok_or_else(|| anyhow::anyhow!("the statement has no end"))?;
    Ok(statement.to_owned())
}

pub(super) async fn nist_profile_has_no_effect(subject: &Subject) -> anyhow::Result<bool> {
    let mut conn = subject.administrator().await?;
    if affected(&mut conn, nist_profile()?).await? == 0 {
        return Ok(true);
    }
    let profile = texts(
        &mut conn,
        "select distinct concat_ws('/', min_length, require_uppercase, require_lowercase, require_numbers, require_special_chars, max_age_days,
            max_failed_attempts <= 100) from users.password_policies",
    )
    .await?;
    assert_eq!(profile, ["15/f/f/f/f/0/t"]);
    // A passphrase is strong, and no password ends by age.
    assert!(
        is(
            &mut conn,
            "select users.validate_password_strength('seven quiet lanterns drift', min_length, require_uppercase, require_lowercase,
                require_numbers, require_special_chars) from users.password_policies limit 1"
        )
        .await?
    );
    add_user(&mut conn, "ada").await?;
    run(
        &mut conn,
        "update users.users set password_last_changed = '2000-01-01', must_change_password = false",
    )
    .await?;
    let ages = "select must_change_password from users.begin_login_attempt('ada', clock_timestamp())";
    is(&mut subject.program().await?, ages).await
}
