//! What a text holds, and whether it can be taken as a rule.

use sg_db::threats::RuleWeight;
use sg_detect::{Code, Diagnostic, Effect, Placeholders, RuleSet, RuleSource, compile_with};
use sg_types::api::rules::RuleDiagnostic;
use sg_types::{FieldError, RuleKind, Severity};
use sha2::{Digest, Sha256};

use super::limits::MAX_TEXT_BYTES;
use crate::error::ApiError;

/// Characters of a rule's id (`threats.rules`, `threats.findings`).
const MAX_ID_CHARS: usize = 200;
/// Characters of the name that stands in for an id.
pub(super) const MAX_NAME_CHARS: usize = 150;
/// Words that stand in the place of an id in paths of the API or the console.
const RESERVED: [&str; 8] = [
    "imports",
    "trials",
    "explanations",
    "validations",
    "new",
    "placeholders",
    ".",
    "..",
];

/// A text that compiles.
#[derive(Debug)]
pub(super) struct Inspected {
    pub(super) rule_id: String,
    pub(super) finding_ids: Vec<String>,
    pub(super) kind: RuleKind,
    pub(super) name: String,
    pub(super) severity: Severity,
    pub(super) description: Option<String>,
    pub(super) tags: Vec<String>,
    pub(super) weight: RuleWeight,
    pub(super) digest: [u8; 32],
    /// Warnings.
    pub(super) diagnostics: Vec<RuleDiagnostic>,
    /// The compiled rule.
    pub(super) rules: RuleSet,
}

/// Why a text is not taken; everything that was said about it.
#[derive(Debug)]
pub(super) struct Refused {
    pub(super) rule_id: Option<String>,
    pub(super) diagnostics: Vec<RuleDiagnostic>,
}

impl Refused {
    fn because(code: &str, message: impl Into<String>) -> Self {
        Self {
            rule_id: None,
            diagnostics: vec![refusal(code, None, message)],
        }
    }
}

impl From<Refused> for ApiError {
    fn from(refused: Refused) -> Self {
        let errors = refused
            .diagnostics
            .into_iter()
            .filter(|diagnostic| diagnostic.effect == Effect::Refused.as_str())
            .map(|diagnostic| FieldError {
                field: "text".to_owned(),
                message: diagnostic.message,
                line: diagnostic.line,
                code: Some(diagnostic.code),
            });
        Self::unprocessable("invalid_body", errors.collect())
    }
}

/// A diagnostic of the server's own.
pub(super) fn refusal(code: &str, line: Option<u32>, message: impl Into<String>) -> RuleDiagnostic {
    RuleDiagnostic {
        code: code.to_owned(),
        effect: Effect::Refused.as_str().to_owned(),
        line,
        message: message.into(),
    }
}

/// Compiles a text. `name` stands in where it names no id. Takes a processor for up to seconds.
pub(super) fn inspect(
    kind: RuleKind,
    name: &str,
    text: &str,
    placeholders: &Placeholders,
) -> Result<Inspected, Refused> {
    check_text(kind, text)?;
    let source = RuleSource {
        kind,
        name: name.to_owned(),
        text: text.to_owned(),
    };
    let (rules, diagnostics) = compile_with(std::slice::from_ref(&source), placeholders);
    let is_fatal =
        |found: &&Diagnostic| found.effect == Effect::Refused && found.code != Code::InvalidIndicator;
    if diagnostics.iter().any(|found| is_fatal(&found)) {
        return Err(Refused {
            rule_id: diagnostics.iter().find_map(|found| found.rule.clone()),
            diagnostics: diagnostics.iter().map(to_view).collect(),
        });
    }
    // A filter or a correlation by itself always lacks the rules that it is about.
    let warnings = diagnostics
        .iter()
        .filter(|found| !matches!(found.code, Code::FilterWithoutRule | Code::CorrelationWithoutRule))
        .map(to_view)
        .collect();
    let described = describe(kind, name, &rules)?;
    check_ids(&described)?;
    let weight = rules.weight();
    let count = |number: usize| i64::try_from(number).unwrap_or(i64::MAX);
    Ok(Inspected {
        weight: RuleWeight {
            rules: 1,
            bytes: count(text.len()),
            literal_bytes: count(weight.literal_bytes),
            regexes: count(weight.regexes),
            yara_positions: i64::try_from(weight.yara_positions).unwrap_or(i64::MAX),
            indicators: count(weight.indicators),
        },
        digest: Sha256::digest(text.as_bytes()).into(),
        rule_id: described.rule_id,
        finding_ids: described.finding_ids,
        kind,
        name: described.name,
        severity: described.severity,
        description: described.description,
        tags: described.tags,
        diagnostics: warnings,
        rules,
    })
}

/// What lists show of a text that is no empty one.
pub(super) fn told(text: &str) -> Option<String> {
    (!text.is_empty()).then(|| text.to_owned())
}

pub(super) fn to_view(found: &Diagnostic) -> RuleDiagnostic {
    RuleDiagnostic {
        code: found.code.as_str().to_owned(),
        effect: found.effect.as_str().to_owned(),
        line: found.line,
        message: found.message.clone(),
    }
}

/// Size, and characters that no rule needs and that would make a package seven times as large.
fn check_text(kind: RuleKind, text: &str) -> Result<(), Refused> {
    if text.len() > MAX_TEXT_BYTES {
        let message = format!(
            "{} bytes; at most {MAX_TEXT_BYTES} are taken; {}.",
            text.len(),
            Code::SourceTooLarge.remedy()
        );
        return Err(Refused::because(Code::SourceTooLarge.as_str(), message));
    }
    let is_foreign = |line: &str| line.chars().any(|c| c.is_control() && !matches!(c, '\t' | '\r'));
    let line = text.split('\n').position(is_foreign);
    let Some(line) = line else {
        return Ok(());
    };
    let code = match kind {
        RuleKind::Sigma => Code::InvalidYaml,
        RuleKind::Yara => Code::InvalidYara,
        RuleKind::Indicator => Code::InvalidIndicatorList,
    };
    Err(Refused {
        rule_id: None,
        diagnostics: vec![refusal(
            code.as_str(),
            u32::try_from(line + 1).ok(),
            format!("a control character; {}.", code.remedy()),
        )],
    })
}

#[derive(Debug)]
struct Described {
    rule_id: String,
    finding_ids: Vec<String>,
    name: String,
    severity: Severity,
    description: Option<String>,
    tags: Vec<String>,
}

fn describe(kind: RuleKind, name: &str, rules: &RuleSet) -> Result<Described, Refused> {
    if kind == RuleKind::Indicator {
        return describe_list(name, rules);
    }
    let correlations = rules.correlations().iter().map(|correlation| &correlation.info);
    let infos: Vec<_> = rules.rules().iter().chain(correlations).collect();
    if kind == RuleKind::Sigma && infos.len() + rules.filters().len() > 1 {
        return Err(Refused::because(
            "R001",
            "the text holds several rules; give each a text of its own.",
        ));
    }
    let Some(first) = infos.first() else {
        let filter = rules
            .filters()
            .first()
            .ok_or_else(|| Refused::because("R002", "the text holds no rule that could match; add one."))?;
        return Ok(Described {
            rule_id: filter.id.clone(),
            finding_ids: vec![filter.id.clone()],
            name: filter.title.clone(),
            severity: Severity::Low,
            description: Some("A filter: it narrows the rules that it names.".to_owned()),
            tags: Vec::new(),
        });
    };
    let more = infos.len() - 1;
    let mut tags: Vec<String> = infos.iter().flat_map(|info| info.tags.clone()).collect();
    tags.sort();
    tags.dedup();
    tags.truncate(50);
    Ok(Described {
        rule_id: first.id.clone(),
        finding_ids: infos.iter().map(|info| info.id.clone()).collect(),
        name: match more {
            0 => first.title.clone(),
            _ => format!("{} and {more} more", first.title),
        },
        severity: infos
            .iter()
            .map(|info| info.severity)
            .max()
            .unwrap_or(first.severity),
        description: told(&first.description),
        tags,
    })
}

fn describe_list(name: &str, rules: &RuleSet) -> Result<Described, Refused> {
    let entries = rules.indicators();
    let severity = entries
        .iter()
        .map(|entry| entry.severity)
        .max()
        .ok_or_else(|| Refused::because("R002", "the list holds no entry that could match; add one."))?;
    Ok(Described {
        rule_id: format!("indicators:{name}"),
        finding_ids: Vec::new(),
        name: name.to_owned(),
        severity,
        description: Some(match entries.len() {
            1 => "1 indicator".to_owned(),
            number => format!("{number} indicators"),
        }),
        tags: Vec::new(),
    })
}

fn check_ids(described: &Described) -> Result<(), Refused> {
    let ids = described.finding_ids.iter().chain([&described.rule_id]);
    for id in ids {
        let is_sound = (1..=MAX_ID_CHARS).contains(&id.chars().count())
            && !RESERVED.contains(&id.as_str())
            && id.trim() == id
            && !id.chars().any(char::is_control);
        if !is_sound {
            let message = format!(
                "an id is 1–{MAX_ID_CHARS} characters and none of {RESERVED:?}; give the rule another one."
            );
            return Err(Refused::because("R003", message));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn inspect(kind: RuleKind, name: &str, text: &str) -> Result<Inspected, Refused> {
        super::inspect(kind, name, text, &Placeholders::new())
    }

    const RULE: &str = "title: Odd\nid: odd\nlevel: high\nlogsource: {product: linux}\ndetection:\n  a:\n    Image|re: 'x+'\n  condition: a\n";

    fn codes(kind: RuleKind, text: &str) -> Vec<(String, Option<u32>)> {
        let refused = inspect(kind, "name", text).unwrap_err();
        refused
            .diagnostics
            .into_iter()
            .map(|found| (found.code, found.line))
            .collect()
    }

    #[test]
    fn each_kind_is_known_by_its_own_id() {
        let rule = inspect(RuleKind::Sigma, "name", RULE).unwrap();
        assert_eq!((rule.rule_id.as_str(), rule.severity), ("odd", Severity::High));
        assert_eq!(rule.weight.regexes, 1);
        let nameless = inspect(RuleKind::Sigma, "a/b.yml", &RULE.replace("id: odd\n", "")).unwrap();
        assert_eq!(nameless.rule_id, "a/b.yml");
        assert_eq!(nameless.diagnostics[0].code, "D051");
        let yara = "rule one { condition: false }\nrule two { meta: id = \"2\" severity = \"critical\" condition: false }";
        let yara = inspect(RuleKind::Yara, "y", yara).unwrap();
        assert_eq!(
            (yara.rule_id.as_str(), yara.name.as_str()),
            ("yara:one", "one and 1 more")
        );
        assert_eq!(yara.finding_ids, ["yara:one", "2"]);
        assert_eq!(yara.severity, Severity::Critical);
        let list = inspect(
            RuleKind::Indicator,
            "bad",
            "value,type\nevil.example,domain\nx,y\n",
        )
        .unwrap();
        assert_eq!(
            (list.rule_id.as_str(), list.weight.indicators),
            ("indicators:bad", 1)
        );
        assert_eq!(list.diagnostics[0].code, "D041", "the other entry is taken");
        let filter = "title: F\nid: f\nlogsource: {product: linux}\nfilter:\n  rules: any\n  a: {User: x}\n  condition: not a\n";
        let filter = inspect(RuleKind::Sigma, "name", filter).unwrap();
        assert_eq!((filter.rule_id.as_str(), filter.diagnostics.len()), ("f", 0));
    }

    #[test]
    fn what_is_no_rule_is_refused_at_its_line() {
        let at = |code: &str, line| vec![(code.to_owned(), line)];
        assert_eq!(
            codes(
                RuleKind::Sigma,
                &format!("{RULE}---\n{}", RULE.replace("id: odd", "id: other"))
            ),
            at("R001", None)
        );
        assert_eq!(
            codes(RuleKind::Sigma, &RULE.replace("condition: a", "condition: b")),
            at("D011", Some(8))
        );
        assert_eq!(
            codes(RuleKind::Yara, "rule a {\n condition: b }"),
            at("D030", Some(2))
        );
        assert_eq!(
            codes(RuleKind::Yara, "private rule a { condition: false }"),
            at("R002", None)
        );
        assert_eq!(codes(RuleKind::Indicator, "value,type\n"), at("R002", None));
        assert_eq!(
            codes(RuleKind::Sigma, &RULE.replace("Odd", "O\u{1}d")),
            at("D002", Some(1))
        );
        assert_eq!(
            codes(RuleKind::Sigma, &RULE.replace("id: odd", "id: trials")),
            at("R003", None)
        );
        assert_eq!(
            codes(RuleKind::Sigma, &RULE.replace("id: odd", "id: '..'")),
            at("R003", None)
        );
        assert_eq!(
            codes(RuleKind::Yara, &" ".repeat(MAX_TEXT_BYTES + 1)),
            at("D001", None)
        );
    }
}
