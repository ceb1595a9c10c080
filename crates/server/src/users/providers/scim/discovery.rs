//! What the service says of itself (RFC 7643 §5–§7).

use serde_json::{Value, json};

use super::routes::{MAX_COUNT, location};
use super::{groups, users};
use crate::AppState;

/// RFC 7643 §5.
pub(super) fn service_provider_config(state: &AppState) -> Value {
    json!({
        "schemas": ["urn:ietf:params:scim:schemas:core:2.0:ServiceProviderConfig"],
        "patch": {"supported": true},
        "bulk": {"supported": false, "maxOperations": 0, "maxPayloadSize": 0},
        "filter": {"supported": true, "maxResults": MAX_COUNT},
        "changePassword": {"supported": false},
        "sort": {"supported": false},
        "etag": {"supported": false},
        "authenticationSchemes": [{
            "type": "oauthbearertoken", "name": "API key",
            "description": "An API key of the scope scim, as bearer token", "primary": true
        }],
        "meta": {"resourceType": "ServiceProviderConfig", "location": location(state, "ServiceProviderConfig", "").trim_end_matches('/')}
    })
}

/// RFC 7643 §6.
pub(super) fn resource_types(state: &AppState) -> Vec<Value> {
    [
        ("User", "Users", users::SCHEMA),
        ("Group", "Groups", groups::SCHEMA),
    ]
    .into_iter()
    .map(|(name, end_point, schema)| {
        json!({
            "schemas": ["urn:ietf:params:scim:schemas:core:2.0:ResourceType"],
            "id": name, "name": name, "endpoint": format!("/{end_point}"), "schema": schema,
            "meta": {"resourceType": "ResourceType", "location": location(state, "ResourceTypes", name)}
        })
    })
    .collect()
}

/// RFC 7643 §7: the attributes that are kept.
pub(super) fn schemas(state: &AppState) -> Vec<Value> {
    let schema = |id: &str, name: &str, attributes: Vec<Value>| {
        json!({
            "schemas": ["urn:ietf:params:scim:schemas:core:2.0:Schema"],
            "id": id, "name": name, "description": name, "attributes": attributes,
            "meta": {"resourceType": "Schema", "location": location(state, "Schemas", id)}
        })
    };
    let mut user_name = attribute("userName", "string", true);
    user_name["uniqueness"] = "server".into();
    let mut emails = attribute("emails", "complex", true);
    emails["multiValued"] = true.into();
    // One address is kept, so that it is the primary one.
    let mut primary = attribute("primary", "boolean", false);
    primary["mutability"] = "readOnly".into();
    emails["subAttributes"] = json!([attribute("value", "string", true), primary]);
    let mut members = attribute("members", "complex", false);
    members["multiValued"] = true.into();
    let mut reference = attribute("$ref", "reference", false);
    reference["referenceTypes"] = json!(["User"]);
    let mut kind = attribute("type", "string", false);
    kind["canonicalValues"] = json!(["User"]);
    let mut parts = [attribute("value", "string", true), reference, kind];
    for part in &mut parts {
        part["mutability"] = "immutable".into();
    }
    members["subAttributes"] = json!(parts);
    vec![
        schema(
            users::SCHEMA,
            "User",
            vec![
                user_name,
                attribute("displayName", "string", false),
                attribute("active", "boolean", false),
                emails,
            ],
        ),
        schema(
            groups::SCHEMA,
            "Group",
            vec![attribute("displayName", "string", true), members],
        ),
    ]
}

fn attribute(name: &str, kind: &str, required: bool) -> Value {
    json!({
        "name": name, "type": kind, "description": name, "multiValued": false, "required": required, "caseExact": false,
        "mutability": "readWrite", "returned": "default", "uniqueness": "none"
    })
}
