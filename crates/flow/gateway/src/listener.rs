//! Accepts connections and hands their requests to the gateway: TLS 1.3, a Unix socket, or loopback in the clear.

use std::{convert::Infallible, io, net::IpAddr, sync::Arc, time::Duration};

use arc_swap::ArcSwap;
use countersign_core::life::Peer;
use http::Request;
use hyper::{
    body::Incoming,
    server::conn::{http1, http2},
    service::service_fn,
};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use rustls::ServerConfig;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpListener, UnixListener},
    sync::{Semaphore, watch},
    task::JoinSet,
    time::timeout,
};
use tokio_rustls::TlsAcceptor;

use crate::Gateway;
use stall::Stall;
use strict::Strict;

mod stall;
mod strict;

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
    let places = Arc::new(Semaphore::new(bounds.connections));
    let mut open = JoinSet::new();
    loop {
        // Ended connections are reaped as we go, so that the set holds live ones only.
        while open.try_join_next().is_some() {}
        let Ok(place) = places.clone().acquire_owned().await else { break };
        let caller =
            Caller { gateway: gateway.clone(), listener: name.clone(), bounds: bounds.clone(), stop: stop.clone() };
        tokio::select! {
            biased;
            () = stopped(&mut stop) => break,
            accepted = accept(&door) => match accepted {
                Ok(io) => {
                    open.spawn(async move {
                        caller.connection(io).await;
                        drop(place);
                    });
                }
                Err(error) => {
                    // Out of descriptors, most likely: wait for some to come back instead of spinning.
                    tracing::warn!(%error, listener = &*name, "cannot accept");
                    tokio::time::sleep(Duration::from_millis(50)).await;
                }
            },
        }
    }
    drop(door);
    let drained = timeout(bounds.grace, async { while open.join_next().await.is_some() {} }).await;
    if drained.is_err() {
        tracing::warn!(listener = &*name, "requests still in flight after the grace were cut");
    }
}

enum Accepted {
    Tls(tokio::net::TcpStream, IpAddr, Arc<ServerConfig>),
    Clear(tokio::net::TcpStream, IpAddr),
    Unix(tokio::net::UnixStream),
}

async fn accept(door: &Door) -> io::Result<Accepted> {
    match door {
        Door::Tls(listener, config) => {
            let (io, from) = listener.accept().await?;
            io.set_nodelay(true)?;
            Ok(Accepted::Tls(io, from.ip(), config.load_full()))
        }
        Door::Clear(listener) => {
            let (io, from) = listener.accept().await?;
            io.set_nodelay(true)?;
            Ok(Accepted::Clear(io, from.ip()))
        }
        Door::Unix(listener) => Ok(Accepted::Unix(listener.accept().await?.0)),
    }
}

async fn stopped(stop: &mut watch::Receiver<bool>) {
    // An error means that the sender is gone, which ends serving too.
    let _ = stop.wait_for(|stop| *stop).await;
}

struct Caller {
    gateway: Arc<Gateway>,
    listener: Arc<str>,
    bounds: Bounds,
    stop: watch::Receiver<bool>,
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
        builder.timer(TokioTimer::new()).header_read_timeout(bounds.head).max_buf_size(64 * 1024).max_headers(128);
        let mut connection = std::pin::pin!(builder.serve_connection(io, service));
        tokio::select! {
            _ = connection.as_mut() => return,
            () = stopped(&mut stop) => connection.as_mut().graceful_shutdown(),
        }
        let _ = connection.await;
    }

    async fn http2<S: AsyncRead + AsyncWrite + Unpin + Send>(self, io: S, peer: Peer, certificate: Option<Arc<[u8]>>) {
        let io = TokioIo::new(Stall::new(io, self.bounds.stall));
        let Self { gateway, bounds, mut stop, .. } = self;
        let service = service_fn(|request: Request<Incoming>| {
            let (gateway, peer, certificate) = (gateway.clone(), peer.clone(), certificate.clone());
            async move { Ok::<_, Infallible>(gateway.handle(request, peer, certificate).await) }
        });
        let mut builder = http2::Builder::new(TokioExecutor::new());
        builder
            .timer(TokioTimer::new())
            .max_concurrent_streams(128)
            .max_header_list_size(64 * 1024)
            .max_pending_accept_reset_streams(20)
            .max_local_error_reset_streams(64)
            .keep_alive_interval(bounds.head)
            .keep_alive_timeout(bounds.head);
        let mut connection = std::pin::pin!(builder.serve_connection(io, service));
        tokio::select! {
            _ = connection.as_mut() => return,
            () = stopped(&mut stop) => connection.as_mut().graceful_shutdown(),
        }
        let _ = connection.await;
    }
}
