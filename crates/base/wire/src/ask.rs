//! Requests: what is asked for, and every string of it.

use std::sync::Arc;

use bytes::Bytes;
use countersign_core::{Call, Document, Format};

use crate::{
    Limits, WireError,
    json::{Doc, Kind, Value},
    walk::Walk,
};

/// A request that has been read.
#[derive(Clone, Debug)]
pub struct Ask {
    /// What is asked for.
    pub call: Call,
    /// The body and its leaves.
    pub document: Document,
    /// Whether the probabilities of tokens are asked for. They repeat the answer's text token by token and byte by byte, which
    /// an edit of the text does not reach.
    pub logprobs: bool,
}

impl Ask {
    /// Reads the body of a request.
    ///
    /// # Errors
    /// When the body is too large or too involved, is not strict JSON, or lacks what the format needs.
    pub fn read(format: Format, body: Bytes, limits: &Limits) -> Result<Self, WireError> {
        if body.len() > limits.body {
            return Err(WireError::TooLarge { what: "body", limit: limits.body });
        }
        let doc = Doc::read(&body, limits)?;
        let root = doc.root();
        let call = call(format, root)?;
        let walk = Walk::ask(format, root)?;
        let (slots, attachments, logprobs) = (walk.slots, walk.attachments, asks_logprobs(root));
        let document = crate::document(body, slots)?;
        Ok(Self { call: Call { attachments, ..call }, document, logprobs })
    }
}

fn call(format: Format, root: Value<'_>) -> Result<Call, WireError> {
    if root.kind() != Kind::Object {
        return bad("$", "is not an object");
    }
    let model = match root.get("model").and_then(Value::as_str) {
        Some(model) if !model.is_empty() => Arc::from(&*model),
        _ => return bad("model", "is missing or is not a string"),
    };
    let stream = match root.get("stream").map(Value::kind) {
        Some(Kind::True) => true,
        None | Some(Kind::False | Kind::Null) => false,
        Some(_) => return bad("stream", "is neither true nor false"),
    };
    let mut max_tokens = None;
    for name in ["max_tokens", "max_completion_tokens", "max_output_tokens"] {
        match root.get(name) {
            None => {}
            Some(n) if n.kind() == Kind::Null => {}
            Some(n) => match n.as_u64() {
                Some(n) => max_tokens = max_tokens.max(Some(n)),
                None => return bad(name, "is not a whole number"),
            },
        }
    }
    shape(format, root)?;
    let tools = tools(root)?;
    Ok(Call { format, model, stream: stream && format.streams(), max_tokens, tools, attachments: 0 })
}

/// Whether the members that carry the text are of the kind that the format says.
fn shape(format: Format, root: Value<'_>) -> Result<(), WireError> {
    match format {
        Format::Chat | Format::Messages | Format::CountTokens => {
            let Some(messages) = root.get("messages").filter(|m| m.kind() == Kind::Array) else {
                return bad("messages", "is missing or is not an array");
            };
            for (i, message) in messages.items().enumerate() {
                self::message(i, message)?;
            }
            text_or(root, "system", Kind::Array)
        }
        Format::Responses => {
            text_or(root, "instructions", Kind::String)?;
            text_or(root, "input", Kind::Array)
        }
        Format::Embeddings if root.get("input").is_none() => bad("input", "is missing"),
        Format::Embeddings => text_or(root, "input", Kind::Array),
        Format::Completions => text_or(root, "prompt", Kind::Array),
        Format::Models => bad("$", "is not taken by this endpoint"),
    }
}

fn message(i: usize, message: Value<'_>) -> Result<(), WireError> {
    if message.kind() != Kind::Object {
        return bad(format!("messages[{i}]"), "is not an object");
    }
    if message.get("role").is_none_or(|role| role.kind() != Kind::String) {
        return bad(format!("messages[{i}].role"), "is missing or is not a string");
    }
    match message.get("content").map(Value::kind) {
        None | Some(Kind::Null | Kind::String | Kind::Array) => Ok(()),
        // One part without its array, which some servers take.
        Some(Kind::Object) => Ok(()),
        Some(_) => bad(format!("messages[{i}].content"), "is neither text nor an array of parts"),
    }
}

fn text_or(root: Value<'_>, name: &'static str, other: Kind) -> Result<(), WireError> {
    match root.get(name).map(Value::kind) {
        None | Some(Kind::Null | Kind::String) => Ok(()),
        Some(kind) if kind == other => Ok(()),
        Some(_) => bad(name, "is of the wrong type"),
    }
}

/// Names of the tools offered; the type of those that have no name, which the provider runs itself.
fn tools(root: Value<'_>) -> Result<Vec<Arc<str>>, WireError> {
    let mut names = Vec::new();
    for member in ["tools", "functions", "mcp_servers"] {
        let Some(list) = root.get(member).filter(|list| list.kind() != Kind::Null) else { continue };
        if list.kind() != Kind::Array {
            return bad(member, "is not an array");
        }
        for (i, tool) in list.items().enumerate() {
            let inner = tool.get("function").or_else(|| tool.get("custom")).unwrap_or(tool);
            let name = inner.get("name").or_else(|| tool.get("type")).and_then(Value::as_str);
            let Some(name) = name else { return bad(format!("{member}[{i}]"), "has neither name nor type") };
            names.push(Arc::from(&*name));
        }
    }
    Ok(names)
}

fn asks_logprobs(root: Value<'_>) -> bool {
    let wanted = |name| match root.get(name).map(|v| (v.kind(), v.raw())) {
        None | Some((Kind::Null | Kind::False, _)) => false,
        // `top_logprobs: 0` asks for none beyond what `logprobs` asks for.
        Some((Kind::Number, "0")) => name == "logprobs",
        Some(_) => true,
    };
    let included = || {
        let list = root.get("include").into_iter().flat_map(Value::items);
        list.filter_map(Value::as_str).any(|name| name.contains("logprobs"))
    };
    wanted("logprobs") || wanted("top_logprobs") || wanted("prompt_logprobs") || included()
}

fn bad<T>(path: impl Into<String>, what: &'static str) -> Result<T, WireError> {
    Err(WireError::Field { path: path.into(), what })
}

#[cfg(test)]
mod tests;
