//! The rules for names that people give.

use sg_types::FieldError;

use crate::error::ApiError;

/// Collects what is wrong with a body, so that everything is told at once.
#[derive(Debug, Default)]
pub(super) struct Faults(Vec<FieldError>);

impl Faults {
    pub(super) fn require(&mut self, holds: bool, field: &str, message: impl Into<String>) {
        if !holds {
            self.0.push(FieldError::new(field, message));
        }
    }

    pub(super) fn finish(self) -> Result<(), ApiError> {
        if self.0.is_empty() {
            Ok(())
        } else {
            Err(ApiError::unprocessable("invalid_body", self.0))
        }
    }
}

/// A name to show: 1 to `max` characters, none of them control characters, not only white space.
pub(crate) fn is_display_name(text: &str, max: usize) -> bool {
    (1..=max).contains(&text.chars().count())
        && !text.trim().is_empty()
        && !text.chars().any(char::is_control)
}

/// A sign-in name: 1–50 characters without `@`, white space and control characters.
pub(super) fn is_username(text: &str) -> bool {
    (1..=50).contains(&text.chars().count())
        && !text
            .chars()
            .any(|c| c == '@' || c.is_whitespace() || c.is_control())
}

/// An e-mail address as far as its form can tell: something, one `@`, something; at most 254 characters (RFC 5321 §4.5.3.1.3).
pub(crate) fn is_email(text: &str) -> bool {
    let parts: Vec<&str> = text.split('@').collect();
    let whole = text.chars().count() <= 254 && !text.chars().any(|c| c.is_whitespace() || c.is_control());
    whole && parts.len() == 2 && parts.iter().all(|part| !part.is_empty())
}

/// A tenant's short name: 1–63 of a–z, 0–9 and inner hyphens.
pub(super) fn is_slug(text: &str) -> bool {
    let known = text
        .bytes()
        .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
    (1..=63).contains(&text.len()) && known && !text.starts_with('-') && !text.ends_with('-')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_checked() {
        assert!(is_username("ada.lovelace") && is_username("Żółw") && is_username(&"x".repeat(50)));
        for bad in ["", "a b", "a@b", "a\tb", "a\u{7}", &"x".repeat(51)] {
            assert!(!is_username(bad), "{bad:?}");
        }
        assert!(is_email("a@b") && is_email("ada@example.org"));
        for bad in [
            "",
            "a",
            "@b",
            "a@",
            "a@b@c",
            "a b@c",
            &format!("{}@b", "x".repeat(254)),
        ] {
            assert!(!is_email(bad), "{bad:?}");
        }
        assert!(is_slug("a") && is_slug("north-wind-2"));
        for bad in ["", "-a", "a-", "A", "a_b", &"x".repeat(64)] {
            assert!(!is_slug(bad), "{bad:?}");
        }
        assert!(
            is_display_name("Nordwind GmbH & Co.", 255)
                && !is_display_name("  ", 255)
                && !is_display_name("a\nb", 255)
        );
    }
}
