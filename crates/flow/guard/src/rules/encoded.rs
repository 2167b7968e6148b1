//! Texts hidden in a run: base64, hex, percent signs, letters with spaces between them. What is inside is scanned like any text.

use super::{DASH, ESCAPE, HOLD, Hit, OTHER, Text, cursor::Cursor, view};

/// How many encodings are undone, one inside the other.
const DEPTH: u8 = 3;

/// The shortest run worth decoding: sixteen characters of base64 hold twelve bytes.
const SHORTEST: usize = 16;

/// Lines of encoded text have this length at least, but for the last one, and this at most.
pub(super) const LINE: usize = 56;
const LONGEST_LINE: usize = 128;

/// The longest sequence of single letters that is read as one word.
const SPACED: usize = 512;

/// What is encoded inside one run.
pub(super) fn inside(run: &[u8], start: usize, flags: u8, text: &Text<'_>, out: &mut Vec<Hit>) {
    if text.depth >= DEPTH {
        return;
    }
    if flags & ESCAPE != 0
        && let Some(plain) = percent(run)
    {
        rescan(&plain, start, run.len(), text, out);
    }
    if flags & (DASH | OTHER) != 0
        && let Some(plain) = separated(run)
    {
        rescan(&plain, start, run.len(), text, out);
    }
    let mut at = 0;
    while at < run.len() {
        let rest = run.get(at..).unwrap_or_default();
        let len = rest.iter().take_while(|c| is_base64(**c)).count();
        let token = rest.get(..len).unwrap_or_default();
        if len >= SHORTEST
            && let Some(plain) = decode(token)
        {
            rescan(&plain, start + at, len, text, out);
        } else if len >= SHORTEST && token.contains(&b'/') {
            let mut from = 0;
            for piece in token.split(|c| *c == b'/') {
                if piece.len() >= SHORTEST
                    && let Some(plain) = decode(piece)
                {
                    rescan(&plain, start + at + from, piece.len(), text, out);
                }
                from += piece.len() + 1;
            }
        }
        at += len.max(1);
    }
}

/// Whether a run can be one of many that spell a word: a sign alone, or two hex digits.
pub(super) fn may_be_spaced(run: &[u8]) -> bool {
    match run {
        [_] => true,
        [a, b] => a.is_ascii_hexdigit() && b.is_ascii_hexdigit(),
        _ => false,
    }
}

/// Letters one by one, `s k - a b c`, or pairs of hex digits: read as what they spell.
pub(super) fn spaced(cur: &mut Cursor<'_>, text: &Text<'_>) -> Option<Hit> {
    let start = cur.at;
    let width = if cur.peek_at(1) == Some(b' ') { 1 } else { 2 };
    // `a b ` or it is no such word; a single letter is common.
    if cur.peek_at(width) != Some(b' ') || cur.peek_at(2 * width + 1) != Some(b' ') {
        return None;
    }
    let mut word = Vec::new();
    let mut end = start;
    while word.len() < SPACED {
        if (0..width)
            .any(|i| cur.peek_at(i).is_none_or(|c| !c.is_ascii_graphic() || width == 2 && !c.is_ascii_hexdigit()))
        {
            break;
        }
        let gap = cur.peek_at(width);
        if gap.is_some_and(|g| g.is_ascii_graphic()) {
            break;
        }
        let from = cur.at;
        cur.at += width;
        word.extend_from_slice(cur.since(from));
        end = cur.at;
        if gap != Some(b' ') {
            break;
        }
        cur.at += 1;
    }
    if word.len() < SHORTEST || text.depth >= DEPTH {
        return None;
    }
    let mut found = Vec::new();
    rescan(&word, start, end - start, text, &mut found);
    found.pop()
}

/// Base64 in lines, as tools write it.
pub(super) fn wrapped(cur: &mut Cursor<'_>, text: &Text<'_>) -> Option<Hit> {
    let start = cur.at;
    let mut joined = Vec::new();
    // Length and end without the last line, which may be a word that follows.
    let (mut lines, mut before) = (0, (0, start));
    loop {
        let from = cur.at;
        if lines > 1 {
            before = (joined.len(), from);
        }
        let len = cur.eat_while(HOLD, is_base64);
        joined.extend_from_slice(cur.since(from));
        lines += 1;
        let room = cur.at - start < HOLD - 2 * LONGEST_LINE;
        let padded = cur.eat_while(2, |c| c == b'=') > 0;
        if padded || !(LINE..=LONGEST_LINE).contains(&len) || !room {
            break;
        }
        let carriage = cur.eat(b'\r');
        if !cur.eat(b'\n') || !cur.peek().is_some_and(is_base64) {
            cur.at -= usize::from(carriage);
            break;
        }
    }
    if lines < 2 || text.depth >= DEPTH {
        return None;
    }
    let (plain, end) = match decode(&joined) {
        Some(plain) => (plain, cur.at),
        None => (decode(joined.get(..before.0)?)?, before.1),
    };
    let mut found = Vec::new();
    rescan(&plain, start, end - start, text, &mut found);
    found.pop()
}

/// Letters with one sign between every two of them: `s.k.-.a`.
fn separated(run: &[u8]) -> Option<Vec<u8>> {
    let sign = run.get(1).filter(|c| !c.is_ascii_alphanumeric())?;
    let all = run.len() > 2 * SHORTEST && run.iter().skip(1).step_by(2).all(|c| c == sign);
    all.then(|| run.iter().step_by(2).copied().collect())
}

/// Scans what was decoded; what is found there is reported for the whole encoded piece, each rule once.
fn rescan(plain: &[u8], start: usize, len: usize, text: &Text<'_>, out: &mut Vec<Hit>) {
    let decoded = String::from_utf8_lossy(plain);
    let (bytes, _) = view::view(&decoded);
    let inner = Text { view: &bytes, from: 0, last: true, grows: false, depth: text.depth + 1, ..*text };
    let mut found = Vec::new();
    super::scan(&inner, &mut found);
    if let Some(planted) = text.planted {
        planted.whole(&bytes, &mut found);
    }
    for hit in found {
        let span = start..start + len;
        let hit = Hit { span, endless: false, more: false, ..hit };
        let words = |hit: &Hit| hit.reproduced.as_ref().map(|it| it.words);
        match out.iter_mut().find(|h| h.span == hit.span && h.rule == hit.rule) {
            None => out.push(hit),
            Some(known) if words(known) < words(&hit) => *known = hit,
            Some(_) => {}
        }
    }
}

const fn is_base64(c: u8) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, b'+' | b'/' | b'-' | b'_')
}

/// The text a token holds, in hex or in base64 of either alphabet, begun at any of four places.
fn decode(token: &[u8]) -> Option<Vec<u8>> {
    if token.iter().all(u8::is_ascii_hexdigit) {
        return [0, 1].iter().find_map(|skip| hex(token.get(*skip..)?));
    }
    (0..4).find_map(|skip| {
        let token = token.get(skip..)?;
        // A few characters tell text from noise; most tokens end here.
        let mut probe = [0; 9];
        for (chunk, to) in token.get(..12)?.chunks(4).zip(probe.chunks_mut(3)) {
            to.copy_from_slice(&quad(chunk)?);
        }
        if !printable(&probe) {
            return None;
        }
        base64(token).filter(|t| printable(t))
    })
}

fn hex(token: &[u8]) -> Option<Vec<u8>> {
    let value = |c: &u8| char::from(*c).to_digit(16);
    let mut out = Vec::with_capacity(token.len() / 2);
    for pair in token.chunks_exact(2) {
        let [a, b] = pair else { return None };
        out.push((value(a)? << 4 | value(b)?) as u8);
        if out.len() == 6 && !printable(&out) {
            return None;
        }
    }
    printable(&out).then_some(out)
}

/// Base64 of either alphabet, as far as it goes.
pub(super) fn base64(token: &[u8]) -> Option<Vec<u8>> {
    let mut out = Vec::with_capacity(token.len() / 4 * 3 + 3);
    for chunk in token.chunks(4) {
        out.extend(quad(chunk)?.iter().take(chunk.len() * 6 / 8));
    }
    Some(out)
}

/// The bytes that up to four characters stand for.
fn quad(chunk: &[u8]) -> Option<[u8; 3]> {
    let mut bits = 0u32;
    for c in chunk {
        let value = match c {
            b'A'..=b'Z' => c - b'A',
            b'a'..=b'z' => c - b'a' + 26,
            b'0'..=b'9' => c - b'0' + 52,
            b'+' | b'-' => 62,
            b'/' | b'_' => 63,
            _ => return None,
        };
        bits = bits << 6 | u32::from(value);
    }
    let [_, a, b, c] = (bits << (6 * (4 - chunk.len()))).to_be_bytes();
    Some([a, b, c])
}

/// Whether these bytes are text: no control characters but white space, and UTF-8 but for a cut end.
fn printable(bytes: &[u8]) -> bool {
    let odd = bytes.iter().filter(|c| c.is_ascii_control() && !matches!(c, b'\n' | b'\r' | b'\t')).count();
    let tail = match std::str::from_utf8(bytes) {
        Ok(_) => 0,
        Err(e) => bytes.len() - e.valid_up_to(),
    };
    !bytes.is_empty() && odd == 0 && tail <= 3
}

/// The run with `%XX` undone; none where there is nothing to undo.
fn percent(run: &[u8]) -> Option<Vec<u8>> {
    let mut out = Vec::with_capacity(run.len());
    let mut rest = run;
    let mut changed = false;
    while let [first, tail @ ..] = rest {
        let pair = (*first == b'%').then(|| tail.get(..2)).flatten().and_then(|p| {
            let [a, b] = p else { return None };
            Some((char::from(*a).to_digit(16)? << 4 | char::from(*b).to_digit(16)?) as u8)
        });
        match pair {
            Some(byte) => {
                out.push(byte);
                changed = true;
                rest = tail.get(2..).unwrap_or_default();
            }
            None => {
                out.push(*first);
                rest = tail;
            }
        }
    }
    changed.then_some(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_alphabets_any_place_and_cut_ends_decode() {
        assert_eq!(decode(b"c2VjcmV0IHNlY3JldCE"), Some(b"secret secret!".to_vec()));
        assert_eq!(decode(b"xc2VjcmV0IHNlY3JldCE"), Some(b"secret secret!".to_vec()));
        assert_eq!(decode(b"73656372657420736563"), Some(b"secret sec".to_vec()));
        assert_eq!(decode(b"internationalisation"), None);
        assert_eq!(decode(b"9fceb02d0ae598e95dc970b74767f19372d61af8"), None);
        assert_eq!(percent(b"a%20b%zz"), Some(b"a b%zz".to_vec()));
        assert_eq!(percent(b"100%"), None);
    }
}
