//! The listener on a real socket.

use std::time::{Duration, Instant};

use sg_server::http::AllowedHosts;
use sg_server::listen::{self, Port};
use sg_server::{AppState, router};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::app::{App, PASSWORD};

struct Served {
    app: App,
    address: std::net::SocketAddr,
}

async fn serve() -> Served {
    let app = App::start_with(|config| {
        config.http.listen = "127.0.0.1:0".parse().unwrap();
        config.http.header_read_timeout_seconds = 1;
        config.http.request_timeout_seconds = 2;
        config.http.shutdown_grace_seconds = 5;
    })
    .await;
    let state: AppState = app.state.clone();
    let listener = Port::bind(state.config.http.listen)
        .await
        .unwrap()
        .secure(&state.config, state.clock.as_ref())
        .unwrap();
    let address = listener.address();
    let router = router::build(state.clone(), AllowedHosts::loopback(None));
    let task = listen::serve(
        listener,
        router,
        state.config.http.clone(),
        state.supervisor.clone(),
    );
    state.supervisor.spawn_critical("listener", task);
    Served { app, address }
}

async fn talk(address: std::net::SocketAddr, text: &str) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(text.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    let _ = tokio::time::timeout(Duration::from_secs(20), stream.read_to_end(&mut answer))
        .await
        .expect("the server hangs up");
    String::from_utf8_lossy(&answer).into_owned()
}

#[tokio::test]
async fn slow_clients_are_sent_away_and_keep_nobody_waiting() {
    let served = serve().await;
    let slow = (0..50).map(|_| {
        talk(
            served.address,
            "GET /livez HTTP/1.1\r\nHost: localhost\r\nX-Slow: ",
        )
    });
    let slow = futures_util::future::join_all(slow);
    let quick = talk(
        served.address,
        "GET /livez HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n",
    );
    let began = Instant::now();
    let (answers, answer) = tokio::join!(slow, quick);
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    assert!(
        answers
            .iter()
            .all(|a| a.is_empty() || a.starts_with("HTTP/1.1 408")),
        "{answers:?}"
    );
    assert!(began.elapsed() < Duration::from_secs(10));
}

#[tokio::test]
async fn a_body_that_does_not_come_is_408() {
    let served = serve().await;
    let head = "POST /api/v1/sessions HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{";
    let answer = talk(served.address, head).await;
    assert!(
        answer.starts_with("HTTP/1.1 408") && answer.contains("body_too_slow"),
        "{answer}"
    );
}

#[tokio::test]
async fn what_is_no_http_is_400() {
    let served = serve().await;
    for text in [
        "\u{16}\u{3}\u{1}\u{0}hello\r\n\r\n",
        "GET\r\n\r\n",
        "GET /livez HTTP/1.1\r\n\r\n",
        "SSH-2.0-x\r\n\r\n",
    ] {
        let answer = talk(served.address, text).await;
        assert!(
            answer.is_empty() || answer.starts_with("HTTP/1.1 4"),
            "{text:?}: {answer}"
        );
    }
    let huge = format!("GET /{} HTTP/1.1\r\nHost: localhost\r\n\r\n", "x".repeat(100_000));
    let answer = talk(served.address, &huge).await;
    assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 4"), "{answer}");
}

#[tokio::test]
async fn a_running_request_is_finished_before_the_end() {
    let served = serve().await;
    served
        .app
        .person(served.app.tenant(), "ada", sg_types::Role::User)
        .await;
    let body = format!("{{\"username\":\"ada\",\"password\":\"{PASSWORD}\"}}");
    let head = format!(
        "POST /api/v1/sessions HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    let (address, supervisor) = (served.address, served.app.state.supervisor.clone());
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(head.as_bytes()).await.unwrap();
    stream.write_all(&body.as_bytes()[..5]).await.unwrap();
    tokio::time::sleep(Duration::from_millis(300)).await;
    let rest = async {
        tokio::time::sleep(Duration::from_millis(200)).await;
        stream.write_all(&body.as_bytes()[5..]).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        answer
    };
    let (answer, ended) = tokio::join!(rest, supervisor.shut_down(Duration::from_secs(10)));
    assert!(answer.starts_with("HTTP/1.1 201"), "{answer}");
    assert!(ended, "everything ended in time");
    assert!(
        TcpStream::connect(address).await.is_err(),
        "nobody listens any more"
    );
}
