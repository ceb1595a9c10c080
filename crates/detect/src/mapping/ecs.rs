//! Elastic Common Schema 8 and 9, as Beats, Elastic Agent and Logstash write it.

use serde_json::{Map, Value};
use sg_types::agent::LogEvent;

use super::fields::{Fields, to_time};
use super::{EventFault, MappedEvent};

/// ECS and Sigma's taxonomy.
const NAMES: &[(&str, &str)] = &[
    ("process.executable", "Image"),
    ("process.command_line", "CommandLine"),
    ("process.working_directory", "CurrentDirectory"),
    ("process.pid", "ProcessId"),
    ("process.entity_id", "ProcessGuid"),
    ("process.name", "ProcessName"),
    ("process.parent.executable", "ParentImage"),
    ("process.parent.command_line", "ParentCommandLine"),
    ("process.parent.pid", "ParentProcessId"),
    ("process.parent.user.name", "ParentUser"),
    ("process.pe.original_file_name", "OriginalFileName"),
    ("process.pe.description", "Description"),
    ("process.pe.product", "Product"),
    ("process.pe.company", "Company"),
    ("process.pe.file_version", "FileVersion"),
    ("process.pe.imphash", "Imphash"),
    ("process.hash.md5", "md5"),
    ("process.hash.sha1", "sha1"),
    ("process.hash.sha256", "sha256"),
    ("file.path", "TargetFilename"),
    ("file.hash.md5", "md5"),
    ("file.hash.sha1", "sha1"),
    ("file.hash.sha256", "sha256"),
    ("dll.path", "ImageLoaded"),
    ("registry.path", "TargetObject"),
    ("registry.data.strings", "Details"),
    ("network.transport", "Protocol"),
    ("source.ip", "SourceIp"),
    ("source.port", "SourcePort"),
    ("source.domain", "SourceHostname"),
    ("destination.ip", "DestinationIp"),
    ("destination.port", "DestinationPort"),
    ("destination.domain", "DestinationHostname"),
    ("dns.question.name", "QueryName"),
    ("dns.resolved_ip", "QueryResults"),
    ("event.code", "EventID"),
    ("winlog.event_id", "EventID"),
    ("winlog.channel", "Channel"),
    ("winlog.provider_name", "Provider_Name"),
    ("host.hostname", "ComputerName"),
    ("host.name", "ComputerName"),
    ("url.original", "c-uri"),
    ("url.query", "c-uri-query"),
    ("url.domain", "cs-host"),
    ("http.request.method", "cs-method"),
    ("http.request.referrer", "cs-referer"),
    ("http.response.status_code", "sc-status"),
    ("user_agent.original", "c-useragent"),
];

/// What the channels of Windows are called as services.
const CHANNELS: &[(&str, &str)] = &[
    ("security", "security"),
    ("system", "system"),
    ("application", "application"),
    ("windows powershell", "powershell-classic"),
    ("microsoft-windows-powershell/operational", "powershell"),
    ("microsoft-windows-sysmon/operational", "sysmon"),
    ("microsoft-windows-taskscheduler/operational", "taskscheduler"),
    ("microsoft-windows-wmi-activity/operational", "wmi"),
    ("microsoft-windows-windows defender/operational", "windefend"),
    (
        "microsoft-windows-codeintegrity/operational",
        "codeintegrity-operational",
    ),
];

pub(super) fn map(object: &Map<String, Value>) -> Result<MappedEvent, EventFault> {
    let mut fields = Fields::of(&Value::Object(object.clone()))?;
    let at = object.get("@timestamp").map(to_time).transpose()?;
    let id = fields.get("event.id").map(str::to_owned);
    let mut event = find_source(&fields);
    if fields.get("process.command_line").is_none() {
        let args = fields.list("process.args").join(" ");
        fields.set("process.command_line", (!args.is_empty()).then_some(args));
    }
    let user = match (fields.get("user.domain"), fields.get("user.name")) {
        (Some(domain), Some(name)) if event.product.as_deref() == Some("windows") => {
            Some(format!("{domain}\\{name}"))
        }
        (_, name) => name.map(str::to_owned),
    };
    fields.set("User", user);
    if event.product.as_deref() == Some("aws") {
        fields.rename(&[("event.action", "eventName"), ("event.provider", "eventSource")]);
    }
    for prefix in [
        "winlog.event_data.",
        "auditd.data.",
        "auditd.log.",
        "aws.cloudtrail.",
    ] {
        fields.lift(prefix);
    }
    fields.rename(NAMES);
    fields.join_hashes();
    event.fields = fields.into_map();
    Ok(MappedEvent { id, at, event })
}

fn find_source(fields: &Fields) -> LogEvent {
    let mut source = LogEvent {
        product: product_of(fields),
        category: category_of(fields).map(str::to_owned),
        ..LogEvent::default()
    };
    if let Some(channel) = fields.get("winlog.channel") {
        source.product = Some("windows".to_owned());
        let channel = channel.to_lowercase();
        let known = CHANNELS.iter().find(|(name, _)| *name == channel);
        source.service = Some(known.map_or(channel, |(_, service)| (*service).to_owned()));
        return source;
    }
    // Beats call what they read `module.dataset`: `aws.cloudtrail`, `okta.system`, `system.auth`, `nginx.access`.
    if let Some((module, dataset)) = fields.get("event.dataset").and_then(|name| name.split_once('.')) {
        match module {
            "system" | "auditd" | "linux" => {
                source.product.get_or_insert_with(|| "linux".to_owned());
                source.service = Some(if module == "auditd" { module } else { dataset }.to_owned());
            }
            "nginx" | "apache" | "iis" | "traefik" => {
                source.category = Some("webserver".to_owned());
                source.service = Some(module.to_owned());
            }
            "endpoint" | "windows" => {}
            "okta" => (source.product, source.service) = (Some(module.to_owned()), Some(module.to_owned())),
            _ => (source.product, source.service) = (Some(module.to_owned()), Some(dataset.to_owned())),
        }
    }
    source
}

fn product_of(fields: &Fields) -> Option<String> {
    let system = ["host.os.type", "host.os.family", "host.os.platform"]
        .iter()
        .find_map(|path| fields.get(path))?;
    Some(match system.to_lowercase().as_str() {
        "macos" | "darwin" => "macos".to_owned(),
        "windows" => "windows".to_owned(),
        "debian" | "redhat" | "suse" | "ubuntu" | "centos" | "linux" => "linux".to_owned(),
        other => other.to_owned(),
    })
}

fn category_of(fields: &Fields) -> Option<&'static str> {
    let (categories, types) = (fields.list("event.category"), fields.list("event.type"));
    let is = |word: &str| categories.contains(&word);
    let has = |word: &str| types.contains(&word);
    if is("process") {
        return if has("start") {
            Some("process_creation")
        } else if has("end") {
            Some("process_termination")
        } else {
            None
        };
    }
    if is("file") {
        return if has("deletion") {
            Some("file_delete")
        } else if has("access") {
            Some("file_access")
        } else if has("creation") || has("change") {
            Some("file_event")
        } else {
            None
        };
    }
    if is("registry") {
        return Some("registry_event");
    }
    if is("library") || is("driver") {
        return Some(if is("library") {
            "image_load"
        } else {
            "driver_load"
        });
    }
    if is("network") {
        let is_dns = fields.get("dns.question.name").is_some();
        return Some(if is_dns { "dns_query" } else { "network_connection" });
    }
    if is("authentication") {
        return Some("authentication");
    }
    is("web").then_some("webserver")
}
