//! HTTP/1.1 as bytes: just enough to write requests and to read messages, and nothing that mends what is broken.

use std::io::{self, Read};

use serde_json::Value;

/// A response as it came.
#[derive(Clone, Debug)]
pub struct Answer {
    /// The status.
    pub status: u16,
    /// Names (lower case) and values, in order.
    pub headers: Vec<(String, String)>,
    /// The body, its framing taken off.
    pub body: Vec<u8>,
    /// Whether the body ended as its framing promised, rather than by a connection that broke.
    pub complete: bool,
}

impl Answer {
    /// The first header of this name.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }

    /// The body as text, whatever it is.
    #[must_use]
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The body as JSON; null when it is none.
    #[must_use]
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }

    /// The gateway's stable code, where the answer is a refusal: `CS0202`.
    #[must_use]
    pub fn code(&self) -> Option<String> {
        let text = self.text();
        let at = text.find("CS0").or_else(|| text.find("CS1"))?;
        text.get(at..at + 6).map(str::to_owned)
    }
}

/// A request as bytes: `headers` are added to host and content-length, the body as it is.
#[must_use]
pub fn request(method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Vec<u8> {
    let mut out = format!("{method} {path} HTTP/1.1\r\nhost: localhost\r\n");
    for (name, value) in headers {
        out.push_str(&format!("{name}: {value}\r\n"));
    }
    out.push_str(&format!("content-length: {}\r\n\r\n", body.len()));
    let mut out = out.into_bytes();
    out.extend_from_slice(body);
    out
}

/// Bytes of a connection, read as messages.
#[derive(Debug, Default)]
pub(crate) struct Reader {
    /// Bytes read and not used yet.
    pending: Vec<u8>,
}

/// How a body's end is known.
pub(crate) enum Framing {
    Length(usize),
    Chunked,
    UntilClose,
}

impl Reader {
    /// Reads until the blank line after a head; none when the connection ended before one.
    pub(crate) fn head(&mut self, io: &mut dyn Read) -> io::Result<Option<String>> {
        loop {
            if let Some(end) = find(&self.pending, b"\r\n\r\n") {
                let head: Vec<u8> = self.pending.drain(..end + 4).collect();
                return Ok(Some(String::from_utf8_lossy(&head[..end]).into_owned()));
            }
            if self.fill(io)? == 0 {
                return Ok(None);
            }
        }
    }

    /// Reads a body; the second value says whether it ended as promised.
    pub(crate) fn body(&mut self, io: &mut dyn Read, framing: &Framing) -> (Vec<u8>, bool) {
        let mut body = Vec::new();
        match framing {
            Framing::Length(length) => {
                while self.pending.len() < *length {
                    if !matches!(self.fill(io), Ok(n) if n > 0) {
                        return (std::mem::take(&mut self.pending), false);
                    }
                }
                body.extend(self.pending.drain(..*length));
                (body, true)
            }
            Framing::Chunked => {
                while let Some(size) = self.line(io).and_then(|line| usize::from_str_radix(line.trim(), 16).ok()) {
                    let (chunk, whole) = self.body(io, &Framing::Length(size));
                    body.extend(chunk);
                    if !whole || self.line(io).is_none() {
                        return (body, false);
                    }
                    if size == 0 {
                        return (body, true);
                    }
                }
                (body, false)
            }
            Framing::UntilClose => {
                while matches!(self.fill(io), Ok(n) if n > 0) {}
                (std::mem::take(&mut self.pending), true)
            }
        }
    }

    /// Reads a response.
    pub(crate) fn answer(&mut self, io: &mut dyn Read) -> io::Result<Option<Answer>> {
        let Some(head) = self.head(io)? else { return Ok(None) };
        let (status, headers) = parse(&head);
        let status = status.split(' ').nth(1).and_then(|s| s.parse().ok()).unwrap_or(0);
        let framing = match framing(&headers) {
            _ if matches!(status, 100..=199 | 204 | 304) => Framing::Length(0),
            Some(framing) => framing,
            None => Framing::UntilClose,
        };
        let (body, complete) = self.body(io, &framing);
        Ok(Some(Answer { status, headers, body, complete }))
    }

    /// Everything until the connection ends or errs.
    pub(crate) fn rest(&mut self, io: &mut dyn Read) -> Vec<u8> {
        self.body(io, &Framing::UntilClose).0
    }

    /// Whatever comes next, at least one byte; empty at the end.
    pub(crate) fn some(&mut self, io: &mut dyn Read) -> io::Result<Vec<u8>> {
        if self.pending.is_empty() {
            self.fill(io)?;
        }
        Ok(std::mem::take(&mut self.pending))
    }

    fn line(&mut self, io: &mut dyn Read) -> Option<String> {
        loop {
            if let Some(end) = find(&self.pending, b"\r\n") {
                let line: Vec<u8> = self.pending.drain(..end + 2).collect();
                return Some(String::from_utf8_lossy(&line[..end]).into_owned());
            }
            if self.fill(io).ok()? == 0 {
                return None;
            }
        }
    }

    fn fill(&mut self, io: &mut dyn Read) -> io::Result<usize> {
        let mut buffer = [0; 16 * 1024];
        let read = match io.read(&mut buffer) {
            // A TLS peer that closes without saying so ends the bytes all the same.
            Err(e) if e.kind() == io::ErrorKind::UnexpectedEof => 0,
            read => read?,
        };
        self.pending.extend_from_slice(&buffer[..read]);
        Ok(read)
    }
}

/// First line and headers of a head.
pub(crate) fn parse(head: &str) -> (String, Vec<(String, String)>) {
    let mut lines = head.split("\r\n");
    let first = lines.next().unwrap_or_default().to_owned();
    let headers = lines
        .filter_map(|line| line.split_once(':'))
        .map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()))
        .collect();
    (first, headers)
}

/// How the body that belongs to these headers ends; none when they do not say.
pub(crate) fn framing(headers: &[(String, String)]) -> Option<Framing> {
    let value = |name: &str| headers.iter().find(|(n, _)| n == name).map(|(_, v)| v.as_str());
    if value("transfer-encoding").is_some_and(|v| v.eq_ignore_ascii_case("chunked")) {
        return Some(Framing::Chunked);
    }
    value("content-length").and_then(|v| v.parse().ok()).map(Framing::Length)
}

fn find(bytes: &[u8], what: &[u8]) -> Option<usize> {
    bytes.windows(what.len()).position(|w| w == what)
}
