//! Somebody at the database of the program who has no business there is told of, whatever way they take.

use sqlx::Connection as _;
use sqlx::postgres::PgConnectOptions;

use super::sabotage::shorten_the_window;
use super::{Site, options, wait_for};
use crate::notifications::listeners::Listeners;

#[tokio::test]
async fn strangers_at_the_database_are_told_of() {
    let (listeners, dir) = (Listeners::start().await, crate::up::folder());
    let settings = listeners.settings(dir.path());
    let mut settings: Vec<_> = settings
        .iter()
        .map(|(name, value)| (*name, value.as_str()))
        .collect();
    settings.push((
        "SECUREGUARD_DATABASE__EXPECTED_SESSIONS",
        "[\"*@local/my-monitor\"]",
    ));
    let site = Site::start(&settings);
    let password = site.up().ready["admin"]["password"].as_str().unwrap().to_owned();
    let token = listeners.join_program(site.up(), &password).await;
    let connect = async |name: &str| {
        let options: PgConnectOptions = options(&site.data()).application_name(name);
        sqlx::PgConnection::connect_with(&options).await.unwrap()
    };
    // Expected by the setting: it may look at what it likes.
    let mut monitor = connect("my-monitor").await;
    let mut thief = connect("psql").await;
    // Past row security, and a table for what is taken.
    let bypass = "set role sg_app; set row_security = off; select count(*) from users.users";
    assert!(sqlx::raw_sql(bypass).execute(&mut thief).await.is_err());
    sqlx::raw_sql("reset role; reset row_security; create table public.loot as select * from users.users")
        .execute(&mut thief)
        .await
        .unwrap();
    // What is found at one look is one message.
    let words = "unauthorized database access";
    listeners.hear(&[words, "is firing for 3 subjects"]).await;
    let said: Vec<String> = sqlx::query_scalar(
        "select a.summary from monitoring.alerts a join monitoring.alert_rules r on r.rule_id = a.rule_id
         where r.kind = 'unauthorized_database_access' and a.state = 'firing' order by a.subject",
    )
    .fetch_all(&mut monitor)
    .await
    .unwrap();
    assert_eq!(
        said,
        [
            "create table as public.loot by postgres@local/psql",
            "postgres@local/psql is at the database",
            "postgres@secureguard: query would be affected by row-level security policy for table \"users\"",
        ]
    );
    thief.close().await.unwrap();
    shorten_the_window(&site, &token).await;
    // The end of what was merged is told to receivers that keep things open.
    wait_for(
        "the end of the alerts",
        || site.log(),
        async || listeners.heard(&["Over: Alert", words])[2] > 0,
    )
    .await;
}
