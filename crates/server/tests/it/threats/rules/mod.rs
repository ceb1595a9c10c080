//! Rules of a tenant's own: who changes them, what is refused, who gets them.

mod delivery;
mod import;
mod placeholders;
mod save;
mod trial;

use serde_json::{Value, json};
use sg_types::agent::{RulePackage, SignedRules};
use sg_types::api::rules::RuleDetail;

use crate::fleet::{TestAgent, TestCaller, TestServer};

const PATH: &str = "/api/v1/threats/rules";

/// A Sigma rule on programs whose path ends with `/` and `program`.
fn sigma(id: &str, program: &str) -> String {
    format!(
        "title: {program} started\nid: {id}\nlevel: high\nlogsource:\n    product: linux\n    category: process_creation\n\
         detection:\n    selection:\n        Image|endswith: '/{program}'\n    filter_root:\n        User: root\n    condition: selection and not filter_root\n"
    )
}

fn body(id: &str, program: &str) -> Value {
    json!({ "kind": "sigma", "text": sigma(id, program), "reason": "because" })
}

async fn create(server: &TestServer, caller: &TestCaller, id: &str, program: &str) -> RuleDetail {
    server.post(caller, PATH, body(id, program)).await.expect(201)
}

/// What the agent is offered, and the package that it fetches.
async fn fetch(server: &TestServer, agent: &mut TestAgent) -> (u64, RulePackage) {
    let offered = agent.send(server, &[]).await.rules_version;
    let signed: SignedRules = server
        .send("GET", "/agent/v1/rules", &agent.token, None)
        .await
        .expect(200);
    (offered, serde_json::from_str(&signed.package).unwrap())
}

fn names(package: &RulePackage) -> Vec<&str> {
    package.rules.iter().map(|rule| rule.name.as_str()).collect()
}
