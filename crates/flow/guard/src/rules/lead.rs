//! Words that lead a value: the month of a date, the first word of an address, the name of a user's name.
//!
//! INVARIANT: what [`Skip`](super::skip::Skip) steps over would have led nothing: [`may_lead`] says no more than [`ends_like_lead`] and
//! the looks at what follows a word.

use std::ops::Range;

use countersign_core::Kind;

use super::{ALPHA, DIGIT, Hit, JOIN, Text, cursor::Cursor, date, number, place};

/// Whether a run can lead a value: a cheap look before the real one.
pub(super) fn may_lead(view: &[u8], run: &Range<usize>, flags: u8) -> bool {
    if flags & ALPHA == 0 {
        return false;
    }
    if flags & JOIN != 0 {
        return true;
    }
    flags & DIGIT == 0
        && match view.get(run.end..) {
            None | Some([]) => true,
            Some([b' ', next, ..]) if next.is_ascii_digit() => true,
            Some([b' ']) => true,
            Some([0x80..=0xff, ..]) => true,
            _ => {
                let last = run.end.checked_sub(3).and_then(|at| view.get(at..run.end)?.first_chunk::<3>());
                last.is_some_and(|last| ENDS.contains(&&last.map(|c| c | 0x20)))
            }
        }
}

/// Whether the run that ends at `end`, not at the end of the view, could lead a value.
#[inline]
pub(super) fn ends_like_lead(view: &[u8], end: usize) -> bool {
    let Some(four) = end.checked_sub(3).and_then(|at| view.get(at..)?.first_chunk::<4>()) else { return true };
    four[3] >= 0x80 || is_in_sieve(u32::from_le_bytes(*four))
}

/// The value that the run leads.
pub(super) fn value(cur: &mut Cursor<'_>, text: &Text<'_>, run: &Range<usize>, flags: u8) -> Option<Hit> {
    let bytes = text.view.get(run.clone()).unwrap_or_default();
    if let Some(hit) = user(cur, bytes, run, flags) {
        return Some(hit);
    }
    if cur.starved() || flags & (DIGIT | JOIN) != 0 {
        return None;
    }
    cur.at = run.start;
    if date::may_be_month(bytes)
        && let Some(hit) = date::month_first(cur, text)
    {
        return Some(hit);
    }
    if cur.starved() {
        return None;
    }
    cur.at = run.start;
    if let Some(hit) = place::led(cur, text) {
        return Some(hit);
    }
    if cur.starved() || bytes.len() > 4 || !bytes.iter().all(u8::is_ascii_uppercase) {
        return None;
    }
    cur.at = run.start;
    if bytes.len() == 2
        && let Some(hit) = place::postcode(cur)
    {
        return Some(hit);
    }
    if cur.starved() {
        return None;
    }
    cur.at = run.start;
    number::spaced(cur, text)
}

/// What stands behind `username:`, `user=` and their like.
fn user(cur: &mut Cursor<'_>, run: &[u8], place: &Range<usize>, flags: u8) -> Option<Hit> {
    let sign = if flags & JOIN == 0 { None } else { run.iter().position(|c| matches!(c, b'=' | b':')) };
    let name = run.get(..sign.unwrap_or(run.len()))?;
    // Most words end like no such name.
    let &[a, b, c] = name.last_chunk()?;
    if !is_in_sieve(u32::from_le_bytes([a, b, c, 0])) {
        return None;
    }
    let from = name.iter().rposition(|c| !(c.is_ascii_alphabetic() || matches!(c, b'_' | b'-'))).map_or(0, |i| i + 1);
    let name = name.get(from..)?;
    let (_, sure) = USERS.iter().find(|(user, _)| user.as_bytes().eq_ignore_ascii_case(name))?;
    cur.at = place.start + sign.unwrap_or(run.len());
    let quoted = cur.eat(b'"') || cur.eat(b'\'');
    if quoted {
        cur.eat(b' ');
    }
    let sign = cur.peek();
    let tight = match sign {
        Some(b':' | b'=') => {
            cur.at += 1;
            sign == Some(b'=')
        }
        Some(b' ') if *sure && cur.eat_text(b" is ") => false,
        Some(b' ') if *sure && !quoted => false,
        _ => return None,
    };
    let spaces = cur.eat_while(2, |c| matches!(c, b' ' | b'*'));
    let open = cur.peek().filter(|c| matches!(c, b'"' | b'\'' | b'`'));
    cur.at += usize::from(open.is_some());
    cur.eat(b'@');
    let start = cur.at;
    let len = cur.eat_while(40, |c| c.is_ascii_alphanumeric() || matches!(c, b'.' | b'_' | b'-'));
    let mut value = cur.since(start);
    while let [head @ .., b'.' | b'-'] = value {
        value = head;
    }
    let after = cur.peek();
    let ends = match open {
        Some(open) => after == Some(open),
        None => !after.is_some_and(|c| matches!(c, b'(' | b'[' | b'@' | b'{' | b':' | b'/' | b'\\') || c >= 0x80),
    };
    let mixed = value.iter().any(|c| c.is_ascii_digit() || matches!(c, b'_' | b'.' | b'-'))
        && value.iter().any(u8::is_ascii_alphabetic);
    // A bare word is one only in what machines write, or behind a name that says nothing else.
    let likely = mixed && (*sure || tight || open.is_some())
        || (tight && spaces == 0 || open.is_some() && quoted || *sure && sign == Some(b':'));
    let code = value.starts_with(b"self.")
        || value.starts_with(b"os.")
        || value.starts_with(b"request.")
        || value.contains(&b'.') && tight && spaces > 0;
    let placeholder = PLACEHOLDERS.iter().any(|p| p.as_bytes().eq_ignore_ascii_case(value));
    (likely && ends && !code && !placeholder && (3..40).contains(&len) && value.len() > 2)
        .then(|| Hit::new(Kind::PersonalData, "personal/username", start..start + value.len(), 0.75))
}

/// What user names are called, and whether it says nothing else.
const USERS: [(&str, bool); 18] = [
    ("username", true),
    ("user_name", true),
    ("user-name", true),
    ("userid", true),
    ("user_id", true),
    ("user", false),
    ("login", false),
    ("login_name", true),
    ("loginname", true),
    ("screen_name", true),
    ("nickname", true),
    ("benutzername", true),
    ("nutzername", true),
    ("gebruikersnaam", true),
    ("utilisateur", false),
    ("usuario", false),
    ("utente", false),
    ("handle", false),
];

/// Words that stand for a user's name, or are nobody's.
const PLACEHOLDERS: [&str; 22] = [
    "none",
    "null",
    "true",
    "false",
    "nil",
    "user",
    "users",
    "username",
    "self",
    "string",
    "str",
    "text",
    "varchar",
    "name",
    "root",
    "admin",
    "and",
    "the",
    "or",
    "your_username",
    "undefined",
    "required",
];

/// The last three letters of words that lead a value whatever follows, in lower case.
pub(super) const ENDS: [&[u8; 3]; 47] = [
    b"ame", b"ser", b"rid", b"_id", b"gin", b"aam", b"eur", b"rio", b"nte", b"dle", b"lle", b"ida", b"vda", b"aza",
    b"seo", b"ino", b"era", b"nda", b"via", b"ale", b"zza", b"rso", b"ada", b"olo", b"rgo", b"rua", b"ssa", b"ica",
    b"lac", b"eja", b"rue", b"nue", b"ard", b"tra", b"min", b"sse", b"tto", b"eda", b"ul.", b"av.", b"da.", b".o.",
    b" po", b"bla", b"aje", b"al.", b"pl.",
];

/// One bit for each of [`ENDS`].
static SIEVE: [u64; 16] = {
    let mut bits = [0; 16];
    let mut i = 0;
    while i < ENDS.len() {
        let [a, b, c] = *ENDS[i];
        let place = sieve(u32::from_le_bytes([a, b, c, 0]));
        bits[place >> 6] |= 1 << (place & 63);
        i += 1;
    }
    bits
};

/// Whether words that lead a value may end in the first three bytes.
#[inline]
const fn is_in_sieve(four: u32) -> bool {
    let place = sieve(four);
    SIEVE[place >> 6] >> (place & 63) & 1 == 1
}

/// Ten bits that depend on the first three bytes, case aside.
#[inline]
const fn sieve(four: u32) -> usize {
    ((four & 0xff_ffff | 0x20_2020).wrapping_mul(0x9e37_79b1) >> 22) as usize
}
