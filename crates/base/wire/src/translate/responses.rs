//! OpenAI's `POST /v1/responses`, as far as it keeps no state at the provider.

use serde_json::{Map, Value, json};

use super::{
    TranslateError, chat,
    pivot::{
        ANTHROPIC_ONLY, Answered, Asked, Effort, Failure, Part, Role, Said, Source, Spoken, Stop, Tool, Turn, Usage,
        field, keep, list, model, need, opt_string, source, str_of, string, text,
    },
};

pub(super) fn read_ask(body: &Value) -> Result<Asked, TranslateError> {
    if ["previous_response_id", "conversation", "prompt"].iter().any(|name| field(body, name).is_some())
        || body["background"] == true
    {
        return Err(TranslateError::caller("the model's provider keeps no responses; send the whole conversation"));
    }
    let mut turns = Vec::new();
    if let Some(instructions) = field(body, "instructions").and_then(Value::as_str) {
        turns.push(Turn { role: Role::System, parts: vec![text(instructions)] });
    }
    match field(body, "input") {
        Some(Value::String(input)) => turns.push(Turn { role: Role::User, parts: vec![text(input)] }),
        Some(Value::Array(items)) => {
            for item in items {
                turns.extend(read_item(item)?);
            }
        }
        _ => return Err(TranslateError::caller("`input` must be a string or an array")),
    }
    let format = field(body, "text").and_then(|t| field(t, "format"));
    Ok(Asked {
        model: model(body)?,
        turns,
        tools: list(body, "tools").iter().map(read_tool).collect::<Result<_, _>>()?,
        choice: field(body, "tool_choice").map(chat::read_choice).transpose()?,
        parallel: body.get("parallel_tool_calls").and_then(Value::as_bool),
        max_tokens: body.get("max_output_tokens").and_then(Value::as_u64),
        temperature: body.get("temperature").and_then(Value::as_f64),
        top_p: body.get("top_p").and_then(Value::as_f64),
        stop: Vec::new(),
        stream: body.get("stream").and_then(Value::as_bool).unwrap_or(false),
        user: opt_string(body, "safety_identifier").or_else(|| opt_string(body, "user")),
        effort: field(body, "reasoning").and_then(|r| Effort::read(str_of(r, "effort"))),
        shape: format.map(chat::read_shape).transpose()?.flatten(),
        kept: keep(body, ANTHROPIC_ONLY),
    })
}

fn read_item(item: &Value) -> Result<Option<Turn>, TranslateError> {
    let (role, parts) = match str_of(item, "type") {
        "" | "message" => {
            let role = match str_of(item, "role") {
                "system" | "developer" => Role::System,
                "user" => Role::User,
                "assistant" => Role::Assistant,
                _ => {
                    return Err(TranslateError::caller("a message has a role that the model's provider does not know"));
                }
            };
            (role, read_parts(item.get("content").unwrap_or(&Value::Null))?)
        }
        "function_call" => {
            let call = Part::Call {
                id: need(item, "call_id", "a function call has no `call_id`")?,
                name: need(item, "name", "a function call has no `name`")?,
                arguments: string(item, "arguments"),
            };
            (Role::Assistant, vec![call])
        }
        "function_call_output" => {
            let id = need(item, "call_id", "a function call's output has no `call_id`")?;
            let parts = read_parts(item.get("output").unwrap_or(&Value::Null))?;
            (Role::User, vec![Part::Result { id, parts }])
        }
        // Another provider's reasoning, encrypted or summarised: of no use to this one.
        "reasoning" => return Ok(None),
        _ => return Err(TranslateError::caller("the model's provider has no input item of this type")),
    };
    Ok(Some(Turn { role, parts }))
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
        "input_text" | "output_text" | "text" => Ok(text(str_of(part, "text"))),
        "refusal" => Ok(text(str_of(part, "refusal"))),
        "input_image" => {
            let image = need(part, "image_url", "the model's provider takes images only by value or by URL")?;
            Ok(Part::Image(source(&image)?))
        }
        "input_file" => {
            let data = opt_string(part, "file_data").or_else(|| opt_string(part, "file_url"));
            let data =
                data.ok_or(TranslateError::caller("the model's provider takes files only by value or by URL"))?;
            match source(&data)? {
                Source::Url(url) if !url.starts_with("http") => {
                    Err(TranslateError::caller("`file_data` must be a `data:` URL"))
                }
                source => Ok(Part::File { source, name: opt_string(part, "filename") }),
            }
        }
        _ => Err(TranslateError::caller("the model's provider has no content part of this type")),
    }
}

fn read_tool(tool: &Value) -> Result<Tool, TranslateError> {
    if str_of(tool, "type") != "function" {
        return Err(TranslateError::caller("the model's provider takes tools of type `function` only"));
    }
    Ok(Tool {
        name: need(tool, "name", "a tool has no `name`")?,
        description: opt_string(tool, "description"),
        schema: field(tool, "parameters").cloned(),
        strict: tool.get("strict").and_then(Value::as_bool),
        cache: None,
    })
}

pub(super) fn write_answer(answered: Answered) -> Value {
    let said = match answered {
        Answered::Said(said) => said,
        Answered::Failed(failure) => return chat::write_failure(&failure),
    };
    let Said { id, model, parts, stop, usage } = said;
    let output = parts
        .iter()
        .enumerate()
        .map(|(i, part)| match part {
            Spoken::Text(text) => message_item(&id, i, text, "completed"),
            Spoken::Reasoning(text) => reasoning_item(&id, i, text, "completed"),
            Spoken::Call { id: call, name, arguments } => call_item(&id, i, call, name, arguments, "completed"),
        })
        .collect();
    response(&id, &model, output, Ended::Said(stop, usage))
}

/// How far a response has come.
pub(super) enum Ended<'a> {
    NotYet,
    Said(Stop, Usage),
    Failed(&'a Failure),
}

/// The response object, whole or as the events that frame a stream show it.
pub(super) fn response(id: &str, model: &str, output: Vec<Value>, ended: Ended<'_>) -> Value {
    let mut out = Map::new();
    let (status, details, usage, error) = match ended {
        Ended::NotYet => ("in_progress", Value::Null, Value::Null, Value::Null),
        Ended::Said(Stop::Length, usage) => {
            ("incomplete", json!({ "reason": "max_output_tokens" }), write_usage(usage), Value::Null)
        }
        Ended::Said(Stop::Refused, usage) => {
            ("incomplete", json!({ "reason": "content_filter" }), write_usage(usage), Value::Null)
        }
        Ended::Said(Stop::End | Stop::Tools, usage) => ("completed", Value::Null, write_usage(usage), Value::Null),
        Ended::Failed(failure) => {
            ("failed", Value::Null, Value::Null, json!({ "code": "server_error", "message": failure.message }))
        }
    };
    for (name, value) in [
        ("id", id.into()),
        ("object", "response".into()),
        // The Messages API does not say when.
        ("created_at", 0.into()),
        ("status", status.into()),
        ("error", error),
        ("incomplete_details", details),
        ("model", model.into()),
        ("output", output.into()),
        // Required by the clients' types; what was asked is not known here.
        ("parallel_tool_calls", true.into()),
        ("tool_choice", "auto".into()),
        ("tools", json!([])),
        ("usage", usage),
    ] {
        out.insert(name.to_owned(), value);
    }
    out.into()
}

pub(super) fn message_item(id: &str, index: usize, text: &str, status: &str) -> Value {
    let content = if status == "in_progress" { json!([]) } else { json!([text_part(text)]) };
    json!({ "type": "message", "id": item_id(id, index), "status": status, "role": "assistant", "content": content })
}

pub(super) fn text_part(text: &str) -> Value {
    json!({ "type": "output_text", "text": text, "annotations": [], "logprobs": [] })
}

pub(super) fn reasoning_item(id: &str, index: usize, text: &str, status: &str) -> Value {
    let content = if status == "in_progress" { json!([]) } else { json!([reasoning_part(text)]) };
    json!({ "type": "reasoning", "id": item_id(id, index), "status": status, "summary": [], "content": content })
}

pub(super) fn reasoning_part(text: &str) -> Value {
    json!({ "type": "reasoning_text", "text": text })
}

pub(super) fn call_item(id: &str, index: usize, call: &str, name: &str, arguments: &str, status: &str) -> Value {
    json!({
        "type": "function_call",
        "id": item_id(id, index),
        "call_id": call,
        "name": name,
        "arguments": arguments,
        "status": status,
    })
}

/// Items have ids of their own; the place in the response makes one.
pub(super) fn item_id(id: &str, index: usize) -> String {
    format!("{id}_{index}")
}

fn write_usage(usage: Usage) -> Value {
    json!({
        "input_tokens": usage.input,
        "input_tokens_details": { "cached_tokens": usage.cached, "cache_write_tokens": usage.written },
        "output_tokens": usage.output,
        "output_tokens_details": { "reasoning_tokens": usage.reasoning },
        "total_tokens": usage.input.saturating_add(usage.output),
    })
}
