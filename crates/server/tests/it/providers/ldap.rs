//! People of a real directory: followed, signed in by its word, switched off with it; and everything that tries to get in without.

use std::time::Duration;

use serde_json::{Value, json};
use sg_types::Role;

use super::directory::{Directory, ROOT_PASSWORD};
use crate::app::{App, PASSWORD, Person};

struct Scene {
    app: App,
    admin: Person,
    directory: Directory,
    provider: String,
}

/// A tenant with an administrator of its own and a directory with these people, who are not there yet.
async fn scene(people: &[&str], change: impl FnOnce(&mut Value)) -> Scene {
    let app = App::start().await;
    let admin = app.person(app.tenant(), "admin", Role::Admin).await;
    let directory = Directory::start(people).await;
    let mut body = json!({
        "name": "Directory", "settings": directory.settings(), "secret": ROOT_PASSWORD,
        "role_mappings": [{"value": "analysts", "role": "manager"}]
    });
    change(&mut body);
    let answer = app.post("/api/v1/users/providers", &admin.token, body).await;
    assert_eq!(answer.status, 201, "{}", answer.body);
    let provider = answer.body["provider_id"].as_str().unwrap().to_owned();
    Scene {
        app,
        admin,
        directory,
        provider,
    }
}

impl Scene {
    async fn sync(&self, is_dry_run: bool) -> Value {
        let path = format!("/api/v1/users/providers/{}/syncs", self.provider);
        let body = json!({"is_dry_run": is_dry_run});
        let answer = self.app.post(&path, &self.admin.token, body).await;
        assert_eq!(answer.status, 200, "{}", answer.body);
        answer.body
    }

    async fn people(&self) -> String {
        let query = "select string_agg(username || ' ' || role || case when is_active then '' else ' off' end, ', ' order by username)
            from users.users where username not in ('admin', 'administrator')";
        self.app.sql_text(query).await
    }
}

#[tokio::test]
async fn people_of_the_directory_sign_in_with_its_password() {
    let scene = scene(&["ada", "grace"], |_| {}).await;
    let app = &scene.app;
    scene.directory.add_group("analysts", &["ada"]).await;
    assert_eq!(
        app.sign_in("ada", "ada's word").await.status,
        401,
        "before anybody followed the directory"
    );
    let sync = scene.sync(false).await;
    assert_eq!(
        (&sync["outcome"], &sync["report"]["created"]["count"]),
        (&json!("done"), &json!(2)),
        "{sync}"
    );
    assert_eq!(scene.people().await, "ada manager, grace user");

    let answer = app.sign_in("ADA", "ada's word").await;
    assert_eq!(answer.status, 201, "{}", answer.body);
    assert_eq!(answer.body["must_change_password"], false);
    let me = app
        .get("/api/v1/sessions/current", answer.body["token"].as_str().unwrap())
        .await;
    assert_eq!(
        (&me.body["role"], &me.body["full_name"]),
        (&json!("manager"), &json!("ada of the directory"))
    );
    for wrong in ["grace's word", "", "!", PASSWORD, "ada's word "] {
        let refused = app.sign_in("ada", wrong).await;
        assert_eq!(
            (refused.status, refused.code()),
            (401, "invalid_credentials"),
            "{wrong:?}"
        );
    }
    // The same words as for who does not exist.
    let mut nobody = app.sign_in("nobody", "x").await.body;
    let mut somebody = app.sign_in("grace", "x").await.body;
    nobody["request_id"] = Value::Null;
    somebody["request_id"] = Value::Null;
    assert_eq!(nobody, somebody);
}

#[tokio::test]
async fn what_is_typed_never_becomes_part_of_a_question() {
    let scene = scene(&["ada"], |_| {}).await;
    scene.sync(false).await;
    for name in [
        "*",
        "ada)(uid=*",
        "*)(objectClass=*",
        "ad*",
        "ada\\2a",
        "uid=ada,ou=people,dc=example,dc=org",
    ] {
        assert_eq!(scene.app.sign_in(name, "ada's word").await.status, 401, "{name}");
    }
    assert_eq!(scene.directory.binds_of("ada"), 0);
    // An attribute of the directory cannot become one either.
    scene.directory.add_person("eve)(uid=ada").await;
    scene.directory.add_person("e*").await;
    let sync = scene.sync(false).await;
    assert_eq!(sync["outcome"], "done");
    assert_eq!(scene.app.sign_in("e*", "e*'s word").await.status, 201);
    assert_eq!(scene.app.sign_in("e*", "ada's word").await.status, 401);
    assert_eq!(scene.app.sign_in("eve)(uid=ada", "ada's word").await.status, 401);
    assert_eq!(
        scene.app.sign_in("ada", "").await.status,
        401,
        "an unauthenticated bind succeeds here"
    );
}

#[tokio::test]
async fn no_number_of_parallel_guesses_passes_the_limit() {
    let scene = scene(&["ada"], |_| {}).await;
    scene.sync(false).await;
    let guesses = (0..150).map(|n| scene.app.sign_in("ada", ["wrong", "worse"][n % 2]));
    let answers = futures_util::future::join_all(guesses).await;
    assert!(answers.iter().all(|answer| [401, 503].contains(&answer.status)));
    let tried = scene.directory.binds_of("ada");
    assert!((1..=5).contains(&tried), "{tried} guesses reached the directory");
    let refused = scene.app.sign_in("ada", "ada's word").await;
    assert_eq!(refused.status, 401, "locked");
    assert_eq!(
        scene.directory.binds_of("ada"),
        tried,
        "a locked account asks nobody"
    );
    scene.app.advance(chrono::Duration::minutes(31));
    assert_eq!(scene.app.sign_in("ada", "ada's word").await.status, 201);
}

#[tokio::test]
async fn large_directories_are_read_page_by_page_and_a_dry_run_changes_nothing() {
    let names: Vec<String> = (0..120).map(|n| format!("person{n:03}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let scene = scene(&names, |_| {}).await;
    let tried = scene.sync(true).await;
    assert_eq!(
        (&tried["is_dry_run"], &tried["report"]["created"]["count"]),
        (&json!(true), &json!(120)),
        "{tried}"
    );
    assert_eq!(scene.people().await, "");
    let links = scene
        .app
        .sql_text("select count(*)::text from users.external_identities")
        .await;
    assert_eq!(links, "0");
    let done = scene.sync(false).await;
    assert_eq!(done["report"]["created"]["count"], 120);
    assert_eq!(done["report"]["created"]["people"].as_array().unwrap().len(), 100);
    let again = scene.sync(false).await;
    assert_eq!(
        (&again["report"]["unchanged"], &again["report"]["found"]),
        (&json!(120), &json!(120)),
        "{again}"
    );
    let path = format!("/api/v1/users/providers/{}/syncs", scene.provider);
    let listed = scene.app.get(&path, &scene.admin.token).await;
    let runs: Vec<&Value> = listed.body["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|run| &run["is_dry_run"])
        .collect();
    assert_eq!(runs, [&json!(false), &json!(false), &json!(true)]);
}

#[tokio::test]
async fn who_leaves_the_directory_is_switched_off_and_comes_back_with_it() {
    let scene = scene(&["ada", "grace", "joan", "mary"], |_| {}).await;
    let app = &scene.app;
    scene.sync(false).await;
    let token = app.sign_in("ada", "ada's word").await.body["token"]
        .as_str()
        .unwrap()
        .to_owned();
    scene.directory.set("ada", "employeeType", "left").await;
    app.sql("update users.users set is_active = false where username = 'grace'")
        .await;
    let sync = scene.sync(false).await;
    assert_eq!(
        sync["report"]["switched_off"]["people"][0]["name"], "ada",
        "{sync}"
    );
    assert_eq!(
        scene.people().await,
        "ada user off, grace user off, joan user, mary user"
    );
    assert_eq!(app.get("/api/v1/sessions/current", &token).await.status, 401);
    assert_eq!(app.sign_in("ada", "ada's word").await.status, 401);

    scene.directory.set("ada", "employeeType", "staff").await;
    scene.directory.set("joan", "mail", "joan.new@example.org").await;
    scene.directory.set("mary", "mail", "admin@example.org").await;
    scene.sync(false).await;
    assert_eq!(
        scene.people().await,
        "ada user, grace user off, joan user, mary user",
        "who was switched off by a person stays off"
    );
    let mails = app.sql_text("select string_agg(email, ' ' order by username) from users.users where username in ('joan', 'mary')").await;
    assert_eq!(
        mails, "joan.new@example.org mary@example.org",
        "nobody's address is taken over"
    );
}

#[tokio::test]
async fn a_directory_that_lost_its_people_switches_nobody_off() {
    let scene = scene(&["ada", "grace", "joan"], |_| {}).await;
    scene.sync(false).await;
    let before = scene.people().await;
    scene.directory.set("ada", "employeeType", "left").await;
    scene.directory.set("grace", "employeeType", "left").await;
    scene.directory.add_person("new").await;
    let sync = scene.sync(false).await;
    assert_eq!(sync["outcome"], "stopped", "{sync}");
    assert!(
        sync["report"]["problem"].as_str().unwrap().contains("2 of 3"),
        "{sync}"
    );
    assert_eq!(scene.people().await, before, "all or nothing");
}

#[tokio::test]
async fn neither_name_nor_address_in_a_directory_takes_an_account_over() {
    let scene = scene(&["admin", "boss"], |_| {}).await;
    let app = &scene.app;
    scene.directory.set("boss", "mail", "admin@example.org").await;
    let sync = scene.sync(false).await;
    assert_eq!(sync["report"]["skipped"]["count"], 2, "{sync}");
    assert_eq!(app.sign_in("admin", "admin's word").await.status, 401);
    assert_eq!(
        app.sign_in("admin", PASSWORD).await.status,
        201,
        "the local account stays its owner's"
    );
}

#[tokio::test]
async fn an_existing_account_is_linked_only_where_that_is_wanted_and_both_names_are_the_same() {
    let scene = scene(&["ada", "grace", "root"], |body| {
        body["settings"]["links_existing"] = json!(true);
        body["role_mappings"] = json!([]);
    })
    .await;
    let app = &scene.app;
    app.person(app.tenant(), "ada", Role::Manager).await;
    app.person(app.tenant(), "grace", Role::User).await;
    app.person(app.tenant(), "root", Role::SystemAdmin).await;
    app.sql("update users.users set email = 'another@example.org' where username = 'grace'")
        .await;
    let sync = scene.sync(false).await;
    assert_eq!(sync["report"]["changed"]["people"][0]["name"], "ada", "{sync}");
    assert_eq!(sync["report"]["skipped"]["count"], 2, "{sync}");
    assert_eq!(app.sign_in("ada", "ada's word").await.status, 201);
    assert_eq!(
        app.sign_in("ada", PASSWORD).await.status,
        401,
        "the directory's word counts in place of ours"
    );
    assert_eq!(app.sign_in("root", "root's word").await.status, 401);
    assert_eq!(app.sign_in("root", PASSWORD).await.status, 201);
}

#[tokio::test]
async fn without_the_directory_its_people_wait_and_the_local_administrator_works() {
    let mut scene = scene(&["ada"], |_| {}).await;
    scene.sync(false).await;
    scene.directory.stop();
    for _ in 0..8 {
        assert_eq!(scene.app.sign_in("ada", "ada's word").await.status, 401);
    }
    let counted = scene.app.sql_text("select failed_login_attempts::text || coalesce(account_locked_until::text, '') from users.users where username = 'ada'").await;
    assert_eq!(counted, "0", "an attempt that nobody tested does not count");
    assert_eq!(scene.app.sign_in("admin", PASSWORD).await.status, 201);
    let sync = scene.sync(false).await;
    assert_eq!(sync["outcome"], "failed", "{sync}");
    assert_eq!(scene.people().await, "ada user");
    let reason = scene
        .app
        .sql_text("select string_agg(distinct reason, ',') from audit.events where action = 'session.create' and outcome = 'failure'")
        .await;
    assert_eq!(reason, "directory_unavailable");
}

#[tokio::test]
async fn passwords_travel_by_tls_to_the_right_server_only() {
    let scene = scene(&["ada"], |_| {}).await;
    let test = async |change: &dyn Fn(&mut Value)| {
        let mut body =
            json!({"name": "Directory", "settings": scene.directory.settings(), "secret": ROOT_PASSWORD});
        change(&mut body);
        let path = format!("/api/v1/users/providers/{}", scene.provider);
        let put = scene
            .app
            .call(axum::http::Method::PUT, &path, &scene.admin.token, Some(body))
            .await;
        assert_eq!(put.status, 200, "{}", put.body);
        let started = std::time::Instant::now();
        let test = scene
            .app
            .post(&format!("{path}/test"), &scene.admin.token, json!({}))
            .await;
        assert!(started.elapsed() < Duration::from_secs(12));
        test.body
    };
    let good = test(&|_| {}).await;
    assert_eq!(
        (&good["ok"], &good["steps"][1]["detail"]),
        (&json!(true), &json!("1 entries, 1 of them with `entryUUID`")),
        "{good}"
    );
    let starttls = test(&|body| {
        body["settings"]["url"] = json!(scene.directory.plain_url());
        body["settings"]["starttls"] = json!(true);
    })
    .await;
    assert_eq!(starttls["ok"], true, "{starttls}");
    // Another authority's certificate, a name that the certificate lacks, a wrong password, an authority that the system has not.
    let other = rcgen::generate_simple_self_signed(vec!["127.0.0.1".to_owned()])
        .unwrap()
        .cert
        .pem();
    for change in [
        &|body: &mut Value| body["settings"]["ca_pem"] = json!(other),
        &(|body: &mut Value| {
            let url = body["settings"]["url"]
                .as_str()
                .unwrap()
                .replace("127.0.0.1", "localhost");
            body["settings"]["url"] = json!(url);
        }) as &dyn Fn(&mut Value),
        &|body: &mut Value| body["secret"] = json!("wrong"),
        &|body: &mut Value| body["settings"]["ca_pem"] = Value::Null,
    ] {
        let refused = test(change).await;
        assert_eq!(
            (&refused["ok"], refused["steps"].as_array().unwrap().len()),
            (&json!(false), 1),
            "{refused}"
        );
    }
}
