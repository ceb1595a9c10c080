//! YARA scans beside the bare library: `cargo run --release -p sg-detect --example yara -- FOLDER [RULES]`.
//!
//! Every file of a folder is scanned by both in turn, with the default pack's rules or those of a folder. Counted is the time of the scans alone.

#![expect(clippy::print_stdout, reason = "printing figures is what this program is for")]

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use boreal::Compiler;
use sg_detect::{RuleSource, compile, default_pack};
use sg_types::RuleKind;

/// Larger files are left out.
const MAX_BYTES: u64 = 64 * 1024 * 1024;
/// Content that is scanned.
const MAX_TOTAL: u64 = 1024 * 1024 * 1024;

fn main() -> std::io::Result<()> {
    let mut arguments = std::env::args().skip(1);
    let folder = arguments.next().unwrap_or_else(|| "/usr/bin".to_owned());
    let sources = match arguments.next() {
        Some(rules) => read_rules(Path::new(&rules))?,
        None => default_pack(),
    };
    let sources: Vec<_> = sources
        .into_iter()
        .filter(|source| source.kind == RuleKind::Yara)
        .collect();
    let (ours, diagnostics) = compile(&sources);
    let mut compiler = Compiler::new();
    for name in ["filepath", "filename", "extension", "owner"] {
        compiler.define_symbol(name, "");
    }
    let mut refused = 0;
    for (number, source) in sources.iter().enumerate() {
        let added = compiler.add_rules_str_in_namespace(&source.text, number.to_string());
        refused += usize::from(added.is_err());
    }
    let theirs = compiler.finalize();
    println!(
        "{} rules, {} diagnostics, {refused} files refused by the library",
        ours.rules().len(),
        diagnostics.len()
    );
    let mut files = Vec::new();
    list(Path::new(&folder), &mut files);
    let (mut bytes, mut times, mut matches) = (0, [Duration::ZERO; 2], [0_usize; 2]);
    for (number, path) in files.iter().enumerate() {
        let Ok(content) = std::fs::read(path) else {
            continue;
        };
        bytes += content.len() as u64;
        // Whoever comes second finds the content in the processor's cache.
        for side in if number % 2 == 0 { [0, 1] } else { [1, 0] } {
            let begun = Instant::now();
            matches[side] += if side == 0 {
                ours.scan(&content, &path.to_string_lossy()).matches.len()
            } else {
                let result = theirs.scan_mem(&content).unwrap_or_else(|(_, partial)| partial);
                result.rules.iter().filter(|rule| rule.matched).count()
            };
            times[side] += begun.elapsed();
        }
        if bytes > MAX_TOTAL {
            break;
        }
    }
    #[expect(clippy::cast_precision_loss, reason = "a figure for people")]
    let [ours, theirs] = times.map(|time| bytes as f64 / 1e6 / time.as_secs_f64());
    println!(
        "{} files, {} MB, {} and {} matches",
        files.len(),
        bytes / 1_000_000,
        matches[0],
        matches[1]
    );
    println!(
        "yara-scan ratio={:.2} ours={ours:.1} theirs={theirs:.1} unit=MB/s",
        ours / theirs
    );
    Ok(())
}

fn read_rules(folder: &Path) -> std::io::Result<Vec<RuleSource>> {
    let mut files = Vec::new();
    list(folder, &mut files);
    files.retain(|path| {
        path.extension()
            .is_some_and(|extension| extension == "yar" || extension == "yara")
    });
    let read = |path: &PathBuf| {
        Ok(RuleSource {
            kind: RuleKind::Yara,
            name: path.display().to_string(),
            text: String::from_utf8_lossy(&std::fs::read(path)?).into_owned(),
        })
    };
    files.iter().map(read).collect()
}

fn list(folder: &Path, files: &mut Vec<PathBuf>) {
    let Ok(entries) = std::fs::read_dir(folder) else {
        return;
    };
    for entry in entries.flatten() {
        match entry.metadata() {
            Ok(metadata) if metadata.is_dir() => list(&entry.path(), files),
            Ok(metadata) if metadata.is_file() && metadata.len() <= MAX_BYTES => files.push(entry.path()),
            _ => {}
        }
    }
}
