//! Reads the chunks of OpenAI's chat completions.

use std::{borrow::Cow, collections::BTreeSet};

use serde_json::Value;

use super::{
    super::{
        TranslateError, chat,
        pivot::{Piece, Stop, field, list, str_of},
    },
    failure, object,
};

#[derive(Debug, Default)]
pub(super) struct Reader {
    started: bool,
    stopped: bool,
    refused: bool,
    /// The call whose arguments may go on.
    open: Option<u64>,
    /// Calls that have begun.
    begun: BTreeSet<u64>,
    /// Id of the open call.
    id: String,
}

impl Reader {
    pub(super) const fn stopped(&self) -> bool {
        self.stopped
    }

    pub(super) fn read(&mut self, data: &[u8], sink: &mut impl FnMut(Piece<'_>)) -> Result<(), TranslateError> {
        if data.trim_ascii().starts_with(b"[DONE]") {
            if !self.started {
                return Err(TranslateError::provider("the stream ends before it begins"));
            }
            sink(Piece::End);
            return Ok(());
        }
        let chunk = object(data)?;
        if let Some(failure) = failure(&chunk, chat::read_failure) {
            sink(Piece::Failed(failure));
            return Ok(());
        }
        if !self.started {
            self.started = true;
            sink(Piece::Start { id: str_of(&chunk, "id"), model: str_of(&chunk, "model") });
        }
        // Only one choice was asked for.
        if let Some(choice) = list(&chunk, "choices").iter().find(|c| c["index"].as_u64().unwrap_or(0) == 0) {
            self.read_choice(choice, sink)?;
        }
        if let Some(usage) = field(&chunk, "usage") {
            sink(Piece::Usage(chat::read_usage(usage)));
        }
        Ok(())
    }

    fn read_choice(&mut self, choice: &Value, sink: &mut impl FnMut(Piece<'_>)) -> Result<(), TranslateError> {
        let delta = field(choice, "delta").unwrap_or(&Value::Null);
        // Some servers send the same under both names.
        let reasoning = [str_of(delta, "reasoning_content"), str_of(delta, "reasoning")];
        if let Some(text) = reasoning.into_iter().find(|t| !t.is_empty()) {
            self.open = None;
            sink(Piece::Reasoning(text));
        }
        for name in ["content", "refusal"] {
            let text = str_of(delta, name);
            if !text.is_empty() {
                self.open = None;
                self.refused |= name == "refusal";
                sink(Piece::Text(text));
            }
        }
        for (place, call) in list(delta, "tool_calls").iter().enumerate() {
            self.read_call(call, place as u64, sink)?;
        }
        let reason = str_of(choice, "finish_reason");
        if !reason.is_empty() {
            self.stopped = true;
            sink(Piece::Stop(match chat::read_stop(reason) {
                // Some servers say `stop` and call a tool; some refuse and say `stop`.
                Stop::End if !self.begun.is_empty() => Stop::Tools,
                Stop::End if self.refused => Stop::Refused,
                stop => stop,
            }));
        }
        Ok(())
    }

    fn read_call(&mut self, call: &Value, place: u64, sink: &mut impl FnMut(Piece<'_>)) -> Result<(), TranslateError> {
        let index = call.get("index").and_then(Value::as_u64).unwrap_or(place);
        let id = str_of(call, "id");
        let function = field(call, "function").unwrap_or(&Value::Null);
        // Some servers number every call 0 and tell them apart by id.
        let fresh = !self.begun.contains(&index) || (!id.is_empty() && id != self.id);
        if fresh {
            self.begun.insert(index);
            self.open = Some(index);
            id.clone_into(&mut self.id);
            let id = if id.is_empty() { Cow::Owned(format!("call_{index}")) } else { Cow::Borrowed(id) };
            sink(Piece::Call { id, name: str_of(function, "name") });
        } else if self.open != Some(index) {
            return Err(TranslateError::provider("the arguments of a call go on after another has begun"));
        }
        let more = str_of(function, "arguments");
        if !more.is_empty() {
            sink(Piece::Arguments(more));
        }
        Ok(())
    }
}
