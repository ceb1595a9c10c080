//! The accept loop.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use hyper::body::Incoming;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
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
    async fn run(self, stream: TcpStream, acceptor: Option<TlsAcceptor>) {
        let _ = stream.set_nodelay(true);
        let Some(acceptor) = acceptor else {
            return self.speak_http(stream).await;
        };
        let handshake =
            tokio::time::timeout(self.config.header_read_timeout(), acceptor.accept(stream)).await;
        match handshake {
            Ok(Ok(stream)) => self.speak_http(stream).await,
            Ok(Err(error)) => {
                tracing::debug!(peer.address = %self.peer, error = %error, "a TLS handshake failed")
            }
            Err(_) => tracing::debug!(peer.address = %self.peer, "a TLS handshake took too long"),
        }
    }

    async fn speak_http<S>(self, stream: S)
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let (router, peer) = (self.router, Peer(self.peer));
        let service = hyper::service::service_fn(move |mut request: hyper::Request<Incoming>| {
            request.extensions_mut().insert(peer);
            router.clone().oneshot(request.map(Body::new))
        });
        let builder = builder(&self.config);
        let connection = builder.serve_connection(TokioIo::new(stream), service);
        tokio::pin!(connection);
        tokio::select! {
            result = connection.as_mut() => return log_end(self.peer, result),
            () = self.stop.cancelled() => connection.as_mut().graceful_shutdown(),
        }
        match tokio::time::timeout(self.config.shutdown_grace(), connection).await {
            Ok(result) => log_end(self.peer, result),
            Err(_) => {
                tracing::warn!(peer.address = %self.peer, "a request did not finish before the server stopped")
            }
        }
    }
}

fn builder(config: &HttpConfig) -> Builder<TokioExecutor> {
    let mut builder = Builder::new(TokioExecutor::new());
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(config.header_read_timeout())
        .max_buf_size(MAX_HEAD_BYTES);
    builder
        .http2()
        .timer(TokioTimer::new())
        .max_concurrent_streams(MAX_STREAMS)
        .max_header_list_size(MAX_HEAD_BYTES as u32)
        .keep_alive_interval(Duration::from_secs(20))
        .keep_alive_timeout(Duration::from_secs(20));
    builder
}

fn log_end(peer: SocketAddr, result: Result<(), Box<dyn std::error::Error + Send + Sync>>) {
    if let Err(error) = result {
        tracing::debug!(peer.address = %peer, error = %error, "a connection ended early");
    }
}
