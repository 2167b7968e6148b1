//! OpenAI's `POST /v1/chat/completions`.

use serde_json::{Map, Value, json};

use super::{
    TranslateError,
    pivot::{
        ANTHROPIC_ONLY, Answered, Asked, Choice, Effort, Failure, Part, Role, Said, Shape, Source, Spoken, Stop, Tool,
        Turn, Usage, count, field, keep, list, model, need, opt_string, put, source, str_of, string, strings, text,
        url,
    },
};

pub(super) fn read_ask(body: &Value) -> Result<Asked, TranslateError> {
    refuse_what_has_no_place(body)?;
    let messages =
        body.get("messages").and_then(Value::as_array).ok_or(TranslateError::caller("`messages` must be an array"))?;
    Ok(Asked {
        model: model(body)?,
        turns: messages.iter().map(read_message).collect::<Result<_, _>>()?,
        tools: list(body, "tools").iter().map(read_tool).collect::<Result<_, _>>()?,
        choice: field(body, "tool_choice").map(read_choice).transpose()?,
        parallel: body.get("parallel_tool_calls").and_then(Value::as_bool),
        max_tokens: field(body, "max_completion_tokens").or(field(body, "max_tokens")).and_then(Value::as_u64),
        temperature: body.get("temperature").and_then(Value::as_f64),
        top_p: body.get("top_p").and_then(Value::as_f64),
        stop: strings(body.get("stop")),
        stream: body.get("stream").and_then(Value::as_bool).unwrap_or(false),
        user: opt_string(body, "safety_identifier").or_else(|| opt_string(body, "user")),
        effort: Effort::read(str_of(body, "reasoning_effort")),
        shape: field(body, "response_format").map(read_shape).transpose()?.flatten(),
        kept: keep(body, ANTHROPIC_ONLY),
    })
}

fn refuse_what_has_no_place(body: &Value) -> Result<(), TranslateError> {
    let what = if body.get("n").and_then(Value::as_u64).is_some_and(|n| n != 1) {
        "the model's provider gives one choice only; leave out `n`"
    } else if field(body, "audio").is_some() || list(body, "modalities").iter().any(|m| m != "text") {
        "the model's provider answers in text only"
    } else if field(body, "functions").is_some() || field(body, "function_call").is_some() {
        "the model's provider does not take `functions`; use `tools`"
    } else if field(body, "web_search_options").is_some() {
        "the model's provider does not take `web_search_options`"
    } else {
        return Ok(());
    };
    Err(TranslateError::caller(what))
}

fn read_message(message: &Value) -> Result<Turn, TranslateError> {
    let mut parts = field(message, "content").map_or_else(|| Ok(Vec::new()), read_parts)?;
    let role = match str_of(message, "role") {
        "system" | "developer" => Role::System,
        "user" => Role::User,
        "assistant" => {
            if let Some(refusal) = field(message, "refusal").and_then(Value::as_str) {
                parts.push(text(refusal));
            }
            for call in list(message, "tool_calls") {
                parts.push(read_call(call)?);
            }
            Role::Assistant
        }
        "tool" => {
            let id = need(message, "tool_call_id", "a tool message has no `tool_call_id`")?;
            return Ok(Turn { role: Role::User, parts: vec![Part::Result { id, parts }] });
        }
        _ => return Err(TranslateError::caller("a message has a role that the model's provider does not know")),
    };
    Ok(Turn { role, parts })
}

fn read_parts(content: &Value) -> Result<Vec<Part>, TranslateError> {
    match content {
        Value::String(one) => Ok(vec![text(one)]),
        Value::Array(parts) => parts.iter().map(read_part).collect(),
        _ => Err(TranslateError::caller("content must be a string or an array of parts")),
    }
}

fn read_part(part: &Value) -> Result<Part, TranslateError> {
    match str_of(part, "type") {
        "text" => Ok(Part::Text { text: string(part, "text"), cache: field(part, "cache_control").cloned() }),
        "refusal" => Ok(text(str_of(part, "refusal"))),
        "image_url" => {
            let image = field(part, "image_url").unwrap_or(&Value::Null);
            Ok(Part::Image(source(&need(image, "url", "an image has no `url`")?)?))
        }
        "file" => {
            let file = field(part, "file").unwrap_or(&Value::Null);
            let data = need(file, "file_data", "the model's provider takes files only by value")?;
            match source(&data)? {
                Source::Url(_) => Err(TranslateError::caller("`file_data` must be a `data:` URL")),
                source => Ok(Part::File { source, name: opt_string(file, "filename") }),
            }
        }
        _ => Err(TranslateError::caller("the model's provider has no content part of this type")),
    }
}

fn read_call(call: &Value) -> Result<Part, TranslateError> {
    let function =
        field(call, "function").ok_or(TranslateError::caller("the model's provider calls functions only"))?;
    Ok(Part::Call {
        id: need(call, "id", "a tool call has no `id`")?,
        name: need(function, "name", "a tool call has no `name`")?,
        arguments: string(function, "arguments"),
    })
}

fn read_tool(tool: &Value) -> Result<Tool, TranslateError> {
    let function = field(tool, "function")
        .filter(|_| tool["type"] == "function")
        .ok_or(TranslateError::caller("the model's provider takes tools of type `function` only"))?;
    Ok(Tool {
        name: need(function, "name", "a tool has no `name`")?,
        description: opt_string(function, "description"),
        schema: field(function, "parameters").cloned(),
        strict: function.get("strict").and_then(Value::as_bool),
        cache: field(tool, "cache_control").cloned(),
    })
}

/// `tool_choice`, as the chat and the Responses API write it; the latter names the function one level higher.
pub(super) fn read_choice(choice: &Value) -> Result<Choice, TranslateError> {
    match choice.as_str() {
        Some("auto") => return Ok(Choice::Auto),
        Some("required") => return Ok(Choice::Any),
        Some("none") => return Ok(Choice::Never),
        _ => {}
    }
    if choice["type"] != "function" {
        return Err(TranslateError::caller("the model's provider does not know this `tool_choice`"));
    }
    Ok(Choice::Tool(need(field(choice, "function").unwrap_or(choice), "name", "`tool_choice` has no `name`")?))
}

/// `response_format`, as the chat and the Responses API write it; the latter has the schema one level higher.
pub(super) fn read_shape(format: &Value) -> Result<Option<Shape>, TranslateError> {
    match str_of(format, "type") {
        "text" => Ok(None),
        "json_object" => Ok(Some(Shape::Json)),
        "json_schema" => {
            let inner = field(format, "json_schema").unwrap_or(format);
            let schema = field(inner, "schema").ok_or(TranslateError::caller("a JSON schema is missing"))?;
            Ok(Some(Shape::Schema { name: opt_string(inner, "name"), schema: schema.clone() }))
        }
        _ => Err(TranslateError::caller("the model's provider does not know this response format")),
    }
}

pub(super) fn write_ask(asked: Asked) -> Value {
    let mut messages = Vec::with_capacity(asked.turns.len() + 1);
    for turn in asked.turns {
        match turn.role {
            Role::System => messages.push(json!({ "role": "system", "content": write_content(turn.parts) })),
            Role::User => write_user(turn.parts, &mut messages),
            Role::Assistant => messages.push(write_assistant(turn.parts)),
        }
    }
    let mut out = Map::new();
    out.insert("model".to_owned(), asked.model.into());
    out.insert("messages".to_owned(), messages.into());
    put(&mut out, "max_completion_tokens", asked.max_tokens);
    put(&mut out, "temperature", asked.temperature);
    put(&mut out, "top_p", asked.top_p);
    put(&mut out, "stop", (!asked.stop.is_empty()).then_some(asked.stop));
    if asked.stream {
        out.insert("stream".to_owned(), true.into());
        // Anthropic's streams always end with the usage.
        out.insert("stream_options".to_owned(), json!({ "include_usage": true }));
    }
    put(&mut out, "user", asked.user);
    if !asked.tools.is_empty() {
        out.insert("tools".to_owned(), asked.tools.into_iter().map(write_tool).collect());
        put(&mut out, "tool_choice", asked.choice.map(write_choice));
        put(&mut out, "parallel_tool_calls", asked.parallel);
    }
    put(&mut out, "reasoning_effort", asked.effort.map(Effort::as_str));
    put(
        &mut out,
        "response_format",
        asked.shape.map(|shape| match shape {
            Shape::Json => json!({ "type": "json_object" }),
            Shape::Schema { name, schema } => json!({
                "type": "json_schema",
                "json_schema": { "name": name.unwrap_or_else(|| "answer".to_owned()), "schema": schema, "strict": true },
            }),
        }),
    );
    out.extend(asked.kept);
    out.into()
}

/// A user turn: what tools returned as messages of their own, first, then the rest.
fn write_user(parts: Vec<Part>, messages: &mut Vec<Value>) {
    let mut rest = Vec::new();
    for part in parts {
        match part {
            Part::Result { id, parts } => {
                let (texts, others): (Vec<_>, Vec<_>) = parts.into_iter().partition(|p| matches!(p, Part::Text { .. }));
                messages.push(json!({ "role": "tool", "tool_call_id": id, "content": write_content(texts) }));
                // A tool message holds text only; what else the tool returned is shown by the user.
                rest.extend(others);
            }
            other => rest.push(other),
        }
    }
    if !rest.is_empty() {
        messages.push(json!({ "role": "user", "content": write_content(rest) }));
    }
}

fn write_assistant(parts: Vec<Part>) -> Value {
    let mut said = String::new();
    let mut calls = Vec::new();
    for part in parts {
        match part {
            Part::Text { text, .. } => said.push_str(&text),
            Part::Call { id, name, arguments } => calls.push(write_call(&id, &name, &arguments)),
            // The Messages API lets an assistant turn hold nothing else.
            Part::Image(_) | Part::File { .. } | Part::Result { .. } => {}
        }
    }
    write_message(said, calls, None)
}

fn write_message(said: String, calls: Vec<Value>, reasoning: Option<String>) -> Value {
    let mut message = Map::new();
    message.insert("role".to_owned(), "assistant".into());
    let content = if said.is_empty() && !calls.is_empty() { Value::Null } else { said.into() };
    message.insert("content".to_owned(), content);
    put(&mut message, "reasoning_content", reasoning);
    put(&mut message, "tool_calls", (!calls.is_empty()).then_some(calls));
    message.into()
}

fn write_call(id: &str, name: &str, arguments: &str) -> Value {
    json!({ "id": id, "type": "function", "function": { "name": name, "arguments": arguments } })
}

/// One text as a plain string, which every compatible server takes; an array of parts otherwise.
fn write_content(mut parts: Vec<Part>) -> Value {
    if let [Part::Text { text, .. }] = parts.as_mut_slice() {
        return std::mem::take(text).into();
    }
    if parts.is_empty() {
        return "".into();
    }
    parts.into_iter().filter_map(write_part).collect()
}

fn write_part(part: Part) -> Option<Value> {
    Some(match part {
        Part::Text { text, .. } => json!({ "type": "text", "text": text }),
        Part::Image(image) => json!({ "type": "image_url", "image_url": { "url": url(image) } }),
        Part::File { source: Source::Url(_), .. } | Part::Call { .. } | Part::Result { .. } => return None,
        Part::File { source, name } => json!({
            "type": "file",
            "file": { "filename": name.unwrap_or_else(|| "document".to_owned()), "file_data": url(source) },
        }),
    })
}

fn write_tool(tool: Tool) -> Value {
    let mut function = Map::new();
    function.insert("name".to_owned(), tool.name.into());
    put(&mut function, "description", tool.description);
    put(&mut function, "parameters", tool.schema);
    put(&mut function, "strict", tool.strict);
    json!({ "type": "function", "function": function })
}

fn write_choice(choice: Choice) -> Value {
    match choice {
        Choice::Auto => "auto".into(),
        Choice::Any => "required".into(),
        Choice::Never => "none".into(),
        Choice::Tool(name) => json!({ "type": "function", "function": { "name": name } }),
    }
}

pub(super) fn read_answer(body: &Value) -> Result<Answered, TranslateError> {
    if let Some(error) = field(body, "error") {
        return Ok(Answered::Failed(read_failure(error)));
    }
    let choice = list(body, "choices").first().ok_or(TranslateError::provider("the answer has no choices"))?;
    let message = field(choice, "message").ok_or(TranslateError::provider("the answer has no message"))?;
    let mut parts = Vec::new();
    // vLLM and others write `reasoning_content`, some `reasoning`; OpenAI itself shows neither.
    for name in ["reasoning_content", "reasoning"] {
        if let Some(reasoning) = opt_string(message, name).filter(|r| !r.is_empty()) {
            parts.push(Spoken::Reasoning(reasoning));
            break;
        }
    }
    for name in ["content", "refusal"] {
        parts.extend(opt_string(message, name).filter(|t| !t.is_empty()).map(Spoken::Text));
    }
    let refused = field(message, "refusal").is_some();
    let calls = list(message, "tool_calls");
    for call in calls {
        let function = field(call, "function").unwrap_or(&Value::Null);
        parts.push(Spoken::Call {
            id: string(call, "id"),
            name: string(function, "name"),
            arguments: string(function, "arguments"),
        });
    }
    let stop = match read_stop(str_of(choice, "finish_reason")) {
        // Some servers say `stop` and call a tool; some refuse and say `stop`.
        Stop::End if !calls.is_empty() => Stop::Tools,
        Stop::End if refused => Stop::Refused,
        stop => stop,
    };
    Ok(Answered::Said(Said {
        id: string(body, "id"),
        model: string(body, "model"),
        parts,
        stop,
        usage: field(body, "usage").map(read_usage).unwrap_or_default(),
    }))
}

pub(super) fn read_failure(error: &Value) -> Failure {
    // Some compatible servers put a bare string there.
    let message = error.as_str().map_or_else(|| string(error, "message"), str::to_owned);
    Failure { kind: string(error, "type"), message }
}

pub(super) fn read_stop(reason: &str) -> Stop {
    match reason {
        "length" => Stop::Length,
        "tool_calls" | "function_call" => Stop::Tools,
        "content_filter" => Stop::Refused,
        _ => Stop::End,
    }
}

pub(super) fn read_usage(usage: &Value) -> Usage {
    let of = |details: &str, name: &str| field(usage, details).map_or(0, |d| count(d, name));
    Usage {
        input: count(usage, "prompt_tokens"),
        cached: of("prompt_tokens_details", "cached_tokens"),
        written: of("prompt_tokens_details", "cache_write_tokens"),
        output: count(usage, "completion_tokens"),
        reasoning: of("completion_tokens_details", "reasoning_tokens"),
    }
}

pub(super) fn write_answer(answered: Answered) -> Value {
    let said = match answered {
        Answered::Said(said) => said,
        Answered::Failed(failure) => return write_failure(&failure),
    };
    let (mut content, mut reasoning, mut calls) = (String::new(), String::new(), Vec::new());
    for part in said.parts {
        match part {
            Spoken::Text(text) => content.push_str(&text),
            Spoken::Reasoning(text) => reasoning.push_str(&text),
            Spoken::Call { id, name, arguments } => calls.push(write_call(&id, &name, &arguments)),
        }
    }
    let mut message = write_message(content, calls, (!reasoning.is_empty()).then_some(reasoning));
    message["refusal"] = Value::Null;
    json!({
        "id": said.id,
        "object": "chat.completion",
        // The Messages API does not say when.
        "created": 0,
        "model": said.model,
        "choices": [{ "index": 0, "message": message, "logprobs": null, "finish_reason": stop_word(said.stop) }],
        "usage": write_usage(said.usage),
    })
}

pub(super) fn write_failure(failure: &Failure) -> Value {
    json!({ "error": { "message": failure.message, "type": failure.kind, "param": null, "code": null } })
}

pub(super) const fn stop_word(stop: Stop) -> &'static str {
    match stop {
        Stop::End => "stop",
        Stop::Length => "length",
        Stop::Tools => "tool_calls",
        Stop::Refused => "content_filter",
    }
}

pub(super) fn write_usage(usage: Usage) -> Value {
    json!({
        "prompt_tokens": usage.input,
        "completion_tokens": usage.output,
        "total_tokens": usage.input.saturating_add(usage.output),
        "prompt_tokens_details": { "cached_tokens": usage.cached, "cache_write_tokens": usage.written },
        "completion_tokens_details": { "reasoning_tokens": usage.reasoning },
    })
}
