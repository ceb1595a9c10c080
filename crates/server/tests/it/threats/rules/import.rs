//! Taking in many files.

use serde_json::{Value, json};
use sg_types::api::Page;
use sg_types::api::rules::{RuleImportOutcome as Outcome, RuleImportReport, RuleView};
use sg_types::{Role, TenantId};

use super::{PATH, create, fetch, sigma};
use crate::fleet::{TestAgent, TestCaller, TestServer};

fn file(path: &str, text: impl Into<String>) -> Value {
    json!({ "path": path, "text": text.into() })
}

async fn import(server: &TestServer, caller: &TestCaller, files: &[Value]) -> RuleImportReport {
    server
        .post(caller, &format!("{PATH}/imports"), json!({ "files": files }))
        .await
        .expect(200)
}

fn counts(report: &RuleImportReport) -> (i64, i64, i64, i64) {
    (report.imported, report.updated, report.unchanged, report.refused)
}

#[tokio::test]
async fn each_file_is_judged_by_itself_and_a_repeat_changes_nothing() {
    let server = TestServer::start().await;
    let manager = server.caller(TenantId::DEFAULT, Role::Manager).await;
    let mut agent = TestAgent::enrol(&server, &manager, "web-1").await;
    create(&server, &manager, "there", "old").await;
    let files = [
        file("a/one.yml", sigma("one", "one")),
        file(
            "a/broken.yml",
            sigma("broken", "x").replace("not filter_root", "not nothing"),
        ),
        file("a/there.yml", sigma("there", "changed")),
        file(
            "b/web.yar",
            "rule web_one { condition: false } rule web_two { condition: false }",
        ),
        file("b/bad.csv", "value,type\nevil.example,domain\n192.0.2.1,ip\n"),
        file("README.md", "# no rule"),
        file(
            "a/two.yml",
            format!("{}---\n{}", sigma("two", "two"), sigma("three", "three")),
        ),
        file("a/one-again.yml", sigma("one", "another")),
    ];
    let report = import(&server, &manager, &files).await;
    assert_eq!(counts(&report), (5, 1, 0, 3));
    let told: Vec<_> = report
        .items
        .iter()
        .map(|item| {
            let code = item.diagnostics.first().map(|one| one.code.as_str());
            (item.path.as_str(), item.rule_id.as_deref(), item.outcome, code)
        })
        .collect();
    assert_eq!(
        told,
        [
            ("a/one.yml", Some("one"), Outcome::Imported, None),
            ("a/broken.yml", Some("broken"), Outcome::Refused, Some("D011")),
            ("a/there.yml", Some("there"), Outcome::Updated, None),
            ("b/web.yar", Some("yara:web_one"), Outcome::Imported, None),
            ("b/bad.csv", Some("indicators:b/bad.csv"), Outcome::Imported, None),
            ("README.md", None, Outcome::Refused, Some("R006")),
            ("a/two.yml", Some("two"), Outcome::Imported, None),
            ("a/two.yml#2", Some("three"), Outcome::Imported, None),
            ("a/one-again.yml", Some("one"), Outcome::Refused, Some("R004")),
        ]
    );
    let (version, package) = fetch(&server, &mut agent).await;
    let (_, diagnostics) = sg_detect::compile(&package.rules);
    assert_eq!(diagnostics, []);

    let again = import(&server, &manager, &files).await;
    assert_eq!(counts(&again), (0, 0, 6, 3));
    assert_eq!(
        fetch(&server, &mut agent).await.0,
        version,
        "nothing new is handed out"
    );
    assert_eq!(
        server.count("select count(*) from threats.rule_versions").await,
        7
    );
    assert_eq!(
        server
            .count("select count(*) from audit.events where action = 'rule.import'")
            .await,
        1
    );
}

#[tokio::test]
async fn what_was_switched_off_stays_off_and_a_dry_run_stores_nothing() {
    let server = TestServer::start().await;
    let manager = server.caller(TenantId::DEFAULT, Role::Manager).await;
    let path = format!("{PATH}/imports");
    let dry = json!({ "files": [file("one.yml", sigma("one", "one"))], "dry_run": true });
    let report: RuleImportReport = server.post(&manager, &path, dry).await.expect(200);
    assert_eq!(counts(&report), (1, 0, 0, 0));
    assert_eq!(server.count("select count(*) from threats.rules").await, 0);
    let off = json!({ "files": [file("one.yml", sigma("one", "one"))], "is_enabled": false, "reason": "to be tried" });
    server
        .post(&manager, &path, off)
        .await
        .expect::<RuleImportReport>(200);
    let report = import(&server, &manager, &[file("one.yml", sigma("one", "changed"))]).await;
    assert_eq!(counts(&report), (0, 1, 0, 0));
    let listed = server
        .get(&manager, &format!("{PATH}?origin=tenant"))
        .await
        .expect::<Page<RuleView>>(200)
        .items;
    assert_eq!(
        (listed.len(), listed[0].is_enabled, listed[0].name.as_str()),
        (1, false, "changed started")
    );
}

#[tokio::test]
async fn an_import_is_bounded_and_hostile_files_are_refused() {
    let server = TestServer::start().await;
    let manager = server.caller(TenantId::DEFAULT, Role::Manager).await;
    let path = format!("{PATH}/imports");
    let many: Vec<_> = (0..501).map(|n| file(&format!("{n}.yml"), "x")).collect();
    for files in [
        json!([]),
        json!(many),
        json!([file("", "x")]),
        json!([file("a\u{1b}[2J.yml", "x")]),
    ] {
        server
            .post(&manager, &path, json!({ "files": files }))
            .await
            .refused(422, "invalid_body");
    }
    let hostile = [
        file(
            "bomb.yml",
            format!(
                "a: &a [{}]\nb: &b [*a, *a, *a, *a, *a, *a, *a, *a, *a]\nc: [*b, *b, *b, *b, *b, *b, *b, *b, *b, *b]\n",
                "x, ".repeat(2_000)
            ),
        ),
        file("deep.yml", format!("{}x{}", "[".repeat(5_000), "]".repeat(5_000))),
        file(
            "heavy.yar",
            "rule a { strings: $a = /ab((\\w{100}){100}){1000}/ condition: $a }",
        ),
        file(
            "include.yar",
            "include \"/etc/passwd\"\nrule a { condition: true }",
        ),
        file(
            "slow.yml",
            sigma("slow", "x").replace("Image|endswith: '/x'", "Image|re: '(a{1000}){1000}'"),
        ),
        file("id.yml", sigma("..", "x")),
        file("long.yml", sigma(&"x".repeat(300), "x")),
        file("control.yml", sigma("a\u{7}b", "x")),
    ];
    let report = import(&server, &manager, &hostile).await;
    assert_eq!(
        counts(&report),
        (0, 0, 0, i64::try_from(hostile.len()).unwrap()),
        "{report:?}"
    );
    assert!(report.items.iter().all(|item| !item.diagnostics.is_empty()));
    assert_eq!(server.count("select count(*) from threats.rules").await, 0);
}
