//! How much a YARA file would cost to compile. boreal bounds each expression, but not their number.

use boreal_parser::file::YaraFileComponent;
use boreal_parser::hex_string::Token;
use boreal_parser::regex::{Node, RepetitionKind, RepetitionRange};
use boreal_parser::rule::{VariableDeclaration, VariableDeclarationValue};

use crate::diagnostic::{Code, Problem};
use crate::limits::{MAX_YARA_CONDITION_REPEATS, MAX_YARA_POSITIONS};

/// What is too much in this file, if anything. A file that cannot be parsed is left to the compiler to complain about.
pub(super) fn find_excess(text: &str) -> Option<Problem> {
    let file = boreal_parser::parse(text).ok()?;
    let (mut positions, mut repeats) = (0_u64, 0_u64);
    for component in &file.components {
        let YaraFileComponent::Rule(rule) = component else {
            continue;
        };
        positions = rule
            .variables
            .iter()
            .map(weigh_string)
            .fold(positions, u64::saturating_add);
        let condition = text.get(rule.condition.span.clone()).unwrap_or_default();
        repeats = repeats.saturating_add(sum_of_repeats(condition));
        let line = || u32::try_from(text.get(..rule.name_span.start)?.matches('\n').count() + 1).ok();
        if positions > MAX_YARA_POSITIONS {
            let detail = format!(
                "the strings up to the rule `{}` have more than {MAX_YARA_POSITIONS} positions",
                rule.name
            );
            return Some(Problem::new(Code::RuleTooComplex, detail).at(line()));
        }
        if repeats > MAX_YARA_CONDITION_REPEATS {
            let detail = format!(
                "the expressions in conditions up to the rule `{}` repeat more than {MAX_YARA_CONDITION_REPEATS} times",
                rule.name
            );
            return Some(Problem::new(Code::RuleTooComplex, detail).at(line()));
        }
    }
    None
}

/// Positions of all strings of a file; 0 for one that cannot be parsed.
pub(super) fn count_positions(text: &str) -> u64 {
    let Ok(file) = boreal_parser::parse(text) else {
        return 0;
    };
    let rules = file.components.iter().filter_map(|component| match component {
        YaraFileComponent::Rule(rule) => Some(rule),
        _ => None,
    });
    rules
        .flat_map(|rule| rule.variables.iter().map(weigh_string))
        .fold(0, u64::saturating_add)
}

/// Positions of one string; `wide` doubles them, and both forms may be asked for.
fn weigh_string(string: &VariableDeclaration) -> u64 {
    let positions = match &string.value {
        VariableDeclarationValue::Bytes(bytes) => bytes.len() as u64,
        VariableDeclarationValue::Regex(regex) => weigh_node(&regex.ast),
        VariableDeclarationValue::HexString(tokens) => weigh_tokens(tokens),
    };
    positions.saturating_mul(if string.modifiers.wide { 3 } else { 1 })
}

fn weigh_node(node: &Node) -> u64 {
    match node {
        Node::Alternation(nodes) | Node::Concat(nodes) => {
            nodes.iter().map(weigh_node).fold(1, u64::saturating_add)
        }
        Node::Group(inner) => weigh_node(inner),
        Node::Repetition { node, kind, .. } => {
            let times = match kind {
                RepetitionKind::Range(
                    RepetitionRange::Exactly(n)
                    | RepetitionRange::AtLeast(n)
                    | RepetitionRange::Bounded(_, n),
                ) => u64::from(*n).max(1),
                RepetitionKind::ZeroOrOne | RepetitionKind::ZeroOrMore | RepetitionKind::OneOrMore => 1,
            };
            weigh_node(node).saturating_mul(times)
        }
        Node::Assertion(_) | Node::Class(_) | Node::Dot | Node::Empty | Node::Literal(_) | Node::Char(_) => 1,
    }
}

fn weigh_tokens(tokens: &[Token]) -> u64 {
    let weigh = |token: &Token| match token {
        Token::Jump(jump) => u64::from(jump.to.unwrap_or(jump.from)).max(1),
        Token::Alternatives(lists) => lists
            .iter()
            .map(|list| weigh_tokens(list))
            .fold(0, u64::saturating_add),
        _ => 1,
    };
    tokens.iter().map(weigh).fold(0, u64::saturating_add)
}

/// The numbers that stand in braces, added up.
fn sum_of_repeats(condition: &str) -> u64 {
    let numbers = condition
        .split('{')
        .skip(1)
        .filter_map(|rest| rest.split_once('}'))
        .flat_map(|(range, _)| range.split(','));
    numbers
        .filter_map(|number| number.trim().parse::<u64>().ok())
        .fold(0, u64::saturating_add)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line_of_excess(text: &str) -> Option<u32> {
        find_excess(text).map(|problem| {
            assert_eq!(problem.code, Code::RuleTooComplex);
            problem.line.unwrap()
        })
    }

    #[test]
    fn repetitions_multiply_and_strings_add_up() {
        let rule = |string: &str| format!("rule a {{\n strings:\n  $a = {string}\n condition: $a }}\n");
        assert_eq!(line_of_excess(&rule(r"/ab(\w{100}){100}/")), None);
        assert_eq!(line_of_excess(&rule(r"/ab((\w{100}){100}){101}/")), Some(1));
        assert_eq!(line_of_excess(&rule("{ 01 [0-2000000] 02 }")), Some(1));
        let many: String = (0..200)
            .map(|n| rule(r"/ab(\w{100}){100}/").replace("rule a", &format!("rule a{n}")))
            .collect();
        assert_eq!(line_of_excess(&many), Some(1 + 4 * 99));
    }

    #[test]
    fn expressions_in_conditions_count_too() {
        let rule =
            |number: u32| format!("\nrule a {{ condition: filename matches /(a{{{number}}}){{500}}/ }}");
        assert_eq!(line_of_excess(&rule(500)), None);
        assert_eq!(line_of_excess(&rule(501)), Some(2));
    }
}
