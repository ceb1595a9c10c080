//! Rule sets are believed by their signature alone, never by where they came from.

use std::sync::{PoisonError, RwLock};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ed25519_dalek::{Signature, VerifyingKey};
use sg_types::agent::{RULES_SIGNATURE_CONTEXT, RulePackage, SignedRules, TrustSet};

/// The trust set that is pinned, shared by what checks signatures.
#[derive(Debug)]
pub struct PinnedTrust(RwLock<TrustSet>);

impl PinnedTrust {
    /// Begins with this set.
    pub fn new(trust: TrustSet) -> Self {
        Self(RwLock::new(trust))
    }

    /// The set that is pinned.
    pub fn get(&self) -> TrustSet {
        self.0.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Pins another, which was believed and stored.
    pub fn replace(&self, trust: TrustSet) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = trust;
    }
}

/// Why a rule set is not used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RulesRefused {
    /// The pinned key is not an Ed25519 public key; only a new enrolment can mend that.
    #[error("the pinned rules key is not usable: enrol again")]
    UnusableKey,
    /// The signature is not by the pinned key.
    #[error("the signature is not by the key that was pinned at enrolment")]
    BadSignature,
    /// The signed text is not a rule package.
    #[error("the signed text is not a rule package: {0}")]
    NotAPackage(String),
    /// The package is older than the one in force.
    #[error("version {offered} is older than version {in_force} that is in force")]
    Older {
        /// The version that was offered.
        offered: u64,
        /// The version in force.
        in_force: u64,
    },
}

/// Checks a rule set's signature under the pinned trust set and that it is not older than version `in_force`.
///
/// # Errors
/// [`RulesRefused`] says why it must not be used.
pub fn verify_rules(
    rules: &SignedRules,
    trust: &TrustSet,
    in_force: u64,
) -> Result<RulePackage, RulesRefused> {
    let key: [u8; 32] = STANDARD
        .decode(&trust.rules_key)
        .ok()
        .and_then(|key| key.try_into().ok())
        .ok_or(RulesRefused::UnusableKey)?;
    let key = VerifyingKey::from_bytes(&key).map_err(|_| RulesRefused::UnusableKey)?;
    let signature: [u8; 64] = STANDARD
        .decode(&rules.signature)
        .ok()
        .and_then(|text| text.try_into().ok())
        .ok_or(RulesRefused::BadSignature)?;
    let message = [RULES_SIGNATURE_CONTEXT, rules.package.as_bytes()].concat();
    key.verify_strict(&message, &Signature::from_bytes(&signature))
        .map_err(|_| RulesRefused::BadSignature)?;
    let package: RulePackage =
        serde_json::from_str(&rules.package).map_err(|error| RulesRefused::NotAPackage(error.to_string()))?;
    if package.version < in_force {
        return Err(RulesRefused::Older {
            offered: package.version,
            in_force,
        });
    }
    Ok(package)
}

#[cfg(test)]
mod tests {
    use ed25519_dalek::{Signer, SigningKey};

    use super::*;

    fn sign(key: &SigningKey, context: &[u8], package: &str) -> SignedRules {
        let signature = key.sign(&[context, package.as_bytes()].concat());
        SignedRules {
            package: package.to_owned(),
            signature: STANDARD.encode(signature.to_bytes()),
        }
    }

    fn trust(key: &SigningKey) -> TrustSet {
        TrustSet {
            version: 1,
            commands_key: None,
            approver_root: None,
            revoked_approvers: Vec::new(),
            rules_key: STANDARD.encode(key.verifying_key().as_bytes()),
        }
    }

    const PACKAGE: &str = r#"{"version":7,"rules":[]}"#;

    #[test]
    fn only_the_pinned_key_in_its_own_context_is_believed() {
        let key = SigningKey::from_bytes(&[1; 32]);
        let other = SigningKey::from_bytes(&[2; 32]);
        let good = sign(&key, RULES_SIGNATURE_CONTEXT, PACKAGE);
        assert_eq!(verify_rules(&good, &trust(&key), 7).unwrap().version, 7);
        assert_eq!(
            verify_rules(&good, &trust(&other), 0),
            Err(RulesRefused::BadSignature)
        );
        let foreign = sign(&key, b"secureguard-commands-v1\0", PACKAGE);
        assert_eq!(
            verify_rules(&foreign, &trust(&key), 0),
            Err(RulesRefused::BadSignature)
        );
        let mut changed = good.clone();
        changed.package = changed.package.replace('7', "8");
        assert_eq!(
            verify_rules(&changed, &trust(&key), 0),
            Err(RulesRefused::BadSignature)
        );
        let mut cut = good;
        cut.signature.truncate(20);
        assert_eq!(
            verify_rules(&cut, &trust(&key), 0),
            Err(RulesRefused::BadSignature)
        );
    }

    #[test]
    fn versions_do_not_go_backwards() {
        let key = SigningKey::from_bytes(&[1; 32]);
        let rules = sign(&key, RULES_SIGNATURE_CONTEXT, PACKAGE);
        assert_eq!(
            verify_rules(&rules, &trust(&key), 8),
            Err(RulesRefused::Older {
                offered: 7,
                in_force: 8
            })
        );
    }

    #[test]
    fn a_signed_text_that_is_no_package_is_refused() {
        let key = SigningKey::from_bytes(&[1; 32]);
        let rules = sign(&key, RULES_SIGNATURE_CONTEXT, "{}");
        assert!(matches!(
            verify_rules(&rules, &trust(&key), 0),
            Err(RulesRefused::NotAPackage(_))
        ));
        let broken = TrustSet {
            version: 1,
            commands_key: None,
            approver_root: None,
            revoked_approvers: Vec::new(),
            rules_key: "AAAA".to_owned(),
        };
        assert_eq!(verify_rules(&rules, &broken, 0), Err(RulesRefused::UnusableKey));
    }
}
