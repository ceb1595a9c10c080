//! Bytes of JavaScript that a browser loads, compressed as the server sends them.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::report;
use crate::{Result, build, paths, tools};

pub(super) fn measure() -> Result {
    build::console(&tools::node::ensure()?)?;
    let dist = paths::root().join("web/dist");
    let index = paths::read(&dist.join("index.html"))?;
    let (mut initial, mut total) = (0, 0);
    for file in scripts(&dist)? {
        let text = fs::read(&file).map_err(|e| format!("cannot read {}: {e}", file.display()))?;
        let size = gzip_size(&text)?;
        total += size;
        let name = file.file_name().unwrap_or_default().to_string_lossy();
        if index.contains(name.as_ref()) {
            initial += size;
        }
    }
    report("console-size-initial", initial as f64 / 1000.0, None, "kB");
    report("console-size-total", total as f64 / 1000.0, None, "kB");
    Ok(())
}

fn scripts(dir: &Path) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(dir)
        .map_err(|e| format!("cannot read {}: {e}", dir.display()))?
        .flatten()
    {
        let path = entry.path();
        if path.is_dir() {
            found.extend(scripts(&path)?);
        } else if path.extension().is_some_and(|e| e == "js" || e == "mjs") {
            found.push(path);
        }
    }
    Ok(found)
}

fn gzip_size(text: &[u8]) -> Result<usize> {
    let run = || -> std::io::Result<usize> {
        let mut child = Command::new("gzip")
            .args(["-9", "-c"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let mut stdin = child.stdin.take();
        std::thread::scope(|scope| {
            scope.spawn(move || stdin.as_mut().map(|stdin| stdin.write_all(text)));
            child.wait_with_output().map(|output| output.stdout.len())
        })
    };
    run().map_err(|e| format!("cannot run gzip: {e}"))
}
