//! OpenAI's `POST /v1/completions`, as far as a provider of conversations can serve it: one prompt, one text.

use serde_json::{Value, json};

use super::{
    TranslateError, chat,
    pivot::{ANTHROPIC_ONLY, Answered, Asked, Role, Spoken, Stop, Turn, field, keep, model, opt_string, strings, text},
};

/// What OpenAI takes `max_tokens` to be when it is left out.
const DEFAULT_MAX_TOKENS: u64 = 16;

pub(super) fn read_ask(body: &Value) -> Result<Asked, TranslateError> {
    let many = |name: &str| body.get(name).and_then(Value::as_u64).is_some_and(|n| n != 1);
    if many("n") || many("best_of") {
        return Err(TranslateError::caller("the model's provider gives one choice only; leave out `n` and `best_of`"));
    }
    if field(body, "suffix").is_some() || body["echo"] == true {
        return Err(TranslateError::caller("the model's provider does not take `suffix` or `echo`"));
    }
    let prompt = match field(body, "prompt") {
        Some(Value::String(prompt)) => prompt,
        Some(Value::Array(prompts)) => match prompts.as_slice() {
            [Value::String(prompt)] => prompt,
            _ => return Err(TranslateError::caller("the model's provider takes one prompt of text only")),
        },
        _ => return Err(TranslateError::caller("`prompt` must be a string")),
    };
    Ok(Asked {
        model: model(body)?,
        turns: vec![Turn { role: Role::User, parts: vec![text(prompt)] }],
        max_tokens: Some(body.get("max_tokens").and_then(Value::as_u64).unwrap_or(DEFAULT_MAX_TOKENS)),
        temperature: body.get("temperature").and_then(Value::as_f64),
        top_p: body.get("top_p").and_then(Value::as_f64),
        stop: strings(body.get("stop")),
        stream: body.get("stream").and_then(Value::as_bool).unwrap_or(false),
        user: opt_string(body, "user"),
        kept: keep(body, ANTHROPIC_ONLY),
        ..Asked::default()
    })
}

pub(super) fn write_answer(answered: Answered) -> Value {
    let said = match answered {
        Answered::Said(said) => said,
        Answered::Failed(failure) => return chat::write_failure(&failure),
    };
    let text: String =
        said.parts.iter().map(|part| if let Spoken::Text(text) = part { text.as_str() } else { "" }).collect();
    json!({
        "id": said.id,
        "object": "text_completion",
        "created": 0,
        "model": said.model,
        "choices": [{ "index": 0, "text": text, "logprobs": null, "finish_reason": stop_word(said.stop) }],
        "usage": chat::write_usage(said.usage),
    })
}

/// No tools here, so no `tool_calls` either.
pub(super) const fn stop_word(stop: Stop) -> &'static str {
    match stop {
        Stop::End | Stop::Tools => "stop",
        Stop::Length => "length",
        Stop::Refused => "content_filter",
    }
}
