//! The sans-io half: what a server's bytes mean, however they are cut.

use bytes::{Bytes, BytesMut};

use crate::{Error, Framing, ResponseHead, body::Decoder};

/// Reads one response after another from bytes that are put into [`Reader::buffer`].
#[derive(Debug)]
pub struct Reader {
    buf: BytesMut,
    scanned: usize,
    interim: u8,
    heard: bool,
    phase: Phase,
    keep: bool,
}

#[derive(Debug)]
enum Phase {
    /// No request is out.
    Idle,
    /// A head is awaited; its body is empty whatever it says when this is true.
    Head(bool),
    Body(Decoder),
    /// What comes can no longer be told apart.
    Broken,
}

/// What a body yields.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Piece {
    /// Bytes of the body, never none.
    Data(Bytes),
    /// Put more bytes into the buffer first.
    More,
    /// That was all.
    End,
}

impl Reader {
    /// A reader at the beginning of a connection.
    #[must_use]
    pub fn new() -> Self {
        Self { buf: BytesMut::new(), scanned: 0, interim: 0, heard: false, phase: Phase::Idle, keep: true }
    }

    /// A request is going out; `bodiless` when it is one whose answer has no body (`HEAD`).
    ///
    /// # Errors
    /// [`Error::Unsolicited`] when bytes are there already, [`Error::Spent`] when the last exchange is not over or was
    /// the connection's last.
    pub fn expect(&mut self, bodiless: bool) -> Result<(), Error> {
        if !self.buf.is_empty() {
            self.phase = Phase::Broken;
            return Err(Error::Unsolicited);
        }
        if !self.reusable() {
            return Err(Error::Spent);
        }
        (self.phase, self.scanned, self.interim, self.heard) = (Phase::Head(bodiless), 0, 0, false);
        Ok(())
    }

    /// Where received bytes are appended. It has room for a read, and takes earlier pieces' room back when they are gone.
    pub fn buffer(&mut self) -> &mut BytesMut {
        if self.buf.capacity() - self.buf.len() < LEAST_READ {
            self.buf.reserve(READ);
        }
        &mut self.buf
    }

    /// The final response's head, once it is whole. Interim responses are skipped.
    ///
    /// # Errors
    /// [`Error::Malformed`] or [`Error::TooLarge`]; [`Error::Spent`] when no head is awaited.
    pub fn head(&mut self) -> Result<Option<ResponseHead>, Error> {
        let Phase::Head(bodiless) = self.phase else { return Err(Error::Spent) };
        self.phase = Phase::Broken;
        self.heard |= !self.buf.is_empty();
        loop {
            let Some(head) = ResponseHead::take(&mut self.buf, &mut self.scanned, bodiless)? else {
                self.phase = Phase::Head(bodiless);
                return Ok(None);
            };
            match head.status() {
                101 => return Err(Error::Malformed("switch of protocols that nobody asked for")),
                100..200 => {
                    self.interim += 1;
                    if self.interim > MAX_INTERIM {
                        return Err(Error::TooLarge("number of interim responses"));
                    }
                }
                _ => {
                    self.keep &= head.keep;
                    self.phase = Phase::Body(Decoder::new(head.framing()));
                    self.settle();
                    return Ok(Some(head));
                }
            }
        }
    }

    /// The next piece of the body: all that is there, up to `max` bytes (at least 1).
    ///
    /// # Errors
    /// [`Error::Malformed`] or [`Error::TooLarge`] when the framing does not hold; [`Error::Spent`] before the head or
    /// after an error.
    pub fn body(&mut self, max: usize) -> Result<Piece, Error> {
        let decoder = match &mut self.phase {
            Phase::Idle => return Ok(Piece::End),
            Phase::Body(decoder) => decoder,
            Phase::Head(_) | Phase::Broken => return Err(Error::Spent),
        };
        let piece = decoder.take(&mut self.buf, max.max(1)).inspect_err(|_| self.phase = Phase::Broken)?;
        self.settle();
        Ok(match (&self.phase, piece.is_empty()) {
            (_, false) => Piece::Data(piece),
            (Phase::Idle, true) => Piece::End,
            (_, true) => Piece::More,
        })
    }

    /// The server has closed its side. A body that ends so is complete afterwards; the connection is spent.
    ///
    /// # Errors
    /// [`Error::Closed`] when no byte of a response had come, [`Error::Truncated`] when one had begun.
    pub fn close(&mut self) -> Result<(), Error> {
        self.keep = false;
        let result = match &mut self.phase {
            Phase::Idle => Ok(()),
            Phase::Head(_) if !self.heard && self.buf.is_empty() => Err(Error::Closed),
            Phase::Body(decoder) => decoder.close(),
            Phase::Head(_) | Phase::Broken => Err(Error::Truncated),
        };
        if result.is_err() {
            self.phase = Phase::Broken;
        }
        self.settle();
        result
    }

    /// Whether the response is complete and another request may follow on the same connection.
    #[must_use]
    pub fn reusable(&self) -> bool {
        self.keep && self.buf.is_empty() && matches!(self.phase, Phase::Idle)
    }

    /// Whether any byte has come since the request.
    #[must_use]
    pub fn heard(&self) -> bool {
        self.heard || !self.buf.is_empty()
    }

    /// Never reuse the connection, whatever the server says.
    pub(crate) fn spend(&mut self) {
        self.keep = false;
    }

    fn settle(&mut self) {
        if matches!(&self.phase, Phase::Body(decoder) if decoder.is_done()) {
            self.phase = Phase::Idle;
        }
    }
}

impl Default for Reader {
    fn default() -> Self {
        Self::new()
    }
}

impl Framing {
    /// The body's length where the head gives it, in bytes.
    #[must_use]
    pub const fn length(self) -> Option<u64> {
        match self {
            Self::Empty => Some(0),
            Self::Length(n) => Some(n),
            Self::Chunked | Self::UntilClose => None,
        }
    }
}

/// What one read asks for; also what an idle connection holds.
const READ: usize = 16 * 1024;
/// Below this much room a read would come back too small.
const LEAST_READ: usize = 4 * 1024;
/// Interim responses before the final one. We never ask for any.
const MAX_INTERIM: u8 = 4;

#[cfg(test)]
mod tests;
