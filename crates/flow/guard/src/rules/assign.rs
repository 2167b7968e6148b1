//! Credentials that only their name gives away: `password = ...`, `"api_key": "..."`, `Authorization: Bearer ...`, `--password ...`.
//!
//! A name promises a value; the words between them must lead from one to the other ([`link`]), and the value must be worth its name
//! ([`value`](super::value)): neither a placeholder nor a piece of code.

use std::ops::Range;

use countersign_core::Kind;

use super::{
    ALPHA, BACK, Hit, JOIN, Text,
    cursor::Cursor,
    keyed, secret,
    value::{self, Dress},
};

/// What a name promises about its value.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Promise {
    /// Chosen by a person: short is possible.
    Password,
    /// Made by a machine: long and mixed.
    Token,
    /// A name that many things have: only what could be nothing else.
    Hint,
    /// A user and a password in base64.
    Basic,
    /// No secret, though it is called a key or a token.
    Nothing,
}

/// Names by how they end, letters only, in lower case; the longest that fits counts.
const NAMES: &[(&[u8], Promise)] = &[
    (b"password", Promise::Password),
    (b"passwd", Promise::Password),
    (b"passphrase", Promise::Password),
    (b"passwort", Promise::Password),
    (b"kennwort", Promise::Password),
    (b"wachtwoord", Promise::Password),
    (b"losenord", Promise::Password),
    (b"senord", Promise::Password),
    (b"kodeord", Promise::Password),
    (b"passord", Promise::Password),
    (b"contrasena", Promise::Password),
    (b"clave", Promise::Password),
    (b"senha", Promise::Password),
    (b"passe", Promise::Password),
    (b"salasana", Promise::Password),
    (b"haslo", Promise::Password),
    (b"heslo", Promise::Password),
    (b"parola", Promise::Password),
    (b"sandi", Promise::Password),
    (b"pass", Promise::Password),
    (b"pwd", Promise::Password),
    (b"psw", Promise::Password),
    (b"mdp", Promise::Password),
    (b"pw", Promise::Password),
    (b"nexttoken", Promise::Nothing),
    (b"pagetoken", Promise::Nothing),
    (b"continuationtoken", Promise::Nothing),
    (b"publickey", Promise::Nothing),
    (b"pubkey", Promise::Nothing),
    (b"publishablekey", Promise::Nothing),
    (b"sitekey", Promise::Nothing),
    (b"hostkey", Promise::Nothing),
    (b"idempotencykey", Promise::Nothing),
    (b"partitionkey", Promise::Nothing),
    (b"primarykey", Promise::Nothing),
    (b"sortkey", Promise::Nothing),
    (b"cachekey", Promise::Nothing),
    (b"objectkey", Promise::Nothing),
    (b"secret", Promise::Token),
    (b"secretkey", Promise::Token),
    (b"secretkeybase", Promise::Token),
    (b"secretaccesskey", Promise::Token),
    (b"token", Promise::Token),
    (b"apikey", Promise::Token),
    (b"appkey", Promise::Token),
    (b"applicationkey", Promise::Token),
    (b"accesskey", Promise::Token),
    (b"accountkey", Promise::Token),
    (b"adminkey", Promise::Token),
    (b"privatekey", Promise::Token),
    (b"presharedkey", Promise::Token),
    (b"sharedkey", Promise::Token),
    (b"encryptionkey", Promise::Token),
    (b"signingkey", Promise::Token),
    (b"masterkey", Promise::Token),
    (b"consumerkey", Promise::Token),
    (b"subscriptionkey", Promise::Token),
    (b"storagekey", Promise::Token),
    (b"authkey", Promise::Token),
    (b"licensekey", Promise::Token),
    (b"bearer", Promise::Token),
    (b"authorization", Promise::Token),
    (b"ssws", Promise::Token),
    (b"unseal", Promise::Token),
    (b"credential", Promise::Token),
    (b"credentials", Promise::Token),
    (b"jsessionid", Promise::Token),
    (b"sessid", Promise::Token),
    (b"basic", Promise::Basic),
    (b"auth", Promise::Basic),
    (b"key", Promise::Hint),
    (b"login", Promise::Hint),
    (b"pat", Promise::Hint),
];

/// Whether a run could name a value: a cheap look before the real one, which most words do not survive.
pub(super) fn may_name(run: &[u8], flags: u8) -> bool {
    flags & ALPHA != 0 && (flags & JOIN != 0 || ends_like_name(run, run.len()))
}

/// Whether what ends at `end`, without any sign that joins, could name a value: a cheaper look still.
#[inline]
pub(super) fn ends_like_name(view: &[u8], end: usize) -> bool {
    let holds =
        |sieve: &[u64; 64], place: usize| sieve.get(place >> 6).is_some_and(|bits| bits >> (place & 63) & 1 == 1);
    match end.checked_sub(4).and_then(|at| view.get(at..)?.first_chunk::<4>()) {
        Some(four) => {
            let four = u32::from_le_bytes(*four) | 0x2020_2020;
            holds(&THREE, sieve(four >> 8)) || holds(&FOUR, sieve(four))
        }
        None => match end.checked_sub(3).and_then(|at| view.get(at..end)) {
            Some(&[a, b, c]) => holds(&THREE, sieve(u32::from_le_bytes([a, b, c, 0]) | 0x20_2020)),
            _ => false,
        },
    }
}

/// How names end, in lower case: by three letters, and by four where three end too many words.
pub(super) const ENDS: ([&[u8; 3]; 14], [&[u8; 4]; 17]) = (
    [b"ord", b"swd", b"ase", b"ort", b"pwd", b"psw", b"mdp", b"ret", b"key", b"ken", b"rer", b"ial", b"als", b"pat"],
    [
        b"pass", b"asse", b"enha", b"sena", b"sana", b"aslo", b"eslo", b"rola", b"andi", b"lave", b"auth", b"asic",
        b"ssws", b"seal", b"onid", b"ssid", b"ogin",
    ],
);

/// One bit for each of [`ENDS`].
static THREE: [u64; 64] = {
    let mut bits = [0; 64];
    let mut i = 0;
    while i < ENDS.0.len() {
        let [a, b, c] = *ENDS.0[i];
        let place = sieve(u32::from_le_bytes([a, b, c, 0]));
        bits[place >> 6] |= 1 << (place & 63);
        i += 1;
    }
    bits
};

static FOUR: [u64; 64] = {
    let mut bits = [0; 64];
    let mut i = 0;
    while i < ENDS.1.len() {
        let place = sieve(u32::from_le_bytes(*ENDS.1[i]));
        bits[place >> 6] |= 1 << (place & 63);
        i += 1;
    }
    bits
};

/// Twelve bits that depend on all letters.
#[inline]
const fn sieve(letters: u32) -> usize {
    (letters.wrapping_mul(0x9e37_79b1) >> 20) as usize
}

/// The value named by the run, inside the run or behind it.
pub(super) fn value(cur: &mut Cursor<'_>, text: &Text<'_>, run: &Range<usize>) -> Option<Hit> {
    let bytes = text.view.get(run.clone()).unwrap_or_default();
    // Inside the run: the first name before a sign.
    let signs = bytes.iter().enumerate().filter(|(_, c)| matches!(c, b'=' | b':'));
    let inside = signs.filter(|(i, _)| *i > 0).find_map(|(i, _)| Some((promise(bytes.get(..i)?)?, i)));
    let (promise, len) = inside.or_else(|| Some((promise(bytes)?, bytes.len())))?;
    let name = run.start..run.start + len;
    let before = text.view.get(name.start.saturating_sub(BACK)..name.start).unwrap_or_default();
    cur.at = name.end;
    let mut dress = link(cur, promise, bytes.get(..len).unwrap_or_default(), before)?;
    let open = take_quotes(cur);
    dress.quoted = open.is_some();
    let start = cur.at;
    // A value of a query ends where the next one begins.
    let query = inside.is_some() && bytes.get(..len).is_some_and(|b| b.iter().any(|c| matches!(c, b'?' | b'&')));
    cur.eat_while(LONGEST, |c| match open {
        Some(open) => c != open && c != b'\n',
        None => !(c.is_ascii_whitespace() || b"\"'`,;<>".contains(&c) || query && matches!(c, b'&' | b'#')),
    });
    dress.bracketed = before.iter().any(|c| matches!(c, b'(' | b'[' | b'{'));
    let value = value::undressed(cur.since(start), dress);
    let context = text.view.get(name.end.saturating_sub(BACK)..name.end).unwrap_or_default();
    let (rule, confidence) = match promise {
        Promise::Basic if value::is_basic(value) => ("secret/basic-auth", 0.9),
        _ if let Some(token) = secret::whole(value) => token,
        _ if value::placeholder(value) => return None,
        Promise::Password if value::likely_password(value, dress) => ("secret/password", 0.75),
        Promise::Password => return None,
        _ => match keyed::service(context, value) {
            Some(rule) => (rule, 0.85),
            None if promise == Promise::Token && value::likely_token(value, dress) => ("secret/assigned", 0.75),
            None if promise == Promise::Hint && value::certain_token(value) => ("secret/assigned", 0.6),
            None => return None,
        },
    };
    Some(Hit::new(Kind::Secret, rule, start..start + value.len(), confidence))
}

/// A password whose name is written in another script or ends in a letter with an accent, told from the value; the values of
/// `-u user:password` and `-u user -p password`. The run holds a digit or a sign that joins.
pub(super) fn told_by_value(cur: &mut Cursor<'_>, text: &Text<'_>, run: &Range<usize>) -> Option<Hit> {
    let before = text.view.get(run.start.saturating_sub(BACK)..run.start).unwrap_or_default();
    let quoted = matches!(before.last(), Some(b'"' | b'\'' | b'`'));
    let mut start = run.start;
    let flags = before.strip_suffix(b"\"").or(before.strip_suffix(b"'")).unwrap_or(before);
    let by = |flag: &[u8]| flags.strip_suffix(flag).is_some_and(|b| b.is_empty() || b.ends_with(b" "));
    let bytes = text.view.get(run.clone()).unwrap_or_default();
    let user = memchr::memmem::find(before, b" -u ").is_some();
    if by(b"-p ") && (user || by(b"sshpass -p ")) {
        // Nothing stands before the value.
    } else if user && bytes.starts_with(b"-p") {
        start += 2;
    } else if by(b"-u ") || by(b"--user ") {
        start += bytes.iter().position(|c| *c == b':')? + 1;
    } else {
        let lead = before.iter().rposition(|c| !b" \t\"'`:=".contains(c)).map_or(0, |i| i + 1);
        let (name, between) = before.split_at_checked(lead)?;
        let name = VERBS.iter().find_map(|verb| name.strip_suffix(*verb)).unwrap_or(name).trim_ascii_end();
        let signs = bytes.iter().take_while(|c| matches!(c, b':' | b'=')).count();
        start += signs;
        if between.is_empty() && signs == 0 || !FOREIGN.iter().any(|foreign| ends_with(name, foreign.as_bytes())) {
            return None;
        }
    }
    cur.at = start;
    cur.eat_while(LONGEST, |c| !c.is_ascii_whitespace() && !b"\"'`,;<>".contains(&c));
    let dress = Dress { quoted, ..Dress::default() };
    let value = value::undressed(cur.since(start), dress);
    let likely = !value::placeholder(value) && value::likely_password(value, dress);
    likely.then(|| Hit::new(Kind::Secret, "secret/password", start..start + value.len(), 0.75))
}

/// Whether `text` ends with `tail`, ASCII letters in any case.
fn ends_with(text: &[u8], tail: &[u8]) -> bool {
    text.len().checked_sub(tail.len()).and_then(|at| text.get(at..)).is_some_and(|end| end.eq_ignore_ascii_case(tail))
}

/// Whether [`told_by_value`] could tell anything of a run that begins here: a cheap look before it.
pub(super) fn may_be_told(view: &[u8], start: usize) -> bool {
    match start.checked_sub(2).and_then(|at| view.get(at..start)) {
        Some([b'u' | b'r' | b'p', b' '] | [b' ', b'"' | b'\'']) => true,
        Some([_, b' ']) if view.get(start..).is_some_and(|run| run.starts_with(b"-p")) => true,
        Some([.., b' ' | b'"' | b'\'' | b':' | b'=' | b'`']) => {
            view.get(start.saturating_sub(12)..start).is_some_and(|near| !near.is_ascii())
        }
        Some([.., 0x80..=0xff]) => matches!(view.get(start), Some(b':' | b'=')),
        _ => false,
    }
}

/// Names that do not end in ASCII, as they are seen by the rules (`view`), and how SQL says it.
const FOREIGN: [&str; 20] = [
    "Пароль",
    "identified by",
    "contraseña",
    "hasło",
    "şifre",
    "jelszó",
    "пароль",
    "пароля",
    "密码",
    "密碼",
    "口令",
    "パスワード",
    "비밀번호",
    "암호",
    "รหัสผ่าน",
    "كلمة المرور",
    "كلمة السر",
    "סיסמה",
    "κωδικός",
    "पासवर्ड",
];

/// What may stand between such a name and its value.
const VERBS: [&[u8]; 8] =
    [b" es", b" to", b" jest", " è".as_bytes(), " é".as_bytes(), "是".as_bytes(), "は".as_bytes(), "—".as_bytes()];

/// Leads from a name to its value, or to nothing; the cursor then stands before the value.
fn link(cur: &mut Cursor<'_>, promise: Promise, name: &[u8], before: &[u8]) -> Option<Dress> {
    let named = cur.eat_while(2, |c| matches!(c, b'"' | b'\'' | b'`' | b']')) > 0;
    let from = cur.at;
    let spaces = cur.eat_while(WIDE, is_blank);
    let mut dress = Dress { in_list: before.last() == Some(&b';'), ..Dress::default() };
    if named && cur.eat(b',') {
        cur.eat_while(WIDE, is_blank);
        dress.argument = true;
        return cur.peek().is_some_and(is_quote).then_some(dress);
    }
    if cur.eat_text(b"value=") {
        return Some(dress);
    }
    if cur.eat_text(b"for ") {
        // `the password for "app" is "..."`.
        cur.eat_while(REACH, |c| c != b'\n' && c != b'.');
        let between = cur.since(from);
        let verb = memchr::memmem::find(between, b" is ")?;
        cur.at = from + verb + 4;
        cur.eat_while(WIDE, is_blank);
        dress.said = true;
        return Some(dress);
    }
    let verbs = [
        b"ist ".as_slice(),
        b"is ",
        b"es ",
        b"est ",
        b"was ",
        b"lautet ",
        b"- ",
        "— ".as_bytes(),
        "è ".as_bytes(),
        "é ".as_bytes(),
    ];
    let set = || promise == Promise::Password && matches!(name.last(), Some(b'd' | b'D' | b't' | b'T'));
    if verbs.iter().any(|verb| cur.eat_text(verb)) || set() && cur.eat_text(b"to ") {
        let _ = cur.eat_text(b"now");
        cur.eat_while(WIDE, |c| is_blank(c) || c == b':');
        dress.said = true;
        return Some(dress);
    }
    let sign = cur.at;
    let _ = cur.eat(b'!');
    cur.eat_while(3, |c| matches!(c, b'=' | b':' | b'>'));
    if cur.at > sign {
        let equals = cur.since(sign).starts_with(b"=");
        let loose = cur.eat_while(WIDE, |c| is_blank(c) || c == b'>') > 0;
        dress.tight = equals && !loose && from == sign;
        // A quotation mark that stood before the name and has not been closed is closed here: `"Password: "`.
        let closes = !named && before.last().is_some_and(|c| is_quote(*c)) && cur.peek() == before.last().copied();
        return (!closes).then_some(dress);
    }
    // The value of a variable on its next line, as in Kubernetes and Terraform.
    let variable = named && cur.eat_text(b"{");
    if cur.peek() == Some(b'\n') && (variable || before.ends_with(b"name: ")) {
        cur.at += 1;
        cur.eat_while(WIDE, is_blank);
        let value = cur.eat_text(b"value:") || cur.eat_text(b"default");
        cur.eat_while(WIDE, |c| is_blank(c) || c == b'=');
        return value.then_some(dress);
    }
    // Nothing but a space leads to what a scheme, a flag or a line of netrc, Docker, Redis or SQL says.
    let scheme = [b"bearer".as_slice(), b"ssws", b"unseal", b"basic", b"requirepass"];
    let scheme = scheme.iter().any(|s| name.eq_ignore_ascii_case(s)) || before.ends_with(b"uthorization: ");
    let chosen = promise == Promise::Password;
    let line = before.ends_with(b"ENV ") || memchr::memmem::find(before, b"login ").is_some();
    dress.flag = name.starts_with(b"-") && promise != Promise::Hint || chosen && line;
    dress.argument = chosen && cur.peek().is_some_and(is_quote);
    (spaces > 0 && !named && (scheme || dress.flag || dress.argument)).then_some(dress)
}

/// Steps over the quotation marks that open a value: the innermost closes it.
fn take_quotes(cur: &mut Cursor<'_>) -> Option<u8> {
    let mut open = None;
    for _ in 0..2 {
        match cur.peek() {
            Some(quote @ (b'"' | b'\'' | b'`')) if open != Some(quote) => {
                open = Some(quote);
                cur.at += 1;
            }
            _ => break,
        }
    }
    open
}

const fn is_quote(c: u8) -> bool {
    matches!(c, b'"' | b'\'' | b'`')
}

const fn is_blank(c: u8) -> bool {
    matches!(c, b' ' | b'\t')
}

/// How long what a password is for may be.
const REACH: usize = 48;

/// The most space between a name and its value.
const WIDE: usize = 24;

/// No value is longer.
const LONGEST: usize = 512;

/// Whether what ends in these four letters or more can promise anything: a cheap look before the real one.
fn may_promise(name: &[u8]) -> bool {
    ends_like_name(name, name.len())
        || name.last_chunk().is_some_and(|last: &[u8; 4]| {
            last.eq_ignore_ascii_case(b"tion") || matches!(last, [_, _, b'p' | b'P', b'w' | b'W'])
        })
}

/// What the end of a name promises. Up to two digits may follow the name.
fn promise(name: &[u8]) -> Option<Promise> {
    let numbered = name.iter().rev().take(2).take_while(|c| c.is_ascii_digit()).count();
    let name = name.get(..name.len() - numbered)?;
    // Most are told so at once: their last four are letters.
    if let Some(four) = name.last_chunk::<4>()
        && four.iter().all(u8::is_ascii_alphabetic)
        && !may_promise(name)
    {
        return None;
    }
    let mut spelt =
        name.iter().rev().filter(|c| !matches!(c, b'_' | b'-' | b'.' | b'*' | b'#')).map(u8::to_ascii_lowercase);
    // Most names are told by their last letters not to promise anything.
    let mut letters = [0; 24];
    let mut from = letters.len();
    while let (true, Some(c)) = (from > 0, spelt.next()) {
        from -= 1;
        *letters.get_mut(from)? = c;
        if from == letters.len() - 4 && !may_promise(&letters) {
            return None;
        }
    }
    if !may_promise(&letters) {
        return None;
    }
    let letters = letters.get(from..)?;
    NAMES
        .iter()
        .filter(|(n, _)| n.last() == letters.last() && letters.ends_with(n))
        .max_by_key(|(n, _)| n.len())
        .map(|(_, p)| *p)
        .filter(|p| *p != Promise::Nothing)
}

#[cfg(test)]
mod tests;
