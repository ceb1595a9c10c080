//! Puts together what a task has to say to each tenant and to the installation.

use std::collections::BTreeMap;

use sg_db::monitoring::TenantSection;
use sg_types::TenantId;
use sg_types::api::maintenance::{MaintenanceTask, ReportFinding, ReportSection};

use crate::monitoring::clean_text;

/// Characters of a name in a sentence.
const NAME_CHARS: usize = 80;

/// The sections of one task.
#[derive(Debug)]
pub(super) struct Sections {
    task: MaintenanceTask,
    of: BTreeMap<TenantId, ReportSection>,
}

impl Sections {
    pub(super) fn new(task: MaintenanceTask) -> Self {
        Self {
            task,
            of: BTreeMap::new(),
        }
    }

    /// Says how something is.
    pub(super) fn say(&mut self, tenant: TenantId, words: String) {
        self.section(tenant).words.push(words);
    }

    /// Says that something is to be done.
    pub(super) fn find(&mut self, tenant: TenantId, words: String, advice: &str) {
        self.section(tenant).findings.push(ReportFinding {
            words,
            advice: advice.to_owned(),
        });
    }

    /// The tenants that have something to do; the installation is none of them.
    pub(super) fn tenants_with_findings(&self) -> Vec<TenantId> {
        let concerned = self
            .of
            .iter()
            .filter(|(tenant, section)| **tenant != TenantId::SYSTEM && !section.findings.is_empty());
        concerned.map(|(tenant, _)| *tenant).collect()
    }

    /// All findings.
    pub(super) fn count(&self) -> i32 {
        let count: usize = self.of.values().map(|section| section.findings.len()).sum();
        i32::try_from(count).unwrap_or(i32::MAX)
    }

    pub(super) fn into_rows(self) -> Vec<TenantSection> {
        self.of
            .into_iter()
            .map(|(tenant_id, section)| TenantSection { tenant_id, section })
            .collect()
    }

    fn section(&mut self, tenant: TenantId) -> &mut ReportSection {
        self.of.entry(tenant).or_insert_with(|| ReportSection {
            task: self.task,
            words: Vec::new(),
            findings: Vec::new(),
        })
    }
}

/// A name that people gave, as a part of a sentence: one short line, whatever was put into it.
pub(super) fn quote(name: &str) -> String {
    let line = clean_text(name);
    let mut short: String = line.chars().take(NAME_CHARS).collect();
    if short.len() < line.len() {
        short.push('…');
    }
    format!("“{}”", short.replace(['“', '”'], "\""))
}

/// Several names, with how many more there are.
pub(super) fn quote_some(names: &[String], total: i64) -> String {
    let quoted: Vec<String> = names.iter().map(|name| quote(name)).collect();
    let more = total - i64::try_from(names.len()).unwrap_or(i64::MAX);
    match more {
        ..=0 => quoted.join(", "),
        _ => format!("{} and {more} more", quoted.join(", ")),
    }
}

/// `1 account`, `2 accounts`.
pub(super) fn plural(count: i64, one: &str, many: &str) -> String {
    if count == 1 {
        format!("1 {one}")
    } else {
        format!("{count} {many}")
    }
}

/// `12.5 %` of a share.
pub(super) fn percent(share: f64) -> String {
    format!("{:.1} %", share * 100.0)
}

/// Bytes for people.
pub(super) fn bytes(count: i64) -> String {
    #[expect(clippy::cast_precision_loss, reason = "a figure for people")]
    let megabytes = count as f64 / 1e6;
    if megabytes >= 10_000.0 {
        format!("{:.1} GB", megabytes / 1000.0)
    } else {
        format!("{megabytes:.1} MB")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_stay_names() {
        assert_eq!(quote("ada"), "“ada”");
        assert_eq!(
            quote("a\r\nBcc: x@example.org\u{202e}”"),
            "“a Bcc: x@example.org \"”"
        );
        assert_eq!(quote(&"x".repeat(500)).chars().count(), NAME_CHARS + 3);
        assert_eq!(quote_some(&["a".into(), "b".into()], 5), "“a”, “b” and 3 more");
        assert_eq!(quote_some(&["a".into()], 1), "“a”");
    }

    #[test]
    fn findings_are_counted_for_tenants_and_in_all() {
        let (a, mut sections) = (TenantId::DEFAULT, Sections::new(MaintenanceTask::AuditReview));
        sections.say(TenantId::SYSTEM, "so".to_owned());
        sections.find(a, "this".to_owned(), "do that");
        sections.find(TenantId::SYSTEM, "this".to_owned(), "do that");
        assert_eq!((sections.count(), sections.tenants_with_findings()), (2, vec![a]));
        assert_eq!(sections.into_rows().len(), 2);
    }
}
