//! Reports as text, for mails and terminals. What people or endpoints named is data in it: one line, and no link that a mail program would make.

use std::fmt::Write as _;

use sg_types::api::kpis::KpiTotal;
use sg_types::api::maintenance::{ReportKind, ReportView};

use super::sections::{bytes, percent, plural};
use crate::mail::{Message, Reader};
use crate::monitoring::clean_text;

/// A report as a mail. `tenant` is its tenant's name, none for the installation.
pub(crate) fn render(report: &ReportView, tenant: Option<&str>, reader: &Reader<'_>) -> Message {
    let greeting = plain(reader.full_name.unwrap_or(reader.username));
    let of = tenant.map_or_else(|| "the installation".to_owned(), plain);
    let url = reader.public_url;
    let (id, query) = (
        report.summary.report_id,
        if tenant.is_none() { "?of=installation" } else { "" },
    );
    Message {
        subject: format!(
            "SecureGuard: {} of {of}{}",
            title(report.summary.kind),
            standing(report)
        )
        .into(),
        text: format!(
            "Hello {greeting},\n\n{}\nRead it in the console: {url}/monitoring/reports/{id}{query}\n\n\
             Which reports you get is set under {url}/monitoring/reports\n",
            text_of(report)
        )
        .into(),
    }
}

/// A report as text.
pub(crate) fn text_of(report: &ReportView) -> String {
    let summary = &report.summary;
    let mut text = format!(
        "{} from {} to {}\n",
        capitalised(title(summary.kind)),
        summary.from_at.format("%Y-%m-%d %H:%M"),
        summary.to_at.format("%Y-%m-%d %H:%M UTC")
    );
    for note in &report.content.notes {
        let _ = writeln!(text, "\n{}", plain(note));
    }
    if let Some(week) = &report.content.week {
        text.push('\n');
        text.push_str(&compare(week, report.content.week_before.as_ref()));
    }
    for section in &report.content.sections {
        let _ = writeln!(text, "\n{}", section.task.title());
        for finding in &section.findings {
            let _ = writeln!(
                text,
                "  ! {}\n    {}",
                plain(&finding.words),
                plain(&finding.advice)
            );
        }
        for words in &section.words {
            let _ = writeln!(text, "  - {}", plain(words));
        }
    }
    text
}

fn title(kind: ReportKind) -> &'static str {
    match kind {
        ReportKind::Daily => "daily maintenance",
        ReportKind::Weekly => "weekly maintenance",
        ReportKind::Monthly => "monthly maintenance",
        ReportKind::Kpis => "report on the week",
    }
}

fn standing(report: &ReportView) -> String {
    match (report.summary.kind, report.summary.finding_count) {
        (ReportKind::Kpis, _) => String::new(),
        (_, 0) => ", nothing to do".to_owned(),
        (_, count) => format!(", {} to do", plural(count.into(), "thing", "things")),
    }
}

/// The figures of a week, each beside that of the week before.
fn compare(week: &KpiTotal, before: Option<&KpiTotal>) -> String {
    type Figure = fn(&KpiTotal) -> Option<String>;
    let figures: [(&str, Figure); 8] = [
        ("Failed sign-ins", |total| {
            let rate = percent(total.failed_sign_in_rate?);
            Some(format!(
                "{} of {} ({rate})",
                total.failed_sign_ins, total.sign_ins
            ))
        }),
        ("Locked accounts", |total| Some(total.lockouts.to_string())),
        ("Passwords as the policy asks", |total| {
            total.password_compliance.map(percent)
        }),
        ("Closed incidents that were real", |total| {
            let rate = percent(total.detection_accuracy?);
            Some(format!("{rate} of {}", total.closed_incidents))
        }),
        ("Average time of a query", |total| {
            total.query_milliseconds.map(|time| format!("{time:.2} ms"))
        }),
        ("Most connections at once", |total| {
            Some(format!("{} of {}", total.connections?, total.max_connections?))
        }),
        ("Rows found by an index", |total| total.index_use.map(percent)),
        ("Database", |total| total.database_bytes.map(bytes)),
    ];
    let mut text = String::new();
    for (name, figure) in figures {
        let (Some(of_week), of_before) = (figure(week), before.and_then(figure)) else {
            continue;
        };
        let _ = match of_before {
            Some(of_before) => writeln!(text, "  {name}: {of_week}; the week before: {of_before}"),
            None => writeln!(text, "  {name}: {of_week}"),
        };
    }
    text
}

/// One line in which no mail program sees a link.
fn plain(text: &str) -> String {
    clean_text(text).replace("://", "[://]").replace("www.", "www[.]")
}

fn capitalised(text: &str) -> String {
    let mut chars = text.chars();
    chars
        .next()
        .map(|first| first.to_uppercase().chain(chars).collect())
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use chrono::DateTime;
    use secrecy::ExposeSecret;
    use sg_types::ReportId;
    use sg_types::api::maintenance::{
        MaintenanceTask, ReportContent, ReportFinding, ReportSection, ReportSummary,
    };

    use super::*;

    #[test]
    fn hostile_names_stay_on_their_line_and_lead_nowhere() {
        let report = ReportView {
            summary: ReportSummary {
                report_id: ReportId(uuid::Uuid::nil()),
                kind: ReportKind::Daily,
                from_at: DateTime::UNIX_EPOCH,
                to_at: DateTime::UNIX_EPOCH,
                created_at: DateTime::UNIX_EPOCH,
                finding_count: 1,
            },
            content: ReportContent {
                sections: vec![ReportSection {
                    task: MaintenanceTask::LockoutPatterns,
                    words: vec!["“x\r\n\r\nBcc: eve@example.org” https://evil.example".to_owned()],
                    findings: vec![ReportFinding {
                        words: "www.evil.example\n  ! forged".to_owned(),
                        advice: "so".to_owned(),
                    }],
                }],
                ..ReportContent::default()
            },
        };
        let reader = Reader {
            username: "ada\nX: y",
            full_name: None,
            public_url: "https://guard.example.org",
            at: DateTime::UNIX_EPOCH,
        };
        let message = render(&report, Some("Acme\r\nTo: eve"), &reader);
        assert_eq!(
            message.subject,
            "SecureGuard: daily maintenance of Acme To: eve, 1 thing to do"
        );
        let text = message.text.expose_secret();
        assert!(
            text.contains("https[://]evil.example") && text.contains("www[.]evil.example"),
            "{text}"
        );
        assert!(!text.contains("https://evil") && !text.contains("www.evil"));
        assert_eq!(
            text.lines().filter(|line| line.starts_with("  ! ")).count(),
            1,
            "{text}"
        );
        assert!(!text.contains("\nBcc:") && !text.contains("\nX:") && !text.contains('\r'));
        assert!(text.contains("https://guard.example.org/monitoring/reports/0000"));
    }
}
