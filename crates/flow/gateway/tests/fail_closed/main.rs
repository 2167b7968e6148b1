//! Fail closed: each stage x {error, panic, timeout, malformed, dependency down} x {whole, stream} x {OpenAI, Anthropic}.
//! The provider was not asked or its answer was withheld, the refusal is on record, the caller has a documented code, and
//! the next good request works.

mod cells;
mod exchange;
mod world;

use std::{collections::BTreeMap, fmt::Write as _, panic, sync::Once};

use countersign_audit::{
    Audit, AuditError, Dir, Keys, MemoryDir,
    record::Record,
    show,
    verify::{self, Against},
};
use countersign_core::{
    Call, Code, ConversationName, Document, Format, Refusal, Secret, Timestamp,
    life::{Dispatched, Identified, Peer, Permitted, Readmitted, Reserved, Screened, Stamps},
};
use countersign_guard::{Guard, Spotlit, Withheld};
use countersign_policy::{Share, Stage};
use countersign_seal::KeyRing;
use futures_util::{StreamExt, stream};

use cells::{CELLS, Cell, PIECES};
use exchange::{Ask, answer, exchange};
use world::{ORIGIN, PERMIT, SCRIPTED, Script, Setup, World, Wrong, settings};

const STAGES: [&str; 10] =
    ["identify", "decode", "permit", "reserve", "screen", "intend", "dispatch", "readmit", "release", "settle"];
const FAULTS: [&str; 5] = ["error", "panic", "timeout", "malformed", "down"];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_stage_fails_closed() {
    quiet();
    for stage in STAGES {
        for fault in FAULTS {
            assert!(CELLS.iter().any(|c| c.stage == stage && c.fault == fault), "no cell for {stage} x {fault}");
        }
    }
    let runs = CELLS.iter().filter(|c| !c.codes.is_empty()).flat_map(|cell| {
        [false, true].into_iter().flat_map(move |stream| {
            [Format::Chat, Format::Messages].into_iter().map(move |format| (cell, format, stream))
        })
    });
    let results: Vec<_> =
        stream::iter(runs)
            .map(|(cell, format, stream)| async move {
                (cell, format, stream, tokio::spawn(run(cell, format, stream)).await)
            })
            .buffered(8)
            .collect()
            .await;

    let (mut table, mut failed) = (String::new(), 0);
    for cell in CELLS.iter().filter(|c| c.codes.is_empty()) {
        let _ = writeln!(table, "{:9} {:9} -       {}", cell.stage, cell.fault, cell.how);
    }
    let ran = results.len();
    for (cell, format, stream, result) in results {
        let shape = if stream { "stream" } else { "whole" };
        let said = match result {
            Ok(Ok(code)) => code.id().to_owned(),
            Ok(Err(why)) => format!("FAILED: {why}"),
            Err(_) => "FAILED: it panicked".to_owned(),
        };
        failed += usize::from(said.starts_with("FAILED"));
        let _ =
            writeln!(table, "{:9} {:9} {shape:7} {:8} {}: {said}", cell.stage, cell.fault, format.as_str(), cell.how);
    }
    print(&format!("{table}{ran} ran, {failed} failed"));
    assert_eq!(failed, 0, "\n{table}");
}

/// One cell, and a good request after it.
async fn run(cell: &'static Cell, format: Format, stream: bool) -> Result<Code, String> {
    let world = World::new((cell.setup)());
    let mut ask = Ask::good(&world, format, stream);
    says_well(&world, format, stream);
    (cell.prepare)(&world, &mut ask);
    let got = exchange(&world, &ask).await;

    let code = got.code().ok_or_else(|| format!("no documented code: {got:?}"))?;
    if !cell.codes.contains(&code) {
        return Err(format!("{} instead of {:?}: {got:?}", code.id(), cell.codes));
    }
    got.has_shape(format)?;
    if got.said.contains("LAST") || got.said.contains("[DONE]") || got.said.contains("message_stop") {
        return Err(format!("the answer was not withheld: {got:?}"));
    }
    if world.provider.asked() > 0 && !cell.asked {
        return Err("the provider was asked".into());
    }

    mend(&world);
    if cell.mends {
        says_well(&world, format, stream);
        let got = exchange(&world, &Ask::good(&world, format, stream)).await;
        if got.status != 200 || got.cut || !got.said.contains("LAST") {
            return Err(format!("the good request after it: {got:?}"));
        }
    }
    world.gateway.stages().audit.close().await;
    let records = records(&world.log)?;
    let mine = records.iter().filter(|r| r.request().map(|id| id.to_string()).as_deref() == got.request());
    let told: Vec<&str> = mine
        .filter_map(|r| match r {
            Record::Refused(r) => Some(&*r.code),
            Record::Outcome(o) => o.code.as_deref(),
            _ => None,
        })
        .collect();
    if cell.recorded && told != [code.id()] {
        return Err(format!("on record is {told:?}: {records:?}"));
    }
    Ok(code)
}

/// The clock fails at every point at which it is asked: either nothing of it shows, or the exchange is refused.
#[tokio::test]
async fn a_clock_that_fails_at_any_point_lets_nothing_through() {
    quiet();
    for (format, stream) in
        [(Format::Chat, false), (Format::Chat, true), (Format::Messages, false), (Format::Messages, true)]
    {
        let mut refused = BTreeMap::new();
        for n in 1.. {
            let world = World::new(Setup::default());
            says_well(&world, format, stream);
            let before = world.faults.asked();
            world.faults.clock_after(n);
            let got = exchange(&world, &Ask::good(&world, format, stream)).await;
            let asked = world.faults.asked() - before;
            world.gateway.stages().audit.close().await;
            let records = records(&world.log).expect("the log is whole");
            if let Some(code) = got.code() {
                assert_eq!(code, Code::Internal, "call {n}: {got:?}");
                assert!(!got.said.contains("LAST"), "call {n}: {got:?}");
                got.has_shape(format).expect("the provider's shape");
                assert!(
                    records.iter().any(|r| matches!(r, Record::Refused(r) if r.code == code.id()))
                        || records
                            .iter()
                            .any(|r| matches!(r, Record::Outcome(o) if o.code.as_deref() == Some(code.id())))
                );
                refused.insert(n, world.provider.asked());
            } else {
                assert!(got.status == 200 && got.said.contains("LAST"), "call {n}: {got:?}");
                assert!(
                    records.iter().any(|r| matches!(r, Record::Outcome(o) if o.status == 200)),
                    "call {n}: {records:?}"
                );
            }
            if asked < n {
                break;
            }
        }
        assert!(refused.len() >= 4, "{refused:?}");
    }
}

/// An answer under way when the disk goes has its intent on record; what comes after it does not leave.
#[tokio::test]
async fn after_an_outcome_that_is_not_written_nothing_leaves() {
    for stream in [false, true] {
        let world = World::new(Setup::default());
        let faults = world.faults.clone();
        world.provider.plays(Script {
            says: answer(Format::Chat, stream, &PIECES),
            when_asked: Some(Box::new(move || faults.disk(Wrong::Fails))),
            ..Script::default()
        });
        let ask = Ask::good(&world, Format::Chat, stream);
        let got = exchange(&world, &ask).await;
        assert!(got.status == 200 && got.said.contains("LAST"), "{got:?}");

        for _ in 0..3 {
            let got = exchange(&world, &ask).await;
            assert_eq!(got.code(), Some(Code::AuditFailed));
            assert_eq!(world.provider.asked(), 1);
        }
        assert_eq!(ready(&world).await, 503);
        mend(&world);
        says_well(&world, Format::Chat, stream);
        assert_eq!(exchange(&world, &ask).await.status, 200);
        assert_eq!(ready(&world).await, 200);
        world.gateway.stages().audit.close().await;
        let records = records(&world.log).expect("the log is whole");
        // The outcome that had to wait is there, and so is the gap.
        let outcomes = records.iter().filter(|r| matches!(r, Record::Outcome(o) if o.status == 200)).count();
        let gap = records.iter().find_map(|r| match r {
            Record::Gap(gap) => Some(gap),
            _ => None,
        });
        assert_eq!(outcomes, 2, "{records:?}");
        assert!(gap.is_some_and(|g| g.refused >= 3 && g.outcomes == 0), "{records:?}");
    }
}

#[tokio::test]
async fn a_closed_log_takes_nothing() {
    for stream in [false, true] {
        let world = World::new(Setup::default());
        says_well(&world, Format::Chat, stream);
        world.gateway.stages().audit.close().await;
        let got = exchange(&world, &Ask::good(&world, Format::Chat, stream)).await;
        assert_eq!(got.code(), Some(Code::AuditFailed), "{got:?}");
        assert_eq!(world.provider.asked(), 0);
        assert_eq!(ready(&world).await, 503);
    }
}

#[tokio::test]
async fn a_damaged_log_is_not_written_to() {
    let world = World::new(Setup::default());
    says_well(&world, Format::Chat, false);
    let ask = Ask::good(&world, Format::Chat, false);
    for _ in 0..3 {
        assert_eq!(exchange(&world, &ask).await.status, 200);
    }
    world.gateway.stages().audit.close().await;
    let journal = world.log.list("journal").expect("a journal").pop().expect("a segment");
    let mut bytes = world.log.read(&journal).expect("a segment");
    bytes[60] ^= 1;
    world.log.put(&[(journal, bytes)]).expect("memory");
    let data = std::sync::Arc::new(countersign_seal::DataKeys::passing(&ring()).expect("keys"));
    let keys = Keys { ring: std::sync::Arc::new(ring()), data, origin: ORIGIN.into() };
    let clock = std::sync::Arc::new(|| Timestamp(1_900_000_000_000_000));
    let opened = Audit::open(Stamps::issue().intend, std::sync::Arc::new(world.log.clone()), keys, clock);
    assert!(matches!(opened, Err(AuditError::Damaged { .. })));
}

type Screen =
    fn(&Guard, Reserved, &Document, Option<&Spotlit<'_>>, Option<&ConversationName>) -> Result<Screened, Withheld>;

/// The stages that cannot be waited for, because what they give is no future. The first is one for what is shared or asked of
/// elsewhere alone; the tests of its crate hold that it waits for nothing else.
#[test]
fn what_computes_waits_for_nothing() {
    let _: fn(&Stage, Identified, Call) -> Result<Permitted, Refusal> = Stage::permit;
    let _: fn(&Stage, &Identified) -> Result<Share, Refusal> = Stage::share;
    let _: Screen = Guard::screen;
    let _: fn(&Stage, Dispatched, Timestamp) -> Result<Readmitted, Refusal> = Stage::readmit;
}

fn says_well(world: &World, format: Format, stream: bool) {
    world.provider.plays(Script { says: answer(format, stream, &PIECES), ..Script::default() });
}

fn mend(world: &World) {
    let stages = world.gateway.stages();
    world.faults.disk(Wrong::No);
    world.faults.detector(Wrong::No);
    world.faults.random(false);
    stages.policy.replace(settings(PERMIT));
    stages.identity.load(vec![world.record.clone()]);
}

async fn ready(world: &World) -> u16 {
    let request = http::Request::get("/readyz").body(http_body_util::Empty::<bytes::Bytes>::new()).expect("a request");
    world.gateway.handle(request, Peer::default(), None).await.status().as_u16()
}

fn ring() -> KeyRing {
    KeyRing::from_bytes(Secret::new(vec![7; 32])).expect("a key")
}

/// All that is on record, which has to hold.
fn records(log: &MemoryDir) -> Result<Vec<Record>, String> {
    let ring = ring();
    let keys = ring.verifiers(ORIGIN).map_err(|e| e.to_string())?;
    let report = verify::verify(log, &Against { origin: ORIGIN, keys: &keys, data: None, remembered: None });
    if !report.is_whole() {
        return Err(format!("the log does not verify: {:?}", report.damage));
    }
    let records = show::records(log).map_err(|e| e.to_string())?;
    records.map(|r| r.map(|shown| shown.record).map_err(|e| e.to_string())).collect()
}

/// Keeps the panics that are scripted out of the tests' output.
fn quiet() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let usual = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            if info.payload_as_str() != Some(SCRIPTED) {
                usual(info);
            }
        }));
    });
}

#[expect(clippy::print_stdout, reason = "shown with --nocapture")]
fn print(text: &str) {
    println!("{text}");
}
