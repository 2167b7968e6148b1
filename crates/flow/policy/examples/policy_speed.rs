//! Prints what the stage costs for each request: cold (asked) at several sizes of policy, and warm (remembered).
//!
//! `cargo run --release -p countersign-policy --example policy_speed`

use std::{
    hint::black_box,
    io::{self, Write},
    sync::Arc,
    time::{Duration, Instant},
};

use bytes::Bytes;
use countersign_core::{
    Call, Format, Lease, Principal, Refusal, RequestId, Timestamp,
    life::{Dispatched, Fingerprint, Identified, Intended, Peer, Permitted, Screened, Stamps},
    principal::{Method, PrincipalKind},
};
use countersign_policy::{Policy, Rates, Rules, Settings, Stage, budget::Weight};

const WEIGHT: Weight = Weight { bytes: 1_000, answers: 1 };

/// What is kept in this process is never waited for.
fn at_once<T>(future: impl Future<Output = Result<T, Refusal>>) -> io::Result<T> {
    match std::pin::pin!(future).poll(&mut std::task::Context::from_waker(std::task::Waker::noop())) {
        std::task::Poll::Ready(value) => value.map_err(io::Error::other),
        std::task::Poll::Pending => Err(io::Error::other("it waits")),
    }
}

fn main() -> io::Result<()> {
    let mut out = io::stdout();
    for size in [10, 1_000, 10_000] {
        let walk = Walk::new(size, &mut out)?;
        cold(&walk, size, &mut out)?;
    }
    warm(&Walk::new(20, &mut out)?, &mut out)
}

/// Each question differs from all before it, so that none is remembered.
fn cold(walk: &Walk, size: usize, out: &mut impl Write) -> io::Result<()> {
    let mut took = Vec::new();
    for i in 0..20_000 {
        let (who, call) = walk.question(100 + i);
        let started = Instant::now();
        black_box(walk.stage.permit(who, call).map_err(io::Error::other)?);
        took.push(started.elapsed());
    }
    took.sort();
    let at = |part: usize| took.get(took.len() * part / 1_000).copied().unwrap_or_default().as_secs_f64() * 1e6;
    writeln!(out, "{size} policies, cold permit: p50 {:.1} us, p99 {:.1} us, p99.9 {:.1} us", at(500), at(990), at(999))
}

fn warm(walk: &Walk, out: &mut impl Write) -> io::Result<()> {
    const WARM: u32 = 1_000_000;
    let ask = || {
        let (who, call) = walk.question(1);
        walk.stage.permit(who, call).map_err(io::Error::other)
    };
    let mut say = |what: &str, took: Duration, times: u32| {
        writeln!(out, "{what}: {:.3} us", took.as_secs_f64() * 1e6 / f64::from(times))
    };
    let started = Instant::now();
    for _ in 0..WARM {
        black_box(ask()?);
    }
    say("warm permit", started.elapsed(), WARM)?;
    let mut all = Vec::new();
    for _ in 0..WARM / 10 {
        all.push(ask()?);
    }
    let started = Instant::now();
    let mut held = Vec::with_capacity(all.len());
    for permitted in all {
        let share = walk.stage.share(&permitted).map_err(io::Error::other)?;
        held.push(at_once(walk.stage.reserve(permitted, share, WEIGHT))?);
    }
    say("reserve", started.elapsed(), WARM / 10)?;
    let started = Instant::now();
    drop(held);
    say("give back", started.elapsed(), WARM / 10)?;
    let mut all = Vec::new();
    for _ in 0..WARM / 10 {
        all.push(walk.dispatch(ask()?)?);
    }
    let started = Instant::now();
    let mut held = Vec::with_capacity(all.len());
    for dispatched in all {
        held.push(walk.stage.readmit(dispatched, NOW).map_err(io::Error::other)?);
    }
    say("warm readmit", started.elapsed(), WARM / 10)
}

/// A stage with the stamps of its neighbours.
struct Walk {
    stage: Stage,
    stamps: Stamps,
    who: Arc<Principal>,
    peer: Peer,
}

impl Walk {
    /// With so many policies: four that forbid whatever the head, and permits for roles and persons, each for one model.
    fn new(size: usize, out: &mut impl Write) -> io::Result<Self> {
        let mut files = vec![String::from(
            r#"forbid(principal, action, resource) when { context has max_tokens && context.max_tokens > 900000 };
            forbid(principal, action, resource) when { context.time.hour < 2 };
            forbid(principal, action, resource) when { context has ip && !context.ip.isInRange(ip("10.0.0.0/8")) };
            forbid(principal, action == Countersign::Action::"receive", resource) when { context.findings.contains("canary") };"#,
        )];
        for i in 0..size - 4 {
            let (whom, model) = match i % 4 {
                0..3 => (format!("principal in Countersign::Role::\"role{}\"", i / 8), i % 8),
                _ => (format!("principal == Countersign::Person::\"bank/user{i}\""), i % 8),
            };
            let policy = format!("permit({whom}, action, resource == Countersign::Model::\"model{model}\");\n");
            match files.last_mut() {
                Some(file) if file.len() < 200_000 => file.push_str(&policy),
                _ => files.push(policy),
            }
        }
        let sources: Vec<_> = files.iter().map(|text| ("speed.cedar", text)).collect();
        let started = Instant::now();
        let policy = Policy::parse(&sources).map_err(io::Error::other)?;
        writeln!(out, "{size} policies, read and validated: {:.0} ms", started.elapsed().as_secs_f64() * 1e3)?;
        let settings = Settings { policy: policy.into(), rules: Rules::standard(), rates: Rates::default() };
        let Stamps { permit, reserve, .. } = Stamps::issue();
        let peer = Peer { ip: Some([10, 0, 0, 1].into()), listener: "front".into() };
        Ok(Self { stage: Stage::new(permit, reserve, settings), stamps: Stamps::issue(), who: principal(), peer })
    }

    fn question(&self, max_tokens: u64) -> (Identified, Call) {
        let id = RequestId::new(NOW, [0; 10]);
        let who = Identified::new(&self.stamps.identify, id, NOW, self.peer.clone(), Arc::clone(&self.who));
        (who, call(max_tokens))
    }

    fn dispatch(&self, permitted: Permitted) -> io::Result<Dispatched> {
        let share = self.stage.share(&permitted).map_err(io::Error::other)?;
        let reserved = at_once(self.stage.reserve(permitted, share, WEIGHT))?;
        let screened = Screened::new(&self.stamps.screen, reserved, Bytes::new(), Vec::new(), Fingerprint::default());
        Ok(Dispatched::new(&self.stamps.dispatch, Intended::new(&self.stamps.intend, screened, 0), "target".into()))
    }
}

const NOW: Timestamp = Timestamp(1_800_000_000_000_000);

fn principal() -> Arc<Principal> {
    Arc::new(Principal {
        tenant: "bank".into(),
        subject: "alice".into(),
        kind: PrincipalKind::Person,
        roles: ["role0", "role7"].map(Arc::from).into(),
        scopes: Arc::new([]),
        credential: "key_1".into(),
        method: Method::ApiKey,
        claims: None,
        session: None,
        lease: Arc::new(Lease::new(None)),
    })
}

fn call(max_tokens: u64) -> Call {
    Call {
        format: Format::Chat,
        model: "model1".into(),
        stream: false,
        max_tokens: Some(max_tokens),
        tools: Vec::new(),
        attachments: 0,
    }
}
