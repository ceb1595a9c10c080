//! Real receivers on ports of this machine: an HTTP server that answers as it is told, and syslog servers.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::body::Bytes;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use rustls::pki_types::PrivatePkcs8KeyDer;
use serde_json::Value;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, UdpSocket};
use tokio_rustls::TlsAcceptor;

/// A request that came.
#[derive(Debug, Clone)]
pub(crate) struct Posted {
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl Posted {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers[name].to_str().unwrap()
    }
}

/// How to answer one request.
#[derive(Debug, Clone)]
pub(crate) enum Answer {
    Status(u16),
    /// A status with `Retry-After`.
    Wait(u16, &'static str),
    /// A redirect to somewhere.
    Redirect(String),
    /// None at all.
    Hang,
}

#[derive(Debug, Default)]
struct Shared {
    posted: Mutex<Vec<Posted>>,
    answers: Mutex<VecDeque<Answer>>,
}

/// An HTTP server.
#[derive(Debug, Clone)]
pub(crate) struct Receiver {
    pub(crate) address: SocketAddr,
    shared: Arc<Shared>,
}

impl Receiver {
    pub(crate) async fn start() -> Self {
        let shared = Arc::new(Shared::default());
        let own = shared.clone();
        let router = axum::Router::new().fallback(move |headers: HeaderMap, body: Bytes| {
            let shared = own.clone();
            async move {
                shared.posted.lock().unwrap().push(Posted { headers, body });
                let answer = shared.answers.lock().unwrap().pop_front();
                let mut headers = HeaderMap::new();
                let status = match answer.unwrap_or(Answer::Status(202)) {
                    Answer::Status(status) => status,
                    Answer::Wait(status, pause) => {
                        headers.insert("retry-after", HeaderValue::from_static(pause));
                        status
                    }
                    Answer::Redirect(to) => {
                        headers.insert(HeaderName::from_static("location"), to.parse().unwrap());
                        307
                    }
                    Answer::Hang => {
                        tokio::time::sleep(Duration::from_secs(600)).await;
                        500
                    }
                };
                (StatusCode::from_u16(status).unwrap(), headers)
            }
        });
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self { address, shared }
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// Answers the next requests so; later ones are taken.
    pub(crate) fn answer_with(&self, answers: &[Answer]) {
        self.shared
            .answers
            .lock()
            .unwrap()
            .extend(answers.iter().cloned());
    }

    /// Takes what comes from now on.
    pub(crate) fn forget_answers(&self) {
        self.shared.answers.lock().unwrap().clear();
    }

    /// What came so far.
    pub(crate) fn all(&self) -> Vec<Posted> {
        self.shared.posted.lock().unwrap().clone()
    }

    /// What came since the last time.
    pub(crate) fn take(&self) -> Vec<Posted> {
        std::mem::take(&mut *self.shared.posted.lock().unwrap())
    }

    /// Waits until that many have come.
    pub(crate) async fn wait_for(&self, number: usize) -> Vec<Posted> {
        for _ in 0..600 {
            if self.all().len() >= number {
                return self.all();
            }
            tokio::time::sleep(Duration::from_millis(25)).await;
        }
        panic!("{} of {number} came: {:?}", self.all().len(), self.all());
    }
}

/// A syslog server: the messages that came, whatever they came by.
#[derive(Debug, Clone)]
pub(crate) struct SyslogServer {
    pub(crate) address: SocketAddr,
    /// PEM of its certificate, where it speaks TLS.
    pub(crate) certificate: String,
    messages: Arc<Mutex<Vec<String>>>,
}

impl SyslogServer {
    pub(crate) async fn tls() -> Self {
        let (acceptor, certificate) = tls_acceptor();
        Self::listen(Some(acceptor), certificate).await
    }

    pub(crate) async fn tcp() -> Self {
        Self::listen(None, String::new()).await
    }

    pub(crate) async fn udp() -> Self {
        let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let server = Self {
            address: socket.local_addr().unwrap(),
            certificate: String::new(),
            messages: Arc::default(),
        };
        let messages = server.messages.clone();
        spawn(async move {
            let mut buffer = vec![0; 65_536];
            while let Ok(length) = socket.recv(&mut buffer).await {
                let text = String::from_utf8(buffer[..length].to_vec()).unwrap();
                messages.lock().unwrap().push(text);
            }
        });
        server
    }

    async fn listen(tls: Option<TlsAcceptor>, certificate: String) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let server = Self {
            address: listener.local_addr().unwrap(),
            certificate,
            messages: Arc::default(),
        };
        let messages = server.messages.clone();
        spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                match &tls {
                    None => spawn(read_frames(stream, messages.clone())),
                    Some(acceptor) => {
                        if let Ok(stream) = acceptor.accept(stream).await {
                            spawn(read_frames(stream, messages.clone()));
                        }
                    }
                }
            }
        });
        server
    }

    /// What came so far.
    pub(crate) fn all(&self) -> Vec<String> {
        self.messages.lock().unwrap().clone()
    }

    /// Waits until that many messages have come.
    pub(crate) async fn wait_for(&self, number: usize) -> Vec<String> {
        for _ in 0..400 {
            let messages = self.messages.lock().unwrap().clone();
            if messages.len() >= number {
                return messages;
            }
            tokio::time::sleep(Duration::from_millis(25)).await;
        }
        panic!("{:?}", self.messages.lock().unwrap());
    }
}

/// Octet-counted frames (RFC 6587 §3.4.1) until the other side hangs up.
async fn read_frames(mut stream: impl AsyncRead + Unpin, messages: Arc<Mutex<Vec<String>>>) {
    loop {
        let mut length = 0;
        loop {
            match stream.read_u8().await {
                Ok(b' ') => break,
                Ok(digit) => length = length * 10 + usize::from(digit - b'0'),
                Err(_) => return,
            }
        }
        let mut message = vec![0; length];
        if stream.read_exact(&mut message).await.is_err() {
            return;
        }
        messages.lock().unwrap().push(String::from_utf8(message).unwrap());
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "the test's own receivers have no supervisor"
)]
fn spawn(task: impl Future<Output = ()> + Send + 'static) {
    tokio::spawn(task);
}

/// An HTTPS server that answers 204, with a certificate of its own.
#[derive(Debug)]
pub(crate) struct SecureReceiver {
    address: SocketAddr,
    pub(crate) certificate: String,
    requests: Arc<AtomicUsize>,
}

impl SecureReceiver {
    pub(crate) async fn start() -> Self {
        let (acceptor, certificate) = tls_acceptor();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let server = Self {
            address: listener.local_addr().unwrap(),
            certificate,
            requests: Arc::default(),
        };
        let requests = server.requests.clone();
        spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let Ok(mut stream) = acceptor.accept(stream).await else {
                    continue;
                };
                let mut request = Vec::new();
                while !ends(&request) {
                    let mut buffer = [0; 4_096];
                    match stream.read(&mut buffer).await {
                        Ok(0) | Err(_) => break,
                        Ok(length) => request.extend_from_slice(&buffer[..length]),
                    }
                }
                requests.fetch_add(1, Ordering::SeqCst);
                let _ = stream
                    .write_all(b"HTTP/1.1 204 No Content\r\nconnection: close\r\n\r\n")
                    .await;
                let _ = stream.shutdown().await;
            }
        });
        server
    }

    pub(crate) fn url(&self) -> String {
        format!("https://localhost:{}/hook", self.address.port())
    }

    pub(crate) fn requests(&self) -> usize {
        self.requests.load(Ordering::SeqCst)
    }
}

/// Whether a request has come to its end: its head, and as many bytes as that says.
fn ends(request: &[u8]) -> bool {
    let text = String::from_utf8_lossy(request).to_lowercase();
    let Some((head, body)) = text.split_once("\r\n\r\n") else {
        return false;
    };
    let length = head
        .lines()
        .find_map(|line| line.strip_prefix("content-length: ")?.parse().ok());
    body.len() >= length.unwrap_or(0)
}

/// TLS with a certificate for `localhost`, and its PEM.
pub(crate) fn tls_acceptor() -> (TlsAcceptor, String) {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let key = PrivatePkcs8KeyDer::from(made.signing_key.serialize_der()).into();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![made.cert.der().clone()], key)
        .unwrap();
    (TlsAcceptor::from(Arc::new(config)), made.cert.pem())
}
