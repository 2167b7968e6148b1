use countersign_core::Timestamp;

use super::*;

fn request() -> RequestId {
    RequestId::new(Timestamp(1_700_000_000_000_000), [7; 10])
}

fn parsed(bytes: &[u8]) -> Value {
    serde_json::from_slice(bytes).unwrap()
}

fn data(event: &[u8]) -> Value {
    let text = std::str::from_utf8(event).unwrap();
    assert!(text.ends_with("\n\n"));
    parsed(text.lines().find_map(|l| l.strip_prefix("data: ")).unwrap().as_bytes())
}

#[test]
fn every_code_in_every_format_says_its_public_message_and_nothing_else() {
    for format in Format::ALL {
        for code in Code::ALL {
            let (status, body) = refusal(format, *code, request());
            assert!((400..600).contains(&status));
            let body = parsed(&body);
            let expected = format!("{} ({}, {})", code.message(), code.id(), request());
            assert_eq!(body["error"]["message"], Value::String(expected), "{format:?} {code:?}");
            let event = refusal_event(format, *code, request());
            assert_eq!(data(&event)["error"], body["error"]);
            assert_eq!(event.windows(2).filter(|w| w == b"\n\n").count(), 1);
        }
    }
}

#[test]
fn content_refusals_have_the_shape_each_api_uses() {
    let (status, body) = refusal(Format::Chat, Code::PromptRefused, request());
    assert_eq!((status, &parsed(&body)["error"]["code"]), (400, &json!("content_filter")));
    let (status, body) = refusal(Format::Messages, Code::AnswerRefused, request());
    let body = parsed(&body);
    assert_eq!((status, &body["error"]["type"]), (403, &json!("permission_error")));
    assert_eq!((&body["type"], &body["request_id"]), (&json!("error"), &json!(request().to_string())));
}

#[test]
fn a_guard_that_failed_is_not_called_a_content_filter() {
    let (status, body) = refusal(Format::Chat, Code::GuardFailed, request());
    assert_eq!((status, &parsed(&body)["error"]["code"]), (503, &json!("guard-failed")));
}

#[test]
fn anthropic_events_carry_an_event_line_and_openai_events_an_error_member() {
    assert!(refusal_event(Format::Messages, Code::AnswerRefused, request()).starts_with(b"event: error\ndata: {"));
    assert!(refusal_event(Format::Chat, Code::AnswerRefused, request()).starts_with(b"data: {\"error\":{"));
    let event = data(&refusal_event(Format::Responses, Code::AnswerRefused, request()));
    assert_eq!((&event["type"], &event["code"]), (&json!("error"), &json!("content_filter")));
    assert!(event["sequence_number"].is_u64() && event["error"].is_object());
}

#[test]
fn models_are_listed_in_both_shapes() {
    let list = [(Arc::from("small"), 0), (Arc::from("la\"rge"), 1_709_210_096)];
    let openai = parsed(&models(false, &list));
    assert_eq!(
        openai["data"][1],
        json!({"id": "la\"rge", "object": "model", "created": 1_709_210_096, "owned_by": "countersign"})
    );
    let anthropic = parsed(&models(true, &list));
    assert_eq!(anthropic["data"][0]["created_at"], "1970-01-01T00:00:00Z");
    assert_eq!(anthropic["data"][1]["created_at"], "2024-02-29T12:34:56Z");
    assert_eq!((&anthropic["first_id"], &anthropic["last_id"]), (&json!("small"), &json!("la\"rge")));
    assert_eq!(parsed(&models(true, &[]))["first_id"], Value::Null);
}

#[test]
fn the_end_of_time_is_still_a_date() {
    assert_eq!(rfc3339(u64::MAX), "9999-12-31T23:59:59Z");
    assert_eq!(rfc3339(951_782_399), "2000-02-28T23:59:59Z");
    assert_eq!(rfc3339(4_107_542_400), "2100-03-01T00:00:00Z");
}
