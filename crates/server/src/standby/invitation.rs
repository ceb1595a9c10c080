//! The file with which a primary lets a standby follow it, and the standby that is made with it.

use std::net::SocketAddr;
use std::path::Path;

use anyhow::{Context, ensure};
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use sg_db::standby::{drop_standby, prepare_standby, save_sealed_keys};
use sg_postgres::BaseBackup;

use super::identity::Identity;
use super::{PREFIX, upstream};
use crate::backup::{binaries, blocking, seal_keys, unpack_keys};
use crate::config::{Config, is_name};
use crate::files;
use crate::up::read_superuser_url;

const LABEL: &str = "secureguard.standby.v1";
/// Bytes of an invitation at most.
const LARGEST: u64 = 16 * 1024 * 1024;
/// Below the data directory.
const FOLLOWED: &str = "secrets/standby";

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Invitation {
    label: String,
    #[serde(flatten)]
    followed: Followed,
    /// What opens the keys.
    pass: String,
    /// Sealed keys, passwords and certificates of the primary.
    keys: String,
}

/// Whom a standby follows.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Followed {
    pub(super) from: SocketAddr,
    pub(super) slot: String,
}

impl Followed {
    /// Reads it from the data directory of a standby.
    pub(super) fn read(data_dir: &Path) -> anyhow::Result<Self> {
        let path = data_dir.join(FOLLOWED);
        let text = std::fs::read_to_string(&path)
            .with_context(|| format!("cannot read {}; make the standby anew", path.display()))?;
        serde_json::from_str(&text).with_context(|| format!("{} is damaged", path.display()))
    }
}

/// Lets a standby follow the primary that a running `up` keeps in the data directory; writes the invitation, which holds every secret of the installation, into a
/// file for the owner.
///
/// # Errors
/// In words for the person at the terminal.
pub async fn invite(config: &Config, name: &str, out: &Path) -> anyhow::Result<()> {
    ensure!(
        is_name(name),
        "a standby's name has 1 to 40 lower-case letters, digits and underscores"
    );
    let from = config.standby.listen().context(
        "standby.listen is not set: the address of this machine at which the standby reaches it, such as 10.0.0.1:5433; restart `up` after setting it",
    )?;
    ensure!(
        !sg_postgres::is_standby(&config.data_dir),
        "this server is a standby itself; invite on the primary"
    );
    ensure!(!out.exists(), "{} is there already", out.display());
    let url = read_superuser_url(&config.data_dir)?;
    let identity = Identity::load(&config.data_dir)?
        .context("`up` has not run with standby.listen yet; restart it, so that its PostgreSQL listens")?;
    let slot = format!("{PREFIX}{name}");
    let keys = seal_keys(config, &identity.keys_pass)?;
    prepare_standby(
        &url,
        &slot,
        &sg_postgres::scram_verifier(&identity.password).into(),
    )
    .await
    .context("the database does not take the standby; does `up` run?")?;
    save_sealed_keys(&url, &keys).await?;
    let text = serde_json::to_string_pretty(&Invitation {
        label: LABEL.to_owned(),
        followed: Followed { from, slot },
        pass: identity.keys_pass.expose_secret().to_owned(),
        keys,
    })?;
    files::write_private(out, text.as_bytes()).with_context(|| format!("cannot write {}", out.display()))
}

/// Removes the slot of a standby that does not come back; whether there was one.
///
/// # Errors
/// In words for the person at the terminal.
pub async fn remove(config: &Config, name: &str) -> anyhow::Result<bool> {
    let url = read_superuser_url(&config.data_dir)?;
    drop_standby(&url, &format!("{PREFIX}{name}"))
        .await
        .context("the slot cannot be removed; a standby that still runs has to be stopped first")
}

/// Makes a standby in the data directory, which holds no database.
///
/// # Errors
/// In words for the person at the terminal.
pub async fn init(config: &Config, invitation: &Path) -> anyhow::Result<()> {
    let told =
        std::fs::metadata(invitation).with_context(|| format!("cannot read {}", invitation.display()))?;
    ensure!(told.len() <= LARGEST, "{} is no invitation", invitation.display());
    ensure!(
        !files::is_readable_by_others(invitation)?,
        "others may read {}, and it holds every secret of the installation; run: chmod 0600 {}",
        invitation.display(),
        invitation.display()
    );
    let text = std::fs::read_to_string(invitation)?;
    let read: Invitation = serde_json::from_str(&text).map_err(|_| {
        anyhow::anyhow!(
            "{} is no invitation of `secureguard standby invite`",
            invitation.display()
        )
    })?;
    ensure!(
        read.label == LABEL && read.followed.slot.strip_prefix(PREFIX).is_some_and(is_name),
        "{} is of a kind that this program does not know",
        invitation.display()
    );
    ensure!(
        !config.data_dir.join("postgres").exists(),
        "{} holds a database already; a standby is made in an empty directory",
        config.data_dir.display()
    );
    sg_postgres::claim_dir(&config.data_dir)?;
    unpack_keys(&read.keys, &SecretString::from(read.pass), &config.data_dir)?;
    files::write_private(
        &config.data_dir.join(FOLLOWED),
        serde_json::to_string(&read.followed)?.as_bytes(),
    )?;
    let (bin, config) = (binaries(config)?, config.clone());
    blocking(move || {
        let upstream = upstream(&config)?;
        let backup = BaseBackup {
            data_dir: &config.data_dir,
            upstream: &upstream,
        };
        Ok(backup.copy(&bin)?)
    })
    .await
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Verb, load};

    #[tokio::test]
    async fn a_file_that_is_no_invitation_touches_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let mut config = load(None, Verb::Other).unwrap();
        config.data_dir = dir.path().join("data");
        let file = dir.path().join("invitation");
        let hostile = r#"{"label":"secureguard.standby.v1","from":"127.0.0.1:1","slot":"sg_a' user=postgres host=elsewhere","pass":"x","keys":"{}"}"#;
        for (text, words) in [
            ("", "is no invitation"),
            ("{}", "is no invitation"),
            (hostile, "of a kind"),
        ] {
            files::write_private(&file, text.as_bytes()).unwrap();
            let error = init(&config, &file).await.unwrap_err().to_string();
            assert!(error.contains(words), "{error}");
        }
        files::write_public(&file, hostile.as_bytes()).unwrap();
        let error = init(&config, &file).await.unwrap_err().to_string();
        assert!(error.contains("others may read"), "{error}");
        assert!(!config.data_dir.exists());
    }
}
