//! Writes the chunks of OpenAI's chat completions, or of its older completions.

use bytes::BytesMut;
use countersign_core::content::escape_json;
use serde_json::{Value, json};

use super::super::{
    chat, completions,
    pivot::{Piece, Stop, Usage},
};

#[derive(Debug)]
pub(super) struct Writer {
    /// Whether completions are written, which know text only.
    plain: bool,
    /// What every chunk begins with, up to the inside of its delta.
    head: Vec<u8>,
    calls: u64,
    stop: Stop,
    usage: Usage,
}

impl Writer {
    pub(super) const fn new(plain: bool) -> Self {
        Self { plain, head: Vec::new(), calls: 0, stop: Stop::End, usage: Usage::EMPTY }
    }

    pub(super) fn write(&mut self, piece: Piece<'_>, out: &mut BytesMut) {
        match piece {
            Piece::Start { id, model } => self.start(id, model, out),
            Piece::Text(text) if self.plain => self.grow(b"\"text\":\"", text, b"\"", out),
            Piece::Text(text) => self.grow(b"\"content\":\"", text, b"\"", out),
            Piece::Reasoning(text) if !self.plain => self.grow(b"\"reasoning_content\":\"", text, b"\"", out),
            Piece::Call { id, name } if !self.plain => {
                let call = json!([{
                    "index": self.calls,
                    "id": id,
                    "type": "function",
                    "function": { "name": name, "arguments": "" },
                }]);
                self.calls += 1;
                self.chunk(|out| out.extend_from_slice(format!("\"tool_calls\":{call}").as_bytes()), out);
            }
            Piece::Arguments(more) if !self.plain => {
                let index = self.calls.saturating_sub(1);
                let before = format!("\"tool_calls\":[{{\"index\":{index},\"function\":{{\"arguments\":\"");
                self.grow(before.as_bytes(), more, b"\"}}]", out);
            }
            Piece::Reasoning(_) | Piece::Call { .. } | Piece::Arguments(_) => {}
            Piece::Usage(usage) => self.usage = usage,
            Piece::Stop(stop) => self.stop = stop,
            Piece::Failed(failure) => {
                out.extend_from_slice(format!("data: {}\n\n", chat::write_failure(&failure)).as_bytes());
            }
            Piece::End => self.end(out),
        }
    }

    fn start(&mut self, id: &str, model: &str, out: &mut BytesMut) {
        let object = if self.plain { "text_completion" } else { "chat.completion.chunk" };
        // The Messages API does not say when.
        let begin = json!({ "id": id, "object": object, "created": 0, "model": model }).to_string();
        let begin = begin.strip_suffix('}').unwrap_or(&begin);
        let delta = if self.plain { "" } else { "\"delta\":{" };
        self.head = format!("data: {begin},\"choices\":[{{\"index\":0,{delta}").into_bytes();
        if !self.plain {
            self.chunk(|out| out.extend_from_slice(b"\"role\":\"assistant\",\"content\":\"\""), out);
        }
    }

    /// A chunk with one growing text; every such chunk is the same but for the text.
    fn grow(&self, before: &[u8], text: &str, after: &[u8], out: &mut BytesMut) {
        self.chunk(
            |out| {
                out.extend_from_slice(before);
                escape_json(text, out);
                out.extend_from_slice(after);
            },
            out,
        );
    }

    fn chunk(&self, delta: impl FnOnce(&mut BytesMut), out: &mut BytesMut) {
        out.extend_from_slice(&self.head);
        delta(out);
        out.extend_from_slice(if self.plain {
            b",\"logprobs\":null,\"finish_reason\":null}]}\n\n"
        } else {
            b"},\"logprobs\":null,\"finish_reason\":null}]}\n\n"
        });
    }

    /// The usage goes into the chunk that says why the answer ended: clients that did not ask for it would stumble over a chunk
    /// without choices, and those that did take it wherever it stands.
    fn end(&self, out: &mut BytesMut) {
        let (last, word) = if self.plain {
            ("\"text\":\"\"", completions::stop_word(self.stop))
        } else {
            ("}", chat::stop_word(self.stop))
        };
        let usage: Value = chat::write_usage(self.usage);
        out.extend_from_slice(&self.head);
        let tail = format!("{last},\"logprobs\":null,\"finish_reason\":\"{word}\"}}],\"usage\":{usage}}}\n\n");
        out.extend_from_slice(tail.as_bytes());
        out.extend_from_slice(b"data: [DONE]\n\n");
    }
}
