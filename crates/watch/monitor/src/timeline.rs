//! One timeline: two sums of evidence, the events they rest on, and what is usual. Its size does not depend on how long it goes on.
//!
//! The sums are CUSUMs of a mixture: that of the turns since something went wrong a share are attacks and the rest are as before. The
//! quick one takes that share for a third and forgets within hours, the slow one for three in a hundred and forgets within weeks.

use std::sync::Arc;

use countersign_core::{
    Alert, Event, Pattern, RequestId, Sketch, Target, Timestamp, alert::Reason, principal::PrincipalKind,
};

use crate::{
    Risk, Shown,
    evidence::{BINS, Evidence, What},
    habits::Tally,
    keep::Keep,
    peers::grown,
    steps::{START, Steps},
};

pub(crate) struct Timeline {
    key: u64,
    of: Target,
    tenant: Arc<str>,
    first: Timestamp,
    last: Timestamp,
    events: u32,
    /// Whether it is that of a program: it does one thing over and over, and its evidence comes in heaps.
    program: bool,
    quick: f32,
    slow: f32,
    /// Evidence by pattern, forgotten as the quick sum is.
    patterns: [f32; Pattern::ALL.len()],
    raised: (Timestamp, u8),
    reasons: [Option<Because>; REASONS],
    suspects: [Option<Sketch>; 4],
    passed: [u32; 8],
    previous: Option<Sketch>,
    /// Requests in a row with the same words, and with almost the same.
    same: u16,
    alike: u16,
    /// A busy time: since when, and how many requests.
    window: (Timestamp, u32),
    busy: (f32, f32),
    sensitive: (f32, f32),
    /// For what many share: attempts, with those of long ago fading.
    attempts: (f32, f32),
    /// Requests by how likely an attack they were.
    bins: [u16; BINS],
    /// Those of the session that goes on, which is not judged by itself.
    pending: [u8; BINS],
    hours: [u8; 24],
    /// Hour, model, tools and network of the last request.
    lately: [u32; 4],
    models: Tally<4>,
    tools: Tally<4>,
    places: Tally<4>,
    /// What tools were called, one after another; none where none was.
    steps: Option<Box<Steps>>,
    last_called: u32,
}

#[derive(Clone, Copy)]
struct Because {
    request: RequestId,
    weight: f32,
    what: What,
}

/// Which of the evidence belongs on a timeline.
#[derive(Clone, Copy, Eq, PartialEq)]
pub(crate) enum Reach {
    /// All of it.
    All,
    /// What was asked and answered; not the habits of whoever asked.
    Content,
}

/// How an attempt stands among those of others.
#[derive(Clone, Copy, Eq, PartialEq)]
pub(crate) enum Wide {
    Alone,
    Joined,
}

impl Timeline {
    pub(crate) fn new(key: u64, of: Target, tenant: Arc<str>, now: Timestamp) -> Self {
        Self {
            key,
            of,
            tenant,
            first: now,
            last: now,
            events: 0,
            program: false,
            quick: 0.0,
            slow: 0.0,
            patterns: [0.0; Pattern::ALL.len()],
            raised: (Timestamp(0), 0),
            reasons: [None; REASONS],
            suspects: [None; 4],
            passed: [0; 8],
            previous: None,
            same: 0,
            alike: 0,
            window: (now, 0),
            busy: (0.0, 0.0),
            sensitive: (0.0, 0.0),
            attempts: (0.0, 0.0),
            bins: [0; BINS],
            pending: [0; BINS],
            hours: [0; 24],
            lately: [0; 4],
            models: Tally::default(),
            tools: Tally::default(),
            places: Tally::default(),
            steps: None,
            last_called: START,
        }
    }

    /// Takes the evidence of an event up.
    pub(crate) fn add(&mut self, event: &Event, evidence: &Evidence, reach: Reach) {
        self.fade(event.at);
        self.program = event.who.as_deref().is_some_and(|who| who.kind != PrincipalKind::Person);
        let share = |share: f32| (1.0 - share + share * evidence.ratio).ln();
        let (mut quick, mut slow) = (share(QUICKLY), share(SLOWLY));
        if quick > WORTH_NAMING {
            self.because(event, evidence.what, quick);
        }
        for (what, weight) in evidence.points().filter(|(what, _)| reach == Reach::All || !what.is_habit()) {
            quick += weight;
            slow += weight * 0.3;
            self.because(event, what, weight);
        }
        self.quick = (self.quick + quick).max(0.0);
        self.slow = (self.slow + slow).max(0.0);
        self.settle(event);
    }

    /// As [`Timeline::add`], for what many share: it is not the attempts that count but that there are more than usual.
    pub(crate) fn add_wide(&mut self, event: &Event, evidence: &Evidence, wide: Wide) {
        self.fade(event.at);
        let (times, attempts) = self.attempts;
        let usual = (attempts + 1.0) / (times + 200.0);
        let more = (5.0 * usual + 0.02).min(0.6).max(usual);
        // What a program does all day is no more than usual.
        let program = event.who.as_deref().is_some_and(|who| who.kind != PrincipalKind::Person);
        let attempt = evidence.suspicious() && (!program || evidence.ratio > UNUSUAL);
        let weight = if attempt { more / usual } else { (1.0 - more) / (1.0 - usual).max(0.01) }.ln().clamp(-1.0, 2.0);
        if attempt {
            self.because(event, What::More, weight.max(0.0));
        }
        self.quick += weight;
        if wide == Wide::Joined {
            self.quick += 2.0;
            self.because(event, What::Campaign, 2.0);
        }
        self.quick = self.quick.max(0.0);
        self.attempts = grown(self.attempts, f32::from(u8::from(attempt)));
        self.settle(event);
    }

    fn fade(&mut self, now: Timestamp) {
        let silent = now.since(self.last).as_secs_f32();
        if silent > SESSION {
            self.remember();
        }
        if silent > 0.0 {
            let quick = (-silent / QUICK_HALF).exp2();
            self.quick *= quick;
            self.patterns.iter_mut().for_each(|weight| *weight *= quick);
            self.slow *= (-silent / SLOW_HALF).exp2();
            if let Some(steps) = &mut self.steps {
                steps.fade(quick);
            }
        }
    }

    fn settle(&mut self, event: &Event) {
        self.last = self.last.max(event.at);
        self.events = self.events.saturating_add(1);
        if self.quick <= 0.0 && self.slow < 0.5 && self.drift() <= 0.0 {
            // What it rested on has been outweighed.
            self.reasons = [None; REASONS];
            self.patterns = [0.0; Pattern::ALL.len()];
            self.raised.1 = 0;
        }
    }

    fn because(&mut self, event: &Event, what: What, weight: f32) {
        if weight <= 0.0 {
            return;
        }
        self.patterns[what.pattern() as usize] += weight;
        let lightest = self.reasons.iter_mut().min_by(|a, b| {
            let weight = |reason: &Option<Because>| reason.map_or(0.0, |reason| reason.weight);
            weight(a).total_cmp(&weight(b))
        });
        if let Some(place) = lightest
            && place.is_none_or(|lightest| lightest.weight <= weight)
        {
            *place = Some(Because { request: event.request, weight, what });
        }
    }

    /// Learns what is usual.
    pub(crate) fn learn(&mut self, event: &Event, evidence: &Evidence) {
        if let Some(count) = self.pending.get_mut(evidence.bin) {
            *count += 1;
            if *count == u8::MAX {
                self.remember();
            }
        }
        self.lately = evidence.values();
        evidence.habits(&mut self.hours, &mut self.models, &mut self.tools, &mut self.places);
        for step in evidence.called() {
            self.steps.get_or_insert_default().learn(*step);
            self.last_called = step.to;
            if step.weight > WORTH_NAMING {
                self.because(event, What::Steps, step.weight);
            }
        }
        if let Some(values) = evidence.sensitive {
            self.sensitive = grown(self.sensitive, values);
        }
        if let Some(requests) = evidence.busy_before {
            self.busy = grown(self.busy, requests);
            self.window = (event.at, 0);
        }
        self.window.1 = self.window.1.saturating_add(1);
        let (same, alike) = self.streaks(evidence.sketch);
        (self.same, self.alike) = (same.min(60_000) as u16, alike.min(60_000) as u16);
        self.previous = evidence.sketch;
        if evidence.bin == BINS - 1
            && let Some(sketch) = evidence.sketch
        {
            self.suspects.rotate_right(1);
            self.suspects[0] = Some(sketch);
        }
        if event.refused.is_none() {
            for which in evidence.passed.into_iter().filter(|which| *which != 0) {
                if !self.has_passed(which) {
                    self.passed.rotate_right(1);
                    self.passed[0] = which as u32;
                }
            }
        }
    }

    /// What was seen in a session becomes what is usual.
    fn remember(&mut self) {
        for (count, more) in self.bins.iter_mut().zip(std::mem::take(&mut self.pending)) {
            *count = count.saturating_add(u16::from(more));
        }
        if self.bins.iter().any(|count| *count > u16::MAX / 2) {
            self.bins.iter_mut().for_each(|count| *count /= 2);
        }
    }

    /// What nobody was told yet.
    pub(crate) fn alert(&mut self, event: &Event) -> Option<Alert> {
        let score = self.score(event.at);
        let (at, told) = self.raised;
        let news =
            told == 0 || score >= told.saturating_add(STEP) || (score > told && event.at.since(at).as_secs() > AGAIN);
        if score < ALERT || !news {
            return None;
        }
        self.raised = (event.at, score);
        let Risk { score, because } = self.risk(event.at);
        Some(Alert {
            at: event.at,
            pattern: self.pattern()?,
            of: self.of.clone(),
            tenant: self.tenant.clone(),
            risk: score,
            because,
        })
    }

    /// How far it has gone, as a share of what raises an alert.
    pub(crate) fn level(&self, now: Timestamp) -> f32 {
        let silent = now.since(self.last).as_secs_f32();
        let alert = if matches!(self.of, Target::Tenant(_) | Target::Client(..)) { WIDE_ALERT } else { QUICK_ALERT };
        let quick = self.quick * (-silent / QUICK_HALF).exp2() / alert;
        let slow = self.slow * (-silent / SLOW_HALF).exp2() / SLOW_ALERT;
        let level = quick.max(slow);
        let drift = self.drift() * (-silent / QUICK_HALF).exp2();
        if self.program { level / OF_PROGRAM } else { level }.max(drift)
    }

    /// How far its calls of tools have gone, as a share of what raises an alert.
    fn drift(&self) -> f32 {
        self.steps.as_ref().map_or(0.0, |steps| steps.level())
    }

    pub(crate) fn score(&self, now: Timestamp) -> u8 {
        (f32::from(ALERT) * self.level(now)).clamp(0.0, 100.0) as u8
    }

    pub(crate) fn risk(&self, now: Timestamp) -> Risk {
        let score = self.score(now);
        let mut because: Vec<Because> = self.reasons.iter().flatten().copied().collect();
        because.sort_by(|a, b| b.weight.total_cmp(&a.weight));
        let reason = |b: Because| Reason {
            request: b.request,
            // An id begins with the milliseconds of its request's arrival.
            at: Timestamp((b.request.bits() >> 80) as u64 * 1000),
            what: b.what.as_str(),
            weight: (b.weight * 1000.0) as i32,
        };
        Risk { score, because: because.into_iter().map(reason).collect() }
    }

    pub(crate) fn shown(&self, now: Timestamp) -> Shown {
        Shown {
            of: self.of.clone(),
            tenant: self.tenant.clone(),
            since: self.first,
            last: self.last,
            events: self.events,
            pattern: self.pattern(),
            risk: self.risk(now),
        }
    }

    /// What it looks like most. That somebody is not who they were, or that others do the same, is a weaker sign than what they ask,
    /// and says more about it.
    fn pattern(&self) -> Option<Pattern> {
        let weight = |pattern: &Pattern| {
            let weight = self.patterns[*pattern as usize];
            match pattern {
                Pattern::AccountTakeover => weight * 6.0,
                Pattern::Campaign => weight * 2.0,
                _ => weight,
            }
        };
        let most = Pattern::ALL.into_iter().max_by(|a, b| weight(a).total_cmp(&weight(b)))?;
        (weight(&most) > 0.0).then_some(most)
    }

    pub(crate) fn calm(&mut self) {
        (self.quick, self.slow, self.raised) = (0.0, 0.0, (Timestamp(0), 0));
        self.patterns = [0.0; Pattern::ALL.len()];
        self.reasons = [None; REASONS];
        self.suspects = [None; 4];
        // An agent that was given another task has another order.
        self.steps = None;
    }

    pub(crate) const fn key(&self) -> u64 {
        self.key
    }

    pub(crate) const fn of(&self) -> &Target {
        &self.of
    }

    pub(crate) const fn last(&self) -> Timestamp {
        self.last
    }

    pub(crate) const fn events(&self) -> u32 {
        self.events
    }

    pub(crate) fn suspects(&self) -> impl Iterator<Item = Sketch> {
        self.suspects.iter().flatten().copied()
    }

    pub(crate) fn has_passed(&self, which: u64) -> bool {
        which != 0 && self.passed.contains(&(which as u32))
    }

    /// How often the caller has a request in `bin`, where peers have it as often as `peers` says. A person is judged by what was
    /// before the session that goes on; a program by all of it, and soon, because it does one thing. A calm past makes nobody more
    /// suspect than others are.
    pub(crate) fn usual(&self, bin: usize, peers: f32, program: bool) -> f32 {
        let others = if program { OTHERS_OF_PROGRAM } else { OTHERS_OF_PERSON };
        let count = |(past, now): (&u16, &u8)| f32::from(*past) + if program { f32::from(*now) } else { 0.0 };
        let all: f32 = self.bins.iter().zip(&self.pending).map(count).sum();
        let mine = self.bins.get(bin).zip(self.pending.get(bin)).map_or(0.0, count);
        // Deviations are added, so that somebody with a rate of their own does not drift.
        let more = if program { 2.0 } else { 1.0 } * mine.sqrt();
        ((mine + more + others * peers) / (all + others)).clamp(peers.min(1.0), 1.0)
    }

    /// Hour, model, tools and network of the last request.
    pub(crate) const fn lately(&self) -> [u32; 4] {
        self.lately
    }

    pub(crate) const fn hours(&self) -> &[u8; 24] {
        &self.hours
    }

    pub(crate) const fn models(&self) -> &Tally<4> {
        &self.models
    }

    pub(crate) const fn tools(&self) -> &Tally<4> {
        &self.tools
    }

    pub(crate) const fn places(&self) -> &Tally<4> {
        &self.places
    }

    /// What tools were called, and which was the last; that of a conversation that is over is forgotten.
    pub(crate) fn steps(&self, now: Timestamp) -> (Option<&Steps>, u32) {
        let over = now.since(self.last).as_secs_f32() > SESSION;
        (self.steps.as_deref(), if over { START } else { self.last_called })
    }

    pub(crate) const fn sensitive(&self) -> (f32, f32) {
        self.sensitive
    }

    pub(crate) const fn busy(&self) -> (f32, f32) {
        self.busy
    }

    /// Requests of the busy time that is over, where one is.
    pub(crate) fn busy_before(&self, now: Timestamp) -> Option<f32> {
        (now.since(self.window.0).as_secs() >= BUSY).then_some(self.window.1 as f32)
    }

    /// Requests of this busy time, with the one that comes now.
    pub(crate) fn busy_with(&self, now: Timestamp) -> u32 {
        if now.since(self.window.0).as_secs() >= BUSY { 1 } else { self.window.1.saturating_add(1) }
    }

    /// Requests in a row with the same words, and with almost the same, with one that has these.
    pub(crate) fn streaks(&self, sketch: Option<Sketch>) -> (u32, u32) {
        let shares = self.previous.zip(sketch).map_or(0, |(one, two)| one.shares(two));
        match shares {
            Sketch::SAMPLES => (u32::from(self.same) + 1, u32::from(self.alike)),
            TEMPLATE.. => (0, u32::from(self.alike) + 1),
            _ => (0, 0),
        }
    }
}

/// All but samples of words with what is known by them, and whether an alert was told: whoever acts on it may not have come to it, and
/// is told again.
impl Keep for Timeline {
    fn put(&self, out: &mut Vec<u8>) {
        (self.key, self.of.clone(), self.tenant.clone()).put(out);
        (self.first, self.last, (self.events, self.program)).put(out);
        (self.quick, self.slow, self.patterns).put(out);
        (self.reasons, self.window).put(out);
        (self.busy, self.sensitive, self.attempts).put(out);
        (self.bins, self.pending, self.hours).put(out);
        (self.lately, (self.models, self.tools, self.places)).put(out);
        self.steps.put(out);
        self.last_called.put(out);
    }

    fn take(from: &mut &[u8]) -> Option<Self> {
        let (key, of, tenant) = Keep::take(from)?;
        let (first, last, (events, program)) = Keep::take(from)?;
        let (quick, slow, patterns) = Keep::take(from)?;
        let (reasons, window) = Keep::take(from)?;
        let (busy, sensitive, attempts) = Keep::take(from)?;
        let (bins, pending, hours) = <(_, [u8; BINS], _)>::take(from)?;
        let (lately, (models, tools, places)) = Keep::take(from)?;
        let (steps, last_called) = Keep::take(from)?;
        Some(Self {
            first,
            last,
            events,
            program,
            quick,
            slow,
            patterns,
            reasons,
            window,
            busy,
            sensitive,
            attempts,
            bins,
            // One that is full has been taken over.
            pending: pending.map(|count| count.min(u8::MAX - 1)),
            hours,
            lately,
            models,
            tools,
            places,
            steps,
            last_called,
            ..Self::new(key, of, tenant, last)
        })
    }
}

impl Keep for Because {
    fn put(&self, out: &mut Vec<u8>) {
        (self.request, self.weight, self.what as u8).put(out);
    }

    fn take(from: &mut &[u8]) -> Option<Self> {
        let (request, weight, what) = <(_, _, u8)>::take(from)?;
        Some(Self { request, weight, what: *What::ALL.get(usize::from(what))? })
    }
}

/// From which score on an alert is raised.
pub(crate) const ALERT: u8 = 50;
/// How much further it must have gone for another alert.
const STEP: u8 = 20;
/// Seconds after which going further at all is news.
const AGAIN: u64 = 3600;
const REASONS: usize = 8;
/// Share of a session's turns that are attacks once it has gone wrong, for each of the two sums.
const QUICKLY: f32 = 0.3;
const SLOWLY: f32 = 0.05;
/// Seconds in which half of the evidence is forgotten.
const QUICK_HALF: f32 = 2.0 * 3600.0;
const SLOW_HALF: f32 = 7.0 * 86_400.0;
/// The sums that one harmless session in a thousand comes to, measured by `cargo xtask bench watch`.
const QUICK_ALERT: f32 = 8.6;
const SLOW_ALERT: f32 = 6.5;
/// How much more it takes for a program.
const OF_PROGRAM: f32 = 2.5;
/// Seconds of silence after which a session is over.
const SESSION: f32 = 1800.0;
/// How much likelier a program's attempt must be in an attack than of the program, to count for what many share.
const UNUSUAL: f32 = 3.0;
const WIDE_ALERT: f32 = 23.7;
/// What peers do weighs as much as this many of one's own requests.
const OTHERS_OF_PERSON: f32 = 60.0;
const OTHERS_OF_PROGRAM: f32 = 5.0;
/// Evidence below this is no reason that anybody would want to read.
const WORTH_NAMING: f32 = 0.3;
/// Seconds.
const BUSY: u64 = 300;
/// Samples that two questions of one template share.
const TEMPLATE: u32 = 11;
