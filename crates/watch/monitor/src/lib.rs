//! Keeps a timeline for every session, principal, client and tenant, and says when one goes wrong and which events that rests on.
//!
//! It does no I/O, reads no clock, sees no text of a prompt or an answer, and acts on nothing: it is told of requests that are over
//! ([`Monitor::saw`]), and what it makes of them are alerts and a risk. An event takes the same time and a timeline the same memory,
//! however long it goes on. What is learned and weighed, and why: `docs/concepts/watch.md`.
//!
//! ```
//! use countersign_monitor::{Limits, Monitor};
//!
//! let monitor = Monitor::new(Limits::default());
//! assert!(monitor.riskiest(10, countersign_core::Timestamp(0)).is_empty());
//! ```

mod campaign;
mod evidence;
mod habits;
mod keep;
mod peers;
mod steps;
mod table;
mod timeline;

use std::sync::Arc;

use ahash::RandomState;
use countersign_core::{Alert, Event, Pattern, Principal, Target, Timestamp, alert::Reason};

pub use evidence::{BINS, Odds, bin};
pub use keep::NotKept;

use campaign::Campaigns;
use evidence::Evidence;
use peers::Peers;
use table::Table;
use timeline::{Timeline, Wide};

/// How much is kept.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Limits {
    /// Timelines. Beyond them a new one takes the place of a calm one.
    pub timelines: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { timelines: 100_000 }
    }
}

/// The watch.
pub struct Monitor {
    table: Table,
    peers: Peers,
    campaigns: Campaigns,
    /// What the key is made of.
    seeds: [u64; 4],
    key: RandomState,
    odds: Odds,
}

/// How far a timeline has gone wrong.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Risk {
    /// 0 to 100. Half is where alerts begin: one harmless session in a thousand comes as far.
    pub score: u8,
    /// Every event that it rests on, the heaviest first.
    pub because: Vec<Reason>,
}

/// A timeline, as people are shown it.
#[derive(Clone, Debug, PartialEq)]
pub struct Shown {
    /// Whose it is.
    pub of: Target,
    /// The tenant that it concerns.
    pub tenant: Arc<str>,
    /// When its first event came.
    pub since: Timestamp,
    /// When its last event came.
    pub last: Timestamp,
    /// How many events it has had.
    pub events: u32,
    /// What it looks like, where it looks like anything.
    pub pattern: Option<Pattern>,
    /// How far it has gone.
    pub risk: Risk,
}

impl Monitor {
    /// One that knows nobody yet.
    #[must_use]
    pub fn new(limits: Limits) -> Self {
        Self::with_seeds(limits, std::array::from_fn(|n| RandomState::new().hash_one(n)))
    }

    fn with_seeds(limits: Limits, seeds: [u64; 4]) -> Self {
        let [a, b, c, d] = seeds;
        Self {
            table: Table::new(limits.timelines),
            peers: Peers::default(),
            campaigns: Campaigns::default(),
            seeds,
            key: RandomState::with_seeds(a, b, c, d),
            odds: Odds::SHIPPED,
        }
    }

    /// With other odds than those that come with it: for measuring them.
    #[must_use]
    pub const fn with_odds(mut self, odds: Odds) -> Self {
        self.odds = odds;
        self
    }

    /// A request is over. What is wrong with the timelines that it belongs to, as far as nobody was told yet.
    pub fn saw(&mut self, event: &Event) -> Vec<Alert> {
        let Some(who) = &event.who else { return Vec::new() };
        if event.call.is_none() {
            // What is asked of the gateway itself is on record, and no conversation with a model.
            return Vec::new();
        }
        let now = event.at;
        let mut alerts = Vec::new();
        let peers = self.peers.of(who, &self.key);
        let principal = Target::Principal(who.tenant.clone(), who.subject.clone());
        let (at, timeline) = self.table.entry(self.key.hash_one(&principal), || (principal, who.tenant.clone()), now);
        let mut evidence = Evidence::of(event, timeline, peers, &self.odds, &self.key);
        let joined = evidence.suspicious().then(|| self.campaigns.joined(event, who, &self.key)).flatten();
        if let Some(others) = joined {
            evidence.shared_with(others);
        }
        peers.learn(&evidence);
        if let Some(timeline) = self.table.get_mut(at) {
            timeline.add(event, &evidence, timeline::Reach::All);
            timeline.learn(event, &evidence);
            alerts.extend(timeline.alert(event));
        }
        if let Some(session) = who.sitting() {
            let (_, timeline) = self.table.entry(self.key.hash_one(&session), || (session, who.tenant.clone()), now);
            timeline.add(event, &evidence, timeline::Reach::Content);
            alerts.extend(timeline.alert(event));
        }
        for wide in wide(who) {
            let (_, timeline) = self.table.entry(self.key.hash_one(&wide), || (wide, who.tenant.clone()), now);
            timeline.add_wide(event, &evidence, if joined.is_some() { Wide::Joined } else { Wide::Alone });
            alerts.extend(timeline.alert(event));
        }
        alerts
    }

    /// How far `of` has gone wrong; nothing where it is not known.
    #[must_use]
    pub fn risk(&self, of: &Target, now: Timestamp) -> Risk {
        self.table.find(self.key.hash_one(of), of).map_or_else(Risk::default, |timeline| timeline.risk(now))
    }

    /// Its score alone, which costs less.
    #[must_use]
    pub fn score(&self, of: &Target, now: Timestamp) -> u8 {
        self.table.find(self.key.hash_one(of), of).map_or(0, |timeline| timeline.score(now))
    }

    /// How far `of` has gone, as a share of what raises an alert: what alerts are measured by.
    #[must_use]
    pub fn level(&self, of: &Target, now: Timestamp) -> f32 {
        self.table.find(self.key.hash_one(of), of).map_or(0.0, |timeline| timeline.level(now))
    }

    /// One timeline.
    #[must_use]
    pub fn timeline(&self, of: &Target, now: Timestamp) -> Option<Shown> {
        self.table.find(self.key.hash_one(of), of).map(|timeline| timeline.shown(now))
    }

    /// The timelines that have gone furthest, the worst first, and none that is calm.
    #[must_use]
    pub fn riskiest(&self, most: usize, now: Timestamp) -> Vec<Shown> {
        let mut all: Vec<(u8, &Timeline)> =
            self.table.iter().map(|timeline| (timeline.score(now), timeline)).filter(|(score, _)| *score > 0).collect();
        all.sort_by_key(|(score, timeline)| (std::cmp::Reverse(*score), std::cmp::Reverse(timeline.last())));
        all.into_iter().take(most).map(|(_, timeline)| timeline.shown(now)).collect()
    }

    /// Forgets what speaks against `of`: a person has looked at it and found it harmless. What is usual for it is kept.
    pub fn calm(&mut self, of: &Target) -> bool {
        let hash = self.key.hash_one(of);
        self.table.find_mut(hash, of).map(Timeline::calm).is_some()
    }

    /// How many timelines there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.table.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// What many share: the client that a token was issued to, and the tenant.
fn wide(who: &Principal) -> impl Iterator<Item = Target> {
    let client = who
        .claims
        .as_deref()
        .and_then(|claims| claims.client.as_ref().map(|client| Target::Client(claims.issuer.clone(), client.clone())));
    client.into_iter().chain([Target::Tenant(who.tenant.clone())])
}

#[cfg(test)]
mod tests;
