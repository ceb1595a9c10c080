//! What a rule set knows about its rules, and what it says when one matches.

use std::sync::Arc;

use serde::Serialize;
use sg_types::agent::{Finding, Subject};
use sg_types::{DetectionEngine, FindingId, RuleKind, Severity};

use crate::diagnostic::shorten;

/// What a rule is, apart from how it matches.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct RuleInfo {
    /// The rule's id: a Sigma rule's `id`, a YARA rule's meta `id` or else its name,
    /// `indicator:<type>:<value>`.
    pub id: String,
    /// The title that people read, at most 200 characters and a mark where it was cut.
    pub title: String,
    /// What it is about, in the author's words, at most 4,000 characters; may be empty.
    pub description: String,
    /// The kind of rule.
    pub kind: RuleKind,
    /// The engine that evaluates it.
    pub engine: DetectionEngine,
    /// How bad a match is.
    pub severity: Severity,
    /// The rule's own prior that a match is real, 0–1.
    pub confidence: f32,
    /// What kind of threat, such as `malware` or `reverse_shell`; at most 100 characters.
    pub threat_type: String,
    /// ATT&CK techniques, such as `T1059.004`.
    pub techniques: Vec<String>,
    /// Every tag as the author wrote it, such as `attack.execution`.
    pub tags: Vec<String>,
    /// Known harmless causes, in the author's words.
    pub false_positives: Vec<String>,
    /// The name of the source that the rule came from.
    pub source: String,
}

impl RuleInfo {
    /// Cuts texts to what the places that show and store them take, so that no author's rule can be refused there.
    pub(crate) fn bounded(mut self) -> Self {
        for (text, max) in [
            (&mut self.title, 200),
            (&mut self.description, 4_000),
            (&mut self.threat_type, 99),
        ] {
            *text = shorten(text, max);
        }
        for list in [&mut self.techniques, &mut self.tags, &mut self.false_positives] {
            list.truncate(50);
            list.iter_mut().for_each(|text| *text = shorten(text, 500));
        }
        self
    }
}

/// One rule that matched.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Match {
    /// The rule.
    pub rule: Arc<RuleInfo>,
    /// Why it matched, in one or a few sentences for people.
    pub explanation: String,
    /// What matched, at most [`crate::limits::MAX_EVIDENCE`] pieces.
    pub evidence: Vec<Evidence>,
}

impl Match {
    /// The finding that the agent reports or the server stores.
    pub fn into_finding(self, finding_id: FindingId, subject: Subject) -> Finding {
        let evidence = serde_json::to_value(&self.evidence).unwrap_or_default();
        Finding {
            finding_id,
            rule_id: self.rule.id.clone(),
            rule_name: self.rule.title.clone(),
            engine: self.rule.engine,
            severity: self.rule.severity,
            confidence: rounded(self.rule.confidence),
            threat_type: self.rule.threat_type.clone(),
            tags: self.rule.tags.clone(),
            explanation: self.explanation,
            evidence,
            subject,
        }
    }
}

/// One piece of what matched. Texts are cut at [`crate::limits::MAX_EVIDENCE_CHARS`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Evidence {
    /// A field of an event satisfied a pattern of a Sigma rule.
    Field {
        /// The search identifier that the pattern stands in.
        selection: String,
        /// The field; absent for keywords.
        field: Option<String>,
        /// The pattern with its modifiers, such as `contains '/dev/tcp/'`.
        pattern: String,
        /// The event's value; absent when the rule asks for a field that is absent.
        value: Option<String>,
    },
    /// A string of a YARA rule was found.
    String {
        /// The string's name in the rule, such as `$a`.
        name: String,
        /// Bytes from the begin of the content.
        offset: u64,
        /// Bytes that matched.
        length: u64,
        /// The first of those bytes, as text with escapes.
        data: String,
    },
    /// An entry of an indicator list.
    Indicator {
        /// The type of the indicator, such as `sha256`.
        indicator: String,
        /// The indicator's value.
        value: String,
        /// Who says so, as the list tells.
        source: String,
        /// What the list says about it.
        description: String,
        /// The name of the list.
        list: String,
    },
}

/// Why a Sigma rule did or did not match an event.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Explanation {
    /// The rule.
    pub rule: Arc<RuleInfo>,
    /// Whether the rule matches the event.
    pub matched: bool,
    /// Whether the rule is for events of this log source at all.
    pub log_source_applies: bool,
    /// The condition, as the author wrote it.
    pub condition: String,
    /// Every search identifier and how it came out.
    pub selections: Vec<ExplainedSelection>,
}

/// How one search identifier of a rule came out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ExplainedSelection {
    /// The search identifier.
    pub name: String,
    /// Whether it holds.
    pub matched: bool,
    /// Every pattern in it.
    pub checks: Vec<ExplainedCheck>,
}

/// How one pattern came out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ExplainedCheck {
    /// The field; absent for keywords.
    pub field: Option<String>,
    /// The pattern with its modifiers.
    pub pattern: String,
    /// The event's value, if the field is there.
    pub value: Option<String>,
    /// Whether the pattern holds.
    pub matched: bool,
}

/// A confidence with two decimals, so that it reads as the author wrote it.
fn rounded(confidence: f32) -> f64 {
    (f64::from(confidence) * 100.0).round() / 100.0
}
