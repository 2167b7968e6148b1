//! Anthropic's `POST /v1/messages`.

use serde_json::{Map, Value, json};

use super::{
    TranslateError,
    pivot::{
        Answered, Asked, Choice, Effort, Failure, OPENAI_ONLY, Part, Role, Said, Shape, Source, Spoken, Stop, Tool,
        Turn, Usage, arguments_object, count, field, keep, list, model, need, opt_string, put, str_of, string, strings,
        text,
    },
};

/// Anthropic requires a bound; OpenAI does not. The largest every model of theirs accepts.
const DEFAULT_MAX_TOKENS: u64 = 4096;

/// OpenAI's JSON mode without a schema, which Anthropic has no switch for.
const JSON_INSTRUCTION: &str = "Answer with one valid JSON object and nothing else.";

pub(super) fn read_ask(body: &Value) -> Result<Asked, TranslateError> {
    if !list(body, "mcp_servers").is_empty() {
        return Err(TranslateError::caller("the model's provider does not connect to MCP servers"));
    }
    let mut turns = Vec::new();
    if let Some(system) = field(body, "system") {
        turns.push(Turn { role: Role::System, parts: read_parts(system)? });
    }
    let messages =
        body.get("messages").and_then(Value::as_array).ok_or(TranslateError::caller("`messages` must be an array"))?;
    for message in messages {
        let role = match str_of(message, "role") {
            "user" => Role::User,
            "assistant" => Role::Assistant,
            "system" => Role::System,
            _ => return Err(TranslateError::caller("a message has a role that the Messages API does not know")),
        };
        let content = field(message, "content").ok_or(TranslateError::caller("a message has no content"))?;
        turns.push(Turn { role, parts: read_parts(content)? });
    }
    let choice = field(body, "tool_choice");
    let output = field(body, "output_config");
    Ok(Asked {
        model: model(body)?,
        turns,
        tools: list(body, "tools").iter().map(read_tool).collect::<Result<_, _>>()?,
        choice: choice.map(read_choice).transpose()?,
        parallel: choice.and_then(|c| c.get("disable_parallel_tool_use")).and_then(Value::as_bool).map(|no| !no),
        max_tokens: body.get("max_tokens").and_then(Value::as_u64),
        temperature: body.get("temperature").and_then(Value::as_f64),
        top_p: body.get("top_p").and_then(Value::as_f64),
        stop: strings(body.get("stop_sequences")),
        stream: body.get("stream").and_then(Value::as_bool).unwrap_or(false),
        user: field(body, "metadata").and_then(|m| opt_string(m, "user_id")),
        effort: output.and_then(|o| Effort::read(str_of(o, "effort"))),
        shape: output
            .and_then(|o| field(o, "format"))
            .and_then(|f| f.get("schema"))
            .map(|schema| Shape::Schema { name: None, schema: schema.clone() }),
        kept: keep(body, OPENAI_ONLY),
    })
}

fn read_parts(content: &Value) -> Result<Vec<Part>, TranslateError> {
    match content {
        Value::String(one) => Ok(vec![text(one)]),
        Value::Array(blocks) => {
            let mut parts = Vec::with_capacity(blocks.len());
            for block in blocks {
                read_block(block, &mut parts)?;
            }
            Ok(parts)
        }
        _ => Err(TranslateError::caller("content must be a string or an array of blocks")),
    }
}

fn read_block(block: &Value, parts: &mut Vec<Part>) -> Result<(), TranslateError> {
    match str_of(block, "type") {
        "text" => parts.push(Part::Text { text: string(block, "text"), cache: field(block, "cache_control").cloned() }),
        "image" => parts.push(Part::Image(read_source(block)?)),
        "document" => {
            let source = field(block, "source").unwrap_or(&Value::Null);
            match str_of(source, "type") {
                "text" => parts.push(text(str_of(source, "data"))),
                "content" => parts.extend(read_parts(source.get("content").unwrap_or(&Value::Null))?),
                "base64" => parts.push(Part::File { source: read_source(block)?, name: opt_string(block, "title") }),
                _ => return Err(TranslateError::caller("the model's provider takes documents only by value")),
            }
        }
        "search_result" => parts.extend(read_parts(block.get("content").unwrap_or(&Value::Null))?),
        "tool_use" => parts.push(Part::Call {
            id: need(block, "id", "a `tool_use` block has no `id`")?,
            name: need(block, "name", "a `tool_use` block has no `name`")?,
            arguments: field(block, "input").map_or_else(|| "{}".to_owned(), Value::to_string),
        }),
        "tool_result" => parts.push(Part::Result {
            id: need(block, "tool_use_id", "a `tool_result` block has no `tool_use_id`")?,
            parts: field(block, "content").map_or_else(|| Ok(Vec::new()), read_parts)?,
        }),
        // Signed by Anthropic for Anthropic; another provider has no use for them and may refuse the field.
        "thinking" | "redacted_thinking" => {}
        _ => return Err(TranslateError::caller("the model's provider has no content block of this type")),
    }
    Ok(())
}

fn read_source(block: &Value) -> Result<Source, TranslateError> {
    let source = field(block, "source").unwrap_or(&Value::Null);
    match str_of(source, "type") {
        "base64" => Ok(Source::Data { media: string(source, "media_type"), data: string(source, "data") }),
        "url" => Ok(Source::Url(string(source, "url"))),
        _ => Err(TranslateError::caller("the model's provider takes images only by value or by URL")),
    }
}

fn read_tool(tool: &Value) -> Result<Tool, TranslateError> {
    if !matches!(str_of(tool, "type"), "" | "custom") {
        return Err(TranslateError::caller("the model's provider has no built-in tool of this type"));
    }
    Ok(Tool {
        name: need(tool, "name", "a tool has no `name`")?,
        description: opt_string(tool, "description"),
        schema: field(tool, "input_schema").cloned(),
        strict: tool.get("strict").and_then(Value::as_bool),
        cache: None,
    })
}

fn read_choice(choice: &Value) -> Result<Choice, TranslateError> {
    Ok(match str_of(choice, "type") {
        "auto" => Choice::Auto,
        "any" => Choice::Any,
        "none" => Choice::Never,
        "tool" => Choice::Tool(need(choice, "name", "`tool_choice` has no `name`")?),
        _ => return Err(TranslateError::caller("`tool_choice` is of a type that the Messages API does not know")),
    })
}

pub(super) fn write_ask(asked: Asked) -> Value {
    let mut system: Vec<Value> = Vec::new();
    let mut messages: Vec<(Role, Vec<Value>)> = Vec::new();
    for turn in asked.turns {
        let blocks = turn.parts.into_iter().filter_map(write_part);
        match messages.last_mut() {
            // Instructions stand apart from the conversation; a developer message in its middle moves to the top.
            _ if turn.role == Role::System => system.extend(blocks),
            // Results of one round of calls are separate messages elsewhere and must be one here.
            Some((role, content)) if *role == turn.role => content.extend(blocks),
            _ => messages.push((turn.role, blocks.collect())),
        }
    }
    if matches!(asked.shape, Some(Shape::Json)) {
        system.push(json!({ "type": "text", "text": JSON_INSTRUCTION }));
    }

    let mut out = Map::new();
    out.insert("model".to_owned(), asked.model.into());
    out.insert("max_tokens".to_owned(), asked.max_tokens.unwrap_or(DEFAULT_MAX_TOKENS).into());
    put(&mut out, "system", (!system.is_empty()).then_some(system));
    let messages: Vec<Value> = messages
        .into_iter()
        .filter(|(_, content)| !content.is_empty())
        .map(|(role, mut content)| {
            // Required order: what tools returned comes before what is said about it.
            content.sort_by_key(|block| block["type"] != "tool_result");
            json!({ "role": if role == Role::User { "user" } else { "assistant" }, "content": content })
        })
        .collect();
    out.insert("messages".to_owned(), messages.into());
    // OpenAI's scale ends at 2.
    put(&mut out, "temperature", asked.temperature.map(|t| t.min(1.0)));
    put(&mut out, "top_p", asked.top_p);
    put(&mut out, "stop_sequences", (!asked.stop.is_empty()).then_some(asked.stop));
    put(&mut out, "stream", asked.stream.then_some(true));
    put(&mut out, "metadata", asked.user.map(|id| json!({ "user_id": id })));
    if !asked.tools.is_empty() {
        put(&mut out, "tool_choice", write_choice(asked.choice.as_ref(), asked.parallel));
        out.insert("tools".to_owned(), asked.tools.into_iter().map(write_tool).collect());
    }
    let mut output = Map::new();
    match asked.effort {
        None => {}
        Some(Effort::None) => put(&mut out, "thinking", Some(json!({ "type": "disabled" }))),
        Some(Effort::Minimal) => put(&mut output, "effort", Some(Effort::Low.as_str())),
        Some(effort) => put(&mut output, "effort", Some(effort.as_str())),
    }
    if let Some(Shape::Schema { schema, .. }) = asked.shape {
        output.insert("format".to_owned(), json!({ "type": "json_schema", "schema": schema }));
    }
    put(&mut out, "output_config", (!output.is_empty()).then_some(output));
    out.extend(asked.kept);
    out.into()
}

/// A content block; none for empty text, which the Messages API refuses.
fn write_part(part: Part) -> Option<Value> {
    Some(match part {
        Part::Text { text, .. } if text.is_empty() => return None,
        Part::Text { text, cache } => {
            let mut block = Map::new();
            block.insert("type".to_owned(), "text".into());
            block.insert("text".to_owned(), text.into());
            put(&mut block, "cache_control", cache);
            block.into()
        }
        Part::Image(source) => json!({ "type": "image", "source": write_source(source) }),
        Part::File { source, name } => {
            let mut block = Map::new();
            block.insert("type".to_owned(), "document".into());
            block.insert("source".to_owned(), write_source(source));
            put(&mut block, "title", name);
            block.into()
        }
        Part::Call { id, name, arguments } => {
            json!({ "type": "tool_use", "id": tool_id(&id), "name": name, "input": arguments_object(&arguments) })
        }
        Part::Result { id, parts } => {
            let content: Vec<Value> = parts.into_iter().filter_map(write_part).collect();
            json!({ "type": "tool_result", "tool_use_id": tool_id(&id), "content": content })
        }
    })
}

fn write_source(source: Source) -> Value {
    match source {
        Source::Data { media, data } => json!({ "type": "base64", "media_type": media, "data": data }),
        Source::Url(url) => json!({ "type": "url", "url": url }),
    }
}

/// Anthropic takes `[A-Za-z0-9_-]` in ids; some servers put dots and colons in theirs.
fn tool_id(id: &str) -> String {
    id.chars().map(|c| if c.is_ascii_alphanumeric() || c == '-' { c } else { '_' }).collect()
}

fn write_tool(tool: Tool) -> Value {
    let mut schema = match tool.schema {
        Some(Value::Object(schema)) => schema,
        _ => Map::new(),
    };
    schema.entry("type").or_insert_with(|| "object".into());
    let mut out = Map::new();
    out.insert("name".to_owned(), tool.name.into());
    put(&mut out, "description", tool.description);
    out.insert("input_schema".to_owned(), schema.into());
    put(&mut out, "strict", tool.strict);
    put(&mut out, "cache_control", tool.cache);
    out.into()
}

fn write_choice(choice: Option<&Choice>, parallel: Option<bool>) -> Option<Value> {
    let mut out = match choice {
        Some(Choice::Never) => return Some(json!({ "type": "none" })),
        Some(Choice::Any) => json!({ "type": "any" }),
        Some(Choice::Tool(name)) => json!({ "type": "tool", "name": name }),
        Some(Choice::Auto) => json!({ "type": "auto" }),
        None if parallel == Some(false) => json!({ "type": "auto" }),
        None => return None,
    };
    if parallel == Some(false) {
        out["disable_parallel_tool_use"] = true.into();
    }
    Some(out)
}

pub(super) fn read_answer(body: &Value) -> Result<Answered, TranslateError> {
    if let Some(error) = field(body, "error") {
        return Ok(Answered::Failed(read_failure(error)));
    }
    let blocks =
        body.get("content").and_then(Value::as_array).ok_or(TranslateError::provider("the answer has no content"))?;
    let parts = blocks
        .iter()
        .filter_map(|block| {
            Some(match str_of(block, "type") {
                "text" => Spoken::Text(string(block, "text")),
                "thinking" => Spoken::Reasoning(string(block, "thinking")),
                "tool_use" => Spoken::Call {
                    id: string(block, "id"),
                    name: string(block, "name"),
                    arguments: field(block, "input").map_or_else(|| "{}".to_owned(), Value::to_string),
                },
                _ => return None,
            })
        })
        .collect();
    let mut usage = Usage::default();
    read_usage(body, &mut usage);
    Ok(Answered::Said(Said {
        id: string(body, "id"),
        model: string(body, "model"),
        parts,
        stop: read_stop(str_of(body, "stop_reason")),
        usage,
    }))
}

pub(super) fn read_failure(error: &Value) -> Failure {
    Failure { kind: string(error, "type"), message: string(error, "message") }
}

pub(super) fn read_stop(reason: &str) -> Stop {
    match reason {
        "max_tokens" | "model_context_window_exceeded" => Stop::Length,
        "tool_use" => Stop::Tools,
        "refusal" => Stop::Refused,
        _ => Stop::End,
    }
}

/// Takes in the `usage` of a message or an event. Counts are cumulative; what an event leaves out stays as it was.
pub(super) fn read_usage(of: &Value, usage: &mut Usage) {
    let Some(from) = field(of, "usage") else { return };
    if let Some(fresh) = from.get("input_tokens").and_then(Value::as_u64) {
        usage.cached = count(from, "cache_read_input_tokens");
        usage.written = count(from, "cache_creation_input_tokens");
        usage.input = fresh.saturating_add(usage.cached).saturating_add(usage.written);
    }
    if let Some(output) = from.get("output_tokens").and_then(Value::as_u64) {
        usage.output = output;
    }
    if let Some(details) = field(from, "output_tokens_details") {
        usage.reasoning = count(details, "thinking_tokens");
    }
}

pub(super) fn write_answer(answered: Answered) -> Value {
    let said = match answered {
        Answered::Said(said) => said,
        Answered::Failed(failure) => return write_failure(&failure),
    };
    let content: Vec<Value> = said
        .parts
        .into_iter()
        .map(|part| match part {
            Spoken::Text(text) => json!({ "type": "text", "text": text }),
            Spoken::Reasoning(text) => json!({ "type": "thinking", "thinking": text, "signature": "" }),
            Spoken::Call { id, name, arguments } => {
                json!({ "type": "tool_use", "id": id, "name": name, "input": arguments_object(&arguments) })
            }
        })
        .collect();
    json!({
        "id": said.id,
        "type": "message",
        "role": "assistant",
        "model": said.model,
        "content": content,
        "stop_reason": stop_word(said.stop),
        "stop_sequence": null,
        "usage": write_usage(said.usage),
    })
}

/// The error, under a type that Anthropic's clients know.
pub(super) fn write_failure(failure: &Failure) -> Value {
    let kind = match failure.kind.as_str() {
        known @ ("invalid_request_error"
        | "authentication_error"
        | "permission_error"
        | "not_found_error"
        | "rate_limit_error"
        | "timeout_error"
        | "overloaded_error") => known,
        _ => "api_error",
    };
    json!({ "type": "error", "error": { "type": kind, "message": failure.message } })
}

pub(super) const fn stop_word(stop: Stop) -> &'static str {
    match stop {
        Stop::End => "end_turn",
        Stop::Length => "max_tokens",
        Stop::Tools => "tool_use",
        Stop::Refused => "refusal",
    }
}

pub(super) fn write_usage(usage: Usage) -> Value {
    json!({
        "input_tokens": usage.input.saturating_sub(usage.cached).saturating_sub(usage.written),
        "cache_creation_input_tokens": usage.written,
        "cache_read_input_tokens": usage.cached,
        "output_tokens": usage.output,
    })
}
