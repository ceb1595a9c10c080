//! Stands between the agents and the server on this machine, and cuts connections when it is told to.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

/// No connection is cut.
const NEVER: u64 = u64::MAX;

/// The proxy; it ends when this is dropped.
#[derive(Debug)]
pub(crate) struct Proxy {
    pub(crate) port: u16,
    shared: Arc<Shared>,
    _tasks: JoinSet<()>,
}

#[derive(Debug)]
struct Shared {
    upstream: SocketAddr,
    /// Bytes that each direction of a connection still carries before it is cut.
    cut_after: AtomicU64,
    cuts: AtomicU64,
}

impl Proxy {
    /// Listens on a free port and passes on to `port`.
    pub(crate) async fn start(port: u16) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let own = listener.local_addr()?.port();
        let shared = Arc::new(Shared {
            upstream: (Ipv4Addr::LOCALHOST, port).into(),
            cut_after: AtomicU64::new(NEVER),
            cuts: AtomicU64::new(0),
        });
        let mut tasks = JoinSet::new();
        tasks.spawn(accept(listener, Arc::clone(&shared)));
        Ok(Self {
            port: own,
            shared,
            _tasks: tasks,
        })
    }

    /// From now on each connection is cut after so many bytes in either direction.
    pub(crate) fn cut_after(&self, bytes: u64) {
        self.shared.cut_after.store(bytes, Relaxed);
    }

    pub(crate) fn heal(&self) {
        self.shared.cut_after.store(NEVER, Relaxed);
    }

    /// Connections that were cut.
    pub(crate) fn cuts(&self) -> u64 {
        self.shared.cuts.load(Relaxed)
    }
}

async fn accept(listener: TcpListener, shared: Arc<Shared>) {
    let mut connections = JoinSet::new();
    loop {
        while connections.try_join_next().is_some() {}
        match listener.accept().await {
            Ok((stream, _)) => {
                connections.spawn(pass_on(stream, Arc::clone(&shared)));
            }
            Err(_) => tokio::time::sleep(Duration::from_millis(10)).await,
        }
    }
}

async fn pass_on(client: TcpStream, shared: Arc<Shared>) {
    let Ok(server) = TcpStream::connect(shared.upstream).await else {
        return;
    };
    let _ = client.set_nodelay(true);
    let _ = server.set_nodelay(true);
    // What is cut ends with RST and not in order.
    let _ = client.set_zero_linger();
    let _ = server.set_zero_linger();
    let ((from_client, to_client), (from_server, to_server)) = (client.into_split(), server.into_split());
    // The end of either direction is the end of both.
    tokio::select! {
        () = copy(from_client, to_server, &shared) => {}
        () = copy(from_server, to_client, &shared) => {}
    }
}

async fn copy(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, shared: &Shared) {
    let mut buffer = vec![0; 16 * 1024];
    let mut carried_since = 0;
    while let Ok(read) = from.read(&mut buffer).await {
        if read == 0 {
            break;
        }
        let cut_after = shared.cut_after.load(Relaxed);
        carried_since = if cut_after == NEVER {
            0
        } else {
            carried_since + read as u64
        };
        let beyond = usize::try_from(carried_since.saturating_sub(cut_after)).unwrap_or(read);
        if beyond > 0 {
            let _ = to.write_all(&buffer[..read.saturating_sub(beyond)]).await;
            shared.cuts.fetch_add(1, Relaxed);
            break;
        }
        if to.write_all(&buffer[..read]).await.is_err() {
            break;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_connection_is_cut_in_the_midst_and_others_pass() {
        let echo = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let proxy = Proxy::start(echo.local_addr().unwrap().port()).await.unwrap();
        let mut tasks = JoinSet::new();
        tasks.spawn(async move {
            let mut tasks = JoinSet::new();
            while let Ok((mut stream, _)) = echo.accept().await {
                tasks.spawn(async move {
                    let (mut from, mut to) = stream.split();
                    tokio::io::copy(&mut from, &mut to).await
                });
            }
        });
        let talk = async || {
            let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, proxy.port)).await?;
            stream.write_all(&[7; 100]).await?;
            let mut answer = [0; 100];
            stream.read_exact(&mut answer).await
        };
        assert_eq!(talk().await.unwrap(), 100);
        proxy.cut_after(60);
        assert!(talk().await.is_err());
        assert_eq!(proxy.cuts(), 1);
        proxy.heal();
        assert_eq!(talk().await.unwrap(), 100);
    }
}
