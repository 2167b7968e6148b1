//! Streams as providers write them, and what a caller makes of them.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use countersign_core::Format;
use countersign_wire::{Limits, stream::Events};
use serde_json::{Value, json};

use crate::dice::Dice;

/// Two texts of one answer: what is said, and what is passed to a tool.
#[derive(Clone, Copy)]
pub(crate) struct Words<'a> {
    pub(crate) text: &'a str,
    pub(crate) arguments: &'a str,
}

impl Words<'_> {
    /// The events of a stream that says this, its texts cut as the dice fall; uncut without dice.
    pub(crate) fn events(self, format: Format, dice: Option<&mut Dice>) -> Vec<String> {
        let mut own = Dice::new(0);
        let cut = dice.is_some();
        let dice = dice.unwrap_or(&mut own);
        let text = if cut { pieces(self.text, dice) } else { vec![self.text] };
        let arguments = if cut { pieces(self.arguments, dice) } else { vec![self.arguments] };
        match format {
            Format::Messages => messages(&text, &arguments),
            Format::Responses => responses(self, &text, &arguments),
            _ => chat(&text, &arguments, dice),
        }
    }
}

/// A text in random pieces, cut between characters; now and then an empty one.
fn pieces<'a>(text: &'a str, dice: &mut Dice) -> Vec<&'a str> {
    let most = [1, 4, 4, 4, 10, 10, 10, 10, 30, 30, 30, 30][dice.below(12)];
    let (mut out, mut at) = (Vec::new(), 0);
    while at < text.len() {
        let mut end = (at + dice.below(most + 1)).min(text.len());
        while !text.is_char_boundary(end) {
            end += 1;
        }
        out.push(&text[at..end]);
        at = end;
    }
    out
}

fn chat(text: &[&str], arguments: &[&str], dice: &mut Dice) -> Vec<String> {
    let event = |delta: Value, end: Value| {
        let choices = json!([{"index": 0, "delta": delta, "finish_reason": end}]);
        let event =
            json!({"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "m", "choices": choices});
        format!("data: {event}\n\n")
    };
    let mut out = vec![event(json!({"role": "assistant", "content": ""}), Value::Null)];
    let (mut text, mut arguments) = (text.iter().peekable(), arguments.iter().peekable());
    let mut first = true;
    while text.peek().is_some() || arguments.peek().is_some() {
        // The two texts take turns.
        if let Some(piece) = text.next_if(|_| arguments.peek().is_none() || dice.below(2) == 0) {
            out.push(event(json!({"content": piece}), Value::Null));
        } else if let Some(piece) = arguments.next() {
            let call = if std::mem::take(&mut first) {
                json!({"index": 0, "id": "t", "type": "function", "function": {"name": "f", "arguments": piece}})
            } else {
                json!({"index": 0, "function": {"arguments": piece}})
            };
            out.push(event(json!({"tool_calls": [call]}), Value::Null));
        }
    }
    out.push(event(json!({}), "tool_calls".into()));
    out.push("data: [DONE]\n\n".into());
    out
}

fn named(kind: &str, mut event: Value) -> String {
    event["type"] = kind.into();
    format!("event: {kind}\ndata: {event}\n\n")
}

fn messages(text: &[&str], arguments: &[&str]) -> Vec<String> {
    let usage = json!({"input_tokens": 1, "output_tokens": 1});
    let message = json!({"id": "m", "type": "message", "role": "assistant", "model": "m", "content": [], "stop_reason": null, "stop_sequence": null, "usage": usage});
    let mut out = vec![named("message_start", json!({"message": message}))];
    let blocks = [
        (json!({"type": "text", "text": ""}), "text_delta", "text", text),
        (
            json!({"type": "tool_use", "id": "t", "name": "f", "input": {}}),
            "input_json_delta",
            "partial_json",
            arguments,
        ),
    ];
    for (index, (block, kind, field, pieces)) in blocks.into_iter().enumerate() {
        out.push(named("content_block_start", json!({"index": index, "content_block": block})));
        for piece in pieces {
            let mut delta = json!({"type": kind});
            delta[field] = (*piece).into();
            out.push(named("content_block_delta", json!({"index": index, "delta": delta})));
        }
        out.push(named("content_block_stop", json!({"index": index})));
    }
    let delta = json!({"stop_reason": "tool_use", "stop_sequence": null});
    out.push(named("message_delta", json!({"delta": delta, "usage": {"output_tokens": 9}})));
    out.push(named("message_stop", json!({})));
    out
}

fn responses(words: Words<'_>, text: &[&str], arguments: &[&str]) -> Vec<String> {
    let response = |status: &str, output: Value| json!({"response": {"id": "r", "object": "response", "created_at": 1, "status": status, "model": "m", "output": output}});
    let mut out = vec![named("response.created", response("in_progress", json!([])))];
    for piece in text {
        let delta = json!({"item_id": "o", "output_index": 0, "content_index": 0, "delta": piece});
        out.push(named("response.output_text.delta", delta));
    }
    let done = json!({"item_id": "o", "output_index": 0, "content_index": 0, "text": words.text});
    out.push(named("response.output_text.done", done));
    for piece in arguments {
        let delta = json!({"item_id": "f", "output_index": 1, "delta": piece});
        out.push(named("response.function_call_arguments.delta", delta));
    }
    let done = json!({"item_id": "f", "output_index": 1, "arguments": words.arguments});
    out.push(named("response.function_call_arguments.done", done));
    let output = json!([
        {"type": "message", "id": "o", "role": "assistant", "status": "completed", "content": [{"type": "output_text", "text": words.text, "annotations": []}]},
        {"type": "function_call", "id": "f", "call_id": "t", "name": "f", "arguments": words.arguments, "status": "completed"}
    ]);
    out.push(named("response.completed", response("completed", output)));
    out
}

/// Bytes as the body of a response in chunks, cut as the dice fall.
pub(crate) fn response(stream: &[u8], dice: &mut Dice) -> Vec<u8> {
    let mut out = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\nconnection: close\r\n\r\n".to_vec();
    for chunk in cut(stream, dice) {
        out.extend_from_slice(format!("{:x}\r\n", chunk.len()).as_bytes());
        out.extend_from_slice(chunk);
        out.extend_from_slice(b"\r\n");
    }
    out.extend_from_slice(b"0\r\n\r\n");
    out
}

/// Bytes in random pieces, none empty: sometimes one by one, sometimes nearly whole.
pub(crate) fn cut<'a>(mut bytes: &'a [u8], dice: &mut Dice) -> Vec<&'a [u8]> {
    let most = if dice.below(20) == 0 { 2 } else { [20, 200, 200, 2_000, 20_000][dice.below(5)] };
    let mut out = Vec::new();
    while !bytes.is_empty() {
        let (piece, rest) = bytes.split_at((1 + dice.below(most)).min(bytes.len()));
        out.push(piece);
        bytes = rest;
    }
    out
}

/// What a caller who puts a stream together has in the end.
#[derive(Debug, Default, Eq, PartialEq)]
pub(crate) struct Heard {
    /// Texts that grew, by their number.
    pub(crate) grown: BTreeMap<u32, String>,
    /// Everything else that was said.
    pub(crate) standing: BTreeSet<String>,
}

impl Heard {
    pub(crate) fn of(format: Format, said: &[u8]) -> Self {
        let mut events = Events::new(format, Limits::default());
        events.push(Bytes::copy_from_slice(said));
        let mut heard = Self::default();
        while let Some(event) = events.next_event().expect("what was released is a stream") {
            for leaf in event.document.leaves() {
                match leaf.grows {
                    Some(n) => heard.grown.entry(n).or_default().push_str(leaf.text),
                    None => _ = heard.standing.insert(leaf.text.to_owned()),
                }
            }
        }
        heard.grown.retain(|_, text| !text.is_empty());
        heard
    }

    pub(crate) fn says(&self, what: &str) -> bool {
        self.grown.values().chain(&self.standing).any(|text| text.contains(what))
    }
}
