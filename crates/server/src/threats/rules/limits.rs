//! What a tenant's own rules may take together. Every endpoint of the tenant pays for them in memory and time, so that the figures stay below what one rule
//! set may hold ([`sg_detect::limits`]), where the pack needs its share too.

use sg_db::threats::RuleWeight;

/// Bytes of one text.
pub(super) const MAX_TEXT_BYTES: usize = 512 * 1024;
/// Rules, switched off ones too.
pub(super) const MAX_RULES: i64 = 5_000;
/// Rules with those that were removed, whose versions stay.
pub(super) const MAX_RULES_EVER: usize = 20_000;
/// Bytes of all texts: a package may be four times as large when it is written, and agents take 64 MiB.
pub(super) const MAX_BYTES: i64 = 12 * 1024 * 1024;
/// Bytes that Sigma rules look for.
const MAX_LITERAL_BYTES: i64 = 8 * 1024 * 1024;
/// Regular expressions, as [`sg_detect::limits::MAX_REGEXES`] counts them.
const MAX_REGEXES: i64 = 2_500;
/// Positions of YARA strings, some 100 bytes of an endpoint's memory each.
const MAX_YARA_POSITIONS: i64 = 500_000;
/// Indicators.
const MAX_INDICATORS: i64 = 100_000;

/// Which limit `weight` is beyond, in words.
pub(super) fn find_excess(weight: &RuleWeight) -> Option<String> {
    let limits = [
        (weight.rules, MAX_RULES, "rules"),
        (weight.bytes, MAX_BYTES, "bytes of texts"),
        (
            weight.literal_bytes,
            MAX_LITERAL_BYTES,
            "bytes that Sigma rules look for",
        ),
        (weight.regexes, MAX_REGEXES, "regular expressions"),
        (
            weight.yara_positions,
            MAX_YARA_POSITIONS,
            "positions of YARA strings",
        ),
        (weight.indicators, MAX_INDICATORS, "indicators"),
    ];
    limits
        .into_iter()
        .find(|(used, limit, _)| used > limit)
        .map(|(used, limit, what)| {
            format!("the tenant's own rules would have {used} {what}, of {limit} at most")
        })
}

/// `all` without `old` and with `new`.
pub(super) fn exchange(all: RuleWeight, old: Option<RuleWeight>, new: RuleWeight) -> RuleWeight {
    let old = old.unwrap_or_default();
    RuleWeight {
        rules: all.rules - old.rules + new.rules,
        bytes: all.bytes - old.bytes + new.bytes,
        literal_bytes: all.literal_bytes - old.literal_bytes + new.literal_bytes,
        regexes: all.regexes - old.regexes + new.regexes,
        yara_positions: all.yara_positions - old.yara_positions + new.yara_positions,
        indicators: all.indicators - old.indicators + new.indicators,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_limit_that_is_passed_is_named() {
        let full = RuleWeight {
            rules: MAX_RULES,
            bytes: MAX_BYTES,
            literal_bytes: MAX_LITERAL_BYTES,
            regexes: MAX_REGEXES,
            yara_positions: MAX_YARA_POSITIONS,
            indicators: MAX_INDICATORS,
        };
        assert_eq!(find_excess(&full), None);
        let one = RuleWeight {
            indicators: 1,
            ..RuleWeight::default()
        };
        assert!(
            find_excess(&exchange(full, None, one))
                .unwrap()
                .contains("indicators")
        );
        assert_eq!(find_excess(&exchange(full, Some(one), one)), None);
    }
}
