use countersign_testkit::{Link, Redis};
use tokio::net::TcpStream;

use super::*;

pub(crate) fn to(port: u16) -> Connect {
    Arc::new(move || {
        Box::pin(async move {
            let stream: Box<dyn Io> = Box::new(TcpStream::connect(("127.0.0.1", port)).await?);
            Ok(stream)
        })
    })
}

pub(crate) fn connect(port: u16) -> Client {
    Client::new(to(port), None)
}

/// Asks until the answer is there: a connection takes a moment.
async fn answer(client: &Client) -> Value {
    loop {
        if let Ok(value) = client.call(&[b"ECHO", b"here"]).await {
            return value;
        }
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn it_mends_itself_and_no_answer_is_anothers() {
    let Some(server) = Redis::start() else { return };
    let link = Link::to(server.port());
    let client = connect(link.port());
    assert_eq!(answer(&client).await, Value::Bytes(b"here".to_vec()));
    link.cut();
    let refused = loop {
        if let Err(away) = client.call(&[b"ECHO", b"x"]).await {
            break away;
        }
    };
    assert!(!refused.why().is_empty());
    link.mend();
    assert_eq!(answer(&client).await, Value::Bytes(b"here".to_vec()));
    let calls: Vec<_> = (0..200_u32)
        .map(|n| {
            let client = client.clone();
            tokio::spawn(async move { (n, client.call(&[b"ECHO", n.to_string().as_bytes()]).await.unwrap()) })
        })
        .collect();
    for call in calls {
        let (n, value) = call.await.unwrap();
        assert_eq!(value, Value::Bytes(n.to_string().into_bytes()));
    }
    assert!(client.call(&[b"NO-SUCH-COMMAND"]).await.is_err());
}

#[tokio::test]
async fn a_server_that_stands_still_is_given_up_in_time() {
    let Some(server) = Redis::start() else { return };
    let client = connect(server.port());
    answer(&client).await;
    server.freeze();
    assert!(client.call(&[b"ECHO", b"late"]).await.is_err());
    server.thaw();
    assert_eq!(answer(&client).await, Value::Bytes(b"here".to_vec()), "and not the late one");
}

#[tokio::test]
async fn a_password_is_asked_for_and_given() {
    let Some(server) = Redis::with(&["--requirepass", "open-sesame"]) else { return };
    let with = |password: &str| {
        Client::new(to(server.port()), Some(Login { user: None, password: Secret::new(password.into()) }))
    };
    assert_eq!(answer(&with("open-sesame")).await, Value::Bytes(b"here".to_vec()));
    assert!(with("guess").call(&[b"ECHO", b"x"]).await.is_err());
    assert!(connect(server.port()).call(&[b"ECHO", b"x"]).await.is_err());
}

#[tokio::test]
async fn what_one_announces_all_others_hear() {
    let Some(server) = Redis::start() else { return };
    let link = Link::to(server.port());
    let mut listeners = [server.port(), link.port()].map(|port| Announcements::new(to(port), None, "news"));
    for listener in &mut listeners {
        assert_eq!(listener.next().await, Some(Vec::new()), "that it listens is worth a look");
    }
    let client = connect(server.port());
    answer(&client).await;
    client.announce("news", b"one").await.unwrap();
    for listener in &mut listeners {
        assert_eq!(listener.next().await, Some(b"one".to_vec()));
    }
    // Who was cut off and listens again is told to look, for something may have been missed.
    link.cut();
    client.announce("news", b"two").await.unwrap();
    link.mend();
    assert_eq!(listeners[0].next().await, Some(b"two".to_vec()));
    assert_eq!(listeners[1].next().await, Some(Vec::new()));
}
