//! Sizes of files, and words that do not belong into the tree.

use std::fs;

use super::tracked_files;
use crate::{Result, paths};

const LINES_MAX: usize = 600;

/// Generated, and therefore as long as they are.
const GENERATED: [&str; 5] = [
    "openapi.json",
    "schema.sql",
    "schema.d.ts",
    "Cargo.lock",
    "package-lock.json",
];

/// Hand-written source, which is what the limit is about. Migrations and rule data follow other needs.
const SOURCE: [&str; 8] = ["rs", "ts", "svelte", "js", "css", "html", "sh", "toml"];

/// What only one machine or one registry knows. Written in two parts, so that this file does not complain about itself.
const FORBIDDEN: [(&str, &str); 5] = [
    ("/wo", "rk/"),
    ("/root/.ca", "rgo"),
    ("/tmp/bri", "ef"),
    ("regis", "try.npmjs.org"),
    ("TO", "DO:"),
];

pub(super) fn check() -> Result {
    let root = paths::root();
    let mut complaints = Vec::new();
    for name in tracked_files()? {
        let Ok(text) = fs::read_to_string(root.join(&name)) else {
            continue;
        };
        complaints.extend(complaints_about(&name, &text));
    }
    if complaints.is_empty() {
        Ok(())
    } else {
        Err(complaints.join("\n"))
    }
}

fn complaints_about(name: &str, text: &str) -> Vec<String> {
    let file = name.rsplit('/').next().unwrap_or(name);
    let generated = GENERATED.contains(&file);
    let extension = file.rsplit_once('.').map_or("", |(_, extension)| extension);
    let mut complaints = Vec::new();
    let lines = text.lines().count();
    if lines > LINES_MAX && !generated && SOURCE.contains(&extension) {
        complaints.push(format!(
            "{name} has {lines} lines, the limit is {LINES_MAX}: split it"
        ));
    }
    for (number, line) in text.lines().enumerate() {
        for (one, two) in FORBIDDEN {
            if line.contains(&format!("{one}{two}")) {
                complaints.push(format!("{name}:{} contains `{one}{two}`", number + 1));
            }
        }
    }
    if text.contains("\n<<<<<<< ") {
        complaints.push(format!("{name} contains an unresolved merge"));
    }
    complaints
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_and_private_files_are_named() {
        let long = "x\n".repeat(LINES_MAX + 1);
        assert_eq!(complaints_about("a/b.rs", &long).len(), 1);
        assert!(complaints_about("crates/db/schema.sql", &long).is_empty());
        assert!(complaints_about("docs/long.md", &long).is_empty());
        let private = format!("see {}/main", ["/wo", "rk"].concat());
        assert_eq!(
            complaints_about("a.md", &private),
            [format!("a.md:1 contains `{}`", ["/wo", "rk/"].concat())]
        );
    }
}
