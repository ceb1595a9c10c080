//! The programs that are shipped, built so that neither this machine's paths nor the time of day get into them.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::release::Release;
use crate::build::{self, BINARIES, cargo};
use crate::{Result, paths, shell, tools, ui};

/// The static agent's name in that folder.
const STATIC_AGENT: &str = "secureguard-agent-static";

/// What was built, all in one folder.
pub(crate) struct Programs {
    pub(crate) dir: PathBuf,
    pub(crate) static_agent: PathBuf,
}

impl Programs {
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.join(name)
    }
}

impl Programs {
    /// Those of a folder, where the static agent is `secureguard-agent-static`.
    pub(crate) fn of_folder(dir: &Path) -> Result<Self> {
        let names = BINARIES.iter().map(|(_, name)| *name);
        if let Some(missing) = names.chain([STATIC_AGENT]).find(|name| !dir.join(name).is_file()) {
            return Err(format!("{} has no {missing}", dir.display()));
        }
        Ok(Self {
            dir: dir.to_owned(),
            static_agent: dir.join(STATIC_AGENT),
        })
    }
}

pub(crate) fn build(release: &Release) -> Result<Programs> {
    tools::compiler::check()?;
    let node = tools::node::ensure()?;
    build::console(&node)?;
    let target_dir = paths::target_dir().join("dist");
    let dir = target_dir.join("programs");
    paths::make_dir(&dir)?;
    let target = host()?;
    let built = target_dir.join(&target).join("release");
    ui::step("building the programs", || {
        let mut command = reproducible(release, &target_dir, &target, "");
        for (package, binary) in BINARIES {
            command.args(["-p", package, "--bin", binary]);
        }
        shell::run(&mut command)
    })?;
    for (_, binary) in BINARIES {
        copy(&built.join(binary), &dir.join(binary))?;
    }
    ui::step("building the static agent", || {
        let mut command = reproducible(release, &target_dir, &target, "-C target-feature=+crt-static");
        command.args([
            "-p",
            "sg-agent",
            "--bin",
            "secureguard-agent",
            "--features",
            "own-resolver",
        ]);
        shell::run(&mut command)
    })?;
    copy(&built.join("secureguard-agent"), &dir.join(STATIC_AGENT))?;
    Programs::of_folder(&dir)
}

/// Cargo with everything that differs from machine to machine taken away. A target is named even for this machine's own, because flags would
/// else reach procedural macros, which a static C library cannot load.
fn reproducible(release: &Release, target_dir: &Path, target: &str, flags: &str) -> Command {
    let maps = [
        (target_dir.to_owned(), "/build"),
        (cargo_home(), "/cargo"),
        (paths::root(), "/secureguard"),
    ];
    let flags_for = |option: &str| -> String {
        let flag = |(from, to): &(PathBuf, &str)| format!(" {option}={}={to}", from.display());
        maps.iter().map(flag).collect()
    };
    let mut command = cargo();
    command
        .args(["build", "--release", "--locked", "--target", target])
        .env("CARGO_TARGET_DIR", target_dir)
        .env("CARGO_INCREMENTAL", "0")
        .env("SOURCE_DATE_EPOCH", release.epoch.to_string())
        .env(
            "RUSTFLAGS",
            format!("{flags}{}", flags_for("--remap-path-prefix")),
        )
        .env("CFLAGS", flags_for("-ffile-prefix-map"))
        .env("LC_ALL", "C.UTF-8")
        .env("TZ", "UTC");
    command
}

fn cargo_home() -> PathBuf {
    paths::set("CARGO_HOME")
        .map(PathBuf::from)
        .or_else(|| paths::home().ok().map(|home| home.join(".cargo")))
        .unwrap_or_else(|| PathBuf::from("/nonexistent"))
}

/// This machine's own target.
fn host() -> Result<String> {
    let text = shell::output(Command::new("rustc").arg("-vV"))?;
    text.lines()
        .find_map(|line| line.strip_prefix("host: "))
        .map(str::to_owned)
        .ok_or_else(|| "rustc -vV names no host".to_owned())
}

pub(crate) fn copy(from: &Path, to: &Path) -> Result {
    // Beside, then renamed: the one that is there may be running.
    let part = to.with_extension("part");
    fs::copy(from, &part)
        .and_then(|_| fs::rename(&part, to))
        .map_err(|e| format!("cannot copy {} to {}: {e}", from.display(), to.display()))
}
