//! Agents as a measurement needs them: as light as can be, since they share the machine with the server that they load.

use std::fmt::Write;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, HandshakeKind, RootCertStore};
use serde::Deserialize;
use serde_json::json;
use sg_types::{Clock, Ids, SystemClock, TimeOrderedIds};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpSocket;
use tokio_rustls::TlsConnector;

use super::Server;

/// An agent as far as its stream goes.
pub(crate) struct Agent {
    token: String,
    epoch: String,
    turn: String,
    next: u64,
}

/// How agents come to the server.
#[derive(Clone)]
pub(crate) struct Way {
    pub(crate) address: String,
    /// The authority to believe, where the server speaks TLS.
    pub(crate) ca_file: Option<PathBuf>,
    /// Whether connections are kept; else each check-in makes its own.
    pub(crate) kept: bool,
    pub(crate) connections: usize,
    /// Samples in each check-in; more than one are compressed.
    pub(crate) samples: usize,
    /// From one check-in of a connection to its next; none: as soon as it is answered.
    pub(crate) pace: Option<Duration>,
}

/// What a window of load came to.
#[derive(Default)]
pub(crate) struct Load {
    pub(crate) per_second: f64,
    /// Milliseconds of each check-in, the connection included where it made one.
    pub(crate) times: Vec<f64>,
    /// New connections that resumed a TLS session, and those that did not.
    pub(crate) resumed: usize,
    pub(crate) full: usize,
}

#[derive(Deserialize)]
struct Reply {
    acknowledged_through: u64,
    turn: String,
}

trait Duplex: AsyncRead + AsyncWrite + Unpin + Send {}
impl<S: AsyncRead + AsyncWrite + Unpin + Send> Duplex for S {}

pub(crate) async fn enrol(server: &Server, count: usize) -> Vec<Agent> {
    let key = server.enrolment_key().to_owned();
    let mut agents = Vec::with_capacity(count);
    for n in 0..count {
        let host = json!({
            "hostname": format!("host-{n}"), "os_info": "Debian GNU/Linux 12", "version": "1.0.0", "hardware_fingerprint": format!("{n:064x}")
        });
        let (status, reply) = server
            .post("/agent/v1/enrol", &key, &json!({ "host": host }))
            .await;
        assert_eq!(status, 201, "{reply}");
        agents.push(Agent::of(reply["token"].as_str().unwrap().to_owned()));
    }
    agents
}

/// Lets the agents send what waits, `way.samples` at a time; returns samples in a second.
pub(crate) async fn empty_backlogs(way: &Way, agents: &mut Vec<Agent>, window: Duration) -> f64 {
    let samples = u32::try_from(way.samples).unwrap();
    check_in(way, agents, window).await.per_second * f64::from(samples)
}

/// Lets the agents check in for a while, each connection with a share of them, one after the other.
#[expect(
    clippy::disallowed_methods,
    reason = "the clients of a measurement end with it, and what fails in one fails the measurement"
)]
pub(crate) async fn check_in(way: &Way, agents: &mut Vec<Agent>, window: Duration) -> Load {
    let share = agents.len() / way.connections;
    let began = Instant::now();
    let mut clients = Vec::new();
    for number in 0..way.connections {
        let own = agents.split_off(agents.len() - share);
        clients.push(tokio::spawn(Client::new(way, number).run(own, began + window)));
    }
    let mut load = Load::default();
    for client in clients {
        let (own, part) = client.await.unwrap();
        agents.extend(own);
        load.times.extend(part.times);
        load.resumed += part.resumed;
        load.full += part.full;
    }
    #[expect(clippy::cast_precision_loss, reason = "a count far below 2^52")]
    let count = load.times.len() as f64;
    load.per_second = count / began.elapsed().as_secs_f64();
    load
}

struct Client {
    address: SocketAddr,
    /// The address that it comes from: each client has one, since the ports of one do not last for a connection per check-in.
    from: Ipv4Addr,
    tls: Option<TlsConnector>,
    kept: bool,
    samples: usize,
    pace: Option<Duration>,
    load: Load,
}

impl Client {
    fn new(way: &Way, number: usize) -> Self {
        let port: u16 = way.address.rsplit(':').next().unwrap().parse().unwrap();
        Self {
            address: (Ipv4Addr::LOCALHOST, port).into(),
            from: Ipv4Addr::new(127, 0, 1, u8::try_from(number % 250).unwrap() + 1),
            tls: way.ca_file.as_ref().map(|file| {
                let mut roots = RootCertStore::empty();
                for certificate in CertificateDer::pem_file_iter(file).unwrap() {
                    roots.add(certificate.unwrap()).unwrap();
                }
                let config = ClientConfig::builder()
                    .with_root_certificates(roots)
                    .with_no_client_auth();
                TlsConnector::from(Arc::new(config))
            }),
            kept: way.kept,
            samples: way.samples,
            pace: way.pace,
            load: Load::default(),
        }
    }

    async fn run(mut self, mut agents: Vec<Agent>, end: Instant) -> (Vec<Agent>, Load) {
        let mut answer = Vec::with_capacity(4_096);
        let mut kept = None;
        let mut turn = 0;
        let mut due = Instant::now();
        while Instant::now() < end {
            if let Some(pace) = self.pace {
                tokio::time::sleep_until(due.into()).await;
                due += pace;
            }
            let index = turn % agents.len();
            let agent = &mut agents[index];
            turn += 1;
            let request = agent.request(self.samples);
            let began = Instant::now();
            let mut stream = match kept.take() {
                Some(stream) => stream,
                None => self.connect().await,
            };
            stream.write_all(&request).await.unwrap();
            stream.flush().await.unwrap();
            let reply = read_answer(&mut stream, &mut answer).await;
            if self.kept {
                kept = Some(stream);
            } else {
                stream.shutdown().await.unwrap();
            }
            self.load.times.push(began.elapsed().as_secs_f64() * 1_000.0);
            agent.take(&reply, self.samples);
        }
        (agents, self.load)
    }

    async fn connect(&mut self) -> Box<dyn Duplex> {
        let socket = TcpSocket::new_v4().unwrap();
        socket.bind((self.from, 0).into()).unwrap();
        let stream = socket.connect(self.address).await.unwrap();
        stream.set_nodelay(true).unwrap();
        let Some(tls) = &self.tls else {
            return Box::new(stream);
        };
        let name = ServerName::try_from("localhost").unwrap();
        let stream = tls.connect(name, stream).await.unwrap();
        match stream.get_ref().1.handshake_kind() {
            Some(HandshakeKind::Resumed) => self.load.resumed += 1,
            _ => self.load.full += 1,
        }
        Box::new(stream)
    }
}

impl Agent {
    /// The one that a token stands for, before its first check-in.
    pub(crate) fn of(token: String) -> Self {
        Self {
            token,
            epoch: TimeOrderedIds.next().to_string(),
            turn: uuid::Uuid::nil().to_string(),
            next: 1,
        }
    }

    /// A check-in with this many samples, a second apart.
    fn request(&self, samples: usize) -> Vec<u8> {
        let now = SystemClock.now();
        let mut body = format!(
            r#"{{"epoch":"{}","turn":"{}","first_seq":{},"sent_at":"{}","agent":{{"version":"1.0.0","rules_version":0,"hardware_fingerprint":"x"}},"records":["#,
            self.epoch,
            self.turn,
            self.next,
            now.to_rfc3339(),
        );
        // The bench that single samples are compared with writes none.
        let network = if samples == 1 {
            ""
        } else {
            r#"{"interface":"eth0","rx_bytes_per_second":1000,"tx_bytes_per_second":500}"#
        };
        for n in 0..samples {
            let at = now - Duration::from_secs(u64::try_from(n).unwrap());
            write!(
                body,
                r#"{}{{"id":"{}","at":"{}","body":{{"type":"metrics","cpu_usage":12.5,"memory_usage":40.0,"disk_usage":50.0,"uptime":100,"process_count":80,"network_usage":[{network}],"service_status":[]}}}}"#,
                if n == 0 { "" } else { "," },
                TimeOrderedIds.next(),
                at.to_rfc3339(),
            )
            .unwrap();
        }
        body.push_str("]}");
        let (coding, body) = if samples == 1 {
            ("", body.into_bytes())
        } else {
            (
                "Content-Encoding: zstd\r\n",
                zstd::encode_all(body.as_bytes(), 1).unwrap(),
            )
        };
        let mut request = format!(
            "POST /agent/v1/check-in HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {}\r\nContent-Type: application/json\r\n{coding}Content-Length: {}\r\n\r\n",
            self.token,
            body.len()
        )
        .into_bytes();
        request.extend(body);
        request
    }

    fn take(&mut self, reply: &Reply, samples: usize) {
        assert_eq!(reply.acknowledged_through, self.next + samples as u64 - 1);
        self.turn.clone_from(&reply.turn);
        self.next = reply.acknowledged_through + 1;
    }
}

/// Reads one answer with a Content-Length.
async fn read_answer(stream: &mut Box<dyn Duplex>, buffer: &mut Vec<u8>) -> Reply {
    buffer.clear();
    loop {
        let read = stream.read_buf(buffer).await.unwrap();
        assert_ne!(read, 0, "the server hung up");
        let Some(head) = buffer.windows(4).position(|four| four == b"\r\n\r\n") else {
            continue;
        };
        let text = String::from_utf8_lossy(&buffer[..head]).to_lowercase();
        let length: usize = text
            .split("content-length:")
            .nth(1)
            .and_then(|rest| rest.lines().next())
            .map_or(0, |number| number.trim().parse().unwrap());
        if buffer.len() >= head + 4 + length {
            return serde_json::from_slice(&buffer[head + 4..])
                .unwrap_or_else(|_| panic!("{}", String::from_utf8_lossy(buffer)));
        }
    }
}
