//! Whether what stands behind a name is a credential, or only stands for one: a hole to be filled, a variable, a piece of code.

/// How a value stands in its text.
#[derive(Clone, Copy, Debug, Default)]
#[expect(clippy::struct_excessive_bools, reason = "each is seen or not, independently of the others")]
pub(super) struct Dress {
    /// Between quotation marks.
    pub(super) quoted: bool,
    /// `NAME=value`, without a space.
    pub(super) tight: bool,
    /// Behind an open bracket, or one that has been closed.
    pub(super) bracketed: bool,
    /// One of several in a connection string: `;Password=...;`.
    pub(super) in_list: bool,
    /// The second of two quoted arguments.
    pub(super) argument: bool,
    /// `the password is value`.
    pub(super) said: bool,
    /// Behind a flag of a command or in a line of netrc.
    pub(super) flag: bool,
}

/// The value without the marks of the sentence it ends.
pub(super) fn undressed(mut value: &[u8], dress: Dress) -> &[u8] {
    let ends: &[u8] = match dress {
        Dress { quoted: true, .. } => b"",
        Dress { tight: true, bracketed: false, .. } => b".:",
        Dress { tight: true, .. } => b".)}]:",
        Dress { said: true, .. } => b".)}]!?:*",
        _ => b".)}]?:*",
    };
    while let [head @ .., last] = value
        && ends.contains(last)
        && !(*last == b')' && head.contains(&b'('))
    {
        value = head;
    }
    value
}

/// Chosen by a person: two classes of characters, or one where nothing but a value can stand there.
pub(super) fn likely_password(value: &[u8], dress: Dress) -> bool {
    if !(4..=128).contains(&value.len()) || value.contains(&b' ') && !dress.quoted {
        return false;
    }
    if dress.in_list {
        return true;
    }
    let word = value.iter().all(|c| c.is_ascii_alphabetic() || matches!(c, b'_' | b'-' | b'.' | b'/' | b':'));
    if word {
        return value.len() >= 5 && (dress.quoted && !dress.argument || dress.tight) && !speaks_of_passwords(value);
    }
    // What code calls its things ends in a digit, if it has one.
    let name = value.iter().all(|c| c.is_ascii_alphanumeric() || matches!(c, b'_' | b'.'))
        && value.iter().any(|c| matches!(c, b'_' | b'.'))
        && value
            .iter()
            .rposition(|c| !c.is_ascii_digit())
            .is_some_and(|i| !value.iter().take(i).any(u8::is_ascii_digit));
    value.len() >= 6 && classes(value) >= 2 && (dress.quoted || dress.tight || !name) && spaces(value) <= 3
}

/// Made by a machine: long, mixed, and without the regularity of words.
pub(super) fn likely_token(value: &[u8], dress: Dress) -> bool {
    let body =
        |c: &u8| c.is_ascii_alphanumeric() || b"-_.+/=~!@#$%^&*:".contains(c) || dress.quoted && c.is_ascii_graphic();
    value.len() >= 12
        && value.iter().all(body)
        && value.iter().any(u8::is_ascii_digit)
        && value.iter().any(u8::is_ascii_alphabetic)
        && distinct(value) >= 8
        && !wordy(value)
}

/// What could be nothing but a token, whatever it is called.
pub(super) fn certain_token(value: &[u8]) -> bool {
    let any = |is: fn(&u8) -> bool| value.iter().any(is);
    value.len() >= 24
        && value.iter().all(|c| c.is_ascii_alphanumeric() || b"-_+/=".contains(c))
        && any(u8::is_ascii_digit)
        && any(u8::is_ascii_uppercase)
        && any(u8::is_ascii_lowercase)
        && distinct(value) >= 16
        && !wordy(value)
}

/// A user and a password in base64, as HTTP's basic scheme and Docker's configuration have them.
pub(super) fn is_basic(value: &[u8]) -> bool {
    let padded = || value.iter().rev().take_while(|c| **c == b'=').count() <= 2;
    value.len() >= 8
        && padded()
        && super::encoded::base64(
            value.trim_ascii_end().strip_suffix(b"==").or(value.strip_suffix(b"=")).unwrap_or(value),
        )
        .is_some_and(|plain| {
            plain.iter().all(|c| c.is_ascii_graphic() || *c == b' ')
                && plain.iter().position(|c| *c == b':').is_some_and(|i| i > 0 && i + 1 < plain.len())
        })
}

/// A hole to be filled, a variable, a call, a place.
pub(super) fn placeholder(value: &[u8]) -> bool {
    let lower = value.to_ascii_lowercase();
    let holds = |what: &[u8]| memchr::memmem::find(&lower, what).is_some();
    distinct(&lower) < 4
        || is_variable(value)
        || HOLES.iter().any(|w| holds(w))
        || STARTS.iter().any(|w| lower.starts_with(w))
        || lower.contains(&b'(') && lower.ends_with(b")")
        || holds(b"::")
        || lower.iter().all(|c| c.is_ascii_digit() || b".^~<>= xv*|-".contains(c)) && holds(b".")
        || lower.starts_with(b"|") && lower.ends_with(b"|")
        || holds(b"%(") && holds(b")s")
        || holds(b"$(") && lower.ends_with(b")")
        || is_call(value)
        || lower.starts_with(b"<") && lower.ends_with(b">")
        || lower.starts_with(b"%") && lower.ends_with(b"%")
        || lower.starts_with(b"{") && lower.ends_with(b"}")
        || lower.starts_with(b"[") && lower.ends_with(b"]")
}

const HOLES: [&[u8]; 24] = [
    b"${",
    b"{{",
    b"<%",
    b"#{",
    b"***",
    b"...",
    b"xxxx",
    b"your_",
    b"your-",
    b"yourpass",
    b"your ",
    b"example",
    b"placeholder",
    b"redacted",
    b"masked",
    b"changeme",
    b"change_me",
    b"change-me",
    b"change me",
    b"replace",
    b"dummy",
    b"insert",
    b"&lt;",
    b"required",
];

const STARTS: [&[u8]; 15] = [
    b"os.",
    b"env(",
    b"env.",
    b"process.",
    b"getenv",
    b"config.",
    b"settings.",
    b"self.",
    b"this.",
    b"http://",
    b"https://",
    b"arn:",
    b"./",
    b"/etc",
    b"\\",
];

/// `name(` and `name[`, of which the rest may have been cut.
fn is_call(value: &[u8]) -> bool {
    let name = value.iter().take_while(|c| c.is_ascii_alphabetic() || matches!(c, b'_' | b'.')).count();
    name >= 4 && matches!(value.get(name), Some(b'(' | b'['))
}

/// `$NAME`: letters of one case and lines, or a number. What mixes more is a value that begins with the sign.
fn is_variable(value: &[u8]) -> bool {
    let Some(name) = value.strip_prefix(b"$") else { return false };
    let named = name.iter().all(|c| {
        c.is_ascii_alphanumeric() || matches!(c, b'_' | b'.' | b'-' | b'>' | b'[' | b']' | b'{' | b'}' | b':')
    });
    let stem = name.get(..name.iter().rposition(|c| !c.is_ascii_digit()).map_or(0, |i| i + 1)).unwrap_or_default();
    let mixed = stem.iter().any(u8::is_ascii_digit) && stem.iter().any(u8::is_ascii_alphabetic);
    named && !mixed
}

/// Whether a value of letters alone says something about passwords instead of being one.
fn speaks_of_passwords(value: &[u8]) -> bool {
    let lower = value.to_ascii_lowercase();
    WORDS.iter().any(|w| memchr::memmem::find(&lower, w).is_some()) || {
        // Camel case is how code calls its things.
        let humps = value
            .windows(2)
            .filter(|w| matches!(w, [a, b] if a.is_ascii_lowercase() && b.is_ascii_uppercase()))
            .count();
        humps > 0
    }
}

/// In values that are none.
const WORDS: [&[u8]; 60] = [
    b"pass",
    b"pwd",
    b"secret",
    b"token",
    b"user",
    b"string",
    b"requir",
    b"hash",
    b"confirm",
    b"null",
    b"encrypt",
    b"text",
    b"hidden",
    b"input",
    b"field",
    b"forgot",
    b"reset",
    b"change",
    b"enter",
    b"invalid",
    b"incorrect",
    b"wrong",
    b"missing",
    b"optional",
    b"none",
    b"true",
    b"false",
    b"undefined",
    b"empty",
    b"label",
    b"error",
    b"valid",
    b"test",
    b"value",
    b"default",
    b"prompt",
    b"contrase",
    b"senha",
    b"kennwort",
    b"option",
    b"plain",
    b"param",
    b"object",
    b"number",
    b"bool",
    b"credential",
    b"auth",
    b"login",
    b"name",
    b"config",
    b"type",
    b"mot-de",
    b"bytes",
    b"basic",
    b"strong",
    b"weak",
    b"protect",
    b"must",
    b"same",
    b"column",
];

/// How many of: lower case, upper case (beyond the first letter), digits, signs.
fn classes(value: &[u8]) -> usize {
    let tail = value.get(1..).unwrap_or_default();
    usize::from(value.iter().any(u8::is_ascii_lowercase))
        + usize::from(tail.iter().any(u8::is_ascii_uppercase))
        + usize::from(value.iter().any(u8::is_ascii_digit))
        + usize::from(value.iter().any(|c| c.is_ascii_punctuation() && !matches!(c, b'.' | b'_' | b'-' | b'(' | b')')))
}

fn spaces(value: &[u8]) -> usize {
    value.iter().filter(|c| **c == b' ').count()
}

fn distinct(value: &[u8]) -> u32 {
    value.iter().fold(0u128, |seen, c| seen | 1 << (c & 127)).count_ones()
}

/// Whether most of it can be spoken: letters of one case (or a capital and small ones), four or more, vowels among them and never
/// more than three consonants in a row.
fn wordy(value: &[u8]) -> bool {
    let (mut spoken, mut all) = (0, 0);
    let mut word: Vec<u8> = Vec::new();
    let mut close = |word: &mut Vec<u8>| {
        let vowels = word.iter().filter(|c| is_vowel(**c)).count();
        let crowded = word.windows(4).any(|w| !w.iter().any(|c| is_vowel(*c)));
        if word.len() >= 4 && vowels > 0 && !crowded {
            spoken += word.len();
        }
        word.clear();
    };
    for pair in [b"-".as_slice(), value].concat().windows(2) {
        let &[before, c] = pair else { continue };
        let goes_on = c.is_ascii_alphabetic()
            && before.is_ascii_alphabetic()
            && (before.is_ascii_lowercase() == c.is_ascii_lowercase()
                || before.is_ascii_uppercase() && word.len() == 1);
        if !goes_on {
            close(&mut word);
        }
        if c.is_ascii_alphanumeric() {
            all += 1;
        }
        if c.is_ascii_alphabetic() {
            word.push(c.to_ascii_lowercase());
        }
    }
    close(&mut word);
    spoken * 10 >= all * 6
}

const fn is_vowel(c: u8) -> bool {
    matches!(c, b'a' | b'e' | b'i' | b'o' | b'u' | b'y')
}
