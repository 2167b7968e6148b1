//! Every door and every endpoint demands identity, loopback and metrics included; `/healthz` and `/readyz` alone do not.

use std::{
    io::{Read, Write},
    os::unix::{fs::PermissionsExt, net::UnixStream},
};

use countersign_testkit::{Client, Deployment, Plan, Reply, Upstream, chat_answer, chat_ask, request};
use serde_json::json;

const ENDPOINTS: [(&str, &str); 9] = [
    ("POST", "/v1/chat/completions"),
    ("POST", "/v1/responses"),
    ("POST", "/v1/completions"),
    ("POST", "/v1/embeddings"),
    ("GET", "/v1/models"),
    ("POST", "/v1/messages"),
    ("POST", "/v1/messages/count_tokens"),
    ("GET", "/metrics"),
    ("GET", "/no-such-endpoint"),
];

#[test]
fn every_endpoint_demands_identity_at_every_door() {
    let upstream = Upstream::start(|_asked| Reply::json(200, &chat_answer("hello")));
    let unix = "[[listener]]\nname = \"unix\"\nunix = \"gateway.sock\"";
    let home = Plan::new().target("openai", &upstream, &["m"]).more(unix).write();
    let (key, observer) = (home.key("alice", "staff"), home.key("olga", "observer"));
    let gateway = home.serve();
    let body = chat_ask("hi").to_string();
    for door in ["tls", "clear", "unix"] {
        for (method, path) in ENDPOINTS {
            let status =
                |headers: &[(&str, &str)]| exchange(&gateway, door, &request(method, path, headers, body.as_bytes()));
            for headers in [
                &[][..],
                &[("authorization", "Bearer csk_nobody")],
                &[("x-api-key", "")],
                &[("x-forwarded-for", "127.0.0.1"), ("x-real-ip", "127.0.0.1"), ("x-user", "alice")],
            ] {
                let headers = [headers, &[("content-type", "application/json")]].concat();
                assert_eq!(status(&headers), 401, "{method} {path} at {door} with {headers:?}");
            }
        }
        for path in ["/healthz", "/readyz"] {
            assert_eq!(exchange(&gateway, door, &request("GET", path, &[], b"")), 200, "{path} at {door}");
        }
        assert!(upstream.seen().is_empty(), "nothing was asked of the provider");
    }
    let sent = |door: &str, key: &str, path: &str| {
        let headers = [("x-api-key", key), ("content-type", "application/json")];
        let (method, body) = if path == "/metrics" { ("GET", "") } else { ("POST", body.as_str()) };
        exchange(&gateway, door, &request(method, path, &headers, body.as_bytes()))
    };
    for door in ["tls", "clear", "unix"] {
        assert_eq!(sent(door, &key, "/v1/chat/completions"), 200, "{door}");
        assert_eq!(sent(door, &key, "/metrics"), 403, "metrics are not for everyone, at {door}");
        assert_eq!(sent(door, &observer, "/metrics"), 200, "{door}");
        assert_eq!(sent(door, &observer, "/v1/chat/completions"), 403, "who watches does not ask, at {door}");
    }
    let mode = std::fs::metadata(gateway.home.path("gateway.sock")).expect("a socket").permissions().mode();
    assert_eq!(mode & 0o777, 0o600, "the socket is for this user alone");
}

#[test]
fn log_probabilities_do_not_pass() {
    let upstream = Upstream::start(|_asked| {
        let mut answer = chat_answer("hello");
        answer["choices"][0]["logprobs"] =
            json!({"content": [{"token": "hello", "logprob": -0.1, "top_logprobs": []}]});
        Reply::json(200, &answer)
    });
    let gateway = Plan::new().target("openai", &upstream, &["m"]).write();
    let key = gateway.key("alice", "staff");
    let gateway = gateway.serve();
    let mut ask = chat_ask("hi");
    ask["logprobs"] = true.into();
    ask["top_logprobs"] = 5.into();
    let refused = gateway.post("/v1/chat/completions", &key, &ask);
    assert_eq!((refused.status, refused.code().as_deref()), (403, Some("CS0301")), "{}", refused.text());
    assert!(upstream.seen().is_empty());
    // A provider that says them unasked.
    let withheld = gateway.post("/v1/chat/completions", &key, &chat_ask("hi"));
    assert_eq!((withheld.status, withheld.code().as_deref()), (403, Some("CS0502")), "{}", withheld.text());
    assert_eq!(gateway.get("/v1/models", &key).status, 200);
}

#[test]
fn a_request_for_log_probabilities_is_made_without_where_that_is_wanted() {
    let upstream = Upstream::start(|_asked| Reply::json(200, &chat_answer("hello")));
    let gateway = Plan::new().guard("strip_logprobs = true").target("openai", &upstream, &["m"]).write();
    let key = gateway.key("alice", "staff");
    let gateway = gateway.serve();
    let mut ask = chat_ask("hi");
    ask["logprobs"] = true.into();
    ask["top_logprobs"] = 5.into();
    let answer = gateway.post("/v1/chat/completions", &key, &ask);
    assert_eq!(answer.status, 200, "{}", answer.text());
    let asked = upstream.seen();
    assert!(asked.iter().all(|asked| asked.json()["logprobs"].is_null() && asked.json()["top_logprobs"].is_null()));
    assert_eq!(asked.len(), 1);
}

/// Sends a request through a door; the status of the answer.
fn exchange(gateway: &Deployment, door: &str, bytes: &[u8]) -> u16 {
    let mut client = match door {
        "tls" => gateway.tls_client(),
        "clear" => Client::clear(gateway.clear),
        _ => {
            let mut io = UnixStream::connect(gateway.home.path("gateway.sock")).expect("somebody listens");
            io.write_all(bytes).expect("the gateway reads");
            let mut head = [0; 12];
            io.read_exact(&mut head).expect("the gateway answers");
            return String::from_utf8_lossy(&head[9..]).parse().expect("a status");
        }
    };
    client.send(bytes).expect("the gateway reads");
    client.answer().expect("the gateway answers").expect("the gateway answers").status
}
