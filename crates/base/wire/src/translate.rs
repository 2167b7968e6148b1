//! Carries a conversation from one provider's API to another's, so that a caller who speaks OpenAI can be answered by Anthropic and the reverse.
//!
//! Every format is read into one set of plain types ([`pivot`]) and written from it: one reader and one writer for each format
//! instead of one translation for each pair. What has no place in the target is dropped where it is a preference and refused
//! where leaving it out would change what was asked for; `docs/reference/translation.md` lists both.
//!
//! Invariant: nothing is added to what was said but the structure the target needs. The one exception is JSON mode towards
//! Anthropic, which has no such switch: one fixed sentence joins the system prompt.

mod chat;
mod completions;
mod messages;
mod pivot;
mod responses;
mod stream;

use bytes::Bytes;
use countersign_core::{Code, Format};
use serde_json::Value;

pub use stream::Stream;

/// The family of API a provider speaks.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Dialect {
    /// OpenAI's, or a server compatible with it.
    OpenAi,
    /// Anthropic's.
    Anthropic,
}

/// The format in which to ask a provider for a caller who asked in `from_caller`; `None` when it cannot be done.
///
/// The same format where the provider has it. [`Format::Models`] is never asked of a provider: the gateway answers it.
#[must_use]
pub const fn can(from_caller: Format, provider_speaks: Dialect) -> Option<Format> {
    match (from_caller, provider_speaks) {
        (Format::Models, _)
        | (Format::Embeddings, Dialect::Anthropic)
        // OpenAI has no way to count without answering.
        | (Format::CountTokens, Dialect::OpenAi) => None,
        (Format::Messages, Dialect::OpenAi) => Some(Format::Chat),
        (Format::Chat | Format::Responses | Format::Completions, Dialect::Anthropic) => Some(Format::Messages),
        (same, _) => Some(same),
    }
}

/// Translates a request's body. The same format comes back as it was.
///
/// # Errors
/// The caller's fault when the body is not what `from` promises or asks for something `to` cannot do; the gateway's when
/// there is no way from `from` to `to` (see [`can`]).
pub fn ask(from: Format, to: Format, body: &[u8]) -> Result<Bytes, TranslateError> {
    if from == to {
        return Ok(Bytes::copy_from_slice(body));
    }
    way(from, to)?;
    let body = parse(body).ok_or(TranslateError::caller("the request is not JSON"))?;
    let asked = match from {
        Format::Messages => messages::read_ask(&body)?,
        Format::Responses => responses::read_ask(&body)?,
        Format::Completions => completions::read_ask(&body)?,
        _ => chat::read_ask(&body)?,
    };
    let body = if to == Format::Messages { messages::write_ask(asked) } else { chat::write_ask(asked) };
    Ok(body.to_string().into())
}

/// Translates a whole answer from the provider's format to the caller's, errors included. The same format comes back as it was.
///
/// # Errors
/// The provider's fault when the body is not what `from` promises; the gateway's when there is no way from `to` to `from`.
pub fn answer(from: Format, to: Format, body: &[u8]) -> Result<Bytes, TranslateError> {
    if from == to {
        return Ok(Bytes::copy_from_slice(body));
    }
    way(to, from)?;
    let body = parse(body).ok_or(TranslateError::provider("the answer is not JSON"))?;
    let said = if from == Format::Messages { messages::read_answer(&body)? } else { chat::read_answer(&body)? };
    let body = match to {
        Format::Messages => messages::write_answer(said),
        Format::Responses => responses::write_answer(said),
        Format::Completions => completions::write_answer(said),
        _ => chat::write_answer(said),
    };
    Ok(body.to_string().into())
}

/// A body or an event cannot be translated. The text is fixed: it never holds anything from the body.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("{what}")]
pub struct TranslateError {
    what: &'static str,
    code: Code,
}

impl TranslateError {
    /// The code a caller gets: malformed when it was theirs to get right, a provider's malformed answer otherwise.
    #[must_use]
    pub const fn code(&self) -> Code {
        self.code
    }

    const fn caller(what: &'static str) -> Self {
        Self { what, code: Code::Malformed }
    }

    const fn provider(what: &'static str) -> Self {
        Self { what, code: Code::ProviderMalformed }
    }
}

/// Whether a caller's format can be carried to a provider's other format.
fn way(caller: Format, provider: Format) -> Result<(), TranslateError> {
    match (caller, provider) {
        (Format::Chat | Format::Responses | Format::Completions, Format::Messages)
        | (Format::Messages, Format::Chat) => Ok(()),
        _ => Err(TranslateError { what: "there is no translation between these formats", code: Code::Internal }),
    }
}

/// Parses JSON that must be an object; deeper than serde_json's 128 levels is not.
fn parse(body: &[u8]) -> Option<Value> {
    serde_json::from_slice(body).ok().filter(Value::is_object)
}

#[cfg(test)]
mod tests;
