//! One good exchange, in the clear and inside TLS, and one refused: what every other test leans on.

use countersign_testkit::{Plan, Reply, Upstream, chat_answer, chat_ask, request};

#[test]
fn a_request_with_a_key_passes_and_one_without_does_not() {
    let upstream = Upstream::start(|_asked| Reply::json(200, &chat_answer("hello")));
    let gateway = Plan::new().target("openai", &upstream, &["m"]).serve();
    let key = gateway.home.key("alice", "staff");

    let refused = gateway.post("/v1/chat/completions", "csk_nobody", &chat_ask("hi"));
    assert_eq!((refused.status, refused.code().as_deref()), (401, Some("CS0202")));
    assert!(upstream.seen().is_empty());

    // A key made by another process is known within a moment.
    let answer = countersign_testkit::until("the key to be known", || {
        Some(gateway.post("/v1/chat/completions", &key, &chat_ask("hi"))).filter(|a| a.status != 401)
    });
    assert_eq!(answer.text(), chat_answer("hello").to_string());

    let mut client = gateway.tls_client();
    let bearer = format!("Bearer {key}");
    let headers = [("authorization", bearer.as_str()), ("content-type", "application/json")];
    client
        .send(request("POST", "/v1/chat/completions", &headers, chat_ask("hi").to_string().as_bytes()))
        .expect("the gateway reads");
    let answer = client.answer().expect("an answer").expect("an answer");
    assert_eq!((answer.status, answer.complete), (200, true));
    assert_eq!(upstream.seen().len(), 2);
    let (status, _home) = gateway.stop();
    assert!(status.success());
}
