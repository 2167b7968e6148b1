//! Writes harmless text as attackers disguise theirs, so that no form counts as an attack by itself.
//!
//! What the guard decodes is judged in its plain form beside; an attack in disguise is therefore never an example of one.

/// `text` in one of the [`FORMS`], by number.
pub(crate) fn write(text: &str, form: usize) -> String {
    FORMS[form % FORMS.len()](text)
}

const FORMS: &[fn(&str) -> String] = &[
    |t| each(t, |c| leet(c, "4bcd3fgh1jklmn0pqr57uvwxyz").to_string()),
    |t| each(t, |c| leet(c, "@6cd3f9h!jk1mn0pqr$+uvwxy2").to_string()),
    |t| {
        each(t, |c| {
            if c.is_ascii_lowercase() && u32::from(c) % 3 == 0 { leet(c, "4bcd3fgh1jklmn0pqr57uvwxyz") } else { c }
                .to_string()
        })
    },
    |t| bytes(t, |b| if b.is_ascii_alphanumeric() { char::from(b).to_string() } else { format!("%{b:02X}") }),
    |t| bytes(t, |b| format!("%{b:02x}")),
    |t| t.replace(' ', "+").replace(',', "%2C").replace('\n', "%0A").replace('?', "%3F"),
    |t| bytes(t, |b| format!("{b:02x}")),
    |t| bytes(t, |b| format!("\\x{b:02x}")),
    |t| bytes(t, |b| format!("{b:08b} ")),
    base64,
    |t| each(t, |c| format!("{c} ")),
    |t| each(t, |c| if c == ' ' { "  ".into() } else { format!("{c}.") }),
    |t| each(t, |c| if c.is_alphanumeric() { format!("{c}-") } else { c.to_string() }),
    |t| each(t, |c| format!("&#{};", u32::from(c))),
    |t| each(t, |c| format!("\\u{:04x}", u32::from(c))),
    |t| t.chars().rev().collect(),
    |t| t.split(' ').map(|word| word.chars().rev().collect::<String>()).collect::<Vec<_>>().join(" "),
    |t| each(t, |c| shift(c, 13).to_string()),
    |t| each(t, |c| shift(c, 3 + (t.len() % 20) as u8).to_string()),
    morse,
];

fn each(text: &str, write: impl Fn(char) -> String) -> String {
    text.chars().map(write).collect()
}

fn bytes(text: &str, write: impl Fn(u8) -> String) -> String {
    text.bytes().map(write).collect()
}

/// A letter by the sign that stands for it in `alphabet`.
fn leet(c: char, alphabet: &str) -> char {
    match c {
        'a'..='z' | 'A'..='Z' => {
            alphabet.as_bytes().get((c as usize | 0x20) - 'a' as usize).map_or(c, |b| char::from(*b))
        }
        _ => c,
    }
}

fn shift(c: char, by: u8) -> char {
    match c {
        'a'..='z' => char::from(b'a' + (c as u8 - b'a' + by) % 26),
        'A'..='Z' => char::from(b'A' + (c as u8 - b'A' + by) % 26),
        _ => c,
    }
}

fn base64(text: &str) -> String {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let group = |three: &[u8]| {
        let bits = (0..3).fold(0_usize, |bits, at| bits << 8 | usize::from(three.get(at).copied().unwrap_or(0)));
        (0..4).map(move |at| char::from(LETTERS[bits >> (18 - 6 * at) & 63])).collect::<String>()
    };
    text.as_bytes().chunks(3).map(group).collect()
}

fn morse(text: &str) -> String {
    const SIGNS: [&str; 26] = [
        ".-", "-...", "-.-.", "-..", ".", "..-.", "--.", "....", "..", ".---", "-.-", ".-..", "--", "-.", "---",
        ".--.", "--.-", ".-.", "...", "-", "..-", "...-", ".--", "-..-", "-.--", "--..",
    ];
    each(text, |c| match c {
        'a'..='z' | 'A'..='Z' => format!("{} ", SIGNS[(c as usize | 0x20) - 'a' as usize]),
        ' ' => "/ ".into(),
        _ => String::new(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forms_are_those_that_are_met() {
        let all: Vec<String> = (0..FORMS.len()).map(|form| write("See you at 5", form)).collect();
        for known in [
            "533 y0u 47 5",
            "See%20you%20at%205",
            "53656520796f752061742035",
            "5 ta uoy eeS",
            "Frr lbh ng 5",
            "U2VlIHlvdSBhdCA1",
        ] {
            assert!(all.iter().any(|form| form == known), "{known}: {all:#?}");
        }
        assert!(all.iter().all(|form| !form.is_empty()));
    }
}
