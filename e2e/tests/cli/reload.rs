//! Reloads: a bad one changes nothing and says why, a good one takes effect, and neither drops a stream.

use countersign_testkit::{
    Client, Gate, Plan, Reply, Upstream, chat_answer, chat_ask, chunked, event_stream, request, until,
};
use rcgen::{CertifiedKey, generate_simple_self_signed};
use serde_json::json;

use crate::{CHAT, stream};

#[test]
fn a_reload_is_whole_or_not_at_all_and_drops_no_stream() {
    let (begun, go_on) = (Gate::new(), Gate::new());
    let gates = (begun.clone(), go_on.clone());
    let event = |text: &str| {
        let data = json!({"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "m",
                          "choices": [{"index": 0, "delta": {"content": text}, "finish_reason": null}]});
        format!("data: {data}\n\n")
    };
    let (first, second) = (event("One ordinary sentence after another. ").repeat(40), event("And the last one."));
    let last = "data: [DONE]\n\n";
    let pieces = (first.clone(), second.clone());
    let upstream = Upstream::start(move |asked| match asked.json()["stream"].as_bool() {
        Some(true) => Reply::raw(event_stream())
            .send(chunked(pieces.0.as_bytes()))
            .open(&gates.0)
            .wait(&gates.1)
            .send(chunked(pieces.1.as_bytes()))
            .send(chunked(last.as_bytes()))
            .send(chunked(b"")),
        _ => Reply::json(200, &chat_answer("hello")),
    });
    let home = Plan::new().target("openai", &upstream, &["m"]).write();
    let key = home.key("alice", "staff");
    let gateway = home.serve();
    let home = gateway.home.clone();
    let mut client = stream(&gateway, &key);
    assert!(begun.wait());
    let mut seen = client.until("ordinary");

    let config = home.read("countersign.toml");
    let policy = home.read("policy.cedar");
    let models = || gateway.get("/v1/models", &key).json()["data"].as_array().map_or(0, Vec::len);
    assert_eq!(models(), 1);
    for (index, (file, text, why)) in [
        (
            "countersign.toml",
            config.replace("models = [\"m\"]", "models = [\"m\", \"n\"]\nmodles = 1"),
            "unknown field `modles`",
        ),
        (
            "countersign.toml",
            config.replace("[policy]", "[[rule]]\nfind = \"sekret\"\ndo = \"mask\"\n[policy]"),
            "sekret",
        ),
        ("policy.cedar", policy.replace("permit", "permitt"), "policy.cedar:"),
        (
            "policy.cedar",
            format!("{policy}\nforbid (principal, action, resource) when {{ context.nothing }};"),
            "CS1002",
        ),
        ("tls/chain.pem", "nonsense".to_owned(), "TLS"),
    ]
    .into_iter()
    .enumerate()
    {
        let good = home.read(file);
        home.put(file, &text);
        gateway.hangup();
        let log = until("the reload to be refused", || {
            Some(gateway.log()).filter(|log| log.matches("not reloaded").count() == index + 1)
        });
        let line = log.lines().rfind(|l| l.contains("not reloaded")).unwrap_or_default();
        assert!(line.contains(why) && line.contains("fix: "), "{file}: {line}");
        assert_eq!(models(), 1, "nothing changed");
        assert_eq!(gateway.post(CHAT, &key, &chat_ask("hi")).status, 200);
        home.put(file, good);
    }

    home.put("countersign.toml", config.replace("models = [\"m\"]", "models = [\"m\", \"n\"]"));
    home.put("policy.cedar", format!("{policy}\nforbid (principal, action, resource == Countersign::Model::\"m\");"));
    gateway.hangup();
    let _ = gateway.logged("\"reloaded\"");
    assert_eq!(gateway.post(CHAT, &key, &chat_ask("hi")).code().as_deref(), Some("CS0301"), "the new policy decides");
    let mut ask = chat_ask("hi");
    ask["model"] = "n".into();
    assert_eq!(gateway.post(CHAT, &key, &ask).status, 200, "the new model is served");

    // The stream that began before all this ends as if nothing had happened, on the rules it began with.
    go_on.open();
    seen.push_str(&String::from_utf8_lossy(&client.rest_of_stream()));
    let body = unchunked(&seen);
    assert_eq!(body, format!("{first}{second}{last}"));
}

#[test]
fn new_certificates_serve_new_connections_and_streams_go_on() {
    let (begun, go_on) = (Gate::new(), Gate::new());
    let gates = (begun.clone(), go_on.clone());
    let event = |text: &str| {
        let data = json!({"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "m",
                          "choices": [{"index": 0, "delta": {"content": text}, "finish_reason": null}]});
        format!("data: {data}\n\n")
    };
    let (first, rest) =
        (event("One ordinary sentence after another. ").repeat(40), event("And the last one.") + "data: [DONE]\n\n");
    let pieces = (first.clone(), rest.clone());
    let upstream = Upstream::start(move |_| {
        Reply::raw(event_stream())
            .send(chunked(pieces.0.as_bytes()))
            .open(&gates.0)
            .wait(&gates.1)
            .send(chunked(pieces.1.as_bytes()))
            .send(chunked(b""))
    });
    let home = Plan::new().target("openai", &upstream, &["m"]).write();
    let key = home.key("alice", "staff");
    let gateway = home.serve();
    let mut ask = chat_ask("hi");
    ask["stream"] = true.into();
    let bearer = format!("Bearer {key}");
    let headers = [("authorization", bearer.as_str()), ("content-type", "application/json")];
    let asked = request("POST", CHAT, &headers, ask.to_string().as_bytes());
    let mut client = gateway.tls_client();
    client.send(&asked).expect("sent");
    assert!(client.head().expect("an answer").expect("an answer").starts_with("HTTP/1.1 200"));
    assert!(begun.wait());
    let mut seen = client.until("ordinary");

    let before = gateway.secure();
    let CertifiedKey { cert, signing_key } =
        generate_simple_self_signed(vec!["localhost".into()]).expect("a certificate");
    gateway.home.put("tls/key.pem", signing_key.serialize_pem());
    gateway.home.put("tls/chain.pem", cert.pem());
    gateway.hangup();
    let _ = gateway.logged("\"reloaded\"");
    // Whoever comes now is shown the new one, and nothing else.
    let health = request("GET", "/healthz", &[], b"");
    let mut other = gateway.tls_client();
    other.send(&health).expect("sent");
    assert_eq!(other.answer().expect("an answer").expect("an answer").status, 200);
    let old = Client::tls(gateway.tls, &before).and_then(|mut client| {
        client.send(&health)?;
        client.answer()
    });
    assert!(old.is_err(), "{old:?}");

    go_on.open();
    seen.push_str(&String::from_utf8_lossy(&client.rest_of_stream()));
    assert_eq!(unchunked(&seen), first + &rest);
}

/// The body of a chunked message that is whole.
fn unchunked(text: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some((size, more)) = rest.split_once("\r\n") {
        let size = usize::from_str_radix(size, 16).expect("a chunk's size");
        if size == 0 {
            return out;
        }
        out.push_str(&more[..size]);
        rest = &more[size + 2..];
    }
    panic!("the stream was dropped: {text}");
}
