//! Who may import what.

use serde_json::Value;

use super::packages;
use crate::Result;

/// A crate and the workspace's crates that it may use outside its tests.
const ALLOWED: [(&str, &[&str]); 12] = [
    ("sg-types", &[]),
    ("sg-db", &["sg-types"]),
    ("sg-postgres", &[]),
    ("sg-detect", &["sg-types"]),
    ("sg-trust", &["sg-types"]),
    ("sg-load", &["sg-types"]),
    (
        "sg-server",
        &[
            "sg-types",
            "sg-db",
            "sg-postgres",
            "sg-detect",
            "sg-trust",
            "sg-load",
        ],
    ),
    ("sg-client", &["sg-types"]),
    ("sg-cli", &["sg-types", "sg-client", "sg-trust"]),
    ("sg-agent", &["sg-types", "sg-detect", "sg-trust"]),
    (
        "sg-testkit",
        &[
            "sg-types",
            "sg-db",
            "sg-postgres",
            "sg-client",
            "sg-detect",
            "sg-load",
        ],
    ),
    ("xtask", &[]),
];

/// An outside crate and the only crates that may use it.
const RESERVED: [(&str, &[&str]); 4] = [
    ("sqlx", &["sg-db", "sg-testkit"]),
    ("axum", &["sg-server"]),
    ("axum-extra", &["sg-server"]),
    ("sg-testkit", &[]),
];

/// A pure crate and what would make it impure.
const PURE: [(&str, &[&str]); 3] = [
    ("sg-types", &["tokio", "sqlx", "reqwest", "hyper", "axum"]),
    ("sg-detect", &["tokio", "sqlx", "reqwest", "hyper", "axum"]),
    ("sg-trust", &["tokio", "sqlx", "reqwest", "hyper", "axum"]),
];

pub(super) fn check(metadata: &Value) -> Result {
    let uses: Vec<(String, String)> = packages(metadata)
        .filter(|p| p["source"].is_null())
        .flat_map(dependencies)
        .collect();
    let broken: Vec<String> = uses
        .iter()
        .filter_map(|(user, used)| complaint(user, used))
        .collect();
    if broken.is_empty() {
        Ok(())
    } else {
        Err(broken.join("\n"))
    }
}

/// What is wrong with `user` using `used`, if anything.
fn complaint(user: &str, used: &str) -> Option<String> {
    let Some((_, allowed)) = ALLOWED.iter().find(|(name, _)| *name == user) else {
        return Some(format!(
            "{user} is a new crate: say in the layering check what it may use"
        ));
    };
    let ours = ALLOWED.iter().any(|(name, _)| *name == used);
    if ours && !allowed.contains(&used) {
        return Some(format!("{user} may not use {used}"));
    }
    let reserved = RESERVED.iter().find(|(name, _)| *name == used);
    if reserved.is_some_and(|(_, users)| !users.contains(&user)) {
        return Some(format!("{user} may not use {used}"));
    }
    let pure = PURE.iter().find(|(name, _)| *name == user);
    pure.is_some_and(|(_, banned)| banned.contains(&used))
        .then(|| format!("{user} does no I/O and may not use {used}"))
}

/// A package's dependencies outside its tests.
fn dependencies(package: &Value) -> Vec<(String, String)> {
    let name = package["name"].as_str().unwrap_or_default().to_owned();
    let all = package["dependencies"].as_array().into_iter().flatten();
    let used = all
        .filter(|d| d["kind"].as_str() != Some("dev"))
        .filter_map(|d| d["name"].as_str());
    used.map(|used| (name.clone(), used.to_owned())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rules_hold_in_both_directions() {
        assert_eq!(complaint("sg-server", "sg-db"), None);
        assert_eq!(complaint("sg-db", "sqlx"), None);
        assert!(complaint("sg-agent", "sg-db").is_some());
        assert!(complaint("sg-server", "sqlx").is_some());
        assert!(complaint("sg-cli", "axum").is_some());
        assert!(complaint("sg-detect", "tokio").is_some());
        assert!(complaint("sg-server", "sg-testkit").is_some());
        assert!(complaint("sg-tenth", "serde").is_some());
    }

    #[test]
    fn dev_dependencies_are_free() {
        let package = serde_json::json!({"name": "sg-agent", "dependencies": [
            {"name": "sg-db", "kind": "dev"}, {"name": "sqlx", "kind": null}]});
        assert_eq!(
            dependencies(&package),
            [("sg-agent".to_owned(), "sqlx".to_owned())]
        );
    }
}
