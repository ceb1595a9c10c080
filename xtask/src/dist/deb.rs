//! Debian packages, put together from `packaging/` and the programs, and packed by dpkg-deb.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::programs::{Programs, copy};
use super::release::Release;
use crate::{Result, paths, shell};

/// A package: what is copied from the checkout, and which programs it has.
pub(crate) struct Package {
    pub(crate) name: &'static str,
    /// Path in the checkout, and below `/`.
    files: &'static [(&'static str, &'static str)],
    programs: &'static [&'static str],
    /// Whether it holds the static agent that the server offers for download.
    offers_agent: bool,
}

pub(crate) const PACKAGES: &[Package] = &[
    Package {
        name: "secureguard",
        files: &[
            (
                "packaging/systemd/secureguard.service",
                "usr/lib/systemd/system/secureguard.service",
            ),
            (
                "packaging/systemd/secureguard-signer.service",
                "usr/lib/systemd/system/secureguard-signer.service",
            ),
            (
                "packaging/sysusers.d/secureguard.conf",
                "usr/lib/sysusers.d/secureguard.conf",
            ),
            (
                "packaging/tmpfiles.d/secureguard.conf",
                "usr/lib/tmpfiles.d/secureguard.conf",
            ),
            ("packaging/logrotate.d/secureguard", "etc/logrotate.d/secureguard"),
            (
                "packaging/etc/secureguard.toml",
                "etc/secureguard/secureguard.toml",
            ),
            ("packaging/etc/signer.toml", "usr/share/secureguard/signer.toml"),
            (
                "crates/server/secureguard.default.toml",
                "usr/share/doc/secureguard/secureguard.default.toml",
            ),
        ],
        programs: &["secureguard", "sgctl"],
        offers_agent: true,
    },
    Package {
        name: "secureguard-agent",
        files: &[
            (
                "packaging/systemd/secureguard-agent.service",
                "usr/lib/systemd/system/secureguard-agent.service",
            ),
            ("packaging/etc/secureguard-agent", "etc/default/secureguard-agent"),
            (
                "packaging/systemd/respond.conf",
                "usr/share/doc/secureguard-agent/examples/respond.conf",
            ),
        ],
        programs: &["secureguard-agent"],
        offers_agent: false,
    },
];

/// Where a shell looks for completions, and how the file is named; `@` is the program.
const COMPLETIONS: [(&str, &str); 3] = [
    ("bash", "usr/share/bash-completion/completions/@"),
    ("zsh", "usr/share/zsh/vendor-completions/_@"),
    ("fish", "usr/share/fish/vendor_completions.d/@.fish"),
];

/// How a package is compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Packing {
    /// As it is shipped; every dpkg reads it.
    Xz,
    /// Not at all, for a package that is tried and thrown away.
    Plain,
}

/// Packs a package into `out` and gives its file.
pub(crate) fn build(
    package: &Package,
    programs: &Programs,
    release: &Release,
    packing: Packing,
    out: &Path,
) -> Result<PathBuf> {
    let root = paths::target_dir().join("dist/roots").join(package.name);
    let _ = fs::remove_dir_all(&root);
    for (from, to) in package.files {
        install(&paths::root().join(from), &root.join(to), 0o644)?;
    }
    for program in package.programs {
        install(
            &programs.path(program),
            &root.join("usr/bin").join(program),
            0o755,
        )?;
        write_manuals(&programs.path(program), program, &root)?;
    }
    if package.offers_agent {
        let name = format!("secureguard-agent-{}", std::env::consts::ARCH);
        let to = root.join("usr/share/secureguard/agent").join(name);
        install(&programs.static_agent, &to, 0o755)?;
    }
    let doc = root.join("usr/share/doc").join(package.name);
    install(
        &paths::root().join("packaging/debian/copyright"),
        &doc.join("copyright"),
        0o644,
    )?;
    write_control(package, programs, release, &root)?;
    set_modes(&root)?;
    let file = out.join(format!(
        "{}_{}_{}.deb",
        package.name, release.version, release.architecture
    ));
    let mut pack = Command::new("dpkg-deb");
    // What several threads compress depends on how many they are.
    pack.args(["--build", "--root-owner-group", "--threads-max=1"])
        .arg(match packing {
            Packing::Xz => "-Zxz",
            Packing::Plain => "-Znone",
        })
        .arg(&root)
        .arg(&file);
    shell::output(pack.env("SOURCE_DATE_EPOCH", release.epoch.to_string()))?;
    Ok(file)
}

fn install(from: &Path, to: &Path, mode: u32) -> Result {
    paths::make_dir(to.parent().unwrap_or(to))?;
    copy(from, to)?;
    set_mode(to, mode)
}

/// Manual pages and completions, as the program itself prints them.
fn write_manuals(program: &Path, name: &str, root: &Path) -> Result {
    let pages = root.join("usr/share/man/man1");
    shell::output(Command::new(program).arg("man").arg(&pages))?;
    for (shell_name, place) in COMPLETIONS {
        let to = root.join(place.replace('@', name));
        paths::make_dir(to.parent().unwrap_or(&to))?;
        paths::write(
            &to,
            &shell::output(Command::new(program).args(["completion", shell_name]))?,
        )?;
    }
    for page in fs::read_dir(&pages)
        .map_err(|e| format!("cannot read {}: {e}", pages.display()))?
        .flatten()
    {
        if page.path().extension().is_some_and(|extension| extension == "1") {
            // Without the name and time of the file, which differ from build to build.
            shell::output(Command::new("gzip").args(["-9", "-n", "-f"]).arg(page.path()))?;
        }
    }
    Ok(())
}

fn write_control(package: &Package, programs: &Programs, release: &Release, root: &Path) -> Result {
    let sources = paths::root().join("packaging/debian").join(package.name);
    let control = root.join("DEBIAN");
    paths::make_dir(&control)?;
    for script in ["postinst", "prerm", "postrm"] {
        install(&sources.join(script), &control.join(script), 0o755)?;
    }
    install(&sources.join("conffiles"), &control.join("conffiles"), 0o644)?;
    let (sums, bytes) = digest(root)?;
    paths::write(&control.join("md5sums"), &sums)?;
    let mut glibc = Vec::new();
    for program in package.programs {
        glibc.extend(glibc_versions(&shell::output(
            Command::new("objdump").arg("-T").arg(programs.path(program)),
        )?));
    }
    let needed = glibc
        .iter()
        .max()
        .ok_or("the programs name no version of the C library")?;
    let text = paths::read(&sources.join("control"))?
        .replace("@VERSION@", &release.version)
        .replace("@ARCHITECTURE@", &release.architecture)
        .replace("@SIZE@", &bytes.div_ceil(1024).to_string())
        .replace("@GLIBC@", &format!("{}.{}", needed.0, needed.1));
    paths::write(&control.join("control"), &text)
}

/// The MD5 of every file in dpkg's form, and how many bytes they have. dpkg keeps no other digest; SHA256SUMS is what vouches.
fn digest(root: &Path) -> Result<(String, u64)> {
    let mut files = Vec::new();
    let mut bytes = 0;
    walk(root, &mut |path, metadata| {
        if metadata.is_file() && !path.starts_with(root.join("DEBIAN")) {
            bytes += metadata.len();
            files.push(path.strip_prefix(root).unwrap_or(path).to_owned());
        }
        Ok(())
    })?;
    files.sort();
    let sums = shell::output(Command::new("md5sum").current_dir(root).args(&files))?;
    Ok((sums, bytes))
}

/// Whatever the umask of whoever builds is.
fn set_modes(root: &Path) -> Result {
    walk(root, &mut |path, metadata| {
        let is_program = metadata.permissions().mode() & 0o100 != 0;
        set_mode(
            path,
            if metadata.is_dir() || is_program {
                0o755
            } else {
                0o644
            },
        )
    })?;
    set_mode(root, 0o755)
}

fn walk(dir: &Path, visit: &mut dyn FnMut(&Path, &fs::Metadata) -> Result) -> Result {
    let entries = fs::read_dir(dir).map_err(|e| format!("cannot read {}: {e}", dir.display()))?;
    for entry in entries.flatten() {
        let (path, metadata) = (entry.path(), entry.metadata());
        let metadata = metadata.map_err(|e| format!("cannot look at {}: {e}", path.display()))?;
        visit(&path, &metadata)?;
        if metadata.is_dir() {
            walk(&path, visit)?;
        }
    }
    Ok(())
}

fn set_mode(path: &Path, mode: u32) -> Result {
    fs::set_permissions(path, Permissions::from_mode(mode))
        .map_err(|e| format!("cannot change the mode of {}: {e}", path.display()))
}

/// The versions of the C library that `objdump -T` lists.
fn glibc_versions(symbols: &str) -> Vec<(u32, u32)> {
    let version = |word: &str| {
        let word = word.trim_matches(['(', ')']).strip_prefix("GLIBC_2.")?;
        word.split('.').next()?.parse().ok().map(|minor| (2, minor))
    };
    symbols.split_whitespace().filter_map(version).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_symbol_decides_which_c_library_is_needed() {
        let symbols = "0000 DF *UND* 0000 (GLIBC_2.2.5) memcpy\n0000 DF *UND* 0000 (GLIBC_2.34) __libc_start_main\n\
                       0000 DF *UND* 0000 (GCC_3.0) _Unwind_Resume";
        assert_eq!(glibc_versions(symbols).into_iter().max(), Some((2, 34)));
        assert!(glibc_versions("nothing").is_empty());
    }

    #[test]
    fn what_the_packages_name_is_there() {
        for package in PACKAGES {
            for (from, _) in package.files {
                assert!(paths::root().join(from).is_file(), "{from}");
            }
            let conffiles = paths::root()
                .join("packaging/debian")
                .join(package.name)
                .join("conffiles");
            for line in paths::read(&conffiles).unwrap().lines() {
                let known = package.files.iter().any(|(_, to)| format!("/{to}") == line);
                assert!(known, "{line} is no file of {}", package.name);
            }
        }
    }
}
