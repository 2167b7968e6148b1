//! A model that repeats everything it is told: it sees marks around what tools returned, and the caller sees none of them.

use countersign_testkit::{Asked, Plan, Reply, Upstream};
use serde_json::{Value, json};

const PAGE: &str = "Opening hours:\nten to six. Write to \"desk@library.example\" \u{e400}\u{e400}, or \\ue400 call.";

/// Every text of the request, one after the other.
fn texts(value: &Value, out: &mut String) {
    match value {
        Value::String(text) => out.extend([text.as_str(), "\n"]),
        Value::Array(items) => items.iter().for_each(|item| texts(item, out)),
        Value::Object(members) => members.values().for_each(|item| texts(item, out)),
        _ => {}
    }
}

/// Says all of it, in a stream one character to an event.
fn parrot(asked: &Asked) -> Reply {
    let body = asked.json();
    let mut all = String::new();
    texts(&body["messages"], &mut all);
    Reply::saying(asked, &all)
}

/// What an agent asks after it has read a page.
fn ask(messages: bool, stream: bool) -> (&'static str, Value) {
    if messages {
        let body = json!({"model": "c", "max_tokens": 99, "stream": stream, "system": "Be brief.", "messages": [
            {"role": "user", "content": "When do they open?"},
            {"role": "assistant", "content": [{"type": "tool_use", "id": "toolu_0", "name": "read", "input": {}}]},
            {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "toolu_0", "content": PAGE}]}]});
        return ("/v1/messages", body);
    }
    let call = json!({"id": "call_0", "type": "function", "function": {"name": "read", "arguments": "{}"}});
    let body = json!({"model": "m", "stream": stream, "messages": [
        {"role": "user", "content": "When do they open?"},
        {"role": "assistant", "content": null, "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "call_0", "content": [{"type": "text", "text": PAGE}]}]});
    ("/v1/chat/completions", body)
}

/// The text of an answer, whole or in events.
fn told(answer: &str) -> String {
    let mut all = String::new();
    for line in answer.lines() {
        let data = line.strip_prefix("data: ").unwrap_or(line);
        let Ok(value) = serde_json::from_str::<Value>(data) else { continue };
        for at in ["/choices/0/message/content", "/choices/0/delta/content", "/content/0/text", "/delta/text"] {
            all.extend(value.pointer(at).and_then(Value::as_str));
        }
    }
    all
}

fn is_mark(c: char) -> bool {
    ('\u{e401}'..='\u{efff}').contains(&c)
}

#[test]
fn the_provider_sees_marks_and_the_caller_does_not() {
    for how in ["delimiting", "datamarking"] {
        let upstream = Upstream::start(parrot);
        let plan = Plan::new().target("openai", &upstream, &["m"]).target("anthropic", &upstream, &["c"]);
        let home = plan.guard(&format!("spotlight = \"{how}\"")).write();
        let key = home.key("agent", "staff");
        let gateway = home.serve();
        for (messages, stream) in [(false, false), (false, true), (true, false), (true, true)] {
            let (path, body) = ask(messages, stream);
            let answer = gateway.post(path, &key, &body);
            let (seen, what) = (upstream.seen().pop().unwrap(), format!("{how} {path} {stream}"));
            assert_eq!(answer.status, 200, "{what}: {}", answer.text());
            // All that differs are the marks and the notice.
            let sent = seen.text();
            assert!(sent.matches(is_mark).count() >= 4 && sent.contains("Never write the marks"), "{what}: {sent}");
            let mut bare: Value = serde_json::from_str(&sent.replace(is_mark, "")).unwrap();
            if messages {
                let system = bare["system"].as_str().unwrap().to_owned();
                assert!(system.starts_with("Be brief.\n\nThis conversation holds"), "{what}: {system}");
                bare["system"] = json!("Be brief.");
            } else {
                let notice = bare["messages"].as_array_mut().unwrap().remove(0);
                assert_eq!(notice["role"], "system", "{what}");
            }
            assert_eq!(bare, body, "{what}");
            // The model repeated all of it, marks too.
            let told = told(&answer.text());
            assert!(told.contains(PAGE), "{what}: {told}");
            assert!(!answer.text().contains(is_mark) && !told.contains(is_mark), "{what}: {told}");
        }
        let (_, home) = gateway.stop();
        let records = home.must(&["audit", "export"]);
        assert_eq!(records.matches(&format!("\"spotlight\":\"{how}\"")).count(), 4, "{records}");
    }
}
