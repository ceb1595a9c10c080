//! `cargo xtask build`: the console, then the binaries with it inside.

use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::options::Options;
use crate::tools::{self, node::Node};
use crate::{Result, npm, paths, shell, ui};

/// Package and binary.
type Binary = (&'static str, &'static str);

/// Everything that is shipped.
pub(crate) const BINARIES: [Binary; 3] = [
    ("sg-server", "secureguard"),
    ("sg-agent", "secureguard-agent"),
    ("sg-cli", "sgctl"),
];

/// What has to be there to start a server and an agent.
pub(crate) const TO_RUN: &[Binary] = &[BINARIES[0], BINARIES[1]];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Profile {
    Dev,
    Release,
}

impl Profile {
    /// `--release`, or the one for development.
    pub(crate) fn of(options: &Options) -> Self {
        if options.has("--release") {
            Self::Release
        } else {
            Self::Dev
        }
    }

    /// The folder of this profile's binaries.
    pub(crate) fn dir(self) -> PathBuf {
        paths::target_dir().join(match self {
            Self::Dev => "debug",
            Self::Release => "release",
        })
    }
}

pub(crate) fn command(arguments: &[String]) -> Result {
    let profile = match arguments
        .iter()
        .map(String::as_str)
        .collect::<Vec<_>>()
        .as_slice()
    {
        [] | ["--release"] => Profile::Release,
        ["--dev"] => Profile::Dev,
        other => {
            return Err(format!(
                "build knows --release (the default) and --dev, not {other:?}"
            ));
        }
    };
    tools::compiler::check()?;
    let node = tools::node::ensure()?;
    console(&node)?;
    binaries(profile, &BINARIES)?;
    for (_, binary) in BINARIES {
        ui::say(&format!("built {}", profile.dir().join(binary).display()));
    }
    Ok(())
}

/// Builds the console into web/dist, when its sources have changed since the last time: the server embeds it, and is compiled anew whenever
/// it was built.
pub(crate) fn console(node: &Node) -> Result {
    npm::install(node, "web")?;
    let web = paths::root().join("web");
    let (stamp, sources) = (web.join("node_modules/.secureguard-console"), inputs(&web)?);
    if web.join("dist/index.html").is_file()
        && std::fs::read_to_string(&stamp).is_ok_and(|built| built == sources)
    {
        ui::say("the console is built");
        return Ok(());
    }
    ui::step("building the console (vite)", || {
        shell::output(npm::npm(node, "web").args(["run", "--silent", "build"]))
    })?;
    paths::write(&stamp, &sources)
}

/// Name, size and time of change of every file that the console is made of, a line each.
fn inputs(web: &Path) -> Result<String> {
    let mut lines = Vec::new();
    let mut dirs = vec![web.to_owned()];
    while let Some(dir) = dirs.pop() {
        let unreadable = |e: std::io::Error| format!("cannot read {}: {e}", dir.display());
        for entry in std::fs::read_dir(&dir).map_err(unreadable)? {
            let entry = entry.map_err(unreadable)?;
            let (path, metadata) = (entry.path(), entry.metadata().map_err(unreadable)?);
            if !metadata.is_dir() {
                let name = path.strip_prefix(web).unwrap_or(&path).display();
                let (seconds, nanos) = (metadata.mtime(), metadata.mtime_nsec());
                lines.push(format!("{name} {} {seconds}.{nanos}\n", metadata.size()));
            } else if entry.file_name() != "node_modules" && entry.file_name() != "dist" {
                dirs.push(path);
            }
        }
    }
    lines.sort();
    Ok(lines.concat())
}

/// Builds binaries. The console has to be built before, the server embeds it.
pub(crate) fn binaries(profile: Profile, wanted: &[Binary]) -> Result {
    let name = if profile == Profile::Release {
        "release"
    } else {
        "dev"
    };
    ui::step(&format!("building the binaries ({name} profile)"), || {
        let mut command = cargo();
        command.args(["build", "--locked"]);
        if profile == Profile::Release {
            command.arg("--release");
        }
        for (package, binary) in wanted {
            command.args(["-p", package, "--bin", binary]);
        }
        shell::run(&mut command)
    })
}

/// Cargo in the checkout.
pub(crate) fn cargo() -> Command {
    let mut command = Command::new(paths::set("CARGO").unwrap_or_else(|| "cargo".into()));
    command.current_dir(paths::root());
    command
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_console_is_made_of_its_sources_and_not_of_what_is_built_or_fetched() {
        let web = std::env::temp_dir().join(format!("xtask-web-{}", std::process::id()));
        for dir in ["src", "dist", "node_modules"] {
            paths::make_dir(&web.join(dir)).unwrap();
            paths::write(&web.join(dir).join("a.js"), "1").unwrap();
        }
        let before = inputs(&web).unwrap();
        assert!(
            before.starts_with("src/a.js 1 ") && before.lines().count() == 1,
            "{before}"
        );
        paths::write(&web.join("dist/a.js"), "22").unwrap();
        assert_eq!(inputs(&web).unwrap(), before);
        paths::write(&web.join("src/a.js"), "22").unwrap();
        assert_ne!(inputs(&web).unwrap(), before);
        std::fs::remove_dir_all(&web).unwrap();
    }
}
