//! What the fuzz target `cookie` and the tests both do: the lines of a request's `cookie` header, one each.

use http::{HeaderMap, HeaderValue, header};

use super::{NAME, find};

/// Looks for the console's cookie in the lines of `bytes` that can stand in a header.
///
/// # Panics
/// When it matters how the header was cut into lines, what is found is not one whole pair of it, or a second cookie is not
/// told from a first.
pub(crate) fn check(bytes: &[u8]) {
    let lines: Vec<&[u8]> =
        bytes.split(|byte| *byte == b'\n').filter(|line| HeaderValue::from_bytes(line).is_ok()).collect();
    let shown = bytes.escape_ascii();
    let cut = headers(&lines);
    let found = find(&cut).map_err(|refusal| refusal.code);
    let whole = lines.join(&b"; "[..]);
    assert_eq!(find(&headers(&[&whole])).map_err(|refusal| refusal.code), found, "in one line: {shown}");

    let pair = |value: &[u8]| [NAME.as_bytes(), b"=", value].concat();
    if let Ok(Some(value)) = found {
        assert!(!value.contains(&b';') && value.trim_ascii() == value, "{shown}");
        assert_eq!(find(&headers(&[&pair(value)])).ok(), Some(Some(value)), "by itself: {shown}");
    }
    // One more changes none to one, and one to too many: so none is overlooked.
    let one = pair(b"one");
    let mut more = lines.clone();
    more.push(&one);
    let more = headers(&more);
    let expected = if found == Ok(None) { Some(Some(&b"one"[..])) } else { None };
    assert_eq!(find(&more).ok(), expected, "and one more: {shown}");
    let pairs = whole.split(|byte| *byte == b';').filter(|part| part.trim_ascii_start().starts_with(&pair(b"")));
    assert!(pairs.count() <= found.map_or(usize::MAX, |value| usize::from(value.is_some())), "{shown}");
}

fn headers(lines: &[&[u8]]) -> HeaderMap {
    let lines = lines.iter().filter_map(|line| HeaderValue::from_bytes(line).ok());
    lines.map(|line| (header::COOKIE, line)).collect()
}
