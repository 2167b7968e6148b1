//! Prints what screening costs: microseconds for a prompt and its answer, whole and as a stream of 54 events, and megabytes a
//! second on larger answers.
//!
//! `cargo run --release -p countersign-guard --example stream_speed [NAME]`; with NAME only what is called that of the first table.
#![expect(clippy::print_stdout, reason = "its output is what it is for")]

use std::{
    sync::{Arc, LazyLock},
    time::{Duration, Instant},
};

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
    let bare = Arc::new(Guard::new(Stamps::issue().screen, Config::default())?);
    let config = Config {
        canaries: vec![Secret::new("CNRY-7f3a9b2c4d".into())],
        link_hosts: vec!["bank.example".into()],
        ..Config::default()
    };
    let full = Arc::new(Guard::new(Stamps::issue().screen, config)?);
    println!("one exchange in English, microseconds (bare rules; with system prompt and canary)");
    exchange("prompt of 1 KB", |guard, system| prompt(guard, system, 1 << 10), &bare, &full)?;
    exchange("prompt of 16 KB", |guard, system| prompt(guard, system, 16 << 10), &bare, &full)?;
    exchange("answer of 1 KB, whole", |guard, system| answer(guard, system, 1 << 10), &bare, &full)?;
    exchange("answer of 16 KB, whole", |guard, system| answer(guard, system, 16 << 10), &bare, &full)?;
    for every in [1, 4, 54] {
        let name = format!("answer of 1 KB, 54 events, a settle every {every}");
        exchange(&name, |guard, system| stream(guard, system, every), &bare, &full)?;
    }
    if std::env::args().len() > 1 {
        return Ok(());
    }
    println!("\nwhole answers, MB/s (the same two; of 1 KiB, 64 KiB and 1 MiB)");
    for (name, unit) in TEXTS {
        print!("{name:10}");
        for size in [1 << 10, 64 << 10, 1 << 20] {
            let document = document(&[(None, Channel::Assistant, &unit.repeat(size / unit.len() + 1))])?;
            for (guard, system) in [(&bare, ""), (&full, SYSTEM)] {
                let of = readmitted(system);
                let each = best(|| drop(guard.release_whole(&of, &document, Timestamp(1))));
                print!(" {:>7.0}", document.bytes().len() as f64 / each);
            }
        }
        println!();
    }
    println!("\none text of 1 MiB in pieces of 8 bytes, a settle each, MB/s");
    for (name, unit) in TEXTS {
        let text = unit.repeat((1 << 20) / unit.len());
        let mut pieces = Vec::new();
        let mut from = 0;
        while from < text.len() {
            let to = text.ceil_char_boundary((from + 8).min(text.len()));
            pieces.push(document(&[(Some(0), Channel::Assistant, &text[from..to])])?);
            from = to;
        }
        let each = best(|| {
            let mut watch = full.watch(readmitted(SYSTEM));
            for piece in &pieces {
                watch.push(piece.clone());
                drop(watch.settle(Timestamp(1)));
            }
            drop(watch.finish(Timestamp(1)));
        });
        println!("{name:10} {:.1}", text.len() as f64 / each);
    }
    Ok(())
}

/// Prints what `case` costs with either guard.
fn exchange(
    name: &str,
    case: impl Fn(&Arc<Guard>, &str) -> Result<f64, Box<dyn std::error::Error>>,
    bare: &Arc<Guard>,
    full: &Arc<Guard>,
) -> Result<(), Box<dyn std::error::Error>> {
    if std::env::args().nth(1).is_none_or(|only| name.contains(&only)) {
        println!("{name:45} {:>7.1} {:>7.1}", case(bare, "")?, case(full, SYSTEM)?);
    }
    Ok(())
}

/// A chat request; making the proof that goes in is part of the time.
fn prompt(guard: &Guard, system: &str, size: usize) -> Result<f64, Box<dyn std::error::Error>> {
    let document = document(&[
        (None, Channel::Other, "gpt-large-2026-01-01"),
        (None, Channel::Other, "system"),
        (None, Channel::System, system),
        (None, Channel::Other, "user"),
        (None, Channel::User, &words(size)),
    ])?;
    Ok(best(|| drop(guard.screen(reserved(), &document, None, None))))
}

fn answer(guard: &Guard, system: &str, size: usize) -> Result<f64, Box<dyn std::error::Error>> {
    let text = words(size);
    let mut pieces = STANDING.map(|text| (None, Channel::Other, text)).to_vec();
    pieces.push((None, Channel::Assistant, &text));
    let document = document(&pieces)?;
    let of = readmitted(system);
    Ok(best(|| drop(guard.release_whole(&of, &document, Timestamp(1)))))
}

/// Events as they come: four strings that stand for themselves in each, and some words.
fn stream(guard: &Arc<Guard>, system: &str, every: usize) -> Result<f64, Box<dyn std::error::Error>> {
    let words = words(1 << 10);
    let mut events = Vec::new();
    let mut from = 0;
    for n in 1..=EVENTS {
        let to = words.len() * n / EVENTS;
        let mut pieces = STANDING.map(|text| (None, Channel::Other, text)).to_vec();
        pieces.push((Some(0), Channel::Assistant, &words[from..to]));
        events.push(document(&pieces)?);
        from = to;
    }
    Ok(best(|| {
        let mut watch = guard.watch(readmitted(system));
        for (i, event) in events.iter().cloned().enumerate() {
            watch.push(event);
            if i % every == every - 1 {
                drop(watch.settle(Timestamp(1)));
            }
        }
        drop(watch.finish(Timestamp(1)));
    }))
}

/// Microseconds of one call: the best of many short rounds, for what else the machine does can only add to them.
fn best(mut call: impl FnMut()) -> f64 {
    let mut best = f64::INFINITY;
    let all = Instant::now();
    while all.elapsed() < Duration::from_millis(200) || best == f64::INFINITY {
        let (start, mut calls) = (Instant::now(), 0);
        while start.elapsed() < Duration::from_micros(500) || calls == 0 {
            call();
            calls += 1;
        }
        best = best.min(start.elapsed().as_secs_f64() * 1e6 / f64::from(calls));
    }
    best
}

fn words(size: usize) -> String {
    TEXTS[0].1.chars().cycle().take(size).collect()
}

const EVENTS: usize = 54;

const STANDING: [&str; 4] =
    ["chatcmpl-AbCdEf0123456789AbCdEf012345", "chat.completion.chunk", "gpt-large-2026-01-01", "fp_0123456789"];

const TEXTS: [(&str, &str); 8] = [
    (
        "english",
        "The quick brown fox jumps over the lazy dog, and then it rests. Customers may open an account at any branch; \
        bring two documents (a passport and a bill).\n\nOpening hours are 9 to 17 on weekdays. ",
    ),
    (
        "german",
        "Größere Beträge müssen über die Zweigstelle überwiesen werden; öffnen Sie dafür ein Konto – „kostenlos“. ",
    ),
    ("chinese", "东京是日本的首都，也是世界上人口最多的城市之一。请携带两份证件到任何分行开户。"),
    ("code", "fn main() { let x = vec![1, 2, 3]; for i in &x { println!(\"{}\\n\", i * 2); } } // see a[i] != b\n"),
    (
        "json",
        "{\"id\": \"3fa85f64-5717-4562-b3fc-2c963f66afa6\", \"n\": 12345, \"tags\": [\"a\", \"b\"], \"at\": \"2024-11-03T10:20:30Z\"}\n",
    ),
    ("numbers", "12 34 56 78 90 12 34 56, 2024-11-03 10:20:30.555 1,200.50 EUR; 4111 divided by 17. "),
    ("base64", "SGVsbG8gd29ybGQsIHRoaXMgaXMgcGxhaW4gdGV4dCBpbiBiYXNlNjQuIE5vdGhpbmcgdG8gc2VlIGhlcmUu "),
    ("triggers", "password: token secret= api_key sk- ghp_ http:// ![ <img AKIA jo@ 4111 "),
];

/// A document whose strings stand one after the other.
fn document(pieces: &[(Option<u32>, Channel, &str)]) -> Result<Document, Box<dyn std::error::Error>> {
    let mut bytes = Vec::new();
    let mut slots = Vec::new();
    for (grows, channel, text) in pieces {
        let start = bytes.len();
        bytes.extend_from_slice(text.as_bytes());
        slots.push(Slot {
            span: start..bytes.len(),
            decoded: None,
            kind: SlotKind::Text,
            channel: *channel,
            trust: Trust::Caller,
            grows: *grows,
            call: None,
        });
    }
    Ok(Document::new(Bytes::from(bytes), slots)?)
}

/// A request that was let through to the guard.
fn reserved() -> Reserved {
    let stamps = &*STAMPS;
    let principal = Arc::new(Principal {
        tenant: "bank".into(),
        subject: "teller".into(),
        kind: PrincipalKind::Service,
        roles: Arc::from([]),
        scopes: Arc::from([]),
        credential: "k1".into(),
        method: Method::ApiKey,
        claims: None,
        session: None,
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
    let permitted = Permitted::new(&stamps.permit, identified, call, permit);
    Reserved::new(&stamps.reserve, permitted, Box::new(()))
}

/// A request whose answer may return.
fn readmitted(system: &str) -> Readmitted {
    let stamps = &*STAMPS;
    let permit = Permit { judge: Arc::new(Mask), reason: "speed".into() };
    let screened = Screened::new(&stamps.screen, reserved(), Bytes::new(), Vec::new(), leak::fingerprint(system));
    let intended = Intended::new(&stamps.intend, screened, 0);
    let dispatched = Dispatched::new(&stamps.dispatch, intended, "t".into());
    Readmitted::new(&stamps.permit, dispatched, permit)
}

static STAMPS: LazyLock<Stamps> = LazyLock::new(Stamps::issue);
