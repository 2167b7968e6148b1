//! Credentials that show what they are: issued prefixes and marks, private keys, connection strings.
//!
//! GitHub and npm tokens end in a checksum, which makes them certain.

use std::{ops::Range, sync::LazyLock};

use countersign_core::Kind;

use super::{
    HOLD, Hit, Text, check,
    cursor::Cursor,
    services::{Body, MARKED, Marked, TOKENS, Token},
    value,
};

/// No token with a prefix is shorter; shorter runs are not looked at.
pub(super) const SHORTEST: usize = 16;

/// Where a token can begin or hold its mark, web tokens among them, by three bytes, and the tokens by their first, longest prefix first.
struct Index {
    sieve: Vec<u64>,
    by_lead: Vec<Vec<&'static Token>>,
}

static INDEX: LazyLock<Index> = LazyLock::new(|| {
    let mut index = Index { sieve: vec![0; 1 << 10], by_lead: vec![Vec::new(); 256] };
    let mut begins = |text: &[u8]| {
        // What is told by two bytes may have any third.
        let &[a, b, ref rest @ ..] = text else { return };
        let third = rest.first().map_or(0..=u8::MAX, |c| *c..=*c);
        for place in third.map(|c| sieve([a, b, c])) {
            if let Some(word) = index.sieve.get_mut(place >> 6) {
                *word |= 1 << (place & 63);
            }
        }
    };
    begins(b"eyJ");
    DISCORD.iter().for_each(|pair| begins(*pair));
    TOKENS.iter().for_each(|token| begins(token.1));
    MARKED.iter().for_each(|token| begins(token.1));
    for token in TOKENS {
        let [a, ..] = token.1 else { continue };
        if let Some(tokens) = index.by_lead.get_mut(usize::from(*a)) {
            tokens.push(token);
        }
    }
    index.by_lead.iter_mut().for_each(|tokens| tokens.sort_by_key(|t| std::cmp::Reverse(t.1.len())));
    index
});

/// Sixteen bits that depend on three bytes.
#[inline]
const fn sieve([a, b, c]: [u8; 3]) -> usize {
    (u32::from_le_bytes([a, b, c, 0]).wrapping_mul(0x9e37_79b1) >> 16) as usize
}

/// Tokens inside one run.
pub(super) fn tokens(run: &[u8], start: usize, out: &mut Vec<Hit>) {
    let index = &*INDEX;
    let known = |three: &[u8]| {
        let &[a, b, c] = three else { return false };
        let place = sieve([a, b, c]);
        index.sieve.get(place >> 6).is_some_and(|w| w >> (place & 63) & 1 == 1)
    };
    let mut done = 0;
    for (at, three) in run.windows(3).enumerate().filter(|(_, three)| known(three)) {
        let &[a, ..] = three else { continue };
        if at < done {
            continue;
        }
        let before = at.checked_sub(1).and_then(|i| run.get(i)).copied().unwrap_or(b' ');
        let begins = !before.is_ascii_alphanumeric() || before.is_ascii_lowercase() && a.is_ascii_uppercase();
        let rest = run.get(at..).unwrap_or_default();
        let tokens = index.by_lead.get(usize::from(a)).into_iter().flatten();
        // Letters put before a token must not hide it, where its beginning cannot be the middle of a word.
        let hit = tokens
            .filter(|t| rest.starts_with(t.1) && (begins || unlike_words(t.1)))
            .find_map(|t| token(t, rest))
            .or_else(|| if begins { dotted(rest) } else { None })
            .map(|(rule, len, confidence)| (rule, at..at + len, confidence))
            .or_else(|| MARKED.iter().find_map(|m| marked(m, run, done, at)));
        if let Some((rule, span, confidence)) = hit {
            out.push(Hit::new(Kind::Secret, rule, start + span.start..start + span.end, confidence));
            done = span.end;
        }
    }
}

/// The kind of token that all of `value` is.
pub(super) fn whole(value: &[u8]) -> Option<(&'static str, f32)> {
    let mut found = Vec::new();
    tokens(value, 0, &mut found);
    found.first().filter(|hit| hit.span == (0..value.len())).map(|hit| (hit.rule, hit.confidence))
}

/// Beginnings that no word has in its middle.
fn unlike_words(prefix: &[u8]) -> bool {
    prefix.len() >= 4 && prefix.iter().any(|c| matches!(c, b'_' | b'-'))
}

/// Whether three bytes or more of some token's beginning stand at the end of an unfinished run.
pub(super) fn promising(held: &[u8]) -> bool {
    let starts = (0..held.len()).filter(|i| *i == 0 || held.get(i - 1).is_some_and(|c| !c.is_ascii_alphanumeric()));
    starts.filter_map(|i| held.get(i..)).any(|rest| {
        let begun = |prefix: &[u8]| {
            let len = rest.len().min(prefix.len());
            len >= 3.min(prefix.len()) && rest.get(..len) == prefix.get(..len)
        };
        let tokens = rest.first().and_then(|c| INDEX.by_lead.get(usize::from(*c)));
        begun(b"eyJ") || tokens.into_iter().flatten().any(|t| begun(t.1))
    })
}

/// One kind of token at the beginning of `rest`: its rule, length and certainty.
fn token(&Token(rule, prefix, body, least, most): &Token, rest: &[u8]) -> Option<(&'static str, usize, f32)> {
    let tail = rest.strip_prefix(prefix)?;
    let len = tail.iter().take_while(|c| body.takes(**c)).count();
    let tail = tail.get(..len)?;
    let tail = tail.get(..tail.iter().rposition(|c| !matches!(c, b'.' | b':' | b'-')).map_or(0, |i| i + 1))?;
    // Tokens of bounded length do not go on; a hash that happens to begin like one does.
    let bounded = (least..=most).contains(&tail.len());
    if !bounded || !body.fits(tail) || rest.get(prefix.len() + len).is_some_and(u8::is_ascii_alphanumeric) {
        return None;
    }
    let mixed = tail.iter().any(u8::is_ascii_digit)
        || matches!(body, Body::Upper)
        || matches!(body, Body::Alnum)
            && tail.iter().any(u8::is_ascii_uppercase)
            && tail.iter().any(u8::is_ascii_lowercase);
    if !mixed && prefix.len() < 5 {
        return None;
    }
    let confidence = if checksum(prefix, tail) { 1.0 } else { 0.9 };
    Some((rule, prefix.len() + tail.len(), confidence))
}

/// One kind of token that holds its mark at `at` of a run, of which what stands before `done` belongs to another.
fn marked(
    &Marked(rule, mark, (head, head_least, head_most), (tail, tail_least, tail_most)): &Marked,
    run: &[u8],
    done: usize,
    at: usize,
) -> Option<(&'static str, Range<usize>, f32)> {
    let behind = run.get(at..)?.strip_prefix(mark)?;
    let len = behind.iter().take_while(|c| tail.takes(**c)).count();
    let before = run.get(done..at)?.iter().rev().take_while(|c| head.takes(**c)).count();
    let fits = (head_least..=head_most).contains(&before) && (tail_least..=tail_most).contains(&len);
    fits.then(|| (rule, at - before..at + mark.len() + len, 0.9))
}

/// GitHub and npm tokens: 30 characters and the CRC-32 of them, in base 62, six digits.
fn checksum(prefix: &[u8], tail: &[u8]) -> bool {
    const DIGITS: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    if tail.len() != 36 || prefix.len() != 4 {
        return false;
    }
    let Some((text, sum)) = tail.split_at_checked(30) else { return false };
    let value = sum.iter().try_fold(0u64, |v, c| DIGITS.iter().position(|d| d == c).map(|d| v * 62 + d as u64));
    value == Some(u64::from(check::crc32(text)))
}

/// A JSON web token (RFC 7519): two or three parts of base64url, the first two of them JSON objects.
fn web_token(rest: &[u8]) -> Option<(&'static str, usize, f32)> {
    if !rest.starts_with(b"eyJ") {
        return None;
    }
    let part = |text: &[u8]| text.iter().take_while(|c| c.is_ascii_alphanumeric() || matches!(c, b'-' | b'_')).count();
    let head = part(rest);
    let tail = rest.get(head..)?.strip_prefix(b".")?;
    let body = part(tail);
    if head < 12 || body < 12 || !tail.starts_with(b"ey") {
        return None;
    }
    let mut len = head + 1 + body;
    if let Some(sign) = rest.get(len..).and_then(|r| r.strip_prefix(b".")) {
        len += 1 + part(sign);
    }
    Some(("secret/web-token", len, 0.9))
}

/// A token in parts with dots between them: a web token, or a bot's token of Discord.
fn dotted(rest: &[u8]) -> Option<(&'static str, usize, f32)> {
    if rest.starts_with(b"ey") {
        return web_token(rest);
    }
    if !DISCORD.iter().any(|pair| rest.starts_with(*pair)) {
        return None;
    }
    let part = |from: usize| rest.get(from..).map_or(0, |r| r.iter().take_while(|c| Body::Word.takes(**c)).count());
    let id = part(0);
    let time = part(id + 1);
    let sign = part(id + time + 2);
    let dots = rest.get(id) == Some(&b'.') && rest.get(id + 1 + time) == Some(&b'.');
    let fits = (23..=28).contains(&id) && (6..=7).contains(&time) && (27..=40).contains(&sign);
    (dots && fits).then_some(("secret/discord-token", id + time + sign + 2, 0.9))
}

/// What the number of a bot begins with in base64: its digits are 3x in hex.
const DISCORD: [&[u8; 2]; 10] = [b"MD", b"MT", b"Mj", b"Mz", b"ND", b"NT", b"Nj", b"Nz", b"OD", b"OT"];

/// The password in `scheme://name:password@host`.
pub(super) fn connection(run: &[u8], start: usize, out: &mut Vec<Hit>) {
    let Some(scheme) = memchr::memmem::find(run, b"://") else { return };
    let from = scheme + 3;
    let authority = run.get(from..).unwrap_or_default();
    let end = authority.iter().position(|c| matches!(c, b'/' | b'?' | b'#')).unwrap_or(authority.len());
    let authority = authority.get(..end).unwrap_or_default();
    let Some(at) = authority.iter().rposition(|c| *c == b'@') else { return };
    let user = authority.get(..at).unwrap_or_default();
    let Some(colon) = user.iter().position(|c| *c == b':') else { return };
    let password = user.get(colon + 1..).unwrap_or_default();
    let hole = value::placeholder(password)
        || [b"password".as_slice(), b"pass", b"pwd"].iter().any(|w| password.eq_ignore_ascii_case(w));
    let known = || out.iter().any(|h| h.span.start < start + from + at && h.span.end > start + from + colon);
    if password.len() > 2 && !hole && !known() {
        let span = start + from + colon + 1..start + from + at;
        out.push(Hit::new(Kind::Secret, "secret/connection-string", span, 0.85));
    }
}

/// The private lines of a PuTTY key file, base64 up to the checksum behind them.
pub(super) fn putty_key(cur: &mut Cursor<'_>, text: &Text<'_>) -> Option<Hit> {
    let start = cur.at;
    if !cur.eat_text(b"Private-Lines: ") {
        return None;
    }
    cur.eat_while(4, |c| c.is_ascii_digit());
    let from = cur.at;
    let most = if text.grows { HOLD - 64 } else { usize::MAX };
    cur.eat_while(most, |c| c.is_ascii_alphanumeric() || b"+/=\n\r".contains(&c));
    let endless = text.grows && cur.at - from >= most;
    (cur.at - from > SHORTEST)
        .then(|| Hit { endless, ..Hit::new(Kind::Secret, "secret/private-key", start..cur.at, 1.0) })
}

/// A private key in PEM (RFC 7468) or OpenPGP armour, with its line breaks as they are or as `\n`.
pub(super) fn private_key(cur: &mut Cursor<'_>, text: &Text<'_>) -> Option<Hit> {
    let start = cur.at;
    if !cur.eat_text(b"-----BEGIN") || !cur.eat(b' ') {
        return None;
    }
    let name = cur.at;
    cur.eat_while(48, |c| c.is_ascii_uppercase() || c.is_ascii_digit() || c == b' ');
    memchr::memmem::find(cur.since(name), b"PRIVATE KEY")?;
    if !cur.eat_text(b"-----") {
        return None;
    }
    let hit = |end, endless| Hit { endless, ..Hit::new(Kind::Secret, "secret/private-key", start..end, 1.0) };
    loop {
        if text.grows && cur.at - start >= HOLD - 64 {
            return Some(hit(cur.at, true));
        }
        match cur.peek() {
            Some(b'-') if cur.peek_at(1) == Some(b'-') => {
                if cur.eat_text(b"-----END ") {
                    cur.eat_while(48, |c| c != b'-');
                }
                cur.eat_while(5, |c| c == b'-');
                return Some(hit(cur.at, false));
            }
            // Base64, white space, armour headers, and what source code puts around the lines.
            Some(c) if c.is_ascii_alphanumeric() || b"+/= \n\r\t:,-\"'\\.()".contains(&c) => cur.at += 1,
            _ => return Some(hit(cur.at, false)),
        }
    }
}

#[cfg(test)]
mod tests;
