//! Heads and bodies that no honest client sends, over HTTP/1.1 in the clear.

use countersign_testkit::{Must, Plan, Reply, Siege, Upstream, chat_ask, ended};

fn siege() -> Siege {
    let upstream = Upstream::start(|_asked| Reply::json(200, &Siege::peace()));
    Siege::begin(Plan::new().target("openai", &upstream, &["m"]), upstream)
}

fn body() -> String {
    chat_ask("hello").to_string()
}

/// A well-formed request, as text to be bent.
fn good(siege: &Siege) -> String {
    let n = body().len();
    String::from_utf8(siege.request(&format!("content-length: {n}\r\n"), body())).expect("text")
}

const BAD: Must = Must::Refuse(&[400]);

#[test]
fn lines_end_in_cr_lf_and_hold_no_control_characters() {
    let mut siege = siege();
    let good = good(&siege);
    let (head, rest) = good.split_once("\r\n\r\n").expect("a head");
    let with = |header: &str| format!("{head}\r\n{header}\r\n\r\n{rest}");
    siege.bytes("every line ends in a bare LF", BAD, format!("{}\n\n{rest}", head.replace("\r\n", "\n")));
    siege.bytes("every line ends in a bare CR", Must::End, format!("{}\r\r{rest}\0", head.replace("\r\n", "\r")));
    siege.bytes("a request line that ends in a bare LF", BAD, good.replacen("\r\n", "\n", 1));
    siege.bytes("a head that ends in a bare LF", BAD, good.replace("\r\n\r\n", "\r\n\n"));
    siege.bytes("a head that ends in two bare LFs", BAD, good.replace("\r\n\r\n", "\n\n"));
    siege.bytes("LF CR for CR LF", BAD, good.replacen("\r\n", "\n\r", 1));
    siege.bytes("CR CR LF", BAD, good.replacen("\r\n", "\r\r\n", 1));
    siege.bytes("a bare LF before the request", BAD, format!("\n{good}"));
    siege.bytes("blank lines before the request", Must::Pass, format!("\r\n\r\n{good}"));
    for (name, header) in [
        ("a value folded by a blank", "x: y\r\n z"),
        ("a value folded by a tab", "x: y\r\n\tz"),
        ("a line of blanks", "   "),
        ("a header without a colon", "x"),
        ("a header without a name", ": y"),
        ("a header that begins with a blank", " x: y"),
        ("a blank before the colon", "x : y"),
        ("a tab before the colon", "x\t: y"),
        ("a blank in a name", "x y: z"),
        ("NUL in a name", "x\0y: z"),
        ("NUL in a value", "x: y\0z"),
        ("NUL at a value's end", "x: y\0"),
        ("a bare CR in a value", "x: y\rz: a"),
        ("a bare LF in a value", "x: y\nz: a"),
        ("a control character in a value", "x: \x01"),
        ("DEL in a value", "x: \x7f"),
        ("a form feed in a name", "x\x0c: y"),
        ("brackets in a name", "x(y): z"),
        ("a slash in a name", "x/y: z"),
        ("an at sign in a name", "x@y: z"),
        ("a quote in a name", "\"x\": z"),
        ("a name beyond ASCII", "\u{fc}: z"),
        ("a letter that lower-cases to ASCII in a name", "\u{212a}ey: z"),
    ] {
        siege.bytes(name, BAD, with(header));
    }
    for (name, header) in [
        ("a value beyond ASCII", "x: gr\u{fc}n"),
        ("an empty value", "x:"),
        ("tabs and blanks around a value", "x: \t y \t "),
        ("colons in a value", "x: a:b::c"),
        ("the oddest name there may be", "!#$%&'*+-.^_`|~09: x"),
    ] {
        siege.bytes(name, Must::Pass, with(header));
    }
    siege.case("bytes that are not UTF-8 in a value", |siege| {
        let raw = [head.as_bytes(), b"\r\nx: \xff\xfe\r\n\r\n", rest.as_bytes()].concat();
        let answer = siege.gateway.exchange(&raw);
        if answer.status == 200 { Ok(()) } else { Err(answer.text()) }
    });
    siege.finish(38);
}

#[test]
fn request_lines_and_hosts_mean_one_thing() {
    let mut siege = siege();
    let good = good(&siege);
    let line = "POST /v1/chat/completions HTTP/1.1";
    let with = |first: &str| good.replace(line, first);
    for (name, first) in [
        ("no version", "POST /v1/chat/completions"),
        ("two blanks before the path", "POST  /v1/chat/completions HTTP/1.1"),
        ("two blanks before the version", "POST /v1/chat/completions  HTTP/1.1"),
        ("a tab for a blank", "POST\t/v1/chat/completions HTTP/1.1"),
        ("a blank first", " POST /v1/chat/completions HTTP/1.1"),
        ("a blank last", "POST /v1/chat/completions HTTP/1.1 "),
        ("a blank in the path", "POST /v1/chat /completions HTTP/1.1"),
        ("a version in lower case", "POST /v1/chat/completions http/1.1"),
        ("version 1.2", "POST /v1/chat/completions HTTP/1.2"),
        ("version 1.10", "POST /v1/chat/completions HTTP/1.10"),
        ("version 01.1", "POST /v1/chat/completions HTTP/01.1"),
        ("version 2.0", "POST /v1/chat/completions HTTP/2.0"),
        ("version 9.9", "POST /v1/chat/completions HTTP/9.9"),
        ("another protocol", "POST /v1/chat/completions ICY/1.1"),
        ("no path", "POST HTTP/1.1"),
        ("an empty path", "POST  HTTP/1.1"),
        ("no method", "/v1/chat/completions HTTP/1.1"),
        ("a method with a slash", "PO/ST /v1/chat/completions HTTP/1.1"),
        ("a method beyond ASCII", "P\u{d6}ST /v1/chat/completions HTTP/1.1"),
        ("NUL in the path", "POST /v1/chat\0/completions HTTP/1.1"),
        ("DEL in the path", "POST /v1/chat\x7f/completions HTTP/1.1"),
        ("a fragment", "POST /v1/chat/completions#x HTTP/1.1"),
        ("a path that does not begin with a slash", "POST v1/chat/completions HTTP/1.1"),
        ("a backslash for a slash", "POST \\v1\\chat\\completions HTTP/1.1"),
        ("a preface of HTTP/2", "PRI * HTTP/2.0"),
    ] {
        siege.bytes(name, BAD, with(first));
    }
    siege.bytes("HTTP/0.9", BAD, "GET /v1/models\r\n\r\n");
    siege.bytes("a greeting of TLS", BAD, b"\x16\x03\x01\x00\xa5\x01\x00\x00\xa1\x03\x03\r\n\r\n");
    siege.bytes("a greeting of SSH", BAD, "SSH-2.0-OpenSSH_9.6\r\n\r\n");
    siege.bytes("a request of SOCKS", Must::End, b"\x05\x01\x00\r\n\r\n");
    siege.bytes("a PROXY line", BAD, format!("PROXY TCP4 10.0.0.1 10.0.0.2 1 2\r\n{good}"));
    siege.bytes("HTTP/1.0", Must::PassAndEnd, with("POST /v1/chat/completions HTTP/1.0"));
    siege.bytes("HTTP/1.0 without a host", Must::PassAndEnd, {
        with("POST /v1/chat/completions HTTP/1.0").replace("host: localhost\r\n", "")
    });
    siege.bytes("an absolute target", Must::Pass, with("POST http://localhost/v1/chat/completions HTTP/1.1"));
    siege.bytes("a query", Must::Pass, with("POST /v1/chat/completions?model=other HTTP/1.1"));
    for (name, first) in [
        ("an unknown method", "BREW /v1/chat/completions HTTP/1.1"),
        ("a method in lower case", "post /v1/chat/completions HTTP/1.1"),
        ("GET where POST belongs", "GET /v1/chat/completions HTTP/1.1"),
        ("TRACE", "TRACE /v1/chat/completions HTTP/1.1"),
        ("OPTIONS", "OPTIONS /v1/chat/completions HTTP/1.1"),
        ("PATCH", "PATCH /v1/chat/completions HTTP/1.1"),
    ] {
        siege.bytes(name, Must::Say("CS0104"), with(first));
    }
    for (name, first) in [
        ("an authority for a target", "CONNECT example.com:443 HTTP/1.1"),
        ("a star for a target", "OPTIONS * HTTP/1.1"),
        ("a trailing slash", "POST /v1/chat/completions/ HTTP/1.1"),
        ("a doubled slash", "POST //v1/chat/completions HTTP/1.1"),
        ("a dot segment", "POST /v1/./chat/completions HTTP/1.1"),
        ("two dots", "POST /v1/x/../chat/completions HTTP/1.1"),
        ("an encoded letter", "POST /v1/%63hat/completions HTTP/1.1"),
        ("an encoded slash", "POST /v1%2fchat/completions HTTP/1.1"),
        ("an encoded NUL", "POST /v1/chat/completions%00 HTTP/1.1"),
        ("path parameters", "POST /v1/chat/completions;x=y HTTP/1.1"),
        ("upper case", "POST /V1/CHAT/COMPLETIONS HTTP/1.1"),
        ("another path of the provider", "POST /v1/files HTTP/1.1"),
        ("an absolute target with another path", "POST http://localhost/v1/files HTTP/1.1"),
    ] {
        siege.bytes(name, Must::Say("CS0103"), with(first));
    }
    let host = "host: localhost\r\n";
    for (name, header) in [
        ("no host", ""),
        ("two hosts", "host: localhost\r\nhost: other\r\n"),
        ("the same host twice", "host: localhost\r\nHost: localhost\r\n"),
        ("a list of hosts", "host: localhost, other\r\n"),
        ("a host with a path", "host: localhost/x\r\n"),
        ("a host with a user", "host: user@localhost\r\n"),
        ("a host with a blank", "host: local host\r\n"),
        ("a folded host", "host: local\r\n host\r\n"),
    ] {
        siege.bytes(name, BAD, good.replacen(host, header, 1));
    }
    siege.finish(60);
}

#[test]
fn sizes_are_bounded_before_anything_is_read() {
    let mut siege = siege();
    let good = good(&siege);
    let with = |header: &str| good.replacen("\r\n", &format!("\r\n{header}\r\n"), 1);
    let lots = |n: usize| (0..n).map(|i| format!("x-{i}: y")).collect::<Vec<_>>().join("\r\n");
    let mib = "x".repeat(1 << 20);
    siege.bytes("10^5 headers", Must::End, with(&lots(100_000)));
    siege.bytes("10^5 headers of one name", Must::End, with(&vec!["x: y"; 100_000].join("\r\n")));
    siege.bytes("200 headers", Must::End, with(&lots(200)));
    siege.bytes("90 headers", Must::Pass, with(&lots(90)));
    siege.bytes("a value of 1 MiB", Must::End, with(&format!("x: {mib}")));
    siege.bytes("a name of 1 MiB", Must::End, with(&format!("{mib}: y")));
    siege.bytes("a name of 70 KiB", Must::End, with(&format!("{}: y", &mib[..70 << 10])));
    siege.bytes("a path of 1 MiB", Must::End, good.replacen("/v1", &format!("/{mib}"), 1));
    siege.bytes("a method of 1 MiB", Must::End, good.replacen("POST", &mib, 1));
    siege.bytes("a key of 1 MiB", Must::End, good.replacen("Bearer ", &format!("Bearer {mib}"), 1));
    siege.bytes(
        "a key of 16 KiB",
        Must::Say("CS0202"),
        good.replacen("Bearer ", &format!("Bearer {}", &mib[..16 << 10]), 1),
    );
    siege.bytes("1 MiB without a line end", Must::End, &mib);
    siege.bytes("1 MiB of blank lines", Must::End, "\r\n".repeat(1 << 19));
    siege.bytes("1 MiB of NUL", Must::End, vec![0; 1 << 20]);
    siege.bytes("a body over the limit, in chunks", Must::SayAndEnd("CS0102"), {
        let chunk = format!("100000\r\n{mib}\r\n").repeat(5);
        siege.request("transfer-encoding: chunked\r\n", chunk)
    });
    siege.bytes("a body over the limit, announced", Must::Say("CS0102"), {
        siege.request(&format!("content-length: {}\r\n", (4 << 20) + 1), "")
    });
    siege.case("three hundred connections that say nothing", |siege| {
        let idle: Vec<_> = (0..300).map(|_| siege.gateway.client()).collect();
        siege.ordinary()?;
        drop(idle);
        Ok(())
    });
    siege.case("five hundred connections that break off within the head", |siege| {
        for i in 0..500 {
            let _ = siege.gateway.client().send(&good.as_bytes()[..i % 150]);
        }
        Ok(())
    });
    siege.finish(18);
}

#[test]
fn bodies_are_plain_json_and_headers_change_nothing_else() {
    let mut siege = siege();
    let good = good(&siege);
    let json = "content-type: application/json\r\n";
    for (name, header) in [
        ("no content type", ""),
        ("text", "content-type: text/plain\r\n"),
        ("a form", "content-type: application/x-www-form-urlencoded\r\n"),
        ("a multipart form", "content-type: multipart/form-data; boundary=x\r\n"),
        ("two content types", "content-type: application/json\r\ncontent-type: text/plain\r\n"),
        ("the same content type twice", "content-type: application/json\r\ncontent-type: application/json\r\n"),
        ("a list of content types", "content-type: application/json, text/plain\r\n"),
        ("another kind of JSON", "content-type: application/json-seq\r\n"),
        ("a suffix of JSON", "content-type: application/vnd.x+json\r\n"),
        ("UTF-16", "content-type: application/json; charset=utf-16\r\n"),
        ("UTF-7", "content-type: application/json; charset=utf-7\r\n"),
        ("two charsets", "content-type: application/json; charset=utf-8; charset=utf-16\r\n"),
        ("an empty content type", "content-type:\r\n"),
        ("gzip", "content-type: application/json\r\ncontent-encoding: gzip\r\n"),
        ("deflate", "content-type: application/json\r\ncontent-encoding: deflate\r\n"),
        ("br", "content-type: application/json\r\ncontent-encoding: br\r\n"),
        ("zstd", "content-type: application/json\r\ncontent-encoding: zstd\r\n"),
        ("x-gzip", "content-type: application/json\r\ncontent-encoding: x-gzip\r\n"),
        ("gzip in mixed case", "content-type: application/json\r\nCONTENT-Encoding: GZip\r\n"),
        ("identity and gzip", "content-type: application/json\r\ncontent-encoding: identity, gzip\r\n"),
        (
            "identity, then gzip",
            "content-type: application/json\r\ncontent-encoding: identity\r\ncontent-encoding: gzip\r\n",
        ),
        ("an empty encoding", "content-type: application/json\r\ncontent-encoding:\r\n"),
    ] {
        siege.bytes(name, Must::Say("CS0105"), good.replacen(json, header, 1));
    }
    siege.bytes("4 MiB of compressed nothing", Must::Say("CS0105"), {
        let bomb = [&b"\x1f\x8b\x08\0\0\0\0\0\0\x03"[..], &vec![0; (4 << 20) - 10]].concat();
        siege.request(&format!("content-encoding: gzip\r\ncontent-length: {}\r\n", bomb.len()), bomb)
    });
    for (name, header) in [
        ("identity", "content-encoding: identity"),
        ("an expectation nobody knows", "expect: the-unexpected"),
        ("an upgrade to WebSocket", "connection: upgrade\r\nupgrade: websocket\r\nsec-websocket-key: x"),
        (
            "an upgrade to HTTP/2",
            "connection: upgrade, http2-settings\r\nupgrade: h2c\r\nhttp2-settings: AAMAAABkAAQAAP__",
        ),
        ("a connection header that names the key's", "connection: authorization, content-length"),
        ("another method by header", "x-http-method-override: DELETE"),
        ("another path by header", "x-original-url: /v1/models\r\nx-rewrite-url: /metrics"),
        ("another caller by header", "x-forwarded-for: 127.0.0.1\r\nx-user: root\r\nforwarded: for=1.2.3.4"),
        (
            "a certificate by header",
            "x-forwarded-client-cert: By=x;Subject=\"CN=root\"\r\nx-ssl-client-verify: SUCCESS",
        ),
        ("a range", "range: bytes=0-1"),
        ("a condition", "if-none-match: *"),
        ("a wish for a compressed answer", "accept-encoding: gzip, br"),
        ("a cookie", "cookie: session=root"),
        ("an origin", "origin: https://evil.example"),
        ("HTTP/2's own headers", "http2-settings: x\r\nx-method: POST"),
    ] {
        siege.bytes(name, Must::Pass, good.replacen("\r\n", &format!("\r\n{header}\r\n"), 1));
    }
    siege.bytes("a connection to be closed", Must::PassAndEnd, good.replacen("\r\n", "\r\nconnection: close\r\n", 1));
    siege.bytes("GET dressed up as POST", Must::Say("CS0104"), {
        good.replacen("POST", "GET", 1).replacen("\r\n", "\r\nx-http-method-override: POST\r\n", 1)
    });
    siege.bytes("two keys", Must::Say("CS0202"), good.replacen("\r\n", "\r\nauthorization: Bearer other\r\n", 1));
    siege.bytes("the same key twice", Must::Say("CS0202"), {
        good.replacen("\r\n", &format!("\r\nauthorization: Bearer {}\r\n", siege.key), 1)
    });
    siege.bytes("a different key in another header", Must::Say("CS0202"), {
        good.replacen("\r\n", "\r\nx-api-key: other\r\n", 1)
    });
    siege.bytes("a key in another scheme", Must::Say("CS0202"), good.replacen("Bearer", "Basic", 1));
    siege.bytes("a key beyond ASCII", Must::Say("CS0202"), good.replacen("Bearer ", "Bearer \u{fc}", 1));
    siege.case("what was promised when asked to go on", |siege| {
        let mut client = siege.gateway.client();
        let n = body().len();
        let head = siege.request(&format!("content-length: {n}\r\nexpect: 100-continue\r\n"), "");
        client.send(head).map_err(|e| e.to_string())?;
        let first = client.answer().map_err(|e| e.to_string())?.ok_or("no answer")?;
        client.send(body()).map_err(|e| e.to_string())?;
        let second = client.answer().map_err(|e| e.to_string())?.ok_or("no answer")?;
        if (first.status, second.status) == (100, 200) {
            Ok(())
        } else {
            Err(format!("{} {}", first.status, second.status))
        }
    });
    siege.case("a stranger is not told to go on", |siege| {
        let mut client = siege.gateway.client();
        let head = good.split("\r\n\r\n").next().unwrap_or_default().replace(&siege.key, "nobody");
        client.send(format!("{head}\r\nexpect: 100-continue\r\n\r\n")).map_err(|e| e.to_string())?;
        let first = client.answer().map_err(|e| e.to_string())?.ok_or("no answer")?;
        if first.status != 401 {
            return Err(format!("status {}", first.status));
        }
        ended(&mut client)
    });
    siege.case("a caller that sends no more but listens", |siege| {
        let mut client = siege.gateway.client();
        client.send(&good).map_err(|e| e.to_string())?;
        client.finish();
        // Some servers take this for a caller who has gone. Either is well; to hang is not.
        match client.answer() {
            Ok(Some(answer)) if answer.status != 200 => Err(answer.text()),
            Err(e) => Err(e.to_string()),
            Ok(_) => ended(&mut client),
        }
    });
    siege.finish(45);
}
