//! The smallest useful exchange, for tests whose subject is something else.

use serde_json::{Value, json};

/// A chat request with one message of a user, for model `m`.
#[must_use]
pub fn chat_ask(text: &str) -> Value {
    json!({"model": "m", "messages": [{"role": "user", "content": text}]})
}

/// A chat answer with this text.
#[must_use]
pub fn chat_answer(text: &str) -> Value {
    json!({
        "id": "chatcmpl-1", "object": "chat.completion", "created": 1, "model": "m",
        "choices": [{"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2}
    })
}
