//! A text of any length in pieces that the guards take, which overlap.

use std::io::{self, Read};

/// Where something stands in a text.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Place {
    /// Bytes before it.
    pub(super) byte: u64,
    /// From 1.
    pub(super) line: u64,
    /// From 1, in characters.
    pub(super) column: u64,
}

impl Place {
    pub(super) const START: Self = Self { byte: 0, line: 1, column: 1 };

    /// The place behind `text`, which begins here.
    pub(super) fn after(self, text: &str) -> Self {
        let byte = self.byte + text.len() as u64;
        let Some(last) = text.rfind('\n') else {
            return Self { byte, column: self.column + text.chars().count() as u64, ..self };
        };
        let lines = text.bytes().filter(|b| *b == b'\n').count() as u64;
        let column = 1 + text.get(last + 1..).unwrap_or_default().chars().count() as u64;
        Self { byte, line: self.line + lines, column }
    }
}

/// A part of a text.
pub(super) struct Piece {
    pub(super) start: Place,
    pub(super) text: String,
}

/// The pieces of what is read.
pub(super) struct Pieces<R> {
    from: R,
    most: usize,
    held: Vec<u8>,
    start: Place,
    done: bool,
}

impl<R: Read> Pieces<R> {
    /// Pieces of at most `most` bytes.
    pub(super) const fn new(from: R, most: usize) -> Self {
        Self { from, most, held: Vec::new(), start: Place::START, done: false }
    }

    /// The next piece; of an empty text, one that is empty.
    pub(super) fn next(&mut self) -> io::Result<Option<Piece>> {
        if self.done {
            return Ok(None);
        }
        let room = self.most.saturating_sub(self.held.len()).max(1) as u64;
        let read = self.from.by_ref().take(room).read_to_end(&mut self.held)? as u64;
        self.done = read < room;
        let text = match str::from_utf8(&self.held) {
            Ok(text) => text,
            // A character that the bound has cut in two.
            Err(e) if e.error_len().is_none() && !self.done => {
                str::from_utf8(self.held.get(..e.valid_up_to()).unwrap_or_default()).unwrap_or_default()
            }
            Err(e) => {
                self.done = true;
                let at = self.start.byte + e.valid_up_to() as u64;
                return Err(io::Error::new(io::ErrorKind::InvalidData, format!("it is not UTF-8 at byte {at}")));
            }
        };
        let piece = Piece { start: self.start, text: text.to_owned() };
        if !self.done {
            let cut = piece.text.floor_char_boundary(piece.text.len() - self.most.min(piece.text.len()) / OVERLAP);
            self.start = self.start.after(piece.text.get(..cut).unwrap_or_default());
            self.held.drain(..cut);
        }
        Ok(Some(piece))
    }
}

/// The part of a piece that stands in the next one as well, as in one sixteenth.
const OVERLAP: usize = 16;
