use bytes::BytesMut;
use proptest::{collection::vec, prelude::*};
use serde_json::json;

use super::*;

fn to_messages(body: &Value) -> Result<Value, TranslateError> {
    ask(Format::Chat, Format::Messages, body.to_string().as_bytes()).map(|b| serde_json::from_slice(&b).unwrap())
}

fn to_chat(body: &Value) -> Result<Value, TranslateError> {
    ask(Format::Messages, Format::Chat, body.to_string().as_bytes()).map(|b| serde_json::from_slice(&b).unwrap())
}

#[test]
fn a_way_is_offered_exactly_where_there_is_one() {
    for caller in Format::ALL {
        for dialect in [Dialect::OpenAi, Dialect::Anthropic] {
            let Some(provider) = can(caller, dialect) else { continue };
            assert!(caller == provider || way(caller, provider).is_ok(), "{caller:?} {provider:?}");
            assert_eq!(provider.is_anthropic(), dialect == Dialect::Anthropic);
        }
    }
    assert_eq!(can(Format::CountTokens, Dialect::OpenAi), None);
    assert_eq!(can(Format::Embeddings, Dialect::Anthropic), None);
    let nowhere = ask(Format::Embeddings, Format::Messages, b"{}").unwrap_err();
    assert_eq!(nowhere.code(), Code::Internal);
}

#[test]
fn the_same_format_passes_byte_for_byte() {
    let body = b" {\"odd\" : 1}\n";
    assert_eq!(ask(Format::Chat, Format::Chat, body).unwrap(), body.as_slice());
    assert_eq!(answer(Format::Messages, Format::Messages, body).unwrap(), body.as_slice());
    let mut out = BytesMut::new();
    let mut stream = Stream::new(Format::Chat, Format::Chat);
    stream.push(b": note\r\ndata: x\r\n\r\n", &mut out).unwrap();
    stream.finish(&mut out);
    assert_eq!(out, b": note\r\ndata: x\r\n\r\n".as_slice());
}

#[test]
fn what_would_change_the_meaning_is_refused_as_the_callers_fault() {
    let hello = json!([{ "role": "user", "content": "Hello" }]);
    for extra in [
        json!({ "n": 2 }),
        json!({ "modalities": ["text", "audio"] }),
        json!({ "functions": [{ "name": "f" }] }),
        json!({ "web_search_options": {} }),
        json!({ "tools": [{ "type": "custom", "custom": { "name": "f" } }] }),
        json!({ "tool_choice": { "type": "allowed_tools" } }),
        json!({ "response_format": { "type": "grammar" } }),
        json!({ "messages": [{ "role": "user", "content": [{ "type": "input_audio" }] }] }),
        json!({ "messages": [{ "role": "user", "content": [{ "type": "file", "file": { "file_id": "f" } }] }] }),
        json!({ "messages": [{ "role": "user", "content": [{ "type": "image_url", "image_url": { "url": "data:,x" } }] }] }),
        json!({ "messages": [{ "role": "function", "content": "x" }] }),
        json!({ "messages": [{ "role": "tool", "content": "x" }] }),
        json!({ "messages": "x" }),
        json!({ "model": 1 }),
    ] {
        let mut body = json!({ "model": "m", "messages": hello });
        body.as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
        assert_eq!(to_messages(&body).unwrap_err().code(), Code::Malformed, "{extra}");
    }
    for extra in [
        json!({ "tools": [{ "type": "web_search_20250305", "name": "web_search" }] }),
        json!({ "mcp_servers": [{ "type": "url" }] }),
        json!({ "messages": [{ "role": "user", "content": [{ "type": "container_upload" }] }] }),
        json!({ "messages": [{ "role": "user", "content": [{ "type": "image", "source": { "type": "file" } }] }] }),
        json!({ "messages": [{ "role": "user" }] }),
    ] {
        let mut body = json!({ "model": "m", "max_tokens": 9, "messages": hello });
        body.as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
        assert_eq!(to_chat(&body).unwrap_err().code(), Code::Malformed, "{extra}");
    }
    for body in [
        json!({ "model": "m", "input": "x", "previous_response_id": "resp_1" }),
        json!({ "model": "m", "input": "x", "background": true }),
        json!({ "model": "m", "input": "x", "tools": [{ "type": "web_search" }] }),
        json!({ "model": "m", "input": [{ "type": "computer_call" }] }),
        json!({ "model": "m" }),
    ] {
        let refused = ask(Format::Responses, Format::Messages, body.to_string().as_bytes());
        assert_eq!(refused.unwrap_err().code(), Code::Malformed, "{body}");
    }
    for body in [
        json!({ "model": "m", "prompt": ["a", "b"] }),
        json!({ "model": "m", "prompt": [1, 2] }),
        json!({ "model": "m", "prompt": "a", "suffix": "b" }),
        json!({ "model": "m", "prompt": "a", "echo": true }),
        json!({ "model": "m", "prompt": "a", "best_of": 2 }),
    ] {
        let refused = ask(Format::Completions, Format::Messages, body.to_string().as_bytes());
        assert_eq!(refused.unwrap_err().code(), Code::Malformed, "{body}");
    }
}

#[test]
fn an_answer_that_is_none_is_the_providers_fault() {
    for body in ["", "[]", "{}", "<html>", "{\"choices\":[]}", "{\"content\":1}"] {
        for (from, to) in [(Format::Chat, Format::Messages), (Format::Messages, Format::Chat)] {
            assert_eq!(answer(from, to, body.as_bytes()).unwrap_err().code(), Code::ProviderMalformed, "{body}");
        }
    }
}

fn push_all(from: Format, to: Format, events: &[&str]) -> (Result<(), TranslateError>, String) {
    let mut stream = Stream::new(from, to);
    let mut out = BytesMut::new();
    let result = events.iter().try_for_each(|event| stream.push(event.as_bytes(), &mut out));
    stream.finish(&mut out);
    (result, String::from_utf8(out.to_vec()).unwrap())
}

const START: &str = "data: {\"type\":\"message_start\",\"message\":{\"id\":\"msg_1\",\"model\":\"m\"}}\n\n";

#[test]
fn a_stream_that_breaks_its_format_is_the_providers_fault() {
    let open =
        "data: {\"type\":\"content_block_start\",\"index\":0,\"content_block\":{\"type\":\"text\",\"text\":\"\"}}\n\n";
    let stray =
        "data: {\"type\":\"content_block_delta\",\"index\":1,\"delta\":{\"type\":\"text_delta\",\"text\":\"x\"}}\n\n";
    let misfit = "data: {\"type\":\"content_block_delta\",\"index\":0,\"delta\":{\"type\":\"input_json_delta\",\"partial_json\":\"x\"}}\n\n";
    for events in [&[stray][..], &[START, stray], &[START, open, stray], &[START, open, misfit], &["data: x\n\n"]] {
        let (result, _) = push_all(Format::Messages, Format::Chat, events);
        assert_eq!(result.unwrap_err().code(), Code::ProviderMalformed, "{events:?}");
    }
    let call = |index: u64, id: &str, arguments: &str| {
        let call = json!({ "index": index, "id": id, "function": { "name": "f", "arguments": arguments } });
        format!("data: {}\n\n", json!({ "choices": [{ "index": 0, "delta": { "tool_calls": [call] } }] }))
    };
    let (one, two, more) = (call(0, "a", "{"), call(1, "b", "{"), call(0, "", "}"));
    let (result, _) = push_all(Format::Chat, Format::Messages, &[&one, &two, &more]);
    assert_eq!(result.unwrap_err().code(), Code::ProviderMalformed);
    let (result, _) = push_all(Format::Chat, Format::Messages, &["data: [DONE]\n\n"]);
    assert_eq!(result.unwrap_err().code(), Code::ProviderMalformed);
}

#[test]
fn a_stream_that_broke_off_stays_unfinished() {
    let text = "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"Hi\"}}]}\n\n";
    let (result, out) = push_all(Format::Chat, Format::Messages, &[text]);
    assert!(result.is_ok() && out.contains("Hi") && !out.contains("message_stop"), "{out}");
    let (result, out) = push_all(Format::Messages, Format::Chat, &[START]);
    assert!(result.is_ok() && !out.contains("[DONE]"), "{out}");
}

#[test]
fn nothing_follows_an_error() {
    let error =
        "event: error\ndata: {\"type\":\"error\",\"error\":{\"type\":\"overloaded_error\",\"message\":\"x\"}}\n\n";
    let (result, out) = push_all(
        Format::Messages,
        Format::Chat,
        &[START, error, "data: {\"type\":\"message_stop\"}\n\n", "data: x\n\n"],
    );
    assert!(result.is_ok() && out.trim_end().ends_with("\"code\":null}}"), "{out}");
}

#[test]
fn calls_numbered_alike_are_told_apart_by_their_ids() {
    let call = |id: &str| {
        let call = json!({ "index": 0, "id": id, "function": { "name": "f", "arguments": "{}" } });
        format!("data: {}\n\n", json!({ "choices": [{ "index": 0, "delta": { "tool_calls": [call] } }] }))
    };
    let (result, out) = push_all(Format::Chat, Format::Messages, &[&call("a"), &call("b"), "data: [DONE]\n\n"]);
    assert!(result.is_ok());
    assert_eq!(out.matches("\"type\":\"tool_use\"").count(), 2, "{out}");
}

#[test]
fn data_lines_are_joined_whatever_ends_them() {
    let read = |event: &str| stream::data(event.as_bytes()).map(|d| String::from_utf8(d.into_owned()).unwrap());
    for end in ["\n", "\r", "\r\n"] {
        let event = ["event: x", "data: {\"a\":", ": note", "data:1}", "", ""].join(end);
        assert_eq!(read(&event).as_deref(), Some("{\"a\":\n1}"));
    }
    assert_eq!(read(": ping\n\n"), None);
    assert_eq!(read("data\n\n").as_deref(), Some(""));
}

fn any_text() -> impl Strategy<Value = String> {
    prop_oneof![
        vec(any::<char>(), 0..12).prop_map(String::from_iter),
        Just("\"quoted\" \\ and\u{0}\u{2028}\n".to_owned()),
        Just("data: [DONE]\n\nevent: error".to_owned()),
    ]
}

fn any_arguments() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![any_text().prop_map(Value::from), any::<i64>().prop_map(Value::from), Just(Value::Null)];
    let value = leaf.prop_recursive(3, 12, 3, |inner| vec(inner, 0..3).prop_map(Value::from));
    vec((any_text(), value), 0..3).prop_map(|members| Value::Object(members.into_iter().collect()))
}

/// What a conversation says, in order, without regard to how it is cut up.
fn flat(chat: &Value) -> Vec<(String, String)> {
    let mut out: Vec<(String, String)> = Vec::new();
    let mut say = |who: String, what: &str| match out.last_mut() {
        _ if what.is_empty() => {}
        Some((last, text)) if *last == who => text.push_str(what),
        _ => out.push((who, what.to_owned())),
    };
    for message in chat["messages"].as_array().unwrap() {
        let who = format!("{}{}", message["role"], message["tool_call_id"]);
        match &message["content"] {
            Value::String(text) => say(who, text),
            Value::Array(parts) => parts.iter().for_each(|p| say(who.clone(), p["text"].as_str().unwrap())),
            _ => {}
        }
        for call in message["tool_calls"].as_array().into_iter().flatten() {
            let arguments: Value = serde_json::from_str(call["function"]["arguments"].as_str().unwrap()).unwrap();
            say(format!("call {} {}", call["id"], call["function"]["name"]), &arguments.to_string());
        }
    }
    out
}

proptest! {
    #[test]
    fn text_and_calls_survive_the_way_to_anthropic_and_back(
        system in vec(any_text(), 0..3),
        rounds in vec((any_text(), any_text(), vec((any_arguments(), vec(any_text(), 0..3)), 0..3)), 1..4),
    ) {
        let mut messages: Vec<Value> = system.iter().map(|s| json!({ "role": "system", "content": s })).collect();
        let mut id = 0;
        for (user, assistant, calls) in &rounds {
            messages.push(json!({ "role": "user", "content": user }));
            let first = id;
            let calls_out: Vec<Value> = calls.iter().map(|(arguments, _)| {
                id += 1;
                json!({ "id": format!("call_{id}"), "type": "function",
                        "function": { "name": format!("f{id}"), "arguments": arguments.to_string() } })
            }).collect();
            messages.push(json!({ "role": "assistant", "content": assistant, "tool_calls": calls_out }));
            for (n, (_, results)) in calls.iter().enumerate() {
                let parts: Vec<Value> = results.iter().map(|t| json!({ "type": "text", "text": t })).collect();
                messages.push(json!({ "role": "tool", "tool_call_id": format!("call_{}", first + n + 1), "content": parts }));
            }
        }
        let before = json!({ "model": "m", "messages": messages });
        let after = to_chat(&to_messages(&before).unwrap()).unwrap();
        prop_assert_eq!(flat(&before), flat(&after));
    }

    #[test]
    fn whole_answers_survive_the_way_there_and_back(
        text in any_text(), reasoning in any_text(), calls in vec(any_arguments(), 0..3),
    ) {
        let calls: Vec<Value> = calls.iter().enumerate().map(|(n, arguments)| {
            json!({ "id": format!("c{n}"), "type": "function", "function": { "name": "f", "arguments": arguments.to_string() } })
        }).collect();
        let before = json!({ "id": "x", "model": "m", "choices": [{ "index": 0, "finish_reason": "stop",
            "message": { "role": "assistant", "content": text, "reasoning_content": reasoning, "tool_calls": calls } }] });
        let there = answer(Format::Chat, Format::Messages, before.to_string().as_bytes()).unwrap();
        let back: Value = serde_json::from_slice(&answer(Format::Messages, Format::Chat, &there).unwrap()).unwrap();
        let message = &back["choices"][0]["message"];
        prop_assert_eq!(message["content"].as_str().unwrap_or_default(), text);
        prop_assert_eq!(message["reasoning_content"].as_str().unwrap_or_default(), reasoning);
        prop_assert_eq!(message["tool_calls"].as_array().cloned().unwrap_or_default(), calls);
    }

    #[test]
    fn streams_survive_the_way_there_and_back(steps in vec((0..3_u8, vec(any_text(), 0..4)), 0..6)) {
        let mut said: Vec<(String, String)> = Vec::new();
        let mut events = vec![json!({ "id": "x", "model": "m", "choices": [{ "index": 0, "delta": { "role": "assistant" } }] })];
        let mut chunk = |delta: Value| events.push(json!({ "choices": [{ "index": 0, "delta": delta }] }));
        for (n, (kind, texts)) in steps.iter().enumerate() {
            let who = if *kind == 2 { format!("call{n}") } else { format!("kind{kind}") };
            if *kind == 2 {
                chunk(json!({ "tool_calls": [{ "index": n, "id": who, "function": { "name": "f" } }] }));
            }
            for text in texts {
                chunk(match kind {
                    0 => json!({ "content": text }),
                    1 => json!({ "reasoning_content": text }),
                    _ => json!({ "tool_calls": [{ "index": n, "function": { "arguments": text } }] }),
                });
            }
            let mut all = texts.concat();
            if *kind == 2 && all.is_empty() {
                all.push_str("{}");
            }
            match said.last_mut() {
                _ if all.is_empty() => {}
                Some((last, text)) if *last == who => text.push_str(&all),
                _ => said.push((who, all)),
            }
        }
        let mut events: Vec<String> = events.iter().map(|e| format!("data: {e}\n\n")).collect();
        events.push("data: [DONE]\n\n".to_owned());

        let (result, there) = push_all(Format::Chat, Format::Messages, &events.iter().map(String::as_str).collect::<Vec<_>>());
        prop_assert!(result.is_ok());
        let there: Vec<&str> = there.split_inclusive("\n\n").collect();
        let (result, back) = push_all(Format::Messages, Format::Chat, &there);
        prop_assert!(result.is_ok());
        prop_assert_eq!(&heard(&back), &said);
        let (result, responses) = push_all(Format::Messages, Format::Responses, &there);
        prop_assert!(result.is_ok());
        prop_assert_eq!(&heard_responses(&responses), &said);
    }
}

fn objects(stream: &str) -> Vec<Value> {
    stream
        .lines()
        .filter_map(|l| l.strip_prefix("data: "))
        .filter(|d| *d != "[DONE]")
        .map(|d| serde_json::from_str(d).unwrap())
        .collect()
}

fn hear(said: &mut Vec<(String, String)>, who: String, what: &str) {
    match said.last_mut() {
        _ if what.is_empty() => {}
        Some((last, text)) if *last == who => text.push_str(what),
        _ => said.push((who, what.to_owned())),
    }
}

/// What a client makes of a chat stream.
fn heard(stream: &str) -> Vec<(String, String)> {
    let (mut said, mut ids) = (Vec::new(), Vec::new());
    for chunk in objects(stream) {
        let delta = &chunk["choices"][0]["delta"];
        hear(&mut said, "kind0".to_owned(), delta["content"].as_str().unwrap_or_default());
        hear(&mut said, "kind1".to_owned(), delta["reasoning_content"].as_str().unwrap_or_default());
        for call in delta["tool_calls"].as_array().into_iter().flatten() {
            ids.extend(call["id"].as_str().map(str::to_owned));
            let id: &String = &ids[usize::try_from(call["index"].as_u64().unwrap()).unwrap()];
            hear(&mut said, id.clone(), call["function"]["arguments"].as_str().unwrap());
        }
    }
    said
}

/// What a client makes of a Responses stream: of its deltas, and of the whole it ends with, which must agree.
fn heard_responses(stream: &str) -> Vec<(String, String)> {
    let (mut said, mut id, mut whole) = (Vec::new(), String::new(), Vec::new());
    for (n, event) in objects(stream).iter().enumerate() {
        assert_eq!(event["sequence_number"], n);
        match event["type"].as_str().unwrap() {
            "response.output_item.added" => event["item"]["call_id"].as_str().unwrap_or_default().clone_into(&mut id),
            "response.output_text.delta" => hear(&mut said, "kind0".to_owned(), event["delta"].as_str().unwrap()),
            "response.reasoning_text.delta" => hear(&mut said, "kind1".to_owned(), event["delta"].as_str().unwrap()),
            "response.function_call_arguments.delta" => hear(&mut said, id.clone(), event["delta"].as_str().unwrap()),
            "response.completed" => {
                for item in event["response"]["output"].as_array().unwrap() {
                    let text = item["content"][0]["text"].as_str().or(item["arguments"].as_str()).unwrap();
                    let who = match item["type"].as_str().unwrap() {
                        "message" => "kind0",
                        "reasoning" => "kind1",
                        _ => item["call_id"].as_str().unwrap(),
                    };
                    whole.push((who.to_owned(), text.to_owned()));
                }
            }
            _ => {}
        }
    }
    assert_eq!(said, whole);
    said
}
