//! `cargo xtask fuzz`: the fuzz targets of the tests, for minutes instead of a moment.

use crate::build::cargo;
use crate::{Result, shell, ui};

/// Package and target.
const TARGETS: [(&str, &str); 8] = [
    ("sg-detect", "sigma_rules"),
    ("sg-detect", "correlations"),
    ("sg-detect", "yara_rules"),
    ("sg-detect", "indicator_lists"),
    ("sg-detect", "events"),
    ("sg-agent", "archives"),
    ("sg-agent", "frames"),
    ("sg-agent", "server_answers"),
];

pub(crate) fn fuzz(arguments: &[String]) -> Result {
    let (mut minutes, mut wanted) = (10_u64, None);
    let mut words = arguments.iter();
    while let Some(word) = words.next() {
        if word == "--minutes" {
            let number = words.next().and_then(|text| text.parse().ok());
            minutes = number.ok_or("--minutes needs a number")?;
        } else {
            wanted = Some(word.as_str());
        }
    }
    let targets: Vec<_> = TARGETS
        .iter()
        .filter(|(_, target)| wanted.is_none_or(|wanted| wanted == *target))
        .collect();
    if targets.is_empty() {
        let known: Vec<&str> = TARGETS.iter().map(|(_, target)| *target).collect();
        return Err(format!("the targets are {}", known.join(", ")));
    }
    for (package, target) in targets {
        ui::say(&format!("{target}: {minutes} minutes"));
        let mut command = cargo();
        command.args(["test", "--quiet", "--package", package, "--test", "it", "--"]);
        command.args(["--exact", "--nocapture", &format!("fuzz::{target}")]);
        command.env("SECUREGUARD_FUZZ_SECONDS", (minutes * 60).to_string());
        shell::run(&mut command)?;
    }
    Ok(())
}
