//! Every regular file below a folder.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// File systems that hold no files of a disk, by the number that the kernel gives them: proc, sysfs, debugfs, tracefs, cgroup, cgroup2,
/// securityfs, bpf, devpts, pstore, configfs, selinuxfs, efivarfs, binfmt_misc.
const NO_DISK: [u32; 14] = [
    0x9fa0,
    0x6265_6572,
    0x6462_6720,
    0x7472_6163,
    0x27_e0eb,
    0x6367_7270,
    0x7363_6673,
    0xcafe_4a11,
    0x1cd1,
    0x6165_676c,
    0x6265_6570,
    0xf97c_ff8c,
    0xde5e_81e4,
    0x4249_4e4d,
];

/// What a walk meets.
#[derive(Debug, PartialEq, Eq)]
pub enum Walked<'a> {
    /// A regular file.
    File(&'a Path),
    /// A folder that cannot be read.
    Unreadable(&'a Path),
    /// A link, device, pipe or socket, or a folder that was left out.
    Skipped(&'a Path),
}

/// How to walk.
#[derive(Debug, Clone, Default)]
pub struct Walk {
    /// Stay on the file system where the walk begins.
    pub one_file_system: bool,
    /// Folders that are left out.
    pub excluded: Vec<PathBuf>,
}

impl Walk {
    /// Tells everything below `root`, or `root` itself when it is no folder, until `visit` says false. Links are not followed, so that a
    /// walk ends and stays where it was sent.
    pub fn run(&self, root: &Path, visit: &mut dyn FnMut(Walked<'_>) -> bool) {
        let Ok(metadata) = root.symlink_metadata() else {
            visit(Walked::Unreadable(root));
            return;
        };
        if !metadata.is_dir() {
            let is_file = metadata.is_file();
            visit(if is_file {
                Walked::File(root)
            } else {
                Walked::Skipped(root)
            });
            return;
        }
        let mut waiting = vec![(root.to_owned(), metadata.dev(), true)];
        while let Some((folder, parent, is_root)) = waiting.pop() {
            let going_on = match self.enter(&folder, parent, is_root) {
                Ok(Some(device)) => self.list(&folder, device, &mut waiting, visit),
                Ok(None) => visit(Walked::Skipped(&folder)),
                Err(()) => visit(Walked::Unreadable(&folder)),
            };
            if !going_on {
                return;
            }
        }
    }

    /// The file system of a folder that is walked; none for one that is left out.
    fn enter(&self, folder: &Path, parent: u64, is_root: bool) -> Result<Option<u64>, ()> {
        if self.excluded.iter().any(|excluded| folder == excluded) {
            return Ok(None);
        }
        let device = folder.symlink_metadata().map_err(|_| ())?.dev();
        if device == parent && !is_root {
            return Ok(Some(device));
        }
        let elsewhere = self.one_file_system && device != parent;
        Ok((!elsewhere && !is_no_disk(folder)).then_some(device))
    }

    fn list(
        &self,
        folder: &Path,
        device: u64,
        waiting: &mut Vec<(PathBuf, u64, bool)>,
        visit: &mut dyn FnMut(Walked<'_>) -> bool,
    ) -> bool {
        let Ok(entries) = fs::read_dir(folder) else {
            return visit(Walked::Unreadable(folder));
        };
        for entry in entries {
            // What a listing breaks off with concerns the folder.
            let Ok(entry) = entry else {
                return visit(Walked::Unreadable(folder));
            };
            let path = entry.path();
            let going_on = match entry.file_type() {
                Ok(kind) if kind.is_dir() => {
                    waiting.push((path, device, false));
                    true
                }
                Ok(kind) if kind.is_file() => visit(Walked::File(&path)),
                Ok(_) => visit(Walked::Skipped(&path)),
                Err(_) => visit(Walked::Unreadable(&path)),
            };
            if !going_on {
                return false;
            }
        }
        true
    }
}

fn is_no_disk(folder: &Path) -> bool {
    rustix::fs::statfs(folder).is_ok_and(|found| NO_DISK.iter().any(|kind| i64::from(*kind) == found.f_type))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    fn walk(walk: &Walk, root: &Path) -> (Vec<String>, Vec<String>) {
        let (mut files, mut skipped) = (Vec::new(), Vec::new());
        walk.run(root, &mut |met| {
            match met {
                Walked::File(path) => files.push(path.strip_prefix(root).unwrap().display().to_string()),
                Walked::Skipped(path) | Walked::Unreadable(path) => {
                    skipped.push(path.strip_prefix(root).unwrap().display().to_string());
                }
            }
            true
        });
        files.sort();
        skipped.sort();
        (files, skipped)
    }

    #[test]
    fn links_pipes_and_what_is_left_out_are_not_entered() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().canonicalize().unwrap();
        fs::create_dir_all(root.join("a/b")).unwrap();
        fs::create_dir_all(root.join("state")).unwrap();
        for file in ["one", "a/two", "a/b/three", "state/own"] {
            fs::write(root.join(file), "x").unwrap();
        }
        symlink("..", root.join("a/loop")).unwrap();
        symlink("/etc/passwd", root.join("a/away")).unwrap();
        rustix::fs::mknodat(
            rustix::fs::CWD,
            root.join("pipe"),
            rustix::fs::FileType::Fifo,
            rustix::fs::Mode::RUSR,
            0,
        )
        .unwrap();
        let excluded = vec![root.join("state")];
        let (files, skipped) = walk(
            &Walk {
                excluded,
                ..Walk::default()
            },
            &root,
        );
        assert_eq!(files, ["a/b/three", "a/two", "one"]);
        assert_eq!(skipped, ["a/away", "a/loop", "pipe", "state"]);
    }

    #[test]
    fn a_walk_ends_when_it_is_told_to_and_tells_what_is_missing() {
        let folder = tempfile::tempdir().unwrap();
        for name in 0..10 {
            fs::write(folder.path().join(name.to_string()), "x").unwrap();
        }
        let mut met = 0;
        Walk::default().run(folder.path(), &mut |_| {
            met += 1;
            met < 3
        });
        assert_eq!(met, 3);
        let missing = folder.path().join("missing");
        Walk::default().run(&missing, &mut |met| {
            assert_eq!(met, Walked::Unreadable(&missing));
            true
        });
    }

    #[test]
    fn the_kernels_own_file_systems_are_left_out() {
        let (files, skipped) = walk(&Walk::default(), Path::new("/proc"));
        assert_eq!((files.len(), skipped.len()), (0, 1));
    }
}
