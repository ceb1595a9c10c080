//! What `packaging/` holds: how exposed the services are, and whether the scripts are scripts.

use std::path::Path;
use std::process::Command;

use crate::{Result, paths, shell, ui};

/// Each unit, and the highest exposure that it may have, in tenths of the ten that `systemd-analyze security` gives.
const UNITS: [(&str, &str); 3] = [
    ("secureguard", "20"),
    ("secureguard-signer", "20"),
    // It reads other people's files and processes: that is its job.
    ("secureguard-agent", "30"),
];

pub(super) fn check() -> Result {
    let folder = paths::root().join("packaging");
    for script in scripts(&folder)? {
        shell::output(Command::new("sh").arg("-n").arg(folder.join(script)))?;
    }
    if !shell::answers("systemd-analyze", "--version") {
        ui::say("systemd-analyze is missing: the exposure of the units was not looked at");
        return Ok(());
    }
    for (unit, threshold) in UNITS {
        let file = folder.join("systemd").join(format!("{unit}.service"));
        let mut command = Command::new("systemd-analyze");
        command
            .args(["security", "--no-pager", "--offline=true"])
            .arg(format!("--threshold={threshold}"))
            .arg(&file);
        shell::output(&mut command)?;
    }
    Ok(())
}

/// The shell scripts that git knows.
fn scripts(folder: &Path) -> Result<Vec<String>> {
    let mut git = Command::new("git");
    git.current_dir(folder).args([
        "ls-files",
        "*.sh",
        "debian/*/postinst",
        "debian/*/prerm",
        "debian/*/postrm",
    ]);
    let names: Vec<String> = shell::output(&mut git)?.lines().map(str::to_owned).collect();
    if names.len() < 8 {
        return Err(format!("only {names:?} were found in {}", folder.display()));
    }
    Ok(names)
}

#[cfg(test)]
mod tests {
    #[test]
    fn units_and_scripts_hold() {
        super::check().unwrap();
    }
}
