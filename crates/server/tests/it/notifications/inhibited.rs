//! An alert that follows from another one that fires is not told, and is told when it goes on without that one.

use sg_db::monitoring::{clear_alert, raise_alert};
use sg_types::api::Page;
use sg_types::api::monitoring::AlertRuleView;
use sg_types::api::notifications::NotificationOutcome;

use super::*;

const RULES: &str = "/api/v1/monitoring/alert-rules";

impl Scene {
    async fn rule(&self, kind: &str) -> AlertRuleView {
        let rules: Page<AlertRuleView> = self.server.get(&self.admin, RULES).await.expect(200);
        rules.items.into_iter().find(|rule| rule.kind == kind).unwrap()
    }

    async fn inhibit(&self, kind: &str, by: &[&str]) -> axum::http::StatusCode {
        let path = format!("{RULES}/{}", self.rule(kind).await.rule_id);
        let body = json!({ "inhibited_by": by });
        self.server
            .send("PATCH", &path, &self.admin.token, Some(body))
            .await
            .status
    }

    async fn raise(&self, kind: &str) {
        let now = self.server.state.now();
        let mut tx = self.server.state.db.system("test").await.unwrap();
        raise_alert(&mut tx, TenantId::DEFAULT, kind, "", 100.0, now)
            .await
            .unwrap();
        tx.commit_upkeep().await.unwrap();
    }

    async fn clear(&self, kind: &str) {
        let now = self.server.state.now();
        let mut tx = self.server.state.db.system("test").await.unwrap();
        clear_alert(&mut tx, TenantId::DEFAULT, kind, "", now)
            .await
            .unwrap();
        tx.commit_upkeep().await.unwrap();
    }

    /// The titles of what has arrived since the last look.
    async fn told(&self, count: usize) -> Vec<String> {
        self.receiver.wait_for(count).await;
        self.settle().await;
        let title = |one: &super::receiver::Posted| one.json()["data"]["title"].as_str().unwrap().to_owned();
        self.receiver.take().iter().map(title).collect()
    }
}

#[tokio::test]
async fn what_follows_from_another_alert_is_told_when_it_outlasts_it() {
    let scene = Scene::start().await;
    scene.webhook("hook").await;
    assert_eq!(
        scene
            .inhibit("account_lockouts", &["failed_sign_ins", "audit_chain"])
            .await,
        200
    );
    let rule = scene.rule("account_lockouts").await;
    assert_eq!(rule.inhibited_by, ["audit_chain", "failed_sign_ins"]);

    scene.raise("failed_sign_ins").await;
    assert_eq!(scene.told(1).await, ["Alert failed sign ins is firing"]);
    scene.raise("account_lockouts").await;
    assert!(scene.told(0).await.is_empty());
    let log = scene.log("").await;
    assert_eq!(
        (log[0].outcome, log[0].inhibited_by.as_deref()),
        (Some(NotificationOutcome::Silenced), Some("failed_sign_ins"))
    );

    // Another one keeps it quiet as well, and the first one ends.
    scene.raise("audit_chain").await;
    assert_eq!(scene.told(1).await, ["Alert audit chain is firing"]);
    scene.clear("failed_sign_ins").await;
    assert_eq!(scene.told(1).await, ["Alert failed sign ins is over"]);
    // Without that one too it is told, and so is its end.
    scene.clear("audit_chain").await;
    let mut told = scene.told(2).await;
    told.sort();
    assert_eq!(
        told,
        ["Alert account lockouts is firing", "Alert audit chain is over"]
    );
    scene.clear("account_lockouts").await;
    assert_eq!(scene.told(1).await, ["Alert account lockouts is over"]);

    // What is over before it would be told is told to nobody.
    scene.raise("failed_sign_ins").await;
    scene.raise("account_lockouts").await;
    scene.clear("account_lockouts").await;
    scene.clear("failed_sign_ins").await;
    assert_eq!(
        scene.told(2).await,
        ["Alert failed sign ins is firing", "Alert failed sign ins is over"]
    );
}

#[tokio::test]
async fn a_rule_is_kept_quiet_by_others_of_its_tenant_only() {
    let scene = Scene::start().await;
    for wrong in [
        &["account_lockouts"][..],
        &["no_such_rule"],
        // Of the installation.
        &["storage_usage"],
        &["failed_sign_ins"; 16],
    ] {
        assert_eq!(scene.inhibit("account_lockouts", wrong).await, 422, "{wrong:?}");
    }
    assert!(scene.rule("account_lockouts").await.inhibited_by.is_empty());
    assert_eq!(
        scene
            .inhibit("account_lockouts", &["failed_sign_ins", "failed_sign_ins"])
            .await,
        200
    );
    assert_eq!(
        scene.rule("account_lockouts").await.inhibited_by,
        ["failed_sign_ins"]
    );
    assert_eq!(scene.inhibit("account_lockouts", &[]).await, 200);
    assert!(scene.rule("account_lockouts").await.inhibited_by.is_empty());
}
