//! Which correlations an event counts for.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use super::{Correlation, CorrelationKind};
use crate::diagnostic::{Diagnostic, shorten};
use crate::event::{Event, Value};
use crate::rule::RuleInfo;
use crate::ruleset::{RuleSet, compile_with};
use crate::sigma::{Head, survey};
use crate::{Placeholders, RuleSource};

/// Characters of a value that keeps groups apart or is counted.
const MAX_VALUE_CHARS: usize = 256;

/// The correlations in force, with the rules that they are about.
#[derive(Debug)]
pub struct Correlator {
    rules: RuleSet,
    correlations: Vec<Arc<Correlation>>,
    /// By the id of a rule or correlation: which correlations it is for, and at which position there.
    uses: HashMap<String, Vec<(usize, usize)>>,
    silent: Vec<String>,
}

/// An event, or an episode of another correlation, counts in a group of a correlation.
#[derive(Debug, Clone, PartialEq)]
pub struct Sighting {
    /// The correlation.
    pub correlation: Arc<Correlation>,
    /// Which of its rules matched.
    pub position: usize,
    /// The rule that matched.
    pub rule: Arc<RuleInfo>,
    /// The values of the fields that keep groups apart, in the order of `group_by`.
    pub group: Vec<String>,
    /// What the field was, for the kinds that look at one.
    pub value: Option<String>,
}

impl Correlator {
    /// Compiles the correlations of `pack` and of `own`, which may refer to the pack's rules too; none when there are no correlations. What has an id
    /// among `switched_off` is not in force.
    pub fn compile(
        pack: &[RuleSource],
        own: &[RuleSource],
        switched_off: &HashSet<String>,
    ) -> Option<(Self, Vec<Diagnostic>)> {
        Self::compile_with(pack, own, switched_off, &Placeholders::new())
    }

    /// The same as [`Self::compile`], with values for the placeholders of `expand`.
    pub fn compile_with(
        pack: &[RuleSource],
        own: &[RuleSource],
        switched_off: &HashSet<String>,
        placeholders: &Placeholders,
    ) -> Option<(Self, Vec<Diagnostic>)> {
        let all = pack.iter().chain(own);
        if !all.clone().any(|source| source.text.contains("correlation")) {
            return None;
        }
        let mut heads: Vec<(usize, Head)> = all
            .clone()
            .enumerate()
            .flat_map(|(number, source)| survey(source).into_iter().map(move |head| (number, head)))
            .collect();
        if !heads.iter().any(|(_, head)| head.correlates.is_some()) {
            return None;
        }
        let wanted = wanted(&heads);
        let needed: HashSet<usize> = heads
            .iter()
            .filter(|(_, head)| {
                head.is_filter || head.correlates.is_some() || wanted.contains(head.id.as_str())
            })
            .map(|(number, _)| *number)
            .collect();
        let sources: Vec<RuleSource> = all
            .enumerate()
            .filter(|(number, _)| needed.contains(number))
            .map(|(_, source)| source.clone())
            .collect();
        let (mut rules, diagnostics) = compile_with(&sources, placeholders);
        // One that was refused correlates nothing, and takes no rule away.
        let is_sound = |head: &Head| rules.correlations().iter().any(|found| found.info.id == head.id);
        for (_, head) in heads.iter_mut().filter(|(_, head)| !is_sound(head)) {
            head.correlates = None;
        }
        let silent = silent(&heads, pack.len());
        rules.switch_off(switched_off.iter().cloned());
        let is_on = |correlation: &&Arc<Correlation>| !switched_off.contains(&correlation.info.id);
        let correlations: Vec<_> = rules.correlations().iter().filter(is_on).cloned().collect();
        let mut uses: HashMap<String, Vec<(usize, usize)>> = HashMap::new();
        for (number, correlation) in correlations.iter().enumerate() {
            for (position, reference) in correlation.rules.iter().enumerate() {
                if let Some(id) = rules.find_referenced(reference) {
                    uses.entry(id.to_owned()).or_default().push((number, position));
                }
            }
        }
        let correlator = Self {
            rules,
            correlations,
            uses,
            silent,
        };
        Some((correlator, diagnostics))
    }

    /// The correlations in force.
    pub fn correlations(&self) -> &[Arc<Correlation>] {
        &self.correlations
    }

    /// The correlation with this id.
    pub fn find(&self, rule_id: &str) -> Option<&Arc<Correlation>> {
        self.correlations
            .iter()
            .find(|correlation| correlation.info.id == rule_id)
    }

    /// The rules that are there to be correlated only, and make no findings of their own.
    pub fn silent(&self) -> &[String] {
        &self.silent
    }

    /// What an event counts for. An event without one of the fields that keep groups apart counts for nothing there, nor does one without the value
    /// that is looked at.
    pub fn sight(&self, event: &Event<'_>) -> Vec<Sighting> {
        let mut sightings = Vec::new();
        for found in self.rules.evaluate(event) {
            let field = |name: &str| event.find(name).map(Value::as_text).map(|text| text.into_owned());
            self.collect(&found.rule, &field, &mut sightings);
        }
        sightings
    }

    /// What an episode of a correlation counts for, whose only fields are those of its group.
    pub fn sight_episode(&self, of: &Correlation, group: &[String]) -> Vec<Sighting> {
        let field = |name: &str| {
            let place = of.group_by.iter().position(|known| known == name)?;
            group.get(place).cloned()
        };
        let mut sightings = Vec::new();
        self.collect(&of.info, &field, &mut sightings);
        sightings
    }

    fn collect(
        &self,
        rule: &Arc<RuleInfo>,
        field: &dyn Fn(&str) -> Option<String>,
        sightings: &mut Vec<Sighting>,
    ) {
        let uses = self.uses.get(&rule.id).into_iter().flatten();
        sightings.extend(uses.filter_map(|(number, position)| {
            let correlation = self.correlations.get(*number)?;
            let value_of = |name: &String| {
                field(correlation.resolve(name, *position, &rule.id))
                    .map(|text| shorten(&text, MAX_VALUE_CHARS))
            };
            let group = correlation.group_by.iter().map(value_of).collect::<Option<_>>()?;
            let value = if correlation.kind.needs_field() {
                let values: Vec<String> = correlation.fields.iter().map(value_of).collect::<Option<_>>()?;
                Some(values.join("\u{1f}"))
            } else {
                None
            };
            Some(Sighting {
                correlation: correlation.clone(),
                position: *position,
                rule: rule.clone(),
                group,
                value,
            })
        }));
    }
}

/// The ids of what is correlated.
fn wanted(heads: &[(usize, Head)]) -> HashSet<&str> {
    let references: HashSet<&String> = heads
        .iter()
        .filter_map(|(_, head)| head.correlates.as_ref())
        .flatten()
        .collect();
    heads
        .iter()
        .filter(|(_, head)| references.iter().any(|reference| head.goes_by(reference)))
        .map(|(_, head)| head.id.as_str())
        .collect()
}

/// The rules that correlations of the same owner refer to, none of which has them make findings of their own. A tenant's correlation takes no rule of
/// the pack away.
fn silent(heads: &[(usize, Head)], pack: usize) -> Vec<String> {
    let is_of_pack = |number: usize| number < pack;
    let mut silent: Vec<String> = heads
        .iter()
        .filter(|(number, head)| {
            let mut referring = heads.iter().filter(|(other, correlation)| {
                is_of_pack(*other) == is_of_pack(*number)
                    && correlation
                        .correlates
                        .iter()
                        .flatten()
                        .any(|reference| head.goes_by(reference))
            });
            let mut any = false;
            let all_silent = referring.all(|(_, correlation)| {
                any = true;
                !correlation.generates
            });
            any && all_silent
        })
        .map(|(_, head)| head.id.clone())
        .collect();
    silent.sort();
    silent.dedup();
    silent
}

impl CorrelationKind {
    /// The word that rules use.
    pub fn as_str(self) -> &'static str {
        Self::ALL
            .iter()
            .find(|(_, known)| *known == self)
            .map_or("", |(word, _)| word)
    }
}
