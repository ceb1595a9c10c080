//! Reading an indicator list: CSV with a header line, or a JSON array of objects with the same names.

use std::net::IpAddr;
use std::sync::Arc;

use chrono::{DateTime, NaiveDate, Utc};
use sg_types::Severity;

use super::{Indicator, IndicatorType, csv};
use crate::RuleSource;
use crate::diagnostic::{Code, Problem, shorten};
use crate::limits::MAX_INDICATOR_BYTES;

const COLUMNS: [&str; 7] = [
    "value",
    "type",
    "severity",
    "confidence",
    "source",
    "description",
    "expires_at",
];
/// Faulty entries that are reported one by one; a list with more is named once more with their number.
const MAX_REPORTED: usize = 100;

/// An entry as it stands in the list, in the order of [`COLUMNS`].
type Row = (Option<u32>, [String; 7]);

/// Reads the usable entries and says what is wrong with the others.
///
/// # Errors
/// When the list as a whole cannot be read.
pub(super) fn read(source: &RuleSource) -> Result<(Vec<Indicator>, Vec<Problem>), Problem> {
    if source.text.len() > MAX_INDICATOR_BYTES {
        let detail = format!(
            "{} bytes; at most {MAX_INDICATOR_BYTES} are taken",
            source.text.len()
        );
        return Err(Problem::new(Code::SourceTooLarge, detail));
    }
    let rows = if source.text.trim_start().starts_with('[') {
        read_json(&source.text)?
    } else {
        read_csv(&source.text)?
    };
    let list: Arc<str> = source.name.as_str().into();
    let (mut entries, mut problems, mut unreported) = (Vec::with_capacity(rows.len()), Vec::new(), 0_usize);
    for (line, row) in rows {
        match parse_row(&row, &list) {
            Ok(entry) => entries.push(entry),
            Err(problem) if problems.len() < MAX_REPORTED => problems.push(problem.at(line)),
            Err(_) => unreported += 1,
        }
    }
    if unreported > 0 {
        problems.push(Problem::new(
            Code::InvalidIndicator,
            format!("{unreported} more entries are not usable"),
        ));
    }
    Ok((entries, problems))
}

fn read_csv(text: &str) -> Result<Vec<Row>, Problem> {
    let invalid = |detail: &str| Problem::new(Code::InvalidIndicatorList, detail);
    let records = csv::parse(text).map_err(|line| invalid("a quoted value never ends").at(Some(line)))?;
    let mut records = records.into_iter();
    let Some(header) = records.next() else {
        return Err(invalid("the list is empty"));
    };
    let mut columns = Vec::new();
    for name in &header.fields {
        let name = name.trim().to_lowercase();
        match COLUMNS.iter().position(|column| *column == name) {
            Some(column) if !columns.contains(&column) => columns.push(column),
            _ => {
                let detail = format!("the column `{}` is unknown or stands twice", shorten(&name, 40));
                return Err(invalid(&detail).at(Some(header.line)));
            }
        }
    }
    if !columns.contains(&0) || !columns.contains(&1) {
        return Err(invalid("the header line has no `value` or no `type`").at(Some(header.line)));
    }
    let to_row = |record: csv::Record| {
        let mut row: [String; 7] = Default::default();
        for (column, field) in columns.iter().zip(record.fields) {
            row[*column] = field.trim().to_owned();
        }
        (Some(record.line), row)
    };
    Ok(records.map(to_row).collect())
}

fn read_json(text: &str) -> Result<Vec<Row>, Problem> {
    let objects: Vec<serde_json::Map<String, serde_json::Value>> =
        serde_json::from_str(text).map_err(|error| {
            let line = u32::try_from(error.line()).ok();
            Problem::new(Code::InvalidIndicatorList, error.to_string()).at(line)
        })?;
    let to_row = |object: serde_json::Map<String, serde_json::Value>| {
        let mut row: [String; 7] = Default::default();
        for (column, name) in row.iter_mut().zip(COLUMNS) {
            *column = match object.get(name) {
                None | Some(serde_json::Value::Null) => String::new(),
                Some(serde_json::Value::String(text)) => text.trim().to_owned(),
                Some(other) => other.to_string(),
            };
        }
        (None, row)
    };
    Ok(objects.into_iter().map(to_row).collect())
}

fn parse_row(row: &[String; 7], list: &Arc<str>) -> Result<Indicator, Problem> {
    let [value, kind, severity, confidence, source, description, expires_at] = row;
    let invalid = |what: &str, text: &str| {
        Problem::new(
            Code::InvalidIndicator,
            format!("the {what} `{}`", shorten(text, 80)),
        )
    };
    let kind = IndicatorType::ALL
        .iter()
        .copied()
        .find(|known| kind.eq_ignore_ascii_case(known.as_str()))
        .ok_or_else(|| invalid("type", kind))?;
    let severity = match severity.to_lowercase().as_str() {
        "" => Severity::High,
        text => text.parse().map_err(|_| invalid("severity", severity))?,
    };
    let confidence = match confidence.as_str() {
        "" => 0.8,
        text => text
            .parse()
            .ok()
            .filter(|value| (0.0..=1.0).contains(value))
            .ok_or_else(|| invalid("confidence (0 to 1)", text))?,
    };
    let expires_at = match expires_at.as_str() {
        "" => None,
        text => Some(parse_time(text).ok_or_else(|| invalid("expiry (RFC 3339 or a date)", text))?),
    };
    let value = normalise(kind, value).ok_or_else(|| invalid(kind.as_str(), value))?;
    Ok(Indicator {
        kind,
        value,
        severity,
        confidence,
        source: source.clone(),
        description: description.clone(),
        expires_at,
        list: list.clone(),
    })
}

/// The form in which values are compared; none when it cannot be one.
fn normalise(kind: IndicatorType, value: &str) -> Option<String> {
    let hex = |digits: usize| {
        let is_hash = value.len() == digits && value.bytes().all(|byte| byte.is_ascii_hexdigit());
        is_hash.then(|| value.to_ascii_lowercase())
    };
    match kind {
        IndicatorType::Sha256 => hex(64),
        IndicatorType::Sha1 => hex(40),
        IndicatorType::Md5 => hex(32),
        IndicatorType::FileName => {
            ((1..=4096).contains(&value.len()) && !value.contains('\0')).then(|| value.to_owned())
        }
        IndicatorType::Domain => {
            let domain = value.trim_end_matches('.').to_lowercase();
            let is_label = |label: &str| {
                (1..=63).contains(&label.len())
                    && label
                        .chars()
                        .all(|c| c.is_alphanumeric() || matches!(c, '-' | '_'))
            };
            (domain.len() <= 253 && domain.contains('.') && domain.split('.').all(is_label)).then_some(domain)
        }
        IndicatorType::Ip => value
            .parse::<IpAddr>()
            .ok()
            .map(|address| address.to_canonical().to_string()),
    }
}

/// A time in RFC 3339, or a date, which ends when the day begins in UTC.
fn parse_time(text: &str) -> Option<DateTime<Utc>> {
    let date = || {
        text.parse::<NaiveDate>()
            .ok()?
            .and_hms_opt(0, 0, 0)
            .map(|time| time.and_utc())
    };
    DateTime::parse_from_rfc3339(text)
        .ok()
        .map(|time| time.to_utc())
        .or_else(date)
}
