//! Names of metrics: what the code counts, what the docs list, and what the dashboard shows are the same.

use std::collections::BTreeSet;

use super::tracked_files;
use crate::{Result, paths};

/// Where operators look them up.
const DOCS: &str = "docs/operations/monitoring.md";
const DASHBOARD: &str = "packaging/grafana/secureguard.json";
/// What a histogram is called on the wire besides its own name.
const HISTOGRAM: [&str; 3] = ["_bucket", "_sum", "_count"];
/// How units end names; other words that begin with `sg_` are roles of the database.
const UNITS: [&str; 6] = ["_total", "_count", "_seconds", "_bytes", "_ratio", "_streaming"];

pub(super) fn check() -> Result {
    let read = |name: &str| {
        std::fs::read_to_string(paths::root().join(name)).map_err(|error| format!("{name}: {error}"))
    };
    let mut counted = BTreeSet::new();
    for file in tracked_files()?
        .iter()
        .filter(|name| name.starts_with("crates/server/src/") && name.ends_with(".rs"))
    {
        counted.extend(names(&read(file)?));
    }
    let listed = names(&read(DOCS)?);
    let shown = names(&read(DASHBOARD)?);
    let is_listed = |name: &String| {
        let base = HISTOGRAM.iter().find_map(|end| name.strip_suffix(end));
        listed.contains(name) || base.is_some_and(|base| listed.contains(base))
    };
    let mut faults = Vec::new();
    faults.extend(
        counted
            .difference(&listed)
            .map(|name| format!("{name} is not in {DOCS}")),
    );
    faults.extend(
        listed
            .difference(&counted)
            .map(|name| format!("{name} of {DOCS} is counted nowhere")),
    );
    let strange = shown.iter().filter(|name| !is_listed(name));
    faults.extend(strange.map(|name| format!("{name} of {DASHBOARD} is not in {DOCS}")));
    if counted.len() < 30 || shown.len() < 30 {
        faults.push(format!(
            "only {} metrics and {} on the dashboard were found",
            counted.len(),
            shown.len()
        ));
    }
    if faults.is_empty() {
        Ok(())
    } else {
        Err(faults.join("\n"))
    }
}

/// The metrics that a text names.
fn names(text: &str) -> BTreeSet<String> {
    text.split(|c: char| !(c.is_ascii_lowercase() || c == '_'))
        .filter(|word| {
            word.starts_with("sg_") && UNITS.iter().any(|unit| word.ends_with(unit)) || is_bucket(word)
        })
        .map(str::to_owned)
        .collect()
}

fn is_bucket(word: &str) -> bool {
    word.starts_with("sg_") && word.ends_with("_bucket")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn metrics_are_told_from_roles() {
        let found = names(
            r#"counter!("sg_http_requests_total"), sg_system, sg_x_seconds_bucket{le="1"}, sg_own_count"#,
        );
        let expected = ["sg_http_requests_total", "sg_own_count", "sg_x_seconds_bucket"];
        assert_eq!(found, expected.map(str::to_owned).into());
    }

    #[test]
    fn code_docs_and_dashboard_agree() {
        check().unwrap();
    }
}
