use countersign_core::{
    Channel::{Assistant, Other, Reasoning, ToolArguments},
    Code,
};
use proptest::prelude::*;

use super::*;

/// Reads a stream in one piece; `slow` reads every event in full.
fn read(format: Format, stream: &str, slow: bool) -> Result<Vec<Event>, WireError> {
    read_cut(format, &[stream.as_bytes()], slow)
}

fn read_cut(format: Format, chunks: &[&[u8]], slow: bool) -> Result<Vec<Event>, WireError> {
    let mut events = Events::new(format, Limits::default());
    let mut out = Vec::new();
    for chunk in chunks {
        events.push(Bytes::copy_from_slice(chunk));
        loop {
            if slow {
                events.template = None;
            }
            let Some(event) = events.next_event()? else { break };
            out.push(event);
        }
    }
    Ok(out)
}

/// The calls of tools in a stream: names and arguments, each as it grew.
fn calls(format: Format, events: &[String]) -> Vec<(String, String)> {
    let stream: String = events.iter().map(|event| format!("{event}\n\n")).collect();
    let mut out: Vec<(String, String)> = Vec::new();
    for event in read(format, &stream, false).unwrap() {
        for (index, slot) in event.document.slots().iter().enumerate() {
            let Some(part) = slot.call else { continue };
            let at = part.call as usize;
            out.resize(out.len().max(at), Default::default());
            let call = &mut out[at - 1];
            if part.is_name { &mut call.0 } else { &mut call.1 }.push_str(event.document.text(index));
        }
    }
    out
}

#[test]
fn a_call_keeps_its_number_over_the_events_of_a_stream() {
    let two = |a: &str, b: &str| [("mail".to_owned(), a.to_owned()), ("look".to_owned(), b.to_owned())];
    let chat = |i: u8, function: &str| {
        format!("data: {{\"choices\":[{{\"index\":0,\"delta\":{{\"tool_calls\":[{{\"index\":{i},{function}}}]}}}}]}}")
    };
    let events = [
        chat(0, r#""id":"a","type":"function","function":{"name":"mail","arguments":""}"#),
        chat(0, r#""function":{"arguments":"{\"to"}"#),
        chat(0, r#""function":{"arguments":"x"}"#),
        chat(1, r#""id":"b","function":{"name":"look"}"#),
        chat(1, r#""function":{"arguments":"y"}"#),
        chat(0, r#""function":{"arguments":"z"}"#),
        chat(0, r#""function":{"arguments":"w"}"#),
    ];
    assert_eq!(calls(Format::Chat, &events), two("{\"toxzw", "y"));
    let start = |i: u8, name: &str| {
        format!(
            "data: {{\"type\":\"content_block_start\",\"index\":{i},\"content_block\":{{\"type\":\"tool_use\",\"id\":\"t\",\"name\":\"{name}\",\"input\":{{}}}}}}"
        )
    };
    let delta = |i: u8, text: &str| {
        format!(
            "data: {{\"type\":\"content_block_delta\",\"index\":{i},\"delta\":{{\"type\":\"input_json_delta\",\"partial_json\":\"{text}\"}}}}"
        )
    };
    let events = [start(1, "mail"), delta(1, "x"), delta(1, "y"), start(2, "look"), delta(2, "z")];
    assert_eq!(calls(Format::Messages, &events), two("xy", "z"));
    let item = |i: u8, name: &str| {
        format!(
            "data: {{\"type\":\"response.output_item.added\",\"output_index\":{i},\"item\":{{\"type\":\"function_call\",\"name\":\"{name}\",\"arguments\":\"\"}}}}"
        )
    };
    let delta = |i: u8, text: &str| {
        format!(
            "data: {{\"type\":\"response.function_call_arguments.delta\",\"output_index\":{i},\"delta\":\"{text}\"}}"
        )
    };
    let events = [item(0, "mail"), delta(0, "x"), item(1, "look"), delta(1, "y"), delta(0, "z")];
    assert_eq!(calls(Format::Responses, &events), two("xz", "y"));
    // The last event repeats everything, each call whole.
    let end = r#"data: {"type":"response.completed","response":{"output":[{"type":"function_call","name":"mail","arguments":"xz"},{"type":"function_call","name":"look","arguments":"y"}]}}"#;
    assert_eq!(calls(Format::Responses, &[end.to_owned()]), two("xz", "y"));
}

/// Everything an event tells, comparable.
fn shown(event: &Event) -> String {
    let slots: Vec<String> = (event.document.slots().iter())
        .enumerate()
        .map(|(i, s)| {
            format!(
                "{:?} {:?} {:?} {:?} {:?} {:?} {:?}",
                s.span,
                s.decoded,
                s.kind,
                s.channel,
                s.trust,
                s.grows,
                event.document.text(i)
            )
        })
        .collect();
    format!("{:?} {slots:#?} {:?} {} {}", event.document.bytes(), event.usage, event.terminal, event.logprobs)
}

/// Texts of the growing leaves, in order of their numbers, with their channels.
fn grown(events: &[Event]) -> Vec<(Channel, String)> {
    let mut out: Vec<(Channel, String)> = Vec::new();
    for event in events {
        for leaf in event.document.leaves() {
            let Some(n) = leaf.grows else { continue };
            let n = n as usize;
            if n == out.len() {
                out.push((leaf.channel, String::new()));
            }
            assert_eq!(out[n].0, leaf.channel);
            out[n].1.push_str(leaf.text);
        }
    }
    out
}

fn alone(event: &Event) -> Vec<(Channel, String)> {
    event.document.leaves().filter(|l| l.grows.is_none()).map(|l| (l.channel, l.text.to_owned())).collect()
}

fn data(events: &[&str]) -> String {
    events.iter().map(|e| format!("data: {e}\n\n")).collect()
}

fn named(events: &[&str]) -> String {
    let kind = |e: &str| serde_json::from_str::<serde_json::Value>(e).unwrap()["type"].as_str().unwrap().to_owned();
    events.iter().map(|e| format!("event: {}\ndata: {e}\n\n", kind(e))).collect()
}

fn own(pairs: &[(Channel, &str)]) -> Vec<(Channel, String)> {
    pairs.iter().map(|(c, t)| (*c, (*t).to_owned())).collect()
}

#[test]
fn a_chat_stream_grows_one_leaf_for_each_choice_and_channel() {
    let stream = data(&[
        r#"{"id":"c1","object":"chat.completion.chunk","created":1712345678,"model":"m","choices":[{"index":0,"delta":{"role":"assistant","content":""},"finish_reason":null}]}"#,
        r#"{"id":"c1","choices":[{"index":0,"delta":{"reasoning_content":"th"}}]}"#,
        r#"{"id":"c1","choices":[{"index":0,"delta":{"reasoning_content":"ink"}}]}"#,
        r#"{"id":"c1","choices":[{"index":0,"delta":{"content":"se"}}]}"#,
        r#"{"id":"c1","choices":[{"index":1,"delta":{"content":"other"}}]}"#,
        r#"{"id":"c1","choices":[{"index":0,"delta":{"content":"cr"}},{"index":1,"delta":{"content":"!"}}]}"#,
        r#"{"id":"c1","choices":[{"index":0,"delta":{"content":"e\nt"}}]}"#,
        r#"{"id":"c1","choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"id":"call_1","type":"function","function":{"name":"f","arguments":""}}]}}]}"#,
        r#"{"id":"c1","choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"function":{"arguments":"{\"a"}},{"index":1,"function":{"arguments":"x"}}]}}]}"#,
        r#"{"id":"c1","choices":[{"index":0,"delta":{"tool_calls":[{"index":1,"function":{"arguments":"y"}},{"index":0,"function":{"arguments":"\":1}"}}]}}]}"#,
        r#"{"id":"c1","choices":[{"index":0,"delta":{"refusal":"no"}}]}"#,
        r#"{"id":"c1","choices":[{"index":0,"delta":{"odd":{"deep":["a"]}}}]}"#,
        r#"{"id":"c1","choices":[{"index":0,"delta":{"odd":{"deep":["b"]}}}]}"#,
        r#"{"id":"c1","choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}"#,
        r#"{"id":"c1","choices":[],"usage":{"prompt_tokens":1,"completion_tokens":2}}"#,
        "[DONE]",
    ]);
    let events = read(Format::Chat, &stream, false).unwrap();
    assert_eq!(
        grown(&events),
        own(&[
            (Assistant, "secre\nt"),
            (Reasoning, "think"),
            (Assistant, "other!"),
            (ToolArguments, "f"),
            (ToolArguments, "{\"a\":1}"),
            (ToolArguments, "xy"),
            (Assistant, "no"),
            (Other, "ab"),
        ])
    );
    assert_eq!(alone(&events[0]), own(&[(Other, "c1"), (Other, "m")]));
    assert_eq!(alone(&events[7]), own(&[(Other, "c1"), (Other, "call_1")]));
    assert_eq!(events[14].usage, Some(Usage { input: 1, output: 2 }));
    assert!(events[15].terminal && events.iter().filter(|e| e.terminal).count() == 1);
    let together: Vec<u8> = events.iter().flat_map(|e| e.document.bytes().to_vec()).collect();
    assert_eq!(together, stream.as_bytes());
}

#[test]
fn a_messages_stream_grows_one_leaf_for_each_block() {
    let stream = named(&[
        r#"{"type":"message_start","message":{"id":"msg_1","type":"message","role":"assistant","model":"m","content":[],"stop_reason":null,"usage":{"input_tokens":5,"cache_read_input_tokens":2,"output_tokens":1}}}"#,
        r#"{"type":"content_block_start","index":0,"content_block":{"type":"thinking","thinking":"t","signature":""}}"#,
        r#"{"type":"ping"}"#,
        r#"{"type":"content_block_delta","index":0,"delta":{"type":"thinking_delta","thinking":"h"}}"#,
        r#"{"type":"content_block_delta","index":0,"delta":{"type":"signature_delta","signature":"sig"}}"#,
        r#"{"type":"content_block_stop","index":0}"#,
        r#"{"type":"content_block_start","index":1,"content_block":{"type":"text","text":"a"}}"#,
        r#"{"type":"content_block_delta","index":1,"delta":{"type":"text_delta","text":"b"}}"#,
        r#"{"type":"content_block_delta","index":1,"delta":{"type":"text_delta","text":"c"}}"#,
        r#"{"type":"content_block_delta","index":1,"delta":{"type":"citations_delta","citation":{"cited_text":"q"}}}"#,
        r#"{"type":"content_block_start","index":2,"content_block":{"type":"tool_use","id":"t1","name":"f","input":{}}}"#,
        r#"{"type":"content_block_delta","index":2,"delta":{"type":"input_json_delta","partial_json":"{\"q"}}"#,
        r#"{"type":"content_block_delta","index":2,"delta":{"type":"input_json_delta","partial_json":"\":1}"}}"#,
        r#"{"type":"message_delta","delta":{"stop_reason":"tool_use","stop_sequence":"STOP"},"usage":{"output_tokens":9}}"#,
        r#"{"type":"message_stop"}"#,
    ]);
    let events = read(Format::Messages, &stream, false).unwrap();
    assert_eq!(
        grown(&events),
        own(&[(Reasoning, "th"), (Other, "sig"), (Assistant, "abc"), (ToolArguments, "{\"q\":1}")])
            .into_iter()
            .collect::<Vec<_>>()
    );
    assert_eq!(alone(&events[9]), own(&[(Assistant, "cited_text"), (Assistant, "q")]));
    assert_eq!(alone(&events[10]), own(&[(Other, "t1"), (ToolArguments, "f")]));
    assert_eq!(alone(&events[13]), own(&[(Other, "STOP")]));
    assert_eq!(events[0].usage, Some(Usage { input: 7, output: 1 }));
    assert_eq!(events[13].usage, Some(Usage { input: 7, output: 9 }));
    assert!(events[14].terminal && !events[13].terminal);
}

#[test]
fn a_responses_stream_grows_deltas_and_shows_repeats_alone() {
    let stream = named(&[
        r#"{"type":"response.created","sequence_number":0,"response":{"id":"resp_1","object":"response","status":"in_progress","model":"m","output":[]}}"#,
        r#"{"type":"response.output_item.added","sequence_number":1,"output_index":0,"item":{"id":"msg_1","type":"message","role":"assistant","content":[]}}"#,
        r#"{"type":"response.output_text.delta","sequence_number":2,"item_id":"msg_1","output_index":0,"content_index":0,"delta":"se","logprobs":[],"obfuscation":"abc"}"#,
        r#"{"type":"response.output_text.delta","sequence_number":3,"item_id":"msg_1","output_index":0,"content_index":0,"delta":"cr","logprobs":[],"obfuscation":"d"}"#,
        r#"{"type":"response.output_text.delta","sequence_number":10,"item_id":"msg_1","output_index":0,"content_index":0,"delta":"et","logprobs":[],"obfuscation":""}"#,
        r#"{"type":"response.output_text.delta","sequence_number":11,"item_id":"msg_1","output_index":0,"content_index":1,"delta":"other","logprobs":[],"obfuscation":""}"#,
        r#"{"type":"response.output_text.done","sequence_number":12,"item_id":"msg_1","output_index":0,"content_index":0,"text":"secret"}"#,
        r#"{"type":"response.function_call_arguments.delta","output_index":1,"delta":"{"}"#,
        r#"{"type":"response.function_call_arguments.delta","output_index":1,"delta":"}"}"#,
        r#"{"type":"response.function_call_arguments.done","output_index":1,"arguments":"{}"}"#,
        r#"{"type":"response.reasoning_summary_text.delta","output_index":2,"summary_index":0,"delta":"sum"}"#,
        r#"{"type":"response.reasoning_text.delta","output_index":2,"content_index":0,"delta":"why"}"#,
        r#"{"type":"response.refusal.delta","output_index":3,"content_index":0,"delta":"no"}"#,
        r#"{"type":"response.made_up.delta","output_index":3,"delta":{"x":"y"}}"#,
        r#"{"type":"response.completed","response":{"status":"completed","output":[{"type":"message","role":"assistant","content":[{"type":"output_text","text":"secret"}]}],"usage":{"input_tokens":1,"output_tokens":2}}}"#,
    ]);
    let events = read(Format::Responses, &stream, false).unwrap();
    assert_eq!(
        grown(&events),
        own(&[
            (Assistant, "secret"),
            (Assistant, "other"),
            (ToolArguments, "{}"),
            (Reasoning, "sum"),
            (Reasoning, "why"),
            (Assistant, "no"),
            (Other, "y"),
        ])
    );
    assert_eq!(alone(&events[3]), own(&[(Other, "msg_1"), (Other, "d")]));
    assert_eq!(alone(&events[6]), own(&[(Other, "msg_1"), (Assistant, "secret")]));
    assert_eq!(alone(&events[9]), own(&[(ToolArguments, "{}")]));
    assert_eq!(alone(&events[14]), own(&[(Assistant, "secret")]));
    assert_eq!(events[14].usage, Some(Usage { input: 1, output: 2 }));
    assert!(events[14].terminal);
}

#[test]
fn completions_and_logprobs_grow() {
    let stream = data(&[
        r#"{"choices":[{"text":"se","index":0,"logprobs":{"tokens":["s","e"]}}]}"#,
        r#"{"choices":[{"text":"cret","index":0,"logprobs":{"tokens":["cret"]}}]}"#,
        "[DONE]",
    ]);
    let events = read(Format::Completions, &stream, false).unwrap();
    assert_eq!(grown(&events), own(&[(Assistant, "secret"), (Assistant, "secret")]));
    assert!(events[0].logprobs && !events[2].logprobs && events[2].terminal);
}

#[test]
fn text_outside_the_data_is_shown() {
    let stream = ": a comment\nid: 7\nretry: 5\nretry: sk-1\nevent: odd\nfoo: bar\ndata: {\"choices\":\ndata:  [{\"delta\":{\"content\":\"x\"}}]}\n\n\n:\n\n";
    let events = read(Format::Chat, stream, false).unwrap();
    assert_eq!(events.len(), 3);
    let texts: Vec<_> = events[0].document.leaves().map(|l| (l.text.to_owned(), l.grows)).collect();
    let want = [(": a comment", None), ("7", None), ("sk-1", None), ("odd", None), ("foo: bar", None), ("x", Some(0))];
    assert_eq!(texts, want.map(|(t, g)| (t.to_owned(), g)));
    assert_eq!(events[2].document.leaves().map(|l| l.text).collect::<Vec<_>>(), [":"]);
}

#[test]
fn errors_end_a_stream_and_are_shown() {
    let chat = read(Format::Chat, "data: {\"error\":{\"message\":\"sk-1\"}}\n\n", false).unwrap();
    assert!(chat[0].terminal);
    assert_eq!(alone(&chat[0]), own(&[(Other, "sk-1")]));
    let messages = named(&[r#"{"type":"error","error":{"type":"overloaded_error","message":"busy"}}"#]);
    let messages = read(Format::Messages, &messages, false).unwrap();
    assert!(messages[0].terminal);
    assert_eq!(alone(&messages[0]), own(&[(Other, "busy")]));
}

#[test]
fn a_stream_must_end_as_it_should() {
    for (format, stream, ok) in [
        (Format::Chat, "data: {}\n\ndata: [DONE]\n\n", true),
        (Format::Chat, "data: {}\n\ndata: [DONE]\n", false),
        (Format::Chat, "data: {}\n\n", false),
        (Format::Chat, "", false),
        (Format::Messages, "data: [DONE]\n\n", false),
        (Format::Messages, "event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n", true),
        (Format::Responses, "data: {\"type\":\"response.completed\"}\n\ndata: [DONE]\n\n", true),
        (Format::Responses, "data: {\"type\":\"response.completed\"}\n\ndata: {", false),
    ] {
        let mut events = Events::new(format, Limits::default());
        events.push(Bytes::copy_from_slice(stream.as_bytes()));
        while events.next_event().unwrap().is_some() {}
        assert_eq!(events.finish().is_ok(), ok, "{stream:?}");
    }
}

#[test]
fn what_is_no_event_is_refused_for_good() {
    for (format, bad) in [
        (Format::Chat, "data: {\n\n"),
        (Format::Chat, "data: []\n\n"),
        (Format::Chat, "data: <html>\n\n"),
        (Format::Chat, "data: {\"a\":1,\"a\":2}\n\n"),
        (Format::Chat, "data: {\"choices\":[{\"index\":\"0\"}]}\n\n"),
        (Format::Chat, "data: {\"choices\":[{\"index\":0.0}]}\n\n"),
        (Format::Chat, "data: {\"choices\":[{\"index\":-0}]}\n\n"),
        (Format::Messages, "event: ping\ndata: {\"type\":\"content_block_delta\"}\n\n"),
        (Format::Messages, "event: content_block_delta\nevent: ping\ndata: {\"type\":\"content_block_delta\"}\n\n"),
        (Format::Messages, "data: {\"type\":\"content_block_delta\",\"index\":1e0}\n\n"),
        (Format::Responses, "data: {\"type\":\"response.output_text.delta\",\"output_index\":\"0\"}\n\n"),
    ] {
        let mut events = Events::new(format, Limits::default());
        events.push(Bytes::copy_from_slice(bad.as_bytes()));
        events.push(Bytes::from_static(b"data: [DONE]\n\n"));
        let error = events.next_event().unwrap_err();
        assert_eq!(error.code(), Code::Malformed, "{bad}");
        assert_eq!(events.next_event().unwrap_err(), error);
        assert_eq!(events.finish().unwrap_err(), error);
    }
    let mut events = Events::new(Format::Chat, Limits::default());
    events.push(Bytes::from_static(b"data: {\"x\":\"\xff\"}\n\n"));
    assert!(matches!(events.next_event(), Err(WireError::Utf8 { .. })));
    // A bad character where only text differs from the event before.
    let mut events = Events::new(Format::Chat, Limits::default());
    let good = Bytes::from_static(b"data: {\"choices\":[{\"delta\":{\"content\":\"x\"}}]}\n\n");
    for _ in 0..3 {
        events.push(good.clone());
        assert!(events.next_event().unwrap().is_some());
    }
    events.push(Bytes::from_static(b"data: {\"choices\":[{\"delta\":{\"content\":\"\xff\"}}]}\n\n"));
    assert!(events.next_event().is_err());
}

#[test]
fn growing_leaves_are_bounded() {
    let stream: String = (0..2000)
        .map(|i| format!("data: {{\"choices\":[{{\"index\":{i},\"delta\":{{\"content\":\"x\"}}}}]}}\n\n"))
        .collect();
    assert_eq!(read(Format::Chat, &stream, false).unwrap_err().code(), Code::TooComplex);
}

/// A stream of events that are mostly alike.
fn any_stream() -> impl Strategy<Value = (Format, String)> {
    let text = prop_oneof![
        4 => "[a-z ]{0,6}".prop_map(|t| t),
        2 => "(\\\\n|\\\\\"|\\\\u00e9|\\\\ud83d\\\\ude00|é|😀|a){0,4}".prop_map(|t| t),
        1 => "(\"|\\\\|\\\\x|\\\\ud800|\",\"y\":\"|\u{1}|a){0,2}".prop_map(|t| t),
    ];
    let event = (text, 0..14u8, 0..12u32);
    (0..3usize, prop::collection::vec(event, 1..24)).prop_map(|(format, events)| {
        let format = [Format::Chat, Format::Messages, Format::Responses][format];
        let mut stream = String::new();
        for (text, way, n) in events {
            let event = match (format, way) {
                (Format::Chat, 0..8) => format!(r#"data: {{"id":"c","choices":[{{"index":0,"delta":{{"content":"{text}"}},"x":"z"}}]}}"#),
                (Format::Chat, 8) => format!(r#"data: {{"id":"c","choices":[{{"index":0,"delta":{{"content":"{text}"}},"x":"z"}}],"obfuscation":"{text}"}}"#),
                (Format::Chat, 9) => format!(r#"data: {{"id":"c{n}","choices":[{{"index":{n},"delta":{{"content":"{text}"}},"x":"z"}}]}}"#),
                (Format::Chat, 10) => format!(r#"data: {{"id":"c","choices":[{{"delta":{{"content":"a","tool_calls":[{{"function":{{"arguments":"{text}"}}}}]}}}}]}}"#),
                (Format::Chat, 11) => format!("id: {n}\ndata: {{\"text\":\"{text}\"}}"),
                (Format::Chat, 12) => ": ping".into(),
                (Format::Chat, _) => "data: [DONE]".into(),
                (Format::Messages, 0..10) => format!("event: content_block_delta\ndata: {{\"type\":\"content_block_delta\",\"index\":0,\"delta\":{{\"type\":\"text_delta\",\"text\":\"{text}\"}}}}"),
                (Format::Messages, _) => format!("event: content_block_delta\r\ndata: {{\"type\":\"content_block_delta\",\"index\":{},\"delta\":{{\"type\":\"input_json_delta\",\"partial_json\":\"{text}\"}}}}", n % 2),
                (_, 0..10) => format!(r#"data: {{"type":"response.output_text.delta","sequence_number":{n},"item_id":"m","output_index":0,"delta":"{text}","obfuscation":"{text}"}}"#),
                _ => format!(r#"data: {{"type":"response.output_text.done","sequence_number":0{n},"text":"{text}"}}"#),
            };
            stream.push_str(&event);
            stream.push_str("\n\n");
        }
        (format, stream)
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]

    #[test]
    fn reading_by_comparison_and_in_full_are_the_same((format, stream) in any_stream()) {
        let mut fast = Events::new(format, Limits::default());
        let mut slow = Events::new(format, Limits::default());
        for events in [&mut fast, &mut slow] {
            events.push(Bytes::from(stream.clone()));
        }
        loop {
            slow.template = None;
            match (fast.next_event(), slow.next_event()) {
                (Ok(Some(a)), Ok(Some(b))) => prop_assert_eq!(shown(&a), shown(&b)),
                (Ok(None), Ok(None)) => break,
                (Err(a), Err(b)) => { prop_assert_eq!(a, b); break }
                (a, b) => prop_assert!(false, "{a:?} {b:?}"),
            }
        }
    }

    #[test]
    fn cuts_change_nothing((format, stream) in any_stream(), cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..12)) {
        let bytes = stream.as_bytes();
        let mut at: Vec<usize> = cuts.iter().map(|cut| cut.index(bytes.len() + 1)).collect();
        at.extend([0, bytes.len()]);
        at.sort_unstable();
        let chunks: Vec<&[u8]> = at.windows(2).map(|w| &bytes[w[0]..w[1]]).collect();
        match (read(format, &stream, false), read_cut(format, &chunks, false)) {
            (Ok(whole), Ok(cut)) => {
                prop_assert_eq!(whole.iter().map(shown).collect::<Vec<_>>(), cut.iter().map(shown).collect::<Vec<_>>());
                prop_assert_eq!(whole.iter().flat_map(|e| e.document.bytes().to_vec()).collect::<Vec<_>>(), bytes);
            }
            (whole, cut) => prop_assert_eq!(whole.err(), cut.err()),
        }
    }

    #[test]
    fn no_bytes_bring_it_down(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        for format in Format::ALL {
            let _ = read_cut(format, &[&bytes, b"\n\n"], false);
        }
    }
}
