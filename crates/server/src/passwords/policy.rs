//! The rules that a new password is held to. Every reason is told at once.

use secrecy::{ExposeSecret, SecretString};
use sg_types::FieldError;
use unicode_normalization::UnicodeNormalization;

use super::blocklist::{self, Weakness};

/// Characters (code points after NFC) of a password at most (NIST SP 800-63B-4 §3.1.1.2 asks for at least 64).
pub const MAX_PASSWORD_CHARS: usize = 128;

/// Tells whether a character is of a class that a policy may ask for.
type IsOfClass = fn(char) -> bool;

/// A tenant's rules, as in `users.password_policies`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Requirements {
    /// Characters at least.
    pub min_length: usize,
    /// An upper-case letter of any script.
    pub require_uppercase: bool,
    /// A lower-case letter of any script.
    pub require_lowercase: bool,
    /// A digit of any script.
    pub require_numbers: bool,
    /// Something that is neither letter nor digit.
    pub require_special_chars: bool,
}

/// What an attacker would try first: names around the user.
#[derive(Debug, Clone, Copy, Default)]
pub struct PasswordContext<'a> {
    /// Sign-in name.
    pub username: &'a str,
    /// E-mail address.
    pub email: &'a str,
    /// The person's name.
    pub full_name: Option<&'a str>,
    /// The tenant's name.
    pub tenant_name: &'a str,
}

/// Checks a new password; `field` is its name in the request. Empty when it is accepted.
pub fn check_new_password(
    password: &SecretString,
    rules: &Requirements,
    context: &PasswordContext<'_>,
    field: &str,
) -> Vec<FieldError> {
    let text: String = password
        .expose_secret()
        .nfc()
        .take(MAX_PASSWORD_CHARS + 1)
        .collect();
    let length = text.chars().count();
    let classes: [(bool, IsOfClass, &str); 4] = [
        (
            rules.require_uppercase,
            char::is_uppercase,
            "needs an upper-case letter",
        ),
        (
            rules.require_lowercase,
            char::is_lowercase,
            "needs a lower-case letter",
        ),
        (rules.require_numbers, char::is_numeric, "needs a digit"),
        (
            rules.require_special_chars,
            |c| !c.is_alphanumeric(),
            "needs a character that is neither letter nor digit",
        ),
    ];
    let mut reasons = Vec::new();
    if length < rules.min_length {
        reasons.push(format!(
            "is too short: it needs at least {} characters",
            rules.min_length
        ));
    }
    if length > MAX_PASSWORD_CHARS {
        reasons.push(format!("is too long: at most {MAX_PASSWORD_CHARS} characters"));
    }
    for (required, is_of_class, reason) in classes {
        if required && !text.chars().any(is_of_class) {
            reasons.push(reason.to_owned());
        }
    }
    reasons.extend(blocklist::find_weakness(&text, &context_words(context)).map(describe));
    reasons
        .into_iter()
        .map(|reason| FieldError::new(field, reason))
        .collect()
}

fn describe(weakness: Weakness) -> String {
    match weakness {
        Weakness::CommonWords => {
            "is made of words that are tried first, such as common passwords; take several words of your own"
        }
        Weakness::ContextWords => {
            "is made of your name, e-mail address, tenant or this product's name; take something unrelated"
        }
        Weakness::Pattern => "is a sequence or repetition that is tried first; take something less regular",
    }
    .to_owned()
}

fn context_words(context: &PasswordContext<'_>) -> Vec<String> {
    let whole = [
        context.username,
        context.email,
        context.full_name.unwrap_or_default(),
        context.tenant_name,
        "secureguard",
    ];
    let mut words: Vec<String> = Vec::new();
    for text in whole {
        let lower = text.to_lowercase();
        words.extend(lower.split(|c: char| !c.is_alphanumeric()).map(str::to_owned));
        words.push(lower.chars().filter(|c| c.is_alphanumeric()).collect());
    }
    words.retain(|word| word.chars().count() >= 4);
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    const DOCUMENTED: Requirements = Requirements {
        min_length: 12,
        require_uppercase: true,
        require_lowercase: true,
        require_numbers: true,
        require_special_chars: true,
    };
    const LONG_ONLY: Requirements = Requirements {
        min_length: 15,
        require_uppercase: false,
        require_lowercase: false,
        require_numbers: false,
        require_special_chars: false,
    };

    fn reasons(password: &str, rules: &Requirements) -> usize {
        let context = PasswordContext {
            username: "mlindqvist",
            email: "m.lindqvist@northwind.example",
            full_name: Some("Maja Lindqvist"),
            tenant_name: "Northwind Traders",
        };
        check_new_password(&password.into(), rules, &context, "new_password").len()
    }

    #[test]
    fn every_reason_is_told() {
        assert_eq!(reasons("", &DOCUMENTED), 5);
        assert_eq!(reasons("tr0ub4dor&qx", &DOCUMENTED), 1);
        assert_eq!(reasons("Tr0ub4dor&qx", &DOCUMENTED), 0);
        assert_eq!(reasons("Пароход-у-9-моста", &DOCUMENTED), 0, "any script counts");
    }

    #[test]
    fn a_passphrase_needs_no_classes_where_the_policy_asks_for_none() {
        assert_eq!(reasons("plinth otter walnut gravel", &LONG_ONLY), 0);
        assert_eq!(reasons("plinth otter w", &LONG_ONLY), 1);
        assert_eq!(
            reasons(&"ab1-".repeat(33), &LONG_ONLY),
            2,
            "too long, and a repetition"
        );
    }

    #[test]
    fn what_is_tried_first_is_refused() {
        for weak in [
            "P@ssw0rd1234",
            "Password123!",
            "Welcome2026!!",
            "Qwertyuiop1!",
            "Admin123456!",
            "1qaz2wsx3edC!",
            "Abcdefgh1234!",
            "SecureGuard1!",
            "Lindqvist2026!",
            "Northwind-2026",
            "mLindqvist123!",
            "Summer2026!!!",
            "Aa1!Aa1!Aa1!",
        ] {
            assert_eq!(reasons(weak, &DOCUMENTED), 1, "{weak}");
        }
    }

    #[test]
    fn length_counts_characters_after_composition() {
        let twelve = "Üñ1-üqwzkvxj";
        assert_eq!(reasons(twelve, &DOCUMENTED), 0);
        let decomposed: String = twelve.nfd().collect();
        assert!(decomposed.chars().count() > 12);
        assert_eq!(reasons(&decomposed, &DOCUMENTED), 0);
        assert_eq!(
            reasons("U\u{308}n\u{303}1-u\u{308}qwzkvx", &DOCUMENTED),
            1,
            "eleven characters, more code points"
        );
    }
}
