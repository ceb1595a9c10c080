//! The default rule pack of `rules/`, built into the crate.

use sg_types::RuleKind;

use crate::RuleSource;

include!(concat!(env!("OUT_DIR"), "/pack.rs"));

/// The rules that SecureGuard ships with. Names are paths below `rules/`, such as
/// `sigma/reverse_shell_dev_tcp.yml`, in order.
pub fn default_pack() -> Vec<RuleSource> {
    let to_source = |(kind, name, text): &(RuleKind, &str, &str)| RuleSource {
        kind: *kind,
        name: (*name).to_owned(),
        text: (*text).to_owned(),
    };
    FILES.iter().map(to_source).collect()
}
