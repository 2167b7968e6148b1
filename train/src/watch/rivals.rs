//! The watch, and what it is compared with: each says, after every turn of a principal, how far things have gone.

use std::{collections::HashMap, sync::Arc, time::Instant};

use countersign_core::{
    Call, Channel, Claims, Code, Event, Finding, Format, Glimpse, Kind, Lease, Principal, RequestId, Side, Target,
    Timestamp,
    claims::Groups,
    glimpse::Likeliest,
    principal::{Method, PrincipalKind},
};
use countersign_monitor::{Limits, Monitor};

use super::lives::{Control, Life, Turn};

/// A way to see that a life goes wrong.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Rival {
    Watch,
    Single,
    Mean,
    Refusals,
}

/// The watch itself.
pub(super) struct Watch {
    monitor: Monitor,
    count: u64,
    of: HashMap<(Arc<str>, u32), Arc<Principal>>,
    /// The level of what all share, after the last event.
    shared: f32,
}

impl Rival {
    pub(super) const ALL: [Self; 4] = [Self::Watch, Self::Single, Self::Mean, Self::Refusals];

    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Watch => "the watch",
            Self::Single => "best single turn",
            Self::Mean => "mean of five turns",
            Self::Refusals => "refusals in a day",
        }
    }

    /// How far things have gone after each turn of the life.
    pub(super) fn levels(self, life: &Life) -> Vec<f32> {
        if self == Self::Watch {
            let mut all = Watch::new().life(life);
            return all.swap_remove(0).into_iter().map(|levels| levels.into_iter().fold(0.0, f32::max)).collect();
        }
        // Each account by itself.
        let mut past: HashMap<Option<usize>, Vec<&Turn>> = HashMap::new();
        let level = |turn| {
            let past = past.entry(turn_account(turn)).or_default();
            past.push(turn);
            self.level(past)
        };
        life.turns.iter().map(level).collect()
    }

    fn level(self, past: &[&Turn]) -> f32 {
        let score = |turn: &Turn| turn.seen.likely + if turn.seen.refused { 1.0 } else { 0.0 };
        let Some(now) = past.last() else { return 0.0 };
        match self {
            Self::Watch => 0.0,
            Self::Single => score(now),
            Self::Mean => past.iter().rev().take(5).map(|turn| score(turn)).sum::<f32>() / 5.0,
            Self::Refusals => {
                let day = past.iter().rev().take_while(|turn| now.at - turn.at < 86_400);
                day.filter(|turn| turn.seen.refused).count() as f32
            }
        }
    }

    /// The furthest that things went in each session of harmless tenants.
    pub(super) fn sessions(self, tenants: &[Life]) -> Vec<(Control, f32)> {
        let mut out = Vec::new();
        for tenant in tenants {
            let members: Vec<&Life> = std::iter::once(tenant).chain(tenant.others.iter()).collect();
            let levels: Vec<Vec<f32>> = match self {
                Self::Watch => {
                    let most = |levels: [f32; 3]| levels.into_iter().fold(0.0, f32::max);
                    Watch::new().life(tenant).into_iter().map(|l| l.into_iter().map(most).collect()).collect()
                }
                _ => members.iter().map(|life| self.levels(life)).collect(),
            };
            for (life, levels) in members.iter().zip(levels) {
                let mut most: HashMap<u32, f32> = HashMap::new();
                for (turn, level) in life.turns.iter().zip(levels) {
                    let most = most.entry(turn.session).or_default();
                    *most = most.max(level);
                }
                out.extend(most.into_values().map(|level| (life.control, level)));
            }
        }
        out
    }
}

const fn turn_account(turn: &Turn) -> Option<usize> {
    turn.account
}

impl Watch {
    fn new() -> Self {
        Self { monitor: Monitor::new(Limits::default()), count: 0, of: HashMap::new(), shared: 0.0 }
    }

    /// Levels of principal, session and tenant in harmless sessions, each by itself.
    pub(super) fn split(tenants: &[Life]) -> Vec<(&'static str, Vec<f32>)> {
        let mut out = [("person", Vec::new()), ("session", Vec::new()), ("tenant", Vec::new())];
        for tenant in tenants {
            let members: Vec<&Life> = std::iter::once(tenant).chain(tenant.others.iter()).collect();
            for (life, levels) in members.iter().zip(Self::new().life(tenant)) {
                if life.control == Control::RedTeam {
                    continue;
                }
                let mut most: HashMap<u32, [f32; 3]> = HashMap::new();
                for (turn, levels) in life.turns.iter().zip(levels) {
                    let most = most.entry(turn.session).or_default();
                    most.iter_mut().zip(levels).for_each(|(most, level)| *most = most.max(level));
                }
                for levels in most.into_values() {
                    out.iter_mut().zip(levels).for_each(|((_, all), level)| all.push(level));
                }
            }
        }
        out.into()
    }

    /// Lives a whole tenant through; levels of principal, session and tenant after each turn of each member, the first member's first.
    fn life(mut self, life: &Life) -> Vec<Vec<[f32; 3]>> {
        let members: Vec<&Life> = std::iter::once(life).chain(life.others.iter()).collect();
        let mut order: Vec<(u64, usize, usize)> = Vec::new();
        for (m, member) in members.iter().enumerate() {
            order.extend(member.turns.iter().enumerate().map(|(t, turn)| (turn.at, m, t)));
        }
        order.sort_unstable();
        let mut levels: Vec<Vec<[f32; 3]>> =
            members.iter().map(|member| Vec::with_capacity(member.turns.len())).collect();
        for (_, m, t) in order {
            let turn = &members[m].turns[t];
            let account = turn.account.map_or(members[m], |account| members[1 + account]);
            levels[m].push(self.saw(account, turn));
        }
        levels
    }

    fn saw(&mut self, life: &Life, turn: &Turn) -> [f32; 3] {
        self.count += 1;
        let who =
            self.of.entry((life.name.clone(), turn.session)).or_insert_with(|| principal(life, turn.session)).clone();
        let at = Timestamp(turn.at * 1_000_000);
        self.monitor.saw(&event(who.clone(), turn, at, self.count));
        let person = self.monitor.level(&Target::Principal(who.tenant.clone(), who.subject.clone()), at);
        let in_session = who.sitting().map_or(0.0, |session| self.monitor.level(&session, at));
        let tenant = self.monitor.level(&Target::Tenant(who.tenant.clone()), at);
        // What all share counts against the one who has made it worse.
        let shared = if tenant > self.shared { tenant } else { 0.0 };
        self.shared = tenant;
        [person, in_session, shared]
    }
}

fn principal(life: &Life, session: u32) -> Arc<Principal> {
    let session: Arc<str> = format!("{}-{session}", life.name).into();
    let claims = Claims {
        issuer: "idp".into(),
        subject: life.name.clone(),
        client: None,
        scopes: Vec::new(),
        roles: Vec::new(),
        groups: Groups::Listed(Vec::new()),
        acr: None,
        amr: Vec::new(),
        auth_time: None,
        id: None,
        session: Some(session),
        confirmation: None,
        acts: Vec::new(),
        issued: Timestamp(0),
        expires: Timestamp::MAX,
        extra: Vec::new(),
    };
    Arc::new(Principal {
        tenant: "tenant".into(),
        subject: life.name.clone(),
        kind: life.kind,
        roles: Arc::new([life.role.into()]),
        scopes: Arc::new([]),
        credential: life.name.clone(),
        method: Method::AccessToken,
        claims: Some(Arc::new(claims)),
        session: None,
        lease: Arc::new(Lease::new(None)),
    })
}

fn event(who: Arc<Principal>, turn: &Turn, at: Timestamp, count: u64) -> Event {
    let seen = &turn.seen;
    let finding = Finding {
        kind: Kind::Injection,
        rule: "bench/attack",
        channel: Channel::User,
        leaf: 0,
        span: 0..1,
        confidence: 0.9,
        digest: seen.which.to_ne_bytes(),
        reproduced: None,
    };
    Event {
        from: Some(std::net::Ipv4Addr::from(u32::from(turn.network) << 16 | 1).into()),
        refused: seen.refused.then_some(Code::PromptRefused),
        complete: !seen.refused,
        findings: if seen.refused { vec![(Side::Prompt, finding)] } else { Vec::new() },
        glimpse: Glimpse {
            new: Likeliest { likely: seen.likely, which: seen.which },
            before: Likeliest::NONE,
            sketch: seen.sketch,
        },
        ..plain(who, turn.model, at, count)
    }
}

/// A request of which there is nothing to say.
pub(super) fn plain(who: Arc<Principal>, model: &str, at: Timestamp, count: u64) -> Event {
    let mut random = [0; 10];
    random[..8].copy_from_slice(&count.to_be_bytes());
    Event {
        who: Some(who),
        call: Some(Call {
            format: Format::Chat,
            model: model.into(),
            stream: false,
            max_tokens: None,
            tools: Vec::new(),
            attachments: 0,
        }),
        complete: true,
        ..Event::new(RequestId::new(at, random), at, "chat")
    }
}

/// Somebody with a key, known by nothing else.
pub(super) fn nobody(subject: &str, kind: PrincipalKind) -> Arc<Principal> {
    Arc::new(Principal {
        tenant: "tenant".into(),
        subject: subject.into(),
        kind,
        roles: Arc::new([]),
        scopes: Arc::new([]),
        credential: "key".into(),
        method: Method::ApiKey,
        claims: None,
        session: None,
        lease: Arc::new(Lease::new(None)),
    })
}

/// What an event and a timeline cost.
pub(super) fn cost() {
    let resident = || {
        let status = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
        status.split(' ').nth(1).and_then(|pages| pages.parse::<f64>().ok()).unwrap_or_default() * 4096.0
    };
    let before = resident();
    let mut monitor = Monitor::new(Limits { timelines: MILLION as usize + 10 });
    let event = |n: u64| {
        let who = nobody(&format!("principal-{n}"), PrincipalKind::Person);
        plain(who, "assistant", Timestamp(1_735_516_800_000_000 + n), n)
    };
    (0..MILLION).for_each(|n| drop(monitor.saw(&event(n))));
    let each = (resident() - before) / monitor.len() as f64;
    println!(
        "\n{} timelines: {each:.0} bytes each, their names included, {:.0} MiB",
        monitor.len(),
        each * MILLION as f64 / f64::from(1 << 20)
    );
    let events: Vec<Event> = (0..100_000).map(|n| event(n * 7919 % MILLION)).collect();
    let start = Instant::now();
    events.iter().for_each(|event| drop(monitor.saw(event)));
    println!(
        "{:.0} ns an event, among {} timelines",
        start.elapsed().as_nanos() as f64 / events.len() as f64,
        monitor.len()
    );
}

/// What it takes to keep as many timelines as a gateway has at most, and to take them up again.
pub(super) fn keeping() -> anyhow::Result<()> {
    let mut monitor = Monitor::new(Limits::default());
    let now = Timestamp(1_735_516_800_000_000);
    for n in 0..100_000 {
        monitor.saw(&plain(nobody(&format!("principal-{n}"), PrincipalKind::Person), "assistant", now, n));
    }
    let begun = Instant::now();
    let (mut out, mut part) = (Vec::new(), 0);
    while monitor.keep(part, now, &mut out) {
        part += 1;
    }
    let (kept, begun) = (begun.elapsed(), Instant::now());
    let again = Monitor::kept(Limits::default(), &out)?;
    println!(
        "{} timelines are kept in {} ms and taken up in {} ms, {:.1} MiB, sealing and writing left out",
        again.len(),
        kept.as_millis(),
        begun.elapsed().as_millis(),
        out.len() as f64 / f64::from(1 << 20)
    );
    Ok(())
}

const MILLION: u64 = 1_000_000;
