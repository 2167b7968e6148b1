use std::sync::Mutex;

use bytes::BytesMut;
use countersign_store::{Revision, RevocationRecord};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
};

use super::*;

fn revocation(n: u8, target: &str, by: &str) -> RevocationRecord {
    RevocationRecord {
        id: format!("rev_{n}").into(),
        target: target.into(),
        before: Timestamp::MAX,
        until: None,
        at: Timestamp(1_795_342_530_000_000),
        by: by.into(),
        reason: "lost".into(),
        lifted: None,
    }
}

fn speaker() -> Arc<Speaker> {
    let ring = Arc::new(KeyRing::from_bytes(Secret::new(vec![7; 32])).unwrap());
    let issuers = vec![("okta".into(), "https://okta.example".into())];
    Arc::new(Speaker { origin: "https://ai.example".into(), issuers, ring, rsa: Vec::new() })
}

#[test]
fn whom_it_is_about_is_said_in_words_that_others_know() {
    let about = |target: &str, by: &str| speaker().subject(&revocation(1, target, by));
    let iss_sub = |iss: &str, sub: &str| Some(json!({"format": "iss_sub", "iss": iss, "sub": sub}));
    assert_eq!(about("principal:bank/okta/u-1", "x/y"), iss_sub("https://okta.example", "u-1"));
    assert_eq!(about("principal:bank/shop", "x/y"), iss_sub("https://ai.example", "bank/shop"));
    assert_eq!(about("session:okta/s-1", "x/y").unwrap()["session"]["id"], "s-1");
    assert_eq!(about("tenant:bank", "x/y").unwrap()["tenant"]["id"], "bank");
    for target in ["everything", "role:teller", "credential:key_1", "token:okta/t", "session:gone/s", "nonsense"] {
        assert_eq!(about(target, "x/y"), None, "{target}");
    }
    // What an issuer told us is not told on: it would come back.
    assert_eq!(about("principal:bank/okta/u-1", "issuer:okta"), None);
}

/// Answers each request on a connection of its own with the next of these statuses, and keeps what came.
async fn server(statuses: &'static [u16]) -> (Place, Arc<Mutex<Vec<String>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let place = format!("http://{}/events", listener.local_addr().unwrap()).parse().unwrap();
    let came = Arc::new(Mutex::new(Vec::new()));
    let kept = came.clone();
    tokio::spawn(async move {
        for status in statuses {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut bytes = BytesMut::new();
            let text = loop {
                assert!(stream.read_buf(&mut bytes).await.unwrap() > 0);
                let text = String::from_utf8_lossy(&bytes).into_owned();
                let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
                let length = head
                    .lines()
                    .find_map(|line| line.to_ascii_lowercase().strip_prefix("content-length: ")?.parse().ok());
                if length == Some(body.len()) {
                    break text;
                }
            };
            kept.lock().unwrap().push(text);
            let answer = format!("HTTP/1.1 {status} X\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
            stream.write_all(answer.as_bytes()).await.unwrap();
        }
    });
    (place, came)
}

#[tokio::test]
async fn each_event_is_pushed_in_order_until_it_is_taken() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(&folder.path().join("store.db")).await.unwrap();
    let (at, came) = server(&[503, 202, 400, 202]).await;
    let push = Push { at, token: Some(Secret::new("opensesame".into())), ca: None };
    let receiver =
        Receiver::new("siem".into(), "https://siem.example".into(), Signing::EdDsa, Way::Push(push.clone()), speaker());
    store.receiver("siem").await.unwrap();
    for (n, target) in [(1, "principal:bank/a"), (2, "role:x"), (3, "principal:bank/b"), (4, "principal:bank/c")] {
        store.insert_revocation(&revocation(n, target, "x/y"), &mut Revision::default()).await.unwrap();
    }
    let error = receiver.push(&store, &push).await.unwrap_err();
    assert!(error.to_string().contains("503") && receiver.rest() == Duration::from_secs(1));
    assert_eq!(receiver.rest(), Duration::from_secs(2));
    // The first is told again; the third is refused for good and passed over.
    receiver.push(&store, &push).await.unwrap();
    assert!(store.revocations_since(store.receiver("siem").await.unwrap(), 9).await.unwrap().is_empty());
    let came = came.lock().unwrap();
    let ids: Vec<String> = came
        .iter()
        .map(|request| {
            assert!(request.contains("authorization: Bearer opensesame\r\n") && request.contains(TYPE), "{request}");
            let token = request.rsplit("\r\n").next().unwrap();
            let payload = BASE64URL_NOPAD.decode(token.split('.').nth(1).unwrap().as_bytes()).unwrap();
            serde_json::from_slice::<Value>(&payload).unwrap()["jti"].as_str().unwrap().to_owned()
        })
        .collect();
    assert_eq!(ids, ["rev_1", "rev_1", "rev_3", "rev_4"]);
}

#[tokio::test]
async fn two_nodes_do_not_tell_the_same_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(&folder.path().join("store.db")).await.unwrap();
    let (at, came) = server(&[202]).await;
    let push = Push { at, token: None, ca: None };
    let receiver = Receiver::new("siem".into(), "a".into(), Signing::EdDsa, Way::Push(push.clone()), speaker());
    store.receiver("siem").await.unwrap();
    let one = revocation(1, "principal:bank/a", "x/y");
    store.insert_revocation(&one, &mut Revision::default()).await.unwrap();
    let now = clock::now();
    assert!(store.hold_receiver("siem", now, now.plus(HELD)).await.unwrap(), "another node tells it");
    receiver.push(&store, &push).await.unwrap();
    assert!(came.lock().unwrap().is_empty());
    store.hold_receiver("siem", now.plus(HELD), Timestamp(0)).await.unwrap();
    receiver.push(&store, &push).await.unwrap();
    assert_eq!(came.lock().unwrap().len(), 1);
}
