//! From the outbox to the mail server, whatever happens in between.

use chrono::Duration;
use sg_db::users::claim_mail;
use sg_server::config::MailTls;
use sg_server::mail::Mailer;
use sg_types::Role;

use super::*;

async fn outcome(app: &App) -> String {
    app.sql_text(
        "select string_agg(concat_ws(' ', coalesce(outcome, 'waiting'), attempts), ', ' order by mail_id) from users.outgoing_mail",
    )
    .await
}

#[tokio::test]
async fn a_mail_is_offered_until_it_is_taken() {
    let (app, sink) = start().await;
    let admin = app.person(app.tenant(), "admin", Role::Admin).await;
    let body =
        serde_json::json!({"username": "grace", "email": "g@example.org", "role": "user", "invite": true});
    app.post("/api/v1/users", &admin.token, body).await;
    sink.answer_with(&[451, 421, 451]);
    for (wait, attempts) in [(0, 1), (60, 2), (120, 3)] {
        app.advance(Duration::seconds(wait - 1));
        assert!(sent(&app, &sink).await.is_empty(), "not before its time");
        app.advance(Duration::seconds(1));
        assert!(sent(&app, &sink).await.is_empty());
        assert_eq!(outcome(&app).await, format!("waiting {attempts}"));
    }
    app.advance(Duration::seconds(240));
    let mails = sent(&app, &sink).await;
    assert_eq!((mails.len(), outcome(&app).await.as_str()), (1, "sent 4"));
    assert_eq!(redeem(&app, mails[0].link().1, NEW).await.status, 204);
}

#[tokio::test]
async fn a_sender_that_dies_loses_nothing() {
    let (app, sink) = start().await;
    app.person(app.tenant(), "ada", Role::User).await;
    ask(&app, "ada").await;
    // It dies with the mail in its hands.
    let mut tx = app.state.db.system("test").await.unwrap();
    let claimed = claim_mail(&mut tx, app.state.now()).await.unwrap().unwrap();
    tx.commit_upkeep().await.unwrap();
    assert!(sent(&app, &sink).await.is_empty(), "nobody else has it meanwhile");
    app.advance(Duration::seconds(61));
    let mails = sent(&app, &sink).await;
    assert_eq!(
        mails[0].header("Message-ID"),
        format!("<{}@example.org>", claimed.mail_id)
    );
    assert_eq!(outcome(&app).await, "sent 2");
}

#[tokio::test]
async fn when_it_is_not_known_whether_it_was_taken_it_comes_again_under_the_same_id() {
    let (app, sink) = start().await;
    app.person(app.tenant(), "ada", Role::User).await;
    ask(&app, "ada").await;
    sink.answer_with(&[0]);
    let first = sent(&app, &sink).await;
    app.advance(Duration::seconds(61));
    let second = sent(&app, &sink).await;
    assert_eq!((first.len(), second.len()), (1, 1));
    assert_eq!(first[0].header("Message-ID"), second[0].header("Message-ID"));
    // Whichever of them is read, its link works; then neither does.
    assert_ne!(first[0].link(), second[0].link());
    assert_eq!(redeem(&app, first[0].link().1, NEW).await.status, 204);
    assert_eq!(redeem(&app, second[0].link().1, NEW).await.status, 410);
}

#[tokio::test]
async fn what_is_refused_for_good_or_too_old_is_given_up() {
    let (app, sink) = start().await;
    let admin = app.person(app.tenant(), "admin", Role::Admin).await;
    let body =
        serde_json::json!({"username": "grace", "email": "g@example.org", "role": "user", "invite": true});
    app.post("/api/v1/users", &admin.token, body).await;
    sink.answer_with(&[550; 4]);
    for _ in 0..6 {
        assert!(sent(&app, &sink).await.is_empty());
        app.advance(Duration::hours(1));
    }
    assert_eq!(outcome(&app).await, "refused 4");
    assert!(
        app.sql_text("select last_error from users.outgoing_mail")
            .await
            .contains("not at the moment")
    );

    app.sql("delete from users.outgoing_mail").await;
    ask(&app, "admin").await;
    app.advance(Duration::minutes(30));
    assert!(sent(&app, &sink).await.is_empty());
    assert_eq!(outcome(&app).await, "expired 1");
}

#[tokio::test]
async fn several_senders_share_the_outbox() {
    let (app, sink) = start().await;
    for n in 0..24 {
        app.person(app.tenant(), &format!("p{n}"), Role::User).await;
        ask(&app, &format!("p{n}")).await;
    }
    let senders = (0..4).map(|_| jobs::send_mail(app.state.clone()));
    for result in futures_util::future::join_all(senders).await {
        result.unwrap();
    }
    let mut to: Vec<String> = sink.take().into_iter().flat_map(|mail| mail.to).collect();
    to.sort();
    assert_eq!(to.len(), 24);
    to.dedup();
    assert_eq!(to.len(), 24, "each got theirs once");
}

#[tokio::test]
async fn a_mail_server_that_is_not_who_it_says_gets_nothing() {
    for change in ["certificate", "password", "plain"] {
        let sink = Sink::start().await;
        let app = App::start_with(|config| {
            sink.configure(&mut config.mail);
            match change {
                "certificate" => config.mail.ca_pem = None,
                "password" => config.mail.password = Some("another".into()),
                _ => config.mail.tls = MailTls::Tls,
            }
        })
        .await;
        app.person(app.tenant(), "ada", Role::User).await;
        assert_eq!(ask(&app, "ada").await.status, 202);
        assert!(sent(&app, &sink).await.is_empty(), "{change}");
        assert_eq!(outcome(&app).await, "waiting 1", "{change}");
        let error = app.sql_text("select last_error from users.outgoing_mail").await;
        assert!(
            !error.is_empty() && !error.contains("another"),
            "{change}: {error}"
        );
    }
}

#[tokio::test]
async fn addresses_and_names_stay_where_they_belong() {
    let (app, sink) = start().await;
    app.person(app.tenant(), "ada", Role::User).await;
    for (email, name) in [
        ("a@x.org\r\nBcc: evil@example.org", "Ada"),
        ("ada@example.org", "Ada\r\nBcc: evil@example.org\r\n\r\n."),
        ("ada@example.org", "Ada\n.\nQUIT"),
        ("\"evil@example.org, ada\"@example.org", "Ada"),
        ("not an address", "Ada"),
    ] {
        let mut conn = app.db.connect("postgres").await.unwrap();
        sqlx::query("update users.users set email = $1, full_name = $2 where username = 'ada'")
            .bind(email)
            .bind(name)
            .execute(&mut conn)
            .await
            .unwrap();
        app.sql("delete from users.outgoing_mail").await;
        ask(&app, "ada").await;
        for mail in sent(&app, &sink).await {
            assert_eq!(mail.to.len(), 1, "{mail:?}");
            assert!(!mail.to[0].starts_with("evil"), "{mail:?}");
            assert_eq!(mail.header("Bcc"), "", "{mail:?}");
            assert!(mail.text.contains("/set-password#"), "whole: {mail:?}");
        }
        assert!(Mailer::new(&app.state.config.mail).unwrap().is_some());
    }
}
