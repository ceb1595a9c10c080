//! Licences of everything that is linked in, and crates that must not be.

use serde_json::Value;

use super::packages;
use crate::Result;

const ALLOWED: [&str; 17] = [
    "0BSD",
    "Apache-2.0",
    "Apache-2.0 WITH LLVM-exception",
    "BSD-1-Clause",
    "BSD-2-Clause",
    "BSD-3-Clause",
    "BSL-1.0",
    "CC0-1.0",
    "CDLA-Permissive-2.0",
    "ISC",
    "MIT",
    "MIT-0",
    "MPL-2.0",
    "OpenSSL",
    "Unicode-3.0",
    "Unlicense",
    "Zlib",
];

/// Crates that bring OpenSSL; TLS is rustls throughout.
const BANNED: [&str; 5] = [
    "openssl",
    "openssl-sys",
    "native-tls",
    "tokio-native-tls",
    "hyper-tls",
];

pub(super) fn check(metadata: &Value) -> Result {
    let linked = linked_ids(metadata);
    if linked.is_empty() {
        return Err("cargo metadata resolved no package".to_owned());
    }
    let mut complaints = Vec::new();
    for package in packages(metadata).filter(|p| linked.iter().any(|id| p["id"] == **id)) {
        let name = package["name"].as_str().unwrap_or_default();
        if BANNED.contains(&name) {
            complaints.push(format!("{name} is banned: TLS is rustls throughout"));
        }
        let licence = package["license"].as_str().unwrap_or_default();
        if !permits(licence) {
            complaints.push(format!(
                "{name} {} has the licence {licence:?}",
                package["version"].as_str().unwrap_or_default()
            ));
        }
    }
    if complaints.is_empty() {
        Ok(())
    } else {
        Err(complaints.join("\n"))
    }
}

/// Ids of the packages that are part of the build, unlike those that only appear for other platforms' sake.
fn linked_ids(metadata: &Value) -> Vec<&str> {
    let nodes = metadata["resolve"]["nodes"].as_array().into_iter().flatten();
    nodes.filter_map(|node| node["id"].as_str()).collect()
}

/// Whether an SPDX expression can be satisfied with allowed licences.
fn permits(expression: &str) -> bool {
    let expression = expression
        .replace('/', " OR ")
        .replace('(', " ( ")
        .replace(')', " ) ");
    let tokens: Vec<&str> = expression.split_whitespace().collect();
    let mut position = 0;
    !tokens.is_empty() && either(&tokens, &mut position) && position == tokens.len()
}

fn either(tokens: &[&str], position: &mut usize) -> bool {
    let mut permitted = both(tokens, position);
    while tokens.get(*position) == Some(&"OR") {
        *position += 1;
        permitted |= both(tokens, position);
    }
    permitted
}

fn both(tokens: &[&str], position: &mut usize) -> bool {
    let mut permitted = one(tokens, position);
    while tokens.get(*position) == Some(&"AND") {
        *position += 1;
        permitted &= one(tokens, position);
    }
    permitted
}

fn one(tokens: &[&str], position: &mut usize) -> bool {
    let Some(token) = tokens.get(*position) else {
        // Beyond the end, where no complete expression ends.
        *position = usize::MAX;
        return false;
    };
    *position += 1;
    if *token == "(" {
        let permitted = either(tokens, position);
        *position += 1;
        return permitted;
    }
    if tokens.get(*position) == Some(&"WITH") {
        let exception = tokens.get(*position + 1).copied().unwrap_or_default();
        *position += 2;
        return ALLOWED.contains(&format!("{token} WITH {exception}").as_str());
    }
    ALLOWED.contains(token)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn expressions_are_understood() {
        for good in [
            "MIT",
            "MIT OR GPL-3.0",
            "(MIT OR GPL-2.0) AND Unicode-3.0",
            "MIT/Apache-2.0",
            "Apache-2.0 WITH LLVM-exception OR GPL-2.0",
        ] {
            assert!(permits(good), "{good}");
        }
        for bad in [
            "",
            "GPL-3.0",
            "MIT AND GPL-2.0",
            "(MIT",
            "MIT OR",
            "AGPL-3.0-only",
            "Apache-2.0 WITH Something",
        ] {
            assert!(!permits(bad), "{bad}");
        }
    }
}
