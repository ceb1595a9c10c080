//! The watches of a folder and everything below it.

use std::collections::HashMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::platform::{FileWatch, WatchEvent};

/// Folders below each other at most; deeper ones are counted as not watched.
const MAX_DEPTH: usize = 128;

/// Which watch stands for which folder.
pub(super) struct WatchTree<'a> {
    watch: &'a FileWatch,
    folders: HashMap<i32, PathBuf>,
    excluded: Vec<PathBuf>,
    refused: usize,
}

impl<'a> WatchTree<'a> {
    pub(super) fn new(watch: &'a FileWatch, excluded: Vec<PathBuf>) -> Self {
        Self {
            watch,
            folders: HashMap::new(),
            excluded,
            refused: 0,
        }
    }

    /// Watches a folder and everything below it, and tells every file that is there. Each folder is watched before it is read, so that
    /// nothing slips in between.
    ///
    /// # Errors
    /// When the folder itself cannot be watched; one below it is only counted.
    pub(super) fn add(&mut self, folder: &Path, found: &mut dyn FnMut(&Path)) -> io::Result<()> {
        self.add_one(folder)?;
        let mut waiting = vec![(folder.to_owned(), 0)];
        while let Some((folder, depth)) = waiting.pop() {
            let Ok(entries) = fs::read_dir(&folder) else {
                continue;
            };
            for entry in entries.flatten() {
                let path = entry.path();
                // The type of the entry itself, never of what a symbolic link leads to.
                let Ok(kind) = entry.file_type() else { continue };
                if self.is_excluded(&path) {
                    continue;
                }
                if kind.is_file() {
                    found(&path);
                } else if kind.is_dir() {
                    if depth < MAX_DEPTH && self.add_one(&path).is_ok() {
                        waiting.push((path, depth + 1));
                    } else if path.exists() {
                        self.refused += 1;
                    }
                }
            }
        }
        Ok(())
    }

    /// The full path that an event is about.
    pub(super) fn path_of(&self, event: &WatchEvent) -> Option<PathBuf> {
        Some(self.folders.get(&event.watch)?.join(event.name.as_ref()?))
    }

    /// Forgets a watch that has ended; the folder that it stood for.
    pub(super) fn forget(&mut self, watch: i32) -> Option<PathBuf> {
        self.watch.remove(watch);
        self.folders.remove(&watch)
    }

    /// Ends the watches of a folder that was moved away, and of everything below it.
    pub(super) fn remove_below(&mut self, folder: &Path) {
        let watch = self.watch;
        self.folders.retain(|number, path| {
            let stays = !path.starts_with(folder);
            if !stays {
                watch.remove(*number);
            }
            stays
        });
    }

    /// Ends all watches.
    pub(super) fn clear(&mut self) {
        self.remove_below(Path::new("/"));
        self.refused = 0;
    }

    /// Whether a path belongs to the agent itself.
    pub(super) fn is_excluded(&self, path: &Path) -> bool {
        self.excluded.iter().any(|excluded| path.starts_with(excluded))
    }

    /// Folders that could not be watched.
    pub(super) fn refused(&self) -> usize {
        self.refused
    }

    fn add_one(&mut self, folder: &Path) -> io::Result<()> {
        let watch = self.watch.add(folder)?;
        self.folders.insert(watch, folder.to_owned());
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tree_is_watched_as_a_whole_and_the_agents_own_folder_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().canonicalize().unwrap();
        fs::create_dir_all(root.join("a/b")).unwrap();
        fs::create_dir_all(root.join("state")).unwrap();
        for file in ["one", "a/two", "a/b/three", "state/own"] {
            fs::write(root.join(file), "x").unwrap();
        }
        std::os::unix::fs::symlink("/etc", root.join("link")).unwrap();
        let watch = FileWatch::open().unwrap();
        let mut tree = WatchTree::new(&watch, vec![root.join("state")]);
        let mut found = Vec::new();
        tree.add(&root, &mut |path| {
            found.push(path.strip_prefix(&root).unwrap().to_owned())
        })
        .unwrap();
        found.sort();
        assert_eq!(
            found,
            [Path::new("a/b/three"), Path::new("a/two"), Path::new("one")]
        );
        fs::write(root.join("a/b/four"), "x").unwrap();
        fs::write(root.join("state/own"), "y").unwrap();
        let events = watch.read().unwrap();
        let written: Vec<_> = events
            .iter()
            .filter(|event| event.changes.written)
            .map(|event| tree.path_of(event))
            .collect();
        assert_eq!(written, [Some(root.join("a/b/four"))]);
        tree.remove_below(&root.join("a"));
        assert_eq!(tree.folders.len(), 1);
    }

    #[test]
    fn a_missing_folder_is_an_error() {
        let watch = FileWatch::open().unwrap();
        assert!(
            WatchTree::new(&watch, vec![])
                .add(Path::new("/nonexistent"), &mut |_| {})
                .is_err()
        );
    }
}
