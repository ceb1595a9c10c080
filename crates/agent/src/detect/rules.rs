//! The rule set in force.

use std::sync::{Arc, RwLock};

use chrono::{DateTime, Utc};
use sg_detect::{Event, FileFacts, Match, Placeholders, RuleSet, compile_with};
use sg_types::Ids;
use sg_types::agent::{Event as RecordedEvent, FileSubject, Finding, ProcessSubject, RulePackage, Subject};

/// A compiled rule package.
#[derive(Debug)]
pub struct Engine {
    /// The package's version, 0 for none.
    pub version: u64,
    rules: RuleSet,
    /// How much of the package can be used.
    pub counts: SourceCounts,
}

/// How much of a rule package can be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct SourceCounts {
    /// Rules and indicators in force.
    pub in_force: u64,
    /// Rules, entries or files that were refused.
    pub refused: u64,
}

impl Engine {
    /// Compiles a package. What cannot be used is logged and counted; the rest is in force.
    pub fn compile(package: &RulePackage) -> Self {
        let (mut rules, diagnostics) = compile_with(&package.rules, &package.placeholders);
        rules.switch_off(package.switched_off.iter().cloned());
        let refused = diagnostics
            .iter()
            .filter(|diagnostic| diagnostic.effect == sg_detect::Effect::Refused);
        let refused = refused
            .inspect(|diagnostic| tracing::warn!(diagnostic = %diagnostic, "a rule cannot be used"))
            .count();
        let in_force = rules.rules().len() + rules.indicators().len();
        let counts = SourceCounts {
            in_force: in_force as u64,
            refused: refused as u64,
        };
        Self {
            version: package.version,
            rules,
            counts,
        }
    }

    /// An engine without rules.
    pub fn empty() -> Self {
        Self::compile(&RulePackage {
            version: 0,
            rules: Vec::new(),
            switched_off: Vec::new(),
            placeholders: Placeholders::new(),
        })
    }

    /// What is to be said about a program that was started.
    pub fn judge_process(&self, process: &ProcessSubject, now: DateTime<Utc>, ids: &dyn Ids) -> Vec<Finding> {
        let mut matches = self.rules.evaluate(&Event::process(process));
        let facts = FileFacts {
            path: process.image.as_deref().unwrap_or_default(),
            sha256: process.sha256.as_deref().and_then(decode_hash),
            ..FileFacts::default()
        };
        if process.image.is_some() {
            matches.extend(self.rules.check_file(&facts, now));
        }
        to_findings(matches, &Subject::Process(process.clone()), ids)
    }

    /// What is to be said about something that happened to a file.
    pub fn judge_file_event(&self, event: &RecordedEvent, ids: &dyn Ids) -> Vec<Finding> {
        let subject = match event {
            RecordedEvent::FileWritten(file)
            | RecordedEvent::FileRenamed(file)
            | RecordedEvent::FileDeleted(file) => Subject::File(file.clone()),
            RecordedEvent::ProcessStarted(process) => Subject::Process(process.clone()),
            RecordedEvent::Logged(_) => Subject::Endpoint,
        };
        to_findings(self.rules.evaluate(&Event::from(event)), &subject, ids)
    }

    /// What is to be said about a file by its name and hash.
    pub fn judge_file(&self, file: &FileSubject, now: DateTime<Utc>, ids: &dyn Ids) -> Vec<Finding> {
        let sha256 = file.sha256.as_deref().and_then(decode_hash);
        let facts = FileFacts {
            path: &file.path,
            sha256,
            ..FileFacts::default()
        };
        to_findings(
            self.rules.check_file(&facts, now),
            &Subject::File(file.clone()),
            ids,
        )
    }

    /// What is to be said about a file's content; also whether the scan saw all of it.
    pub fn scan_content(&self, file: &FileSubject, content: &[u8], ids: &dyn Ids) -> (Vec<Finding>, bool) {
        let report = self.rules.scan(content, &file.path);
        (
            to_findings(report.matches, &Subject::File(file.clone()), ids),
            report.diagnostics.is_empty(),
        )
    }
}

fn to_findings(matches: Vec<Match>, subject: &Subject, ids: &dyn Ids) -> Vec<Finding> {
    matches
        .into_iter()
        .map(|found| found.into_finding(ids.next().into(), subject.clone()))
        .collect()
}

fn decode_hash(text: &str) -> Option<[u8; 32]> {
    hex::decode(text).ok()?.try_into().ok()
}

/// The engine that evaluations use, replaced as a whole when new rules arrive.
#[derive(Debug)]
pub struct RulesInForce {
    engine: RwLock<Arc<Engine>>,
}

impl RulesInForce {
    /// Begins with this engine.
    pub fn new(engine: Engine) -> Self {
        Self {
            engine: RwLock::new(Arc::new(engine)),
        }
    }

    /// The engine in force.
    pub fn engine(&self) -> Arc<Engine> {
        self.engine
            .read()
            .unwrap_or_else(|poisoned| poisoned.into_inner())
            .clone()
    }

    /// Puts another engine in force.
    pub fn replace(&self, engine: Engine) {
        *self
            .engine
            .write()
            .unwrap_or_else(|poisoned| poisoned.into_inner()) = Arc::new(engine);
    }
}
