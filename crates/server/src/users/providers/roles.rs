//! The role that follows from what a provider says of somebody.

use sg_db::users::providers::Provider;
use sg_types::Role;

/// The highest role that one of `values` gives, else the default one; never above the provider's highest. None when the provider maps
/// nothing, and so has no say in roles.
pub(super) fn decide_role(provider: &Provider, values: &[String]) -> Option<Role> {
    if provider.role_mappings.is_empty() {
        return None;
    }
    let given = provider
        .role_mappings
        .iter()
        .filter(|mapping| values.iter().any(|value| is_same(value, &mapping.value)))
        .map(|mapping| mapping.role)
        .max()
        .unwrap_or(provider.default_role);
    Some(given.min(provider.highest_role))
}

/// Names of groups and distinguished names are compared without regard to case (RFC 4517 §4.2.11).
fn is_same(a: &str, b: &str) -> bool {
    a.trim().to_lowercase() == b.trim().to_lowercase()
}
