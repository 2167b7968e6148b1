//! Games with letters: set apart, replaced by digits, moved by thirteen, written backwards, in Morse.

use std::{ops::Range, sync::LazyLock};

use super::{Encoding, Piece, floor};
use crate::normal::{
    starts::{Starts, Word},
    survey::{self, Survey, in_morse, separates},
};

/// Finds what is hidden in `text` by games with letters.
pub(super) fn find(text: &str, survey: &Survey, out: &mut Vec<Piece>) {
    let bytes = text.as_bytes();
    if survey.apart && if survey.ascii { alternates(bytes) } else { set_apart(bytes) } {
        spaced(text, out);
    }
    if survey.figures >= 2 {
        leet(text, out);
    }
    turned(text, survey, out);
    if survey.morse {
        morse(text, out);
    }
}

/// Whether somewhere one separator stands at every other place, in ASCII. Looks at every fifth byte and its neighbours, which
/// six letters set apart cannot escape.
fn alternates(bytes: &[u8]) -> bool {
    (0..bytes.len()).step_by(5).any(|at| match bytes.get(at..at + 6) {
        Some(&[a, b, c, d, e, f]) => {
            (a == c && c == e && separates(a) && b != a) || (b == d && d == f && separates(b) && a != b)
        }
        _ => false,
    })
}

/// Whether somewhere five separators stand one character apart, in any script.
fn set_apart(bytes: &[u8]) -> bool {
    let (mut last, mut run) = (0, 0);
    for (at, byte) in bytes.iter().enumerate().filter(|(_, b)| separates(**b)) {
        let width = match bytes.get(last + 1) {
            Some(0xf0..) => 4,
            Some(0xe0..) => 3,
            Some(0xc0..) => 2,
            _ => 1,
        };
        run = if at == last + 1 + width && bytes.get(last) == Some(byte) { run + 1 } else { 0 };
        if run == 4 {
            return true;
        }
        last = at;
    }
    false
}

/// Single characters set apart by one and the same separator, at least six of them.
fn spaced(text: &str, out: &mut Vec<Piece>) {
    let mut chars = text.char_indices().peekable();
    let mut word = String::new();
    let (mut start, mut end, mut letters) = (0, 0, 0_usize);
    let mut separator: Option<char> = None;
    let mut close = |word: &mut String, letters: &mut usize, span: Range<usize>| {
        if *letters >= 6 && *letters * 4 >= word.chars().count() * 3 {
            out.push(Piece { span, text: std::mem::take(word), encoding: Encoding::Spaced });
        }
        word.clear();
        *letters = 0;
    };
    // `alone`: the character before was a separator or the start.
    let mut alone = true;
    while let Some((at, c)) = chars.next() {
        let next = chars.peek().map(|(_, n)| *n);
        let sep = u8::try_from(c).is_ok_and(separates) && (separator.is_none_or(|s| s == c) || c == '\t');
        if sep {
            // Two separators stand for a space.
            if alone && !word.is_empty() && !word.ends_with(' ') {
                word.push(' ');
            }
            alone = true;
            continue;
        }
        let ends = next.is_none_or(|n| match separator {
            Some(s) => n == s || n == '\n',
            None => u8::try_from(n).is_ok_and(separates),
        });
        if alone && ends && c != '\n' {
            if word.is_empty() {
                start = at;
                separator = next.filter(|n| *n != '\n');
            }
            // Inside a run another separator stands for a space.
            if u8::try_from(c).is_ok_and(separates) {
                word.push(' ');
            } else {
                letters += usize::from(c.is_alphanumeric());
                word.push(c);
            }
            end = at + c.len_utf8();
            alone = false;
            continue;
        }
        if c == '\n' && !word.is_empty() {
            word.push(' ');
            alone = true;
            continue;
        }
        close(&mut word, &mut letters, start..end);
        separator = None;
        alone = c.is_whitespace();
    }
    close(&mut word, &mut letters, start..end);
}

/// Words with digits in place of letters, at least two of them close together.
fn leet(text: &str, out: &mut Vec<Piece>) {
    let mut region: Option<(usize, usize, usize)> = None;
    let mut close = |region: Option<(usize, usize, usize)>| {
        if let Some((start, end, count)) = region
            && count >= 2
        {
            let start = floor(text, start.saturating_sub(AROUND));
            let end = floor(text, end + AROUND);
            let plain =
                text.get(start..end).unwrap_or_default().split_inclusive(char::is_whitespace).map(unleet).collect();
            out.push(Piece { span: start..end, text: plain, encoding: Encoding::Leet });
        }
    };
    let mut at = 0;
    // A view has no white space beyond ASCII.
    for token in text.as_bytes().split(|b| matches!(b, b'\t'..=b'\r' | b' ')) {
        let start = at;
        at += token.len() + 1;
        if !token.iter().any(|b| plain_letter(*b).is_some()) || !is_leet(token) {
            continue;
        }
        region = match region {
            Some((from, to, count)) if start <= to + AROUND => Some((from, at, count + 1)),
            old => {
                close(old);
                Some((start, at, 1))
            }
        };
    }
    close(region);
}

/// Whether a word has a sign that stands for a letter next to a letter, and looks like a word otherwise.
fn is_leet(token: &[u8]) -> bool {
    let around = |b: &u8| matches!(b, b'.' | b',' | b':' | b';' | b'?' | b'"' | b'\'' | b'(' | b')');
    let from = token.iter().position(|b| !around(b)).unwrap_or(token.len());
    let to = token.iter().rposition(|b| !around(b)).map_or(from, |last| last + 1);
    let bytes = token.get(from..to).unwrap_or_default();
    if !(3..=24).contains(&bytes.len())
        || !bytes.iter().all(|b| b.is_ascii_alphanumeric() || plain_letter(*b).is_some())
    {
        return false;
    }
    let letters = bytes.iter().filter(|b| b.is_ascii_alphabetic()).count();
    let signs = bytes.len() - letters;
    // Digits at the end are numbers: `v1`, `sha256`, `room 12b`.
    let body = bytes.iter().rev().skip_while(|b| b.is_ascii_digit()).count();
    let inner = bytes.iter().take(body).filter(|b| !b.is_ascii_alphabetic()).count();
    letters >= 1 && signs >= 1 && (inner >= 1 || letters >= 2 && signs <= 2) && signs <= letters * 3
}

fn unleet(token: &str) -> String {
    // Near words that are surely leet, looser ones are taken for it too: `a11`.
    let letters = token.bytes().filter(u8::is_ascii_alphabetic).count();
    let signs = token.bytes().filter(|b| plain_letter(*b).is_some()).count();
    if letters == 0 || signs > letters * 3 {
        return token.to_owned();
    }
    let bytes = token.as_bytes();
    let mut out = String::with_capacity(token.len());
    for (i, c) in token.char_indices() {
        // `1` is an l next to another: `a11`, `fi1l`.
        let twin = |j: Option<usize>| j.and_then(|j| bytes.get(j)).is_some_and(|b| matches!(b, b'1' | b'l'));
        match u8::try_from(c).ok().and_then(plain_letter) {
            Some('i') if c == '1' && (twin(i.checked_sub(1)) || twin(Some(i + 1))) => out.push('l'),
            Some(letter) => out.push(letter),
            None => out.push(c),
        }
    }
    out
}

const fn plain_letter(b: u8) -> Option<char> {
    Some(match b {
        b'0' => 'o',
        b'1' | b'!' => 'i',
        b'2' => 'z',
        b'3' => 'e',
        b'4' | b'@' => 'a',
        b'5' | b'$' => 's',
        b'6' => 'b',
        b'7' | b'+' => 't',
        b'8' => 'b',
        b'9' => 'g',
        b'|' => 'l',
        _ => return None,
    })
}

/// Whole texts moved by thirteen or written backwards, where words that orders are made of show it.
fn turned(text: &str, survey: &Survey, out: &mut Vec<Piece>) {
    let mut rotated: Option<Range<usize>> = None;
    let mut reversed: Option<Range<usize>> = None;
    TURNED.find(text, survey, |at, name| {
        let span = if name < WORDS.len() { &mut rotated } else { &mut reversed };
        // Words in ASCII come in order, and are taken along by what is taken around; others count to their end.
        let end = at + name.checked_sub(FOREIGN).and_then(|n| FOREIGN_WORDS.get(n)).map_or(0, |word| word.len());
        *span = Some(span.as_ref().map_or(at..end, |s| s.start.min(at)..s.end.max(end)));
    });
    let around = |span: Range<usize>| floor(text, span.start.saturating_sub(REACH))..floor(text, span.end + REACH);
    if let Some(span) = rotated.map(around) {
        let text = text.get(span.clone()).unwrap_or_default().chars().map(rot13).collect();
        out.push(Piece { span, text, encoding: Encoding::Rot13 });
    }
    if let Some(span) = reversed.map(around) {
        let text = text.get(span.clone()).unwrap_or_default().chars().rev().collect();
        out.push(Piece { span, text, encoding: Encoding::Reversed });
    }
}

const fn rot13(c: char) -> char {
    match c {
        'a'..='m' | 'A'..='M' => (c as u8 + 13) as char,
        'n'..='z' | 'N'..='Z' => (c as u8 - 13) as char,
        c => c,
    }
}

/// The words rotated, then backwards, for a word's end stands where it begins; then those in other scripts, backwards too.
static TURNED: LazyLock<Starts> = LazyLock::new(|| {
    let word = |text: String, end: bool| (text.into_boxed_str(), end);
    let backwards = |text: &str| text.chars().rev().collect::<String>();
    let rotated = WORDS.iter().map(|w| word(w.chars().map(rot13).collect(), false));
    // Their names are given so that those in other scripts begin at a known one.
    let reversed = BACKWARDS.iter().flat_map(|w| w.split(' ')).map(|w| word(backwards(w), true));
    let ascii = rotated.enumerate().chain(reversed.map(|w| (WORDS.len(), w)));
    let foreign = FOREIGN_WORDS.iter().map(|w| word(backwards(w), false)).enumerate().map(|(n, w)| (FOREIGN + n, w));
    Starts::new(ascii.chain(foreign).map(|(name, (text, end))| Word { start: text.is_ascii(), text, end, name }))
});

/// The name of the first of [`FOREIGN_WORDS`].
const FOREIGN: usize = WORDS.len() + 1;

/// How words begin that orders to a model are made of, long enough that their rotated forms are no words.
const WORDS: &[&str] = &[
    "ignore",
    "instruct",
    "previous",
    "prompt",
    "reveal",
    "disregard",
    "password",
    "forget",
    "override",
    "system",
    "unrestrict",
    "rules",
    "above",
    "assistant",
    "ignorier",
    "anweisung",
    "vergiss",
    "bisherig",
    "regeln",
    "nutzer",
    "instruccion",
    "anterior",
    "olvida",
    "muestra",
    "mensaje",
    "usuario",
    "reglas",
    "consigne",
    "oublie",
    "affiche",
    "regles",
    "utilisateur",
    "administra",
    "istruzioni",
    "dimentica",
    "mostra",
    "regole",
    "restriz",
    "instruc",
    "esqueca",
    "mensagem",
    "regras",
    "restric",
    "vergeet",
    "negeer",
    "regels",
    "polecenia",
    "instrukc",
    "zapomnij",
    "pokaz",
    "talimat",
    "goster",
    "kullanic",
    "pokyny",
    "zapomen",
    "instrukt",
    "regler",
    "glom",
    "instruksi",
    "abaikan",
    "lupakan",
    "utasitas",
    "huong",
    "asistent",
];

/// Whole words that orders to a model are made of; backwards they are no words.
const BACKWARDS: &[&str] = &[
    "ignore ignoring instruction instructions previous prompt prompts reveal disregard password passwords forget override",
    "system unrestricted rules assistant above guidelines restrictions anything",
    "ignoriere vergiss anweisung anweisungen vorherigen bisherigen regeln nutzer systemprompt einschrankungen assistent",
    "ignora ignorez ignorer instrucciones anteriores olvida muestra mensaje sistema usuario reglas restricciones asistente",
    "consigne consignes oublie oubliez affiche regles utilisateur administrateur precedentes systeme restriction",
    "istruzioni precedenti dimentica mostra mostrami regole restrizioni utente assistente amministratore",
    "instrucoes esqueca mensagem regras restricoes administrador",
    "instructies vergeet negeer vorige regels gebruiker beperkingen beheerder",
    "polecenia instrukcje poprzednie zapomnij pokaz zignoruj uzytkownikowi ograniczen systemowy administratora",
    "talimatlari talimatlar talimat onceki goster kullaniciya sistem unut",
    "pokyny predchozi zapomen instrukce uzivateli omezeni systemovy ignoruj",
    "instruktioner tidigare anvandaren regler ignorera begransningar instrukser tidligere brukeren",
    "instruksi abaikan lupakan sebelumnya pengguna batasan perintah aturan",
    "utasitasokat utasitas korabbi felhasznalonak instructiunile instructiuni huong",
];

/// How such words begin in other scripts.
const FOREIGN_WORDS: &[&str] = &[
    "игнорир",
    "инструкц",
    "забудь",
    "покажи",
    "систем",
    "предыдущ",
    "правил",
    "пользовател",
    "ограничен",
    "ассистент",
    "інструкц",
    "попередн",
    "ігнорує",
    "ігноруи",
    "користувач",
    "忽略",
    "指令",
    "提示词",
    "系统",
    "无视",
    "忘记",
    "無視",
    "指示",
    "プロンプト",
    "システム",
    "무시",
    "지시",
    "프롬프트",
    "시스템",
    "تعليمات",
    "تجاهل",
    "النظام",
    "قواعد",
    "निर्देश",
    "सिस्टम",
    "अनदेखा",
    "नियम",
    "دستور",
    "نادیده",
];

/// Morse: at least eight letters of dots and dashes.
fn morse(text: &str, out: &mut Vec<Piece>) {
    let bytes = text.as_bytes();
    let fits = |b: &u8| in_morse(*b);
    let mut at = MORSE - 1;
    while at < bytes.len() {
        if !bytes.get(at).is_some_and(fits) {
            at += MORSE;
            continue;
        }
        let start = at - bytes.iter().take(at).rev().take_while(|b| fits(b)).count();
        let end = at + bytes.iter().skip(at).take_while(|b| fits(b)).count();
        at = end + MORSE - 1;
        let Some(run) = text.get(start..end).filter(|r| r.len() >= MORSE) else { continue };
        let words = run.split(['/', '\n']).map(|word| {
            word.split(' ')
                .filter(|l| !l.is_empty())
                .filter_map(|l| LETTERS.iter().position(|m| *m == l))
                .collect::<Vec<_>>()
        });
        let mut plain = String::new();
        for word in words {
            plain.extend(word.iter().filter_map(|n| char::from_digit(u32::try_from(*n + 10).unwrap_or(0), 36)));
            plain.push(' ');
        }
        if plain.trim().len() >= 8 {
            out.push(Piece { span: start..end, text: plain, encoding: Encoding::Morse });
        }
    }
}

const LETTERS: [&str; 26] = [
    ".-", "-...", "-.-.", "-..", ".", "..-.", "--.", "....", "..", ".---", "-.-", ".-..", "--", "-.", "---", ".--.",
    "--.-", ".-.", "...", "-", "..-", "...-", ".--", "-..-", "-.--", "--..",
];

/// Bytes around leet words that are taken along.
const AROUND: usize = 64;
/// Bytes around turned words that are taken along.
const REACH: usize = 512;
/// Shortest stretch of Morse.
const MORSE: usize = survey::MORSE as usize;
