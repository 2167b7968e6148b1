use bytes::Bytes;
use countersign_core::Format;

use crate::{Ask, Limits};

/// The texts that can be marked, and the body with `hello` said to the model.
fn room(format: Format, body: &str) -> (Vec<String>, Option<String>) {
    let ask = Ask::read(format, Bytes::copy_from_slice(body.as_bytes()), &Limits::default()).unwrap();
    let texts = ask.room.texts.iter().map(|leaf| ask.document.text(*leaf).to_owned()).collect();
    let said = ask.room.notice.map(|gap| {
        let said = ask.document.edited_with(&[], Some((&gap, "hello"))).unwrap();
        let again = Ask::read(format, said.clone(), &Limits::default()).unwrap();
        assert!(
            again
                .document
                .leaves()
                .any(|l| { l.channel == countersign_core::Channel::System && l.text.trim_start().ends_with("hello") })
        );
        String::from_utf8(said.to_vec()).unwrap()
    });
    (texts, said)
}

#[test]
fn a_chat_says_it_behind_the_operators_words() {
    let tool = r#"{"role":"tool","tool_call_id":"c","name":"look","content":"found"}"#;
    let chat = |first: &str| format!(r#"{{"model":"m","messages":[{first}{tool}]}}"#);
    for (first, then) in [
        ("", r#"{"role":"system","content":"hello"},"#),
        (r#"{"role":"user","content":"q"},"#, r#"{"role":"system","content":"hello"},{"role":"user","content":"q"},"#),
        (r#"{"role":"system","content":"be kind"},"#, r#"{"role":"system","content":"be kind\n\nhello"},"#),
        (r#"{"content":"a\"","role":"developer"},"#, r#"{"content":"a\"\n\nhello","role":"developer"},"#),
        (
            r#"{"role":"system","content":[{"type":"text","text":"x"} ]},"#,
            r#"{"role":"system","content":[{"type":"text","text":"x"} ,{"type":"text","text":"hello"}]},"#,
        ),
        (r#"{"role":"system","content":[]},"#, r#"{"role":"system","content":[{"type":"text","text":"hello"}]},"#),
        (
            r#"{"role":"system","content":null},"#,
            r#"{"role":"system","content":"hello"},{"role":"system","content":null},"#,
        ),
    ] {
        let (texts, said) = room(Format::Chat, &chat(first));
        assert_eq!((texts, said), (vec!["found".to_owned()], Some(chat(then))), "{first}");
    }
    let parts = r#"{"model":"m","messages":[{"role":"tool","content":[{"type":"text","text":"one"},{"type":"text","text":"two"}]}]}"#;
    assert_eq!(room(Format::Chat, parts).0, ["one", "two"]);
    let own = r#"{"model":"m","messages":[{"role":"system","content":"s"},{"role":"user","content":"q"}]}"#;
    assert_eq!(room(Format::Chat, own), (Vec::new(), None));
}

#[test]
fn messages_say_it_in_the_system_field() {
    let block = r#"{"type":"tool_result","tool_use_id":"t1","content":"found"}"#;
    let ask = |system: &str| {
        format!(r#"{{{system}"model":"m","max_tokens":5,"messages":[{{"role":"user","content":[{block}]}}]}}"#)
    };
    for (system, then) in [
        ("", r#""system":"hello","#),
        (r#""system":null,"#, r#""system":"hello","#),
        (r#""system":"be kind","#, r#""system":"be kind\n\nhello","#),
        (
            r#""system":[{"type":"text","text":"x","cache_control":{"type":"ephemeral"}}],"#,
            r#""system":[{"type":"text","text":"x","cache_control":{"type":"ephemeral"}},{"type":"text","text":"hello"}],"#,
        ),
    ] {
        for format in [Format::Messages, Format::CountTokens] {
            assert_eq!(room(format, &ask(system)), (vec!["found".to_owned()], Some(ask(then))), "{system}");
        }
    }
    let documents = r#"{"model":"m","max_tokens":5,"messages":[{"role":"user","content":[
        {"type":"document","title":"t","context":"c","source":{"type":"text","media_type":"text/plain","data":"d"}},
        {"type":"document","source":{"type":"content","content":[{"type":"text","text":"e"}]}},
        {"type":"search_result","source":"https://x.example","title":"u","content":[{"type":"text","text":"f"}]},
        {"type":"tool_result","tool_use_id":"t2","content":[{"type":"text","text":"g"}],"is_error":false},
        {"type":"text","text":"the question"}]}]}"#;
    assert_eq!(room(Format::Messages, documents).0, ["t", "c", "d", "e", "https://x.example", "u", "f", "g"]);
}

#[test]
fn responses_say_it_where_the_answer_does_not_repeat_it() {
    let ask = |item: &str| {
        format!(
            r#"{{"model":"m","instructions":"be kind","input":[{item}{{"type":"function_call_output","call_id":"c","output":"found"}}]}}"#
        )
    };
    let (texts, said) = room(Format::Responses, &ask(""));
    assert_eq!(texts, ["found"]);
    assert_eq!(said.unwrap(), ask(r#"{"role":"system","content":"hello"},"#));
    // What is elsewhere can be neither seen nor marked.
    let elsewhere = r#"{"model":"m","input":"go on","previous_response_id":"resp_1"}"#;
    assert_eq!(room(Format::Responses, elsewhere), (Vec::new(), None));
}
