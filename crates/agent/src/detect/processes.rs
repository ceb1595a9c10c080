//! Judges programs that were started.

use std::collections::{HashMap, VecDeque};
use std::fs::File;
use std::io::{self, Read};
use std::sync::Arc;
use std::sync::mpsc::Receiver;

use sg_types::agent::{Event, ProcessSubject, RecordBody};
use sg_types::{Clock, Ids};
use sha2::{Digest, Sha256};

use super::RulesInForce;
use crate::collect::cut_text;
use crate::collect::process::{Executable, Started};
use crate::spool::{Draft, WriterHandle};

/// Executables larger than this are not hashed.
const MAX_EXECUTABLE_BYTES: u64 = 512 * 1024 * 1024;
/// Hashes remembered at most.
const MAX_HASHES: usize = 4_096;

/// Hashes executables, evaluates rules and records both events and findings.
pub struct ProcessEvaluator {
    /// The rules.
    pub rules: Arc<RulesInForce>,
    /// Where records go.
    pub writer: WriterHandle,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Ids of findings.
    pub ids: Arc<dyn Ids>,
}

impl ProcessEvaluator {
    /// Runs until the source has ended and everything is evaluated.
    pub fn run(&self, starts: &Receiver<Started>) {
        let mut hashes = HashCache::default();
        while let Ok(started) = starts.recv() {
            let mut subject = started.subject;
            subject.sha256 = started.executable.and_then(|executable| hashes.hash(executable));
            let findings = self
                .rules
                .engine()
                .judge_process(&subject, self.clock.now(), self.ids.as_ref());
            for mut finding in findings {
                finding.subject = sg_types::agent::Subject::Process(cut(subject.clone()));
                let body = RecordBody::Finding(Box::new(finding));
                self.writer.send(Draft {
                    at: started.at,
                    body,
                    prompt: true,
                });
            }
            let body = RecordBody::Event(Box::new(Event::ProcessStarted(cut(subject))));
            self.writer.send(Draft {
                at: started.at,
                body,
                prompt: false,
            });
        }
    }
}

/// Rules see the whole texts; the record carries what the protocol takes.
fn cut(mut subject: ProcessSubject) -> ProcessSubject {
    subject.command_line = cut_text(subject.command_line);
    subject.image = subject.image.map(cut_text);
    subject.current_directory = subject.current_directory.map(cut_text);
    subject.parent_image = subject.parent_image.map(cut_text);
    subject.parent_command_line = subject.parent_command_line.map(cut_text);
    subject
}

/// Hashes of executables by what identifies their content.
#[derive(Default)]
struct HashCache {
    known: HashMap<(u64, u64, i128, u64), Option<String>>,
    order: VecDeque<(u64, u64, i128, u64)>,
}

impl HashCache {
    fn hash(&mut self, executable: Executable) -> Option<String> {
        if let Some(hash) = self.known.get(&executable.identity) {
            return hash.clone();
        }
        let hash = hash_file(executable.file?.file).ok().flatten();
        if self.order.len() >= MAX_HASHES
            && let Some(oldest) = self.order.pop_front()
        {
            self.known.remove(&oldest);
        }
        self.known.insert(executable.identity, hash.clone());
        self.order.push_back(executable.identity);
        hash
    }
}

/// SHA-256 of a file; none when it is larger than what is hashed.
fn hash_file(mut file: File) -> io::Result<Option<String>> {
    let mut hasher = Sha256::new();
    let mut buffer = vec![0; 64 * 1024];
    let mut total = 0;
    loop {
        match file.read(&mut buffer)? {
            0 => return Ok(Some(hex::encode(hasher.finalize()))),
            length => hasher.update(&buffer[..length]),
        }
        total += buffer.len() as u64;
        if total > MAX_EXECUTABLE_BYTES {
            return Ok(None);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::collect::process::OpenFile;

    fn executable(path: &std::path::Path, identity: (u64, u64, i128, u64)) -> Executable {
        Executable {
            file: Some(OpenFile::new(File::open(path).unwrap(), Arc::new(()))),
            identity,
        }
    }

    #[test]
    fn the_hash_is_that_of_the_content_and_is_remembered() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x");
        std::fs::write(&path, "abc").unwrap();
        let mut cache = HashCache::default();
        let identity = (1, 2, 3, 3);
        let hash = cache.hash(executable(&path, identity));
        assert_eq!(
            hash.as_deref(),
            Some("ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad")
        );
        std::fs::write(&path, "other").unwrap();
        assert_eq!(cache.hash(executable(&path, identity)), hash);
        let changed = cache.hash(executable(&path, (1, 2, 4, 5)));
        assert_ne!(changed, hash);
        // One that could not be held open is told without a hash, and looked at again the next time.
        assert_eq!(
            cache.hash(Executable {
                file: None,
                identity: (9, 9, 9, 9)
            }),
            None
        );
        assert!(cache.hash(executable(&path, (9, 9, 9, 9))).is_some());
    }
}
