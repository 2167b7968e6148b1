//! Any cut, same verdict: the same stream in at least 20,000 random splits, of its texts into deltas, of its events into
//! chunks and of its bytes into reads. What is released, what is masked and what is refused never depends on them.
//!
//! The seed of a failing split is in the failure's message.

mod dice;
#[path = "../fail_closed/exchange.rs"]
#[expect(dead_code, reason = "shared with the fail-closed tests, which need more of it")]
mod exchange;
mod stream;
#[path = "../fail_closed/world.rs"]
#[expect(dead_code, reason = "shared with the fail-closed tests, which need more of it")]
mod world;

use std::{
    sync::{
        Arc, LazyLock,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
};

use bytes::Bytes;
use countersign_core::{
    Action, Call, Code, Finding, Format, Judge, Kind, Lease, Principal, RequestId, Side, Timestamp,
    life::{
        Dispatched, Fingerprint, Identified, Intended, Peer, Permit, Permitted, Readmitted, Released, Reserved,
        Screened, Stamps,
    },
    principal::{Method, PrincipalKind},
};
use countersign_guard::{Config, Guard, Step};
use countersign_http1::{Piece, Reader};
use countersign_policy::ActionRule;
use countersign_wire::{Limits, stream::Events};

use dice::Dice;
use exchange::{Ask, exchange};
use stream::{Heard, Words, cut, response};
use world::{PERMIT, Script, Setup, World, settings};

const SECRET: &str = "AKIAQX5T2MZL7WPC4RKD";
const CARD: &str = "4539 1488 0343 6467";
const FORMATS: [Format; 3] = [Format::Chat, Format::Messages, Format::Responses];

/// What an answer says, and what is to be done about it.
#[derive(Clone, Debug)]
struct Case {
    name: &'static str,
    text: String,
    arguments: String,
    action: Action,
}

impl Case {
    fn all() -> Vec<Self> {
        let plain = "Grüße! Bring the figures for March at ten (東京, 5 µm) 🙂.".to_owned();
        let tool = r#"{"note":"item 4","list":[1,2],"path":"C:\\temp"}"#.to_owned();
        let secret = format!("The key is {SECRET}, the card {CARD} pays. Thät is all.");
        let dressed = format!(r#"{{"note":"key {SECRET} today","card":"{CARD}","last":true}}"#);
        let case = |name, text: &str, arguments: &str, action| Self {
            name,
            text: text.to_owned(),
            arguments: arguments.to_owned(),
            action,
        };
        vec![
            case("clean", &plain, &tool, Action::Refuse),
            case("mask in text", &secret, &tool, Action::Mask),
            case("mask in arguments", &plain, &dressed, Action::Mask),
            case("refuse in text", &secret, &tool, Action::Refuse),
            case("refuse in arguments", &plain, &dressed, Action::Refuse),
        ]
    }

    fn words(&self) -> Words<'_> {
        Words { text: &self.text, arguments: &self.arguments }
    }

    fn clean(&self) -> bool {
        self.name == "clean"
    }

    fn masks(&self) -> bool {
        self.action == Action::Mask
    }
}

/// What came of a stream.
#[derive(Debug, Eq, PartialEq)]
struct Verdict {
    said: Vec<u8>,
    refused: Option<Code>,
}

/// How often each of the three formats' five cases is split; 21,000 splits in all.
const SPLITS: u64 = 1_400;
/// Cuts into chunks and reads for each cut into deltas.
const CUTS: u64 = 7;

#[test]
fn any_cut_same_verdict() {
    let splits = AtomicUsize::new(0);
    thread::scope(|scope| {
        for format in FORMATS {
            let splits = &splits;
            scope.spawn(move || {
                for (n, case) in Case::all().iter().enumerate() {
                    let expected = flow(case, format, &[case.words().events(format, None).concat().as_bytes()]);
                    let expected = Heard::of(format, &expected.said);
                    for round in 0..SPLITS / CUTS {
                        let seed = (format as u64) << 48 | (n as u64) << 32 | round;
                        deltas(case, format, &expected, seed);
                        splits.fetch_add(CUTS as usize, Ordering::Relaxed);
                    }
                }
            });
        }
    });
    let splits = splits.into_inner();
    print(&format!("{splits} splits"));
    assert!(splits >= 20_000);
}

/// One cut into deltas, and cuts of it into chunks and reads.
fn deltas(case: &Case, format: Format, expected: &Heard, seed: u64) {
    let mut dice = Dice::new(seed);
    let stream = case.words().events(format, Some(&mut dice)).concat().into_bytes();
    let whole = flow(case, format, &[&stream]);
    judge(case, format, expected, &stream, &whole, seed);
    for _ in 0..CUTS {
        let raw = response(&stream, &mut dice);
        let reads = cut(&raw, &mut dice);
        let chunks = received(&reads);
        let chunks: Vec<&[u8]> = chunks.iter().map(AsRef::as_ref).collect();
        assert_eq!(chunks.concat(), stream, "seed {seed:#x}, {format:?}, {}: the framing", case.name);
        let got = flow(case, format, &chunks);
        assert!(
            got == whole,
            "seed {seed:#x}, {format:?}, {}: {}\n--- instead of\n{}",
            case.name,
            String::from_utf8_lossy(&got.said),
            String::from_utf8_lossy(&whole.said)
        );
    }
}

/// What has to hold of a stream however its texts are cut.
fn judge(case: &Case, format: Format, expected: &Heard, stream: &[u8], got: &Verdict, seed: u64) {
    let at = format!("seed {seed:#x}, {format:?}, {}: {}", case.name, String::from_utf8_lossy(&got.said));
    let heard = Heard::of(format, &got.said);
    if case.clean() {
        assert!(got.said == stream && got.refused.is_none(), "{at}");
        assert_eq!(heard.grown, expected.grown, "{at}");
        return;
    }
    for secret in [SECRET, &SECRET[..8], &SECRET[12..], CARD, &CARD[..9], &CARD[10..]] {
        assert!(!heard.says(secret), "{at}");
    }
    if case.masks() {
        assert_eq!(got.refused, None, "{at}");
        assert_eq!(heard.grown, expected.grown, "{at}");
        assert!(heard.says("[masked:secret]") && heard.says("[masked:personal-data]"), "{at}");
    } else {
        assert_eq!(got.refused, Some(Code::AnswerRefused), "{at}");
        assert!(stream.starts_with(&got.said), "{at}");
        // Nothing of the secret, nor of what follows it, has left.
        let before = case.text.find(SECRET).unwrap_or(case.text.len());
        let said = heard.grown.values().any(|t| case.text.starts_with(t.as_str()) && t.len() > before);
        assert!(!said, "{at}");
    }
}

/// Takes a response through the client's framing.
fn received(reads: &[&[u8]]) -> Vec<Bytes> {
    let mut reader = Reader::new();
    reader.expect(false).expect("a fresh connection");
    let (mut out, mut head) = (Vec::new(), false);
    for read in reads {
        reader.buffer().extend_from_slice(read);
        if !head {
            head = reader.head().expect("a head").is_some();
        }
        while head && let Piece::Data(bytes) = reader.body(64 * 1024).expect("good framing") {
            out.push(bytes);
        }
    }
    assert!(reader.reusable() || !head || matches!(reader.body(1), Ok(Piece::End)), "the body ended");
    out
}

/// Takes chunks through events and the watch, as the gateway's pump does.
fn flow(case: &Case, format: Format, chunks: &[&[u8]]) -> Verdict {
    let mut events = Events::new(format, Limits::default());
    let mut watch = GUARD.watch(readmitted(case.action));
    let mut verdict = Verdict { said: Vec::new(), refused: None };
    let mut take = |step: Step| {
        verdict.said.extend(step.released.map(Released::into_bytes).unwrap_or_default());
        verdict.refused = step.ended.map(|refusal| refusal.code);
        verdict.refused.is_some()
    };
    for chunk in chunks {
        events.push(Bytes::copy_from_slice(chunk));
        let mut over = false;
        while let Some(event) = events.next_event().expect("a good stream") {
            watch.push(event.document);
            over |= event.terminal;
        }
        if take(if over { watch.finish(NOW) } else { watch.settle(NOW) }) || over {
            return verdict;
        }
    }
    panic!("the stream has no end");
}

/// The whole pipeline, from the request to the last byte of the answer, over a line that cuts at random.
#[tokio::test]
async fn any_cut_same_answer_through_the_whole_pipeline() {
    let mut ran = 0;
    for format in FORMATS {
        for case in Case::all() {
            let mut policy = settings(PERMIT);
            let rule = |kind| ActionRule {
                side: Some(Side::Answer),
                kind: Some(kind),
                rule: None,
                channel: None,
                roles: Vec::new(),
                at_least: 0.0,
                at_least_words: 0,
                action: case.action,
            };
            policy.rules.actions.splice(..0, [rule(Kind::Secret), rule(Kind::PersonalData)]);
            let world = World::new(Setup { policy, ..Setup::default() });
            let mut ask = Ask::good(&world, format, true);
            if format == Format::Responses {
                ask.body = Some(r#"{"model":"openai","stream":true,"input":"good day"}"#.into());
            }
            let uncut = case.words().events(format, None).concat();
            let expected = flow(&case, format, &[uncut.as_bytes()]);
            let expected = Heard::of(format, &expected.said);
            for round in 0..20 {
                let seed = 1 << 60 | (format as u64) << 48 | round;
                let mut dice = Dice::new(seed);
                let stream = case.words().events(format, Some(&mut dice)).concat().into_bytes();
                let says = response(&stream, &mut dice);
                world.provider.plays(Script { says, cuts: seed, ..Script::default() });
                let got = exchange(&world, &ask).await;
                let refused = got.code();
                let said = if refused.is_some() {
                    // Refused with a status before anything left, or by the last event.
                    let events = got.said.trim_end().rsplit_once("\n\n").map_or("", |(events, _)| events);
                    if events.is_empty() { String::new() } else { format!("{events}\n\n") }
                } else {
                    got.said
                };
                let verdict = Verdict { said: said.into_bytes(), refused };
                judge(&case, format, &expected, &stream, &verdict, seed);
                assert_eq!(verdict, flow(&case, format, &[&stream]), "seed {seed:#x}, {format:?}, {}", case.name);
                ran += 1;
            }
            world.gateway.stages().audit.close().await;
        }
    }
    print(&format!("{ran} exchanges"));
}

static GUARD: LazyLock<Arc<Guard>> =
    LazyLock::new(|| Arc::new(Guard::new(Stamps::issue().screen, Config::default()).expect("a guard")));

struct Always(Action);

impl Judge for Always {
    fn judge(&self, _: Side, _: &Finding) -> Action {
        self.0
    }
}

const NOW: Timestamp = Timestamp(1);

/// A request whose answer may return.
fn readmitted(action: Action) -> Readmitted {
    let stamps = Stamps::issue();
    let principal = Principal {
        tenant: "acme".into(),
        subject: "alice".into(),
        kind: PrincipalKind::Service,
        roles: [].into(),
        scopes: [].into(),
        credential: "k".into(),
        method: Method::ApiKey,
        claims: None,
        session: None,
        lease: Arc::new(Lease::new(None)),
    };
    let id = RequestId::new(NOW, [1; 10]);
    let identified = Identified::new(&stamps.identify, id, NOW, Peer::default(), Arc::new(principal));
    let (format, model) = (Format::Chat, "m".into());
    let call = Call { format, model, stream: true, max_tokens: None, tools: Vec::new(), attachments: 0 };
    let permit = Permit { judge: Arc::new(Always(action)), reason: "".into() };
    let permitted = Permitted::new(&stamps.permit, identified, call, permit.clone());
    let reserved = Reserved::new(&stamps.reserve, permitted, Box::new(()));
    let screened = Screened::new(&stamps.screen, reserved, Bytes::new(), Vec::new(), Fingerprint::default());
    let intended = Intended::new(&stamps.intend, screened, 0);
    Readmitted::new(&stamps.permit, Dispatched::new(&stamps.dispatch, intended, "t".into()), permit)
}

#[expect(clippy::print_stdout, reason = "shown with --nocapture")]
fn print(text: &str) {
    println!("{text}");
}
