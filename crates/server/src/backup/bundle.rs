//! What a recovery needs besides the database: keys, passwords of roles, certificates, the configuration. Sealed with the pass of the backups into one file in
//! the cluster's directory, so that every backup in every repository holds what belonged to it at its time.

use std::io::ErrorKind;
use std::path::{Component, Path, PathBuf};

use anyhow::{Context, bail, ensure};
use aws_lc_rs::aead::{AES_256_GCM, Aad, Nonce, RandomizedNonceKey};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use secrecy::zeroize::Zeroizing;
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use sha2::Sha256;

use crate::config::Config;
use crate::files;

/// The file in the cluster's directory.
pub(super) const NAME: &str = "secureguard-recovery.json";
/// What the seal is bound to, and what its key is derived for.
const LABEL: &str = "secureguard.recovery.v1";
/// Folders of the data directory that go into it.
const FOLDERS: [&str; 3] = ["keys", "secrets", "tls"];
const FILES: [&str; 1] = ["audit/heads.json"];
/// Where files of other places go on the way back, below the data directory.
const ELSEWHERE: &str = "restored";
/// Bytes of one file at most: keys and certificates are small.
const LARGEST: u64 = 1024 * 1024;

#[derive(Serialize, Deserialize)]
struct Sealed {
    label: String,
    nonce: String,
    ciphertext: String,
}

#[derive(Serialize, Deserialize)]
struct Entry {
    /// Below the data directory, or absolute.
    path: PathBuf,
    data: String,
}

/// A file that came back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RestoredFile {
    /// Where it was.
    pub from: PathBuf,
    /// Where it is.
    pub to: PathBuf,
}

/// Collects and seals.
///
/// # Errors
/// In words: a file cannot be read.
pub(crate) fn seal(config: &Config, pass: &SecretString) -> anyhow::Result<String> {
    let entries = collect(config)?;
    let mut text = Zeroizing::new(serde_json::to_vec(&entries)?);
    let nonce = cipher(pass)?
        .seal_in_place_append_tag(Aad::from(LABEL), &mut *text)
        .map_err(|_| anyhow::anyhow!("the keys could not be sealed"))?;
    Ok(serde_json::to_string(&Sealed {
        label: LABEL.to_owned(),
        nonce: STANDARD.encode(nonce.as_ref()),
        ciphertext: STANDARD.encode(&*text),
    })?)
}

/// Opens what a backup holds and puts the files into a data directory.
///
/// # Errors
/// In words: the seal does not hold, a file cannot be written.
pub(crate) fn unpack(text: &str, pass: &SecretString, data_dir: &Path) -> anyhow::Result<Vec<RestoredFile>> {
    let sealed: Sealed = serde_json::from_str(text).context("the file of keys in the backup is damaged")?;
    ensure!(
        sealed.label == LABEL,
        "the file of keys in the backup is of a kind that this program does not know: {}",
        sealed.label
    );
    let broken = || anyhow::anyhow!("the pass does not open the keys in the backup, or they are damaged");
    let nonce = STANDARD.decode(&sealed.nonce).map_err(|_| broken())?;
    let nonce = Nonce::try_assume_unique_for_key(&nonce).map_err(|_| broken())?;
    let mut bytes = Zeroizing::new(STANDARD.decode(&sealed.ciphertext).map_err(|_| broken())?);
    let plain = cipher(pass)?
        .open_in_place(nonce, Aad::from(LABEL), bytes.as_mut_slice())
        .map_err(|_| broken())?;
    let entries: Vec<Entry> = serde_json::from_slice(plain).context("the keys in the backup are damaged")?;
    entries.iter().map(|entry| put(entry, data_dir)).collect()
}

fn put(entry: &Entry, data_dir: &Path) -> anyhow::Result<RestoredFile> {
    let relative = if entry.path.is_absolute() {
        Path::new(ELSEWHERE).join(entry.path.strip_prefix("/")?)
    } else {
        entry.path.clone()
    };
    ensure!(
        relative
            .components()
            .all(|part| matches!(part, Component::Normal(_))),
        "the keys in the backup name a path that leads elsewhere: {}",
        entry.path.display()
    );
    let to = data_dir.join(&relative);
    let mut dir = data_dir.to_owned();
    for part in relative.parent().into_iter().flat_map(Path::components) {
        dir.push(part);
        files::create_private_dir(&dir).with_context(|| format!("cannot make {}", dir.display()))?;
    }
    let data = STANDARD
        .decode(&entry.data)
        .context("the keys in the backup are damaged")?;
    files::write_private(&to, &data).with_context(|| format!("cannot write {}", to.display()))?;
    Ok(RestoredFile {
        from: entry.path.clone(),
        to,
    })
}

fn collect(config: &Config) -> anyhow::Result<Vec<Entry>> {
    let data_dir = &config.data_dir;
    let pass_file = config.backup.pass_file(data_dir);
    let mut paths: Vec<PathBuf> = FILES.iter().map(PathBuf::from).collect();
    for folder in FOLDERS {
        let entries = match std::fs::read_dir(data_dir.join(folder)) {
            Err(error) if error.kind() == ErrorKind::NotFound => continue,
            other => other.with_context(|| format!("cannot read {}", data_dir.join(folder).display()))?,
        };
        for entry in entries {
            let entry = entry?;
            if entry.file_type()?.is_file() && entry.path() != pass_file && is_kept(&entry.file_name()) {
                paths.push(Path::new(folder).join(entry.file_name()));
            }
        }
    }
    // Keys that the configuration keeps elsewhere, and the configuration itself.
    let elsewhere = [
        config.rules.key_file(data_dir),
        config.response.key_file(data_dir),
        config.secrets.keys_file(data_dir),
        config.audit.key_file(data_dir),
    ];
    paths.extend(
        elsewhere
            .into_iter()
            .chain(config.file.clone())
            .filter(|path| path.is_absolute() && !path.starts_with(data_dir)),
    );
    paths.sort();
    let mut entries = Vec::new();
    for path in paths {
        let file = data_dir.join(&path);
        let data = match std::fs::metadata(&file) {
            Ok(told) if told.len() > LARGEST => bail!(
                "{} has more than a megabyte and does not belong among the keys; move it elsewhere",
                file.display()
            ),
            Ok(_) => std::fs::read(&file).with_context(|| format!("cannot read {}", file.display()))?,
            Err(error) if error.kind() == ErrorKind::NotFound => continue,
            // The signer's key may belong to a user of its own, who keeps it.
            Err(error) if error.kind() == ErrorKind::PermissionDenied => continue,
            Err(error) => return Err(error).with_context(|| format!("cannot read {}", file.display())),
        };
        entries.push(Entry {
            path,
            data: STANDARD.encode(Zeroizing::new(data).as_slice()),
        });
    }
    Ok(entries)
}

/// The socket's place, the primary that is followed, and unfinished files are of this machine only.
fn is_kept(name: &std::ffi::OsStr) -> bool {
    let name = name.to_string_lossy();
    !["socket", "standby"].contains(&name.as_ref()) && !name.ends_with(".new") && !name.ends_with(".lock")
}

fn cipher(pass: &SecretString) -> anyhow::Result<RandomizedNonceKey> {
    let mut mac = Hmac::<Sha256>::new_from_slice(pass.expose_secret().as_bytes())?;
    mac.update(LABEL.as_bytes());
    let key = Zeroizing::new(mac.finalize().into_bytes());
    RandomizedNonceKey::new(&AES_256_GCM, key.as_slice()).map_err(|_| anyhow::anyhow!("no key"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sealed(entries: &[Entry], pass: &SecretString) -> String {
        let mut text = serde_json::to_vec(entries).unwrap();
        let nonce = cipher(pass)
            .unwrap()
            .seal_in_place_append_tag(Aad::from(LABEL), &mut text)
            .unwrap();
        serde_json::to_string(&Sealed {
            label: LABEL.to_owned(),
            nonce: STANDARD.encode(nonce.as_ref()),
            ciphertext: STANDARD.encode(&text),
        })
        .unwrap()
    }

    fn entry(path: &str) -> Entry {
        Entry {
            path: path.into(),
            data: STANDARD.encode(b"a key"),
        }
    }

    #[test]
    fn files_come_back_where_they_belong_and_nowhere_else() {
        let dir = tempfile::tempdir().unwrap();
        let pass = SecretString::from("p".repeat(40));
        let text = sealed(&[entry("keys/a.pem"), entry("/etc/sg/b.pem")], &pass);
        let files = unpack(&text, &pass, dir.path()).unwrap();
        assert_eq!(files[1].to, dir.path().join("restored/etc/sg/b.pem"));
        assert_eq!(std::fs::read(dir.path().join("keys/a.pem")).unwrap(), b"a key");
        for hostile in ["../outside", "keys/../../outside", "/etc/../../outside"] {
            let text = sealed(&[entry(hostile)], &pass);
            assert!(unpack(&text, &pass, &dir.path().join("x")).is_err(), "{hostile}");
        }
        let other = SecretString::from("q".repeat(40));
        let error = unpack(&text, &other, dir.path()).unwrap_err().to_string();
        assert!(error.contains("the pass does not open"), "{error}");
        for damage in [
            "",
            "{}",
            &text.replace("\"nonce\":\"", "\"nonce\":\"AAAA"),
            &text.replace(LABEL, "x"),
        ] {
            assert!(unpack(damage, &pass, dir.path()).is_err(), "{damage}");
        }
    }
}
