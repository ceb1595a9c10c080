//! Indicators: known bad hashes, file names, domains, addresses and URLs, from lists that say who knows them and
//! until when.

mod csv;
mod list;
mod misp;
mod stix;

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use sg_types::{DetectionEngine, RuleKind, Severity};

use crate::RuleSource;
use crate::diagnostic::{Code, Diagnostic, Problem, shorten};
use crate::limits::{MAX_EVIDENCE, MAX_INDICATORS};
use crate::rule::{Evidence, Match, RuleInfo};

/// What an indicator names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum IndicatorType {
    /// SHA-256 of a file, 64 hexadecimal digits.
    Sha256,
    /// SHA-1 of a file, 40 hexadecimal digits.
    Sha1,
    /// MD5 of a file, 32 hexadecimal digits.
    Md5,
    /// The last part of a path or, with a slash, the whole path; case-sensitive.
    FileName,
    /// A domain with everything below it.
    Domain,
    /// An IPv4 or IPv6 address.
    Ip,
    /// A whole URL but for its fragment.
    Url,
}

impl IndicatorType {
    /// Every type.
    pub const ALL: &'static [Self] = &[
        Self::Sha256,
        Self::Sha1,
        Self::Md5,
        Self::FileName,
        Self::Domain,
        Self::Ip,
        Self::Url,
    ];

    /// The word in the list's `type` column.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Sha256 => "sha256",
            Self::Sha1 => "sha1",
            Self::Md5 => "md5",
            Self::FileName => "filename",
            Self::Domain => "domain",
            Self::Ip => "ip",
            Self::Url => "url",
        }
    }
}

/// One entry of a list.
#[derive(Debug, Clone, PartialEq)]
pub struct Indicator {
    /// What it names.
    pub kind: IndicatorType,
    /// The value in its normal form: hashes and domains in lower case, addresses in their shortest form, URLs without their fragment.
    pub value: String,
    /// How bad a match is.
    pub severity: Severity,
    /// How sure the source is, 0–1.
    pub confidence: f32,
    /// Who says so.
    pub source: String,
    /// What it is.
    pub description: String,
    /// From this time on the entry no longer matches.
    pub expires_at: Option<DateTime<Utc>>,
    /// The name of the list.
    pub list: Arc<str>,
}

impl Indicator {
    fn is_in_force(&self, now: DateTime<Utc>) -> bool {
        self.expires_at.is_none_or(|end| now < end)
    }
}

/// What is known of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct FileFacts<'a> {
    /// Absolute path.
    pub path: &'a str,
    /// SHA-256 of the content.
    pub sha256: Option<[u8; 32]>,
    /// SHA-1 of the content.
    pub sha1: Option<[u8; 20]>,
    /// MD5 of the content.
    pub md5: Option<[u8; 16]>,
}

/// The indicators of a rule set.
#[derive(Debug, Default)]
pub(crate) struct IndicatorSet {
    pub(crate) entries: Vec<Indicator>,
    /// Entries by type and normal value; several lists may know the same value.
    by_value: HashMap<(IndicatorType, Box<str>), Vec<u32>>,
}

impl IndicatorSet {
    /// Adds the usable entries of a list.
    pub(crate) fn add(&mut self, source: &RuleSource, diagnostics: &mut Vec<Diagnostic>) {
        let report = |problem: Problem| problem.into_diagnostic(RuleKind::Indicator, &source.name, None);
        let entries = match list::read(source) {
            Ok((entries, problems)) => {
                diagnostics.extend(problems.into_iter().map(report));
                entries
            }
            Err(problem) => {
                diagnostics.push(report(problem));
                return;
            }
        };
        for entry in entries {
            if self.entries.len() >= MAX_INDICATORS {
                let detail = format!("at most {MAX_INDICATORS} indicators");
                diagnostics.push(report(Problem::new(Code::TooManyRules, detail)));
                return;
            }
            let number = u32::try_from(self.entries.len()).unwrap_or(u32::MAX);
            self.by_value
                .entry((entry.kind, entry.value.as_str().into()))
                .or_default()
                .push(number);
            self.entries.push(entry);
        }
    }

    pub(crate) fn check_file(&self, facts: &FileFacts<'_>, now: DateTime<Utc>) -> Vec<Match> {
        let mut matches = Vec::new();
        if self.entries.is_empty() {
            return matches;
        }
        let hashes = [
            (IndicatorType::Sha256, facts.sha256.map(hex::encode)),
            (IndicatorType::Sha1, facts.sha1.map(hex::encode)),
            (IndicatorType::Md5, facts.md5.map(hex::encode)),
        ];
        for (kind, hash) in hashes {
            matches.extend(hash.and_then(|hash| self.check(kind, &hash, now)));
        }
        matches.extend(self.check(IndicatorType::FileName, facts.path, now));
        if let Some((_, name)) = facts.path.rsplit_once('/') {
            matches.extend(self.check(IndicatorType::FileName, name, now));
        }
        matches
    }

    /// Looks for the domain and each domain above it, the longest first.
    pub(crate) fn check_domain(&self, domain: &str, now: DateTime<Utc>) -> Option<Match> {
        let domain = domain.trim_end_matches('.').to_lowercase();
        let mut rest = domain.as_str();
        loop {
            if let Some(found) = self.check(IndicatorType::Domain, rest, now) {
                return Some(found);
            }
            rest = rest.split_once('.')?.1;
        }
    }

    pub(crate) fn check_address(&self, address: IpAddr, now: DateTime<Utc>) -> Option<Match> {
        self.check(IndicatorType::Ip, &address.to_canonical().to_string(), now)
    }

    pub(crate) fn check_url(&self, url: &str, now: DateTime<Utc>) -> Option<Match> {
        self.check(IndicatorType::Url, &normal_url(url)?, now)
    }

    /// The match on one value: what several lists know of it counts once, the worst of them decides.
    fn check(&self, kind: IndicatorType, value: &str, now: DateTime<Utc>) -> Option<Match> {
        let numbers = self.by_value.get(&(kind, value.into()))?;
        let known: Vec<_> = numbers
            .iter()
            .map(|number| &self.entries[*number as usize])
            .filter(|entry| entry.is_in_force(now))
            .collect();
        let worst = known.iter().max_by(|a, b| {
            a.severity
                .cmp(&b.severity)
                .then(a.confidence.total_cmp(&b.confidence))
        })?;
        let evidence = known
            .iter()
            .take(MAX_EVIDENCE)
            .map(|entry| to_evidence(entry))
            .collect();
        let explanation = explain(worst, known.len());
        Some(Match {
            rule: Arc::new(describe(worst)),
            explanation,
            evidence,
        })
    }
}

/// The form in which URLs are compared (WHATWG URL Standard): host in lower case, no default port, no fragment; none for what has no host.
fn normal_url(text: &str) -> Option<String> {
    let mut url = url::Url::parse(text).ok().filter(url::Url::has_host)?;
    url.set_fragment(None);
    Some(url.into())
}

fn to_evidence(entry: &Indicator) -> Evidence {
    Evidence::Indicator {
        indicator: entry.kind.as_str().to_owned(),
        value: entry.value.clone(),
        source: entry.source.clone(),
        description: entry.description.clone(),
        list: entry.list.to_string(),
    }
}

fn describe(entry: &Indicator) -> RuleInfo {
    let title = if entry.description.is_empty() {
        format!("Known bad {}", entry.kind.as_str())
    } else {
        entry.description.clone()
    };
    RuleInfo {
        id: shorten(&format!("indicator:{}:{}", entry.kind.as_str(), entry.value), 199),
        title: shorten(&title, 200),
        description: entry.description.clone(),
        kind: RuleKind::Indicator,
        engine: DetectionEngine::Indicator,
        severity: entry.severity,
        confidence: entry.confidence,
        threat_type: match entry.kind {
            IndicatorType::Domain | IndicatorType::Ip | IndicatorType::Url => "malicious_address".to_owned(),
            _ => "malware".to_owned(),
        },
        techniques: Vec::new(),
        tags: Vec::new(),
        false_positives: Vec::new(),
        source: entry.list.to_string(),
    }
}

fn explain(entry: &Indicator, lists: usize) -> String {
    let source = if entry.source.is_empty() {
        &*entry.list
    } else {
        entry.source.as_str()
    };
    let what = if entry.description.is_empty() {
        "known bad"
    } else {
        entry.description.trim_end_matches('.')
    };
    let more = if lists > 1 {
        format!(", and by {} more", lists - 1)
    } else {
        String::new()
    };
    format!(
        "The {} {} is listed by {source}{more}: {what}.",
        entry.kind.as_str(),
        shorten(&entry.value, 300)
    )
}
