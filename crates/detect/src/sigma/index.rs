//! The index: one automaton per field finds every literal of every rule in one pass over the value, and the
//! literals that are there wake the rules that wait for them. Everything here may wake a rule too many, never
//! one too few.

use std::collections::HashMap;
use std::fmt::Write as _;

use daachorse::DoubleArrayAhoCorasick;

use crate::event::{Event, FIELD_COUNT, Field, LogSource, Value};
use crate::sigma::document::RuleLogSource;
use crate::sigma::pattern::fold_into;
use crate::sigma::predicate::{Atom, FieldKey, Place, Test};
use crate::sigma::set::{AtomId, Rule};
use crate::sigma::witness::{Wake, choose};

/// What the scan of a value can find.
#[derive(Debug, Clone, Copy)]
enum Hit {
    /// The atom holds when the text stands at this place.
    Holds(AtomId, Place),
    /// The atom may hold.
    Wakes(AtomId),
}

/// The texts that rules look for in one field, and what each means.
struct Texts {
    automaton: DoubleArrayAhoCorasick<u32>,
    hits: Lists<Hit>,
}

/// Many short lists in one piece of memory.
#[derive(Debug, Default)]
struct Lists<T> {
    /// Where each list begins; one more than there are lists.
    starts: Box<[u32]>,
    items: Box<[T]>,
}

impl<T> Lists<T> {
    fn new(lists: impl IntoIterator<Item = Vec<T>>) -> Self {
        let (mut starts, mut items) = (vec![0], Vec::new());
        for list in lists {
            items.extend(list);
            // The limits on rules and patterns keep the number far below.
            starts.push(u32::try_from(items.len()).unwrap_or(u32::MAX));
        }
        Self {
            starts: starts.into(),
            items: items.into(),
        }
    }

    fn get(&self, number: u32) -> &[T] {
        let number = number as usize;
        &self.items[self.starts[number] as usize..self.starts[number + 1] as usize]
    }

    fn len(&self) -> usize {
        self.starts.len().saturating_sub(1)
    }
}

impl std::fmt::Debug for Texts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Texts")
            .field("texts", &self.hits.len())
            .finish_non_exhaustive()
    }
}

/// Everything that rules ask of one field.
#[derive(Debug, Default)]
struct FieldIndex {
    folded: Option<Texts>,
    cased: Option<Texts>,
    /// Atoms that may hold as soon as the field has a value.
    presence: Vec<AtomId>,
}

/// The number of a field that no rule asks about.
const UNUSED: u32 = u32::MAX;

/// The index over one set of rules.
#[derive(Debug)]
pub(crate) struct Index {
    pub(crate) log_sources: Vec<RuleLogSource>,
    fields: Vec<FieldIndex>,
    known: [u32; FIELD_COUNT],
    named: HashMap<Box<str>, u32>,
    keyword: Option<FieldIndex>,
    /// Whether an atom's outcome is known after the scan; the others are evaluated when asked for.
    resolved: Vec<bool>,
    /// The field number of each atom; [`UNUSED`] for keywords.
    atom_fields: Vec<u32>,
    /// Rules that each atom wakes.
    wakes: Lists<u32>,
    /// Rules without a witness, which are evaluated on every event of their log source.
    always: Vec<u32>,
}

impl Index {
    pub(crate) fn build(rules: &[Rule], atoms: &[Atom], log_sources: Vec<RuleLogSource>) -> Self {
        let mut builder = Builder::default();
        let mut ways: Vec<Wake> = atoms.iter().map(Wake::of).collect();
        let mut atom_fields = Vec::with_capacity(atoms.len());
        for (number, atom) in (0..).zip(atoms) {
            atom_fields.push(builder.add(number, atom, &ways[number as usize]));
        }
        let mut index = builder.finish(log_sources, atom_fields, &mut ways);
        index.resolved = ways.iter().map(|way| *way == Wake::Literal).collect();
        let mut wakes = vec![Vec::new(); atoms.len()];
        for (number, rule) in (0_u32..).zip(rules) {
            match choose(rule, atoms, &ways) {
                Some(mut witness) => {
                    witness.sort_unstable();
                    witness.dedup();
                    witness.iter().for_each(|atom| wakes[*atom as usize].push(number));
                }
                None => index.always.push(number),
            }
        }
        index.wakes = Lists::new(wakes);
        for field in index.fields.iter_mut().chain(index.keyword.as_mut()) {
            field.presence.retain(|atom| !index.wakes.get(*atom).is_empty());
        }
        index
    }

    /// Leaves the numbers of the rules that match in `scratch.matched`, in order.
    pub(crate) fn evaluate(&self, rules: &[Rule], atoms: &[Atom], event: &Event<'_>, scratch: &mut Scratch) {
        scratch.begin(self, &event.log_source());
        for rule in &self.always {
            scratch.wake(*rule, rules);
        }
        for (field, number) in Field::ALL.iter().zip(self.known) {
            if let (true, Some(value)) = (number != UNUSED, event.field(*field)) {
                self.scan_field(number, value, rules, scratch);
            }
        }
        for (name, value) in event.named() {
            if let Some(number) = self.named.get(name.as_ref()) {
                self.scan_field(*number, value, rules, scratch);
            }
        }
        if let Some(keyword) = &self.keyword {
            for (_, value) in event.values() {
                let mut folded = std::mem::take(&mut scratch.keyword_folded);
                let raw = forms(value, &mut folded);
                self.scan_value(keyword, raw.unwrap_or(&folded), &folded, rules, scratch);
                scratch.keyword_folded = folded;
            }
        }
        let candidates = std::mem::take(&mut scratch.candidates);
        for rule in &candidates {
            if rules[*rule as usize].eval(&mut |atom| self.holds(atom, atoms, event, scratch)) {
                scratch.matched.push(*rule);
            }
        }
        scratch.candidates = candidates;
        scratch.matched.sort_unstable();
    }

    fn scan_field(&self, number: u32, value: &Value<'_>, rules: &[Rule], scratch: &mut Scratch) {
        let mut folded = std::mem::take(&mut scratch.folded[number as usize]);
        let raw = forms(value, &mut folded);
        self.scan_value(
            &self.fields[number as usize],
            raw.unwrap_or(&folded),
            &folded,
            rules,
            scratch,
        );
        scratch.folded[number as usize] = folded;
    }

    fn scan_value(&self, field: &FieldIndex, raw: &str, folded: &str, rules: &[Rule], scratch: &mut Scratch) {
        for atom in &field.presence {
            self.wake_rules_of(*atom, rules, scratch);
        }
        for (texts, value) in [(&field.folded, folded), (&field.cased, raw)] {
            let Some(texts) = texts else { continue };
            for found in texts.automaton.find_overlapping_iter(value) {
                for hit in texts.hits.get(found.value()) {
                    match *hit {
                        Hit::Holds(atom, place) if stands(place, found.start(), found.end(), value.len()) => {
                            if scratch.set_true(atom) {
                                self.wake_rules_of(atom, rules, scratch);
                            }
                        }
                        Hit::Holds(..) => {}
                        Hit::Wakes(atom) => self.wake_rules_of(atom, rules, scratch),
                    }
                }
            }
        }
    }

    fn wake_rules_of(&self, atom: AtomId, rules: &[Rule], scratch: &mut Scratch) {
        for rule in self.wakes.get(atom) {
            scratch.wake(*rule, rules);
        }
    }

    /// The outcome of an atom, evaluated at most once per event.
    fn holds(&self, atom: AtomId, atoms: &[Atom], event: &Event<'_>, scratch: &mut Scratch) -> bool {
        let slot = atom as usize;
        if self.resolved[slot] {
            return scratch.outcomes[slot] == scratch.epoch << 1 | 1;
        }
        if scratch.outcomes[slot] >> 1 == scratch.epoch {
            return scratch.outcomes[slot] & 1 == 1;
        }
        let Atom { field, test } = &atoms[slot];
        let outcome = match field {
            FieldKey::Keyword => event.values().any(|(_, value)| {
                let raw = forms(value, &mut scratch.keyword_folded);
                test.is_match(
                    raw.unwrap_or(&scratch.keyword_folded),
                    &scratch.keyword_folded,
                    event,
                )
            }),
            _ => field.find(event).is_some_and(|value| {
                let folded = scratch.folded[self.atom_fields[slot] as usize].as_str();
                let raw = if let Value::Text(text) = value {
                    text
                } else {
                    folded
                };
                test.is_match(raw, folded, event)
            }),
        };
        scratch.outcomes[slot] = scratch.epoch << 1 | u32::from(outcome);
        outcome
    }
}

/// Fills the folded form and returns the raw one; none when both are the same.
fn forms<'v>(value: &'v Value<'_>, folded: &mut String) -> Option<&'v str> {
    match value {
        Value::Text(text) => {
            fold_into(text, folded);
            Some(text)
        }
        Value::Int(number) => {
            folded.clear();
            // Writing to a String cannot fail.
            let _ = write!(folded, "{number}");
            None
        }
    }
}

fn stands(place: Place, start: usize, end: usize, len: usize) -> bool {
    match place {
        Place::Whole => start == 0 && end == len,
        Place::Start => start == 0,
        Place::End => end == len,
        Place::Inside => true,
    }
}

/// Bytes of a value's buffer that are kept for the next event.
const MAX_KEPT_BYTES: usize = 64 * 1024;

/// Working memory of one evaluation. Marks carry the number of the evaluation, so that nothing has to be
/// cleared between two.
#[derive(Debug)]
pub(crate) struct Scratch {
    epoch: u32,
    /// Per atom: epoch and outcome.
    outcomes: Vec<u32>,
    /// Per rule: the epoch in which it was woken.
    woken: Vec<u32>,
    folded: Vec<String>,
    keyword_folded: String,
    candidates: Vec<u32>,
    pub(crate) matched: Vec<u32>,
    /// The log source that `applies` was computed for.
    log_source: Option<[Option<String>; 3]>,
    applies: Vec<bool>,
}

impl Scratch {
    pub(crate) fn new(index: &Index, rules: usize, atoms: usize) -> Self {
        Self {
            epoch: 0,
            outcomes: vec![0; atoms],
            woken: vec![0; rules],
            folded: vec![String::new(); index.fields.len()],
            keyword_folded: String::new(),
            candidates: Vec::new(),
            matched: Vec::new(),
            log_source: None,
            applies: vec![false; index.log_sources.len()],
        }
    }

    /// Gives back the memory that an unusually long value took.
    pub(crate) fn release_excess(&mut self) {
        for buffer in self.folded.iter_mut().chain([&mut self.keyword_folded]) {
            if buffer.capacity() > MAX_KEPT_BYTES {
                *buffer = String::new();
            }
        }
    }

    fn begin(&mut self, index: &Index, log_source: &LogSource<'_>) {
        self.epoch += 1;
        if self.epoch > u32::MAX >> 1 {
            self.epoch = 1;
            self.outcomes.fill(0);
            self.woken.fill(0);
        }
        self.candidates.clear();
        self.matched.clear();
        let parts = [log_source.product, log_source.category, log_source.service];
        let known = self
            .log_source
            .as_ref()
            .is_some_and(|known| known.each_ref().map(|part| part.as_deref()) == parts);
        if !known {
            self.log_source = Some(parts.map(|part| part.map(str::to_owned)));
            for (applies, rule) in self.applies.iter_mut().zip(&index.log_sources) {
                *applies = rule.applies_to(log_source);
            }
        }
    }

    fn wake(&mut self, rule: u32, rules: &[Rule]) {
        let slot = rule as usize;
        if self.woken[slot] != self.epoch {
            self.woken[slot] = self.epoch;
            if self.applies[rules[slot].log_source] {
                self.candidates.push(rule);
            }
        }
    }

    /// Whether this is news.
    fn set_true(&mut self, atom: AtomId) -> bool {
        let mark = self.epoch << 1 | 1;
        std::mem::replace(&mut self.outcomes[atom as usize], mark) != mark
    }
}

/// Collects what rules ask of each field.
#[derive(Default)]
struct Builder {
    fields: Vec<FieldTexts>,
    numbers: HashMap<FieldKey, u32>,
    keyword: Option<FieldTexts>,
}

#[derive(Default)]
struct FieldTexts {
    folded: HashMap<Box<str>, Vec<Hit>>,
    cased: HashMap<Box<str>, Vec<Hit>>,
    presence: Vec<AtomId>,
}

impl Builder {
    /// Adds an atom and says which field number it has.
    fn add(&mut self, number: AtomId, atom: &Atom, way: &Wake) -> u32 {
        let (field, field_number) = self.field(&atom.field);
        match (way, &atom.test) {
            (Wake::Literal, Test::Literal { place, text, cased }) => {
                let texts = if *cased {
                    &mut field.cased
                } else {
                    &mut field.folded
                };
                texts
                    .entry(text.clone())
                    .or_default()
                    .push(Hit::Holds(number, *place));
            }
            (Wake::Texts(required), _) => {
                for text in required {
                    field
                        .folded
                        .entry(text.as_str().into())
                        .or_default()
                        .push(Hit::Wakes(number));
                }
            }
            _ => field.presence.push(number),
        }
        field_number
    }

    fn field(&mut self, key: &FieldKey) -> (&mut FieldTexts, u32) {
        if *key == FieldKey::Keyword {
            return (self.keyword.get_or_insert_default(), UNUSED);
        }
        let next = u32::try_from(self.fields.len()).unwrap_or(UNUSED);
        let number = *self.numbers.entry(key.clone()).or_insert(next);
        if number == next {
            self.fields.push(FieldTexts::default());
        }
        (&mut self.fields[number as usize], number)
    }

    fn finish(self, log_sources: Vec<RuleLogSource>, atom_fields: Vec<u32>, ways: &mut [Wake]) -> Index {
        let mut known = [UNUSED; FIELD_COUNT];
        let mut named = HashMap::new();
        for (key, number) in self.numbers {
            match key {
                FieldKey::Known(field) => known[field as usize] = number,
                FieldKey::Named(name) => {
                    named.insert(name, number);
                }
                FieldKey::Keyword => {}
            }
        }
        let fields = self.fields.into_iter().map(|texts| texts.build(ways)).collect();
        let keyword = self.keyword.map(|texts| texts.build(ways));
        Index {
            log_sources,
            fields,
            known,
            named,
            keyword,
            resolved: Vec::new(),
            atom_fields,
            wakes: Lists::default(),
            always: Vec::new(),
        }
    }
}

impl FieldTexts {
    fn build(self, ways: &mut [Wake]) -> FieldIndex {
        let mut presence = self.presence;
        let folded = build_texts(self.folded, &mut presence, ways);
        let cased = build_texts(self.cased, &mut presence, ways);
        FieldIndex {
            folded,
            cased,
            presence,
        }
    }
}

/// Builds the automaton. Should that fail, the atoms are woken by presence, which is slower and as right.
fn build_texts(
    texts: HashMap<Box<str>, Vec<Hit>>,
    presence: &mut Vec<AtomId>,
    ways: &mut [Wake],
) -> Option<Texts> {
    if texts.is_empty() {
        return None;
    }
    let mut entries: Vec<_> = texts.into_iter().collect();
    entries.sort_unstable_by(|a, b| a.0.cmp(&b.0));
    match DoubleArrayAhoCorasick::new(entries.iter().map(|(text, _)| text.as_bytes())) {
        Ok(automaton) => Some(Texts {
            automaton,
            hits: Lists::new(entries.into_iter().map(|(_, hits)| hits)),
        }),
        Err(_) => {
            for hit in entries.into_iter().flat_map(|(_, hits)| hits) {
                let (Hit::Holds(atom, _) | Hit::Wakes(atom)) = hit;
                ways[atom as usize] = Wake::Presence;
                presence.push(atom);
            }
            None
        }
    }
}
