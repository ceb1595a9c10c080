//! The rule set in force: compiled to be shown, signed to be handed out.

use std::path::Path;
use std::sync::Arc;

use anyhow::Context;
use sg_db::threats::publish_rules;
use sg_detect::{RuleSet, RuleSource, compile, default_pack};
use sg_types::RuleKind;
use sg_types::agent::{RulePackage, SignedRules};
use sg_types::api::threats::RuleView;
use sha2::{Digest, Sha256};
use tokio::sync::OnceCell;

use crate::AppState;
use crate::error::{ApiError, ApiResult};

/// Bytes of one rule file at most.
const MAX_RULE_FILE_BYTES: u64 = 8 * 1024 * 1024;

/// The rule set of this process; read, compiled, numbered and signed when it is asked for first.
#[derive(Debug, Default)]
pub struct Rules(OnceCell<Arc<RulesInForce>>);

/// A rule set with its version and signature.
#[derive(Debug)]
pub struct RulesInForce {
    /// Its version, higher than that of every earlier set of this installation.
    pub version: u64,
    /// What agents are given.
    pub signed: SignedRules,
    /// What people are shown, by rule id.
    pub views: Vec<RuleView>,
}

impl Rules {
    /// The rule set in force.
    ///
    /// # Errors
    /// 503 while the database cannot number it, 500 when the configured folder cannot be read.
    pub async fn current(&self, state: &AppState) -> ApiResult<&Arc<RulesInForce>> {
        self.0
            .get_or_try_init(|| async { load(state).await.map(Arc::new) })
            .await
    }
}

async fn load(state: &AppState) -> ApiResult<RulesInForce> {
    let folder = state.config.rules.folder().map(Path::to_owned);
    let prepared = tokio::task::spawn_blocking(move || prepare(folder.as_deref()))
        .await
        .map_err(ApiError::internal)?;
    let (sources, views) = prepared.map_err(|error| ApiError::internal(format!("{error:#}")))?;
    let mut tx = state.db.system("version of the rule set").await?;
    let version = publish_rules(&mut tx, digest(&sources), state.now()).await?;
    tx.commit_upkeep().await?;
    let version = u64::try_from(version).map_err(ApiError::internal)?;
    let signed = state
        .rules_signer
        .sign(&RulePackage {
            version,
            rules: sources,
        })
        .map_err(ApiError::internal)?;
    tracing::info!(version, rules = views.len(), "rule set in force");
    Ok(RulesInForce {
        version,
        signed,
        views,
    })
}

fn prepare(folder: Option<&Path>) -> anyhow::Result<(Vec<RuleSource>, Vec<RuleView>)> {
    let sources = match folder {
        Some(folder) => {
            read_folder(folder).with_context(|| format!("cannot read the rules in {}", folder.display()))?
        }
        None => default_pack(),
    };
    let (rules, diagnostics) = compile(&sources);
    for diagnostic in &diagnostics {
        tracing::warn!(diagnostic = %diagnostic, "a rule is not in force");
    }
    let views = list_views(&rules);
    Ok((sources, views))
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

fn list_views(rules: &RuleSet) -> Vec<RuleView> {
    let told = |text: &str| (!text.is_empty()).then(|| text.to_owned());
    let mut views: Vec<RuleView> = rules
        .rules()
        .iter()
        .map(|rule| RuleView {
            rule_id: rule.id.clone(),
            name: rule.title.clone(),
            kind: rule.kind,
            severity: rule.severity,
            description: told(&rule.description),
            tags: rule.tags.clone(),
        })
        .collect();
    views.extend(rules.indicators().iter().map(|indicator| RuleView {
        rule_id: format!("indicator:{}:{}", indicator.kind.as_str(), indicator.value),
        name: indicator.value.clone(),
        kind: RuleKind::Indicator,
        severity: indicator.severity,
        description: told(&indicator.description),
        tags: Vec::new(),
    }));
    views.sort_by(|a, b| a.rule_id.cmp(&b.rule_id));
    views.dedup_by(|a, b| a.rule_id == b.rule_id);
    views
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

fn kind_of(path: &Path) -> Option<RuleKind> {
    match path.extension()?.to_str()? {
        "yml" | "yaml" => Some(RuleKind::Sigma),
        "yar" | "yara" => Some(RuleKind::Yara),
        "csv" => Some(RuleKind::Indicator),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_pack_is_in_force_as_a_whole() {
        let (sources, views) = prepare(None).unwrap();
        assert!(!sources.is_empty());
        for kind in RuleKind::ALL {
            assert!(views.iter().any(|view| view.kind == *kind), "{kind}");
        }
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
