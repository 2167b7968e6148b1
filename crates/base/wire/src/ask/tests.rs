use countersign_core::{
    Channel::{self, Other, Reasoning, System, ToolArguments, ToolResult, User},
    Code, Edit, SlotKind,
    Trust::{self, Caller, Model, Operator, Untrusted},
};
use proptest::prelude::*;

use super::*;

fn ask(format: Format, body: &str) -> Ask {
    Ask::read(format, Bytes::copy_from_slice(body.as_bytes()), &Limits::default()).unwrap()
}

fn refused(format: Format, body: &str) -> WireError {
    Ask::read(format, Bytes::copy_from_slice(body.as_bytes()), &Limits::default()).unwrap_err()
}

fn leaves(ask: &Ask) -> Vec<(Channel, Trust, &str)> {
    let doc = &ask.document;
    doc.leaves().map(|l| (l.channel, l.trust)).enumerate().map(|(i, (c, t))| (c, t, doc.text(i))).collect()
}

#[test]
fn a_chat_is_read() {
    let ask = ask(
        Format::Chat,
        r#"{"messages":[
            {"content":"be kind","role":"system"},
            {"role":"developer","content":[{"type":"text","text":"be brief"}]},
            {"role":"user","name":"ann","content":[{"type":"text","text":"look: \u00e9"},
                {"type":"image_url","image_url":{"url":"data:image/png;base64,iVBORw0KGgo=","detail":"low"}},
                {"type":"image_url","image_url":{"url":"https://example.org/x.png"}},
                {"type":"input_audio","input_audio":{"data":"UklGRg==","format":"wav"}},
                {"type":"file","file":{"file_data":"data:application/pdf;base64,JVBERi0=","filename":"a.pdf"}}]},
            {"role":"assistant","content":null,"reasoning_content":"hm","refusal":"no","tool_calls":[
                {"id":"call_1","type":"function","function":{"name":"find","arguments":"{\"q\":\"x\"}"}}]},
            {"role":"tool","tool_call_id":"call_1","content":"found 4111111111111111"}],
          "tools":[{"type":"function","function":{"name":"find","description":"finds","parameters":{"type":"object","properties":{"q":{"type":"string"}}}}}],
          "model":"gpt-5.1/mini","stream":true,"max_tokens":5,"max_completion_tokens":9,"user":"u1","seed":123456789,"odd":{"k":["v"]}}"#,
    );
    assert_eq!(&*ask.call.model, "gpt-5.1/mini");
    assert_eq!((ask.call.stream, ask.call.max_tokens, ask.call.attachments), (true, Some(9), 4));
    assert_eq!(ask.call.tools, ["find".into()]);
    assert!(!ask.logprobs);
    assert_eq!(
        leaves(&ask),
        [
            (System, Operator, "be kind"),
            (System, Operator, "be brief"),
            (User, Caller, "ann"),
            (User, Caller, "look: é"),
            (User, Caller, "low"),
            (User, Caller, "https://example.org/x.png"),
            (User, Caller, "wav"),
            (ToolResult, Untrusted, "a.pdf"),
            (Reasoning, Model, "hm"),
            (Channel::Assistant, Model, "no"),
            (Other, Caller, "call_1"),
            (ToolArguments, Model, "find"),
            (ToolArguments, Model, r#"{"q":"x"}"#),
            (Other, Caller, "call_1"),
            (ToolResult, Untrusted, "found 4111111111111111"),
            (Other, Operator, "find"),
            (Other, Operator, "finds"),
            (Other, Operator, "q"),
            (Other, Caller, "u1"),
            (Other, Caller, "123456789"),
            (Other, Caller, "odd"),
            (Other, Caller, "k"),
            (Other, Caller, "v"),
        ]
    );
}

#[test]
fn messages_are_read() {
    let ask = ask(
        Format::Messages,
        r#"{"model":"claude","max_tokens":100,"system":[{"type":"text","text":"sys","cache_control":{"type":"ephemeral"}}],
          "messages":[{"role":"user","content":"hi"},
            {"role":"assistant","content":[{"type":"thinking","thinking":"hm","signature":"c2ln"},
               {"type":"tool_use","id":"toolu_1","name":"find","input":{"q":"secret","card":4111111111111111,"deep":[{"k":"v"}]}}]},
            {"role":"user","content":[{"type":"tool_result","tool_use_id":"toolu_1","content":[{"type":"text","text":"result"},
                 {"type":"image","source":{"type":"base64","media_type":"image/png","data":"iVBORw0KGgo="}}]},
               {"type":"document","title":"doc","source":{"type":"text","media_type":"text/plain","data":"plaintext"}},
               {"type":"document","source":{"type":"content","content":[{"type":"text","text":"inner"}]}},
               {"type":"document","source":{"type":"base64","media_type":"application/pdf","data":"JVBERi0="}},
               {"type":"search_result","source":"https://s","title":"t","content":[{"type":"text","text":"found"}]}]}],
          "tools":[{"name":"find","input_schema":{"type":"object"}},{"type":"web_search_20250305","name":"web_search"}],
          "mcp_servers":[{"type":"url","url":"https://m","name":"m"}]}"#,
    );
    assert_eq!(ask.call.attachments, 2);
    assert_eq!(ask.call.tools, ["find".into(), "web_search".into(), "m".into()]);
    assert_eq!(
        leaves(&ask),
        [
            (System, Operator, "sys"),
            (User, Caller, "hi"),
            (Reasoning, Model, "hm"),
            (Other, Caller, "c2ln"),
            (Other, Caller, "toolu_1"),
            (ToolArguments, Model, "find"),
            (ToolArguments, Model, "q"),
            (ToolArguments, Model, "secret"),
            (ToolArguments, Model, "card"),
            (ToolArguments, Model, "4111111111111111"),
            (ToolArguments, Model, "deep"),
            (ToolArguments, Model, "k"),
            (ToolArguments, Model, "v"),
            (Other, Caller, "toolu_1"),
            (ToolResult, Untrusted, "result"),
            (ToolResult, Untrusted, "image/png"),
            (ToolResult, Untrusted, "doc"),
            (ToolResult, Untrusted, "text/plain"),
            (ToolResult, Untrusted, "plaintext"),
            (ToolResult, Untrusted, "inner"),
            (ToolResult, Untrusted, "application/pdf"),
            (ToolResult, Untrusted, "https://s"),
            (ToolResult, Untrusted, "t"),
            (ToolResult, Untrusted, "found"),
            (Other, Operator, "find"),
            (Other, Caller, "web_search_20250305"),
            (Other, Operator, "web_search"),
            (Other, Operator, "https://m"),
            (Other, Operator, "m"),
        ]
    );
}

#[test]
fn responses_are_read() {
    let ask = ask(
        Format::Responses,
        r#"{"model":"m","instructions":"sys","max_output_tokens":7,"include":["message.output_text.logprobs"],"input":[
            {"role":"user","content":[{"type":"input_text","text":"hi"},{"type":"input_image","image_url":"data:image/png;base64,AAAA"},
               {"type":"input_file","file_data":"data:application/pdf;base64,AAAA","filename":"f"}]},
            {"type":"message","role":"assistant","content":[{"type":"output_text","text":"yo","annotations":[]}]},
            {"type":"reasoning","id":"rs_1","summary":[{"type":"summary_text","text":"sum"}],"content":[{"type":"reasoning_text","text":"why"}]},
            {"type":"function_call","call_id":"c1","name":"f","arguments":"{}"},
            {"type":"function_call_output","call_id":"c1","output":"out"},
            {"type":"custom_tool_call_output","call_id":"c2","output":[{"type":"input_text","text":"out2"}]}],
            "tools":[{"type":"web_search"},{"type":"function","name":"f"}],"text":{"format":{"type":"text"}}}"#,
    );
    assert!(ask.logprobs);
    assert_eq!((ask.call.attachments, ask.call.max_tokens), (2, Some(7)));
    assert_eq!(ask.call.tools, ["web_search".into(), "f".into()]);
    assert_eq!(
        leaves(&ask),
        [
            (System, Operator, "sys"),
            (Other, Caller, "message.output_text.logprobs"),
            (User, Caller, "hi"),
            (ToolResult, Untrusted, "f"),
            (Channel::Assistant, Model, "yo"),
            (Other, Caller, "rs_1"),
            (Reasoning, Model, "sum"),
            (Reasoning, Model, "why"),
            (Other, Caller, "c1"),
            (ToolArguments, Model, "f"),
            (ToolArguments, Model, "{}"),
            (Other, Caller, "c1"),
            (ToolResult, Untrusted, "out"),
            (Other, Caller, "c2"),
            (ToolResult, Untrusted, "out2"),
            (Other, Operator, "f"),
        ]
    );
    let plain = self::ask(Format::Responses, r#"{"model":"m","input":"hi","stream":true}"#);
    assert_eq!(leaves(&plain), [(User, Caller, "hi")]);
    assert!(plain.call.stream);
}

#[test]
fn completions_and_embeddings_are_read() {
    let text = ask(Format::Completions, r#"{"model":"m","prompt":["a","b"],"suffix":"c","logprobs":0,"stream":true}"#);
    assert_eq!(leaves(&text), [(User, Caller, "a"), (User, Caller, "b"), (User, Caller, "c")]);
    assert!(text.logprobs && text.call.stream && text.call.attachments == 0);
    // Token numbers are text that no guard can read.
    for body in [r#"{"model":"m","prompt":[1,2]}"#, r#"{"model":"m","prompt":[[1],["x"]]}"#] {
        assert_eq!(ask(Format::Completions, body).call.attachments, 1, "{body}");
    }
    let vectors = ask(Format::Embeddings, r#"{"model":"m","input":[[1],[2]],"stream":true}"#);
    assert_eq!((vectors.call.attachments, vectors.call.stream), (2, false));
}

#[test]
fn what_asks_for_probabilities_is_taken_out_and_nothing_else() {
    let stripped = |format, body: &str| {
        let read = ask(format, body).without_logprobs(format, &Limits::default()).unwrap();
        assert!(!read.logprobs, "{body}");
        String::from_utf8_lossy(read.document.bytes()).into_owned()
    };
    for (format, from, to) in [
        (
            Format::Chat,
            r#"{"logprobs": true, "model":"m", "messages":[{"role":"user","content":"logprobs: true"}],"top_logprobs":5}"#,
            r#"{"logprobs": null, "model":"m", "messages":[{"role":"user","content":"logprobs: true"}],"top_logprobs":null}"#,
        ),
        (
            Format::Completions,
            r#"{"model":"m","prompt":"a","logprobs":0,"prompt_logprobs":"all"}"#,
            r#"{"model":"m","prompt":"a","logprobs":null,"prompt_logprobs":null}"#,
        ),
        (
            Format::Responses,
            r#"{"model":"m","input":"a","include":["a\"b", "message.output_text.logprobs" ,{"c":1}],"top_\u006cogprobs":2}"#,
            r#"{"model":"m","input":"a","include":["a\"b",{"c":1}],"top_\u006cogprobs":null}"#,
        ),
        (
            Format::Chat,
            r#"{"model":"m","messages":[],"logprobs":false}"#,
            r#"{"model":"m","messages":[],"logprobs":false}"#,
        ),
    ] {
        assert_eq!(stripped(format, from), to);
    }
}

#[test]
fn what_the_format_needs_must_be_there() {
    for (format, body, path) in [
        (Format::Chat, "[]", "$"),
        (Format::Chat, "{}", "model"),
        (Format::Chat, r#"{"model":"","messages":[]}"#, "model"),
        (Format::Chat, r#"{"model":1,"messages":[]}"#, "model"),
        (Format::Chat, r#"{"model":"m"}"#, "messages"),
        (Format::Chat, r#"{"model":"m","messages":{}}"#, "messages"),
        (Format::Chat, r#"{"model":"m","messages":["x"]}"#, "messages[0]"),
        (Format::Chat, r#"{"model":"m","messages":[{"role":"user"},{}]}"#, "messages[1].role"),
        (Format::Chat, r#"{"model":"m","messages":[{"role":"user","content":7}]}"#, "messages[0].content"),
        (Format::Chat, r#"{"model":"m","messages":[],"stream":"true"}"#, "stream"),
        (Format::Chat, r#"{"model":"m","messages":[],"stream":1}"#, "stream"),
        (Format::Chat, r#"{"model":"m","messages":[],"max_tokens":-1}"#, "max_tokens"),
        (Format::Chat, r#"{"model":"m","messages":[],"max_completion_tokens":1e3}"#, "max_completion_tokens"),
        (Format::Chat, r#"{"model":"m","messages":[],"tools":{}}"#, "tools"),
        (Format::Chat, r#"{"model":"m","messages":[],"tools":[{}]}"#, "tools[0]"),
        (Format::Messages, r#"{"model":"m","messages":[],"system":{}}"#, "system"),
        (Format::Responses, r#"{"model":"m","input":{}}"#, "input"),
        (Format::Responses, r#"{"model":"m","instructions":[]}"#, "instructions"),
        (Format::Completions, r#"{"model":"m","prompt":{}}"#, "prompt"),
        (Format::Embeddings, r#"{"model":"m"}"#, "input"),
        (Format::Models, r#"{"model":"m"}"#, "$"),
    ] {
        match refused(format, body) {
            WireError::Field { path: at, .. } => assert_eq!(at, path, "{body}"),
            other => panic!("{body}: {other}"),
        }
    }
    let limits = Limits { body: 10, ..Limits::default() };
    let error = Ask::read(Format::Chat, Bytes::from_static(b"{\"model\":\"m\"}"), &limits).unwrap_err();
    assert_eq!(error.code(), Code::TooLarge);
}

#[test]
fn names_in_other_letters_are_refused_where_names_mean_something() {
    for body in [
        r#"{"model":"m","messages":[],"Model":"other"}"#,
        r#"{"model":"m","messages":[],"MESSAGES":[{"role":"user","content":"x"}]}"#,
        "{\"model\":\"m\",\"messages\":[],\"me\u{17f}\u{17f}ages\":[]}",
        r#"{"model":"m","messages":[{"role":"user","Role":"system"}]}"#,
        r#"{"model":"m","messages":[{"role":"user","content":[{"type":"text","text":"a","Text":"b"}]}]}"#,
    ] {
        assert_eq!(refused(Format::Chat, body).code(), Code::Malformed, "{body}");
    }
    ask(Format::Chat, r#"{"model":"m","messages":[],"metadata":{"Model":"x"},"X-Trace":"y"}"#);
}

#[test]
fn nothing_hides_in_words_ids_names_or_attachments() {
    let canary = "sk-canary-0123456789abcdef";
    for body in [
        r#"{"model":"m","messages":[{"role":"CANARY","content":""}]}"#,
        r#"{"model":"m","messages":[{"role":"user","type":"CANARY","content":""}]}"#,
        r#"{"model":"m","messages":[{"role":"user","content":[{"type":"CANARY"}]}]}"#,
        r#"{"model":"m","messages":[{"role":"user","CANARY":1}]}"#,
        r#"{"model":"m","messages":[{"role":"tool","tool_call_id":"CANARY"}]}"#,
        r#"{"model":"m","messages":[{"role":"user","content":[{"type":"text","text":"","data":"CANARY"}]}]}"#,
        r#"{"model":"m","messages":[{"role":"user","content":[{"type":"text","image_url":"CANARY"}]}]}"#,
        r#"{"model":"m","messages":[{"role":"user","content":[{"type":"image_url","image_url":{"url":"CANARY"}}]}]}"#,
        r#"{"model":"m","messages":[{"role":"user","content":[{"type":"image_url","image_url":{"url":"data:text/plain,CANARY"}}]}]}"#,
        r#"{"model":"m","messages":[{"role":"user","content":[{"type":"image_url","image_url":{"url":"data:;base64,CANARY?"}}]}]}"#,
        r#"{"model":"m","messages":[{"role":"user","content":[{"type":"file","file":{"file_id":"CANARY"}}]}]}"#,
        r#"{"model":"m","messages":[{"role":"user","content":{"type":"text","text":"CANARY"}}]}"#,
        r#"{"model":"m","messages":[],"tools":[{"type":"CANARY"}]}"#,
        r#"{"model":"m CANARY","messages":[]}"#,
        r#"{"model":"m","messages":[],"response_format":{"type":"CANARY"}}"#,
        r#"{"model":"m","messages":[],"stop":["CANARY"]}"#,
        r#"{"model":"m","messages":[],"logit_bias":{"CANARY":1}}"#,
    ] {
        let ask = ask(Format::Chat, &body.replace("CANARY", canary));
        assert!(leaves(&ask).iter().any(|(_, _, text)| text.contains(canary)), "{body}");
    }
    let source = r#"{"model":"m","max_tokens":1,"messages":[{"role":"user","content":[{"type":"document","source":{"type":"text","data":"CANARY"}}]}]}"#;
    let ask = ask(Format::Messages, &source.replace("CANARY", "onlyletters"));
    assert_eq!(leaves(&ask), [(ToolResult, Untrusted, "onlyletters")]);
}

/// Strings, names and long numbers of any JSON, as the oracle reads them.
fn strings(value: &serde_json::Value, out: &mut Vec<String>) {
    match value {
        serde_json::Value::String(text) => out.push(text.clone()),
        serde_json::Value::Array(items) => items.iter().for_each(|item| strings(item, out)),
        serde_json::Value::Object(members) => {
            for (name, value) in members {
                out.push(name.clone());
                strings(value, out);
            }
        }
        _ => {}
    }
}

fn any_member() -> impl Strategy<Value = serde_json::Value> {
    use serde_json::{Value, json};
    let text = || prop_oneof![any::<String>(), "[\\\\\"a-c\n\té😀]{0,12}", Just("text".to_owned())];
    let part = prop_oneof![
        text().prop_map(|t| json!({"type": "text", "text": t})),
        text().prop_map(|t| json!({"type": "tool_result", "tool_use_id": t, "content": [{"type": "text", "text": t}]})),
        (text(), text()).prop_map(|(a, b)| json!({"type": a, b: a})),
        text().prop_map(|t| json!({"type": "tool_use", "input": {t.clone(): [t]}})),
    ];
    let content = prop_oneof![text().prop_map(Value::from), prop::collection::vec(part, 0..4).prop_map(Value::from)];
    (text(), content, text(), text()).prop_map(
        |(role, content, name, odd)| json!({"role": role, "content": content, "name": name, "odd": {odd.clone(): odd}}),
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn every_string_is_a_leaf_or_a_word(messages in prop::collection::vec(any_member(), 0..5), pretty in any::<bool>()) {
        let body = serde_json::json!({"model": "m", "messages": messages});
        let text = if pretty { serde_json::to_string_pretty(&body) } else { serde_json::to_string(&body) }.unwrap();
        // A random name may collide with a known one in other letters, which is refused.
        let Ok(ask) = Ask::read(Format::Messages, Bytes::from(text), &Limits::default()) else { return Ok(()) };
        let mut want = Vec::new();
        strings(&body, &mut want);
        let got: Vec<&str> = ask.document.leaves().map(|l| l.text).collect();
        let mut at = 0;
        for text in &want {
            if got.get(at) == Some(&text.as_str()) {
                at += 1;
            } else {
                prop_assert!(text.is_empty() || text == "m" || crate::words::word(text).is_some(), "{text:?} is no leaf");
            }
        }
        prop_assert_eq!(at, got.len());
    }

    #[test]
    fn edited_documents_read_back(messages in prop::collection::vec(any_member(), 1..4), with in any::<String>()) {
        let body = serde_json::json!({"model": "m", "messages": messages}).to_string();
        let Ok(ask) = Ask::read(Format::Chat, Bytes::from(body), &Limits::default()) else { return Ok(()) };
        let slots = ask.document.slots();
        let texts: Vec<usize> = (0..slots.len()).filter(|i| slots[*i].kind == SlotKind::Text).collect();
        let edits: Vec<Edit> = texts.iter().map(|i| {
            Edit { leaf: *i, span: 0..ask.document.text(*i).len(), with: format!("+{with}") }
        }).collect();
        let bytes = ask.document.edited(&edits).unwrap();
        let doc = Doc::read(&bytes, &Limits::default()).unwrap();
        let mut after = Vec::new();
        strings(&serde_json::from_slice(doc_bytes(&doc, &bytes)).unwrap(), &mut after);
        let written = after.iter().filter(|text| text.strip_prefix('+') == Some(&with)).count();
        prop_assert!(written >= texts.len());
    }

    #[test]
    fn no_bytes_bring_it_down(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        for format in Format::ALL {
            let _ = Ask::read(format, Bytes::copy_from_slice(&bytes), &Limits::default());
        }
    }
}

fn doc_bytes<'a>(doc: &Doc<'_>, bytes: &'a [u8]) -> &'a [u8] {
    &bytes[doc.root().span()]
}

#[test]
fn how_many_answers_are_asked_for() {
    for (body, answers) in [
        (r#"{"model":"m","messages":[]}"#, 1),
        (r#"{"model":"m","messages":[],"n":3}"#, 3),
        (r#"{"model":"m","messages":[],"n":null}"#, 1),
        (r#"{"model":"m","messages":[],"n":0}"#, 1),
    ] {
        assert_eq!(ask(Format::Chat, body).answers, answers, "{body}");
    }
    for (body, answers) in [
        (r#"{"model":"m","prompt":"a","n":2,"best_of":5}"#, 5),
        (r#"{"model":"m","prompt":["a","b","c"],"n":2}"#, 6),
        (r#"{"model":"m","prompt":[1,2,3],"n":2}"#, 2),
        (r#"{"model":"m","prompt":[[1],[2,3]]}"#, 2),
    ] {
        assert_eq!(ask(Format::Completions, body).answers, answers, "{body}");
    }
    for n in ["-1", "1.5", "\"3\"", "[]"] {
        let body = format!(r#"{{"model":"m","messages":[],"n":{n}}}"#);
        assert!(Ask::read(Format::Chat, body.into_bytes().into(), &Limits::default()).is_err(), "{n}");
    }
}

#[test]
fn what_a_provider_keeps_of_earlier_turns_is_nobodys_we_know() {
    for member in
        [r#""previous_response_id":"resp_1""#, r#""conversation":"conv_1""#, r#""conversation":{"id":"conv_1"}"#]
    {
        let body = format!(r#"{{"model":"m","input":"go on",{member}}}"#);
        let ask = Ask::read(Format::Responses, body.into(), &Limits::default()).unwrap();
        assert!(ask.document.slots().iter().any(|slot| slot.trust == Trust::Untrusted), "{member}");
    }
    let body = r#"{"model":"m","input":"go on","previous_response_id":null}"#;
    let ask = Ask::read(Format::Responses, body.into(), &Limits::default()).unwrap();
    assert!(ask.document.slots().iter().all(|slot| slot.trust != Trust::Untrusted));
}
