//! Prints what the stage costs for each request: warm (remembered) and cold (asked), with 20 policies.
//!
//! `cargo run --release -p countersign-policy --example policy_speed`

use std::{hint::black_box, io::Write, sync::Arc, time::Instant};

use bytes::Bytes;
use countersign_core::{
    Call, Format, Lease, Principal, RequestId, Timestamp,
    life::{Dispatched, Fingerprint, Identified, Intended, Peer, Permitted, Screened, Stamps},
    principal::{Method, PrincipalKind},
};
use countersign_policy::{Policy, Rates, Rules, Settings, Stage};

fn main() -> std::io::Result<()> {
    let mut text = String::from(
        r#"forbid(principal, action, resource) when { context has max_tokens && context.max_tokens > 9000 };
        forbid(principal, action, resource) when { context.time.hour < 2 };
        forbid(principal, action, resource) when { context has ip && !context.ip.isInRange(ip("10.0.0.0/8")) };
        forbid(principal, action == Countersign::Action::"receive", resource) when { context.findings.contains("canary") };"#,
    );
    for i in 0..16 {
        text += &format!(
            r#"permit(principal in Countersign::Role::"role{i}", action, resource == Countersign::Model::"model{i}");"#
        );
    }
    let Stamps { permit, reserve, .. } = Stamps::issue();
    let started = Instant::now();
    let policy = Policy::parse(&[("speed.cedar", &text)]).map_err(std::io::Error::other)?;
    let parsed = started.elapsed();
    let stage = Stage::new(
        permit,
        reserve,
        Settings { policy: policy.into(), rules: Rules::standard(), rates: Rates::default() },
    );
    let (stamps, who) = (Stamps::issue(), principal());
    let now = |i: u64| Timestamp((1_800_000_000 + i) * 1_000_000);
    let peer = Peer { ip: Some([10, 0, 0, 1].into()), listener: "front".into() };
    let ordinary = call(1);
    let ask = |i: u64, max_tokens: u64| {
        let id = RequestId::new(now(0), [0; 10]);
        let who = Identified::new(&stamps.identify, id, now(i), peer.clone(), Arc::clone(&who));
        let call = Call { max_tokens: Some(max_tokens), ..ordinary.clone() };
        stage.permit(who, call).map_err(std::io::Error::other)
    };
    let dispatch = |permitted: Permitted| -> std::io::Result<Dispatched> {
        let share = stage.share(&permitted).map_err(std::io::Error::other)?;
        let reserved = stage.reserve(permitted, share).map_err(std::io::Error::other)?;
        let screened = Screened::new(&stamps.screen, reserved, Bytes::new(), Vec::new(), Fingerprint::default());
        Ok(Dispatched::new(&stamps.dispatch, Intended::new(&stamps.intend, screened, 0), "target".into()))
    };

    let mut out = std::io::stdout();
    writeln!(out, "parse and validate 20 policies: {:.1} ms", parsed.as_secs_f64() * 1e3)?;
    const COLD: u64 = 5_000;
    let started = Instant::now();
    for i in 0..COLD {
        black_box(ask(0, i)?);
    }
    writeln!(out, "cold permit: {:.2} us", started.elapsed().as_secs_f64() * 1e6 / COLD as f64)?;
    const WARM: u64 = 1_000_000;
    let started = Instant::now();
    for _ in 0..WARM {
        black_box(ask(0, 1)?);
    }
    writeln!(out, "warm permit: {:.3} us", started.elapsed().as_secs_f64() * 1e6 / WARM as f64)?;
    let mut all = Vec::new();
    for _ in 0..WARM / 10 {
        all.push(ask(0, 1)?);
    }
    let started = Instant::now();
    let mut held = Vec::with_capacity(all.len());
    for permitted in all {
        let share = stage.share(&permitted).map_err(std::io::Error::other)?;
        held.push(stage.reserve(permitted, share).map_err(std::io::Error::other)?);
    }
    writeln!(out, "reserve: {:.3} us", started.elapsed().as_secs_f64() * 1e7 / WARM as f64)?;
    let started = Instant::now();
    drop(held);
    writeln!(out, "give back: {:.3} us", started.elapsed().as_secs_f64() * 1e7 / WARM as f64)?;
    let mut all = Vec::new();
    for _ in 0..WARM / 10 {
        all.push(dispatch(ask(0, 1)?)?);
    }
    let started = Instant::now();
    let mut held = Vec::with_capacity(all.len());
    for dispatched in all {
        held.push(stage.readmit(dispatched, now(0)).map_err(std::io::Error::other)?);
    }
    writeln!(out, "warm readmit: {:.3} us", started.elapsed().as_secs_f64() * 1e7 / WARM as f64)
}

fn principal() -> Arc<Principal> {
    Arc::new(Principal {
        tenant: "bank".into(),
        subject: "alice".into(),
        kind: PrincipalKind::Person,
        roles: ["role3", "role7"].map(Arc::from).into(),
        scopes: Arc::new([]),
        credential: "key_1".into(),
        method: Method::ApiKey,
        claims: None,
        lease: Arc::new(Lease::new(None)),
    })
}

fn call(max_tokens: u64) -> Call {
    Call {
        format: Format::Chat,
        model: "model7".into(),
        stream: false,
        max_tokens: Some(max_tokens),
        tools: Vec::new(),
        attachments: 0,
    }
}
