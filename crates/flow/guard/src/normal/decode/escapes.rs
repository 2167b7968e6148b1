//! Escapes: percent, backslash, HTML entities and quoted-printable.

use super::{Encoding, Piece, floor};

/// Finds stretches with at least three escapes and resolves them.
pub(super) fn find(text: &str, out: &mut Vec<Piece>) {
    let bytes = text.as_bytes();
    let mut at = 0;
    // The stretch under way: its start, its end and how many escapes it has.
    let mut stretch: Option<(usize, usize, usize)> = None;
    let mut close = |stretch: Option<(usize, usize, usize)>| {
        if let Some((start, end, count)) = stretch
            && count >= LEAST
        {
            let start = floor(text, start.saturating_sub(AROUND));
            let end = floor(text, end + AROUND);
            let text = resolve(text.get(start..end).unwrap_or_default());
            out.push(Piece { span: start..end, text, encoding: Encoding::Escapes });
        }
    };
    let mut marks = Marks::new(bytes);
    while let Some(next) = marks.next(at) {
        let Some((_, len)) = escape(bytes.get(next..).unwrap_or_default()) else {
            at = next + 1;
            continue;
        };
        stretch = match stretch {
            Some((start, end, count)) if next <= end + GAP => Some((start, next + len, count + 1)),
            old => {
                close(old);
                Some((next, next + len, 1))
            }
        };
        at = next + len;
    }
    close(stretch);
}

/// Where the next escape could begin. Each of two searches is asked again only when its last answer has been passed.
struct Marks<'a> {
    bytes: &'a [u8],
    common: Option<usize>,
    equals: Option<usize>,
}

impl<'a> Marks<'a> {
    fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, common: memchr::memchr3(b'%', b'\\', b'&', bytes), equals: memchr::memchr(b'=', bytes) }
    }

    fn next(&mut self, at: usize) -> Option<usize> {
        let rest = self.bytes.get(at..)?;
        if self.common.is_some_and(|n| n < at) {
            self.common = memchr::memchr3(b'%', b'\\', b'&', rest).map(|n| at + n);
        }
        if self.equals.is_some_and(|n| n < at) {
            self.equals = memchr::memchr(b'=', rest).map(|n| at + n);
        }
        match (self.common, self.equals) {
            (Some(a), Some(b)) => Some(a.min(b)),
            (a, b) => a.or(b),
        }
    }
}

/// The text with every escape resolved; bytes that are not UTF-8 are replaced.
fn resolve(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while let Some(b) = bytes.get(at) {
        match escape(bytes.get(at..).unwrap_or_default()) {
            Some((Value::Byte(value), len)) => {
                out.push(value);
                at += len;
            }
            Some((Value::Char(c), len)) => {
                out.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
                at += len;
            }
            Some((Value::Nothing, len)) => at += len,
            None => {
                out.push(*b);
                at += 1;
            }
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}

enum Value {
    Byte(u8),
    Char(char),
    /// A line end that was put in.
    Nothing,
}

/// The escape at the start of `bytes` and its length.
fn escape(bytes: &[u8]) -> Option<(Value, usize)> {
    let number = |from: usize, len: usize, radix| {
        let digits = std::str::from_utf8(bytes.get(from..from + len)?).ok()?;
        digits.bytes().all(|b| b.is_ascii_alphanumeric()).then(|| u32::from_str_radix(digits, radix).ok())?
    };
    let byte = |from, len| number(from, 2, 16).and_then(|n| u8::try_from(n).ok()).map(|n| (Value::Byte(n), len));
    let run = |from: usize, most: usize, fits: fn(&u8) -> bool| {
        bytes.iter().skip(from).take(most).take_while(|b| fits(b)).count()
    };
    match bytes {
        [b'%', b'u', ..] => number(2, 4, 16).and_then(char::from_u32).map(|c| (Value::Char(c), 6)),
        [b'%', ..] => byte(1, 3),
        // Quoted-printable writes capitals, which keeps `a=be` out.
        [b'=', b'\n', ..] => Some((Value::Nothing, 2)),
        [b'=', b'\r', b'\n', ..] => Some((Value::Nothing, 3)),
        [b'=', a, b, ..] if !a.is_ascii_lowercase() && !b.is_ascii_lowercase() => byte(1, 3),
        [b'\\', b'x', b'{', ..] | [b'\\', b'u', b'{', ..] => {
            let len = run(3, 6, u8::is_ascii_hexdigit);
            let c = number(3, len, 16).and_then(char::from_u32)?;
            (bytes.get(3 + len) == Some(&b'}')).then_some((Value::Char(c), len + 4))
        }
        [b'\\', b'x', ..] => byte(2, 4),
        [b'\\', b'u', ..] => match (number(2, 4, 16)?, bytes.get(6..8), number(8, 4, 16)) {
            (high @ 0xd800..=0xdbff, Some(b"\\u"), Some(low @ 0xdc00..=0xdfff)) => {
                char::from_u32(0x1_0000 + ((high - 0xd800) << 10) + low - 0xdc00).map(|c| (Value::Char(c), 12))
            }
            (unit, ..) => char::from_u32(unit).map(|c| (Value::Char(c), 6)),
        },
        [b'\\', b'0'..=b'3', ..] => number(1, 3, 8).and_then(|n| u8::try_from(n).ok()).map(|n| (Value::Byte(n), 4)),
        [b'\\', b'U', ..] => number(2, 8, 16).and_then(char::from_u32).map(|c| (Value::Char(c), 10)),
        [b'&', b'#', b'x' | b'X', ..] => {
            let len = run(3, 6, u8::is_ascii_hexdigit);
            let c = number(3, len, 16).and_then(char::from_u32)?;
            Some((Value::Char(c), 3 + len + usize::from(bytes.get(3 + len) == Some(&b';'))))
        }
        [b'&', b'#', ..] => {
            let len = run(2, 7, u8::is_ascii_digit);
            let c = number(2, len, 10).and_then(char::from_u32)?;
            Some((Value::Char(c), 2 + len + usize::from(bytes.get(2 + len) == Some(&b';'))))
        }
        [b'&', ..] => {
            let len = run(1, 8, u8::is_ascii_alphabetic);
            let name = bytes.get(1..1 + len)?;
            if bytes.get(1 + len) != Some(&b';') {
                return None;
            }
            named(name).map(|c| (Value::Char(c), len + 2))
        }
        _ => None,
    }
}

/// The character that an entity names, where it hides a letter, a space or markup.
fn named(name: &[u8]) -> Option<char> {
    if let Some((_, c)) = ENTITIES.iter().find(|(n, _)| *n == name) {
        return Some(*c);
    }
    // Letters with accents and in fancy type: `&eacute;`, `&iopf;`.
    let (letter, rest) = name.split_first()?;
    let known = letter.is_ascii_alphabetic() && LETTERS.contains(&rest);
    known.then(|| char::from(*letter))
}

/// Endings of the names of letters.
const LETTERS: [&[u8]; 12] =
    [b"acute", b"grave", b"circ", b"uml", b"tilde", b"ring", b"cedil", b"caron", b"slash", b"opf", b"scr", b"fr"];

const ENTITIES: [(&[u8], char); 38] = [
    (b"amp", '&'),
    (b"apos", '\''),
    (b"ast", '*'),
    (b"bsol", '\\'),
    (b"colon", ':'),
    (b"comma", ','),
    (b"commat", '@'),
    (b"dash", '-'),
    (b"dollar", '$'),
    (b"emsp", ' '),
    (b"ensp", ' '),
    (b"equals", '='),
    (b"excl", '!'),
    (b"grave", '\''),
    (b"gt", '>'),
    (b"hyphen", '-'),
    (b"lbrace", '{'),
    (b"lbrack", '['),
    (b"lowbar", '_'),
    (b"lpar", '('),
    (b"lsqb", '['),
    (b"lt", '<'),
    (b"nbsp", ' '),
    (b"newline", '\n'),
    (b"NewLine", '\n'),
    (b"num", '#'),
    (b"percnt", '%'),
    (b"period", '.'),
    (b"plus", '+'),
    (b"quest", '?'),
    (b"quot", '"'),
    (b"rbrace", '}'),
    (b"rpar", ')'),
    (b"rsqb", ']'),
    (b"semi", ';'),
    (b"sol", '/'),
    (b"Tab", '\t'),
    (b"vert", '|'),
];

/// Escapes a stretch needs.
const LEAST: usize = 3;
/// Bytes between two escapes of one stretch.
const GAP: usize = 48;
/// Bytes around a stretch that are taken along: what it says may begin in plain letters.
const AROUND: usize = 64;
