//! From what was observed to findings.

mod files;
mod processes;
mod rules;
mod seen;

pub use files::FileScanner;
pub use processes::ProcessEvaluator;
pub use rules::{Engine, Hit, Look, MAX_HITS, RulesInForce, SourceCounts};
pub use seen::SEEN_FILE;
