//! Correlation rules (Sigma correlation rules specification 2.1): what several matches of other rules mean together.
//!
//! A [`Correlator`] says for one event which correlations it counts for, and under which group; [`Correlation::find_episodes`] says for what was
//! counted in a group when the condition held. Both are pure: where the counted is kept, and when it is looked at, is the server's matter.

mod correlator;
mod window;

use std::collections::BTreeMap;
use std::sync::Arc;

use chrono::Duration;
use serde::Serialize;

use crate::rule::RuleInfo;

pub use correlator::{Correlator, Sighting};
pub use window::{Counted, Episode};

/// What a correlation looks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum CorrelationKind {
    /// How many matches there are.
    EventCount,
    /// How many different values a field has.
    ValueCount,
    /// Matches of several rules in any order.
    Temporal,
    /// Matches of several rules in their order.
    TemporalOrdered,
    /// The sum of a field.
    ValueSum,
    /// The mean of a field.
    ValueAvg,
    /// A percentile of a field.
    ValuePercentile,
    /// The median of a field.
    ValueMedian,
}

impl CorrelationKind {
    /// Every kind with the word that rules use.
    pub const ALL: &'static [(&'static str, Self)] = &[
        ("event_count", Self::EventCount),
        ("value_count", Self::ValueCount),
        ("temporal", Self::Temporal),
        ("temporal_ordered", Self::TemporalOrdered),
        ("value_sum", Self::ValueSum),
        ("value_avg", Self::ValueAvg),
        ("value_percentile", Self::ValuePercentile),
        ("value_median", Self::ValueMedian),
    ];

    /// Whether a field is looked at.
    pub fn needs_field(self) -> bool {
        !matches!(self, Self::EventCount | Self::Temporal | Self::TemporalOrdered)
    }

    /// Whether the field has to be a number.
    pub fn needs_number(self) -> bool {
        self.needs_field() && self != Self::ValueCount
    }

    /// Whether the condition is about how many of the rules matched.
    pub fn is_temporal(self) -> bool {
        matches!(self, Self::Temporal | Self::TemporalOrdered)
    }
}

/// How a figure has to compare.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Bound {
    /// The comparison.
    pub operator: Comparison,
    /// With what.
    pub value: f64,
}

/// A comparison, by the word that rules use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Comparison {
    /// Greater.
    Gt,
    /// Greater or equal.
    Gte,
    /// Less.
    Lt,
    /// Less or equal.
    Lte,
    /// Equal.
    Eq,
    /// Different.
    Neq,
}

impl Comparison {
    /// Every comparison with its word and its sign.
    pub const ALL: &'static [(&'static str, Self, &'static str)] = &[
        ("gt", Self::Gt, ">"),
        ("gte", Self::Gte, "≥"),
        ("lt", Self::Lt, "<"),
        ("lte", Self::Lte, "≤"),
        ("eq", Self::Eq, "="),
        ("neq", Self::Neq, "≠"),
    ];

    fn sign(self) -> &'static str {
        Self::ALL
            .iter()
            .find(|(_, known, _)| *known == self)
            .map_or("", |(_, _, sign)| sign)
    }
}

impl Bound {
    #[expect(clippy::float_cmp, reason = "authors compare counts for equality")]
    fn holds(self, figure: f64) -> bool {
        match self.operator {
            Comparison::Gt => figure > self.value,
            Comparison::Gte => figure >= self.value,
            Comparison::Lt => figure < self.value,
            Comparison::Lte => figure <= self.value,
            Comparison::Eq => figure == self.value,
            Comparison::Neq => figure != self.value,
        }
    }
}

/// A correlation rule.
#[derive(Debug, Clone, PartialEq)]
pub struct Correlation {
    /// The rule, apart from what it correlates.
    pub info: Arc<RuleInfo>,
    /// The short name by which others refer to it.
    pub name: Option<String>,
    /// What it looks for.
    pub kind: CorrelationKind,
    /// The rules that are correlated, by id or name, as the author wrote them.
    pub rules: Vec<String>,
    /// Fields whose values keep matches apart.
    pub group_by: Vec<String>,
    /// For each alias the field that it stands for in the matches of a rule, by the rule's id or name.
    pub aliases: BTreeMap<String, BTreeMap<String, String>>,
    /// The time in which everything has to happen.
    pub timespan: Duration,
    /// How the figure has to compare; all of it has to hold.
    pub condition: Vec<Bound>,
    /// The fields that are looked at together, for the kinds that look at one.
    pub fields: Vec<String>,
    /// Which percentile, 0–100.
    pub percentile: f64,
    /// Whether the rules that are correlated make findings of their own too.
    pub generate: bool,
}

impl Correlation {
    /// Whether a figure satisfies the condition.
    pub fn holds(&self, figure: f64) -> bool {
        self.condition.iter().all(|bound| bound.holds(figure))
    }

    /// Whether what holds once holds whatever else comes, so that nothing has to be waited for. Else a time is judged when it is over.
    pub fn is_immediate(&self) -> bool {
        let only_grows = matches!(
            self.kind,
            CorrelationKind::EventCount
                | CorrelationKind::ValueCount
                | CorrelationKind::ValueSum
                | CorrelationKind::Temporal
                | CorrelationKind::TemporalOrdered
        );
        only_grows
            && self
                .condition
                .iter()
                .all(|bound| matches!(bound.operator, Comparison::Gt | Comparison::Gte))
    }

    /// The field that `name` stands for in the matches of the rule at `position`.
    fn resolve<'a>(&'a self, name: &'a str, position: usize, rule_id: &str) -> &'a str {
        let by_rule = self.aliases.get(name);
        let named = |rules: &'a BTreeMap<String, String>| {
            self.rules
                .get(position)
                .and_then(|reference| rules.get(reference))
                .or_else(|| rules.get(rule_id))
        };
        by_rule.and_then(named).map_or(name, String::as_str)
    }

    /// Why there is a finding, for people: what was counted, in which group, against what.
    pub fn explain(&self, group: &[String], figure: f64) -> String {
        let figure = tidy(figure);
        let field = self.fields.join(", ");
        let what = match self.kind {
            CorrelationKind::EventCount => format!("{figure} matches"),
            CorrelationKind::ValueCount => format!("{figure} different values of {field}"),
            CorrelationKind::Temporal => format!("{figure} of {} rules matched", self.rules.len()),
            CorrelationKind::TemporalOrdered => {
                format!("{} rules matched one after the other", self.rules.len())
            }
            CorrelationKind::ValueSum => format!("{field} came to {figure} in all"),
            CorrelationKind::ValueAvg => format!("{field} was {figure} on average"),
            CorrelationKind::ValuePercentile => {
                format!("the percentile {} of {field} was {figure}", tidy(self.percentile))
            }
            CorrelationKind::ValueMedian => format!("the median of {field} was {figure}"),
        };
        let group: Vec<String> = self
            .group_by
            .iter()
            .zip(group)
            .map(|(field, value)| format!("{field} {value}"))
            .collect();
        let group = if group.is_empty() {
            String::new()
        } else {
            format!(" for {}", group.join(", "))
        };
        format!(
            "Within {}, {what}{group}; looked for was {}.",
            self.timespan_text(),
            self.condition_text()
        )
    }

    /// The condition with its signs, such as `≥ 10`.
    pub fn condition_text(&self) -> String {
        let bounds: Vec<String> = self
            .condition
            .iter()
            .map(|bound| format!("{} {}", bound.operator.sign(), tidy(bound.value)))
            .collect();
        bounds.join(" and ")
    }

    /// The time as the author may have written it, such as `90m`.
    pub fn timespan_text(&self) -> String {
        let seconds = self.timespan.num_seconds();
        let units = [(86_400, 'd'), (3_600, 'h'), (60, 'm')];
        let unit = units.iter().find(|(length, _)| seconds % length == 0);
        unit.map_or_else(
            || format!("{seconds}s"),
            |(length, letter)| format!("{}{letter}", seconds / length),
        )
    }
}

/// A figure without needless decimals.
fn tidy(figure: f64) -> String {
    let text = format!("{figure:.2}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}
