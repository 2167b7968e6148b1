//! Prints what watching costs: megabytes a second on whole answers, microseconds for a stream of 54 events.
//!
//! `cargo run --release -p countersign-guard --example stream_speed`
#![expect(clippy::print_stdout, reason = "its output is what it is for")]

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use countersign_core::{
    Action, Call, Channel, Document, Finding, Format, Judge, Lease, Principal, RequestId, Secret, Side, Slot, SlotKind,
    Timestamp, Trust,
    life::{Dispatched, Identified, Intended, Peer, Permit, Permitted, Readmitted, Reserved, Screened, Stamps},
    principal::{Method, PrincipalKind},
};
use countersign_guard::{Config, Guard, leak};

struct Mask;

impl Judge for Mask {
    fn judge(&self, _: Side, _: &Finding) -> Action {
        Action::Mask
    }
}

const SYSTEM: &str = "You are the helpful assistant of Northwind Bank. Answer politely, keep answers short, and send complaints to the \
    branch manager. Never discuss merger talks, and do not give investment advice under any circumstances whatsoever.";

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let stamps = Stamps::issue();
    let bare = Arc::new(Guard::new(Stamps::issue().screen, Config::default())?);
    let config = Config {
        canaries: vec![Secret::new("CNRY-7f3a9b2c4d".into())],
        link_hosts: vec!["bank.example".into()],
        ..Config::default()
    };
    let full = Arc::new(Guard::new(Stamps::issue().screen, config)?);
    let english = "The quick brown fox jumps over the lazy dog, and then it rests. Customers may open an account at any branch; \
        bring two documents (a passport and a bill).\n\nOpening hours are 9 to 17 on weekdays. ";
    let samples = [
        ("english", english.to_owned()),
        ("german", "Größere Beträge müssen über die Zweigstelle überwiesen werden; öffnen Sie dafür ein Konto – „kostenlos“. ".to_owned()),
        ("chinese", "东京是日本的首都，也是世界上人口最多的城市之一。请携带两份证件到任何分行开户。".to_owned()),
        ("code", "fn main() { let x = vec![1, 2, 3]; for i in &x { println!(\"{}\\n\", i * 2); } } // see a[i] != b\n".to_owned()),
        ("json", "{\"id\": \"3fa85f64-5717-4562-b3fc-2c963f66afa6\", \"n\": 12345, \"tags\": [\"a\", \"b\"], \"at\": \"2024-11-03T10:20:30Z\"}\n".to_owned()),
        ("numbers", "12 34 56 78 90 12 34 56, 2024-11-03 10:20:30.555 1,200.50 EUR; 4111 divided by 17. ".to_owned()),
        ("base64", "SGVsbG8gd29ybGQsIHRoaXMgaXMgcGxhaW4gdGV4dCBpbiBiYXNlNjQuIE5vdGhpbmcgdG8gc2VlIGhlcmUu ".to_owned()),
        ("triggers", "password: token secret= api_key sk- ghp_ http:// ![ <img AKIA jo@ 4111 ".to_owned()),
    ];
    println!("whole answers, MB/s (bare rules; with system prompt, canary and link rules' hosts)");
    for (name, unit) in &samples {
        let mut line = format!("{name:10}");
        for size in [1 << 10, 64 << 10, 1 << 20] {
            let text = unit.repeat(size / unit.len() + 1);
            for (guard, system) in [(&bare, ""), (&full, SYSTEM)] {
                let document = document(&[(None, &text)])?;
                let of = readmitted(&stamps, system);
                let rounds = ((16 << 20) / text.len()).max(3);
                let start = cpu();
                for _ in 0..rounds {
                    drop(guard.release_whole(&of, &document, Timestamp(1)));
                }
                let rate = (text.len() * rounds) as f64 / (cpu() - start).as_secs_f64() / 1e6;
                line += &format!(" {rate:>7.0}");
            }
        }
        println!("{line}   (1 KiB, 64 KiB, 1 MiB)");
    }
    println!("\na stream of 54 events, microseconds (10 bytes each; four standing strings in each)");
    let words: Vec<char> = english.repeat(6).chars().collect();
    for (name, guard, system) in [("bare", &bare, ""), ("full", &full, SYSTEM)] {
        for every in [1, 4, 54] {
            let events: Vec<Document> = words
                .chunks(10)
                .take(54)
                .map(|c| {
                    let text: String = c.iter().collect();
                    let standing = [
                        "chatcmpl-AbCdEf0123456789AbCdEf012345",
                        "chat.completion.chunk",
                        "gpt-large-2026-01-01",
                        "fp_0123456789",
                    ];
                    let mut pieces: Vec<(Option<u32>, &str)> = standing.iter().map(|s| (None, *s)).collect();
                    pieces.push((Some(0), &text));
                    document(&pieces)
                })
                .collect::<Result<_, _>>()?;
            let rounds = 4000;
            let start = cpu();
            for _ in 0..rounds {
                let mut watch = guard.watch(readmitted(&stamps, system));
                for (i, event) in events.iter().cloned().enumerate() {
                    watch.push(event);
                    if i % every == every - 1 {
                        drop(watch.settle(Timestamp(1)));
                    }
                }
                drop(watch.finish(Timestamp(1)));
            }
            let spent = cpu() - start;
            println!("{name}, a settle every {every:>2}: {:.1}", spent.as_secs_f64() * 1e6 / f64::from(rounds));
        }
    }
    println!("\none text of 1 MiB in pieces of 8 bytes, a settle each, MB/s");
    for (name, unit) in &samples {
        let text = unit.repeat((1 << 20) / unit.len());
        let mut pieces = Vec::new();
        let mut from = 0;
        while from < text.len() {
            let mut to = (from + 8).min(text.len());
            while !text.is_char_boundary(to) {
                to += 1;
            }
            pieces.push(document(&[(Some(0), &text[from..to])])?);
            from = to;
        }
        let mut watch = full.watch(readmitted(&stamps, SYSTEM));
        let start = cpu();
        for piece in pieces {
            watch.push(piece);
            drop(watch.settle(Timestamp(1)));
        }
        drop(watch.finish(Timestamp(1)));
        println!("{name:10} {:.1}", text.len() as f64 / (cpu() - start).as_secs_f64() / 1e6);
    }
    Ok(())
}

/// Processor time this thread has used, which other work on the machine does not change much (Linux).
fn cpu() -> Duration {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    Duration::from_nanos(text.split(' ').next().and_then(|n| n.parse().ok()).unwrap_or_default())
}

/// A document whose strings stand one after the other.
fn document(pieces: &[(Option<u32>, &str)]) -> Result<Document, Box<dyn std::error::Error>> {
    let mut bytes = Vec::new();
    let mut slots = Vec::new();
    for (grows, text) in pieces {
        let start = bytes.len();
        bytes.extend_from_slice(text.as_bytes());
        slots.push(Slot {
            span: start..bytes.len(),
            decoded: None,
            kind: SlotKind::Text,
            channel: Channel::Assistant,
            trust: Trust::Model,
            grows: *grows,
        });
    }
    Ok(Document::new(Bytes::from(bytes), slots)?)
}

/// A request whose answer may return.
fn readmitted(stamps: &Stamps, system: &str) -> Readmitted {
    let principal = Arc::new(Principal {
        tenant: "bank".into(),
        subject: "teller".into(),
        kind: PrincipalKind::Service,
        roles: Arc::from([]),
        scopes: Arc::from([]),
        credential: "k1".into(),
        method: Method::ApiKey,
        claims: None,
        lease: Arc::new(Lease::new(None)),
    });
    let now = Timestamp(1);
    let identified = Identified::new(&stamps.identify, RequestId::new(now, [1; 10]), now, Peer::default(), principal);
    let call = Call {
        format: Format::Chat,
        model: "m".into(),
        stream: true,
        max_tokens: None,
        tools: Vec::new(),
        attachments: 0,
    };
    let permit = Permit { judge: Arc::new(Mask), reason: "speed".into() };
    let permitted = Permitted::new(&stamps.permit, identified, call, permit.clone());
    let reserved = Reserved::new(&stamps.reserve, permitted, Box::new(()));
    let screened = Screened::new(&stamps.screen, reserved, Bytes::new(), Vec::new(), leak::fingerprint(system));
    let intended = Intended::new(&stamps.intend, screened, 0);
    let dispatched = Dispatched::new(&stamps.dispatch, intended, "t".into());
    Readmitted::new(&stamps.permit, dispatched, permit)
}
