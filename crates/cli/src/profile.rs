//! The kept sign-in: a file that only its owner may read.

use std::{
    fs,
    io::Write,
    os::unix::fs::{OpenOptionsExt, PermissionsExt},
    path::{Path, PathBuf},
};

use anyhow::{Context, Result, bail};
use secrecy::SecretString;
use serde::{Deserialize, Serialize};
use sg_client::Client;

/// What `login` keeps.
#[derive(Serialize, Deserialize)]
pub(crate) struct Profile {
    pub(crate) server: String,
    pub(crate) key: String,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub(crate) ca_pem: Option<String>,
}

/// Where the profile is.
pub(crate) fn path(given: Option<PathBuf>) -> Result<PathBuf> {
    if let Some(path) = given {
        return Ok(path);
    }
    let base = std::env::var_os("XDG_CONFIG_HOME")
        .map(PathBuf::from)
        .or_else(|| std::env::var_os("HOME").map(|home| Path::new(&home).join(".config")))
        .context("neither XDG_CONFIG_HOME nor HOME is set; name the file with --config")?;
    Ok(base.join("sgctl/config.json"))
}

impl Profile {
    pub(crate) fn client(&self) -> Result<Client> {
        let key = SecretString::from(self.key.clone());
        Ok(Client::new(
            &self.server,
            key,
            self.ca_pem.as_deref().map(str::as_bytes),
        )?)
    }

    /// Replaces the file in one step, readable by its owner only from its first byte on.
    pub(crate) fn store(&self, path: &Path) -> Result<()> {
        let folder = path.parent().context("the configuration file needs a folder")?;
        fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
        let mut temporary = path.as_os_str().to_owned();
        temporary.push(format!(".{}", std::process::id()));
        let temporary = PathBuf::from(temporary);
        let written = fs::OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&temporary)
            .and_then(|mut file| {
                file.write_all(&serde_json::to_vec_pretty(self)?)?;
                file.sync_all()?;
                fs::rename(&temporary, path)
            });
        if written.is_err() {
            drop(fs::remove_file(&temporary));
        }
        written.with_context(|| format!("cannot write {}", path.display()))
    }
}

/// A client for the kept server, or for the one that the environment names (`SGCTL_SERVER` and `SGCTL_KEY`, for pipelines).
#[expect(clippy::disallowed_methods, reason = "the program's configuration")]
pub(crate) fn client(path: &Path) -> Result<Client> {
    if let (Ok(server), Ok(key)) = (std::env::var("SGCTL_SERVER"), std::env::var("SGCTL_KEY")) {
        let ca_pem = match std::env::var_os("SGCTL_CA") {
            Some(file) => {
                Some(fs::read_to_string(&file).with_context(|| format!("cannot read {}", file.display()))?)
            }
            None => None,
        };
        return Profile { server, key, ca_pem }.client();
    }
    load(path)?.client()
}

fn load(path: &Path) -> Result<Profile> {
    let bytes = match fs::read(path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            bail!("not signed in; run `sgctl login --server https://HOST:PORT` with an API key first")
        }
        Err(error) => return Err(error).with_context(|| format!("cannot read {}", path.display())),
    };
    let mode = fs::metadata(path)?.permissions().mode();
    if mode & 0o077 != 0 {
        bail!(
            "{} can be read by others; run `chmod 600 {}`",
            path.display(),
            path.display()
        );
    }
    serde_json::from_slice(&bytes)
        .with_context(|| format!("{} is damaged; run `sgctl login` again", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_profile_is_its_owners_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("deep/config.json");
        let profile = Profile {
            server: "http://localhost:1".into(),
            key: "sg_k".into(),
            ca_pem: None,
        };
        profile.store(&path).unwrap();
        profile.store(&path).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(load(&path).unwrap().key, "sg_k");

        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
        assert!(load(&path).err().unwrap().to_string().contains("chmod 600"));
    }

    #[test]
    fn without_a_profile_it_says_what_to_do() {
        let error = load(Path::new("/nonexistent/config.json")).err().unwrap();
        assert!(error.to_string().contains("sgctl login"), "{error}");
    }
}
