//! Debian packages, unpacked into a folder of our own: apt resolves and downloads with private state, `dpkg -x`
//! unpacks. No package script runs, nothing in the system changes, no rights are needed.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use crate::{Result, paths, shell, ui};

/// How old the package lists may be.
const LISTS_AGE: Duration = Duration::from_secs(24 * 3600);

/// A package that would be downloaded.
struct Download {
    file: String,
    bytes: u64,
}

/// The folder that packages are unpacked into, as if it were `/`.
pub(crate) fn unpacked_root() -> Result<PathBuf> {
    Ok(paths::tools_dir()?.join("debian"))
}

/// The library folders of [`unpacked_root`], for LD_LIBRARY_PATH.
pub(crate) fn library_path() -> Result<String> {
    let root = unpacked_root()?;
    let mut dirs = Vec::new();
    for base in ["usr/lib", "lib"] {
        let Ok(entries) = fs::read_dir(root.join(base)) else {
            continue;
        };
        for dir in entries
            .flatten()
            .map(|e| e.path())
            .filter(|p| p.to_string_lossy().ends_with("-linux-gnu"))
        {
            // Libraries that others find by an absolute path when they are installed.
            dirs.extend(["nss", "pulseaudio"].map(|private| dir.join(private)));
            dirs.push(dir);
        }
    }
    let dirs: Vec<String> = dirs
        .iter()
        .filter(|d| d.is_dir())
        .map(|d| d.to_string_lossy().into_owned())
        .collect();
    Ok(dirs.join(":"))
}

/// Unpacks packages and those of their dependencies that the system lacks. Says before what, whereto and why.
pub(crate) fn install(packages: &[&str], why: &str) -> Result {
    let _lock = super::lock()?;
    let tools = paths::tools_dir()?;
    let target = unpacked_root()?;
    update_lists()?;
    // The system may count a package as installed although it cannot be used; it is then fetched once more.
    let mut reinstall = false;
    let mut downloads = plan(packages, reinstall)?;
    if downloads.is_empty() {
        reinstall = true;
        downloads = plan(packages, reinstall)?;
    }
    if downloads.is_empty() {
        forget_lists();
        return Err(format!(
            "apt knows no way to get {}; check /etc/apt/sources.list",
            packages.join(", ")
        ));
    }
    let megabytes = downloads.iter().map(|d| d.bytes).sum::<u64>() as f64 / 1e6;
    ui::say(&format!(
        "{why}: will unpack {} Debian packages ({megabytes:.0} MB) into {}:",
        downloads.len(),
        target.display()
    ));
    ui::say(&format!("  {}", names(&downloads)));
    ui::say("  nothing is installed into the system, no service is started");
    let archives = tools.join("apt/cache/archives");
    ui::step(&format!("downloading {}", packages.join(", ")), || {
        let mut command = apt("apt-get")?;
        command.args(["-q", "-y", "--download-only", "--no-install-recommends"]);
        if reinstall {
            command.arg("--reinstall");
        }
        shell::output(command.arg("install").args(packages))
    })?;
    paths::make_dir(&target)?;
    ui::step(&format!("unpacking {}", packages.join(", ")), || {
        for download in &downloads {
            let archive = archives.join(&download.file);
            shell::output(Command::new("dpkg").arg("-x").arg(&archive).arg(&target))?;
        }
        Ok(())
    })?;
    make_traversable(&tools)?;
    let _ = fs::remove_dir_all(&archives);
    Ok(())
}

/// The first of the packages that the system's sources offer.
pub(crate) fn first_available(packages: &[String]) -> Result<Option<String>> {
    let _lock = super::lock()?;
    update_lists()?;
    for package in packages {
        let policy = shell::output(apt("apt-cache")?.args(["policy", package.as_str()]))?;
        let candidate = policy
            .lines()
            .find_map(|line| line.trim().strip_prefix("Candidate: "));
        if candidate.is_some_and(|version| version != "(none)") {
            return Ok(Some(package.clone()));
        }
    }
    forget_lists();
    Ok(None)
}

fn update_lists() -> Result {
    let stamp = paths::tools_dir()?.join("apt/updated");
    let fresh = fs::metadata(&stamp)
        .and_then(|m| m.modified())
        .is_ok_and(|t| t.elapsed().is_ok_and(|age| age < LISTS_AGE));
    if fresh {
        return Ok(());
    }
    let title = "reading Debian's package lists (apt-get update, in a folder of our own)";
    match ui::step(title, || shell::output(apt("apt-get")?.args(["-q", "update"]))) {
        Ok(_) => paths::write(&stamp, ""),
        Err(why) => {
            // One source that is out of order, perhaps of another vendor, need not stop the others.
            ui::say(&format!(
                "some lists could not be read, going on with the others:\n{}",
                shell::tail(&why, 4)
            ));
            Ok(())
        }
    }
}

/// Makes the next attempt read the lists again: without a network apt only warns that it could not.
fn forget_lists() {
    if let Ok(tools) = paths::tools_dir() {
        let _ = fs::remove_file(tools.join("apt/updated"));
    }
}

fn plan(packages: &[&str], reinstall: bool) -> Result<Vec<Download>> {
    // Whatever lies in the cache is not listed, so it starts empty.
    let _ = fs::remove_dir_all(paths::tools_dir()?.join("apt/cache/archives"));
    let mut command = apt("apt-get")?;
    command.args(["-qq", "-y", "--print-uris", "--no-install-recommends"]);
    if reinstall {
        command.arg("--reinstall");
    }
    let text = shell::output(command.arg("install").args(packages)).inspect_err(|_| forget_lists())?;
    Ok(text.lines().filter_map(parse_uri_line).collect())
}

/// Reads `'http://…/libpq5_15.20%2b1_amd64.deb' libpq5_15.20+1_amd64.deb 205248 SHA256:…`.
fn parse_uri_line(line: &str) -> Option<Download> {
    let mut fields = line.split_whitespace().skip(1);
    let file = fields.next().filter(|file| file.ends_with(".deb"))?.to_owned();
    Some(Download {
        file,
        bytes: fields.next()?.parse().ok()?,
    })
}

/// An apt program that keeps its state in our folder and asks for no rights.
fn apt(program: &str) -> Result<Command> {
    if !Path::new("/usr/bin").join(program).is_file() {
        return Err(format!(
            "this is no Debian system ({program} is missing): install PostgreSQL 15 or newer, Node 20 or newer and Chromium yourself"
        ));
    }
    let dir = paths::tools_dir()?.join("apt");
    for part in ["state/lists/partial", "cache/archives/partial", "log"] {
        paths::make_dir(&dir.join(part))?;
    }
    let mut command = Command::new(program);
    let dir = dir.display();
    for option in [
        format!("Dir::State={dir}/state"),
        "Dir::State::status=/var/lib/dpkg/status".to_owned(),
        format!("Dir::Cache={dir}/cache"),
        format!("Dir::Log={dir}/log"),
        "Debug::NoLocking=1".to_owned(),
        "APT::Sandbox::User=".to_owned(),
        "Acquire::Retries=3".to_owned(),
        "Acquire::Languages=none".to_owned(),
    ] {
        command.arg("-o").arg(option);
    }
    command
        .env("LC_ALL", "C")
        .env("DEBIAN_FRONTEND", "noninteractive");
    Ok(command)
}

fn names(downloads: &[Download]) -> String {
    let mut names: Vec<&str> = downloads
        .iter()
        .filter_map(|d| d.file.split('_').next())
        .collect();
    names.sort_unstable();
    names.join(" ")
}

/// Root's umask may be strict, and the user that PostgreSQL runs as has to reach the folder.
fn make_traversable(tools: &Path) -> Result {
    use std::os::unix::fs::PermissionsExt;

    if !paths::is_root() {
        return Ok(());
    }
    for dir in [tools.to_owned(), unpacked_root()?] {
        let change = fs::set_permissions(&dir, fs::Permissions::from_mode(0o755));
        change.map_err(|e| format!("cannot change the mode of {}: {e}", dir.display()))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn uri_lines_are_read() {
        let line = "'http://deb.debian.org/p/libpq5_15.20-0%2bdeb12u1_amd64.deb' libpq5_15.20-0+deb12u1_amd64.deb 205248 SHA256:00";
        let download = parse_uri_line(line).unwrap();
        assert_eq!(
            (download.file.as_str(), download.bytes),
            ("libpq5_15.20-0+deb12u1_amd64.deb", 205_248)
        );
        assert!(parse_uri_line("Reading package lists...").is_none());
        assert_eq!(names(&[download]), "libpq5");
    }
}
