//! Writes the events of Anthropic's Messages API.

use bytes::BytesMut;
use countersign_core::content::escape_json;
use serde_json::{Value, json};

use super::{
    super::{
        messages,
        pivot::{Piece, Stop, Usage},
    },
    named,
};

#[derive(Debug, Default)]
pub(super) struct Writer {
    open: Option<Kind>,
    /// Index of the open content block, or of the next one.
    index: u64,
    stop: Stop,
    usage: Usage,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Kind {
    Text,
    Thinking,
    Call,
}

impl Writer {
    pub(super) fn write(&mut self, piece: Piece<'_>, out: &mut BytesMut) {
        match piece {
            Piece::Start { id, model } => {
                let message = json!({
                    "id": id,
                    "type": "message",
                    "role": "assistant",
                    "model": model,
                    "content": [],
                    "stop_reason": null,
                    "stop_sequence": null,
                    // Known at the end only, and told there.
                    "usage": messages::write_usage(Usage::EMPTY),
                });
                named("message_start", &json!({ "type": "message_start", "message": message }), out);
            }
            Piece::Text(text) => {
                self.ensure(Kind::Text, || json!({ "type": "text", "text": "" }), out);
                self.grow("{\"type\":\"text_delta\",\"text\":\"", text, out);
            }
            Piece::Reasoning(text) => {
                self.ensure(Kind::Thinking, || json!({ "type": "thinking", "thinking": "", "signature": "" }), out);
                self.grow("{\"type\":\"thinking_delta\",\"thinking\":\"", text, out);
            }
            Piece::Call { id, name } => {
                self.close(out);
                self.ensure(Kind::Call, || json!({ "type": "tool_use", "id": id, "name": name, "input": {} }), out);
            }
            Piece::Arguments(more) => self.grow("{\"type\":\"input_json_delta\",\"partial_json\":\"", more, out),
            Piece::Usage(usage) => self.usage = usage,
            Piece::Stop(stop) => self.stop = stop,
            Piece::Failed(failure) => named("error", &messages::write_failure(&failure), out),
            Piece::End => {
                self.close(out);
                let delta = json!({
                    "type": "message_delta",
                    "delta": { "stop_reason": messages::stop_word(self.stop), "stop_sequence": null },
                    "usage": messages::write_usage(self.usage),
                });
                named("message_delta", &delta, out);
                named("message_stop", &json!({ "type": "message_stop" }), out);
            }
        }
    }

    /// Opens a block unless one of its kind is open.
    fn ensure(&mut self, kind: Kind, block: impl FnOnce() -> Value, out: &mut BytesMut) {
        if self.open == Some(kind) {
            return;
        }
        self.close(out);
        self.open = Some(kind);
        let start = json!({ "type": "content_block_start", "index": self.index, "content_block": block() });
        named("content_block_start", &start, out);
    }

    fn close(&mut self, out: &mut BytesMut) {
        if self.open.take().is_some() {
            named("content_block_stop", &json!({ "type": "content_block_stop", "index": self.index }), out);
            self.index += 1;
        }
    }

    /// A delta with one growing text; every such event of a block is the same but for the text.
    fn grow(&self, delta: &str, text: &str, out: &mut BytesMut) {
        out.extend_from_slice(b"event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":");
        out.extend_from_slice(itoa::Buffer::new().format(self.index).as_bytes());
        out.extend_from_slice(b",\"delta\":");
        out.extend_from_slice(delta.as_bytes());
        escape_json(text, out);
        out.extend_from_slice(b"\"}}\n\n");
    }
}
