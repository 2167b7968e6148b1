use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};

use super::*;

fn post() -> RequestHead {
    RequestHead::new("POST", "/x", "h").unwrap()
}

/// Reads one request whose body is `body` bytes long, then writes `answer`.
async fn serve(io: &mut DuplexStream, body: usize, answer: &str) -> Vec<u8> {
    let mut request = Vec::new();
    while !request.windows(4).any(|w| w == b"\r\n\r\n") {
        assert_ne!(io.read_buf(&mut request).await.unwrap(), 0);
    }
    let head = request.windows(4).position(|w| w == b"\r\n\r\n").unwrap() + 4;
    while request.len() < head + body {
        io.read_buf(&mut request).await.unwrap();
    }
    io.write_all(answer.as_bytes()).await.unwrap();
    request
}

#[tokio::test]
async fn two_exchanges_on_one_connection() {
    let (ours, mut theirs) = duplex(1 << 16);
    let mut c = Connection::new(ours);
    for _ in 0..2 {
        let answer = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nhi";
        let head = post();
        let (head, request) = tokio::join!(c.send(&head, "{}".into()), serve(&mut theirs, 2, answer));
        assert_eq!(head.unwrap().status(), 200);
        assert_eq!(request, b"POST /x HTTP/1.1\r\nhost: h\r\ncontent-length: 2\r\n\r\n{}");
        assert!(!c.reusable());
        assert_eq!(c.read_whole(2).await.unwrap(), "hi");
        assert!(c.reusable());
    }
}

#[tokio::test]
async fn a_get_says_no_length_and_a_head_has_no_body() {
    let (ours, mut theirs) = duplex(1 << 16);
    let mut c = Connection::new(ours);
    for method in ["GET", "HEAD"] {
        let answer = ["HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n", if method == "GET" { "hi" } else { "" }].concat();
        let head = RequestHead::new(method, "/x", "h").unwrap();
        let (head, request) = tokio::join!(c.send(&head, Bytes::new()), serve(&mut theirs, 0, &answer));
        head.unwrap();
        assert_eq!(request, format!("{method} /x HTTP/1.1\r\nhost: h\r\n\r\n").as_bytes());
        c.read_whole(9).await.unwrap();
        assert!(c.reusable());
    }
}

#[tokio::test]
async fn what_comes_unasked_or_is_gone_is_noticed_before_the_next_request() {
    let answer = "HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n";
    for stray in [Some("HTTP/1.1 200 OK\r\n"), None] {
        let (ours, mut theirs) = duplex(1 << 16);
        let mut c = Connection::new(ours);
        tokio::join!(async { c.send(&post(), "{}".into()).await.unwrap() }, serve(&mut theirs, 2, answer));
        match stray {
            Some(bytes) => theirs.write_all(bytes.as_bytes()).await.unwrap(),
            None => drop(theirs),
        }
        assert!(c.reusable());
        let error = c.send(&post(), "{}".into()).await.unwrap_err();
        assert!(matches!((stray, error), (Some(_), Error::Unsolicited) | (None, Error::Closed)));
        assert!(!c.heard() && !c.reusable());
        assert!(matches!(c.send(&post(), "{}".into()).await, Err(Error::Spent)));
    }
}

#[tokio::test]
async fn an_early_refusal_is_heard_and_an_early_success_is_not_believed() {
    for (status, believed) in [(413, true), (200, false)] {
        let (ours, mut theirs) = duplex(1000);
        let mut c = Connection::new(ours);
        let answer = format!("HTTP/1.1 {status} X\r\ncontent-length: 2\r\n\r\nno");
        let head = post();
        let body = Bytes::from(vec![b'x'; 100_000]);
        let (head, _) = tokio::join!(c.send(&head, body), async {
            theirs.read_exact(&mut [0; 100]).await.unwrap();
            theirs.write_all(answer.as_bytes()).await.unwrap();
        });
        match head {
            Ok(head) => assert!(believed && head.status() == status),
            Err(e) => assert!(!believed && matches!(e, Error::Early)),
        }
        if believed {
            assert_eq!(c.read_whole(9).await.unwrap(), "no");
        }
        assert!(!c.reusable());
    }
}

#[tokio::test]
async fn a_server_that_goes_away_is_told_from_one_that_had_begun() {
    for (answer, heard) in [("", false), ("HTTP/1.1 2", true)] {
        let (ours, mut theirs) = duplex(1 << 16);
        let mut c = Connection::new(ours);
        let head = post();
        let (error, ()) = tokio::join!(c.send(&head, "{}".into()), async {
            serve(&mut theirs, 2, answer).await;
            drop(theirs);
        });
        assert!(matches!(error, Err(Error::Closed | Error::Truncated)));
        assert_eq!(c.heard(), heard);
    }
}

#[tokio::test]
async fn a_whole_body_is_bounded() {
    for (limit, fits) in [(10, true), (9, false), (4, false), (0, false)] {
        let (ours, mut theirs) = duplex(1 << 16);
        let mut c = Connection::new(ours);
        let answer = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n";
        let head = post();
        let (head, _) = tokio::join!(c.send(&head, "{}".into()), serve(&mut theirs, 2, answer));
        head.unwrap();
        let (body, ()) = tokio::join!(c.read_whole(limit), async {
            tokio::task::yield_now().await;
            let _ = theirs.write_all(b"5\r\nworld\r\n0\r\n\r\n").await;
        });
        match body {
            Ok(body) => assert!(fits && body == "helloworld"),
            Err(e) => assert!(!fits && matches!(e, Error::BodyTooLong)),
        }
    }
}

#[tokio::test]
async fn a_dropped_send_spends_the_connection_and_a_dropped_read_loses_nothing() {
    let (ours, mut theirs) = duplex(1 << 16);
    let mut c = Connection::new(ours);
    let head = post();
    tokio::select! { biased; _ = c.send(&head, "{}".into()) => unreachable!(), () = tokio::task::yield_now() => {} }
    assert!(!c.reusable());
    assert!(matches!(c.send(&head, "{}".into()).await, Err(Error::Spent)));

    let (ours, mut other) = duplex(1 << 16);
    let mut c = Connection::new(ours);
    let answer = "HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nab";
    tokio::join!(async { c.send(&head, "{}".into()).await.unwrap() }, serve(&mut other, 2, answer));
    assert_eq!(c.read(9).await.unwrap().unwrap(), "ab");
    tokio::select! { biased; _ = c.read(9) => unreachable!(), () = tokio::task::yield_now() => {} }
    other.write_all(b"cd").await.unwrap();
    assert_eq!(c.read(9).await.unwrap().unwrap(), "cd");
    assert_eq!(c.read(9).await.unwrap(), None);
    assert!(c.reusable());
    drop(theirs.shutdown().await);
}
