//! The sinks: a file, a syslog server, a webhook. Each is told everything at least once, in order, whatever happens to it.

use std::os::unix::fs::PermissionsExt;
use std::sync::Arc;

use axum::body::Bytes;
use axum::http::{HeaderMap, StatusCode};
use hmac::{Hmac, KeyInit, Mac};
use sg_server::AppState;
use sg_server::audit::export::{Sink, export};
use sha2::Sha256;
use tokio::io::AsyncReadExt;
use tokio::sync::Mutex;

use super::Sealed;
use crate::notifications::receiver::SyslogServer;

/// The one sink of these settings, and a server that has it.
fn sink_of(sealed: &Sealed, change: impl FnOnce(&mut sg_server::config::Config)) -> (AppState, Sink) {
    let state = sealed.app.node_with(change);
    let mut sinks = Sink::all(&state.config.audit).unwrap();
    assert_eq!(sinks.len(), 1);
    (state, sinks.remove(0))
}

#[tokio::test]
async fn a_file_gets_every_line_and_may_be_rotated() {
    let sealed = Sealed::make().await;
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("audit.jsonl");
    let (state, mut sink) = sink_of(&sealed, |config| config.audit.file.path.clone_from(&path));
    export(&state, &mut sink).await.unwrap();
    let first = std::fs::read_to_string(&path).unwrap();
    let report = sealed.verify_text(&first);
    assert!(report.holds(), "{:?}", report.faults);
    assert_eq!(
        i64::try_from(report.entries).unwrap(),
        sealed.number("select count(*) from audit.chain").await
    );
    assert_eq!(
        std::fs::metadata(&path).unwrap().permissions().mode() & 0o777,
        0o600
    );
    // Nothing new, nothing told; what is not signed yet is not told either.
    sealed.act("second").await;
    export(&state, &mut sink).await.unwrap();
    assert_eq!(std::fs::read_to_string(&path).unwrap(), first);
    // Renamed, the next lines go into a new file; a line that broke off does not spoil the next one.
    std::fs::rename(&path, dir.path().join("audit.jsonl.1")).unwrap();
    std::fs::write(&path, "{\"type\":\"ent").unwrap();
    sealed.seal().await;
    export(&state, &mut sink).await.unwrap();
    let second = std::fs::read_to_string(&path).unwrap();
    let whole: String = format!("{first}{}", second.split_once('\n').unwrap().1);
    let report = sealed.verify_text(&whole);
    assert!(report.holds(), "{:?}", report.faults);
    assert_eq!(
        i64::try_from(report.entries).unwrap(),
        sealed.number("select count(*) from audit.chain").await
    );
    let alone = sealed.verify_text(second.split_once('\n').unwrap().1);
    assert!(
        alone.holds()
            && alone
                .notes
                .iter()
                .any(|note| note.what.contains("the export begins here")),
        "{:?}",
        alone.faults
    );
}

/// What a webhook answers, and what it was told.
type Hook = (StatusCode, Vec<(HeaderMap, Bytes)>);

#[tokio::test]
async fn a_webhook_that_is_down_loses_nothing_and_holds_nobody_up() {
    let sealed = Sealed::make().await;
    let dir = tempfile::tempdir().unwrap();
    let secret = dir.path().join("secret");
    sg_server::files::write_private(&secret, b"a secret of some length\n").unwrap();
    let told: Arc<Mutex<Hook>> = Arc::new(Mutex::new((StatusCode::SERVICE_UNAVAILABLE, Vec::new())));
    let hook = told.clone();
    let router = axum::Router::new().route(
        "/hook",
        axum::routing::post(move |headers: HeaderMap, body: Bytes| async move {
            let mut told = hook.lock().await;
            told.1.push((headers, body));
            told.0
        }),
    );
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/hook", listener.local_addr().unwrap());
    sealed
        .app
        .state
        .supervisor
        .spawn_detached(async move { axum::serve(listener, router).await.unwrap() });
    let (state, mut sink) = sink_of(&sealed, |config| {
        config.audit.webhook.url = url;
        config.audit.webhook.secret_file = secret;
    });
    let error = export(&state, &mut sink).await.unwrap_err();
    assert!(format!("{error:#}").contains("answered 503"), "{error:#}");
    let status = state.audit.sinks()["webhook"].clone();
    assert!(
        status.problem.is_some() && status.waiting_since.is_some(),
        "{status:?}"
    );
    // Meanwhile the log grows and is sealed.
    sealed.act("second").await;
    sealed.seal().await;
    {
        let mut told = told.lock().await;
        told.0 = StatusCode::NO_CONTENT;
        told.1.clear();
    }
    export(&state, &mut sink).await.unwrap();
    assert_eq!(
        state.audit.sinks()["webhook"],
        sg_server::audit::SinkStatus::default()
    );
    let told = told.lock().await;
    let text: String = told
        .1
        .iter()
        .map(|(_, body)| String::from_utf8(body.to_vec()).unwrap())
        .collect();
    let report = sealed.verify_text(&text);
    assert!(report.holds(), "{:?}", report.faults);
    assert_eq!(
        i64::try_from(report.entries).unwrap(),
        sealed.number("select count(*) from audit.chain").await
    );
    let (headers, body) = &told.1[0];
    let signature = headers["x-secureguard-signature"].to_str().unwrap();
    let (time, hex) = signature.strip_prefix("t=").unwrap().split_once(",v1=").unwrap();
    let mut mac = Hmac::<Sha256>::new_from_slice(b"a secret of some length").unwrap();
    mac.update([time.as_bytes(), b".", body].concat().as_slice());
    assert_eq!(hex::encode(mac.finalize().into_bytes()), hex);
}

#[tokio::test]
async fn syslog_gets_frames_over_tcp_and_datagrams_over_a_socket() {
    let sealed = Sealed::make().await;
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("tcp://{}", listener.local_addr().unwrap());
    let (state, mut sink) = sink_of(&sealed, |config| config.audit.syslog.address = address);
    export(&state, &mut sink).await.unwrap();
    let (mut stream, _) = listener.accept().await.unwrap();
    // The server goes away and comes back; the next delivery finds it.
    sealed.act("second").await;
    sealed.seal().await;
    let mut bytes = Vec::new();
    let reading = async {
        let mut buffer = vec![0; 1 << 16];
        while let Ok(Ok(length)) =
            tokio::time::timeout(std::time::Duration::from_millis(300), stream.read(&mut buffer)).await
        {
            bytes.extend_from_slice(&buffer[..length]);
        }
    };
    reading.await;
    drop(stream);
    tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    export(&state, &mut sink).await.unwrap();
    let (mut stream, _) = listener.accept().await.unwrap();
    drop(sink);
    stream.read_to_end(&mut bytes).await.unwrap();
    let mut text = String::new();
    let mut rest = bytes.as_slice();
    while !rest.is_empty() {
        let space = rest.iter().position(|byte| *byte == b' ').unwrap();
        let length: usize = std::str::from_utf8(&rest[..space]).unwrap().parse().unwrap();
        let message = std::str::from_utf8(&rest[space + 1..=space + length]).unwrap();
        let (head, json) = message.split_once('\u{feff}').unwrap();
        assert!(
            head.starts_with("<110>1 20") && head.ends_with(" secureguard - audit - "),
            "{head}"
        );
        text.push_str(json);
        text.push('\n');
        rest = &rest[space + 1 + length..];
    }
    let report = sealed.verify_text(&text);
    assert!(report.holds(), "{:?}", report.faults);
    assert_eq!(
        i64::try_from(report.entries).unwrap(),
        sealed.number("select count(*) from audit.chain").await
    );

    let sealed = Sealed::make().await;
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("log");
    let (state, mut sink) = sink_of(&sealed, |config| {
        config.audit.syslog.address = format!("unix:{}", path.display())
    });
    assert!(export(&state, &mut sink).await.is_err(), "nobody listens");
    let socket = tokio::net::UnixDatagram::bind(&path).unwrap();
    let lines = sealed
        .number("select (select count(*) from audit.chain) + (select count(*) from audit.checkpoints)")
        .await;
    let mut got = Vec::new();
    let receive = async {
        let mut buffer = vec![0; 1 << 18];
        while i64::try_from(got.len()).unwrap() < lines {
            let length = socket.recv(&mut buffer).await.unwrap();
            got.push(String::from_utf8(buffer[..length].to_vec()).unwrap());
        }
    };
    let (told, ()) = tokio::join!(export(&state, &mut sink), receive);
    told.unwrap();
    let text: String = got
        .iter()
        .map(|message| format!("{}\n", message.split_once('\u{feff}').unwrap().1))
        .collect();
    assert!(sealed.verify_text(&text).holds());
}

#[tokio::test]
async fn syslog_over_tls_gets_everything_from_a_server_that_it_knows_and_nobody_else() {
    let sealed = Sealed::make().await;
    let (server, impostor) = (SyslogServer::tls().await, SyslogServer::tls().await);
    let dir = tempfile::tempdir().unwrap();
    let ca = dir.path().join("ca.pem");
    std::fs::write(&ca, &server.certificate).unwrap();
    let sink_to = |host: &str, port: u16| {
        let address = format!("tls://{host}:{port}");
        sink_of(&sealed, |config| {
            config.audit.syslog.address = address;
            config.audit.syslog.ca_file.clone_from(&ca);
        })
    };
    // Another certificate, and another name than the certificate's.
    for (host, port) in [
        ("localhost", impostor.address.port()),
        ("127.0.0.1", server.address.port()),
    ] {
        let (state, mut sink) = sink_to(host, port);
        // A run whose lock the one before has not given up yet does nothing.
        let mut told = export(&state, &mut sink).await;
        for _ in 0..100 {
            if told.is_err() {
                break;
            }
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
            told = export(&state, &mut sink).await;
        }
        let error = told.unwrap_err();
        assert!(format!("{error:#}").contains("no TLS with"), "{error:#}");
    }
    let lines = sealed
        .number("select (select count(*) from audit.chain) + (select count(*) from audit.checkpoints)")
        .await;
    let (state, mut sink) = sink_to("localhost", server.address.port());
    tokio::time::sleep(std::time::Duration::from_millis(200)).await;
    export(&state, &mut sink).await.unwrap();
    let messages = server.wait_for(usize::try_from(lines).unwrap()).await;
    assert_eq!(i64::try_from(messages.len()).unwrap(), lines);
    let text: String = messages
        .iter()
        .map(|message| format!("{}\n", message.split_once('\u{feff}').unwrap().1))
        .collect();
    let report = sealed.verify_text(&text);
    assert!(report.holds(), "{:?}", report.faults);
    // The same connection takes what comes later.
    sealed.act("second").await;
    sealed.seal().await;
    export(&state, &mut sink).await.unwrap();
    let lines = sealed
        .number("select (select count(*) from audit.chain) + (select count(*) from audit.checkpoints)")
        .await;
    server.wait_for(usize::try_from(lines).unwrap()).await;

    // Without authorities there is nobody to believe.
    std::fs::write(&ca, "").unwrap();
    let state = sealed.app.node_with(|config| {
        config.audit.syslog.address = "tls://localhost:6514".to_owned();
        config.audit.syslog.ca_file.clone_from(&ca);
    });
    assert!(Sink::all(&state.config.audit).is_err());
}
