//! `cargo xtask dist --try`: the packages in a chroot of Debian 12, the static agent by its one line in one of Debian 11, in namespaces of their own.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::deb;
use super::programs::Programs;
use super::release::Release;
use crate::tools::apt;
use crate::{Result, paths, shell, tools, ui};

/// A distribution, and what the trial runs in it beside our packages.
struct Distribution {
    suite: &'static str,
    packages: &'static str,
}

const SERVER: Distribution = Distribution {
    suite: "bookworm",
    packages: "postgresql-15 systemd python3-seccomp curl jq logrotate procps ca-certificates init-system-helpers",
};
const OLD: Distribution = Distribution {
    suite: "bullseye",
    packages: "systemd curl procps ca-certificates",
};

pub(crate) fn run(programs: &Programs, release: &Release, out: &Path) -> Result {
    if !paths::is_root() {
        return Err("--try makes chroots, which only root may".to_owned());
    }
    let scratch = paths::target_dir().join("dist/try");
    let _ = fs::remove_dir_all(&scratch);
    let (server, old) = (copy_of(&SERVER, &scratch)?, copy_of(&OLD, &scratch)?);
    // What an upgrade starts from: the same programs under a version before any other.
    let earlier = scratch.join("earlier");
    paths::make_dir(&earlier)?;
    let first = Release {
        version: "0~earlier".to_owned(),
        ..release.clone()
    };
    for package in deb::PACKAGES {
        deb::build(package, programs, &first, deb::Packing::Plain, &earlier)?;
    }
    let mut command = Command::new("unshare");
    command
        .args(["--mount", "--pid", "--fork", "--kill-child", "--mount-proc", "--"])
        .arg(paths::root().join("packaging/try/try.sh"))
        .args([&server, &old, &earlier])
        .arg(out);
    ui::step("trying the packages", || shell::run(&mut command))?;
    fs::remove_dir_all(&scratch).map_err(|e| format!("cannot remove {}: {e}", scratch.display()))
}

/// A copy that the trial may spoil.
fn copy_of(distribution: &Distribution, scratch: &Path) -> Result<PathBuf> {
    let original = ensure(distribution)?;
    let copy = scratch.join(distribution.suite);
    paths::make_dir(scratch)?;
    shell::output(
        Command::new("cp")
            .args(["-a", "--reflink=auto"])
            .args([&original, &copy]),
    )?;
    Ok(copy)
}

/// The chroot, made by debootstrap at the first time.
fn ensure(distribution: &Distribution) -> Result<PathBuf> {
    let suite = distribution.suite;
    let root = paths::tools_dir()?.join("chroots").join(suite);
    let done = root.with_extension("ready");
    if done.is_file() {
        return Ok(root);
    }
    let _ = fs::remove_dir_all(&root);
    paths::make_dir(&root)?;
    ui::say(&format!(
        "a chroot of Debian {suite} is made in {}",
        root.display()
    ));
    ui::step(&format!("debootstrap {suite}"), || {
        let mut command = debootstrap()?;
        shell::output(
            command
                .args(["--variant=minbase", suite])
                .arg(&root)
                .arg("http://deb.debian.org/debian"),
        )
    })?;
    // No service of the chroot's starts, and no cluster of PostgreSQL is made: the product makes its own.
    paths::write_script(&root.join("usr/sbin/policy-rc.d"), "#!/bin/sh\nexit 101\n")?;
    paths::make_dir(&root.join("etc/postgresql-common"))?;
    paths::write(
        &root.join("etc/postgresql-common/createcluster.conf"),
        "create_main_cluster = false\n",
    )?;
    let _ = fs::copy("/etc/resolv.conf", root.join("etc/resolv.conf"));
    ui::step(&format!("packages of {suite}"), || {
        let mut command = Command::new("chroot");
        command
            .arg(&root)
            .args(["apt-get", "install", "-y", "-q", "--no-install-recommends"])
            .args(distribution.packages.split(' '))
            .env("DEBIAN_FRONTEND", "noninteractive")
            .env("LC_ALL", "C");
        shell::output(&mut command)
    })?;
    paths::write(&done, "")?;
    Ok(root)
}

/// debootstrap of this machine, else Debian's package unpacked among the tools.
fn debootstrap() -> Result<Command> {
    if Path::new("/usr/sbin/debootstrap").is_file() {
        return Ok(Command::new("/usr/sbin/debootstrap"));
    }
    let root = apt::unpacked_root()?;
    let program = root.join("usr/sbin/debootstrap");
    if !program.is_file() {
        tools::apt::install(
            &["debootstrap"],
            "debootstrap is missing (packages are tried in its chroots)",
        )?;
    }
    let mut command = Command::new(program);
    command.env("DEBOOTSTRAP_DIR", root.join("usr/share/debootstrap"));
    Ok(command)
}
