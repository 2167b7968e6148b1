//! A provider that does what a test says, over in-memory streams and simulated time; and requests that may be dispatched.

use std::{
    collections::VecDeque,
    io,
    pin::Pin,
    sync::{Arc, Mutex},
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;
use countersign_core::{
    Action, Call, Clock, Finding, Format, Judge, Lease, Principal, RequestId, Secret, Side, Timestamp,
    life::{Fingerprint, Identified, Intended, Peer, Permit, Permitted, Reserved, Screened, Stamps},
    principal::{Method, PrincipalKind},
};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, DuplexStream, ReadBuf, duplex},
    time::{Instant, sleep},
};

use crate::{BoxIo, Dial, Dialect, Dialing, ModelRoute, Provider, Target, Timeouts};

/// What one connection does.
#[derive(Clone)]
pub(super) enum Dialled {
    Refused,
    Never,
    /// For each request in turn, read whole: these acts. Closes afterwards.
    Serves(Vec<Vec<Act>>),
    /// Never pauses once it is asked: these bytes, then these over and over.
    Floods(Bytes, Bytes),
}

/// Always has something ready, once a request has been written.
struct Flood {
    asked: bool,
    next: Bytes,
    again: Bytes,
}

impl AsyncRead for Flood {
    fn poll_read(mut self: Pin<&mut Self>, _: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        if !self.asked {
            return Poll::Pending;
        }
        let fits = self.next.len().min(into.remaining());
        into.put_slice(&self.next.split_to(fits));
        if self.next.is_empty() {
            self.next = self.again.clone();
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Flood {
    fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.asked = true;
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

#[derive(Clone)]
pub(super) enum Act {
    Say(Bytes),
    Wait(Duration),
    /// Writes the bytes over and over until nobody reads.
    Repeat(Bytes),
    Hang,
}

pub(super) fn say(text: impl Into<Bytes>) -> Act {
    Act::Say(text.into())
}

pub(super) fn answer(status: u16, headers: &str, body: &str) -> Act {
    say(format!("HTTP/1.1 {status} X\r\n{headers}content-length: {}\r\n\r\n{body}", body.len()))
}

pub(super) fn json(body: &str) -> Vec<Act> {
    vec![answer(200, "content-type: application/json\r\n", body)]
}

pub(super) const STREAM: &str =
    "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream; charset=utf-8\r\ntransfer-encoding: chunked\r\n\r\n";

pub(super) fn chunk(data: &str) -> String {
    format!("{:x}\r\n{data}\r\n", data.len())
}

/// The world as a provider sees it: one script per dial, and every request that was read.
#[derive(Default)]
pub(super) struct World {
    dials: Mutex<VecDeque<(String, Dialled)>>,
    requests: Mutex<Vec<String>>,
}

impl World {
    pub(super) fn new(dials: impl IntoIterator<Item = (&'static str, Dialled)>) -> Arc<Self> {
        let dials = dials.into_iter().map(|(t, d)| (t.to_owned(), d)).collect();
        Arc::new(Self { dials: Mutex::new(dials), requests: Mutex::default() })
    }

    pub(super) fn one(acts: Vec<Act>) -> Arc<Self> {
        Self::new([("a", Dialled::Serves(vec![acts]))])
    }

    /// What was asked so far.
    pub(super) fn requests(&self) -> Vec<String> {
        self.requests.lock().unwrap().clone()
    }

    /// How many scripted dials have not happened.
    pub(super) fn left(&self) -> usize {
        self.dials.lock().unwrap().len()
    }

    async fn serve(&self, mut io: DuplexStream, exchanges: Vec<Vec<Act>>) -> io::Result<()> {
        for acts in exchanges {
            let request = read_request(&mut io).await?;
            self.requests.lock().unwrap().push(request);
            for act in acts {
                match act {
                    Act::Say(bytes) => io.write_all(&bytes).await?,
                    Act::Wait(span) => sleep(span).await,
                    Act::Repeat(bytes) => loop {
                        io.write_all(&bytes).await?;
                        sleep(Duration::from_millis(10)).await;
                    },
                    Act::Hang => std::future::pending().await,
                }
            }
        }
        Ok(())
    }
}

async fn read_request(io: &mut DuplexStream) -> io::Result<String> {
    let mut text = Vec::new();
    loop {
        if io.read_buf(&mut text).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let request = String::from_utf8_lossy(&text).into_owned();
        if let Some((head, body)) = request.split_once("\r\n\r\n") {
            let length = head.lines().find_map(|l| l.strip_prefix("content-length: ")).unwrap();
            if body.len() == length.parse::<usize>().unwrap() {
                return Ok(request);
            }
        }
    }
}

pub(super) struct Scripted(pub(super) Arc<World>);

impl Dial for Scripted {
    fn dial<'a>(&'a self, target: &'a Target) -> Dialing<'a> {
        Box::pin(async move {
            let (name, dialled) = self.0.dials.lock().unwrap().pop_front().expect("a dial more than scripted");
            assert_eq!(*name, *target.name, "another target was dialled");
            match dialled {
                Dialled::Refused => Err(io::ErrorKind::ConnectionRefused.into()),
                Dialled::Never => std::future::pending().await,
                Dialled::Floods(next, again) => Ok(Box::new(Flood { asked: false, next, again }) as BoxIo),
                Dialled::Serves(exchanges) => {
                    let (ours, theirs) = duplex(1 << 16);
                    let world = Arc::clone(&self.0);
                    tokio::spawn(async move { world.serve(theirs, exchanges).await });
                    Ok(Box::new(ours) as BoxIo)
                }
            }
        })
    }
}

/// A target that serves the model `m`.
pub(super) fn target(name: &str, dialect: Dialect) -> Target {
    Target {
        name: name.into(),
        dialect,
        base: "https://model.example/base".parse().unwrap(),
        key: Some(Secret::new("canary-key-7f3a".to_owned())),
        models: vec![ModelRoute { name: "m".into(), upstream: "m".into() }],
        timeouts: Timeouts::default(),
        ca: None,
        oldest_tls: Default::default(),
        connections: 4,
    }
}

pub(super) fn provider(world: &Arc<World>, targets: Vec<Target>) -> Provider {
    Provider::new(Stamps::issue().dispatch, targets, Arc::new(Scripted(Arc::clone(world))), clock()).unwrap()
}

/// Moves with tokio's clock, which tests move.
fn clock() -> Arc<dyn Clock> {
    let start = Instant::now();
    Arc::new(move || Timestamp(u64::try_from(start.elapsed().as_micros()).unwrap()))
}

struct Allow;

impl Judge for Allow {
    fn judge(&self, _: Side, _: &Finding) -> Action {
        Action::Allow
    }
}

/// A request that has been through every stage before this one.
pub(super) fn intended(format: Format, stream: bool, body: &str) -> Intended {
    let stamps = Stamps::issue();
    let principal = Principal {
        tenant: "t".into(),
        subject: "s".into(),
        kind: PrincipalKind::Service,
        roles: [].into(),
        scopes: [].into(),
        credential: "k".into(),
        method: Method::ApiKey,
        claims: None,
        session: None,
        lease: Arc::new(Lease::new(None)),
    };
    let request = RequestId::new(Timestamp(0), [7; 10]);
    let identified = Identified::new(&stamps.identify, request, Timestamp(0), Peer::default(), Arc::new(principal));
    let model = "m".into();
    let call = Call { format, model, stream, max_tokens: None, tools: vec![], attachments: 0 };
    let permit = Permit { judge: Arc::new(Allow), reason: "".into() };
    let permitted = Permitted::new(&stamps.permit, identified, call, permit);
    let reserved = Reserved::new(&stamps.reserve, permitted, Box::new(()));
    let body = Bytes::copy_from_slice(body.as_bytes());
    let screened = Screened::new(&stamps.screen, reserved, body, vec![], Fingerprint::default());
    Intended::new(&stamps.intend, screened, 0)
}
