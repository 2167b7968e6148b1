//! Server-sent events: bytes in, whole events out, and the lines of an event.
//!
//! Follows the HTML standard, section 9.2: lines end in LF, CR or CRLF, an event ends at an empty line, a byte order mark may
//! begin the stream. How the bytes are cut into chunks never changes the events. An event that lies in one chunk is not copied.

use std::{collections::VecDeque, ops::Range};

use bytes::{Buf, Bytes, BytesMut};

use crate::WireError;

/// Cuts a stream into events.
#[derive(Debug)]
pub struct Splitter {
    limit: usize,
    /// The beginning of an event that spans chunks.
    partial: BytesMut,
    chunks: VecDeque<Bytes>,
    line: Line,
}

/// Where in a line the scan stands.
#[derive(Clone, Copy, Debug, Default)]
struct Line {
    /// The line has bytes.
    begun: bool,
    /// The last byte was a CR, whose LF may follow.
    cr: bool,
    /// An empty line has just ended by that CR: the event is over once it is known whether an LF follows.
    over: bool,
    /// The line before ended by a CR alone, so that an LF after the next CR is not worth waiting for.
    bare: bool,
}

impl Splitter {
    /// A splitter that refuses events of more than `limit` bytes.
    #[must_use]
    pub fn new(limit: usize) -> Self {
        Self { limit, partial: BytesMut::new(), chunks: VecDeque::new(), line: Line::default() }
    }

    /// Takes in what arrived.
    pub fn push(&mut self, chunk: Bytes) {
        if !chunk.is_empty() {
            self.chunks.push_back(chunk);
        }
    }

    /// The next whole event: its bytes as they arrived, its empty line included. None when more bytes are needed.
    ///
    /// An empty line where no event has begun counts as an event of its own, so that the events together are the stream.
    /// An LF that follows an event which was ended by CRs alone stands at the beginning of the next.
    ///
    /// # Errors
    /// When an event has more bytes than it may.
    pub fn next_event(&mut self) -> Result<Option<Bytes>, WireError> {
        while let Some(chunk) = self.chunks.front_mut() {
            let end = self.line.scan(chunk);
            let length = end.unwrap_or(chunk.len());
            if self.partial.len() + length > self.limit {
                return Err(WireError::TooLarge { what: "event", limit: self.limit });
            }
            let whole = length == chunk.len();
            if end.is_some() && self.partial.is_empty() {
                let event = if whole { self.chunks.pop_front().unwrap_or_default() } else { chunk.split_to(length) };
                return Ok(Some(event));
            }
            self.partial.extend_from_slice(&chunk[..length]);
            if whole {
                self.chunks.pop_front();
            } else {
                chunk.advance(length);
            }
            if end.is_some() {
                return Ok(Some(self.partial.split().freeze()));
            }
        }
        Ok(None)
    }

    /// Whether all that arrived has been handed out.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.partial.is_empty() && self.chunks.is_empty()
    }
}

impl Line {
    /// Looks on in `bytes`; returns where the event ends (which may be before the first byte).
    fn scan(&mut self, bytes: &[u8]) -> Option<usize> {
        let mut at = 0;
        while at < bytes.len() {
            if self.cr {
                self.cr = false;
                let lf = bytes[at] == b'\n';
                at += usize::from(lf);
                if self.over {
                    *self = Self::default();
                    return Some(at);
                }
                self.bare = self.bare && !lf;
                continue;
            }
            let Some(found) = memchr::memchr2(b'\n', b'\r', &bytes[at..]) else {
                self.begun = true;
                return None;
            };
            let empty = !self.begun && found == 0;
            at += found + 1;
            self.begun = false;
            match (bytes[at - 1], empty) {
                (b'\n', true) => {
                    *self = Self::default();
                    return Some(at);
                }
                (b'\n', false) => self.bare = false,
                (_, true) if self.bare => {
                    // The LF that may follow is part of this line's end and tells nothing.
                    *self = Self { cr: true, ..Self::default() };
                    return Some(at);
                }
                (_, true) => (self.cr, self.over) = (true, true),
                (_, false) => (self.cr, self.bare) = (true, true),
            }
        }
        None
    }
}

/// One line of an event.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Field {
    /// Which field it is.
    pub name: FieldName,
    /// Bytes of its value in the event, without the space that may follow the colon.
    pub value: Range<usize>,
}

/// The fields of an event.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum FieldName {
    /// `data`
    Data,
    /// `event`
    Event,
    /// `id`
    Id,
    /// `retry`
    Retry,
    /// A comment, or a field readers ignore; its value is the whole line.
    Ignored,
}

/// The lines of an event that are not empty, in order.
///
/// `first` says that the event is the first of its stream, which may begin with a byte order mark.
pub fn fields(event: &[u8], first: bool) -> impl Iterator<Item = Field> {
    let mut at = if first && event.starts_with(b"\xef\xbb\xbf") { 3 } else { 0 };
    std::iter::from_fn(move || {
        while at < event.len() {
            let start = at;
            let length = memchr::memchr2(b'\n', b'\r', &event[at..]).unwrap_or(event.len() - at);
            at += length + 1;
            if length > 0 {
                return Some(field(event, start..start + length));
            }
        }
        None
    })
}

fn field(event: &[u8], line: Range<usize>) -> Field {
    let text = &event[line.clone()];
    let colon = memchr::memchr(b':', text).unwrap_or(text.len());
    let name = match &text[..colon] {
        b"data" => FieldName::Data,
        b"event" => FieldName::Event,
        b"id" => FieldName::Id,
        b"retry" => FieldName::Retry,
        _ => return Field { name: FieldName::Ignored, value: line },
    };
    let space = usize::from(text.get(colon + 1) == Some(&b' '));
    Field { name, value: (line.start + colon + 1 + space).min(line.end)..line.end }
}

#[cfg(test)]
mod tests;
