//! Writes the events of OpenAI's Responses API.

use bytes::BytesMut;
use serde_json::{Value, json};

use super::{
    super::{
        pivot::{Failure, Piece, Stop, Usage},
        responses::{Ended, call_item, item_id, message_item, reasoning_item, reasoning_part, response, text_part},
    },
    named,
};

#[derive(Debug, Default)]
pub(super) struct Writer {
    id: String,
    model: String,
    /// Number of the next event.
    sequence: u64,
    /// Items that are finished.
    output: Vec<Value>,
    open: Option<Open>,
    stop: Stop,
    usage: Usage,
}

/// The item that is being written, and its text so far: the events that end an item repeat it.
#[derive(Debug)]
struct Open {
    kind: Kind,
    text: String,
}

#[derive(Debug)]
enum Kind {
    Text,
    Reasoning,
    Call { id: String, name: String },
}

impl Writer {
    pub(super) fn write(&mut self, piece: Piece<'_>, out: &mut BytesMut) {
        match piece {
            Piece::Start { id, model } => {
                id.clone_into(&mut self.id);
                model.clone_into(&mut self.model);
                for name in ["response.created", "response.in_progress"] {
                    let response = response(&self.id, &self.model, Vec::new(), Ended::NotYet);
                    self.event(name, json!({ "response": response }), out);
                }
            }
            Piece::Text(text) => {
                if !matches!(self.open, Some(Open { kind: Kind::Text, .. })) {
                    self.begin(Kind::Text, out);
                }
                self.grow("response.output_text.delta", text, out);
            }
            Piece::Reasoning(text) => {
                if !matches!(self.open, Some(Open { kind: Kind::Reasoning, .. })) {
                    self.begin(Kind::Reasoning, out);
                }
                self.grow("response.reasoning_text.delta", text, out);
            }
            Piece::Call { id, name } => {
                self.begin(Kind::Call { id: id.into_owned(), name: name.to_owned() }, out);
            }
            Piece::Arguments(more) => self.grow("response.function_call_arguments.delta", more, out),
            Piece::Usage(usage) => self.usage = usage,
            Piece::Stop(stop) => self.stop = stop,
            Piece::Failed(failure) => self.fail(&failure, out),
            Piece::End => {
                self.close(out);
                let ended = Ended::Said(self.stop, self.usage);
                let response = response(&self.id, &self.model, std::mem::take(&mut self.output), ended);
                let name = match self.stop {
                    Stop::End | Stop::Tools => "response.completed",
                    Stop::Length | Stop::Refused => "response.incomplete",
                };
                self.event(name, json!({ "response": response }), out);
            }
        }
    }

    fn begin(&mut self, kind: Kind, out: &mut BytesMut) {
        self.close(out);
        let open = Open { kind, text: String::new() };
        let index = self.output.len();
        let item = self.item(&open, "in_progress");
        self.event("response.output_item.added", json!({ "output_index": index, "item": item }), out);
        if let Some(part) = part(&open) {
            let id = item_id(&self.id, index);
            let event = json!({ "item_id": id, "output_index": index, "content_index": 0, "part": part });
            self.event("response.content_part.added", event, out);
        }
        self.open = Some(open);
    }

    fn grow(&mut self, name: &str, more: &str, out: &mut BytesMut) {
        let index = self.output.len();
        let mut event = json!({ "item_id": item_id(&self.id, index), "output_index": index });
        if let Some(open) = &mut self.open {
            open.text.push_str(more);
            if !matches!(open.kind, Kind::Call { .. }) {
                event["content_index"] = 0.into();
            }
            if matches!(open.kind, Kind::Text) {
                event["logprobs"] = json!([]);
            }
        }
        event["delta"] = more.into();
        self.event(name, event, out);
    }

    fn close(&mut self, out: &mut BytesMut) {
        let Some(open) = self.open.take() else { return };
        let index = self.output.len();
        let id = item_id(&self.id, index);
        let (name, event) = match &open.kind {
            Kind::Text => (
                "response.output_text.done",
                json!({ "item_id": id, "output_index": index, "content_index": 0, "text": open.text, "logprobs": [] }),
            ),
            Kind::Reasoning => (
                "response.reasoning_text.done",
                json!({ "item_id": id, "output_index": index, "content_index": 0, "text": open.text }),
            ),
            Kind::Call { name, .. } => (
                "response.function_call_arguments.done",
                json!({ "item_id": id, "output_index": index, "name": name, "arguments": open.text }),
            ),
        };
        self.event(name, event, out);
        if let Some(part) = part(&open) {
            let event = json!({ "item_id": id, "output_index": index, "content_index": 0, "part": part });
            self.event("response.content_part.done", event, out);
        }
        let item = self.item(&open, "completed");
        self.event("response.output_item.done", json!({ "output_index": index, "item": item }), out);
        self.output.push(item);
    }

    /// Both the API's own event and the `error` member that makes its clients raise.
    fn fail(&mut self, failure: &Failure, out: &mut BytesMut) {
        let response = response(&self.id, &self.model, std::mem::take(&mut self.output), Ended::Failed(failure));
        let error = json!({ "message": failure.message, "type": failure.kind, "param": null, "code": null });
        self.event("response.failed", json!({ "response": response, "error": error }), out);
    }

    fn item(&self, open: &Open, status: &str) -> Value {
        let index = self.output.len();
        match &open.kind {
            Kind::Text => message_item(&self.id, index, &open.text, status),
            Kind::Reasoning => reasoning_item(&self.id, index, &open.text, status),
            Kind::Call { id, name } => call_item(&self.id, index, id, name, &open.text, status),
        }
    }

    fn event(&mut self, name: &str, members: Value, out: &mut BytesMut) {
        let mut event = json!({ "type": name, "sequence_number": self.sequence });
        self.sequence += 1;
        if let (Some(event), Value::Object(members)) = (event.as_object_mut(), members) {
            event.extend(members);
        }
        named(name, &event, out);
    }
}

/// The part of an item that its text stands in; calls have none.
fn part(open: &Open) -> Option<Value> {
    match open.kind {
        Kind::Text => Some(text_part(&open.text)),
        Kind::Reasoning => Some(reasoning_part(&open.text)),
        Kind::Call { .. } => None,
    }
}
