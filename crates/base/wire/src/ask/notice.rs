//! Where a request has room for a word of the gateway's own to the model: at the end of the operator's words, or in front of
//! everything where there are none. Templates of many models take one system message and no more, and providers remember the
//! beginning of a prompt that stays the same.

use countersign_core::{Format, spotlight::Gap};

use super::Top;
use crate::json::{Kind, Value};

/// The place; none in formats without a voice for operators.
pub(super) fn of(format: Format, root: Value<'_>, top: &Top<'_>) -> Option<Gap> {
    match format {
        Format::Chat => {
            let messages = top.messages?;
            let first = messages.items().next();
            let operator = first.filter(|m| m.get("role").is_some_and(|r| r.is("system") || r.is("developer")));
            let content = operator.and_then(|message| message.get("content")).and_then(after);
            Some(content.unwrap_or_else(|| inside(messages, r#"{"role":"system","content":""#, r#""},"#)))
        }
        Format::Messages | Format::CountTokens => match top.system {
            None => Some(inside(root, r#""system":""#, "\",")),
            Some(null) if null.kind() == Kind::Null => Some(Gap { at: null.span(), before: "\"", after: "\"" }),
            Some(system) => after(system),
        },
        // Not among the instructions: an answer repeats those.
        Format::Responses => Some(inside(top.input?, r#"{"role":"system","content":""#, r#""},"#)),
        Format::Completions | Format::Embeddings | Format::Models => None,
    }
}

/// At the end of a text, or of a list of parts.
fn after(content: Value<'_>) -> Option<Gap> {
    let end = content.span().end;
    match content.kind() {
        Kind::String => Some(Gap { at: end..end, before: "\\n\\n", after: "" }),
        Kind::Array => {
            let empty = content.items().next().is_none();
            let before = if empty { r#"{"type":"text","text":""# } else { r#",{"type":"text","text":""# };
            Some(Gap { at: end - 1..end - 1, before, after: r#""}"# })
        }
        _ => None,
    }
}

/// At the beginning of a list or an object that is not empty.
fn inside(list: Value<'_>, before: &'static str, after: &'static str) -> Gap {
    let start = list.span().start + 1;
    Gap { at: start..start, before, after }
}

#[cfg(test)]
mod tests;
