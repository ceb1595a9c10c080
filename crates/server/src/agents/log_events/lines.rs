//! The lines of a body: each is an event, or says why it is none.

use sg_detect::mapping::{EventFault, MappedEvent, map_event};
use sg_types::agent::LogEvent;
use sg_types::api::agents::EventLineError;

use crate::error::ApiError;

/// Events of one request.
pub(super) const MAX_EVENTS: usize = 10_000;
/// Bytes of a line.
pub(super) const MAX_LINE_BYTES: usize = 64 * 1024;
/// Refused lines that an answer names one by one.
const MAX_ERRORS: usize = 100;

/// A line that is an event.
#[derive(Debug)]
pub(super) struct Line {
    /// Its number, from 1.
    pub(super) number: u32,
    /// Its text.
    pub(super) text: String,
    /// What it says.
    pub(super) mapped: MappedEvent,
}

/// What a body holds.
#[derive(Debug, Default)]
pub(super) struct Lines {
    pub(super) events: Vec<Line>,
    pub(super) refused: u32,
    /// Why the first of them are.
    pub(super) errors: Vec<EventLineError>,
}

/// Reads every line; empty ones are passed over. Takes a processor for up to a second.
///
/// # Errors
/// 413 for too many lines.
pub(super) fn read_lines(body: &[u8], otherwise: &LogEvent) -> Result<Lines, ApiError> {
    let texts = || {
        body.split(|byte| *byte == b'\n')
            .enumerate()
            .map(|(number, line)| (number, line.trim_ascii()))
            .filter(|(_, line)| !line.is_empty())
    };
    if texts().nth(MAX_EVENTS).is_some() {
        return Err(ApiError::new(
            axum::http::StatusCode::PAYLOAD_TOO_LARGE,
            "too_large",
            format!("a request has at most {MAX_EVENTS} events; none of them was taken"),
        ));
    }
    let mut lines = Lines::default();
    for (place, line) in texts() {
        let number = u32::try_from(place + 1).unwrap_or(u32::MAX);
        match read_line(line, otherwise) {
            Ok((text, mapped)) => lines.events.push(Line {
                number,
                text: text.to_owned(),
                mapped,
            }),
            Err(fault) => lines.refuse(number, fault.code, fault.message),
        }
    }
    Ok(lines)
}

impl Lines {
    pub(super) fn refuse(&mut self, line: u32, code: &str, message: String) {
        self.refused += 1;
        if self.errors.len() < MAX_ERRORS {
            self.errors.push(EventLineError {
                line,
                code: code.to_owned(),
                message,
            });
        }
    }
}

fn read_line<'a>(line: &'a [u8], otherwise: &LogEvent) -> Result<(&'a str, MappedEvent), EventFault> {
    let fault = |code, message: String| EventFault { code, message };
    if line.len() > MAX_LINE_BYTES {
        let message = format!("the line has {} bytes, of {MAX_LINE_BYTES} at most", line.len());
        return Err(fault("too_long", message));
    }
    let text = std::str::from_utf8(line).map_err(|error| {
        let message = format!("the line is no UTF-8 from byte {} on", error.valid_up_to() + 1);
        fault("invalid_utf8", message)
    })?;
    Ok((text, map_event(text, otherwise)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_wrong_with_a_line_is_that_lines_matter() {
        let good = r#"{"logsource":{"product":"x"},"fields":{"a":1}}"#;
        let mut body = format!("{good}\r\n\n  \n{good}\n{{\n").into_bytes();
        body.extend([0xff, 0xfe, b'\n']);
        body.extend(vec![b'x'; MAX_LINE_BYTES + 1]);
        body.extend(format!("\n{good}").bytes());
        let lines = read_lines(&body, &LogEvent::default()).unwrap();
        let numbers: Vec<u32> = lines.events.iter().map(|line| line.number).collect();
        assert_eq!(numbers, [1, 4, 8]);
        let errors: Vec<_> = lines
            .errors
            .iter()
            .map(|one| (one.line, one.code.as_str()))
            .collect();
        assert_eq!(
            errors,
            [(5, "invalid_json"), (6, "invalid_utf8"), (7, "too_long")]
        );
        assert_eq!(lines.refused, 3);
    }

    #[test]
    fn many_tiny_lines_are_refused_before_any_is_read() {
        let body = "{\n".repeat(1_000_000);
        let refused = read_lines(body.as_bytes(), &LogEvent::default()).unwrap_err();
        assert_eq!((refused.status().as_u16(), refused.code()), (413, "too_large"));
        assert!(
            read_lines("\n".repeat(1_000_000).as_bytes(), &LogEvent::default())
                .unwrap()
                .events
                .is_empty()
        );
        let lines = read_lines("{\n".repeat(MAX_EVENTS).as_bytes(), &LogEvent::default()).unwrap();
        assert_eq!((lines.refused, lines.errors.len()), (10_000, MAX_ERRORS));
    }
}
