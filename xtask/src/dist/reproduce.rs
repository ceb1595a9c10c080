//! `cargo xtask dist --reproduce`: everything is built a second time, from another folder into another folder, and has to come out the same.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

use super::SUMS;
use super::release::Release;
use crate::{Result, paths, shell, tree, ui};

/// Only what is committed can be checked out a second time.
pub(super) fn refuse_changed(release: &Release) -> Result {
    if release.version.ends_with(".changed") {
        return Err("--reproduce builds what is committed, and there are changes that are not".to_owned());
    }
    Ok(())
}

/// Builds again and compares with what is in `out`. What was built differently stays, to be looked at.
pub(super) fn run(release: &Release, out: &Path) -> Result {
    let base = paths::target_dir().join("dist/again");
    let (source, packages) = (base.join("source"), base.join("packages"));
    paths::make_dir(&base)?;
    tree::check_out(&release.commit, &source)?;
    let own = std::env::current_exe().map_err(|e| format!("cannot find this program: {e}"))?;
    ui::say("building everything again, elsewhere");
    shell::run(
        Command::new(own)
            .args(["dist", "--out"])
            .arg(&packages)
            .current_dir(&source)
            .env("CARGO_MANIFEST_DIR", source.join("xtask"))
            .env("CARGO_TARGET_DIR", base.join("target")),
    )?;
    let differing = compare(
        &paths::read(&out.join(SUMS))?,
        &paths::read(&packages.join(SUMS))?,
    );
    if !differing.is_empty() {
        return Err(format!(
            "not the same bytes in {} and {}: {}",
            out.display(),
            packages.display(),
            differing.join(", ")
        ));
    }
    ui::say("the same bytes twice");
    Ok(())
}

/// The files that one list has and the other has not, or has with another digest.
fn compare(first: &str, second: &str) -> Vec<String> {
    let read = |text: &str| -> BTreeMap<String, String> {
        let lines = text.lines().filter_map(|line| line.split_once("  "));
        lines
            .map(|(digest, name)| (name.to_owned(), digest.to_owned()))
            .collect()
    };
    let (first, second) = (read(first), read(second));
    let mut names: Vec<String> = first.keys().chain(second.keys()).cloned().collect();
    names.sort();
    names.dedup();
    names.retain(|name| first.get(name) != second.get(name));
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_differs_or_is_missing_is_named() {
        let first = "aa  secureguard.deb\nbb  sbom.json\ncc  old.deb\n";
        assert_eq!(compare(first, first), Vec::<String>::new());
        let second = "bb  sbom.json\nab  secureguard.deb\ndd  new.deb\n";
        assert_eq!(compare(first, second), ["new.deb", "old.deb", "secureguard.deb"]);
        assert_eq!(compare("", "aa  a\n"), ["a"]);
    }
}
