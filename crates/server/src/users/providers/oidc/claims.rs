//! What tokens and the user-info end point say of somebody.

use openidconnect::AdditionalClaims;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use sg_types::api::providers::OidcSettings;

use super::super::account::Vouched;

/// Values of a role claim that are looked at.
const MAX_ROLE_VALUES: usize = 1_000;

/// Every claim that no standard names.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(super) struct AnyClaims {
    #[serde(flatten)]
    others: Map<String, Value>,
}

impl AdditionalClaims for AnyClaims {}

/// Whether the user-info end point has to be asked for what the tokens lack.
pub(super) fn is_incomplete(claims: &Map<String, Value>, settings: &OidcSettings) -> bool {
    let lacks = |name: &str| find(claims, name).is_none();
    lacks("email") || lacks(&settings.username_claim) || settings.role_claim.as_deref().is_some_and(lacks)
}

/// Reads what matters out of the claims.
pub(super) fn read(subject: &str, claims: &Map<String, Value>, settings: &OidcSettings) -> Vouched {
    let text = |name: &str| {
        find(claims, name)
            .and_then(Value::as_str)
            .map(str::to_owned)
            .filter(|text| !text.contains('\0'))
    };
    Vouched {
        subject: subject.to_owned(),
        email: text("email"),
        // Some providers write the boolean as text.
        email_verified: match claims.get("email_verified") {
            Some(Value::Bool(verified)) => *verified,
            Some(Value::String(word)) => word == "true",
            _ => false,
        },
        full_name: text("name"),
        username: text(&settings.username_claim),
        role_values: settings
            .role_claim
            .as_deref()
            .and_then(|name| find(claims, name))
            .map(texts)
            .unwrap_or_default(),
    }
}

/// A claim by its name, or by a path of names with dots where no claim has the whole name.
fn find<'a>(claims: &'a Map<String, Value>, name: &str) -> Option<&'a Value> {
    if let Some(value) = claims.get(name) {
        return Some(value);
    }
    let (first, rest) = name.split_once('.')?;
    find(claims.get(first)?.as_object()?, rest)
}

fn texts(value: &Value) -> Vec<String> {
    match value {
        Value::String(text) => vec![text.clone()],
        Value::Array(values) => values
            .iter()
            .filter_map(Value::as_str)
            .take(MAX_ROLE_VALUES)
            .map(str::to_owned)
            .collect(),
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings() -> OidcSettings {
        serde_json::from_value(serde_json::json!({
            "issuer": "https://login.example.org", "client_id": "guard", "role_claim": "realm_access.roles"
        }))
        .unwrap()
    }

    #[test]
    fn claims_are_read_by_name_and_by_path() {
        let claims = serde_json::json!({
            "email": "ada@example.org", "email_verified": "true", "preferred_username": "ada",
            "realm_access": {"roles": ["analyst", 7, "admin"]}
        });
        let claims = claims.as_object().unwrap();
        let who = read("s-1", claims, &settings());
        assert_eq!(who.role_values, ["analyst", "admin"]);
        assert!(who.email_verified);
        assert!(!is_incomplete(claims, &settings()));
        assert!(is_incomplete(&Map::new(), &settings()));
    }

    #[test]
    fn an_address_is_verified_only_when_that_is_said() {
        for unsaid in [
            serde_json::json!({}),
            serde_json::json!({"email_verified": "false"}),
            serde_json::json!({"email_verified": 1}),
            serde_json::json!({"email_verified": null}),
            serde_json::json!({"email_verified": ["true"]}),
        ] {
            assert!(
                !read("s", unsaid.as_object().unwrap(), &settings()).email_verified,
                "{unsaid}"
            );
        }
    }
}
