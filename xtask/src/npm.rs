//! Node packages of `web/` and `e2e/`.

use std::path::Path;
use std::process::Command;

use crate::tools::node::Node;
use crate::{Result, paths, shell, ui};

/// `npm` in one of the checkout's folders.
pub(crate) fn npm(node: &Node, folder: &str) -> Command {
    let mut command = node.command("npm");
    command
        .current_dir(paths::root().join(folder))
        .env("npm_config_update_notifier", "false")
        .env("npm_config_fund", "false");
    // A Node that brings its own list of authorities would not trust those that this machine's owner added.
    let authorities = Path::new("/etc/ssl/certs/ca-certificates.crt");
    if authorities.is_file() && paths::set("NODE_EXTRA_CA_CERTS").is_none() {
        command.env("NODE_EXTRA_CA_CERTS", authorities);
    }
    command
}

/// Installs a folder's packages, exactly as its lock file says, when that has changed since the last time.
pub(crate) fn install(node: &Node, folder: &str) -> Result {
    let dir = paths::root().join(folder);
    let lock = paths::read(&dir.join("package-lock.json"))?;
    let stamp = dir.join("node_modules/.secureguard-lock");
    if std::fs::read_to_string(&stamp).is_ok_and(|installed| installed == lock) {
        return Ok(());
    }
    let packages = lock
        .matches("\"resolved\":")
        .count()
        .max(lock.matches("\"integrity\":").count());
    ui::say(&format!(
        "{folder}/ needs its {packages} Node packages (package-lock.json); they go to {folder}/node_modules"
    ));
    ui::step(&format!("npm ci in {folder}/"), || {
        // Browsers are installed by `tools`, never by a package.
        shell::output(
            npm(node, folder)
                .args(["ci", "--no-audit"])
                .env("PLAYWRIGHT_SKIP_BROWSER_DOWNLOAD", "1"),
        )
    })?;
    paths::write(&stamp, &lock)
}

/// Runs a package script with our terminal.
pub(crate) fn script(node: &Node, folder: &str, name: &str) -> Result {
    shell::run(npm(node, folder).args(["run", "--silent", name]))
}

/// Whether a folder has been written yet.
pub(crate) fn exists(folder: &str) -> bool {
    Path::new(&paths::root().join(folder).join("package-lock.json")).is_file()
}
