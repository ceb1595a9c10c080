//! The accept loop.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use hyper::body::Incoming;
use hyper::server::conn::{http1, http2};
use hyper::service::{HttpService, service_fn};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulConnection;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::sync::Semaphore;
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;

use super::Listener;
use crate::config::HttpConfig;
use crate::http::Peer;
use crate::supervisor::Supervisor;

/// Pause after the system refused a connection, mostly for want of file descriptors.
const PAUSE_AFTER_FAILURE: Duration = Duration::from_millis(100);
/// What TLS calls HTTP/2 (RFC 9113, 3.1).
const HTTP2: &[u8] = b"h2";
/// Streams of one HTTP/2 connection at the same time.
const MAX_STREAMS: u32 = 128;
/// Bytes of a request's head at most.
const MAX_HEAD_BYTES: usize = 64 * 1024;

/// Serves until the supervisor stops everything; running requests get the configured time to finish.
///
/// # Errors
/// When the TLS library does not take the configuration; failures of single connections end these only.
pub async fn serve(
    listener: Listener,
    router: Router,
    config: HttpConfig,
    supervisor: Supervisor,
) -> anyhow::Result<()> {
    let (tcp, tls) = listener.into_parts()?;
    let acceptor = tls.map(TlsAcceptor::from);
    let slots = Arc::new(Semaphore::new(config.max_connections.min(Semaphore::MAX_PERMITS)));
    let stop = supervisor.stop_token();
    loop {
        let permit = tokio::select! {
            () = stop.cancelled() => return Ok(()),
            permit = slots.clone().acquire_owned() => permit?,
        };
        let accepted = tokio::select! {
            () = stop.cancelled() => return Ok(()),
            accepted = tcp.accept() => accepted,
        };
        let (stream, peer) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                tracing::warn!(error = %error, "a connection could not be taken");
                tokio::time::sleep(PAUSE_AFTER_FAILURE).await;
                continue;
            }
        };
        let connection = Connection {
            peer,
            router: router.clone(),
            config: config.clone(),
            stop: stop.clone(),
        };
        let acceptor = acceptor.clone();
        supervisor.spawn_detached(async move {
            let open = metrics::gauge!("sg_http_connections_count");
            open.increment(1.0);
            connection.run(stream, acceptor).await;
            open.decrement(1.0);
            drop(permit);
        });
    }
}

struct Connection {
    peer: SocketAddr,
    router: Router,
    config: HttpConfig,
    stop: CancellationToken,
}

impl Connection {
    /// The futures are in boxes of their own, so that a connection takes the room of what it speaks and not of all that it could have spoken: endpoints
    /// that wait for commands hold thousands open.
    async fn run(self, stream: TcpStream, acceptor: Option<TlsAcceptor>) {
        let _ = stream.set_nodelay(true);
        let Some(acceptor) = acceptor else {
            return Box::pin(self.speak_http1(stream)).await;
        };
        let accepting = Box::pin(acceptor.accept(stream));
        match tokio::time::timeout(self.config.header_read_timeout(), accepting).await {
            Ok(Ok(stream)) if stream.get_ref().1.alpn_protocol() == Some(HTTP2) => {
                Box::pin(self.speak_http2(Box::new(stream))).await;
            }
            Ok(Ok(stream)) => Box::pin(self.speak_http1(Box::new(stream))).await,
            Ok(Err(error)) => {
                tracing::debug!(peer.address = %self.peer, error = %error, "a TLS handshake failed")
            }
            Err(_) => tracing::debug!(peer.address = %self.peer, "a TLS handshake took too long"),
        }
    }

    async fn speak_http1<S>(self, stream: S)
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let mut builder = http1::Builder::new();
        builder
            .timer(TokioTimer::new())
            .header_read_timeout(self.config.header_read_timeout())
            .max_buf_size(MAX_HEAD_BYTES);
        let service = service(self.router, self.peer);
        let connection = builder.serve_connection(TokioIo::new(stream), service);
        drive(connection, self.peer, &self.stop, self.config.shutdown_grace()).await;
    }

    async fn speak_http2<S>(self, stream: S)
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let mut builder = http2::Builder::new(TokioExecutor::new());
        builder
            .timer(TokioTimer::new())
            .max_concurrent_streams(MAX_STREAMS)
            .max_header_list_size(MAX_HEAD_BYTES as u32)
            .keep_alive_interval(Duration::from_secs(20))
            .keep_alive_timeout(Duration::from_secs(20));
        let service = service(self.router, self.peer);
        let connection = builder.serve_connection(TokioIo::new(stream), service);
        drive(connection, self.peer, &self.stop, self.config.shutdown_grace()).await;
    }
}

/// The router as hyper calls it.
fn service(
    router: Router,
    peer: SocketAddr,
) -> impl HttpService<Incoming, ResBody = Body, Error = Infallible, Future: Send> {
    service_fn(move |mut request: hyper::Request<Incoming>| {
        request.extensions_mut().insert(Peer(peer));
        router.clone().oneshot(request.map(Body::new))
    })
}

/// Serves a connection until its end; once everything stops, its running requests get so much time.
async fn drive<C, E>(connection: C, peer: SocketAddr, stop: &CancellationToken, grace: Duration)
where
    C: GracefulConnection<Error = E> + Future<Output = Result<(), E>>,
    E: std::fmt::Display,
{
    tokio::pin!(connection);
    tokio::select! {
        result = connection.as_mut() => return log_end(peer, result),
        () = stop.cancelled() => connection.as_mut().graceful_shutdown(),
    }
    match tokio::time::timeout(grace, connection).await {
        Ok(result) => log_end(peer, result),
        Err(_) => {
            tracing::warn!(peer.address = %peer, "a request did not finish before the server stopped")
        }
    }
}

fn log_end(peer: SocketAddr, result: Result<(), impl std::fmt::Display>) {
    if let Err(error) = result {
        tracing::debug!(peer.address = %peer, error = %error, "a connection ended early");
    }
}
