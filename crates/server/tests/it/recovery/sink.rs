//! A mail server on a port of this machine: another project's SMTP, this test's sockets.

use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};

use mailin::{Action, AuthMechanism, Handler, Response, Session, SessionBuilder, response};
use rustls::pki_types::PrivatePkcs8KeyDer;
use sg_server::config::{MailConfig, MailTls};
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncWrite, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;

use crate::up::PUBLIC_URL;

pub(crate) const USER: &str = "guard";
pub(crate) const PASSWORD: &str = "the mail server's password";

/// How a conversation ends early.
const WITHOUT_ANSWER: u32 = 1;
const AFTER_ANSWER: u32 = 2;

/// A mail that was taken.
#[derive(Debug, Clone)]
pub(crate) struct Mail {
    pub(crate) to: Vec<String>,
    pub(crate) encrypted: bool,
    pub(crate) text: String,
}

impl Mail {
    /// A header's value.
    pub(crate) fn header(&self, name: &str) -> &str {
        let prefix = format!("{name}: ");
        self.text
            .lines()
            .take_while(|line| !line.is_empty())
            .find_map(|line| line.strip_prefix(&prefix))
            .unwrap_or_default()
    }

    /// The link and the token behind its `#`.
    pub(crate) fn link(&self) -> (&str, &str) {
        let line = self.text.lines().find(|line| line.contains("/set-password#"));
        line.and_then(|line| line.split_once('#')).unwrap_or_default()
    }
}

#[derive(Debug, Default)]
struct Shared {
    mails: Mutex<Vec<Mail>>,
    /// Answers to the next mails instead of taking them: 0 hangs up after having taken it.
    answers: Mutex<Vec<u16>>,
    connections: AtomicU32,
}

pub(crate) struct Sink {
    address: SocketAddr,
    certificate: String,
    shared: Arc<Shared>,
}

impl Sink {
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        let key = PrivatePkcs8KeyDer::from(made.signing_key.serialize_der()).into();
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let tls = rustls::ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![made.cert.der().clone()], key)
            .unwrap();
        let acceptor = TlsAcceptor::from(Arc::new(tls));
        let shared = Arc::new(Shared::default());
        let sink = Self {
            address: listener.local_addr().unwrap(),
            certificate: made.cert.pem(),
            shared: shared.clone(),
        };
        spawn(async move {
            while let Ok((stream, peer)) = listener.accept().await {
                shared.connections.fetch_add(1, Ordering::SeqCst);
                spawn(converse(stream, peer.ip(), acceptor.clone(), shared.clone()));
            }
        });
        sink
    }

    /// Makes a server send its mail here: with STARTTLS and a password, as outside.
    pub(crate) fn configure(&self, config: &mut MailConfig) {
        config.host = "localhost".to_owned();
        config.port = self.address.port();
        config.tls = MailTls::Starttls;
        config.user = USER.to_owned();
        config.password = Some(PASSWORD.into());
        config.from = "SecureGuard <guard@example.org>".to_owned();
        config.ca_pem = Some(self.certificate.clone().into_bytes());
    }

    /// The same as variables of the environment; the files that they name are put into `dir`.
    pub(crate) fn settings(&self, dir: &std::path::Path) -> Vec<(&'static str, String)> {
        let (password, ca) = (dir.join("mail-password"), dir.join("mail-ca.pem"));
        std::fs::write(&password, format!("{PASSWORD}\n")).unwrap();
        std::fs::write(&ca, &self.certificate).unwrap();
        vec![
            ("SECUREGUARD_HTTP__PUBLIC_URL", PUBLIC_URL.to_owned()),
            ("SECUREGUARD_MAIL__HOST", "localhost".to_owned()),
            ("SECUREGUARD_MAIL__PORT", self.address.port().to_string()),
            ("SECUREGUARD_MAIL__USER", USER.to_owned()),
            ("SECUREGUARD_MAIL__PASSWORD_FILE", password.display().to_string()),
            ("SECUREGUARD_MAIL__CA_FILE", ca.display().to_string()),
            ("SECUREGUARD_MAIL__FROM", "guard@example.org".to_owned()),
            ("SECUREGUARD_LOG", "trace".to_owned()),
        ]
    }

    /// The token of the next link that comes, within some seconds.
    pub(crate) async fn wait_for_link(&self) -> String {
        for _ in 0..600 {
            if let Some(mail) = self.take().iter().find(|mail| !mail.link().1.is_empty()) {
                return mail.link().1.to_owned();
            }
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        }
        panic!("no mail with a link came");
    }

    /// The mails that were taken and not fetched yet.
    pub(crate) fn all(&self) -> Vec<Mail> {
        self.shared.mails.lock().unwrap().clone()
    }

    /// The mails that were taken since the last time.
    pub(crate) fn take(&self) -> Vec<Mail> {
        std::mem::take(&mut *self.shared.mails.lock().unwrap())
    }

    /// Answers the next mails so: a code, or 0 for taking the mail and hanging up without a word.
    pub(crate) fn answer_with(&self, codes: &[u16]) {
        self.shared.answers.lock().unwrap().extend(codes.iter().rev());
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "the test's own mail server has no supervisor"
)]
fn spawn(task: impl Future<Output = ()> + Send + 'static) {
    tokio::spawn(task);
}

/// A mail as its reader sees it: quoted-printable (RFC 2045 §6.7) undone where it was used.
fn decode(mail: &str) -> String {
    if !mail.contains("\nContent-Transfer-Encoding: quoted-printable\n") {
        return mail.to_owned();
    }
    let (head, body) = mail.split_once("\n\n").unwrap();
    let joined = body.replace("=\n", "");
    let mut parts = joined.split('=');
    let mut bytes = format!("{head}\n\n{}", parts.next().unwrap_or_default()).into_bytes();
    for part in parts {
        let (code, rest) = part.split_at(2);
        bytes.push(u8::from_str_radix(code, 16).unwrap());
        bytes.extend_from_slice(rest.as_bytes());
    }
    String::from_utf8(bytes).unwrap()
}

struct Taking {
    shared: Arc<Shared>,
    signed_in: bool,
    encrypted: bool,
    to: Vec<String>,
    text: Vec<u8>,
    hang_up: Arc<AtomicU32>,
}

impl Handler for Taking {
    fn mail(&mut self, _ip: IpAddr, _domain: &str, _from: &str) -> Response {
        self.to.clear();
        if self.signed_in {
            response::OK
        } else {
            response::AUTHENTICATION_REQUIRED
        }
    }

    fn rcpt(&mut self, to: &str) -> Response {
        self.to.push(to.to_owned());
        response::OK
    }

    fn data(&mut self, buf: &[u8]) -> std::io::Result<()> {
        self.text.extend_from_slice(buf);
        Ok(())
    }

    fn data_end(&mut self) -> Response {
        let text = String::from_utf8(std::mem::take(&mut self.text))
            .unwrap()
            .replace("\r\n", "\n");
        let answer = self.shared.answers.lock().unwrap().pop();
        if let Some(code @ 400..) = answer {
            // This SMTP takes what follows a refusal for more of the mail, QUIT too, and would never answer it.
            self.hang_up.store(AFTER_ANSWER, Ordering::SeqCst);
            return Response::custom(code, "not at the moment".to_owned());
        }
        self.shared.mails.lock().unwrap().push(Mail {
            to: self.to.clone(),
            encrypted: self.encrypted,
            text: decode(&text),
        });
        if answer == Some(0) {
            self.hang_up.store(WITHOUT_ANSWER, Ordering::SeqCst);
        }
        response::OK
    }

    fn auth_plain(&mut self, _authorization: &str, user: &str, password: &str) -> Response {
        self.signed_in = user == USER && password == PASSWORD;
        if self.signed_in {
            response::AUTH_OK
        } else {
            response::INVALID_CREDENTIALS
        }
    }
}

async fn converse(stream: TcpStream, peer: IpAddr, acceptor: TlsAcceptor, shared: Arc<Shared>) {
    let hang_up = Arc::new(AtomicU32::new(0));
    let taking = |encrypted| Taking {
        shared: shared.clone(),
        signed_in: false,
        encrypted,
        to: Vec::new(),
        text: Vec::new(),
        hang_up: hang_up.clone(),
    };
    let mut builder = SessionBuilder::new("localhost");
    builder.enable_start_tls().enable_auth(AuthMechanism::Plain);
    let session = builder.build(peer, taking(false));
    let mut plain = BufReader::new(stream);
    if reply(&mut plain, &session.greeting()).await.is_err() {
        return;
    }
    let upgraded = talk(&mut plain, session, &hang_up).await;
    if !upgraded {
        return;
    }
    let Ok(stream) = acceptor.accept(plain.into_inner()).await else {
        return;
    };
    let mut session = builder.build(peer, taking(true));
    session.tls_active();
    talk(&mut BufReader::new(stream), session, &hang_up).await;
}

/// Until the end of the conversation; true when it is to go on encrypted.
async fn talk<S: AsyncRead + AsyncWrite + Unpin>(
    stream: &mut BufReader<S>,
    mut session: Session<Taking>,
    hang_up: &AtomicU32,
) -> bool {
    let mut line = Vec::new();
    loop {
        line.clear();
        match stream.read_until(b'\n', &mut line).await {
            Ok(0) | Err(_) => return false,
            Ok(_) => {}
        }
        let answer = session.process(&line);
        let end = hang_up.swap(0, Ordering::SeqCst);
        if end == WITHOUT_ANSWER {
            return false;
        }
        if answer.action != Action::NoReply && reply(stream, &answer).await.is_err() {
            return false;
        }
        if end == AFTER_ANSWER {
            return false;
        }
        match answer.action {
            Action::UpgradeTls => return true,
            Action::Close => return false,
            Action::Reply | Action::NoReply => {}
        }
    }
}

async fn reply<S: AsyncRead + AsyncWrite + Unpin>(
    stream: &mut BufReader<S>,
    answer: &Response,
) -> std::io::Result<()> {
    let mut text = Vec::new();
    answer.write_to(&mut text)?;
    stream.get_mut().write_all(&text).await?;
    stream.get_mut().flush().await
}
