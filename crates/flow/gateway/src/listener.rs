//! Accepts connections and hands their requests to the gateway: TLS 1.3, a Unix socket, or loopback in the clear.

use std::{convert::Infallible, io, net::IpAddr, sync::Arc, time::Duration};

use arc_swap::ArcSwap;
use countersign_core::life::Peer;
use http::Request;
use hyper::{
    body::Incoming,
    rt::Executor,
    server::conn::{http1, http2},
    service::service_fn,
};
use hyper_util::rt::{TokioIo, TokioTimer};
use rustls::ServerConfig;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpListener, TcpStream, UnixListener, UnixStream},
    sync::{Semaphore, watch},
    time::timeout,
};
use tokio_rustls::TlsAcceptor;

use crate::Gateway;
use pulse::{Pulse, Watched};
use stall::Stall;
use strict::Strict;
use tasks::Tasks;

mod pulse;
mod stall;
mod strict;
mod tasks;

/// Where connections come in. Binding is the caller's, so that nothing is bound before everything is checked.
pub enum Door {
    /// TCP with TLS 1.3. The configuration can be swapped while running.
    Tls(TcpListener, Arc<ArcSwap<ServerConfig>>),
    /// TCP in the clear; the configuration allows it on loopback only.
    Clear(TcpListener),
    /// A Unix socket.
    Unix(UnixListener),
}

/// Bounds on connections.
#[derive(Clone, Debug)]
pub struct Bounds {
    /// Connections open at once.
    pub connections: usize,
    /// For the TLS handshake.
    pub handshake: Duration,
    /// For a request's head to arrive, which is also how long an idle connection is kept.
    pub head: Duration,
    /// For a caller to take bytes we have ready.
    pub stall: Duration,
    /// For requests in flight to end after shutdown began.
    pub grace: Duration,
}

impl Default for Bounds {
    fn default() -> Self {
        Self {
            connections: 4096,
            handshake: Duration::from_secs(10),
            head: Duration::from_secs(30),
            stall: Duration::from_secs(60),
            grace: Duration::from_secs(30),
        }
    }
}

/// Serves `door` until `stop` turns true, then lets requests in flight end within the grace.
pub async fn serve(gateway: Arc<Gateway>, door: Door, name: Arc<str>, bounds: Bounds, mut stop: watch::Receiver<bool>) {
    let tasks = Tasks::default();
    let caller =
        Caller { gateway, listener: name.clone(), bounds: bounds.clone(), stop: stop.clone(), tasks: tasks.clone() };
    tokio::select! {
        biased;
        () = stopped(&mut stop) => {}
        () = receive(&door, &caller) => {}
    }
    drop((door, caller));
    if timeout(bounds.grace, tasks.ended()).await.is_err() {
        tracing::warn!(listener = &*name, "requests still in flight after the grace are cut");
        tasks.cut().await;
    }
}

/// Accepts for as long as it is polled. Nothing is accepted while there is no place for it.
async fn receive(door: &Door, caller: &Caller) {
    let places = Arc::new(Semaphore::new(caller.bounds.connections));
    while let Ok(place) = places.clone().acquire_owned().await {
        let io = loop {
            match accept(door).await {
                Ok(io) => break io,
                // It went away while it waited to be let in.
                Err(error) if is_theirs(&error) => {}
                Err(error) => {
                    // Out of descriptors, most likely: wait for some to come back instead of spinning.
                    tracing::warn!(%error, listener = &*caller.listener, "cannot accept");
                    tokio::time::sleep(Duration::from_millis(50)).await;
                }
            }
        };
        let handled = caller.clone();
        caller.tasks.execute(async move {
            handled.connection(io).await;
            drop(place);
        });
    }
}

fn is_theirs(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset)
}

enum Accepted {
    Tls(TcpStream, IpAddr, Arc<ServerConfig>),
    Clear(TcpStream, IpAddr),
    Unix(UnixStream),
}

async fn accept(door: &Door) -> io::Result<Accepted> {
    match door {
        Door::Tls(listener, config) => {
            let (io, ip) = tcp(listener).await?;
            Ok(Accepted::Tls(io, ip, config.load_full()))
        }
        Door::Clear(listener) => {
            let (io, ip) = tcp(listener).await?;
            Ok(Accepted::Clear(io, ip))
        }
        Door::Unix(listener) => Ok(Accepted::Unix(listener.accept().await?.0)),
    }
}

async fn tcp(listener: &TcpListener) -> io::Result<(TcpStream, IpAddr)> {
    let (io, from) = listener.accept().await?;
    // It fails on a connection that is gone already, which whoever serves it finds out.
    let _ = io.set_nodelay(true);
    // On a listener for both families an IPv4 address comes in an IPv6 one's clothes.
    Ok((io, from.ip().to_canonical()))
}

async fn stopped(stop: &mut watch::Receiver<bool>) {
    // An error means that the sender is gone, which ends serving too.
    let _ = stop.wait_for(|stop| *stop).await;
}

#[derive(Clone)]
struct Caller {
    gateway: Arc<Gateway>,
    listener: Arc<str>,
    bounds: Bounds,
    stop: watch::Receiver<bool>,
    tasks: Tasks,
}

impl Caller {
    async fn connection(self, io: Accepted) {
        let peer = |ip| Peer { ip, listener: self.listener.clone() };
        match io {
            Accepted::Clear(io, ip) => {
                let peer = peer(Some(ip));
                self.http1(io, peer, None).await;
            }
            Accepted::Unix(io) => {
                let peer = peer(None);
                self.http1(io, peer, None).await;
            }
            Accepted::Tls(io, ip, config) => {
                let peer = peer(Some(ip));
                // A failed handshake is the peer's affair: port scanners make thousands.
                let handshake = timeout(self.bounds.handshake, TlsAcceptor::from(config).accept(io)).await;
                let Ok(Ok(io)) = handshake else { return };
                let session = io.get_ref().1;
                let certificate = session.peer_certificates().and_then(|c| c.first()).map(|c| Arc::from(c.as_ref()));
                if session.alpn_protocol() == Some(b"h2") {
                    self.http2(io, peer, certificate).await;
                } else {
                    self.http1(io, peer, certificate).await;
                }
            }
        }
    }

    async fn http1<S: AsyncRead + AsyncWrite + Unpin + Send>(self, io: S, peer: Peer, certificate: Option<Arc<[u8]>>) {
        let io = TokioIo::new(Strict::new(Stall::new(io, self.bounds.stall)));
        let Self { gateway, bounds, mut stop, .. } = self;
        let service = service_fn(|request: Request<Incoming>| {
            let answer = gateway.handle(request, peer.clone(), certificate.clone());
            async { Ok::<_, Infallible>(answer.await) }
        });
        let mut builder = http1::Builder::new();
        builder.timer(TokioTimer::new()).header_read_timeout(bounds.head).max_buf_size(64 * 1024);
        let mut connection = std::pin::pin!(builder.serve_connection(io, service));
        tokio::select! {
            _ = connection.as_mut() => return,
            () = stopped(&mut stop) => connection.as_mut().graceful_shutdown(),
        }
        let _ = connection.await;
    }

    async fn http2<S: AsyncRead + AsyncWrite + Unpin + Send>(self, io: S, peer: Peer, certificate: Option<Arc<[u8]>>) {
        let io = TokioIo::new(Stall::new(io, self.bounds.stall));
        let Self { gateway, bounds, mut stop, tasks, .. } = self;
        let pulse = Pulse::new();
        let service = service_fn(|request: Request<Incoming>| {
            let (gateway, peer, certificate) = (gateway.clone(), peer.clone(), certificate.clone());
            let alive = pulse.begin();
            async move {
                let answer = gateway.handle(request, peer, certificate).await;
                Ok::<_, Infallible>(answer.map(|body| Watched::new(body, alive)))
            }
        });
        let mut builder = http2::Builder::new(tasks);
        builder
            .timer(TokioTimer::new())
            .max_concurrent_streams(128)
            .max_header_list_size(64 * 1024)
            .max_pending_accept_reset_streams(20)
            .max_local_error_reset_streams(64)
            .keep_alive_interval(bounds.head)
            .keep_alive_timeout(bounds.head);
        let mut connection = std::pin::pin!(builder.serve_connection(io, service));
        let told = tokio::select! {
            _ = connection.as_mut() => return,
            () = pulse.fails(bounds.head, bounds.stall) => false,
            () = stopped(&mut stop) => true,
        };
        connection.as_mut().graceful_shutdown();
        if told {
            tokio::select! {
                _ = connection.as_mut() => return,
                () = pulse.fails(bounds.head, bounds.stall) => {}
            }
        }
        // A word of farewell is all that such a peer is waited for.
        let _ = timeout(bounds.handshake, connection).await;
    }
}

#[cfg(test)]
mod tests;
