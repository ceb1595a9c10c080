//! What the servers of one installation know each other by: the password of the role for replication, a certificate, and the pass under which keys follow.

use std::path::Path;

use anyhow::Context;
use rcgen::{CertificateParams, DistinguishedName, DnType, IsCa, KeyPair, date_time_ymd};
use secrecy::{ExposeSecret, SecretString};

use crate::files;
use crate::up::read_password;

const PASSWORD: &str = "sg_standby";
const PASS: &str = "standby-keys";
const CERTIFICATE: &str = "tls/replication.crt";
const KEY: &str = "tls/replication.key";

/// The same on every server of an installation.
#[derive(Debug, Clone)]
pub(super) struct Identity {
    /// Password of the role for replication.
    pub(super) password: SecretString,
    /// PEM; pinned by the others.
    pub(super) certificate: String,
    /// PEM.
    pub(super) key: SecretString,
    /// What keys are sealed with on their way to standbys.
    pub(super) keys_pass: SecretString,
}

impl Identity {
    /// Reads it; none where there is none.
    ///
    /// # Errors
    /// In words: a file cannot be read.
    pub(super) fn load(data_dir: &Path) -> anyhow::Result<Option<Self>> {
        let (Some(password), Some(keys_pass)) =
            (read_password(data_dir, PASSWORD)?, read_password(data_dir, PASS)?)
        else {
            return Ok(None);
        };
        let (certificate, key) = (data_dir.join(CERTIFICATE), data_dir.join(KEY));
        if !certificate.exists() || !key.exists() {
            return Ok(None);
        }
        let read = |path: &Path| {
            std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))
        };
        Ok(Some(Self {
            password,
            certificate: read(&certificate)?,
            key: read(&key)?.into(),
            keys_pass,
        }))
    }

    /// Reads it, or makes what is missing: 256 random bits each, and a certificate that does not end in anybody's working life, since it is pinned.
    ///
    /// # Errors
    /// In words: a file cannot be read or written.
    pub(super) fn load_or_create(data_dir: &Path) -> anyhow::Result<Self> {
        if let Some(known) = Self::load(data_dir)? {
            return Ok(known);
        }
        for folder in ["secrets", "tls"] {
            files::create_private_dir(&data_dir.join(folder))?;
        }
        for name in [PASSWORD, PASS] {
            if read_password(data_dir, name)?.is_none() {
                let secret = SecretString::from(hex::encode(rand::random::<[u8; 32]>()));
                files::write_private(
                    &data_dir.join("secrets").join(name),
                    secret.expose_secret().as_bytes(),
                )?;
            }
        }
        let mut params = CertificateParams::default();
        params.distinguished_name = DistinguishedName::new();
        params
            .distinguished_name
            .push(DnType::CommonName, "SecureGuard replication");
        params.is_ca = IsCa::NoCa;
        params.not_before = date_time_ymd(2020, 1, 1);
        params.not_after = date_time_ymd(2120, 1, 1);
        let key = KeyPair::generate().context("cannot make a key for replication")?;
        let certificate = params
            .self_signed(&key)
            .context("cannot make a certificate for replication")?;
        files::write_private(&data_dir.join(KEY), key.serialize_pem().as_bytes())?;
        files::write_private(&data_dir.join(CERTIFICATE), certificate.pem().as_bytes())?;
        Self::load(data_dir)?.context("what was made for replication is not there")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_made_once_and_for_the_owner() {
        let dir = tempfile::tempdir().unwrap();
        assert!(Identity::load(dir.path()).unwrap().is_none());
        let first = Identity::load_or_create(dir.path()).unwrap();
        let second = Identity::load_or_create(dir.path()).unwrap();
        assert_eq!(first.certificate, second.certificate);
        assert_eq!(first.password.expose_secret(), second.password.expose_secret());
        assert_ne!(first.password.expose_secret(), first.keys_pass.expose_secret());
        for file in ["secrets/sg_standby", "secrets/standby-keys", KEY] {
            assert!(
                !files::is_readable_by_others(&dir.path().join(file)).unwrap(),
                "{file}"
            );
        }
        assert!(!format!("{first:?}").contains(first.password.expose_secret()));
    }
}
