//! A connection that mends itself, for many callers at once.
//!
//! INVARIANT: no call waits longer than [`PATIENCE`]. A server that does not answer is as good as none, and its connection is given
//! up: a late reply would be taken for another's.

use std::{collections::VecDeque, future::Future, io, pin::Pin, sync::Arc, time::Duration};

use countersign_core::Secret;
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    sync::{mpsc, oneshot},
    time::{Instant, sleep, timeout, timeout_at},
};

use crate::resp::{Reader, Value, command};

/// A stream to the server.
pub trait Io: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin + ?Sized> Io for T {}

/// Opens a stream to the server, by TLS where that is needed.
pub type Connect = Arc<dyn Fn() -> Connecting + Send + Sync>;

/// What [`Connect`] gives.
pub type Connecting = Pin<Box<dyn Future<Output = io::Result<Box<dyn Io>>> + Send>>;

/// Whom to log in as, where the server asks.
#[derive(Clone, Debug)]
pub struct Login {
    /// The user, or the server's default.
    pub user: Option<String>,
    /// The password.
    pub password: Secret<String>,
}

/// The server cannot be asked, or says no.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("redis {0}")]
pub struct Away(pub(crate) &'static str);

impl Away {
    /// Why.
    #[must_use]
    pub const fn why(self) -> &'static str {
        self.0
    }
}

/// A client. Clones share one connection.
#[derive(Clone)]
pub struct Client {
    calls: mpsc::Sender<Call>,
}

struct Call {
    bytes: Vec<u8>,
    by: Instant,
    answer: oneshot::Sender<Value>,
}

impl Client {
    /// A client whose connection is made, and made again, in the background. To be called within a runtime.
    #[must_use]
    pub fn new(connect: Connect, login: Option<Login>) -> Self {
        let (calls, inbox) = mpsc::channel(QUEUE);
        tokio::spawn(run(connect, login, inbox));
        Self { calls }
    }

    /// Asks the server.
    ///
    /// # Errors
    /// [`Away`] when it does not answer in time or answers with an error. It may have done what was asked all the same.
    pub async fn call(&self, words: &[&[u8]]) -> Result<Value, Away> {
        let by = Instant::now() + PATIENCE;
        let (answer, answered) = oneshot::channel();
        let call = Call { bytes: command(words), by, answer };
        let asked = async {
            self.calls.send(call).await.ok()?;
            answered.await.ok()
        };
        match timeout_at(by, asked).await {
            Err(_) => Err(Away("does not answer in time")),
            Ok(None) => Err(Away("cannot be reached")),
            Ok(Some(Value::Error(text))) => {
                tracing::error!(error = text, "redis refuses a command");
                Err(Away("refuses a command"))
            }
            Ok(Some(value)) => Ok(value),
        }
    }
}

/// Serves calls until the last client is gone.
async fn run(connect: Connect, login: Option<Login>, mut inbox: mpsc::Receiver<Call>) {
    let mut told = false;
    while !inbox.is_closed() {
        match open(&connect, login.as_ref()).await {
            Ok((stream, reader)) => {
                tracing::info!("connected to redis");
                told = false;
                serve(stream, reader, &mut inbox).await;
                if !inbox.is_closed() {
                    tracing::error!("the connection to redis is lost");
                }
            }
            Err(error) => {
                if !std::mem::replace(&mut told, true) {
                    tracing::error!(%error, "redis cannot be reached");
                }
            }
        }
        // Whoever waits meanwhile is told at once that nobody is there.
        let pause = sleep(PAUSE);
        tokio::pin!(pause);
        loop {
            tokio::select! {
                () = &mut pause => break,
                call = inbox.recv() => if call.is_none() { return },
            }
        }
    }
}

/// Connects and logs in.
async fn open(connect: &Connect, login: Option<&Login>) -> io::Result<(Box<dyn Io>, Reader)> {
    let mut stream = timeout(CONNECT, connect()).await.map_err(|_| io::ErrorKind::TimedOut)??;
    let mut reader = Reader::default();
    if let Some(Login { user, password }) = login {
        let user = user.as_deref().unwrap_or("default");
        stream.write_all(&command(&[b"AUTH", user.as_bytes(), password.expose().as_bytes()])).await?;
        let said = timeout(CONNECT, read(&mut stream, &mut reader)).await.map_err(|_| io::ErrorKind::TimedOut)??;
        if said != Value::Line("OK".into()) {
            return Err(io::Error::other("the log-in was refused"));
        }
    }
    Ok((stream, reader))
}

async fn read(stream: &mut (impl AsyncRead + Unpin), reader: &mut Reader) -> io::Result<Value> {
    let mut buffer = [0; 16 << 10];
    loop {
        if let Some(value) = reader.next_reply().map_err(io::Error::other)? {
            return Ok(value);
        }
        match stream.read(&mut buffer).await? {
            0 => return Err(io::ErrorKind::UnexpectedEof.into()),
            n => reader.push(buffer.get(..n).unwrap_or_default()),
        }
    }
}

/// Sends calls as they come and hands replies back in that order, until the connection fails.
async fn serve(stream: Box<dyn Io>, mut reader: Reader, inbox: &mut mpsc::Receiver<Call>) {
    let (mut from, mut to) = tokio::io::split(stream);
    let mut waiting: VecDeque<(Instant, oneshot::Sender<Value>)> = VecDeque::new();
    let mut out = Vec::new();
    loop {
        let overdue = waiting.front().map(|(by, _)| *by);
        tokio::select! {
            call = inbox.recv(), if waiting.len() < QUEUE => {
                let Some(call) = call else { return };
                let last = call.by;
                for call in std::iter::once(call).chain(std::iter::from_fn(|| inbox.try_recv().ok()).take(QUEUE)) {
                    out.extend_from_slice(&call.bytes);
                    waiting.push_back((call.by, call.answer));
                }
                if !matches!(timeout_at(last, to.write_all(&out)).await, Ok(Ok(()))) {
                    return;
                }
                out.clear();
            }
            reply = read(&mut from, &mut reader) => match (reply, waiting.pop_front()) {
                // Nobody may be waiting for it any more.
                (Ok(value), Some((_, answer))) => drop(answer.send(value)),
                _ => return,
            },
            () = overdue_at(overdue) => return,
        }
    }
}

async fn overdue_at(when: Option<Instant>) {
    match when {
        Some(when) => tokio::time::sleep_until(when).await,
        None => std::future::pending().await,
    }
}

/// What others announce on a channel. Whatever is announced while there is no connection is missed.
pub struct Announcements {
    inbox: mpsc::Receiver<Vec<u8>>,
}

impl Announcements {
    /// Listens in the background, on a connection of its own. To be called within a runtime.
    #[must_use]
    pub fn new(connect: Connect, login: Option<Login>, channel: &'static str) -> Self {
        let (heard, inbox) = mpsc::channel(QUEUE);
        tokio::spawn(async move {
            while !heard.is_closed() {
                if let Ok((mut stream, mut reader)) = open(&connect, login.as_ref()).await
                    && stream.write_all(&command(&[b"SUBSCRIBE", channel.as_bytes()])).await.is_ok()
                {
                    // The first thing that is heard is that one listens, which is worth a look as well: something was missed.
                    let mut asked = false;
                    loop {
                        match timeout(SILENCE, read(&mut stream, &mut reader)).await {
                            Ok(Ok(Value::Many(parts))) => {
                                asked = false;
                                let what = match parts.into_iter().next_back() {
                                    Some(Value::Bytes(what)) => what,
                                    _ => Vec::new(),
                                };
                                if heard.send(what).await.is_err() {
                                    return;
                                }
                            }
                            // A connection can be gone without a word. Its answer is heard like an announcement, which does no harm.
                            Err(_) if !asked && stream.write_all(&command(&[b"PING"])).await.is_ok() => asked = true,
                            _ => break,
                        }
                    }
                }
                sleep(PAUSE).await;
            }
        });
        Self { inbox }
    }

    /// Waits for the next; empty for one that may stand for several that were missed. None when it cannot come.
    pub async fn next(&mut self) -> Option<Vec<u8>> {
        self.inbox.recv().await
    }
}

/// How long an answer may take.
const PATIENCE: Duration = Duration::from_millis(1_000);
/// How long a connection may take.
const CONNECT: Duration = Duration::from_secs(1);
/// How long nothing may be announced before the server is asked whether it is there.
const SILENCE: Duration = Duration::from_secs(5);
/// Between two tries to connect.
const PAUSE: Duration = Duration::from_millis(100);
/// Calls that wait at once.
const QUEUE: usize = 4_096;

#[cfg(test)]
pub(crate) mod tests;
