//! The document's CREATE statements on a database that is there already: each is refused in clear words or changes nothing.

use sg_testkit::TestDb;
use sqlx::PgConnection;

use crate::{
    migration::{catalog, printed},
    support::*,
};

/// Everybody who might try, the installation's superuser included.
const ROLES: [&str; 5] = ["sg_app", "sg_system", "sg_admin", "sg_owner", "postgres"];

/// A connection as `role`; as whoever cannot sign in, by way of the superuser.
async fn connect_as(test: &TestDb, role: &str) -> anyhow::Result<PgConnection> {
    if role != "sg_owner" {
        return test.connect(role).await;
    }
    let mut conn = test.connect("postgres").await?;
    run(&mut conn, "set role sg_owner").await?;
    Ok(conn)
}

/// The single statements of a printed part: those of functions end by their language, the others by a semicolon.
fn statements(part: &str) -> Vec<String> {
    let end = if part.contains("$$ LANGUAGE plpgsql;") {
        "$$ LANGUAGE plpgsql;"
    } else {
        ";"
    };
    let without_comments: String = part
        .lines()
        .map(|line| line.split("--").next().unwrap_or_default())
        .collect::<Vec<_>>()
        .join("\n");
    without_comments
        .split(end)
        .filter(|statement| !statement.trim().is_empty())
        .map(|statement| format!("{statement}{end}"))
        .collect()
}

async fn migrated() -> anyhow::Result<[TestDb; 2]> {
    let adopted = printed().await?;
    adopted.migrate().await?;
    Ok([TestDb::new().await?, adopted])
}

#[tokio::test]
async fn the_printed_functions_are_refused_to_everybody() -> anyhow::Result<()> {
    let functions = statements(PRINTED[2]);
    assert_eq!(functions.len(), 3);
    for test in migrated().await? {
        let before = catalog(&test).await?;
        for role in ROLES {
            let mut conn = connect_as(&test, role).await?;
            for function in &functions {
                let Err(sqlx::Error::Database(failure)) = run(&mut conn, function).await else {
                    panic!("{role} may replay {function}")
                };
                let code = failure.code().unwrap_or_default().into_owned();
                match role {
                    "postgres" => {
                        assert_eq!(code, "42P13", "{failure}");
                        let words = failure.message();
                        assert!(
                            words.contains("is refused: it has no fixed search_path"),
                            "{words}"
                        );
                        let hint = failure
                            .downcast_ref::<sqlx::postgres::PgDatabaseError>()
                            .hint()
                            .unwrap_or_default();
                        assert!(hint.contains("exist already"), "{hint}");
                    }
                    "sg_owner" => assert!(code == "42P13" || code == "42501", "{failure}"),
                    _ => assert_eq!(code, "42501", "{role}: {failure}"),
                }
            }
        }
        let mut root = test.connect("postgres").await?;
        // Nor by taking the pin away from the one that is there, nor by way of a drop.
        for way in [
            "alter function users.handle_failed_login(text) reset search_path",
            "alter function users.handle_failed_login(text) set search_path = public",
            "create procedure users.upkeep() language sql as 'select 1'",
        ] {
            assert_eq!(refusal(run(&mut root, way).await), "42P13", "{way}");
        }
        let dropped = format!("drop function users.handle_failed_login(text); {}", functions[1]);
        assert_eq!(
            refusal(run(&mut root, dropped).await),
            "42P13",
            "one batch is one transaction"
        );
        assert_eq!(catalog(&test).await?, before);
        // A function of the administrator's own has its place elsewhere.
        run(
            &mut root,
            "create schema own; create function own.helper() returns integer language sql as 'select 1'",
        )
        .await?;
    }
    Ok(())
}

#[tokio::test]
async fn the_other_printed_statements_change_nothing() -> anyhow::Result<()> {
    let [test, adopted] = migrated().await?;
    for test in [test, adopted] {
        let before = catalog(&test).await?;
        let rows =
            "select (select count(*) from users.users) + (select count(*) from users.password_policies)";
        let mut root = test.connect("postgres").await?;
        let had = count(&mut root, rows).await?;
        for role in ROLES {
            let mut conn = connect_as(&test, role).await?;
            for part in [PRINTED[0], PRINTED[1], PRINTED[3], PRINTED[4]] {
                for statement in statements(part) {
                    let owns = role == "sg_owner" || role == "postgres";
                    match run(&mut conn, &statement).await {
                        // Of an owner, those that say so themselves are taken as done.
                        Ok(()) => assert!(statement.contains("IF NOT EXISTS") && owns, "{role}: {statement}"),
                        refused => {
                            let code = refusal(refused);
                            // duplicate schema, duplicate table (indexes too), insufficient privilege
                            let expected: &[&str] = if owns && !statement.contains("create schema") {
                                &["42P06", "42P07"]
                            } else {
                                &["42501", "42P06", "42P07"]
                            };
                            assert!(expected.contains(&code.as_str()), "{role}: {code}: {statement}");
                        }
                    }
                }
            }
        }
        assert_eq!(catalog(&test).await?, before);
        assert_eq!(count(&mut root, rows).await?, had);
    }
    Ok(())
}

#[tokio::test]
async fn a_guard_that_is_missing_is_told_and_comes_back() -> anyhow::Result<()> {
    let test = TestDb::new().await?;
    assert!(test.db.has_contract_guard().await?);
    let mut root = test.connect("postgres").await?;
    for loss in [
        "alter event trigger sg_refuse_loose_function disable",
        "alter event trigger sg_refuse_loose_function enable replica",
        "drop event trigger sg_refuse_loose_function",
    ] {
        run(&mut root, loss).await?;
        assert!(!test.db.has_contract_guard().await?, "{loss}");
        test.migrate().await?;
        assert!(test.db.has_contract_guard().await?, "after {loss}");
    }
    // Nobody but a superuser takes it away.
    for role in ["sg_app", "sg_system", "sg_admin", "sg_owner"] {
        let mut conn = connect_as(&test, role).await?;
        for attempt in [
            "drop event trigger sg_refuse_loose_function",
            "alter event trigger sg_refuse_loose_function disable",
        ] {
            assert_eq!(refusal(run(&mut conn, attempt).await), "42501", "{role}");
        }
    }
    Ok(())
}
