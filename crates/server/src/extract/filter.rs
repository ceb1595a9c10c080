//! Filters of lists.

use std::str::FromStr;

use sg_types::UnknownValue;

use crate::error::ApiError;

/// Characters of a search text at most.
const MAX_SEARCH_CHARS: usize = 200;

/// Reads words that are separated by commas; an absent or empty parameter is none.
///
/// # Errors
/// 400 `invalid_query` for a word that is not known.
pub fn word_list<T: FromStr<Err = UnknownValue>>(name: &str, text: Option<&str>) -> Result<Vec<T>, ApiError> {
    text.unwrap_or_default()
        .split(',')
        .map(str::trim)
        .filter(|word| !word.is_empty())
        .map(|word| {
            word.parse()
                .map_err(|error| ApiError::bad_request("invalid_query", format!("`{name}`: {error}")))
        })
        .collect()
}

/// Reads a search text; an absent or blank one is none.
///
/// # Errors
/// 400 `invalid_query` for one that is too long or has NUL characters.
pub fn search_text(text: Option<String>) -> Result<Option<String>, ApiError> {
    let Some(text) = text else { return Ok(None) };
    if text.chars().count() > MAX_SEARCH_CHARS || text.contains('\0') {
        return Err(ApiError::bad_request(
            "invalid_query",
            format!("`search` is at most {MAX_SEARCH_CHARS} characters without NUL"),
        ));
    }
    let text = text.trim();
    Ok((!text.is_empty()).then(|| text.to_owned()))
}

#[cfg(test)]
mod tests {
    use sg_types::Severity;

    use super::*;

    #[test]
    fn filters_are_read_or_refused() {
        assert_eq!(
            word_list::<Severity>("severity", Some("high, critical,")).unwrap(),
            [Severity::High, Severity::Critical]
        );
        assert!(word_list::<Severity>("severity", None).unwrap().is_empty());
        assert_eq!(
            word_list::<Severity>("severity", Some("worst"))
                .unwrap_err()
                .status(),
            400
        );
        assert_eq!(search_text(Some("  ".to_owned())).unwrap(), None);
        assert_eq!(search_text(Some(" a ".to_owned())).unwrap().as_deref(), Some("a"));
        assert!(search_text(Some("x".repeat(201))).is_err() && search_text(Some("\0".to_owned())).is_err());
    }
}
