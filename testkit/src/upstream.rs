//! A provider that does as it is told: raw HTTP/1.1 on loopback, scripted piece by piece, faults included.

use std::{
    io::{Read, Write},
    net::{Shutdown, SocketAddr, TcpListener, TcpStream},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
};

use serde_json::{Value, json};

use crate::{
    Gate, PATIENCE, chat_answer,
    http::{Framing, Reader, framing, parse},
};

/// A request that reached the provider.
#[derive(Clone, Debug)]
pub struct Asked {
    /// The method.
    pub method: String,
    /// Path and query.
    pub path: String,
    /// The head as it came.
    pub head: String,
    /// The body, its framing taken off.
    pub body: Vec<u8>,
}

impl Asked {
    /// The body as text.
    #[must_use]
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The body as JSON; null when it is none.
    #[must_use]
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }
}

/// What the provider does with a request, step by step. The connection serves on after the last step, unless a step ended it.
#[derive(Clone, Debug, Default)]
pub struct Reply(Vec<Step>);

#[derive(Clone, Debug)]
enum Step {
    Send(Vec<u8>),
    Wait(Gate),
    Open(Gate),
    Close,
    Reset,
    UntilGone(Gate),
    Forever(Vec<u8>),
}

impl Reply {
    /// Nothing yet; the connection stays open and silent.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// A whole answer.
    #[must_use]
    pub fn json(status: u16, body: &Value) -> Self {
        Self::raw(with_length(status, "application/json", body.to_string().as_bytes()))
    }

    /// A chat answer or a message that says `text`, as it was asked for: whole, or in a stream one character to an event.
    #[must_use]
    pub fn saying(asked: &Asked, text: &str) -> Self {
        let body = asked.json();
        let usage = json!({"input_tokens": 9, "output_tokens": 9});
        match (asked.path.as_str(), body["stream"] == json!(true)) {
            ("/v1/messages", false) => Self::json(
                200,
                &json!({"id": "msg_1", "type": "message", "role": "assistant", "model": "c",
                    "content": [{"type": "text", "text": text}], "stop_reason": "end_turn", "usage": usage}),
            ),
            ("/v1/messages", true) => {
                let event = |kind: &str, mut data: Value| {
                    data["type"] = kind.into();
                    format!("event: {kind}\ndata: {data}\n\n")
                };
                let start = json!({"message": {"id": "msg_1", "type": "message", "role": "assistant", "model": "c",
                    "content": [], "stop_reason": null, "usage": usage}});
                let block = json!({"index": 0, "content_block": {"type": "text", "text": ""}});
                let delta = |c: char| json!({"index": 0, "delta": {"type": "text_delta", "text": c.to_string()}});
                let mut events = vec![event("message_start", start), event("content_block_start", block)];
                events.extend(text.chars().map(|c| event("content_block_delta", delta(c))));
                events.push(event("content_block_stop", json!({"index": 0})));
                events.push(event("message_delta", json!({"delta": {"stop_reason": "end_turn"}, "usage": usage})));
                events.push(event("message_stop", json!({})));
                Self::events(events)
            }
            (_, false) => Self::json(
                200,
                &json!({"id": "chatcmpl-1", "object": "chat.completion", "created": 1, "model": "m",
                    "choices": [{"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": "stop"}]}),
            ),
            (_, true) => {
                let chunk = |delta: Value, finish: Value| {
                    let choices = json!([{"index": 0, "delta": delta, "finish_reason": finish}]);
                    let chunk = json!({"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": "m", "choices": choices});
                    format!("data: {chunk}\n\n")
                };
                let mut events: Vec<_> =
                    text.chars().map(|c| chunk(json!({"content": c.to_string()}), Value::Null)).collect();
                events.push(chunk(json!({}), json!("stop")));
                events.push("data: [DONE]\n\n".to_owned());
                Self::events(events)
            }
        }
    }

    /// Bytes as they are, head included.
    #[must_use]
    pub fn raw(bytes: impl Into<Vec<u8>>) -> Self {
        Self::new().send(bytes)
    }

    /// A stream of events, each a piece and a chunk of its own. The events hold their blank lines.
    #[must_use]
    pub fn events<E: AsRef<[u8]>>(events: impl IntoIterator<Item = E>) -> Self {
        let mut reply = Self::raw(event_stream());
        for event in events {
            reply = reply.send(chunked(event.as_ref()));
        }
        reply.send(chunked(b""))
    }

    /// Then sends bytes.
    #[must_use]
    pub fn send(self, bytes: impl Into<Vec<u8>>) -> Self {
        self.then(Step::Send(bytes.into()))
    }

    /// Then waits until the test opens `gate`.
    #[must_use]
    pub fn wait(self, gate: &Gate) -> Self {
        self.then(Step::Wait(gate.clone()))
    }

    /// Then opens `gate`, for a test that waits for what was sent so far.
    #[must_use]
    pub fn open(self, gate: &Gate) -> Self {
        self.then(Step::Open(gate.clone()))
    }

    /// Then closes the connection in an orderly way.
    #[must_use]
    pub fn close(self) -> Self {
        self.then(Step::Close)
    }

    /// Then resets the connection.
    #[must_use]
    pub fn reset(self) -> Self {
        self.then(Step::Reset)
    }

    /// Then sends nothing more and opens `gate` once the gateway has let go of the connection.
    #[must_use]
    pub fn until_gone(self, gate: &Gate) -> Self {
        self.then(Step::UntilGone(gate.clone()))
    }

    /// Then sends the same bytes again and again until the gateway lets go of the connection.
    #[must_use]
    pub fn forever(self, bytes: impl Into<Vec<u8>>) -> Self {
        self.then(Step::Forever(bytes.into()))
    }

    fn then(mut self, step: Step) -> Self {
        self.0.push(step);
        self
    }
}

/// A provider on loopback. It lives as long as the test process.
#[derive(Clone)]
pub struct Upstream {
    address: SocketAddr,
    seen: Arc<Mutex<Vec<Asked>>>,
    connections: Arc<AtomicUsize>,
}

impl Upstream {
    /// Starts a provider whose streams say something and then nothing more.
    #[must_use]
    pub fn silent() -> Self {
        Self::after_some_words(|reply| reply.wait(&Gate::new()))
    }

    /// Starts a provider whose streams say something and go on as `then` says.
    #[must_use]
    pub fn after_some_words(then: impl Fn(Reply) -> Reply + Send + Sync + 'static) -> Self {
        Self::start(move |asked| {
            if asked.json()["stream"] != true {
                return Reply::json(200, &chat_answer("hello"));
            }
            let text = "An ordinary sentence, and a good long one. ";
            let chunk = json!({"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "m",
                               "choices": [{"index": 0, "delta": {"content": text}, "finish_reason": null}]});
            let event = chunked(format!("data: {chunk}\n\n").as_bytes());
            then((0..20).fold(Reply::raw(event_stream()), |reply, _| reply.send(event.clone())))
        })
    }

    /// Starts a provider that answers by `script`, on connections that may run at the same time.
    ///
    /// # Panics
    /// When loopback has no free port.
    pub fn start(script: impl Fn(&Asked) -> Reply + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("loopback has a free port");
        let address = listener.local_addr().expect("a bound socket");
        let upstream = Self { address, seen: Arc::default(), connections: Arc::default() };
        let script = Arc::new(script);
        let mine = upstream.clone();
        thread::spawn(move || {
            for io in listener.incoming().flatten() {
                mine.connections.fetch_add(1, Ordering::Relaxed);
                let (mine, script) = (mine.clone(), script.clone());
                thread::spawn(move || mine.connection(io, &*script));
            }
        });
        upstream
    }

    /// Its base address, for a configuration.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Its address.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The requests that arrived whole, oldest first.
    #[must_use]
    pub fn seen(&self) -> Vec<Asked> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Connections accepted so far.
    #[must_use]
    pub fn connections(&self) -> usize {
        self.connections.load(Ordering::Relaxed)
    }

    fn connection(&self, mut io: TcpStream, script: &dyn Fn(&Asked) -> Reply) {
        let _ = io.set_nodelay(true);
        let mut reader = Reader::default();
        while let Ok(Some(head)) = reader.head(&mut io) {
            let (first, headers) = parse(&head);
            let (body, whole) = reader.body(&mut io, &framing(&headers).unwrap_or(Framing::Length(0)));
            if !whole {
                return;
            }
            let mut words = first.split(' ').map(str::to_owned);
            let (method, path) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
            let asked = Asked { method, path, head, body };
            let reply = script(&asked);
            self.seen.lock().unwrap_or_else(PoisonError::into_inner).push(asked);
            for step in reply.0 {
                if !carry_out(step, &mut io) {
                    return;
                }
            }
        }
    }
}

/// Carries out one step; whether the connection goes on.
fn carry_out(step: Step, io: &mut TcpStream) -> bool {
    match step {
        Step::Send(bytes) => io.write_all(&bytes).is_ok(),
        Step::Wait(gate) => gate.wait(),
        Step::Open(gate) => {
            gate.open();
            true
        }
        Step::Close => {
            let _ = io.shutdown(Shutdown::Both);
            false
        }
        Step::Reset => {
            // Without lingering, closing discards what is unsent and resets.
            let _ = rustix::net::sockopt::set_socket_linger(&*io, Some(std::time::Duration::ZERO));
            false
        }
        Step::UntilGone(gate) => {
            let _ = io.set_read_timeout(Some(PATIENCE));
            while matches!(io.read(&mut [0; 1024]), Ok(n) if n > 0) {}
            gate.open();
            false
        }
        Step::Forever(bytes) => {
            while io.write_all(&bytes).is_ok() {}
            false
        }
    }
}

/// A response with a length.
#[must_use]
pub fn with_length(status: u16, kind: &str, body: &[u8]) -> Vec<u8> {
    let mut out =
        format!("HTTP/1.1 {status} Scripted\r\ncontent-type: {kind}\r\ncontent-length: {}\r\n\r\n", body.len())
            .into_bytes();
    out.extend_from_slice(body);
    out
}

/// The head of a stream of events in chunks.
#[must_use]
pub fn event_stream() -> Vec<u8> {
    b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n".to_vec()
}

/// One chunk; the last one when empty.
#[must_use]
pub fn chunked(bytes: &[u8]) -> Vec<u8> {
    let mut out = format!("{:x}\r\n", bytes.len()).into_bytes();
    out.extend_from_slice(bytes);
    out.extend_from_slice(b"\r\n");
    out
}
