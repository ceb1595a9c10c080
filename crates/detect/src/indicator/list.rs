//! Reading an indicator list: CSV with a header line, a JSON array of objects with the same names, a STIX bundle or events of MISP.

use std::net::IpAddr;
use std::sync::Arc;

use chrono::{DateTime, NaiveDate, Utc};
use sg_types::Severity;

use super::{Indicator, IndicatorType, csv, misp, stix};
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

/// An entry as it stands in the list; what is not given is empty.
#[derive(Debug, Default)]
pub(super) struct Row {
    pub(super) value: String,
    pub(super) kind: String,
    pub(super) severity: String,
    pub(super) confidence: String,
    pub(super) source: String,
    pub(super) description: String,
    pub(super) expires_at: String,
    /// Where it stands.
    pub(super) line: Option<u32>,
}

impl Row {
    /// In the order of [`COLUMNS`].
    fn columns(&mut self) -> [&mut String; 7] {
        [
            &mut self.value,
            &mut self.kind,
            &mut self.severity,
            &mut self.confidence,
            &mut self.source,
            &mut self.description,
            &mut self.expires_at,
        ]
    }
}

/// An entry, or why there is none.
pub(super) type Entry = Result<Row, String>;

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
    let rows = match source.text.trim_start().as_bytes().first() {
        Some(b'[') => read_array(&source.text)?,
        Some(b'{') => read_object(&source.text)?,
        _ => read_csv(&source.text)?,
    };
    let list: Arc<str> = source.name.as_str().into();
    let (mut entries, mut problems, mut unreported) = (Vec::with_capacity(rows.len()), Vec::new(), 0_usize);
    for row in rows {
        let entry = row
            .map_err(|reason| Problem::new(Code::InvalidIndicator, reason))
            .and_then(|row| parse_row(&row, &list).map_err(|problem| problem.at(row.line)));
        match entry {
            Ok(entry) => entries.push(entry),
            Err(problem) if problems.len() < MAX_REPORTED => problems.push(problem),
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

fn read_csv(text: &str) -> Result<Vec<Entry>, Problem> {
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
        let mut row = Row {
            line: Some(record.line),
            ..Row::default()
        };
        let places = row.columns();
        for (column, field) in columns.iter().zip(record.fields) {
            field.trim().clone_into(places[*column]);
        }
        Ok(row)
    };
    Ok(records.map(to_row).collect())
}

fn read_array(text: &str) -> Result<Vec<Entry>, Problem> {
    let objects: Vec<serde_json::Map<String, serde_json::Value>> =
        serde_json::from_str(text).map_err(|error| no_json(&error))?;
    let to_row = |object: serde_json::Map<String, serde_json::Value>| {
        let mut row = Row::default();
        for (column, name) in row.columns().into_iter().zip(COLUMNS) {
            *column = match object.get(name) {
                None | Some(serde_json::Value::Null) => String::new(),
                Some(serde_json::Value::String(text)) => text.trim().to_owned(),
                Some(other) => other.to_string(),
            };
        }
        Ok(row)
    };
    Ok(objects.into_iter().map(to_row).collect())
}

/// A STIX bundle, or what MISP exports.
fn read_object(text: &str) -> Result<Vec<Entry>, Problem> {
    let object: serde_json::Value = serde_json::from_str(text).map_err(|error| no_json(&error))?;
    let entries = if object["type"] == "bundle" {
        serde_json::from_value(object).map(stix::read)
    } else if object.get("Event").is_some() || object.get("response").is_some() {
        serde_json::from_value(object).map(misp::read)
    } else {
        let detail = "the object is neither a STIX bundle nor an event of MISP";
        return Err(Problem::new(Code::InvalidIndicatorList, detail));
    };
    entries.map_err(|error| no_json(&error))
}

fn no_json(error: &serde_json::Error) -> Problem {
    let line = u32::try_from(error.line()).ok().filter(|line| *line > 0);
    Problem::new(Code::InvalidIndicatorList, error.to_string()).at(line)
}

fn parse_row(row: &Row, list: &Arc<str>) -> Result<Indicator, Problem> {
    let Row {
        value,
        kind,
        severity,
        confidence,
        source,
        description,
        expires_at,
        line: _,
    } = row;
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
        IndicatorType::Url => super::normal_url(value),
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
