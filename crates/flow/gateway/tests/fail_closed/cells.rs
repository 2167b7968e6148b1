//! Every stage and everything that can go wrong with it. What a stage cannot do (wait, where it only computes) is a cell too,
//! with its reason.

use std::time::Duration;

use countersign_core::Code;
use countersign_gateway::Limits;
use countersign_provider::Timeouts;

use crate::{
    exchange::{Ask, answer, sent, with_length},
    world::{CANARY, PERMIT, Script, Setup, World, Wrong, settings},
};

/// One thing that goes wrong with one stage.
pub(crate) struct Cell {
    pub(crate) stage: &'static str,
    pub(crate) fault: &'static str,
    pub(crate) how: &'static str,
    /// What the caller may be told; empty where the cell cannot come about.
    pub(crate) codes: &'static [Code],
    /// Whether the provider may have been asked.
    pub(crate) asked: bool,
    /// Whether the refusal can be recorded.
    pub(crate) recorded: bool,
    /// Whether the same gateway serves on once nothing is wrong any more.
    pub(crate) mends: bool,
    pub(crate) setup: fn() -> Setup,
    pub(crate) prepare: fn(&World, &mut Ask),
}

/// What goes wrong before the provider is asked.
const fn before(
    stage: &'static str,
    fault: &'static str,
    how: &'static str,
    codes: &'static [Code],
    prepare: fn(&World, &mut Ask),
) -> Cell {
    Cell { stage, fault, how, codes, asked: false, recorded: true, mends: true, setup: Setup::default, prepare }
}

/// What goes wrong after.
const fn after(
    stage: &'static str,
    fault: &'static str,
    how: &'static str,
    codes: &'static [Code],
    prepare: fn(&World, &mut Ask),
) -> Cell {
    Cell { asked: true, ..before(stage, fault, how, codes, prepare) }
}

/// What cannot come about, and why.
const fn never(stage: &'static str, fault: &'static str, why: &'static str) -> Cell {
    before(stage, fault, why, &[], |_, _| {})
}

impl Cell {
    const fn with(self, setup: fn() -> Setup) -> Self {
        Self { setup, ..self }
    }

    /// The log is what is broken.
    const fn unrecorded(self) -> Self {
        Self { recorded: false, ..self }
    }

    /// It takes a restart.
    const fn for_good(self) -> Self {
        Self { mends: false, ..self }
    }
}

/// What the provider would say; the last words must not come through.
pub(crate) const PIECES: [&str; 3] = ["The first part is plain. ", "The second part follows. ", "So it ends: LAST."];

/// A wait that is cut short, in the cells where it never ends.
const SHORT: Duration = Duration::from_millis(200);

fn policy(text: &str) -> Setup {
    Setup { policy: settings(&format!("{PERMIT}\n{text}")), ..Setup::default() }
}

fn short(timeouts: Timeouts) -> Setup {
    Setup { timeouts, ..Setup::default() }
}

fn audit_time() -> Setup {
    // Long enough for a disk that works, short for one that never answers.
    Setup { limits: Limits { audit_time: Duration::from_secs(1), ..Limits::default() }, ..Setup::default() }
}

/// The provider says `says` and then does `then`.
fn says(world: &World, says: Vec<u8>, then: Wrong) {
    world.provider.plays(Script { says, then, ..Script::default() });
}

/// The provider answers well, and `happens` when it is asked.
fn when_asked(world: &World, ask: &Ask, happens: impl Fn() + Send + Sync + 'static) {
    let says = answer(ask.format, ask.stream, &PIECES);
    world.provider.plays(Script { says, when_asked: Some(Box::new(happens)), ..Script::default() });
}

/// The clock fails, the `n`th time it is asked after the provider was.
fn clock_fails(world: &World, ask: &Ask, n: u64) {
    let faults = world.faults.clone();
    when_asked(world, ask, move || faults.clock_after(n));
}

/// The disk goes wrong once the intent is on it, and the provider fails.
fn disk_then_error(world: &World, wrong: Wrong) {
    let faults = world.faults.clone();
    let says = with_length(500, "application/json", "{}");
    world.provider.plays(Script { says, when_asked: Some(Box::new(move || faults.disk(wrong))), ..Script::default() });
}

/// The first half of an answer.
fn half(ask: &Ask) -> Vec<u8> {
    let whole = answer(ask.format, ask.stream, &PIECES);
    let end = whole.windows(4).position(|w| w == b"LAST").unwrap_or(whole.len());
    whole[..end - 20].to_vec()
}

const COMPUTES: &str = "it computes and waits for nothing (its type says so: no future)";
const PURE: &str = "it calls nothing that can be replaced; it runs under the same catch as its neighbours";
const ALONE: &str = "it depends on nothing outside the process";

pub(crate) const CELLS: &[Cell] = &[
    // Who asks.
    before("identify", "error", "an unknown key", &[Code::BadCredential], |_, ask| {
        ask.authorization = Some(format!("Bearer csk_{}", "A".repeat(49)));
    }),
    before("identify", "error", "no key", &[Code::NoCredential], |_, ask| ask.authorization = None),
    before("identify", "error", "a revoked key", &[Code::RevokedCredential], |world, _| {
        let mut record = world.record.clone();
        record.revoked_at = Some(record.created);
        world.gateway.stages().identity.load(vec![record]);
    }),
    before("identify", "error", "an expired key", &[Code::ExpiredCredential], |world, _| {
        let mut record = world.record.clone();
        record.expires = Some(record.created);
        world.gateway.stages().identity.load(vec![record]);
    }),
    before("identify", "panic", "no randomness for the request's id", &[Code::Internal], |world, _| {
        world.faults.random(true);
    }),
    before("identify", "panic", "the clock fails", &[Code::Internal], |world, _| world.faults.clock_after(1)),
    never("identify", "timeout", COMPUTES),
    before("identify", "malformed", "a credential that is not a bearer key", &[Code::BadCredential], |_, ask| {
        ask.authorization = Some("Basic YTpi".into());
    }),
    before("identify", "down", "the key store cannot be read", &[Code::OutOfTouch], |world, _| {
        world.gateway.stages().identity.suspend();
    }),
    // What for.
    before("decode", "error", "a body over the limit", &[Code::TooLarge], |_, ask| {
        ask.body = Some(vec![b' '; 5 << 20].into());
    }),
    before("decode", "panic", "the body's reader panics", &[Code::Internal], |_, ask| ask.arrival = Wrong::Panics),
    before("decode", "timeout", "the body stops half-way", &[Code::RequestTimeout], |_, ask| {
        ask.arrival = Wrong::Hangs;
    })
    .with(|| Setup { limits: Limits { body_time: SHORT, ..Limits::default() }, ..Setup::default() }),
    before("decode", "malformed", "a body that is not JSON", &[Code::Malformed], |_, ask| {
        ask.body = Some("{\"model\":\"openai\",".into());
    }),
    before("decode", "malformed", "a body nested too deep", &[Code::TooComplex], |_, ask| {
        ask.body = Some(format!("{{\"model\":{}1{}}}", "[".repeat(200), "]".repeat(200)).into());
    }),
    before("decode", "down", "the caller's connection breaks", &[Code::Malformed], |_, ask| {
        ask.arrival = Wrong::Fails;
    }),
    // May they.
    before("permit", "error", "a policy forbids it", &[Code::NotPermitted], |_, _| {})
        .with(|| policy(r#"forbid (principal, action == Countersign::Action::"ask", resource);"#)),
    never("permit", "panic", PURE),
    never("permit", "timeout", COMPUTES),
    before("permit", "malformed", "a policy that cannot be evaluated", &[Code::PolicyFailed], |_, _| {}).with(|| {
        policy(
            r#"forbid (principal, action == Countersign::Action::"ask", resource) when { context.time.epoch * 9223372036854 > 5 };"#,
        )
    }),
    before("permit", "down", "no policy is loaded", &[Code::NotPermitted], |world, _| {
        world.gateway.stages().policy.replace(settings(""));
    }),
    // Rates.
    before("reserve", "error", "the caller's rate is used up", &[Code::RateLimited], |world, _| {
        let mut settings = settings(PERMIT);
        settings.rates.default.per_minute = Some(0);
        world.gateway.stages().policy.replace(settings);
    }),
    never("reserve", "panic", PURE),
    never("reserve", "timeout", COMPUTES),
    never("reserve", "malformed", "it is told nothing that could be"),
    before("reserve", "down", "no capacity is left", &[Code::Overloaded], |world, _| {
        let mut settings = settings(PERMIT);
        settings.rates.total = Some(0);
        world.gateway.stages().policy.replace(settings);
    }),
    // Is the prompt safe.
    before("screen", "error", "a prompt with a planted token", &[Code::PromptRefused], |_, ask| {
        ask.prompt = format!("what is {CANARY} for");
    }),
    before("screen", "panic", "a detector panics", &[Code::Internal], |world, _| world.faults.detector(Wrong::Panics))
        .with(|| Setup { detector: true, ..Setup::default() }),
    never("screen", "timeout", COMPUTES),
    before("screen", "malformed", "a detector reports nonsense", &[Code::GuardFailed], |world, _| {
        world.faults.detector(Wrong::Raves);
    })
    .with(|| Setup { detector: true, ..Setup::default() }),
    never("screen", "down", ALONE),
    // On record before anything leaves.
    before("intend", "error", "the disk is full", &[Code::AuditFailed], |world, _| world.faults.disk(Wrong::Fails))
        .unrecorded(),
    before("intend", "panic", "the writer panics", &[Code::AuditFailed], |world, _| world.faults.disk(Wrong::Panics))
        .unrecorded()
        .for_good(),
    before("intend", "timeout", "the disk never answers", &[Code::AuditFailed], |world, _| {
        world.faults.disk(Wrong::Hangs);
    })
    .with(audit_time)
    .unrecorded(),
    never("intend", "malformed", "a log whose records do not hold is not opened: see `a_damaged_log_is_not_written_to`"),
    never("intend", "down", "a log that was closed: see `a_closed_log_takes_nothing`"),
    // Who answers.
    before("dispatch", "error", "the connection is refused", &[Code::ProviderUnreachable], |world, _| {
        world.provider.plays(Script { dial: Wrong::Fails, ..Script::default() });
    }),
    after("dispatch", "error", "the provider answers with status 500", &[Code::ProviderUnreachable], |world, _| {
        says(world, with_length(500, "application/json", "{\"error\":\"LAST\"}"), Wrong::No);
    }),
    before("dispatch", "panic", "the dialler panics", &[Code::Internal], |world, _| {
        world.provider.plays(Script { dial: Wrong::Panics, ..Script::default() });
    }),
    after("dispatch", "panic", "the connection panics", &[Code::Internal], |world, _| {
        says(world, Vec::new(), Wrong::Panics);
    }),
    after("dispatch", "panic", "the clock fails", &[Code::Internal], |world, ask| clock_fails(world, ask, 1)),
    before("dispatch", "timeout", "the connection is never made", &[Code::ProviderTimeout], |world, _| {
        world.provider.plays(Script { dial: Wrong::Hangs, ..Script::default() });
    })
    .with(|| short(Timeouts { connect: SHORT, ..Timeouts::default() })),
    after("dispatch", "timeout", "the answer never begins", &[Code::ProviderTimeout], |world, _| {
        says(world, Vec::new(), Wrong::Hangs);
    })
    .with(|| short(Timeouts { first_byte: SHORT, ..Timeouts::default() })),
    after("dispatch", "malformed", "the answer is not HTTP", &[Code::ProviderMalformed], |world, _| {
        says(world, b"SSH-2.0-LAST\r\n\r\n".to_vec(), Wrong::No);
    }),
    after("dispatch", "malformed", "the answer is a web page", &[Code::ProviderMalformed], |world, _| {
        says(world, with_length(200, "text/html", "<p>LAST</p>"), Wrong::No);
    }),
    after("dispatch", "down", "the provider hangs up", &[Code::ProviderUnreachable], |world, _| {
        says(world, Vec::new(), Wrong::No);
    }),
    after("dispatch", "down", "the connection is reset", &[Code::ProviderUnreachable], |world, _| {
        says(world, Vec::new(), Wrong::Fails);
    }),
    // May the answer return.
    after("readmit", "error", "a policy forbids the answer", &[Code::AnswerNotPermitted], |_, _| {})
        .with(|| policy(r#"forbid (principal, action == Countersign::Action::"receive", resource);"#)),
    after("readmit", "panic", "the clock fails", &[Code::Internal], |world, ask| clock_fails(world, ask, 2)),
    never("readmit", "timeout", COMPUTES),
    after("readmit", "malformed", "a policy that cannot be evaluated", &[Code::PolicyFailed], |_, _| {}).with(|| {
        policy(
            r#"forbid (principal, action == Countersign::Action::"receive", resource) when { context.time.epoch * 9223372036854 > 5 };"#,
        )
    }),
    after("readmit", "down", "the key is revoked meanwhile", &[Code::RevokedCredential], |world, ask| {
        let identity = world.gateway.stages().identity.clone();
        when_asked(world, ask, move || identity.load(Vec::new()));
    }),
    // Is the answer safe.
    after("release", "error", "an answer with a planted token", &[Code::AnswerRefused], |world, ask| {
        let pieces = [PIECES[0], "The token is canary-6b2f0c", "9d4e1a7385. LAST."];
        says(world, answer(ask.format, ask.stream, &pieces), Wrong::No);
    }),
    after("release", "panic", "the clock fails", &[Code::Internal], |world, ask| clock_fails(world, ask, 3)),
    after("release", "panic", "the connection panics half-way", &[Code::Internal], |world, ask| {
        says(world, half(ask), Wrong::Panics);
    }),
    after("release", "timeout", "the answer stops half-way", &[Code::ProviderTimeout], |world, ask| {
        says(world, half(ask), Wrong::Hangs);
    })
    .with(|| short(Timeouts { idle: SHORT, total: Duration::from_millis(600), ..Timeouts::default() })),
    after("release", "malformed", "the answer is not its format's", &[Code::ProviderMalformed], |world, ask| {
        let says_nonsense = if ask.stream {
            sent("text/event-stream", &["data: {\"choices\":[LAST\n\n".into()])
        } else {
            with_length(200, "application/json", "{\"choices\":[LAST")
        };
        says(world, says_nonsense, Wrong::No);
    }),
    after("release", "malformed", "the answer ends before its end", &[Code::ProviderMalformed], |world, ask| {
        let says_half = if ask.stream {
            sent("text/event-stream", &crate::exchange::events(ask.format, &PIECES)[..2])
        } else {
            with_length(200, "application/json", "{\"id\":\"LAST\"")
        };
        says(world, says_half, Wrong::No);
    }),
    after("release", "down", "the provider resets half-way", &[Code::ProviderUnreachable], |world, ask| {
        says(world, half(ask), Wrong::Fails);
    }),
    after("release", "down", "the provider hangs up half-way", &[Code::ProviderUnreachable], |world, ask| {
        says(world, half(ask), Wrong::No);
    }),
    after("release", "down", "the key is revoked while the answer pauses", &[Code::RevokedCredential], |world, ask| {
        let identity = world.gateway.stages().identity.clone();
        if ask.stream {
            says(world, half(ask), Wrong::Hangs);
            ask.when_answered = Some(Box::new(move || identity.load(Vec::new())));
        } else {
            // A whole answer has no half-way.
            when_asked(world, ask, move || identity.load(Vec::new()));
        }
    }),
    // What happened: a refusal after the request left.
    after("settle", "error", "the disk fills up meanwhile", &[Code::AuditFailed], |world, _| {
        disk_then_error(world, Wrong::Fails);
    })
    .unrecorded(),
    after("settle", "panic", "the writer panics meanwhile", &[Code::AuditFailed], |world, _| {
        disk_then_error(world, Wrong::Panics);
    })
    .unrecorded()
    .for_good(),
    after("settle", "timeout", "the disk never answers again", &[Code::AuditFailed], |world, _| {
        disk_then_error(world, Wrong::Hangs);
    })
    .with(audit_time)
    .unrecorded(),
    never("settle", "malformed", "it is told nothing that could be"),
    never("settle", "down", "an answer under way: see `after_an_outcome_that_is_not_written_nothing_leaves`"),
];
