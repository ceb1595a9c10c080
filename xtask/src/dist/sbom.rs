//! What the programs and the console are made of, as CycloneDX documents: by cargo-cyclonedx for Rust, by npm itself for the console.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};

use super::release::Release;
use crate::build::{BINARIES, cargo};
use crate::{Result, npm, paths, shell, tools, ui};

/// The tool, pinned: its output is part of what has to be the same each time.
const CYCLONEDX: &str = "0.5.9";

/// Writes `NAME.cdx.json` for each program and for the console.
pub(crate) fn write(release: &Release, out: &Path) -> Result {
    let tool = ensure()?;
    for (package, binary) in BINARIES {
        let document = ui::step(&format!("listing what {binary} is made of"), || {
            describe_program(&tool, release, package)
        })?;
        keep(&document, release, binary, out)?;
    }
    let node = tools::node::ensure()?;
    let text = ui::step("listing what the console is made of", || {
        shell::output(npm::npm(&node, "web").args([
            "sbom",
            "--package-lock-only",
            "--sbom-format",
            "cyclonedx",
            "--sbom-type",
            "application",
        ]))
    })?;
    keep(&text, release, "secureguard-console", out)
}

/// cargo-cyclonedx writes beside each manifest, under a name of our choice.
fn describe_program(tool: &Path, release: &Release, package: &str) -> Result<String> {
    let folder = paths::root()
        .join("crates")
        .join(package.trim_start_matches("sg-"));
    let name = "dist-sbom.cdx";
    let written = folder.join(format!("{name}.json"));
    let mut command = Command::new(tool);
    command
        .args([
            "cyclonedx",
            "--format",
            "json",
            "--spec-version",
            "1.5",
            "--all-features",
        ])
        .args(["--override-filename", name, "--manifest-path"])
        .arg(folder.join("Cargo.toml"))
        .env("SOURCE_DATE_EPOCH", release.epoch.to_string());
    let outcome = shell::output(&mut command).and_then(|_| paths::read(&written));
    remove_all(name)?;
    outcome
}

/// A document is written for each crate of the workspace that the program is made of.
fn remove_all(name: &str) -> Result {
    let crates = paths::root().join("crates");
    for entry in fs::read_dir(&crates)
        .map_err(|e| format!("cannot read {}: {e}", crates.display()))?
        .flatten()
    {
        let _ = fs::remove_file(entry.path().join(format!("{name}.json")));
    }
    let _ = fs::remove_file(paths::root().join("xtask").join(format!("{name}.json")));
    Ok(())
}

fn keep(text: &str, release: &Release, name: &str, out: &Path) -> Result {
    let document = settle(text, release, name)?;
    let text = serde_json::to_string_pretty(&document).map_err(|e| e.to_string())? + "\n";
    paths::write(&out.join(format!("{name}.cdx.json")), &text)
}

/// Takes away what differs from run to run or from machine to machine, and checks that it is a list worth having.
fn settle(text: &str, release: &Release, name: &str) -> Result<Value> {
    let text = text.replace(
        &format!("path+file://{}", paths::root().display()),
        "path+file:///secureguard",
    );
    let mut document: Value = serde_json::from_str(&text).map_err(|e| format!("the SBOM of {name}: {e}"))?;
    if document["bomFormat"] != "CycloneDX" {
        return Err(format!("the SBOM of {name} is no CycloneDX document"));
    }
    let listed = document["components"].as_array().map_or(0, Vec::len);
    if listed == 0 {
        return Err(format!("the SBOM of {name} lists nothing"));
    }
    if let Some(map) = document.as_object_mut() {
        map.remove("serialNumber");
    }
    document["metadata"]["timestamp"] = json!(timestamp(release)?);
    ui::say(&format!("{name}: {listed} components"));
    Ok(document)
}

fn timestamp(release: &Release) -> Result<String> {
    let mut date = Command::new("date");
    date.args(["-u", "+%Y-%m-%dT%H:%M:%SZ", "-d"])
        .arg(format!("@{}", release.epoch));
    Ok(shell::output(&mut date)?.trim().to_owned())
}

/// The tool, installed into the folder of tools at the first time.
fn ensure() -> Result<PathBuf> {
    let root = paths::tools_dir()?.join(format!("cargo-cyclonedx-{CYCLONEDX}"));
    let program = root.join("bin/cargo-cyclonedx");
    if !program.is_file() {
        let _lock = tools::lock()?;
        ui::say(&format!(
            "cargo-cyclonedx {CYCLONEDX} lists what programs are made of; it is compiled into {}",
            root.display()
        ));
        ui::step("installing cargo-cyclonedx", || {
            shell::output(
                cargo()
                    .args([
                        "install",
                        "cargo-cyclonedx",
                        "--locked",
                        "--debug",
                        "--version",
                        CYCLONEDX,
                        "--root",
                    ])
                    .arg(&root)
                    .env("CARGO_TARGET_DIR", paths::target_dir().join("tools")),
            )
        })?;
    }
    Ok(program)
}
