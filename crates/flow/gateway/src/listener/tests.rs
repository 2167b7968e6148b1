use std::net::SocketAddr;

use hyper::client::conn::http2 as client;
use hyper_util::rt::TokioExecutor;
use rcgen::{CertifiedKey, generate_simple_self_signed};
use rustls::{
    ClientConfig, RootCertStore,
    crypto::aws_lc_rs,
    pki_types::{CertificateDer, ServerName, pem::PemObject},
    version::TLS13,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    task::JoinHandle,
};
use tokio_rustls::{TlsConnector, client::TlsStream};

use super::*;
use crate::{support::World, tls};

/// No wait of these tests lasts longer, whatever goes wrong.
const PATIENCE: Duration = Duration::from_secs(20);
const HEALTH: &[u8] = b"GET /healthz HTTP/1.1\r\nhost: here\r\n\r\n";

/// A listener on loopback.
struct Open {
    at: SocketAddr,
    stop: watch::Sender<bool>,
    serving: JoinHandle<()>,
    authority: Option<CertificateDer<'static>>,
}

/// Bounds that a test can wait for.
fn tight() -> Bounds {
    let moment = Duration::from_millis(200);
    Bounds { connections: 8, handshake: moment, head: moment, stall: moment, grace: PATIENCE }
}

async fn open(world: &World, bounds: Bounds, with_tls: bool) -> Open {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let at = listener.local_addr().unwrap();
    let (stop, stopping) = watch::channel(false);
    let (door, authority) = if with_tls {
        let CertifiedKey { cert, signing_key } = generate_simple_self_signed(vec!["localhost".into()]).unwrap();
        let (chain, key) = (cert.pem(), signing_key.serialize_pem());
        let material = tls::Material {
            chain: chain.as_bytes(),
            key: key.as_bytes(),
            client_authorities: None,
            trust_domains: &[],
            require_client: false,
        };
        let config = Arc::new(ArcSwap::new(tls::server(&material).unwrap()));
        (Door::Tls(listener, config), Some(CertificateDer::from_pem_slice(chain.as_bytes()).unwrap()))
    } else {
        (Door::Clear(listener), None)
    };
    let serving = tokio::spawn(serve(world.gateway.clone(), door, "test".into(), bounds, stopping));
    Open { at, stop, serving, authority }
}

impl Open {
    async fn tcp(&self) -> TcpStream {
        soon(TcpStream::connect(self.at)).await.unwrap()
    }

    async fn tls(&self, protocol: &str) -> TlsStream<TcpStream> {
        let mut roots = RootCertStore::empty();
        roots.add(self.authority.clone().unwrap()).unwrap();
        let builder = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()));
        let builder = builder.with_protocol_versions(&[&TLS13]).unwrap();
        let mut config = builder.with_root_certificates(roots).with_no_client_auth();
        config.alpn_protocols = vec![protocol.into()];
        let name = ServerName::try_from("localhost").unwrap();
        soon(TlsConnector::from(Arc::new(config)).connect(name, self.tcp().await)).await.unwrap()
    }

    async fn shut(self) {
        self.stop.send_replace(true);
        soon(self.serving).await.unwrap();
    }
}

async fn soon<T>(wait: impl Future<Output = T>) -> T {
    timeout(PATIENCE, wait).await.expect("in time")
}

/// What comes until the other side closes; a reset is a close too.
async fn rest(io: &mut (impl AsyncRead + Unpin)) -> String {
    let mut said = Vec::new();
    let _ = soon(io.read_to_end(&mut said)).await;
    String::from_utf8_lossy(&said).into_owned()
}

/// Whether a healthy answer comes to a request on a connection that stays open.
async fn is_healthy(io: &mut (impl AsyncRead + AsyncWrite + Unpin)) -> bool {
    io.write_all(HEALTH).await.unwrap();
    let mut said = Vec::new();
    while !said.ends_with(b"ok\n") {
        if soon(io.read_buf(&mut said)).await.unwrap_or(0) == 0 {
            return false;
        }
    }
    said.starts_with(b"HTTP/1.1 200 ")
}

#[tokio::test]
async fn a_head_that_does_not_come_is_not_waited_for() {
    let world = World::new();
    let open = open(&world, tight(), false).await;
    for begun in ["", "GET /healthz HTTP/1.1\r\nhost: he"] {
        let mut io = open.tcp().await;
        io.write_all(begun.as_bytes()).await.unwrap();
        assert!(!rest(&mut io).await.starts_with("HTTP/1.1 2"), "{begun:?}");
    }
    let mut io = open.tcp().await;
    assert!(is_healthy(&mut io).await);
    assert_eq!(rest(&mut io).await, "", "an idle connection is closed");
    open.shut().await;
}

#[tokio::test]
async fn one_connection_too_many_waits_and_is_served_when_there_is_a_place() {
    let world = World::new();
    let bounds = Bounds { connections: 1, head: PATIENCE, ..tight() };
    let open = open(&world, bounds, false).await;
    let mut first = open.tcp().await;
    assert!(is_healthy(&mut first).await);
    let mut second = open.tcp().await;
    second.write_all(HEALTH).await.unwrap();
    // The first is served while the second waits.
    assert!(is_healthy(&mut first).await);
    let mut byte = [0];
    assert_eq!(second.try_read(&mut byte).unwrap_err().kind(), io::ErrorKind::WouldBlock);
    drop(first);
    assert_eq!(soon(second.read(&mut byte)).await.unwrap(), 1);
    open.shut().await;
}

#[tokio::test]
async fn a_listener_that_is_full_stops_all_the_same() {
    let world = World::new();
    let open = open(&world, Bounds { connections: 1, head: PATIENCE, ..tight() }, false).await;
    let mut only = open.tcp().await;
    assert!(is_healthy(&mut only).await);
    open.shut().await;
    assert_eq!(rest(&mut only).await, "");
}

#[tokio::test]
async fn what_does_not_end_within_the_grace_is_cut_and_accounted_for() {
    let world = World::new();
    let open = open(&world, Bounds { grace: Duration::from_millis(50), head: PATIENCE, ..tight() }, false).await;
    let mut io = open.tcp().await;
    // A body that never comes.
    let head = format!(
        "POST /v1/messages HTTP/1.1\r\nhost: here\r\nauthorization: Bearer {}\r\ncontent-type: application/json\r\n\
         content-length: 9\r\n\r\n",
        world.key
    );
    io.write_all(head.as_bytes()).await.unwrap();
    soon(async {
        while world.gateway.metrics().in_flight.get() == 0 {
            tokio::task::yield_now().await;
        }
    })
    .await;
    open.shut().await;
    // The account is closed on a task of its own.
    soon(async {
        while world.gateway.metrics().in_flight.get() != 0 {
            tokio::task::yield_now().await;
        }
    })
    .await;
}

#[tokio::test]
async fn tls_is_1_3_and_a_handshake_that_does_not_come_is_not_waited_for() {
    let world = World::new();
    let open = open(&world, Bounds { head: PATIENCE, ..tight() }, true).await;
    let mut silent = open.tcp().await;
    assert_eq!(rest(&mut silent).await, "");
    let mut io = open.tls("http/1.1").await;
    assert_eq!(io.get_ref().1.protocol_version(), Some(rustls::ProtocolVersion::TLSv1_3));
    assert!(is_healthy(&mut io).await);
    drop(io);
    open.shut().await;
}

#[tokio::test]
async fn an_http2_connection_that_asks_for_nothing_is_closed() {
    let world = World::new();
    let open = open(&world, tight(), true).await;
    // Neither a preface, nor one and silence, holds a place.
    let mut silent = open.tls("h2").await;
    rest(&mut silent).await;
    let io = open.tls("h2").await;
    let (_sender, connection) =
        soon(client::handshake::<_, _, http_body_util::Empty<bytes::Bytes>>(TokioExecutor::new(), TokioIo::new(io)))
            .await
            .unwrap();
    let _ = soon(connection).await;
    open.shut().await;
}

#[tokio::test]
async fn http2_serves_and_lets_go_of_an_answer_that_is_not_taken() {
    let world = World::new();
    let open = open(&world, tight(), true).await;
    let mut builder = client::Builder::new(TokioExecutor::new());
    // A window of no byte: the answer can never be taken, whatever the connection carries.
    builder.initial_stream_window_size(0);
    for (builder, whole) in [(client::Builder::new(TokioExecutor::new()), true), (builder, false)] {
        let io = open.tls("h2").await;
        let (mut sender, connection) = soon(builder.handshake(TokioIo::new(io))).await.unwrap();
        let driving = tokio::spawn(connection);
        let mut ask = world.ask("openai", true);
        *ask.uri_mut() = "https://localhost/v1/chat/completions".parse().unwrap();
        let answer = soon(sender.send_request(ask)).await.unwrap();
        assert_eq!(answer.status(), 200);
        let taken = soon(http_body_util::BodyExt::collect(answer.into_body())).await;
        assert_eq!(taken.is_ok(), whole);
        drop(sender);
        let _ = soon(driving).await;
    }
    open.shut().await;
}

#[tokio::test]
async fn a_unix_socket_serves() {
    let world = World::new();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("s");
    let (stop, stopping) = watch::channel(false);
    let door = Door::Unix(UnixListener::bind(&path).unwrap());
    let serving = tokio::spawn(serve(world.gateway.clone(), door, "test".into(), tight(), stopping));
    let mut io = soon(UnixStream::connect(&path)).await.unwrap();
    assert!(is_healthy(&mut io).await);
    // The sender's end ends serving as well.
    drop(stop);
    soon(serving).await.unwrap();
}
