//! A caller, straight at the assistant or through the gateway.

use std::{
    net::SocketAddr,
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::Context;
use bytes::Bytes;
use countersign_http1::{Connection, RequestHead};
use rustls::{ClientConfig, pki_types::ServerName};
use serde_json::Value;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
};
use tokio_rustls::TlsConnector;

trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

/// What came back.
pub(super) struct Heard {
    pub(super) status: u16,
    /// All text the caller can put together: content, tool arguments, errors.
    pub(super) text: String,
}

/// A caller that keeps its connection.
pub(super) struct Client {
    address: SocketAddr,
    tls: Option<Arc<ClientConfig>>,
    open: Option<Connection<Box<dyn Stream>>>,
}

impl Client {
    pub(super) fn new(address: SocketAddr, tls: Option<Arc<ClientConfig>>) -> Self {
        Self { address, tls, open: None }
    }

    /// One chat exchange.
    pub(super) async fn chat(&mut self, key: Option<&str>, body: String) -> anyhow::Result<Heard> {
        let (status, said) = self.post("/v1/chat/completions", key, body).await?;
        Ok(Heard { status, text: assemble(&said) })
    }

    /// Posts JSON: the status and what comes back.
    pub(super) async fn post(&mut self, path: &str, key: Option<&str>, body: String) -> anyhow::Result<(u16, String)> {
        let mut connection = match self.open.take().filter(Connection::reusable) {
            Some(connection) => connection,
            None => Connection::new(self.dial().await.context("cannot connect")?),
        };
        let mut head = RequestHead::new("POST", path, "localhost")?;
        if !body.is_empty() {
            head = head.header("content-type", "application/json")?;
        }
        if let Some(key) = key {
            head = head.header("authorization", &format!("Bearer {key}"))?;
        }
        let answer = connection.send(&head, Bytes::from(body)).await?;
        let status = answer.status();
        let mut said = Vec::new();
        while let Some(piece) = connection.read(64 * 1024).await? {
            said.extend_from_slice(&piece);
        }
        self.open = Some(connection);
        Ok((status, String::from_utf8_lossy(&said).into_owned()))
    }

    /// Begins a stream, has `interrupt` done once some of the answer is there, and reads to the end: what came afterwards, and
    /// how long after the interruption the last of it did.
    pub(super) async fn interrupted(
        &mut self,
        key: &str,
        body: String,
        interrupt: impl Future<Output = anyhow::Result<()>>,
    ) -> anyhow::Result<(String, Duration)> {
        let mut connection = Connection::new(self.dial().await.context("cannot connect")?);
        let head = RequestHead::new("POST", "/v1/chat/completions", "localhost")?
            .header("content-type", "application/json")?
            .header("authorization", &format!("Bearer {key}"))?;
        connection.send(&head, Bytes::from(body)).await?;
        connection.read(64 * 1024).await?.context("the stream ends before it begins")?;
        let start = Instant::now();
        interrupt.await?;
        let (mut after, mut last) = (Vec::new(), start);
        // A stream that is cut has no end of its own.
        while let Ok(Some(piece)) = connection.read(64 * 1024).await {
            after.extend_from_slice(&piece);
            last = Instant::now();
        }
        Ok((assemble(&String::from_utf8_lossy(&after)), last - start))
    }

    async fn dial(&self) -> anyhow::Result<Box<dyn Stream>> {
        let io = TcpStream::connect(self.address).await?;
        io.set_nodelay(true)?;
        Ok(match &self.tls {
            None => Box::new(io),
            Some(tls) => {
                let name = ServerName::try_from("localhost")?;
                Box::new(TlsConnector::from(tls.clone()).connect(name, io).await?)
            }
        })
    }
}

/// Everything an answer says, whole or from its events.
fn assemble(said: &str) -> String {
    let mut text = String::new();
    let parts: Vec<&str> = if said.starts_with('{') { vec![said] } else { said.split("data: ").collect() };
    for value in parts.iter().filter_map(|p| serde_json::from_str::<Value>(p.trim()).ok()) {
        text += value["error"]["message"].as_str().unwrap_or_default();
        for choice in value["choices"].as_array().into_iter().flatten() {
            for message in [&choice["message"], &choice["delta"]] {
                text += message["content"].as_str().unwrap_or_default();
                for call in message["tool_calls"].as_array().into_iter().flatten() {
                    text += call["function"]["arguments"].as_str().unwrap_or_default();
                }
            }
        }
    }
    text
}
