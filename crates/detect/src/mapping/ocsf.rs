//! Open Cybersecurity Schema Framework, versions 1.0 to 1.6.

use serde_json::{Map, Value};
use sg_types::agent::LogEvent;

use super::fields::{Fields, to_time};
use super::{EventFault, MappedEvent};

/// OCSF and Sigma's taxonomy, whatever the class.
const NAMES: &[(&str, &str)] = &[
    ("file.path", "TargetFilename"),
    ("module.file.path", "ImageLoaded"),
    ("reg_key.path", "TargetObject"),
    ("reg_value.path", "TargetObject"),
    ("reg_value.data", "Details"),
    ("src_endpoint.ip", "SourceIp"),
    ("src_endpoint.port", "SourcePort"),
    ("src_endpoint.hostname", "SourceHostname"),
    ("dst_endpoint.ip", "DestinationIp"),
    ("dst_endpoint.port", "DestinationPort"),
    ("dst_endpoint.hostname", "DestinationHostname"),
    ("connection_info.protocol_name", "Protocol"),
    ("query.hostname", "QueryName"),
    ("device.hostname", "ComputerName"),
    ("device.name", "ComputerName"),
    ("user.name", "User"),
    ("process.user.name", "User"),
    ("actor.user.name", "User"),
    ("api.operation", "eventName"),
    ("api.service.name", "eventSource"),
    ("api.response.error", "errorCode"),
    ("cloud.region", "awsRegion"),
    ("http_request.url.url_string", "c-uri"),
    ("http_request.url.hostname", "cs-host"),
    ("http_request.url.query_string", "c-uri-query"),
    ("http_request.http_method", "cs-method"),
    ("http_request.user_agent", "c-useragent"),
    ("http_response.code", "sc-status"),
];

/// What stands below a process.
const PROCESS: &[(&str, &str)] = &[
    ("file.path", "Image"),
    ("path", "Image"),
    ("cmd_line", "CommandLine"),
    ("pid", "ProcessId"),
    ("uid", "ProcessGuid"),
    ("name", "ProcessName"),
    ("working_directory", "CurrentDirectory"),
];
/// What stands below its parent.
const PARENT: &[(&str, &str)] = &[
    ("file.path", "ParentImage"),
    ("path", "ParentImage"),
    ("cmd_line", "ParentCommandLine"),
    ("pid", "ParentProcessId"),
    ("user.name", "ParentUser"),
];

const PROCESS_ACTIVITY: u64 = 1007;

pub(super) fn map(object: &Map<String, Value>) -> Result<MappedEvent, EventFault> {
    let number = |name: &str| object.get(name).and_then(Value::as_u64).unwrap_or(0);
    let (class, activity) = (number("class_uid"), number("activity_id"));
    let mut fields = Fields::of(&Value::Object(object.clone()))?;
    let at = object
        .get("time")
        .or_else(|| object.get("time_dt"))
        .map(to_time)
        .transpose()?;
    let id = fields.get("metadata.uid").map(str::to_owned);
    let mut event = LogEvent {
        product: product_of(&fields, class),
        category: category_of(class, activity).map(str::to_owned),
        service: None,
        ..LogEvent::default()
    };
    if class == 6003 && event.product.as_deref() == Some("aws") {
        event.service = Some("cloudtrail".to_owned());
    }
    if class == PROCESS_ACTIVITY {
        // Who started it is the actor.
        rename_below(&mut fields, "process.parent_process", PARENT);
        rename_below(&mut fields, "actor.process", PARENT);
        add_hashes(&mut fields, "process.file.hashes");
        rename_below(&mut fields, "process", PROCESS);
    } else {
        add_hashes(&mut fields, "file.hashes");
        rename_below(&mut fields, "actor.process", PROCESS);
    }
    fields.rename(NAMES);
    fields.join_hashes();
    event.fields = fields.into_map();
    Ok(MappedEvent { id, at, event })
}

fn rename_below(fields: &mut Fields, path: &str, names: &[(&str, &str)]) {
    for (name, to) in names {
        fields.rename(&[(&format!("{path}.{name}"), to)]);
    }
}

/// Hashes are a list of `{algorithm, value}`.
fn add_hashes(fields: &mut Fields, path: &str) {
    for number in 0..8 {
        let part = |name: &str| fields.get(&format!("{path}.{number}.{name}")).map(str::to_owned);
        let (algorithm, value) = (part("algorithm").or_else(|| part("algorithm_id")), part("value"));
        let name = match algorithm.as_deref() {
            Some("MD5" | "1") => "md5",
            Some("SHA-1" | "2") => "sha1",
            Some("SHA-256" | "3") => "sha256",
            _ => continue,
        };
        fields.set(name, value);
    }
}

fn product_of(fields: &Fields, class: u64) -> Option<String> {
    if class == 6003
        && let Some(provider) = fields.get("cloud.provider")
    {
        return Some(provider.to_lowercase());
    }
    match fields.get("device.os.type_id") {
        Some("100") => return Some("windows".to_owned()),
        Some("200") => return Some("linux".to_owned()),
        Some("300") => return Some("macos".to_owned()),
        _ => {}
    }
    let system = fields
        .get("device.os.type")
        .or_else(|| fields.get("metadata.product.name"))?;
    Some(system.to_lowercase())
}

fn category_of(class: u64, activity: u64) -> Option<&'static str> {
    match (class, activity) {
        (PROCESS_ACTIVITY, 1) => Some("process_creation"),
        (PROCESS_ACTIVITY, 2) => Some("process_termination"),
        (1001, 4) => Some("file_delete"),
        (1001, 2) => Some("file_access"),
        (1001, 1 | 3 | 5) => Some("file_event"),
        (1005, 1) => Some("image_load"),
        (201_001 | 201_002, _) => Some("registry_event"),
        (3002, _) => Some("authentication"),
        (4001, _) => Some("network_connection"),
        (4002, _) => Some("webserver"),
        (4003, _) => Some("dns_query"),
        _ => None,
    }
}
