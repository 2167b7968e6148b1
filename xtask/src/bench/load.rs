//! The callers of the benchmark: so many connections, each asking as fast as it is answered.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use anyhow::{Context, ensure};
use rustls::{ClientConfig, pki_types::ServerName};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::TcpStream,
    time::Instant,
};
use tokio_rustls::TlsConnector;

/// What to ask for.
#[derive(Clone)]
pub(super) struct Ask {
    pub(super) address: SocketAddr,
    pub(super) tls: Option<Arc<ClientConfig>>,
    /// The whole request, head and body.
    pub(super) request: Arc<[u8]>,
    /// What every answer must hold, so that no refusal is counted.
    pub(super) must_hold: &'static [u8],
}

/// Connections at once.
pub(super) const CONNECTIONS: usize = 16;

/// Asks for `time` on [`CONNECTIONS`] connections; how many answers came.
pub(super) async fn drive(ask: &Ask, time: Duration) -> anyhow::Result<u64> {
    let until = Instant::now() + time;
    let workers: Vec<_> = (0..CONNECTIONS)
        .map(|_| {
            let ask = ask.clone();
            tokio::spawn(async move {
                let io = TcpStream::connect(ask.address).await.context("cannot connect")?;
                io.set_nodelay(true)?;
                match &ask.tls {
                    None => repeat(io, &ask, until).await,
                    Some(tls) => {
                        let name = ServerName::try_from("localhost")?;
                        repeat(TlsConnector::from(tls.clone()).connect(name, io).await?, &ask, until).await
                    }
                }
            })
        })
        .collect();
    let mut answers = 0;
    for worker in workers {
        answers += worker.await??;
    }
    Ok(answers)
}

async fn repeat<S: AsyncRead + AsyncWrite + Unpin>(mut io: S, ask: &Ask, until: Instant) -> anyhow::Result<u64> {
    let mut answers = 0;
    let mut buffer = Vec::with_capacity(64 * 1024);
    while Instant::now() < until {
        io.write_all(&ask.request).await?;
        io.flush().await?;
        buffer.clear();
        while !complete(&buffer)? {
            ensure!(io.read_buf(&mut buffer).await? > 0, "the connection was closed in an answer");
        }
        if answers == 0 {
            let holds = buffer.windows(ask.must_hold.len()).any(|w| w == ask.must_hold);
            ensure!(holds, "not the expected answer: {}", String::from_utf8_lossy(&buffer[..buffer.len().min(600)]));
        }
        answers += 1;
    }
    Ok(answers)
}

/// Whether the buffer holds a whole answer. Refuses anything but 200.
fn complete(buffer: &[u8]) -> anyhow::Result<bool> {
    let Some(head) = buffer.windows(4).position(|w| w == b"\r\n\r\n").map(|at| at + 4) else { return Ok(false) };
    ensure!(
        buffer.starts_with(b"HTTP/1.1 200"),
        "refused: {}",
        String::from_utf8_lossy(&buffer[..buffer.len().min(600)])
    );
    let text = &buffer[..head];
    if let Some(length) = header(text, b"content-length: ") {
        let length: usize = std::str::from_utf8(length)?.trim().parse()?;
        return Ok(buffer.len() >= head + length);
    }
    Ok(buffer.ends_with(b"0\r\n\r\n"))
}

fn header<'a>(head: &'a [u8], name: &[u8]) -> Option<&'a [u8]> {
    let at = head.windows(name.len()).position(|w| w.eq_ignore_ascii_case(name))? + name.len();
    head[at..].split(|b| *b == b'\r').next()
}
