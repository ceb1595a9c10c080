//! Passwords of the database roles, and the URLs that use them.

use std::path::{Path, PathBuf};

use anyhow::Context;
use secrecy::{ExposeSecret, SecretString};
use sg_db::RoleVerifiers;

use super::DATABASE;
use super::cluster::Address;
use crate::files;

/// Roles that sign in with a password of their own.
const ROLES: [&str; 4] = ["sg_app", "sg_system", "sg_admin", "sg_backup"];
/// Where the socket of the running cluster is told to other commands on this machine.
const SOCKET_FILE: &str = "socket";

/// The roles' passwords, each in a file of its own (0600).
#[derive(Debug)]
pub struct RolePasswords(Vec<(&'static str, SecretString)>);

impl RolePasswords {
    /// Reads the passwords, or makes (256 random bits) and stores those that are missing.
    ///
    /// # Errors
    /// When a file cannot be read or written.
    pub fn load_or_create(data_dir: &Path) -> anyhow::Result<Self> {
        let dir = data_dir.join("secrets");
        files::create_private_dir(&dir).with_context(|| format!("cannot make {}", dir.display()))?;
        let load = |role: &'static str| {
            let path = dir.join(role);
            if let Some(password) = read(&path)? {
                return Ok((role, password));
            }
            let password = SecretString::from(hex::encode(rand::random::<[u8; 32]>()));
            files::write_private(&path, password.expose_secret().as_bytes())
                .with_context(|| format!("cannot write {}", path.display()))?;
            anyhow::Ok((role, password))
        };
        ROLES
            .into_iter()
            .map(load)
            .collect::<anyhow::Result<_>>()
            .map(Self)
    }

    /// What PostgreSQL stores for them.
    pub fn verifiers(&self) -> RoleVerifiers {
        RoleVerifiers(
            self.0
                .iter()
                .map(|(role, password)| (*role, sg_postgres::scram_verifier(password).into()))
                .collect(),
        )
    }

    fn of(&self, role: &str) -> &str {
        self.0
            .iter()
            .find(|(name, _)| *name == role)
            .map_or("", |(_, password)| password.expose_secret())
    }
}

/// Connection URLs (libpq URIs) of `up`'s own cluster.
#[derive(Debug)]
pub struct Urls {
    /// As `sg_app`.
    pub app: SecretString,
    /// As `sg_system`.
    pub system: SecretString,
    /// As `sg_admin`.
    pub admin: SecretString,
    /// As the superuser.
    pub superuser: SecretString,
    /// As the superuser, to the database that exists from the first moment.
    pub superuser_elsewhere: SecretString,
}

impl Urls {
    pub(super) fn new(address: &Address, passwords: &RolePasswords) -> Self {
        let url = |role: &str, password: &str, database: &str| {
            url(&address.socket_dir, address.port, role, password, database)
        };
        let superuser = address.superuser_password.expose_secret();
        Self {
            app: url("sg_app", passwords.of("sg_app"), DATABASE),
            system: url("sg_system", passwords.of("sg_system"), DATABASE),
            admin: url("sg_admin", passwords.of("sg_admin"), DATABASE),
            superuser: url(&address.superuser, superuser, DATABASE),
            superuser_elsewhere: url(&address.superuser, superuser, &address.superuser),
        }
    }
}

/// Leaves word of where the cluster listens.
///
/// # Errors
/// When the file cannot be written.
pub(crate) fn remember_socket(data_dir: &Path, address: &Address) -> anyhow::Result<()> {
    let text = format!("{}\n{}\n", address.socket_dir.display(), address.port);
    files::write_private(&data_dir.join("secrets").join(SOCKET_FILE), text.as_bytes())
        .context("cannot write the socket's place")
}

/// The URLs as `sg_app` and `sg_system` of a cluster that a running `up` keeps in `data_dir`.
///
/// # Errors
/// In words: there is no such cluster.
pub fn read_urls(data_dir: &Path) -> anyhow::Result<(SecretString, SecretString)> {
    let dir = data_dir.join("secrets");
    let path = dir.join(SOCKET_FILE);
    let text = std::fs::read_to_string(&path).with_context(|| {
        format!(
            "{} cannot be read: is {} the data directory of `secureguard up`?",
            path.display(),
            data_dir.display()
        )
    })?;
    let mut lines = text.lines();
    let socket_dir = PathBuf::from(lines.next().unwrap_or_default());
    let port: u16 = lines.next().and_then(|line| line.parse().ok()).unwrap_or(5432);
    let role = |role: &str| {
        let password =
            read(&dir.join(role))?.with_context(|| format!("{} is missing", dir.join(role).display()))?;
        anyhow::Ok(url(&socket_dir, port, role, password.expose_secret(), DATABASE))
    };
    Ok((role("sg_app")?, role("sg_system")?))
}

/// The URL as superuser, to the cluster's own database, of a cluster that a running `up` keeps in `data_dir`.
///
/// # Errors
/// In words: there is no such cluster.
pub(crate) fn read_superuser_url(data_dir: &Path) -> anyhow::Result<SecretString> {
    let path = data_dir.join("secrets").join(SOCKET_FILE);
    let text = std::fs::read_to_string(&path).with_context(|| {
        format!(
            "{} cannot be read: does `secureguard up` run there?",
            path.display()
        )
    })?;
    let mut lines = text.lines();
    let socket_dir = PathBuf::from(lines.next().unwrap_or_default());
    let port: u16 = lines.next().and_then(|line| line.parse().ok()).unwrap_or(5432);
    let password =
        read_password(data_dir, "postgres-superuser")?.context("secrets/postgres-superuser is missing")?;
    Ok(url(
        &socket_dir,
        port,
        "postgres",
        password.expose_secret(),
        "postgres",
    ))
}

/// The folder of the socket of the cluster in `data_dir`: where it last listened, else where it will.
pub(crate) fn socket_dir(data_dir: &Path) -> PathBuf {
    std::fs::read_to_string(data_dir.join("secrets").join(SOCKET_FILE))
        .ok()
        .and_then(|text| text.lines().next().map(PathBuf::from))
        .unwrap_or_else(|| data_dir.join("run"))
}

/// The password of a role of the cluster in `data_dir`; none where it has none yet.
///
/// # Errors
/// When the file cannot be read.
pub(crate) fn read_password(data_dir: &Path, role: &str) -> anyhow::Result<Option<SecretString>> {
    read(&data_dir.join("secrets").join(role))
}

/// URLs as `sg_app`, `sg_system` and superuser of a cluster that was restored into `data_dir`.
///
/// # Errors
/// When a password cannot be read.
pub(crate) fn restored_urls(
    data_dir: &Path,
    socket_dir: &Path,
) -> anyhow::Result<(SecretString, SecretString, SecretString)> {
    let role = |file: &str, role: &str| {
        let password = read_password(data_dir, file)?
            .with_context(|| format!("the password of {role} is not in the backup"))?;
        anyhow::Ok(url(socket_dir, 5432, role, password.expose_secret(), DATABASE))
    };
    Ok((
        role("sg_app", "sg_app")?,
        role("sg_system", "sg_system")?,
        role("postgres-superuser", "postgres")?,
    ))
}

fn read(path: &Path) -> anyhow::Result<Option<SecretString>> {
    match std::fs::read_to_string(path) {
        Ok(text) if text.trim().is_empty() => Ok(None),
        Ok(text) => Ok(Some(text.trim().into())),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error).with_context(|| format!("cannot read {}", path.display())),
    }
}

fn url(socket_dir: &Path, port: u16, role: &str, password: &str, database: &str) -> SecretString {
    let host = percent_encode(&socket_dir.to_string_lossy());
    format!(
        "postgresql://{role}:{}@{host}:{port}/{database}",
        percent_encode(password)
    )
    .into()
}

/// Percent-encodes everything but letters, digits and `-._~` (RFC 3986 §2.3).
fn percent_encode(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            encoded.push_str(&format!("%{byte:02X}"));
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_name_the_socket() {
        let url = url(Path::new("/tmp/a b/run"), 5432, "sg_app", "p@ss", "secureguard");
        assert_eq!(
            url.expose_secret(),
            "postgresql://sg_app:p%40ss@%2Ftmp%2Fa%20b%2Frun:5432/secureguard"
        );
    }

    #[test]
    fn passwords_stay_the_same_and_private() {
        use std::os::unix::fs::PermissionsExt;
        let dir = tempfile::tempdir().unwrap();
        let first = RolePasswords::load_or_create(dir.path()).unwrap();
        let second = RolePasswords::load_or_create(dir.path()).unwrap();
        assert_eq!(first.of("sg_app"), second.of("sg_app"));
        assert_eq!(first.of("sg_app").len(), 64);
        assert_ne!(first.of("sg_app"), first.of("sg_system"));
        let mode = std::fs::metadata(dir.path().join("secrets/sg_admin"))
            .unwrap()
            .permissions()
            .mode();
        assert_eq!(mode & 0o777, 0o600);
        assert!(
            first
                .verifiers()
                .0
                .iter()
                .all(|(_, v)| v.expose_secret().starts_with("SCRAM-SHA-256$"))
        );
    }
}
