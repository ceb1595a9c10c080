//! Initial passwords that people read from a screen and type once.

use rand::RngExt;
use secrecy::SecretString;

/// Letters and digits that are not mistaken for each other.
const ALPHABET: &[u8] = b"ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz23456789";
/// Groups and their length: 20 characters of 56 are 116 bits.
const GROUPS: usize = 4;
const GROUP_CHARS: usize = 5;

/// A random password such as `Kx7pQ-m2VtR-9hWcz-bD4nG`, with every class of character that a policy may ask for.
pub fn generate_initial_password() -> SecretString {
    let mut rng = rand::rng();
    loop {
        let mut text = String::with_capacity(GROUPS * (GROUP_CHARS + 1));
        for group in 0..GROUPS {
            if group > 0 {
                text.push('-');
            }
            for _ in 0..GROUP_CHARS {
                let index = rng.random_range(0..ALPHABET.len());
                text.extend(ALPHABET.get(index).map(|b| char::from(*b)));
            }
        }
        let has = |is_of_class: fn(&u8) -> bool| text.as_bytes().iter().any(is_of_class);
        if has(u8::is_ascii_uppercase) && has(u8::is_ascii_lowercase) && has(u8::is_ascii_digit) {
            return text.into();
        }
    }
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret;

    use super::*;
    use crate::passwords::{PasswordContext, Requirements, check_new_password};

    #[test]
    fn generated_passwords_satisfy_the_strictest_policy_and_differ() {
        let rules = Requirements {
            min_length: 20,
            require_uppercase: true,
            require_lowercase: true,
            require_numbers: true,
            require_special_chars: true,
        };
        let mut seen = std::collections::HashSet::new();
        for _ in 0..200 {
            let password = generate_initial_password();
            assert!(check_new_password(&password, &rules, &PasswordContext::default(), "p").is_empty());
            assert!(seen.insert(password.expose_secret().to_owned()));
        }
    }
}
