//! What the program at the other end calls itself.

use axum::http::{HeaderMap, header};

/// Characters that are kept.
const MAX_CHARS: usize = 512;

/// The request's `User-Agent` as it can be stored and shown; none when it has none.
pub(crate) fn user_agent(headers: &HeaderMap) -> Option<String> {
    let text = headers.get(header::USER_AGENT)?.to_str().ok()?;
    Some(text.chars().filter(|c| !c.is_control()).take(MAX_CHARS).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_cut_and_cleaned() {
        let mut headers = HeaderMap::new();
        assert_eq!(user_agent(&headers), None);
        headers.insert(
            header::USER_AGENT,
            format!("a\tb{}", "x".repeat(600)).parse().unwrap(),
        );
        let name = user_agent(&headers).unwrap();
        assert!(name.starts_with("abx") && name.len() == MAX_CHARS);
    }
}
