//! Argon2id with 19 MiB, two passes, one lane (OWASP), a bounded number of hashes at a time.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use argon2::password_hash::phc::{Output, ParamsString, PasswordHash, Salt};
use argon2::{Algorithm, Argon2, KeyId, Params, ParamsBuilder, Version};
use secrecy::{ExposeSecret, SecretString};
use subtle::ConstantTimeEq;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use unicode_normalization::UnicodeNormalization;

use super::memory::Memory;
use super::pepper::Pepper;
use super::policy::MAX_PASSWORD_CHARS;
use super::workers::Workers;
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
    workers: Workers,
    admitted: Arc<Semaphore>,
    pepper: Pepper,
    dummy: Arc<str>,
    tested: Arc<AtomicU64>,
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
            workers: Workers::start(concurrency),
            admitted: Arc::new(Semaphore::new(
                concurrency
                    .saturating_add(config.queue)
                    .min(Semaphore::MAX_PERMITS),
            )),
            dummy: compute_hash(
                &SecretString::from("nobody has this password"),
                &config.pepper,
                &mut Memory::default(),
            )
            .into(),
            pepper: config.pepper.clone(),
            tested: Arc::default(),
        }
    }

    /// Hashes `password` (NFC, UTF-8) with a fresh salt into a PHC string.
    ///
    /// # Errors
    /// [`PoolFull`].
    pub async fn hash(&self, password: SecretString) -> Result<String, PoolFull> {
        let admission = self.admit()?;
        let pepper = self.pepper.clone();
        self.run(admission.permit, move |memory| {
            compute_hash(&password, &pepper, memory)
        })
        .await
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

    /// Passwords that were tested against somebody's hash since the start; those that were only made to take as long do not count.
    pub fn tested(&self) -> u64 {
        self.tested.load(Ordering::Relaxed)
    }

    async fn run<T: Send + 'static>(
        &self,
        admitted: OwnedSemaphorePermit,
        work: impl FnOnce(&mut Memory) -> T + Send + 'static,
    ) -> Result<T, PoolFull> {
        // The permit lives as long as the work: a caller who gives up makes no room before the work ends.
        let done = self.workers.run(move |memory| {
            let result = work(memory);
            drop(admitted);
            result
        });
        done.await.ok_or(PoolFull)
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
        if stored.is_some() {
            self.hasher.tested.fetch_add(1, Ordering::Relaxed);
            metrics::counter!("sg_users_passwords_tested_total").increment(1);
        }
        let (dummy, pepper) = (self.hasher.dummy.clone(), self.hasher.pepper.clone());
        self.hasher
            .run(self.permit, move |memory| {
                verify(&password, stored.as_deref(), &dummy, &pepper, memory)
            })
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

/// What Argon2 makes of a password. None for what is outside of its limits.
fn derive(
    password: &SecretString,
    salt: &[u8],
    (algorithm, version, params): (Algorithm, Version, Params),
    key: &[u8],
    memory: &mut Memory,
) -> Option<Output> {
    let normalised = normalise(password);
    let mut buffer = [0; Output::MAX_LENGTH];
    let length = params.output_len().unwrap_or(Params::DEFAULT_OUTPUT_LEN);
    let output = buffer.get_mut(..length)?;
    memory
        .lend(&params, |blocks| {
            // The empty key is none.
            let engine = Argon2::new_with_secret(key, algorithm, version, params.clone())?;
            let password = normalised.expose_secret().as_bytes();
            engine.hash_password_into_with_memory(password, salt, output, blocks)
        })
        .ok()?;
    Output::new(output).ok()
}

fn compute_hash(password: &SecretString, pepper: &Pepper, memory: &mut Memory) -> String {
    let (key_id, key) = pepper.current().unwrap_or((KeyId::EMPTY, &[]));
    let params = ParamsBuilder::new()
        .m_cost(MEMORY_KIB)
        .t_cost(PASSES)
        .p_cost(LANES)
        .keyid(key_id)
        .build()
        .unwrap_or(Params::DEFAULT);
    let mut make = || {
        let salt = Salt::new(&rand::random::<[u8; 16]>()).ok()?;
        let how = (Algorithm::Argon2id, Version::V0x13, params.clone());
        Some(PasswordHash {
            algorithm: Algorithm::Argon2id.ident(),
            version: Some(Version::V0x13.into()),
            params: ParamsString::try_from(&params).ok()?,
            hash: Some(derive(password, &salt, how, key, memory)?),
            salt: Some(salt),
        })
    };
    // Salt and lengths are constants within Argon2's limits; an unusable hash would never verify.
    make().map_or_else(|| "!".to_owned(), |hash| hash.to_string())
}

fn verify(
    password: &SecretString,
    stored: Option<&str>,
    dummy: &str,
    pepper: &Pepper,
    memory: &mut Memory,
) -> Verdict {
    let parsed = stored.and_then(|text| parse_stored(text, pepper));
    let (stored, real) = match (parsed, parse_stored(dummy, pepper)) {
        (Some(stored), _) => (stored, true),
        (None, Some(dummy)) => (dummy, false),
        (None, None) => {
            return Verdict {
                matches: false,
                needs_rehash: false,
            };
        }
    };
    let how = (stored.algorithm, stored.version, stored.params.clone());
    let derived = derive(password, &stored.salt, how, stored.key, memory);
    let fits = derived.is_some_and(|derived| bool::from(derived.as_ref().ct_eq(stored.output.as_ref())));
    let matches = fits && real;
    Verdict {
        matches,
        needs_rehash: matches && is_outdated(&stored, pepper),
    }
}

/// A hash that can be computed, and the key that it names.
struct Stored<'a> {
    algorithm: Algorithm,
    version: Version,
    params: Params,
    salt: Salt,
    output: Output,
    key: &'a [u8],
}

fn parse_stored<'a>(text: &str, pepper: &'a Pepper) -> Option<Stored<'a>> {
    let hash = PasswordHash::new(text).ok()?;
    let params = Params::try_from(&hash).ok()?;
    let key = pepper.find(params.keyid());
    if key.is_none() {
        tracing::error!(
            "a password hash was made with a key that passwords.pepper_file does not have; it cannot be verified"
        );
    }
    if params.m_cost() > MAX_STORED_MEMORY_KIB || params.t_cost() > MAX_STORED_PASSES {
        return None;
    }
    Some(Stored {
        algorithm: Algorithm::try_from(hash.algorithm.as_str()).ok()?,
        version: hash.version.map_or(Ok(Version::V0x10), Version::try_from).ok()?,
        params,
        salt: hash.salt?,
        output: hash.hash?,
        key: key?,
    })
}

fn is_outdated(stored: &Stored<'_>, pepper: &Pepper) -> bool {
    let params = &stored.params;
    let key_id = pepper.current().map_or(KeyId::EMPTY, |(key_id, _)| key_id);
    let same = (params.m_cost(), params.t_cost(), params.p_cost()) == (MEMORY_KIB, PASSES, LANES)
        && params.keyid() == key_id.as_bytes();
    !(same && stored.algorithm == Algorithm::Argon2id && stored.version == Version::V0x13)
}

#[cfg(test)]
mod tests {
    use argon2::PasswordHasher as _;

    use super::*;

    fn pool(concurrency: usize, queue: usize) -> PasswordHasher {
        peppered(concurrency, queue, Pepper::default())
    }

    fn peppered(concurrency: usize, queue: usize, pepper: Pepper) -> PasswordHasher {
        PasswordHasher::new(&PasswordsConfig {
            concurrency,
            queue,
            pepper,
            ..PasswordsConfig::default()
        })
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
    async fn nothing_of_one_password_counts_for_the_next() {
        // One thread, so that all of them are hashed in the same memory; some with less and some with more of it.
        let pool = pool(1, 10);
        let mut hashes = Vec::new();
        for cost in [8_192, 65_536, 19_456, 32] {
            let params = Params::new(cost, 1, 1, None).unwrap();
            let engine = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
            hashes.push(
                engine
                    .hash_password_with_salt(b"secret", &[7; 16])
                    .unwrap()
                    .to_string(),
            );
        }
        hashes.push(pool.hash("secret".into()).await.unwrap());
        for _ in 0..2 {
            for hash in &hashes {
                assert!(matches(&pool, "secret", Some(hash)).await, "{hash}");
                assert!(!matches(&pool, "other", Some(hash)).await, "{hash}");
            }
        }
        for algorithm in [Algorithm::Argon2i, Algorithm::Argon2d] {
            let engine = Argon2::new(algorithm, Version::V0x10, Params::new(64, 2, 1, None).unwrap());
            let hash = engine
                .hash_password_with_salt(b"secret", &[7; 16])
                .unwrap()
                .to_string();
            assert!(matches(&pool, "secret", Some(&hash)).await, "{hash}");
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

    #[tokio::test]
    async fn a_pepper_rotates_and_is_needed() {
        use base64::Engine;
        let key = |byte: u8| base64::engine::general_purpose::STANDARD.encode([byte; 32]);
        let without = pool(1, 1);
        let one = peppered(1, 1, Pepper::parse(&format!("1 {}", key(1))).unwrap());
        let both = Pepper::parse(&format!("1 {}\n2 {}", key(1), key(2))).unwrap();
        let both = peppered(1, 1, both);
        let other = peppered(1, 1, Pepper::parse(&format!("1 {}", key(3))).unwrap());

        let plain = without.hash("secret".into()).await.unwrap();
        let first = one.hash("secret".into()).await.unwrap();
        let second = both.hash("secret".into()).await.unwrap();
        assert!(first.contains(",keyid=") && !plain.contains("keyid"), "{first}");
        let verdict = async |pool: &PasswordHasher, hash: &str| {
            let verdict = pool.verify("secret".into(), Some(hash.to_owned())).await.unwrap();
            (verdict.matches, verdict.needs_rehash)
        };
        assert_eq!(verdict(&one, &plain).await, (true, true), "made without");
        assert_eq!(verdict(&one, &first).await, (true, false));
        assert_eq!(
            verdict(&both, &first).await,
            (true, true),
            "made with an earlier key"
        );
        assert_eq!(verdict(&both, &second).await, (true, false));
        for (pool, hash) in [(&without, &first), (&one, &second), (&other, &first)] {
            assert_eq!(verdict(pool, hash).await, (false, false), "not the key");
        }
        assert!(!matches(&one, "nobody has this password", None).await);
    }
}
