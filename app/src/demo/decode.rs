//! How the naive assistant reads what is encoded, hidden or disguised. Real models do this well enough to be attacked with it.

use data_encoding::{BASE64_NOPAD, HEXLOWER_PERMISSIVE};

/// The text as it stands, and everything it can be read as.
pub(super) fn readings(text: &str) -> Vec<String> {
    let plain: String = text.chars().filter(|c| !is_invisible(*c)).collect();
    let tags =
        text.chars().filter_map(|c| char::from_u32((c as u32).checked_sub(0xE0000)?).filter(char::is_ascii)).collect();
    let mut found = vec![
        plain.chars().map(look_alike).collect(),
        tags,
        plain.chars().rev().collect(),
        plain.chars().map(rot13).collect(),
    ];
    let words = plain.split(|c: char| c.is_whitespace() || matches!(c, '"' | '\'' | ':'));
    for word in words.map(|w| w.trim_end_matches('=')).filter(|w| w.len() >= 16) {
        let bytes = HEXLOWER_PERMISSIVE.decode(word.as_bytes()).or_else(|_| BASE64_NOPAD.decode(word.as_bytes()));
        found.extend(bytes.map(|b| String::from_utf8_lossy(&b).into_owned()));
    }
    found.push(plain);
    found.retain(|reading| !reading.is_empty());
    found
}

fn is_invisible(c: char) -> bool {
    matches!(c, '\u{200B}'..='\u{200F}' | '\u{2060}'..='\u{2064}' | '\u{FEFF}' | '\u{00AD}' | '\u{E0000}'..='\u{E007F}')
}

/// Cyrillic, Greek and full-width letters that look like Latin ones.
fn look_alike(c: char) -> char {
    match c {
        'а' => 'a',
        'е' => 'e',
        'о' => 'o',
        'р' => 'p',
        'с' => 'c',
        'у' => 'y',
        'х' => 'x',
        'і' => 'i',
        'ѕ' => 's',
        'ԁ' => 'd',
        'ν' => 'v',
        'ο' => 'o',
        'α' => 'a',
        'ρ' => 'p',
        'τ' => 't',
        'ι' => 'i',
        '\u{FF01}'..='\u{FF5E}' => char::from_u32(c as u32 - 0xFEE0).unwrap_or(c),
        other => other,
    }
}

pub(super) fn rot13(c: char) -> char {
    let turn = |base: u8| char::from(base + (c as u8 - base + 13) % 26);
    match c {
        'a'..='z' => turn(b'a'),
        'A'..='Z' => turn(b'A'),
        other => other,
    }
}
