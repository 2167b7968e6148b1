//! Where requests begin and end (RFC 9112, 2 to 7), told from the bytes alone and without keeping them.
//!
//! It knows lines, lengths and chunks, and leaves everything else of HTTP to the server behind it. However the bytes are
//! cut, the verdict is the same.

/// Follows one connection's requests.
#[derive(Debug, Default)]
pub(super) struct Framing {
    pub(super) state: State,
    line: Line,
    length: Option<u64>,
    chunked: bool,
    hosts: u8,
    /// The request is HTTP/1.0.
    old: bool,
    /// Bytes of extensions and trailers so far.
    extra: usize,
}

/// Something that two readers could take differently.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Objection {
    /// The byte that tells, counted from the beginning of what was taken last.
    pub(super) at: usize,
    /// It stands in a request's head.
    pub(super) in_head: bool,
}

#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(super) enum State {
    #[default]
    RequestLine,
    Header,
    Body(u64),
    ChunkSize,
    ChunkData(u64),
    ChunkEnd,
    Trailer,
}

/// The line being read: how it begins is all that is kept of it.
#[derive(Debug)]
struct Line {
    start: [u8; KEPT],
    length: usize,
    last: u8,
    /// Its CR has come.
    cr: bool,
}

impl Framing {
    /// Follows `bytes`, which come after all that was taken before.
    ///
    /// # Errors
    /// [`Objection`], once; what comes after it has no meaning.
    pub(super) fn take(&mut self, bytes: &[u8]) -> Result<(), Objection> {
        let mut at = 0;
        while let Some(rest) = bytes.get(at..).filter(|rest| !rest.is_empty()) {
            match &mut self.state {
                State::Body(left) | State::ChunkData(left) => {
                    let step = rest.len().min(usize::try_from(*left).unwrap_or(usize::MAX));
                    *left -= step as u64;
                    at += step;
                    if *left == 0 {
                        let over = matches!(self.state, State::Body(_));
                        self.state = if over { State::RequestLine } else { State::ChunkEnd };
                    }
                }
                _ => at += self.line(rest).map_err(|i| self.objection(at + i))?,
            }
        }
        Ok(())
    }

    const fn objection(&self, at: usize) -> Objection {
        Objection { at, in_head: matches!(self.state, State::RequestLine | State::Header) }
    }

    /// Takes a line or what there is of it; the bytes taken, or the one that is objected to.
    fn line(&mut self, rest: &[u8]) -> Result<usize, usize> {
        if self.line.cr {
            // Nothing but the LF may follow.
            if rest.first() != Some(&b'\n') || !self.ends() {
                return Err(0);
            }
            (self.line.length, self.line.cr) = (0, false);
            return Ok(1);
        }
        let end = memchr::memchr2(b'\r', b'\n', rest).unwrap_or(rest.len());
        let text = rest.get(..end).unwrap_or_default();
        self.allows(text)?;
        self.line.push(text);
        match rest.get(end) {
            None => Ok(end),
            Some(b'\r') => {
                self.line.cr = true;
                Ok(end + 1)
            }
            Some(_) => Err(end),
        }
    }

    /// What may stand in the line, so far as the server does not see to it.
    fn allows(&mut self, text: &[u8]) -> Result<(), usize> {
        match self.state {
            // A fragment is no part of a target, and the server would drop it silently.
            State::RequestLine => memchr::memchr(b'#', text).map_or(Ok(()), Err),
            State::ChunkEnd if !text.is_empty() => Err(0),
            State::ChunkSize | State::Trailer => {
                self.extra = self.extra.saturating_add(text.len());
                let odd = |b: &u8| b.is_ascii_control() && *b != b'\t';
                match text.iter().position(odd) {
                    Some(at) => Err(at),
                    None if self.extra > EXTRA && !text.is_empty() => Err(0),
                    None => Ok(()),
                }
            }
            _ => Ok(()),
        }
    }

    /// The line is whole: goes on to what comes after it, or objects.
    fn ends(&mut self) -> bool {
        let empty = self.line.length == 0;
        if self.state == State::Header && !empty {
            return self.header();
        }
        self.state = match self.state {
            // Blank lines before a request are skipped (RFC 9112, 2.2).
            State::RequestLine if empty => State::RequestLine,
            State::RequestLine => {
                (self.length, self.chunked, self.hosts, self.extra) = (None, false, 0, 0);
                self.old = self.line.last == b'0';
                State::Header
            }
            State::Header => {
                if self.hosts == 0 && !self.old {
                    return false;
                }
                match (self.chunked, self.length) {
                    (true, _) => State::ChunkSize,
                    (false, None | Some(0)) => State::RequestLine,
                    (false, Some(n)) => State::Body(n),
                }
            }
            State::ChunkSize => match self.line.chunk_size() {
                None => return false,
                Some((0, _)) => State::Trailer,
                Some((n, digits)) => {
                    // Only what is not size counts as extra; a size is paid for by its data.
                    self.extra = self.extra.saturating_sub(digits);
                    State::ChunkData(n)
                }
            },
            State::ChunkEnd => State::ChunkSize,
            State::Trailer if empty => State::RequestLine,
            State::Trailer if self.line.is_field() => State::Trailer,
            _ => return false,
        };
        true
    }

    /// A header: those that frame stand once, alone, and in one way.
    fn header(&mut self) -> bool {
        // Most headers are none of these, and their first letter tells.
        if !matches!(self.line.start[0] | 0x20, b'c' | b'h' | b't') {
            return true;
        }
        // A line without a colon near its beginning is no header that frames; what it is, the server finds out.
        let Some((name, value)) = self.line.field() else { return true };
        if name.eq_ignore_ascii_case(b"content-length") {
            let Some(n) = decimal(value).filter(|_| self.line.is_kept()) else { return false };
            return !self.chunked && self.length.replace(n).is_none();
        }
        if name.eq_ignore_ascii_case(b"transfer-encoding") {
            let first = !std::mem::replace(&mut self.chunked, true);
            return first && self.line.is_kept() && self.length.is_none() && value.eq_ignore_ascii_case(b"chunked");
        }
        if name.eq_ignore_ascii_case(b"host") {
            self.hosts += 1;
            return self.hosts == 1 && value.iter().all(|b| b.is_ascii_graphic() && !b",/@\\?#\"<>".contains(b));
        }
        true
    }
}

impl Default for Line {
    fn default() -> Self {
        Self { start: [0; KEPT], length: 0, last: 0, cr: false }
    }
}

impl Line {
    fn push(&mut self, text: &[u8]) {
        if let Some(room) = self.start.get_mut(self.length..) {
            let kept = text.len().min(room.len());
            if let (Some(to), Some(from)) = (room.get_mut(..kept), text.get(..kept)) {
                to.copy_from_slice(from);
            }
        }
        self.length += text.len();
        self.last = text.last().copied().unwrap_or(self.last);
    }

    fn kept(&self) -> &[u8] {
        self.start.get(..self.length).unwrap_or(&self.start)
    }

    /// Whether all of the line was kept.
    const fn is_kept(&self) -> bool {
        self.length <= KEPT
    }

    /// Name and value, the value without blanks around it and only so far as it was kept.
    fn field(&self) -> Option<(&[u8], &[u8])> {
        let kept = self.kept();
        let colon = memchr::memchr(b':', kept)?;
        Some((kept.get(..colon)?, trimmed(kept.get(colon + 1..)?)))
    }

    fn is_field(&self) -> bool {
        self.field().is_some_and(|(name, _)| !name.is_empty() && !name.first().is_some_and(u8::is_ascii_whitespace))
    }

    /// `chunk-size [ ";" extension ]`: the size, and how many digits it takes.
    fn chunk_size(&self) -> Option<(u64, usize)> {
        let kept = self.kept();
        let digits = kept.iter().take_while(|b| b.is_ascii_hexdigit()).count();
        let (size, extension) = kept.split_at(digits);
        let well = (1..=15).contains(&digits) && matches!(extension.first(), None | Some(b';'));
        let digit = |d: &u8| u64::from(char::from(*d).to_digit(16).unwrap_or_default());
        well.then(|| (size.iter().fold(0, |n, d| n << 4 | digit(d)), digits))
    }
}

/// Digits and nothing else.
fn decimal(value: &[u8]) -> Option<u64> {
    let digits = (1..=18).contains(&value.len()) && value.iter().all(u8::is_ascii_digit);
    digits.then(|| value.iter().fold(0, |n, d| n * 10 + u64::from(d - b'0')))
}

/// Without the blanks around it.
fn trimmed(mut value: &[u8]) -> &[u8] {
    while let [b' ' | b'\t', rest @ ..] | [rest @ .., b' ' | b'\t'] = value {
        value = rest;
    }
    value
}

/// Bytes kept of a line: `transfer-encoding: chunked` with room.
const KEPT: usize = 64;
/// Bytes of extensions and trailers in one body.
const EXTRA: usize = 16 * 1024;

#[cfg(test)]
mod replay;
#[cfg(test)]
mod tests;
