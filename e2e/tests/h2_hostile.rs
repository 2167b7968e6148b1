//! HTTP/2 as no honest client speaks it: floods, frames out of place, headers that mean two things, bombs.

use countersign_testkit::{
    Plan, Reply, Siege, Upstream, chat_ask,
    h2::{END_HEADERS, END_STREAM, H2, PREFACE, Seen, field, frame, integer, kind::*},
};

fn siege() -> Siege {
    let upstream = Upstream::start(|_asked| Reply::json(200, &Siege::peace()));
    Siege::begin(Plan::new().target("openai", &upstream, &["m"]), upstream)
}

/// What must come of a connection.
#[derive(Clone, Copy, Debug)]
enum Must {
    /// The gateway gives the connection up.
    End,
    /// The stream is reset, refused with a status that is not an answer, or lost with its connection.
    Refuse,
    /// The stream is answered with this code.
    Code(&'static str),
    /// The stream is answered in full.
    Pass,
    /// The connection goes on, or is given up; it is not left hanging.
    Live,
}

fn body() -> String {
    chat_ask("hello").to_string()
}

/// Pseudo headers of a good request.
fn pseudo() -> Vec<u8> {
    [
        field(":method", "POST"),
        field(":scheme", "https"),
        field(":path", "/v1/chat/completions"),
        field(":authority", "localhost"),
    ]
    .concat()
}

/// The other headers of a good request.
fn plain(siege: &Siege) -> Vec<u8> {
    [field("authorization", format!("Bearer {}", siege.key)), field("content-type", "application/json")].concat()
}

/// A good request on a stream.
fn good(siege: &Siege, stream: u32) -> Vec<u8> {
    asks(stream, &[pseudo(), plain(siege)].concat())
}

/// A request with this block of headers and a good body.
fn asks(stream: u32, block: &[u8]) -> Vec<u8> {
    [frame(HEADERS, END_HEADERS, stream, block), frame(DATA, END_STREAM, stream, body().as_bytes())].concat()
}

fn judge(must: Must, h2: &mut H2, stream: u32) -> Result<(), String> {
    match must {
        Must::End => h2.lost().map(|_| ()),
        Must::Live => h2.ping().map(|_| ()),
        Must::Refuse | Must::Code(_) | Must::Pass => {
            let seen = h2.until(|seen| seen.is_over(stream))?;
            let text = seen.text(stream);
            let well = match must {
                Must::Pass => {
                    seen.status(stream) == Some(200) && text.as_bytes() == Siege::peace().to_string().as_bytes()
                }
                Must::Code(code) => text.contains(code),
                _ => seen.status(stream).is_none_or(|s| s >= 400) && !text.contains("ordinary"),
            };
            if well { Ok(()) } else { Err(format!("must be {must:?}: {seen:?}")) }
        }
    }
}

/// An ordinary request over HTTP/2, on a fresh connection.
fn ordinary(siege: &Siege) -> Result<(), String> {
    let mut h2 = H2::connect(siege.gateway.tls, &siege.gateway.secure());
    h2.send(good(siege, 1));
    judge(Must::Pass, &mut h2, 1).map_err(|why| format!("the ordinary request over HTTP/2: {why}"))
}

/// One case: bytes after the preface, and what comes of stream 1.
fn bytes(siege: &mut Siege, name: &str, must: Must, bytes: impl AsRef<[u8]>) {
    siege.case(name, |siege| {
        let before = siege.upstream.seen().len();
        let mut h2 = H2::connect(siege.gateway.tls, &siege.gateway.secure());
        h2.send(bytes);
        judge(must, &mut h2, 1)?;
        let heard = siege.upstream.seen().len() - before;
        match must {
            Must::Refuse | Must::Code(_) if heard > 0 => return Err("the provider heard of it".into()),
            _ => {}
        }
        drop(h2);
        ordinary(siege)
    });
}

#[test]
fn frames_out_of_place_end_the_connection() {
    let mut siege = siege();
    let head = [pseudo(), plain(&siege)].concat();
    let open = frame(HEADERS, END_HEADERS, 1, &head);
    let ask = good(&siege, 1);
    let number = |n: u32| n.to_be_bytes();
    let setting = |id: u16, value: u32| [&id.to_be_bytes()[..], &value.to_be_bytes()].concat();
    for (name, must, frames) in [
        ("a good request", Must::Pass, ask.clone()),
        ("DATA on stream 0", Must::End, frame(DATA, 0, 0, b"x")),
        ("DATA on a stream that is not open", Must::End, frame(DATA, 0, 1, b"x")),
        ("HEADERS on stream 0", Must::End, frame(HEADERS, END_HEADERS, 0, &head)),
        ("HEADERS on a stream of the server's", Must::End, frame(HEADERS, END_HEADERS | END_STREAM, 2, &head)),
        ("streams that count backwards", Must::End, [good(&siege, 5), good(&siege, 3)].concat()),
        ("RST_STREAM on stream 0", Must::End, frame(RST_STREAM, 0, 0, &number(8))),
        ("RST_STREAM on a stream that is not open", Must::End, frame(RST_STREAM, 0, 1, &number(8))),
        ("RST_STREAM of three bytes", Must::End, [open.clone(), frame(RST_STREAM, 0, 1, &[0; 3])].concat()),
        ("SETTINGS on a stream", Must::End, frame(SETTINGS, 0, 1, &[])),
        ("SETTINGS of five bytes", Must::End, frame(SETTINGS, 0, 0, &[0; 5])),
        ("an acknowledgement with SETTINGS in it", Must::End, frame(SETTINGS, 1, 0, &setting(3, 1))),
        ("a window over 2^31", Must::End, frame(SETTINGS, 0, 0, &setting(4, 1 << 31))),
        ("frames of at most 1 byte", Must::End, frame(SETTINGS, 0, 0, &setting(5, 1))),
        ("frames of over 2^24", Must::End, frame(SETTINGS, 0, 0, &setting(5, 1 << 24))),
        ("push set to 2", Must::End, frame(SETTINGS, 0, 0, &setting(2, 2))),
        ("a setting nobody knows", Must::Pass, [frame(SETTINGS, 0, 0, &setting(0xabcd, 7)), ask.clone()].concat()),
        ("PING on a stream", Must::End, frame(PING, 0, 1, &[0; 8])),
        ("PING of seven bytes", Must::End, frame(PING, 0, 0, &[0; 7])),
        ("GOAWAY on a stream", Must::End, frame(GOAWAY, 0, 1, &[0; 8])),
        ("PUSH_PROMISE from a client", Must::End, frame(PUSH_PROMISE, END_HEADERS, 1, &[0; 4])),
        ("WINDOW_UPDATE of 0", Must::End, frame(WINDOW_UPDATE, 0, 0, &number(0))),
        ("WINDOW_UPDATE of three bytes", Must::End, frame(WINDOW_UPDATE, 0, 0, &[0; 3])),
        ("WINDOW_UPDATE on a stream that is not open", Must::End, frame(WINDOW_UPDATE, 0, 1, &number(1))),
        ("a connection's window over 2^31", Must::End, {
            frame(WINDOW_UPDATE, 0, 0, &number((1 << 31) - 1)).repeat(2)
        }),
        ("a stream's window over 2^31", Must::Refuse, {
            [open.clone(), frame(WINDOW_UPDATE, 0, 1, &number((1 << 31) - 1)).repeat(2)].concat()
        }),
        (
            "a stream's WINDOW_UPDATE of 0",
            Must::Refuse,
            [open.clone(), frame(WINDOW_UPDATE, 0, 1, &number(0))].concat(),
        ),
        ("CONTINUATION of nothing", Must::End, frame(CONTINUATION, END_HEADERS, 1, &head)),
        ("CONTINUATION of another stream", Must::End, {
            [frame(HEADERS, 0, 1, &head), frame(CONTINUATION, END_HEADERS, 3, &[])].concat()
        }),
        ("DATA within a head", Must::End, [frame(HEADERS, 0, 1, &head), frame(DATA, 0, 1, b"x")].concat()),
        ("PING within a head", Must::End, [frame(HEADERS, 0, 1, &head), frame(PING, 0, 0, &[0; 8])].concat()),
        ("a head in three frames", Must::Pass, {
            let (a, b) = head.split_at(7);
            [
                frame(HEADERS, 0, 1, a),
                frame(CONTINUATION, 0, 1, &[]),
                frame(CONTINUATION, END_HEADERS, 1, b),
                frame(DATA, END_STREAM, 1, body().as_bytes()),
            ]
            .concat()
        }),
        ("padding longer than the frame", Must::End, { [open.clone(), frame(DATA, 8, 1, &[200, 1, 2])].concat() }),
        ("padding", Must::Pass, {
            let padded = [&[3][..], body().as_bytes(), &[0; 3]].concat();
            [open.clone(), frame(DATA, 8 | END_STREAM, 1, &padded)].concat()
        }),
        ("a frame longer than allowed", Must::End, [open.clone(), frame(DATA, 0, 1, &[b' '; 17_000])].concat()),
        ("a frame of 16 MiB announced", Must::End, b"\xff\xff\xff\x00\x00\x00\x00\x00\x01".to_vec()),
        ("a kind of frame nobody knows", Must::Pass, [frame(0xfa, 0xff, 0, b"anything"), ask.clone()].concat()),
        ("a stream that depends on itself", Must::Refuse, {
            [open.clone(), frame(PRIORITY, 0, 1, &[0, 0, 0, 1, 0])].concat()
        }),
        ("PRIORITY of four bytes", Must::Refuse, [open.clone(), frame(PRIORITY, 0, 1, &[0; 4])].concat()),
        ("each byte of a body a frame", Must::Pass, {
            let each: Vec<u8> = body().bytes().flat_map(|b| frame(DATA, 0, 1, &[b])).collect();
            [open.clone(), each, frame(DATA, END_STREAM, 1, &[])].concat()
        }),
        ("trailers", Must::Pass, {
            let data = frame(DATA, 0, 1, body().as_bytes());
            [open.clone(), data, frame(HEADERS, END_HEADERS | END_STREAM, 1, &field("x", "y"))].concat()
        }),
        // Trailers are left unread, whatever they say.
        ("trailers with a pseudo header", Must::Pass, {
            let data = frame(DATA, 0, 1, body().as_bytes());
            [open.clone(), data, frame(HEADERS, END_HEADERS | END_STREAM, 1, &field(":path", "/"))].concat()
        }),
        ("a second head that ends nothing", Must::Refuse, {
            [open.clone(), frame(HEADERS, END_HEADERS, 1, &field("x", "y"))].concat()
        }),
        ("a body over the limit", Must::Code("CS0102"), {
            // The window is the gateway's to give; what it gives at first is all that is sent.
            let more = [plain(&siege), field("content-length", "99999999")].concat();
            frame(HEADERS, END_HEADERS, 1, &[pseudo(), more].concat())
        }),
    ] {
        bytes(&mut siege, name, must, frames);
    }
    for (name, first) in [
        ("HTTP/1.1 where HTTP/2 was agreed on", b"GET /v1/models HTTP/1.1\r\nhost: localhost\r\n\r\n".to_vec()),
        ("a preface with a mistake", PREFACE.to_ascii_lowercase()),
        ("no SETTINGS after the preface", [PREFACE, &frame(PING, 0, 0, &[0; 8])].concat()),
        ("frames without a preface", frame(SETTINGS, 0, 0, &[])),
        ("zeros", vec![0; 4096]),
    ] {
        siege.case(name, |siege| {
            let mut h2 = H2::silent(siege.gateway.tls, &siege.gateway.secure());
            h2.send(first);
            h2.send([0; 64]);
            h2.lost()?;
            ordinary(siege)
        });
    }
    siege.finish(49);
}

#[test]
fn headers_that_mean_two_things_are_refused() {
    let mut siege = siege();
    let rest = plain(&siege);
    let all = pseudo();
    let method = field(":method", "POST");
    let scheme = field(":scheme", "https");
    let path = field(":path", "/v1/chat/completions");
    let authority = field(":authority", "localhost");
    let join = |parts: &[&[u8]]| parts.concat();
    for (name, block) in [
        ("no method", join(&[&scheme, &path, &authority, &rest])),
        ("no path", join(&[&method, &scheme, &authority, &rest])),
        ("no scheme", join(&[&method, &path, &authority, &rest])),
        ("no pseudo header at all", rest.clone()),
        ("two methods", join(&[&all, &method, &rest])),
        ("two paths", join(&[&all, &field(":path", "/metrics"), &rest])),
        ("two schemes", join(&[&all, &field(":scheme", "http"), &rest])),
        ("two authorities", join(&[&all, &field(":authority", "other"), &rest])),
        ("an unknown pseudo header", join(&[&all, &field(":admin", "true"), &rest])),
        ("a pseudo header of answers", join(&[&all, &field(":status", "200"), &rest])),
        ("a pseudo header after the others", join(&[&method, &scheme, &authority, &rest, &path])),
        ("a pseudo header in upper case", join(&[&field(":Method", "POST"), &scheme, &path, &authority, &rest])),
        ("an empty path", join(&[&method, &scheme, &field(":path", ""), &authority, &rest])),
        (
            "a path with a line end",
            join(&[&method, &scheme, &field(":path", "/v1/chat/completions\r\nx: y"), &authority, &rest]),
        ),
        (
            "a path with a blank",
            join(&[&method, &scheme, &field(":path", "/v1/chat/completions HTTP/1.1"), &authority, &rest]),
        ),
        ("a path with NUL", join(&[&method, &scheme, &field(":path", "/v1/chat/completions\0"), &authority, &rest])),
        ("an empty method", join(&[&field(":method", ""), &scheme, &path, &authority, &rest])),
        ("a method with a blank", join(&[&field(":method", "POST /x"), &scheme, &path, &authority, &rest])),
        ("an authority with a blank", join(&[&method, &scheme, &path, &field(":authority", "local host"), &rest])),
        ("a name in upper case", join(&[&all, &rest, &field("X-Y", "z")])),
        ("a name with a colon", join(&[&all, &rest, &field("x:y", "z")])),
        ("a name with a blank", join(&[&all, &rest, &field("x y", "z")])),
        ("a name with a line end", join(&[&all, &rest, &field("x\r\ny", "z")])),
        ("an empty name", join(&[&all, &rest, &field("", "z")])),
        ("a name beyond ASCII", join(&[&all, &rest, &field("\u{fc}", "z")])),
        ("a value with a line end", join(&[&all, &rest, &field("x", "y\r\nz: a")])),
        ("a value with a bare LF", join(&[&all, &rest, &field("x", "y\nz: a")])),
        ("a value with NUL", join(&[&all, &rest, &field("x", "y\0")])),
        ("connection", join(&[&all, &rest, &field("connection", "close")])),
        ("keep-alive", join(&[&all, &rest, &field("keep-alive", "timeout=5")])),
        ("proxy-connection", join(&[&all, &rest, &field("proxy-connection", "close")])),
        ("transfer-encoding", join(&[&all, &rest, &field("transfer-encoding", "chunked")])),
        ("upgrade", join(&[&all, &rest, &field("upgrade", "websocket")])),
        ("TE other than trailers", join(&[&all, &rest, &field("te", "gzip")])),
        ("a length too short", join(&[&all, &rest, &field("content-length", "5")])),
        ("a length too long", join(&[&all, &rest, &field("content-length", "500")])),
        ("a length that is none", join(&[&all, &rest, &field("content-length", "+5")])),
        ("a length over 64 bits", join(&[&all, &rest, &field("content-length", "18446744073709551616")])),
        (
            "two lengths",
            join(&[&all, &rest, &field("content-length", body().len().to_string()), &field("content-length", "5")]),
        ),
        (
            "CONNECT with a protocol",
            join(&[&field(":method", "CONNECT"), &field(":protocol", "websocket"), &scheme, &path, &authority, &rest]),
        ),
        ("CONNECT", join(&[&field(":method", "CONNECT"), &authority, &rest])),
        ("a key twice", join(&[&all, &rest, &field("authorization", "Bearer other")])),
        ("two content types", join(&[&all, &rest, &field("content-type", "text/plain")])),
    ] {
        bytes(&mut siege, name, Must::Refuse, asks(1, &block));
    }
    for (name, code, block) in [
        (
            "a path that is not ours",
            "CS0103",
            join(&[&method, &scheme, &field(":path", "/v1/../v1/models"), &authority, &rest]),
        ),
        (
            "a star for a path",
            "CS0103",
            join(&[&field(":method", "OPTIONS"), &scheme, &field(":path", "*"), &authority, &rest]),
        ),
        ("a method in lower case", "CS0104", join(&[&field(":method", "post"), &scheme, &path, &authority, &rest])),
        ("no key", "CS0201", all.clone()),
        ("a compressed body", "CS0105", join(&[&all, &rest, &field("content-encoding", "gzip")])),
    ] {
        bytes(&mut siege, name, Must::Code(code), asks(1, &block));
    }
    siege.finish(48);
}

#[test]
fn compressed_headers_do_not_explode() {
    let mut siege = siege();
    let head = [pseudo(), plain(&siege)].concat();
    let block = |more: &[u8]| frame(HEADERS, END_HEADERS | END_STREAM, 1, &[&head, more].concat());
    // An entry of about 4 KiB goes into the table, and is then named by one byte, again and again.
    let entry = [&[0x40][..], &integer(1, 7), b"x", &integer(4000, 7), &[b'y'; 4000]].concat();
    let bomb = |times: usize| {
        let named = vec![0xbe; times];
        [frame(HEADERS, 0, 1, &[&head, &entry[..]].concat()), frame(CONTINUATION, END_HEADERS | END_STREAM, 1, &named)]
            .concat()
    };
    for (name, must, frames) in [
        ("4 KiB named 40 times", Must::Refuse, bomb(40)),
        ("4 KiB named 16,000 times", Must::Refuse, bomb(16_000)),
        ("an entry that is not there", Must::End, block(&[0xff, 0x80, 0x01])),
        ("entry 0", Must::End, block(&[0x80])),
        ("a name that is not there", Must::End, block(&[0x7f, 0x80, 0x10, 0x01, b'x'])),
        ("a number without end", Must::End, block(&[&[0xff][..], &[0x80; 64], &[1]].concat())),
        (
            "a number over 64 bits",
            Must::End,
            block(&[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f]),
        ),
        ("a string longer than its block", Must::End, block(&[0, 1, b'x', 0x7f, 0xff, 0x7f])),
        ("a block that breaks off", Must::End, block(&[0, 1, b'x'])),
        (
            "a table of 1 GiB",
            Must::End,
            frame(HEADERS, END_HEADERS | END_STREAM, 1, &[0x3f, 0xe1, 0xff, 0xff, 0xff, 0x03]),
        ),
        ("a table resized in the middle", Must::End, block(&[0x20])),
        ("the end mark within Huffman", Must::End, block(&[0, 1, b'x', 0x84, 0xff, 0xff, 0xff, 0xff])),
        ("Huffman padded with zeros", Must::End, block(&[0, 1, b'x', 0x81, 0x00])),
        ("Huffman padded with a whole byte", Must::End, block(&[0, 1, b'x', 0x82, 0x07, 0xff])),
        ("a name of 10 KiB", Must::Live, block(&field(vec![b'n'; 10_000], "y"))),
        ("200 headers", Must::Live, block(&(0..200).flat_map(|i| field(format!("x{i}"), "y")).collect::<Vec<_>>())),
    ] {
        bytes(&mut siege, name, must, frames);
    }
    siege.case("a value of 1 MiB in CONTINUATIONs", |siege| {
        let mut h2 = H2::connect(siege.gateway.tls, &siege.gateway.secure());
        h2.send(frame(HEADERS, 0, 1, &head));
        let start = [&[0, 1, b'x'][..], &integer(1 << 20, 7)].concat();
        h2.flood(66, |i| match i {
            0 => frame(CONTINUATION, 0, 1, &start),
            65 => frame(CONTINUATION, END_HEADERS | END_STREAM, 1, &[]),
            _ => frame(CONTINUATION, 0, 1, &[b'y'; 1 << 14]),
        });
        judge(Must::Refuse, &mut h2, 1)?;
        ordinary(siege)
    });
    siege.case("10^5 headers in CONTINUATIONs", |siege| {
        let mut h2 = H2::connect(siege.gateway.tls, &siege.gateway.secure());
        h2.send(frame(HEADERS, 0, 1, &head));
        let thousand = field("x", "y").repeat(1000);
        h2.flood(101, |i| frame(CONTINUATION, if i == 100 { END_HEADERS | END_STREAM } else { 0 }, 1, &thousand));
        judge(Must::Refuse, &mut h2, 1)?;
        ordinary(siege)
    });
    siege.finish(18);
}

/// Memory the gateway's process holds, in KiB.
fn resident(siege: &Siege) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", siege.gateway.id())).unwrap_or_default();
    let line = status.lines().find(|l| l.starts_with("VmRSS:")).unwrap_or_default();
    line.split_whitespace().nth(1).and_then(|n| n.parse().ok()).unwrap_or_default()
}

/// A flood: `times` pieces, after which the connection must be given up or be as responsive as ever, and the process no
/// fatter than before by more than 64 MiB.
fn flood(siege: &mut Siege, name: &str, must: Must, first: Vec<u8>, times: usize, piece: impl FnMut(usize) -> Vec<u8>) {
    siege.case(name, |siege| {
        ordinary(siege)?;
        let before = resident(siege);
        let mut h2 = H2::connect(siege.gateway.tls, &siege.gateway.secure());
        h2.send(first);
        h2.flood(times, piece);
        judge(must, &mut h2, 1)?;
        let grown = resident(siege).saturating_sub(before);
        if grown > 64 << 10 {
            return Err(format!("the process grew by {grown} KiB"));
        }
        ordinary(siege)
    });
}

#[test]
fn floods_are_outlived() {
    let mut siege = siege();
    let head = [pseudo(), plain(&siege)].concat();
    let open = frame(HEADERS, END_HEADERS, 1, &head);
    let number = |n: u32| n.to_be_bytes();
    let id = |i: usize| u32::try_from(2 * i + 1).unwrap_or_default();
    let ended = |stream: u32| frame(HEADERS, END_HEADERS | END_STREAM, stream, &head);
    let s = &mut siege;
    // CVE-2023-44487.
    flood(s, "rapid reset", Must::Live, Vec::new(), 20_000, |i| {
        [ended(id(i)), frame(RST_STREAM, 0, id(i), &number(8))].concat()
    });
    flood(s, "rapid reset of whole requests", Must::Live, Vec::new(), 5_000, |i| {
        [asks(id(i), &head), frame(RST_STREAM, 0, id(i), &number(8))].concat()
    });
    // CVE-2025-8671: the gateway is made to reset what the client opened.
    flood(s, "made to reset by a window of 0", Must::End, Vec::new(), 20_000, |i| {
        [ended(id(i)), frame(WINDOW_UPDATE, 0, id(i), &number(0))].concat()
    });
    flood(s, "made to reset by a window that overflows", Must::End, Vec::new(), 20_000, |i| {
        [ended(id(i)), frame(WINDOW_UPDATE, 0, id(i), &number((1 << 31) - 1))].concat()
    });
    flood(s, "made to reset by DATA after the end", Must::End, Vec::new(), 20_000, |i| {
        [ended(id(i)), frame(DATA, 0, id(i), b"x")].concat()
    });
    flood(s, "made to reset by headers that mean nothing", Must::End, Vec::new(), 20_000, |i| {
        frame(HEADERS, END_HEADERS | END_STREAM, id(i), &field("X", "y"))
    });
    // CVE-2024-27316.
    flood(s, "CONTINUATION without end", Must::End, frame(HEADERS, 0, 1, &head), 4_000, |_| {
        frame(CONTINUATION, 0, 1, &field("x", [b'y'; 8_000]))
    });
    flood(s, "empty CONTINUATION without end", Must::End, frame(HEADERS, 0, 1, &head), 100_000, |_| {
        frame(CONTINUATION, 0, 1, &[])
    });
    flood(s, "empty DATA", Must::Live, open.clone(), 100_000, |_| frame(DATA, 0, 1, &[]));
    flood(s, "DATA that is all padding", Must::Live, open.clone(), 20_000, |_| frame(DATA, 8, 1, &[2, 0, 0]));
    flood(s, "empty trailers", Must::Live, open.clone(), 20_000, |_| frame(HEADERS, END_HEADERS, 1, &[]));
    flood(s, "SETTINGS", Must::Live, Vec::new(), 50_000, |_| frame(SETTINGS, 0, 0, &[0, 3, 0, 0, 0, 100]));
    flood(s, "empty SETTINGS", Must::Live, Vec::new(), 50_000, |_| frame(SETTINGS, 0, 0, &[]));
    flood(s, "acknowledgements of nothing", Must::Live, Vec::new(), 50_000, |_| frame(SETTINGS, 1, 0, &[]));
    flood(s, "PING", Must::Live, Vec::new(), 50_000, |_| frame(PING, 0, 0, &[7; 8]));
    flood(s, "answers to pings nobody sent", Must::Live, Vec::new(), 50_000, |_| frame(PING, 1, 0, &[7; 8]));
    flood(s, "PRIORITY", Must::Live, Vec::new(), 50_000, |i| frame(PRIORITY, 0, id(i % 1000), &[0, 0, 0, 0, 9]));
    flood(s, "WINDOW_UPDATE", Must::Live, Vec::new(), 50_000, |_| frame(WINDOW_UPDATE, 0, 0, &number(1)));
    flood(s, "frames nobody knows", Must::Live, Vec::new(), 50_000, |_| frame(0xfa, 0, 0, b"x"));
    flood(s, "RST_STREAM of one stream", Must::Live, ended(1), 50_000, |_| frame(RST_STREAM, 0, 1, &number(8)));
    flood(s, "streams that say nothing more", Must::Live, Vec::new(), 1_000, |i| {
        frame(HEADERS, END_HEADERS, id(i), &head)
    });
    flood(s, "DATA beyond the window", Must::Live, open, 1_000, |_| frame(DATA, 0, 1, &[b' '; 1 << 14]));
    flood(s, "strangers", Must::Live, Vec::new(), 2_000, |i| {
        frame(HEADERS, END_HEADERS | END_STREAM, id(i), &pseudo())
    });
    siege.case("a caller that takes no answer", |siege| {
        let mut held = Vec::new();
        for _ in 0..20 {
            let mut h2 = H2::connect(siege.gateway.tls, &siege.gateway.secure());
            // A window of 0 for every stream.
            h2.send(frame(SETTINGS, 0, 0, &[0, 4, 0, 0, 0, 0]));
            for i in 0..20 {
                h2.send(good(siege, id(i)));
            }
            let seen: &Seen = h2.until(|seen| seen.statuses.len() >= 20)?;
            if seen.data.iter().any(|(_, d)| !d.is_empty()) {
                return Err("more came than the window allows".into());
            }
            held.push(h2);
        }
        ordinary(siege)
    });
    siege.case("a hundred requests at once on one connection", |siege| {
        let mut h2 = H2::connect(siege.gateway.tls, &siege.gateway.secure());
        for i in 0..100 {
            h2.send(good(siege, id(i)));
        }
        for i in 0..100 {
            judge(Must::Pass, &mut h2, id(i))?;
        }
        ordinary(siege)
    });
    siege.finish(25);
}
