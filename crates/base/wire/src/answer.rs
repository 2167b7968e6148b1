//! Whole answers: every string of them, and what they cost.

use bytes::Bytes;
use countersign_core::{Document, Format};

use crate::{
    Limits, WireError,
    json::{Doc, Kind, Value},
    walk::Walk,
};

/// An answer that has been read; also a provider's error, all of whose strings are leaves.
#[derive(Clone, Debug)]
pub struct Answer {
    /// The body and its leaves.
    pub document: Document,
    /// What the provider counted.
    pub usage: Option<Usage>,
    /// Whether it holds probabilities of tokens, which repeat the text where an edit does not reach.
    pub logprobs: bool,
}

/// Tokens a provider counted.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Usage {
    /// Tokens read, those from the provider's cache included.
    pub input: u64,
    /// Tokens written.
    pub output: u64,
}

impl Answer {
    /// Reads the body of an answer.
    ///
    /// # Errors
    /// When the body is too large or too involved, or is not one strict JSON object.
    pub fn read(format: Format, body: Bytes, limits: &Limits) -> Result<Self, WireError> {
        if body.len() > limits.body {
            return Err(WireError::TooLarge { what: "body", limit: limits.body });
        }
        let doc = Doc::read(&body, limits)?;
        let root = doc.root();
        if root.kind() != Kind::Object {
            return Err(WireError::Field { path: "$".into(), what: "is not an object" });
        }
        let walk = Walk::answer(format, root)?;
        let usage = root.get("usage").and_then(|counts| Usage::default().updated(counts));
        let (slots, logprobs) = (walk.slots, walk.logprobs);
        let document = crate::document(body, slots)?;
        Ok(Self { document, usage, logprobs })
    }
}

impl Usage {
    /// This, with what `counts` says; none when it says nothing.
    ///
    /// The numbers are `prompt_tokens` and `completion_tokens`, or `input_tokens` (beside which Anthropic counts what its cache gave
    /// and took) and `output_tokens`. A stream tells them in parts.
    pub(crate) fn updated(self, counts: Value<'_>) -> Option<Self> {
        let count = |name| counts.get(name).and_then(Value::as_u64);
        let cached = ["cache_creation_input_tokens", "cache_read_input_tokens"].into_iter().filter_map(count);
        let cached = cached.fold(0, u64::saturating_add);
        let input = count("prompt_tokens").or_else(|| count("input_tokens").map(|n| n.saturating_add(cached)));
        let output = count("completion_tokens").or_else(|| count("output_tokens"));
        (input.is_some() || output.is_some())
            .then(|| Self { input: input.unwrap_or(self.input), output: output.unwrap_or(self.output) })
    }
}

#[cfg(test)]
mod tests;
