//! The watch at work: follows the feed in a task of its own, raises what it sees go wrong, and says to the policy how far somebody has
//! gone. Nobody's request waits for it. See docs/concepts/watch.md.
//!
//! What it knows is kept every few seconds and taken up by the next process, before that serves anybody. What came after the last time
//! is lost when a process is killed.

mod shelf;

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use countersign_core::{Event, Target, Timestamp};
use countersign_gateway::metrics::Watched;
use countersign_monitor::{Limits, Monitor, Shown};
use countersign_policy::Standings;
use tokio::{
    sync::broadcast::{Receiver, error::RecvError},
    time::{MissedTickBehavior, interval},
};

use crate::{clock, feed::Feed};

pub(crate) use shelf::Shelf;

/// What the watch knows.
pub(crate) struct Watch {
    monitor: Mutex<Monitor>,
    standings: Arc<Standings>,
    taken: AtomicU64,
    shelf: Shelf,
    /// Requests that were seen since what is known was kept.
    unkept: AtomicU64,
}

impl Watch {
    /// One that knows what was kept, and says risks to `standings`.
    pub(crate) fn new(standings: Arc<Standings>, shelf: Shelf) -> Self {
        let monitor = Mutex::new(shelf.take(Limits::default()));
        Self { monitor, standings, taken: AtomicU64::default(), shelf, unkept: AtomicU64::default() }
    }

    /// Begins to follow what happens, and counts it in `watched`.
    pub(crate) fn begin(self: &Arc<Self>, feed: &Arc<Feed>, watched: Watched) {
        tokio::spawn(self.clone().keep_up(watched.clone()));
        tokio::spawn(self.clone().follow(feed.events(), feed.clone(), watched));
    }

    /// Keeps what is known every few seconds, but so seldom that it takes little of the processor's time.
    async fn keep_up(self: Arc<Self>, watched: Watched) {
        let mut wait = KEEPING;
        loop {
            tokio::time::sleep(wait).await;
            if self.unkept.load(Ordering::Acquire) == 0 {
                continue;
            }
            let begun = Instant::now();
            let this = self.clone();
            // A panic in it is on standard error, and the next time comes.
            let _ = tokio::task::spawn_blocking(move || this.keep()).await;
            watched.unkept(self.unkept.load(Ordering::Acquire));
            wait = KEEPING.max(begun.elapsed() * SELDOM);
        }
    }

    /// Keeps what is known now. It blocks.
    pub(crate) fn keep(&self) {
        let unkept = self.unkept.swap(0, Ordering::AcqRel);
        let now = clock::now();
        let write = |out: &mut Vec<u8>| {
            let mut part = 0;
            // Part by part, so that nobody waits for all of it.
            while self.monitor().keep(part, now, out) {
                part += 1;
            }
        };
        if let Err(error) = self.shelf.put(write) {
            self.unkept.fetch_add(unkept, Ordering::AcqRel);
            tracing::warn!(error = format!("{error:#}"), "what the watch knows cannot be kept");
        }
    }

    /// For as long as the process serves.
    async fn follow(self: Arc<Self>, mut events: Receiver<Arc<Event>>, feed: Arc<Feed>, watched: Watched) {
        let mut said = HashMap::new();
        self.say_all(&mut said, clock::now());
        let mut calming = interval(CALMING);
        calming.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                event = events.recv() => match event {
                    Ok(event) => {
                        self.saw(&event, &feed, &watched, &mut said);
                        self.taken.fetch_add(1, Ordering::SeqCst);
                    }
                    Err(RecvError::Lagged(missed)) => {
                        watched.missed(missed);
                        self.taken.fetch_add(missed, Ordering::SeqCst);
                        tracing::warn!(missed, "the watch is behind and has missed requests; the audit log has them");
                    }
                    Err(RecvError::Closed) => return,
                },
                _ = calming.tick() => self.say_again(&mut said, clock::now()),
            }
        }
    }

    fn saw(&self, event: &Event, feed: &Feed, watched: &Watched, said: &mut HashMap<Target, u8>) {
        // What is asked of the gateway itself is no conversation with a model.
        let Some(who) = event.who.as_ref().filter(|_| event.call.is_some()) else { return };
        let mut monitor = self.monitor();
        let alerts = monitor.saw(event);
        let principal = Target::Principal(who.tenant.clone(), who.subject.clone());
        for of in std::iter::once(principal).chain(who.sitting()) {
            self.say(monitor.score(&of, event.at), of, said);
        }
        watched.keeps(monitor.len());
        drop(monitor);
        watched.unkept(self.unkept.fetch_add(1, Ordering::AcqRel) + 1);
        for alert in alerts {
            watched.raised(alert.pattern);
            tracing::warn!(pattern = alert.pattern.as_str(), of = %alert.of, risk = alert.risk, "somebody's timeline went wrong");
            feed.raise(alert);
        }
    }

    /// How many requests it has taken in so far, those that it missed among them; their alerts are raised.
    pub(crate) fn taken(&self) -> u64 {
        self.taken.load(Ordering::SeqCst)
    }

    /// What was known before the process began.
    fn say_all(&self, said: &mut HashMap<Target, u8>, now: Timestamp) {
        for shown in self.riskiest(usize::MAX, now) {
            if matches!(shown.of, Target::Principal(..) | Target::Session(..) | Target::Credential(_)) {
                self.say(shown.risk.score, shown.of, said);
            }
        }
    }

    /// Risk fades while nothing happens.
    fn say_again(&self, said: &mut HashMap<Target, u8>, now: Timestamp) {
        let monitor = self.monitor();
        let scores: Vec<_> = said.keys().map(|of| (of.clone(), monitor.score(of, now))).collect();
        drop(monitor);
        for (of, score) in scores {
            self.say(score, of, said);
        }
    }

    /// What was said already is not said again.
    fn say(&self, score: u8, of: Target, said: &mut HashMap<Target, u8>) {
        if said.get(&of).copied().unwrap_or(0) == score {
            return;
        }
        self.standings.set_risk(of.clone(), score);
        if score == 0 {
            said.remove(&of);
        } else {
            said.insert(of, score);
        }
    }

    /// The timelines that have gone furthest.
    pub(crate) fn riskiest(&self, most: usize, now: Timestamp) -> Vec<Shown> {
        self.monitor().riskiest(most, now)
    }

    /// One timeline.
    pub(crate) fn timeline(&self, of: &Target, now: Timestamp) -> Option<Shown> {
        self.monitor().timeline(of, now)
    }

    /// A person has found a timeline harmless; false where there is none. The policy hears of it at once.
    pub(crate) fn calm(&self, of: &Target) -> bool {
        let known = self.monitor().calm(of);
        self.standings.set_risk(of.clone(), 0);
        self.unkept.fetch_add(1, Ordering::AcqRel);
        known
    }

    fn monitor(&self) -> MutexGuard<'_, Monitor> {
        // A panic half-way through an event leaves a timeline that is a little off, which is better than no watch.
        self.monitor.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// How often what was said is looked at again.
const CALMING: Duration = Duration::from_secs(10);
/// How often what is known is kept, at most.
const KEEPING: Duration = Duration::from_secs(5);
/// How many times longer than keeping it took is waited until it is kept again.
const SELDOM: u32 = 50;

#[cfg(test)]
pub(crate) mod tests {
    use countersign_core::{
        Call, Channel, Code, Finding, Format, Kind, Lease, Pattern, Principal, RequestId, Side,
        principal::{Method, PrincipalKind},
    };

    use countersign_seal::KeyRing;

    use super::*;

    fn ring() -> Arc<KeyRing> {
        Arc::new(KeyRing::from_bytes(KeyRing::generate().unwrap()).unwrap())
    }

    /// A prompt of `subject` that was refused as an attack, unlike that of another `n`.
    pub(crate) fn refused(subject: &str, n: u64, at: Timestamp) -> Event {
        let finding = Finding {
            kind: Kind::Extraction,
            rule: "test/test",
            channel: Channel::User,
            leaf: 0,
            span: 0..1,
            confidence: 0.9,
            digest: n.to_ne_bytes(),
            reproduced: None,
        };
        Event {
            who: Some(Arc::new(Principal {
                tenant: "bank".into(),
                subject: subject.into(),
                kind: PrincipalKind::Person,
                roles: Arc::new([]),
                scopes: Arc::new([]),
                credential: "key".into(),
                method: Method::ApiKey,
                claims: None,
                session: None,
                lease: Arc::new(Lease::new(None)),
            })),
            call: Some(Call {
                format: Format::Chat,
                model: "assistant".into(),
                stream: false,
                max_tokens: None,
                tools: Vec::new(),
                attachments: 0,
            }),
            refused: Some(Code::PromptRefused),
            findings: vec![(Side::Prompt, finding)],
            ..Event::new(RequestId::new(at, [0; 10]), at, "chat")
        }
    }

    #[test]
    fn what_goes_wrong_is_raised_and_said_and_fades_and_can_be_found_harmless() {
        let folder = tempfile::tempdir().unwrap();
        let ring = ring();
        let new = || Watch::new(Arc::default(), Shelf::new(folder.path(), ring.clone()));
        let (watch, feed) = (new(), Feed::default());
        let mut alerts = feed.alerts();
        let mut said = HashMap::new();
        let refused = |n| refused("mallory", n, Timestamp(1_800_000_000_000_000 + n * 1_000_000));
        for n in 0..4 {
            watch.saw(&refused(n), &feed, &Watched::default(), &mut said);
        }
        let of = Target::Principal("bank".into(), "mallory".into());
        let alert = alerts.try_recv().unwrap();
        assert_eq!((&alert.of, alert.pattern), (&of, Pattern::RepeatedExtraction));
        let score = said[&of];
        assert!(score >= 50);
        let last = refused(3).at;
        assert_eq!(watch.timeline(&of, last).map(|shown| shown.risk.score), Some(score));
        assert_eq!(watch.riskiest(9, last)[0].of, of);
        watch.say_again(&mut said, last.plus(Duration::from_secs(6 * 3600)));
        assert!(said[&of] < score);
        watch.say_again(&mut said, last.plus(Duration::from_secs(300 * 86_400)));
        assert!(said.is_empty());
        watch.saw(&refused(4), &feed, &Watched::default(), &mut said);
        assert!(watch.calm(&of) && watch.riskiest(9, last).iter().all(|shown| shown.of != of));
        assert!(!watch.calm(&Target::Everything));
    }

    #[test]
    fn what_was_kept_is_known_to_the_next_and_what_was_changed_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let ring = ring();
        let open = |ring: &Arc<KeyRing>| Watch::new(Arc::default(), Shelf::new(folder.path(), ring.clone()));
        let at = |n| Timestamp(1_800_000_000_000_000 + n * 1_000_000);
        let (watch, of) = (open(&ring), Target::Principal("bank".into(), "mallory".into()));
        for n in 0..2 {
            watch.saw(&refused("mallory", n, at(n)), &Feed::default(), &Watched::default(), &mut HashMap::new());
        }
        assert_eq!(watch.unkept.load(Ordering::Relaxed), 2);
        watch.keep();
        assert_eq!(watch.unkept.load(Ordering::Relaxed), 0);
        let next = open(&ring);
        assert_eq!(next.timeline(&of, at(2)).map(|shown| shown.events), Some(2));
        let mut said = HashMap::new();
        next.say_all(&mut said, at(2));
        assert!(said[&of] > 0);
        // It names people: nobody reads that without the keys, and what somebody wrote there is not believed.
        let file = folder.path().join("watch");
        let bytes = std::fs::read(&file).unwrap();
        assert!(!bytes.windows(7).any(|window| window == b"mallory"));
        assert!(open(&self::ring()).timeline(&of, at(2)).is_none());
        for at in [0, bytes.len() / 2, bytes.len() - 1] {
            let mut changed = bytes.clone();
            changed[at] ^= 1;
            std::fs::write(&file, changed).unwrap();
            assert!(open(&ring).monitor().is_empty());
        }
    }
}
