//! The installation's rules, which every tenant has: compiled to be shown, read from the built-in pack or a folder.

use std::collections::{HashMap, HashSet};
use std::path::Path;
use std::sync::Arc;

use anyhow::Context;
use sg_detect::correlation::Correlator;
use sg_detect::{RuleSet, RuleSource, compile, default_pack};
use sg_types::api::rules::{RuleOrigin, RuleRecord, RuleView};
use sg_types::{RuleKind, Severity};
use sha2::{Digest, Sha256};

use super::inspect::told;

/// Bytes of one rule file at most.
const MAX_RULE_FILE_BYTES: u64 = 8 * 1024 * 1024;

/// The installation's rules.
#[derive(Debug)]
pub struct Pack {
    /// The files.
    pub sources: Vec<RuleSource>,
    /// What people are shown of each rule and indicator, by id.
    pub rules: Vec<PackRule>,
    /// SHA-256 over the files.
    pub digest: [u8; 32],
    /// What it correlates.
    pub correlator: Option<Arc<Correlator>>,
}

/// A rule of the pack.
#[derive(Debug)]
pub struct PackRule {
    /// What people are shown.
    pub view: RuleView,
    /// The file that it comes from.
    pub source: String,
}

impl Pack {
    /// Reads and compiles the rules of `folder`, or the built-in ones.
    ///
    /// # Errors
    /// When the folder cannot be read.
    pub(super) fn load(folder: Option<&Path>) -> anyhow::Result<Self> {
        let sources = match folder {
            Some(folder) => read_folder(folder)
                .with_context(|| format!("cannot read the rules in {}", folder.display()))?,
            None => default_pack(),
        };
        let (rules, diagnostics) = compile(&sources);
        for diagnostic in &diagnostics {
            tracing::warn!(diagnostic = %diagnostic, "a rule is not in force");
        }
        let correlator = Correlator::compile(&sources, &[], &HashSet::new());
        Ok(Self {
            correlator: correlator.map(|(correlator, _)| Arc::new(correlator)),
            rules: list_rules(&rules),
            digest: digest(&sources),
            sources,
        })
    }

    /// The rule with this id.
    pub fn find(&self, rule_id: &str) -> Option<&PackRule> {
        let found = self
            .rules
            .binary_search_by(|rule| rule.view.rule_id.as_str().cmp(rule_id));
        found.ok().and_then(|position| self.rules.get(position))
    }

    /// The text of the file that a rule comes from; none for an entry of an indicator list.
    pub fn text_of(&self, rule: &PackRule) -> Option<&str> {
        let source = self.sources.iter().find(|source| source.name == rule.source)?;
        (rule.view.kind != RuleKind::Indicator).then_some(source.text.as_str())
    }

    /// The files without those whose every rule is switched off.
    pub(super) fn without(&self, switched_off: &[String]) -> Vec<RuleSource> {
        let mut left: HashMap<&str, usize> = HashMap::new();
        for rule in &self.rules {
            *left.entry(&rule.source).or_default() += usize::from(!switched_off.contains(&rule.view.rule_id));
        }
        let is_needed = |source: &&RuleSource| left.get(source.name.as_str()).is_none_or(|rules| *rules > 0);
        self.sources.iter().filter(is_needed).cloned().collect()
    }
}

/// SHA-256 over kinds, names and texts, each with its length so that they do not run into each other.
fn digest(sources: &[RuleSource]) -> [u8; 32] {
    let mut hasher = Sha256::new();
    for source in sources {
        for part in [source.kind.as_str(), &source.name, &source.text] {
            hasher.update(u64::try_from(part.len()).unwrap_or(u64::MAX).to_be_bytes());
            hasher.update(part.as_bytes());
        }
    }
    hasher.finalize().into()
}

fn list_rules(rules: &RuleSet) -> Vec<PackRule> {
    let correlations = rules.correlations().iter().map(|correlation| &correlation.info);
    let mut listed: Vec<PackRule> = rules
        .rules()
        .iter()
        .chain(correlations)
        .map(|rule| PackRule {
            source: rule.source.clone(),
            view: RuleView {
                rule_id: rule.id.clone(),
                name: rule.title.clone(),
                kind: rule.kind,
                severity: rule.severity,
                description: told(&rule.description),
                tags: rule.tags.clone(),
                ..untouched()
            },
        })
        .collect();
    listed.extend(rules.indicators().iter().map(|indicator| PackRule {
        source: indicator.list.to_string(),
        view: RuleView {
            rule_id: format!("indicator:{}:{}", indicator.kind.as_str(), indicator.value),
            name: indicator.value.clone(),
            kind: RuleKind::Indicator,
            severity: indicator.severity,
            description: told(&indicator.description),
            ..untouched()
        },
    }));
    listed.sort_by(|a, b| a.view.rule_id.cmp(&b.view.rule_id));
    listed.dedup_by(|a, b| a.view.rule_id == b.view.rule_id);
    listed
}

fn untouched() -> RuleView {
    RuleView {
        rule_id: String::new(),
        name: String::new(),
        kind: RuleKind::Sigma,
        severity: Severity::Low,
        description: None,
        tags: Vec::new(),
        origin: RuleOrigin::Pack,
        is_enabled: true,
        version: 0,
        changed_at: None,
        changed_by_username: None,
        warnings: 0,
        record: RuleRecord::default(),
    }
}

/// Rule files by their endings, in the order of their paths below `folder`.
fn read_folder(folder: &Path) -> anyhow::Result<Vec<RuleSource>> {
    let mut sources = Vec::new();
    let mut waiting = vec![folder.to_owned()];
    while let Some(dir) = waiting.pop() {
        for entry in std::fs::read_dir(&dir).with_context(|| dir.display().to_string())? {
            let (path, kind) = entry.and_then(|entry| Ok((entry.path(), entry.file_type()?)))?;
            if kind.is_dir() {
                waiting.push(path);
            } else if let Some(rule_kind) = kind_of(&path) {
                let name = path.strip_prefix(folder).unwrap_or(&path).display().to_string();
                anyhow::ensure!(
                    path.metadata()?.len() <= MAX_RULE_FILE_BYTES,
                    "{name} is larger than {MAX_RULE_FILE_BYTES} bytes"
                );
                let text = std::fs::read_to_string(&path).with_context(|| name.clone())?;
                sources.push(RuleSource {
                    kind: rule_kind,
                    name,
                    text,
                });
            }
        }
    }
    sources.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(sources)
}

/// The kind of rules that a file of this name holds.
pub(super) fn kind_of(path: &Path) -> Option<RuleKind> {
    match path.extension()?.to_str()? {
        "yml" | "yaml" => Some(RuleKind::Sigma),
        "yar" | "yara" => Some(RuleKind::Yara),
        "csv" | "json" => Some(RuleKind::Indicator),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_pack_is_in_force_as_a_whole() {
        let pack = Pack::load(None).unwrap();
        for kind in RuleKind::ALL {
            assert!(pack.rules.iter().any(|rule| rule.view.kind == *kind), "{kind}");
        }
        for rule in &pack.rules {
            let found = pack.find(&rule.view.rule_id).unwrap();
            assert_eq!(found.view, rule.view);
            assert_eq!(
                pack.text_of(found).is_some(),
                rule.view.kind != RuleKind::Indicator,
                "{}",
                rule.source
            );
        }
    }

    #[test]
    fn a_file_goes_when_its_last_rule_is_switched_off() {
        let pack = Pack::load(None).unwrap();
        let mut files: Vec<(&str, Vec<String>)> = Vec::new();
        for rule in &pack.rules {
            match files.iter_mut().find(|(name, _)| *name == rule.source) {
                Some((_, ids)) => ids.push(rule.view.rule_id.clone()),
                None => files.push((&rule.source, vec![rule.view.rule_id.clone()])),
            }
        }
        let (_, several) = files.iter().find(|(_, ids)| ids.len() > 1).unwrap();
        assert_eq!(pack.without(&several[1..]).len(), pack.sources.len());
        assert_eq!(pack.without(several).len(), pack.sources.len() - 1);
        assert_eq!(pack.without(&[]), pack.sources);
    }

    #[test]
    fn a_folder_is_read_by_endings_and_every_change_has_another_digest() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir(dir.path().join("yara")).unwrap();
        std::fs::write(dir.path().join("yara/one.yar"), "rule one { condition: false }").unwrap();
        std::fs::write(dir.path().join("README.md"), "no rule").unwrap();
        let before = read_folder(dir.path()).unwrap();
        assert_eq!(
            before
                .iter()
                .map(|source| source.name.as_str())
                .collect::<Vec<_>>(),
            ["yara/one.yar"]
        );
        std::fs::write(dir.path().join("yara/one.yar"), "rule one { condition: true }").unwrap();
        assert_ne!(digest(&before), digest(&read_folder(dir.path()).unwrap()));
        assert!(read_folder(&dir.path().join("absent")).is_err());
    }
}
