//! Argon2id with 19 MiB, two passes, one lane (OWASP), a bounded number of hashes at a time.

use std::sync::Arc;

use argon2::password_hash::phc::PasswordHash;
use argon2::password_hash::{PasswordHasher as _, PasswordVerifier as _};
use argon2::{Algorithm, Argon2, Params, Version};
use secrecy::{ExposeSecret, SecretString};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use unicode_normalization::UnicodeNormalization;

use super::policy::MAX_PASSWORD_CHARS;
use crate::config::PasswordsConfig;
use crate::error::ApiError;

/// Memory of one hash in KiB.
const MEMORY_KIB: u32 = 19_456;
/// Passes over the memory.
const PASSES: u32 = 2;
/// Independent lanes.
const LANES: u32 = 1;
/// Stored parameters above these are not computed: whoever can write one hash must not be able to exhaust the server.
const MAX_STORED_MEMORY_KIB: u32 = 262_144;
const MAX_STORED_PASSES: u32 = 16;
/// Seconds after which a caller who was sent away may come back.
const RETRY_AFTER_SECONDS: u64 = 2;

/// Hashes and verifies passwords, so many at a time and so many waiting, in threads of their own.
#[derive(Debug, Clone)]
pub struct PasswordHasher {
    running: Arc<Semaphore>,
    admitted: Arc<Semaphore>,
    dummy: Arc<str>,
}

/// Everybody who may wait, waits already.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the queue for password hashing is full")]
pub struct PoolFull;

impl From<PoolFull> for ApiError {
    fn from(error: PoolFull) -> Self {
        Self::unavailable(RETRY_AFTER_SECONDS).because(error)
    }
}

/// What a verification found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Verdict {
    /// Whether the password is the one that was hashed.
    pub matches: bool,
    /// Whether it is right and its hash was made with other parameters than today's.
    pub needs_rehash: bool,
}

impl PasswordHasher {
    /// A pool of the configured size. Makes one hash, for verifying against when there is no user.
    pub fn new(config: &PasswordsConfig) -> Self {
        let concurrency = config.effective_concurrency();
        Self {
            running: Arc::new(Semaphore::new(concurrency)),
            admitted: Arc::new(Semaphore::new(
                concurrency
                    .saturating_add(config.queue)
                    .min(Semaphore::MAX_PERMITS),
            )),
            dummy: compute_hash(&SecretString::from("nobody has this password")).into(),
        }
    }

    /// Hashes `password` (NFC, UTF-8) with a fresh salt into a PHC string.
    ///
    /// # Errors
    /// [`PoolFull`].
    pub async fn hash(&self, password: SecretString) -> Result<String, PoolFull> {
        let admission = self.admit()?;
        self.run(admission.permit, move || compute_hash(&password)).await
    }

    /// Takes a place in the queue for one verification, so that a caller learns that the queue is full before anything else happens.
    ///
    /// # Errors
    /// [`PoolFull`].
    pub fn admit(&self) -> Result<Admission<'_>, PoolFull> {
        let permit = self.admitted.clone().try_acquire_owned().map_err(|_| PoolFull)?;
        Ok(Admission { hasher: self, permit })
    }

    /// Verifies `password` against a PHC string. Takes the same time with `None` (no such user), and never succeeds then, nor with a
    /// string that is no hash.
    ///
    /// # Errors
    /// [`PoolFull`].
    pub async fn verify(&self, password: SecretString, stored: Option<String>) -> Result<Verdict, PoolFull> {
        self.admit()?.verify(password, stored).await
    }

    async fn run<T: Send + 'static>(
        &self,
        admitted: OwnedSemaphorePermit,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, PoolFull> {
        let running = self.running.clone().acquire_owned().await.map_err(|_| PoolFull)?;
        // The permits live as long as the work: a caller who gives up makes no room before the work ends.
        let permits: [OwnedSemaphorePermit; 2] = [admitted, running];
        let task = tokio::task::spawn_blocking(move || {
            let result = work();
            drop(permits);
            result
        });
        match task.await {
            Ok(result) => Ok(result),
            Err(error) => match error.try_into_panic() {
                Ok(panic) => std::panic::resume_unwind(panic),
                Err(_) => Err(PoolFull),
            },
        }
    }
}

/// A place in the queue.
#[derive(Debug)]
pub struct Admission<'a> {
    hasher: &'a PasswordHasher,
    permit: OwnedSemaphorePermit,
}

impl Admission<'_> {
    /// As [`PasswordHasher::verify`], in the place that was taken.
    ///
    /// # Errors
    /// [`PoolFull`] when the server stops meanwhile.
    pub async fn verify(self, password: SecretString, stored: Option<String>) -> Result<Verdict, PoolFull> {
        let dummy = self.hasher.dummy.clone();
        self.hasher
            .run(self.permit, move || verify(&password, stored.as_deref(), &dummy))
            .await
    }
}

/// The bytes that are hashed: NFC, so that the same password typed on another keyboard is the same (NIST SP 800-63B-4 §3.1.1.2).
fn normalise(password: &SecretString) -> SecretString {
    password
        .expose_secret()
        .nfc()
        .take(MAX_PASSWORD_CHARS + 1)
        .collect::<String>()
        .into()
}

fn engine() -> Argon2<'static> {
    let params = Params::new(MEMORY_KIB, PASSES, LANES, None).unwrap_or(Params::DEFAULT);
    Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
}

fn compute_hash(password: &SecretString) -> String {
    let salt: [u8; 16] = rand::random();
    let normalised = normalise(password);
    // Salt and lengths are constants within Argon2's limits; an unusable hash would never verify.
    engine()
        .hash_password_with_salt(normalised.expose_secret().as_bytes(), &salt)
        .map_or_else(|_| "!".to_owned(), |hash| hash.to_string())
}

fn verify(password: &SecretString, stored: Option<&str>, dummy: &str) -> Verdict {
    let normalised = normalise(password);
    let parsed = stored.and_then(parse_stored);
    let (hash, real) = match (parsed, parse_stored(dummy)) {
        (Some(hash), _) => (hash, true),
        (None, Some(hash)) => (hash, false),
        (None, None) => {
            return Verdict {
                matches: false,
                needs_rehash: false,
            };
        }
    };
    let matches = engine()
        .verify_password(normalised.expose_secret().as_bytes(), &hash)
        .is_ok()
        && real;
    Verdict {
        matches,
        needs_rehash: matches && is_outdated(&hash),
    }
}

fn parse_stored(text: &str) -> Option<PasswordHash> {
    let hash = PasswordHash::new(text).ok()?;
    let params = Params::try_from(&hash).ok()?;
    let usable = hash.salt.is_some()
        && hash.hash.is_some()
        && params.m_cost() <= MAX_STORED_MEMORY_KIB
        && params.t_cost() <= MAX_STORED_PASSES;
    usable.then_some(hash)
}

fn is_outdated(hash: &PasswordHash) -> bool {
    let same = Params::try_from(hash)
        .is_ok_and(|p| (p.m_cost(), p.t_cost(), p.p_cost()) == (MEMORY_KIB, PASSES, LANES));
    !(same && hash.algorithm == Algorithm::Argon2id.ident())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pool(concurrency: usize, queue: usize) -> PasswordHasher {
        PasswordHasher::new(&PasswordsConfig { concurrency, queue })
    }

    async fn matches(pool: &PasswordHasher, password: &str, stored: Option<&str>) -> bool {
        pool.verify(password.into(), stored.map(str::to_owned))
            .await
            .unwrap()
            .matches
    }

    #[tokio::test]
    async fn hashes_are_argon2id_and_verify() {
        let pool = pool(1, 1);
        let hash = pool.hash("Grüße 1".into()).await.unwrap();
        assert!(hash.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{hash}");
        assert!(matches(&pool, "Grüße 1", Some(&hash)).await);
        assert!(
            matches(&pool, "Gru\u{308}ße 1", Some(&hash)).await,
            "NFD is the same password"
        );
        assert!(!matches(&pool, "grüße 1", Some(&hash)).await);
        assert!(
            !pool
                .verify("Grüße 1".into(), Some(hash))
                .await
                .unwrap()
                .needs_rehash
        );
    }

    #[tokio::test]
    async fn what_is_no_hash_never_verifies() {
        let pool = pool(1, 1);
        for stored in [
            None,
            Some("[argon2_hash]"),
            Some(""),
            Some("!"),
            Some("$argon2id$v=19$m=19456,t=2,p=1$c2FsdHNhbHQ"),
        ] {
            assert!(
                !matches(&pool, "nobody has this password", stored).await,
                "{stored:?}"
            );
            assert!(!matches(&pool, "", stored).await, "{stored:?}");
        }
    }

    #[tokio::test]
    async fn older_parameters_verify_and_ask_for_a_new_hash() {
        let params = Params::new(8_192, 1, 1, None).unwrap();
        let old = Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
            .hash_password_with_salt(b"secret", &[7; 16])
            .unwrap();
        let verdict = pool(1, 1)
            .verify("secret".into(), Some(old.to_string()))
            .await
            .unwrap();
        assert_eq!(
            verdict,
            Verdict {
                matches: true,
                needs_rehash: true
            }
        );
    }

    #[tokio::test]
    async fn whoever_finds_the_queue_full_is_sent_away() {
        let pool = pool(1, 1);
        let guesses = (0..6).map(|_| pool.verify("x".into(), None));
        let answers = futures_util::future::join_all(guesses).await;
        assert_eq!(answers.iter().filter(|a| a.is_err()).count(), 4);
        assert!(
            pool.verify("x".into(), None).await.is_ok(),
            "the pool is free again"
        );
    }
}
