//! `cargo xtask check`: what a reviewer should not have to look for.

mod layering;
mod licences;
mod metrics;
mod packaging;
mod text;

use std::process::Command;

use serde_json::Value;

use crate::build::cargo;
use crate::{Result, generate, npm, shell, tools, ui};

pub(crate) fn check(arguments: &[String]) -> Result {
    if let Some(other) = arguments.first() {
        return Err(format!("check takes no argument, not {other}"));
    }
    let mut failed = Vec::new();
    let mut judge = |name: &'static str, outcome: Result| {
        if let Err(why) = outcome {
            ui::fail(&format!("{name}:\n{why}"));
            failed.push(name);
        }
    };
    judge("files", ui::step("file sizes and texts", text::check));
    judge("packaging", ui::step("units and scripts", packaging::check));
    judge("metrics", ui::step("names of metrics", metrics::check));
    let metadata = metadata()?;
    judge("layering", ui::step("layering", || layering::check(&metadata)));
    judge(
        "licences",
        ui::step("licences and bans", || licences::check(&metadata)),
    );
    judge(
        "formatting",
        ui::step("rustfmt", || {
            shell::run(cargo().args(["fmt", "--all", "--check"]))
        }),
    );
    let node = tools::node::ensure()?;
    // The binaries embed what is in web/dist, so it has to be there before they are compiled.
    judge("console build", crate::build::console(&node));
    judge(
        "lints",
        ui::step("clippy", || {
            shell::run(cargo().args(["clippy", "--workspace", "--all-targets", "--", "-D", "warnings"]))
        }),
    );
    judge("generated files", generate::generate(true));
    for folder in ["web", "e2e"].into_iter().filter(|folder| npm::exists(folder)) {
        npm::install(&node, folder)?;
        for (name, script) in [("types", "check"), ("lint", "lint")] {
            judge(
                name,
                ui::step(&format!("{name} of {folder}/"), || {
                    npm::script(&node, folder, script)
                }),
            );
        }
    }
    if shell::answers("cargo-deny", "--version") {
        let deny = || shell::run(cargo().args(["deny", "--offline", "check", "bans", "licenses", "sources"]));
        judge("cargo-deny", ui::step("cargo-deny", deny));
    }
    if failed.is_empty() {
        Ok(())
    } else {
        Err(format!("failed: {}", failed.join(", ")))
    }
}

fn metadata() -> Result<Value> {
    let text = shell::output(cargo().args(["metadata", "--format-version", "1", "--all-features"]))?;
    serde_json::from_str(&text).map_err(|e| format!("cargo metadata: {e}"))
}

/// Files that git tracks, and those it would: new and not ignored.
pub(super) fn tracked_files() -> Result<Vec<String>> {
    let mut git = Command::new("git");
    git.current_dir(crate::paths::root()).args([
        "ls-files",
        "-z",
        "--cached",
        "--others",
        "--exclude-standard",
    ]);
    let text = shell::output(&mut git)?;
    Ok(text
        .split('\0')
        .filter(|name| !name.is_empty())
        .map(str::to_owned)
        .collect())
}

/// The packages of `cargo metadata`.
pub(super) fn packages(metadata: &Value) -> impl Iterator<Item = &Value> {
    metadata["packages"].as_array().into_iter().flatten()
}
