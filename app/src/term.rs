//! What people see: the one place that prints.

use std::{
    borrow::Cow,
    fmt::Display,
    io::{IsTerminal, Write},
};

/// A line on standard output. A closed pipe ends the printing, not the program.
pub(crate) fn say(line: impl Display) {
    let _ = writeln!(std::io::stdout().lock(), "{}", tame(&line.to_string()));
}

/// A line on standard output of which `found` is marked: by signs, and on a terminal by colour as well.
pub(crate) fn marked(before: &str, found: &str, after: &str) {
    let _ = writeln!(std::io::stdout().lock(), "{}", mark(before, found, after, coloured()));
}

fn mark(before: &str, found: &str, after: &str, colour: bool) -> String {
    let (on, off) = if colour { ("\x1b[1;31m", "\x1b[0m") } else { ("", "") };
    format!("{}{on}>>{}<<{off}{}", tame(before), tame(found), tame(after))
}

/// Whether standard output is a terminal whose reader wants colour (<https://no-color.org>).
fn coloured() -> bool {
    let unset = |name| std::env::var_os(name).is_none_or(|value| value.is_empty());
    std::io::stdout().is_terminal() && unset("NO_COLOR") && std::env::var_os("TERM").is_none_or(|term| term != "dumb")
}

/// Text on standard output as it is.
pub(crate) fn print(text: impl Display) {
    let _ = write!(std::io::stdout().lock(), "{text}");
}

/// Begins another picture where the one before stood, on a terminal.
pub(crate) fn redraw() {
    let mut out = std::io::stdout().lock();
    if out.is_terminal() {
        let _ = out.write_all(b"\x1b[H\x1b[2J");
    }
}

/// A line on standard error.
pub(crate) fn note(line: impl Display) {
    let _ = writeln!(std::io::stderr().lock(), "{}", tame(&line.to_string()));
}

/// An error on standard error, causes included.
pub(crate) fn complain(error: &anyhow::Error) {
    note(format_args!("error: {error:#}"));
}

/// Text in which nothing steers a terminal or reorders what is read. Records hold what strangers wrote: a model's name, a
/// prompt. The escapes are JSON's, so that JSON stays what it was.
fn tame(text: &str) -> Cow<'_, str> {
    let wild = |c: char| (c.is_control() && !matches!(c, '\n' | '\t')) || REORDERS.contains(&c);
    if !text.contains(wild) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if wild(c) {
            out.push_str(&format!("\\u{:04x}", u32::from(c)));
        } else {
            out.push(c);
        }
    }
    Cow::Owned(out)
}

/// What changes the order in which text is shown (Unicode Standard Annex 9), or ends a line without a line feed.
const REORDERS: [char; 14] = [
    '\u{61c}', '\u{200e}', '\u{200f}', '\u{2028}', '\u{2029}', '\u{202a}', '\u{202b}', '\u{202c}', '\u{202d}',
    '\u{202e}', '\u{2066}', '\u{2067}', '\u{2068}', '\u{2069}',
];

/// Whether a person watches standard error.
pub(crate) fn watched() -> bool {
    std::io::stderr().is_terminal()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_steers_the_terminal() {
        assert_eq!(tame("one\n\ttwo \u{e9} \u{4f60}"), "one\n\ttwo \u{e9} \u{4f60}");
        assert_eq!(tame("m\x1b[2J\r\x07"), "m\\u001b[2J\\u000d\\u0007");
        assert_eq!(tame("\u{9b}31m\u{202e}txt\u{7f}"), "\\u009b31m\\u202etxt\\u007f");
    }

    #[test]
    fn what_is_marked_is_marked_without_colour_too() {
        assert_eq!(mark("a ", "b\x1b[0m", " c", false), "a >>b\\u001b[0m<< c");
        assert_eq!(mark("a ", "b", " c", true), "a \x1b[1;31m>>b<<\x1b[0m c");
    }

    #[test]
    fn json_means_what_it_meant() {
        let value = serde_json::json!({"model": "a\u{202e}b\u{9b}\u{7f}\n\"\\"});
        let shown = tame(&format!("{value:#}")).into_owned();
        assert!(!shown.contains('\u{202e}'));
        assert_eq!(serde_json::from_str::<serde_json::Value>(&shown).unwrap(), value);
    }
}
