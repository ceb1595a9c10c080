//! The pass that the repositories are encrypted with.

use std::path::Path;

use anyhow::{Context, bail, ensure};
use secrecy::{ExposeSecret, SecretString};

use crate::files;

/// Characters at least. 256 random bits are 64 of them.
const SHORTEST: usize = 32;
const LONGEST: usize = 1_024;

/// Reads the pass.
///
/// # Errors
/// In words: it is missing, others may read it, or it is too short.
pub(super) fn load(path: &Path) -> anyhow::Result<SecretString> {
    let text = match std::fs::read_to_string(path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => bail!(
            "{} is missing, and without the pass no backup can be made or read; put the file back from where you keep its copy",
            path.display()
        ),
        other => other.with_context(|| format!("cannot read {}", path.display()))?,
    };
    ensure!(
        !files::is_readable_by_others(path)?,
        "others may read {}; run: chmod 0600 {}",
        path.display(),
        path.display()
    );
    let pass = text.trim_end_matches(['\n', '\r']);
    ensure!(
        (SHORTEST..=LONGEST).contains(&pass.len()) && pass.chars().all(|c| c.is_ascii_graphic()),
        "{} does not hold a pass: one line of {SHORTEST} to {LONGEST} characters without spaces",
        path.display()
    );
    Ok(pass.into())
}

/// Reads the pass, or makes one (256 random bits) where there is neither a file nor a repository that one could belong to. True when it was made.
///
/// # Errors
/// In words.
pub(super) fn load_or_create(path: &Path, repository: &Path) -> anyhow::Result<(SecretString, bool)> {
    if path.exists() {
        return Ok((load(path)?, false));
    }
    let is_used = std::fs::read_dir(repository).is_ok_and(|mut entries| entries.next().is_some());
    ensure!(
        !is_used,
        "{} is missing, and the repository {} is not empty: put back the pass file that belongs to it, or choose an empty repository",
        path.display(),
        repository.display()
    );
    if let Some(dir) = path.parent() {
        files::create_private_dir(dir).with_context(|| format!("cannot make {}", dir.display()))?;
    }
    let pass = SecretString::from(hex::encode(rand::random::<[u8; 32]>()));
    files::write_private(path, format!("{}\n", pass.expose_secret()).as_bytes())
        .with_context(|| format!("cannot write {}", path.display()))?;
    Ok((pass, true))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pass_is_made_once_and_never_for_a_repository_in_use() {
        let dir = tempfile::tempdir().unwrap();
        let (path, repository) = (dir.path().join("keys/pass"), dir.path().join("repository"));
        let (first, made) = load_or_create(&path, &repository).unwrap();
        assert!(made && first.expose_secret().len() == 64);
        let (second, made) = load_or_create(&path, &repository).unwrap();
        assert!(!made && first.expose_secret() == second.expose_secret());
        std::fs::create_dir_all(repository.join("archive")).unwrap();
        std::fs::remove_file(&path).unwrap();
        let error = load_or_create(&path, &repository).unwrap_err().to_string();
        assert!(error.contains("put back the pass file"), "{error}");
        assert!(!path.exists());
        for bad in [
            "short",
            "with spaces with spaces with spaces with spaces",
            &"x".repeat(2_000),
        ] {
            files::write_private(&path, bad.as_bytes()).unwrap();
            assert!(load(&path).is_err(), "{bad}");
        }
    }
}
