//! For each rule a cheap set of atoms of which at least one must hold for the rule to hold.

use crate::sigma::condition::Condition;
use crate::sigma::detection::Expr;
use crate::sigma::predicate::{Atom, Place, Test};
use crate::sigma::set::{AtomId, Rule};

/// How an atom can wake the rules that wait for it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Wake {
    /// Resolved exactly by the literal index.
    Literal,
    /// One of these folded texts has to stand in the value.
    Texts(Vec<String>),
    /// The field has to have a value.
    Presence,
}

impl Wake {
    /// How an atom is woken.
    pub(crate) fn of(atom: &Atom) -> Self {
        match &atom.test {
            Test::Literal { text, .. } if !text.is_empty() => Self::Literal,
            Test::Glob { glob, .. } => match glob.longest_text() {
                Some(text) => Self::Texts(vec![super::pattern::fold(text)]),
                None => Self::Presence,
            },
            Test::Regex(expression) => {
                super::required::required_texts(expression).map_or(Self::Presence, Self::Texts)
            }
            _ => Self::Presence,
        }
    }

    /// A guess at how often the atom wakes its rules, 0–1: what stands in everyday values often, other texts the
    /// seldomer the longer they are.
    fn cost(&self, atom: &Atom) -> f64 {
        match self {
            Self::Literal => {
                let Test::Literal { place, text, .. } = &atom.test else {
                    return 1.0;
                };
                let factor = match place {
                    Place::Whole => 0.4,
                    Place::Start | Place::End => 0.7,
                    Place::Inside => 1.0,
                };
                factor * by_length(text) + everyday_share(*place, text)
            }
            Self::Texts(texts) => texts
                .iter()
                .map(|text| 1.5 * by_length(text) + everyday_share(Place::Inside, text))
                .sum(),
            Self::Presence => 1.0,
        }
    }
}

/// Folded values that many events carry, each with a rough share of them.
const EVERYDAY: &[(&str, f64)] = &[
    ("/usr/bin/bash", 0.2),
    ("/bin/bash", 0.1),
    ("/usr/bin/dash", 0.2),
    ("/bin/sh", 0.1),
    ("/bin/sh -c ", 0.2),
    ("bash -c ", 0.1),
    ("/usr/bin/python3", 0.1),
    ("/usr/bin/perl", 0.05),
    ("/usr/bin/sudo", 0.05),
    ("/usr/bin/systemctl", 0.05),
    ("/usr/bin/curl", 0.02),
    ("/usr/bin/cat", 0.05),
    ("/usr/bin/grep", 0.05),
    ("/usr/bin/sed", 0.05),
    ("/usr/lib/systemd/systemd", 0.2),
    ("/etc/", 0.05),
    ("/tmp/", 0.05),
    ("root", 0.5),
    (r"c:\windows\system32\svchost.exe -k netsvcs -p -s ", 0.1),
    (r"c:\windows\system32\cmd.exe /c ", 0.2),
    (r"c:\windows\system32\cmd.exe", 0.1),
    (
        r"c:\windows\system32\windowspowershell\v1.0\powershell.exe -",
        0.1,
    ),
    (r"c:\windows\system32\windowspowershell\v1.0\powershell.exe", 0.1),
    (r"c:\windows\system32\services.exe", 0.2),
    (r"c:\windows\explorer.exe", 0.2),
    (r"c:\program files\", 0.2),
    (r"nt authority\system", 0.5),
];

fn everyday_share(place: Place, text: &str) -> f64 {
    EVERYDAY
        .iter()
        .filter(|(value, _)| place.holds(value, text))
        .map(|(_, share)| share)
        .sum()
}

fn by_length(text: &str) -> f64 {
    f64::from(u32::try_from(text.len().clamp(1, 1000)).unwrap_or(1000)).powi(-2)
}

/// The cheapest such set that the rule's shape allows; none when the rule can hold although every atom is
/// false.
pub(crate) fn choose(rule: &Rule, atoms: &[Atom], wakes: &[Wake]) -> Option<Vec<AtomId>> {
    let cost = |id: AtomId| wakes[id as usize].cost(&atoms[id as usize]);
    of_condition(&rule.condition, false, rule, &cost).map(|set| set.atoms)
}

struct Set {
    cost: f64,
    atoms: Vec<AtomId>,
}

fn of_condition(
    condition: &Condition,
    negated: bool,
    rule: &Rule,
    cost: &impl Fn(AtomId) -> f64,
) -> Option<Set> {
    match condition {
        Condition::Selection(index) => of_expr(&rule.selections[*index].1, negated, cost),
        Condition::Not(inner) => of_condition(inner, !negated, rule, cost),
        Condition::All(parts) | Condition::Any(parts) => {
            let sets = parts.iter().map(|part| of_condition(part, negated, rule, cost));
            combine(sets, matches!(condition, Condition::All(_)) != negated)
        }
    }
}

fn of_expr(expr: &Expr<AtomId>, negated: bool, cost: &impl Fn(AtomId) -> f64) -> Option<Set> {
    match expr {
        Expr::Atom(_) if negated => None,
        Expr::Atom(atom) => Some(Set {
            cost: cost(*atom),
            atoms: vec![*atom],
        }),
        Expr::Not(inner) => of_expr(inner, !negated, cost),
        Expr::All(parts) | Expr::Any(parts) => {
            let sets = parts.iter().map(|part| of_expr(part, negated, cost));
            combine(sets, matches!(expr, Expr::All(_)) != negated)
        }
    }
}

/// When all parts must hold, the cheapest part's set is enough; when any may, every part's set is needed.
fn combine(sets: impl Iterator<Item = Option<Set>>, all: bool) -> Option<Set> {
    if all {
        return sets.flatten().min_by(|a, b| a.cost.total_cmp(&b.cost));
    }
    let mut union = Set {
        cost: 0.0,
        atoms: Vec::new(),
    };
    for set in sets {
        let set = set?;
        union.cost += set.cost;
        union.atoms.extend(set.atoms);
    }
    Some(union)
}
