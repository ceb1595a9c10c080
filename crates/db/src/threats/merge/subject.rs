//! By which keys findings belong together.

use sg_types::agent::{Finding, ProcessSubject, Subject};
use sha2::{Digest, Sha256};

/// Longest key that is kept in words; an index takes no more than a third of a page.
const MAX_KEY_BYTES: usize = 400;
/// Characters of a title.
const MAX_TITLE_CHARS: usize = 255;
/// Ancestors that are looked at.
const MAX_ANCESTORS: usize = 64;

/// The keys of one finding.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct SubjectKeys {
    /// What the finding is about; the incident is found by these from now on.
    pub(super) own: Vec<String>,
    /// By what else an incident is found: the family that the process belongs to.
    pub(super) lookups: Vec<String>,
    /// Rule and subject in one: what has the same, counts up.
    pub(super) fingerprint: String,
}

pub(super) fn keys(finding: &Finding) -> SubjectKeys {
    match &finding.subject {
        Subject::File(file) => {
            let own = key("file", &file.path);
            SubjectKeys {
                fingerprint: fingerprint(&finding.rule_id, &own),
                own: vec![own],
                lookups: Vec::new(),
            }
        }
        Subject::Process(process) => {
            let command = command_key(process);
            SubjectKeys {
                fingerprint: fingerprint(&finding.rule_id, &command),
                own: vec![key("process", &process.key), command],
                lookups: process
                    .ancestors
                    .iter()
                    .take(MAX_ANCESTORS)
                    .map(|ancestor| key("process", ancestor))
                    .collect(),
            }
        }
        Subject::Endpoint => {
            let own = key("endpoint", &finding.rule_id);
            SubjectKeys {
                fingerprint: fingerprint(&finding.rule_id, &own),
                own: vec![own],
                lookups: Vec::new(),
            }
        }
    }
}

/// One line for a list of incidents.
pub(super) fn title(finding: &Finding) -> String {
    let about = match &finding.subject {
        Subject::File(file) => Some(file.path.as_str()),
        Subject::Process(process) => Some(process.image.as_deref().unwrap_or(&process.name)),
        Subject::Endpoint => None,
    };
    let title = match about {
        Some(about) if !about.is_empty() => format!("{}: {about}", finding.rule_name),
        _ => finding.rule_name.clone(),
    };
    cut(title, MAX_TITLE_CHARS)
}

/// Cuts a text and says so with an ellipsis.
pub(super) fn cut(text: String, max_chars: usize) -> String {
    match text.char_indices().nth(max_chars) {
        None => text,
        Some(_) => text.chars().take(max_chars - 1).chain(['…']).collect(),
    }
}

fn command_key(process: &ProcessSubject) -> String {
    let program = process.image.as_deref().unwrap_or(&process.name);
    let line = hex::encode(Sha256::digest(process.command_line.as_bytes()));
    key("command", &format!("{program}:{line}"))
}

fn key(kind: &str, value: &str) -> String {
    if value.len() > MAX_KEY_BYTES {
        format!("{kind}:sha256:{}", hex::encode(Sha256::digest(value.as_bytes())))
    } else {
        format!("{kind}:{value}")
    }
}

fn fingerprint(rule_id: &str, key: &str) -> String {
    // The rule's length keeps (`ab`, `c`) and (`a`, `bc`) apart.
    hex::encode(Sha256::digest(format!("{}:{rule_id}{key}", rule_id.len())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_fits_into_an_index_however_long_the_path_is() {
        assert_eq!(key("file", "/tmp/a"), "file:/tmp/a");
        let long = key("file", &"ä".repeat(5_000));
        assert!(long.starts_with("file:sha256:") && long.len() < 100);
        assert_ne!(long, key("file", &"ä".repeat(5_001)));
    }

    #[test]
    fn a_cut_text_says_so() {
        assert_eq!(cut("äöü".to_owned(), 3), "äöü");
        assert_eq!(cut("äöüß".to_owned(), 3), "äö…");
    }

    #[test]
    fn rule_and_subject_do_not_run_into_each_other() {
        assert_ne!(fingerprint("ab", "c"), fingerprint("a", "bc"));
    }
}
