use std::sync::Mutex;

use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair};
use data_encoding::BASE64URL_NOPAD;
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
};

use super::*;
use crate::admin::tests::World;

const ISSUER: &str = "[[issuer]]\nname = \"bank\"\nurl = \"https://id.bank.example\"\nkind = \"rfc9068\"\n\
                      audiences = [\"https://ai.example\"]\n";

/// Answers each request on a connection of its own with the next of these documents, and keeps what was asked.
async fn server(answers: Vec<Value>) -> (Place, Arc<Mutex<Vec<Value>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let place = format!("http://{}/poll", listener.local_addr().unwrap()).parse().unwrap();
    let asked = Arc::new(Mutex::new(Vec::new()));
    let kept = asked.clone();
    tokio::spawn(async move {
        for answer in answers {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut bytes = Vec::new();
            let body = loop {
                assert!(stream.read_buf(&mut bytes).await.unwrap() > 0);
                let text = String::from_utf8_lossy(&bytes).into_owned();
                if let Some((head, body)) = text.split_once("\r\n\r\n")
                    && let Ok(value) = serde_json::from_str(body)
                {
                    assert!(head.contains("authorization: Bearer opensesame"), "{head}");
                    break value;
                }
            };
            kept.lock().unwrap().push(body);
            let text = answer.to_string();
            let head = format!("content-type: application/json\r\ncontent-length: {}\r\n", text.len());
            stream
                .write_all(format!("HTTP/1.1 200 OK\r\n{head}connection: close\r\n\r\n{text}").as_bytes())
                .await
                .unwrap();
        }
    });
    (place, asked)
}

#[tokio::test]
async fn what_is_fetched_is_acted_on_once_and_acknowledged_with_the_next_question() {
    let world = World::with("resource = \"https://ai.example\"", ISSUER).await;
    let pair = Ed25519KeyPair::generate().unwrap();
    let x = BASE64URL_NOPAD.encode(pair.public_key().as_ref());
    let set = json!({"keys": [{"kty": "OKP", "crv": "Ed25519", "kid": "k", "x": x}]}).to_string();
    let stages = world.gateway().stages();
    assert_eq!(stages.identity.tokens().wanted(clock::now()).len(), 1);
    stages.identity.tokens().fetched("bank", set.as_bytes(), clock::now()).unwrap();
    let event = |id: &str, audience: &str| {
        let claims = json!({
            "iss": "https://id.bank.example", "aud": audience, "jti": id, "iat": clock::now().seconds(),
            "sub_id": {"format": "opaque", "id": id},
            "events": {"https://schemas.openid.net/secevent/caep/event-type/session-revoked": {}},
        });
        let part = |value: &Value| BASE64URL_NOPAD.encode(value.to_string().as_bytes());
        let signed = format!("{}.{}", part(&json!({"alg": "EdDSA", "kid": "k", "typ": "secevent+jwt"})), part(&claims));
        format!("{signed}.{}", BASE64URL_NOPAD.encode(pair.sign(signed.as_bytes()).as_ref()))
    };
    let (one, two) = (event("e-1", "us"), event("e-2", "us"));
    let (at, asked) = server(vec![
        json!({"sets": {"e-1": one, "x": event("e-9", "them")}, "moreAvailable": true}),
        json!({"sets": {"e-1": one, "e-2": two}}),
        json!({"sets": {}}),
    ])
    .await;
    let source = Source {
        name: "bank".into(),
        url: "https://id.bank.example".into(),
        keys: crate::issuers::Keys::At("https://id.bank.example/keys".parse().unwrap()),
        ca: None,
        clear: true,
    };
    let poll = Poll::new(source, vec!["us".into()], at, Some(Secret::new("opensesame".into())));
    poll.run(&world.assembly).await.unwrap();
    let asked = asked.lock().unwrap().clone();
    assert_eq!((&asked[0]["ack"], &asked[0]["maxEvents"]), (&json!([]), &json!(50)));
    assert_eq!((&asked[1]["ack"], &asked[1]["setErrs"]["x"]["err"]), (&json!(["e-1"]), &json!("invalid_audience")));
    assert_eq!((&asked[2]["ack"], &asked[2]["maxEvents"]), (&json!(["e-1", "e-2"]), &json!(0)));
    // The first came twice, and its session was ended once.
    let made = world.assembly.state().store().revocations(None, 9).await.unwrap();
    let mut targets: Vec<_> = made.iter().map(|r| r.target.to_string()).collect();
    targets.sort();
    assert_eq!(targets, ["principal:default/bank/e-1", "principal:default/bank/e-2"]);
}
