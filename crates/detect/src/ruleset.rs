//! Compiling rule files, and what a compiled rule set answers.

use std::collections::{HashMap, HashSet};
use std::net::IpAddr;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use sg_types::RuleKind;

use crate::correlation::Correlation;
use crate::diagnostic::{Code, Diagnostic, Problem, shorten};
use crate::event::Event;
use crate::indicator::{FileFacts, Indicator, IndicatorSet};
use crate::limits::ScanLimits;
use crate::rule::{Explanation, Match, RuleInfo};
use crate::sigma::{self, ParsedCorrelation, ParsedFilter, ParsedRule, SigmaBuilder, SigmaSet};
use crate::yara::{self, FileLabels, ScanReport, YaraSet};
use crate::{Placeholders, RuleSource};

/// Compiled rules. Immutable; evaluating never fails.
#[derive(Debug)]
pub struct RuleSet {
    infos: Vec<Arc<RuleInfo>>,
    sigma: SigmaSet,
    sigma_by_id: HashMap<String, usize>,
    yara: Option<YaraSet>,
    indicators: IndicatorSet,
    filters: Vec<FilterInfo>,
    correlations: Vec<Arc<Correlation>>,
    /// Ids of rules and correlations by the short names that they have.
    names: HashMap<String, String>,
    weight: Weight,
    switched_off: HashSet<String>,
    scan_limits: ScanLimits,
}

/// A Sigma filter that is in force.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FilterInfo {
    /// Its id; its source's name where it has none.
    pub id: String,
    /// Its title.
    pub title: String,
}

/// How much of what a rule set may hold its rules take ([`crate::limits`]).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Weight {
    /// Bytes of the texts that Sigma rules look for.
    pub literal_bytes: usize,
    /// Regular expressions of Sigma rules, large ones counted as several.
    pub regexes: usize,
    /// Positions of the strings of YARA rules.
    pub yara_positions: u64,
    /// Indicators.
    pub indicators: usize,
}

/// Compiles rule files. Never fails as a whole: what cannot be used is refused with a diagnostic, everything
/// else is in force.
pub fn compile(sources: &[RuleSource]) -> (RuleSet, Vec<Diagnostic>) {
    compile_with(sources, &Placeholders::new())
}

/// The same as [`compile`], with values for the placeholders of `expand`.
pub fn compile_with(sources: &[RuleSource], placeholders: &Placeholders) -> (RuleSet, Vec<Diagnostic>) {
    let mut compiler = Compiler::default();
    for source in sources {
        match source.kind {
            RuleKind::Sigma => compiler.add_sigma(source, placeholders),
            RuleKind::Indicator => compiler.indicators.add(source, &mut compiler.diagnostics),
            RuleKind::Yara => {}
        }
    }
    let yara_sources: Vec<_> = sources
        .iter()
        .filter(|source| source.kind == RuleKind::Yara)
        .collect();
    compiler.finish(&yara_sources)
}

impl RuleSet {
    /// The Sigma rules that match an event, in the order of the sources.
    pub fn evaluate(&self, event: &Event<'_>) -> Vec<Match> {
        self.keep(self.sigma.evaluate(event))
    }

    /// The same answer as [`Self::evaluate`] gives, found without the index by asking every pattern of every
    /// rule. Hundreds of times slower; it is what the index is measured against.
    pub fn evaluate_full_scan(&self, event: &Event<'_>) -> Vec<Match> {
        self.keep(self.sigma.evaluate_full_scan(event))
    }

    /// The YARA rules that match the content of a file at this path; the same as [`Self::scan_labelled`] for a file of nobody known.
    pub fn scan(&self, content: &[u8], path: &str) -> ScanReport {
        self.scan_labelled(content, &FileLabels::of_path(path, ""))
    }

    /// The YARA rules that match a content with these labels.
    ///
    /// A content beyond the limits is not scanned to its end, and the report's diagnostics say so
    /// ([`Code::FileTooLarge`], [`Code::ScanTimeout`]).
    pub fn scan_labelled(&self, content: &[u8], labels: &FileLabels<'_>) -> ScanReport {
        let Some(yara) = &self.yara else {
            return ScanReport::default();
        };
        let report = yara.scan(content, labels, &self.scan_limits);
        ScanReport {
            matches: self.keep(report.matches),
            ..report
        }
    }

    /// The indicators that know a file by a hash or by its name and that have not expired at `now`.
    pub fn check_file(&self, facts: &FileFacts<'_>, now: DateTime<Utc>) -> Vec<Match> {
        self.keep(self.indicators.check_file(facts, now))
    }

    /// The indicator that knows a domain or one above it.
    pub fn check_domain(&self, domain: &str, now: DateTime<Utc>) -> Option<Match> {
        self.indicators
            .check_domain(domain, now)
            .filter(|found| self.is_on(found))
    }

    /// The indicator that knows an address.
    pub fn check_address(&self, address: IpAddr, now: DateTime<Utc>) -> Option<Match> {
        self.indicators
            .check_address(address, now)
            .filter(|found| self.is_on(found))
    }

    /// The indicator that knows a URL.
    pub fn check_url(&self, url: &str, now: DateTime<Utc>) -> Option<Match> {
        self.indicators
            .check_url(url, now)
            .filter(|found| self.is_on(found))
    }

    /// Why a Sigma rule does or does not match an event; none when there is no such Sigma rule.
    pub fn explain(&self, rule_id: &str, event: &Event<'_>) -> Option<Explanation> {
        let rule = &self.sigma.rules[*self.sigma_by_id.get(rule_id)?];
        Some(sigma::explain(&self.sigma, rule, event))
    }

    /// Every Sigma and YARA rule in force, Sigma first. Indicators are not among them, see
    /// [`Self::indicators`].
    pub fn rules(&self) -> &[Arc<RuleInfo>] {
        &self.infos
    }

    /// Every indicator, expired ones too.
    pub fn indicators(&self) -> &[Indicator] {
        &self.indicators.entries
    }

    /// The Sigma filters, which are no rules themselves.
    pub fn filters(&self) -> &[FilterInfo] {
        &self.filters
    }

    /// The correlation rules, which are about what other rules match and are not evaluated on events ([`crate::correlation::Correlator`]).
    pub fn correlations(&self) -> &[Arc<Correlation>] {
        &self.correlations
    }

    /// The id of the Sigma rule or correlation that goes by this id or short name.
    pub fn find_referenced(&self, reference: &str) -> Option<&str> {
        let by_id = || {
            self.sigma_by_id
                .get_key_value(reference)
                .map(|(id, _)| id.as_str())
        };
        let of_correlation = || {
            let mut ids = self
                .correlations
                .iter()
                .map(|correlation| correlation.info.id.as_str());
            ids.find(|id| *id == reference)
        };
        by_id()
            .or_else(of_correlation)
            .or_else(|| self.names.get(reference).map(String::as_str))
    }

    /// How much of the limits the rules take.
    pub fn weight(&self) -> Weight {
        self.weight
    }

    /// Leaves out what the rules with these ids match; ids that no rule has do nothing.
    pub fn switch_off(&mut self, ids: impl IntoIterator<Item = String>) {
        self.switched_off.extend(ids);
    }

    /// The limits of a YARA scan.
    pub fn scan_limits(&self) -> ScanLimits {
        self.scan_limits
    }

    /// Changes the limits of YARA scans.
    pub fn set_scan_limits(&mut self, limits: ScanLimits) {
        self.scan_limits = limits;
    }

    fn is_on(&self, found: &Match) -> bool {
        !self.switched_off.contains(&found.rule.id)
    }

    fn keep(&self, mut matches: Vec<Match>) -> Vec<Match> {
        if !self.switched_off.is_empty() {
            matches.retain(|found| self.is_on(found));
        }
        matches
    }
}

#[derive(Default)]
struct Compiler {
    infos: Vec<Arc<RuleInfo>>,
    parsed: Vec<ParsedRule>,
    filters: Vec<ParsedFilter>,
    correlations: Vec<ParsedCorrelation>,
    names: HashMap<String, String>,
    /// The source that each id came from.
    ids: HashMap<String, String>,
    sigma: SigmaBuilder,
    indicators: IndicatorSet,
    diagnostics: Vec<Diagnostic>,
}

impl Compiler {
    fn add_sigma(&mut self, source: &RuleSource, placeholders: &Placeholders) {
        let found = sigma::parse_source(source, placeholders);
        self.diagnostics.extend(found.diagnostics);
        self.parsed.extend(found.rules);
        self.filters.extend(found.filters);
        self.correlations.extend(found.correlations);
    }

    /// Filters come from any source, so that they meet the rules once all are read.
    fn take_in_sigma(&mut self) {
        let mut rules = std::mem::take(&mut self.parsed);
        self.diagnostics
            .extend(sigma::apply_filters(&self.filters, &mut rules));
        for rule in rules {
            let (info, name) = (rule.info.clone(), rule.name.clone());
            let added = claim_id(&mut self.ids, &info).and_then(|()| self.sigma.add(rule));
            match added {
                Ok(()) => self.note_name(name, &info.id),
                Err(problem) => self.diagnostics.push(problem.into_diagnostic(
                    RuleKind::Sigma,
                    &info.source,
                    Some(info.id),
                )),
            }
        }
    }

    fn note_name(&mut self, name: Option<String>, id: &str) {
        if let Some(name) = name {
            self.names.entry(name).or_insert_with(|| id.to_owned());
        }
    }

    /// The correlations whose ids are theirs. Called once the rules that they are about have been taken in.
    fn take_in_correlations(&mut self) -> Vec<Arc<Correlation>> {
        let mut taken = Vec::new();
        for parsed in std::mem::take(&mut self.correlations) {
            let info = parsed.correlation.info.clone();
            match claim_id(&mut self.ids, &info) {
                Ok(()) => {
                    self.note_name(parsed.correlation.name.clone(), &info.id);
                    taken.push((Arc::new(parsed.correlation), parsed.line));
                }
                Err(problem) => self.diagnostics.push(problem.into_diagnostic(
                    RuleKind::Sigma,
                    &info.source,
                    Some(info.id.clone()),
                )),
            }
        }
        for (correlation, line) in &taken {
            for reference in &correlation.rules {
                if !self.ids.contains_key(reference) && !self.names.contains_key(reference) {
                    let detail = format!(
                        "`{}` is neither id nor name of a rule here",
                        shorten(reference, 80)
                    );
                    let problem = Problem::new(Code::CorrelationWithoutRule, detail).at(Some(*line));
                    let info = &correlation.info;
                    self.diagnostics.push(problem.into_diagnostic(
                        RuleKind::Sigma,
                        &info.source,
                        Some(info.id.clone()),
                    ));
                }
            }
        }
        taken.into_iter().map(|(correlation, _)| correlation).collect()
    }

    fn finish(mut self, yara_sources: &[&RuleSource]) -> (RuleSet, Vec<Diagnostic>) {
        self.take_in_sigma();
        let correlations = self.take_in_correlations();
        let (literal_bytes, regexes) = self.sigma.weight();
        let weight = Weight {
            literal_bytes,
            regexes,
            yara_positions: yara_sources
                .iter()
                .map(|source| yara::count_positions(&source.text))
                .fold(0, u64::saturating_add),
            indicators: self.indicators.entries.len(),
        };
        let filters = self.filters.iter().map(|filter| FilterInfo {
            id: filter.id.clone(),
            title: filter.title().to_owned(),
        });
        let filters = filters.collect();
        let sigma = self.sigma.build();
        let sigma_by_id = sigma
            .rules
            .iter()
            .enumerate()
            .map(|(number, rule)| (rule.info.id.clone(), number))
            .collect();
        self.infos
            .extend(sigma.rules.iter().map(|rule| rule.info.clone()));
        let (infos, ids) = (&mut self.infos, &mut self.ids);
        let yara = YaraSet::compile(yara_sources, &mut self.diagnostics, &mut |info| {
            claim_id(ids, info)?;
            infos.push(info.clone());
            Ok(())
        });
        let scan_limits = ScanLimits::default();
        let rules = RuleSet {
            infos: self.infos,
            sigma,
            sigma_by_id,
            yara,
            indicators: self.indicators,
            filters,
            correlations,
            names: self.names,
            weight,
            switched_off: HashSet::new(),
            scan_limits,
        };
        (rules, self.diagnostics)
    }
}

fn claim_id(ids: &mut HashMap<String, String>, info: &RuleInfo) -> Result<(), Problem> {
    if let Some(other) = ids.get(&info.id) {
        let detail = format!(
            "the id `{}` is also that of a rule in {}",
            shorten(&info.id, 80),
            shorten(other, 80)
        );
        return Err(Problem::new(Code::DuplicateId, detail));
    }
    ids.insert(info.id.clone(), info.source.clone());
    Ok(())
}
