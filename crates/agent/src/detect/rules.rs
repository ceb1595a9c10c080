//! The rule set in force.

use std::collections::HashSet;
use std::sync::{Arc, RwLock};

use chrono::{DateTime, Utc};
use sg_detect::{Event, FileFacts, FileLabels, Match, Placeholders, RuleSet, ScanLimits, compile_with};
use sg_types::Ids;
use sg_types::agent::{Event as RecordedEvent, FileSubject, Finding, ProcessSubject, RulePackage, Subject};

use crate::collect::cut_text;
use crate::scan::{Gaps, Limits, Reason, unpack};

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

/// What looking at a file came to.
#[derive(Debug, Default)]
pub struct Look {
    /// What is known, at most [`MAX_HITS`].
    pub hits: Vec<Hit>,
    /// What was not looked at.
    pub gaps: Gaps,
}

/// Something that is known.
#[derive(Debug)]
pub struct Hit {
    /// The file, or `file!entry` inside an archive.
    pub path: String,
    /// The rule or indicator.
    pub found: Match,
}

/// Hits of one file that are kept: an archive may hold the same thing many times.
pub const MAX_HITS: usize = 1_000;

impl Look {
    fn add(&mut self, path: &str, found: Vec<Match>) {
        let room = MAX_HITS - self.hits.len();
        self.hits.extend(found.into_iter().take(room).map(|found| Hit {
            path: path.to_owned(),
            found,
        }));
    }
}

impl Engine {
    /// Compiles a package for a scan of files of up to so many bytes.
    pub fn compile_for_scan(package: &RulePackage, max_bytes: usize) -> Self {
        let mut engine = Self::compile(package);
        let limits = ScanLimits {
            max_bytes,
            ..engine.rules.scan_limits()
        };
        engine.rules.set_scan_limits(limits);
        engine
    }

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

    /// What is to be said about a file's content and about everything that is packed in it, one finding for each rule; also what was not
    /// looked at.
    pub fn scan_content(
        &self,
        file: &FileSubject,
        content: &[u8],
        limits: &Limits,
        now: DateTime<Utc>,
        ids: &dyn Ids,
    ) -> (Vec<Finding>, Gaps) {
        let owner = file.user.as_deref().unwrap_or_default();
        let mut look = Look::default();
        self.scan_one(
            &file.path,
            &FileLabels::of_path(&file.path, owner),
            content,
            &mut look,
        );
        self.look_inside(&file.path, owner, content, limits, now, &mut look);
        let mut told = HashSet::new();
        let hits = look
            .hits
            .into_iter()
            .filter(|hit| told.insert(hit.found.rule.id.clone()));
        let matches = hits.map(|hit| {
            match hit
                .path
                .strip_prefix(&file.path)
                .and_then(|path| path.strip_prefix('!'))
            {
                Some(inner) => Match {
                    explanation: format!("In `{}`: {}", cut_text(inner.to_owned()), hit.found.explanation),
                    ..hit.found
                },
                None => hit.found,
            }
        });
        (
            to_findings(matches.collect(), &Subject::File(file.clone()), ids),
            look.gaps,
        )
    }

    /// Everything that YARA rules and indicators know of a file and of what is packed in it.
    pub fn look_at(
        &self,
        path: &str,
        owner: &str,
        content: &[u8],
        limits: &Limits,
        now: DateTime<Utc>,
    ) -> Look {
        let mut look = Look::default();
        self.check_one(path, path, content, now, &mut look);
        self.scan_one(path, &FileLabels::of_path(path, owner), content, &mut look);
        self.look_inside(path, owner, content, limits, now, &mut look);
        look
    }

    fn look_inside(
        &self,
        path: &str,
        owner: &str,
        content: &[u8],
        limits: &Limits,
        now: DateTime<Utc>,
        look: &mut Look,
    ) {
        let gaps = unpack(path, content, limits, &mut |inner, bytes| {
            let name = inner.rsplit(['/', '!']).next().unwrap_or_default();
            let labels = FileLabels {
                path: inner,
                name,
                owner,
            };
            self.check_one(inner, name, bytes, now, look);
            self.scan_one(inner, &labels, bytes, look);
        });
        look.gaps.extend(gaps);
    }

    /// `name`: the path by which indicators may know it.
    fn check_one(&self, path: &str, name: &str, content: &[u8], now: DateTime<Utc>, look: &mut Look) {
        if self.rules.indicators().is_empty() {
            return;
        }
        let facts = FileFacts {
            path: name,
            sha256: Some(sg_detect::sha256(content)),
            ..FileFacts::default()
        };
        look.add(path, self.rules.check_file(&facts, now));
    }

    fn scan_one(&self, path: &str, labels: &FileLabels<'_>, content: &[u8], look: &mut Look) {
        let report = self.rules.scan_labelled(content, labels);
        look.add(path, report.matches);
        if !report.diagnostics.is_empty() {
            look.gaps.add(path, Reason::ScanIncomplete);
        }
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
