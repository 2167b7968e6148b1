//! What the provider says in each API, and what of it reached a caller.

use countersign_testkit::{Reply, with_length};
use serde_json::{Value, json};

/// An API that callers and providers speak.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Api {
    Chat,
    Responses,
    Messages,
}

/// Where the provider puts its words.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Channel {
    Text,
    Arguments,
}

impl Api {
    pub(crate) const ALL: [Self; 3] = [Self::Chat, Self::Responses, Self::Messages];

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Chat => "chat",
            Self::Responses => "responses",
            Self::Messages => "messages",
        }
    }

    pub(crate) const fn path(self) -> &'static str {
        match self {
            Self::Chat => "/v1/chat/completions",
            Self::Responses => "/v1/responses",
            Self::Messages => "/v1/messages",
        }
    }

    /// The model whose provider speaks this API.
    pub(crate) const fn model(self) -> &'static str {
        match self {
            Self::Chat | Self::Responses => "m",
            Self::Messages => "c",
        }
    }

    /// A request with this prompt.
    pub(crate) fn ask(self, prompt: &str, stream: bool) -> Value {
        let model = self.model();
        match self {
            Self::Responses => json!({"model": model, "input": prompt, "stream": stream}),
            Self::Chat => json!({"model": model, "messages": [{"role": "user", "content": prompt}], "stream": stream}),
            Self::Messages => json!({
                "model": model, "max_tokens": 256, "messages": [{"role": "user", "content": prompt}], "stream": stream
            }),
        }
    }
}

impl Channel {
    pub(crate) const ALL: [Self; 2] = [Self::Text, Self::Arguments];

    /// The words as they stand in the channel: tool arguments are JSON.
    pub(crate) fn dress(self, words: &str) -> String {
        match self {
            Self::Text => words.to_owned(),
            Self::Arguments => json!({"note": words}).to_string(),
        }
    }
}

/// A whole answer that says `words`.
pub(crate) fn whole(api: Api, channel: Channel, words: &str) -> Reply {
    Reply::raw(with_length(200, "application/json", whole_body(api, channel, words).as_bytes()))
}

/// The body of a whole answer that says `words`.
pub(crate) fn whole_body(api: Api, channel: Channel, words: &str) -> String {
    let said = channel.dress(words);
    let body = match (api, channel) {
        (Api::Chat, Channel::Text) => chat(&json!({"role": "assistant", "content": said}), "stop"),
        (Api::Chat, Channel::Arguments) => chat(
            &json!({"role": "assistant", "content": null, "tool_calls": [
                {"id": "call_1", "type": "function", "function": {"name": "note", "arguments": said}}
            ]}),
            "tool_calls",
        ),
        (Api::Responses, Channel::Text) => response("completed", &[message_item(&said)]),
        (Api::Responses, Channel::Arguments) => response("completed", &[call_item(&said)]),
        (Api::Messages, Channel::Text) => message(&json!([{"type": "text", "text": said}]), Some("end_turn")),
        (Api::Messages, Channel::Arguments) => message(
            &json!([{"type": "tool_use", "id": "toolu_1", "name": "note", "input": {"note": words}}]),
            Some("tool_use"),
        ),
    };
    format!("{body:#}")
}

/// A stream that says `pieces`, one event each; every event holds its blank line.
pub(crate) fn events(api: Api, channel: Channel, pieces: &[String]) -> Vec<String> {
    match api {
        Api::Chat => chat_events(channel, pieces),
        Api::Responses => responses_events(channel, pieces),
        Api::Messages => messages_events(channel, pieces),
    }
}

fn chat(message: &Value, finish: &str) -> Value {
    json!({
        "id": "chatcmpl-1", "object": "chat.completion", "created": 1, "model": "m",
        "choices": [{"index": 0, "message": message, "logprobs": null, "finish_reason": finish}],
        "usage": {"prompt_tokens": 5, "completion_tokens": 7, "total_tokens": 12}
    })
}

fn chat_events(channel: Channel, pieces: &[String]) -> Vec<String> {
    let event = |delta: &Value, finish: Value| {
        let chunk = json!({
            "id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": "m",
            "system_fingerprint": "fp_1", "choices": [{"index": 0, "delta": delta, "finish_reason": finish}]
        });
        format!("data: {chunk}\n\n")
    };
    let mut out = vec![event(&json!({"role": "assistant", "content": ""}), Value::Null)];
    let finish = match channel {
        Channel::Text => {
            out.extend(pieces.iter().map(|p| event(&json!({"content": p}), Value::Null)));
            "stop"
        }
        Channel::Arguments => {
            let begin = json!({"tool_calls": [
                {"index": 0, "id": "call_1", "type": "function", "function": {"name": "note", "arguments": ""}}
            ]});
            out.push(event(&begin, Value::Null));
            let more = |p: &String| json!({"tool_calls": [{"index": 0, "function": {"arguments": p}}]});
            out.extend(pieces.iter().map(|p| event(&more(p), Value::Null)));
            "tool_calls"
        }
    };
    out.push(event(&json!({}), finish.into()));
    out.push("data: [DONE]\n\n".into());
    out
}

fn message_item(text: &str) -> Value {
    json!({"type": "message", "id": "msg_1", "status": "completed", "role": "assistant",
           "content": [{"type": "output_text", "text": text, "annotations": []}]})
}

fn call_item(arguments: &str) -> Value {
    json!({"type": "function_call", "id": "fc_1", "call_id": "call_1", "name": "note", "arguments": arguments, "status": "completed"})
}

fn response(status: &str, output: &[Value]) -> Value {
    json!({
        "id": "resp_1", "object": "response", "created_at": 1, "status": status, "error": null,
        "incomplete_details": null, "model": "m", "output": output, "parallel_tool_calls": true, "tool_choice": "auto",
        "tools": [], "usage": {"input_tokens": 5, "output_tokens": 7, "total_tokens": 12}
    })
}

fn responses_events(channel: Channel, pieces: &[String]) -> Vec<String> {
    let mut number = 0;
    let mut event = |kind: &str, fields: Value| {
        let mut data = json!({"type": kind, "sequence_number": number});
        number += 1;
        if let (Some(data), Value::Object(fields)) = (data.as_object_mut(), fields) {
            data.extend(fields);
        }
        format!("event: {kind}\ndata: {data}\n\n")
    };
    let said = pieces.concat();
    let mut out = vec![event("response.created", json!({"response": response("in_progress", &[])}))];
    let item = match channel {
        Channel::Text => {
            let begun =
                json!({"type": "message", "id": "msg_1", "status": "in_progress", "role": "assistant", "content": []});
            let part = |text: &str| json!({"type": "output_text", "text": text, "annotations": []});
            let place = |more: Value| {
                let mut place = json!({"item_id": "msg_1", "output_index": 0, "content_index": 0});
                if let (Some(place), Value::Object(more)) = (place.as_object_mut(), more) {
                    place.extend(more);
                }
                place
            };
            out.push(event("response.output_item.added", json!({"output_index": 0, "item": begun})));
            out.push(event("response.content_part.added", place(json!({"part": part("")}))));
            for piece in pieces {
                out.push(event("response.output_text.delta", place(json!({"delta": piece, "logprobs": []}))));
            }
            out.push(event("response.output_text.done", place(json!({"text": said, "logprobs": []}))));
            out.push(event("response.content_part.done", place(json!({"part": part(&said)}))));
            message_item(&said)
        }
        Channel::Arguments => {
            let place = |key: &str, value: &str| json!({"item_id": "fc_1", "output_index": 0, key: value});
            out.push(event("response.output_item.added", json!({"output_index": 0, "item": call_item("")})));
            for piece in pieces {
                out.push(event("response.function_call_arguments.delta", place("delta", piece)));
            }
            out.push(event("response.function_call_arguments.done", place("arguments", &said)));
            call_item(&said)
        }
    };
    out.push(event("response.output_item.done", json!({"output_index": 0, "item": item})));
    out.push(event("response.completed", json!({"response": response("completed", &[item])})));
    out
}

fn message(content: &Value, stop: Option<&str>) -> Value {
    json!({
        "id": "msg_1", "type": "message", "role": "assistant", "model": "c", "content": content,
        "stop_reason": stop, "stop_sequence": null, "usage": {"input_tokens": 5, "output_tokens": 7}
    })
}

fn messages_events(channel: Channel, pieces: &[String]) -> Vec<String> {
    let event = |data: Value| format!("event: {}\ndata: {data}\n\n", data["type"].as_str().unwrap_or_default());
    let (block, stop) = match channel {
        Channel::Text => (json!({"type": "text", "text": ""}), "end_turn"),
        Channel::Arguments => (json!({"type": "tool_use", "id": "toolu_1", "name": "note", "input": {}}), "tool_use"),
    };
    let delta = |piece: &String| match channel {
        Channel::Text => json!({"type": "text_delta", "text": piece}),
        Channel::Arguments => json!({"type": "input_json_delta", "partial_json": piece}),
    };
    let mut out = vec![
        event(json!({"type": "message_start", "message": message(&json!([]), None)})),
        event(json!({"type": "content_block_start", "index": 0, "content_block": block})),
        event(json!({"type": "ping"})),
    ];
    out.extend(pieces.iter().map(|p| event(json!({"type": "content_block_delta", "index": 0, "delta": delta(p)}))));
    out.push(event(json!({"type": "content_block_stop", "index": 0})));
    let usage = json!({"output_tokens": 7});
    out.push(event(
        json!({"type": "message_delta", "delta": {"stop_reason": stop, "stop_sequence": null}, "usage": usage}),
    ));
    out.push(event(json!({"type": "message_stop"})));
    out
}

/// What a caller that puts deltas together has at the end.
#[derive(Debug, Default)]
pub(crate) struct Reached {
    /// The text and the tool arguments, in the channel they came in.
    pub(crate) said: String,
    /// Every string of every event or of the answer, so that nothing hides in a field nobody reads.
    pub(crate) strings: Vec<String>,
    /// The error event, where there is one.
    pub(crate) error: Option<Value>,
    /// The API's own last event came.
    pub(crate) finished: bool,
}

/// Reads a stream as a caller would.
pub(crate) fn read_stream(api: Api, body: &str) -> Reached {
    let mut reached = Reached::default();
    for line in body.lines() {
        let Some(data) = line.strip_prefix("data:").map(str::trim) else { continue };
        if data == "[DONE]" {
            reached.finished = true;
            continue;
        }
        let event: Value = serde_json::from_str(data).unwrap_or_else(|e| panic!("{e} in {data}"));
        strings(&event, &mut reached.strings);
        let kind = event["type"].as_str().unwrap_or_default();
        if !event["error"].is_null() || kind == "error" || kind == "response.failed" {
            reached.error = Some(event.clone());
        }
        let said = match api {
            Api::Chat => {
                let delta = &event["choices"][0]["delta"];
                [&delta["content"], &delta["tool_calls"][0]["function"]["arguments"]]
            }
            Api::Responses if kind.ends_with(".delta") => [&event["delta"], &Value::Null],
            Api::Responses => [&Value::Null, &Value::Null],
            Api::Messages => [&event["delta"]["text"], &event["delta"]["partial_json"]],
        };
        reached.said.extend(said.into_iter().filter_map(Value::as_str));
        reached.finished |= matches!(kind, "response.completed" | "message_stop");
    }
    reached
}

/// Reads a whole answer as a caller would.
pub(crate) fn read_whole(api: Api, body: &Value) -> Reached {
    let mut reached = Reached { finished: body["error"].is_null(), ..Reached::default() };
    strings(body, &mut reached.strings);
    if !body["error"].is_null() {
        reached.error = Some(body.clone());
    }
    let said = match api {
        Api::Chat => {
            let message = &body["choices"][0]["message"];
            vec![message["content"].clone(), message["tool_calls"][0]["function"]["arguments"].clone()]
        }
        Api::Responses => {
            let item = &body["output"][0];
            vec![item["content"][0]["text"].clone(), item["arguments"].clone()]
        }
        Api::Messages => {
            let block = &body["content"][0];
            let input = if block["input"].is_null() { Value::Null } else { block["input"].to_string().into() };
            vec![block["text"].clone(), input]
        }
    };
    reached.said.extend(said.iter().filter_map(Value::as_str));
    reached
}

fn strings(value: &Value, out: &mut Vec<String>) {
    match value {
        Value::String(text) => out.push(text.clone()),
        Value::Array(items) => items.iter().for_each(|i| strings(i, out)),
        Value::Object(fields) => fields.iter().for_each(|(name, value)| {
            out.push(name.clone());
            strings(value, out);
        }),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}
