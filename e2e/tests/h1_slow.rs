//! Callers that begin and do not go on: each is let go within the gateway's bounds, and holds nobody else up.

use std::{io, thread, time::Duration};

use countersign_testkit::{
    Client, Plan, Reply, Siege, Upstream, chat_ask, chunked,
    h2::{END_HEADERS, END_STREAM, H2, frame, kind::*},
};

/// Sends one piece after another, never in a hurry, until the gateway has had enough; what it said.
fn drip(client: &mut Client, mut piece: impl FnMut(usize) -> Vec<u8>) -> Result<Vec<u8>, String> {
    let _ = client.socket().set_read_timeout(Some(Duration::from_millis(300)));
    let mut said = Vec::new();
    // The gateway's bounds are of 30 seconds.
    for i in 0..250 {
        let sent = client.send(piece(i));
        match client.some() {
            Ok(bytes) if bytes.is_empty() => return Ok(said),
            Ok(bytes) => said.extend(bytes),
            Err(e) if matches!(e.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut) => {}
            Err(_) => return Ok(said),
        }
        if sent.is_err() {
            return Ok(said);
        }
    }
    Err(format!("it still listens, having said {:?}", String::from_utf8_lossy(&said)))
}

/// A way to be slow: the name, what happens, and what the gateway says about it.
type Slow<'a> = (&'static str, Box<dyn FnOnce() -> Result<Vec<u8>, String> + Send + 'a>, &'static str);

#[test]
fn who_begins_and_does_not_go_on_is_let_go() {
    let upstream = Upstream::start(|_asked| Reply::json(200, &Siege::peace()));
    let mut siege = Siege::begin(Plan::new().target("openai", &upstream, &["m"]), upstream);
    let body = chat_ask("hello").to_string();
    let n = body.len();
    let with_length = siege.request(&format!("content-length: {n}\r\n"), "");
    let with_chunks = siege.request("transfer-encoding: chunked\r\n", "");
    let good = siege.request(&format!("content-length: {n}\r\n"), &body);
    let gateway = &siege.gateway;
    let nothing = |_| Vec::new();
    let clear = |first: Vec<u8>| {
        let mut client = gateway.client();
        let _ = client.send(first);
        client
    };
    let raw_tls = |first: Vec<u8>| {
        let mut client = Client::clear(gateway.tls);
        let _ = client.send(first);
        client
    };
    let hello = || [&b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"[..], &[7; 32]].concat();
    let over_h2 = |frames: Vec<u8>| {
        let mut h2 = H2::connect(gateway.tls, &gateway.secure());
        h2.send(frames);
        for _ in 0..4 {
            // It answers pings as it should.
            if h2.until(|seen| seen.is_lost() || seen.goaway.is_some()).is_ok() {
                return h2.until(|_| false).map(|seen| seen.text(1).into_bytes());
            }
        }
        Err("it still listens".to_owned())
    };
    let slow: Vec<Slow<'_>> = vec![
        ("nothing at all", Box::new(|| drip(&mut clear(Vec::new()), nothing)), ""),
        ("half a request line", Box::new(|| drip(&mut clear(b"POST /v1".to_vec()), nothing)), ""),
        ("half a head", Box::new(|| drip(&mut clear(with_length[..90].to_vec()), nothing)), ""),
        ("a head byte by byte", Box::new(|| drip(&mut clear(Vec::new()), |i| vec![with_length[i % 90]])), ""),
        (
            "a head header by header",
            Box::new(|| drip(&mut clear(with_length[..with_length.len() - 2].to_vec()), |_| b"x: y\r\n".to_vec())),
            "",
        ),
        ("blank lines one by one", Box::new(|| drip(&mut clear(Vec::new()), |_| b"\r\n".to_vec())), ""),
        (
            "nothing after an answer",
            Box::new(|| {
                let mut client = clear(good.clone());
                let answer = client.answer().map_err(|e| e.to_string())?.ok_or("no answer")?;
                if answer.status != 200 {
                    return Err(answer.text());
                }
                drip(&mut client, nothing)
            }),
            "",
        ),
        ("no body", Box::new(|| drip(&mut clear(with_length.clone()), nothing)), "CS0106"),
        ("half a body", Box::new(|| drip(&mut clear(good[..good.len() - 9].to_vec()), nothing)), "CS0106"),
        (
            "a body byte by byte",
            Box::new(|| {
                let head = siege.request("content-length: 1000\r\n", "");
                drip(&mut clear(head), |_| b" ".to_vec())
            }),
            "CS0106",
        ),
        ("no chunk", Box::new(|| drip(&mut clear(with_chunks.clone()), nothing)), "CS0106"),
        ("chunk by chunk", Box::new(|| drip(&mut clear(with_chunks.clone()), |_| chunked(b" "))), "CS0106"),
        (
            "a chunk's extension byte by byte",
            Box::new(|| {
                let mut client = clear([&with_chunks[..], b"1;"].concat());
                drip(&mut client, |_| b"x".to_vec())
            }),
            "CS0106",
        ),
        (
            "trailer by trailer",
            Box::new(|| {
                let mut client = clear([&with_chunks[..], &chunked(body.as_bytes()), b"0\r\n"].concat());
                drip(&mut client, |_| b"x: y\r\n".to_vec())
            }),
            "CS0106",
        ),
        ("no handshake", Box::new(|| drip(&mut raw_tls(Vec::new()), nothing)), ""),
        ("half a handshake", Box::new(|| drip(&mut raw_tls(hello()), nothing)), ""),
        ("a handshake byte by byte", Box::new(|| drip(&mut raw_tls(hello()), |_| vec![7])), ""),
        ("a handshake and nothing more", Box::new(|| drip(&mut gateway.tls_client(), nothing)), ""),
        ("HTTP/2 without a request", Box::new(|| over_h2(Vec::new())), ""),
        ("half a head of HTTP/2", Box::new(|| over_h2(frame(HEADERS, 0, 1, &[0x83]))), ""),
        ("half a frame of HTTP/2", Box::new(|| over_h2(vec![0, 1, 0, 0])), ""),
        (
            "HTTP/2 after an answer",
            Box::new(|| over_h2(frame(HEADERS, END_HEADERS | END_STREAM, 1, &[0x83, 0x87, 0x84]))),
            "CS0201",
        ),
    ];
    // All at once, as they wait out the same bounds.
    let outcomes: Vec<(&'static str, Result<(), String>)> = thread::scope(|scope| {
        let running: Vec<_> = slow
            .into_iter()
            .map(|(name, attack, code)| {
                let outcome = scope.spawn(move || {
                    let said = String::from_utf8_lossy(&attack()?).into_owned();
                    let well = said.contains(code) && !said.contains("ordinary");
                    if well { Ok(()) } else { Err(format!("said {said:?}")) }
                });
                (name, outcome)
            })
            .collect();
        // Meanwhile everybody else is served.
        for _ in 0..50 {
            siege.ordinary().expect("an ordinary request beside slow ones");
        }
        running.into_iter().map(|(name, o)| (name, o.join().unwrap_or_else(|_| Err("panicked".into())))).collect()
    });
    for (name, outcome) in outcomes {
        siege.case(name, |_| outcome);
    }
    siege.finish(22);
}
