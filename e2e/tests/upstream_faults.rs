//! A provider that breaks, lies, floods or stalls: the caller has a documented code, and nothing the provider said beside.

use std::{
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use countersign_testkit::{
    Answer, Asked, Plan, Reply, Siege, Upstream, chat_ask, chunked, event_stream, request, with_length,
};
use serde_json::json;

/// What a provider says that must never reach a caller.
const LEAK: &str = "canary-leak-4711";

const JSON: &str = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n";

struct Fault {
    name: String,
    stream: bool,
    must: Must,
    reply: Reply,
}

/// What the caller must get.
#[derive(Clone, Copy)]
enum Must {
    /// The ordinary answer, or the ordinary stream byte for byte.
    Pass,
    /// This code, whole or as the stream's last event.
    Code(&'static str),
}

fn whole(name: &str, code: &'static str, reply: Reply) -> Fault {
    Fault { name: name.into(), stream: false, must: Must::Code(code), reply }
}

fn stream(name: &str, code: &'static str, reply: Reply) -> Fault {
    Fault { name: format!("{name} (stream)"), stream: true, must: Must::Code(code), reply }
}

fn both(name: &str, code: &'static str, reply: &Reply) -> [Fault; 2] {
    [whole(name, code, reply.clone()), stream(name, code, reply.clone())]
}

fn passes(name: &str, reply: Reply) -> Fault {
    Fault { name: name.into(), stream: false, must: Must::Pass, reply }
}

fn peace() -> Vec<u8> {
    with_length(200, "application/json", Siege::peace().to_string().as_bytes())
}

fn delta(text: &str) -> String {
    let event = json!({
        "id": "c", "object": "chat.completion.chunk", "created": 1, "model": "m",
        "choices": [{"index": 0, "delta": {"content": text}, "finish_reason": null}]
    });
    format!("data: {event}\n\n")
}

/// A provider that answers prompts named after a fault with that fault, and keys that go with it.
fn run(faults: Vec<Fault>, at_least: usize) {
    let replies: HashMap<String, Reply> = faults.iter().map(|f| (f.name.clone(), f.reply.clone())).collect();
    let upstream = Upstream::start(move |asked| {
        let prompt = asked.json()["messages"][0]["content"].as_str().unwrap_or_default().to_owned();
        replies.get(&prompt).cloned().unwrap_or_else(|| Reply::raw(peace()))
    });
    let mut siege = begin(upstream);
    for Fault { name, stream, must, .. } in faults {
        siege.case(&name, |siege| {
            let answer = ask(siege, &name, stream)?;
            let heads: String = answer.headers.iter().map(|(n, v)| format!("{n}: {v}\n")).collect();
            if heads.contains(LEAK) || answer.text().contains(LEAK) {
                return Err(format!("the provider's words came through: {heads}{}", answer.text()));
            }
            let well = match must {
                Must::Pass => answer.status == 200 && answer.complete && answer.json() == Siege::peace(),
                Must::Code(code) => answer.code().as_deref() == Some(code),
            };
            if well { Ok(()) } else { Err(format!("{}: {}", answer.status, short(&answer.text()))) }
        });
    }
    siege.finish(at_least);
}

fn begin(upstream: Upstream) -> Siege {
    let target = format!(
        "name = \"openai\"\nspeaks = \"openai\"\nurl = {:?}\nmodels = [\"m\"]\nconnect_seconds = 1\nfirst_byte_seconds = 2\nidle_seconds = 1\ntotal_seconds = 4",
        upstream.url()
    );
    Siege::begin(Plan::new().target_as(&target), upstream)
}

fn ask(siege: &Siege, prompt: &str, stream: bool) -> Result<Answer, String> {
    let mut body = chat_ask(prompt);
    body["stream"] = stream.into();
    let bearer = format!("Bearer {}", siege.key);
    let headers = [("authorization", &*bearer), ("content-type", "application/json")];
    let mut client = siege.gateway.client();
    client
        .send(request("POST", "/v1/chat/completions", &headers, body.to_string().as_bytes()))
        .map_err(|e| e.to_string())?;
    client.answer().map_err(|e| e.to_string())?.ok_or_else(|| "no answer".into())
}

fn short(text: &str) -> String {
    text.chars().take(200).collect()
}

/// A body in JSON that leaks.
fn leak() -> String {
    json!({"error": {"message": LEAK}}).to_string()
}

#[test]
fn connections_that_break() {
    let stalls = countersign_testkit::Gate::new();
    let half = format!("{JSON}content-length: 500\r\n\r\n{{\"id\":\"{LEAK}");
    let mut faults = Vec::new();
    faults.extend(both("reset before the head", "CS0702", &Reply::new().reset()));
    faults.extend(both("closed before the head", "CS0702", &Reply::new().close()));
    faults.extend(both("reset in the head", "CS0702", &Reply::raw("HTTP/1.1 200 OK\r\ncontent-t").reset()));
    faults.extend(both("closed in the head", "CS0702", &Reply::raw("HTTP/1.1 200 OK\r\ncontent-t").close()));
    faults.extend(both("silence", "CS0703", &Reply::new().until_gone(&stalls)));
    faults.extend(both("half a head, then silence", "CS0703", &Reply::raw("HTTP/1.1 20").until_gone(&stalls)));
    faults.push(whole("reset in the body", "CS0702", Reply::raw(half.clone()).reset()));
    faults.push(whole("closed in the body", "CS0702", Reply::raw(half.clone()).close()));
    faults.push(whole("half a body, then silence", "CS0703", Reply::raw(half).until_gone(&stalls)));
    faults.push(whole("chunks that break off", "CS0702", {
        Reply::raw(format!("{JSON}transfer-encoding: chunked\r\n\r\n5\r\n{{\"id")).close()
    }));
    faults.push(whole("chunks without the last", "CS0702", {
        let body = chunked(Siege::peace().to_string().as_bytes());
        Reply::raw([format!("{JSON}transfer-encoding: chunked\r\n\r\n").as_bytes(), &body].concat()).close()
    }));
    let events = || Reply::raw(event_stream()).send(chunked(delta("one two ").as_bytes()));
    faults.push(stream("reset in mid-stream", "CS0702", events().reset()));
    faults.push(stream("closed in mid-stream", "CS0702", events().close()));
    faults.push(stream("reset before the first event", "CS0702", Reply::raw(event_stream()).reset()));
    faults.push(stream("silence in mid-stream", "CS0703", events().until_gone(&stalls)));
    faults.push(stream("silence before the first event", "CS0703", Reply::raw(event_stream()).until_gone(&stalls)));
    faults.push(stream("half an event, then silence", "CS0703", {
        Reply::raw(event_stream()).send(chunked(b"data: {\"id")).until_gone(&stalls)
    }));
    faults.push(stream("a stream that never ends", "CS0703", {
        Reply::raw(event_stream()).forever(chunked(b": still there\n\n"))
    }));
    run(faults, 24);
}

#[test]
fn heads_and_framing_that_do_not_hold() {
    let peace = Siege::peace().to_string();
    let n = peace.len();
    let chunks = format!("{n:x}\r\n{peace}\r\n0\r\n\r\n");
    let mut faults = vec![
        passes("an ordinary answer in chunks", Reply::raw(format!("{JSON}transfer-encoding: chunked\r\n\r\n{chunks}"))),
        passes("an answer in HTTP/1.0", {
            Reply::raw(format!("HTTP/1.0 200 OK\r\ncontent-type: application/json\r\n\r\n{peace}")).close()
        }),
        passes("an answer until the connection closes", Reply::raw(format!("{JSON}\r\n{peace}")).close()),
        passes("two interim answers first", {
            Reply::raw(format!(
                "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nlink: x\r\n\r\n{JSON}content-length: {n}\r\n\r\n{peace}"
            ))
        }),
        passes("one byte at a time", {
            let bytes = with_length(200, "application/json", peace.as_bytes());
            bytes.iter().fold(Reply::new(), |reply, b| reply.send(vec![*b]))
        }),
        passes("headers that set things", {
            Reply::raw(format!(
                "{JSON}set-cookie: {LEAK}=1\r\nx-leak: {LEAK}\r\nlocation: {LEAK}\r\ncontent-length: {n}\r\n\r\n{peace}"
            ))
        }),
    ];
    for (name, head) in [
        ("a length too short", format!("{JSON}content-length: {}\r\n\r\n{peace}", n - 1)),
        ("a length of 0", format!("{JSON}content-length: 0\r\n\r\n{peace}")),
        ("two lengths", format!("{JSON}content-length: {n}\r\ncontent-length: 1\r\n\r\n{peace}")),
        ("the same length twice", format!("{JSON}content-length: {n}\r\ncontent-length: {n}\r\n\r\n{peace}")),
        ("a negative length", format!("{JSON}content-length: -1\r\n\r\n{peace}")),
        ("a length over 64 bits", format!("{JSON}content-length: 99999999999999999999\r\n\r\n{peace}")),
        ("a length of 64 MiB", format!("{JSON}content-length: 67108864\r\n\r\n{peace}")),
        ("a length and chunks", format!("{JSON}content-length: {n}\r\ntransfer-encoding: chunked\r\n\r\n{chunks}")),
        ("compressed chunks", format!("{JSON}transfer-encoding: gzip, chunked\r\n\r\n{chunks}")),
        ("chunks in HTTP/1.0", format!("{JSON}transfer-encoding: chunked\r\n\r\n{chunks}").replace("1.1", "1.0")),
        ("a chunk size in letters", format!("{JSON}transfer-encoding: chunked\r\n\r\nzz\r\n{peace}\r\n0\r\n\r\n")),
        ("a negative chunk size", format!("{JSON}transfer-encoding: chunked\r\n\r\n-1\r\n{peace}\r\n0\r\n\r\n")),
        ("a chunk size over 64 bits", format!("{JSON}transfer-encoding: chunked\r\n\r\n{}\r\n{peace}", "f".repeat(17))),
        ("a chunk longer than its size", format!("{JSON}transfer-encoding: chunked\r\n\r\n1\r\n{peace}\r\n0\r\n\r\n")),
        (
            "a chunk extension of 1 MiB",
            format!("{JSON}transfer-encoding: chunked\r\n\r\n1;{}\r\n", "x".repeat(1 << 20)),
        ),
        ("bare LFs", format!("{JSON}content-length: {n}\r\n\r\n{peace}").replace("\r\n", "\n")),
        ("one bare LF", format!("{JSON}x: y\ncontent-length: {n}\r\n\r\n{peace}")),
        ("a folded header", format!("{JSON}x: y\r\n z\r\ncontent-length: {n}\r\n\r\n{peace}")),
        ("a blank before a colon", format!("{JSON}content-length : {n}\r\n\r\n{peace}")),
        ("NUL in a header", format!("{JSON}x: \0\r\ncontent-length: {n}\r\n\r\n{peace}")),
        ("a header without a colon", format!("{JSON}x\r\ncontent-length: {n}\r\n\r\n{peace}")),
        ("a header of 1 MiB", format!("{JSON}x: {}\r\n\r\n", LEAK.repeat(1 << 16))),
        ("500 headers", format!("{JSON}{}content-length: {n}\r\n\r\n{peace}", "x: y\r\n".repeat(500))),
        ("another protocol", format!("SSH-2.0-{LEAK}\r\n\r\n")),
        ("an answer of HTTP/0.9", format!("<html>{LEAK}</html>\r\n\r\n")),
        ("a preface of HTTP/2", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".into()),
        ("status 99", format!("HTTP/1.1 099 {LEAK}\r\ncontent-length: 0\r\n\r\n")),
        ("status 600", format!("HTTP/1.1 600 {LEAK}\r\ncontent-length: 0\r\n\r\n")),
        ("status in letters", format!("HTTP/1.1 abc {LEAK}\r\ncontent-length: 0\r\n\r\n")),
        ("an upgrade nobody asked for", "HTTP/1.1 101 Switching Protocols\r\nupgrade: h2c\r\n\r\n".into()),
    ] {
        // What is left over must not be taken for the next answer.
        faults.push(whole(name, "CS0704", Reply::raw(head)));
    }
    faults.extend(both("headers without end", "CS0704", &Reply::raw(JSON).forever("x: y\r\n")));
    faults.extend(both(
        "interim answers without end",
        "CS0704",
        &Reply::new().forever("HTTP/1.1 100 Continue\r\n\r\n"),
    ));
    faults.push(whole("a body without end", "CS0704", {
        let mib = chunked(&vec![b' '; 1 << 20]);
        Reply::raw(format!("{JSON}transfer-encoding: chunked\r\n\r\n")).forever(mib)
    }));
    faults.push(stream("a bad chunk in mid-stream", "CS0704", {
        Reply::raw(event_stream()).send(chunked(delta("one two ").as_bytes())).send("zz\r\n")
    }));
    faults.push(stream("a head in mid-stream", "CS0704", {
        Reply::raw(event_stream()).send(chunked(delta("one two ").as_bytes())).send(self::peace())
    }));
    run(faults, 42);
}

#[test]
fn statuses_and_kinds_that_are_not_an_answer() {
    let mut faults = Vec::new();
    for (status, code) in [
        (201, "CS0704"),
        (202, "CS0704"),
        (206, "CS0704"),
        (300, "CS0704"),
        (301, "CS0704"),
        (302, "CS0704"),
        (307, "CS0704"),
        (400, "CS0705"),
        (401, "CS0702"),
        (402, "CS0702"),
        (403, "CS0702"),
        (404, "CS0705"),
        (405, "CS0705"),
        (408, "CS0703"),
        (409, "CS0705"),
        (413, "CS0705"),
        (422, "CS0705"),
        (429, "CS0706"),
        (451, "CS0705"),
        (500, "CS0702"),
        (501, "CS0702"),
        (502, "CS0702"),
        (503, "CS0702"),
        (504, "CS0702"),
        (529, "CS0702"),
    ] {
        let body = leak();
        let head = format!(
            "HTTP/1.1 {status} {LEAK}\r\ncontent-type: application/json\r\nlocation: http://{LEAK}/\r\nwww-authenticate: {LEAK}\r\nx-request-id: {LEAK}\r\ncontent-length: {}\r\n\r\n{body}",
            body.len()
        );
        faults.extend(both(&format!("status {status}"), code, &Reply::raw(head)));
    }
    for status in [204, 304] {
        faults.extend(both(
            &format!("status {status}"),
            "CS0704",
            &Reply::raw(format!("HTTP/1.1 {status} Nothing\r\n\r\n")),
        ));
    }
    for (name, kind) in [
        ("a page", "text/html"),
        ("text", "text/plain"),
        ("a script", "application/javascript"),
        ("JSON by another name", "application/jsonp"),
        ("no kind", ""),
    ] {
        faults.extend(both(name, "CS0704", &Reply::raw(with_length(200, kind, leak().as_bytes()))));
    }
    for encoding in ["gzip", "br", "deflate", "identity, gzip"] {
        let encoded = |kind: &str| {
            format!(
                "HTTP/1.1 200 OK\r\ncontent-type: {kind}\r\ncontent-encoding: {encoding}\r\ncontent-length: 4\r\n\r\n\x1f\x08\x01\x02"
            )
        };
        faults.push(whole(&format!("compressed by {encoding}"), "CS0704", Reply::raw(encoded("application/json"))));
        faults.push(stream(&format!("compressed by {encoding}"), "CS0704", Reply::raw(encoded("text/event-stream"))));
    }
    faults.push(stream("a whole answer to a wish for a stream", "CS0704", Reply::raw(peace())));
    faults.push(whole(
        "a stream where a whole answer was asked for",
        "CS0704",
        Reply::events([delta(LEAK), "data: [DONE]\n\n".into()]),
    ));
    run(faults, 70);
}

#[test]
fn bodies_that_are_not_an_answer() {
    let good = Siege::peace().to_string();
    let mut faults = Vec::new();
    for (name, body) in [
        ("nothing", Vec::new()),
        ("null", b"null".to_vec()),
        ("text", LEAK.into()),
        ("an array", format!("[{good}]").into()),
        ("half an answer", good[..good.len() / 2].into()),
        ("two answers", format!("{good}{good}").into()),
        ("a byte order mark", format!("\u{feff}{good}").into()),
        ("the choices twice", good.replacen('{', "{\"choices\":[],", 1).into()),
        ("the choices twice, once escaped", good.replacen('{', "{\"ch\\u006fices\":[],", 1).into()),
        ("a lone surrogate", good.replace("ordinary", "\\ud83d").into()),
        ("a raw control character", good.replace("ordinary", "\x01").into()),
        ("NaN", good.replacen('{', "{\"x\":NaN,", 1).into()),
        ("a trailing comma", good.replacen("}}", "},}", 1).into()),
        (
            "arrays 10^5 deep",
            good.replacen('{', &format!("{{\"x\":{}{},", "[".repeat(100_000), "]".repeat(100_000)), 1).into(),
        ),
        ("5 million values", good.replacen('{', &format!("{{\"x\":[{}0],", "0,".repeat(5_000_000)), 1).into()),
        ("bytes that are not UTF-8", [&b"{\"x\":\"\xff\"}"[..]].concat()),
    ] {
        faults.push(whole(
            &format!("{name} for an answer"),
            "CS0704",
            Reply::raw(with_length(200, "application/json", &body)),
        ));
    }
    for (name, event) in [
        ("an event that is no JSON", "data: {\"id\n\n".into()),
        ("an event that is text", format!("data: {LEAK}\n\n")),
        ("an event that is an array", "data: []\n\n".into()),
        ("an event that is null", "data: null\n\n".into()),
        ("an event with a name twice", "data: {\"id\":1,\"id\":2}\n\n".into()),
        ("an event with a lone surrogate", "data: {\"id\":\"\\ud83d\"}\n\n".into()),
        ("an event with two requests' worth", "data: {} {}\n\n".into()),
        ("an event nested 10^5 deep", format!("data: {}\n\n", "[".repeat(100_000))),
        ("an event of 2 MiB", format!("data: {{\"x\":\"{}\"}}\n\n", "a".repeat(2 << 20))),
    ] {
        let events = [delta("one two "), event, "data: [DONE]\n\n".into()];
        faults.push(stream(name, "CS0704", Reply::events(events)));
    }
    faults.push(stream("a stream that ends without its last event", "CS0704", Reply::events([delta("one two ")])));
    faults.push(stream("a stream that ends within an event", "CS0704", {
        Reply::events([delta("one two "), "data: {\"id\":1}".into()])
    }));
    faults.push(stream("a stream that is empty", "CS0704", Reply::events([""; 0])));
    faults.push(stream("a line of 64 MiB", "CS0704", {
        let mib = chunked(&vec![b'a'; 1 << 20]);
        (0..64).fold(Reply::raw(event_stream()).send(chunked(b"data: {\"x\":\"")), |r, _| r.send(mib.clone()))
    }));
    faults.push(stream(
        "a line without end",
        "CS0704",
        Reply::raw(event_stream()).forever(chunked(&vec![b'a'; 1 << 16])),
    ));
    faults.push(stream("an event of empty lines without end of its data", "CS0704", {
        Reply::raw(event_stream()).forever(chunked(&b"data: x\n".repeat(1 << 12)))
    }));
    faults.push(stream("an event that is not UTF-8", "CS0704", {
        Reply::raw(event_stream()).send(chunked(b"data: {\"id\":\"\xff\"}\n\ndata: [DONE]\n\n")).send(chunked(b""))
    }));
    run(faults, 32);
}

#[test]
fn streams_that_are_odd_and_well_arrive_byte_for_byte() {
    let ordinary = [delta("one two "), delta("three."), "data: [DONE]\n\n".into()].concat();
    let shapes: Vec<(&str, Vec<Vec<u8>>)> = vec![
        ("lines that end in LF", vec![ordinary.clone().into()]),
        ("lines that end in CR LF", vec![ordinary.replace('\n', "\r\n").into()]),
        ("lines that end in CR", vec![ordinary.replace('\n', "\r").into()]),
        ("lines that end in either", vec![ordinary.replacen("\n\n", "\r\n\n", 1).into()]),
        ("lines that end in LF CR LF", vec![ordinary.replace("\n\n", "\n\r\n").into()]),
        ("a byte order mark", vec![format!("\u{feff}{ordinary}").into()]),
        ("comments between", vec![ordinary.replace("data: {", ": keep-alive\n\ndata: {").into()]),
        ("no blank after the colon", vec![ordinary.replace("data: ", "data:").into()]),
        ("empty lines before the first event", vec![format!("\n\n\n{ordinary}").into()]),
        ("each byte a chunk", ordinary.bytes().map(|b| vec![b]).collect()),
        ("CR and LF in chunks of their own", {
            ordinary.replace('\n', "\r\n").split_inclusive(['\r', '\n']).map(Into::into).collect()
        }),
        ("all in one chunk with its end", vec![ordinary.clone().into()]),
    ];
    let replies: HashMap<String, Reply> = shapes
        .iter()
        .map(|(name, pieces)| ((*name).to_owned(), Reply::events(pieces.iter())))
        .chain([("words after the end".to_owned(), Reply::events([ordinary.clone(), delta(LEAK)]))])
        .collect();
    let upstream = Upstream::start(move |asked| {
        let prompt = asked.json()["messages"][0]["content"].as_str().unwrap_or_default().to_owned();
        replies.get(&prompt).cloned().unwrap_or_else(|| Reply::raw(peace()))
    });
    let mut siege = begin(upstream);
    for (name, pieces) in shapes {
        siege.case(name, |siege| {
            let answer = ask(siege, name, true)?;
            let sent = pieces.concat();
            if answer.status == 200 && answer.complete && answer.body == sent {
                Ok(())
            } else {
                Err(format!("{}: {:?} for {:?}", answer.status, answer.text(), String::from_utf8_lossy(&sent)))
            }
        });
    }
    siege.case("words after the end", |siege| {
        let answer = ask(siege, "words after the end", true)?;
        if answer.complete && answer.text() == ordinary { Ok(()) } else { Err(answer.text()) }
    });
    siege.finish(13);
}

#[test]
fn connections_that_the_provider_ended_between_requests_are_replaced() {
    let dropped = Arc::new(AtomicUsize::new(0));
    let counter = dropped.clone();
    let upstream = Upstream::start(move |asked: &Asked| match asked.json()["messages"][0]["content"].as_str() {
        Some("close after") => Reply::raw(peace()).close(),
        Some("reset after") => Reply::raw(peace()).reset(),
        // The first time it comes over a connection that has served before.
        Some(prompt) if prompt.starts_with("drop") => {
            if counter.fetch_add(1, Ordering::Relaxed) % 2 == 1 {
                return Reply::raw(peace());
            }
            if prompt.ends_with("reset") { Reply::new().reset() } else { Reply::new().close() }
        }
        Some("words too many") => {
            Reply::raw([peace(), with_length(200, "application/json", leak().as_bytes())].concat())
        }
        _ => Reply::raw(peace()),
    });
    let mut siege = begin(upstream);
    for i in 0..5 {
        for (name, prompt) in [
            ("closed after an answer", "close after"),
            ("reset after an answer", "reset after"),
            ("closed at the next request", "drop"),
            ("reset at the next request", "drop by reset"),
            ("an answer too many", "words too many"),
        ] {
            siege.case(&format!("{name}, round {i}"), |siege| {
                let answer = ask(siege, prompt, false)?;
                if answer.status == 200 && answer.json() == Siege::peace() { Ok(()) } else { Err(answer.text()) }
            });
        }
    }
    siege.finish(25);
    assert_eq!(dropped.load(Ordering::Relaxed), 20, "each was asked again, once");
}
