//! A server that speaks the agent protocol over HTTP/1.1, keeps what it acknowledged, and fails on demand.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ed25519_dalek::{Signer, SigningKey};
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use rustls::pki_types::PrivateKeyDer;
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use serde_json::json;
use sg_trust::SecretKey;
use sg_types::agent::{
    CheckIn, CheckInReply, CommandRefusal, EnrolReply, EnrolRequest, Finding, RULES_SIGNATURE_CONTEXT,
    Record, RecordBody, RulePackage, RuleText, SignedRules, TrustOffer, TrustSet,
};
use sg_types::response::{CommandsReply, OutputChunk, ResultKey, SignedCommand, SignedText};
use sg_types::{AgentId, RecordId, TenantId};
use uuid::Uuid;

/// How the server treats check-ins.
#[derive(Debug, Clone)]
pub(crate) enum Mode {
    Normal,
    /// Answers with this status, and with `Retry-After` if given.
    Status(u16, Option<u64>),
    /// Takes the request and never answers.
    Hang,
    /// Closes the connection before it stores anything.
    CutBefore,
    /// Stores, then closes the connection without an answer.
    CutAfter,
    /// 413 for more records than this.
    AtMost(usize),
    /// 422 for every request that carries a record whose JSON contains this text.
    Poison(String),
    /// 400 for every request, whatever it carries.
    RefuseAll,
}

#[derive(Default)]
pub(crate) struct State {
    pub(crate) mode: Option<Mode>,
    pub(crate) token: Option<String>,
    pub(crate) enrolments: Vec<EnrolRequest>,
    pub(crate) check_ins: Vec<(Instant, CheckIn)>,
    /// Requests of any kind, by path.
    pub(crate) requests: BTreeMap<String, usize>,
    /// Everything stored, in order, with epoch and number.
    pub(crate) ledger: Vec<(Uuid, u64, Record)>,
    streams: BTreeMap<Uuid, StreamEnd>,
    /// Numbers that were skipped: epoch, expected, got.
    pub(crate) holes: Vec<(Uuid, u64, u64)>,
    pub(crate) rules: Option<SignedRules>,
    pub(crate) rules_version: u64,
    pub(crate) check_in_seconds: u32,
    pub(crate) unenrolled: bool,
    pub(crate) trust_version: u32,
    pub(crate) trust_offer: Vec<SignedText>,
    pub(crate) approver_root: Option<String>,
    /// Offered to whoever asks, again and again.
    pub(crate) commands: Vec<SignedCommand>,
    pub(crate) result_key: Option<String>,
    pub(crate) started: Vec<String>,
    pub(crate) chunks: Vec<(String, OutputChunk)>,
    pub(crate) results: Vec<SignedText>,
    pub(crate) refusals: Vec<CommandRefusal>,
    /// Answers results with 500, without keeping them.
    pub(crate) lose_results: bool,
    /// Forgets a token's validity.
    pub(crate) refuse_token: bool,
    next_agent: u128,
}

#[derive(Default, Clone)]
struct StreamEnd {
    high: u64,
    turn: Uuid,
    turn_before: Uuid,
}

pub(crate) struct TestServer {
    pub(crate) url: String,
    address: SocketAddr,
    pub(crate) state: Arc<Mutex<State>>,
    pub(crate) key: SigningKey,
    closing: Arc<AtomicBool>,
}

pub(crate) const TENANT: TenantId = TenantId(Uuid::from_u128(0x7e));

/// The key that signs commands.
pub(crate) fn signer() -> SecretKey {
    SecretKey::from_seed(&[8; 32])
}

pub(crate) const ENROLMENT_KEY: &str = "sg_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

impl TestServer {
    pub(crate) fn start() -> Self {
        Self::start_with(None)
    }

    /// A server with a certificate for `localhost`; the authority that signed it, in PEM.
    pub(crate) fn start_with_tls() -> (Self, String) {
        let (config, authority) = make_tls();
        (Self::start_with(Some(config)), authority)
    }

    fn start_with(tls: Option<Arc<ServerConfig>>) -> Self {
        let state = State {
            check_in_seconds: 60,
            next_agent: 1,
            ..State::default()
        };
        let key = SigningKey::from_bytes(&[7; 32]);
        Self::listen(
            TcpListener::bind("127.0.0.1:0").unwrap(),
            Arc::new(Mutex::new(state)),
            key,
            tls,
        )
    }

    fn listen(
        listener: TcpListener,
        state: Arc<Mutex<State>>,
        key: SigningKey,
        tls: Option<Arc<ServerConfig>>,
    ) -> Self {
        let address = listener.local_addr().unwrap();
        let url = match tls {
            Some(_) => format!("https://localhost:{}", address.port()),
            None => format!("http://{address}"),
        };
        let closing = Arc::new(AtomicBool::new(false));
        let server = Self {
            url,
            address,
            state: state.clone(),
            key: key.clone(),
            closing: closing.clone(),
        };
        std::thread::spawn(move || {
            for connection in listener.incoming() {
                if closing.load(Ordering::SeqCst) {
                    return;
                }
                let (state, key, closing, tls) = (state.clone(), key.clone(), closing.clone(), tls.clone());
                std::thread::spawn(move || {
                    let connection = connection.unwrap();
                    connection.set_nodelay(true).unwrap();
                    let _ = match tls {
                        Some(config) => {
                            let session = ServerConnection::new(config).unwrap();
                            serve(StreamOwned::new(session, connection), &state, &key, &closing)
                        }
                        None => serve(connection, &state, &key, &closing),
                    };
                });
            }
        });
        server
    }

    /// Goes away: connections are refused from now on. The state stays with the caller.
    pub(crate) fn stop(&self) {
        self.closing.store(true, Ordering::SeqCst);
        let _ = TcpStream::connect(self.address);
        std::thread::sleep(Duration::from_millis(50));
    }

    /// Comes back on the same port with the same state.
    pub(crate) fn restart(&self) -> Self {
        let listener = (0..100).find_map(|_| {
            std::thread::sleep(Duration::from_millis(20));
            TcpListener::bind(self.address).ok()
        });
        Self::listen(
            listener.expect("the port is free again"),
            self.state.clone(),
            self.key.clone(),
            None,
        )
    }

    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    pub(crate) fn set_mode(&self, mode: Mode) {
        self.state().mode = Some(mode);
    }

    pub(crate) fn set_rules(&self, version: u64, rules: Vec<RuleText>) {
        let signed = sign_rules(&self.key, version, rules);
        let mut state = self.state();
        state.rules = Some(signed);
        state.rules_version = version;
    }

    /// Waits until `look` finds what it looks for.
    pub(crate) fn wait_for<T>(&self, what: &str, seconds: u64, look: impl Fn(&State) -> Option<T>) -> T {
        let begin = Instant::now();
        loop {
            if let Some(found) = look(&self.state()) {
                return found;
            }
            assert!(
                begin.elapsed() < Duration::from_secs(seconds),
                "{what} did not happen within {seconds} s"
            );
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

impl Drop for TestServer {
    fn drop(&mut self) {
        self.closing.store(true, Ordering::SeqCst);
        let _ = TcpStream::connect(self.address);
    }
}

impl State {
    pub(crate) fn records(&self) -> impl Iterator<Item = &Record> {
        self.ledger.iter().map(|(_, _, record)| record)
    }

    pub(crate) fn findings(&self) -> Vec<Finding> {
        let finding = |record: &Record| match &record.body {
            RecordBody::Finding(finding) => Some(finding.as_ref().clone()),
            _ => None,
        };
        self.records().filter_map(finding).collect()
    }

    pub(crate) fn gaps(&self, reason: &str) -> Vec<sg_types::agent::Gap> {
        let gap = |record: &Record| match &record.body {
            RecordBody::Gap(gap) if gap.reason == reason => Some(gap.clone()),
            _ => None,
        };
        self.records().filter_map(gap).collect()
    }

    pub(crate) fn metrics(&self) -> usize {
        self.records()
            .filter(|record| matches!(record.body, RecordBody::Metrics(_)))
            .count()
    }

    /// Ids that were stored more than once.
    pub(crate) fn repeated_ids(&self) -> Vec<RecordId> {
        let mut seen = BTreeSet::new();
        self.records()
            .filter(|record| !seen.insert(record.id))
            .map(|record| record.id)
            .collect()
    }

    /// Knows no stream any more, as after a restore of an old backup.
    pub(crate) fn forget_streams(&mut self) {
        self.streams.clear();
    }

    fn store(&mut self, check_in: &CheckIn) -> Result<CheckInReply, (u16, &'static str)> {
        let mut end = self.streams.get(&check_in.epoch).cloned().unwrap_or_default();
        if !self.streams.contains_key(&check_in.epoch) && !check_in.turn.is_nil() {
            return Err((409, "stream_conflict"));
        }
        if check_in.turn != end.turn && check_in.turn != end.turn_before {
            return Err((409, "stream_conflict"));
        }
        if check_in.first_seq > end.high + 1 {
            self.holes
                .push((check_in.epoch, end.high + 1, check_in.first_seq));
            end.high = check_in.first_seq - 1;
        }
        for (number, record) in (check_in.first_seq..).zip(&check_in.records) {
            if number > end.high {
                self.ledger.push((check_in.epoch, number, record.clone()));
                end.high = number;
            }
        }
        end.turn_before = check_in.turn;
        end.turn = Uuid::from_u128(u128::from(end.high) << 64 | self.check_ins.len() as u128);
        let reply = CheckInReply {
            acknowledged_through: end.high,
            turn: end.turn,
            rules_version: self.rules_version,
            check_in_seconds: self.check_in_seconds,
            trust_version: self.trust_version,
        };
        self.streams.insert(check_in.epoch, end);
        Ok(reply)
    }
}

pub(crate) fn sign_rules(key: &SigningKey, version: u64, rules: Vec<RuleText>) -> SignedRules {
    let package = serde_json::to_string(&RulePackage {
        version,
        rules,
        switched_off: Vec::new(),
        placeholders: std::collections::BTreeMap::new(),
    })
    .unwrap();
    let signature = key.sign(&[RULES_SIGNATURE_CONTEXT, package.as_bytes()].concat());
    SignedRules {
        package,
        signature: STANDARD.encode(signature.to_bytes()),
    }
}

struct Request {
    method: String,
    path: String,
    bearer: String,
    body: Vec<u8>,
}

/// A certificate authority of its own and a certificate for `localhost`.
fn make_tls() -> (Arc<ServerConfig>, String) {
    let authority_key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority = params.self_signed(&authority_key).unwrap().pem();
    let key = KeyPair::generate().unwrap();
    let certificate = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
    let certificate = certificate
        .signed_by(&key, &Issuer::new(params, authority_key))
        .unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(
            vec![certificate.der().clone()],
            PrivateKeyDer::try_from(key.serialize_der()).unwrap(),
        )
        .unwrap();
    (Arc::new(config), authority)
}

fn serve(
    connection: impl Read + Write,
    state: &Mutex<State>,
    key: &SigningKey,
    closing: &AtomicBool,
) -> std::io::Result<()> {
    let mut connection = BufReader::new(connection);
    while let Some(request) = read_request(&mut connection)? {
        if closing.load(Ordering::SeqCst) {
            return Ok(());
        }
        match answer(&request, state, key) {
            Some((status, retry_after, body)) => {
                write_response(connection.get_mut(), status, retry_after, &body)?
            }
            None => return Ok(()),
        }
    }
    Ok(())
}

fn read_request(reader: &mut impl BufRead) -> std::io::Result<Option<Request>> {
    let mut line = String::new();
    if reader.read_line(&mut line)? == 0 {
        return Ok(None);
    }
    let mut words = line.split_whitespace();
    let (method, path) = (words.next().unwrap().to_owned(), words.next().unwrap().to_owned());
    let (mut length, mut bearer, mut compressed) = (0, String::new(), false);
    loop {
        let mut header = String::new();
        reader.read_line(&mut header)?;
        let Some((name, value)) = header.trim_end().split_once(':') else {
            break;
        };
        match name.to_ascii_lowercase().as_str() {
            "content-length" => length = value.trim().parse().unwrap(),
            "authorization" => bearer = value.trim().trim_start_matches("Bearer ").to_owned(),
            "content-encoding" => compressed = value.trim() == "zstd",
            _ => {}
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body)?;
    if compressed {
        body = zstd::decode_all(body.as_slice())?;
    }
    Ok(Some(Request {
        method,
        path,
        bearer,
        body,
    }))
}

type Answer = Option<(u16, Option<u64>, String)>;

fn answer(request: &Request, state: &Mutex<State>, key: &SigningKey) -> Answer {
    let mut state = state.lock().unwrap();
    *state.requests.entry(request.path.clone()).or_default() += 1;
    if request.path != "/agent/v1/enrol"
        && (state.refuse_token || state.token.as_deref() != Some(&request.bearer))
    {
        return problem(401, "invalid_token");
    }
    match (request.method.as_str(), request.path.as_str()) {
        ("POST", "/agent/v1/enrol") if request.bearer != ENROLMENT_KEY => problem(401, "invalid_token"),
        ("POST", "/agent/v1/enrol") => enrol(request, &mut state, key),
        ("POST", "/agent/v1/check-in") => check_in(request, state),
        ("GET", "/agent/v1/rules") => state
            .rules
            .as_ref()
            .map_or_else(|| problem(404, "not_found"), |rules| reply(200, rules)),
        ("GET", "/agent/v1/trust") => reply(
            200,
            &TrustOffer {
                sets: state.trust_offer.clone(),
            },
        ),
        ("GET", path) if path.starts_with("/agent/v1/commands") => {
            let commands = state.commands.clone();
            drop(state);
            if commands.is_empty() {
                std::thread::sleep(Duration::from_millis(50));
            }
            reply(200, &CommandsReply { commands })
        }
        ("PUT", "/agent/v1/result-key") => {
            let key: ResultKey = serde_json::from_slice(&request.body).unwrap();
            state.result_key = Some(key.public_key);
            Some((204, None, String::new()))
        }
        ("POST", "/agent/v1/commands/refusals") => {
            state
                .refusals
                .push(serde_json::from_slice(&request.body).unwrap());
            Some((204, None, String::new()))
        }
        ("POST", path) if path.ends_with("/start") => {
            state.started.push(path.to_owned());
            Some((204, None, String::new()))
        }
        ("POST", path) if path.ends_with("/output") => {
            let chunk = serde_json::from_slice(&request.body).unwrap();
            state.chunks.push((path.to_owned(), chunk));
            Some((204, None, String::new()))
        }
        ("POST", path) if path.ends_with("/result") => {
            if state.lose_results {
                return problem(500, "internal");
            }
            state.results.push(serde_json::from_slice(&request.body).unwrap());
            Some((204, None, String::new()))
        }
        ("POST", "/agent/v1/unenrol") => {
            state.unenrolled = true;
            Some((204, None, String::new()))
        }
        _ => problem(404, "not_found"),
    }
}

fn enrol(request: &Request, state: &mut State, key: &SigningKey) -> Answer {
    let enrolment: EnrolRequest = serde_json::from_slice(&request.body).unwrap();
    let again = state
        .enrolments
        .iter()
        .any(|known| known.host.hardware_fingerprint == enrolment.host.hardware_fingerprint);
    state.enrolments.push(enrolment);
    state.refuse_token = false;
    let token = format!("sga_{:A>43}", state.enrolments.len());
    state.token = Some(token.clone());
    let trust = TrustSet {
        version: 2,
        rules_key: STANDARD.encode(key.verifying_key().as_bytes()),
        commands_key: Some(signer().public().to_base64()),
        approver_root: state.approver_root.clone(),
        revoked_approvers: Vec::new(),
    };
    let agent_id = AgentId(Uuid::from_u128(state.next_agent));
    let body = EnrolReply {
        agent_id,
        token,
        reenrolled: again,
        trust,
        check_in_seconds: state.check_in_seconds,
        tenant_id: Some(TENANT),
    };
    reply(if again { 200 } else { 201 }, &body)
}

fn check_in(request: &Request, mut state: MutexGuard<'_, State>) -> Answer {
    let check_in: CheckIn = serde_json::from_slice(&request.body).expect("a check-in is valid");
    state.check_ins.push((Instant::now(), check_in.clone()));
    let mode = state.mode.clone().unwrap_or(Mode::Normal);
    match mode {
        Mode::Normal => {}
        Mode::Status(status, retry_after) => {
            let (_, _, body) = problem(status, "told_to")?;
            return Some((status, retry_after, body));
        }
        Mode::Hang => {
            drop(state);
            std::thread::sleep(Duration::from_secs(600));
            return None;
        }
        Mode::CutBefore => return None,
        Mode::CutAfter => {
            let _ = state.store(&check_in);
            return None;
        }
        Mode::AtMost(most) if check_in.records.len() > most => return problem(413, "too_large"),
        Mode::Poison(text)
            if check_in
                .records
                .iter()
                .any(|r| serde_json::to_string(r).unwrap().contains(&text)) =>
        {
            return problem(422, "invalid_body");
        }
        Mode::RefuseAll => return problem(400, "invalid_body"),
        Mode::AtMost(_) | Mode::Poison(_) => {}
    }
    match state.store(&check_in) {
        Ok(body) => reply(200, &body),
        Err((status, code)) => problem(status, code),
    }
}

fn reply<T: serde::Serialize>(status: u16, body: &T) -> Answer {
    Some((status, None, serde_json::to_string(body).unwrap()))
}

fn problem(status: u16, code: &str) -> Answer {
    let body = json!({"type": "about:blank", "title": "x", "status": status, "code": code, "detail": "as the test wants"});
    Some((status, None, body.to_string()))
}

fn write_response(
    connection: &mut impl Write,
    status: u16,
    retry_after: Option<u64>,
    body: &str,
) -> std::io::Result<()> {
    let retry_after = retry_after.map_or(String::new(), |seconds| format!("retry-after: {seconds}\r\n"));
    let text = format!(
        "HTTP/1.1 {status} X\r\ncontent-length: {}\r\n{retry_after}\r\n{body}",
        body.len()
    );
    connection.write_all(text.as_bytes())
}
