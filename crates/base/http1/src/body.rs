//! Where a body ends (RFC 9112, 6 and 7), and taking the framing off it in place.

use bytes::{Buf, Bytes, BytesMut};

use crate::Error;

/// How a response's body is delimited.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Framing {
    /// There is none: an answer to `HEAD`, or status 204 or 304.
    Empty,
    /// `content-length` bytes.
    Length(u64),
    /// Chunks.
    Chunked,
    /// All that comes until the server closes. Nothing tells a whole body from a cut one.
    UntilClose,
}

/// Takes one body off the front of a buffer.
#[derive(Debug)]
pub(crate) struct Decoder {
    state: State,
    /// Bytes of chunk extensions and trailers that may still come; they carry nothing we use and must not be endless.
    spare: usize,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum State {
    Length(u64),
    UntilClose,
    ChunkSize,
    ChunkData(u64),
    ChunkEnd,
    Trailer,
    Done,
}

impl Decoder {
    pub(crate) fn new(framing: Framing) -> Self {
        let state = match framing {
            Framing::Empty | Framing::Length(0) => State::Done,
            Framing::Length(n) => State::Length(n),
            Framing::Chunked => State::ChunkSize,
            Framing::UntilClose => State::UntilClose,
        };
        Self { state, spare: MAX_SPARE }
    }

    pub(crate) fn is_done(&self) -> bool {
        self.state == State::Done
    }

    /// The server has closed; an error when it owed more.
    pub(crate) fn close(&mut self) -> Result<(), Error> {
        match self.state {
            State::Done => {}
            State::UntilClose => self.state = State::Done,
            _ => return Err(Error::Truncated),
        }
        Ok(())
    }

    /// Takes what is there, at most `max` bytes; empty when more must come first, or when the body is done.
    ///
    /// Chunks that lie whole in the buffer are moved together over the framing between them: no allocation, and for a
    /// single chunk no copy.
    pub(crate) fn take(&mut self, buf: &mut BytesMut, max: usize) -> Result<Bytes, Error> {
        // buf[from..to] is the piece so far, buf[at..] is still to be read; from <= to <= at.
        let (mut from, mut to, mut at) = (0, 0, 0);
        loop {
            let rest = buf.get(at..).unwrap_or_default();
            match self.state {
                State::Length(left) | State::ChunkData(left) => {
                    let n = rest.len().min(max - (to - from)).min(usize::try_from(left).unwrap_or(usize::MAX));
                    if n == 0 {
                        break;
                    }
                    if from == to {
                        (from, to) = (at, at);
                    }
                    if to != at {
                        buf.copy_within(at..at + n, to);
                    }
                    to += n;
                    at += n;
                    let left = left - n as u64;
                    self.state = match self.state {
                        State::Length(_) if left == 0 => State::Done,
                        State::Length(_) => State::Length(left),
                        _ if left == 0 => State::ChunkEnd,
                        _ => State::ChunkData(left),
                    };
                }
                State::UntilClose => {
                    to = rest.len().min(max);
                    at = to;
                    break;
                }
                State::ChunkSize | State::ChunkEnd | State::Trailer => match self.framing(rest) {
                    Ok(Some(n)) => at += n,
                    Ok(None) => break,
                    // What came before the fault is handed on first, so that no cut of the bytes changes the result.
                    Err(_) if from < to => break,
                    Err(e) => return Err(e),
                },
                State::Done => break,
            }
        }
        buf.advance(from);
        let piece = buf.split_to(to - from);
        buf.advance(at - to);
        Ok(piece.freeze())
    }

    /// Takes one piece of framing off the front and returns its length; none when it is not there yet.
    fn framing(&mut self, rest: &[u8]) -> Result<Option<usize>, Error> {
        if self.state == State::ChunkEnd {
            return match rest {
                [b'\r', b'\n', ..] => {
                    self.state = State::ChunkSize;
                    Ok(Some(2))
                }
                [] | [b'\r'] => Ok(None),
                _ => Err(Error::Malformed("chunk longer than its size")),
            };
        }
        let Some(line) = line(rest)? else { return Ok(None) };
        self.state = if self.state == State::ChunkSize {
            match self.size(line)? {
                0 => State::Trailer,
                n => State::ChunkData(n),
            }
        } else if line.is_empty() {
            State::Done
        } else {
            self.spend(line.len())?;
            State::Trailer
        };
        Ok(Some(line.len() + 2))
    }

    /// `chunk-size [ ";" extension ]`; no blanks, no sign, no `0x`.
    fn size(&mut self, line: &[u8]) -> Result<u64, Error> {
        let digits = line.iter().take_while(|b| b.is_ascii_hexdigit()).count();
        let (size, extension) = line.split_at(digits);
        if !(1..=15).contains(&digits) || !matches!(extension.first(), None | Some(b';')) {
            return Err(Error::Malformed("chunk size"));
        }
        self.spend(extension.len())?;
        Ok(size.iter().fold(0, |n, d| n << 4 | u64::from(char::from(*d).to_digit(16).unwrap_or_default())))
    }

    fn spend(&mut self, bytes: usize) -> Result<(), Error> {
        self.spare = self.spare.checked_sub(bytes).ok_or(Error::TooLarge("chunk extensions and trailers"))?;
        Ok(())
    }
}

/// The line at the front, without its CR LF; none when it is not there yet.
fn line(rest: &[u8]) -> Result<Option<&[u8]>, Error> {
    let window = rest.get(..MAX_LINE).unwrap_or(rest);
    let Some(end) = memchr::memchr2(b'\r', b'\n', window) else {
        return if rest.len() >= MAX_LINE { Err(Error::TooLarge("chunk line")) } else { Ok(None) };
    };
    let line = rest.get(..end).unwrap_or_default();
    if line.iter().any(|b| b.is_ascii_control() && *b != b'\t') {
        return Err(Error::Malformed("control character in a chunk line"));
    }
    match rest.get(end..).unwrap_or_default() {
        [b'\r'] => Ok(None),
        [b'\r', b'\n', ..] => Ok(Some(line)),
        _ => Err(Error::Malformed("bare carriage return or line feed in a chunk line")),
    }
}

/// One line of chunk framing or trailer.
const MAX_LINE: usize = 4 * 1024;
/// All extensions and trailers of one body.
const MAX_SPARE: usize = 16 * 1024;

#[cfg(test)]
mod tests;
