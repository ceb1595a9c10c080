//! Texts in somebody's own words. A template is another tenant's code in this process, so it is given little: no functions, no variables of its own,
//! nothing that makes a long text out of a short one, and a budget of steps that it may take.

use std::collections::BTreeMap;
use std::io::{self, Write};

use chrono::{DateTime, Utc};
use minijinja::machinery::{Token, tokenize};
use minijinja::syntax::SyntaxConfig;
use minijinja::{Environment, Error, ErrorKind, Output, State, UndefinedBehavior, Value};
use serde_json::Value as Json;
use sg_types::api::notifications::{ChannelKind, ChannelTemplates, TestSample};
use sg_types::{FieldError, NotificationId};

use super::deliver::slack;
use super::letter::{Letter, clean, format_time};
use crate::error::{ApiError, ApiResult};

/// Bytes of a template at most.
const MAX_BYTES: usize = 8_000;
/// Bytes that it may come to.
const MAX_OUTPUT: usize = 32_768;
/// Steps of the engine that one text may take: some milliseconds.
const FUEL: u64 = 50_000;
/// Calls within calls; nothing that is allowed needs them.
const RECURSION: usize = 20;
/// Characters of what is said about a fault.
const FAULT_CHARS: usize = 300;
/// The tags that there are.
const TAGS: [&str; 6] = ["if", "elif", "else", "endif", "for", "endfor"];

/// What templates came to; ours are sent where there is nothing.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct OwnWords {
    /// The subject of a mail, in one line.
    pub(super) subject: Option<String>,
    /// The text.
    pub(super) body: Option<String>,
    /// Why a template was passed over.
    pub(super) note: Option<String>,
}

/// Whether people read what this kind of channel is sent.
pub(super) fn takes_templates(kind: ChannelKind) -> bool {
    matches!(kind, ChannelKind::Email | ChannelKind::Slack)
}

/// Refuses templates that could not be sent: each has to make something of every kind of message.
///
/// # Errors
/// 422 with the line.
pub(super) fn check(kind: ChannelKind, templates: &ChannelTemplates, console: &str) -> ApiResult<()> {
    let mut errors = Vec::new();
    for (name, template, is_for) in [
        (
            "templates.subject",
            &templates.subject,
            kind == ChannelKind::Email,
        ),
        ("templates.body", &templates.body, takes_templates(kind)),
    ] {
        let Some(template) = template else { continue };
        if !is_for {
            errors.push(FieldError::new(name, "is not for channels of this kind"));
        } else if template.len() > MAX_BYTES || template.contains('\0') {
            errors.push(FieldError::new(
                name,
                format!("is at most {MAX_BYTES} bytes of text"),
            ));
        } else if let Err(fault) = try_out(kind, template, console) {
            errors.push(FieldError::new(name, fault));
        }
    }
    if errors.is_empty() {
        return Ok(());
    }
    Err(ApiError::unprocessable("invalid_body", errors))
}

fn try_out(kind: ChannelKind, template: &str, console: &str) -> Result<(), String> {
    let (id, at) = (NotificationId(uuid::Uuid::nil()), DateTime::<Utc>::UNIX_EPOCH);
    for of in TestSample::ALL {
        render(kind, template, &sample(*of, id, at, console))
            .map_err(|fault| format!("{fault} (of a message about {of})"))?;
    }
    Ok(())
}

/// A message about nothing: that it arrives, or of one of the kinds that there are.
pub(super) fn sample(of: TestSample, id: NotificationId, at: DateTime<Utc>, console: &str) -> Letter {
    match of {
        TestSample::Test => Letter::test(id, at, console),
        TestSample::Incident | TestSample::Alert | TestSample::Digest => Letter::sample(of, id, at, console),
    }
}

/// What the templates of a channel make of a letter. One that fails is passed over, and that is noted.
pub(super) fn apply(kind: ChannelKind, templates: &ChannelTemplates, letter: &Letter) -> OwnWords {
    let mut own = OwnWords::default();
    if let Some(template) = &templates.subject {
        match render(kind, template, letter) {
            Ok(text) => own.subject = Some(clean(&text)).filter(|line| !line.is_empty()),
            Err(fault) => own.note = Some(say("subject", &fault)),
        }
    }
    if let Some(template) = &templates.body {
        match render(kind, template, letter) {
            Ok(text) => own.body = Some(text).filter(|text| !text.trim().is_empty()),
            Err(fault) => own.note = Some(say("body", &fault)),
        }
    }
    own
}

fn say(which: &str, fault: &str) -> String {
    format!("the template of the {which} failed, and the standard text was sent: {fault}")
}

fn render(kind: ChannelKind, template: &str, letter: &Letter) -> Result<String, String> {
    check_tokens(template)?;
    let mut env = Environment::empty();
    env.set_undefined_behavior(UndefinedBehavior::SemiStrict);
    env.set_fuel(Some(FUEL));
    env.set_recursion_limit(RECURSION);
    let quotes = kind == ChannelKind::Slack;
    env.set_formatter(move |out, state, value| put(out, state, value, quotes));
    env.add_filter("upper", |text: String| text.to_uppercase());
    env.add_filter("lower", |text: String| text.to_lowercase());
    env.add_filter("trim", |text: String| text.trim().to_owned());
    env.add_filter("length", |value: Value| {
        value
            .len()
            .ok_or_else(|| Error::new(ErrorKind::InvalidOperation, "has no length"))
    });
    env.add_filter("truncate", |text: String, chars: usize| {
        text.chars().take(chars).collect::<String>()
    });
    env.add_filter("default", |value: Value, other: Value| {
        if value.is_undefined() || value.is_none() {
            other
        } else {
            value
        }
    });
    env.add_filter("join", join);
    let compiled = env
        .template_from_str(template)
        .map_err(|error| describe(&error))?;
    let mut output = Bounded(Vec::new());
    compiled
        .render_captured_to(context(letter, quotes), &mut output)
        .map_err(|error| describe(&error))?;
    String::from_utf8(output.0).map_err(|_| "it is no text".to_owned())
}

/// Refuses what a text could grow by, before anything runs: variables, macros, and operators that put texts together.
fn check_tokens(template: &str) -> Result<(), String> {
    let mut begins_tag = false;
    for token in tokenize(template, false, SyntaxConfig::default()) {
        let (token, span) = token.map_err(|error| describe(&error))?;
        let fault = match &token {
            Token::Ident(name) if begins_tag && !TAGS.contains(name) => {
                Some(format!("there is no tag `{}`", clean(name)))
            }
            Token::Ident("recursive") => Some("there is no `recursive`".to_owned()),
            Token::Plus | Token::Mul | Token::Pow | Token::Tilde | Token::BraceOpen | Token::Assign => {
                Some(format!("{token} is not to be had"))
            }
            _ => None,
        };
        if let Some(fault) = fault {
            return Err(format!("line {}: {fault}", span.start_line));
        }
        begins_tag = matches!(token, Token::BlockStart);
    }
    Ok(())
}

/// Texts of a list one after the other. Without it that could be made longer than what it was made of, at each step.
fn join(values: Value, between: Option<String>) -> Result<String, Error> {
    let between = between.unwrap_or_default();
    let mut joined = String::new();
    for (number, value) in values.try_iter()?.enumerate() {
        if number > 0 {
            joined.push_str(&between);
        }
        joined.push_str(value.as_str().unwrap_or_default());
        if joined.len() > MAX_OUTPUT {
            return Err(Error::new(ErrorKind::InvalidOperation, "is too long"));
        }
    }
    Ok(joined)
}

/// Writes a value. Somebody else's words are quoted, where the receiver reads markup.
fn put(out: &mut Output<'_>, _state: &mut State<'_, '_>, value: &Value, quotes: bool) -> Result<(), Error> {
    if value.is_undefined() {
        return Err(Error::from(ErrorKind::UndefinedError));
    }
    if value.is_none() {
        return out.write_str("–").map_err(Error::from);
    }
    let text = value.to_string();
    if quotes && !value.is_safe() && !value.is_number() {
        return out.write_str(&slack::quote(&clean(&text))).map_err(Error::from);
    }
    out.write_str(&text).map_err(Error::from)
}

/// What a template is given. Texts that come from somewhere else are one line each; ours are marked as safe to write as they are.
fn context(letter: &Letter, quotes: bool) -> Value {
    let ours = |text: &str| Value::from_safe_string(text.to_owned());
    let (title, text, url) = if quotes {
        (
            slack::title(letter),
            slack::compose(letter),
            slack::escape(&letter.url),
        )
    } else {
        (letter.plain_title(), letter.plain_text(), letter.url.clone())
    };
    let facts: Vec<Value> = letter
        .facts
        .iter()
        .map(|(name, value)| {
            let fact = [("name", ours(name)), ("value", Value::from(value.as_str()))];
            Value::from(BTreeMap::from(fact))
        })
        .collect();
    let mut given = BTreeMap::from([
        ("kind", ours(letter.kind)),
        ("severity", ours(letter.severity.as_str())),
        ("title", Value::from_safe_string(title)),
        ("text", Value::from_safe_string(text)),
        ("time", ours(&format_time(letter.at))),
        ("url", Value::from_safe_string(url)),
        ("is_over", Value::from(letter.is_over)),
        ("facts", Value::from(facts)),
    ]);
    for name in ["incident", "endpoint", "alert", "digest"] {
        let data = letter.data.get(name).map_or(Value::from(()), theirs);
        given.insert(name, data);
    }
    Value::from(given)
}

fn theirs(value: &Json) -> Value {
    match value {
        Json::Null => Value::from(()),
        Json::Bool(value) => Value::from(*value),
        Json::Number(value) => value
            .as_i64()
            .map_or_else(|| Value::from(value.as_f64().unwrap_or_default()), Value::from),
        Json::String(text) => Value::from(clean(text)),
        Json::Array(values) => Value::from(values.iter().map(theirs).collect::<Vec<_>>()),
        Json::Object(fields) => {
            let fields = fields.iter().map(|(name, value)| (name.clone(), theirs(value)));
            Value::from(fields.collect::<BTreeMap<_, _>>())
        }
    }
}

/// In words, with the line.
fn describe(error: &Error) -> String {
    let fault = match (error.kind(), error.detail()) {
        (ErrorKind::OutOfFuel, _) => "it takes too many steps".to_owned(),
        (ErrorKind::WriteFailure, _) => format!("it comes to more than {MAX_OUTPUT} bytes"),
        (kind, Some(detail)) => format!("{kind}: {detail}"),
        (kind, None) => kind.to_string(),
    };
    let fault: String = clean(&fault).chars().take(FAULT_CHARS).collect();
    match error.line() {
        Some(line) => format!("line {line}: {fault}"),
        None => fault,
    }
}

/// Takes so much and no more.
struct Bounded(Vec<u8>);

impl Write for Bounded {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.0.len() + bytes.len() > MAX_OUTPUT {
            return Err(io::Error::other("too long"));
        }
        self.0.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn letter(of: TestSample) -> Letter {
        let at = "2026-01-31T12:00:00Z".parse().unwrap();
        sample(
            of,
            NotificationId(uuid::Uuid::nil()),
            at,
            "https://guard.example.org",
        )
    }

    fn text(kind: ChannelKind, template: &str) -> Result<String, String> {
        render(kind, template, &letter(TestSample::Incident))
    }

    #[test]
    fn a_template_is_given_the_incident() {
        let template = "{% if incident %}{{ severity|upper }} {{ endpoint.hostname }}{% for rule in incident.rules %} {{ rule.name }}{% endfor %}{% endif %}";
        assert_eq!(
            text(ChannelKind::Email, template).unwrap(),
            "HIGH test-endpoint Test rule"
        );
        assert_eq!(
            text(
                ChannelKind::Slack,
                "{{ title }} <{{ url }}|Open> {{ endpoint.hostname }} {{ severity }}"
            )
            .unwrap(),
            "High incident on `test-endpoint`: `Test: nothing happened` <https://guard.example.org/threats|Open> `test-endpoint` high"
        );
    }

    #[test]
    fn faults_name_their_line() {
        for (template, part) in [
            ("a\n{{ incident.title", "line 2"),
            ("a\nb\n{{ nobody.knows }}", "line 3: undefined"),
            ("\n{% set x = title %}", "line 2: there is no tag `set`"),
            ("{% include 'x' %}", "line 1: there is no tag `include`"),
            ("{{ title|shell }}", "line 1: unknown filter"),
            ("{{ range(9) }}", "line 1: unknown function"),
            ("{{ title is defined }}", "line 1: unknown test"),
        ] {
            let fault = text(ChannelKind::Email, template).unwrap_err();
            assert!(fault.contains(part), "{template}: {fault}");
        }
    }

    /// What somebody would try who wants the memory or the time of the others.
    #[test]
    fn bombs_do_not_go_off() {
        let nested = format!(
            "{}x{}",
            "{% for a in facts %}".repeat(12),
            "{% endfor %}".repeat(12)
        );
        let doubling = "{% set x = title %}".to_owned() + &"{% set x = x ~ x %}".repeat(40);
        let deep = format!("{{{{ {}title{} }}}}", "(".repeat(3_000), ")".repeat(3_000));
        for template in [
            doubling.as_str(),
            "{{ 'x' * 999999999 }}",
            "{{ title ~ title }}",
            "{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}",
            "{% for a in facts recursive %}{{ loop(facts) }}{% endfor %}",
            "{% filter upper %}x{% endfilter %}",
            "{{ 9 ** 9 ** 9 }}",
            "{{ title|replace('a', title)|replace('a', title) }}",
            nested.as_str(),
            deep.as_str(),
        ] {
            let began = std::time::Instant::now();
            let fault = text(ChannelKind::Email, template).unwrap_err();
            assert!(began.elapsed().as_secs() < 2, "{template}: {fault}");
        }
        let long = format!(
            "{}{}{}",
            "{% for a in facts %}",
            "x".repeat(7_000),
            "{% endfor %}"
        )
        .repeat(1);
        let chain = format!("{{{{ facts{} }}}}", "|join(title)".repeat(300));
        for template in [format!("{{% for b in facts %}}{long}{{% endfor %}}"), chain] {
            let fault = text(ChannelKind::Email, &template);
            assert!(fault.as_ref().map_or(0, String::len) <= MAX_OUTPUT, "{fault:?}");
        }
    }

    #[test]
    fn what_an_endpoint_says_is_quoted_whatever_filter_it_went_through() {
        let mut letter = letter(TestSample::Incident);
        letter.data["endpoint"]["hostname"] = Json::from("<!channel> `x` https://evil.example\r\nBcc: x");
        for template in [
            "{{ endpoint.hostname }}",
            "{{ endpoint.hostname|upper|trim }}",
            "{{ endpoint.hostname|truncate(8) }}",
            "{{ endpoint }}",
            "{{ [endpoint.hostname]|join }}",
        ] {
            let text = render(ChannelKind::Slack, template, &letter).unwrap();
            assert!(
                !text.contains('<') && text.starts_with('`') && text.matches('`').count() == 2,
                "{template}: {text}"
            );
        }
        let templates = ChannelTemplates {
            subject: Some("{{ endpoint.hostname }}\n\nX".to_owned()),
            body: Some("{% if alert %}x{% endif %}".to_owned()),
        };
        let own = apply(ChannelKind::Email, &templates, &letter);
        assert_eq!(
            own.subject.as_deref(),
            Some("<!channel> `x` https://evil.example Bcc: x X")
        );
        assert_eq!(
            (own.body, own.note),
            (None, None),
            "nothing gives way to the standard text"
        );
    }
}
