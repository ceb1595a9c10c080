//! The project's Sigma engine and rsigma-eval with the same rules on the same events.

pub mod events;

use std::collections::BTreeSet;
use std::io;
use std::path::{Path, PathBuf};

use rsigma_parser::{SigmaCollection, SigmaRule, parse_sigma_yaml};
use sg_detect::{Diagnostic, Effect, Event, LogSource, RuleSet, RuleSource, compile};
use sg_types::RuleKind;

/// Every Sigma rule of the default pack that is about single events.
pub fn own_rules() -> Vec<RuleSource> {
    let own = sg_detect::default_pack();
    own.into_iter()
        .filter(|source| source.name.starts_with("sigma/"))
        .collect()
}

/// Every `.yml` below a folder, in the order of the paths.
///
/// # Errors
/// When a folder or file cannot be read.
pub fn rules_in(folder: &Path) -> io::Result<Vec<RuleSource>> {
    let mut sources = Vec::new();
    collect(folder, &mut sources)?;
    Ok(sources)
}

fn collect(folder: &Path, sources: &mut Vec<RuleSource>) -> io::Result<()> {
    let entries = std::fs::read_dir(folder)?;
    let mut paths: Vec<PathBuf> = entries
        .map(|entry| Ok(entry?.path()))
        .collect::<io::Result<_>>()?;
    paths.sort();
    for path in paths {
        if path.is_dir() {
            collect(&path, sources)?;
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

/// The sources that hold a rule for this product and category.
pub fn for_log_source(sources: Vec<RuleSource>, log_source: LogSource<'_>) -> Vec<RuleSource> {
    let applies = |rule: &SigmaRule| {
        rule.logsource.product.as_deref() == log_source.product
            && rule.logsource.category.as_deref() == log_source.category
    };
    let holds = |source: &RuleSource| {
        parse_sigma_yaml(&source.text).is_ok_and(|found| found.rules.iter().any(applies))
    };
    sources.into_iter().filter(holds).collect()
}

/// Both engines with the same rules.
pub struct Pair {
    /// The project's.
    pub ours: RuleSet,
    /// rsigma-eval.
    pub theirs: rsigma_eval::Engine,
    /// What ours refused.
    pub refused: Vec<Diagnostic>,
    /// Why theirs refused some.
    pub refused_by_theirs: Vec<String>,
}

impl Pair {
    /// Loads the sources into both. Rules that ours refuses are not loaded into theirs unless `keep_refused`.
    pub fn new(sources: &[RuleSource], keep_refused: bool) -> Self {
        let (ours, diagnostics) = compile(sources);
        let refused: Vec<_> = diagnostics
            .into_iter()
            .filter(|one| one.effect == Effect::Refused)
            .collect();
        let in_force: BTreeSet<&str> = ours.rules().iter().map(|rule| rule.id.as_str()).collect();
        let mut collection = SigmaCollection::default();
        for source in sources {
            let Ok(found) = parse_sigma_yaml(&source.text) else {
                continue;
            };
            let kept =
                |rule: &SigmaRule| keep_refused || rule.id.as_deref().is_some_and(|id| in_force.contains(id));
            collection.rules.extend(found.rules.into_iter().filter(kept));
        }
        let mut theirs = rsigma_eval::Engine::new();
        let refused_by_theirs = theirs.add_rules(&collection.rules).into_iter();
        let refused_by_theirs = refused_by_theirs.map(|(_, error)| error.to_string()).collect();
        Self {
            ours,
            theirs,
            refused,
            refused_by_theirs,
        }
    }

    /// The ids of the rules that match by our engine.
    pub fn ask_ours(&self, event: &Event<'_>) -> BTreeSet<String> {
        let found = self.ours.evaluate(event).into_iter();
        found.map(|one| one.rule.id.clone()).collect()
    }

    /// The ids of the rules that match by theirs.
    pub fn ask_theirs(&self, event: &serde_json::Value, log_source: LogSource<'_>) -> BTreeSet<String> {
        let found = self
            .theirs
            .evaluate_with_logsource(&rsigma_eval::JsonEvent::borrow(event), &to_theirs(log_source));
        found.into_iter().filter_map(|one| one.header.rule_id).collect()
    }
}

/// A log source in their type.
pub fn to_theirs(log_source: LogSource<'_>) -> rsigma_parser::LogSource {
    rsigma_parser::LogSource {
        product: log_source.product.map(str::to_owned),
        category: log_source.category.map(str::to_owned),
        service: log_source.service.map(str::to_owned),
        ..Default::default()
    }
}
