//! How sure an incident is, measured: the rule's prior counts like a few verdicts, what analysts decided counts as itself.

use std::collections::BTreeMap;

/// How many verdicts a rule's own prior is worth.
const PRIOR_WEIGHT: f64 = 4.0;

/// How incidents of one rule were closed in one tenant.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Verdicts {
    /// Closed as resolved.
    pub(super) confirmed: i64,
    /// Closed as false positive.
    pub(super) refuted: i64,
}

/// Confidence and likelihood of a false positive, both 0–1.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Score {
    pub(super) confidence: f64,
    pub(super) false_positive: f64,
}

/// Scores an incident by its rules, each with its prior and its verdicts.
///
/// The evidence of several rules adds up (noisy-or over what each rule is worth by now); the likelihood of a false positive is the share of
/// earlier incidents of these rules that were none, the strongest prior standing in where there are few.
pub(super) fn score(rules: &BTreeMap<String, f64>, verdicts: impl Fn(&str) -> Verdicts) -> Score {
    let mut doubt = 1.0;
    let (mut refuted, mut closed, mut best_prior) = (0.0, 0.0, 0.0_f64);
    for (rule_id, prior) in rules {
        let verdict = verdicts(rule_id);
        let (confirmed, refused) = (as_float(verdict.confirmed), as_float(verdict.refuted));
        doubt *= 1.0 - (prior * PRIOR_WEIGHT + confirmed) / (PRIOR_WEIGHT + confirmed + refused);
        refuted += refused;
        closed += confirmed + refused;
        best_prior = best_prior.max(*prior);
    }
    Score {
        confidence: 1.0 - doubt,
        false_positive: ((1.0 - best_prior) * PRIOR_WEIGHT + refuted) / (PRIOR_WEIGHT + closed),
    }
}

#[expect(
    clippy::cast_precision_loss,
    reason = "at most a thousand verdicts are counted"
)]
fn as_float(count: i64) -> f64 {
    count as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rules(priors: &[f64]) -> BTreeMap<String, f64> {
        priors
            .iter()
            .enumerate()
            .map(|(i, prior)| (format!("r{i}"), *prior))
            .collect()
    }

    #[test]
    fn without_verdicts_the_prior_stands() {
        let score = score(&rules(&[0.8]), |_| Verdicts::default());
        assert!((score.confidence - 0.8).abs() < 1e-9 && (score.false_positive - 0.2).abs() < 1e-9);
    }

    #[test]
    fn verdicts_move_both_figures_and_two_rules_add_up() {
        let quiet = |_: &str| Verdicts {
            confirmed: 0,
            refuted: 16,
        };
        let noisy = score(&rules(&[0.8]), quiet);
        assert!(noisy.confidence < 0.2 && noisy.false_positive > 0.8);
        let both = score(&rules(&[0.8, 0.5]), |_| Verdicts::default());
        assert!((both.confidence - 0.9).abs() < 1e-9);
    }

    #[test]
    fn figures_stay_between_nought_and_one() {
        for prior in [0.0, 1.0] {
            for (confirmed, refuted) in [(0, 0), (1000, 0), (0, 1000)] {
                let s = score(&rules(&[prior, prior]), |_| Verdicts { confirmed, refuted });
                assert!(
                    (0.0..=1.0).contains(&s.confidence) && (0.0..=1.0).contains(&s.false_positive),
                    "{s:?}"
                );
            }
        }
    }
}
