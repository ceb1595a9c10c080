//! Comma-separated values with quotes, as RFC 4180 describes them.

/// One record with the line that it begins on, counted from 1.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Record {
    pub(crate) line: u32,
    pub(crate) fields: Vec<String>,
}

/// Reads every record; empty lines and lines that begin with `#` are left out.
///
/// # Errors
/// The line on which a quoted value begins that never ends.
pub(crate) fn parse(text: &str) -> Result<Vec<Record>, u32> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut records = Vec::new();
    let mut lines = (1_u32..).zip(text.split('\n'));
    while let Some((line, first)) = lines.next() {
        let first = first.strip_suffix('\r').unwrap_or(first);
        if first.trim().is_empty() || first.starts_with('#') {
            continue;
        }
        let mut logical = first.to_owned();
        while logical.bytes().filter(|byte| *byte == b'"').count() % 2 == 1 {
            let Some((_, next)) = lines.next() else {
                return Err(line);
            };
            logical.push('\n');
            logical.push_str(next.strip_suffix('\r').unwrap_or(next));
        }
        records.push(Record {
            line,
            fields: split_fields(&logical),
        });
    }
    Ok(records)
}

fn split_fields(line: &str) -> Vec<String> {
    let mut fields = vec![String::new()];
    let mut quoted = false;
    let mut chars = line.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '"' if quoted && chars.peek() == Some(&'"') => {
                chars.next();
                push(&mut fields, '"');
            }
            '"' => quoted = !quoted,
            ',' if !quoted => fields.push(String::new()),
            _ => push(&mut fields, c),
        }
    }
    fields
}

fn push(fields: &mut [String], c: char) {
    if let Some(last) = fields.last_mut() {
        last.push(c);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotes_commas_and_line_ends() {
        let records = parse("\u{feff}a,b\r\n# comment\n\n\"x,\"\"y\"\"\",\"two\nlines\"\nlast,\n").unwrap();
        let fields: Vec<_> = records
            .iter()
            .map(|record| (record.line, record.fields.join("|")))
            .collect();
        let expected = [(1, "a|b"), (4, "x,\"y\"|two\nlines"), (6, "last|")];
        assert_eq!(fields, expected.map(|(line, text)| (line, text.to_owned())));
        assert_eq!(parse("a\n\"open"), Err(2));
    }
}
