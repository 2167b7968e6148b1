use countersign_core::{
    Channel::{self, Assistant, Other, Reasoning, System, ToolArguments, ToolResult},
    Trust::{self, Model, Operator, Untrusted},
};

use super::*;

/// The calls of an answer: each tool's name, and its arguments one after the other.
fn calls(answer: &Answer) -> Vec<(String, String)> {
    let mut out: Vec<(u32, String, String)> = Vec::new();
    for (index, slot) in answer.document.slots().iter().enumerate() {
        let Some(part) = slot.call else { continue };
        if out.last().is_none_or(|last| last.0 != part.call) {
            out.push((part.call, String::new(), String::new()));
        }
        let last = out.last_mut().unwrap();
        if part.is_name { &mut last.1 } else { &mut last.2 }.push_str(answer.document.text(index));
    }
    out.into_iter().map(|(_, name, arguments)| (name, arguments)).collect()
}

#[test]
fn calls_of_tools_are_told_apart_and_named() {
    let chat = answer(
        Format::Chat,
        r#"{"choices":[{"message":{"role":"assistant","content":"hi","tool_calls":[
            {"id":"c1","type":"function","function":{"name":"mail","arguments":"{\"to\":1}"}},
            {"id":"c2","type":"function","function":{"name":"odd","arguments":{"name":"Bob","type":"text","id":"z"}}},
            {"id":"c3","type":"custom","custom":{"name":"sh","input":"ls"}}],
            "function_call":{"name":"old","arguments":"{}"}}}]}"#,
    );
    let named = |of: &[(&str, &str)]| of.iter().map(|(n, a)| ((*n).to_owned(), (*a).to_owned())).collect::<Vec<_>>();
    assert_eq!(calls(&chat), named(&[("mail", "{\"to\":1}"), ("odd", "Bobtextz"), ("sh", "ls"), ("old", "{}")]));
    let messages = answer(
        Format::Messages,
        r#"{"type":"message","role":"assistant","content":[{"type":"text","text":"ok"},
            {"type":"tool_use","id":"t1","name":"mail","input":{"name":"eve","to":"a@b"}},
            {"type":"tool_use","id":"t2","name":"wipe","input":{}}],"stop_reason":"tool_use"}"#,
    );
    assert_eq!(calls(&messages), named(&[("mail", "evetoa@b"), ("wipe", "")]));
    let responses = answer(
        Format::Responses,
        r#"{"object":"response","output":[{"type":"message","role":"assistant","content":[{"type":"output_text","text":"x"}]},
            {"type":"function_call","id":"i","call_id":"c","name":"mail","arguments":"{}","status":"completed"},
            {"type":"local_shell_call","id":"i","call_id":"c","action":{"type":"exec","command":["rm"]},"status":"completed"}]}"#,
    );
    assert_eq!(calls(&responses), named(&[("mail", "{}"), ("local_shell_call", "execcommandrm")]));
}

fn answer(format: Format, body: &str) -> Answer {
    Answer::read(format, Bytes::copy_from_slice(body.as_bytes()), &Limits::default()).unwrap()
}

fn leaves(answer: &Answer) -> Vec<(Channel, Trust, &str)> {
    let doc = &answer.document;
    assert!(doc.slots().iter().all(|slot| slot.grows.is_none()));
    doc.slots().iter().enumerate().map(|(i, slot)| (slot.channel, slot.trust, doc.text(i))).collect()
}

#[test]
fn a_chat_answer_is_read() {
    let answer = answer(
        Format::Chat,
        r#"{"id":"chatcmpl-1","object":"chat.completion","created":1712345678,"model":"m","choices":[
            {"index":0,"message":{"role":"assistant","content":"hi","refusal":null,"reasoning":"hm","annotations":[{"type":"url_citation","url_citation":{"url":"https://x"}}],
              "tool_calls":[{"id":"call_1","type":"function","function":{"name":"f","arguments":"{\"a\":1}"}}],
              "audio":{"id":"a1","data":"AAAA","transcript":"spoken"}},
             "logprobs":{"content":[{"token":"h","bytes":[104],"logprob":-0.00012345678,"top_logprobs":[{"token":"x"}]}]},"finish_reason":"stop"}],
            "usage":{"prompt_tokens":3,"completion_tokens":4,"total_tokens":7},"system_fingerprint":"fp"}"#,
    );
    assert_eq!(answer.usage, Some(Usage { input: 3, output: 4 }));
    assert!(answer.logprobs);
    assert_eq!(
        leaves(&answer),
        [
            (Other, Model, "chatcmpl-1"),
            (Other, Model, "m"),
            (Assistant, Model, "hi"),
            (Reasoning, Model, "hm"),
            (Assistant, Model, "url_citation"),
            (Assistant, Model, "https://x"),
            (Other, Model, "call_1"),
            (ToolArguments, Model, "f"),
            (ToolArguments, Model, "{\"a\":1}"),
            (Other, Model, "a1"),
            (Other, Model, "AAAA"),
            (Assistant, Model, "spoken"),
            (Assistant, Model, "h"),
            (Assistant, Model, "-0.00012345678"),
            (Assistant, Model, "x"),
            (Other, Model, "fp"),
        ]
    );
}

#[test]
fn a_messages_answer_is_read() {
    let answer = answer(
        Format::Messages,
        r#"{"id":"msg_1","type":"message","role":"assistant","model":"claude","content":[
            {"type":"thinking","thinking":"hm","signature":"c2ln"},{"type":"text","text":"hi","citations":[{"type":"char_location","cited_text":"quoted"}]},
            {"type":"tool_use","id":"t1","name":"f","input":{"q":"v"}},
            {"type":"web_search_tool_result","tool_use_id":"t2","content":[{"type":"web_search_result","url":"https://x","title":"t"}]}],
            "stop_reason":"tool_use","stop_sequence":null,"usage":{"input_tokens":1,"cache_read_input_tokens":10,"cache_creation_input_tokens":100,"output_tokens":4}}"#,
    );
    assert_eq!(answer.usage, Some(Usage { input: 111, output: 4 }));
    assert!(!answer.logprobs);
    assert_eq!(
        leaves(&answer),
        [
            (Other, Model, "msg_1"),
            (Other, Model, "claude"),
            (Reasoning, Model, "hm"),
            (Other, Model, "c2ln"),
            (Assistant, Model, "hi"),
            (Assistant, Model, "char_location"),
            (Assistant, Model, "cited_text"),
            (Assistant, Model, "quoted"),
            (Other, Model, "t1"),
            (ToolArguments, Model, "f"),
            (ToolArguments, Model, "q"),
            (ToolArguments, Model, "v"),
            (Other, Model, "t2"),
            (Other, Model, "web_search_result"),
            (ToolResult, Untrusted, "https://x"),
            (ToolResult, Untrusted, "t"),
        ]
    );
}

#[test]
fn a_responses_answer_is_read() {
    let answer = answer(
        Format::Responses,
        r#"{"id":"resp_1","object":"response","created_at":1712345678.5,"status":"completed","error":null,"instructions":"sys","model":"m",
            "output":[{"type":"reasoning","id":"rs_1","summary":[{"type":"summary_text","text":"sum"}],"encrypted_content":"ZW5j"},
              {"type":"message","id":"msg_1","status":"completed","role":"assistant","content":[{"type":"output_text","text":"hi","annotations":[],"logprobs":[]}]},
              {"type":"function_call","id":"fc_1","call_id":"c1","name":"f","arguments":"{}"}],
            "tools":[{"type":"function","name":"f","description":"d"}],"usage":{"input_tokens":5,"output_tokens":6}}"#,
    );
    assert_eq!(answer.usage, Some(Usage { input: 5, output: 6 }));
    assert!(!answer.logprobs);
    assert_eq!(
        leaves(&answer),
        [
            (Other, Model, "resp_1"),
            (System, Operator, "sys"),
            (Other, Model, "m"),
            (Other, Model, "rs_1"),
            (Reasoning, Model, "sum"),
            (Other, Model, "ZW5j"),
            (Other, Model, "msg_1"),
            (Assistant, Model, "hi"),
            (Other, Model, "fc_1"),
            (Other, Model, "c1"),
            (ToolArguments, Model, "f"),
            (ToolArguments, Model, "{}"),
            (Other, Operator, "f"),
            (Other, Operator, "d"),
        ]
    );
}

#[test]
fn vectors_and_errors_and_completions_are_read() {
    let vectors = answer(
        Format::Embeddings,
        r#"{"object":"list","data":[{"object":"embedding","index":0,"embedding":[0.0123456789,-1.5e-9,123456789]},{"object":"embedding","index":1,"embedding":"AAAAgD8="},
           {"object":"embedding","index":2,"embedding":"not base64"}],"model":"m","usage":{"prompt_tokens":8,"total_tokens":8}}"#,
    );
    assert_eq!(vectors.usage, Some(Usage { input: 8, output: 0 }));
    assert_eq!(leaves(&vectors), [(Other, Model, "123456789"), (Other, Model, "not base64"), (Other, Model, "m")]);

    for format in [Format::Chat, Format::Messages, Format::Responses] {
        let error = answer(format, r#"{"error":{"message":"key sk-1 is bad","type":"odd","code":"x","param":null}}"#);
        assert_eq!(leaves(&error), [(Other, Model, "key sk-1 is bad"), (Other, Model, "odd"), (Other, Model, "x")]);
        assert_eq!(error.usage, None);
    }
    let text = answer(
        Format::Completions,
        r#"{"choices":[{"text":"hi","index":0,"logprobs":{"tokens":["hi"]},"finish_reason":"length"}]}"#,
    );
    assert!(text.logprobs);
    assert_eq!(leaves(&text), [(Assistant, Model, "hi"), (Assistant, Model, "hi")]);
}

#[test]
fn what_is_no_answer_is_refused() {
    for bad in ["", "<html></html>", "[]", "\"x\"", "null", "{\"a\":1}{", "{\"choices\":[],\"choices\":[]}"] {
        assert!(
            Answer::read(Format::Chat, Bytes::copy_from_slice(bad.as_bytes()), &Limits::default()).is_err(),
            "{bad}"
        );
    }
    let limits = Limits { body: 3, ..Limits::default() };
    assert!(matches!(
        Answer::read(Format::Chat, Bytes::from_static(b"{  }"), &limits),
        Err(WireError::TooLarge { .. })
    ));
}
