//! HTTP/2 as frames: written as the test says, however wrong, and read just well enough to see what came of it.

use std::{io, net::SocketAddr, time::Duration};

use crate::{Client, Secure};

/// What a client says first.
pub const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// Types of frames (RFC 9113, 6).
pub mod kind {
    #![expect(missing_docs, reason = "they are the names of the RFC")]
    pub const DATA: u8 = 0;
    pub const HEADERS: u8 = 1;
    pub const PRIORITY: u8 = 2;
    pub const RST_STREAM: u8 = 3;
    pub const SETTINGS: u8 = 4;
    pub const PUSH_PROMISE: u8 = 5;
    pub const PING: u8 = 6;
    pub const GOAWAY: u8 = 7;
    pub const WINDOW_UPDATE: u8 = 8;
    pub const CONTINUATION: u8 = 9;
}

/// `END_STREAM`, or `ACK`.
pub const END_STREAM: u8 = 1;
/// `END_HEADERS`.
pub const END_HEADERS: u8 = 4;

/// One frame.
#[must_use]
pub fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap_or(u32::MAX).to_be_bytes();
    let mut out = vec![length[1], length[2], length[3], kind, flags];
    out.extend(stream.to_be_bytes());
    out.extend_from_slice(payload);
    out
}

/// One header, written out in full.
#[must_use]
pub fn field(name: impl AsRef<[u8]>, value: impl AsRef<[u8]>) -> Vec<u8> {
    let mut out = vec![0];
    for text in [name.as_ref(), value.as_ref()] {
        out.extend(integer(text.len(), 7));
        out.extend_from_slice(text);
    }
    out
}

/// A number with a prefix of that many bits (RFC 7541, 5.1); the bits before it are 0.
#[must_use]
pub fn integer(n: usize, bits: u32) -> Vec<u8> {
    let most = (1_usize << bits) - 1;
    if n < most {
        return vec![u8::try_from(n).unwrap_or_default()];
    }
    let mut out = vec![u8::try_from(most).unwrap_or_default()];
    let mut rest = n - most;
    while rest >= 128 {
        out.push(u8::try_from(rest % 128).unwrap_or_default() | 128);
        rest /= 128;
    }
    out.push(u8::try_from(rest).unwrap_or_default());
    out
}

/// What became of a connection and its streams, so far.
#[derive(Clone, Debug, Default)]
pub struct Seen {
    /// The gateway's `GOAWAY` and its code.
    pub goaway: Option<u32>,
    /// The connection has ended.
    pub ended: bool,
    /// Streams that were reset, and the code.
    pub resets: Vec<(u32, u32)>,
    /// Streams that ended in an orderly way.
    pub finished: Vec<u32>,
    /// The status of each stream that was answered; 0 where it is written in a way that is not read here.
    pub statuses: Vec<(u32, u16)>,
    /// What came in `DATA`.
    pub data: Vec<(u32, Vec<u8>)>,
    /// How many of our pings were answered.
    pub pongs: usize,
}

impl Seen {
    /// Whether a stream's fate is known.
    #[must_use]
    pub fn is_over(&self, stream: u32) -> bool {
        self.is_lost() || self.finished.contains(&stream) || self.resets.iter().any(|(s, _)| *s == stream)
    }

    /// Whether the connection is given up by the gateway.
    #[must_use]
    pub const fn is_lost(&self) -> bool {
        self.ended || matches!(self.goaway, Some(code) if code != 0)
    }

    /// A stream's status.
    #[must_use]
    pub fn status(&self, stream: u32) -> Option<u16> {
        self.statuses.iter().find(|(s, _)| *s == stream).map(|(_, status)| *status)
    }

    /// A stream's body.
    #[must_use]
    pub fn text(&self, stream: u32) -> String {
        let parts = self.data.iter().filter(|(s, _)| *s == stream);
        String::from_utf8_lossy(&parts.flat_map(|(_, d)| d.clone()).collect::<Vec<_>>()).into_owned()
    }
}

/// A connection that speaks HTTP/2 inside TLS.
#[derive(Debug)]
pub struct H2 {
    client: Client,
    bytes: Vec<u8>,
    seen: Seen,
    pings: usize,
}

impl H2 {
    /// Shakes hands, and says nothing yet.
    ///
    /// # Panics
    /// When the handshake fails or another protocol is agreed on.
    #[must_use]
    pub fn silent(address: SocketAddr, how: &Secure) -> Self {
        let client = Client::tls(address, &how.clone().offering("h2")).expect("a TLS handshake");
        assert_eq!(client.protocol().as_deref(), Some("h2"), "the listener speaks HTTP/2");
        Self { client, bytes: Vec::new(), seen: Seen::default(), pings: 0 }
    }

    /// Shakes hands, and says what a client says first.
    #[must_use]
    pub fn connect(address: SocketAddr, how: &Secure) -> Self {
        let mut connection = Self::silent(address, how);
        connection.send([PREFACE, &frame(kind::SETTINGS, 0, 0, &[])].concat());
        connection
    }

    /// Sends bytes. That the gateway has closed shows when reading.
    pub fn send(&mut self, bytes: impl AsRef<[u8]>) {
        let _ = self.client.send(bytes);
    }

    /// Sends the same bytes many times, taking in what comes meanwhile; stops when the gateway gives the connection up.
    pub fn flood(&mut self, times: usize, mut bytes: impl FnMut(usize) -> Vec<u8>) {
        let _ = self.client.socket().set_read_timeout(Some(Duration::from_millis(1)));
        let mut batch = Vec::new();
        for i in 0..times {
            batch.extend(bytes(i));
            if batch.len() > 32 << 10 || i + 1 == times {
                if self.client.send(&batch).is_err() {
                    break;
                }
                batch.clear();
                while matches!(self.read(), Ok(true)) {}
                if self.seen.is_lost() {
                    break;
                }
            }
        }
    }

    /// Reads until `enough`, or until the connection has ended.
    ///
    /// # Errors
    /// When neither comes.
    pub fn until(&mut self, enough: impl Fn(&Seen) -> bool) -> Result<&Seen, String> {
        let _ = self.client.socket().set_read_timeout(Some(Duration::from_secs(20)));
        while !enough(&self.seen) && !self.seen.ended {
            self.read().map_err(|_| format!("nothing more came: {:?}", self.seen))?;
        }
        Ok(&self.seen)
    }

    /// Pings, and reads until that is answered or the connection is lost.
    ///
    /// # Errors
    /// When neither comes.
    pub fn ping(&mut self) -> Result<&Seen, String> {
        self.pings += 1;
        let wanted = self.seen.pongs + 1;
        self.send(frame(kind::PING, 0, 0, b"countsig"));
        self.until(|seen| seen.pongs >= wanted || seen.is_lost())
    }

    /// Reads until the gateway gives the connection up.
    ///
    /// # Errors
    /// When it does not.
    pub fn lost(&mut self) -> Result<&Seen, String> {
        self.until(Seen::is_lost)
    }

    /// What was seen so far.
    #[must_use]
    pub const fn seen(&self) -> &Seen {
        &self.seen
    }

    /// Takes in what comes next; false when nothing will any more.
    fn read(&mut self) -> io::Result<bool> {
        let some = match self.client.some() {
            Err(e) if matches!(e.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut) => return Err(e),
            Err(_) => Vec::new(),
            Ok(some) => some,
        };
        self.seen.ended |= some.is_empty();
        self.bytes.extend(some);
        while let Some((head, rest)) = self.bytes.split_first_chunk::<9>() {
            let length = usize::from(head[0]) << 16 | usize::from(head[1]) << 8 | usize::from(head[2]);
            let Some(payload) = rest.get(..length).map(<[u8]>::to_vec) else { break };
            let stream = u32::from_be_bytes([head[5], head[6], head[7], head[8]]) & 0x7fff_ffff;
            let (kind, flags) = (head[3], head[4]);
            self.bytes.drain(..9 + length);
            self.take(kind, flags, stream, payload);
        }
        Ok(!self.seen.ended)
    }

    fn take(&mut self, kind: u8, flags: u8, stream: u32, payload: Vec<u8>) {
        let number =
            |at: usize| payload.get(at..at + 4).and_then(|b| b.try_into().ok()).map_or(u32::MAX, u32::from_be_bytes);
        match kind {
            kind::SETTINGS if flags & 1 == 0 => self.send(frame(kind::SETTINGS, 1, 0, &[])),
            kind::PING if flags & 1 == 1 => self.seen.pongs += usize::from(payload == b"countsig"),
            kind::PING => self.send(frame(kind::PING, 1, 0, &payload)),
            kind::GOAWAY => self.seen.goaway = Some(number(4)),
            kind::RST_STREAM => self.seen.resets.push((stream, number(0))),
            kind::HEADERS => self.seen.statuses.push((stream, status(&payload))),
            kind::DATA => {
                // All that is read is given back at once.
                let read = u32::try_from(payload.len()).unwrap_or_default().to_be_bytes();
                if !payload.is_empty() {
                    self.send(frame(kind::WINDOW_UPDATE, 0, 0, &read));
                }
                self.seen.data.push((stream, payload));
            }
            _ => {}
        }
        if matches!(kind, kind::HEADERS | kind::DATA) && flags & END_STREAM != 0 {
            self.seen.finished.push(stream);
        }
    }
}

/// The status at the beginning of a block of headers: an entry of the static table, or three digits, plain or by Huffman.
fn status(block: &[u8]) -> u16 {
    match block {
        [entry @ 0x88..=0x8e, ..] => [200, 204, 206, 304, 400, 404, 500][usize::from(entry - 0x88)],
        [0x48 | 0x08, 3, digits @ ..] if digits.len() >= 3 => {
            std::str::from_utf8(&digits[..3]).ok().and_then(|d| d.parse().ok()).unwrap_or_default()
        }
        [0x48 | 0x08, n @ 0x82..=0x83, coded @ ..] if coded.len() >= usize::from(n - 0x80) => {
            let bits: String = coded[..usize::from(n - 0x80)].iter().map(|b| format!("{b:08b}")).collect();
            let mut rest = bits.as_str();
            (0..3).fold(0, |number, _| {
                // '0' to '2' take five bits, the others six.
                let short = rest.get(..5).and_then(|b| u16::from_str_radix(b, 2).ok()).filter(|d| *d <= 2);
                let long = rest.get(..6).and_then(|b| u16::from_str_radix(b, 2).ok());
                let digit = short.or_else(|| long.and_then(|d| d.checked_sub(22))).unwrap_or_default();
                rest = rest.get(if short.is_some() { 5 } else { 6 }..).unwrap_or_default();
                number * 10 + digit
            })
        }
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statuses_are_read_however_they_are_written() {
        assert_eq!(status(&[0x88]), 200);
        assert_eq!(status(b"\x48\x03403"), 403);
        // "401" and "503" by Huffman: 011010 00000 00001, 011011 00000 011001.
        assert_eq!(status(&[0x48, 0x82, 0b0110_1000, 0b0000_0001]), 401);
        assert_eq!(status(&[0x48, 0x83, 0b0110_1100, 0b0000_1100, 0b1111_1111]), 503);
    }

    #[test]
    fn numbers_are_those_of_the_rfc() {
        assert_eq!((integer(10, 5), integer(1337, 5), integer(42, 8)), (vec![10], vec![31, 154, 10], vec![42]));
    }
}
