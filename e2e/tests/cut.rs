//! An answer that is cut says why before its connection is given up, so that a client raises an error that tells something.

use countersign_testkit::{
    Deployment, Plan, Reply, Upstream, chat_ask,
    h2::{END_HEADERS, END_STREAM, H2, field, frame, kind},
    request,
};
use serde_json::json;

const CHAT: &str = "/v1/chat/completions";

fn serve() -> (Deployment, String) {
    let upstream = Upstream::start(|_asked| {
        let event = |text: &str| {
            let chunk = json!({"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "m",
                               "choices": [{"index": 0, "delta": {"content": text}, "finish_reason": null}]});
            format!("data: {chunk}\n\n")
        };
        let before = (0..30).map(|n| event(&format!("Sentence number {n} is an ordinary one. ")));
        let secret = ["the key is AKI", "AQ3EGV7JN2K", "XW4T5R is it. "].into_iter().map(event);
        Reply::events(before.chain(secret).chain([event("More of it."), "data: [DONE]\n\n".into()]))
    });
    let rule = "find = \"secret\"\nin = \"answer\"\ndo = \"cut\"";
    let home = Plan::new().target("openai", &upstream, &["m"]).rule(rule).write();
    let key = home.key("alice", "staff");
    (home.serve(), key)
}

fn judge(text: &str, what: &str) {
    assert!(text.contains("Sentence number 0"), "{what}: the answer begins: {text}");
    assert!(text.contains("CS0502"), "{what}: the cut is not said: {text}");
    assert!(!text.contains("AKIA") && !text.contains("[DONE]"), "{what}: {text}");
}

#[test]
fn a_cut_is_said_and_then_made() {
    let (gateway, key) = serve();
    let mut ask = chat_ask("What is the key?");
    ask["stream"] = true.into();
    let bearer = format!("Bearer {key}");
    let headers = [("authorization", bearer.as_str()), ("content-type", "application/json")];
    let bytes = request("POST", CHAT, &headers, ask.to_string().as_bytes());
    for _ in 0..10 {
        for (what, mut client) in [("clear", gateway.client()), ("TLS", gateway.tls_client())] {
            client.send(&bytes).expect("the gateway reads");
            let answer = client.answer().expect("an answer").expect("an answer");
            assert_eq!((answer.status, answer.complete), (200, false), "{what}: the connection breaks off");
            judge(&answer.text(), what);
            assert!(client.rest().is_empty());
        }
        let mut h2 = H2::connect(gateway.tls, &gateway.secure());
        let block = [
            field(":method", "POST"),
            field(":scheme", "https"),
            field(":path", CHAT),
            field(":authority", "localhost"),
            field("authorization", &bearer),
            field("content-type", "application/json"),
        ]
        .concat();
        h2.send(frame(kind::HEADERS, END_HEADERS, 1, &block));
        h2.send(frame(kind::DATA, END_STREAM, 1, ask.to_string().as_bytes()));
        let seen = h2.until(|seen| seen.is_over(1)).expect("the stream ends");
        judge(&seen.text(1), "HTTP/2");
    }
    assert_eq!(gateway.get("/v1/models", &key).status, 200);
}
