//! Morse code.

use super::{Encoding, Piece};
use crate::normal::survey::{self, in_morse};

/// Finds stretches of dots and dashes that spell at least eight letters.
pub(super) fn find(text: &str, out: &mut Vec<Piece>) {
    let bytes = text.as_bytes();
    let fits = |b: &u8| in_morse(*b);
    let mut at = LEAST - 1;
    while at < bytes.len() {
        if !bytes.get(at).is_some_and(fits) {
            at += LEAST;
            continue;
        }
        let start = at - bytes.iter().take(at).rev().take(SPAN).take_while(|b| fits(b)).count();
        let end = at + bytes.iter().skip(at).take(SPAN).take_while(|b| fits(b)).count();
        at = end + LEAST - 1;
        let Some(run) = text.get(start..end).filter(|r| r.len() >= LEAST) else { continue };
        let plain = spell(run);
        if plain.chars().filter(|c| !c.is_whitespace()).count() >= LETTERS_LEAST {
            out.push(Piece { span: start..end, text: plain, encoding: Encoding::Morse });
        }
    }
}

/// What a run says. One space parts letters; more of them, a slash or a line end part words.
fn spell(run: &str) -> String {
    let mut plain = String::new();
    for part in run.split(' ') {
        for (n, sign) in part.split(['/', '\n']).enumerate() {
            let gap = sign.is_empty() || n > 0;
            if gap && !plain.is_empty() && !plain.ends_with(' ') {
                plain.push(' ');
            }
            plain.extend(SIGNS.iter().find(|(m, _)| *m == sign).map(|(_, c)| *c));
        }
    }
    plain
}

const SIGNS: [(&str, char); 45] = [
    (".-", 'a'),
    ("-...", 'b'),
    ("-.-.", 'c'),
    ("-..", 'd'),
    (".", 'e'),
    ("..-.", 'f'),
    ("--.", 'g'),
    ("....", 'h'),
    ("..", 'i'),
    (".---", 'j'),
    ("-.-", 'k'),
    (".-..", 'l'),
    ("--", 'm'),
    ("-.", 'n'),
    ("---", 'o'),
    (".--.", 'p'),
    ("--.-", 'q'),
    (".-.", 'r'),
    ("...", 's'),
    ("-", 't'),
    ("..-", 'u'),
    ("...-", 'v'),
    (".--", 'w'),
    ("-..-", 'x'),
    ("-.--", 'y'),
    ("--..", 'z'),
    ("-----", '0'),
    (".----", '1'),
    ("..---", '2'),
    ("...--", '3'),
    ("....-", '4'),
    (".....", '5'),
    ("-....", '6'),
    ("--...", '7'),
    ("---..", '8'),
    ("----.", '9'),
    (".-.-.-", '.'),
    ("--..--", ','),
    ("..--..", '?'),
    (".----.", '\''),
    ("-.-.--", '!'),
    ("-..-.", '/'),
    ("---...", ':'),
    ("-....-", '-'),
    (".--.-.", '@'),
];

/// Shortest stretch.
const LEAST: usize = survey::MORSE as usize;
/// Fewest letters that say something.
const LETTERS_LEAST: usize = 8;
/// Longest run that is taken at once.
const SPAN: usize = 64 << 10;
