//! A provider that fails in every way, and tells everything it knows while it does.

use countersign_testkit::{Asked, Gate, Reply, chat_answer, chunked, event_stream};
use serde_json::{Value, json};

use crate::{ANSWER, CARD, PERSON, PROMPT, PROVIDER_KEY, SEALED_KEY};

/// Ways of a provider to fail a whole answer.
pub(crate) const WAYS: [&str; 14] =
    ["400", "401", "403", "404", "413", "422", "429", "500", "503", "html", "garbage", "short", "reset", "late"];

/// What the provider does, as the prompt says.
pub(crate) fn reply(asked: &Asked, gates: &[Gate; 2]) -> Reply {
    let text = asked.text();
    let word = text.split("Please ").nth(1).and_then(|rest| rest.split(':').next()).unwrap_or("fine");
    // A provider that fails tells everything it knows.
    let tale = format!("{ANSWER} {PROMPT} {PERSON} {CARD} {PROVIDER_KEY} {SEALED_KEY}");
    let error = json!({"type": "error", "error": {"type": "invalid_request_error", "code": tale, "message": tale}});
    let head = format!("HTTP/1.1 200 {ANSWER}\r\nx-tale: {tale}\r\n");
    let begun = format!("data: {}\n\n", chunk("once upon a time there was "));
    let stream = |last: &str| Reply::raw(event_stream()).send(chunked(begun.as_bytes())).send(chunked(last.as_bytes()));
    match word {
        "blab" => Reply::json(200, &answer(&format!("The card is {CARD}. {ANSWER}"))),
        "stream-blab" => Reply::events([
            begun,
            format!("data: {}\n\n", chunk(&format!("the card {CARD} "))),
            "data: [DONE]\n\n".into(),
        ]),
        "html" => Reply::raw(format!("{head}content-type: text/html\r\ncontent-length: {}\r\n\r\n{tale}", tale.len())),
        "garbage" => {
            Reply::raw(format!("{head}content-type: application/json\r\ncontent-length: {}\r\n\r\n{tale}", tale.len()))
        }
        "short" => {
            Reply::raw(format!("{head}content-type: application/json\r\ncontent-length: 9999\r\n\r\n{{\"a\":\"{tale}"))
                .close()
        }
        "reset" => Reply::raw(head).reset(),
        "late" | "gone" => Reply::new().until_gone(&gates[0]),
        "stream-gone" => Reply::raw(event_stream()).send(chunked(begun.repeat(40).as_bytes())).until_gone(&gates[1]),
        "stream-reset" => stream(&begun.repeat(40)).reset(),
        "stream-error" => stream(&format!("{}data: {error}\n\n", begun.repeat(40))).close(),
        "stream-garbage" => stream(&format!("{}data: {{\"{tale}\n\n", begun.repeat(40))).close(),
        "stream-short" => stream(&begun.repeat(40)).close(),
        word => match word.parse() {
            Ok(status) => Reply::json(status, &error),
            Err(_) => Reply::json(200, &answer(ANSWER)),
        },
    }
}

/// A whole answer that callers of both APIs can read.
pub(crate) fn answer(text: &str) -> Value {
    let mut answer = chat_answer(text);
    answer["content"] = json!([{"type": "text", "text": text}]);
    answer
}

fn chunk(text: &str) -> Value {
    json!({"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "m",
           "choices": [{"index": 0, "delta": {"content": text}, "finish_reason": null}]})
}
