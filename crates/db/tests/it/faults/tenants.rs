//! Walls between tenants, as far as the printed columns allow them.

use super::*;

async fn reads(conn: &mut PgConnection, query: &str) -> anyhow::Result<bool> {
    run(conn, "savepoint before").await?;
    let rows = texts(conn, query).await;
    run(conn, "rollback to savepoint before").await?;
    match rows {
        Ok(rows) => Ok(!rows.is_empty()),
        Err(sqlx::Error::Database(failure)) if failure.code().as_deref() == Some("42501") => Ok(false),
        Err(other) => Err(other.into()),
    }
}

pub(super) async fn foreign_rows_are_readable(subject: &Subject) -> anyhow::Result<bool> {
    subject.with_two_tenants().await?;
    let mut conn = subject.as_tenant_b().await?;
    assert!(
        reads(
            &mut conn,
            "select title::text from threats.incidents where title like '% of b'"
        )
        .await?,
        "one's own are readable"
    );
    let mut shown = 0;
    for foreign in [
        "select title::text from threats.incidents where title like '% of a'",
        "select key_name::text from users.api_keys where key_name = 'key of a'",
        "select key_hash from users.api_keys",
    ] {
        shown += usize::from(reads(&mut conn, foreign).await?);
    }
    one_answer(shown, 3)
}

pub(super) async fn foreign_endpoint_takes_an_incident(subject: &Subject) -> anyhow::Result<bool> {
    subject.with_two_tenants().await?;
    let endpoint = seeds::Seed("a").id(11);
    if subject.is_printed() {
        let mut conn = subject.as_tenant_b().await?;
        assert!(
            !reads(
                &mut conn,
                &format!("select hostname::text from agents.endpoints where agent_id = {endpoint}")
            )
            .await?
        );
        let attached = run(
            &mut conn,
            format!("insert into threats.incidents (agent_id, threat_type, severity, title) values ({endpoint}, 'malware', 'low', 'x')"),
        )
        .await;
        return Ok(attached.is_ok());
    }
    // Requests insert no incidents at all; whoever may, cannot do it across tenants either.
    for role in ["sg_system", "sg_admin"] {
        let attached = run(
            &mut subject.test.connect(role).await?,
            format!(
                "insert into threats.incidents (tenant_id, agent_id, threat_type, severity, title)
                 values ('{TENANT_B}', {endpoint}, 'malware', 'low', 'x')"
            ),
        )
        .await;
        assert_eq!(refusal(attached), "23503", "{role}");
    }
    Ok(false)
}

pub(super) async fn refusals_tell_the_key(subject: &Subject) -> anyhow::Result<bool> {
    let mut root = subject.test.connect("postgres").await?;
    let insert =
        "insert into users.users (username, email, password_hash) values ('user-a', 'user@a.example', 'x')";
    let refused = if subject.is_printed() {
        add_user(&mut root, "user-a").await?;
        run(&mut root, insert).await
    } else {
        subject.with_two_tenants().await?;
        run(&mut subject.as_tenant_b().await?, insert).await
    };
    let Err(sqlx::Error::Database(failure)) = refused else {
        anyhow::bail!("the name is taken")
    };
    assert_eq!(failure.code().as_deref(), Some("23505"));
    let detail = failure
        .downcast_ref::<sqlx::postgres::PgDatabaseError>()
        .detail()
        .unwrap_or_default();
    Ok(detail.contains("user-a"))
}

/// The document's administration by its administrator, once row security is on.
pub(super) async fn administration_is_blind(subject: &Subject) -> anyhow::Result<bool> {
    subject.with_two_tenants().await?;
    let mut admin = subject.test.connect("sg_admin").await?;
    let changed = affected(&mut admin, "update users.users set must_change_password = true").await?;
    let sample = run(
        &mut admin,
        "insert into users.users (username, email, password_hash, must_change_password)
         values ('another', 'another@domain.com', '[argon2_hash]', true)",
    )
    .await;
    if let Err(sqlx::Error::Database(failure)) = &sample {
        assert_eq!(failure.code().as_deref(), Some("42501"), "{failure}");
    }
    one_answer(usize::from(changed == 0) + usize::from(sample.is_err()), 2)
}
