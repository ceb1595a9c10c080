//! The server's certificate: given, or signed by a certificate authority of the server's own and renewed before it ends.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};

use anyhow::Context;
use chrono::{DateTime, Datelike, Duration, Utc};
use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer,
    KeyPair, KeyUsagePurpose, date_time_ymd,
};
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use serde::{Deserialize, Serialize};

use crate::config::{PublicUrl, TlsConfig};
use crate::files;

/// Life of the authority and of a certificate.
const CA_YEARS: i32 = 10;
const CERTIFICATE_DAYS: i64 = 397;
/// A certificate that ends within this time is made anew.
const RENEW_BEFORE_DAYS: i64 = 60;

/// Why no certificate could be read or made.
pub type CertificateError = anyhow::Error;

/// The certificate that is shown to clients.
#[derive(Debug)]
pub struct Certificates {
    current: Arc<Current>,
    own: Option<OwnAuthority>,
}

/// Where our own authority and certificate live, and for which names.
#[derive(Debug, Clone)]
struct OwnAuthority {
    dir: PathBuf,
    names: Vec<String>,
}

/// What is known of our own certificate without parsing it.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Facts {
    names: Vec<String>,
    not_after: DateTime<Utc>,
}

impl Certificates {
    /// Reads the given certificate, or reads or makes our own for `names` below `dir`.
    ///
    /// # Errors
    /// In words: which file cannot be used and why.
    pub fn load(
        config: &TlsConfig,
        dir: &Path,
        names: &[String],
        now: DateTime<Utc>,
    ) -> Result<Self, CertificateError> {
        if let Some((cert, key)) = config.files() {
            let certified = read_pair(cert, key)?;
            return Ok(Self {
                current: Current::new(certified),
                own: None,
            });
        }
        let own = OwnAuthority {
            dir: dir.to_owned(),
            names: names.to_vec(),
        };
        let certified = own.ensure(now)?;
        Ok(Self {
            current: Current::new(certified),
            own: Some(own),
        })
    }

    /// The authority's certificate, for clients to trust; none where the certificate was given.
    pub fn ca_file(&self) -> Option<PathBuf> {
        self.own.as_ref().map(|own| own.dir.join("ca.pem"))
    }

    /// What makes the certificate anew before it ends; connections from then on see the new one.
    pub fn renewal(&self) -> impl Fn(DateTime<Utc>) -> anyhow::Result<()> + Send + Sync + use<> {
        let (current, own) = (self.current.clone(), self.own.clone());
        move |now| {
            if let Some(own) = &own {
                current.replace(own.ensure(now)?);
            }
            Ok(())
        }
    }

    /// The configuration for the TLS library: TLS 1.2 and 1.3, HTTP/2 and HTTP/1.1.
    ///
    /// # Errors
    /// When the library does not take it.
    pub fn server_config(&self) -> anyhow::Result<Arc<rustls::ServerConfig>> {
        let provider = Arc::new(aws_lc_rs::default_provider());
        let mut config = rustls::ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .with_no_client_auth()
            .with_cert_resolver(self.current.clone());
        // Agents that come back resume their session without a signature of ours. A ticket holds all of it, so that no number of agents is too many;
        // one is enough, since each connection gets a new one.
        config.ticketer = aws_lc_rs::Ticketer::new()?;
        config.send_tls13_tickets = 1;
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        Ok(Arc::new(config))
    }
}

/// The names that a certificate of our own is made for.
pub fn server_names(listen: SocketAddr, public_url: Option<&PublicUrl>) -> Vec<String> {
    let mut names = vec!["localhost".to_owned(), "127.0.0.1".to_owned(), "::1".to_owned()];
    names.extend(host_name());
    if !listen.ip().is_unspecified() {
        names.push(listen.ip().to_canonical().to_string());
    }
    names.extend(public_url.map(|url| url.host.trim_matches(['[', ']']).to_owned()));
    names.sort_unstable();
    names.dedup();
    names
}

/// This machine's name in lower case.
pub(super) fn host_name() -> Option<String> {
    let name = rustix::system::uname()
        .nodename()
        .to_string_lossy()
        .to_ascii_lowercase();
    let usable = !name.is_empty()
        && name
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'.');
    usable.then_some(name)
}

impl OwnAuthority {
    /// Our certificate: the present one, or a new one when it ends soon or other names are needed.
    fn ensure(&self, now: DateTime<Utc>) -> anyhow::Result<CertifiedKey> {
        let path = |name: &str| self.dir.join(name);
        std::fs::create_dir_all(&self.dir).with_context(|| format!("cannot make {}", self.dir.display()))?;
        let (issuer, made) = self.authority(now)?;
        let facts = std::fs::read(path("server.json"))
            .ok()
            .and_then(|bytes| serde_json::from_slice::<Facts>(&bytes).ok());
        let fresh = facts
            .is_some_and(|f| f.names == self.names && f.not_after - now > Duration::days(RENEW_BEFORE_DAYS));
        if fresh
            && !made
            && let Ok(pair) = read_pair(&path("server.pem"), &path("server.key"))
        {
            return Ok(pair);
        }
        self.issue(&issuer, now)?;
        read_pair(&path("server.pem"), &path("server.key"))
    }

    /// The authority, and whether it was made just now.
    fn authority(&self, now: DateTime<Utc>) -> anyhow::Result<(Issuer<'static, KeyPair>, bool)> {
        let (cert_path, key_path) = (self.dir.join("ca.pem"), self.dir.join("ca.key"));
        if cert_path.exists() && key_path.exists() {
            let pem = std::fs::read_to_string(&key_path)
                .with_context(|| format!("cannot read {}", key_path.display()))?;
            let key = KeyPair::from_pem(&pem).with_context(|| {
                format!(
                    "{} is no private key; restore it, or remove {} and have agents trust a new authority",
                    key_path.display(),
                    self.dir.display()
                )
            })?;
            return Ok((Issuer::new(authority_params(now), key), false));
        }
        let key = KeyPair::generate()?;
        let params = authority_params(now);
        let cert = params.self_signed(&key)?;
        files::write_private(&key_path, key.serialize_pem().as_bytes())
            .with_context(|| format!("cannot write {}", key_path.display()))?;
        files::write_public(&cert_path, cert.pem().as_bytes())
            .with_context(|| format!("cannot write {}", cert_path.display()))?;
        tracing::info!(path = %cert_path.display(), "made a certificate authority; clients trust the server by this file");
        Ok((Issuer::new(params, key), true))
    }

    fn issue(&self, issuer: &Issuer<'static, KeyPair>, now: DateTime<Utc>) -> anyhow::Result<()> {
        let end = now + Duration::days(CERTIFICATE_DAYS);
        let mut params = CertificateParams::new(self.names.clone())
            .context("a name of this server fits in no certificate")?;
        params.distinguished_name = DistinguishedName::new();
        params
            .distinguished_name
            .push(DnType::CommonName, "SecureGuard server");
        params.use_authority_key_identifier_extension = true;
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        params.not_before = day(now - Duration::days(1));
        params.not_after = day(end);
        let key = KeyPair::generate()?;
        let cert = params.signed_by(&key, issuer)?;
        let facts = Facts {
            names: self.names.clone(),
            not_after: end - Duration::days(1),
        };
        // The facts go last: without them the pair is made anew, so that a crash in between leaves nothing half new.
        let _ = std::fs::remove_file(self.dir.join("server.json"));
        files::write_private(&self.dir.join("server.key"), key.serialize_pem().as_bytes())?;
        files::write_public(&self.dir.join("server.pem"), cert.pem().as_bytes())?;
        files::write_public(&self.dir.join("server.json"), &serde_json::to_vec(&facts)?)?;
        tracing::info!(names = self.names.join(","), "made a server certificate");
        Ok(())
    }
}

/// The same on every start, so that the issuer's name and key identifier stay those of `ca.pem`.
fn authority_params(now: DateTime<Utc>) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    params
        .distinguished_name
        .push(DnType::CommonName, "SecureGuard authority");
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params.not_before = day(now - Duration::days(1));
    params.not_after = date_time_ymd(now.year() + CA_YEARS, 1, 1);
    params
}

fn day(at: DateTime<Utc>) -> time::OffsetDateTime {
    date_time_ymd(
        at.year(),
        u8::try_from(at.month()).unwrap_or(1),
        u8::try_from(at.day()).unwrap_or(1),
    )
}

fn read_pair(cert: &Path, key: &Path) -> anyhow::Result<CertifiedKey> {
    let chain: Vec<CertificateDer<'static>> = CertificateDer::pem_file_iter(cert)
        .and_then(Iterator::collect)
        .with_context(|| format!("cannot read certificates in PEM from {}", cert.display()))?;
    anyhow::ensure!(!chain.is_empty(), "{} holds no certificate", cert.display());
    let private = PrivateKeyDer::from_pem_file(key)
        .with_context(|| format!("cannot read a private key in PEM from {}", key.display()))?;
    let certified = CertifiedKey::from_der(chain, private, &aws_lc_rs::default_provider());
    certified.with_context(|| format!("{} and {} do not belong together", cert.display(), key.display()))
}

/// The certificate of the moment.
#[derive(Debug)]
struct Current(RwLock<Arc<CertifiedKey>>);

impl Current {
    fn new(certified: CertifiedKey) -> Arc<Self> {
        Arc::new(Self(RwLock::new(Arc::new(certified))))
    }

    fn replace(&self, certified: CertifiedKey) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(certified);
    }
}

impl ResolvesServerCert for Current {
    fn resolve(&self, _hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.0.read().unwrap_or_else(PoisonError::into_inner).clone())
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use rustls::pki_types::UnixTime;
    use rustls::time_provider::TimeProvider;
    use rustls::{ClientConfig, ClientConnection, HandshakeKind, RootCertStore, ServerConnection};

    use super::*;
    use crate::config::TlsMode;

    fn config() -> TlsConfig {
        TlsConfig {
            mode: TlsMode::On,
            cert_file: PathBuf::new(),
            key_file: PathBuf::new(),
        }
    }

    fn start() -> DateTime<Utc> {
        "2026-03-01T12:00:00Z".parse().unwrap()
    }

    #[test]
    fn a_certificate_is_kept_until_it_ends_soon_or_names_change() {
        let dir = tempfile::tempdir().unwrap();
        let read = |name: &str| std::fs::read(dir.path().join(name)).unwrap();
        let names = ["localhost".to_owned(), "127.0.0.1".to_owned()];
        let load = |names: &[String], now| Certificates::load(&config(), dir.path(), names, now).unwrap();

        let certificates = load(&names, start());
        let (ca, first) = (read("ca.pem"), read("server.pem"));
        assert_eq!(certificates.ca_file(), Some(dir.path().join("ca.pem")));
        for key in ["ca.key", "server.key"] {
            assert_eq!(
                std::fs::metadata(dir.path().join(key))
                    .unwrap()
                    .permissions()
                    .mode()
                    & 0o777,
                0o600
            );
        }
        load(&names, start() + Duration::days(300));
        assert_eq!(read("server.pem"), first, "still good for three months");
        certificates.renewal()(start() + Duration::days(340)).unwrap();
        let second = read("server.pem");
        assert_ne!(second, first);
        load(&["other".to_owned()], start());
        assert_ne!(read("server.pem"), second);
        assert_eq!(read("ca.pem"), ca, "the authority stays, agents trust it");
    }

    #[test]
    fn files_that_do_not_belong_together_are_refused() {
        let (one, two) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        for dir in [&one, &two] {
            Certificates::load(&config(), dir.path(), &["localhost".to_owned()], start()).unwrap();
        }
        let given = TlsConfig {
            mode: TlsMode::Auto,
            cert_file: one.path().join("server.pem"),
            key_file: two.path().join("server.key"),
        };
        assert!(
            Certificates::load(&given, one.path(), &[], start())
                .unwrap_err()
                .to_string()
                .contains("do not belong together")
        );
        let given = TlsConfig {
            key_file: one.path().join("server.key"),
            ..given
        };
        assert_eq!(
            Certificates::load(&given, one.path(), &[], start())
                .unwrap()
                .ca_file(),
            None
        );
    }

    #[test]
    fn sessions_are_resumed_however_many_clients_there_are() {
        let dir = tempfile::tempdir().unwrap();
        let certificates =
            Certificates::load(&config(), dir.path(), &["localhost".to_owned()], start()).unwrap();
        let server = certificates.server_config().unwrap();
        let mut roots = RootCertStore::empty();
        roots
            .add(CertificateDer::from_pem_file(dir.path().join("ca.pem")).unwrap())
            .unwrap();
        let clients: Vec<Arc<ClientConfig>> = (0..300)
            .map(|_| {
                let provider = Arc::new(aws_lc_rs::default_provider());
                let builder = ClientConfig::builder_with_details(provider, Arc::new(At(start())));
                let builder = builder.with_safe_default_protocol_versions().unwrap();
                let builder = builder.with_root_certificates(roots.clone());
                Arc::new(builder.with_no_client_auth())
            })
            .collect();
        for kind in [HandshakeKind::Full, HandshakeKind::Resumed] {
            for client in &clients {
                assert_eq!(shake_hands(client, &server), Some(kind));
            }
        }
    }

    /// The time at which the certificates of these tests are good.
    #[derive(Debug)]
    struct At(DateTime<Utc>);

    impl TimeProvider for At {
        fn current_time(&self) -> Option<UnixTime> {
            let seconds = u64::try_from(self.0.timestamp()).ok()?;
            Some(UnixTime::since_unix_epoch(std::time::Duration::from_secs(
                seconds,
            )))
        }
    }

    /// Lets both sides speak until neither has more to say.
    fn shake_hands(client: &Arc<ClientConfig>, server: &Arc<rustls::ServerConfig>) -> Option<HandshakeKind> {
        let mut server = ServerConnection::new(server.clone()).unwrap();
        let mut client = ClientConnection::new(client.clone(), "localhost".try_into().unwrap()).unwrap();
        while client.wants_write() || server.wants_write() {
            let mut said = Vec::new();
            while client.wants_write() {
                client.write_tls(&mut said).unwrap();
            }
            hear(&mut server, &said);
            said.clear();
            while server.wants_write() {
                server.write_tls(&mut said).unwrap();
            }
            hear(&mut client, &said);
        }
        server.handshake_kind()
    }

    fn hear<Data>(connection: &mut rustls::ConnectionCommon<Data>, mut said: &[u8]) {
        while !said.is_empty() {
            connection.read_tls(&mut said).unwrap();
            connection.process_new_packets().unwrap();
        }
    }
}
