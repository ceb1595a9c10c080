//! Filters (RFC 7644 §3.4.2.2), as far as provisioning clients need them: `eq`, joined by `and`.

use sg_db::users::providers::ScimFilter;
use uuid::Uuid;

use super::error::{ScimError, ScimResult};

/// Characters of a filter at most.
const MAX_FILTER_CHARS: usize = 2_000;

/// One comparison.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Comparison {
    /// The attribute's path in lower case.
    pub(super) path: String,
    /// The value as text; booleans as `true` and `false`.
    pub(super) value: String,
}

/// Reads comparisons by `eq`, joined by `and`.
pub(super) fn parse(text: &str) -> ScimResult<Vec<Comparison>> {
    if text.len() > MAX_FILTER_CHARS {
        return Err(ScimError::invalid_filter("the filter is too long"));
    }
    let mut rest = text.trim();
    let mut found = Vec::new();
    loop {
        let (comparison, behind) = parse_one(rest)?;
        found.push(comparison);
        rest = behind.trim_start();
        if rest.is_empty() {
            return Ok(found);
        }
        let (word, behind) = rest.split_once(char::is_whitespace).unwrap_or((rest, ""));
        if !word.eq_ignore_ascii_case("and") {
            return Err(ScimError::invalid_filter("comparisons are joined by `and` only"));
        }
        rest = behind.trim_start();
    }
}

fn parse_one(text: &str) -> ScimResult<(Comparison, &str)> {
    let refuse = || ScimError::invalid_filter("a filter is made of comparisons such as userName eq \"ada\"");
    let (path, rest) = text.split_once(char::is_whitespace).ok_or_else(refuse)?;
    let (operator, rest) = rest
        .trim_start()
        .split_once(char::is_whitespace)
        .ok_or_else(refuse)?;
    if !operator.eq_ignore_ascii_case("eq") {
        return Err(ScimError::invalid_filter("the only comparison is `eq`"));
    }
    let rest = rest.trim_start();
    // The value is JSON (RFC 7644 §3.4.2.2).
    let mut values = serde_json::Deserializer::from_str(rest).into_iter::<serde_json::Value>();
    let value = match values.next() {
        Some(Ok(serde_json::Value::String(text))) => text,
        Some(Ok(serde_json::Value::Bool(is_true))) => is_true.to_string(),
        _ => return Err(refuse()),
    };
    let behind = rest.get(values.byte_offset()..).unwrap_or_default();
    let path = path.rsplit(':').next().unwrap_or(path).to_lowercase();
    if value.contains('\0') {
        return Err(refuse());
    }
    Ok((Comparison { path, value }, behind))
}

/// What a filter on people looks for. None when nobody can be found, because it wants two different things of one attribute.
pub(super) fn of_users(text: Option<&str>) -> ScimResult<Option<ScimFilter>> {
    let mut filter = ScimFilter::default();
    for comparison in text.map(parse).transpose()?.unwrap_or_default() {
        let Comparison { path, value } = comparison;
        let fits = match path.as_str() {
            "id" => set_id(&mut filter.id, &value),
            "externalid" => set(&mut filter.external_id, value),
            "username" => set(&mut filter.user_name, value.to_lowercase()),
            "displayname" => set(&mut filter.display_name, value.to_lowercase()),
            "emails" | "emails.value" => set(&mut filter.email, value.to_lowercase()),
            "active" => match value.to_ascii_lowercase().parse() {
                Ok(is_active) => set(&mut filter.is_active, is_active),
                Err(_) => return Err(ScimError::invalid_filter("`active` is true or false")),
            },
            _ => {
                return Err(ScimError::invalid_filter(format!(
                    "`{path}` cannot be filtered by"
                )));
            }
        };
        if !fits {
            return Ok(None);
        }
    }
    Ok(Some(filter))
}

/// As [`of_users`], for groups.
pub(super) fn of_groups(text: Option<&str>) -> ScimResult<Option<ScimFilter>> {
    let mut filter = ScimFilter::default();
    for Comparison { path, value } in text.map(parse).transpose()?.unwrap_or_default() {
        let fits = match path.as_str() {
            "id" => set_id(&mut filter.id, &value),
            "externalid" => set(&mut filter.external_id, value),
            "displayname" => set(&mut filter.display_name, value.to_lowercase()),
            _ => {
                return Err(ScimError::invalid_filter(format!(
                    "`{path}` cannot be filtered by"
                )));
            }
        };
        if !fits {
            return Ok(None);
        }
    }
    Ok(Some(filter))
}

fn set_id(place: &mut Option<Uuid>, value: &str) -> bool {
    value.parse().is_ok_and(|id| set(place, id))
}

fn set<T: PartialEq>(place: &mut Option<T>, value: T) -> bool {
    if place.as_ref().is_some_and(|known| *known != value) {
        return false;
    }
    *place = Some(value);
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn filters_are_read() {
        let filter = of_users(Some("userName eq \"Ada \\\" and\" AND active Eq true"))
            .unwrap()
            .unwrap();
        assert_eq!(filter.user_name.as_deref(), Some("ada \" and"));
        assert_eq!(filter.is_active, Some(true));
        let urn = "urn:ietf:params:scim:schemas:core:2.0:User:userName eq \"a\"";
        assert_eq!(
            of_users(Some(urn)).unwrap().unwrap().user_name.as_deref(),
            Some("a")
        );
        assert_eq!(of_users(Some("id eq \"no uuid\"")).unwrap(), None);
        assert_eq!(
            of_users(Some("userName eq \"a\" and userName eq \"b\"")).unwrap(),
            None
        );
        assert_eq!(of_users(None).unwrap(), Some(ScimFilter::default()));
        for bad in [
            "",
            "userName",
            "userName eq",
            "userName co \"a\"",
            "userName eq a",
            "userName eq \"a\" or active eq true",
            "userName eq \"a\" and",
            "userName eq \"a",
            "userName eq \"\\u0000\"",
            "password eq \"a\"",
            "active eq \"maybe\"",
            "(userName eq \"a\")",
            "é",
        ] {
            assert!(of_users(Some(bad)).is_err(), "{bad}");
        }
        assert!(of_users(Some(&"x".repeat(3_000))).is_err());
    }
}
