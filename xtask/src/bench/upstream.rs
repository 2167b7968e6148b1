//! The provider of the benchmark: reads a request, writes a fixed answer. It parses nothing it need not, so that what is
//! measured is what stands before it.

use std::net::SocketAddr;

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};

/// How many events a streamed answer has, besides its last.
pub(super) const EVENTS: usize = 53;

/// How an answer is written.
#[derive(Clone, Copy)]
pub(super) enum Answer {
    /// In one piece, with its length.
    Whole,
    /// As a stream, one write an event, as a model server does it: a proxy that is quick enough sees every event by itself.
    Apart,
    /// As a stream whose events are ready together, as they are behind a slow link or a busy proxy.
    Together,
}

impl Answer {
    pub(super) const ALL: [Self; 3] = [Self::Whole, Self::Apart, Self::Together];

    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Whole => "whole",
            Self::Apart => "stream, events apart",
            Self::Together => "stream, events together",
        }
    }

    /// The model to ask for and whether to ask for a stream.
    pub(super) const fn asking(self) -> (&'static str, bool) {
        match self {
            Self::Whole => ("bench", false),
            Self::Apart => ("bench", true),
            Self::Together => ("bench-together", true),
        }
    }

    fn asked(body: &[u8]) -> Self {
        let head = &body[..body.len().min(64)];
        let says = |text: &str| head.windows(text.len()).any(|w| w == text.as_bytes());
        match (says("\"stream\":true"), says("bench-together")) {
            (false, _) => Self::Whole,
            (true, false) => Self::Apart,
            (true, true) => Self::Together,
        }
    }
}

/// Serves on a loopback port until the process ends.
pub(super) async fn open() -> anyhow::Result<SocketAddr> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    tokio::spawn(async move {
        while let Ok((io, _)) = listener.accept().await {
            let _ = io.set_nodelay(true);
            // A connection that breaks off is the subject's affair; the load notices.
            tokio::spawn(async move { drop(serve(io).await) });
        }
    });
    Ok(address)
}

async fn serve(mut io: TcpStream) -> std::io::Result<()> {
    let (whole, events) = (whole(), events());
    let together = events.concat();
    let mut buffer = Vec::with_capacity(64 * 1024);
    loop {
        let (end, answer) = loop {
            if let Some(found) = request(&buffer) {
                break found;
            }
            if io.read_buf(&mut buffer).await? == 0 {
                return Ok(());
            }
        };
        buffer.drain(..end);
        match answer {
            Answer::Whole => io.write_all(&whole).await?,
            Answer::Apart => {
                io.write_all(STREAM).await?;
                for event in &events {
                    io.write_all(event).await?;
                }
                io.write_all(b"0\r\n\r\n").await?;
            }
            Answer::Together => {
                io.write_all(STREAM).await?;
                io.write_all(&together).await?;
                io.write_all(b"0\r\n\r\n").await?;
            }
        }
    }
}

/// Where the first request in the buffer ends and what it asks for; none while it is incomplete.
fn request(buffer: &[u8]) -> Option<(usize, Answer)> {
    let head = buffer.windows(4).position(|w| w == b"\r\n\r\n")? + 4;
    let text = String::from_utf8_lossy(&buffer[..head]).to_ascii_lowercase();
    if text.contains("transfer-encoding: chunked") {
        let end = head + buffer[head..].windows(5).position(|w| w == b"0\r\n\r\n")? + 5;
        return Some((end, Answer::asked(&buffer[head..end])));
    }
    let length: usize = text.split("content-length:").nth(1)?.split("\r\n").next()?.trim().parse().ok()?;
    let end = head + length;
    (buffer.len() >= end).then(|| (end, Answer::asked(&buffer[head..end])))
}

/// A whole answer of about 1 KB.
fn whole() -> Vec<u8> {
    let text = super::words(900);
    let body = format!(
        r#"{{"id":"chatcmpl-1","object":"chat.completion","created":1700000000,"model":"bench","choices":[{{"index":0,"message":{{"role":"assistant","content":"{text}"}},"finish_reason":"stop"}}],"usage":{{"prompt_tokens":200,"completion_tokens":180,"total_tokens":380}}}}"#
    );
    format!("HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}", body.len())
        .into_bytes()
}

/// The chunks of a streamed answer, framing included.
fn events() -> Vec<Vec<u8>> {
    let text = super::words(EVENTS * 18);
    let mut words = text.split_inclusive(' ');
    let chunk = |data: &str| format!("{:x}\r\n{data}\r\n", data.len()).into_bytes();
    let mut all: Vec<_> = (0..EVENTS)
        .map(|_| {
            let piece: String = words.by_ref().take(3).collect();
            chunk(&format!(
                "data: {{\"id\":\"chatcmpl-1\",\"object\":\"chat.completion.chunk\",\"created\":1700000000,\"model\":\"bench\",\"choices\":[{{\"index\":0,\"delta\":{{\"content\":\"{piece}\"}},\"finish_reason\":null}}]}}\n\n"
            ))
        })
        .collect();
    all.push(chunk("data: [DONE]\n\n"));
    all
}

const STREAM: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n";
