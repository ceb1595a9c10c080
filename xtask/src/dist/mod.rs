//! `cargo xtask dist`: Debian packages, the static agent, what is inside of them (SBOM), and their digests; the same bytes for the same sources.

mod deb;
mod programs;
mod release;
mod reproduce;
mod sbom;
mod trial;

use std::path::Path;
use std::process::Command;

use crate::options::Options;
use crate::{Result, paths, shell, ui};
use programs::Programs;
use release::Release;

/// The file of digests.
const SUMS: &str = "SHA256SUMS";

const USAGE: &str = "usage: cargo xtask dist [--out DIR] [--programs DIR] [--try] [--reproduce]";

pub(crate) fn dist(arguments: &[String]) -> Result {
    let options = Options::parse(
        arguments,
        &["--out", "--programs"],
        &["--try", "--reproduce"],
        USAGE,
    )?;
    let out = match options.value("--out") {
        Some(dir) => std::path::absolute(dir).map_err(|e| format!("--out: {e}"))?,
        None => paths::target_dir().join("dist/packages"),
    };
    refuse_foreign(&out)?;
    let release = Release::of_checkout()?;
    if options.has("--reproduce") {
        reproduce::refuse_changed(&release)?;
    }
    ui::say(&format!(
        "SecureGuard {} for {}, as of commit {}",
        release.version, release.architecture, release.commit
    ));
    let programs = match options.value("--programs") {
        Some(dir) => Programs::of_folder(Path::new(dir))?,
        None => programs::build(&release)?,
    };
    if out.exists() {
        std::fs::remove_dir_all(&out).map_err(|e| format!("cannot empty {}: {e}", out.display()))?;
    }
    paths::make_dir(&out)?;
    for package in deb::PACKAGES {
        let file = ui::step(&format!("packaging {}", package.name), || {
            deb::build(package, &programs, &release, deb::Packing::Xz, &out)
        })?;
        ui::say(&format!("built {}", file.display()));
    }
    let machine = std::env::consts::ARCH;
    programs::copy(
        &programs.static_agent,
        &out.join(format!("secureguard-agent-{machine}")),
    )?;
    write_sums(&out)?;
    if options.has("--try") {
        trial::run(&programs, &release, &out)?;
    }
    sbom::write(&release, &out)?;
    write_sums(&out)?;
    if options.has("--reproduce") {
        reproduce::run(&release, &out)?;
    }
    ui::say(&format!("all in {}", out.display()));
    Ok(())
}

/// The folder is emptied, so it may hold nothing but an earlier result.
fn refuse_foreign(out: &Path) -> Result {
    let is_empty = std::fs::read_dir(out).map_or(true, |mut entries| entries.next().is_none());
    if is_empty || out.join(SUMS).is_file() {
        return Ok(());
    }
    Err(format!(
        "{} holds something else than an earlier result; choose another folder with --out",
        out.display()
    ))
}

fn write_sums(out: &Path) -> Result {
    let mut names: Vec<String> = std::fs::read_dir(out)
        .map_err(|e| format!("cannot read {}: {e}", out.display()))?
        .flatten()
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .collect();
    names.sort();
    let sums = shell::output(Command::new("sha256sum").current_dir(out).args(&names))?;
    paths::write(&out.join(SUMS), &sums)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_with_other_things_in_it_is_not_emptied() {
        let dir = std::env::temp_dir().join(format!("xtask-dist-{}", std::process::id()));
        paths::make_dir(&dir).unwrap();
        refuse_foreign(&dir).unwrap();
        refuse_foreign(&dir.join("missing")).unwrap();
        paths::write(&dir.join("letter.txt"), "dear").unwrap();
        assert!(refuse_foreign(&dir).unwrap_err().contains("--out"));
        write_sums(&dir).unwrap();
        refuse_foreign(&dir).unwrap();
        let sums = paths::read(&dir.join(SUMS)).unwrap();
        assert!(sums.ends_with("  letter.txt\n"), "{sums}");
        std::fs::remove_dir_all(&dir).unwrap();
    }
}
