//! `sgctl threats rules import`: a file or a folder, in requests that the server takes.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};
use clap::Args;
use sg_client::Client;
use sg_types::RuleKind;
use sg_types::api::rules::{
    ImportRules, RuleDiagnostic, RuleFile, RuleImportItem, RuleImportOutcome, RuleImportReport,
};

use crate::output::{self, Format, printable};

/// Files of one request: the server takes 500.
const BATCH_FILES: usize = 200;
/// Bytes of texts in one request: the server takes bodies of 1 MiB, and JSON makes texts larger.
const BATCH_BYTES: usize = 384 * 1024;
/// Bytes of one text that the server takes.
const MAX_TEXT_BYTES: u64 = 512 * 1024;
/// Characters of a path that the server takes.
const MAX_PATH_CHARS: usize = 150;
/// Folders below the first one.
const MAX_DEPTH: usize = 32;

#[derive(Debug, Args)]
pub(crate) struct Import {
    /// A file or a folder, which is searched with everything below it.
    path: PathBuf,
    /// Why.
    #[arg(long)]
    reason: Option<String>,
    /// Leave rules that are not there yet switched off.
    #[arg(long)]
    disabled: bool,
    /// Only say what would happen.
    #[arg(long)]
    dry_run: bool,
    /// Tell of every rule, not only of those that were refused or have warnings.
    #[arg(long)]
    verbose: bool,
}

pub(crate) async fn run(import: Import, client: &Client, format: Format) -> Result<()> {
    let (files, unread) = collect(&import.path)?;
    ensure!(
        !files.is_empty() || !unread.is_empty(),
        "{} holds no file that ends with .yml, .yaml, .yar, .yara, .csv or .json",
        import.path.display()
    );
    let total = files.len();
    let mut report = RuleImportReport::default();
    for item in unread {
        report.refused += 1;
        report.items.push(item);
    }
    let mut done = 0;
    for batch in batches(files) {
        let count = batch.len();
        output::progress(done, total, "files")?;
        let request = ImportRules {
            files: batch,
            is_enabled: import.disabled.then_some(false),
            reason: import.reason.clone(),
            dry_run: import.dry_run,
        };
        let part = client.import_rules(&request).await.with_context(|| {
            format!("{done} of {total} files were taken in before; it is safe to begin anew")
        })?;
        done += count;
        report.imported += part.imported;
        report.updated += part.updated;
        report.unchanged += part.unchanged;
        report.refused += part.refused;
        report.items.extend(part.items);
    }
    output::progress(total, total, "files")?;
    tell(format, &report, import.verbose)?;
    if report.refused > 0 {
        bail!("{} rules were refused", report.refused);
    }
    Ok(())
}

fn tell(format: Format, report: &RuleImportReport, verbose: bool) -> Result<()> {
    if format != Format::Table {
        return output::whole(format, report);
    }
    for item in &report.items {
        if !verbose && item.outcome != RuleImportOutcome::Refused && item.diagnostics.is_empty() {
            continue;
        }
        output::line(&printable(&format!("{}  {}", item.outcome, item.path)))?;
        for diagnostic in &item.diagnostics {
            output::line(&printable(&format!("    {}", in_words(diagnostic))))?;
        }
    }
    output::line(&format!(
        "{} imported, {} updated, {} unchanged, {} refused",
        report.imported, report.updated, report.unchanged, report.refused
    ))
}

/// A diagnostic as one line.
pub(crate) fn in_words(diagnostic: &RuleDiagnostic) -> String {
    let line = diagnostic
        .line
        .map(|line| format!("line {line}: "))
        .unwrap_or_default();
    printable(&format!(
        "{} {}: {line}{}",
        diagnostic.code, diagnostic.effect, diagnostic.message
    ))
}

/// The kind of rules that a file of this name holds.
pub(crate) fn kind_of(path: &Path) -> Option<RuleKind> {
    match path.extension()?.to_str()? {
        "yml" | "yaml" => Some(RuleKind::Sigma),
        "yar" | "yara" => Some(RuleKind::Yara),
        "csv" | "json" => Some(RuleKind::Indicator),
        _ => None,
    }
}

/// The rule files at `path` in the order of their paths, and those that cannot be sent. Links are not followed out of the folder.
fn collect(path: &Path) -> Result<(Vec<RuleFile>, Vec<RuleImportItem>)> {
    let mut paths = Vec::new();
    let root = if path.is_dir() {
        walk(path, 0, &mut paths)?;
        path
    } else {
        ensure!(path.exists(), "{} does not exist", path.display());
        paths.push(path.to_owned());
        path.parent().unwrap_or(path)
    };
    paths.sort();
    let (mut files, mut unread) = (Vec::new(), Vec::new());
    for path in paths {
        let name = path.strip_prefix(root).unwrap_or(&path).display().to_string();
        match read(&path, &name) {
            Ok(text) => files.push(RuleFile { path: name, text }),
            Err(error) => unread.push(RuleImportItem {
                path: name,
                rule_id: None,
                name: None,
                outcome: RuleImportOutcome::Refused,
                diagnostics: vec![RuleDiagnostic {
                    code: "file".to_owned(),
                    effect: "refused".to_owned(),
                    line: None,
                    message: format!("{error:#}"),
                }],
            }),
        }
    }
    Ok((files, unread))
}

fn walk(folder: &Path, depth: usize, found: &mut Vec<PathBuf>) -> Result<()> {
    ensure!(depth <= MAX_DEPTH, "{} is nested too deeply", folder.display());
    let entries = std::fs::read_dir(folder).with_context(|| format!("cannot read {}", folder.display()))?;
    for entry in entries {
        let entry = entry?;
        let (path, kind) = (entry.path(), entry.file_type()?);
        if kind.is_dir() {
            // Neither the history of a clone nor the settings of its tools are rules.
            if !entry.file_name().to_string_lossy().starts_with('.') {
                walk(&path, depth + 1, found)?;
            }
        } else if kind.is_file() && kind_of(&path).is_some() {
            found.push(path);
        }
    }
    Ok(())
}

fn read(path: &Path, name: &str) -> Result<String> {
    ensure!(
        name.chars().count() <= MAX_PATH_CHARS,
        "the path is longer than {MAX_PATH_CHARS} characters"
    );
    let bytes = std::fs::metadata(path)?.len();
    ensure!(
        bytes <= MAX_TEXT_BYTES,
        "{bytes} bytes; at most {MAX_TEXT_BYTES} are taken"
    );
    let text = String::from_utf8(std::fs::read(path)?).context("the file is no UTF-8")?;
    ensure!(!text.contains('\0'), "the file has NUL characters");
    Ok(text)
}

/// Files in their order, in groups that one request takes.
fn batches(files: Vec<RuleFile>) -> Vec<Vec<RuleFile>> {
    let mut batches: Vec<Vec<RuleFile>> = Vec::new();
    let mut bytes = 0;
    for file in files {
        let own = file.text.len() + file.path.len();
        match batches.last_mut() {
            Some(batch) if batch.len() < BATCH_FILES && bytes + own <= BATCH_BYTES => {
                bytes += own;
                batch.push(file);
            }
            _ => {
                bytes = own;
                batches.push(vec![file]);
            }
        }
    }
    batches
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(name: &str, bytes: usize) -> RuleFile {
        RuleFile {
            path: name.to_owned(),
            text: "x".repeat(bytes),
        }
    }

    #[test]
    fn batches_are_small_enough_and_lose_nothing() {
        let files: Vec<_> = (0..450).map(|n| file(&n.to_string(), 10)).collect();
        let sizes: Vec<_> = batches(files.clone()).iter().map(Vec::len).collect();
        assert_eq!(sizes, [200, 200, 50]);
        let together: Vec<_> = batches(files.clone()).into_iter().flatten().collect();
        assert_eq!(together, files);
        let large: Vec<_> = (0..3).map(|n| file(&n.to_string(), BATCH_BYTES - 1)).collect();
        assert_eq!(batches(large).len(), 3);
        assert!(batches(Vec::new()).is_empty());
    }

    #[test]
    fn a_folder_is_searched_and_what_cannot_be_sent_is_told() {
        let dir = tempfile::tempdir().unwrap();
        let write = |name: &str, content: &[u8]| {
            let path = dir.path().join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, content).unwrap();
        };
        write("b/two.yml", b"two");
        write("a/one.yar", b"one");
        write("README.md", b"no rule");
        write(".git/config.yml", b"no rule");
        write("latin.yml", b"\xe4");
        write("nul.csv", b"a\0b");
        std::os::unix::fs::symlink("/etc", dir.path().join("link")).unwrap();
        let (files, unread) = collect(dir.path()).unwrap();
        let paths: Vec<_> = files.iter().map(|file| file.path.as_str()).collect();
        assert_eq!(paths, ["a/one.yar", "b/two.yml"]);
        let paths: Vec<_> = unread.iter().map(|item| item.path.as_str()).collect();
        assert_eq!(paths, ["latin.yml", "nul.csv"]);
        let (one, _) = collect(&dir.path().join("b/two.yml")).unwrap();
        assert_eq!(one[0].path, "two.yml");
        assert!(collect(&dir.path().join("absent")).is_err());
    }
}
