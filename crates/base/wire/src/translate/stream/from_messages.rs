//! Reads the events of Anthropic's Messages API.

use serde_json::Value;

use super::{
    super::{
        TranslateError, messages,
        pivot::{Piece, Usage, field, str_of},
    },
    failure, object,
};

#[derive(Debug, Default)]
pub(super) struct Reader {
    started: bool,
    stopped: bool,
    usage: Usage,
    open: Option<Open>,
}

/// The content block that is being written.
#[derive(Debug)]
struct Open {
    index: u64,
    kind: Kind,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Kind {
    Text,
    /// Whether any arguments have come.
    Call {
        arguments: bool,
    },
    /// A block with no place in the caller's format, or one whose deltas say what they are.
    Other,
}

impl Reader {
    pub(super) const fn stopped(&self) -> bool {
        self.stopped
    }

    pub(super) fn read(&mut self, data: &[u8], sink: &mut impl FnMut(Piece<'_>)) -> Result<(), TranslateError> {
        let event = object(data)?;
        let kind = str_of(&event, "type");
        if !self.started && !matches!(kind, "message_start" | "ping" | "error") {
            return Err(TranslateError::provider("the stream does not begin with its message"));
        }
        match kind {
            "message_start" => {
                let message = field(&event, "message").unwrap_or(&Value::Null);
                messages::read_usage(message, &mut self.usage);
                if !self.started {
                    sink(Piece::Start { id: str_of(message, "id"), model: str_of(message, "model") });
                }
                self.started = true;
            }
            "content_block_start" => self.begin(&event, sink),
            "content_block_delta" => self.grow(&event, sink)?,
            "content_block_stop" => {
                // A call without arguments has no deltas; elsewhere its arguments are an empty object.
                if let Some(Open { kind: Kind::Call { arguments: false }, .. }) = self.open.take() {
                    sink(Piece::Arguments("{}"));
                }
            }
            "message_delta" => {
                messages::read_usage(&event, &mut self.usage);
                sink(Piece::Usage(self.usage));
                let reason = event.get("delta").map_or("", |d| str_of(d, "stop_reason"));
                if !reason.is_empty() {
                    self.stopped = true;
                    sink(Piece::Stop(messages::read_stop(reason)));
                }
            }
            "message_stop" => sink(Piece::End),
            "error" => {
                let failure = failure(&event, messages::read_failure)
                    .ok_or(TranslateError::provider("an error event holds no error"))?;
                sink(Piece::Failed(failure));
            }
            // Pings, and what may be added later: the API asks clients to pass over events they do not know.
            _ => {}
        }
        Ok(())
    }

    fn begin(&mut self, event: &Value, sink: &mut impl FnMut(Piece<'_>)) {
        let block = field(event, "content_block").unwrap_or(&Value::Null);
        let kind = match str_of(block, "type") {
            "text" => {
                text(str_of(block, "text"), sink);
                Kind::Text
            }
            "tool_use" => {
                sink(Piece::Call { id: str_of(block, "id").into(), name: str_of(block, "name") });
                // Empty as Anthropic sends it; some compatible servers put everything here.
                let given = block.get("input").filter(|i| i.as_object().is_some_and(|o| !o.is_empty()));
                if let Some(input) = given {
                    sink(Piece::Arguments(&input.to_string()));
                }
                Kind::Call { arguments: given.is_some() }
            }
            _ => Kind::Other,
        };
        self.open = Some(Open { index: index(event), kind });
    }

    fn grow(&mut self, event: &Value, sink: &mut impl FnMut(Piece<'_>)) -> Result<(), TranslateError> {
        let delta = field(event, "delta").unwrap_or(&Value::Null);
        let open = self
            .open
            .as_mut()
            .filter(|open| open.index == index(event))
            .ok_or(TranslateError::provider("a delta belongs to no open content block"))?;
        match (str_of(delta, "type"), &mut open.kind) {
            ("text_delta", Kind::Text) => text(str_of(delta, "text"), sink),
            ("thinking_delta", Kind::Other) => {
                let thought = str_of(delta, "thinking");
                if !thought.is_empty() {
                    sink(Piece::Reasoning(thought));
                }
            }
            ("input_json_delta", Kind::Call { arguments }) => {
                let more = str_of(delta, "partial_json");
                if !more.is_empty() {
                    *arguments = true;
                    sink(Piece::Arguments(more));
                }
            }
            ("text_delta", _) | ("input_json_delta", Kind::Text) => {
                return Err(TranslateError::provider("a delta does not fit its content block"));
            }
            // Signatures, citations, the arguments of the provider's own tools: no place in the caller's format.
            _ => {}
        }
        Ok(())
    }
}

fn index(event: &Value) -> u64 {
    event.get("index").and_then(Value::as_u64).unwrap_or(0)
}

fn text(text: &str, sink: &mut impl FnMut(Piece<'_>)) {
    if !text.is_empty() {
        sink(Piece::Text(text));
    }
}
