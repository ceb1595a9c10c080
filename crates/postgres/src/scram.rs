//! Password verifiers, so that no password ever appears in SQL text.

use secrecy::{ExposeSecret, SecretString};

/// Computes what PostgreSQL stores for a password (`SCRAM-SHA-256$4096:…`, a fresh random salt each time). Given to
/// `create role … password '…'` it is stored as it is, and neither the statement nor PostgreSQL's log ever holds the password.
pub fn scram_verifier(password: &SecretString) -> String {
    postgres_protocol::password::scram_sha_256(password.expose_secret().as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn verifier_is_salted_and_hides_the_password() {
        let password = SecretString::from("correct horse");
        let (one, two) = (scram_verifier(&password), scram_verifier(&password));
        assert!(one.starts_with("SCRAM-SHA-256$4096:"), "{one}");
        assert_ne!(one, two);
        assert!(!one.contains("horse"));
    }
}
