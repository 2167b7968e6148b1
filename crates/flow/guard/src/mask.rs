//! What stands in place of masked text, so that what held the text still holds together: in tool arguments that are JSON, a
//! mask inside a string stays inside it, and one in place of a bare number becomes a string.

use std::ops::Range;

use bytes::BytesMut;
use countersign_core::{Channel, Edit, Kind, content::escape_json};

/// What replaces text of this kind; no quotes and no backslashes, so it can stand in any string.
pub(crate) const fn label(kind: Kind) -> &'static str {
    match kind {
        Kind::Injection => "[masked:injection]",
        Kind::Extraction => "[masked:extraction]",
        Kind::Exfiltration => "[masked:exfiltration]",
        Kind::PromptLeak => "[masked:prompt-leak]",
        Kind::DocumentLeak => "[masked:document-leak]",
        Kind::Canary => "[masked:canary]",
        Kind::Secret => "[masked:secret]",
        Kind::PersonalData => "[masked:personal-data]",
        Kind::Hidden => "[masked:hidden]",
        Kind::Limit => "[masked:limit]",
        Kind::Attachment => "[masked:attachment]",
        Kind::Copied => "[masked:copied]",
    }
}

/// Masks in one text that is whole, first to last.
pub(crate) struct Masks<'a> {
    leaf: usize,
    text: &'a str,
    /// Where the JSON was last known, when the text can be JSON.
    nested: Option<Nested>,
    /// The same for values that come back in what a model says, and how far that was read.
    answer: Option<(usize, Nested)>,
    read: usize,
    masked: usize,
    /// Where the last value that came back ends.
    back: usize,
}

impl<'a> Masks<'a> {
    pub(crate) fn new(leaf: usize, text: &'a str, channel: Channel) -> Self {
        let nested = (channel == Channel::ToolArguments).then(Nested::default);
        Self { leaf, text, nested, answer: None, read: 0, masked: 0, back: 0 }
    }

    /// The edit that puts a value in place of its stand-in; none where a mask has part of that already.
    pub(crate) fn give_back(&mut self, value: &str, span: &Range<usize>) -> Option<Edit> {
        if span.start < self.masked {
            return None;
        }
        let (read, nested) = self.answer.get_or_insert_with(Default::default);
        nested.read(self.text.get(*read..span.start).unwrap_or_default());
        *read = span.end;
        (self.masked, self.back) = (span.end, span.end);
        let may_be_json = self.text.trim_start().starts_with('{');
        let with = if may_be_json { nested.value(value) } else { value.to_owned() };
        Some(Edit { leaf: self.leaf, span: span.clone(), with })
    }

    /// The edit that masks `span`, an empty one where it is masked already; none when the JSON around it would break.
    /// `quotes` says whether quotes of that JSON are inside, where that is known.
    pub(crate) fn add(&mut self, kind: Kind, span: &Range<usize>, quotes: Option<bool>) -> Option<Option<Edit>> {
        self.put(label(kind), span, quotes)
    }

    /// As [`Masks::add`], with another text, which holds neither quotes nor backslashes.
    pub(crate) fn put(&mut self, text: &str, span: &Range<usize>, quotes: Option<bool>) -> Option<Option<Edit>> {
        let start = span.start.max(self.masked);
        if start >= span.end {
            return Some(None);
        }
        let goes_on = self.masked > 0 && start == self.masked && start != self.back;
        let mut with = text.to_owned();
        if let Some(nested) = &mut self.nested {
            nested.read(self.text.get(self.read..start).unwrap_or_default());
            let mut after = *nested;
            let quotes = quotes.unwrap_or_else(|| after.read(self.text.get(start..span.end).unwrap_or_default()));
            with = nested.place(text, quotes)?;
            self.read = span.end;
        }
        self.masked = span.end;
        Some(Some(Edit { leaf: self.leaf, span: start..span.end, with: if goes_on { String::new() } else { with } }))
    }
}

/// Follows JSON that is itself a text, far enough to know whether a place is inside a string.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Nested {
    is_json: Option<bool>,
    inside: bool,
    escaped: bool,
}

impl Nested {
    /// Reads on; whether there was a quote that opens or closes a string.
    pub(crate) fn read(&mut self, text: &str) -> bool {
        let mut quotes = false;
        let mut bytes = text.as_bytes();
        if self.is_json.is_none()
            && let Some(first) = bytes.iter().position(|b| !b.is_ascii_whitespace())
        {
            self.is_json = bytes.get(first).map(|b| matches!(b, b'{' | b'['));
        }
        if self.is_json != Some(true) {
            return false;
        }
        if self.escaped && !bytes.is_empty() {
            self.escaped = false;
            bytes = bytes.get(1..).unwrap_or_default();
        }
        while let Some(at) = memchr::memchr2(b'"', b'\\', bytes) {
            if bytes.get(at) == Some(&b'"') {
                self.inside = !self.inside;
                quotes = true;
                bytes = bytes.get(at + 1..).unwrap_or_default();
            } else if self.inside {
                self.escaped = at + 1 == bytes.len();
                bytes = bytes.get(at + 2..).unwrap_or_default();
            } else {
                bytes = bytes.get(at + 1..).unwrap_or_default();
            }
        }
        quotes
    }

    /// What to put here for a value: where the text around it is JSON, the value is a string of it.
    pub(crate) fn value(&self, value: &str) -> String {
        if self.is_json != Some(true) {
            return value.to_owned();
        }
        let mut escaped = BytesMut::new();
        escape_json(value, &mut escaped);
        let escaped = String::from_utf8_lossy(&escaped);
        if self.inside { escaped.into_owned() } else { format!("\"{escaped}\"") }
    }

    /// What to put here for `text`; none when what it replaces has `quotes` of the JSON around it, which would be lost.
    pub(crate) fn place(&self, text: &str, quotes: bool) -> Option<String> {
        match self.is_json {
            Some(true) if quotes => None,
            Some(true) if !self.inside => Some(format!("\"{text}\"")),
            _ => Some(text.to_owned()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mask_knows_where_it_stands() {
        for (before, want) in [
            ("{\"a\": \"x ", Some("[masked:secret]")),
            ("{\"a\": \"x \\\" ", Some("[masked:secret]")),
            ("{\"a\": ", Some("\"[masked:secret]\"")),
            ("{\"a\": \"x\\\\\", \"b\": ", Some("\"[masked:secret]\"")),
            ("a word, \" ", Some("[masked:secret]")),
        ] {
            for cut in 0..before.len() {
                let mut nested = Nested::default();
                nested.read(&before[..cut]);
                nested.read(&before[cut..]);
                assert_eq!(nested.place(label(Kind::Secret), false).as_deref(), want, "{before} {cut}");
            }
        }
        let mut nested = Nested::default();
        nested.read("{\"a\": \"");
        assert_eq!(nested.place(label(Kind::Secret), true), None);
    }
}
