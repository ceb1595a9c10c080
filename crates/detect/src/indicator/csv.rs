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
        // Only what is added is counted: a quote that never ends reaches through the whole list.
        let mut is_open = has_odd_quotes(first);
        while is_open {
            let Some((_, next)) = lines.next() else {
                return Err(line);
            };
            logical.push('\n');
            logical.push_str(next.strip_suffix('\r').unwrap_or(next));
            is_open ^= has_odd_quotes(next);
        }
        records.push(Record {
            line,
            fields: split_fields(&logical),
        });
    }
    Ok(records)
}

fn has_odd_quotes(text: &str) -> bool {
    text.bytes().filter(|byte| *byte == b'"').count() % 2 == 1
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

    #[test]
    fn a_quote_that_never_ends_takes_no_longer_than_the_list_is_long() {
        let begun = std::time::Instant::now();
        let list = format!("value,type\n\"{}", "example.com,domain\n".repeat(200_000));
        assert_eq!(parse(&list), Err(2));
        assert!(begun.elapsed().as_secs() < 20, "{:?}", begun.elapsed());
    }
}
