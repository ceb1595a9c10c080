//! Backup codes.

use futures_util::future::join_all;
use serde_json::json;
use sg_types::Role;

use super::super::app::App;
use super::{Authy, challenge, second_step, texts};

#[tokio::test]
async fn a_backup_code_is_good_once_also_when_two_try_at_once() {
    let app = App::start_with(|config| config.passwords.queue = 1_000).await;
    let ada = app.person(app.tenant(), "ada", Role::User).await;
    let authy = Authy::add(&app, &ada.token).await;
    let code = authy.backup_codes[3].to_lowercase().replace('-', " ");
    // One after the other: as many at once would be more attempts than the policy reserves.
    let mut waiting = Vec::new();
    for _ in 0..8 {
        waiting.push(challenge(&app, "ada").await);
    }
    let answers = join_all(
        waiting
            .iter()
            .map(|w| second_step(&app, w, "backup_code", code.as_str())),
    )
    .await;
    assert_eq!(answers.iter().filter(|a| a.status == 201).count(), 1);
    assert!(answers.iter().all(|a| a.status == 201 || a.status == 401));
    let token = answers
        .iter()
        .find_map(|a| a.body["token"].as_str())
        .unwrap()
        .to_owned();
    let own = app.get("/api/v1/users/me/factors", &token).await;
    assert_eq!(own.body["backup_codes_left"], 9);
    let notices = app.get("/api/v1/users/me/notices", &token).await;
    let kinds: Vec<&str> = notices.body["notices"]
        .as_array()
        .unwrap()
        .iter()
        .map(|n| n["kind"].as_str().unwrap())
        .collect();
    assert_eq!(kinds, ["backup_code_used", "factor_added"]);
    assert_eq!(app.delete("/api/v1/users/me/notices", &token).await.status, 204);
    let notices = app.get("/api/v1/users/me/notices", &token).await;
    assert_eq!(notices.body["notices"], json!([]));
}

#[tokio::test]
async fn new_codes_void_the_old_ones() {
    let app = App::start().await;
    let ada = app.person(app.tenant(), "ada", Role::User).await;
    let none = app
        .post("/api/v1/users/me/factors/backup-codes", &ada.token, json!({}))
        .await;
    assert_eq!((none.status, none.code()), (409, "no_factor"));
    let authy = Authy::add(&app, &ada.token).await;
    let made = app
        .post("/api/v1/users/me/factors/backup-codes", &ada.token, json!({}))
        .await;
    assert_eq!(made.status, 201, "{made:?}");
    let fresh = texts(&made.body["codes"]);
    assert_eq!(fresh.len(), 10);
    let waiting = challenge(&app, "ada").await;
    let old = second_step(&app, &waiting, "backup_code", authy.backup_codes[0].as_str()).await;
    assert_eq!(old.status, 401);
    assert_eq!(
        second_step(&app, &waiting, "backup_code", fresh[9].as_str())
            .await
            .status,
        201
    );
    for code in fresh.iter().chain(&authy.backup_codes) {
        let plain = code.replace('-', "");
        let found = format!(
            "select count(*)::text from audit.row_changes t where to_jsonb(t)::text like '%{plain}%' or to_jsonb(t)::text like '%{code}%'"
        );
        assert_eq!(app.sql_text(&found).await, "0");
    }
}
