//! What a verb is given on the command line.

use crate::Result;

/// Options with a value, and switches, in the order in which they were given.
#[derive(Debug, Default)]
pub(crate) struct Options {
    values: Vec<(String, String)>,
    switches: Vec<String>,
}

impl Options {
    /// Those that the verb knows; `usage` is told with what is wrong.
    pub(crate) fn parse(
        arguments: &[String],
        values: &[&str],
        switches: &[&str],
        usage: &str,
    ) -> Result<Self> {
        let mut options = Self::default();
        let mut words = arguments.iter();
        while let Some(word) = words.next() {
            if values.contains(&word.as_str()) {
                let value = words
                    .next()
                    .ok_or_else(|| format!("{word} takes a value\n{usage}"))?;
                options.values.push((word.clone(), value.clone()));
            } else if switches.contains(&word.as_str()) {
                options.switches.push(word.clone());
            } else {
                return Err(format!("{word} is not known\n{usage}"));
            }
        }
        Ok(options)
    }

    /// The last value of an option.
    pub(crate) fn value(&self, name: &str) -> Option<&str> {
        let mut given = self.values.iter().rev();
        given
            .find(|(known, _)| known == name)
            .map(|(_, value)| value.as_str())
    }

    pub(crate) fn has(&self, switch: &str) -> bool {
        self.switches.iter().any(|known| known == switch)
    }

    /// The options with their values, for a program that takes the same.
    pub(crate) fn values(&self) -> impl Iterator<Item = &str> {
        self.values
            .iter()
            .flat_map(|(name, value)| [name.as_str(), value.as_str()])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(words: &str) -> Result<Options> {
        let words: Vec<String> = words.split_whitespace().map(str::to_owned).collect();
        Options::parse(&words, &["--out", "--seed"], &["--release"], "usage: so")
    }

    #[test]
    fn options_are_told_apart_and_the_last_one_counts() {
        let options = parse("--seed 1 --release --out a --seed 2").unwrap();
        assert_eq!(
            (options.value("--seed"), options.value("--out")),
            (Some("2"), Some("a"))
        );
        assert!(options.has("--release"));
        assert_eq!(
            options.values().collect::<Vec<_>>(),
            ["--seed", "1", "--out", "a", "--seed", "2"]
        );
        let none = parse("").unwrap();
        assert!(!none.has("--release") && none.value("--out").is_none());
    }

    #[test]
    fn what_is_wrong_is_said_with_the_usage() {
        for (words, wrong) in [
            ("--nothing", "--nothing is not known"),
            ("more", "more is not known"),
            ("--out", "--out takes a value"),
        ] {
            let error = parse(words).unwrap_err();
            assert!(error.contains(wrong) && error.ends_with("usage: so"), "{error}");
        }
    }
}
