//! Prints what becomes of a folder of Sigma rules: `cargo run --release -p sg-detect --example load -- FOLDER`.
//!
//! How many rules are in force, which are refused and why, how long it took and how much memory the process has with all of them loaded.

#![expect(clippy::print_stdout, reason = "printing figures is what this program is for")]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Instant;

use sg_detect::{Effect, RuleSource, compile};
use sg_types::RuleKind;

fn main() -> std::io::Result<()> {
    let folder = std::env::args()
        .nth(1)
        .unwrap_or_else(|| "rules/sigma".to_owned());
    let mut sources = Vec::new();
    read(Path::new(&folder), &mut sources)?;
    let begun = Instant::now();
    let (rules, diagnostics) = compile(&sources);
    let took = begun.elapsed();
    let mut refused = BTreeMap::<_, u32>::new();
    for one in diagnostics.iter().filter(|one| one.effect == Effect::Refused) {
        println!("{one}");
        *refused.entry(one.code).or_default() += 1;
    }
    let (files, count) = (sources.len(), rules.rules().len());
    drop(sources);
    println!("{files} files, {count} rules in force, compiled in {took:.2?}");
    for (code, times) in refused {
        println!("{code} {times} times: {}", code.meaning());
    }
    let status = std::fs::read_to_string("/proc/self/status")?;
    let resident = status.lines().find(|line| line.starts_with("VmRSS"));
    println!("{}", resident.unwrap_or_default());
    Ok(())
}

/// Every `.yml` below a folder.
fn read(folder: &Path, sources: &mut Vec<RuleSource>) -> std::io::Result<()> {
    let mut paths: Vec<PathBuf> = std::fs::read_dir(folder)?
        .map(|entry| entry.map(|entry| entry.path()))
        .collect::<Result<_, _>>()?;
    paths.sort();
    for path in paths {
        if path.is_dir() {
            read(&path, sources)?;
        } else if path.extension().is_some_and(|extension| extension == "yml") {
            sources.push(RuleSource {
                kind: RuleKind::Sigma,
                name: path.display().to_string(),
                text: std::fs::read_to_string(&path)?,
            });
        }
    }
    Ok(())
}
