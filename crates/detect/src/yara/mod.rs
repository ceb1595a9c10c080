//! YARA rules on file contents, through boreal, which matches without generating machine code.

mod weight;

use std::collections::HashMap;
use std::sync::Arc;

use boreal::compiler::{AddRuleError, CompilerBuilder, CompilerParams};
use boreal::scanner::{EvaluatedRule, ScanError, ScanParams, ScanResult};
use boreal::{Compiler, Metadata, MetadataValue, Scanner};
use sg_types::{DetectionEngine, RuleKind, Severity};

use crate::RuleSource;
use crate::diagnostic::{Code, Diagnostic, Problem, shorten};
use crate::limits::{MAX_EVIDENCE, MAX_EVIDENCE_CHARS, MAX_RULE_BYTES, ScanLimits};
use crate::rule::{Evidence, Match, RuleInfo};

/// What a scan found, and what it could not look at.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct ScanReport {
    /// The rules that matched.
    pub matches: Vec<Match>,
    /// Why the scan is not complete; empty when it is.
    pub diagnostics: Vec<Diagnostic>,
}

/// The compiled YARA rules.
#[derive(Debug)]
pub(crate) struct YaraSet {
    scanner: Scanner,
    /// By namespace (the source's position) and name.
    rules: HashMap<(String, String), Arc<RuleInfo>>,
}

/// Positions of all strings of a file, as [`crate::limits::MAX_YARA_POSITIONS`] counts them; 0 for one that cannot be parsed.
pub(crate) fn count_positions(text: &str) -> u64 {
    weight::count_positions(text)
}

impl YaraSet {
    /// Compiles every source by itself, so that a faulty one takes no other down. `register` says whether a
    /// rule's id is free.
    pub(crate) fn compile(
        sources: &[&RuleSource],
        diagnostics: &mut Vec<Diagnostic>,
        register: &mut impl FnMut(&Arc<RuleInfo>) -> Result<(), Problem>,
    ) -> Option<Self> {
        let sources: Vec<_> = sources
            .iter()
            .filter(|source| fits(source, diagnostics))
            .collect();
        let mut refused = vec![false; sources.len()];
        let mut compiler = new_compiler();
        for (position, source) in sources.iter().enumerate() {
            if let Err(error) = add(&mut compiler, source, position, diagnostics) {
                diagnostics.push(error);
                refused[position] = true;
            }
        }
        if refused.iter().any(|refused| *refused) {
            // A faulty source leaves its first rules in the compiler, so the sound ones are compiled once
            // more.
            compiler = new_compiler();
            let mut repeated = Vec::new();
            for (position, source) in sources
                .iter()
                .enumerate()
                .filter(|(position, _)| !refused[*position])
            {
                if let Err(error) = add(&mut compiler, source, position, &mut repeated) {
                    diagnostics.push(error);
                }
            }
        }
        let scanner = compiler.finalize();
        let mut rules = HashMap::new();
        for details in scanner.rules().filter(|details| !details.is_private) {
            let Some(source) = details
                .namespace
                .parse()
                .ok()
                .and_then(|position: usize| sources.get(position))
            else {
                continue;
            };
            let mut warn = |problem: Problem| {
                diagnostics.push(problem.into_diagnostic(
                    RuleKind::Yara,
                    &source.name,
                    Some(details.name.to_owned()),
                ));
            };
            let info = Arc::new(describe(
                &scanner,
                details.name,
                details.tags,
                details.metadatas,
                &source.name,
                &mut warn,
            ));
            match register(&info) {
                Ok(()) => {
                    rules.insert((details.namespace.to_owned(), details.name.to_owned()), info);
                }
                Err(problem) => warn(problem),
            }
        }
        (!rules.is_empty()).then_some(Self { scanner, rules })
    }

    /// Scans a content. The labels are for diagnostics and for rules that ask for them.
    pub(crate) fn scan(&self, content: &[u8], labels: &FileLabels<'_>, limits: &ScanLimits) -> ScanReport {
        let name = labels.path;
        let incomplete = |code, detail: String| {
            vec![Problem::new(code, detail).into_diagnostic(RuleKind::Yara, name, None)]
        };
        if content.len() > limits.max_bytes {
            let detail = format!(
                "{} bytes; at most {} are scanned",
                content.len(),
                limits.max_bytes
            );
            return ScanReport {
                matches: Vec::new(),
                diagnostics: incomplete(Code::FileTooLarge, detail),
            };
        }
        let mut scanner = self.scanner.clone();
        define_labels(&mut scanner, labels);
        let params = ScanParams::default().timeout_duration(Some(limits.timeout));
        scanner.set_scan_params(params.clone());
        let (result, diagnostics) = match scanner.scan_mem(content) {
            Ok(result) => (result, Vec::new()),
            Err((ScanError::Timeout, partial)) => {
                let detail = format!(
                    "the scan of {} bytes took longer than {:?}",
                    content.len(),
                    limits.timeout
                );
                (partial, incomplete(Code::ScanTimeout, detail))
            }
            Err((error, partial)) => (partial, incomplete(Code::ScanFailed, error.to_string())),
        };
        if !result.rules.iter().any(|rule| rule.matched) {
            return ScanReport {
                matches: Vec::new(),
                diagnostics,
            };
        }
        // Where each string stands is asked for only when it has to be told: most files match nothing, and it takes longer.
        let mut scanner = scanner.clone();
        scanner.set_scan_params(
            params
                .compute_full_matches(true)
                .match_max_length(MAX_EVIDENCE_CHARS)
                .string_max_nb_matches(100),
        );
        let located = scanner.scan_mem(content).unwrap_or_else(|(_, partial)| partial);
        ScanReport {
            matches: self.matches_of(&result, &located),
            diagnostics,
        }
    }

    /// The rules that matched, with the strings as they were located.
    fn matches_of(&self, result: &ScanResult<'_>, located: &ScanResult<'_>) -> Vec<Match> {
        let to_match = |rule: &EvaluatedRule<'_>| {
            let key = (rule.namespace.to_owned(), rule.name.to_owned());
            let info = self.rules.get(&key)?;
            let same =
                |other: &&EvaluatedRule<'_>| (other.namespace, other.name) == (rule.namespace, rule.name);
            let evidence = located
                .rules
                .iter()
                .find(same)
                .map_or_else(Vec::new, collect_evidence);
            Some(Match {
                rule: info.clone(),
                explanation: in_words(info, &evidence),
                evidence,
            })
        };
        let matched = result.rules.iter().filter(|rule| rule.matched);
        matched.filter_map(to_match).collect()
    }
}

/// What rules may ask about a file beside its content.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct FileLabels<'a> {
    /// The path (`filepath`); inside an archive `archive!entry`.
    pub path: &'a str,
    /// The last part of the path (`filename`), whose ending with its dot is `extension`.
    pub name: &'a str,
    /// The user's name that the file belongs to (`owner`); empty when not known.
    pub owner: &'a str,
}

impl<'a> FileLabels<'a> {
    /// The labels of a file on disk.
    pub fn of_path(path: &'a str, owner: &'a str) -> Self {
        let name = path.rsplit_once('/').map_or(path, |(_, name)| name);
        Self { path, name, owner }
    }
}

/// The external variables that scanners agree on and that are known here.
const VARIABLES: [&str; 4] = ["filepath", "filename", "extension", "owner"];

fn define_labels(scanner: &mut Scanner, labels: &FileLabels<'_>) {
    let extension = labels.name.rfind('.').map_or("", |at| &labels.name[at..]);
    let values = [labels.path, labels.name, extension, labels.owner];
    for (variable, value) in VARIABLES.into_iter().zip(values) {
        // A set without rules that use the variable knows it all the same, so this cannot fail.
        let _ = scanner.define_symbol(variable, value);
    }
}

fn fits(source: &RuleSource, diagnostics: &mut Vec<Diagnostic>) -> bool {
    let problem = if source.text.len() > MAX_RULE_BYTES {
        let detail = format!("{} bytes; at most {MAX_RULE_BYTES} are taken", source.text.len());
        Some(Problem::new(Code::SourceTooLarge, detail))
    } else {
        weight::find_excess(&source.text)
    };
    let fits = problem.is_none();
    diagnostics.extend(problem.map(|problem| problem.into_diagnostic(RuleKind::Yara, &source.name, None)));
    fits
}

fn new_compiler() -> Compiler {
    let mut compiler = CompilerBuilder::new().build();
    for name in VARIABLES {
        compiler.define_symbol(name, "");
    }
    compiler.set_params(
        CompilerParams::default()
            .disable_includes(true)
            .max_strings_per_rule(2_000),
    );
    compiler
}

fn add(
    compiler: &mut Compiler,
    source: &RuleSource,
    position: usize,
    diagnostics: &mut Vec<Diagnostic>,
) -> Result<(), Diagnostic> {
    let status = compiler
        .add_rules_str_in_namespace(&source.text, position.to_string())
        .map_err(|error| to_diagnostic(&error, Code::InvalidYara, source))?;
    diagnostics.extend(
        status
            .warnings()
            .take(20)
            .map(|warning| to_diagnostic(warning, Code::YaraWarning, source)),
    );
    Ok(())
}

/// boreal's text begins with `mem:line:column: `.
fn to_diagnostic(error: &AddRuleError, code: Code, source: &RuleSource) -> Diagnostic {
    let text = error.to_string();
    let mut parts = text.splitn(4, ':');
    let place = (
        parts.next(),
        parts.next().and_then(|line| line.parse().ok()),
        parts.next(),
        parts.next(),
    );
    let (line, detail) = match place {
        (Some("mem"), Some(line), Some(_), Some(detail)) => (Some(line), detail.trim()),
        _ => (None, text.as_str()),
    };
    let detail = detail
        .trim_start_matches("error: ")
        .trim_start_matches("warning: ");
    Problem::new(code, detail)
        .at(line)
        .into_diagnostic(RuleKind::Yara, &source.name, None)
}

/// Reads a rule's meta section.
fn describe(
    scanner: &Scanner,
    name: &str,
    tags: &[boreal::StringSymbol],
    metas: &[Metadata],
    source: &str,
    warn: &mut impl FnMut(Problem),
) -> RuleInfo {
    let mut info = RuleInfo {
        id: format!("yara:{name}"),
        title: name.replace('_', " "),
        description: String::new(),
        kind: RuleKind::Yara,
        engine: DetectionEngine::Yara,
        severity: Severity::Medium,
        confidence: 0.7,
        threat_type: "malware".to_owned(),
        techniques: Vec::new(),
        tags: tags
            .iter()
            .map(|tag| scanner.get_string_symbol(*tag).to_owned())
            .collect(),
        false_positives: Vec::new(),
        source: source.to_owned(),
    };
    for meta in metas {
        let value = match meta.value {
            MetadataValue::Bytes(bytes) => {
                String::from_utf8_lossy(scanner.get_bytes_symbol(bytes)).into_owned()
            }
            MetadataValue::Integer(number) => number.to_string(),
            MetadataValue::Boolean(value) => value.to_string(),
        };
        match scanner.get_string_symbol(meta.name) {
            "id" if (1..=200).contains(&value.len()) => info.id = value,
            "title" => info.title = value,
            "description" => info.description = value,
            "threat_type" => info.threat_type = shorten(&value, 99),
            "false_positives" => info.false_positives.push(value),
            "attack" => info.techniques.extend(
                value
                    .split([',', ' '])
                    .filter(|t| !t.is_empty())
                    .map(str::to_owned),
            ),
            "severity" => match value.to_lowercase().parse() {
                Ok(severity) => info.severity = severity,
                Err(error) => warn(Problem::new(Code::InvalidMeta, format!("severity {error}"))),
            },
            "confidence" => match parse_confidence(&meta.value, &value) {
                Some(confidence) => info.confidence = confidence,
                None => {
                    let detail = format!(
                        "the confidence `{}`: whole numbers are percent, texts are 0 to 1",
                        shorten(&value, 40)
                    );
                    warn(Problem::new(Code::InvalidMeta, detail));
                }
            },
            _ => {}
        }
    }
    info.tags.extend(
        info.techniques
            .iter()
            .map(|technique| format!("attack.{}", technique.to_lowercase())),
    );
    info
}

/// YARA's meta values know no fractions: `confidence = 90` is per cent, `confidence = "0.9"` is a part of
/// one.
#[expect(clippy::cast_precision_loss, reason = "the numbers are at most 100")]
fn parse_confidence(value: &MetadataValue, text: &str) -> Option<f32> {
    let confidence = match value {
        MetadataValue::Integer(percent) if (0..=100).contains(percent) => *percent as f32 / 100.0,
        MetadataValue::Bytes(_) => text.parse().ok()?,
        MetadataValue::Integer(_) | MetadataValue::Boolean(_) => return None,
    };
    (0.0..=1.0).contains(&confidence).then_some(confidence)
}

fn collect_evidence(rule: &EvaluatedRule<'_>) -> Vec<Evidence> {
    let found = rule
        .matches
        .iter()
        .flat_map(|string| string.matches.iter().map(|found| (string.name, found)));
    let to_evidence = |(name, found): (&str, &boreal::scanner::StringMatch)| Evidence::String {
        name: format!("${name}"),
        offset: (found.base + found.offset) as u64,
        length: found.length as u64,
        data: shorten(&found.data.escape_ascii().to_string(), MAX_EVIDENCE_CHARS),
    };
    found.take(MAX_EVIDENCE).map(to_evidence).collect()
}

fn in_words(info: &RuleInfo, evidence: &[Evidence]) -> String {
    let mut places: Vec<String> = Vec::new();
    for piece in evidence {
        if let Evidence::String { name, offset, .. } = piece
            && !places.iter().any(|place| place.starts_with(&format!("{name} ")))
        {
            places.push(format!("{name} at byte {offset}"));
        }
    }
    let what = if info.description.is_empty() {
        &info.title
    } else {
        &info.description
    };
    let what = shorten(what.trim_end_matches('.'), 1_000);
    match places.len() {
        0 => format!("{what}."),
        1..=5 => format!("{what}: found {}.", places.join(", ")),
        more => format!(
            "{what}: found {} and {} more strings.",
            places[..5].join(", "),
            more - 5
        ),
    }
}
