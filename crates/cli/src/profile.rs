//! The kept sign-ins, each a context by its name: a file that only its owner may read.

use std::{
    collections::BTreeMap,
    fs,
    io::Write,
    os::unix::fs::{OpenOptionsExt, PermissionsExt},
    path::{Path, PathBuf},
};

use anyhow::{Context, Result, bail};
use secrecy::SecretString;
use serde::{Deserialize, Serialize};
use sg_client::Client;

use crate::exit::NotSignedIn;

/// The context of whoever names none.
const DEFAULT: &str = "default";

/// What `login` keeps of a server.
#[derive(Serialize, Deserialize)]
pub(crate) struct Profile {
    pub(crate) server: String,
    pub(crate) key: String,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub(crate) ca_pem: Option<String>,
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
}

/// The file.
#[derive(Serialize, Deserialize, Default)]
pub(crate) struct Kept {
    pub(crate) current: String,
    pub(crate) contexts: BTreeMap<String, Profile>,
}

/// Where sign-ins are kept, and which of them is meant.
pub(crate) struct Profiles {
    pub(crate) path: PathBuf,
    context: Option<String>,
}

impl Profiles {
    /// The file `given`, else that of the user; the context by its name, else the one in use.
    pub(crate) fn new(given: Option<PathBuf>, context: Option<String>) -> Result<Self> {
        let path = match given {
            Some(path) => path,
            None => std::env::var_os("XDG_CONFIG_HOME")
                .map(PathBuf::from)
                .or_else(|| std::env::var_os("HOME").map(|home| Path::new(&home).join(".config")))
                .context("neither XDG_CONFIG_HOME nor HOME is set; name the file with --config")?
                .join("sgctl/config.json"),
        };
        Ok(Self { path, context })
    }

    /// A client for the kept server, or for the one that the environment names (`SGCTL_SERVER` and `SGCTL_KEY`, for pipelines).
    #[expect(clippy::disallowed_methods, reason = "the program's configuration")]
    pub(crate) fn client(&self) -> Result<Client> {
        if self.context.is_none()
            && let (Ok(server), Ok(key)) = (std::env::var("SGCTL_SERVER"), std::env::var("SGCTL_KEY"))
        {
            let ca_pem = match std::env::var_os("SGCTL_CA") {
                Some(file) => Some(
                    fs::read_to_string(&file).with_context(|| format!("cannot read {}", file.display()))?,
                ),
                None => None,
            };
            return Profile { server, key, ca_pem }.client();
        }
        let kept = self.load()?;
        let name = self.context.as_ref().unwrap_or(&kept.current);
        match kept.contexts.get(name) {
            Some(profile) => profile.client(),
            None if kept.contexts.is_empty() => Err(NotSignedIn(
                "not signed in; run `sgctl login --server https://HOST:PORT` with an API key first".into(),
            )
            .into()),
            None => Err(NotSignedIn(format!(
                "there is no context `{name}`; `sgctl contexts list` shows those that there are"
            ))
            .into()),
        }
    }

    /// Keeps a sign-in under the context's name, and uses it from here on.
    pub(crate) fn keep(&self, profile: Profile) -> Result<()> {
        let mut kept = self.load()?;
        let name = match (&self.context, kept.current.as_str()) {
            (Some(name), _) => name.clone(),
            (None, "") => DEFAULT.to_owned(),
            (None, current) => current.to_owned(),
        };
        kept.contexts.insert(name.clone(), profile);
        kept.current = name;
        self.store(&kept)
    }

    /// Forgets a context; false when there is none.
    pub(crate) fn forget(&self, name: Option<&str>) -> Result<bool> {
        let mut kept = self.load()?;
        let name = name
            .or(self.context.as_deref())
            .unwrap_or(&kept.current)
            .to_owned();
        let existed = kept.contexts.remove(&name).is_some();
        if kept.current == name {
            kept.current = kept.contexts.keys().next().cloned().unwrap_or_default();
        }
        if existed {
            self.store(&kept)?;
        }
        Ok(existed)
    }

    /// Uses another context from here on.
    pub(crate) fn switch(&self, name: &str) -> Result<()> {
        let mut kept = self.load()?;
        if !kept.contexts.contains_key(name) {
            bail!("there is no context `{name}`; `sgctl contexts list` shows those that there are");
        }
        name.clone_into(&mut kept.current);
        self.store(&kept)
    }

    /// What is kept; nothing when there is no file.
    pub(crate) fn load(&self) -> Result<Kept> {
        let bytes = match fs::read(&self.path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Kept::default()),
            Err(error) => {
                return Err(error).with_context(|| format!("cannot read {}", self.path.display()));
            }
        };
        let mode = fs::metadata(&self.path)?.permissions().mode();
        if mode & 0o077 != 0 {
            bail!(
                "{} can be read by others; run `chmod 600 {}`",
                self.path.display(),
                self.path.display()
            );
        }
        serde_json::from_slice(&bytes).with_context(|| {
            format!(
                "{} is damaged; remove it, and run `sgctl login` again",
                self.path.display()
            )
        })
    }

    /// Replaces the file in one step, readable by its owner only from its first byte on.
    fn store(&self, kept: &Kept) -> Result<()> {
        let path = &self.path;
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
                file.write_all(&serde_json::to_vec_pretty(kept)?)?;
                file.sync_all()?;
                fs::rename(&temporary, path)
            });
        if written.is_err() {
            drop(fs::remove_file(&temporary));
        }
        written.with_context(|| format!("cannot write {}", path.display()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn profiles(folder: &tempfile::TempDir, context: Option<&str>) -> Profiles {
        Profiles::new(
            Some(folder.path().join("deep/config.json")),
            context.map(str::to_owned),
        )
        .unwrap()
    }

    fn profile(key: &str) -> Profile {
        Profile {
            server: "http://localhost:1".into(),
            key: key.into(),
            ca_pem: None,
        }
    }

    #[test]
    fn sign_ins_are_their_owners_alone() {
        let folder = tempfile::tempdir().unwrap();
        let kept = profiles(&folder, None);
        kept.keep(profile("sg_j")).unwrap();
        kept.keep(profile("sg_k")).unwrap();
        let mode = fs::metadata(&kept.path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        assert_eq!(kept.load().unwrap().contexts["default"].key, "sg_k");

        fs::set_permissions(&kept.path, fs::Permissions::from_mode(0o644)).unwrap();
        assert!(kept.load().err().unwrap().to_string().contains("chmod 600"));
    }

    #[test]
    fn contexts_are_kept_used_and_forgotten_by_name() {
        let folder = tempfile::tempdir().unwrap();
        let (plain, other) = (profiles(&folder, None), profiles(&folder, Some("customer")));
        plain.keep(profile("sg_a")).unwrap();
        other.keep(profile("sg_b")).unwrap();
        let kept = plain.load().unwrap();
        assert_eq!(
            (kept.current.as_str(), kept.contexts.len()),
            ("customer", 2),
            "whoever signs in means to use it"
        );
        plain.switch("default").unwrap();
        assert!(plain.switch("nowhere").is_err());
        assert_eq!(plain.load().unwrap().current, "default");
        assert!(!plain.forget(Some("nowhere")).unwrap());
        assert!(plain.forget(None).unwrap());
        assert_eq!(plain.load().unwrap().current, "customer");
        assert!(other.client().is_ok());
        assert!(other.forget(None).unwrap());
        assert!(other.client().is_err());
    }

    #[test]
    fn without_a_profile_it_says_what_to_do() {
        let kept = Profiles::new(Some("/nonexistent/config.json".into()), None).unwrap();
        let error = kept.client().err().unwrap();
        assert!(error.to_string().contains("sgctl login"), "{error}");
        assert!(error.is::<NotSignedIn>());
    }
}
