//! Credentials that only their name gives away: `password = ...`, `"api_key": "..."`, `Authorization: Bearer ...`.

use std::ops::Range;

use countersign_core::Kind;

use super::{ALPHA, Hit, JOIN, Text, cursor::Cursor};

/// What a name promises about its value.
#[derive(Clone, Copy, Eq, PartialEq)]
enum Promise {
    /// Chosen by a person: short is possible.
    Password,
    /// Made by a machine: long and mixed.
    Token,
}

/// Names by how they end, letters only, in lower case.
const NAMES: &[(&[u8], Promise)] = &[
    (b"password", Promise::Password),
    (b"passwd", Promise::Password),
    (b"passphrase", Promise::Password),
    (b"passwort", Promise::Password),
    (b"pwd", Promise::Password),
    (b"secret", Promise::Token),
    (b"secretkey", Promise::Token),
    (b"secretaccesskey", Promise::Token),
    (b"token", Promise::Token),
    (b"apikey", Promise::Token),
    (b"accesskey", Promise::Token),
    (b"accountkey", Promise::Token),
    (b"privatekey", Promise::Token),
    (b"presharedkey", Promise::Token),
    (b"encryptionkey", Promise::Token),
    (b"signingkey", Promise::Token),
    (b"authkey", Promise::Token),
    (b"licensekey", Promise::Token),
    (b"bearer", Promise::Token),
    (b"credential", Promise::Token),
    (b"credentials", Promise::Token),
];

/// Whether a run could name a value: a cheap look before the real one, which most words do not survive.
pub(super) fn may_name(run: &[u8], flags: u8) -> bool {
    flags & ALPHA != 0
        && (flags & JOIN != 0 || matches!(run, [.., a, b, c] if ENDS.contains(&&[a | 0x20, b | 0x20, c | 0x20])))
}

/// Whether the run that ends at `end`, without any sign that joins and not at the end of the view, could name a value: a cheaper
/// look still.
#[inline]
pub(super) fn ends_like_name(view: &[u8], end: usize) -> bool {
    let Some(four) = end.checked_sub(3).and_then(|at| view.get(at..)?.first_chunk::<4>()) else { return false };
    let place = sieve(u32::from_le_bytes(*four));
    SIEVE[place >> 6] >> (place & 63) & 1 == 1
}

/// How names end, in lower case.
const ENDS: [&[u8; 3]; 11] = [b"ord", b"swd", b"ase", b"ort", b"pwd", b"ret", b"key", b"ken", b"rer", b"ial", b"als"];

/// One bit for each of [`ENDS`].
static SIEVE: [u64; 8] = {
    let mut bits = [0; 8];
    let mut i = 0;
    while i < ENDS.len() {
        let [a, b, c] = *ENDS[i];
        let place = sieve(u32::from_le_bytes([a, b, c, 0]));
        bits[place >> 6] |= 1 << (place & 63);
        i += 1;
    }
    bits
};

/// Nine bits that depend on the first three bytes, case aside.
#[inline]
const fn sieve(four: u32) -> usize {
    ((four & 0xff_ffff | 0x20_2020).wrapping_mul(0x9e37_79b1) >> 23) as usize
}

/// The value named by the run, inside the run or behind it.
pub(super) fn value(cur: &mut Cursor<'_>, text: &Text<'_>, run: &Range<usize>) -> Option<Hit> {
    let bytes = text.view.get(run.clone()).unwrap_or_default();
    // Inside the run: the last name before a sign that is not at its end.
    let join = bytes.iter().rposition(|c| matches!(c, b'=' | b':'));
    let inside = join.and_then(|_| {
        bytes.iter().enumerate().filter(|(_, c)| matches!(c, b'=' | b':')).find_map(|(i, _)| {
            let promise = promise(bytes.get(..i)?)?;
            Some((promise, i))
        })
    });
    let promise = match inside {
        Some((promise, sign)) => {
            cur.at = run.start + sign;
            cur.eat_while(3, |c| matches!(c, b'=' | b':'));
            promise
        }
        None => {
            let promise = promise(bytes)?;
            cur.at = run.end;
            cur.eat_while(1, |c| matches!(c, b'"' | b'\'' | b'`' | b']'));
            cur.eat_while(3, |c| c == b' ');
            let is = cur.eat_text(b"is ");
            let signs = cur.eat_while(3, |c| matches!(c, b'=' | b':' | b'>'));
            let bearer = bytes.eq_ignore_ascii_case(b"bearer");
            if !is && signs == 0 && !bearer {
                return None;
            }
            promise
        }
    };
    cur.eat_while(4, |c| matches!(c, b' ' | b'>'));
    let open = cur.peek()?;
    let quoted = matches!(open, b'"' | b'\'' | b'`');
    if quoted {
        cur.at += 1;
    }
    let start = cur.at;
    cur.eat_while(LONGEST, |c| {
        if quoted { c != open && c != b'\n' } else { !c.is_ascii_whitespace() && !b"\"'`,;<>".contains(&c) }
    });
    let mut value = cur.since(start);
    while !quoted && let [head @ .., b'.' | b')' | b'}' | b']' | b'!' | b'?' | b':' | b'&' | b'*'] = value {
        value = head;
    }
    let end = start + value.len();
    let (rule, confidence) = match promise {
        Promise::Password if likely_password(value) => ("secret/password", 0.75),
        Promise::Token if likely_token(value) => ("secret/assigned", 0.75),
        _ => return None,
    };
    Some(Hit::new(Kind::Secret, rule, start..end, confidence))
}

/// No value is longer.
const LONGEST: usize = 512;

/// What the end of a name promises.
fn promise(name: &[u8]) -> Option<Promise> {
    let mut letters = [0; 24];
    let mut from = letters.len();
    let spelt = || name.iter().rev().filter(|c| !matches!(c, b'_' | b'-' | b'.' | b'*' | b'#'));
    // Most names are told by their last letter not to promise anything.
    if !spelt().next().is_some_and(|c| ENDS.iter().any(|end| end[2] == c | 0x20)) {
        return None;
    }
    for c in spelt().take(letters.len()) {
        from -= 1;
        *letters.get_mut(from)? = c.to_ascii_lowercase();
    }
    let letters = letters.get(from..)?;
    NAMES.iter().find(|(n, _)| letters.ends_with(n)).map(|(_, p)| *p)
}

/// At least two classes of characters, and nothing that stands for a value instead of being one.
fn likely_password(value: &[u8]) -> bool {
    (6..=128).contains(&value.len()) && !placeholder(value) && classes(value) >= 2 && !value.contains(&b' ')
}

/// Long, mixed, and without the regularity of words.
fn likely_token(value: &[u8]) -> bool {
    let body = value.iter().all(|c| c.is_ascii_alphanumeric() || b"-_.+/=~!@#$%^&*:".contains(c));
    (12..=LONGEST).contains(&value.len())
        && body
        && !placeholder(value)
        && value.iter().any(u8::is_ascii_digit)
        && value.iter().any(u8::is_ascii_alphabetic)
        && distinct(value) >= 8
}

/// How many of: lower case, upper case (beyond the first letter), digits, signs.
fn classes(value: &[u8]) -> usize {
    let tail = value.get(1..).unwrap_or_default();
    usize::from(value.iter().any(u8::is_ascii_lowercase))
        + usize::from(tail.iter().any(u8::is_ascii_uppercase))
        + usize::from(value.iter().any(u8::is_ascii_digit))
        + usize::from(value.iter().any(|c| c.is_ascii_punctuation() && !matches!(c, b'.' | b'_' | b'-' | b'(' | b')')))
}

fn distinct(value: &[u8]) -> u32 {
    value.iter().fold(0u128, |seen, c| seen | 1 << (c & 127)).count_ones()
}

/// A hole to be filled, a variable, a call.
fn placeholder(value: &[u8]) -> bool {
    let lower = value.to_ascii_lowercase();
    let holds = |what: &[u8]| memchr::memmem::find(&lower, what).is_some();
    lower.starts_with(b"$")
        && !lower.contains(&b'^')
        && lower.iter().skip(1).all(|c| c.is_ascii_alphanumeric() || b"_{}".contains(c))
        || [
            b"${".as_slice(),
            b"{{",
            b"%(",
            b"***",
            b"...",
            b"xxxx",
            b"your_",
            b"your-",
            b"example",
            b"placeholder",
            b"redacted",
        ]
        .iter()
        .any(|w| holds(w))
        || [b"os.".as_slice(), b"env(", b"env.", b"process.", b"getenv", b"config.", b"[masked"]
            .iter()
            .any(|w| lower.starts_with(w))
        || lower.contains(&b'(') && lower.ends_with(b")")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_ends_as_the_cheap_look_expects() {
        for (name, _) in NAMES {
            assert!(
                may_name(name, ALPHA) && ends_like_name(&[name, b" ".as_slice()].concat(), name.len()),
                "{}",
                name.escape_ascii()
            );
            assert!(promise(name).is_some(), "{}", name.escape_ascii());
        }
    }
}
