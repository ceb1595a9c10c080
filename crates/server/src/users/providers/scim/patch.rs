//! PATCH (RFC 7644 §3.5.2) on a resource as JSON.

use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::error::{ScimError, ScimResult};
use super::filter;

/// Operations of one request at most.
const MAX_OPERATIONS: usize = 1_000;
/// Attributes that have several values, and those whose names are known, as they are written.
const LISTS: [&str; 2] = ["emails", "members"];
const NAMES: [&str; 8] = [
    "userName",
    "externalId",
    "displayName",
    "active",
    "emails",
    "members",
    "name",
    "nickName",
];

/// The body of a PATCH.
#[derive(Debug, Deserialize)]
pub(super) struct PatchBody {
    #[serde(rename = "Operations", alias = "operations")]
    operations: Vec<Operation>,
}

#[derive(Debug, Deserialize)]
struct Operation {
    op: String,
    #[serde(default)]
    path: Option<String>,
    #[serde(default)]
    value: Option<Value>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Add,
    Replace,
    Remove,
}

/// Applies every operation in order; the caller keeps nothing when one is refused.
pub(super) fn apply(resource: &mut Map<String, Value>, body: PatchBody) -> ScimResult<()> {
    if body.operations.len() > MAX_OPERATIONS {
        return Err(ScimError::invalid_value("too many operations"));
    }
    for operation in body.operations {
        let kind = match operation.op.to_ascii_lowercase().as_str() {
            "add" => Kind::Add,
            "replace" => Kind::Replace,
            "remove" => Kind::Remove,
            _ => return Err(ScimError::invalid_syntax("`op` is add, replace or remove")),
        };
        match (operation.path, operation.value) {
            (Some(path), value) => change(resource, kind, &path, value)?,
            (None, Some(Value::Object(values))) if kind != Kind::Remove => {
                for (path, value) in values {
                    change(resource, kind, &path, Some(value))?;
                }
            }
            (None, _) if kind == Kind::Remove => {
                return Err(ScimError::Refused {
                    status: axum::http::StatusCode::BAD_REQUEST,
                    kind: Some("noTarget"),
                    detail: "`remove` needs a `path`".to_owned(),
                });
            }
            (None, _) => return Err(ScimError::invalid_value("without `path`, `value` is an object")),
        }
    }
    Ok(())
}

/// `name[filter].sub`, the last two optional.
struct Path {
    name: String,
    filter: Option<(String, String)>,
    sub: Option<String>,
}

fn parse_path(text: &str) -> ScimResult<Path> {
    let refuse = || {
        ScimError::invalid_path(format!(
            "`{}` is no path",
            text.chars().take(100).collect::<String>()
        ))
    };
    let text = match text.strip_prefix("urn:") {
        Some(urn) => urn.rsplit_once(':').map_or(urn, |(_, rest)| rest),
        None => text,
    };
    let (head, rest) = match text.split_once('[') {
        Some((head, rest)) => (head, Some(rest)),
        None => (text, None),
    };
    let (filter, sub) = match rest {
        Some(rest) => {
            let (inner, behind) = rest.rsplit_once(']').ok_or_else(refuse)?;
            let [only] = <[_; 1]>::try_from(filter::parse(inner)?).map_err(|_| refuse())?;
            let sub = match behind {
                "" => None,
                behind => Some(behind.strip_prefix('.').ok_or_else(refuse)?.to_owned()),
            };
            (Some((only.path, only.value)), sub)
        }
        None => (None, None),
    };
    let (name, sub) = match (head.split_once('.'), sub) {
        (Some((name, sub)), None) if filter.is_none() => (name, Some(sub.to_owned())),
        (None, sub) => (head, sub),
        _ => return Err(refuse()),
    };
    if name.is_empty()
        || !name
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b"$-_".contains(&b))
    {
        return Err(refuse());
    }
    Ok(Path {
        name: canonical(name),
        filter,
        sub,
    })
}

/// The name of an attribute as it is written: names have no case (RFC 7643 §2.1).
pub(super) fn canonical(name: &str) -> String {
    NAMES
        .iter()
        .find(|known| known.eq_ignore_ascii_case(name))
        .map_or_else(|| name.to_owned(), |known| (*known).to_owned())
}

fn change(resource: &mut Map<String, Value>, kind: Kind, path: &str, value: Option<Value>) -> ScimResult<()> {
    let path = parse_path(path)?;
    if kind != Kind::Remove && value.is_none() {
        return Err(ScimError::invalid_value("`value` is missing"));
    }
    if LISTS.contains(&path.name.as_str()) {
        return change_list(resource, kind, &path, value);
    }
    let place = match (&path.sub, &path.filter) {
        (Some(sub), None) => {
            let inner = resource.entry(path.name.clone()).or_insert_with(|| json!({}));
            let inner = inner
                .as_object_mut()
                .ok_or_else(|| ScimError::invalid_path(format!("`{}` has no parts", path.name)))?;
            (inner, sub.clone())
        }
        (None, None) => (resource, path.name.clone()),
        _ => {
            return Err(ScimError::invalid_path(format!(
                "`{}` has no list to choose from",
                path.name
            )));
        }
    };
    match value.filter(|_| kind != Kind::Remove) {
        Some(value) => place.0.insert(place.1, value),
        None => place.0.remove(&place.1),
    };
    Ok(())
}

fn change_list(
    resource: &mut Map<String, Value>,
    kind: Kind,
    path: &Path,
    value: Option<Value>,
) -> ScimResult<()> {
    let list = resource.entry(path.name.clone()).or_insert_with(|| json!([]));
    let list = list
        .as_array_mut()
        .ok_or_else(|| ScimError::invalid_path(format!("`{}` is no list", path.name)))?;
    let matches = |element: &Value| match &path.filter {
        Some((attribute, wanted)) => {
            text_of(element, attribute).is_some_and(|text| text.eq_ignore_ascii_case(wanted))
        }
        None => true,
    };
    let given = value.map(|value| match value {
        Value::Array(values) => values,
        one => vec![one],
    });
    match (kind, &path.sub) {
        (Kind::Remove, None) => {
            let named: Option<Vec<String>> = given.map(|values| {
                values
                    .iter()
                    .filter_map(|value| text_of(value, "value"))
                    .collect()
            });
            list.retain(|element| {
                let in_value = named
                    .as_ref()
                    .is_none_or(|named| text_of(element, "value").is_some_and(|text| named.contains(&text)));
                !(matches(element) && in_value)
            });
        }
        (Kind::Remove, Some(sub)) => {
            for element in list.iter_mut().filter(|element| matches(element)) {
                if let Some(object) = element.as_object_mut() {
                    object.remove(sub);
                }
            }
        }
        (_, Some(sub)) => set_part(list, path, sub, given, &matches)?,
        (kind, None) => {
            if kind == Kind::Replace {
                list.retain(|element| path.filter.is_some() && !matches(element));
            }
            for value in given.unwrap_or_default() {
                let known = text_of(&value, "value");
                list.retain(|element| known.is_none() || text_of(element, "value") != known);
                list.push(value);
            }
        }
    }
    Ok(())
}

/// Sets a part of the elements that match; where none does, of one more that would.
fn set_part(
    list: &mut Vec<Value>,
    path: &Path,
    sub: &str,
    given: Option<Vec<Value>>,
    matches: &impl Fn(&Value) -> bool,
) -> ScimResult<()> {
    let [value] = <[Value; 1]>::try_from(given.unwrap_or_default())
        .map_err(|_| ScimError::invalid_value("one value is needed"))?;
    if !list.iter().any(matches) {
        let mut element = Map::new();
        if let Some((attribute, wanted)) = &path.filter {
            element.insert(attribute.clone(), wanted.clone().into());
        }
        list.push(Value::Object(element));
    }
    for element in list {
        if matches(element)
            && let Some(object) = element.as_object_mut()
        {
            object.insert(sub.to_owned(), value.clone());
        }
    }
    Ok(())
}

/// A part of an element of a list, as text. An element may be the bare value.
pub(super) fn text_of(element: &Value, attribute: &str) -> Option<String> {
    let value = match element {
        Value::Object(object) => object
            .iter()
            .find(|(name, _)| name.eq_ignore_ascii_case(attribute))
            .map(|(_, value)| value)?,
        bare if attribute.eq_ignore_ascii_case("value") => bare,
        _ => return None,
    };
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Bool(is_true) => Some(is_true.to_string()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn patched(resource: Value, operations: Value) -> ScimResult<Value> {
        let Value::Object(mut map) = resource else {
            panic!("no object")
        };
        let body = serde_json::from_value(json!({"Operations": operations})).unwrap();
        apply(&mut map, body)?;
        Ok(Value::Object(map))
    }

    #[test]
    fn operations_of_known_clients_are_applied() {
        let user = json!({"userName": "ada", "active": true, "emails": [{"value": "a@x", "primary": true}]});
        let cases = [
            (
                json!([{"op": "Replace", "path": "active", "value": false}]),
                "/active",
                json!(false),
            ),
            (
                json!([{"op": "replace", "value": {"active": false}}]),
                "/active",
                json!(false),
            ),
            (
                json!([{"op": "add", "path": "emails[type eq \"work\"].value", "value": "b@x"}]),
                "/emails/1/value",
                json!("b@x"),
            ),
            (
                json!([{"op": "replace", "path": "emails[primary eq true].value", "value": "b@x"}]),
                "/emails/0/value",
                json!("b@x"),
            ),
            (
                json!([{"op": "replace", "path": "name.familyName", "value": "L"}]),
                "/name/familyName",
                json!("L"),
            ),
            (
                json!([{"op": "replace", "path": "urn:ietf:params:scim:schemas:core:2.0:User:username", "value": "b"}]),
                "/userName",
                json!("b"),
            ),
        ];
        for (operations, pointer, expected) in cases {
            let result = patched(user.clone(), operations.clone()).unwrap();
            assert_eq!(result.pointer(pointer), Some(&expected), "{operations}: {result}");
        }
        let group = json!({"members": [{"value": "1"}, {"value": "2"}]});
        let members = |operations: Value| {
            let result = patched(group.clone(), operations).unwrap();
            let list = result["members"].as_array().unwrap().clone();
            list.iter()
                .filter_map(|m| text_of(m, "value"))
                .collect::<Vec<_>>()
                .join(",")
        };
        assert_eq!(
            members(json!([{"op": "add", "path": "members", "value": [{"value": "3"}, {"value": "2"}]}])),
            "1,3,2"
        );
        assert_eq!(
            members(json!([{"op": "remove", "path": "members[value eq \"1\"]"}])),
            "2"
        );
        assert_eq!(
            members(json!([{"op": "remove", "path": "members", "value": [{"value": "2"}]}])),
            "1"
        );
        assert_eq!(members(json!([{"op": "remove", "path": "members"}])), "");
        assert_eq!(
            members(json!([{"op": "replace", "path": "members", "value": [{"value": "9"}]}])),
            "9"
        );
    }

    #[test]
    fn nonsense_is_refused() {
        for operations in [
            json!([{"op": "move", "path": "active", "value": 1}]),
            json!([{"op": "remove"}]),
            json!([{"op": "add", "value": "x"}]),
            json!([{"op": "add", "path": "active"}]),
            json!([{"op": "add", "path": "emails[", "value": 1}]),
            json!([{"op": "add", "path": "emails[a eq \"b\"]x", "value": 1}]),
            json!([{"op": "add", "path": "", "value": 1}]),
            json!([{"op": "add", "path": "a b", "value": 1}]),
            json!([{"op": "add", "path": "userName.x", "value": 1}]),
            json!([{"op": "add", "path": "userName[value eq \"x\"]", "value": 1}]),
            json!([{"op": "add", "path": "emails.value", "value": [1, 2]}]),
        ] {
            let user = json!({"userName": "ada", "emails": []});
            assert!(patched(user, operations.clone()).is_err(), "{operations}");
        }
    }
}
