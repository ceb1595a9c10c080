//! Python and its pip: the machine's own, or Debian's unpacked beside the other tools.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::apt;
use crate::{Result, paths, shell, ui};

/// Packages of the Python package index that a tool of the tests is made of.
pub(crate) struct Packages<'a> {
    /// What it is.
    pub(crate) what: &'a str,
    /// Its folder among the tools.
    pub(crate) folder: &'a str,
    /// The script that runs Python with it.
    pub(crate) program: &'a str,
    /// What is fetched, each with its version: an answer that changes is then a change of ours.
    pub(crate) packages: &'a [&'a str],
    /// What it takes on the disk.
    pub(crate) megabytes: u32,
}

/// A program that runs Python with the packages; installed into the tools folder when they are others than the last time.
pub(crate) fn install(wanted: &Packages<'_>) -> Result<PathBuf> {
    let tools = paths::tools_dir()?;
    let target = tools.join(wanted.folder);
    let program = tools.join("bin").join(wanted.program);
    let (stamp, list) = (target.join("installed"), wanted.packages.join("\n"));
    if fs::read_to_string(&stamp).is_ok_and(|installed| installed == list) && program.is_file() {
        return Ok(program);
    }
    let _lock = super::lock()?;
    let why = format!("it brings {}", wanted.what);
    let python = find(&why)?;
    let mut pip = find_pip(&why)?;
    ui::say(&format!(
        "{} is missing: will unpack {} (about {} MB) from the Python package index into {}",
        wanted.what,
        wanted.packages.first().unwrap_or(&""),
        wanted.megabytes,
        target.display()
    ));
    paths::make_dir(&target)?;
    paths::make_dir(&tools.join("bin"))?;
    ui::step("downloading it with pip", || {
        shell::output(
            pip.args([
                "install",
                "--quiet",
                "--only-binary",
                ":all:",
                "--upgrade",
                "--no-warn-script-location",
                "--target",
            ])
            .arg(&target)
            .args(wanted.packages)
            .env("PIP_DISABLE_PIP_VERSION_CHECK", "1")
            .env("PIP_ROOT_USER_ACTION", "ignore"),
        )
    })?;
    paths::write_script(&program, &python.script(&target))?;
    paths::write(&stamp, &list)?;
    Ok(program)
}

/// pip, or what brings it; `why` says what it is for.
pub(crate) fn find_pip(why: &str) -> Result<Command> {
    let mut command = find(why)?.command();
    command.args(["-m", "pip"]);
    Ok(command)
}

/// A Python that has pip.
pub(crate) struct Python {
    pub(crate) program: PathBuf,
    /// The folders of libraries and packages of one that was unpacked.
    unpacked: Option<(String, PathBuf)>,
}

impl Python {
    fn command(&self) -> Command {
        let mut command = Command::new(&self.program);
        if let Some((libraries, packages)) = &self.unpacked {
            command
                .env("LD_LIBRARY_PATH", libraries)
                .env("PYTHONPATH", packages)
                .env("PYTHONDONTWRITEBYTECODE", "1");
        }
        command
    }

    fn has_pip(&self) -> bool {
        shell::output(self.command().args(["-m", "pip", "--version"])).is_ok()
    }

    /// A script that runs it with the packages in `folder`.
    pub(crate) fn script(&self, folder: &Path) -> String {
        let libraries = self
            .unpacked
            .as_ref()
            .map(|(libraries, _)| format!("LD_LIBRARY_PATH='{libraries}' "))
            .unwrap_or_default();
        format!(
            "#!/bin/sh\n{libraries}PYTHONPATH='{}' PYTHONDONTWRITEBYTECODE=1 exec '{}' \"$@\"\n",
            folder.display(),
            self.program.display()
        )
    }
}

/// The machine's Python with pip, else Debian's, which is unpacked where it is missing; `why` says what it is for.
pub(crate) fn find(why: &str) -> Result<Python> {
    let of_machine = ["python3", "/usr/bin/python3"].into_iter().find_map(|program| {
        let python = Python {
            program: PathBuf::from(program),
            unpacked: None,
        };
        python.has_pip().then_some(python)
    });
    if let Some(python) = of_machine {
        return Ok(python);
    }
    if !unpacked()?.has_pip() {
        apt::install(&["python3-pip", "python3"], &format!("pip is missing ({why})"))?;
    }
    let python = unpacked()?;
    if python.has_pip() {
        return Ok(python);
    }
    Err("the unpacked pip does not run".to_owned())
}

fn unpacked() -> Result<Python> {
    let root = apt::unpacked_root()?;
    let own = root.join("usr/bin/python3");
    Ok(Python {
        program: if own.exists() {
            own
        } else {
            PathBuf::from("/usr/bin/python3")
        },
        unpacked: Some((apt::library_path()?, root.join("usr/lib/python3/dist-packages"))),
    })
}
