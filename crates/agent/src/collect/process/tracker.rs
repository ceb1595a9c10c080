//! Remembers the living processes, so that a program's ancestors are known although they may have ended.

use std::collections::{HashMap, HashSet, VecDeque};
use std::fs::{self, File};
use std::os::unix::fs::MetadataExt;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use sg_types::agent::ProcessSubject;

use super::procfs::{ProcessFacts, list_processes, process_key, read_boot_id, read_process};
use crate::collect::UserNames;

/// Ancestors that a process is told with.
const MAX_ANCESTORS: usize = 16;
/// Processes remembered at most.
const MAX_KNOWN: usize = 65_536;
/// Executables that wait for their hash, held open; a process may have 1,024 files at most by default.
const MAX_OPEN_FILES: usize = 128;
/// Ended processes that are remembered for events that arrive out of order.
const MAX_ENDED: usize = 512;

/// A program that was started.
#[derive(Debug)]
pub struct Started {
    /// When it was noticed.
    pub at: DateTime<Utc>,
    /// The process, without the hash of its executable.
    pub subject: ProcessSubject,
    /// Its executable, opened while the process lived.
    pub executable: Option<Executable>,
}

/// An executable and what identifies its content.
#[derive(Debug)]
pub struct Executable {
    /// The open file; none when too many are open already.
    pub file: Option<OpenFile>,
    /// Device, inode, modification time in nanoseconds, size.
    pub identity: (u64, u64, i128, u64),
}

/// An open file that counts among those that wait for their evaluation.
#[derive(Debug)]
pub struct OpenFile {
    /// The file.
    pub file: File,
    /// Goes when the file is closed.
    _permit: Arc<()>,
}

impl OpenFile {
    /// Counts an open file by a clone of what all of them share.
    pub fn new(file: File, permit: Arc<()>) -> Self {
        Self {
            file,
            _permit: permit,
        }
    }
}

/// What is remembered of a process for the sake of its children.
#[derive(Debug)]
struct Node {
    key: String,
    image: Option<String>,
    command_line: String,
    ancestors: Vec<String>,
}

#[derive(Debug, Default)]
struct Entry {
    parent: Option<Arc<Node>>,
    node: Option<Arc<Node>>,
    ended: bool,
}

/// The living processes.
#[derive(Debug)]
pub(super) struct Tracker {
    boot_id: String,
    own_pid: u32,
    own_key: Option<String>,
    entries: HashMap<u32, Entry>,
    ended: VecDeque<u32>,
    users: Arc<UserNames>,
    /// Each open executable holds a clone.
    open_files: Arc<()>,
}

impl Tracker {
    /// A tracker that knows every process that lives now.
    pub(super) fn new(users: Arc<UserNames>) -> Self {
        let own_pid = std::process::id();
        let mut tracker = Self {
            boot_id: read_boot_id(),
            own_pid,
            own_key: None,
            entries: HashMap::new(),
            ended: VecDeque::new(),
            users,
            open_files: Arc::new(()),
        };
        tracker.own_key = tracker.find_node(own_pid, 0).map(|node| node.key.clone());
        tracker.refresh();
        tracker
    }

    /// Looks at all living processes, after events were missed.
    pub(super) fn refresh(&mut self) {
        let living = list_processes();
        let set: HashSet<u32> = living.iter().copied().collect();
        self.entries.retain(|pid, _| set.contains(pid));
        self.ended.clear();
        for pid in living {
            self.find_node(pid, 0);
        }
    }

    /// A process forked.
    pub(super) fn on_fork(&mut self, parent: u32, child: u32) {
        let parent = self.find_node(parent, 0);
        if self.entries.len() < MAX_KNOWN {
            self.entries.insert(
                child,
                Entry {
                    parent,
                    node: None,
                    ended: false,
                },
            );
        }
    }

    /// A process ended.
    pub(super) fn on_exit(&mut self, pid: u32) {
        if let Some(entry) = self.entries.get_mut(&pid) {
            entry.ended = true;
            self.ended.push_back(pid);
        }
        while self.ended.len() > MAX_ENDED {
            if let Some(pid) = self.ended.pop_front()
                && self.entries.get(&pid).is_some_and(|entry| entry.ended)
            {
                self.entries.remove(&pid);
            }
        }
    }

    /// A process executed a program. None when the process was gone before it could be read, or belongs to the agent itself.
    pub(super) fn on_exec(&mut self, pid: u32, at: DateTime<Utc>) -> Result<Option<Started>, Gone> {
        let facts = read_process(pid).map_err(|_| Gone)?;
        let executable = self.open_executable(pid);
        let parent = match self.entries.get(&pid).and_then(|entry| entry.parent.clone()) {
            Some(parent) => Some(parent),
            None => self.find_node(facts.parent, 0),
        };
        let node = self.remember(&facts, parent.clone());
        if self.is_own(&facts, &node) {
            return Ok(None);
        }
        let subject = ProcessSubject {
            key: node.key.clone(),
            ancestors: node.ancestors.clone(),
            pid,
            name: facts.name,
            image: facts.image,
            command_line: facts.command_line,
            current_directory: facts.current_directory,
            sha256: None,
            user: facts.uid.map(|uid| self.users.name(uid)),
            parent_image: parent.as_ref().and_then(|parent| parent.image.clone()),
            parent_command_line: parent.map(|parent| parent.command_line.clone()),
        };
        Ok(Some(Started {
            at,
            subject,
            executable,
        }))
    }

    /// Opens what the process runs, even when the file has been deleted or replaced since.
    fn open_executable(&self, pid: u32) -> Option<Executable> {
        let path = format!("/proc/{pid}/exe");
        let has_room = Arc::strong_count(&self.open_files) <= MAX_OPEN_FILES;
        let file = has_room.then(|| File::open(&path).ok()).flatten();
        // Of the open file where there is one: the process may execute something else at any moment.
        let metadata = match &file {
            Some(file) => file.metadata().ok()?,
            None => fs::metadata(&path).ok()?,
        };
        let modified = i128::from(metadata.mtime()) * 1_000_000_000 + i128::from(metadata.mtime_nsec());
        let identity = (metadata.dev(), metadata.ino(), modified, metadata.size());
        let file = file.map(|file| OpenFile::new(file, self.open_files.clone()));
        metadata.is_file().then_some(Executable { file, identity })
    }

    fn is_own(&self, facts: &ProcessFacts, node: &Node) -> bool {
        facts.pid == self.own_pid
            || facts.parent == self.own_pid
            || self
                .own_key
                .as_ref()
                .is_some_and(|own| node.ancestors.contains(own))
    }

    /// What is known of a process, read from `/proc` when it is not known yet.
    fn find_node(&mut self, pid: u32, depth: usize) -> Option<Arc<Node>> {
        if pid == 0 || depth > MAX_ANCESTORS {
            return None;
        }
        if let Some(node) = self.entries.get(&pid).and_then(|entry| entry.node.clone()) {
            return Some(node);
        }
        let known_parent = self.entries.get(&pid).and_then(|entry| entry.parent.clone());
        let Ok(facts) = read_process(pid) else {
            // Gone already: its parent stands in, so that the family stays together.
            return known_parent;
        };
        let parent = match known_parent {
            Some(parent) => Some(parent),
            None => self.find_node(facts.parent, depth + 1),
        };
        Some(self.remember(&facts, parent))
    }

    fn remember(&mut self, facts: &ProcessFacts, parent: Option<Arc<Node>>) -> Arc<Node> {
        let mut ancestors = Vec::new();
        if let Some(parent) = &parent {
            ancestors.push(parent.key.clone());
            ancestors.extend(parent.ancestors.iter().take(MAX_ANCESTORS - 1).cloned());
        }
        let node = Arc::new(Node {
            key: process_key(&self.boot_id, facts.pid, facts.start_ticks),
            image: facts.image.clone(),
            command_line: facts.command_line.clone(),
            ancestors,
        });
        if self.entries.len() < MAX_KNOWN || self.entries.contains_key(&facts.pid) {
            self.entries.insert(
                facts.pid,
                Entry {
                    parent,
                    node: Some(node.clone()),
                    ended: false,
                },
            );
        }
        node
    }
}

/// A process ended before it could be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Gone;

#[cfg(test)]
mod tests {
    use std::process::{Child, Command, Stdio};

    use sg_types::{Clock, SystemClock};

    use super::*;

    fn start(command: &str) -> Child {
        Command::new("sh")
            .args(["-c", command])
            .stdin(Stdio::piped())
            .spawn()
            .unwrap()
    }

    fn tracker_of_another_process() -> Tracker {
        let mut tracker = Tracker::new(Arc::new(UserNames::default()));
        tracker.own_pid = u32::MAX;
        tracker.own_key = None;
        tracker
    }

    #[test]
    fn a_started_program_is_told_with_its_parent() {
        let mut tracker = tracker_of_another_process();
        let mut child = start("read line; exit 0");
        let started = tracker.on_exec(child.id(), SystemClock.now()).unwrap().unwrap();
        child.kill().unwrap();
        child.wait().unwrap();
        let own = read_process(std::process::id()).unwrap();
        assert!(
            started.subject.command_line.ends_with("-c read line; exit 0"),
            "{started:?}"
        );
        assert_eq!(started.subject.parent_image, own.image);
        assert_eq!(
            started.subject.ancestors[0],
            format!("{}/{}/{}", read_boot_id(), own.pid, own.start_ticks)
        );
        assert!(started.executable.is_some() && started.subject.user.is_some());
    }

    #[test]
    fn ancestors_that_ended_are_still_told() {
        let mut tracker = tracker_of_another_process();
        let mut child = start("read line");
        let ended_parent = u32::MAX - 1;
        let node = Node {
            key: "gone".into(),
            image: Some("/bin/x".into()),
            command_line: "x y".into(),
            ancestors: vec!["root".into()],
        };
        tracker.entries.insert(
            ended_parent,
            Entry {
                parent: None,
                node: Some(Arc::new(node)),
                ended: false,
            },
        );
        tracker.on_fork(ended_parent, child.id());
        tracker.on_exit(ended_parent);
        let started = tracker.on_exec(child.id(), SystemClock.now()).unwrap().unwrap();
        child.kill().unwrap();
        child.wait().unwrap();
        assert_eq!(started.subject.ancestors, ["gone", "root"]);
        assert_eq!(started.subject.parent_command_line.as_deref(), Some("x y"));
    }

    #[test]
    fn the_agents_own_family_is_left_out_and_a_gone_process_is_said() {
        let mut tracker = Tracker::new(Arc::new(UserNames::default()));
        let mut child = start("read line");
        assert!(tracker.on_exec(child.id(), SystemClock.now()).unwrap().is_none());
        child.kill().unwrap();
        child.wait().unwrap();
        assert_eq!(tracker.on_exec(child.id(), SystemClock.now()).unwrap_err(), Gone);
    }
}
