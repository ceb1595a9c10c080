//! The way to the mail server.

use std::time::Duration;

use lettre::message::{Mailbox, Mailboxes, header};
use lettre::transport::smtp::PoolConfig;
use lettre::transport::smtp::authentication::Credentials;
use lettre::transport::smtp::client::{Certificate, Tls, TlsParameters};
use lettre::{Address, AsyncSmtpTransport, AsyncTransport, Tokio1Executor};
use secrecy::ExposeSecret;
use uuid::Uuid;

use super::messages::Message;
use crate::config::{MailConfig, MailTls};

/// Time until the mail server takes the connection.
const CONNECT: Duration = Duration::from_secs(15);
/// Time for a whole mail: well below the pause after which another sender takes it.
const WHOLE: Duration = Duration::from_secs(45);

/// Sends mail through one mail server.
#[derive(Debug, Clone)]
pub struct Mailer {
    transport: AsyncSmtpTransport<Tokio1Executor>,
    from: Mailbox,
}

/// Why a mail was not taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// Whether the mail server says that it will not take it later either (5xx).
    pub permanent: bool,
    /// The mail server's answer, where it gave one.
    pub code: Option<u16>,
    /// In words, without the mail's text.
    pub reason: String,
}

impl Mailer {
    /// The way to the configured mail server; none where no mail is sent. Connects when there is something to send.
    ///
    /// # Errors
    /// In words, when a certificate cannot be used.
    pub fn new(config: &MailConfig) -> anyhow::Result<Option<Self>> {
        if !config.is_on() {
            return Ok(None);
        }
        let from = config.sender().map_err(anyhow::Error::msg)?;
        let tls = match config.tls {
            MailTls::Off => Tls::None,
            MailTls::Starttls => Tls::Required(tls_parameters(config)?),
            MailTls::Tls => Tls::Wrapper(tls_parameters(config)?),
        };
        let mut builder = AsyncSmtpTransport::<Tokio1Executor>::builder_dangerous(&config.host)
            .port(config.effective_port())
            .timeout(Some(CONNECT))
            .pool_config(PoolConfig::new().max_size(1))
            .tls(tls);
        if let Some(password) = &config.password {
            builder = builder.credentials(Credentials::new(
                config.user.clone(),
                password.expose_secret().to_owned(),
            ));
        }
        Ok(Some(Self {
            transport: builder.build(),
            from,
        }))
    }

    /// Hands one mail to the mail server, for everybody in `to`. The same mail has the same Message-ID each time, by which a mailbox tells a repeat.
    ///
    /// # Errors
    /// [`Failure`] when it was not taken, or it is not known whether it was.
    pub async fn send(&self, mail_id: Uuid, to: &[&str], message: &Message) -> Result<(), Failure> {
        let refuse = |error: &dyn std::fmt::Display| Failure {
            permanent: true,
            code: None,
            reason: format!("the mail cannot be composed: {error}"),
        };
        let mut to_all = Mailboxes::new();
        for address in to {
            let address: Address = address.parse().map_err(|error| refuse(&error))?;
            to_all.push(Mailbox::new(None, address));
        }
        let mail = lettre::Message::builder()
            .from(self.from.clone())
            .mailbox(header::To::from(to_all))
            .subject(message.subject.as_ref())
            .message_id(Some(format!("<{mail_id}@{}>", self.from.email.domain())))
            .header(header::ContentType::TEXT_PLAIN)
            .header(AutoSubmitted)
            .body(message.text.expose_secret().to_owned())
            .map_err(|error| refuse(&error))?;
        match tokio::time::timeout(WHOLE, self.transport.send(mail)).await {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(error)) => Err(Failure {
                permanent: error.is_permanent(),
                code: error.status().map(u16::from),
                reason: describe(&error),
            }),
            Err(_) => Err(Failure {
                permanent: false,
                code: None,
                reason: format!("the mail server took longer than {} seconds", WHOLE.as_secs()),
            }),
        }
    }
}

fn tls_parameters(config: &MailConfig) -> anyhow::Result<TlsParameters> {
    let mut builder = TlsParameters::builder(config.host.clone());
    if let Some(pem) = &config.ca_pem {
        let certificate = Certificate::from_pem(pem)
            .map_err(|error| anyhow::anyhow!("setting `mail.ca_file`: no usable certificate: {error}"))?;
        builder = builder.add_root_certificate(certificate);
    }
    Ok(builder.build()?)
}

fn describe(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text = format!("{text}: {cause}");
        source = cause.source();
    }
    text
}

/// `Auto-Submitted: auto-generated` (RFC 3834 §5): nobody's out-of-office notice answers.
#[derive(Debug, Clone, Copy)]
struct AutoSubmitted;

impl header::Header for AutoSubmitted {
    fn name() -> header::HeaderName {
        header::HeaderName::new_from_ascii_str("Auto-Submitted")
    }

    fn parse(_text: &str) -> Result<Self, Box<dyn std::error::Error + Send + Sync>> {
        Ok(Self)
    }

    fn display(&self) -> header::HeaderValue {
        header::HeaderValue::new(Self::name(), "auto-generated".to_owned())
    }
}
