//! Other work trees of this repository.

use std::path::Path;
use std::process::Command;

use crate::{Result, paths, shell};

/// Makes `tree` hold a revision, and gives its commit. A tree that is there is kept, so that what is built from it is built anew only where it differs.
pub(crate) fn check_out(revision: &str, tree: &Path) -> Result<String> {
    let git =
        |dir: &Path, arguments: &[&str]| shell::output(Command::new("git").current_dir(dir).args(arguments));
    let root = paths::root();
    let commit = git(
        &root,
        &["rev-parse", "--verify", &format!("{revision}^{{commit}}")],
    )?;
    let commit = commit.trim();
    if tree.is_dir() {
        git(tree, &["checkout", "--quiet", "--detach", commit])?;
    } else {
        // One that somebody has removed is forgotten first.
        git(&root, &["worktree", "prune"])?;
        let path = tree.display().to_string();
        git(&root, &["worktree", "add", "--quiet", "--detach", &path, commit])?;
    }
    Ok(commit.to_owned())
}
