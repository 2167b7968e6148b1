//! Requests: what is asked for, and every string of it.

mod logprobs;
mod notice;

use std::sync::Arc;

use bytes::Bytes;
use countersign_core::{Call, Document, Format, spotlight::Room};

use crate::{
    Limits, WireError,
    json::{Doc, Kind, Value},
    walk::Walk,
    words::{Word, word},
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
    /// How many answers are asked for: to each prompt, where there are several.
    pub answers: u64,
    /// Where text that nobody vouches for can be marked.
    pub room: Room,
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
        let top = Top::of(root)?;
        let call = call(format, &top)?;
        let walk = Walk::ask(format, root)?;
        let (slots, attachments, logprobs, answers) = (walk.slots, walk.attachments, top.logprobs, answers(&top)?);
        let notice = if walk.texts.is_empty() { None } else { notice::of(format, root, &top) };
        let room = Room { texts: walk.texts, notice };
        let document = crate::document(body, slots)?;
        Ok(Self { call: Call { attachments, ..call }, document, logprobs, answers, room })
    }
}

/// The members of a request that decide something, found in one look.
#[derive(Default)]
struct Top<'d> {
    model: Option<Value<'d>>,
    stream: Option<Value<'d>>,
    messages: Option<Value<'d>>,
    system: Option<Value<'d>>,
    instructions: Option<Value<'d>>,
    input: Option<Value<'d>>,
    prompt: Option<Value<'d>>,
    /// Under each of the names it may have.
    max_tokens: [Option<(&'static str, Value<'d>)>; 3],
    tools: [Option<(&'static str, Value<'d>)>; 3],
    answers: [Option<(&'static str, Value<'d>)>; 2],
    logprobs: bool,
}

impl<'d> Top<'d> {
    fn of(root: Value<'d>) -> Result<Self, WireError> {
        if root.kind() != Kind::Object {
            return bad("$", "is not an object");
        }
        let mut top = Self::default();
        for (name, value) in root.members() {
            let Some(name) = name.as_str().and_then(|name| word(&name)) else { continue };
            match name {
                Word::Model => top.model = Some(value),
                Word::Stream => top.stream = Some(value),
                Word::Messages => top.messages = Some(value),
                Word::System => top.system = Some(value),
                Word::Instructions => top.instructions = Some(value),
                Word::Input => top.input = Some(value),
                Word::Prompt => top.prompt = Some(value),
                Word::MaxTokens => top.max_tokens[0] = Some(("max_tokens", value)),
                Word::MaxCompletionTokens => top.max_tokens[1] = Some(("max_completion_tokens", value)),
                Word::MaxOutputTokens => top.max_tokens[2] = Some(("max_output_tokens", value)),
                Word::Tools => top.tools[0] = Some(("tools", value)),
                Word::Functions => top.tools[1] = Some(("functions", value)),
                Word::McpServers => top.tools[2] = Some(("mcp_servers", value)),
                Word::N => top.answers[0] = Some(("n", value)),
                Word::BestOf => top.answers[1] = Some(("best_of", value)),
                Word::Logprobs | Word::TopLogprobs | Word::PromptLogprobs | Word::Include => {
                    top.logprobs |= logprobs::asks(name, value);
                }
                _ => {}
            }
        }
        Ok(top)
    }
}

fn call(format: Format, top: &Top<'_>) -> Result<Call, WireError> {
    let model = match top.model.and_then(Value::as_str) {
        Some(model) if !model.is_empty() => Arc::from(&*model),
        _ => return bad("model", "is missing or is not a string"),
    };
    let stream = match top.stream.map(Value::kind) {
        Some(Kind::True) => true,
        None | Some(Kind::False | Kind::Null) => false,
        Some(_) => return bad("stream", "is neither true nor false"),
    };
    let mut max_tokens = None;
    for (name, n) in top.max_tokens.iter().flatten().filter(|(_, n)| n.kind() != Kind::Null) {
        match n.as_u64() {
            Some(n) => max_tokens = max_tokens.max(Some(n)),
            None => return bad(*name, "is not a whole number"),
        }
    }
    shape(format, top)?;
    let tools = tools(top)?;
    Ok(Call { format, model, stream: stream && format.streams(), max_tokens, tools, attachments: 0 })
}

/// Whether the members that carry the text are of the kind that the format says.
fn shape(format: Format, top: &Top<'_>) -> Result<(), WireError> {
    match format {
        Format::Chat | Format::Messages | Format::CountTokens => {
            let Some(messages) = top.messages.filter(|m| m.kind() == Kind::Array) else {
                return bad("messages", "is missing or is not an array");
            };
            for (i, message) in messages.items().enumerate() {
                self::message(i, message)?;
            }
            text_or("system", top.system, Kind::Array)
        }
        Format::Responses => {
            text_or("instructions", top.instructions, Kind::String)?;
            text_or("input", top.input, Kind::Array)
        }
        Format::Embeddings if top.input.is_none() => bad("input", "is missing"),
        Format::Embeddings => text_or("input", top.input, Kind::Array),
        Format::Completions => text_or("prompt", top.prompt, Kind::Array),
        Format::Models => bad("$", "is not taken by this endpoint"),
    }
}

pub(crate) fn message(i: usize, message: Value<'_>) -> Result<(), WireError> {
    if message.kind() != Kind::Object {
        return bad(format!("messages[{i}]"), "is not an object");
    }
    if message.get("role").is_none_or(|role| role.kind() != Kind::String) {
        return bad(format!("messages[{i}].role"), "is missing or is not a string");
    }
    match message.get("content").map(Value::kind) {
        // An object is one part without its array, which some servers take.
        None | Some(Kind::Null | Kind::String | Kind::Array | Kind::Object) => Ok(()),
        Some(_) => bad(format!("messages[{i}].content"), "is neither text nor an array of parts"),
    }
}

fn text_or(name: &'static str, value: Option<Value<'_>>, other: Kind) -> Result<(), WireError> {
    match value.map(Value::kind) {
        None | Some(Kind::Null | Kind::String) => Ok(()),
        Some(kind) if kind == other => Ok(()),
        Some(_) => bad(name, "is of the wrong type"),
    }
}

/// Names of the tools offered; the type of those that have no name, which the provider runs itself.
fn tools(top: &Top<'_>) -> Result<Vec<Arc<str>>, WireError> {
    let mut names = Vec::new();
    for (member, list) in top.tools.iter().flatten().filter(|(_, list)| list.kind() != Kind::Null) {
        if list.kind() != Kind::Array {
            return bad(*member, "is not an array");
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

/// How many answers a provider would have to write: as many as are asked for to each prompt.
fn answers(top: &Top<'_>) -> Result<u64, WireError> {
    let mut each = 1;
    for (name, n) in top.answers.iter().flatten().filter(|(_, n)| n.kind() != Kind::Null) {
        match n.as_u64() {
            Some(n) => each = n.max(each),
            None => return bad(*name, "is not a whole number"),
        }
    }
    // A list of numbers is one prompt, already made into tokens.
    let prompts = top
        .prompt
        .filter(|p| p.kind() == Kind::Array)
        .map_or(1, |prompts| prompts.items().filter(|prompt| prompt.kind() != Kind::Number).count().max(1));
    Ok(each.saturating_mul(prompts as u64))
}

fn bad<T>(path: impl Into<String>, what: &'static str) -> Result<T, WireError> {
    Err(WireError::Field { path: path.into(), what })
}

#[cfg(test)]
mod tests;
