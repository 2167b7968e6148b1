//! What the gateway itself says, in the words of the API the caller speaks: refusals, the event that ends a stream, the list of models.
//!
//! Invariant: nothing here is taken from a prompt, an answer or a rule; a caller learns the code, its public message and the
//! request's id. The shapes are the ones that make the official clients raise their usual exceptions (checked with PyPI
//! `openai` 3.54.0 and `anthropic` 2.12.0, npm `openai` 6.49.0 and `@anthropic-ai/sdk` 1.12.0):
//!
//! - The exception of a whole answer follows from the HTTP status alone; `error.code`, `error.type` and `error.message` are read
//!   from the body. The request id they show comes from a header: `x-request-id` (OpenAI), `request-id` (Anthropic).
//! - In a stream the OpenAI clients raise on any event whose data has a truthy `error` member, whatever its `event:` line says, in
//!   the Responses API too. A bare `event: error` without that member is handed to the program as an ordinary event, and a stream
//!   that merely ends is taken for a complete answer.
//! - The Anthropic clients ignore every event without an `event:` line and raise on `event: error`.

use std::sync::Arc;

use bytes::Bytes;
use countersign_core::{Code, Format, RequestId};
use serde_json::{Value, json};

/// A refusal as a whole answer: the HTTP status and the JSON body.
///
/// OpenAI's shape is `{"error":{"message","type","param":null,"code"}}`, Anthropic's
/// `{"type":"error","error":{"type","message"},"request_id"}`. Codes that only the command line knows become status 500.
#[must_use]
pub fn refusal(format: Format, code: Code, request: RequestId) -> (u16, Bytes) {
    let body = if format.is_anthropic() {
        anthropic_error(code, request)
    } else {
        json!({ "error": openai_error(code, request) })
    };
    (status(code), body.to_string().into())
}

/// The gateway as a resource that tokens of `issuers` open (RFC 9728, section 2). Proofs of possession are signed with one of
/// `algorithms`.
#[must_use]
pub fn resource(url: &str, issuers: &[&str], algorithms: &[&str]) -> Bytes {
    let metadata = json!({
        "resource": url,
        "authorization_servers": issuers,
        "bearer_methods_supported": ["header"],
        "tls_client_certificate_bound_access_tokens": true,
        "dpop_signing_alg_values_supported": algorithms,
    });
    metadata.to_string().into()
}

/// The event that ends a stream already begun, blank line included. Nothing may follow it, `[DONE]` least of all.
#[must_use]
pub fn refusal_event(format: Format, code: Code, request: RequestId) -> Bytes {
    match format {
        Format::Messages | Format::CountTokens => {
            format!("event: error\ndata: {}\n\n", anthropic_error(code, request)).into()
        }
        // The documented event has `code`, `message` and `param` at the top; the clients raise on `error`. It carries both.
        // Its place in the stream is not known here, and clients do not check the order: the number is only required to be one.
        Format::Responses => {
            let error = openai_error(code, request);
            let event = json!({
                "type": "error",
                "sequence_number": 0,
                "code": error["code"],
                "message": error["message"],
                "param": null,
                "error": error,
            });
            format!("event: error\ndata: {event}\n\n").into()
        }
        Format::Chat | Format::Completions | Format::Embeddings | Format::Models => {
            format!("data: {}\n\n", json!({ "error": openai_error(code, request) })).into()
        }
    }
}

/// The list of models a caller may use: name and Unix time of creation in seconds, in the order given.
#[must_use]
pub fn models(format_is_anthropic: bool, models: &[(Arc<str>, u64)]) -> Bytes {
    let body = if format_is_anthropic {
        let data: Vec<Value> = models
            .iter()
            .map(|(id, created)| {
                json!({
                    "type": "model",
                    "id": id,
                    "display_name": id,
                    "created_at": rfc3339(*created),
                    "lifecycle": "active",
                })
            })
            .collect();
        json!({
            "data": data,
            "has_more": false,
            "first_id": models.first().map(|(id, _)| id),
            "last_id": models.last().map(|(id, _)| id),
        })
    } else {
        let data: Vec<Value> = models
            .iter()
            .map(|(id, created)| json!({ "id": id, "object": "model", "created": created, "owned_by": "countersign" }))
            .collect();
        json!({ "object": "list", "data": data })
    };
    body.to_string().into()
}

fn status(code: Code) -> u16 {
    match code.status() {
        0 => 500,
        status => status,
    }
}

fn message(code: Code, request: RequestId) -> String {
    format!("{} ({}, {request})", code.message(), code.id())
}

fn openai_error(code: Code, request: RequestId) -> Value {
    let kind = match status(code) {
        408 | 500.. => "server_error",
        429 => "rate_limit_error",
        _ => "invalid_request_error",
    };
    json!({ "message": message(code, request), "type": kind, "param": null, "code": openai_code(code) })
}

/// OpenAI's own code where it has one that programs look for; ours otherwise.
fn openai_code(code: Code) -> &'static str {
    match code {
        Code::PromptRefused | Code::AnswerRefused | Code::ToolRefused => "content_filter",
        Code::NoCredential | Code::BadCredential | Code::ExpiredCredential | Code::RevokedCredential => {
            "invalid_api_key"
        }
        Code::RateLimited | Code::ProviderLimited => "rate_limit_exceeded",
        Code::NoSuchModel => "model_not_found",
        other => other.slug(),
    }
}

fn anthropic_error(code: Code, request: RequestId) -> Value {
    json!({
        "type": "error",
        "error": { "type": anthropic_type(code), "message": message(code, request) },
        "request_id": request.to_string(),
    })
}

/// Anthropic's error type. A refusal of content is a matter of permission: its `invalid_request_error` would tell programs to
/// mend the request's form.
fn anthropic_type(code: Code) -> &'static str {
    match (code, status(code)) {
        (Code::PromptRefused | Code::AnswerRefused, _) | (_, 403) => "permission_error",
        (Code::Overloaded | Code::ProviderDown | Code::ShuttingDown, _) => "overloaded_error",
        (_, 401) => "authentication_error",
        (_, 404) => "not_found_error",
        (_, 408 | 504) => "timeout_error",
        (_, 413) => "request_too_large",
        (_, 429) => "rate_limit_error",
        (_, 500..) => "api_error",
        _ => "invalid_request_error",
    }
}

/// Seconds since the epoch as RFC 3339 in UTC. Days become a date as in H. Hinnant, "chrono-compatible low-level date algorithms".
fn rfc3339(seconds: u64) -> String {
    // The year 9999 is the last that RFC 3339 can write.
    let seconds = seconds.min(253_402_300_799);
    let (days, rest) = (seconds / 86_400, seconds % 86_400);
    let shifted = days + 719_468;
    let (era, day_of_era) = (shifted / 146_097, shifted % 146_097);
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 { shifted_month + 3 } else { shifted_month - 9 };
    let year = era * 400 + year_of_era + u64::from(month <= 2);
    format!("{year:04}-{month:02}-{day:02}T{:02}:{:02}:{:02}Z", rest / 3_600, rest / 60 % 60, rest % 60)
}

#[cfg(test)]
mod tests;
