//! Puts the provider's name of a model in the place of the caller's, without touching another byte.

use std::ops::Range;

use bytes::{BufMut, Bytes, BytesMut};

/// The body with the value of its top-level `model` replaced by `to`; none when there is no such string.
///
/// The body is valid JSON without duplicate members, which `wire` has seen to. A key written with escapes is not found:
/// the caller refuses then, and nobody needs to write `model` so.
pub(crate) fn rename(body: &Bytes, to: &str) -> Option<Bytes> {
    let span = value(body)?;
    let (before, after) = (body.get(..span.start)?, body.get(span.end..)?);
    let mut out = BytesMut::with_capacity(before.len() + to.len() + after.len());
    out.put(before);
    out.put(to.as_bytes());
    out.put(after);
    Some(out.freeze())
}

/// Whether a name can stand in a JSON string as it is.
pub(crate) fn is_plain(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|b| b >= b' ' && b != b'"' && b != b'\\')
}

/// Where the text of the top-level `model` string stands, without its quotes.
fn value(body: &[u8]) -> Option<Range<usize>> {
    let mut depth = 0u32;
    let mut at = 0;
    while let Some(&byte) = body.get(at) {
        match byte {
            b'{' | b'[' => depth += 1,
            b'}' | b']' => depth = depth.checked_sub(1)?,
            b'"' => {
                let end = string_end(body, at + 1)?;
                if depth == 1 && body.get(at + 1..end)? == b"model" {
                    let next = skip_blanks(body, end + 1);
                    // As a value, as in `{"user":"model"}`, it has no colon behind it.
                    if body.get(next) == Some(&b':') {
                        let from = skip_blanks(body, next + 1);
                        return if body.get(from) == Some(&b'"') {
                            Some(from + 1..string_end(body, from + 1)?)
                        } else {
                            None
                        };
                    }
                }
                at = end;
            }
            _ => {}
        }
        at += 1;
    }
    None
}

/// Where the quote stands that ends the string whose text begins at `from`.
fn string_end(body: &[u8], from: usize) -> Option<usize> {
    let mut at = from;
    loop {
        at += memchr::memchr2(b'"', b'\\', body.get(at..)?)?;
        if body.get(at) == Some(&b'"') {
            return Some(at);
        }
        at += 2;
    }
}

fn skip_blanks(body: &[u8], from: usize) -> usize {
    let blanks = body.get(from..).unwrap_or_default().iter().take_while(|b| b.is_ascii_whitespace()).count();
    from + blanks
}

#[cfg(test)]
mod replay;

#[cfg(test)]
mod tests {
    use std::{fs, path::Path};

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn only_the_top_level_model_is_renamed() {
        for (body, expected) in [
            (r#"{"model":"a","x":1}"#, r#"{"model":"NEW","x":1}"#),
            (r#"{ "model" : "a\"b" }"#, r#"{ "model" : "NEW" }"#),
            (r#"{"user":"model","model":""}"#, r#"{"user":"model","model":"NEW"}"#),
            (
                r#"{"messages":[{"model":"deep","content":"\"model\":\"x\""}],"model":"a"}"#,
                r#"{"messages":[{"model":"deep","content":"\"model\":\"x\""}],"model":"NEW"}"#,
            ),
            (r#"{"x":"\\","model":"a"}"#, r#"{"x":"\\","model":"NEW"}"#),
        ] {
            assert_eq!(rename(&Bytes::from_static(body.as_bytes()), "NEW").unwrap(), expected);
        }
    }

    #[test]
    fn what_cannot_be_renamed_is_not_sent_under_another_name() {
        for body in [
            "",
            "{}",
            r#"{"model":1}"#,
            r#"{"m\u006fdel":"a"}"#,
            r#"[{"model":"a"}]"#,
            r#"{"x":{"model":"a"}}"#,
            r#"{"model":"a"#,
        ] {
            assert_eq!(rename(&Bytes::from_static(body.as_bytes()), "NEW"), None, "{body}");
        }
        assert!(
            !is_plain("a\"b") && !is_plain("a\\b") && !is_plain("a\nb") && !is_plain("") && is_plain("org/modèle:7b")
        );
    }

    #[test]
    fn the_rename_corpus_holds() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../fuzz/corpus/rename");
        let files = fs::read_dir(folder).unwrap().map(|entry| fs::read(entry.unwrap().path()).unwrap());
        assert!(files.inspect(|bytes| replay::check(bytes)).count() >= 5);
    }

    proptest! {
        #[test]
        fn all_else_is_kept(a in ".{0,40}", b in ".{0,40}", name in "[a-z0-9./-]{1,20}") {
            let body = serde_json::json!({"messages": [a, {"model": b}], "model": "x", "zz": "model"});
            let mut wanted = body.clone();
            wanted["model"] = name.clone().into();
            let renamed = rename(&serde_json::to_vec(&body).unwrap().into(), &name).unwrap();
            prop_assert_eq!(serde_json::from_slice::<serde_json::Value>(&renamed).unwrap(), wanted);
        }

        #[test]
        fn no_bytes_panic(body in prop::collection::vec(prop::sample::select(b"{}[]\"\\:, model".to_vec()), 0..60)) {
            replay::check(&body);
        }
    }
}
