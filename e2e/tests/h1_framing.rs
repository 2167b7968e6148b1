//! Where a request ends: every way to make two readers disagree about it, over HTTP/1.1 in the clear.

use countersign_testkit::{Must, Plan, Reply, Siege, Upstream, chat_ask, chunked, ended};

fn siege() -> Siege {
    let upstream = Upstream::start(|_asked| Reply::json(200, &Siege::peace()));
    Siege::begin(Plan::new().target("openai", &upstream, &["m"]), upstream)
}

fn body() -> String {
    chat_ask("hello").to_string()
}

/// The body in one chunk, without the last.
fn chunk() -> Vec<u8> {
    chunked(body().as_bytes())
}

const BAD: Must = Must::Refuse(&[400]);
const LAST: &[u8] = b"0\r\n\r\n";

#[test]
fn a_body_whose_length_is_told_in_two_ways_is_refused() {
    let mut siege = siege();
    let n = body().len();
    let smuggled = siege.request(&format!("content-length: {n}\r\n"), body());
    let whole = [chunk(), LAST.to_vec()].concat();
    let plain = body().into_bytes();

    // The length says that the smuggled request belongs to the body, the chunks say that it does not; and the reverse.
    let inner = [LAST, &smuggled].concat();
    let cl_te = format!("content-length: {}\r\ntransfer-encoding: chunked\r\n", inner.len());
    siege.bytes("CL.TE", BAD, siege.request(&cl_te, &inner));
    let te_cl = "transfer-encoding: chunked\r\ncontent-length: 4\r\n";
    let hidden = [format!("{:x}\r\n", smuggled.len()).as_bytes(), &smuggled, b"\r\n", LAST].concat();
    siege.bytes("TE.CL", BAD, siege.request(te_cl, &hidden));
    siege.bytes("TE.CL with a length of 0", BAD, {
        siege.request("transfer-encoding: chunked\r\ncontent-length: 0\r\n", &whole)
    });
    siege.bytes("CL and TE that agree", BAD, {
        siege.request(&format!("content-length: {}\r\ntransfer-encoding: chunked\r\n", whole.len()), &whole)
    });

    for (name, header) in [
        ("TE: identity", "transfer-encoding: identity"),
        ("TE: xchunked", "transfer-encoding: xchunked"),
        ("TE: chunkedx", "transfer-encoding: chunkedx"),
        ("TE: chunk", "transfer-encoding: chunk"),
        ("TE: quoted", "transfer-encoding: \"chunked\""),
        ("TE: with a parameter", "transfer-encoding: chunked;q=1"),
        ("TE: empty", "transfer-encoding:"),
        ("TE: comma first", "transfer-encoding: ,chunked"),
        ("TE: comma last", "transfer-encoding: chunked,"),
        ("TE: chunked, identity", "transfer-encoding: chunked, identity"),
        ("TE: identity, chunked", "transfer-encoding: identity, chunked"),
        ("TE: gzip, chunked", "transfer-encoding: gzip, chunked"),
        ("TE: chunked, chunked", "transfer-encoding: chunked, chunked"),
        ("TE: chunked twice", "transfer-encoding: chunked\r\ntransfer-encoding: chunked"),
        ("TE: chunked, then something", "transfer-encoding: chunked\r\ntransfer-encoding: x"),
        ("TE: something, then chunked", "transfer-encoding: x\r\ntransfer-encoding: chunked"),
        ("TE: space before the colon", "transfer-encoding : chunked"),
        ("TE: tab before the colon", "transfer-encoding\t: chunked"),
        ("TE: vertical tab", "transfer-encoding:\x0bchunked"),
        ("TE: form feed", "transfer-encoding: chunked\x0c"),
        ("TE: NUL", "transfer-encoding: chunked\0"),
        ("TE: folded", "transfer-encoding:\r\n chunked"),
        ("TE: in a folded line", "x: y\r\n transfer-encoding: chunked"),
        ("TE: behind a bare LF", "x: y\ntransfer-encoding: chunked"),
        ("TE: behind a bare CR", "x: y\rtransfer-encoding: chunked"),
    ] {
        siege.bytes(name, BAD, siege.request(&format!("{header}\r\n"), &whole));
        let both = format!("content-length: {}\r\n{header}\r\n", inner.len());
        siege.bytes(&format!("{name}, with CL"), BAD, siege.request(&both, &inner));
    }
    for (name, header) in [
        ("TE: in mixed case", "Transfer-ENCODING: cHuNkEd"),
        ("TE: after a tab", "transfer-encoding:\tchunked"),
        ("TE: blanks around", "transfer-encoding:  chunked \t"),
    ] {
        siege.bytes(name, Must::Pass, siege.request(&format!("{header}\r\n"), &whole));
    }
    let other = format!("transfer_encoding: chunked\r\ncontent-length: {n}\r\n");
    siege.bytes("an underscore is another header", Must::Pass, siege.request(&other, &plain));
    let old = String::from_utf8(siege.request("transfer-encoding: chunked\r\n", &whole)).expect("text");
    siege.bytes("TE: in HTTP/1.0", BAD, old.replace("HTTP/1.1", "HTTP/1.0"));
    siege.finish(50);
}

#[test]
fn a_content_length_is_digits_and_stands_once() {
    let mut siege = siege();
    let n = body().len();
    for (name, header) in [
        ("CL: twice, different", format!("content-length: {n}\r\ncontent-length: 0")),
        ("CL: twice, the same", format!("content-length: {n}\r\ncontent-length: {n}")),
        ("CL: a list", format!("content-length: {n}, {n}")),
        ("CL: plus", format!("content-length: +{n}")),
        ("CL: minus", "content-length: -1".into()),
        ("CL: hexadecimal", "content-length: 0x10".into()),
        ("CL: exponent", "content-length: 1e2".into()),
        ("CL: fraction", format!("content-length: {n}.0")),
        ("CL: blank inside", "content-length: 1 2".into()),
        ("CL: underscore", "content-length: 1_0".into()),
        ("CL: empty", "content-length:".into()),
        ("CL: quoted", format!("content-length: \"{n}\"")),
        ("CL: other digits", "content-length: \u{663}".into()),
        ("CL: NUL", format!("content-length: {n}\0")),
        ("CL: 2^64", "content-length: 18446744073709551616".into()),
        ("CL: 2^64 - 1", "content-length: 18446744073709551615".into()),
        ("CL: 2^63", "content-length: 9223372036854775808".into()),
        ("CL: 40 digits", format!("content-length: {}", "9".repeat(40))),
        ("CL: 2^64 plus its value", format!("content-length: {}", u128::from(u64::MAX) + 1 + n as u128)),
        ("CL: space before the colon", format!("content-length : {n}")),
        ("CL: tab before the colon", format!("content-length\t: {n}")),
        ("CL: folded", format!("content-length:\r\n {n}")),
    ] {
        siege.bytes(name, BAD, siege.request(&format!("{header}\r\n"), body()));
    }
    siege.bytes("CL: leading zeros", Must::Pass, siege.request(&format!("content-length: 000{n}\r\n"), body()));
    siege.bytes("CL: over the limit", Must::Say("CS0102"), siege.request("content-length: 99999999\r\n", ""));
    siege.cut_bytes("CL: longer than the body", Must::End, {
        siege.request(&format!("content-length: {}\r\n", n + 1), body())
    });
    siege.case("CL: shorter than the body", |siege| {
        let before = siege.upstream.seen().len();
        let mut client = siege.gateway.client();
        let _ = client.send(siege.request(&format!("content-length: {}\r\n", n - 1), body()));
        let said = String::from_utf8_lossy(&client.rest()).into_owned();
        let well = said.contains("CS0101") && !said.contains("HTTP/1.1 200") && siege.upstream.seen().len() == before;
        if well { Ok(()) } else { Err(said) }
    });
    siege.finish(26);
}

#[test]
fn chunks_are_framed_to_the_letter() {
    let mut siege = siege();
    let te = "transfer-encoding: chunked\r\n";
    let size = format!("{:x}", body().len());
    let text = body();
    let said = Must::SayAndEnd("CS0101");
    for (name, framed) in [
        ("chunk size over 64 bits", format!("1{}\r\n{text}\r\n0\r\n\r\n", "0".repeat(16))),
        ("chunk size of 16 fs", format!("{}\r\n{text}\r\n0\r\n\r\n", "f".repeat(16))),
        ("chunk size that wraps to its value", format!("1{size:0>16}\r\n{text}\r\n0\r\n\r\n")),
        ("negative chunk size", format!("-{size}\r\n{text}\r\n0\r\n\r\n")),
        ("chunk size with plus", format!("+{size}\r\n{text}\r\n0\r\n\r\n")),
        ("chunk size with 0x", format!("0x{size}\r\n{text}\r\n0\r\n\r\n")),
        ("chunk size after a blank", format!(" {size}\r\n{text}\r\n0\r\n\r\n")),
        ("chunk size before a blank", format!("{size} \r\n{text}\r\n0\r\n\r\n")),
        ("chunk size before a tab", format!("{size}\t\r\n{text}\r\n0\r\n\r\n")),
        ("no chunk size", format!("\r\n{text}\r\n0\r\n\r\n")),
        ("no chunk size, but an extension", format!(";x\r\n{text}\r\n0\r\n\r\n")),
        ("chunk size in letters", format!("zz\r\n{text}\r\n0\r\n\r\n")),
        ("chunk size with underscore", format!("{size}_0\r\n{text}\r\n0\r\n\r\n")),
        ("bare LF after a chunk size", format!("{size}\n{text}\r\n0\r\n\r\n")),
        ("bare CR after a chunk size", format!("{size}\r{text}\r\n0\r\n\r\n")),
        ("NUL in a chunk size", format!("{size}\0\r\n{text}\r\n0\r\n\r\n")),
        ("no line end after chunk data", format!("{size}\r\n{text}0\r\n\r\n")),
        ("bare LF after chunk data", format!("{size}\r\n{text}\n0\r\n\r\n")),
        ("bare CR after chunk data", format!("{size}\r\n{text}\r0\r\n\r\n")),
        ("two line ends after chunk data", format!("{size}\r\n{text}\r\n\r\n0\r\n\r\n")),
        ("bare LF in a chunk extension", format!("{size};a\nb\r\n{text}\r\n0\r\n\r\n")),
        ("bare CR in a chunk extension", format!("{size};a\rb\r\n{text}\r\n0\r\n\r\n")),
        ("NUL in a chunk extension", format!("{size};a\0b\r\n{text}\r\n0\r\n\r\n")),
        ("chunk extension of 1 MiB", format!("{size};{}\r\n{text}\r\n0\r\n\r\n", "a".repeat(1 << 20))),
        ("chunk extension of 20 KiB, quoted", format!("{size};a=\"{}\"\r\n{text}\r\n0\r\n\r\n", "b".repeat(20 << 10))),
        ("a little extension on each of 10^5 chunks", format!("{}0\r\n\r\n", "1;a=b\r\n \r\n".repeat(100_000))),
        ("bare LF after the last chunk", format!("{size}\r\n{text}\r\n0\n\r\n")),
        ("bare LF at the very end", format!("{size}\r\n{text}\r\n0\r\n\n")),
        ("bare LF after a trailer", format!("{size}\r\n{text}\r\n0\r\nx: y\n\r\n")),
        ("NUL in a trailer", format!("{size}\r\n{text}\r\n0\r\nx: \0\r\n\r\n")),
        ("trailer without a colon", format!("{size}\r\n{text}\r\n0\r\nxy\r\n\r\n")),
        ("folded trailer", format!("{size}\r\n{text}\r\n0\r\nx: y\r\n z\r\n\r\n")),
        ("trailer of 1 MiB", format!("{size}\r\n{text}\r\n0\r\nx: {}\r\n\r\n", "y".repeat(1 << 20))),
        ("10^5 trailers", format!("{size}\r\n{text}\r\n0\r\n{}\r\n", "x: y\r\n".repeat(100_000))),
    ] {
        siege.bytes(name, said, siege.request(te, framed));
    }
    for (name, framed) in [
        ("chunk extension", format!("{size};a=b;c=\"d\"\r\n{text}\r\n0;e\r\n\r\n")),
        ("zeros before a chunk size", format!("000{size}\r\n{text}\r\n000\r\n\r\n")),
        ("chunk size in upper case", format!("{}\r\n{text}\r\n0\r\n\r\n", size.to_uppercase())),
        ("trailers", format!("{size}\r\n{text}\r\n0\r\nx: y\r\nz:\r\n\r\n")),
        // Trailers are left unread, whatever they say.
        ("a length in a trailer", format!("{size}\r\n{text}\r\n0\r\ncontent-length: 5\r\n\r\n")),
        ("a key in a trailer", format!("{size}\r\n{text}\r\n0\r\nauthorization: Bearer nobody\r\n\r\n")),
        ("each byte a chunk", text.chars().map(|c| format!("1\r\n{c}\r\n")).collect::<String>() + "0\r\n\r\n"),
    ] {
        siege.bytes(name, Must::Pass, siege.request(te, framed));
    }
    siege.cut_bytes("no last chunk", Must::End, siege.request(te, format!("{size}\r\n{text}\r\n")));
    siege.cut_bytes("last chunk cut off", Must::End, siege.request(te, format!("{size}\r\n{text}\r\n0\r\n")));
    siege.cut_bytes("chunk data cut off", Must::End, siege.request(te, format!("{size}\r\n{}", &text[..9])));
    siege.cut_bytes("chunk size cut off", Must::End, siege.request(te, "1"));
    siege.finish(45);
}

#[test]
fn requests_behind_requests_are_told_apart() {
    let mut siege = siege();
    let n = body().len();
    let good = siege.request(&format!("content-length: {n}\r\n"), body());
    let bad = siege.request("content-length: 1, 1\r\n", "x");
    let passes = |said: &[u8]| String::from_utf8_lossy(said).matches("HTTP/1.1 200").count();

    siege.case("three good ones at once", |siege| {
        let mut client = siege.gateway.client();
        client.send(good.repeat(3)).map_err(|e| e.to_string())?;
        for _ in 0..3 {
            let answer = client.answer().map_err(|e| e.to_string())?.ok_or("no answer")?;
            if answer.status != 200 {
                return Err(answer.text());
            }
        }
        Ok(())
    });
    siege.case("two hundred good ones at once", |siege| {
        let before = siege.upstream.seen().len();
        let mut client = siege.gateway.client();
        client.send(good.repeat(200)).map_err(|e| e.to_string())?;
        for i in 0..200 {
            let answer = client.answer().map_err(|e| e.to_string())?.ok_or(format!("no answer {i}"))?;
            if answer.status != 200 {
                return Err(answer.text());
            }
        }
        (siege.upstream.seen().len() == before + 200).then_some(()).ok_or("the provider did not hear 200".into())
    });
    siege.bytes("a bad one, then good ones", BAD, [bad.clone(), good.repeat(3)].concat());
    siege.case("a good one, then a bad one, then good ones", |siege| {
        let before = siege.upstream.seen().len();
        let mut client = siege.gateway.client();
        client.send(&good).map_err(|e| e.to_string())?;
        let first = client.answer().map_err(|e| e.to_string())?.ok_or("no answer")?;
        let _ = client.send([bad.clone(), good.repeat(3)].concat());
        let rest = client.rest();
        if first.status == 200 && passes(&rest) == 0 && siege.upstream.seen().len() == before + 1 {
            Ok(())
        } else {
            Err(format!("{}, then {}", first.status, String::from_utf8_lossy(&rest)))
        }
    });
    siege.case("a good one and a bad one in one piece", |siege| {
        let before = siege.upstream.seen().len();
        let mut client = siege.gateway.client();
        let _ = client.send([good.clone(), bad.clone(), good.clone()].concat());
        let said = client.rest();
        // Whether the first is still answered is a matter of luck; that the third is not is none.
        if passes(&said) <= 1 && siege.upstream.seen().len() <= before + 1 {
            Ok(())
        } else {
            Err(String::from_utf8_lossy(&said).into_owned())
        }
    });
    let hidden = format!("content-length: {}\r\n", good.len());
    for (name, method, path) in [
        ("in the body of a GET", "GET", "/v1/models"),
        ("in the body of a HEAD", "HEAD", "/v1/models"),
        ("in the body of a DELETE", "DELETE", "/v1/chat/completions"),
        ("in the body of an OPTIONS", "OPTIONS", "/v1/chat/completions"),
        ("in the body of a health check", "GET", "/healthz"),
        ("in a body for an unknown path", "POST", "/v2"),
    ] {
        siege.case(name, |siege| {
            let before = siege.upstream.seen().len();
            let mut client = siege.gateway.client();
            let head = String::from_utf8_lossy(&siege.request(&hidden, ""))
                .replace("POST /v1/chat/completions", &format!("{method} {path}"));
            let _ = client.send([head.as_bytes(), &good].concat());
            client.finish();
            let said = client.rest();
            if siege.upstream.seen().len() == before && !String::from_utf8_lossy(&said).contains("ordinary answer") {
                Ok(())
            } else {
                Err(String::from_utf8_lossy(&said).into_owned())
            }
        });
    }
    siege.case("without a key, in a body that is never read", |siege| {
        let before = siege.upstream.seen().len();
        let mut client = siege.gateway.client();
        let head = format!("POST /v1/messages HTTP/1.1\r\nhost: localhost\r\n{hidden}\r\n");
        let _ = client.send([head.as_bytes(), &good].concat());
        let first = client.answer().map_err(|e| e.to_string())?.ok_or("no answer")?;
        client.finish();
        let rest = client.rest();
        if first.status == 401 && passes(&rest) == 0 && siege.upstream.seen().len() == before {
            Ok(())
        } else {
            Err(format!("{}, then {}", first.status, String::from_utf8_lossy(&rest)))
        }
    });
    siege.case("an answer that is not waited for, many times", |siege| {
        for _ in 0..50 {
            siege.gateway.client().send(&good).map_err(|e| e.to_string())?;
        }
        let mut client = siege.gateway.client();
        client.send([good.clone(), b"x".to_vec()].concat()).map_err(|e| e.to_string())?;
        let _ = client.answer();
        client.finish();
        ended(&mut client).or(Ok(()))
    });
    siege.finish(13);
}
