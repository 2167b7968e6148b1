use proptest::prelude::*;

use super::*;

/// What a connection's bytes come to: the heads' statuses and bodies, and how it ended.
#[derive(Debug, Default, PartialEq)]
struct Outcome {
    status: Option<u16>,
    headers: Vec<(Vec<u8>, Vec<u8>)>,
    body: Vec<u8>,
    error: Option<String>,
    reusable: bool,
}

fn read(wire: &[u8], cuts: &[usize], bodiless: bool) -> Outcome {
    let mut reader = Reader::new();
    let mut outcome = Outcome::default();
    reader.expect(bodiless).unwrap();
    let mut rest = wire;
    let mut sizes = cuts.iter().cycle();
    let result = loop {
        if let Err(e) = step(&mut reader, &mut outcome) {
            break Err(e);
        }
        if rest.is_empty() {
            break if matches!(reader.phase, Phase::Idle) { Ok(()) } else { reader.close() };
        }
        let (now, later) = rest.split_at((*sizes.next().unwrap()).min(rest.len()));
        rest = later;
        reader.buffer().extend_from_slice(now);
    };
    outcome.error = result.err().map(|e| e.to_string());
    outcome.reusable = reader.reusable();
    outcome
}

fn step(reader: &mut Reader, outcome: &mut Outcome) -> Result<(), Error> {
    if outcome.status.is_none() {
        let Some(head) = reader.head()? else { return Ok(()) };
        outcome.status = Some(head.status());
        outcome.headers = head.headers().map(|(n, v)| (n.to_vec(), v.to_vec())).collect();
    }
    while let Piece::Data(bytes) = reader.body(7)? {
        outcome.body.extend_from_slice(&bytes);
    }
    Ok(())
}

fn whole(wire: &str) -> Outcome {
    read(wire.as_bytes(), &[usize::MAX], false)
}

#[test]
fn ordinary_answers() {
    for (wire, status, body, reusable) in [
        ("HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\nabc", 200, "abc", true),
        ("HTTP/1.1 200\r\nContent-Length:3\r\n\r\nabc", 200, "abc", true),
        ("HTTP/1.1 200 OK\r\nTransfer-Encoding: Chunked\r\n\r\n1\r\na\r\n0\r\n\r\n", 200, "a", true),
        ("HTTP/1.1 200 OK\r\n\r\nabc", 200, "abc", false),
        ("HTTP/1.0 200 OK\r\ncontent-length: 1\r\n\r\na", 200, "a", false),
        ("HTTP/1.0 200 OK\r\ncontent-length: 1\r\nconnection: Keep-Alive\r\n\r\na", 200, "a", true),
        ("HTTP/1.1 200 OK\r\ncontent-length: 1\r\nconnection: x, Close\r\n\r\na", 200, "a", false),
        ("HTTP/1.1 200 OK\r\ncontent-length: 1\r\nconnection: close, keep-alive\r\n\r\na", 200, "a", true),
        ("HTTP/1.1 204 No Content\r\n\r\n", 204, "", true),
        ("HTTP/1.1 304 Not Modified\r\ncontent-length: 9\r\n\r\n", 304, "", true),
        (
            "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 X\r\nlink: y\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n",
            200,
            "",
            true,
        ),
        // Bytes after the answer are nobody's answer: the connection is not used again.
        ("HTTP/1.1 200 OK\r\ncontent-length: 1\r\n\r\nabc", 200, "a", false),
        ("HTTP/1.1 204 No Content\r\ncontent-length: 3\r\n\r\nabc", 204, "", false),
    ] {
        let got = whole(wire);
        assert_eq!(
            (got.status, &got.body[..], got.reusable, got.error),
            (Some(status), body.as_bytes(), reusable, None),
            "{wire:?}"
        );
    }
    let head = read(b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n", &[3], true);
    assert_eq!((head.status, head.reusable), (Some(200), true));
}

#[test]
fn heads_that_two_readers_could_read_differently_are_refused() {
    for bad in [
        "HTTP/1.1 200 OK\r\ncontent-length: 1\r\ntransfer-encoding: chunked\r\n\r\n",
        "HTTP/1.1 200 OK\r\ncontent-length: 1\r\ncontent-length: 1\r\n\r\na",
        "HTTP/1.1 200 OK\r\ncontent-length: 1\r\nContent-Length: 2\r\n\r\na",
        "HTTP/1.1 200 OK\r\ncontent-length: 1, 1\r\n\r\na",
        "HTTP/1.1 200 OK\r\ncontent-length: +1\r\n\r\na",
        "HTTP/1.1 200 OK\r\ncontent-length: 0x1\r\n\r\na",
        "HTTP/1.1 200 OK\r\ncontent-length:\r\n\r\na",
        "HTTP/1.1 200 OK\r\ncontent-length: 99999999999999999999\r\n\r\na",
        "HTTP/1.1 200 OK\r\ntransfer-encoding: gzip, chunked\r\n\r\n",
        "HTTP/1.1 200 OK\r\ntransfer-encoding: identity\r\n\r\n",
        "HTTP/1.1 200 OK\r\ntransfer-encoding: xchunked\r\n\r\n",
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\ntransfer-encoding: chunked\r\n\r\n",
        "HTTP/1.0 200 OK\r\ntransfer-encoding: chunked\r\n\r\n",
        "HTTP/1.1 200 OK\r\ntransfer-encoding : chunked\r\n\r\n",
        "HTTP/1.1 200 OK\r\ncontent-length: 1\r\n x\r\n\r\na",
        "HTTP/1.1 200 OK\r\nx: y\r\n\tz\r\n\r\n",
        "HTTP/1.1 200 OK\ncontent-length: 1\r\n\r\na",
        "HTTP/1.1 200 OK\r\ncontent-length: 1\n\r\na",
        "HTTP/1.1 200 OK\r\ncontent-length: 1\r\n\na",
        "HTTP/1.1 200 OK\r\nx: a\rb\r\n\r\n",
        "HTTP/1.1 200 OK\r\nx: a\0b\r\n\r\n",
        "HTTP/1.1 200 OK\r\nno colon\r\n\r\n",
        "HTTP/1.1 200 OK\r\n: empty\r\n\r\n",
        "\r\nHTTP/1.1 200 OK\r\n\r\n",
        "HTTP/2.0 200 OK\r\n\r\n",
        "HTTP/1.1 20 OK\r\n\r\n",
        "HTTP/1.1 099 OK\r\n\r\n",
        "HTTP/1.1 600 OK\r\n\r\n",
        "HTTP/1.1 2000 OK\r\n\r\n",
        "HTTP/1.1 101 Switching Protocols\r\nupgrade: h2c\r\n\r\n",
        "<html>nope</html>\r\n\r\n",
        "SSH-2.0-x\r\n\r\n",
    ] {
        let got = whole(bad);
        assert!(got.error.is_some() && got.status.is_none() && !got.reusable, "{bad:?}: {got:?}");
    }
}

#[test]
fn bombs_and_cut_answers_are_refused() {
    let many = format!("HTTP/1.1 200 OK\r\n{}\r\n", "x: y\r\n".repeat(101));
    let long = format!("HTTP/1.1 200 OK\r\nx: {}\r\n\r\n", "y".repeat(17_000));
    let endless = "HTTP/1.1 200 OK\r\nx: ".to_owned() + &"y".repeat(17_000);
    let interim = "HTTP/1.1 102 X\r\n\r\n".repeat(5);
    for bad in [&many, &long, &endless, &interim] {
        assert!(whole(bad).error.unwrap().contains("too large"));
    }
    for cut in
        ["H", "HTTP/1.1 200 OK\r\n", "HTTP/1.1 100 Continue\r\n\r\n", "HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\nab"]
    {
        assert_eq!(whole(cut).error.unwrap(), Error::Truncated.to_string(), "{cut:?}");
    }
    assert_eq!(whole("").error.unwrap(), Error::Closed.to_string());
}

#[test]
fn bytes_before_the_request_are_nobodys_answer() {
    let mut reader = Reader::new();
    reader.buffer().extend_from_slice(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n");
    assert!(matches!(reader.expect(false), Err(Error::Unsolicited)));
    assert!(reader.head().is_err() && !reader.reusable());
}

proptest! {
    #[test]
    fn any_cut_gives_the_same_outcome(
        wire in prop_oneof![
            Just("HTTP/1.1 100 C\r\n\r\nHTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\nx: y \r\n\r\n5\r\nhello\r\n6;e\r\n world\r\n0\r\nt: u\r\n\r\n".to_owned()),
            "(HTTP/1\\.[01] (200|204|404|103) OK\r\n){1}(content-length: [0-9]\r\n|transfer-encoding: chunked\r\n|a: b\r?\n){0,3}\r\n(1\r\n[a-z]\r\n|2;x\r\n[a-z]{2}\r\n){0,4}([0-3]\r\n|[a-z]{1,3}|\r\n){0,9}",
        ],
        cuts in prop::collection::vec(1usize..20, 1..30),
    ) {
        prop_assert_eq!(read(wire.as_bytes(), &cuts, false), whole(&wire));
    }
}
