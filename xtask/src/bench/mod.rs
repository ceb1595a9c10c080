//! `cargo xtask bench`: measurements, one line per result. They judge nothing; docs/benchmarks.md keeps the figures.

mod agent_idle;
mod audit;
mod backup;
mod console_size;
mod database;
mod ready;
mod server;
mod sigma;
mod yara;

use crate::Result;

const NAMES: [&str; 20] = [
    "ready",
    "console-size",
    "login",
    "rate-limits",
    "notify",
    "check-in",
    "bulk",
    "fairness",
    "growth",
    "list",
    "agent-idle",
    "audit-write",
    "audit-search",
    "rls",
    "series",
    "backup",
    "bytes",
    "liveness",
    "sigma",
    "yara",
];

pub(crate) fn bench(arguments: &[String]) -> Result {
    let (name, rest) = arguments.split_first().ok_or_else(usage)?;
    match name.as_str() {
        "all" => NAMES.iter().try_for_each(|name| one(name, rest)),
        name => one(name, rest),
    }
}

fn one(name: &str, arguments: &[String]) -> Result {
    match name {
        "ready" => ready::measure(),
        "console-size" => console_size::measure(),
        "login" => server::measure("login", &[]),
        "check-in" => server::measure("check_in", arguments),
        "bulk" => server::measure("bulk", arguments),
        "fairness" => server::measure("fairness", arguments),
        "growth" => server::measure("growth", arguments),
        "list" => server::measure("list", arguments),
        "rate-limits" => server::measure("rate_limits", &[]),
        "notify" => server::measure("notify", &[]),
        "agent-idle" => agent_idle::measure(arguments),
        "audit-write" => audit::measure_writes(arguments),
        "audit-search" => audit::measure_search(arguments),
        "rls" => database::measure("rls", 10_000_000, arguments),
        "series" => database::measure("series", 100_000_000, arguments),
        "backup" => backup::measure(arguments),
        "bytes" => database::measure("bytes", 20_000, arguments),
        "liveness" => database::measure("liveness", 1_000_000, arguments),
        "sigma" => sigma::measure(arguments),
        "yara" => yara::measure(arguments),
        _ => Err(usage()),
    }
}

/// Prints a result. `theirs` is what the figure is compared with, measured in the same run; without it there is no ratio.
fn report(name: &str, ours: f64, theirs: Option<f64>, unit: &str) {
    let ratio = theirs
        .filter(|t| *t > 0.0)
        .map_or_else(|| "-".to_owned(), |t| format!("{:.2}", ours / t));
    let theirs = theirs.map_or_else(|| "-".to_owned(), |t| format!("{t:.3}"));
    println!("{name} ratio={ratio} ours={ours:.3} theirs={theirs} unit={unit}");
}

/// The middle one of some measurements.
fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}

fn usage() -> String {
    format!(
        "usage: cargo xtask bench {}|all [--minutes N] [--seconds N] [--large|--rows N|--gigabytes N|--builtin] [plain|tls] [--rules FOLDER] [--windows FILE] [--linux FILE]",
        NAMES.join("|")
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_ignores_outliers() {
        assert!((median(vec![9.0, 1.0, 2.0, 100.0, 3.0]) - 3.0).abs() < f64::EPSILON);
    }
}
