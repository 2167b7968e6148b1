//! Links in answers that would carry data out: images that load by themselves, and links with data in them, to hosts that
//! nobody allowed.
//!
//! A plain link to a foreign host passes. What makes a link carry data is in its own text: long or encoded values, sentences,
//! numbers, holes to be filled in, or data in the host's name.

use countersign_core::Kind;

use crate::rules::{Hit, Text, cursor::Cursor};

/// Which hosts links may point to, whatever they carry.
#[derive(Clone, Debug, Default)]
pub(crate) struct Links {
    hosts: Vec<Vec<u8>>,
}

/// The longest markup that is read to its end.
const MARKUP: usize = 1 << 10;

impl Links {
    pub(crate) fn new(hosts: &[String]) -> Self {
        Self { hosts: hosts.iter().map(|h| h.trim().trim_end_matches('.').to_ascii_lowercase().into_bytes()).collect() }
    }

    /// Markup that loads something by itself, with all that belongs to it: `![...](...)`, `<img ...>`.
    pub(crate) fn markup(&self, cur: &mut Cursor<'_>, text: &Text<'_>) -> Option<Hit> {
        let start = cur.at;
        if cur.eat(b'!') {
            return self.image(cur, start);
        }
        cur.at += 1;
        let name = cur.at;
        cur.eat_while(8, |c| c.is_ascii_alphabetic());
        let name = cur.since(name).to_ascii_lowercase();
        if !LOADING.contains(&name.as_slice())
            || cur.peek().is_some_and(|c| !matches!(c, b' ' | b'\n' | b'\t' | b'/' | b'>'))
        {
            return None;
        }
        let inside = cur.at;
        cur.eat_while(MARKUP, |c| c != b'>');
        let tag = cur.since(inside);
        cur.eat(b'>');
        let foreign = addresses(tag).any(|address| self.foreign(address));
        let _ = text;
        foreign.then(|| Hit::new(Kind::Exfiltration, "exfiltration/html", start..cur.at, 0.9))
    }

    /// A Markdown image, from its bracket on. An image by reference loads what the reference names, which is judged there.
    fn image(&self, cur: &mut Cursor<'_>, start: usize) -> Option<Hit> {
        if !cur.eat(b'[') {
            return None;
        }
        let mut depth = 1;
        while depth > 0 {
            if cur.at - start > MARKUP {
                return None;
            }
            match cur.peek()? {
                b'[' => depth += 1,
                b']' => depth -= 1,
                b'\n' if cur.peek_at(1) == Some(b'\n') => return None,
                _ => {}
            }
            cur.at += 1;
        }
        if !cur.eat(b'(') {
            return None;
        }
        let inside = cur.at;
        let mut depth = 1;
        while depth > 0 && cur.at - inside < MARKUP {
            match cur.peek() {
                Some(b'(') => depth += 1,
                Some(b')') => depth -= 1,
                Some(b'\n') | None => break,
                _ => {}
            }
            cur.at += 1;
        }
        let address = cur.since(inside).trim_ascii();
        let address = address.strip_prefix(b"<").unwrap_or(address);
        self.foreign(address).then(|| Hit::new(Kind::Exfiltration, "exfiltration/image", start..cur.at, 0.9))
    }

    /// An address in a run: reported where it carries data, or where a style sheet or a reference loads it.
    pub(crate) fn bare(&self, run: &[u8], start: usize, text: &Text<'_>, out: &mut Vec<Hit>) {
        let Some(at) = begins(run) else { return };
        let address = run.get(at..).unwrap_or_default();
        if !self.foreign(address) {
            return;
        }
        let before = text.view.get(..start).unwrap_or_default();
        let loads = before.ends_with(b"url(");
        // What stands directly behind may be a hole to be filled in: `?q={...}`.
        let hole = matches!(text.view.get(start + run.len()), Some(b'{' | b'<' | b'[' | b'`')) && run.ends_with(b"=");
        if loads || hole || carries(address) {
            // Punctuation at the end belongs to the sentence.
            let len = address.iter().rposition(|c| !matches!(c, b'.' | b'?' | b':' | b'*')).map_or(0, |i| i + 1);
            out.push(Hit::new(Kind::Exfiltration, "exfiltration/link", start + at..start + at + len, 0.8));
        }
    }

    /// Whether an address names a host, and one that is not allowed.
    fn foreign(&self, address: &[u8]) -> bool {
        let Some(host) = host(address) else { return false };
        let host = host.to_ascii_lowercase();
        !self.hosts.iter().any(|allowed| {
            host.strip_suffix(allowed.as_slice()).is_some_and(|sub| sub.is_empty() || sub.ends_with(b"."))
        })
    }
}

/// Elements that load their address by themselves.
const LOADING: &[&[u8]] = &[
    b"img", b"image", b"script", b"iframe", b"link", b"video", b"audio", b"embed", b"object", b"source", b"track",
    b"input", b"svg", b"use", b"frame", b"body", b"table", b"base", b"form",
];

/// Where an address begins in a run.
fn begins(run: &[u8]) -> Option<usize> {
    let scheme = memchr::memmem::find(run, b"://")?;
    let name = run.get(..scheme)?.iter().rev().take_while(|c| c.is_ascii_alphabetic()).count();
    (name >= 2).then_some(scheme - name)
}

/// Addresses inside a tag.
fn addresses(tag: &[u8]) -> impl Iterator<Item = &[u8]> {
    tag.split(|c| c.is_ascii_whitespace() || matches!(c, b'"' | b'\'' | b'=' | b'(' | b','))
        .filter(|a| host(a).is_some())
}

/// The host an address names: `scheme://[user@]host[:port]` or `//host`.
fn host(address: &[u8]) -> Option<&[u8]> {
    let at = memchr::memmem::find(address, b"//").filter(|at| *at == 0 || address.get(at - 1) == Some(&b':'))?;
    let rest = address.get(at + 2..)?;
    // A backslash is a slash to browsers.
    let end = rest.iter().position(|c| matches!(c, b'/' | b'?' | b'#' | b'\\' | b'"' | b'\'' | b' ' | b')' | b'>'));
    let authority = rest.get(..end.unwrap_or(rest.len()))?;
    let host = authority.rsplit(|c| *c == b'@').next()?;
    let host = host.split(|c| *c == b':').next()?;
    let host = host.strip_suffix(b".").unwrap_or(host);
    (!host.is_empty() && host.iter().any(u8::is_ascii_alphanumeric)).then_some(host)
}

/// Whether an address has data in it.
fn carries(address: &[u8]) -> bool {
    let Some(host) = host(address) else { return false };
    if host.split(|c| *c == b'.').any(|label| label.len() >= 24 && encoded(label)) {
        return true;
    }
    let from = memchr::memmem::find(address, b"//").map_or(0, |i| i + 2);
    let rest = address.get(from..).unwrap_or_default();
    let Some(path) = rest.iter().position(|c| matches!(c, b'/' | b'?' | b'#')) else { return false };
    let rest = rest.get(path..).unwrap_or_default();
    let (path, query) = rest.split_at(rest.iter().position(|c| matches!(c, b'?' | b'#')).unwrap_or(rest.len()));
    path.split(|c| *c == b'/')
        .any(|segment| segment.len() >= 24 && encoded(segment) || sentence(segment) || hole(segment))
        || query.split(|c| matches!(c, b'?' | b'&' | b'#')).any(|pair| {
            let value = pair.iter().position(|c| *c == b'=').and_then(|i| pair.get(i + 1..)).unwrap_or(pair);
            value.len() >= 64 || value.len() >= 16 && encoded(value) || sentence(value) || number(value) || hole(value)
        })
}

/// Letters and digits mixed as in an encoding, not as in words and dates.
fn encoded(value: &[u8]) -> bool {
    let digits = value.iter().filter(|c| c.is_ascii_digit()).count();
    let upper = value.iter().filter(|c| c.is_ascii_uppercase()).count();
    let lower = value.iter().filter(|c| c.is_ascii_lowercase()).count();
    let body = value.iter().all(|c| c.is_ascii_alphanumeric() || matches!(c, b'+' | b'_' | b'-' | b'=' | b'%'));
    let words = value.iter().filter(|c| matches!(c, b'-' | b'_' | b'+')).count();
    body && words * 8 < value.len() && (digits > 0 && lower + upper > 2 || upper > 1 && lower > 1) && value.len() >= 16
}

/// Four words or more.
fn sentence(value: &[u8]) -> bool {
    let plus = value.iter().filter(|c| **c == b'+').count();
    let spaces = memchr::memmem::find_iter(value, b"%20").count() + memchr::memmem::find_iter(value, b"%0A").count();
    spaces >= 3 || plus >= 6
}

/// A number long enough to name a person or an account.
fn number(value: &[u8]) -> bool {
    value.iter().filter(|c| c.is_ascii_digit()).count() >= 9
        && value.iter().all(|c| c.is_ascii_digit() || matches!(c, b'-' | b'+' | b'%' | b'.'))
}

/// A place left open for data.
fn hole(value: &[u8]) -> bool {
    [b"%7B".as_slice(), b"%7b", b"$", b"DATA", b"SECRET", b"PASSWORD", b"HISTORY", b"PROMPT"]
        .iter()
        .any(|h| memchr::memmem::find(value, h).is_some())
}

#[cfg(test)]
mod tests;
