//! The response's head: parsed by `httparse`, and held to what that parser forgives.

use bytes::{Bytes, BytesMut};

use crate::{Error, body::Framing};

/// A final response's status and headers.
#[derive(Clone, Debug)]
pub struct ResponseHead {
    bytes: Bytes,
    headers: Vec<Field>,
    status: u16,
    framing: Framing,
    pub(crate) keep: bool,
}

// Offsets into the head, which is at most `MAX_HEAD` long.
#[derive(Clone, Copy, Debug)]
struct Field {
    name: (u16, u16),
    value: (u16, u16),
}

impl ResponseHead {
    /// The status code, 200 to 599 (1xx are skipped, 101 is an error).
    #[must_use]
    pub const fn status(&self) -> u16 {
        self.status
    }

    /// How the body's end is found.
    #[must_use]
    pub const fn framing(&self) -> Framing {
        self.framing
    }

    /// The value of the first header called `name`, without surrounding blanks.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&[u8]> {
        self.headers().find(|(n, _)| n.eq_ignore_ascii_case(name.as_bytes())).map(|(_, value)| value)
    }

    /// Every header as name and value, in the order they came.
    pub fn headers(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        self.headers.iter().map(|f| (self.part(f.name), self.part(f.value)))
    }

    fn part(&self, (from, to): (u16, u16)) -> &[u8] {
        self.bytes.get(usize::from(from)..usize::from(to)).unwrap_or_default()
    }

    /// Takes a head off the front of `buf` once it is whole. `scanned` is how much of `buf` earlier calls looked through
    /// and starts at 0, so that a head which comes byte by byte still costs linear time. `bodiless` says that the
    /// request was one whose answer has no body.
    pub(crate) fn take(buf: &mut BytesMut, scanned: &mut usize, bodiless: bool) -> Result<Option<Self>, Error> {
        let Some(end) = find_end(buf, scanned)? else {
            return if buf.len() >= MAX_HEAD { Err(Error::TooLarge("head")) } else { Ok(None) };
        };
        if end > MAX_HEAD {
            return Err(Error::TooLarge("head"));
        }
        *scanned = 0;
        parse(buf.split_to(end).freeze(), bodiless).map(Some)
    }
}

/// Finds the end of the blank line. Every line must end in CR LF: `httparse` would take a bare LF, and two readers that
/// disagree about where a head ends is how responses are smuggled.
fn find_end(buf: &[u8], scanned: &mut usize) -> Result<Option<usize>, Error> {
    while let Some(at) = buf.get(*scanned..).and_then(|rest| memchr::memchr(b'\n', rest)).map(|i| i + *scanned) {
        let before = buf.get(..at).unwrap_or_default();
        if !before.ends_with(b"\r") {
            return Err(Error::Malformed("bare line feed in the head"));
        }
        *scanned = at + 1;
        if before.ends_with(b"\r\n\r") || at == 1 {
            return Ok(Some(at + 1));
        }
    }
    *scanned = buf.len();
    Ok(None)
}

fn parse(bytes: Bytes, bodiless: bool) -> Result<ResponseHead, Error> {
    let mut room = [httparse::EMPTY_HEADER; MAX_HEADERS];
    let mut response = httparse::Response::new(&mut room);
    let whole = response.parse(&bytes).map_err(|e| match e {
        httparse::Error::TooManyHeaders => Error::TooLarge("number of headers"),
        _ => Error::Malformed("head"),
    })?;
    if whole != httparse::Status::Complete(bytes.len()) {
        return Err(Error::Malformed("head"));
    }
    let (Some(version), Some(status)) = (response.version, response.code) else {
        return Err(Error::Malformed("status line"));
    };
    if !(100..600).contains(&status) {
        return Err(Error::Malformed("status code"));
    }

    let mut length = None;
    let mut chunked = false;
    let mut keep = version == 1;
    let mut headers = Vec::with_capacity(response.headers.len());
    for h in response.headers.iter() {
        if h.name.eq_ignore_ascii_case("content-length") {
            if length.replace(decimal(h.value)?).is_some() {
                return Err(Error::Malformed("several content-length headers"));
            }
        } else if h.name.eq_ignore_ascii_case("transfer-encoding") {
            if chunked || !h.value.eq_ignore_ascii_case(b"chunked") {
                return Err(Error::Malformed("transfer-encoding other than chunked"));
            }
            chunked = true;
        } else if h.name.eq_ignore_ascii_case("connection") {
            for token in h.value.split(|b| *b == b',').map(<[u8]>::trim_ascii) {
                keep = (keep || token.eq_ignore_ascii_case(b"keep-alive")) && !token.eq_ignore_ascii_case(b"close");
            }
        }
        headers.push(Field { name: place(&bytes, h.name.as_bytes())?, value: place(&bytes, h.value)? });
    }
    if chunked && (length.is_some() || version == 0) {
        return Err(Error::Malformed("transfer-encoding with content-length or in HTTP/1.0"));
    }

    let framing = if bodiless || status < 200 || status == 204 || status == 304 {
        Framing::Empty
    } else if chunked {
        Framing::Chunked
    } else {
        length.map_or(Framing::UntilClose, Framing::Length)
    };
    keep &= framing != Framing::UntilClose;
    Ok(ResponseHead { bytes, headers, status, framing, keep })
}

/// Digits and nothing else: no sign, no list, no blanks inside.
fn decimal(value: &[u8]) -> Result<u64, Error> {
    let digits = (1..=18).contains(&value.len()) && value.iter().all(u8::is_ascii_digit);
    if !digits {
        return Err(Error::Malformed("content-length"));
    }
    Ok(value.iter().fold(0, |n, d| n * 10 + u64::from(d - b'0')))
}

/// Where `part` lies in `whole`, which it is a slice of.
fn place(whole: &[u8], part: &[u8]) -> Result<(u16, u16), Error> {
    // An empty value need not point into the head.
    if part.is_empty() {
        return Ok((0, 0));
    }
    let from = (part.as_ptr() as usize).wrapping_sub(whole.as_ptr() as usize);
    match (u16::try_from(from), u16::try_from(from.wrapping_add(part.len()))) {
        (Ok(from), Ok(to)) if usize::from(to) <= whole.len() => Ok((from, to)),
        _ => Err(Error::Malformed("head")),
    }
}

/// Bytes of a head, status line and blank line included; must fit in 16 bits.
pub(crate) const MAX_HEAD: usize = 16 * 1024;
/// Providers behind large proxies send about 40.
const MAX_HEADERS: usize = 100;
