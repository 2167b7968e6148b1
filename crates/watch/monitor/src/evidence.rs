//! What one request says for and against: calibrated odds for what the guard saw, and how unlike before the rest of it is.
//!
//! What the guard saw is measured as likelihood ratios on sources of attacks that were kept apart from those it is judged on
//! (`cargo xtask bench watch`). What is unlike before is measured by what is usual for the caller and those like them; each such
//! point has a bound, because surprises of one request are not independent.

use ahash::RandomState;
use countersign_core::{
    Channel, Code, Event, Finding, Kind, Pattern, Side, Sketch,
    principal::{Principal, PrincipalKind},
};

use crate::{
    campaign::ALIKE,
    habits::{Tally, hour_likely},
    peers::Group,
    steps::Step,
    timeline::Timeline,
};

/// How many bins there are: seven by how likely an attack a prompt was, and one for those that were refused for it.
pub const BINS: usize = 8;

/// The bin of a prompt that was let through.
#[must_use]
pub fn bin(likely: f32) -> usize {
    EDGES.iter().take_while(|edge| likely >= **edge).count()
}

/// How often a turn falls into each bin.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Odds {
    /// Turns of attackers.
    pub attack: [f32; BINS],
    /// Everybody's.
    pub harmless: [f32; BINS],
}

impl Odds {
    /// Those that come with the product: measured on one half of the sources, where the half of what is said of attacks is that nothing
    /// is known of them. Attacks of sources that nobody has seen are less plain than those that were learned from.
    pub const SHIPPED: Self = Self {
        attack: [0.10, 0.09, 0.085, 0.08, 0.08, 0.09, 0.12, 0.37],
        harmless: [0.59, 0.22, 0.10, 0.04, 0.02, 0.015, 0.008, 0.007],
    };
}

/// What is unusual about a request.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[repr(u8)]
pub(crate) enum What {
    Likely,
    Refused,
    Alike,
    Planted,
    Leak,
    Canary,
    Sensitive,
    Hour,
    Model,
    Place,
    Tools,
    Denied,
    Surge,
    Loop,
    Sweep,
    Campaign,
    More,
    Steps,
}

impl What {
    /// All of them, in their order.
    pub(crate) const ALL: [Self; 18] = [
        Self::Likely,
        Self::Refused,
        Self::Alike,
        Self::Planted,
        Self::Leak,
        Self::Canary,
        Self::Sensitive,
        Self::Hour,
        Self::Model,
        Self::Place,
        Self::Tools,
        Self::Denied,
        Self::Surge,
        Self::Loop,
        Self::Sweep,
        Self::Campaign,
        Self::More,
        Self::Steps,
    ];

    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Likely => "a prompt that reads like an attack",
            Self::Refused => "a prompt that the guards refused as an attack",
            Self::Alike => "worded like an earlier attempt",
            Self::Planted => "an instruction in what a tool brought back",
            Self::Leak => "protected text or a way out in an answer",
            Self::Canary => "a canary in an answer",
            Self::Sensitive => "more sensitive values in an answer than usual",
            Self::Hour => "an hour unlike before",
            Self::Model => "a model unlike before",
            Self::Place => "a network unlike before",
            Self::Tools => "tools unlike before",
            Self::Denied => "asked for what policy does not permit",
            Self::Surge => "far more requests than usual",
            Self::Loop => "the same request again and again",
            Self::Sweep => "one question after another by one template",
            Self::Campaign => "the template that other accounts sent",
            Self::More => "more attempts than usual here",
            Self::Steps => "tools called in an order unlike before",
        }
    }

    pub(crate) const fn pattern(self) -> Pattern {
        match self {
            Self::Likely | Self::Refused | Self::Alike | Self::More => Pattern::RepeatedExtraction,
            Self::Planted => Pattern::PoisonedToolResult,
            Self::Leak | Self::Sensitive => Pattern::DataExfiltration,
            Self::Canary => Pattern::CanaryTripped,
            Self::Hour | Self::Model | Self::Place | Self::Tools | Self::Denied => Pattern::AccountTakeover,
            Self::Surge | Self::Loop | Self::Steps => Pattern::RunawayAgent,
            Self::Sweep => Pattern::ModelInversion,
            Self::Campaign => Pattern::Campaign,
        }
    }

    /// Whether it says something about the caller's habits rather than about what was asked.
    pub(crate) const fn is_habit(self) -> bool {
        matches!(self, Self::Hour | Self::Model | Self::Place | Self::Tools | Self::Surge)
    }
}

/// One request, weighed.
pub(crate) struct Evidence {
    pub(crate) bin: usize,
    /// How many times likelier it is in an attack than among the caller's peers.
    pub(crate) ratio: f32,
    /// What the ratio rests on.
    pub(crate) what: What,
    points: [(What, f32); POINTS],
    hour: usize,
    model: u32,
    tools: u32,
    place: Option<u32>,
    /// Sensitive values in the answer, where one came.
    pub(crate) sensitive: Option<f32>,
    /// Requests in the busy time that has ended.
    pub(crate) busy_before: Option<f32>,
    pub(crate) sketch: Option<Sketch>,
    /// What was let through and is to be known again.
    pub(crate) passed: [u64; 2],
    called: [Step; Event::MOST_CALLED],
    calls: usize,
}

impl Evidence {
    pub(crate) fn of(event: &Event, own: &Timeline, peers: &Group, odds: &Odds, key: &RandomState) -> Self {
        let (likely, what, passed) = content(event, own);
        let refused = refused(event);
        let bin = if refused { BINS - 1 } else { bin(likely) };
        let at = |odds: &[f32; BINS]| odds.get(bin).copied().unwrap_or(1.0);
        // A program does one thing; what it does now says how often harmless requests of its are taken for attacks.
        let program = event.who.as_deref().is_some_and(|who| who.kind != PrincipalKind::Person);
        let ratio =
            (at(&odds.attack) / own.usual(bin, peers.usual(bin, at(&odds.harmless)), program)).clamp(0.02, 400.0);
        let call = event.call.as_ref();
        let hash = |text: &str| key.hash_one(text) as u32;
        let tools = call.map_or(0, |call| call.tools.iter().fold(0_u32, |all, tool| all.wrapping_add(hash(tool))));
        let mut evidence = Self {
            bin,
            ratio,
            what: if refused && what != What::Planted { What::Refused } else { what },
            points: [(What::More, 0.0); POINTS],
            hour: (event.at.seconds() / 3600 % 24) as usize,
            model: call.map_or(0, |call| hash(&call.model)),
            tools,
            place: event.from.map(|ip| key.hash_one(network(ip)) as u32),
            sensitive: event.complete.then(|| sensitive(event)),
            busy_before: own.busy_before(event.at),
            sketch: event.glimpse.sketch,
            passed,
            called: [Step::default(); Event::MOST_CALLED],
            calls: 0,
        };
        evidence.texts(own, event);
        evidence.answer(event, own, peers);
        evidence.unlike(own, peers);
        evidence.steps(own, event, peers, key);
        evidence.pace(own, event, peers);
        evidence
    }

    /// Whether the prompt reads like an attack.
    pub(crate) const fn suspicious(&self) -> bool {
        self.bin >= SUSPICIOUS
    }

    /// Others sent what reads like it.
    pub(crate) fn shared_with(&mut self, others: usize) {
        self.add(What::Campaign, others as f32, 3.0);
    }

    /// What is unusual about it besides what was asked, with its weight in nats.
    pub(crate) fn points(&self) -> impl Iterator<Item = (What, f32)> {
        self.points.into_iter().filter(|(_, weight)| *weight != 0.0)
    }

    /// Hour, model, tools and network.
    pub(crate) const fn values(&self) -> [u32; 4] {
        let place = match self.place {
            Some(place) => place,
            None => 0,
        };
        [self.hour as u32, self.model, self.tools, place]
    }

    /// What it says of what is usual.
    pub(crate) fn habits<H: Copy + Into<u32> + TryFrom<u32>, const A: usize>(
        &self,
        hours: &mut [H; 24],
        models: &mut Tally<A>,
        tools: &mut Tally<A>,
        places: &mut Tally<A>,
    ) {
        if let Some(hour) = hours.get_mut(self.hour) {
            match H::try_from((*hour).into() + 1) {
                Ok(more) => *hour = more,
                Err(_) => hours.iter_mut().for_each(|hour| {
                    *hour = H::try_from((*hour).into() / 2).unwrap_or(*hour);
                }),
            }
        }
        models.add(self.model);
        tools.add(self.tools);
        if let Some(place) = self.place {
            places.add(place);
        }
    }

    /// The calls of tools that its answer made.
    pub(crate) fn called(&self) -> &[Step] {
        self.called.get(..self.calls).unwrap_or_default()
    }

    /// One attempt after another, in other words.
    fn texts(&mut self, own: &Timeline, event: &Event) {
        let Some(sketch) = self.sketch else { return };
        // Where all that somebody asks is alike, that says nothing.
        let program = event.who.as_deref().is_some_and(|who| who.kind != PrincipalKind::Person);
        let template = program || own.streaks(self.sketch).1 >= 5;
        if !template && !self.known_calm(event) && own.suspects().any(|suspect| suspect.shares(sketch) >= ALIKE) {
            self.add(What::Alike, 0.7, 1.0);
        }
    }

    /// A text that was asked about before and is no attempt of its own.
    fn known_calm(&self, event: &Event) -> bool {
        event.refused.is_none() && self.bin == 0
    }

    fn answer(&mut self, event: &Event, own: &Timeline, peers: &Group) {
        let found =
            |kinds: &[Kind]| event.findings.iter().any(|(side, f)| *side == Side::Answer && kinds.contains(&f.kind));
        if found(&[Kind::Canary]) {
            self.add(What::Canary, CERTAIN, CERTAIN);
        }
        if found(&[Kind::PromptLeak, Kind::DocumentLeak, Kind::Exfiltration]) {
            self.add(What::Leak, 3.0, 3.0);
        }
        if let Some(values) = self.sensitive.filter(|values| *values > 0.0) {
            let usual = usual(own.sensitive(), peers.sensitive, 0.2);
            // Four times as many as usual, against as many as usual; halved, because values come together.
            self.add(What::Sensitive, 0.5 * (values * 4.0_f32.ln() - 3.0 * usual), 2.5);
        }
        if event.refused == Some(Code::NotPermitted) {
            self.add(What::Denied, 0.4, 0.4);
        }
    }

    /// Unlike before: by hour, model, network and tools. What goes on is said once.
    fn unlike(&mut self, own: &Timeline, peers: &Group) {
        if own.events() < ESTABLISHED {
            return;
        }
        let (mut room, most) = (TOGETHER, 1.2);
        let mut point = |evidence: &mut Self, what, weight: f32| {
            let weight = weight.clamp(0.0, most).min(room);
            room -= weight;
            evidence.add(what, weight, most);
        };
        let (now, before) = (self.values(), own.lately());
        let changed = |at: usize| now.get(at) != before.get(at);
        let hour = hour_likely(own.hours(), self.hour, hour_likely(&peers.hours, self.hour, 1.0 / 24.0));
        if changed(0) {
            point(self, What::Hour, (1.0 / 24.0 / hour).ln());
        }
        let surprise = |own: &Tally<4>, peers: &Tally<8>, what| {
            let other = peers.likely(what, 0.05);
            // Whoever has taken an account over does as others do, or something new.
            (other.max(0.2) / own.likely(what, other)).ln()
        };
        if changed(1) {
            point(self, What::Model, surprise(own.models(), &peers.models, self.model));
        }
        if changed(2) {
            point(self, What::Tools, surprise(own.tools(), &peers.tools, self.tools));
        }
        if let Some(place) = self.place.filter(|_| changed(3)) {
            let likely = own.places().likely(place, peers.places.likely(place, 0.02));
            point(self, What::Place, (0.3 / likely).ln());
        }
    }

    /// The calls of tools, one after another.
    fn steps(&mut self, own: &Timeline, event: &Event, peers: &Group, key: &RandomState) {
        let (mine, mut from) = own.steps(event.at);
        for (place, tool) in self.called.iter_mut().zip(&event.called) {
            // All that was not offered by its name is one tool.
            let to = tool.as_ref().map_or(NOT_OFFERED, |tool| key.hash_one(tool) as u32);
            *place = Step::of(from, to, mine, peers.steps.as_deref());
            self.calls += 1;
            from = to;
        }
    }

    /// How often, and how alike.
    fn pace(&mut self, own: &Timeline, event: &Event, peers: &Group) {
        let count = own.busy_with(event.at);
        let usual = usual(own.busy(), peers.busy, 10.0);
        if doubled(count, 30) && count as f32 > 6.0 * usual {
            self.add(What::Surge, 1.5, 1.5);
        }
        let kind = event.who.as_deref().map(|who: &Principal| who.kind);
        let (same, alike) = own.streaks(self.sketch);
        if doubled(same, 60) {
            self.add(What::Loop, 1.5, 1.5);
        }
        // A program that asks one thing of many records is no news; a person who does is.
        if doubled(alike, 25) {
            self.add(What::Sweep, if kind == Some(PrincipalKind::Person) { 2.0 } else { 0.0 }, 2.0);
        }
    }

    fn add(&mut self, what: What, weight: f32, most: f32) {
        let weight = weight.clamp(0.0, most);
        let free = self.points.iter_mut().find(|(_, weight)| *weight == 0.0);
        if let Some(free) = free.filter(|_| weight > 0.0) {
            *free = (what, weight);
        }
    }
}

/// How likely an attack what is new in the prompt is, on what that rests, and what is to be known again. What has passed before and
/// is sent again, as all of a conversation is with each turn, counts once.
fn content(event: &Event, own: &Timeline) -> (f32, What, [u64; 2]) {
    let glimpse = &event.glimpse;
    let mut best = (glimpse.new.likely, What::Likely, glimpse.new.which);
    for (_, finding) in event.findings.iter().filter(|(side, f)| *side == Side::Prompt && is_attack(f)) {
        let what = if finding.channel == Channel::ToolResult { What::Planted } else { What::Likely };
        if finding.confidence > best.0 || (what == What::Planted && finding.confidence >= 0.5) {
            best = (finding.confidence.max(best.0), what, u64::from_ne_bytes(finding.digest));
        }
    }
    let before = glimpse.before;
    if before.likely > best.0 && !own.has_passed(before.which) {
        best = (before.likely, What::Likely, before.which);
    }
    let passed = [best.2, glimpse.new.which];
    if event.refused.is_none() && own.has_passed(best.2) {
        return (0.0, What::Likely, passed);
    }
    (best.0, best.1, if best.0 >= REMEMBERED { passed } else { [0; 2] })
}

fn is_attack(finding: &Finding) -> bool {
    matches!(finding.kind, Kind::Injection | Kind::Extraction | Kind::Exfiltration | Kind::Hidden)
}

/// Whether the prompt was refused for reading like an attack, and not for personal data or a limit.
fn refused(event: &Event) -> bool {
    event.refused == Some(Code::PromptRefused)
        && event.findings.iter().any(|(side, f)| *side == Side::Prompt && is_attack(f))
}

fn sensitive(event: &Event) -> f32 {
    let is = |f: &Finding| matches!(f.kind, Kind::PersonalData | Kind::Secret);
    event.findings.iter().filter(|(side, f)| *side == Side::Answer && is(f)).count() as f32
}

/// The part of an address that a household or a company has, so that one that changes often is not news each time.
fn network(ip: std::net::IpAddr) -> u64 {
    match ip.to_canonical() {
        std::net::IpAddr::V4(ip) => u64::from(ip.to_bits() >> 16),
        std::net::IpAddr::V6(ip) => (ip.to_bits() >> 80) as u64 | 1 << 63,
    }
}

/// What is usual, own observations with those of peers as a prior of a few, and theirs with `before`.
fn usual(own: (f32, f32), peers: (f32, f32), before: f32) -> f32 {
    let peers = (peers.1 + 5.0 * before) / (peers.0 + 5.0);
    (own.1 + 5.0 * peers) / (own.0 + 5.0)
}

/// Whether `count` has just reached `first`, or twice that, or twice that again.
const fn doubled(count: u32, first: u32) -> bool {
    count.is_multiple_of(first) && (count / first).is_power_of_two()
}

/// From which likelihood on a prompt falls into the next bin.
const EDGES: [f32; BINS - 2] = [0.3, 0.5, 0.64, 0.72, 0.79, 0.88];
const SUSPICIOUS: usize = 5;
const REMEMBERED: f32 = 0.3;
/// The hash of a tool that was not offered by its name.
const NOT_OFFERED: u32 = 2;
const POINTS: usize = 8;
/// As much as nothing else can outweigh.
const CERTAIN: f32 = 30.0;
/// Requests after which somebody has habits.
const ESTABLISHED: u32 = 20;
/// What everything that is unlike before may weigh in one request.
const TOGETHER: f32 = 2.0;
