//! Connections to directories: always by TLS, but to this machine.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use ldap3::{Ldap, LdapConnAsync, LdapConnSettings, LdapError};
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, RootCertStore};
use sg_types::api::providers::LdapSettings;
use url::Url;

use super::super::outbound::is_loopback;

/// Time for a connection, TLS included.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(4);
/// Time for one question.
pub(super) const ANSWER_TIMEOUT: Duration = Duration::from_secs(8);

/// What can go wrong with a directory.
#[derive(Debug, thiserror::Error)]
pub(crate) enum DirectoryError {
    /// The address is not one that we go to.
    #[error("the address must be ldaps://, or ldap:// with StartTLS")]
    Address,
    /// The certificates to trust are none.
    #[error("the certificates to trust cannot be read as PEM")]
    Certificates,
    /// The name or password that searches is refused.
    #[error("the directory refuses `bind_dn` with this password")]
    ServiceBind,
    /// There is no password to search with.
    #[error("there is no password for `bind_dn`")]
    NoSecret,
    /// The connection ended.
    #[error("the directory ended the connection")]
    Closed,
    /// Anything else that it said or that happened on the way.
    #[error("the directory cannot be asked")]
    Ldap(#[from] LdapError),
    /// It has more entries than anybody has people.
    #[error("the directory has more than {0} entries")]
    TooMany(usize),
}

/// Whether we go to an address: `ldaps://`, `ldap://` with StartTLS, or this machine where that is allowed.
pub(crate) fn check_url(settings: &LdapSettings, allow_loopback: bool) -> bool {
    let Ok(url) = settings.url.parse::<Url>() else {
        return false;
    };
    let plain = url.username().is_empty()
        && url.password().is_none()
        && url.host_str().is_some_and(|host| !host.is_empty())
        && matches!(url.path(), "" | "/")
        && url.query().is_none()
        && url.fragment().is_none();
    let local = || {
        // The scheme is none that the parser knows a host of: it reads addresses as names.
        url.host_str().is_some_and(|host| {
            let as_http = format!("http://{host}/");
            as_http.parse::<Url>().is_ok_and(|url| is_loopback(&url))
        })
    };
    plain
        && match url.scheme() {
            "ldaps" => !settings.starttls,
            "ldap" => settings.starttls || (allow_loopback && local()),
            _ => false,
        }
}

/// Connects and lets `work` ask.
///
/// # Errors
/// [`DirectoryError`].
pub(super) async fn connected<T, F>(
    settings: &LdapSettings,
    allow_loopback: bool,
    work: impl FnOnce(Ldap) -> F,
) -> Result<T, DirectoryError>
where
    F: Future<Output = Result<T, DirectoryError>>,
{
    if !check_url(settings, allow_loopback) {
        return Err(DirectoryError::Address);
    }
    let mut options = LdapConnSettings::new()
        .set_conn_timeout(CONNECT_TIMEOUT)
        .set_starttls(settings.starttls);
    if let Some(pem) = &settings.ca_pem {
        options = options.set_config(trust(pem)?);
    }
    let connecting = LdapConnAsync::with_settings(options, &settings.url);
    let (connection, ldap) = tokio::time::timeout(CONNECT_TIMEOUT, connecting)
        .await
        .map_err(|_| DirectoryError::Closed)??;
    tokio::select! {
        biased;
        result = work(ldap) => result,
        ended = connection.drive() => {
            ended?;
            Err(DirectoryError::Closed)
        }
    }
}

/// Connects and binds as the one who searches.
///
/// # Errors
/// [`DirectoryError`].
pub(super) async fn bind_service(
    ldap: &mut Ldap,
    settings: &LdapSettings,
    secret: Option<&str>,
) -> Result<(), DirectoryError> {
    // A bind with a name and no password is anonymous, and succeeds (RFC 4513 §5.1.2).
    let secret = secret
        .filter(|secret| !secret.is_empty())
        .ok_or(DirectoryError::NoSecret)?;
    let answer = ldap
        .with_timeout(ANSWER_TIMEOUT)
        .simple_bind(&settings.bind_dn, secret)
        .await?;
    match answer.rc {
        0 => Ok(()),
        49 => Err(DirectoryError::ServiceBind),
        _ => Err(DirectoryError::Ldap(LdapError::from(answer))),
    }
}

/// A configuration that trusts these authorities and no others.
pub(super) fn trust(pem: &str) -> Result<Arc<ClientConfig>, DirectoryError> {
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(pem.as_bytes()) {
        let certificate = certificate.map_err(|_| DirectoryError::Certificates)?;
        roots.add(certificate).map_err(|_| DirectoryError::Certificates)?;
    }
    if roots.is_empty() {
        return Err(DirectoryError::Certificates);
    }
    let config = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|_| DirectoryError::Certificates)?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(Arc::new(config))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passwords_go_by_tls_only() {
        let reached = |url: &str, starttls: bool, loopback: bool| {
            let settings = serde_json::json!({
                "url": url, "starttls": starttls, "bind_dn": "cn=x", "base_dn": "dc=x", "user_filter": "(a=b)"
            });
            check_url(&serde_json::from_value(settings).unwrap(), loopback)
        };
        assert!(reached("ldaps://directory.example.org", false, false));
        assert!(reached("ldaps://directory.example.org:3269", false, false));
        assert!(reached("ldap://directory.example.org", true, false));
        assert!(reached("ldap://127.0.0.1:389", false, true) && reached("ldap://localhost", false, true));
        for (url, starttls, loopback) in [
            ("ldap://directory.example.org", false, true),
            ("ldap://127.0.0.1", false, false),
            ("ldap://127.0.0.1.example.org", false, true),
            ("ldaps://directory.example.org", true, false),
            ("ldapi:///run/slapd", false, true),
            ("http://directory.example.org", false, true),
            ("ldaps://a:b@directory.example.org", false, true),
            ("ldaps://directory.example.org/dc=x", false, true),
            ("ldaps://", false, true),
            ("directory.example.org", false, true),
        ] {
            assert!(!reached(url, starttls, loopback), "{url}");
        }
    }
}
