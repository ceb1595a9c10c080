//! Tables for people, JSON, YAML and CSV for programs. The only place that prints.

use std::io::{IsTerminal, Write};

use anyhow::{Result, bail};
use chrono::{DateTime, Utc};
use comfy_table::{ContentArrangement, Table, presets::UTF8_BORDERS_ONLY};
use serde::Serialize;

/// Characters of a progress bar.
const BAR: usize = 30;

/// How to print.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Format {
    /// For people.
    Table,
    /// All that the API says.
    Json,
    /// The same.
    Yaml,
    /// The columns of the table, RFC 4180.
    Csv,
}

/// Prints a list: a table with `headers` and one row for each item, or the items as JSON.
pub(crate) fn list<T: Serialize>(
    format: Format,
    items: &[T],
    headers: &[&str],
    row: impl Fn(&T) -> Vec<String>,
) -> Result<()> {
    match format {
        Format::Json => json(items),
        Format::Yaml => yaml(items),
        Format::Csv => csv(headers.iter().copied(), items.iter().map(row)),
        Format::Table if items.is_empty() => line("nothing found"),
        Format::Table => {
            let mut table = Table::new();
            table
                .load_style(UTF8_BORDERS_ONLY)
                .set_content_arrangement(ContentArrangement::Dynamic);
            table.set_header(headers.to_vec());
            for item in items {
                table.add_row(row(item));
            }
            line(&table.to_string())
        }
    }
}

/// Prints one thing: its fields by name, or JSON.
pub(crate) fn record<T: Serialize>(format: Format, item: &T, fields: &[(&str, String)]) -> Result<()> {
    match format {
        Format::Json => json(item),
        Format::Yaml => yaml(item),
        Format::Csv => {
            let values = fields.iter().map(|(_, value)| printable(value)).collect();
            csv(fields.iter().map(|(name, _)| *name), std::iter::once(values))
        }
        Format::Table => {
            let width = fields.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
            for (name, value) in fields.iter().filter(|(_, value)| !value.is_empty()) {
                line(&format!("{name:width$}  {}", printable(value)))?;
            }
            Ok(())
        }
    }
}

impl Format {
    /// Whether a program gets everything as the API says it.
    pub(crate) fn is_whole(self) -> bool {
        matches!(self, Self::Json | Self::Yaml)
    }
}

/// Prints everything for a program. What has no columns has no CSV.
pub(crate) fn whole<T: Serialize + ?Sized>(format: Format, value: &T) -> Result<()> {
    match format {
        Format::Json => json(value),
        Format::Yaml => yaml(value),
        Format::Table | Format::Csv => bail!("this has no columns; use --output json or yaml"),
    }
}

fn json<T: Serialize + ?Sized>(value: &T) -> Result<()> {
    line(&serde_json::to_string_pretty(value)?)
}

fn yaml<T: Serialize + ?Sized>(value: &T) -> Result<()> {
    line(serde_norway::to_string(value)?.trim_end())
}

fn csv<'a>(headers: impl Iterator<Item = &'a str>, rows: impl Iterator<Item = Vec<String>>) -> Result<()> {
    let mut writer = csv::WriterBuilder::new().from_writer(Vec::new());
    writer.write_record(headers)?;
    for row in rows {
        writer.write_record(row.iter().map(|cell| no_formula(cell)))?;
    }
    line(String::from_utf8(writer.into_inner()?)?.trim_end())
}

/// A cell that a spreadsheet takes for a text, whatever an endpoint called itself (OWASP: CSV injection).
fn no_formula(cell: &str) -> String {
    if cell.starts_with(['=', '+', '-', '@', '\t', '\r']) && cell.parse::<f64>().is_err() {
        format!("'{cell}")
    } else {
        cell.to_owned()
    }
}

/// Empties the screen, where a person looks at it.
pub(crate) fn clear_screen() -> Result<()> {
    if std::io::stdout().is_terminal() {
        write!(std::io::stdout().lock(), "\x1b[H\x1b[2J")?;
    }
    Ok(())
}

/// Prints one line. A reader that went away (`sgctl … | head`) is not an error.
pub(crate) fn line(text: &str) -> Result<()> {
    match writeln!(std::io::stdout().lock(), "{text}") {
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Ok(()),
        result => Ok(result?),
    }
}

/// Says on standard error what went wrong.
pub(crate) fn error(error: &anyhow::Error) {
    drop(writeln!(std::io::stderr().lock(), "sgctl: {error:#}"));
}

/// Asks a question on standard error, so that standard output stays for answers.
pub(crate) fn ask(question: &str) -> Result<()> {
    let mut out = std::io::stderr().lock();
    write!(out, "{question}")?;
    Ok(out.flush()?)
}

/// Tells on standard error how far something is, where a person looks at it.
pub(crate) fn progress(done: usize, total: usize, what: &str) -> Result<()> {
    let mut out = std::io::stderr().lock();
    if !out.is_terminal() {
        return Ok(());
    }
    let filled = (BAR * done).checked_div(total).unwrap_or(BAR).min(BAR);
    let end = if done == total { "\n" } else { "" };
    write!(
        out,
        "\r[{}{}] {done} of {total} {what}{end}",
        "#".repeat(filled),
        " ".repeat(BAR - filled)
    )?;
    Ok(out.flush()?)
}

pub(crate) fn time(at: DateTime<Utc>) -> String {
    at.format("%Y-%m-%d %H:%M:%S UTC").to_string()
}

pub(crate) fn optional<T: ToString>(value: Option<T>) -> String {
    value.map(|value| value.to_string()).unwrap_or_default()
}

/// Text of an endpoint, without the control characters that could drive the terminal.
pub(crate) fn printable(text: &str) -> String {
    text.chars()
        .map(|c| {
            if c.is_control() && c != '\n' {
                char::REPLACEMENT_CHARACTER
            } else {
                c
            }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_endpoint_cannot_drive_the_terminal() {
        assert_eq!(printable("a\u{1b}]0;owned\u{7}b"), "a\u{fffd}]0;owned\u{fffd}b");
    }

    #[test]
    fn an_endpoint_cannot_drive_the_spreadsheet() {
        for (cell, written) in [
            ("=cmd|' /C calc'!A0", "'=cmd|' /C calc'!A0"),
            ("@SUM(1)", "'@SUM(1)"),
            ("-web", "'-web"),
            ("-1.5", "-1.5"),
            ("web-1", "web-1"),
            ("", ""),
        ] {
            assert_eq!(no_formula(cell), written);
        }
    }
}
