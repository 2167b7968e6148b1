//! Bodies that two JSON readers take differently, or that cost more to read than to write.

use countersign_testkit::{Must, Plan, Reply, Siege, Upstream};

fn siege() -> Siege {
    let upstream = Upstream::start(|_asked| Reply::json(200, &Siege::peace()));
    Siege::begin(Plan::new().target("openai", &upstream, &["m"]), upstream)
}

fn framed(siege: &Siege, body: impl AsRef<[u8]>) -> Vec<u8> {
    siege.request(&format!("content-length: {}\r\n", body.as_ref().len()), body)
}

/// A good request with `more` as further members.
fn with(more: &str) -> String {
    format!(r#"{{"model":"m","messages":[{{"role":"user","content":"hello"}}],{more}}}"#)
}

/// A good request that says `raw` as it stands between the quotes.
fn saying(raw: impl AsRef<[u8]>) -> Vec<u8> {
    let (before, after) = (&br#"{"model":"m","messages":[{"role":"user","content":""#[..], &br#""}]}"#[..]);
    [before, raw.as_ref(), after].concat()
}

const MALFORMED: Must = Must::Say("CS0101");
const COMPLEX: Must = Must::Say("CS0107");

#[test]
fn nesting_and_number_are_bounded() {
    let mut siege = siege();
    let n = 100_000;
    for (name, must, more) in [
        ("arrays 10^5 deep", COMPLEX, format!("\"x\":{}{}", "[".repeat(n), "]".repeat(n))),
        ("objects 10^5 deep", COMPLEX, format!("\"x\":{}1{}", "{\"a\":".repeat(n), "}".repeat(n))),
        ("arrays and objects 10^5 deep", COMPLEX, format!("\"x\":{}1{}", "[{\"a\":".repeat(n / 2), "}]".repeat(n / 2))),
        ("arrays 65 deep", COMPLEX, format!("\"x\":{}{}", "[".repeat(65), "]".repeat(65))),
        ("arrays 10 deep", Must::Pass, format!("\"x\":{}{}", "[".repeat(10), "]".repeat(10))),
        ("10^5 arrays that never close", COMPLEX, format!("\"x\":{}", "[".repeat(n))),
        ("10^5 closing brackets", MALFORMED, format!("\"x\":1{}", "]".repeat(n))),
        ("10^6 empty arrays", COMPLEX, format!("\"x\":[{}[]]", "[],".repeat(1_000_000))),
        ("10^6 numbers", COMPLEX, format!("\"x\":[{}0]", "0,".repeat(1_000_000))),
        ("half a million members", COMPLEX, {
            let members: Vec<String> = (0..400_000).map(|i| format!("\"{i:x}\":0")).collect();
            format!("\"x\":{{{}}}", members.join(","))
        }),
        ("10^4 members whose names differ in one letter", Must::Pass, {
            let members: Vec<String> = (0..10_000).map(|i| format!("\"n{i:05}\":0")).collect();
            format!("\"x\":{{{}}}", members.join(","))
        }),
        ("10^4 members, the first and the last alike", MALFORMED, {
            let members: Vec<String> = (0..10_000).map(|i| format!("\"n{i:05}\":0")).collect();
            format!("\"x\":{{{},\"n00000\":1}}", members.join(","))
        }),
    ] {
        siege.case(name, |s| s.attack(must, &framed(s, with(&more))));
    }
    siege.case("10^6 members of one body", |s| {
        let members: Vec<String> = (0..1_000_000).map(|i| format!("\"{i:x}\":0")).collect();
        s.attack(Must::Say("CS0102"), &framed(s, with(&members.join(","))))
    });
    siege.case("4 MiB in one string", |s| s.attack(Must::Say("CS0102"), &framed(s, saying("a".repeat(4 << 20)))));
    siege.case("arrays 10^5 deep and nothing else", |s| s.attack(COMPLEX, &framed(s, "[".repeat(n))));
    siege.case("4 MiB of blanks", |s| s.attack(MALFORMED, &framed(s, " ".repeat(4 << 20))));
    siege.case("4 MiB of backslashes", |s| s.attack(MALFORMED, &framed(s, saying("\\".repeat((4 << 20) - 101)))));
    siege
        .case("a name of 1 MiB", |s| s.attack(MALFORMED, &framed(s, with(&format!("\"{}\":{{", "a".repeat(1 << 20))))));
    siege.finish(18);
}

#[test]
fn what_two_readers_take_differently_is_refused() {
    let mut siege = siege();
    let good = with(r#""n":1"#);
    for (name, body) in [
        ("an empty body", String::new()),
        ("null", "null".into()),
        ("true", "true".into()),
        ("a number", "1".into()),
        ("a string", "\"m\"".into()),
        ("an array", "[]".into()),
        ("a good request in an array", format!("[{good}]")),
        ("an empty object", "{}".into()),
        ("two requests", format!("{good}{good}")),
        ("two requests on lines", format!("{good}\n{good}")),
        ("a request and a brace", format!("{good}}}")),
        ("a request and NUL", format!("{good}\0")),
        ("a byte order mark", format!("\u{feff}{good}")),
        ("half a request", good[..good.len() / 2].into()),
        ("single quotes", good.replace('"', "'")),
        ("no quotes", good.replace('"', "")),
        ("a line comment", good.replacen('{', "{// x\n", 1)),
        ("a block comment", good.replacen('{', "{/* x */", 1)),
        ("a hash comment", format!("# x\n{good}")),
        ("a trailing comma in an object", good.replace("1}", "1,}")),
        ("a trailing comma in an array", good.replace("}]", "},]")),
        ("a leading comma", good.replacen('{', "{,", 1)),
        ("two commas", good.replace("}],", "}],,")),
        ("no comma", good.replace("}],", "}]")),
        ("no colon", good.replacen(':', "", 1)),
        ("two colons", good.replacen(':', "::", 1)),
        ("a semicolon", good.replacen(',', ";", 1)),
        ("a form feed for a blank", good.replacen(',', ",\x0c", 1)),
        ("a no-break space for a blank", good.replacen(',', ",\u{a0}", 1)),
        ("a vertical tab for a blank", good.replacen(',', ",\x0b", 1)),
        ("a raw line feed in a string", good.replace("hello", "hel\nlo")),
        ("a raw tab in a string", good.replace("hello", "hel\tlo")),
        ("a raw NUL in a string", good.replace("hello", "hel\0lo")),
        ("an unknown escape", good.replace("hello", "\\x41")),
        ("an escaped quote of another kind", good.replace("hello", "\\'")),
        ("an octal escape", good.replace("hello", "\\101")),
        ("a short escape", good.replace("hello", "\\u41")),
        ("an escape in braces", good.replace("hello", "\\u{41}")),
        ("an escape with a sign", good.replace("hello", "\\u+041")),
        ("a lone high surrogate", good.replace("hello", "\\ud83d")),
        ("a lone low surrogate", good.replace("hello", "\\ude00")),
        ("surrogates the wrong way round", good.replace("hello", "\\ude00\\ud83d")),
        ("two high surrogates", good.replace("hello", "\\ud83d\\ud83d")),
        ("a high surrogate and a letter", good.replace("hello", "\\ud83dx")),
        ("a lone surrogate in a name", good.replace("\"n\"", "\"\\ud83d\"")),
        ("the same name twice", with(r#""n":1,"n":2"#)),
        ("the model twice", with(r#""model":"other""#)),
        ("the model twice, once escaped", with(r#""mod\u0065l":"other""#)),
        ("the messages twice", with(r#""messages":[]"#)),
        ("the messages twice, once escaped", with(r#""\u006dessages":[]"#)),
        ("a name twice, deep inside", with(r#""x":[{"y":{"z":1,"z":1}}]"#)),
        ("content twice", good.replace(r#""content""#, r#""content":"x","content""#)),
        // Some readers take names without regard to case.
        ("our names in other letters", with(r#""MODEL":"other","Messages":[]"#)),
        ("role twice, once escaped", good.replace(r#""content""#, r#""r\u006fle":"system","content""#)),
        ("NaN", with(r#""temperature":NaN"#)),
        ("Infinity", with(r#""temperature":Infinity"#)),
        ("minus Infinity", with(r#""temperature":-Infinity"#)),
        ("a number with plus", with(r#""temperature":+1"#)),
        ("a number with a leading zero", with(r#""temperature":01"#)),
        ("a number that begins with a point", with(r#""temperature":.5"#)),
        ("a number that ends with a point", with(r#""temperature":1."#)),
        ("a hexadecimal number", with(r#""temperature":0x1"#)),
        ("a number with an underscore", with(r#""temperature":1_0"#)),
        ("a number with half an exponent", with(r#""temperature":1e"#)),
        ("a lone minus", with(r#""temperature":-"#)),
        ("True", with(r#""logprobs":True"#)),
        ("None", with(r#""logprobs":None"#)),
        ("undefined", with(r#""logprobs":undefined"#)),
        ("nul", with(r#""logprobs":nul"#)),
        ("nullx", with(r#""logprobs":nullx"#)),
    ] {
        siege.case(name, |s| s.attack(MALFORMED, &framed(s, &body)));
    }
    siege.finish(70);
}

#[test]
fn bytes_that_are_not_utf_8_are_refused_wherever_they_are_cut() {
    let mut siege = siege();
    for text in ["\u{e9}", "\u{20ac}", "\u{1f600}"] {
        for cut in 1..text.len() {
            let (first, second) = text.as_bytes().split_at(cut);
            let code = u32::from(text.chars().next().unwrap_or_default());
            siege.case(&format!("the first {cut} bytes of U+{code:04X}"), |s| {
                s.attack(MALFORMED, &framed(s, saying(first)))
            });
            siege.case(&format!("U+{code:04X} without its first {cut} bytes"), |s| {
                s.attack(MALFORMED, &framed(s, saying(second)))
            });
        }
    }
    for (name, raw) in [
        ("an overlong slash", &b"\xc0\xaf"[..]),
        ("an overlong NUL", b"\xc0\x80"),
        ("an overlong slash in three bytes", b"\xe0\x80\xaf"),
        ("an overlong slash in four bytes", b"\xf0\x80\x80\xaf"),
        ("a surrogate in UTF-8", b"\xed\xa0\xbd"),
        ("a pair of surrogates in UTF-8", b"\xed\xa0\xbd\xed\xb8\x80"),
        ("beyond U+10FFFF", b"\xf4\x90\x80\x80"),
        ("five bytes", b"\xf8\x88\x80\x80\x80"),
        ("a byte of Latin-1", b"caf\xe9"),
        ("FE FF", b"\xfe\xff"),
        ("a lone continuation", b"\x80"),
    ] {
        siege.case(name, |s| s.attack(MALFORMED, &framed(s, saying(raw))));
    }
    siege.case("bytes that are not UTF-8 in a name", |s| {
        let body = [&br#"{"model":"m","messages":[],"x"#[..], b"\xff", br#"":1}"#].concat();
        s.attack(MALFORMED, &framed(s, body))
    });
    siege.case("UTF-16", |s| {
        let body: Vec<u8> = with("\"n\":1").encode_utf16().flat_map(u16::to_le_bytes).collect();
        s.attack(MALFORMED, &framed(s, body))
    });
    siege.case("UTF-16 with its mark", |s| {
        let body: Vec<u8> = format!("\u{feff}{}", with("\"n\":1")).encode_utf16().flat_map(u16::to_be_bytes).collect();
        s.attack(MALFORMED, &framed(s, body))
    });
    siege.finish(26);
}

#[test]
fn members_that_decide_are_of_their_type() {
    let mut siege = siege();
    let message = r#"{"role":"user","content":"hello"}"#;
    for (name, body) in [
        ("no model", format!(r#"{{"messages":[{message}]}}"#)),
        ("an empty model", format!(r#"{{"model":"","messages":[{message}]}}"#)),
        ("a model that is null", format!(r#"{{"model":null,"messages":[{message}]}}"#)),
        ("a model that is a number", format!(r#"{{"model":1,"messages":[{message}]}}"#)),
        ("a model that is an array", format!(r#"{{"model":["m"],"messages":[{message}]}}"#)),
        ("a model that is an object", format!(r#"{{"model":{{"name":"m"}},"messages":[{message}]}}"#)),
        ("no messages", r#"{"model":"m"}"#.into()),
        ("messages that are null", r#"{"model":"m","messages":null}"#.into()),
        ("messages that are text", r#"{"model":"m","messages":"hello"}"#.into()),
        ("messages that are an object", format!(r#"{{"model":"m","messages":{message}}}"#)),
        ("a message that is text", r#"{"model":"m","messages":["hello"]}"#.into()),
        ("a message that is null", r#"{"model":"m","messages":[null]}"#.into()),
        ("a message that is an array", r#"{"model":"m","messages":[[]]}"#.into()),
        ("a message without a role", r#"{"model":"m","messages":[{"content":"hello"}]}"#.into()),
        ("a role that is a number", r#"{"model":"m","messages":[{"role":1,"content":"hello"}]}"#.into()),
        ("content that is a number", r#"{"model":"m","messages":[{"role":"user","content":1}]}"#.into()),
        ("content that is true", r#"{"model":"m","messages":[{"role":"user","content":true}]}"#.into()),
        ("stream that is text", with(r#""stream":"true""#)),
        ("stream that is a number", with(r#""stream":1"#)),
        ("stream that is an object", with(r#""stream":{}"#)),
        ("max_tokens that is text", with(r#""max_tokens":"10""#)),
        ("max_tokens that is negative", with(r#""max_tokens":-1"#)),
        ("max_tokens that is a fraction", with(r#""max_tokens":1.5"#)),
        ("max_tokens with an exponent", with(r#""max_tokens":1e3"#)),
        ("max_tokens over 64 bits", with(r#""max_tokens":18446744073709551616"#)),
        ("max_tokens that is true", with(r#""max_tokens":true"#)),
        ("max_completion_tokens that is text", with(r#""max_tokens":1,"max_completion_tokens":"9""#)),
        ("tools that are an object", with(r#""tools":{}"#)),
        ("a tool that is text", with(r#""tools":["x"]"#)),
        ("a tool without a name", with(r#""tools":[{"function":{}}]"#)),
    ] {
        siege.case(name, |s| s.attack(MALFORMED, &framed(s, &body)));
    }
    siege.case("a model nobody serves", |s| {
        s.attack(Must::Say("CS0701"), &framed(s, with("\"n\":1").replace("\"m\"", "\"x\"")))
    });
    siege.case("a model's name in other letters", |s| {
        s.attack(Must::Say("CS0701"), &framed(s, with("\"n\":1").replace("\"m\"", "\"M\"")))
    });
    siege.case("a model's name and NUL", |s| {
        s.attack(Must::Say("CS0701"), &framed(s, with("\"n\":1").replace("\"m\"", "\"m\\u0000\"")))
    });
    siege.finish(33);
}

#[test]
fn what_we_do_not_know_is_kept_byte_for_byte() {
    let mut siege = siege();
    for (name, body) in [
        ("unknown members", with(r#""x":{"y":[1,null,true,"z"]},"_":"""#)),
        ("numbers of every kind", with(r#""x":[-0,0.0,1.50,1E400,1e-400,12345678901234567890,-1.0e+05]"#)),
        ("blanks everywhere", with("\"x\" :\t[ 1 ,\r\n 2 ] ").replace(':', " : ")),
        ("escapes that need not be", with(r#""x":"\u0041\/\b\f\n\r\t\"\\","\u0079":1"#)),
        ("pairs of surrogates", with(r#""x":"\ud83d\ude00 \uD83D\uDE00""#)),
        ("characters beyond ASCII", with("\"x\":\"\u{e9}\u{20ac}\u{1f600}\"")),
        ("the order of members", with(r#""z":1,"a":2,"m":3"#)),
        ("empty things", with(r#""x":{},"y":[],"z":"","":0"#)),
        ("names like ours, deeper", with(r#""x":{"model":"other","messages":[],"stream":true}"#)),
        ("__proto__", with(r#""__proto__":{"admin":true},"constructor":{"prototype":{}}"#)),
        ("a stream that is false", with(r#""stream":false"#)),
        ("a stream that is null", with(r#""stream":null"#)),
        ("content in parts", with(r#""n":1"#).replace("\"hello\"", r#"[{"type":"text","text":"hello","x":1}]"#)),
        ("content that is null", with(r#""n":1"#).replace("\"hello\"", "null")),
        ("no messages at all", r#"{"model":"m","messages":[]}"#.into()),
        ("a blank after the end", with(r#""n":1"#) + " \r\n\t"),
        ("a string of 100 kB", {
            let words: Vec<String> = (0..15_000).map(|i| format!("w{}", i * 7)).collect();
            with(&format!(r#""x":"{}""#, words.join(" ")))
        }),
    ] {
        siege.case(name, |s| {
            s.attack(Must::Pass, &framed(s, &body))?;
            let seen = s.upstream.seen();
            // The last is the ordinary request.
            let kept = seen.iter().rev().nth(1).is_some_and(|asked| asked.body == body.as_bytes());
            if kept { Ok(()) } else { Err("the provider heard something else".into()) }
        });
    }
    siege.finish(17);
}
