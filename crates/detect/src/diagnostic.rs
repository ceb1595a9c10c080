//! What is said about a rule that cannot be used, or only with care.

use serde::Serialize;
use sg_types::RuleKind;

/// Declares [`Code`] with its number, its effect and what to do about it, so that the table in
/// `docs/detection.md` has one source.
macro_rules! codes {
    ($($variant:ident = $code:literal, $effect:ident, $meaning:literal, $remedy:literal;)+) => {
        /// The stable code of a diagnostic. Codes are never reused for another meaning.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Code {
            $(#[doc = $meaning] $variant),+
        }

        impl Code {
            /// Every code, in the order of its number.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// The code as it is shown, such as `D010`.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $code),+ }
            }

            /// What happens to the rule or the scan.
            pub const fn effect(self) -> Effect {
                match self { $(Self::$variant => Effect::$effect),+ }
            }

            /// What the code means, as one sentence without a full stop.
            pub const fn meaning(self) -> &'static str {
                match self { $(Self::$variant => $meaning),+ }
            }

            /// What to do about it, as one sentence without a full stop.
            pub const fn remedy(self) -> &'static str {
                match self { $(Self::$variant => $remedy),+ }
            }
        }
    };
}

codes! {
    SourceTooLarge = "D001", Refused, "the text is larger than a rule file may be", "split the file";
    InvalidYaml = "D002", Refused, "the text is not valid YAML", "correct the YAML at the line that is named";
    YamlTooComplex = "D003", Refused, "the YAML nests too deeply or holds too many values", "split the rule";
    NotARule = "D004", Refused, "the document is not a Sigma rule", "give it `title`, `logsource` and `detection`";
    MissingField = "D005", Refused, "a required field is missing", "add the field that is named";
    InvalidField = "D006", Refused, "a field has a value that the specification does not allow", "correct the field that is named";
    CorrelationRule = "D007", Refused, "the document correlates in the form from before Sigma 2 (`action`)", "write it as a rule with `correlation`";
    DuplicateId = "D008", Refused, "another rule has the same id", "give each rule an id of its own";
    EmptyLogSource = "D009", Refused, "the log source names neither product, category nor service", "name at least one of them";
    InvalidCondition = "D010", Refused, "the condition cannot be parsed", "correct the condition at the word that is named";
    UnknownIdentifier = "D011", Refused, "the condition names a search identifier that does not exist", "define the identifier or correct its name";
    UnsupportedCondition = "D012", Refused, "the condition uses an aggregation or another expression that is not evaluated", "rewrite it for single events";
    UnknownModifier = "D013", Refused, "a field modifier is not known", "correct the modifier; the known ones are listed in the documentation";
    InvalidModifiers = "D014", Refused, "field modifiers do not fit each other or the value", "correct the chain of modifiers";
    UnresolvedPlaceholder = "D015", Refused, "a placeholder has no value here", "define the placeholder or remove `expand`";
    InvalidRegex = "D016", Refused, "a regular expression is invalid or too large", "correct or shorten the expression";
    UnsupportedRegex = "D017", Refused, "a regular expression uses look-around or back-references", "rewrite it; only expressions that match in linear time are evaluated";
    InvalidCidr = "D018", Refused, "a network is not in CIDR notation", "write it as address/prefix, such as 10.0.0.0/8";
    InvalidSearch = "D019", Refused, "a search identifier has a form that is not evaluated", "use a map, a list of maps, or a list of keywords";
    RuleTooComplex = "D020", Refused, "the rule has more patterns, longer patterns or a longer condition than allowed", "split the rule";
    TooManyRules = "D021", Refused, "the rule set is full", "switch rules off";
    InvalidCorrelation = "D022", Refused, "a correlation rule is incomplete or says something that is not evaluated", "correct the part that is named";
    InvalidYara = "D030", Refused, "a YARA file does not compile, so none of its rules is used", "correct the rule at the line that is named";
    YaraWarning = "D031", Warned, "the YARA compiler warns about a rule", "look at the line that is named";
    InvalidMeta = "D032", Warned, "a value in a YARA rule's meta section is not understood and its default is used", "correct the value";
    InvalidIndicatorList = "D040", Refused, "an indicator list cannot be read", "correct the list: CSV with a header line, a JSON array of objects, a STIX 2.1 bundle or an event of MISP";
    InvalidIndicator = "D041", Refused, "an entry of an indicator list is not usable; the others are", "correct the entry at the line that is named";
    UnknownLevel = "D050", Warned, "the rule has no level or an unknown one and counts as medium", "set `level` to informational, low, medium, high or critical";
    MissingId = "D051", Warned, "the rule has no id, so its file name stands in for one", "give the rule a random UUID as `id`";
    FilterWithoutRule = "D052", Warned, "a filter is for no rule that is here", "correct the ids or names under `rules`, or the log source";
    CorrelationWithoutRule = "D053", Warned, "a correlation rule is about a rule that is not here, and counts none of its matches", "correct the id or name under `rules`, or add the rule";
    FileTooLarge = "D060", Incomplete, "a file is larger than the scan limit and was not scanned by YARA", "raise the limit if files of this size matter";
    ScanTimeout = "D061", Incomplete, "a YARA scan took longer than allowed and stopped early", "look for the slow rule, or raise the limit";
    ScanFailed = "D062", Incomplete, "a YARA scan failed", "report it with the file and the rules";
}

/// What a diagnostic means for the rule or scan that it is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Effect {
    /// The rule (or the entry) is not part of the rule set.
    Refused,
    /// The rule is in force; something about it deserves a look.
    Warned,
    /// A scan did not look at everything.
    Incomplete,
}

impl Effect {
    /// The word that is shown and stored.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Refused => "refused",
            Self::Warned => "warned",
            Self::Incomplete => "incomplete",
        }
    }
}

impl std::fmt::Display for Code {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Serialize for Code {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

/// One thing to say about a rule, a list entry or a scan.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Diagnostic {
    /// The stable code.
    pub code: Code,
    /// What it means for the rule.
    pub effect: Effect,
    /// The kind of rule.
    pub kind: RuleKind,
    /// The source's name, or the path of a scanned file.
    pub source: String,
    /// The rule's id or, before that is known, its title or name.
    pub rule: Option<String>,
    /// Line in the source, counted from 1, where it is known.
    pub line: Option<u32>,
    /// What is wrong and what to do, in one or two sentences.
    pub message: String,
}

impl std::fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {}: {}", self.code, self.effect.as_str(), self.source)?;
        if let Some(line) = self.line {
            write!(f, ":{line}")?;
        }
        if let Some(rule) = &self.rule {
            write!(f, " ({rule})")?;
        }
        write!(f, ": {}", self.message)
    }
}

/// A problem inside one rule, before source and rule are attached.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Problem {
    pub(crate) code: Code,
    pub(crate) line: Option<u32>,
    detail: String,
}

impl Problem {
    /// A problem at an unknown line. `detail` names the place and the value, without a full stop.
    pub(crate) fn new(code: Code, detail: impl Into<String>) -> Self {
        Self {
            code,
            line: None,
            detail: detail.into(),
        }
    }

    pub(crate) fn at(mut self, line: Option<u32>) -> Self {
        self.line = self.line.or(line);
        self
    }

    /// Puts the place where it happened in front of the detail.
    pub(crate) fn within(mut self, place: &str) -> Self {
        self.detail = format!("{place}: {}", self.detail);
        self
    }

    pub(crate) fn into_diagnostic(self, kind: RuleKind, source: &str, rule: Option<String>) -> Diagnostic {
        Diagnostic {
            code: self.code,
            effect: self.code.effect(),
            kind,
            source: shorten(source, 200),
            rule: rule.map(|rule| shorten(&rule, 200)),
            line: self.line,
            message: format!("{}; {}.", shorten(&self.detail, 600), self.code.remedy()),
        }
    }
}

/// The first `max` characters, with a mark where something was cut.
pub(crate) fn shorten(text: &str, max: usize) -> String {
    match text.char_indices().nth(max) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_unique_and_in_order() {
        let codes: Vec<_> = Code::ALL.iter().map(|code| code.as_str()).collect();
        let mut sorted = codes.clone();
        sorted.sort_unstable();
        sorted.dedup();
        assert_eq!(codes, sorted);
    }

    #[test]
    fn shortening_respects_character_boundaries() {
        assert_eq!(shorten("äöü", 2), "äö…");
        assert_eq!(shorten("äöü", 3), "äöü");
    }
}
