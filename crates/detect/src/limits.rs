//! What a hostile or careless rule may cost at most. Whatever is beyond a limit is refused with a code, never
//! cut.

use std::time::Duration;

/// Bytes of one Sigma or YARA source at most.
pub const MAX_RULE_BYTES: usize = 1024 * 1024;
/// Bytes of one indicator list at most.
pub const MAX_INDICATOR_BYTES: usize = 64 * 1024 * 1024;
/// Values (maps, lists, scalars) in one Sigma document at most, aliases counted each time they are used.
pub const MAX_YAML_VALUES: usize = 50_000;
/// Depth to which a Sigma document and a condition may nest.
pub const MAX_DEPTH: usize = 32;
/// Sigma documents in one source at most.
pub const MAX_DOCUMENTS: usize = 2_000;
/// Patterns of one Sigma rule at most, after modifiers have multiplied them.
pub const MAX_PATTERNS_PER_RULE: usize = 5_000;
/// Bytes of one pattern at most.
pub const MAX_PATTERN_BYTES: usize = 4 * 1024;
/// Values that one `windash` or `expand` may turn into at most.
pub const MAX_EXPANSION: usize = 625;
/// Bytes of a condition at most.
pub const MAX_CONDITION_BYTES: usize = 8 * 1024;
/// Regular expressions of one Sigma rule at most; one that compiles to more than [`REGEX_UNIT_BYTES`] counts as
/// [`LARGE_REGEX_UNITS`].
pub const MAX_REGEXES_PER_RULE: usize = 64;
/// Bytes of a compiled regular expression that counts as one, and of the automaton that is built lazily from any, per thread.
pub const REGEX_UNIT_BYTES: usize = 512 * 1024;
/// As how many a larger one counts, and how many times as large it may be: `.{1000,}` and `\w{1,64}` need it, since they are about characters of every script.
pub const LARGE_REGEX_UNITS: usize = 8;
/// Sigma rules in one rule set at most.
pub const MAX_SIGMA_RULES: usize = 20_000;
/// Bytes of literal patterns in one rule set at most.
pub const MAX_LITERAL_BYTES: usize = 32 * 1024 * 1024;
/// Regular expressions in one rule set at most, large ones counted as in a rule.
pub const MAX_REGEXES: usize = 3_000;
/// Positions (bytes to match, repetitions written out) of all strings of one YARA file at most; one costs about
/// 100 bytes of memory.
pub const MAX_YARA_POSITIONS: u64 = 1_000_000;
/// Sum of the numbers in `{n}` of all expressions in the conditions of one YARA file at most.
pub const MAX_YARA_CONDITION_REPEATS: u64 = 1_000;
/// Rules that one correlation may be about.
pub const MAX_CORRELATED_RULES: usize = 32;
/// Fields that a correlation may group by, and aliases that it may have.
pub const MAX_CORRELATION_FIELDS: usize = 8;
/// How far a correlation may count: matches of one group, or different values.
pub const MAX_CORRELATION_COUNT: f64 = 10_000.0;
/// The longest time of a correlation.
pub const MAX_CORRELATION_TIMESPAN: chrono::Duration = chrono::Duration::days(30);
/// Indicators in one rule set at most.
pub const MAX_INDICATORS: usize = 2_000_000;
/// Characters of a matched value that evidence keeps.
pub const MAX_EVIDENCE_CHARS: usize = 512;
/// Pieces of evidence that a match keeps.
pub const MAX_EVIDENCE: usize = 32;

/// Limits of one YARA scan.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ScanLimits {
    /// Content that is longer is not scanned, and the report says so. Default 64 MiB.
    pub max_bytes: usize,
    /// A scan that takes longer stops, and the report says so. Default 10 s.
    pub timeout: Duration,
}

impl Default for ScanLimits {
    fn default() -> Self {
        Self {
            max_bytes: 64 * 1024 * 1024,
            timeout: Duration::from_secs(10),
        }
    }
}
