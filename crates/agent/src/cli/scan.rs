//! `scan`: looks at files with YARA rules and indicators, without a server.

use std::io::{IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use clap::Args;
use serde_json::json;
use sg_detect::{Effect, Placeholders, RuleSource, default_pack};
use sg_types::agent::{RulePackage, SignedRules};
use sg_types::{Clock as _, RuleKind, SystemClock};

use super::{StateArgs, say};
use crate::collect::UserNames;
use crate::detect::{Engine, Look};
use crate::identity::{Identity, StateDir, verify_rules};
use crate::scan::{Gap, Limits, Walk, Walked, read_file};
use crate::uplink::RULES_FILE;

/// Something was found.
const FOUND: u8 = 1;
/// Nothing was found, and not everything could be looked at.
const INCOMPLETE: u8 = 2;
/// How often the progress is told.
const PROGRESS_EVERY: Duration = Duration::from_secs(1);
const MIB: u64 = 1024 * 1024;

/// Arguments of `scan`.
#[derive(Debug, Args)]
#[command(
    after_help = "Exit codes: 0 nothing found, 1 something found, 2 nothing found but not everything could be looked at, or the scan could not run."
)]
pub struct ScanArgs {
    /// Files and folders, with everything below them. Links below them are not followed.
    #[arg(required = true, value_name = "PATH")]
    pub paths: Vec<PathBuf>,
    /// A file or folder with rules (.yar, .yara) and indicators (.csv, .json); may be repeated. Without it: the rules that the server has
    /// given this agent, and on a machine that is not enrolled the rules that SecureGuard comes with.
    #[arg(long, value_name = "PATH")]
    pub rules: Vec<PathBuf>,
    /// State folder.
    #[command(flatten)]
    pub state: StateArgs,
    /// MiB up to which a file, or an entry of an archive, is read.
    #[arg(long, value_name = "MIB", default_value_t = 64, value_parser = clap::value_parser!(u64).range(1..=2048))]
    pub max_size: u64,
    /// Archives inside each other that are looked into; 0 looks into none.
    #[arg(long, value_name = "N", default_value_t = Limits::ON_DEMAND.max_depth, value_parser = clap::value_parser!(u32).range(..=32))]
    pub archive_depth: u32,
    /// Entries of a file's archives that are looked at.
    #[arg(long, value_name = "N", default_value_t = Limits::ON_DEMAND.max_entries, value_parser = clap::value_parser!(u32).range(1..=10_000_000))]
    pub archive_entries: u32,
    /// MiB that a file may unpack to.
    #[arg(long, value_name = "MIB", default_value_t = 1024, value_parser = clap::value_parser!(u64).range(1..=1_048_576))]
    pub archive_size: u64,
    /// How many times its own size a file may unpack to; 16 MiB are always allowed.
    #[arg(long, value_name = "N", default_value_t = Limits::ON_DEMAND.max_ratio, value_parser = clap::value_parser!(u32).range(1..))]
    pub archive_ratio: u32,
    /// Seconds for one file with everything in it.
    #[arg(long, value_name = "SECONDS", default_value_t = 120, value_parser = clap::value_parser!(u64).range(1..=86_400))]
    pub file_time: u64,
    /// Seconds for the whole scan; what is left then is not looked at.
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(1..))]
    pub time_limit: Option<u64>,
    /// Stay on the file systems of the paths.
    #[arg(long)]
    pub one_file_system: bool,
    /// Tell the progress once a second on standard error even when that is no terminal.
    #[arg(long)]
    pub progress: bool,
    /// Tell everything as JSON lines.
    #[arg(long)]
    pub json: bool,
}

impl ScanArgs {
    fn limits(&self) -> Limits {
        let max_bytes = self.max_size * MIB;
        Limits {
            max_bytes,
            max_depth: self.archive_depth,
            max_entries: self.archive_entries,
            max_ratio: self.archive_ratio,
            max_unpacked: self.archive_size * MIB,
            max_held: Limits::ON_DEMAND.max_held.max(max_bytes),
            max_time: Duration::from_secs(self.file_time),
        }
    }
}

#[derive(Default)]
struct Counts {
    files: u64,
    bytes: u64,
    matches: u64,
    files_with_matches: u64,
    gaps: u64,
    incomplete: bool,
    skipped: u64,
}

struct Scan<'a> {
    arguments: &'a ScanArgs,
    engine: Engine,
    limits: Limits,
    users: UserNames,
    begun: Instant,
    told: Instant,
    counts: Counts,
}

/// Scans and gives the exit code.
pub(super) fn scan(arguments: &ScanArgs) -> ExitCode {
    match run(arguments) {
        Ok(code) => ExitCode::from(code),
        Err(error) => {
            complain(&format!("secureguard-agent: {error:#}"));
            ExitCode::from(INCOMPLETE)
        }
    }
}

fn run(arguments: &ScanArgs) -> Result<u8> {
    // Only what was asked for by name may be a link.
    let roots = arguments.paths.iter().map(|path| {
        path.canonicalize()
            .with_context(|| format!("cannot look at {}", path.display()))
    });
    let roots: Vec<PathBuf> = roots.collect::<Result<_>>()?;
    let (package, all_usable) = choose_rules(arguments)?;
    let engine = Engine::compile_for_scan(&package, usize::try_from(arguments.max_size * MIB)?);
    if engine.counts.in_force == 0 {
        bail!("no rule is in force");
    }
    let mut scan = Scan {
        arguments,
        engine,
        limits: arguments.limits(),
        users: UserNames::default(),
        begun: Instant::now(),
        told: Instant::now(),
        counts: Counts {
            incomplete: !all_usable,
            ..Counts::default()
        },
    };
    let walk = Walk {
        one_file_system: arguments.one_file_system,
        excluded: Vec::new(),
    };
    for root in &roots {
        walk.run(root, &mut |met| scan.meet(&met));
    }
    Ok(scan.finish())
}

impl Scan<'_> {
    /// Whether to go on.
    fn meet(&mut self, met: &Walked<'_>) -> bool {
        let limit = self.arguments.time_limit.map(Duration::from_secs);
        if limit.is_some_and(|limit| self.begun.elapsed() > limit) {
            if !std::mem::replace(&mut self.counts.incomplete, true) || self.counts.gaps == 0 {
                complain("the time of the scan is over; the rest was not looked at");
            }
            return false;
        }
        match met {
            Walked::File(path) => self.look_at(path),
            Walked::Unreadable(path) => self.tell_gap(&path.to_string_lossy(), "cannot be read"),
            Walked::Skipped(_) => self.counts.skipped += 1,
        }
        self.tell_progress();
        true
    }

    fn look_at(&mut self, path: &Path) {
        let name = path.to_string_lossy();
        let content = match read_file(path, self.limits.max_bytes) {
            Ok(Some(content)) => content,
            // It has become something else since it was listed.
            Ok(None) => {
                self.counts.skipped += 1;
                return;
            }
            Err(error) => {
                self.tell_gap(&name, &format!("cannot be read: {error}"));
                return;
            }
        };
        self.counts.files += 1;
        if let Some(reason) = content.gap {
            self.tell_gap(&name, &reason.to_string());
        }
        let Some(bytes) = &content.bytes else { return };
        self.counts.bytes += bytes.len() as u64;
        let owner = self
            .users
            .name(std::os::unix::fs::MetadataExt::uid(&content.metadata));
        let look = self
            .engine
            .look_at(&name, &owner, bytes, &self.limits, SystemClock.now());
        self.tell(&look);
    }

    fn tell(&mut self, look: &Look) {
        self.counts.matches += look.hits.len() as u64;
        self.counts.files_with_matches += u64::from(!look.hits.is_empty());
        for hit in &look.hits {
            let rule = &hit.found.rule;
            if self.arguments.json {
                say(&json!({
                    "type": "match", "path": hit.path, "rule_id": rule.id, "title": rule.title, "severity": rule.severity,
                    "explanation": hit.found.explanation, "evidence": hit.found.evidence,
                }).to_string());
            } else {
                let (title, severity) = (printable(&rule.title), rule.severity);
                say(&format!(
                    "{}: {title} ({severity}, {})",
                    printable(&hit.path),
                    printable(&rule.id)
                ));
                say(&format!("    {}", printable(&hit.found.explanation)));
            }
        }
        for Gap { path, reason } in &look.gaps.kept {
            self.tell_gap(path, &reason.to_string());
        }
        let untold = look.gaps.count - look.gaps.kept.len() as u64;
        self.counts.gaps += untold;
        if untold > 0 {
            complain(&format!("and {untold} more in that file"));
        }
        self.counts.incomplete |= !look.gaps.is_complete();
    }

    fn tell_gap(&mut self, path: &str, why: &str) {
        self.counts.gaps += 1;
        self.counts.incomplete |= why != crate::scan::Reason::LeadsOutside.to_string();
        if self.arguments.json {
            say(&json!({"type": "gap", "path": path, "reason": why}).to_string());
        } else {
            complain(&format!("{}: {why}", printable(path)));
        }
    }

    fn tell_progress(&mut self) {
        let wanted = self.arguments.progress || std::io::stderr().is_terminal();
        if wanted && self.told.elapsed() >= PROGRESS_EVERY {
            self.told = Instant::now();
            complain(&format!(
                "{} files, {} MB, {} matches",
                self.counts.files,
                self.counts.bytes / 1_000_000,
                self.counts.matches
            ));
        }
    }

    fn finish(self) -> u8 {
        let (counts, took) = (&self.counts, self.begun.elapsed().as_secs_f64());
        if self.arguments.json {
            say(&json!({
                "type": "summary", "files": counts.files, "bytes": counts.bytes, "matches": counts.matches, "files_with_matches": counts.files_with_matches,
                "gaps": counts.gaps, "skipped": counts.skipped, "complete": !counts.incomplete, "seconds": took, "rules_version": self.engine.version,
                "rules": self.engine.counts.in_force, "rules_refused": self.engine.counts.refused,
            }).to_string());
        } else {
            say(&format!(
                "{} files ({} MB) in {took:.1} s: {} matches in {} files, {} not looked at in full, {} links and devices left out",
                counts.files,
                counts.bytes / 1_000_000,
                counts.matches,
                counts.files_with_matches,
                counts.gaps,
                counts.skipped
            ));
        }
        match (counts.matches, counts.incomplete) {
            (0, false) => 0,
            (0, true) => INCOMPLETE,
            _ => FOUND,
        }
    }
}

/// The rules, and whether all of those that were named by hand can be used; which cannot is told with the line.
fn choose_rules(arguments: &ScanArgs) -> Result<(RulePackage, bool)> {
    if !arguments.rules.is_empty() {
        let mut sources = Vec::new();
        for path in &arguments.rules {
            read_rules(path, &mut sources)?;
        }
        if sources.is_empty() {
            bail!("there are no rules in what --rules names: .yar, .yara, .csv or .json");
        }
        let (_, diagnostics) = sg_detect::compile(&sources);
        for diagnostic in &diagnostics {
            complain(&printable(&diagnostic.to_string()));
        }
        let usable = diagnostics.iter().all(|one| one.effect != Effect::Refused);
        return Ok((of_sources(sources), usable));
    }
    let folder = &arguments.state.state_dir;
    match folder.symlink_metadata() {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            return Ok((of_sources(default_pack()), true));
        }
        _ => {}
    }
    let dir = StateDir::open(folder)?;
    let Some(identity) = Identity::load(&dir)? else {
        return Ok((of_sources(default_pack()), true));
    };
    let Some(signed) = dir.read_json::<SignedRules>(RULES_FILE)? else {
        return Ok((of_sources(default_pack()), true));
    };
    let package = verify_rules(&signed, &identity.trust, 0).context("the rules on disk are not used")?;
    Ok((package, true))
}

fn of_sources(rules: Vec<RuleSource>) -> RulePackage {
    RulePackage {
        version: 0,
        rules,
        switched_off: Vec::new(),
        placeholders: Placeholders::new(),
    }
}

fn read_rules(path: &Path, sources: &mut Vec<RuleSource>) -> Result<()> {
    let context = || format!("cannot read {}", path.display());
    if path.is_dir() {
        let entries = std::fs::read_dir(path).with_context(context)?;
        let mut paths: Vec<PathBuf> = entries
            .map(|entry| Ok(entry?.path()))
            .collect::<std::io::Result<_>>()?;
        paths.sort();
        return paths.iter().try_for_each(|path| read_rules(path, sources));
    }
    let kind = match path.extension().and_then(|extension| extension.to_str()) {
        Some("yar" | "yara") => RuleKind::Yara,
        Some("csv" | "json") => RuleKind::Indicator,
        _ => return Ok(()),
    };
    sources.push(RuleSource {
        kind,
        name: path.display().to_string(),
        text: String::from_utf8_lossy(&std::fs::read(path).with_context(context)?).into_owned(),
    });
    Ok(())
}

/// A text without what a terminal would take for a command.
fn printable(text: &str) -> String {
    text.chars()
        .map(|c| if c.is_control() { '\u{fffd}' } else { c })
        .collect()
}

fn complain(text: &str) {
    let _ = writeln!(std::io::stderr(), "{text}");
}
