//! Ways to hide a text, for tests and measurements: the other direction of what the guard undoes.

use std::fmt::Write;

use data_encoding::{BASE32, BASE64, BASE64URL_NOPAD, HEXLOWER};

/// A way to hide a text.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Encoder {
    pub(crate) name: &'static str,
    pub(crate) encode: fn(&str) -> String,
    /// What it can carry.
    pub(crate) carries: Carries,
}

/// What survives an encoding.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Carries {
    /// Every character as it was.
    Everything,
    /// Every script, but not the case of letters or the shape of white space.
    Letters,
    /// ASCII as it was, and nothing else.
    Ascii,
    /// ASCII letters and spaces, and nothing else.
    Plain,
}

pub(crate) const ENCODERS: &[Encoder] = &[
    all("base64", |t| BASE64.encode(t.as_bytes())),
    all("base64, for addresses", |t| BASE64URL_NOPAD.encode(t.as_bytes())),
    all("base64, lines of 76", |t| lines(&BASE64.encode(t.as_bytes()), 76)),
    all("base64, lines of 20", |t| lines(&BASE64.encode(t.as_bytes()), 20)),
    all("base64 of UTF-16", |t| BASE64.encode(&t.encode_utf16().flat_map(u16::to_le_bytes).collect::<Vec<_>>())),
    all("base32", |t| BASE32.encode(t.as_bytes())),
    all("base32, lower case", |t| BASE32.encode(t.as_bytes()).to_lowercase()),
    all("hex", |t| HEXLOWER.encode(t.as_bytes())),
    all("hex, in pairs", |t| each(t, |b| format!("{b:02x} "))),
    all("hex, 0x", |t| each(t, |b| format!("0x{b:02X}, "))),
    all("ascii85", |t| base85(t, ASCII85)),
    all("base85", |t| base85(t, RFC1924)),
    all("z85", |t| base85(t, Z85)),
    all("binary", |t| each(t, |b| format!("{b:08b} "))),
    all("binary, in one", |t| each(t, |b| format!("{b:08b}"))),
    all("octal list", |t| each(t, |b| format!("{b:03o} "))),
    all("decimal list", |t| each(t, |b| format!("{b}, "))),
    all("per cent", |t| each(t, |b| format!("%{b:02X}"))),
    all("quoted-printable", |t| lines(&each(t, |b| format!("={b:02X}")), 75).replace('\n', "=\n")),
    all("entities", |t| t.chars().map(|c| format!("&#{};", u32::from(c))).collect()),
    all("entities, hex", |t| t.chars().map(|c| format!("&#x{:x};", u32::from(c))).collect()),
    all("\\x", |t| each(t, |b| format!("\\x{b:02x}"))),
    all("\\u", |t| t.encode_utf16().map(|u| format!("\\u{u:04x}")).collect()),
    all("\\ octal", |t| each(t, |b| format!("\\{b:03o}"))),
    all("tags in an emoji", |t| format!("😀{}", each(t, |b| selector(b).to_string()))),
    all("zero-width bits", |t| {
        format!("x{}y", each(t, |b| format!("{b:08b}").replace('0', "\u{200b}").replace('1', "\u{200c}")))
    }),
    all("base64 twice", |t| BASE64.encode(BASE64.encode(t.as_bytes()).as_bytes())),
    all("hex of base64", |t| HEXLOWER.encode(BASE64.encode(t.as_bytes()).as_bytes())),
    all("per cent of entities", |t| per_cent(&t.chars().map(|c| format!("&#{};", u32::from(c))).collect::<String>())),
    Encoder { name: "zero-width between letters", encode: |t| between(t, "\u{200b}"), carries: Carries::Letters },
    Encoder { name: "soft hyphens between letters", encode: |t| between(t, "\u{ad}"), carries: Carries::Letters },
    Encoder { name: "zalgo", encode: |t| between(t, "\u{336}\u{30d}"), carries: Carries::Letters },
    Encoder { name: "backwards", encode: |t| t.chars().rev().collect(), carries: Carries::Everything },
    ascii("tags", |t| {
        map(t, |c| char::from_u32(0xe_0000 + u32::from(c)).filter(|_| (' '..='~').contains(&c)).unwrap_or(c))
    }),
    ascii("full width", |t| {
        map(t, |c| if c.is_ascii_graphic() { char::from_u32(u32::from(c) + 0xfee0).unwrap_or(c) } else { c })
    }),
    ascii("mathematical", |t| letters(t, 0x1_d400, 0x1_d41a)),
    ascii("circled", |t| letters(t, 0x24b6, 0x24d0)),
    ascii("squared", |t| letters(t, 0x1_f170, 0x1_f170)),
    ascii("small capitals", |t| {
        map(t, |c| {
            "ᴀʙᴄᴅᴇꜰɢʜɪᴊᴋʟᴍɴᴏᴘǫʀꜱᴛᴜᴠᴡxʏᴢ".chars().nth((c.to_ascii_lowercase() as usize).wrapping_sub(97)).unwrap_or(c)
        })
    }),
    ascii("look-alikes", |t| {
        map(t, |c| match c {
            'a' => 'а',
            'e' => 'е',
            'o' => 'о',
            'p' => 'р',
            'c' => 'с',
            'i' => 'і',
            c => c,
        })
    }),
    ascii("rot13", |t| caesar(t, 13)),
    ascii("caesar 3", |t| caesar(t, 3)),
    ascii("caesar 7", |t| caesar(t, 7)),
    ascii("caesar 22", |t| caesar(t, 22)),
    ascii("atbash", |t| {
        map(t, |c| match c {
            'a'..='z' => char::from(b'z' - (c as u8 - b'a')),
            'A'..='Z' => char::from(b'Z' - (c as u8 - b'A')),
            c => c,
        })
    }),
    ascii("leet", |t| {
        map(t, |c| match c.to_ascii_lowercase() {
            'a' => '4',
            'e' => '3',
            'i' => '1',
            'o' => '0',
            's' => '5',
            _ => c,
        })
    }),
    ascii("leet, with more signs", |t| {
        map(t, |c| match c.to_ascii_lowercase() {
            'a' => '@',
            'e' => '3',
            'i' => '!',
            'o' => '0',
            's' => '$',
            't' => '7',
            _ => c,
        })
    }),
    ascii("each word backwards", |t| {
        t.split(' ').map(|w| w.chars().rev().collect::<String>()).collect::<Vec<_>>().join(" ")
    }),
    ascii("words in reverse order", |t| t.split(' ').rev().collect::<Vec<_>>().join(" ")),
    ascii("spaced", |t| apart(t, ' ')),
    ascii("dotted", |t| apart(t, '.')),
    ascii("dashed", |t| apart(t, '-')),
    ascii("upside down", upside_down),
    ascii("rot13, in base64", |t| BASE64.encode(caesar(t, 13).as_bytes())),
    ascii("backwards, in base64", |t| BASE64.encode(t.chars().rev().collect::<String>().as_bytes())),
    ascii("caesar 5, in hex", |t| HEXLOWER.encode(caesar(t, 5).as_bytes())),
    ascii("caesar 9, backwards", |t| caesar(t, 9).chars().rev().collect()),
    ascii("leet, backwards", |t| {
        map(t, |c| match c {
            'a' => '4',
            'e' => '3',
            'i' => '1',
            'o' => '0',
            c => c,
        })
        .chars()
        .rev()
        .collect()
    }),
    plain("morse", |t| morse(t, " / ")),
    plain("morse, wide spaces", |t| morse(t, "   ")),
    plain("nato", |t| spelled(t, &NATO)),
    plain("pig latin", pig_latin),
    plain("braille", |t| {
        map(t, |c| {
            "⠁⠃⠉⠙⠑⠋⠛⠓⠊⠚⠅⠇⠍⠝⠕⠏⠟⠗⠎⠞⠥⠧⠺⠭⠽⠵".chars().nth((c.to_ascii_lowercase() as usize).wrapping_sub(97)).unwrap_or(c)
        })
    }),
    plain("flags", |t| letters(t, 0x1_f1e6, 0x1_f1e6).replace(' ', "  ")),
];

const fn all(name: &'static str, encode: fn(&str) -> String) -> Encoder {
    Encoder { name, encode, carries: Carries::Everything }
}

const fn ascii(name: &'static str, encode: fn(&str) -> String) -> Encoder {
    Encoder { name, encode, carries: Carries::Ascii }
}

const fn plain(name: &'static str, encode: fn(&str) -> String) -> Encoder {
    Encoder { name, encode, carries: Carries::Plain }
}

fn map(text: &str, with: impl Fn(char) -> char) -> String {
    text.chars().map(with).collect()
}

fn each(text: &str, with: impl Fn(u8) -> String) -> String {
    text.bytes().map(with).collect()
}

fn per_cent(text: &str) -> String {
    each(text, |b| format!("%{b:02X}"))
}

fn lines(text: &str, width: usize) -> String {
    text.as_bytes().chunks(width).map(|l| String::from_utf8_lossy(l).into_owned()).collect::<Vec<_>>().join("\n")
}

/// Puts `what` between the letters of words.
fn between(text: &str, what: &str) -> String {
    let mut out = String::new();
    let mut last = ' ';
    for c in text.chars() {
        if last.is_alphanumeric() && c.is_alphanumeric() {
            out.push_str(what);
        }
        out.push(c);
        last = c;
    }
    out
}

/// Letters with `separator` between them, words with three.
fn apart(text: &str, separator: char) -> String {
    let gap = separator.to_string();
    text.split_whitespace()
        .map(|w| w.chars().map(String::from).collect::<Vec<_>>().join(&gap))
        .collect::<Vec<_>>()
        .join(&gap.repeat(3))
}

pub(crate) fn caesar(text: &str, by: u8) -> String {
    map(text, |c| match c {
        'a'..='z' => char::from(b'a' + (c as u8 - b'a' + by) % 26),
        'A'..='Z' => char::from(b'A' + (c as u8 - b'A' + by) % 26),
        c => c,
    })
}

/// Letters of another alphabet of 26, which begins at the two places.
fn letters(text: &str, upper: u32, lower: u32) -> String {
    map(text, |c| {
        let from = if c.is_ascii_uppercase() { upper } else { lower };
        let n = u32::from(c.to_ascii_lowercase()).wrapping_sub(97);
        char::from_u32(from.wrapping_add(n)).filter(|_| n < 26).unwrap_or(c)
    })
}

fn selector(byte: u8) -> char {
    let n = u32::from(byte);
    char::from_u32(if n < 16 { 0xfe00 + n } else { 0xe_0100 + n - 16 }).unwrap_or(' ')
}

fn upside_down(text: &str) -> String {
    const TURNED: &str = "ɐqɔpǝɟƃɥᴉɾʞlɯuodbɹsʇnʌʍxʎz";
    let turn = |c: char| TURNED.chars().nth((c.to_ascii_lowercase() as usize).wrapping_sub(97)).unwrap_or(c);
    text.chars().rev().map(turn).collect()
}

fn base85(text: &str, alphabet: &[u8; 85]) -> String {
    let mut out = String::new();
    for four in text.as_bytes().chunks(4) {
        let mut word = [0; 4];
        word[..four.len()].copy_from_slice(four);
        let mut value = u32::from_be_bytes(word);
        let mut digits = [0; 5];
        for digit in digits.iter_mut().rev() {
            *digit = alphabet[(value % 85) as usize];
            value /= 85;
        }
        out.extend(digits.iter().take(four.len() + 1).map(|d| char::from(*d)));
    }
    out
}

fn morse(text: &str, gap: &str) -> String {
    let word = |w: &str| {
        let letter = |c: char| MORSE.get((c.to_ascii_lowercase() as usize).wrapping_sub(97)).copied();
        w.chars().filter_map(letter).collect::<Vec<_>>().join(" ")
    };
    text.split_whitespace().map(word).collect::<Vec<_>>().join(gap)
}

fn spelled(text: &str, words: &[&str; 26]) -> String {
    let word = |w: &str| {
        let letter = |c: char| words.get((c.to_ascii_lowercase() as usize).wrapping_sub(97)).copied();
        w.chars().filter_map(letter).collect::<Vec<_>>().join(" ")
    };
    text.split_whitespace().map(word).collect::<Vec<_>>().join(", ")
}

fn pig_latin(text: &str) -> String {
    let mut out = String::new();
    for part in text.split_inclusive(|c: char| !c.is_ascii_alphabetic()) {
        let word = part.trim_end_matches(|c: char| !c.is_ascii_alphabetic());
        let vowel = word.find(|c: char| "aeiouyAEIOUY".contains(c)).unwrap_or(0);
        let vowel = if vowel == 0 && word.starts_with(['y', 'Y']) { 1 } else { vowel };
        let (head, tail) = word.split_at(vowel);
        let end = if word.is_empty() {
            ""
        } else if head.is_empty() {
            "way"
        } else {
            "ay"
        };
        let _ = write!(out, "{tail}{head}{end}{}", &part[word.len()..]);
    }
    out
}

const ASCII85: &[u8; 85] = b"!\"#$%&'()*+,-./0123456789:;<=>?@ABCDEFGHIJKLMNOPQRSTUVWXYZ[\\]^_`abcdefghijklmnopqrstu";
const RFC1924: &[u8; 85] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz!#$%&()*+-;<=>?@^_`{|}~";
const Z85: &[u8; 85] = b"0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ.-:+=^!/*?&<>()[]{}@%$#";

const MORSE: [&str; 26] = [
    ".-", "-...", "-.-.", "-..", ".", "..-.", "--.", "....", "..", ".---", "-.-", ".-..", "--", "-.", "---", ".--.",
    "--.-", ".-.", "...", "-", "..-", "...-", ".--", "-..-", "-.--", "--..",
];

const NATO: [&str; 26] = [
    "alfa", "bravo", "charlie", "delta", "echo", "foxtrot", "golf", "hotel", "india", "juliett", "kilo", "lima",
    "mike", "november", "oscar", "papa", "quebec", "romeo", "sierra", "tango", "uniform", "victor", "whiskey", "x-ray",
    "yankee", "zulu",
];
