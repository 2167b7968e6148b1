//! Finds what HTML and Markdown do not show: comments and elements whose style hides them.

use std::ops::Range;

use memchr::memmem;

use super::Conceals;

/// Calls `found` for each concealed stretch of `text`, in order.
pub(super) fn find(text: &str, mut found: impl FnMut(Range<usize>, Conceals)) {
    let bytes = text.as_bytes();
    let mut at = 0;
    let mut left = MOST;
    while let Some(open) = memchr::memchr(b'<', bytes.get(at..).unwrap_or_default()).map(|n| at + n) {
        if left == 0 {
            return;
        }
        let rest = text.get(open..).unwrap_or_default();
        if let Some(body) = rest.strip_prefix("<!--") {
            let len = memmem::find(body.as_bytes(), b"-->").unwrap_or(body.len());
            found(open + 4..open + 4 + len, Conceals::Comment);
            left -= 1;
            at = open + 4 + len;
            continue;
        }
        at = open + 1;
        let Some(tag) = rest.get(1..).filter(|t| t.starts_with(|c: char| c.is_ascii_alphabetic())) else { continue };
        let head = tag.as_bytes();
        let head = head.get(..head.len().min(TAG)).unwrap_or_default();
        let Some(end) = memchr::memchr2(b'>', b'<', head).filter(|n| head.get(*n) == Some(&b'>')) else { continue };
        let inside = tag.get(..end).unwrap_or_default();
        if inside.len() > 4 && hides(inside) {
            // As far as the element may reach: to the next closing tag.
            let from = open + 1 + end + 1;
            let body = bytes.get(from..bytes.len().min(from + BODY)).unwrap_or_default();
            let len = memmem::find(body, b"</").unwrap_or(body.len());
            if text.is_char_boundary(from + len) && len > 0 {
                found(from..from + len, Conceals::Style);
                left -= 1;
            }
            at = from;
        }
    }
    // A link definition that leads nowhere is how Markdown writes a comment.
    if let Some(first) = memmem::find(bytes, b"[//]: #") {
        let line = bytes.get(first..).unwrap_or_default();
        found(first..first + memchr::memchr(b'\n', line).unwrap_or(line.len()), Conceals::Comment);
    }
}

/// Whether what stands inside a tag hides its element.
fn hides(tag: &str) -> bool {
    let squeezed: String = tag.chars().filter(|c| !c.is_ascii_whitespace()).map(|c| c.to_ascii_lowercase()).collect();
    STYLES.iter().any(|s| squeezed.contains(s))
        || tag.split_ascii_whitespace().skip(1).any(|a| a.eq_ignore_ascii_case("hidden") || a.starts_with("hidden="))
}

const STYLES: &[&str] = &[
    "display:none",
    "visibility:hidden",
    "opacity:0;",
    "opacity:0\"",
    "opacity:0'",
    "font-size:0",
    "font-size:1px",
    "font-size:.1",
    "color:white",
    "color:#fff",
    "color:transparent",
    "text-indent:-9",
    "left:-9",
    "aria-hidden=\"true\"",
    "height:0;",
    "width:0;",
];

/// Stretches reported of one text.
const MOST: usize = 256;
/// Longest tag that is read.
const TAG: usize = 1 << 10;
/// Longest element that is read.
const BODY: usize = 16 << 10;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_shown_is_found() {
        for (text, hidden, why) in [
            ("a<!-- ignore this -->b", " ignore this ", Conceals::Comment),
            ("<!-- never closed", " never closed", Conceals::Comment),
            ("<p style=\"display : none\">psst</p>", "psst", Conceals::Style),
            ("<span hidden>psst</span>", "psst", Conceals::Style),
            ("<div style='font-size:0px'>psst", "psst", Conceals::Style),
            ("text\n[//]: # (psst)\nmore", "[//]: # (psst)", Conceals::Comment),
        ] {
            let mut places = Vec::new();
            find(text, |span, why| places.push((&text[span], why)));
            assert_eq!(places, [(hidden, why)], "{text}");
        }
    }

    #[test]
    fn what_is_shown_is_not() {
        for text in ["1 < 2 and 3 > 2", "<p>plain</p>", "<a href=\"x\">link</a>", "a <b", "Vec<u8>"] {
            find(text, |span, _| panic!("{text}: {span:?}"));
        }
    }
}
