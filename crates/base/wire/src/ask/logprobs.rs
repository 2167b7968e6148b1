//! Requests for the probabilities of tokens: seen, and taken out.

use std::ops::Range;

use bytes::Bytes;
use countersign_core::Format;

use super::Ask;
use crate::{
    Limits, WireError,
    json::{Doc, Kind, Value},
    words::{Word, word},
};

impl Ask {
    /// The same request, asking for no probabilities: what asked for them is `null`, and is gone from `include`.
    ///
    /// # Errors
    /// As [`Ask::read`].
    pub fn without_logprobs(&self, format: Format, limits: &Limits) -> Result<Self, WireError> {
        let body = self.document.bytes();
        let doc = Doc::read(body, limits)?;
        let mut kept = Vec::with_capacity(body.len());
        let mut from = 0;
        for (name, value) in doc.root().members() {
            let asking = name.as_str().and_then(|name| word(&name)).filter(|name| asks(*name, value));
            let Some(name) = asking else { continue };
            let whole = quoted(value);
            kept.extend_from_slice(body.get(from..whole.start).unwrap_or_default());
            match name {
                Word::Include => kept.extend_from_slice(&others(value, body)),
                _ => kept.extend_from_slice(b"null"),
            }
            from = whole.end;
        }
        kept.extend_from_slice(body.get(from..).unwrap_or_default());
        Self::read(format, Bytes::from(kept), limits)
    }
}

/// Whether this member of a request asks for probabilities.
pub(super) fn asks(name: Word, value: Value<'_>) -> bool {
    match (name, value.kind()) {
        (Word::Logprobs | Word::TopLogprobs | Word::PromptLogprobs, Kind::Null | Kind::False) => false,
        // `top_logprobs: 0` asks for none beyond what `logprobs` asks for.
        (Word::TopLogprobs | Word::PromptLogprobs, Kind::Number) => value.raw() != "0",
        (Word::Logprobs | Word::TopLogprobs | Word::PromptLogprobs, _) => true,
        (Word::Include, Kind::Array) => value.items().any(names),
        _ => false,
    }
}

/// Whether an item of `include` names probabilities.
fn names(item: Value<'_>) -> bool {
    item.as_str().is_some_and(|name| name.contains("logprobs"))
}

/// An `include` without the items that name probabilities.
fn others(include: Value<'_>, body: &[u8]) -> Vec<u8> {
    let kept = include.items().filter(|item| !names(*item)).filter_map(|item| body.get(quoted(item)));
    [b"[", &*kept.collect::<Vec<_>>().join(&b','), b"]"].concat()
}

/// The bytes of a value with the quotes around it, where it has any.
fn quoted(value: Value<'_>) -> Range<usize> {
    let span = value.span();
    if value.kind() == Kind::String { span.start.saturating_sub(1)..span.end.saturating_add(1) } else { span }
}
