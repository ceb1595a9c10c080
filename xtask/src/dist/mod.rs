//! `cargo xtask dist`: Debian packages, the static agent, what is inside of them (SBOM), and their digests; the same bytes for the same sources.

mod deb;
mod programs;
mod release;
mod sbom;
mod trial;

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::{Result, paths, shell, ui};
use programs::Programs;
use release::Release;

/// The file of digests.
const SUMS: &str = "SHA256SUMS";

struct Options {
    out: PathBuf,
    try_out: bool,
    programs: Option<PathBuf>,
}

pub(crate) fn dist(arguments: &[String]) -> Result {
    let options = parse(arguments)?;
    let release = Release::of_checkout()?;
    ui::say(&format!(
        "SecureGuard {} for {}, as of commit {}",
        release.version, release.architecture, release.commit
    ));
    let programs = match &options.programs {
        Some(dir) => Programs::of_folder(dir)?,
        None => programs::build(&release)?,
    };
    if options.out.exists() {
        std::fs::remove_dir_all(&options.out)
            .map_err(|e| format!("cannot empty {}: {e}", options.out.display()))?;
    }
    paths::make_dir(&options.out)?;
    for package in deb::PACKAGES {
        let file = ui::step(&format!("packaging {}", package.name), || {
            deb::build(package, &programs, &release, deb::Packing::Xz, &options.out)
        })?;
        ui::say(&format!("built {}", file.display()));
    }
    let machine = std::env::consts::ARCH;
    programs::copy(
        &programs.static_agent,
        &options.out.join(format!("secureguard-agent-{machine}")),
    )?;
    write_sums(&options.out)?;
    if options.try_out {
        trial::run(&programs, &release, &options.out)?;
    }
    sbom::write(&release, &options.out)?;
    write_sums(&options.out)?;
    ui::say(&format!("all in {}", options.out.display()));
    Ok(())
}

fn parse(arguments: &[String]) -> Result<Options> {
    let mut options = Options {
        out: paths::target_dir().join("dist/packages"),
        try_out: false,
        programs: None,
    };
    let mut rest = arguments.iter();
    while let Some(name) = rest.next() {
        match name.as_str() {
            "--out" => {
                let dir = rest.next().ok_or("--out needs a folder")?;
                options.out = std::path::absolute(dir).map_err(|e| format!("--out: {e}"))?;
            }
            "--try" => options.try_out = true,
            "--programs" => {
                options.programs = Some(PathBuf::from(rest.next().ok_or("--programs needs a folder")?))
            }
            other => {
                return Err(format!(
                    "dist knows --out DIR, --programs DIR and --try, not {other}"
                ));
            }
        }
    }
    refuse_foreign(&options.out)?;
    Ok(options)
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
