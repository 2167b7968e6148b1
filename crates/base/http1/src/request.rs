//! The request's head, written once and sent often.

use std::fmt;

use zeroize::Zeroizing;

use crate::Error;

/// Everything of a request's head but its `content-length`, checked and in wire form.
///
/// It may hold a credential, so it is wiped when dropped and never printed.
#[derive(Clone)]
pub struct RequestHead {
    bytes: Zeroizing<Vec<u8>>,
}

impl RequestHead {
    /// Begins a head: `method` is a token, `target` the path and query (origin form), `host` the `host` header's value.
    ///
    /// # Errors
    /// [`Error::BadRequest`] when a part could break out of its place.
    pub fn new(method: &str, target: &str, host: &str) -> Result<Self, Error> {
        if !is_token(method) {
            return Err(Error::BadRequest("method"));
        }
        if !target.starts_with('/') || !target.bytes().all(|b| b.is_ascii_graphic() && b != b'#') {
            return Err(Error::BadRequest("target"));
        }
        if host.is_empty() || !host.bytes().all(|b| b.is_ascii_alphanumeric() || b"-._:[]%".contains(&b)) {
            return Err(Error::BadRequest("host"));
        }
        let mut head = Self { bytes: Zeroizing::new(Vec::with_capacity(ROOM)) };
        head.push(&[method, " ", target, " HTTP/1.1\r\nhost: ", host, "\r\n"]);
        Ok(head)
    }

    /// Adds a header. `content-length`, `transfer-encoding`, `host` and `connection` are not for callers to set.
    ///
    /// # Errors
    /// [`Error::BadRequest`] when the name is one of those or not a token, or the value holds more than visible ASCII,
    /// spaces and tabs.
    pub fn header(self, name: &str, value: &str) -> Result<Self, Error> {
        self.credential(name, "", value)
    }

    /// Adds a header whose value is `scheme` (as in `Bearer `, or empty) and a secret, without a copy that is not wiped.
    ///
    /// # Errors
    /// As [`RequestHead::header`].
    pub fn credential(mut self, name: &str, scheme: &str, secret: &str) -> Result<Self, Error> {
        let reserved = ["content-length", "transfer-encoding", "host", "connection"];
        if !is_token(name) || reserved.iter().any(|r| r.eq_ignore_ascii_case(name)) {
            return Err(Error::BadRequest("header name"));
        }
        let mut value = scheme.bytes().chain(secret.bytes());
        if secret.trim() != secret || !value.all(|b| b.is_ascii_graphic() || b == b' ' || b == b'\t') {
            return Err(Error::BadRequest("header value"));
        }
        self.push(&[name, ": ", scheme, secret, "\r\n"]);
        Ok(self)
    }

    /// Appends, and wipes the old bytes when they have to move.
    fn push(&mut self, parts: &[&str]) {
        let more = parts.iter().map(|p| p.len()).sum::<usize>();
        if self.bytes.capacity() - self.bytes.len() < more {
            let mut larger = Zeroizing::new(Vec::with_capacity(self.bytes.len() + more + ROOM));
            larger.extend_from_slice(&self.bytes);
            self.bytes = larger;
        }
        for part in parts {
            self.bytes.extend_from_slice(part.as_bytes());
        }
    }

    pub(crate) fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// A `HEAD` request's answer has no body, whatever its headers say.
    pub(crate) fn is_head(&self) -> bool {
        self.bytes.starts_with(b"HEAD ")
    }

    /// Methods whose requests have no body unless one is given (RFC 9110, 9.3); for others length 0 is said.
    pub(crate) fn is_bodiless(&self) -> bool {
        self.is_head() || self.bytes.starts_with(b"GET ")
    }
}

impl fmt::Debug for RequestHead {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RequestHead")
    }
}

fn is_token(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b))
}

/// What a usual head takes, a credential included.
const ROOM: usize = 512;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_breaks_out_of_its_place() {
        for (method, target, host) in [
            ("PO ST", "/", "h"),
            ("", "/", "h"),
            ("POST", "", "h"),
            ("POST", "x", "h"),
            ("POST", "/a b", "h"),
            ("POST", "/\r\nx: y", "h"),
            ("POST", "/#f", "h"),
            ("POST", "/", ""),
            ("POST", "/", "h\r\nx: y"),
            ("POST", "/", "user@h"),
        ] {
            assert!(RequestHead::new(method, target, host).is_err(), "{method:?} {target:?} {host:?}");
        }
        for (name, value) in [
            ("x y", "v"),
            ("", "v"),
            ("x", "v\r\ny: z"),
            ("x", "v\n"),
            ("x", " v"),
            ("x", "v\0"),
            ("Content-Length", "1"),
            ("transfer-encoding", "chunked"),
            ("HOST", "other"),
            ("Connection", "close"),
        ] {
            let head = RequestHead::new("POST", "/", "h").unwrap();
            assert!(head.header(name, value).is_err(), "{name:?} {value:?}");
        }
    }

    #[test]
    fn a_credential_is_not_printed() {
        let head =
            RequestHead::new("POST", "/", "h").unwrap().credential("authorization", "Bearer ", "canary-5d1f").unwrap();
        assert!(!format!("{head:?}").contains("canary"));
        assert_eq!(head.as_bytes(), b"POST / HTTP/1.1\r\nhost: h\r\nauthorization: Bearer canary-5d1f\r\n");
    }
}
