//! The immutable set of Sigma rules and its two evaluations: through the index, and by looking at every rule.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use crate::diagnostic::{Code, Problem};
use crate::event::Event;
use crate::limits::{MAX_LITERAL_BYTES, MAX_REGEXES, MAX_SIGMA_RULES};
use crate::rule::{Match, RuleInfo};
use crate::sigma::condition::Condition;
use crate::sigma::detection::Expr;
use crate::sigma::document::{ParsedRule, RuleLogSource};
use crate::sigma::explain;
use crate::sigma::index::{Index, Scratch};
use crate::sigma::predicate::{Atom, Test};

/// Number of an interned atom.
pub(crate) type AtomId = u32;

/// A rule over interned atoms.
#[derive(Debug)]
pub(crate) struct Rule {
    pub(crate) info: Arc<RuleInfo>,
    /// Position in the set's log sources.
    pub(crate) log_source: usize,
    pub(crate) selections: Vec<(String, Expr<AtomId>)>,
    pub(crate) condition: Condition,
    pub(crate) condition_text: String,
}

impl Rule {
    /// Evaluates the rule over the outcomes of its atoms.
    pub(crate) fn eval(&self, holds: &mut impl FnMut(AtomId) -> bool) -> bool {
        self.condition
            .eval(&mut |index| self.selections[index].1.eval(&mut |atom| holds(*atom)))
    }
}

/// Collects rules and interns their atoms.
#[derive(Debug, Default)]
pub(crate) struct SigmaBuilder {
    rules: Vec<Rule>,
    atoms: Vec<Atom>,
    numbers: HashMap<Atom, AtomId>,
    log_sources: Vec<RuleLogSource>,
    literal_bytes: usize,
    regexes: usize,
}

impl SigmaBuilder {
    /// Adds a rule, unless the set as a whole would grow beyond its limits.
    pub(crate) fn add(&mut self, mut parsed: ParsedRule) -> Result<(), Problem> {
        let (bytes, regexes) = cost(&parsed);
        let full = self.rules.len() >= MAX_SIGMA_RULES
            || self.literal_bytes + bytes > MAX_LITERAL_BYTES
            || self.regexes + regexes > MAX_REGEXES;
        if full {
            return Err(Problem::new(
                Code::TooManyRules,
                format!(
                    "at most {MAX_SIGMA_RULES} rules with {MAX_LITERAL_BYTES} bytes of texts and {MAX_REGEXES} expressions"
                ),
            ));
        }
        self.literal_bytes += bytes;
        self.regexes += regexes;
        let log_source = self
            .log_sources
            .iter()
            .position(|known| *known == parsed.log_source)
            .unwrap_or_else(|| {
                self.log_sources.push(parsed.log_source.clone());
                self.log_sources.len() - 1
            });
        let mut costs = Vec::with_capacity(parsed.selections.len());
        for (_, expr) in &mut parsed.selections {
            expr.put_cheap_first(&Atom::cost);
            costs.push(expr.cost(&Atom::cost));
        }
        parsed.condition.put_cheap_first(&costs);
        let selections = parsed
            .selections
            .into_iter()
            .map(|(name, expr)| (name, expr.map(&mut |atom| self.intern(atom))));
        let selections = selections.collect();
        self.rules.push(Rule {
            info: Arc::new(parsed.info.bounded()),
            log_source,
            selections,
            condition: parsed.condition,
            condition_text: parsed.condition_text,
        });
        Ok(())
    }

    /// How much of the limits the rules take.
    pub(crate) fn weight(&self) -> (usize, usize) {
        (self.literal_bytes, self.regexes)
    }

    /// Builds the index. The set never changes afterwards.
    pub(crate) fn build(self) -> SigmaSet {
        let index = Index::build(&self.rules, &self.atoms, self.log_sources);
        SigmaSet {
            rules: self.rules,
            atoms: self.atoms,
            index,
            idle: Mutex::new(Vec::new()),
        }
    }

    fn intern(&mut self, atom: Atom) -> AtomId {
        if let Some(number) = self.numbers.get(&atom) {
            return *number;
        }
        // The limit on patterns and rules keeps the number of atoms far below u32::MAX.
        let number = AtomId::try_from(self.atoms.len()).unwrap_or(AtomId::MAX);
        self.atoms.push(atom.clone());
        self.numbers.insert(atom, number);
        number
    }
}

fn cost(rule: &ParsedRule) -> (usize, usize) {
    let (mut bytes, mut regexes) = (0, 0);
    for (_, expr) in &rule.selections {
        expr.visit(false, &mut |atom: &Atom, _| match &atom.test {
            Test::Literal { text, .. } => bytes += text.len(),
            Test::Glob { glob, .. } => bytes += glob.longest_text().map_or(0, str::len),
            Test::Regex(expression) => regexes += expression.units,
            _ => {}
        });
    }
    (bytes, regexes)
}

/// The rules with their index.
#[derive(Debug)]
pub(crate) struct SigmaSet {
    pub(crate) rules: Vec<Rule>,
    pub(crate) atoms: Vec<Atom>,
    pub(crate) index: Index,
    /// Working memory of evaluations that have ended, so that the next one need not allocate.
    idle: Mutex<Vec<Scratch>>,
}

impl SigmaSet {
    /// The rules that match, in the order of the set.
    pub(crate) fn evaluate(&self, event: &Event<'_>) -> Vec<Match> {
        let mut scratch = self.take_scratch();
        self.index.evaluate(&self.rules, &self.atoms, event, &mut scratch);
        let matched = scratch.matched.iter().map(|number| &self.rules[*number as usize]);
        let matches = matched.map(|rule| explain::to_match(self, rule, event)).collect();
        scratch.release_excess();
        self.idle
            .lock()
            .unwrap_or_else(|poisoned| poisoned.into_inner())
            .push(scratch);
        matches
    }

    /// The same as [`Self::evaluate`] says, found by asking every atom of every rule directly.
    pub(crate) fn evaluate_full_scan(&self, event: &Event<'_>) -> Vec<Match> {
        let applies = |rule: &&Rule| self.index.log_sources[rule.log_source].applies_to(&event.log_source());
        let holds = |rule: &&Rule| rule.eval(&mut |atom| self.atoms[atom as usize].eval(event));
        let matching = self.rules.iter().filter(applies).filter(holds);
        matching
            .map(|rule| explain::to_match(self, rule, event))
            .collect()
    }

    fn take_scratch(&self) -> Scratch {
        let idle = self
            .idle
            .lock()
            .unwrap_or_else(|poisoned| poisoned.into_inner())
            .pop();
        idle.unwrap_or_else(|| Scratch::new(&self.index, self.rules.len(), self.atoms.len()))
    }
}
